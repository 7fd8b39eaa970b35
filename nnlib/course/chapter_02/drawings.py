"""Chapter 2's still figures."""

import math

import numpy as np

from nnlib import plotting
from nnlib.activations import gelu, relu, sigmoid, swish
from nnlib.course.chapter_02.experiments import CORNERS, grid
from nnlib.course.words import terms
from nnlib.perceptron import neuron

WIDTH = 5.6  # inches: what a phone shows at a size that can be read
nine_points = plotting.plt.rc_context(
    {"font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8,
     "legend.fontsize": 8}
)  # fmt: skip


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


def _map(ax, a, low, high, title):
    """The output a (n * n,) of a unit on the grid of a square, colored from 0 to 1."""
    n = math.isqrt(len(a))
    picture = ax.imshow(a.reshape(n, n), origin="lower", extent=(low, high, low, high), vmin=0, vmax=1)
    ax.set_title(title)
    ax.set(xlabel="$x_1$", ylabel="$x_2$")
    ax.grid(False)
    return picture


@nine_points
def draw_gates(gates):
    """The output of sigmoid neurons over the plane, with their numbers at the corners.  gates: name -> (b, w1, w2)"""
    figure, axes = plotting.plt.subplots(1, len(gates), figsize=(WIDTH, 2.6), sharey=True)
    for ax, (name, (b, *w)) in zip(axes, gates.items()):
        a = neuron(w, b, grid(-0.5, 1.5, 121), sigmoid)
        picture = _map(ax, a, -0.5, 1.5, f"{name}: {terms((b, ''), (w[0], ' x₁'), (w[1], ' x₂'))}")
        ax.contour(a.reshape(121, 121), levels=[0.5], extent=(-0.5, 1.5, -0.5, 1.5), colors=[plotting.color("card")])
        for corner, value in zip(CORNERS, neuron(w, b, CORNERS, sigmoid)):
            box = {"facecolor": plotting.color("card"), "edgecolor": "none", "pad": 2}
            ax.text(*corner, f"{value:.1g}", ha="center", bbox=box)
        ax.label_outer()
    figure.colorbar(picture, ax=axes, label="output a")


@nine_points
def draw_mistakes(counts, mistakes):
    """Rows (margin, mistakes, bound) of random sets, and a histogram of the mistakes of real ones."""
    color = plotting.color
    _, (left, right) = plotting.plt.subplots(1, 2, figsize=(WIDTH, 2.8), layout="constrained")
    left.loglog(counts[:, 0], counts[:, 1], "o", markersize=4, color=color("train"), alpha=0.7, label="mistakes")
    left.loglog(counts[:, 0], counts[:, 2], "_", markersize=8, color=color("gradient"), label="bound $(R/\\gamma)^2$")
    left.set(xlabel="margin γ", ylabel="mistakes", title="random sets")
    left.set_xticks([0.02, 0.05, 0.1, 0.2, 0.4], ["0.02", "0.05", "0.1", "0.2", "0.4"])
    left.xaxis.minorticks_off()
    left.legend()
    right.hist(mistakes, bins=np.arange(0, max(mistakes) + 20, 20), color=color("train"))
    right.set(xlabel="mistakes until none is left", ylabel="pairs of digits", title=f"{len(mistakes)} pairs of digits")


@nine_points
def draw_separable_shares(shares, at):
    """The share of random labelings that a threshold unit makes.  shares: {number of inputs D: (ratios, shares)}"""
    _, ax = plotting.plt.subplots(figsize=(WIDTH, 2.8), layout="constrained")
    for (n_inputs, (ratios, values)), tone, dash in zip(
        shares.items(), ("series0", "series1", "series2"), ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
    ):
        ax.plot(ratios, values, color=plotting.color(tone), linestyle=dash, label=f"D = {n_inputs}")
    ax.axvline(at, color=plotting.color("muted"), linewidth=1)
    ax.annotate("a pair of digits", (at, 0.45), rotation=90, ha="right", va="center")
    ax.set(xlabel="points for each weight, N / (D + 1)", ylabel="share separable", xlim=(0, 10))
    ax.legend(loc="upper center")
    return ax


@nine_points
def draw_strip(network, x, y):
    """The two hidden units and the output of the 2-2-1 network over the plane, with the points."""
    figure, axes = plotting.plt.subplots(2, 2, figsize=(WIDTH, 4.6))
    points = grid(-2.0, 2.0, 121)
    hidden = network.layers[1].forward(network.layers[0].forward(points)).copy()
    titles = ("unit 1: above the lower line", "unit 2: below the upper line", "output: both")
    for ax, a, title in zip(axes.flat, [*hidden.T, network.predict(points)[:, 0]], titles):
        picture = _map(ax, a, -2.0, 2.0, title)
        plotting.plot_points(x, y, ax, size=8).get_legend().remove()
    axes[1, 1].set_visible(False)
    figure.colorbar(picture, ax=axes[1, 1], location="left", label="output a", shrink=0.9)


@nine_points
def draw_hidden_plane(a, xnor):
    """XNOR before and after its hidden layer: the corners, and a (4, 2), where AND and NOR put them, with a line."""
    _, axes = plotting.plt.subplots(1, 2, figsize=(WIDTH, 2.9), layout="constrained")
    names = ("(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)")
    for ax, points in zip(axes, (CORNERS, a)):
        plotting.plot_points(points, xnor, ax, size=70).get_legend().remove()
        ax.set(xlim=(-0.35, 1.5), ylim=(-0.35, 1.35), xticks=(0, 1), yticks=(0, 1))
    for name, point in zip(names, CORNERS):
        axes[0].annotate(name, point, (5, 7), textcoords="offset points")
    for k, name, lift in ((0, names[0], 7), (1, "unequal", -15), (3, names[3], 7)):
        axes[1].annotate(name, a[k], (5, lift), textcoords="offset points")
    axes[0].set(xlabel="$x_1$", ylabel="$x_2$", title="inputs: no line will do")
    axes[1].plot((-0.35, 0.85), (0.85, -0.35), color=plotting.color("accent"))
    axes[1].set(xlabel="AND unit", ylabel="NOR unit", title="hidden layer: one line will do")


@nine_points
def draw_regions(panels, widths, right, base):
    """Decision regions by title, and accuracies (n_runs, n_widths) beside the share ``base`` of the larger class."""
    _, axes = plotting.plt.subplots(3, 2, figsize=(WIDTH, 7.2), layout="constrained")
    for ax, (title, predict) in zip(axes.flat, panels.items()):
        plotting.plot_decision(lambda x, f=predict: _whole(f(x)), ax=ax, low=-2, high=2)
        ax.set_title(title)
    ax = axes[2, 1]
    ax.axhline(base, color=plotting.color("muted"), linestyle="--", label="always class 0")
    plotting.spread(range(len(widths)), right, ax, label=f"{len(right)} starts", name="validation")
    ax.set(xlabel="hidden units", ylabel="accuracy, new points", xticks=range(len(widths)), xticklabels=widths)
    ax.legend(loc="lower right")


def _whole(a):
    return a.argmax(axis=1) if a.ndim == 2 else a.astype(int)


@nine_points
def draw_three_graphs(predict, x, y, sources):
    """A wide network, a deep one, a graph of units, and what the graph decides about the points x, y."""
    _, axes = plotting.plt.subplots(2, 2, figsize=(WIDTH, 5.0), width_ratios=(1, 1.25), layout="constrained")
    plotting.draw_network((2, 12, 1), axes[0, 0], most=12).set_title("wide: 2-12-1")
    plotting.draw_network((2, 4, 4, 4, 1), axes[0, 1]).set_title("deep: 2-4-4-4-1")
    plotting.plot_decision(predict, x, y, axes[1, 0]).set_title("what the graph decides")
    draw_units(sources, 2, axes[1, 1]).set_title(f"a random graph of {len(sources)} units")


@nine_points
def draw_depth(trained, x, y, depths, reached):
    """Decisions of trained networks, accuracies (n_runs, n_depths) by name, and three activations as gates."""
    _, axes = plotting.plt.subplots(2, 2, figsize=(WIDTH, 5.0), layout="constrained")
    for ax, (name, network) in zip(axes[0], trained.items()):
        plotting.plot_decision(network.predict, x, y, ax).get_legend().remove()
        ax.set_title(f"{depths[-1]} layers, {name}")
    for (name, values), tone in zip(reached.items(), ("series1", "series0")):
        plotting.spread(range(len(depths)), values, axes[1, 0], label=name, name=tone)
    axes[1, 0].set(xlabel="layers", ylabel="accuracy, new points", xticks=range(len(depths)), xticklabels=depths)
    z = np.linspace(-5.0, 5.0, 400)
    plotting.plot_curves(
        z, {f.name: f(z) / z for f in (relu, swish(1.0), gelu)}, axes[1, 1], x_label="pre-activation z",
        y_label="gate f(z) / z",
    )  # fmt: skip


@nine_points
def draw_errors(widths, errors, folds):
    """Largest errors (n_runs, n_widths) by activation, and the units that r folds of the tent map need."""
    color = plotting.color
    _, (left, right) = plotting.plt.subplots(1, 2, figsize=(WIDTH, 2.9), layout="constrained")
    for (name, values), tone in zip(errors.items(), ("series0", "series2", "series1", "muted")):
        plotting.spread(widths, values, left, label=name, name=tone)
    left.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="largest error", title="sin 2x + 0.3|x|")
    left.set_xticks(widths, widths)
    left.minorticks_off()
    right.semilogy(folds, [2**r for r in folds], "o-", color=color("series0"), label="one layer, exact")
    right.semilogy(folds, [2**r - 1 for r in folds], ":", color=color("series0"), label="one layer, at least")
    right.semilogy(folds, [2 * r for r in folds], "s--", color=color("series1"), label="r layers of 2, exact")
    right.set(xlabel="folds r of the tent map", ylabel="ReLU units", title="tents of r folds")
    right.legend()


@nine_points
def draw_comparison(learned, new, others):
    """Accuracies {arm: (n_runs,)} on learned and on new digits, and those of other methods {name: (n_runs,)}."""
    color = plotting.color
    names = [*new, *others]
    _, ax = plotting.plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    parts = ((learned, "learned", "train", -0.14, "o"), (new | others, "new writers", "validation", 0.14, "s"))
    for values, label, tone, shift, marker in parts:
        rows = [(names.index(name) + shift, value) for name, runs in values.items() for value in runs]
        places, accuracies = zip(*rows)
        ax.plot(accuracies, places, marker, markersize=5, color=color(tone), alpha=0.7, label=label)
    ax.set(xlabel="accuracy", yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.legend(loc="lower left")
