"""Sixty-four small networks on one batch, each with its own learning rate: stacked, one by one, and torch's vmap."""

import itertools

import numpy as np
from steps import dense, nnlib_step

from nnlib.activations import tanh
from nnlib.ensemble import Ensemble, for_each_model
from nnlib.losses import binary_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import SGD

N_MODELS, N, SIZES = 64, 32, (2, 16, 16, 1)


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, SIZES[0])).astype(np.float32), rng.integers(0, 2, (N, 1)).astype(np.float32)


def rates():
    return np.geomspace(1e-3, 1.0, N_MODELS)


def stacked():
    """All models at once."""
    x, y = data()
    ensemble = Ensemble(lambda rng: Sequential(*dense(SIZES, tanh), rng=rng), range(N_MODELS))
    return nnlib_step(ensemble, for_each_model(binary_cross_entropy), SGD(ensemble.learning_rates(rates())), x, y)


def one_by_one():
    """The same models in a loop."""
    x, y = data()
    steps = []
    for seed, rate in enumerate(rates()):
        network = Sequential(*dense(SIZES, tanh), rng=np.random.default_rng(seed))
        steps.append(nnlib_step(network, binary_cross_entropy, SGD(rate), x, y))

    def call():
        for step in steps:
            step()

    return call


def vmapped():
    """PyTorch: torch.func.vmap over stacked parameters."""
    import torch
    import torch.nn.functional as F

    x, y = map(torch.from_numpy, data())
    gain = torch.Generator().manual_seed(0)
    parameters = []
    for a, b in itertools.pairwise(SIZES):
        parameters += [torch.randn(N_MODELS, a, b, generator=gain) * (2.0 / a) ** 0.5, torch.zeros(N_MODELS, b)]
    columns = [torch.from_numpy(rates().astype(np.float32)).reshape(-1, *[1] * (p.ndim - 1)) for p in parameters]

    def loss(parameters):
        *hidden, (W, b) = zip(parameters[::2], parameters[1::2])
        h = x
        for V, c in hidden:
            h = torch.tanh(h @ V + c)
        return F.binary_cross_entropy_with_logits(h @ W + b, y)

    gradient = torch.func.vmap(torch.func.grad_and_value(loss))

    def call():
        with torch.no_grad():
            gradients, losses = gradient(parameters)
            for p, g, column in zip(parameters, gradients, columns):
                p -= column * g
        return losses.tolist()

    return call
