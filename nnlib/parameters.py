"""Parameters: named windows into one flat vector of values and one flat vector of gradients."""

import math

import numpy as np

from nnlib.doors import checked_rng


class Parameter:
    """A window into a network's values ``theta`` and gradients ``grad``.

    ``value`` and ``grad`` are views of the given shape: write into them (``p.value[...] = 0``), never replace them.

    Parameters
    ----------
    shape : tuple of int
    init : callable
        ``init(rng, shape)`` gives the first values.
    decay : bool
        Whether penalties apply: weights yes, biases no.
    """

    def __init__(self, shape, init, decay=True):
        self.shape = tuple(int(n) for n in shape)
        self.size = math.prod(self.shape)
        self.init = init
        self.decay = decay

    def bind(self, value, grad):
        """Look from now on at these flat arrays of ``size`` numbers."""
        vars(self).update(value=value.reshape(self.shape), grad=grad.reshape(self.shape))

    def __setattr__(self, name, new):
        if name in ("value", "grad"):
            raise AttributeError(f"{name} is a window into the network's vector: write p.{name}[...] = new")
        super().__setattr__(name, new)

    def __getattr__(self, name):  # of what bind has not set yet
        if name in ("value", "grad"):
            raise RuntimeError(
                "this parameter has no memory yet: put its layer into Sequential(..., rng=rng) "
                "or call layer.initialize(rng)"
            )
        raise AttributeError(f"a Parameter has no attribute {name!r}")

    def __repr__(self):
        return f"Parameter{self.shape}"


def named_parameters(network):
    """("0 Dense.W", Parameter) and so on, in the order of ``theta``."""
    layers = getattr(network, "children", ()) or (network,)
    for i, layer in enumerate(layers):
        kind = type(layer).__name__
        own = {id(p): name for name, p in vars(layer).items()}
        for k, p in enumerate(layer.parameters):
            yield f"{i} {kind}.{own.get(id(p), k)}", p


def allocate(parameters, rng, dtype):
    """Lay the parameters end to end: (theta (P,), grad (P,)), bound and initialized in order."""
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"a network computes in float32 or float64, got dtype {dtype}")
    checked_rng(rng)
    n_parameters = sum(p.size for p in parameters)
    theta, grad = np.zeros(n_parameters, dtype), np.zeros(n_parameters, dtype)
    bind(parameters, theta, grad)
    for p in parameters:
        p.value[...] = p.init(rng, p.shape)
    return theta, grad


def bind(parameters, theta, grad):
    """Let the parameters look, one after another, at their parts of theta (P,) and grad (P,), or of rows (E, P)."""
    start, n_models = 0, math.prod(theta.shape[:-1])
    for p in parameters:
        stop = start + p.size // n_models
        p.bind(theta[..., start:stop], grad[..., start:stop])
        start = stop
