"""Chapter 9's experiments: signals through random layers, networks that begin badly, and what width does."""

import functools
import math
from typing import NamedTuple

import numpy as np

from nnlib.activations import normal_density, relu, tanh
from nnlib.comparison import fit_or_diverge
from nnlib.data import digits
from nnlib.diagnostics import matched_to
from nnlib.initializers import he_normal, he_uniform, normal, orthogonal, uniform, xavier_normal
from nnlib.layers import Activation, Dense
from nnlib.losses import mean_squared_error, softmax_cross_entropy
from nnlib.metrics import accuracy
from nnlib.network import Sequential, mlp
from nnlib.optimizers import SGD
from nnlib.records import record


@functools.cache
def some_digits(n=1500):
    """The first n training digits, (x (n, 64) in 0..1, y (n,)), read-only since many runs share them."""
    x, y = (part[:n].copy() for part in digits().train)
    x.flags.writeable = y.flags.writeable = False
    return x, y


@functools.cache
def centered_digits(n=500):
    """n digits in float64 with mean 0 and mean square 1 over all pixels, read-only, and their labels."""
    x, y = some_digits(n)
    x = x.astype(np.float64)
    x = (x - x.mean()) / x.std()
    x.flags.writeable = False
    return x, y


# --- the law of variance ----------------------------------------------------------------------------------------------

Z = np.linspace(-10.0, 10.0, 20_000)  # an even number: no point falls on a kink at 0


def mean_square(f, q):
    """E f(z)^2 for z ~ N(0, q), by the sum over a fine grid."""
    return float(f(math.sqrt(q) * Z) ** 2 @ normal_density(Z)) * (Z[1] - Z[0])


def mean_square_slope(f, q):
    """E f'(z)^2 for z ~ N(0, q)."""
    return float(f.derivative(math.sqrt(q) * Z) ** 2 @ normal_density(Z)) * (Z[1] - Z[0])


class Sizes(NamedTuple):
    """Mean squares along a network: entry 0 belongs to the input."""

    signal: np.ndarray  # of a^0 ... a^L
    error: np.ndarray  # of dL/da^0 ... dL/da^L


def measured_sizes(f, widths, variance, x, y, rng):
    """Send a batch through layers of f with W ~ N(0, variance(n_in, n_out)), and the error of a cross-entropy behind a
    linear readout to 10 classes back.
    """
    a, steps, signal = x, [], [np.mean(x**2)]
    for n_out in widths:
        n_in = a.shape[1]
        W = rng.normal(0.0, math.sqrt(variance(n_in, n_out)), (n_in, n_out))
        z = a @ W
        a = f(z)
        steps.append((W, f.derivative(z, a)))
        signal.append(np.mean(a**2))
    readout = rng.normal(0.0, math.sqrt(1.0 / a.shape[1]), (a.shape[1], 10))
    _, dout = softmax_cross_entropy(a @ readout, y)
    da = dout @ readout.T
    error = [np.mean(da**2)]
    for W, slope in reversed(steps):
        da = (da * slope) @ W.T
        error.append(np.mean(da**2))
    return Sizes(np.array(signal), np.array(error[::-1]))


def predicted_sizes(f, widths, variance, signal_in, error_out):
    """The same numbers by the law of variance, from the mean squares of the input and of the last error."""
    sizes, signal, slopes = (*widths,), [signal_in], []
    fans = [*zip((64, *sizes[:-1]), sizes)]
    for n_in, n_out in fans:
        q = n_in * variance(n_in, n_out) * signal[-1]  # E z^2
        signal.append(mean_square(f, q))
        slopes.append(mean_square_slope(f, q))
    error = [error_out]
    for (n_in, n_out), slope in reversed([*zip(fans, slopes)]):
        error.append(n_out * variance(n_in, n_out) * slope * error[-1])
    return Sizes(np.array(signal), np.array(error[::-1]))


# --- weights that are drawn otherwise ---------------------------------------------------------------------------------


def over_fan_in(rng, shape):
    """Normal with standard deviation 1 / n_in, which is too small by the square root of n_in."""
    return rng.normal(0.0, 1.0 / shape[0], shape)


def signs(rng, shape):
    """Plus or minus sqrt(2 / n_in), by the toss of a coin: He's variance with two values."""
    return (rng.integers(0, 2, shape) * 2.0 - 1.0) * math.sqrt(2.0 / shape[0])


def scaled(init, gain):
    """An initializer with ``gain`` times the variance of another."""
    return lambda rng, shape: math.sqrt(gain) * init(rng, shape)


def unit_variance(network, x):
    """Rescale the weights of each Dense layer, from the first to the last, until its outputs for the batch x have
    variance 1   (the second half of LSUV, Mishkin & Matas 2016; the first half is an orthogonal start).
    """
    for layer in network.layers:
        z = layer.forward(x)
        if isinstance(layer, Dense):
            layer.W.value[...] *= 1.0 / z.std()
            z = layer.forward(x)
        x = z.copy()
    return network


def nearest_units(init, shape=(64, 32), seed=3):
    """The smallest distance between two units' weights, over the mean length of a unit's weights."""
    W = init(np.random.default_rng([96, seed]), shape)
    apart = np.linalg.norm(W[:, :, None] - W[:, None, :], axis=0)
    return float(apart[~np.eye(shape[1], dtype=bool)].min() / np.linalg.norm(W, axis=0).mean())


def signal_after(init, f=relu, n_layers=20, width=100, seed=0, fit_to_data=False):
    """Mean square and standard deviation of the signal behind ``n_layers`` layers, for 500 centered digits."""
    x, _ = centered_digits()
    parts = []
    for n_in in (64, *[width] * (n_layers - 1)):
        parts += [Dense(n_in, width, init), Activation(f)]
    network = Sequential(*parts, rng=np.random.default_rng([90, seed]), dtype=np.float64)
    if fit_to_data:
        unit_variance(network, x[:100])
    with np.errstate(all="ignore"):
        a = network.predict(x)
        return float(np.mean(a**2)), float(np.std(a))


# --- recorded: which initialization lets a deep network learn ---------------------------------------------------------

DEPTH, WIDTH = 12, 64
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
DEEP_RELU = {
    "He": he_normal,
    "He, uniform": he_uniform,
    "orthogonal × √2": scaled(orthogonal, 2.0),
    "unit variance on data": orthogonal,
    "Xavier": xavier_normal,
    "0.01 randn": normal(0.01),
    "randn / n": over_fan_in,
    "rand": uniform(0.0, 1.0),
}
DEEP_TANH = {
    "Xavier": xavier_normal,
    "gain of tanh": matched_to(tanh),
    "He": he_normal,
    "orthogonal": orthogonal,
    "0.01 randn": normal(0.01),
    "randn / n": over_fan_in,
    "rand": uniform(0.0, 1.0),
}


def deep(f, init, seed, fit_to_data=False):
    """Train 12 hidden layers of 64 units for 10 epochs at each of RATES: held-out accuracy and last training loss."""
    x, y = some_digits()
    validation = digits().validation
    right, losses = [], []
    for rate in RATES:
        weights, order = (np.random.default_rng(s) for s in np.random.SeedSequence([92, seed]).spawn(2))
        network = mlp((64, *[WIDTH] * DEPTH, 10), f, init, weights)
        if fit_to_data:
            unit_variance(network, x[:100])
        curve = fit_or_diverge(network, softmax_cross_entropy, SGD(rate), (x, y), epochs=10, batch_size=50, rng=order)
        finite = bool(np.isfinite(curve).all())
        with np.errstate(all="ignore"):
            right.append(accuracy(network.predict(validation.x), validation.y) if finite else 0.1)
        losses.append(curve[-1] if finite else 100.0)
    return {"accuracy": right, "loss": losses}


@record("09.deep_relu", arms=list(DEEP_RELU), seeds=range(10), rtol=0.2)
def deep_relu(arm, seed):
    return deep(relu, DEEP_RELU[arm], seed, fit_to_data=arm == "unit variance on data")


@record("09.deep_tanh", arms=list(DEEP_TANH), seeds=range(5), rtol=0.2)
def deep_tanh(arm, seed):
    return deep(tanh, DEEP_TANH[arm], seed)


@record("09.shapes", arms=["normal", "uniform", "plus or minus"], seeds=range(100, 130), rtol=0.3)
def shapes(arm, seed):
    """The ReLU network of `deep_relu` at rate 0.03, from three distributions of He's variance."""
    weights, order = (np.random.default_rng(s) for s in np.random.SeedSequence([92, seed]).spawn(2))
    init = {"normal": he_normal, "uniform": he_uniform, "plus or minus": signs}[arm]
    network = mlp((64, *[WIDTH] * DEPTH, 10), relu, init, weights)
    fit_or_diverge(network, softmax_cross_entropy, SGD(0.03), some_digits(), epochs=10, batch_size=50, rng=order)
    return {"accuracy": accuracy(network.predict(digits().validation.x), digits().validation.y)}


@record("09.later", arms=["He", "Xavier"], seeds=range(5), rtol=0.3)
def later(arm, seed):
    """The ReLU network of `deep_relu` for thirty epochs at the arm's best rate: held-out accuracy after each ten."""
    weights, order = (np.random.default_rng(s) for s in np.random.SeedSequence([92, seed]).spawn(2))
    network = mlp((64, *[WIDTH] * DEPTH, 10), relu, DEEP_RELU[arm], weights)
    optimizer, right = SGD({"He": 0.03, "Xavier": 0.1}[arm]), []
    for _ in range(3):
        fit_or_diverge(network, softmax_cross_entropy, optimizer, some_digits(), epochs=10, batch_size=50, rng=order)
        right.append(accuracy(network.predict(digits().validation.x), digits().validation.y))
    return {"accuracy": right}


# --- recorded: what width does to the largest stable rate, and to what is learned ------------------------------------

PARAMETRIZATIONS = ("standard", "NTK", "μP")
WIDTHS = (32, 128, 512, 2048)
WIDTH_STEPS = 60


class OneHidden:
    """64-n-10 with ReLU, no biases, squared error, and a scale on each matrix product.

    The function is the same at the start in the standard and the NTK form; μP's output is smaller by the square root
    of n, and its rate grows with n.
    """

    def __init__(self, form, n, rng, n_examples=200):
        x, labels = centered_digits(n_examples)
        self.x, self.target = x, np.eye(10)[labels]
        self.W1, self.W2 = rng.normal(size=(64, n)), rng.normal(size=(n, 10))
        self.s1, self.s2, self.faster = 1.0 / 8.0, 1.0 / math.sqrt(n), 1.0
        if form == "standard":  # the scales stand in the weights
            self.W1, self.W2, self.s1, self.s2 = self.W1 * self.s1, self.W2 * self.s2, 1.0, 1.0
        if form == "μP":
            self.s2, self.faster = 1.0 / n, float(n)

    def hidden(self):
        """Pre-activations (N, n)."""
        return self.s1 * (self.x @ self.W1)

    def step(self, rate):
        """The loss, and one step of descent."""
        z = self.hidden()
        h = np.maximum(z, 0.0)
        out = self.s2 * (h @ self.W2)
        loss, dout = mean_squared_error(out, self.target)
        dz = self.s2 * (dout @ self.W2.T) * (z > 0)
        rate *= self.faster
        self.W2 -= rate * self.s2 * (h.T @ dout)
        self.W1 -= rate * self.s1 * (self.x.T @ dz)
        return loss

    def losses(self, rate, n_steps=WIDTH_STEPS):
        """Losses before each step; infinite from where they are above ten times the first."""
        found = np.full(n_steps, np.inf)
        for i in range(n_steps):
            loss = self.step(rate)
            if not loss < 10.0 * max(found[0] if i else loss, 0.1):
                break
            found[i] = loss
        return found


def largest_stable_rate(form, n, seed, factor=2.0**0.25):
    """The largest rate, on a grid of quarter powers of two, at which in 60 steps the loss never rises above its first
    value, found by halving.
    """
    low, high = -40, 40  # exponents of ``factor``: one that is stable, one that is not
    while high - low > 1:
        middle = (low + high) // 2
        losses = OneHidden(form, n, np.random.default_rng([93, seed])).losses(factor**middle)
        low, high = (middle, high) if (losses <= losses[0]).all() else (low, middle)
    return factor**low


@record("09.width", arms=[f"{form} {n}" for form in PARAMETRIZATIONS for n in WIDTHS], seeds=range(5), rtol=0.3)
def width(arm, seed):
    """The largest stable rate; and after 200 steps at rate 16 (standard: 16 / n) the loss, and by how much of their
    size the hidden pre-activations have moved.
    """
    form, n = arm.split()
    network = OneHidden(form, int(n), np.random.default_rng([93, seed]))
    before = network.hidden()
    losses = network.losses(16.0 / int(n) if form == "standard" else 16.0, 200)
    moved = np.linalg.norm(network.hidden() - before) / np.linalg.norm(before)
    rate = largest_stable_rate(form, int(n), seed)
    return {"rate": rate, "first": losses[0], "last": losses[-1], "moved": float(moved)}
