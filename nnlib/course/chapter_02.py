"""Chapter 2: its data, hand-made networks, drawings and interactive frames, and its exercises."""

import itertools
import math
from graphlib import TopologicalSorter

import numpy as np

from nnlib import plotting
from nnlib.activations import gelu, identity, relu, sigmoid, square, step, swish, tanh
from nnlib.autodiff import Value
from nnlib.course.checking import Exercise, register
from nnlib.data import LOGIC, logic_table
from nnlib.gradcheck import numerical_gradient, relative_error
from nnlib.initializers import xavier_normal, zeros
from nnlib.layers import Activation, Dense
from nnlib.losses import binary_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import Adam
from nnlib.perceptron import Perceptron, margin, neuron, radius
from nnlib.training import fit
from nnlib.widgets import Field, Frame, Lines, Network, Points

ACTIVATIONS = {"step": step, "sigmoid": sigmoid, "relu": relu, "tanh": tanh, "square": square, "identity": identity}
CORNERS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], dtype=np.float64)
TABLES = {outputs: name for name, outputs in LOGIC.items()}  # from a truth table to its name


# --- data -------------------------------------------------------------------------------------------------------------


def separable(n, gap, rng):
    """Points of the square (-1, 1)^2 on both sides of a random line, none closer to it than ``gap``.

    Returns x (n, 2), y (n,) and the line (w, b); ``gap`` is the margin of `nnlib.perceptron.margin`, the bias counted.
    """
    w, b = rng.normal(size=2), 0.1
    w /= np.linalg.norm(w)
    x = rng.uniform(-1, 1, (40 * n, 2))
    scores = (x @ w + b) / math.sqrt(1.0 + b * b)
    x = x[np.abs(scores) >= gap][:n]
    return x, (x @ w + b > 0).astype(np.int64), (w, b)


def strip(n, rng):
    """Class 1 lies between the lines x2 = 0.6 x1 + 0.5 and x2 = 0.6 x1 - 0.5, class 0 on both sides of them.

    x (n, 2) float32 in the square (-2, 2)^2, no point closer than 0.1 (measured upward) to a line; y (n,) int64.
    """
    x = rng.uniform(-2, 2, (3 * n, 2))
    height = np.abs(x[:, 1] - 0.6 * x[:, 0])
    near = np.abs(height - 0.5) < 0.1
    x, height = x[~near][:n], height[~near][:n]
    return x.astype(np.float32), (height < 0.5).astype(np.int64)


DISCS = (np.array([(-1.0, -0.6), (1.0, 0.6)]), 0.67)  # centers, radius


def discs(n, rng):
    """Class 1 is two separate discs, class 0 the rest of the square (-2, 2)^2.  x (n, 2) float32, y (n,) int64."""
    centers, r = DISCS
    x = rng.uniform(-2, 2, (n, 2)).astype(np.float32)
    distance = np.linalg.norm(x[:, None] - centers, axis=2)
    return x, (distance < r).any(axis=1).astype(np.int64)


def distance_to_discs(x):
    """How far each point is from the nearer edge of a disc, inside or outside.  x (N, 2) -> (N,)"""
    centers, r = DISCS
    return np.abs(np.linalg.norm(x[:, None] - centers, axis=2) - r).min(axis=1)


def polygon(n_edges, radius=1.0, center=(0.0, 0.0)):
    """The half-planes W (2, n_edges), b (n_edges,) whose common part is a regular polygon: x @ W + b >= 0 inside."""
    angle = 2.0 * math.pi * (np.arange(n_edges) + 0.25) / n_edges
    W = -np.stack([np.cos(angle), np.sin(angle)])
    return W, radius - np.asarray(center) @ W


def tent(x, k):
    """The tent map 1 - |2 x - 1| applied k times: 2^(k-1) teeth on [0, 1]."""
    for _ in range(k):
        x = 1.0 - np.abs(2.0 * x - 1.0)
    return x


# --- networks that are set by hand ------------------------------------------------------------------------------------


def hand_set(*layers, h=step):
    """A network of units with activation h from pairs (W (n_in, n_out), b (n_out,)), in float64."""
    parts = []
    for W, _ in layers:
        parts += [Dense(*np.shape(W), init=zeros), Activation(h)]
    network = Sequential(*parts, rng=np.random.default_rng(0), dtype=np.float64)
    for dense, (W, b) in zip(network.layers[::2], layers):
        dense.W.value[...], dense.b.value[...] = W, b
    return network


# Each cell is an AND of half-planes (+1: inside, -1: outside, 0: does not matter), each class an OR of cells.
REGION_LINES = (np.array([[1.0, 0.0, 1.0, -1.0], [0.0, 1.0, 1.0, -1.0]]), np.array([0.0, 0.0, -1.5, -1.5]))
REGION_CELLS = np.array(
    [
        [+1, +1, -1, 0],  # right of h1, above h2, below h3: a triangle
        [+1, +1, +1, 0],  # beyond h3: a corner, open to the outside
        [-1, -1, 0, -1],
        [-1, -1, 0, +1],
        [+1, -1, 0, 0],
        [-1, +1, 0, 0],
    ]
).T.astype(np.float64)
REGION_CLASSES = np.array([[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]]).T.astype(
    float
)


def four_regions(steepness=None):
    """The 2-4-6-4 network: half-planes, then ANDs of them, then ORs.  Without a steepness its units are thresholds."""
    s = steepness or 1.0
    cells = s * REGION_CELLS, -s * (np.sum(REGION_CELLS > 0, axis=0) - 0.5)
    classes = s * REGION_CLASSES, np.full(4, -0.5 * s)
    return hand_set((s * REGION_LINES[0], s * REGION_LINES[1]), cells, classes, h=sigmoid if steepness else step)


def region_of(x):
    """The class that a point of the plane belongs to, by plain comparisons.  x (N, 2) -> (N,)"""
    x1, x2 = x.T
    outer = np.abs(x1 + x2) >= 1.5
    return np.where(x1 * x2 > 0, outer.astype(int), np.where(x1 > 0, 2, 3))


def small_network(n_hidden, n_out, h, rng, n_in=2, depth=1):
    """``depth`` hidden layers of ``n_hidden`` units with activation h, and a linear output layer."""
    layers, n = [], n_in
    for _ in range(depth):
        layers += [Dense(n, n_hidden, xavier_normal), Activation(h)]
        n = n_hidden
    return Sequential(*layers, Dense(n, n_out, xavier_normal), rng=rng)


# --- networks without layers ------------------------------------------------------------------------------------------


def order_of(sources):
    """An order in which the nodes of {node: its sources} can be computed; a cycle raises `graphlib.CycleError`."""
    return list(TopologicalSorter(sources).static_order())


def random_graph(n_units, n_inputs, rng, most=3):
    """The sources of each unit: up to ``most`` earlier units or inputs; the last unit, the output, reads them all."""
    sources = []
    for k in range(n_inputs, n_inputs + n_units - 1):
        sources.append(sorted(rng.choice(k, size=min(k, most), replace=False).tolist()))
    return [*sources, list(range(n_inputs + n_units - 1))]


def random_weights(sources, rng):
    """A bias and a weight per source for each unit, as `Value` numbers."""
    return [[Value(v) for v in rng.normal(0.0, 1.0 / math.sqrt(len(s)), len(s) + 1)] for s in sources]


def gradient_error(loss, weights, backward):
    """Relative error of the gradients that ``backward(loss(weights))`` leaves in weights, rows of `Value` numbers."""
    flat = [value for row in weights for value in row]
    backward(loss(weights))
    computed = np.array([float(value.grad) for value in flat])

    def loss_at(theta):
        values = iter(theta)
        return float(loss([[Value(next(values)) for _ in row] for row in weights]).data)

    return relative_error(computed, numerical_gradient(loss_at, np.array([float(value.data) for value in flat])))


def draw_units(sources, n_inputs, ax):
    """A graph of units from left to right: each stands one column to the right of its last source."""
    color = plotting.color
    column = [0] * n_inputs
    for s in sources:
        column.append(1 + max(column[i] for i in s))
    places, count = [], {}
    for c in column:
        count[c] = count.get(c, 0) + 1
    seen = dict.fromkeys(count, 0)
    for i, c in enumerate(column):
        lift = 0.18 if c % 2 else -0.18  # neighbors in one row would hide the lines between them
        places.append((c, (count[c] - 1) / 2 - seen[c] + (lift if count[c] == 1 and i < len(column) - 1 else 0.0)))
        seen[c] += 1
    for unit, s in enumerate(sources, n_inputs):
        for source in s:
            ax.annotate(
                "", places[unit], places[source],
                arrowprops={
                    "arrowstyle": "-|>", "color": color("muted"), "shrinkA": 8, "shrinkB": 8, "linewidth": 0.8,
                    "connectionstyle": f"arc3,rad={0.0 if column[unit] - column[source] == 1 else 0.28}",
                },
            )  # fmt: skip
    for i, (x, y) in enumerate(places):
        tone = "class0" if i < n_inputs else "accent" if i == len(places) - 1 else "value"
        ax.plot(x, y, "o", markersize=16, markerfacecolor=color("card"), markeredgecolor=color(tone), zorder=3)
        text = f"$x_{i + 1}$" if i < n_inputs else str(i - n_inputs + 1)
        ax.text(x, y, text, ha="center", va="center", fontsize=8, zorder=4)
    heights = [y for _, y in places]
    ax.set(xlim=(-0.5, max(column) + 0.5), ylim=(min(heights) - 0.9, max(heights) + 0.9), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)
    return ax


# --- one hidden layer of random units ---------------------------------------------------------------------------------

WAVE_RANGE = (-3.0, 3.0)


def wave(x):
    """sin 2x + 0.3 |x|: a smooth part and a kink."""
    return np.sin(2.0 * x) + 0.3 * np.abs(x)


def random_features_fit(x, y, h, n, rng, ridge=1e-9):
    """Fit the output layer of a network whose n hidden units h(w x - w c) have random w and c.  x (N,), y (N,).

    ``ridge`` keeps the output weights finite where hidden units are almost alike. Returns a function of x.
    """
    w, c = rng.normal(0.0, 2.0, n), rng.uniform(*WAVE_RANGE, n)

    def hidden(x):
        return np.column_stack([h(np.outer(x, w) - w * c), np.ones(len(x))])

    H = hidden(x)
    penalty = math.sqrt(ridge * len(x)) * np.eye(n + 1)
    v = np.linalg.lstsq(np.vstack([H, penalty]), np.concatenate([y, np.zeros(n + 1)]), rcond=None)[0]
    return lambda x: hidden(x) @ v


# --- drawings ---------------------------------------------------------------------------------------------------------


def _map(ax, a, low, high, title):
    """The output a (n * n,) of a unit on the grid of a square, colored from 0 to 1."""
    n = math.isqrt(len(a))
    picture = ax.imshow(a.reshape(n, n), origin="lower", extent=(low, high, low, high), vmin=0, vmax=1)
    ax.set_title(title, fontsize=9.5)
    ax.set(xlabel="$x_1$", ylabel="$x_2$")
    ax.grid(False)
    return picture


def draw_gates(gates):
    """The output of sigmoid neurons over the plane, with their numbers at the corners.  gates: name -> (b, w1, w2)"""
    figure, axes = plotting.plt.subplots(1, len(gates), figsize=(3.5 * len(gates), 3.1))
    for ax, (name, (b, *w)) in zip(axes, gates.items()):
        a = neuron(w, b, grid(-0.5, 1.5, 121), sigmoid)
        picture = _map(ax, a, -0.5, 1.5, f"{name}: {_terms((b, ''), (w[0], ' x₁'), (w[1], ' x₂'))}")
        ax.contour(a.reshape(121, 121), levels=[0.5], extent=(-0.5, 1.5, -0.5, 1.5), colors=[plotting.color("card")])
        for corner, value in zip(CORNERS, neuron(w, b, CORNERS, sigmoid)):
            box = {"facecolor": plotting.color("card"), "edgecolor": "none", "pad": 2}
            ax.text(*corner, f"{value:.2g}", ha="center", bbox=box)
    figure.colorbar(picture, ax=axes, label="output a")


def draw_mistakes(counts, mistakes):
    """Rows (margin, mistakes, bound) of random sets, and a histogram of the mistakes of real ones."""
    color = plotting.color
    _, (left, right) = plotting.plt.subplots(1, 2, figsize=(7.0, 3.2))
    left.loglog(counts[:, 0], counts[:, 1], "o", color=color("train"), alpha=0.7, label="mistakes")
    left.loglog(counts[:, 0], counts[:, 2], "_", markersize=9, color=color("gradient"), label="bound $(R/\\gamma)^2$")
    left.set(xlabel="margin γ", ylabel="mistakes", title="8 random sets for each margin")
    left.set_xticks([0.02, 0.05, 0.1, 0.2, 0.4], ["0.02", "0.05", "0.1", "0.2", "0.4"])
    left.xaxis.minorticks_off()
    left.legend()
    right.hist(mistakes, bins=np.arange(0, 320, 20), color=color("train"))
    right.set(xlabel="mistakes until none is left", ylabel="pairs of digits", title="45 pairs of digits")


def draw_strip(network, x, y):
    """The two hidden units and the output of the 2-2-1 network over the plane, with the points."""
    figure, axes = plotting.plt.subplots(1, 3, figsize=(7.2, 2.7), sharey=True)
    points = grid(-2.0, 2.0, 121)
    hidden = network.layers[1].forward(network.layers[0].forward(points)).copy()
    titles = ("$h_1$: above the lower line", "$h_2$: below the upper line", "output: both")
    for ax, a, title in zip(axes, [*hidden.T, network.predict(points)[:, 0]], titles):
        picture = _map(ax, a, -2.0, 2.0, title)
        plotting.plot_points(x, y, ax, size=12).get_legend().remove()
        ax.label_outer()
    figure.colorbar(picture, ax=axes, label="output a")


def draw_regions(panels, widths, right, base):
    """Decision regions by title, and accuracies (n_runs, n_widths) beside the share ``base`` of the larger class."""
    _, axes = plotting.plt.subplots(2, 3, figsize=(7.2, 5.0))
    for ax, (title, predict) in zip(axes.flat, panels.items()):
        plotting.plot_decision(lambda x, f=predict: _whole(f(x)), ax=ax, low=-2, high=2)
        ax.set_title(title, fontsize=9.5)
    ax = axes[1, 2]
    ax.axhline(base, color=plotting.color("muted"), linestyle="--", label="always class 0")
    plotting.spread(range(len(widths)), right, ax, label="3 starts", name="test")
    ax.set(xlabel="hidden units", ylabel="accuracy, new points", xticks=range(len(widths)), xticklabels=widths)
    ax.legend(loc="lower right")


def _whole(a):
    return a.argmax(axis=1) if a.ndim == 2 else a.astype(int)


def draw_three_graphs(predict, x, y, sources):
    """A wide network, a deep one, a graph of units, and what the graph decides about the points x, y."""
    _, axes = plotting.plt.subplots(2, 2, figsize=(7.2, 5.4), width_ratios=(1, 1.35))
    plotting.draw_network((2, 12, 1), axes[0, 0], most=12).set_title("shallow and wide: 2-12-1")
    plotting.draw_network((2, 4, 4, 4, 1), axes[0, 1]).set_title("deep: 2-4-4-4-1")
    plotting.plot_decision(predict, x, y, axes[1, 0]).set_title("what the graph decides")
    draw_units(sources, 2, axes[1, 1]).set_title(f"a random graph of {len(sources)} units")


def draw_depth(trained, x, y, depths, reached):
    """Decisions of trained networks, accuracies (n_runs, n_depths) by name, and three activations as gates."""
    _, axes = plotting.plt.subplots(2, 2, figsize=(7.2, 5.6))
    for ax, (name, network) in zip(axes[0], trained.items()):
        plotting.plot_decision(network.predict, x, y, ax).get_legend().remove()
        ax.set_title(f"{depths[-1]} layers, {name}")
    for (name, values), tone in zip(reached.items(), ("series1", "series0")):
        plotting.spread(range(len(depths)), values, axes[1, 0], label=name, name=tone)
    axes[1, 0].set(xlabel="layers", ylabel="accuracy, new points", xticks=range(len(depths)), xticklabels=depths)
    z = np.linspace(-5.0, 5.0, 400)
    plotting.plot_curves(
        z, {f.name: f(z) / z for f in (relu, swish(1.0), gelu)}, axes[1, 1], x_label="pre-activation z",
        y_label="gate h(z) / z",
    )  # fmt: skip


def draw_errors(widths, errors, folds):
    """Largest errors (n_runs, n_widths) by activation, and the units that k folds of the tent map need."""
    color = plotting.color
    _, (left, right) = plotting.plt.subplots(1, 2, figsize=(7.2, 3.2))
    for (name, values), tone in zip(errors.items(), ("series0", "series2", "series1", "muted")):
        plotting.spread(widths, values, left, label=name, name=tone)
    left.set(
        xscale="log", yscale="log", xlabel="hidden units", ylabel="largest error", title="sin 2x + 0.3|x|, 5 draws"
    )
    left.set_xticks(widths, widths)
    left.minorticks_off()
    right.semilogy(folds, [2**k - 1 for k in folds], "o-", color=color("series0"), label="one hidden layer")
    right.semilogy(folds, [2 * k for k in folds], "s--", color=color("series1"), label="k layers of 2")
    right.set(xlabel="folds k of the tent map", ylabel="ReLU units needed", title="error below ½ on the tents")
    right.legend()


def draw_comparison(names, learned, new, digit_names, on_test):
    """Accuracies (n_runs, n_models) on learned and new moons, and on the digits of the test writers."""
    color = plotting.color
    _, (left, right) = plotting.plt.subplots(1, 2, figsize=(7.2, 3.3), width_ratios=(1.4, 1))
    kinds = ((learned, "200 learned points", "train", -0.12, "o"), (new, "3,000 new points", "test", 0.12, "s"))
    for values, label, tone, shift, marker in kinds:
        places = np.broadcast_to(np.arange(len(names)) + shift, values.shape)
        left.plot(places.ravel(), values.ravel(), marker, color=color(tone), alpha=0.7, label=label)
    left.set(ylabel="accuracy", title="noisy moons, 5 seeds")
    left.legend(loc="lower right")
    places = np.broadcast_to(np.arange(len(digit_names)), on_test.shape)
    right.plot(places.ravel(), on_test.ravel(), "s", color=color("test"), alpha=0.7)
    right.set(ylabel="accuracy, test writers", title="digits, 3 seeds", xlim=(-0.5, len(digit_names) - 0.5))
    for ax, labels in ((left, names), (right, digit_names)):
        ax.set_xticks(range(len(labels)), [label.replace(" ", "\n") for label in labels], fontsize=8)


# --- methods to compare with ------------------------------------------------------------------------------------------


def kernel_ridge(x, y, gamma=2.0, ridge=0.5):
    """Scores of class 1 minus class 0: k(new, x) (k(x, x) + ridge 1)^-1 (2 y - 1), k(a, b) = exp(-gamma |a - b|^2)."""

    def kernel(a, b):
        return np.exp(-gamma * np.sum((a[:, None] - b) ** 2, axis=2))

    alpha = np.linalg.solve(kernel(x, x) + ridge * np.eye(len(x)), 2.0 * y - 1.0)
    return lambda new: kernel(new, x) @ alpha


def network_trainer(width, rng):
    """train(x, y) -> predict, for logistic regression (width 0) or one hidden layer of ``width`` ReLU units."""
    network = small_network(width, 1, relu, rng, depth=min(width, 1))

    def train(x, y):
        pair = x, y[:, None].astype(np.float32)
        fit(network, binary_cross_entropy, Adam(0.01), pair, epochs=100, batch_size=20, rng=rng, progress=False)
        return network.predict

    return train


# --- the frames of the interactive figures ----------------------------------------------------------------------------


def segment(w, b, low, high):
    """The part of the line w . x + b = 0 inside the square (low, high)^2, as an array (2, 2), or None."""
    ends = []
    for axis in (0, 1):
        other = 1 - axis
        if w[other]:
            for edge in (low, high):
                value = -(w[axis] * edge + b) / w[other]
                if low <= value <= high:
                    point = np.empty(2)
                    point[axis], point[other] = edge, value
                    ends.append(point)
    return None if len(ends) < 2 else np.array([min(ends, key=tuple), max(ends, key=tuple)])


def grid(low, high, n):
    """The points (n * n, 2) of a square grid, row by row from below."""
    side = np.linspace(low, high, n)
    return np.column_stack([a.ravel() for a in np.meshgrid(side, side)])


def _terms(*pairs):
    """A sum as people write it: 1 x₁ − 2 x₂ + 0.5."""
    text = ""
    for value, name in pairs:
        sign = "−" if value < 0 else "+"
        text += f" {sign} {abs(value):g}{name}" if text else f"{'−' if value < 0 else ''}{abs(value):g}{name}"
    return text


def neuron_frame(w1, w2, b, activation):
    """One neuron on the plane: its output everywhere, its decision line, and which Boolean function it computes."""
    h, w = ACTIVATIONS[activation], np.array([w1, w2], dtype=np.float64)
    at_corners = neuron(w, b, CORNERS, h)
    decided = (CORNERS @ w + b > 0).astype(int)
    overlay = [Points(CORNERS, classes=decided, texts=[f"{a:.2g}" for a in at_corners])]
    line = segment(w, b, -0.5, 1.5)
    if line is not None:
        overlay.insert(0, Lines(line, colors=("accent",)))
    plane = Field(
        neuron(w, b, grid(-0.5, 1.5, 21), h).reshape(21, 21), x=(-0.5, 1.5), y=(-0.5, 1.5), overlay=overlay,
        v_range=(0.0, 7.5) if activation == "relu" else (0.0, 1.0), x_label="x₁", y_label="x₂", v_label="output a",
        title="output a, and the line z = 0",
    )  # fmt: skip
    picture = Network(
        (3, 1), weights=(np.array([[w1], [w2], [b]]),), values=((1.0, 1.0, 1.0), at_corners[3:]),
        names=(("x₁", "x₂", "1"), ("a",)), edge_text=True, v_range=(-7.5, 7.5), w_range=(-2.0, 2.0),
        title="the neuron at x = (1, 1)",
    )  # fmt: skip
    name = TABLES.get(tuple(decided.tolist()))
    where = "z = 0 on the line" if line is not None else "the line z = 0 lies outside of the picture"
    where = where if w.any() else "there is no line: z is the same everywhere"
    text = (
        f"z = {_terms((w1, ' x₁'), (w2, ' x₂'), (b, ''))}, and {where}. On (0, 0), (0, 1), (1, 0), (1, 1) the outputs "
        f"are {', '.join(f'{a:.2g}' for a in at_corners)}; decided by the sign of z they spell "
        f"{' '.join(map(str, decided))}, which is {name}."
    )
    return Frame([plane, picture], text=text)


def perceptron_data(data):
    """The points and labels behind `perceptron_frame`, and a separating line or None."""
    if data == "XOR":
        x, y = logic_table("XOR")
        return 2.0 * x.astype(np.float64) - 1.0, y, None
    return separable(40, 0.12, np.random.default_rng(0))


def perceptron_frame(data, mistakes):
    """The perceptron after so many mistakes: its line, the example of the last mistake, and the length of (w, b)."""
    x, y, line = perceptron_data(data)
    path = Perceptron(2).fit(x, y, 30, np.random.default_rng(2)).path
    k = min(mistakes, len(path) - 1)
    w, b = path[k, :2], path[k, 2]
    decided = (x @ w + b >= 0).astype(int)
    wrong = int(np.sum(decided != y))
    overlay = [Points(x, classes=y, labels=("class 0", "class 1"))]
    if (border := segment(w, b, -1.3, 1.3)) is not None:
        overlay.append(Lines(border, colors=("accent",)))
    if k:
        moved = path[k] - path[k - 1]
        at = moved[:2] * moved[2]  # the step is the example (x, 1), added or subtracted
        overlay.append(Lines(at[None], colors=("gradient",), marks=[(*at, "last mistake")]))
    side = (grid(-1.3, 1.3, 32) @ w + b >= 0).astype(int).reshape(32, 32)
    plane = Field(
        side, x=(-1.3, 1.3), y=(-1.3, 1.3), classes=True, labels=("says 0", "says 1"), overlay=overlay,
        x_label="x₁", y_label="x₂", title=f"after {k} mistake{'s' * (k != 1)}",
    )  # fmt: skip
    ks, size = np.arange(PERCEPTRON_STEPS + 1), np.linalg.norm(path, axis=1)
    walk = np.column_stack([np.arange(k + 1), size[: k + 1]])
    bounds = {"√k R": np.sqrt(ks) * radius(x)}
    if line is not None:
        bounds["k γ"] = ks * margin(x, y, *line)
    lengths = Lines(
        walk, *(np.column_stack([ks, bound]) for bound in bounds.values()), labels=("‖(w, b)‖", *bounds),
        colors=("value", "muted", "series1")[: 1 + len(bounds)], dashes=(False, True, True)[: 1 + len(bounds)],
        x_label="mistakes k", y_label="length",
        title="length of (w, b)", x_range=(0, PERCEPTRON_STEPS), y_range=(0.0, 6.5),
    )  # fmt: skip
    done = " The rule has stopped: no example is wrong." if wrong == 0 else ""
    if mistakes > k:
        done = f" It stopped after {k}: no example is wrong."
    text = (
        f"After {k} mistake{'s' * (k != 1)}, w = ({w[0]:.2f}, {w[1]:.2f}) and b = {b:g}; "
        f"{wrong} of {len(y)} examples lie on the wrong side.{done}"
    ).replace("-", "−")
    return Frame([plane, lengths], text=text)


PERCEPTRON_STEPS = 14
REGION_UNITS = ("the classes", *(f"{layer}{i + 1}" for layer, n in (("h", 4), ("c", 6), ("y", 4)) for i in range(n)))
CELL_NAMES = ("h1 ∧ h2 ∧ ¬h3", "h1 ∧ h2 ∧ h3", "¬h1 ∧ ¬h2 ∧ ¬h4", "¬h1 ∧ ¬h2 ∧ h4", "h1 ∧ ¬h2", "¬h1 ∧ h2")
UNIT_SENTENCES = {
    **dict(zip(("h1", "h2", "h3", "h4"), ("x₁ ≥ 0", "x₂ ≥ 0", "x₁ + x₂ ≥ 1.5", "x₁ + x₂ ≤ −1.5"))),
    **{f"c{i + 1}": name for i, name in enumerate(CELL_NAMES)},
    **dict(zip(("y1", "y2", "y3", "y4"), ("c1 ∨ c3", "c2 ∨ c4", "c5", "c6"))),
}


def regions_frame(unit, steepness):
    """One unit of the four-region network on the plane, or the class of the largest output; and where it stands."""
    network = four_regions(steepness or None)
    points, n = grid(-2.0, 2.0, 40), 40
    layer, place = (3, None) if unit == "the classes" else ("hcy".index(unit[0]) + 1, int(unit[1]) - 1)
    a, outputs = points, []
    for dense, activation in zip(network.layers[::2], network.layers[1::2]):
        a = activation.forward(dense.forward(a)).copy()
        outputs.append(a)
    lines = [line for w, b in zip(REGION_LINES[0].T, REGION_LINES[1]) if (line := segment(w, b, -2.0, 2.0)) is not None]
    frame = {"x": (-2.0, 2.0), "y": (-2.0, 2.0), "x_label": "x₁", "y_label": "x₂"}
    overlay = [Lines(*lines, colors=("muted",) * len(lines), dashes=True)]
    right = float(np.mean(outputs[2].argmax(axis=1) == region_of(points)))
    kind = "threshold units" if not steepness else f"sigmoid units of steepness {steepness}"
    if place is None:
        plane = Field(
            outputs[2].argmax(axis=1).reshape(n, n), classes=True, labels=("1", "2", "3", "4"), overlay=overlay,
            title="class of the largest output", **frame,
        )  # fmt: skip
        lit = [(3, i) for i in range(4)]
        text = f"The largest of the four outputs decides: with {kind}, {right:.0%} of the grid points get their class."
    else:
        values = outputs[layer - 1][:, place]
        plane = Field(
            values.reshape(n, n),
            overlay=overlay,
            v_range=(0.0, 1.0),
            v_label="output",
            title=f"output of {unit}",
            **frame,
        )
        W = network.layers[2 * (layer - 1)].W.value[:, place]
        lit = [(layer, place), *((layer - 1, i, place) for i in np.flatnonzero(W).tolist())]
        task = ("is the half-plane", "is the cell", "is the class")[layer - 1]
        unsure = np.mean((values > 0.1) & (values < 0.9))
        text = (
            f"Unit {unit} of layer {layer} {task} {UNIT_SENTENCES[unit]}. With {kind} its output is above ½ on "
            f"{np.mean(values > 0.5):.0%} of the square and between 0.1 and 0.9 on {unsure:.0%}."
        )
    weights = [np.where(w == 0, np.nan, w) for w in (REGION_LINES[0], REGION_CELLS, REGION_CLASSES)]
    names = (("x₁", "x₂"), *(tuple(u for u in REGION_UNITS[1:] if u[0] == letter) for letter in "hcy"))
    picture = Network(
        (2, 4, 6, 4), weights=weights, node_text=names, highlight=lit,
        layer_names=("input", "half-planes", "cells: AND", "classes: OR"), title="where the unit stands",
    )  # fmt: skip
    return Frame([plane, picture], text=text)


# Weights of the worked 2-2-2 network: column j holds the weights into unit j.
WORKED = (
    (np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([0.35, 0.35])),
    (np.array([[0.40, 0.50], [0.45, 0.55]]), np.array([0.60, 0.60])),
)
FORWARD_STEPS = ("input", "z¹ = x W¹ + b¹", "a¹ = σ(z¹)", "z² = a¹ W² + b²", "a² = σ(z²)")


def forward_frame(step, x1, x2):
    """The forward pass of the worked 2-2-2 network, up to a step from 0 (the input) to 4 (the output)."""
    (W1, b1), (W2, b2) = WORKED
    x = np.array([x1, x2])
    z1 = x @ W1 + b1
    a1 = sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = sigmoid(z2)
    hidden = (None, z1, a1, a1, a1)[step]
    output = (None, None, None, z2, a2)[step]

    def shown(values):
        return ["?", "?"] if values is None else [f"{v:.4f}" for v in values]

    def bias(b):
        return np.array([b])

    weights = [np.column_stack([np.vstack([W, bias(b)]), np.full(3, np.nan)]) for W, b in ((W1, b1), (W2, b2))]
    weights[1] = weights[1][:, :2]
    gap = (step + 1) // 2 - 1  # the weights that this step uses
    lit = {
        0: [(0, 0), (0, 1)],
        1: [(1, 0), (1, 1), *((0, i, j) for i in range(3) for j in range(2))],
        2: [(1, 0), (1, 1)],
        3: [(2, 0), (2, 1), *((1, i, j) for i in range(3) for j in range(2))],
        4: [(2, 0), (2, 1)],
    }[step]
    picture = Network(
        (3, 3, 2), weights=weights, highlight=lit,
        node_text=([f"{x1:g}", f"{x2:g}", "1"], [*shown(hidden), "1"], shown(output)),
        names=(("x₁", "x₂", ""), ("h₁", "h₂", ""), ("o₁", "o₂")),
        edge_text=[[[f"{v:.2f}" if math.isfinite(v) else "" for v in row] for row in w] if k == gap and step % 2 else
                   [["" for _ in row] for row in w] for k, w in enumerate(weights)],
        title=FORWARD_STEPS[step],
    )  # fmt: skip
    sums = {
        1: ("z", "₁¹", (W1[:, 0], x, b1[0], z1)),
        3: ("z", "₁²", (W2[:, 0], a1, b2[0], z2)),
    }
    if step == 0:
        text = f"The input is x = ({x1:g}, {x2:g}); the node 1 below it carries the biases."
    elif step in sums:
        letter, place, (w, source, b, z) = sums[step]
        text = (
            f"Sum: {letter}{place} = {w[0]:.2f} · {source[0]:.4g} + {w[1]:.2f} · {source[1]:.4g} + {b:.2f} = "
            f"{z[0]:.6f}; in the same way the second unit of the layer gets {z[1]:.6f}."
        )
    else:
        z, a, where = (z1, a1, "hidden layer") if step == 2 else (z2, a2, "output")
        text = f"Activate: σ({z[0]:.6f}) = {a[0]:.8f} and σ({z[1]:.6f}) = {a[1]:.8f}. This is the {where}."
    return Frame([picture], text=text)


APPROXIMATION_WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def approximation_frame(activation, units):
    """One hidden layer of random units, its output fitted to sin 2x + 0.3 |x|, and the error."""
    x = np.linspace(*WAVE_RANGE, 1001)
    y = wave(x)
    fitted = random_features_fit(x, y, ACTIVATIONS[activation], units, np.random.default_rng(0))
    error = float(np.max(np.abs(fitted(x) - y)))
    seen = np.linspace(*WAVE_RANGE, 121)
    curves = Lines(
        wave(seen), np.clip(fitted(seen), -3.0, 3.0), x=seen, labels=("target", "network"), colors=("muted", "accent"),
        dashes=(True, False), x_label="x", y_label="output", title="target and network", y_range=(-1.6, 2.4),
    )  # fmt: skip
    errors = Lines(
        fitted(seen) - wave(seen), x=seen, colors=("gradient",), x_label="x", y_label="network − target",
        title="error", y_range=(-1.5, 1.5),
    )  # fmt: skip
    size = f"{error:.2f}" if error >= 0.095 else f"{error:.3f}"
    text = f"{units} hidden unit{'s' * (units != 1)} with {activation}: the largest error on [−3, 3] is {size}."
    return Frame([curves, errors], text=text)


# --- exercises --------------------------------------------------------------------------------------------------------


def threshold_unit(w, b, x):
    """1.0 where w . x + b >= 0, else 0.0.  w (n,), x (N, n) -> (N,) of x's dtype"""
    return (x @ w + b >= 0).astype(x.dtype)


def _threshold_cases(rng):
    on_the_line = (np.array([1.0, 1.0]), -1.0, np.array([(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0)]))
    cases = [on_the_line]
    for n, n_examples in ((1, 4), (3, 5), (6, 2)):
        cases.append((rng.normal(size=n), float(rng.normal()), rng.normal(size=(n_examples, n))))
    return [*cases, (np.float32([0.5, -2.0]), 0.25, rng.normal(size=(7, 2)).astype(np.float32))]


register(
    Exercise(
        "02.threshold_unit",
        threshold_unit,
        _threshold_cases,
        {
            "an example on the line itself, where z = 0, belongs to class 1: use >=, not >": (
                lambda w, b, x: (x @ w + b > 0).astype(x.dtype)
            ),
            "the bias is missing: the line then always passes through the origin": (
                lambda w, b, x: (x @ w >= 0).astype(x.dtype)
            ),
            "this is the weighted sum z itself: send it through the step function": lambda w, b, x: x @ w + b,
        },
    )
)


def perceptron_update(w, b, x, y):
    """w + (y - prediction) x and b + (y - prediction) for one example.  w (n,), x (n,), y 0 or 1 -> (w, b)"""
    error = y - float(w @ x + b >= 0)
    return w + error * x, b + error


def _update_cases(rng):
    cases = [(np.zeros(2), 0.0, np.array([1.0, 2.0]), 0), (np.zeros(2), 0.0, np.array([1.0, 2.0]), 1)]
    for n in (1, 3, 4, 6):
        for y in (0, 1):
            cases.append((rng.normal(size=n), float(rng.normal()), rng.normal(size=n), y))
    return cases


def _update_always(w, b, x, y):
    return w + (2 * y - 1) * x, b + (2.0 * y - 1)


register(
    Exercise(
        "02.perceptron_update",
        perceptron_update,
        _update_cases,
        {
            "the rule changes nothing when the prediction is right": _update_always,
            "the bias learns, too: it is the weight of an input that is always 1": (
                lambda w, b, x, y: (w + (y - float(w @ x + b >= 0)) * x, b)
            ),
            "the step goes the wrong way: the error is y minus the prediction": (
                lambda w, b, x, y: (w - (y - float(w @ x + b >= 0)) * x, b - (y - float(w @ x + b >= 0)))
            ),
        },
    )
)


def in_polygon(x, W, b):
    """1.0 where all half-planes x @ W + b >= 0 agree, else 0.0.  x (N, 2), W (2, n), b (n,) -> (N,)"""
    h = (x @ W + b >= 0).astype(np.float64)
    return (h.sum(axis=1) >= W.shape[1] - 0.5).astype(np.float64)


def _polygon_cases(rng):
    return [
        (rng.uniform(-2, 2, (60, 2)), *polygon(n, r, rng.uniform(-0.5, 0.5, 2)))
        for n, r in ((1, 0.4), (3, 0.8), (5, 1.2))
    ]


register(
    Exercise(
        "02.in_polygon",
        in_polygon,
        _polygon_cases,
        {
            "this is OR: one half-plane is enough for you, but a point inside lies in all of them": (
                lambda x, W, b: (x @ W + b >= 0).any(axis=1).astype(np.float64)
            ),
            "the sum of the pre-activations is not the number of half-planes that agree: apply the step first": (
                lambda x, W, b: ((x @ W + b).sum(axis=1) >= W.shape[1] - 0.5).astype(np.float64)
            ),
        },
    )
)


def xor_network(x):
    """XOR of two inputs that are 0 or 1, from threshold units.  x (N, 2) -> (N,)"""
    h_or = (x @ np.array([1.0, 1.0]) - 0.5 >= 0).astype(np.float64)
    h_and = (x @ np.array([1.0, 1.0]) - 1.5 >= 0).astype(np.float64)
    return (h_or - h_and - 0.5 >= 0).astype(np.float64)


def _xor_cases(rng):
    return [(CORNERS,), (CORNERS[[1]],), (rng.integers(0, 2, (9, 2)).astype(np.float64),)]


register(
    Exercise(
        "02.xor_network",
        xor_network,
        _xor_cases,
        {
            "this is OR: the pair (1, 1) must give 0": lambda x: (x.sum(axis=1) >= 0.5).astype(np.float64),
            "this is XNOR, the opposite": lambda x: (x[:, 0] == x[:, 1]).astype(np.float64),
            "this is NAND: the pair (0, 0) must give 0": lambda x: (x.sum(axis=1) < 1.5).astype(np.float64),
        },
    )
)


def count_parameters(sizes):
    """Weights and biases of a fully connected network, e.g. [2, 100, 100, 1] -> 10501."""
    return sum(n_in * n_out + n_out for n_in, n_out in itertools.pairwise(sizes))


def _count_cases(rng):
    return [([2, 1],), ([2, 100, 100, 1],), ([784, 1000, 10],), ([3, 5, 7, 2],)]


register(
    Exercise(
        "02.count_parameters",
        count_parameters,
        _count_cases,
        {
            "the biases are missing: every unit has one": lambda s: sum(a * b for a, b in itertools.pairwise(s)),
            "the inputs have no biases: they are data, not units": lambda s: (
                sum(a * b for a, b in itertools.pairwise(s)) + sum(s)
            ),
            "that is the number of units: count one weight for each pair of neighbors, and one bias for each unit": sum,
        },
    )
)


def forward_batch(x, weights, biases):
    """tanh in every hidden layer, no activation at the output.  x (N, n_0), weights (n_in, n_out) -> (N, n_L)"""
    a = x
    for W, b in zip(weights[:-1], biases[:-1]):
        a = np.tanh(a @ W + b)
    return a @ weights[-1] + biases[-1]


def _stack_cases(rng, examples=True):
    cases = []
    for sizes in ((3, 2), (2, 5, 3), (4, 3, 6, 2)):
        weights = [rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
        biases = [rng.normal(size=n) for n in sizes[1:]]
        cases.append((rng.normal(size=(7, sizes[0])), weights, biases) if examples else (weights, biases))
    return cases


def _forward_everywhere(x, weights, biases):
    for W, b in zip(weights, biases):
        x = np.tanh(x @ W + b)
    return x


def _forward_nowhere(x, weights, biases):
    for W, b in zip(weights, biases):
        x = x @ W + b
    return x


def _forward_before_bias(x, weights, biases):
    for W, b in zip(weights[:-1], biases[:-1]):
        x = np.tanh(x @ W) + b
    return x @ weights[-1] + biases[-1]


register(
    Exercise(
        "02.forward_batch",
        forward_batch,
        _stack_cases,
        {
            "the output layer has no activation: its numbers may leave (-1, 1)": _forward_everywhere,
            "there is no activation between the layers: the network is one affine map": _forward_nowhere,
            "the bias belongs inside the activation: a = tanh(x W + b)": _forward_before_bias,
        },
    )
)


def collapse(weights, biases):
    """The one affine map (W, b) that equals all the layers of an identity network."""
    W, b = weights[0], biases[0]
    for next_W, next_b in zip(weights[1:], biases[1:]):
        W, b = W @ next_W, b @ next_W + next_b
    return W, b


def _collapse_sum(weights, biases):
    W = weights[0]
    for next_W in weights[1:]:
        W = W @ next_W
    return W, biases[-1]


register(
    Exercise(
        "02.collapse",
        collapse,
        lambda rng: _stack_cases(rng, examples=False),
        {"an early bias passes through all later layers: multiply it by their weights before you add": _collapse_sum},
    )
)


def graph_forward(x, sources, weights, biases):
    """All units of a network without layers: unit k is tanh of the weighted sum of its sources; the last one, z itself.

    x (N, D); sources[k] lists columns: 0 .. D-1 are the inputs, D + j is unit j.  -> the last unit (N,)
    """
    columns = list(x.T)
    for s, w, b in zip(sources, weights, biases):
        z = b + sum(w_i * columns[i] for w_i, i in zip(w, s))
        columns.append(np.tanh(z))
    return z


def _graph_cases(rng):
    cases = []
    for n_units, n_inputs, n_examples in ((1, 2, 3), (4, 2, 5), (7, 3, 6)):
        sources = random_graph(n_units, n_inputs, rng)
        weights = [rng.normal(size=len(s)) for s in sources]
        cases.append((rng.normal(size=(n_examples, n_inputs)), sources, weights, rng.normal(size=n_units)))
    return cases


def _graph_inputs_only(x, sources, weights, biases):
    for s, w, b in zip(sources, weights, biases):
        z = b + sum(w_i * (x[:, i] if i < x.shape[1] else 0.0 * x[:, 0]) for w_i, i in zip(w, s))
    return z


def _graph_tanh_at_the_end(x, sources, weights, biases):
    return np.tanh(graph_forward(x, sources, weights, biases))


def _graph_linear(x, sources, weights, biases):
    columns = list(x.T)
    for s, w, b in zip(sources, weights, biases):
        columns.append(b + sum(w_i * columns[i] for w_i, i in zip(w, s)))
    return columns[-1]


register(
    Exercise(
        "02.graph_forward",
        graph_forward,
        _graph_cases,
        {
            "the last unit is the output: it has no activation": _graph_tanh_at_the_end,
            "a source D + j is unit j: append each unit's output to the columns": _graph_inputs_only,
            "the units apply tanh; without it the whole graph is one affine map": _graph_linear,
        },
    )
)
