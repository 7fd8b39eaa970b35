"""Chapter 4's experiments: small networks on the digits, changed activations, and what can be asked of them."""

import copy
import functools
import math

import numpy as np

from nnlib.activations import Elementwise, elu, gelu_tanh, leaky_relu, relu, selu, sigmoid, sine, swish, tanh
from nnlib.comparison import fit_or_diverge
from nnlib.data import digits
from nnlib.initializers import he_normal, xavier_normal
from nnlib.layers import Activation, Dense, LayerNorm, PReLU, Residual
from nnlib.layers.layer import Layer
from nnlib.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy
from nnlib.metrics import accuracy
from nnlib.network import Sequential, mlp
from nnlib.optimizers import SGD
from nnlib.records import record
from nnlib.training import fit


@functools.cache
def some_digits(n=1500):
    """The first n training digits, a pair (x (n, 64) in 0..1, y (n,)), read-only since many runs share them."""
    x, y = (part[:n].copy() for part in digits().train)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def shifted(activation, shift):
    """The activation f(z) + shift: other outputs, the same slopes."""

    def f(z, out):
        activation.f(z, out)
        out += shift

    def df(z, a, out):
        activation.df(z, a - shift, out)

    return Elementwise(f"{activation.name} {'+' if shift > 0 else '−'} {abs(shift):g}", f, df)


def streams(seed):
    """Generators of a run's first weights and of its order of examples, independent of each other."""
    return [np.random.default_rng([seed, k]) for k in (0, 1)]


BUDGET = {"batch_size": 50, "progress": False}


def learned_slopes(decay=0.0, seeds=range(5), epochs=10, learning_rate=0.2):
    """Train 64-64-64-64-10 with one learned slope per unit; mean slope of each hidden layer, shape (seeds, 3).

    ``decay`` is the factor of a penalty decay / 2 * slope^2 on the slopes alone, as a careless weight decay would add.
    """

    def penalty(network):
        for layer in network.layers[1::2]:
            layer.slope.grad[...] += decay * layer.slope.value

    found = []
    for weights, order in map(streams, seeds):
        network = mlp((64, 64, 64, 64, 10), lambda: PReLU(64), he_normal, weights)
        rule = {"epochs": epochs, "penalty": penalty, **BUDGET}
        fit(network, softmax_cross_entropy, SGD(learning_rate), some_digits(), rng=order, **rule)
        found.append([layer.slope.value.mean() for layer in network.layers[1::2]])
    return np.array(found)


def trained(name, rate, seeds=range(5), epochs=15):
    """Networks of three hidden layers of 64 units that have learned the digits, one a seed."""
    (f, scale), networks = USUAL[name], []
    for weights, order in map(streams, seeds):
        networks.append(mlp((64, 64, 64, 64, 10), f, scaled(scale), weights))
        fit(networks[-1], softmax_cross_entropy, SGD(rate), some_digits(), epochs=epochs, rng=order, **BUDGET)
    return networks


def wrong_under_noise(networks, levels):
    """Percent wrong among new writers' digits with normal noise of each standard deviation, shape (seeds, levels)."""
    x, y = digits().validation
    noise = np.random.default_rng(9).normal(size=x.shape).astype(np.float32)
    return 100 - 100 * np.array([[accuracy(net.predict(x + level * noise), y) for level in levels] for net in networks])


def eight_or_not(seeds=range(5), epochs=15):
    """Train one sigmoid unit a seed to tell eights from other digits, and ask it about new writers' N digits.

    Returns p (seeds, N), the predicted probabilities of an eight, and yes (N,), whether it is one.
    """
    (x, y), new, p = some_digits(), digits().validation, []
    for weights, order in map(streams, seeds):
        unit = Sequential(Dense(64, 1, xavier_normal), rng=weights)
        data = x, (y == 8).astype(np.float32)[:, None]
        fit(unit, binary_cross_entropy, SGD(1.0), data, epochs=epochs, rng=order, **BUDGET)
        p.append(sigmoid(unit.predict(new.x))[:, 0])
    return np.array(p), new.y == 8


def ink_task():
    """Predict the mean ink in the 7th column of a digit, never negative, from its first six columns.

    Returns train and validation, pairs (x (N, 48), target (N, 1)), all in 0..1.
    """

    def part(x):
        images = x.reshape(-1, 8, 8)
        return images[:, :, :6].reshape(len(x), 48), images[:, :, 6].mean(axis=1, keepdims=True)

    return part(some_digits()[0]), part(digits().validation.x)


def ink_outputs(f, seeds=range(12)):
    """Train 48-32-1 with f behind its output on `ink_task`, once a seed: predictions for new writers (seeds, N)."""
    (train, new), outputs = ink_task(), []
    for weights, order in map(streams, seeds):
        layers = Dense(48, 32, he_normal), Activation(relu), Dense(32, 1, xavier_normal), Activation(f)
        network = Sequential(*layers, rng=weights)
        fit(network, mean_squared_error, SGD(0.1), train, epochs=20, rng=order, **BUDGET)
        outputs.append(network.predict(new[0])[:, 0])
    return np.array(outputs)


# --- recorded: many trainings, each arm "name, scale, rate" -----------------------------------------------------------


def wrong_after(make, rate, seed, epochs=15):
    """Train ``make(rng)`` on 1500 digits: percent wrong among new writers' digits, and the training loss, at the end.

    First weights and order of examples come from independent streams of the seed.
    """
    weights, order = (np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2))
    network, (x, y), new = make(weights), some_digits(), digits().validation
    budget = {"epochs": epochs, "batch_size": 50, "rng": order}
    curve = fit_or_diverge(network, softmax_cross_entropy, SGD(rate), (x, y), **budget)
    with np.errstate(all="ignore"):
        output, loss = network.predict(new.x), softmax_cross_entropy(network.predict(x), y)[0]
    if not (np.isfinite(curve).all() and math.isfinite(loss) and np.isfinite(output).all()):
        return {"wrong": 90.0, "loss": math.log(10)}  # diverged: it guesses
    return {"wrong": 100.0 - 100.0 * accuracy(output, new.y), "loss": loss}


def scaled(factor):
    """Normal weights of standard deviation ``factor`` / sqrt(n_in); 1 is LeCun's, the square root of 2 He's."""

    def init(rng, shape):
        return rng.normal(0.0, factor / math.sqrt(shape[0]), shape)

    return init


def arms_of(grids):
    """["name, scale, rate", ...] of {name: (function, scales, rates)}"""
    return [
        f"{n}, {scale:g}, {rate:g}" for n, (_, scales, rates) in grids.items() for scale in scales for rate in rates
    ]


SCALES = (0.5, 1, 2, 4, 8)
SCALE_GRIDS = {
    "sigmoid": (sigmoid, SCALES, (0.3, 1, 3, 10)),
    "sigmoid − 1/2": (shifted(sigmoid, -0.5), SCALES, (0.3, 1, 3, 10)),
    "tanh + 1": (shifted(tanh, 1.0), SCALES, (0.03, 0.1, 0.3, 1)),
    "tanh": (tanh, SCALES, (0.1, 0.3, 1, 3)),
}


def of_three_layers(grids, arm, seed):
    """What a network of three hidden layers of 64 units learns, for an arm "name, scale, rate" of the grids."""
    name, scale, rate = arm.rsplit(", ", 2)
    f, init = grids[name][0], scaled(float(scale))
    return wrong_after(lambda rng: mlp((64, 64, 64, 64, 10), f, init, rng, dtype=np.float64), float(rate), seed)


@record("04.scale", arms=arms_of(SCALE_GRIDS), seeds=range(10))
def scale_runs(arm, seed):
    """Activation, scale of the weights and learning rate are those of the arm."""
    return of_three_layers(SCALE_GRIDS, arm, seed)


HE = math.sqrt(2.0)
#: Name -> the function and the usual scale of its weights: He's for the ReLU family (PReLU: variance 1.88 / n), and
#: Xavier's for tanh and sine (here 1), 4 for the sigmoid, LeCun's for SELU, sqrt(gain_of(f)) for the others.
USUAL = {
    "ReLU": (relu, HE),
    "leaky ReLU": (leaky_relu(0.01), HE),
    "PReLU": (lambda: PReLU(64), 1.372),
    "ELU": (elu(1.0), 1.2449),
    "SELU": (selu, 1.0),
    "Swish": (swish(1.0), 1.6768),
    "GELU": (gelu_tanh, 1.5335),
    "tanh": (tanh, 1.0),
    "sine": (sine, 1.0),
    "sigmoid": (sigmoid, 4.0),
}
SHALLOW_GRIDS = {name: (f, (scale,), (0.05, 0.1, 0.2, 0.3, 0.5, 1)) for name, (f, scale) in USUAL.items()} | {
    "SELU": (selu, (1.0,), (0.02, 0.05, 0.1, 0.2)),
    "sigmoid": (sigmoid, (4.0,), (0.5, 1, 2, 3, 5, 10)),
}


@record("04.shallow", arms=arms_of(SHALLOW_GRIDS), seeds=range(10))
def shallow_runs(arm, seed):
    """Ten activations, each with the weights that fit it."""
    return of_three_layers(SHALLOW_GRIDS, arm, seed)


DEEP_RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
DEEP_GRIDS = {
    "ReLU": (relu, (1.19, 1.41, 1.68), DEEP_RATES),
    "ReLU − 0.4": (shifted(relu, -1 / math.sqrt(2 * math.pi)), (1.19, 1.41, 1.68), DEEP_RATES),  # without its mean
    "leaky ReLU": (leaky_relu(0.01), (1.19, 1.41, 1.68), DEEP_RATES),
    "ELU": (elu(1.0), (1.05, 1.24, 1.48), DEEP_RATES),
    "SELU": (selu, (0.84, 1, 1.19), (0.005, 0.01, 0.02, 0.05, 0.1)),
    "Swish": (swish(1.0), (1.41, 1.68, 1.99), DEEP_RATES),
    "GELU": (gelu_tanh, (1.41, 1.53, 1.7, 1.9), DEEP_RATES),
    "sine": (sine, (0.84, 1, 1.19, 1.41), DEEP_RATES),
    "tanh": (tanh, (1, 1.41, 1.68, 2), DEEP_RATES),
    "tanh + 1": (shifted(tanh, 1.0), (1.41, 2, 2.8, 4), (0.005, 0.01, 0.02, 0.05, 0.1)),
    "sigmoid − 1/2": (shifted(sigmoid, -0.5), (4, 5.6, 8), (0.2, 0.5, 1, 2, 4)),
    "sigmoid": (sigmoid, (6, 8.5, 12), (0.05, 0.1, 0.2, 0.5, 1)),
    "sigmoid, biases": (sigmoid, (4, 5.6, 8), (0.1, 0.2, 0.5, 1, 2)),
}


@record("04.deep", arms=arms_of(DEEP_GRIDS), seeds=range(10))
def deep_runs(arm, seed):
    """Twelve hidden layers of 48 units; activation, scale of the weights and learning rate are those of the arm.

    "sigmoid, biases" starts with biases that take the mean of 1/2 away: b = -1/2 for each weight into the unit.
    """
    name, scale, rate = arm.rsplit(", ", 2)
    f = DEEP_GRIDS[name][0]

    def make(rng):
        network = mlp((64, *(48,) * 12, 10), f, scaled(float(scale)), rng, dtype=np.float64)
        if name == "sigmoid, biases":
            for layer in network.layers[2::2]:
                layer.b.value[...] = -0.5 * layer.W.value.sum(axis=0)
        return network

    return wrong_after(make, float(rate), seed)


class Gated(Layer):
    """out = u * f(v) for x = [u, v], halves of the last axis: a gated unit, SwiGLU with f = swish   (Shazeer 2020).

    x (N, 2 D) -> out (N, D)
    """

    def __init__(self, f):
        self.f = f

    def out_shape(self, shape):
        if not shape or (shape[-1] not in (None, ...) and shape[-1] % 2):
            raise self.refusal("(N, 2 D)", shape)
        return (*shape[:-1], None if shape[-1] in (None, ...) else shape[-1] // 2)

    def compute(self, x, training):
        u, v = np.split(x, 2, axis=-1)
        return u * self.f(v)

    def pull_back(self, dout, input_gradient):
        u, v = np.split(self.x, 2, axis=-1)
        return np.concatenate([dout * self.f(v), dout * u * self.f.derivative(v)], axis=-1)


GATED_GRIDS = {
    name: (f, (scale,), (0.01, 0.02, 0.05, 0.1, 0.2, 0.5))
    for name, f, scale in (
        ("ReLU", Activation(relu), HE),
        ("GELU", Activation(gelu_tanh), 1.5335),
        ("tanh", Activation(tanh), 1.0),
        ("SwiGLU", Gated(swish(1.0)), 1.6768),
    )
}


def residual_network(name, scale, rng, width=48, hidden=96, blocks=4):
    """Blocks x + W2 f(W1 LayerNorm(x)), as in a transformer, of the activation called ``name``.

    A gated unit reads two numbers, so its blocks have two thirds of the hidden units and as many parameters.
    """
    hidden = 2 * hidden // 3 if name == "SwiGLU" else hidden
    wide = 2 * hidden if name == "SwiGLU" else hidden

    def block():
        between = copy.deepcopy(GATED_GRIDS[name][0])
        return Residual(LayerNorm(width), Dense(width, wide, scaled(scale)), between, Dense(hidden, width, scaled(1.0)))

    first, last = Dense(64, width, scaled(1.0)), Dense(width, 10, xavier_normal)
    return Sequential(first, *(block() for _ in range(blocks)), LayerNorm(width), last, rng=rng, dtype=np.float64)


@record("04.gated", arms=arms_of(GATED_GRIDS), seeds=range(10))
def gated_runs(arm, seed):
    """Four residual blocks with normalization; activation and learning rate are those of the arm."""
    name, scale, rate = arm.rsplit(", ", 2)
    return wrong_after(lambda rng: residual_network(name, float(scale), rng), float(rate), seed)
