"""Sixty-four small networks on one batch, each with its own learning rate: stacked, one by one, and the ceilings.

A call of :func:`scanned` and of :func:`in_c` takes many steps, as in peers.py.
"""

import itertools

import numpy as np
import plain
from peers import N_STEPS, logits
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


def stacked_weights():
    """The first weights of all models, [W (E, n_in, n_out), b (E, n_out), ...]."""
    rng = np.random.default_rng(0)
    weights = []
    for a, b in itertools.pairwise(SIZES):
        weights += [rng.normal(size=(N_MODELS, a, b)) * np.sqrt(2.0 / a), np.zeros((N_MODELS, b))]
    return [array.astype(np.float32) for array in weights]


def stacked():
    """All models at once."""
    x, y = data()
    ensemble = Ensemble(lambda rng: Sequential(*dense(SIZES, tanh), rng=rng), range(N_MODELS))
    for parameter, first in zip(ensemble.parameters, stacked_weights(), strict=True):
        parameter.value[...] = first
    return nnlib_step(ensemble, for_each_model(binary_cross_entropy), SGD(ensemble.learning_rates(rates())), x, y)


def one_by_one():
    """The same models in a loop."""
    x, y = data()
    steps = []
    for rate, *weights in zip(rates(), *stacked_weights()):
        network = Sequential(*dense(SIZES, tanh), rng=np.random.default_rng(0))
        network.theta[...] = np.concatenate([array.ravel() for array in weights])
        steps.append(nnlib_step(network, binary_cross_entropy, SGD(rate), x, y))

    def call():
        return [step() for step in steps]

    return call


def vmapped():
    """PyTorch: torch.func.vmap over stacked parameters."""
    import torch
    import torch.nn.functional as F

    x, y = map(torch.from_numpy, data())
    parameters = [torch.from_numpy(p) for p in stacked_weights()]
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


def scanned():
    """JAX: vmap over the models within one compiled graph of many steps; their losses (n_steps, E)."""
    import jax
    import jax.numpy as jnp

    x, y = map(jnp.asarray, data())
    columns = jnp.asarray(rates(), jnp.float32)

    def loss(parameters):
        z = logits(parameters, x, jnp.tanh)
        return jnp.mean(jax.nn.softplus(z) - z * y)

    def step(parameters, rate):
        L, gradients = jax.value_and_grad(loss)(parameters)
        return [p - rate * g for p, g in zip(parameters, gradients)], L

    def body(parameters, _):
        return jax.vmap(step)(parameters, columns)

    steps = jax.jit(lambda parameters: jax.lax.scan(body, parameters, None, length=N_STEPS), donate_argnums=0)
    parameters = [jnp.asarray(p) for p in stacked_weights()]

    def call():
        nonlocal parameters
        parameters, losses = steps(parameters)
        return np.asarray(losses)

    call.n_steps = N_STEPS
    return call


def in_c():
    """Plain C, one network after the other, which is how a processor's caches like it; losses (n_steps, E)."""
    x, y = data()
    members = [
        plain.trainer(SIZES, "tanh", "binary", "sgd", x, y, N_STEPS, rate=rate, weights=weights)
        for rate, *weights in zip(rates(), *stacked_weights())
    ]

    def call():
        return np.stack([member() for member in members], axis=1)

    call.n_steps = N_STEPS
    return call


CEILINGS = {"JAX vmap and scan": scanned, "plain C": in_c}
