"""Chapter 4, Activation functions: experiments on the digits, the frames of interactive figures, and the exercises."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from nnlib import activations
from nnlib.activations import Elementwise, normal_cdf, normal_density, selu, sigmoid, step
from nnlib.course.checking import Exercise, register
from nnlib.data import digits
from nnlib.initializers import he_normal, xavier_normal
from nnlib.layers import Activation, Dense, PReLU
from nnlib.losses import binary_cross_entropy, softmax_cross_entropy
from nnlib.metrics import accuracy
from nnlib.network import Sequential
from nnlib.optimizers import SGD
from nnlib.plotting import color
from nnlib.training import Diverged, fit
from nnlib.widgets import Bars, Field, Frame, Histogram, Lines

# --- training many small networks on the digits ---------------------------------------------------------------------


@functools.cache
def some_digits(n=1500):
    """The first n training digits, a pair (x (n, 64) in 0..1, y (n,)), read-only since many runs share them."""
    x, y = (part[:n].copy() for part in digits().train)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def classifier(activation, hidden, rng, init=he_normal, dtype=np.float32, n_in=64, n_out=10):
    """Dense layers of the sizes ``hidden`` with an activation after each, and a dense output layer of logits.

    Parameters
    ----------
    activation : Elementwise or callable
        ``relu``, or a function without arguments that returns a new layer, such as ``PReLU``.
    hidden : tuple of int
        Units per hidden layer.
    init : callable
        First weights of the hidden layers; the output layer has Xavier's.
    """
    layers, width = [], n_in
    for n in hidden:
        between = Activation(activation) if isinstance(activation, Elementwise) else activation()
        layers += [Dense(width, n, init), between]
        width = n
    return Sequential(*layers, Dense(width, n_out, xavier_normal), rng=rng, dtype=dtype)


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
    network, curve = build(np.random.default_rng(seed)), np.full(epochs, np.inf)
    order = np.random.default_rng(1000 + seed)
    with np.errstate(all="ignore"):
        try:
            history = fit(
                network, loss, SGD(rate), (x, y), epochs=epochs, batch_size=batch_size, rng=order, progress=False
            )
        except Diverged as error:
            curve[: len(error.history.train_loss)] = error.history.train_loss
            return math.inf, network, curve
        final = loss(network.predict(x), y)[0]
    return (final if math.isfinite(final) else math.inf), network, np.array(history.train_loss)


def shifted(f, shift):
    """The activation f(z) + shift: other outputs, the same slopes."""

    def kernel(z, out):
        f.kernel(z, out)
        out += shift

    def slope(z, a, out):
        f.slope(z, a - shift, out)

    return Elementwise(f"{f.name} {'+' if shift > 0 else '−'} {abs(shift):g}", kernel, slope)


def stretched(f, factor):
    """The activation factor * f(factor * z), which has factor^2 times the slope."""

    def kernel(z, out):
        f.kernel(factor * z, out)
        out *= factor

    def slope(z, a, out):
        f.slope(factor * z, a / factor, out)
        out *= factor * factor

    return Elementwise(f"{factor:g} {f.name}({factor:g} z)", kernel, slope)


def straight_through(z_limit=1.0):
    """The step function with a false derivative: 1 for |z| <= z_limit, else 0   (Bengio et al. 2013; Courbariaux et al.
    2016, eq. 4).
    """

    def slope(z, a, out):
        np.less_equal(np.abs(z), z_limit, out=out, casting="unsafe")

    return Elementwise("straight_through_step", step.kernel, slope, (z_limit,))


# --- what one can ask of a network or a batch -----------------------------------------------------------------------


def hidden_pre_activations(network, x):
    """Pre-activations z (N, n) of every activation layer, for a batch x; copies."""
    z, found = x, []
    for layer in network.layers:
        if type(layer).__name__ in ("Activation", "PReLU", "RReLU"):
            found.append(z.copy())
        z = layer.forward(z)
    return found


def silent_fraction(z):
    """Share of the units with z <= 0 for every example.  z (N, n).  Behind a ReLU such a unit is dead."""
    return float(np.mean(np.all(z <= 0, axis=0)))


def second_moment_condition(a):
    """Condition number of a^T a / N, the curvature that the next linear layer sees under a squared error.  a (N, n)"""
    eigenvalues = np.linalg.eigvalsh(a.T @ a / len(a))
    return float(eigenvalues[-1] / eigenvalues[0])


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
        network = classifier(lambda: PReLU(64), (64, 64, 64), np.random.default_rng(s))
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


def plot_runs(runs, ax, *, x_label="training loss after the last epoch (nats)", log=True):
    """One row per arm of an experiment, one dot per seed and a bar at the mean.  runs: {label: losses (seeds,)}"""
    for row, losses in enumerate(runs.values()):
        ax.plot(losses, np.full(len(losses), row), "o", color=color("muted"), markersize=5)
        ax.plot([np.mean(losses)] * 2, [row - 0.3, row + 0.3], color=color("value"), linewidth=2.5)
    ax.set(yticks=range(len(runs)), yticklabels=list(runs), xlabel=x_label, ylim=(len(runs) - 0.5, -0.5))
    if log:
        ax.set_xscale("log")
    return ax


def gain_of(f, n=200_001):
    """1 / E f(z)^2 for z ~ N(0, 1): with weights of variance gain / n_in, z keeps variance 1 from layer to layer."""
    z = np.linspace(-10.0, 10.0, n)
    return 1.0 / float(np.sum(f(z) ** 2 * normal_density(z)) * (z[1] - z[0]))


def scale_response(f, n=200_001):
    """E[z f(z) f'(z)] / E[f(z)^2] for z ~ N(0, 1): by what power of a small change of its input's variance the variance
    (mean square) of a layer's output changes.  Above 1 an error of scale grows from layer to layer, below 1 it heals.
    """
    z = np.linspace(-10.0, 10.0, n)
    density, a = normal_density(z), f(z)
    return float((z * a * f.derivative(z, a)) @ density / (a * a @ density))


def matched_to(f):
    """Initializer with the variance ``gain_of(f) / n_in``: for ReLU, He's."""
    gain = gain_of(f)

    def init(rng, shape):
        return rng.normal(0.0, math.sqrt(gain / shape[0]), shape)

    return init


@dataclass(frozen=True)
class Signal:
    """What happens to a batch on its way through equal layers: entry 0 is the input, entry l the output of layer l."""

    mean: np.ndarray
    std: np.ndarray
    error: np.ndarray  # root mean square of dL/da, 1 at the last layer
    outputs: list


def signal(f, gain, n_layers=20, width=100, n=100, seed=0):
    """Send n digits, scaled to mean 0 and variance 1, through layers with weights N(0, gain / n_in) and the activation
    f, and a random error back.  float64; what overflows is infinite.
    """
    rng = np.random.default_rng(seed)
    x = some_digits()[0][:n].astype(np.float64)
    x = (x - x.mean()) / x.std()
    a, steps, outputs = x, [], [x]
    with np.errstate(all="ignore"):
        for _ in range(n_layers):
            W = rng.normal(0.0, math.sqrt(gain / a.shape[1]), (a.shape[1], width))
            z = a @ W
            a = f(z)
            steps.append((W, f.derivative(z, a)))
            outputs.append(a)
        error, da = [1.0], rng.normal(size=a.shape)
        for W, slope in reversed(steps):
            da = (da * slope) @ W.T
            error.append(float(np.sqrt(np.mean(da**2))))
        means = np.array([np.mean(a) for a in outputs])
        stds = np.array([np.std(a) for a in outputs])
    return Signal(means, stds, np.array(error[::-1]), outputs)


# --- figure: gallery ------------------------------------------------------------------------------------------------

#: Name in the figure -> the function, or a family of functions with the name of its parameter and its four values.
GALLERY = {
    "identity": activations.identity,
    "binary step": step,
    "sigmoid": sigmoid,
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


def gallery_frame(activation, parameter, weights):
    """One activation: its curve and derivative, and what 20 layers of it do to the digits and to an error sent back.

    activation: a key of GALLERY; parameter: 1 to 4, which of its four values; weights: a key of GAINS.
    """
    f, setting = _member(activation, parameter)
    z = np.linspace(-4.0, 4.0, 81)
    a, slope = f(z), f.derivative(z)
    if f is step:
        a = np.where(np.abs(z) < 0.05, np.nan, a)  # no vertical line at the jump
    s = _signal(activation, parameter if isinstance(GALLERY[activation], tuple) else 1, weights)
    std, error = s.std, s.error
    first, last = _shares(s.outputs[1]), _shares(s.outputs[-1])
    text = (
        f"{setting}: slopes from {_number(slope.min())} to {_number(slope.max())} between z = −4 and 4. With weights "
        f"of variance {weights}, the digits go in with standard deviation 1 and leave layer 20 with {_size(std[-1])} "
        f"around a mean of {_number(s.mean[-1])}; an error of 1 at the top reaches the input as {_size(error[0])}."
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


def _size(value):
    """A size in words where it vanished or overflowed, else with two digits."""
    if value == 0:
        return "exactly 0"
    return "less than a millionth" if value < 1e-6 else _number(value)


def _number(value):
    """Two digits without exponent: −0.13, 0.0052, 970,000."""
    if not math.isfinite(value) or abs(value) > 1e6:
        return "more than a million"
    if abs(value) < 5e-7:
        return "0"
    value = float(f"{value:.2g}")
    text = f"{value:,.0f}" if abs(value) >= 10 else np.format_float_positional(value, trim="-")
    return text.replace("-", "−")


# --- figure: the zigzag of a unit whose inputs are all positive -----------------------------------------------------


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
    rng = np.random.default_rng(4)
    x = mean + rng.uniform(-1.0, 1.0, (n_examples, 2))
    target = x @ np.array([1.0, -1.0])
    curvatures = np.linalg.eigvalsh(x.T @ x / n_examples)
    learning_rate = rate / (curvatures[-1] if batch == "all" else 2.0 * curvatures[-1])
    path = [np.array([-1.5, -0.5])]
    for k in range(n_steps):
        rows = slice(None) if batch == "all" else slice(k % n_examples, k % n_examples + 1)
        residual = x[rows] @ path[-1] - target[rows]
        path.append(path[-1] - learning_rate * x[rows].T @ residual / len(residual))
    path = np.array(path)
    moves = np.diff(path, axis=0)[np.linalg.norm(path[:-1] - np.array([1.0, -1.0]), axis=1) > 0.01]  # still on the way
    same_way = float(np.mean(moves[:, 0] * moves[:, 1] >= 0))
    return path, float(curvatures[-1] / curvatures[0]), same_way, x


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


# --- figure: dead units against the learning rate -------------------------------------------------------------------


@functools.cache
def dead_runs(activation, learning_rate, bias=0.0, seeds=(0, 1, 2), epochs=5):
    """Train 64-64-64-64-10 on the digits; per seed the silent share of each hidden layer afterwards, and the losses.

    Returns
    -------
    silent (seeds, 3), curves (seeds, epochs)
    """
    f = {"ReLU": activations.relu, "leaky ReLU": activations.leaky_relu(0.1)}[activation]

    def build(rng):
        network = classifier(f, (64, 64, 64), rng)
        for layer in network.layers[:-1]:
            if isinstance(layer, Dense):
                layer.b.value[...] = bias
        return network

    x, y = some_digits()
    silent, curves = [], []
    for s in seeds:
        _, network, curve = _run(build, learning_rate, s, epochs, x, y, softmax_cross_entropy, 50)
        with np.errstate(all="ignore"):
            silent.append([silent_fraction(z) for z in hidden_pre_activations(network, x)])
        curves.append(curve)
    return np.array(silent), np.array(curves)


def dead_frame(learning_rate, bias, activation):
    """How many units are silent for every digit after five epochs, and whether the network learned."""
    silent, curves = dead_runs(activation, learning_rate, bias)
    curves = np.where(np.isfinite(curves), np.minimum(curves, 3.0), 3.0)
    shares = 100 * silent.mean(axis=0)
    learned = curves[:, -1].mean()
    verdict = "learned" if learned < 0.5 else "learned little" if learned < 2.0 else "did not learn"
    if activation == "ReLU":
        fate = "Such a unit has no gradient: it is dead."
    else:
        fate = "Behind a leaky ReLU such a unit still has a gradient: it is not dead."
    text = (
        f"{activation}, learning rate {learning_rate:g}, first biases {bias:g}: after five epochs {shares[0]:.0f} %, "
        f"{shares[1]:.0f} % and {shares[2]:.0f} % of the units in layers 1, 2 and 3 are silent for all 1500 digits. "
        f"{fate} The networks {verdict}."
    ).replace("biases -", "biases −")
    return Frame(
        [
            Bars(
                shares, ["layer 1", "layer 2", "layer 3"], y_label="silent for every digit (%)", y_range=(0, 100),
                title="units that never speak", colors=["series0"],
            ),
            Lines(
                *curves, x=np.arange(1.0, curves.shape[1] + 1), labels=["seed 0", "seed 1", "seed 2"],
                y_range=(0.0, 3.0), x_label="epoch", y_label="training loss (nats)", title="did they learn?",
            ),
        ],
        text=text,
    )  # fmt: skip


# --- figure: the fixed point of SELU --------------------------------------------------------------------------------

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


def selu_frame(weights, factor, start):
    """Fifty SELU layers: mean and standard deviation after each, for weights of a shape and a scale."""
    mean, std = {"0, 1": (0.0, 1.0), "0, 3": (0.0, 3.0), "1, 0.3": (1.0, 0.3)}[start]
    rows = selu_layers(weights, factor, mean, std, width=100, n=60)
    end_mean, end_std = rows[-1, :2]
    held = abs(end_mean) < 0.3 and 0.75 < end_std < 1.3
    text = (
        f"Weights: {weights}, {factor:g} times the scale that SELU asks for; input with mean and standard deviation "
        f"{start}. After 50 layers the mean is {_number(round(end_mean, 1))} and the standard deviation "
        f"{_number(round(end_std, 1))}: "
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


# --- exercises ------------------------------------------------------------------------------------------------------


def _stable_sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


register(
    Exercise(
        "04.stable_sigmoid",
        solution=_stable_sigmoid,
        cases=lambda rng: [
            (np.array([0.0, 1.0, -1.0, 9.0]),),
            (rng.normal(size=(3, 5)),),
            (np.array([-1000.0, -710.0, 710.0, 1000.0]),),
        ],
        mistakes={
            "one sign is turned round: sigmoid(z) grows with z, and yours falls": lambda z: _stable_sigmoid(-z),
            "this overflows for large z, as inf / inf is NaN: choose the branch whose exponent is negative": (
                lambda z: np.exp(z) / (1.0 + np.exp(z))
            ),
            "that is tanh: sigmoid lies between 0 and 1 and is 1/2 at 0": lambda z: np.tanh(z),
        },
    )
)


def _tanh_by_sigmoid(z):
    return 2.0 * sigmoid(2.0 * z) - 1.0


register(
    Exercise(
        "04.tanh_by_sigmoid",
        solution=_tanh_by_sigmoid,
        cases=lambda rng: [(np.array([0.0, 0.5, -3.0]),), (rng.normal(size=(2, 4)),), (rng.normal(0, 5, 7),)],
        mistakes={
            "this is sigmoid(2z - 1): the 2 and the -1 belong around the sigmoid, tanh(0) is 0": (
                lambda z: sigmoid(2.0 * z - 1.0)
            ),
            "stretched to (-1, 1), but half as steep as tanh: the argument must be 2z": lambda z: (
                2.0 * sigmoid(z) - 1.0
            ),
            "steep enough, but it lies between 0 and 1: stretch it by 2 and shift it down by 1": lambda z: sigmoid(
                2.0 * z
            ),
        },
    )
)


def _leaky_relu_backward(da, z, slope):
    return da * np.where(z > 0, 1.0, slope)


register(
    Exercise(
        "04.leaky_relu_backward",
        solution=_leaky_relu_backward,
        cases=lambda rng: [
            (rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), 0.01),
            (rng.normal(size=(5, 2)), rng.normal(size=(5, 2)), 0.3),
            (np.ones(3), np.array([-1.0, 0.0, 2.0]), 0.25),
        ],
        mistakes={
            "that is the derivative alone: multiply it with da, the gradient that comes from above": (
                lambda da, z, slope: np.where(z > 0, 1.0, slope)
            ),
            "negative z get no gradient at all, as behind a ReLU: there it is slope times da": (
                lambda da, z, slope: da * (z > 0)
            ),
            "this multiplies da with the activation: it takes the derivative": (
                lambda da, z, slope: da * np.where(z > 0, z, slope * z)
            ),
        },
    )
)


def _prelu_slope_gradient(da, z):
    return (da * np.minimum(z, 0.0)).sum(axis=0)


register(
    Exercise(
        "04.prelu_slope_gradient",
        solution=_prelu_slope_gradient,
        cases=lambda rng: [
            (rng.normal(size=(4, 3)), rng.normal(size=(4, 3))),
            (rng.normal(size=(7, 2)), rng.normal(size=(7, 2))),
            (rng.normal(size=(2, 5)), rng.normal(size=(2, 5))),
        ],
        mistakes={
            "one number for all units: each unit has its own slope, so sum over the batch (axis 0) only": (
                lambda da, z: (da * np.minimum(z, 0.0)).sum()
            ),
            "da already holds the mean over the batch: sum over the examples, do not average again": (
                lambda da, z: (da * np.minimum(z, 0.0)).mean(axis=0)
            ),
            "positive z do not depend on the slope: only min(0, z) counts": lambda da, z: (da * z).sum(axis=0),
            "f(z) = slope for z < 0 is a misprint: it is slope times z, whose derivative by the slope is z": (
                lambda da, z: (da * (z < 0)).sum(axis=0)
            ),
        },
    )
)


def _elu_derivative(z, alpha):
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))


register(
    Exercise(
        "04.elu_derivative",
        solution=_elu_derivative,
        cases=lambda rng: [
            (rng.normal(size=(3, 4)), 1.0),
            (rng.normal(size=6), 1.7),
            (np.array([-1000.0, -1.0, 2.0, 1000.0]), 0.5),
        ],
        mistakes={
            "alpha is missing: left of 0 the derivative is alpha exp(z)": (
                lambda z, alpha: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0.0)))
            ),
            "that is ELU itself for z < 0: its derivative there is ELU + alpha": (
                lambda z, alpha: np.where(z > 0, 1.0, alpha * (np.exp(np.minimum(z, 0.0)) - 1.0))
            ),
            "the derivative of ELU is 1 for z > 0: this is alpha there": (
                lambda z, alpha: alpha * np.exp(np.minimum(z, 0.0))
            ),
        },
    )
)


def _dead_units(z):
    return np.all(z <= 0, axis=0)


register(
    Exercise(
        "04.dead_units",
        solution=_dead_units,
        cases=lambda rng: [
            (rng.normal(-1.0, 1.0, (4, 6)),),
            (rng.normal(-2.0, 1.0, (9, 5)),),
            (np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, -1.0]]),),
        ],
        mistakes={
            "a unit is dead only if z <= 0 for every example: one silent example makes it merely inactive": (
                lambda z: np.any(z <= 0, axis=0)
            ),
            "this asks each example whether all its units are silent: turn the axis round": lambda z: np.all(
                z <= 0, axis=1
            ),
            "at z = 0 ReLU has slope 0 as well, so a unit that never exceeds 0 is dead: use <=": (
                lambda z: np.all(z < 0, axis=0)
            ),
        },
    )
)


def _softmax_rows(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _softmax_in_place(z):
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    return z


def _softmax_reshaped(z):
    e = np.exp(z - np.max(z, axis=1).reshape(1, -1))
    return e / np.sum(e, axis=1).reshape(1, -1)


def _softmax_one_shift(z):
    e = np.exp(z - z.max())
    return e / e.sum(axis=1, keepdims=True)


register(
    Exercise(
        "04.softmax_rows",
        solution=_softmax_rows,
        cases=lambda rng: [
            (rng.normal(size=(3, 5)),),
            (rng.normal(size=(4, 4)),),
            (np.array([[1000.0, 1001.0], [-1000.0, -1000.0], [0.0, 3.0]]),),
        ],
        mistakes={
            "the maxima and sums must stand in a column, one per row: keepdims=True instead of reshape(1, -1)": (
                _softmax_reshaped
            ),
            "the numbers are right, but z itself was changed: -= writes into the caller's array": _softmax_in_place,
            "subtract each row's own maximum: the largest of all makes 0 / 0 of other rows": _softmax_one_shift,
            "the columns sum to 1, not the rows: a row holds one example": lambda z: _softmax_rows(z.T).T,
        },
    )
)


def _gelu_derivative(z):
    return normal_cdf(z) + z * normal_density(z)


register(
    Exercise(
        "04.gelu_derivative",
        solution=_gelu_derivative,
        cases=lambda rng: [(rng.normal(size=(3, 4)),), (np.array([-1.5, 0.0, 1.5]),), (rng.normal(0.0, 3.0, 9),)],
        mistakes={
            "z Φ(z) is a product: Φ(z) alone leaves out z times the derivative of Φ": lambda z: normal_cdf(z),
            "the derivative of Φ is the density φ(z) = exp(-z²/2) / √(2π), not Φ(z)(1 - Φ(z))": (
                lambda z: normal_cdf(z) + z * normal_cdf(z) * (1.0 - normal_cdf(z))
            ),
            "z φ(z) is only the second half of the product rule: Φ(z) is missing": lambda z: z * normal_density(z),
        },
    )
)


def _square_by_maxout(k):
    middle = (2.0 * np.arange(k) + 1.0) / k - 1.0
    return 2.0 * middle, 0.5 / k**2 - middle**2


register(
    Exercise(
        "04.square_by_maxout",
        solution=_square_by_maxout,
        cases=lambda rng: [(1,), (2,), (5,)],
        mistakes={
            "these are tangents, which touch x² from below: lift all of them by half of the largest gap": (
                lambda k: (_square_by_maxout(k)[0], _square_by_maxout(k)[1] - 0.5 / k**2)
            ),
            "the slope of x² at m is 2m: yours is m": lambda k: (
                0.5 * _square_by_maxout(k)[0],
                _square_by_maxout(k)[1],
            ),
        },
    )
)
