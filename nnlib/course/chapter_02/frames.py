"""Chapter 2's interactive figures: each frame a plain function of the settings."""

import math
import re

import numpy as np

from nnlib.activations import sigmoid
from nnlib.course.chapter_02.experiments import (
    ACTIVATIONS,
    CORNERS,
    REGION_CELLS,
    REGION_CLASSES,
    REGION_LINES,
    TABLES,
    WAVE_RANGE,
    example_rng,
    four_regions,
    grid,
    placed_units,
    random_units_fit,
    region_of,
    separable,
    wave,
)
from nnlib.course.words import terms
from nnlib.course.worked import two_two_two
from nnlib.data import logic_table
from nnlib.perceptron import Perceptron, margin, neuron, radius
from nnlib.widgets import Field, Frame, Lines, Network, Points


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


def neuron_frame(w1, w2, b, activation):
    """One neuron on the plane: its output everywhere, its decision line, and which Boolean function it computes."""
    f, w = ACTIVATIONS[activation], np.array([w1, w2], dtype=np.float64)
    at_corners = neuron(w, b, CORNERS, f)
    decided = (CORNERS @ w + b >= 0).astype(int)
    overlay = [Points(CORNERS, classes=decided, texts=[f"{a:.2g}" for a in at_corners])]
    line = segment(w, b, -0.5, 1.5)
    if line is not None:
        overlay.insert(0, Lines(line, colors=("accent",)))
    plane = Field(
        neuron(w, b, grid(-0.5, 1.5, 17), f).reshape(17, 17), x=(-0.5, 1.5), y=(-0.5, 1.5), overlay=overlay,
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
        f"z = {terms((w1, ' x₁'), (w2, ' x₂'), (b, ''))}, and {where}. On (0, 0), (0, 1), (1, 0), (1, 1) the outputs "
        f"are {', '.join(f'{a:.2g}' for a in at_corners)}; decided by the sign of z they spell "
        f"{' '.join(map(str, decided))}, which is {name}."
    )
    return Frame([plane, picture], text=text)


def line_of(frame):
    """The decision line that `neuron_frame` draws: its two ends (2, 2)."""
    return frame.panels[0].overlay[0].series[0]


def perceptron_data(data):
    """The points and labels behind `perceptron_frame`, and a separating line or None."""
    if data == "XOR":
        x, y = logic_table("XOR")
        return 2.0 * x.astype(np.float64) - 1.0, y, None
    if data != "separable":
        raise ValueError(f"the data are XOR or separable, got {data!r}")
    return separable(40, 0.12, example_rng(0))


def perceptron_frame(data, mistakes):
    """The perceptron after so many mistakes: its line, the example of the last mistake, and the length of (w, b)."""
    x, y, line = perceptron_data(data)
    path = Perceptron(2).fit(x, y, 30, example_rng(2)).path
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
    done = f" The rule stopped after {k}: no example is wrong." if wrong == 0 else ""
    text = (
        f"After {k} mistake{'s' * (k != 1)}, w = ({w[0]:.2f}, {w[1]:.2f}) and b = {b:g}; "
        f"{wrong} of {len(y)} examples lie on the wrong side.{done}"
    ).replace("-", "−")
    return Frame([plane, lengths], text=text)


PERCEPTRON_STEPS = 11
REGION_LAYERS = ("line", "cell", "class")
REGION_UNITS = ("the classes", *(f"{layer} {i + 1}" for layer, n in zip(REGION_LAYERS, (4, 6, 4)) for i in range(n)))
UNIT_SENTENCES = dict(
    zip(
        REGION_UNITS[1:],
        (
            "x₁ ≥ 0", "x₂ ≥ 0", "x₁ + x₂ ≥ 1.5", "x₁ + x₂ ≤ −1.5",
            "1 ∧ 2 ∧ ¬3", "1 ∧ 2 ∧ 3", "¬1 ∧ ¬2 ∧ ¬4", "¬1 ∧ ¬2 ∧ 4", "1 ∧ ¬2", "¬1 ∧ 2",
            "1 ∨ 3", "2 ∨ 4", "5", "6",
        ),
    )
)  # fmt: skip


def regions_frame(unit, steepness):
    """One unit of the four-region network on the plane, or the class of the largest output; and where it stands."""
    network = four_regions(steepness or None)
    points, n = grid(-2.0, 2.0, 40), 40
    kind, _, number = unit.partition(" ")
    layer, place = (3, None) if unit == "the classes" else (REGION_LAYERS.index(kind) + 1, int(number) - 1)
    a, outputs = points, []
    for dense, activation in zip(network.layers[::2], network.layers[1::2]):
        a = activation.forward(dense.forward(a)).copy()
        outputs.append(a)
    lines = [line for w, b in zip(REGION_LINES[0].T, REGION_LINES[1]) if (line := segment(w, b, -2.0, 2.0)) is not None]
    frame = {"x": (-2.0, 2.0), "y": (-2.0, 2.0), "x_label": "x₁", "y_label": "x₂"}
    overlay = [Lines(*lines, colors=("muted",) * len(lines), dashes=True)]
    right = float(np.mean(outputs[2].argmax(axis=1) == region_of(points)))
    units = "threshold units" if not steepness else f"sigmoid units of steepness {steepness}"
    if place is None:
        plane = Field(
            outputs[2].argmax(axis=1).reshape(n, n), classes=True, labels=("1", "2", "3", "4"), overlay=overlay,
            title="class of the largest output", **frame,
        )  # fmt: skip
        lit = [(3, i) for i in range(4)]
        text = f"The largest of the four outputs decides: with {units}, {right:.0%} of the grid points get their class."
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
        task = ("the half-plane", "the AND of lines", "the OR of cells")[layer - 1]
        unsure = np.mean((values > 0.1) & (values < 0.9))
        text = (
            f"{unit.capitalize()} is {task} {UNIT_SENTENCES[unit]}. With {units} its output is above ½ on "
            f"{np.mean(values > 0.5):.0%} of the square and between 0.1 and 0.9 on {unsure:.0%}."
        )
    weights = [np.where(w == 0, np.nan, w) for w in (REGION_LINES[0], REGION_CELLS, REGION_CLASSES)]
    names = (("x₁", "x₂"), *(tuple(str(i + 1) for i in range(n)) for n in (4, 6, 4)))
    picture = Network(
        (2, 4, 6, 4), weights=weights, node_text=names, highlight=lit,
        layer_names=("input", "lines", "cells: AND", "classes: OR"), title="where the unit stands",
    )  # fmt: skip
    return Frame([plane, picture], text=text)


def share_of(frame):
    """The share of the square, in percent, that the sentence of `regions_frame` names first."""
    return float(re.search(r"(\d+)%", frame.text)[1])


FORWARD_STEPS = ("input", "z¹ = x W¹ + b¹", "a¹ = σ(z¹)", "z² = a¹ W² + b²", "a² = σ(z²)")


def forward_frame(step, x1, x2):
    """The forward pass of the worked 2-2-2 network, up to a step from 0 (the input) to 4 (the output)."""
    net = two_two_two()
    W1, b1, W2, b2 = net.W1, net.b1, net.W2, net.b2
    x = np.array([x1, x2])
    z1 = x @ W1 + b1
    a1 = sigmoid(z1)
    z2 = a1 @ W2 + b2
    a2 = sigmoid(z2)
    hidden = (None, z1, a1, a1, a1)[step]
    output = (None, None, None, z2, a2)[step]

    def shown(values):
        return ["?", "?"] if values is None else [f"{v:.4f}" for v in values]

    weights = [np.column_stack([np.vstack([W, b[None]]), np.full(3, np.nan)]) for W, b in ((W1, b1), (W2, b2))]
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
        names=(("x₁", "x₂", ""), ("a¹₁", "a¹₂", ""), ("a²₁", "a²₂")),
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
APPROXIMATIONS = {
    "random relu": "relu", "random tanh": "tanh", "random square": "square", "random identity": "identity",
    "placed step": "step", "placed relu": "relu",
}  # fmt: skip


def approximating(units, n):
    """A network of n hidden units for the wave: of random ones with a fitted output, or placed by hand."""
    kind, name = units.split()
    if kind == "placed":
        return placed_units(wave, n, name)
    x = np.linspace(*WAVE_RANGE, 1001)
    return random_units_fit(x, wave(x), ACTIVATIONS[name], n, example_rng(0))


def approximation_frame(units, n):
    """One hidden layer of n units beside its target sin 2x + 0.3 |x|, and the error."""
    x = np.linspace(*WAVE_RANGE, 1001)
    network = approximating(units, n)
    error = float(np.max(np.abs(network(x) - wave(x))))
    seen = np.linspace(*WAVE_RANGE, 121)
    curves = Lines(
        wave(seen), np.clip(network(seen), -3.0, 3.0), x=seen, labels=("target", "network"),
        colors=("muted", "accent"), dashes=(True, False), x_label="x", y_label="output", title="target and network",
        y_range=(-1.6, 2.4),
    )  # fmt: skip
    errors = Lines(
        network(seen) - wave(seen), x=seen, colors=("gradient",), x_label="x", y_label="network − target",
        title="error", y_range=(-1.5, 1.5),
    )  # fmt: skip
    size = f"{error:.{2 if error >= 0.095 else 3 if error >= 0.00095 else 4}f}"
    text = f"{n} {units} unit{'s' * (n != 1)}: the largest error on [−3, 3] is {size}."
    return Frame([curves, errors], text=text)


def error_of(frame):
    """The largest error that the sentence of `approximation_frame` names."""
    return float(re.search(r"is ([\d.]+\d)", frame.text)[1])


def worst_place(frame):
    """Where on [-3, 3] the curve of errors is farthest from zero."""
    errors = frame.panels[1].series[0]
    return float(np.linspace(*WAVE_RANGE, len(errors))[np.argmax(np.abs(errors))])
