"""Chapter 4's interactive figures: each frame a plain function of the settings."""

import functools
import math

import numpy as np

from nnlib import activations
from nnlib.activations import Elementwise, selu, step
from nnlib.comparison import fit_or_diverge
from nnlib.course.chapter_04.experiments import some_digits, streams
from nnlib.course.words import number, size
from nnlib.diagnostics import pre_activations, propagate, silent_fraction
from nnlib.initializers import he_normal
from nnlib.layers import Dense
from nnlib.losses import softmax_cross_entropy
from nnlib.network import mlp
from nnlib.optimizers import SGD
from nnlib.preprocessing import condition_number
from nnlib.widgets import Bars, Field, Frame, Histogram, Lines

#: Name in the figure -> the function, or a family of functions with the name of its parameter and its four values.
GALLERY = {
    "identity": activations.identity,
    "binary step": step,
    "sigmoid": activations.sigmoid,
    "hard sigmoid": activations.hard_sigmoid,
    "tanh": activations.tanh,
    "softsign": activations.softsign,
    "ReLU": activations.relu,
    "leaky ReLU, PReLU": (activations.leaky_relu, "slope", (0.01, 0.1, 0.25, 0.75)),
    "ELU": (activations.elu, "alpha", (0.5, 1.0, 1.5, 3.0)),
    "CELU": (activations.celu, "alpha", (0.5, 1.0, 1.5, 3.0)),
    "SELU": selu,
    "softplus": activations.softplus,
    "Swish": (activations.swish, "beta", (0.0, 0.5, 1.0, 5.0)),
    "hard Swish": activations.hard_swish,
    "GELU": activations.gelu,
    "Mish": activations.mish,
    "sine": activations.sine,
    "square": activations.square,
}
GAINS = {"1/(4n)": 0.25, "1/n": 1.0, "2/n": 2.0, "4/n": 4.0}
EDGES = np.linspace(-3.0, 3.0, 31)


def signal(f, gain, n_layers=20, width=100, n=100, seed=0):
    """Send n digits, scaled to mean 0 and variance 1, through layers of f: `propagate`."""
    x = some_digits()[0][:n].astype(np.float64)
    x = (x - x.mean()) / x.std()
    return propagate(f, x, gain, n_layers=n_layers, width=width, rng=np.random.default_rng(seed))


def gallery_frame(activation, parameter, weights):
    """A key of GALLERY, which of its parameter's four values (1 to 4), a key of GAINS: curve, slope, twenty layers."""
    f, setting = _member(activation, parameter)
    z = np.linspace(-4.0, 4.0, 81)
    a, slope = f(z), f.derivative(z)
    if f is step:
        a = np.where(np.abs(z) < 0.05, np.nan, a)  # no vertical line at the jump
    s = _signal(activation, parameter if isinstance(GALLERY[activation], tuple) else 1, weights)
    std, error = s.std, s.error
    first, last = _shares(s.outputs[1]), _shares(s.outputs[-1])
    text = (
        f"{setting}: slopes from {number(slope.min())} to {number(slope.max())} between z = −4 and 4. With weights "
        f"of variance {weights}, the digits go in with standard deviation 1 and leave layer 20 with {size(std[-1])} "
        f"around a mean of {number(s.mean[-1])}; an error of 1 at the top reaches the input as {size(error[0])}."
    )
    layers = np.arange(21.0)
    return Frame(
        [
            Lines(
                a, slope, x=z, labels=["value", "derivative"], colors=["value", "gradient"], dashes=(False, True),
                x_label="pre-activation z", y_label="f(z), f′(z)", title="the function", y_range=(-2.0, 4.0),
            ),
            Lines(
                in_sight(std), in_sight(error), x=layers, labels=["signal, forward", "error, backward"],
                colors=["value", "gradient"], dashes=(False, True), log=True, y_range=(1e-8, 1e4),
                x_label="layer", y_label="standard deviation, size", title="through 20 layers",
            ),
            Histogram(
                np.stack([first, last]), EDGES, labels=["layer 1", "layer 20"], colors=["muted", "value"],
                x_label="output (beyond ±3: in the end bars)", y_label="share of outputs", title="the outputs",
                y_range=(0.0, 1.0),
            ),
        ],
        text=text,
    )  # fmt: skip


def _member(activation, parameter):
    """The function of a gallery entry, and a sentence's beginning that names it."""
    entry = GALLERY[activation]
    if isinstance(entry, Elementwise):
        return entry, f"{activation[:1].upper() + activation[1:]} (no parameter)"
    family, name, values = entry
    value = values[parameter - 1]
    return family(value), f"{activation[:1].upper() + activation[1:]} with {name} {value:g}"


@functools.cache
def _signal(activation, parameter, weights):
    return signal(_member(activation, parameter)[0], GAINS[weights])


def _shares(outputs):
    inside = np.clip(np.nan_to_num(outputs, posinf=9.0, neginf=-9.0), EDGES[0] + 1e-6, EDGES[-1] - 1e-6)
    return np.histogram(inside, EDGES)[0] / outputs.size


def in_sight(sizes):
    """Sizes within the figure's range; beyond it, and where they overflowed, the curve runs along the edge."""
    return np.clip(np.nan_to_num(sizes, nan=1e4, posinf=1e4), 1e-8, 1e4)


ENDS = [(1.0, -1.0, "goal"), (-1.5, -0.5, "start")]


def zigzag_path(mean, batch, rate, n_steps=60, n_examples=200):
    """Descend (w . x - t)^2 / 2 from (-1.5, -0.5) to the weights (1, -1) that made the targets t.

    Inputs are uniform on mean ± 1, in both components; ``batch`` is "one" or "all"; ``rate`` is in units of
    1 / (largest curvature), and half of that for single examples, whose curvatures scatter.

    Returns
    -------
    path (n_steps + 1, 2), condition number of the curvature E x x^T, share of the steps (up to 0.01 from the goal)
    on which both weights moved the same way, x (n_examples, 2)
    """
    if batch not in ("one", "all"):
        raise ValueError(f'batch is "one" or "all", got {batch!r}')
    rng = np.random.default_rng(4)
    x = mean + rng.uniform(-1.0, 1.0, (n_examples, 2))
    target = x @ np.array([1.0, -1.0])
    largest = np.linalg.eigvalsh(x.T @ x / n_examples)[-1]
    learning_rate = rate / (largest if batch == "all" else 2.0 * largest)
    path = [np.array([-1.5, -0.5])]
    for k in range(n_steps):
        rows = slice(None) if batch == "all" else slice(k % n_examples, k % n_examples + 1)
        residual = x[rows] @ path[-1] - target[rows]
        path.append(path[-1] - learning_rate * x[rows].T @ residual / len(residual))
    path = np.array(path)
    moves = np.diff(path, axis=0)[np.linalg.norm(path[:-1] - np.array([1.0, -1.0]), axis=1) > 0.01]  # still on the way
    same_way = float(np.mean(moves[:, 0] * moves[:, 1] >= 0))
    return path, condition_number(x), same_way, x


def zigzag_frame(mean, batch, rate):
    """The path of two weights over the loss, for inputs around ``mean``; see `zigzag_path`."""
    path, condition, same_way, x = zigzag_path(mean, batch, rate)
    side = np.linspace(-2.5, 2.5, 50)
    w = np.stack(np.meshgrid(side, side), axis=-1) - np.array([1.0, -1.0])
    loss = 0.5 * np.einsum("hwi,ij,hwj->hw", w, x.T @ x / len(x), w)
    distance = np.linalg.norm(path - np.array([1.0, -1.0]), axis=1)
    every = "all examples at once" if batch == "all" else "one example a step"
    text = (
        f"Inputs from {mean - 1:g} to {mean + 1:g}, {every}: the curvatures differ by a factor of {condition:.0f}. On "
        f"{100 * same_way:.0f} % of the steps both weights moved the same way. After 60 steps the weights are "
        f"{distance[-1]:.2f} from the goal, where they began {distance[0]:.2f} away."
    ).replace("from -", "from −")
    return Frame(
        [
            Field(
                np.sqrt(loss), x=(-2.5, 2.5), y=(-2.5, 2.5),
                overlay=[Lines(np.clip(path, -2.5, 2.5), colors=["accent"], marks=ENDS)],
                x_label="weight 1", y_label="weight 2", v_label="root of the loss", title="two weights on their way",
            ),
            Lines(
                np.maximum(distance, 1e-3), log=True, y_range=(1e-3, 10.0), x_label="step",
                y_label="distance to the goal", title="how far", colors=["accent"],
            ),
        ],
        text=text,
    )  # fmt: skip


@functools.cache
def dead_runs(activation, learning_rate, bias=0.0, seeds=range(5), epochs=5):
    """Train 64-64-64-64-10 on the digits; per seed the silent share of each hidden layer afterwards, and the losses.

    Returns silent (seeds, 3), NaN where the training diverged, and curves (seeds, epochs).
    """
    f = {"ReLU": activations.relu, "leaky ReLU": activations.leaky_relu(0.1)}[activation]

    def build(rng):
        network = mlp((64, 64, 64, 64, 10), f, he_normal, rng)
        for layer in network.layers[:-1]:
            if isinstance(layer, Dense):
                layer.b.value[...] = bias
        return network

    silent, curves = [], []
    for weights, order in map(streams, seeds):
        network, budget = build(weights), {"epochs": epochs, "batch_size": 50, "rng": order}
        curves.append(fit_or_diverge(network, softmax_cross_entropy, SGD(learning_rate), some_digits(), **budget))
        sums = pre_activations(network, some_digits()[0]) if np.isfinite(curves[-1]).all() else None
        silent.append([silent_fraction(z) for z in sums] if sums else [math.nan] * 3)
    return np.array(silent), np.array(curves)


def dead_frame(learning_rate, bias, activation):
    """How many units are silent for every digit after five epochs, and whether the network learned."""
    silent, curves = dead_runs(activation, learning_rate, bias)
    n, diverged = len(silent), int(np.isnan(silent[:, 0]).sum())
    curves = np.where(np.isfinite(curves), np.minimum(curves, 3.0), 3.0)
    shares = 100 * silent[~np.isnan(silent[:, 0])].mean(axis=0) if diverged < n else np.zeros(3)
    learned = curves[:, -1].mean()
    verdict = "learned" if learned < 0.5 else "learned little" if learned < 2.0 else "did not learn"
    leaky = "Behind a leaky ReLU such a unit still has a gradient: it is not dead."
    fate = "Such a unit has no gradient: it is dead." if activation == "ReLU" else leaky
    text = (
        f"{activation}, learning rate {learning_rate:g}, first biases {bias:g}: after five epochs {shares[0]:.0f} %, "
        f"{shares[1]:.0f} % and {shares[2]:.0f} % of the units in layers 1, 2 and 3 are silent for all 1500 digits. "
        f"{fate} The networks {verdict}."
        + (f" {diverged} of {n} trainings diverged and are left out of the shares." if diverged else "")
    ).replace("biases -", "biases −")
    return Frame(
        [
            Bars(
                shares, ["layer 1", "layer 2", "layer 3"], y_label="silent for every digit (%)", y_range=(0, 100),
                title="units that never speak", colors=["series0"],
            ),
            Lines(
                *curves, x=np.arange(1.0, curves.shape[1] + 1), labels=[f"seed {s}" for s in range(len(curves))],
                y_range=(0.0, 3.0), x_label="epoch", y_label="training loss (nats)", title="did they learn?",
            ),
        ],
        text=text,
    )  # fmt: skip


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
    if weights not in WEIGHT_SHAPES:
        raise ValueError(f"weights are one of {', '.join(WEIGHT_SHAPES)}, got {weights!r}")
    rng, shape = np.random.default_rng(seed), (n_layers, width, width)
    if weights == "normal":
        return rng.normal(size=shape)
    if weights == "uniform":
        return rng.uniform(-math.sqrt(3.0), math.sqrt(3.0), shape)
    return rng.integers(0, 2, shape) * 2.0 - 1.0


def selu_frame(weights, factor, start):
    """Fifty SELU layers: mean and standard deviation after each, for weights of a shape and a scale."""
    mean, std = {"0, 1": (0.0, 1.0), "0, 3": (0.0, 3.0), "1, 0.3": (1.0, 0.3)}[start]
    rows = selu_layers(weights, factor, mean, std, width=100, n=60)
    end_mean, end_std = rows[-1, :2]
    held = abs(end_mean) < 0.3 and 0.75 < end_std < 1.3
    text = (
        f"Weights: {weights}, {factor:g} times the scale that SELU asks for; input with mean and standard deviation "
        f"{start}. After 50 layers the mean is {number(round(end_mean, 1))} and the standard deviation "
        f"{number(round(end_std, 1))}: "
        + ("the signal has settled at the fixed point." if held else "the signal does not settle at 0 and 1.")
    )
    layers = np.arange(51.0)
    shown = np.minimum(rows, 100.0)
    return Frame(
        [
            Lines(
                shown[:, 1], x=layers, log=True, y_range=(0.05, 100.0), colors=["value"], marks=[(None, 1.0, "1")],
                x_label="layer", y_label="standard deviation (cut at 100)", title="spread",
            ),
            Lines(
                np.clip(rows[:, 0], -2.0, 2.0), x=layers, y_range=(-2.0, 2.0), colors=["series1"],
                marks=[(None, 0.0, "0")], x_label="layer", y_label="mean (cut at ±2)", title="mean",
            ),
        ],
        text=text,
    )  # fmt: skip
