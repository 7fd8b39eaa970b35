"""Repeatable: one seed gives one result, to the last bit on one machine, in this process and in new ones."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from nnlib.activations import relu
from nnlib.augmentation import Augment
from nnlib.data import digits
from nnlib.layers import Activation, BatchNorm, Dense, Dropout
from nnlib.losses import softmax_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import Adam
from nnlib.training import fit

HERE = pathlib.Path(__file__).parent


def result(seed):
    """A small network on real digits, with dropout, Adam and augmentation: the bits of theta, and the history."""
    rng, data = np.random.default_rng(seed), digits()
    network = Sequential(
        Dense(64, 24), BatchNorm(24), Activation(relu), Dropout(0.2), Dense(24, 10), rng=rng, dtype=np.float32
    )
    train, validation = ((x[:200], y[:200]) for x, y in (data.train, data.validation))
    augment = Augment(shift=1, rotate=10.0, noise=0.02, shape=(8, 8), rng=rng)
    history = fit(
        network,
        softmax_cross_entropy,
        Adam(0.003),
        train,
        validation,
        epochs=3,
        batch_size=32,
        augment=augment,
        rng=rng,
    )
    bits = b"".join(array.tobytes() for array in (network.theta, *network.all_statistics()))
    return {"bits": hashlib.sha256(bits).hexdigest(), "history": vars(history)}


def in_a_new_process(seed, **environment):
    """The same, in a process of its own."""
    run = subprocess.run(
        [sys.executable, __file__, str(seed)], capture_output=True, text=True, check=False, cwd=HERE.parent,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def here():
    return json.loads(json.dumps(result(0)))


def test_the_same_seed_gives_the_same_bits_in_new_processes_and_in_this_one(here):
    first = in_a_new_process(0, PYTHONHASHSEED="1")
    second = in_a_new_process(0, PYTHONHASHSEED="2")
    assert first == second
    assert here == first
    assert len(here["history"]["batch_loss"]) == 3 * 7


def test_the_same_seed_gives_the_same_bits_twice_in_one_process(here):
    np.random.default_rng().random()  # what others draw does not matter
    assert json.loads(json.dumps(result(0))) == here


def test_another_seed_gives_other_bits(here):
    other = result(1)
    assert other["bits"] != here["bits"]
    assert other["history"]["batch_loss"] != here["history"]["batch_loss"]


if __name__ == "__main__":
    print(json.dumps(result(int(sys.argv[1]))))
