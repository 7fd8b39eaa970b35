"""Chapter 6's interactive figures: each frame a plain function of the settings."""

from types import SimpleNamespace

import numpy as np

from nnlib.course.chapter_06.experiments import (
    EXPONENTS,
    STEPS,
    UNITS,
    WEIGHTS,
    continued,
    difference,
    loss_nudged,
    loss_of_w5,
    measured,
    passes,
    paths,
    reason,
    relative_errors,
    two_two_two,
)
from nnlib.course.words import magnitude, minus
from nnlib.widgets import Bars, Frame, Lines, Network


def nudge_frame(unit, nudge):
    """The true change of the loss beside epsilon times delta, for a nudge of one pre-activation."""
    net = two_two_two()
    p = passes(net)
    layer, i = UNITS[unit]
    delta = (p["dz1"], p["dz2"])[layer - 1][0, i]
    grid = np.linspace(-2.0, 2.0, 81)
    change = np.array([loss_nudged(net, unit, e) for e in grid]) - p["L"]
    now = loss_nudged(net, unit, nudge) - p["L"]
    reach = 1.15 * np.max(np.abs([*change, 2.0 * delta]))
    outputs = range(2) if layer == 1 else (i,)
    path = [(layer, i), *((1, i, k) for k in outputs if layer == 1), *((2, k) for k in outputs)]
    picture = Network(
        sizes=(2, 2, 2), weights=(net.W1, net.W2),
        values=(np.zeros(2), p["dz1"][0], p["dz2"][0]),
        node_text=(("0.05", "0.10"), *([minus(f"{d:.3f}") for d in p[name][0]] for name in ("dz1", "dz2"))),
        names=(("i1", "i2"), ("δ of h1", "δ of h2"), ("δ of o1", "δ of o2")),
        edge_text=True, highlight=dict.fromkeys(path), title="where the nudge goes",
    )  # fmt: skip
    curve = Lines(
        change, delta * grid, x=grid, labels=("measured", "δ times the nudge"), colors=("value", "gradient"),
        dashes=(False, True), x_label=f"nudge of the pre-activation of {unit}", y_label="change of the loss L",
        y_range=(-reach, reach), marks=[(nudge, now)], title="what it does to the loss",
    )  # fmt: skip
    if nudge == 0.0:
        said = f"Nothing is nudged; the two curves touch, since δ = {delta:.4f} is the slope of the loss there."
    else:
        predicted = delta * nudge
        said = (
            f"{'Raising' if nudge > 0 else 'Lowering'} the pre-activation of {unit} by {abs(nudge):g} changes the "
            f"loss by {now:+.5f}; δ times the nudge is {delta:.4f} × {nudge:g} = {predicted:+.5f}, "
            f"{abs(predicted - now) / abs(now):.0%} off."
        )
    return Frame([picture, curve], text=minus(said))


def ring(frame):
    """The ring of a nudge_frame: its place x, y, how far it is off the dashed line, and how many paths are lit."""
    picture, curve = frame.panels
    x, y = curve.marks[0][:2]
    off = abs(y - np.interp(x, curve.x, curve.series[1]))
    return SimpleNamespace(x=x, y=y, off=off, paths=sum(lit in ((2, 0), (2, 1)) for lit in picture.highlight))


def step_frame(step, updates):
    """One step of a forward pass, a backward pass and an update of the 2-2-2 network."""
    net = continued(updates)[0]
    p = passes(net)
    seen = _numbers(step, net, p)
    highlight, said = _story(net, p)[step]
    return Frame(
        Network(
            sizes=(3, 3, 2, 1),
            weights=(_with_bias(net.W1, net.b1, 3), _with_bias(net.W2, net.b2, 2), np.ones((2, 1))),
            highlight=highlight, backward=6 <= step <= 17, w_range=(-3.0, 3.0), v_range=(-1.0, 1.0),
            layer_names=("inputs", "hidden", "outputs", "loss"), title=_phase(step), **seen,
        ),
        text=minus(f"Step {step} of {len(STEPS) - 1}. {said}"),
    )  # fmt: skip


def _phase(step):
    if step <= 5:
        return "forward: circles hold activations, lines weights"
    if step <= 17:
        return "backward: circles fill with δ, ∂ marks a gradient"
    return "update: the new weights"


def _with_bias(W, b, n_out):
    """A weight matrix (3, n_out) with the biases as the third input; nothing leads into a third output, the next 1."""
    out = np.full((3, n_out), np.nan)
    out[:2, :2], out[2, :2] = W, b
    return out


FIRST = (("w1", "w3"), ("w2", "w4"), ("b1", "b1"))  # names of the lines from inputs to hidden units
SECOND = (("w5", "w7"), ("w6", "w8"), ("b2", "b2"))
FIRST_KNOWN = ((14, 16), (15, 16), (17, 17))  # the step at which the gradient of each is known
SECOND_KNOWN = ((8, 10), (9, 10), (17, 17))


def _numbers(step, net, p):
    """What stands on the nodes and edges, as far as it is known at this step."""

    def short(value, digits=3):
        return minus(f"{value:.{digits}f}")

    def unit(name, k, out, delta, since):
        """A unit's heading and number: its activation on the way forward, its δ on the way back."""
        if step >= since:
            return f"δ of {name}{k + 1}", short(delta)
        return f"out {name}{k + 1}", short(out) if step >= (1 if name == "h" else 3) + k else ""

    h = [unit("h", k, p["a1"][0, k], p["dz1"][0, k], 12 + k) for k in range(2)]
    o = [unit("o", k, p["a2"][0, k], p["dz2"][0, k], 6 + k) for k in range(2)]
    first = _lines(step, FIRST, FIRST_KNOWN, net.W1, net.b1, p["dW1"], p["db1"], 19, digits=4)
    second = _lines(step, SECOND, SECOND_KNOWN, net.W2, net.b2, p["dW2"], p["db2"], 18)
    if step <= 17:  # δ travels back through these weights: show them, and a gradient only while it is computed
        weights = _lines(0, SECOND, SECOND_KNOWN, net.W2, net.b2, p["dW2"], p["db2"], 18)
        second = [[second[i][k] if step == SECOND_KNOWN[i][k] else weights[i][k] for k in range(2)] for i in range(3)]
    last = [
        [short(p["da2"][0, k], 4) if step >= 6 + k else short(p["halves"][0, k], 4) if step >= 5 else ""]
        for k in (0, 1)
    ]
    return {
        "values": (
            np.array([*net.x[0], 1.0]),
            np.array([*(p["dz1"][0] if step >= 12 else p["a1"][0]), 1.0]),
            p["dz2"][0] if step >= 6 else p["a2"][0],
            np.array([p["L"]]),
        ),
        "names": (("i1", "i2", ""), (h[0][0], h[1][0], ""), (o[0][0], o[1][0]), ("L",)),
        "node_text": (
            ("0.05", "0.10", "1"), (h[0][1], h[1][1], "1"), (o[0][1], o[1][1]), (short(p["L"]) if step >= 5 else "",)
        ),
        "edge_text": ([[*row, ""] for row in first], second, last),
    }  # fmt: skip


def _lines(step, names, known, W, b, dW, db, update, digits=3):
    """The texts on the lines of one layer, (3, 2): name and weight, then the gradient, then the updated weight."""
    out = []
    for i in range(3):
        row = []
        for k in range(2):
            weight, gradient = (b[k], db[k]) if i == 2 else (W[i, k], dW[i, k])
            if step >= update:
                row.append(f"{names[i][k]} {weight - 0.5 * gradient * (i < 2):.{digits}f}")
            elif step >= known[i][k]:
                row.append(f"∂{names[i][k]} {gradient:.{digits}f}")
            else:
                row.append(f"{names[i][k]} {weight:.4g}")
        out.append([minus(text) for text in row])
    return out


def _into(layer, k):
    """The edges into unit k of a layer, and the unit."""
    n = 3
    return [*((layer - 1, i, k) for i in range(n)), (layer, k)]


def _story(net, p):
    """For each step what is highlighted, and what is said: every number with ten digits."""
    i1, i2 = net.x[0]
    (w1, w3), (w2, w4) = net.W1
    (w5, w7), (w6, w8) = net.W2
    (z_h1, z_h2), (h1, h2) = p["z1"][0], p["a1"][0]
    (z_o1, z_o2), (o1, o2) = p["z2"][0], p["a2"][0]
    (e1, e2), (t1, t2) = p["halves"][0], net.target[0]
    (da1, da2), (s1, s2), (d1, d2) = p["da2"][0], p["slope2"][0], p["dz2"][0]
    (dh1, dh2), (r1, r2), (g1, g2) = p["da1"][0], p["slope1"][0], p["dz1"][0]
    (dw1, dw3), (dw2, dw4) = p["dW1"]
    (dw5, dw7), (dw6, dw8) = p["dW2"]

    def n(value):
        return f"{value:.10f}"

    def plus(w, dw):
        return f"{w:.6g} - 0.5 × {n(dw)} = {n(w - 0.5 * dw)}"

    wide_path = [(2, 0, 0), (2, 1, 0), (1, 0, 0), (1, 0, 1), (2, 0), (2, 1), (1, 0)]
    return [
        ([], f"Inputs {i1:g} and {i2:g}, targets {t1:g} and {t2:g}, eight weights on the edges, biases on the edges "
             "from the units that always hold 1. Nothing is computed yet."),
        (_into(1, 0), f"The weighted sum into h1 is net_h1 = {w1:.6g} × {i1:g} + {w2:.6g} × {i2:g} + {net.b1[0]:g} = "
                      f"{n(z_h1)}, and the sigmoid makes out_h1 = {n(h1)} of it."),
        (_into(1, 1), f"In the same way net_h2 = {n(z_h2)} and out_h2 = {n(h2)}."),
        (_into(2, 0), f"The outputs take the hidden activations: net_o1 = {n(z_o1)}, out_o1 = {n(o1)}; "
                      f"the target is {t1:g}."),
        (_into(2, 1), f"And net_o2 = {n(z_o2)}, out_o2 = {n(o2)}; the target is {t2:g}."),
        ([(2, 0, 0), (2, 1, 0), (2, 0), (2, 1), (3, 0)],
         f"Half the squared differences are L_o1 = {n(e1)} and L_o2 = {n(e2)}; together L = {n(p['L'])}."),
        ([(2, 0, 0), (2, 0)], f"Backward from L: ∂L/∂out_o1 = {o1:.6f} - {t1:g} = {n(da1)}, times the slope of the "
                              f"sigmoid, out_o1 (1 - out_o1) = {n(s1)}, gives δ_o1 = {n(d1)}."),
        ([(2, 1, 0), (2, 1)], f"∂L/∂out_o2 = {n(da2)}, times the slope {n(s2)}, gives δ_o2 = {n(d2)}."),
        ([(2, 0, 0), (2, 0), (1, 0, 0), (1, 0)],
         f"One path leads from L to w5, through o1: ∂L/∂w5 = δ_o1 × out_h1 = {n(d1)} × {n(h1)} = {n(dw5)}."),
        ([(2, 0, 0), (2, 0), (1, 1, 0), (1, 1)], f"∂L/∂w6 = δ_o1 × out_h2 = {n(dw6)}."),
        ([(2, 1, 0), (2, 1), (1, 0, 1), (1, 1, 1), (1, 0), (1, 1)],
         f"Through o2: ∂L/∂w7 = δ_o2 × out_h1 = {n(dw7)} and ∂L/∂w8 = δ_o2 × out_h2 = {n(dw8)}."),
        (wide_path, f"Two paths lead back to h1, and their shares add: δ_o1 w5 + δ_o2 w7 = {n(d1 * w5)} + "
                    f"({n(d2 * w7)}) = {n(dh1)} = ∂L/∂out_h1, with the old w5 and w7."),
        ([(1, 0)], f"Times the slope of the sigmoid at h1, {n(r1)}: δ_h1 = {n(g1)}."),
        ([(2, 0, 0), (2, 1, 0), (1, 1, 0), (1, 1, 1), (2, 0), (2, 1), (1, 1)],
         f"δ_o1 w6 + δ_o2 w8 = {n(dh2)} = ∂L/∂out_h2, times the slope {n(r2)}: δ_h2 = {n(g2)}."),
        ([*wide_path, (0, 0, 0), (0, 0)],
         f"Both paths end in w1: ∂L/∂w1 = δ_h1 × i1 = {n(g1)} × {i1:g} = {n(dw1)}."),
        ([*wide_path, (0, 1, 0), (0, 1)], f"∂L/∂w2 = δ_h1 × i2 = {n(dw2)}."),
        ([(0, 0, 1), (0, 1, 1), (1, 1), (0, 0), (0, 1)],
         f"∂L/∂w3 = δ_h2 × i1 = {n(dw3)} and ∂L/∂w4 = δ_h2 × i2 = {n(dw4)}."),
        ([(0, 2, 0), (0, 2, 1), (1, 2, 0), (1, 2, 1), (0, 2), (1, 2)],
         f"A bias has the input 1, so its gradient is δ. Shared by a layer they add up: ∂L/∂b1 = {n(g1 + g2)}, "
         f"∂L/∂b2 = {n(d1 + d2)}. The worked example leaves the biases as they are."),
        ([(1, i, k) for i in range(2) for k in range(2)],
         f"With learning rate 0.5 w5 becomes {plus(w5, dw5)}, w6 becomes {n(w6 - 0.5 * dw6)}, "
         f"w7 {n(w7 - 0.5 * dw7)} and w8 {n(w8 - 0.5 * dw8)}."),
        ([(0, i, k) for i in range(2) for k in range(2)],
         f"w1 becomes {plus(w1, dw1)}, w2 becomes {n(w2 - 0.5 * dw2)}, w3 {n(w3 - 0.5 * dw3)} "
         f"and w4 {n(w4 - 0.5 * dw4)}."),
    ]  # fmt: skip


def difference_frame(kind, precision, exponent):
    """The secant that a difference measures, and its error over all step sizes."""
    dtype = {"float64": np.float64, "float32": np.float32}[precision]
    eps = 10.0**exponent
    exact = passes(two_two_two())["dW2"][0, 0]
    grid = np.linspace(-4.0, 4.0, 81)
    secant = float(difference(kind, eps, dtype)[0])
    right, left = 0.4 + eps, 0.4 - eps * (kind == "central")
    ends = loss_of_w5(np.array([left, right]))
    anchor = loss_of_w5(0.4)[0] if kind == "forward" else float(np.mean(ends))
    picture = Lines(
        loss_of_w5(grid), loss_of_w5(0.4)[0] + exact * (grid - 0.4), anchor + secant * (grid - 0.4), x=grid,
        labels=("L", "tangent", "secant"), colors=("value", "muted", "gradient"), dashes=(False, True, False),
        x_label="w5", y_label="L", x_range=(-4.0, 4.0), y_range=(-0.1, 0.6), title="what is measured",
        marks=[(left, ends[0]), (right, ends[1])],
    )  # fmt: skip
    steps = 10.0 ** np.array(EXPONENTS)
    floor = 1e-14  # zero cannot stand on a logarithmic axis
    both = [np.maximum(relative_errors(k, steps, dtype), floor) for k in ("forward", "central")]
    now = max(float(relative_errors(kind, eps, dtype)[0]), floor)
    v = Lines(
        *both, x=steps, labels=("forward", "central"), colors=("series1", "series0"), dashes=(True, False), log="xy",
        x_label="step ε", y_label="relative error of the difference", x_range=(1e-14, 10.0), y_range=(1e-13, 10.0),
        marks=[(eps, now)], title=f"how wrong it is, in {precision}",
    )  # fmt: skip
    said = (
        f"The {kind} difference with ε = {eps:.2g} in {precision} gives {secant:.6g} for ∂L/∂w5 = "
        f"{exact:.6g}, a relative error of about {magnitude(now)}. {reason(kind, precision, exponent)}"
    )
    return Frame([picture, v], text=minus(said))


def path_frame(weight, updates):
    """The derivative by one weight: a product of numbers along each path, added over the paths, beside a difference."""
    net = continued(updates)[0]
    p, (layer, i, j) = passes(net), WEIGHTS[weight]
    found, numeric = paths(net, weight), measured(net, weight)
    shares = {name: float(np.prod([number for _, number in factors])) for name, factors in found.items()}
    total = sum(shares.values())
    lit = [(layer - 1, i, j), (layer - 1, i), (layer, j), (3, 0)]
    for name in shares:
        k = int(name[1]) - 1
        lit += [(2, k), (2, k, 0)] + [(1, j, k)] * (layer == 1)
    picture = Network(
        sizes=(2, 2, 2, 1), weights=(net.W1, net.W2, np.ones((2, 1))),
        values=(net.x[0], p["a1"][0], p["a2"][0], np.array([p["L"]])),
        names=(("i1", "i2"), ("out h1", "out h2"), ("out o1", "out o2"), ("L",)),
        edge_text=([["w1", "w3"], ["w2", "w4"]], [["w5", "w7"], ["w6", "w8"]], [[""], [""]]),
        highlight=dict.fromkeys(lit), backward=True, w_range=(-3.0, 3.0), v_range=(-1.0, 1.0),
        layer_names=("inputs", "hidden", "outputs", "loss"), title=f"from the loss back to {weight}",
    )  # fmt: skip
    names = [*(f"via {name}" for name in shares), *(["sum"] * (len(shares) > 1)), "measured"]
    heights = [*shares.values(), *([total] * (len(shares) > 1)), numeric]
    bars = Bars(
        np.array(heights), names, colors=[*(["series1"] * len(shares)), *["gradient"] * (len(shares) > 1), "value"],
        y_label=f"∂L/∂{weight}", title="share of each path",
        y_range=(min(0.0, 1.25 * min(heights)), max(0.0, 1.25 * max(heights))),
    )  # fmt: skip
    said = " ".join(
        f"Through {name}: {' × '.join(f'{what} {number:.6g}' for what, number in factors)} = {shares[name]:.10f}."
        for name, factors in found.items()
    )
    summed = f" Added: {total:.10f}." if len(shares) > 1 else " There is no other path."
    return Frame([picture, bars], text=minus(f"{said}{summed} A small step to both sides measures {numeric:.9f}."))
