"""Plotting: still figures in one palette, in which a color has one meaning throughout the book.

Importing this module sets Matplotlib's defaults for the process (see `STYLE`), so that a notebook needs no set-up cell
and the figures it draws itself look like these; ``matplotlib.rcdefaults()`` takes them back. Figures stand on opaque
white, a card on a dark page: text that is legible on white cannot be so on black, and a reader prints both.

Every function takes ``ax`` (None: a new figure), draws on it, and returns it. Colors are given by the names of their
meaning in `PALETTE`, never as codes. Where a color tells two things apart, a marker, a dash or a number does, too.
"""

import math
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, to_rgb
from matplotlib.patches import Circle, FancyBboxPatch

CLASSES = ("#3f3d99", "#b97400", "#0e8585", "#b02a63", "#5f7d1c", "#2f78c4", "#8a4b2a", "#7a56b5", "#4d4d4d", "#c0503a")
SERIES = ("#2f6690", "#c4622d", "#3c8a57", "#8b57a8", "#957615", "#3a8ca5", "#b24a69", "#656d74")

PALETTE = {
    "train": "#0072b2",
    "validation": "#d55e00",
    "test": "#00785a",
    "value": "#1b4f72",
    "gradient": "#b3261e",
    "positive": "#2166ac",
    "negative": "#b2182b",
    "accent": "#a3268e",
    "muted": "#6b737b",
    "text": "#1f2328",
    "grid": "#d9dde1",
    "card": "#ffffff",
    **{f"class{i}": color for i, color in enumerate(CLASSES)},
    **{f"series{i}": color for i, color in enumerate(SERIES)},
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHES = {"train": "-", "validation": (0, (5, 1.5)), "test": (0, (1.5, 1.2))}
SIGNED = LinearSegmentedColormap.from_list("signed", [PALETTE["negative"], "#ffffff", PALETTE["positive"]])

STYLE = {
    "figure.figsize": (6.4, 3.8),  # inches; the column of the site is 7 inches wide
    "figure.dpi": 120,  # dots per inch
    "figure.facecolor": PALETTE["card"],
    "savefig.facecolor": PALETTE["card"],
    "figure.constrained_layout.use": True,
    "axes.facecolor": PALETTE["card"],
    "axes.edgecolor": PALETTE["muted"],
    "axes.labelcolor": PALETTE["text"],
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=SERIES),
    "grid.color": PALETTE["grid"],
    "grid.linewidth": 0.7,
    "text.color": PALETTE["text"],
    "xtick.color": PALETTE["text"],
    "ytick.color": PALETTE["text"],
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "image.cmap": "cividis",
    "image.interpolation": "nearest",
}
plt.rcParams.update(STYLE)


def color(name):
    """The color of a meaning, ``"train"`` or ``"class0"``, as Matplotlib takes it."""
    if name not in PALETTE:
        raise ValueError(f"no color {name!r}; there are: {', '.join(PALETTE)}")
    return PALETTE[name]


def plot_curves(x, curves, ax=None, *, x_label, y_label, colors=None, log=False):
    """Curves over one axis.

    Parameters
    ----------
    x : array (n,)
    curves : dict
        From the label of a curve to its values (n,). Labels that are names of the palette get their color.
    x_label, y_label : str
        With the unit in parentheses where there is one.
    colors : dict
        From labels to names of the palette.
    log : bool
        True for a logarithmic y axis.
    """
    ax = _axes(ax)
    dashes = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
    for i, (label, values) in enumerate(curves.items()):
        name = (colors or {}).get(label, label if label in PALETTE else f"series{i % len(SERIES)}")
        ax.plot(x, values, color=color(name), linestyle=DASHES.get(name, dashes[i % len(dashes)]), label=label)
    if log:
        ax.set_yscale("log")
    ax.set(xlabel=x_label, ylabel=y_label)
    _whole_ticks(ax, x)
    if len(curves) > 1:
        ax.legend()
    return ax


def plot_history(history, ax=None, *, quantity="loss", log=False):
    """The curves of a training run over its epochs: ``quantity`` of the train and, if there is one, validation part.

    ``history`` has lists ``train_loss`` and ``validation_loss`` (or another quantity), one number an epoch.
    """
    parts = {part: getattr(history, f"{part}_{quantity}", None) for part in ("train", "validation")}
    curves = {part: values for part, values in parts.items() if values is not None and len(values)}
    if not curves:
        raise ValueError(f"the history holds no {quantity}: neither train_{quantity} nor validation_{quantity}")
    epochs = np.arange(1, 1 + max(map(len, curves.values())))
    ax = plot_curves(epochs, curves, ax, x_label="epoch", y_label=quantity, log=log)
    if len(curves) == 1:
        ax.legend()
    return ax


def spread(x, runs, ax=None, *, label, name="train", x_label=None, y_label=None):
    """Several runs of one experiment: the median as a line, from the lowest to the highest run as a band.

    x (n,), runs (n_runs, n); ``name`` is the color's name in the palette.
    """
    ax = _axes(ax)
    runs = np.asarray(runs, dtype=np.float64)
    if runs.ndim != 2 or runs.shape[1] != len(x):
        raise ValueError(f"spread takes runs of shape (n_runs, {len(x)}), got {runs.shape}")
    ax.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=color(name), alpha=0.2, linewidth=0)
    ax.plot(x, np.median(runs, axis=0), color=color(name), linestyle=DASHES.get(name, "-"), label=label)
    _whole_ticks(ax, x)
    if x_label:
        ax.set_xlabel(x_label)
    if y_label:
        ax.set_ylabel(y_label)
    ax.legend()
    return ax


def plot_runs(runs, ax=None, *, x_label, log=False, center=np.mean):
    """One row per arm of an experiment, one dot per seed and a bar at their center, the mean or ``np.median``.

    runs: {label: values (seeds,)}
    """
    ax = _axes(ax)
    for row, values in enumerate(runs.values()):
        ax.plot(values, np.full(len(values), row), "o", color=color("muted"), markersize=5)
        ax.plot([center(values)] * 2, [row - 0.3, row + 0.3], color=color("value"), linewidth=2.5)
    ax.set(yticks=range(len(runs)), yticklabels=list(runs), xlabel=x_label, ylim=(len(runs) - 0.5, -0.5))
    if log:
        ax.set_xscale("log")
    return ax


def plot_elementwise(f, ax=None, *, low=-5.0, high=5.0, legend=True):
    """An activation f and its derivative over z from ``low`` to ``high``, titled with its name.

    ``f`` is an ``Elementwise``. In a grid of panels leave the legend to one of them.
    """
    ax = _axes(ax)
    z = np.linspace(low, high, 801)
    ax.axhline(0.0, color=color("muted"), linewidth=0.8)
    ax.axvline(0.0, color=color("muted"), linewidth=0.8)
    ax.plot(z, _broken_at_jumps(f(z)), color=color("value"), label="f(z)")
    ax.plot(z, _broken_at_jumps(f.derivative(z)), color=color("gradient"), linestyle=(0, (5, 1.5)), label="f'(z)")
    ax.set(xlabel="pre-activation z", ylabel="f(z), f'(z)", title=str(f))
    if legend:
        ax.legend()
    return ax


def plot_decision(predict, x=None, y=None, ax=None, *, low=None, high=None, n=201):
    """The regions that a classifier assigns to its classes, with the points.

    Parameters
    ----------
    predict : callable
        Takes points (M, 2) and returns whole-number labels (M,), scores (M, K) of which the largest wins, or one
        score a point, (M,) or (M, 1), which means class 1 where it is positive.
    x, y : array (N, 2), array (N,)
        Points and their labels.
    low, high : float or pair
        Corners of the drawn rectangle; without them the points with a margin of 10 %.
    n : int
        Grid points a side.
    """
    ax = _axes(ax, figsize=(4.6, 4.2))
    if x is None and (low is None or high is None):
        raise ValueError("plot_decision needs points x, or low and high")
    size = np.ptp(x, axis=0) if x is not None else np.zeros(2)
    low = np.broadcast_to(np.min(x, axis=0) - 0.1 * size if low is None else low, 2)
    high = np.broadcast_to(np.max(x, axis=0) + 0.1 * size if high is None else high, 2)
    across, up = np.linspace(low[0], high[0], n), np.linspace(low[1], high[1], n)
    grid = np.column_stack([a.ravel() for a in np.meshgrid(across, up)]).astype(np.float32)
    labels = _labels(np.asarray(predict(grid)), len(grid)).reshape(n, n)
    n_classes = 1 + max(labels.max(), 0 if y is None else int(np.max(y)))
    if labels.min() < 0 or n_classes > len(CLASSES):
        raise ValueError(f"plot_decision draws classes 0 to {len(CLASSES) - 1}, got {labels.min()} to {n_classes - 1}")
    tints = ListedColormap([_tint(f"class{i}") for i in range(n_classes)])
    edges = (low[0], high[0], low[1], high[1])
    ax.imshow(labels, origin="lower", extent=edges, cmap=tints, vmin=-0.5, vmax=n_classes - 0.5, aspect="auto")
    for i in range(n_classes - 1):
        if labels.min() <= i < labels.max():
            ax.contour(across, up, labels > i, levels=[0.5], colors=[color("text")], linewidths=0.8)
    if x is not None:
        plot_points(x, y, ax)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.grid(False)
    return ax


def plot_points(x, y, ax=None, *, size=26):
    """Points of the plane x (N, 2); their class y (N,) decides marker and color."""
    ax = _axes(ax, figsize=(4.6, 4.2))
    y = np.zeros(len(x), dtype=int) if y is None else np.asarray(y)
    for label in np.unique(y):
        ax.scatter(
            *np.asarray(x)[y == label].T, s=size, marker=MARKERS[label], color=color(f"class{label}"),
            edgecolor=color("card"), linewidth=0.6, label=f"class {label}", zorder=3,
        )  # fmt: skip
    ax.set(xlabel="$x_1$", ylabel="$x_2$")
    ax.legend(frameon=True, framealpha=0.85, edgecolor="none", handletextpad=0.2, borderpad=0.3)
    return ax


def show_images(images, labels=None, ax=None, *, columns=None, marked=()):
    """Gray images in a grid, ink dark on light, each with its label beneath; ``marked`` ones get the accent color.

    images (N, 64), (N, H, W) or (N, 1, H, W) with values from 0 to 1, labels (N,) of anything printable.
    """
    images = np.asarray(images, dtype=np.float64)
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        images = images.reshape(-1, side, images.shape[1] // side)
    elif images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3 or len(images) == 0:
        raise ValueError(f"show_images takes images (N, 64), (N, H, W) or (N, 1, H, W), got {images.shape}")
    count, height, width = images.shape
    columns = columns or min(count, 10)
    rows = math.ceil(count / columns)
    gap, room = 0.25 * width, 0.0 if labels is None else 0.42 * height
    ax = _axes(ax, figsize=(6.4, 6.4 * rows * (height + gap + room) / (columns * (width + gap))))
    for i, image in enumerate(images):
        left, top = (i % columns) * (width + gap), (i // columns) * (height + gap + room)
        ax.imshow(image, cmap="gray_r", vmin=0.0, vmax=1.0, extent=(left, left + width, top + height, top))
        edge = color("accent") if i in marked else color("grid")
        ax.add_patch(plt.Rectangle((left, top), width, height, fill=False, edgecolor=edge, linewidth=1.0))
        if labels is not None:
            tone = color("accent") if i in marked else color("text")
            ax.text(left + width / 2, top + height + 0.08 * height, labels[i], ha="center", va="top", color=tone)
    ax.set(xlim=(-0.3, columns * (width + gap) - gap + 0.3), ylim=(rows * (height + gap + room) - gap, -0.3))
    ax.set_aspect("equal")
    return _bare(ax)


def heat_table(
    values, rows, columns, ax=None, *, format=".2f", signed=False, x_label="", y_label="", low=None, high=None
):
    """A table whose cells are colored by their numbers, with the numbers in them.

    values (R, C), rows R names, columns C names; ``signed``: white at 0, blue above, red below.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"heat_table takes values ({len(rows)}, {len(columns)}), got {values.shape}")
    ax = _axes(ax, figsize=(1.6 + 0.75 * len(columns), 0.8 + 0.42 * len(rows)))
    finite = values[np.isfinite(values)]
    high = (
        (np.max(np.abs(finite), initial=1e-30) if signed else np.max(finite, initial=-np.inf)) if high is None else high
    )
    low = (-high if signed else np.min(finite, initial=np.inf)) if low is None else low
    picture = ax.imshow(values, cmap=SIGNED if signed else "cividis", vmin=low, vmax=high, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        red, green, blue = picture.cmap(picture.norm(value))[:3]
        dark = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 < 0.18
        ink = color("card") if dark and np.isfinite(value) else color("text")
        ax.text(j, i, f"{value:{format}}", ha="center", va="center", color=ink, fontsize=9)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=x_label, ylabel=y_label)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax


def draw_network(
    network, ax=None, *, weights=None, node_text=None, edge_text=None, names=None, highlight=(), layer_names=None,
    most=6,
):  # fmt: skip
    """A layered network as circles and lines, inputs on the left.

    Parameters
    ----------
    network : sequence of int, or Sequential
        The widths of the layers from the input to the output. Of a network its ``Dense`` layers are drawn, with the
        network's weights unless others are given.
    weights : list of array (n_in, n_out)
        Lines are blue (solid) for positive weights and red (dashed) for negative ones, wider for larger ones.
    node_text : dict or list of lists
        The text inside a circle: ``{(layer, unit): "0.59"}`` or ``[["x1", "x2"], ["0.59", "0.60"]]``.
    edge_text : dict or list of arrays
        The text on a line: ``{(layer, from, to): "w1 = 0.15"}`` or arrays of the shapes of the weights. Layer l
        leads from layer l to layer l + 1.
    names : dict or list of lists
        The text above a circle.
    highlight : iterable
        Units ``(layer, unit)`` and lines ``(layer, from, to)`` to draw in the accent color; the rest steps back.
    layer_names : list of str
        Written under the layers.
    most : int
        Layers of more units show this many, with dots between.
    """
    sizes, weights = _sizes_and_weights(network, weights)
    node_text, names = _by_key(node_text), _by_key(names)
    edge_text = _by_key(edge_text)
    highlight = set(map(tuple, highlight))
    shown = [list(range(n)) if n <= most else [*range(most - 1 - most // 2), *range(n - most // 2, n)] for n in sizes]
    tallest = max(len(s) + (n > most) for s, n in zip(shown, sizes))
    step = min(0.75 if edge_text else 0.5, 2.0 / tallest)  # between two units of a layer; layers are 1 apart
    radius = min(0.14, 0.38 * step)
    half = step * (tallest - 1) / 2 + radius
    below, above = 0.2 if layer_names else 0.04, 0.17 if names else 0.04
    ax = _schematic(ax, (-0.3, len(sizes) - 0.7), (-half - below, half + above), inches=1.9)
    spots = {}
    for layer, (units, n) in enumerate(zip(shown, sizes)):
        slots = len(units) + (n > most)
        for place, unit in enumerate(units):
            slot = place + (n > most and place >= most - 1 - most // 2)
            spots[layer, unit] = (float(layer), step * ((slots - 1) / 2 - slot))
        if n > most:
            y = step * ((slots - 1) / 2 - (most - 1 - most // 2))
            ax.text(layer, y, "⋮", ha="center", va="center", fontsize=13, color=color("muted"))
    _draw_edges(ax, spots, shown, weights, highlight)
    for key, text in edge_text.items():
        if (key[0], key[1]) in spots and (key[0] + 1, key[2]) in spots:
            _edge_label(ax, spots, key, str(text), radius, key in highlight)
    quiet = any(len(key) == 2 for key in highlight)
    for key, (x, y) in spots.items():
        lit = key in highlight
        edge = color("accent") if lit else color("muted") if quiet else color("value")
        face = _tint("accent", 0.12) if lit else color("card")
        ax.add_patch(Circle((x, y), radius, facecolor=face, edgecolor=edge, linewidth=1.6, zorder=3))
        if key in node_text:
            ax.text(x, y, node_text[key], ha="center", va="center", fontsize=8.5, zorder=4)
        if key in names:
            ax.text(x, y + radius + 0.035, names[key], ha="center", va="bottom", fontsize=8.5, zorder=4)
    for layer, name in enumerate(layer_names or ()):
        ax.text(layer, -half - 0.06, name, ha="center", va="top", fontsize=9, color=color("muted"))
    return ax


def draw_neuron(w, b, x, f, ax=None, *, names=None):
    """One neuron with its numbers: inputs, weights, weighted sum z, activation a = f(z).

    w (n,), b, x (n,) are numbers; f is an ``Elementwise``; ``names`` are the inputs' names.
    """
    w, x = np.asarray(w, dtype=np.float64), np.asarray(x, dtype=np.float64)
    if w.ndim != 1 or w.shape != x.shape:
        raise ValueError(f"draw_neuron takes w (n,) and x (n,) of one length, got {w.shape} and {x.shape}")
    z = float(w @ x + b)
    a = float(f(np.array([z]))[0])
    step, radius = 0.5, 0.2
    spots = [(0.0, step * ((len(w) - 1) / 2 - i)) for i in range(len(w))]
    top = max(spots[0][1] + radius, 0.3)
    ax = _schematic(ax, (-0.6, 4.75), (min(-top, -0.86) - 0.02, top + 0.02), inches=1.3)
    for i, (spot, weight, value) in enumerate(zip(spots, w, x)):
        tone = color("positive" if weight >= 0 else "negative")
        ax.plot(*zip(spot, (1.7, 0.0)), color=tone, linestyle="-" if weight >= 0 else "--", linewidth=1.4, zorder=1)
        _on_line(ax, spot, (1.7, 0.0), 0.45, f"× {weight:.4g}", tone)
        ax.add_patch(Circle(spot, radius, facecolor=color("card"), edgecolor=color("value"), linewidth=1.6, zorder=3))
        ax.text(*spot, f"{value:.4g}", ha="center", va="center", fontsize=9, zorder=4)
        ax.text(-0.28, spot[1], names[i] if names else f"$x_{i + 1}$", ha="right", va="center")
    for place, sign in ((1.7, "$\\Sigma$"), (2.9, "$f$")):
        ax.add_patch(
            Circle((place, 0), 0.24, facecolor=color("card"), edgecolor=color("value"), linewidth=1.6, zorder=3)
        )
        ax.text(place, 0, sign, ha="center", va="center", fontsize=13, zorder=4)
    arrow = {"arrowstyle": "-|>", "color": color("muted"), "shrinkA": 0, "shrinkB": 0}
    for start, end in ((1.94, 2.66), (3.14, 3.7)):
        ax.annotate("", (end, 0), (start, 0), arrowprops=arrow)
    ax.annotate("", (1.7, -0.24), (1.7, -0.62), arrowprops=arrow)
    ax.text(1.7, -0.66, f"$b$ = {b:.4g}", ha="center", va="top")
    ax.text(2.3, 0.08, f"$z$ = {z:.4g}", ha="center", va="bottom", fontsize=9)
    ax.text(2.9, -0.3, getattr(f, "name", "f"), ha="center", va="top", fontsize=9, color=color("muted"))
    ax.text(3.75, 0, f"$a$ = {a:.4g}", ha="left", va="center")
    return ax


def draw_graph(output, ax=None, *, gradients=True):
    """The computation graph behind a ``Value`` of `nnlib.autodiff`: each node with its value and, below, its gradient.

    Arrays of more than one number are shown by their shape. Inputs stand first, each node after everything that it is
    made from: from left to right, or down the page if more than five operations follow each other.
    """
    from nnlib.autodiff import trace

    nodes, edges = trace(output)
    column = [0] * len(nodes)
    for parent, child in edges:  # in topological order, so that a parent's column is final
        column[child] = max(column[child], column[parent] + 1)
    for i in reversed(range(len(nodes))):  # inputs move next to their first use
        after = [column[child] for parent, child in edges if parent == i]
        if after:
            column[i] = min(after) - 1
    members = {c: [i for i in range(len(nodes)) if column[i] == c] for c in range(max(column) + 1)}
    tallest = max(map(len, members.values()))
    down = max(column) > 5
    across, along = (1.06, 0.92) if down else (0.72, 1.45)  # between neighbors, between steps
    side = {i: slot - (len(inside) - 1) / 2 for inside in members.values() for slot, i in enumerate(inside)}
    beside = {i: [p for p, q in edges if q == i] + [q for p, q in edges if p == i] for i in side}
    for c in [*members, *reversed(members)] * 4:  # each node to the middle of its neighbors, so that lines cross little
        inside = sorted(members[c], key=lambda i: np.mean([side[j] for j in beside[i]] or [0.0]))
        side.update({i: slot - (len(inside) - 1) / 2 for slot, i in enumerate(inside)})
    spots = {
        i: (across * side[i], -along * column[i]) if down else (along * column[i], -across * side[i]) for i in side
    }
    sides, steps = across * tallest / 2, along * max(column)
    if down:
        limits = (-sides, sides), (-steps - 0.36, 0.36)
    else:
        limits = (-0.52, steps + 0.52), (-sides, sides)
    scale = min(1.0, 7.0 / np.ptp(limits[0]))
    ax = _schematic(ax, *limits, inches=scale)
    arrow = {"arrowstyle": "-|>", "color": color("muted"), "shrinkA": 0, "shrinkB": 0, "linewidth": 1.0}
    for parent, child in edges:
        (x0, y0), (x1, y1) = spots[parent], spots[child]
        ends = ((x1, y1 + 0.3), (x0, y0 - 0.3)) if down else ((x1 - 0.48, y1), (x0 + 0.48, y0))
        hidden = column[child] - column[parent] > 1 and side[child] == side[parent]  # a straight line would pass boxes
        bent = {"connectionstyle": "arc3,rad=-0.45"} if hidden else {}
        ax.annotate("", *ends, arrowprops=arrow | bent, zorder=1)
    for i, (x, y) in spots.items():
        box = FancyBboxPatch(
            (x - 0.44, y - 0.26), 0.88, 0.52, boxstyle="round,pad=0.03", facecolor=color("card"),
            edgecolor=color("value") if nodes[i].parents else color("muted"), linewidth=1.2, zorder=2,
        )  # fmt: skip
        ax.add_patch(box)
        lines = [(nodes[i].name or "constant", "text"), (_short(nodes[i].data), "value")]
        if gradients:
            lines.append((f"∂ {_short(nodes[i].grad)}", "gradient"))
        for line, (text, tone) in enumerate(lines):
            height = y + 0.18 * ((len(lines) - 1) / 2 - line)
            ax.text(x, height, text, ha="center", va="center", fontsize=7.8 * scale, color=color(tone), zorder=3)
    return ax


# --- the parts --------------------------------------------------------------------------------------------------------


def _axes(ax, figsize=None):
    return plt.subplots(figsize=figsize)[1] if ax is None else ax


def _schematic(ax, x_range, y_range, inches):
    """Axes for a drawing, ``inches`` per unit, but no wider than the column."""
    width, height = np.ptp(x_range), np.ptp(y_range)
    inches = min(inches, 7.0 / width)
    ax = _bare(_axes(ax, figsize=(inches * width, inches * height)))
    ax.set(xlim=x_range, ylim=y_range)
    ax.set_aspect("equal")
    return ax


def _whole_ticks(ax, x):
    """No tick at epoch 2.5."""
    if np.asarray(x).dtype.kind in "iu" and ax.get_xscale() == "linear":
        ax.xaxis.get_major_locator().set_params(integer=True)


def _bare(ax):
    """No axes: nothing is measured here."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)
    return ax


def _tint(name, strength=0.25):
    """A color mixed with the card, for areas."""
    return tuple(strength * c + (1.0 - strength) * card for c, card in zip(to_rgb(color(name)), to_rgb(color("card"))))


def _broken_at_jumps(a):
    """A gap wherever a curve jumps, so that no vertical line is drawn there."""
    a = np.array(a)
    steps = np.abs(np.diff(a))
    jump = steps > np.maximum(0.1, 20.0 * np.median(steps))
    alone = jump & ~np.append(jump[1:], False) & ~np.append(False, jump[:-1])
    a[:-1][alone] = np.nan
    return a


def _labels(output, count):
    if output.dtype.kind in "biu" and output.shape == (count,):
        return output.astype(int)
    if output.ndim == 2 and len(output) == count and output.shape[1] > 1:
        return np.argmax(output, axis=1)
    if output.shape in ((count,), (count, 1)):
        return (output.reshape(count) > 0.0).astype(int)
    raise ValueError(f"predict must return labels ({count},) or scores ({count}, K), got shape {output.shape}")


def _sizes_and_weights(network, weights):
    if hasattr(network, "layers"):
        found = [
            layer.W.value for layer in network.layers if getattr(getattr(layer, "W", None), "value", None) is not None
        ]
        if not found or any(w.ndim != 2 for w in found):
            raise ValueError("draw_network takes a network of Dense layers, or the widths of its layers")
        network, weights = [found[0].shape[0], *(w.shape[1] for w in found)], found if weights is None else weights
    sizes = [int(n) for n in network]
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"draw_network takes at least two layers of at least one unit, got {sizes}")
    shapes = list(pairwise(sizes))
    if weights is not None and [np.shape(w) for w in weights] != shapes:
        raise ValueError(f"weights must have the shapes {shapes}, got {[np.shape(w) for w in weights]}")
    return sizes, weights


def _by_key(texts):
    """{(0, 1): "text"} from a dict of that kind, or from nested lists."""
    if texts is None:
        return {}
    if isinstance(texts, dict):
        return texts
    flat = {}
    for layer, part in enumerate(texts):
        for place, text in np.ndenumerate(np.asarray(part, dtype=object)):
            flat[layer, *place] = text
    return flat


def _draw_edges(ax, spots, shown, weights, highlight):
    lines, widths, tones, dashes = [], [], [], []
    quiet = any(len(key) == 3 for key in highlight)
    for layer in range(len(shown) - 1):
        largest = 1.0 if weights is None else max(float(np.max(np.abs(weights[layer]))), 1e-12)
        for i in shown[layer]:
            for j in shown[layer + 1]:
                weight = 1.0 if weights is None else float(weights[layer][i][j])
                lit = (layer, i, j) in highlight
                lines.append([spots[layer, i], spots[layer + 1, j]])
                widths.append(2.2 if lit else 0.9 if weights is None else 0.3 + 2.2 * abs(weight) / largest)
                signed = "muted" if weights is None else "positive" if weight >= 0 else "negative"
                tones.append((*to_rgb(color("accent" if lit else signed)), 1.0 if lit or not quiet else 0.35))
                dashes.append((0, (4, 2)) if weight < 0 else "-")
    ax.add_collection(LineCollection(lines, linewidths=widths, colors=tones, linestyles=dashes, zorder=1))


def _edge_label(ax, spots, key, text, radius, lit):
    layer, i, j = key
    start, end = spots[layer, i], spots[layer + 1, j]
    _on_line(ax, start, end, 0.3 if start[1] != end[1] else 0.5, text, color("accent" if lit else "text"))


def _on_line(ax, start, end, share, text, tone):
    """Text along a line, on a patch of the card's color."""
    x, y = (s + share * (e - s) for s, e in zip(start, end))
    angle = math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))
    ax.text(
        x, y, text, ha="center", va="center", rotation=angle, rotation_mode="anchor", transform_rotates_text=True,
        fontsize=8, color=tone, zorder=2, bbox={"facecolor": color("card"), "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip


def _short(array):
    """One number, or the shape of many."""
    return f"{float(array.reshape(-1)[0]):.4g}" if array.size == 1 else str(array.shape).replace(" ", "")
