"""Chapter 9's interactive figures: each frame a plain function of the settings."""

import functools
import math
from typing import NamedTuple

import numpy as np

from nnlib.activations import gelu, relu, sigmoid, tanh
from nnlib.comparison import fit_or_diverge
from nnlib.course.chapter_09.experiments import (
    OneHidden,
    centered_digits,
    mean_square,
    some_digits,
)
from nnlib.course.words import number, size
from nnlib.data import digits
from nnlib.initializers import constant, he_normal, xavier_normal
from nnlib.layers import Activation, Dense, Dropout
from nnlib.losses import softmax_cross_entropy
from nnlib.metrics import accuracy
from nnlib.network import Sequential, mlp
from nnlib.optimizers import SGD
from nnlib.widgets import Frame, Histogram, Lines

FUNCTIONS = {"tanh": tanh, "ReLU": relu, "sigmoid": sigmoid, "GELU": gelu}
N_LAYERS = 30
LAYERS = (1, 5, 15, 30)
#: From a name to n times the variance of a weight; "its gain" is that of the activation, 0.01 and 1 are deviations.
SCALES = {
    "0.01": lambda f, n: n * 1e-4,
    "1/n": lambda f, n: 1.0 / n,
    "√(1/n)": lambda f, n: 1.0,
    "√(2/n)": lambda f, n: 2.0,
    "√(gain/n)": lambda f, n: 1.0 / mean_square(f, 1.0),
    "1": lambda f, n: float(n),
}
EDGES = np.linspace(-2.0, 2.0, 29)
LOW, HIGH = 1e-12, 1e12


@functools.cache
def _signals(activation, deviation, width, n=60):
    """Signals a^0 ... a^30 and errors dL/da^0 ... dL/da^30 (N, width) of digits, the error that of a cross-entropy."""
    f, (x, y) = FUNCTIONS[activation], centered_digits(n)
    rng = np.random.default_rng([94, width])
    a, steps, outputs = x, [], [x]
    with np.errstate(all="ignore"):
        for _ in range(N_LAYERS):
            n_in = a.shape[1]
            W = rng.normal(size=(n_in, width)) * math.sqrt(SCALES[deviation](f, n_in) / n_in)
            z = a @ W
            a = f(z)
            steps.append((W, f.derivative(z, a)))
            outputs.append(a)
        readout = rng.normal(size=(width, 10)) / math.sqrt(width)
        da = softmax_cross_entropy(np.clip(a @ readout, -1e100, 1e100), y)[1] @ readout.T
        errors = [da]
        for W, slope in reversed(steps):
            da = (da * slope) @ W.T
            errors.append(da)
    return outputs, errors[::-1]


def root_mean_square(a):
    """Capped, so that squares do not overflow."""
    return float(np.sqrt(np.mean(np.square(np.clip(np.nan_to_num(a, nan=1e100), -1e100, 1e100)))))


def in_sight(values):
    """Beyond the figure's range a curve runs along the edge."""
    return np.clip(values, LOW, HIGH)


def signal_frame(activation, deviation, width, layer):
    """Digits through 30 random layers, and the error of a cross-entropy back: sizes in all layers, numbers in one."""
    outputs, errors = _signals(activation, deviation, width)
    signal = np.array([root_mean_square(a) for a in outputs])
    error = np.array([root_mean_square(da) for da in errors])
    relative = error / max(error[-1], 1e-300)
    a = np.clip(np.nan_to_num(outputs[layer], nan=9.0), EDGES[0] + 1e-9, EDGES[-1] - 1e-9)
    da = errors[layer] / max(error[-1], 1e-300)
    da = np.clip(np.nan_to_num(da, nan=9.0), EDGES[0] + 1e-9, EDGES[-1] - 1e-9)
    shares = [np.histogram(part, EDGES)[0] / part.size for part in (a, da)]
    text = (
        f"{activation} layers of {width} units, weights of standard deviation {deviation}: behind layer {layer} the "
        f"signal has size {size(signal[layer])}, behind layer {N_LAYERS} {size(signal[-1])}. An error of size 1 at the "
        f"top has size {size(relative[layer])} at layer {layer} and reaches the input with {size(relative[0])}."
    )
    layers = np.arange(N_LAYERS + 1.0)
    return Frame(
        [
            Lines(
                in_sight(signal), in_sight(relative), x=layers, labels=["signal", "error"],
                colors=["value", "gradient"], dashes=(False, True), log=True, y_range=(LOW, HIGH),
                x_label="layer", y_label="root mean square", title="through 30 layers", marks=[(layer, None)],
            ),
            Histogram(
                np.stack(shares), EDGES, labels=["activations", "error"], colors=["value", "gradient"],
                x_label="value (beyond ±2: in the end bars)", y_label="share", title="in the chosen layer",
                y_range=(0.0, 1.0),
            ),
        ],
        text=text,
    )  # fmt: skip


STARTS = ("all zero", "all equal", "other output weights", "other biases", "dropout", "random")


def start_network(start, f, width=8, seed=0, share=0.5):
    """64-width-10 in float64 whose hidden units begin alike, but for the one thing that ``start`` names."""
    rng = np.random.default_rng([91, seed])
    inits = {"all zero": (constant(0.0),) * 2, "random": (xavier_normal, xavier_normal)}
    inits["other output weights"] = (constant(0.1), xavier_normal)
    hidden, out = inits.get(start, (constant(0.1), constant(0.1)))
    noise = [Dropout(share)] if start == "dropout" else []
    network = Sequential(
        Dense(64, width, hidden), Activation(f), *noise, Dense(width, 10, out), rng=rng, dtype=np.float64
    )
    if start == "other biases":
        network.layers[0].b.value[...] = rng.normal(0.0, 0.1, width)
    return network


class Descent(NamedTuple):
    """What full-batch descent did to a network: ``apart`` is the largest distance between two hidden units' weights."""

    losses: np.ndarray
    apart: np.ndarray
    first: dict  # from each parameter to the size of its first gradient
    network: Sequential


def descend(network, n_steps=100, learning_rate=0.5, n=300):
    """Full-batch gradient descent on n digits."""
    x, y = centered_digits(n)
    losses, apart, first = [], [], {}
    for step in range(n_steps + 1):
        W = network.layers[0].W.value
        apart.append(float(np.linalg.norm(W - W[:, :1], axis=0).max()))
        loss, dout = softmax_cross_entropy(network.forward(x, training=True), y)
        losses.append(float(loss))
        network.backward(dout, input_gradient=False)
        if step == 0:
            layers = (network.layers[0], network.layers[-1])
            grads = zip(("W1", "b1", "W2", "b2"), (p.grad for layer in layers for p in (layer.W, layer.b)))
            first = {name: float(np.linalg.norm(grad)) for name, grad in grads}
        network.theta[...] -= learning_rate * network.grad
    return Descent(np.array(losses), np.array(apart), first, network)


def ends(frame):
    """Of a frame of :func:`signal_frame`: the signal's size behind the last layer, and the error's at the input."""
    signal, error = frame.panels[0].series
    return float(signal[-1]), float(error[0])


def positive_start_accuracies(seeds=range(5)):
    """Held-out accuracies of 64-32-10 networks whose hidden weights were all positive before training."""
    found, validation = [], digits().validation
    for seed in seeds:
        weights, order = (np.random.default_rng([part, seed]) for part in (98, 99))
        network = mlp((64, 32, 10), relu, lambda rng, shape: np.abs(he_normal(rng, shape)), weights)
        fit_or_diverge(network, softmax_cross_entropy, SGD(0.1), some_digits(), epochs=8, batch_size=50, rng=order)
        found.append(accuracy(network.predict(validation.x), validation.y))
    return found


SMALL = {"sigmoid": sigmoid, "tanh": tanh, "ReLU": relu}


@functools.cache
def _descent(start, activation):
    return descend(start_network(start, SMALL[activation]), n_steps=120, learning_rate=0.3)


def symmetry_frame(start, activation):
    """Eight hidden units that begin alike: how far apart their weights get, and the loss."""
    d = _descent(start, activation)
    apart = d.apart[-1]
    alike = "they are still one unit" if apart < 1e-6 else f"two of them are {number(apart)} apart"
    text = (
        f"Eight {activation} units, start: {start}. After 120 steps {alike}, and the loss has gone from "
        f"{d.losses[0]:.2f} to {d.losses[-1]:.2f}."
    )
    return Frame(
        [
            Lines(
                np.maximum(d.apart, 1e-9), colors=("value",), log=True, y_range=(1e-9, 10.0), x_label="step",
                y_label="largest distance of two units", title="are the units still one?",
            ),
            Lines(
                d.losses, colors=("train",), y_range=(0.0, 2.8), x_label="step", y_label="training loss (nats)",
                title="what they learn",
            ),
        ],
        text=text,
    )  # fmt: skip


STEP_RATES = (0.0625, 0.25, 1.0, 4.0, 16.0, 64.0, 256.0)


@functools.cache
def _losses(form, width, rate):
    network = OneHidden(form, width, np.random.default_rng([95, 0]), n_examples=100)
    return network.losses(rate, 40)


def width_frame(form, width, rate):
    """Forty steps of full-batch descent in one of three parametrizations."""
    losses = _losses(form, width, rate)
    blown = not np.isfinite(losses).all()
    end = "blows up" if blown else f"falls from {losses[0]:.3f} to {losses[-1]:.3f}"
    if not blown and losses[-1] >= losses[0]:
        end = f"goes from {losses[0]:.3f} to {losses[-1]:.3f}"
    text = f"{form} parametrization, {width} hidden units, learning rate {rate:g}: the loss {end} in 40 steps."
    shown = np.where(np.isfinite(losses), losses, np.nan)
    if blown:
        shown[int(np.isfinite(losses).sum())] = 10.0
    return Frame(
        [
            Lines(
                np.clip(shown, 1e-3, 10.0), colors=("train",), log=True, y_range=(1e-3, 10.0), x_label="step",
                y_label="squared error", title="full-batch descent on 100 digits",
            )
        ],
        text=text,
    )  # fmt: skip
