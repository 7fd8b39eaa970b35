"""A training to be killed and resumed, in a module of its own so that another process can run it.

``python resumed.py PATH KIND EPOCHS [KILL_AT]`` trains with a checkpoint at PATH and kills itself in the middle of
epoch KILL_AT; what came out is printed as JSON.
"""

import hashlib
import json
import os
import signal
import sys

import numpy as np

from nnlib.activations import relu
from nnlib.callbacks import Callback, EarlyStopping, GradientMonitor
from nnlib.checkpoint import Checkpoint
from nnlib.ensemble import Ensemble, fit_ensemble
from nnlib.layers import Activation, BatchNorm, Dense, DropConnect, Dropout, GaussianNoise, RReLU
from nnlib.losses import softmax_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import SGD, NAdam
from nnlib.regularizers import L2
from nnlib.schedules import cosine
from nnlib.training import fit

STEPS_AN_EPOCH = 6  # 90 examples, 16 a batch


class KillAt(Callback):
    """Kill this process after the third step of an epoch, if one is given."""

    def __init__(self, at):
        self.epoch_to_die, self.n_steps = at, 0

    def step(self, run):
        self.n_steps += 1
        if run.epoch == self.epoch_to_die and self.n_steps % STEPS_AN_EPOCH == 3:
            os.kill(os.getpid(), signal.SIGKILL)


def data(seed, n=90):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


def one_network(path, epochs, watchers=(), **changed):
    """Layers that draw, statistics, a schedule, a penalty, an augmentation that draws, two callbacks that remember."""
    rng, noise = np.random.default_rng(0), np.random.default_rng(1)
    network = Sequential(
        GaussianNoise(0.1), Dense(4, 12), BatchNorm(12), RReLU(), Dropout(0.2), DropConnect(12, 8, 0.2),
        Activation(relu), Dense(8, 3), rng=rng,
    )  # fmt: skip
    monitor = GradientMonitor(every=4)
    settings = {"batch_size": 16, "penalty": L2(1e-4), "rng": rng, **changed}
    history = fit(
        network, softmax_cross_entropy(label_smoothing=0.1), NAdam(cosine(0.02, 60)), data(2), data(3, 30),
        epochs=epochs, augment=lambda x: x + 0.05 * noise.normal(size=x.shape).astype(x.dtype),
        callbacks=[Checkpoint(path), EarlyStopping(patience=3), monitor, *watchers], **settings,
    )  # fmt: skip
    return [network.theta, *network.all_statistics(), monitor.norms, monitor.ratios], vars(history), rng


def many_networks(path, epochs, watchers=()):
    """Three networks, one of which diverges."""
    rng = np.random.default_rng(0)
    ensemble = Ensemble(
        lambda rng: Sequential(Dense(4, 8), Activation(relu), Dropout(0.3), Dense(8, 3), rng=rng), range(3)
    )
    optimizer = SGD(ensemble.learning_rates([0.1, 1e30, 0.2]))
    histories = fit_ensemble(
        ensemble, softmax_cross_entropy, optimizer, data(2), data(3, 30), epochs=epochs, batch_size=16, rng=rng,
        callbacks=[Checkpoint(path), EarlyStopping(patience=4), *watchers],
    )  # fmt: skip
    return [ensemble.theta], [vars(history) for history in histories], rng


KINDS = {"one network": one_network, "many networks": many_networks}


def digest(arrays, histories, rng):
    """The bits of a result: of every array and every recorded number, and the next number of the generator."""
    bits = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))
    return {"arrays": bits.hexdigest(), "histories": histories, "next": float(rng.random())}


if __name__ == "__main__":
    path, kind, epochs, *kill_at = sys.argv[1:]
    print(json.dumps(digest(*KINDS[kind](path, int(epochs), [KillAt(int(kill_at[0]) if kill_at else None)]))))
