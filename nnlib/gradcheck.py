"""Gradient check: is the backward pass the derivative of the forward pass?

The central difference (f(x + eps) - f(x - eps)) / (2 eps) errs by O(eps^2) from the curve and by O(1e-16 / eps) from
rounding, so it needs float64; near eps = 1e-6 both are small.
"""

from dataclasses import dataclass, field

import numpy as np

from nnlib.parameters import named_parameters

LIMIT = 1e-6  # relative error below which a gradient counts as right


def relative_error(a, b):
    """|a - b| / max(|a|, |b|) with Euclidean norms; |a - b| where neither norm is above 1e-12.  a, b of one shape"""
    if np.shape(a) != np.shape(b) and not np.size(a) == np.size(b) == 1:
        raise ValueError(f"relative_error takes two arrays of one shape, got {np.shape(a)} and {np.shape(b)}")
    a, b = np.ravel(a), np.ravel(b)
    scale = max(np.linalg.norm(a), np.linalg.norm(b))
    return float(np.linalg.norm(a - b) / scale) if scale > 1e-12 else float(np.linalg.norm(a - b))


def numerical_gradient(function, x, eps=1e-6, entries=None):
    """df/dx_i = (f(x + eps e_i) - f(x - eps e_i)) / (2 eps), one entry at a time.

    Parameters
    ----------
    function : callable
        ``function(x) -> float``, with x an array that it must not change, computed in float64.
    x : ndarray of float64
    entries : ndarray of int, optional
        Flat indices to compute; the others stay NaN.

    Returns
    -------
    ndarray of the shape of x
    """
    x = np.array(x)
    if x.dtype != np.float64:
        raise TypeError(f"a numerical gradient needs float64, got {x.dtype}: rounding would swamp the difference")
    gradient = np.full(x.shape, np.nan)
    flat, flat_gradient = x.reshape(-1), gradient.reshape(-1)
    for i in range(x.size) if entries is None else entries:
        kept = flat[i]
        flat[i] = kept + eps
        above = function(x)
        flat[i] = kept - eps
        below = function(x)
        flat[i] = kept
        if getattr(above, "dtype", np.float64) in (np.float32, np.float16):
            raise TypeError(f"a numerical gradient needs float64, the function returned {above.dtype}")
        flat_gradient[i] = (above - below) / (2.0 * eps)
    return gradient


@dataclass
class Report:
    """Relative errors of a gradient check, one row per parameter and one for the input."""

    rows: list = field(default_factory=list)  # (name, shape, relative error)

    @property
    def max_error(self):
        return max(error for _, _, error in self.rows)

    @property
    def passed(self):
        """Whether every relative error is below 1e-6; NaN never is."""
        return all(error < LIMIT for _, _, error in self.rows)

    def __repr__(self):  # digits only where they matter, so that the text is the same on every machine
        width = max(len(name) for name, _, _ in self.rows)
        lines = [
            f"{name.ljust(width)}  {'×'.join(map(str, shape)).ljust(9)}  "
            + ("ok, below 1e-6" if error < LIMIT else f"WRONG, relative error {error:.2g}")
            for name, shape, error in self.rows
        ]
        return "\n".join(lines)


def check_gradients(network, loss, x, target, *, rng, eps=1e-6, training=False, entries=200):
    """Compare the backward pass of a network with central differences, in every parameter array and in the input.

    Parameters
    ----------
    network : Layer
        In float64, e.g. ``Sequential(..., dtype=np.float64)``; nothing about it is changed.
    loss : callable
        ``loss(output, target) -> (float, gradient)``.
    rng : np.random.Generator
        Chooses which entries of a large parameter are compared.
    training : bool
        Check the training pass; random layers then repeat the same draw at every evaluation.
    entries : int or None
        At most so many entries of each parameter, drawn by ``rng``: a single wrong one among many others is then likely
        to be missed. None compares all of them.

    Returns
    -------
    Report

    Raises
    ------
    TypeError
        If the network is not float64.
    """
    _in_float64(network)
    x = np.array(x, np.float64)
    frozen = _generators(network)

    def value(_=None):
        for generator, state in frozen:
            generator.bit_generator.state = state
        return loss(network.forward(x, training), target)

    _, dout = value()
    dx = np.array(network.backward(dout))

    report = Report()
    start = 0
    for name, p in named_parameters(network):
        chosen = _choose(rng, p.size, entries)
        numeric = numerical_gradient_in_place(lambda: value()[0], p.value, eps, chosen)
        report.rows.append((name, p.shape, relative_error(network.grad[start + chosen], numeric)))
        start += p.size
    chosen = _choose(rng, x.size, entries)
    numeric = numerical_gradient_in_place(lambda: value()[0], x, eps, chosen)
    report.rows.append(("input", x.shape, relative_error(dx.reshape(-1)[chosen], numeric)))
    for generator, state in frozen:
        generator.bit_generator.state = state
    return report


def _in_float64(network):
    if network.dtype != np.float64:
        raise TypeError(
            f"a gradient check needs float64, this network is {network.dtype}: build it with dtype=np.float64"
        )


def numerical_gradient_in_place(value, array, eps, entries):
    """Central differences of value() with respect to chosen entries of an array that value reads."""
    numeric = np.empty(len(entries))
    for k, i in enumerate(entries):
        index = np.unravel_index(i, array.shape)
        kept = array[index]
        array[index] = kept + eps
        above = value()
        array[index] = kept - eps
        below = value()
        array[index] = kept
        numeric[k] = (above - below) / (2.0 * eps)
    return numeric


def directional_check(network, loss, x, target, *, rng, eps=1e-6):
    """All parameters at once: the slope of the loss along a random direction v, measured and computed.

    (L(theta + eps v) - L(theta - eps v)) / (2 eps) = v . grad, for the price of two forward passes whatever the size.

    Returns
    -------
    numeric, analytic : float
    """
    _in_float64(network)
    direction = rng.normal(size=network.theta.size)
    direction /= np.linalg.norm(direction)
    theta = network.theta.copy()
    _, dout = loss(network.forward(x), target)
    network.backward(dout, input_gradient=False)
    analytic = float(direction @ network.grad)
    network.theta[...] = theta + eps * direction
    above, _ = loss(network.forward(x), target)
    network.theta[...] = theta - eps * direction
    below, _ = loss(network.forward(x), target)
    network.theta[...] = theta
    return (above - below) / (2.0 * eps), analytic


def _choose(rng, size, entries):
    """Which of ``size`` entries to compare: all where ``entries`` is None or no smaller, else a sample in order."""
    if entries is not None and entries < 1:
        raise ValueError(f"entries is a whole number from 1 on, or None for all, got {entries!r}")
    everything = entries is None or size <= entries
    return np.arange(size) if everything else np.sort(rng.choice(size, entries, replace=False))


def _generators(layer):
    own = [(layer.rng, layer.rng.bit_generator.state)] if hasattr(layer, "rng") else []
    return own + [pair for child in layer.children for pair in _generators(child)]
