"""Chapter 4's experiments: small networks on the digits, changed activations, and what can be asked of them."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from nnlib import activations
from nnlib.activations import Elementwise, selu, sigmoid, step
from nnlib.comparison import fit_or_diverge
from nnlib.data import digits
from nnlib.diagnostics import pre_activations, propagate, silent_fraction
from nnlib.initializers import he_normal, xavier_normal
from nnlib.layers import Dense, PReLU
from nnlib.losses import binary_cross_entropy, softmax_cross_entropy
from nnlib.metrics import accuracy
from nnlib.network import Sequential, mlp
from nnlib.optimizers import SGD
from nnlib.training import fit


@functools.cache
def some_digits(n=1500):
    """The first n training digits, a pair (x (n, 64) in 0..1, y (n,)), read-only since many runs share them."""
    x, y = (part[:n].copy() for part in digits().train)
    x.flags.writeable = y.flags.writeable = False
    return x, y


@dataclass(frozen=True)
class Best:
    """The learning rate of a grid that trains best, and its runs, one per seed.

    ``table`` (rates, seeds) holds the training loss after the last epoch of all runs, infinity where a run diverged.
    """

    learning_rate: float
    losses: np.ndarray
    networks: list
    curves: np.ndarray  # (seeds, epochs): the mean loss of each epoch
    table: np.ndarray

    def __repr__(self):
        return f"Best(learning_rate={self.learning_rate:g}, mean loss {self.losses.mean():.2g})"


def best_of_grid(
    build, learning_rates, *, seeds=(0, 1, 2), epochs, train=None, loss=softmax_cross_entropy, batch_size=50
):
    """Train a network for each learning rate and seed, and keep the rate with the lowest mean training loss.

    Seed s draws the same first weights and the same order of examples whatever else differs, so that two arms of an
    experiment are compared run by run.

    Parameters
    ----------
    build : callable
        ``build(rng) -> Sequential``.
    """
    x, y = some_digits() if train is None else train
    runs = [[_run(build, rate, s, epochs, x, y, loss, batch_size) for s in seeds] for rate in learning_rates]
    table = np.array([[run[0] for run in row] for row in runs])
    if not np.isfinite(table).all(axis=1).any():
        raise ValueError(f"every learning rate of {learning_rates} diverged for some seed")
    best = int(table.mean(axis=1).argmin())
    losses, networks, curves = zip(*runs[best])
    return Best(learning_rates[best], np.array(losses), list(networks), np.array(curves), table)


def _run(build, rate, seed, epochs, x, y, loss, batch_size):
    """(final training loss, network, loss per epoch) of one training; infinity from where it diverged."""
    network, order = build(np.random.default_rng(seed)), np.random.default_rng(1000 + seed)
    curve = fit_or_diverge(network, loss, SGD(rate), (x, y), epochs=epochs, batch_size=batch_size, rng=order)
    with np.errstate(all="ignore"):
        final = loss(network.predict(x), y)[0]
    return (final if np.isfinite([*curve, final]).all() else math.inf), network, curve


def shifted(activation, shift):
    """The activation f(z) + shift: other outputs, the same slopes."""

    def f(z, out):
        activation.f(z, out)
        out += shift

    def df(z, a, out):
        activation.df(z, a - shift, out)

    return Elementwise(f"{activation.name} {'+' if shift > 0 else '−'} {abs(shift):g}", f, df)


def stretched(activation, factor):
    """The activation factor * f(factor * z), which has factor^2 times the slope."""

    def f(z, out):
        activation.f(factor * z, out)
        out *= factor

    def df(z, a, out):
        activation.df(factor * z, a / factor, out)
        out *= factor * factor

    return Elementwise(f"{factor:g} {activation.name}({factor:g} z)", f, df)


def straight_through(z_limit=1.0):
    """The step function with a false derivative: 1 for |z| <= z_limit, else 0   (Bengio et al. 2013; Courbariaux et al.
    2016, eq. 4).
    """

    def df(z, a, out):
        np.less_equal(np.abs(z), z_limit, out=out, casting="unsafe")

    return Elementwise("straight_through_step", step.f, df, (z_limit,))


def same_sign_share(network, x, y, layer, n_examples=1):
    """Share of the units of a Dense layer whose weight gradients are all >= 0 or all <= 0.

    Mean over batches of ``n_examples``; units without any gradient are left out.
    """
    shares = []
    for i in range(0, len(x) - n_examples + 1, n_examples):
        _, dout = softmax_cross_entropy(network.forward(x[i : i + n_examples]), y[i : i + n_examples])
        network.backward(dout, input_gradient=False)
        dW = network.layers[layer].W.grad
        dW = dW[:, np.any(dW != 0, axis=0)]
        shares.append(np.mean(np.all(dW >= 0, axis=0) | np.all(dW <= 0, axis=0)))
    return float(np.mean(shares))


def most_opposed_cosine(W):
    """For each column of W (n_in, n_out), the cosine with the column that points most nearly the other way."""
    unit = W / np.linalg.norm(W, axis=0)
    return (unit.T @ unit).min(axis=1)


def learned_slopes(decay=0.0, seeds=(0, 1, 2), epochs=10, learning_rate=0.2):
    """Train 64-64-64-64-10 with one learned slope per unit; mean slope of each hidden layer, shape (seeds, 3).

    ``decay`` is the factor of a penalty decay / 2 * slope^2 on the slopes alone, as a careless weight decay would add.
    """
    x, y = some_digits()
    found = []
    for s in seeds:
        network = mlp((64, 64, 64, 64, 10), lambda: PReLU(64), he_normal, np.random.default_rng(s))
        rectifiers = [layer for layer in network.layers if isinstance(layer, PReLU)]

        def penalty(network, rectifiers=rectifiers):
            for layer in rectifiers:
                layer.slope.grad[...] += decay * layer.slope.value

        order = np.random.default_rng(1000 + s)
        fit(
            network, softmax_cross_entropy, SGD(learning_rate), (x, y), epochs=epochs, batch_size=50, rng=order,
            penalty=penalty, progress=False,
        )  # fmt: skip
        found.append([layer.slope.value.mean() for layer in rectifiers])
    return np.array(found)


def accuracy_under_noise(networks, levels, seed=9):
    """Accuracy on the validation digits with normal noise of each standard deviation, shape (networks, levels)."""
    x, y = digits().validation
    noise = np.random.default_rng(seed).normal(size=x.shape).astype(np.float32)
    return np.array([[accuracy(network.predict(x + level * noise), y) for level in levels] for network in networks])


def eight_or_not(seeds=(0, 1, 2), epochs=15):
    """Train one sigmoid unit a seed to tell eights from other digits, and ask it about new writers.

    Returns
    -------
    p (seeds, N), the predicted probabilities of an eight, and yes (N,), whether it is one
    """
    (x, y), (x_new, y_new) = some_digits(), digits().validation
    target = (y == 8).astype(np.float32)[:, None]
    p = []
    for s in seeds:
        unit, order = (
            Sequential(Dense(64, 1, xavier_normal), rng=np.random.default_rng(s)),
            np.random.default_rng(1000 + s),
        )
        fit(
            unit, binary_cross_entropy, SGD(1.0), (x, target), epochs=epochs, batch_size=50, rng=order, progress=False
        )  # fmt: skip
        p.append(sigmoid(unit.predict(x_new))[:, 0])
    return np.array(p), y_new == 8


def ink_task():
    """Predict the mean ink in the 7th column of a digit, never negative, from its first six columns.

    Returns
    -------
    train, validation: pairs (x (N, 48), target (N, 1)), both in 0..1
    """

    def part(x):
        images = x.reshape(-1, 8, 8)
        return images[:, :, :6].reshape(len(x), 48), images[:, :, 6].mean(axis=1, keepdims=True)

    return part(some_digits()[0]), part(digits().validation.x)


def signal(f, gain, n_layers=20, width=100, n=100, seed=0):
    """Send n digits, scaled to mean 0 and variance 1, through layers of f: `propagate`."""
    x = some_digits()[0][:n].astype(np.float64)
    x = (x - x.mean()) / x.std()
    return propagate(f, x, gain, n_layers=n_layers, width=width, rng=np.random.default_rng(seed))


@functools.cache
def dead_runs(activation, learning_rate, bias=0.0, seeds=(0, 1, 2), epochs=5):
    """Train 64-64-64-64-10 on the digits; per seed the silent share of each hidden layer afterwards, and the losses.

    Returns
    -------
    silent (seeds, 3), curves (seeds, epochs)
    """
    f = {"ReLU": activations.relu, "leaky ReLU": activations.leaky_relu(0.1)}[activation]

    def build(rng):
        network = mlp((64, 64, 64, 64, 10), f, he_normal, rng)
        for layer in network.layers[:-1]:
            if isinstance(layer, Dense):
                layer.b.value[...] = bias
        return network

    x, y = some_digits()
    silent, curves = [], []
    for s in seeds:
        _, network, curve = _run(build, learning_rate, s, epochs, x, y, softmax_cross_entropy, 50)
        with np.errstate(all="ignore"):
            silent.append([silent_fraction(z) for z in pre_activations(network, x)])
        curves.append(curve)
    return np.array(silent), np.array(curves)


WEIGHT_SHAPES = ("normal", "uniform", "±1")


def selu_layers(weights="normal", factor=1.0, mean=0.0, std=1.0, n_layers=50, width=256, n=200, seed=0):
    """Mean, standard deviation and kurtosis of the signal after each of n_layers SELU layers.

    ``weights``: the shape of their distribution, with mean 0 and standard deviation ``factor`` / sqrt(width).

    Returns
    -------
    array (n_layers + 1, 3); row 0 is the input, normal with the given mean and std
    """
    a = np.random.default_rng(seed).normal(mean, std, (n, width))
    layers = _unit_weights(weights, n_layers, width, seed + 1)
    rows = [_moments(a)]
    for W in layers:
        a = selu(a @ (W * (factor / math.sqrt(width))))
        rows.append(_moments(a))
    return np.array(rows)


def _moments(a):
    """Mean, standard deviation, and kurtosis (3 for a normal distribution)."""
    mean = float(a.mean())
    square = (a - mean) ** 2
    variance = float(square.mean())
    return mean, math.sqrt(variance), float((square**2).mean()) / variance**2


@functools.cache
def _unit_weights(weights, n_layers, width, seed):
    """Weights (n_layers, width, width) of mean 0 and variance 1."""
    rng, shape = np.random.default_rng(seed), (n_layers, width, width)
    if weights == "normal":
        return rng.normal(size=shape)
    if weights == "uniform":
        return rng.uniform(-math.sqrt(3.0), math.sqrt(3.0), shape)
    return rng.integers(0, 2, shape) * 2.0 - 1.0
