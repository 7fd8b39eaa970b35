"""Chapter 6, Backpropagation: the 2-2-2 network, the frames of the interactive figures, and the exercises."""

import functools
import re
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from nnlib.activations import sigmoid, softmax
from nnlib.course.checking import Exercise, register
from nnlib.losses import one_hot
from nnlib.widgets import Frame, Lines, Network

# --- the 2-2-2 network ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TwoTwoTwo:
    """The worked example: two inputs, two sigmoid units, two sigmoid outputs, one example, E = sum (t - o)^2 / 2.

    w1 w2 lead into h1, w3 w4 into h2, w5 w6 into o1, w7 w8 into o2: one column of a matrix per unit.
    """

    x: np.ndarray  # (1, 2)
    target: np.ndarray  # (1, 2)
    W1: np.ndarray  # (2, 2) [[w1, w3], [w2, w4]]
    b1: np.ndarray  # (2,)
    W2: np.ndarray  # (2, 2) [[w5, w7], [w6, w8]]
    b2: np.ndarray  # (2,)


def two_two_two():
    """The example's first numbers, as fresh arrays."""
    return TwoTwoTwo(
        x=np.array([[0.05, 0.10]]),
        target=np.array([[0.01, 0.99]]),
        W1=np.array([[0.15, 0.25], [0.20, 0.30]]),
        b1=np.array([0.35, 0.35]),
        W2=np.array([[0.40, 0.50], [0.45, 0.55]]),
        b2=np.array([0.60, 0.60]),
    )


def error(net):
    """E = sum (target - output)^2 / 2."""
    output = sigmoid(sigmoid(net.x @ net.W1 + net.b1) @ net.W2 + net.b2)
    return float(0.5 * np.sum((net.target - output) ** 2))


def passes(net):
    """Every number of a forward and a backward pass, by name."""
    z1 = net.x @ net.W1 + net.b1
    a1 = sigmoid(z1)
    z2 = a1 @ net.W2 + net.b2
    a2 = sigmoid(z2)
    errors = 0.5 * (net.target - a2) ** 2
    da2 = a2 - net.target
    slope2 = a2 * (1.0 - a2)
    dz2 = da2 * slope2
    da1 = dz2 @ net.W2.T
    slope1 = a1 * (1.0 - a1)
    dz1 = da1 * slope1
    return {
        "z1": z1, "a1": a1, "z2": z2, "a2": a2, "errors": errors, "E": float(errors.sum()),
        "da2": da2, "slope2": slope2, "dz2": dz2, "dW2": a1.T @ dz2, "db2": dz2.sum(axis=0),
        "da1": da1, "slope1": slope1, "dz1": dz1, "dW1": net.x.T @ dz1, "db1": dz1.sum(axis=0),
    }  # fmt: skip


BIASES = ("frozen", "tied", "untied")


@functools.cache
def continued(n_updates, biases="frozen", learning_rate=0.5):
    """The network after so many updates, and the errors before each of them (n_updates + 1,).

    biases: "frozen" leaves them alone, "tied" keeps one number per layer, "untied" trains one per unit.
    """
    if biases not in BIASES:
        raise ValueError(f"biases are one of {BIASES}, got {biases!r}")
    net, errors = two_two_two(), []
    for _ in range(n_updates):
        p = passes(net)
        errors.append(p["E"])
        db1, db2 = p["db1"], p["db2"]
        if biases == "tied":
            db1, db2 = np.full(2, db1.sum()), np.full(2, db2.sum())
        if biases == "frozen":
            db1, db2 = np.zeros(2), np.zeros(2)
        net = replace(
            net,
            W1=net.W1 - learning_rate * p["dW1"], b1=net.b1 - learning_rate * db1,
            W2=net.W2 - learning_rate * p["dW2"], b2=net.b2 - learning_rate * db2,
        )  # fmt: skip
    errors.append(error(net))
    return net, np.array(errors)


def _minus(text):
    """Hyphens that are minus signs as minus signs."""
    return re.sub(r"(?<![A-Za-z])-|(?<=\de)-", "−", text)


def unpack(vector, sizes):
    """Weights (n_in, n_out) and biases (n_out,) of every layer, as windows into one vector (P,)."""
    weights, biases, start = [], [], 0
    for n_in, n_out in pairwise(sizes):
        weights.append(vector[start : start + n_in * n_out].reshape(n_in, n_out))
        biases.append(vector[start + n_in * n_out : start + (n_in + 1) * n_out])
        start += (n_in + 1) * n_out
    if start != len(vector):
        raise ValueError(f"layers of sizes {tuple(sizes)} have {start} parameters, got a vector of {len(vector)}")
    return weights, biases


def pack(weights, biases):
    """One vector (P,) from the weights and biases of every layer: the inverse of unpack."""
    return np.concatenate([part.ravel() for pair in zip(weights, biases, strict=True) for part in pair])


# --- first figure: what a delta says ----------------------------------------------------------------------------------

UNITS = {"h1": (1, 0), "h2": (1, 1), "o1": (2, 0), "o2": (2, 1)}


def error_nudged(net, unit, nudge):
    """E with a number added to the pre-activation of one unit."""
    layer, i = UNITS[unit]
    z1 = net.x @ net.W1 + net.b1
    z1[0, i] += nudge * (layer == 1)
    z2 = sigmoid(z1) @ net.W2 + net.b2
    z2[0, i] += nudge * (layer == 2)
    return float(0.5 * np.sum((net.target - sigmoid(z2)) ** 2))


def nudge_frame(unit, nudge):
    """The true change of the error beside epsilon times delta, for a nudge of one pre-activation."""
    net = two_two_two()
    p = passes(net)
    layer, i = UNITS[unit]
    delta = (p["dz1"], p["dz2"])[layer - 1][0, i]
    grid = np.linspace(-2.0, 2.0, 81)
    change = np.array([error_nudged(net, unit, e) for e in grid]) - p["E"]
    now = error_nudged(net, unit, nudge) - p["E"]
    reach = 1.15 * np.max(np.abs([*change, 2.0 * delta]))
    outputs = range(2) if layer == 1 else (i,)
    path = [(layer, i), *((1, i, k) for k in outputs if layer == 1), *((2, k) for k in outputs)]
    picture = Network(
        sizes=(2, 2, 2), weights=(net.W1, net.W2),
        values=(np.zeros(2), p["dz1"][0], p["dz2"][0]),
        node_text=(("0.05", "0.10"), *([_minus(f"{d:.3f}") for d in p[name][0]] for name in ("dz1", "dz2"))),
        names=(("i1", "i2"), ("δ of h1", "δ of h2"), ("δ of o1", "δ of o2")),
        edge_text=True, highlight=dict.fromkeys(path), title="where the nudge goes",
    )  # fmt: skip
    curve = Lines(
        change, delta * grid, x=grid, labels=("measured", "δ times the nudge"), colors=("value", "gradient"),
        dashes=(False, True), x_label=f"nudge of the pre-activation of {unit}", y_label="change of the error E",
        y_range=(-reach, reach), marks=[(nudge, now)], title="what it does to the error",
    )  # fmt: skip
    if nudge == 0.0:
        said = f"Nothing is nudged; the two curves touch, since δ = {delta:.4f} is the slope of the error there."
    else:
        predicted = delta * nudge
        said = (
            f"{'Raising' if nudge > 0 else 'Lowering'} the pre-activation of {unit} by {abs(nudge):g} changes the "
            f"error by {now:+.5f}; δ times the nudge is {delta:.4f} × {nudge:g} = {predicted:+.5f}, "
            f"{abs(predicted - now) / abs(now):.0%} off."
        )
    return Frame([picture, curve], text=_minus(said))


# --- second figure: the network step by step --------------------------------------------------------------------------

STEPS = (
    "start", "forward: h1", "forward: h2", "forward: o1", "forward: o2", "the error",
    "δ of o1", "δ of o2", "gradient of w5", "gradient of w6", "gradients of w7 and w8",
    "back to h1: two paths", "δ of h1", "back to h2, and its δ", "gradient of w1", "gradient of w2",
    "gradients of w3 and w4", "gradients of the biases", "update w5 to w8", "update w1 to w4",
)  # fmt: skip


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
            layer_names=("inputs", "hidden", "outputs", "error"), title=_phase(step), **seen,
        ),
        text=_minus(f"Step {step} of {len(STEPS) - 1}. {said}"),
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
        return _minus(f"{value:.{digits}f}")

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
        [short(p["da2"][0, k], 4) if step >= 6 + k else short(p["errors"][0, k], 4) if step >= 5 else ""]
        for k in (0, 1)
    ]
    return {
        "values": (
            np.array([*net.x[0], 1.0]),
            np.array([*(p["dz1"][0] if step >= 12 else p["a1"][0]), 1.0]),
            p["dz2"][0] if step >= 6 else p["a2"][0],
            np.array([p["E"]]),
        ),
        "names": (("i1", "i2", ""), (h[0][0], h[1][0], ""), (o[0][0], o[1][0]), ("E",)),
        "node_text": (
            ("0.05", "0.10", "1"), (h[0][1], h[1][1], "1"), (o[0][1], o[1][1]), (short(p["E"]) if step >= 5 else "",)
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
        out.append([_minus(text) for text in row])
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
    (e1, e2), (t1, t2) = p["errors"][0], net.target[0]
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
         f"Half the squared differences are E_o1 = {n(e1)} and E_o2 = {n(e2)}; together E = {n(p['E'])}."),
        ([(2, 0, 0), (2, 0)], f"Backward from E: ∂E/∂out_o1 = {o1:.6f} - {t1:g} = {n(da1)}, times the slope of the "
                              f"sigmoid, out_o1 (1 - out_o1) = {n(s1)}, gives δ_o1 = {n(d1)}."),
        ([(2, 1, 0), (2, 1)], f"∂E/∂out_o2 = {n(da2)}, times the slope {n(s2)}, gives δ_o2 = {n(d2)}."),
        ([(2, 0, 0), (2, 0), (1, 0, 0), (1, 0)],
         f"One path leads from E to w5, through o1: ∂E/∂w5 = δ_o1 × out_h1 = {n(d1)} × {n(h1)} = {n(dw5)}."),
        ([(2, 0, 0), (2, 0), (1, 1, 0), (1, 1)], f"∂E/∂w6 = δ_o1 × out_h2 = {n(dw6)}."),
        ([(2, 1, 0), (2, 1), (1, 0, 1), (1, 1, 1), (1, 0), (1, 1)],
         f"Through o2: ∂E/∂w7 = δ_o2 × out_h1 = {n(dw7)} and ∂E/∂w8 = δ_o2 × out_h2 = {n(dw8)}."),
        (wide_path, f"Two paths lead back to h1, and their shares add: δ_o1 w5 + δ_o2 w7 = {n(d1 * w5)} + "
                    f"({n(d2 * w7)}) = {n(dh1)} = ∂E/∂out_h1, with the old w5 and w7."),
        ([(1, 0)], f"Times the slope of the sigmoid at h1, {n(r1)}: δ_h1 = {n(g1)}."),
        ([(2, 0, 0), (2, 1, 0), (1, 1, 0), (1, 1, 1), (2, 0), (2, 1), (1, 1)],
         f"δ_o1 w6 + δ_o2 w8 = {n(dh2)} = ∂E/∂out_h2, times the slope {n(r2)}: δ_h2 = {n(g2)}."),
        ([*wide_path, (0, 0, 0), (0, 0)],
         f"Both paths end in w1: ∂E/∂w1 = δ_h1 × i1 = {n(g1)} × {i1:g} = {n(dw1)}."),
        ([*wide_path, (0, 1, 0), (0, 1)], f"∂E/∂w2 = δ_h1 × i2 = {n(dw2)}."),
        ([(0, 0, 1), (0, 1, 1), (1, 1), (0, 0), (0, 1)],
         f"∂E/∂w3 = δ_h2 × i1 = {n(dw3)} and ∂E/∂w4 = δ_h2 × i2 = {n(dw4)}."),
        ([(0, 2, 0), (0, 2, 1), (1, 2, 0), (1, 2, 1), (0, 2), (1, 2)],
         f"A bias has the input 1, so its gradient is δ. Shared by a layer they add up: ∂E/∂b1 = {n(g1 + g2)}, "
         f"∂E/∂b2 = {n(d1 + d2)}. The worked example leaves the biases as they are."),
        ([(1, i, k) for i in range(2) for k in range(2)],
         f"With learning rate 0.5 w5 becomes {plus(w5, dw5)}, w6 becomes {n(w6 - 0.5 * dw6)}, "
         f"w7 {n(w7 - 0.5 * dw7)} and w8 {n(w8 - 0.5 * dw8)}."),
        ([(0, i, k) for i in range(2) for k in range(2)],
         f"w1 becomes {plus(w1, dw1)}, w2 becomes {n(w2 - 0.5 * dw2)}, w3 {n(w3 - 0.5 * dw3)} "
         f"and w4 {n(w4 - 0.5 * dw4)}."),
    ]  # fmt: skip


# --- third figure: the error of a difference --------------------------------------------------------------------------


def error_of_w5(w5, dtype=np.float64):
    """E of the 2-2-2 network as a function of w5 alone.  w5 (n,) -> (n,), computed in ``dtype``."""
    net = two_two_two()
    x, target, W1, W2, b1, b2 = (np.asarray(v, dtype) for v in (net.x, net.target, net.W1, net.W2, net.b1, net.b2))
    w5 = np.atleast_1d(np.asarray(w5, dtype))
    a1 = sigmoid(x @ W1 + b1)[0]
    o1 = sigmoid(a1[0] * w5 + a1[1] * W2[1, 0] + b2[0])
    o2 = sigmoid(a1 @ W2[:, 1] + b2[1])
    half = dtype(0.5)
    return half * (target[0, 0] - o1) ** 2 + half * (target[0, 1] - o2) ** 2


def difference(kind, eps, dtype=np.float64):
    """The forward or the central difference of E at w5 = 0.4.  eps (n,) -> (n,)"""
    w5, eps = dtype(0.4), np.atleast_1d(np.asarray(eps, dtype))
    if kind == "central":
        return (error_of_w5(w5 + eps, dtype) - error_of_w5(w5 - eps, dtype)) / (dtype(2.0) * eps)
    return (error_of_w5(w5 + eps, dtype) - error_of_w5(w5, dtype)) / eps


def relative_errors(kind, eps, dtype=np.float64):
    """|difference - derivative| / |larger of both|, at w5 = 0.4.  eps (n,) -> (n,)"""
    exact = passes(two_two_two())["dW2"][0, 0]
    found = difference(kind, eps, dtype).astype(np.float64)
    return np.abs(found - exact) / np.maximum(np.abs(found), np.abs(exact))


EXPONENTS = tuple(0.5 - k / 2 for k in range(30))  # eps = 3.2, 1, 0.32 ... 1e-14


def difference_frame(kind, precision, exponent):
    """The secant that a difference measures, and its error over all step sizes."""
    dtype = {"float64": np.float64, "float32": np.float32}[precision]
    eps = 10.0**exponent
    exact = passes(two_two_two())["dW2"][0, 0]
    grid = np.linspace(-4.0, 4.0, 81)
    secant = float(difference(kind, eps, dtype)[0])
    right, left = 0.4 + eps, 0.4 - eps * (kind == "central")
    ends = error_of_w5(np.array([left, right]))
    anchor = error_of_w5(0.4)[0] if kind == "forward" else float(np.mean(ends))
    picture = Lines(
        error_of_w5(grid), error_of_w5(0.4)[0] + exact * (grid - 0.4), anchor + secant * (grid - 0.4), x=grid,
        labels=("E", "tangent", "secant"), colors=("value", "muted", "gradient"), dashes=(False, True, False),
        x_label="w5", y_label="E", x_range=(-4.0, 4.0), y_range=(-0.1, 0.6), title="what is measured",
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
        f"The {kind} difference with ε = {_power(exponent)} in {precision} gives {secant:.6g} for ∂E/∂w5 = "
        f"{exact:.6g}, a relative error of about {_magnitude(now)}. {_reason(kind, precision, exponent)}"
    )
    return Frame([picture, v], text=_minus(said))


def _power(exponent):
    return f"{10.0**exponent:.2g}"


def _magnitude(value):
    """A relative error in words: percent where it is large, else the nearest power of ten."""
    if value >= 0.01:
        return f"{value:.0%}"
    return f"{10.0 ** round(np.log10(value)):.0e}".replace("e-0", "e-").replace("e+00", "")


def best_exponent(kind, precision):
    """The exponent of ten where bend and rounding err equally: sqrt(u) for forward, cube root of u for central."""
    u = {"float64": 2.0**-53, "float32": 2.0**-24}[precision]
    return np.log10(u) * (1 / 2 if kind == "forward" else 1 / 3)


def _reason(kind, precision, exponent):
    off = exponent - best_exponent(kind, precision)
    if off > 0.75:
        return "The curve bends between the two points: a smaller step would help."
    if off < -0.75:
        return (
            "The two values of E agree in most of their digits, and rounding is divided by ε: a larger step would help."
        )
    return "Bend and rounding are about equally small: this is near the best step."


# --- exercises --------------------------------------------------------------------------------------------------------


def output_delta(logits, labels):
    """dL/dz of the mean softmax cross-entropy: (softmax(z) - y) / N.   logits (N, K), labels (N,) -> (N, K)"""
    return (softmax(logits) - one_hot(labels, logits.shape[1], logits.dtype)) / len(logits)


def _output_delta_not_averaged(logits, labels):
    return output_delta(logits, labels) * len(logits)


def _output_delta_with_slope(logits, labels):
    p = softmax(logits)
    return output_delta(logits, labels) * p * (1.0 - p)


def _logits_and_labels(rng):
    return [
        ((3.0 * rng.normal(size=(n, k))).astype(dtype), rng.integers(0, k, n))
        for n, k, dtype in ((1, 3, np.float64), (5, 4, np.float64), (7, 10, np.float32), (2, 2, np.float64))
    ]


register(
    Exercise(
        "06.output_delta", output_delta, _logits_and_labels,
        {
            "this is the delta of the summed loss: the loss is the mean over the batch, so divide by N": (
                _output_delta_not_averaged
            ),
            "softmax and cross-entropy together have no factor p (1 - p) left: the logarithm cancels it": (
                _output_delta_with_slope
            ),
        },
    )
)  # fmt: skip


def hidden_delta(dz_next, W_next, z):
    """dz = (dz_next W_next^T) tanh'(z).   dz_next (N, M), W_next (H, M), z (N, H) -> (N, H)"""
    return (dz_next @ W_next.T) * (1.0 - np.tanh(z) ** 2)


def _hidden_delta_without_slope(dz_next, W_next, z):
    return dz_next @ W_next.T


def _hidden_delta_with_activation(dz_next, W_next, z):
    return (dz_next @ W_next.T) * np.tanh(z)


def _hidden_delta_slope_of_z(dz_next, W_next, z):
    return (dz_next @ W_next.T) * (1.0 - z**2)


def _deltas(rng):
    return [
        (rng.normal(size=(n, m)), rng.normal(size=(h, m)), rng.normal(size=(n, h)))
        for n, h, m in ((1, 2, 3), (4, 5, 3), (6, 3, 2), (3, 4, 1))
    ]


register(
    Exercise(
        "06.hidden_delta", hidden_delta, _deltas,
        {
            "this is dL/da: multiply by the slope of tanh at z to get through it": _hidden_delta_without_slope,
            "the factor is the slope 1 - tanh(z)^2, not the activation tanh(z)": _hidden_delta_with_activation,
            "1 - a^2 is the slope in terms of the activation a = tanh(z), not of z": _hidden_delta_slope_of_z,
        },
    )
)  # fmt: skip


def weight_gradients(a, dz):
    """(dW, db) of z = a W + b.   a (N, n_in), dz (N, n_out) -> (n_in, n_out), (n_out,)"""
    return a.T @ dz, dz.sum(axis=0)


def _weight_gradients_mean(a, dz):
    return a.T @ dz / len(a), dz.mean(axis=0)


def _weight_gradients_bias_mean(a, dz):
    return a.T @ dz, dz.mean(axis=0)


def _weight_gradients_transposed(a, dz):
    return dz.T @ a, dz.sum(axis=0)


def _weight_gradients_bias_per_example(a, dz):
    return a.T @ dz, dz


def _activations_and_deltas(rng):
    return [
        (rng.normal(size=(n, i)), rng.normal(size=(n, o))) for n, i, o in ((4, 3, 2), (1, 2, 5), (7, 4, 3), (2, 5, 1))
    ]


register(
    Exercise(
        "06.weight_gradients", weight_gradients, _activations_and_deltas,
        {
            "the 1/N of the mean loss is inside dz already: sum over the batch": _weight_gradients_mean,
            "the bias is added to every row, so db is the sum of the rows of dz, not their mean": (
                _weight_gradients_bias_mean
            ),
            "dW must have the shape of W, (n_in, n_out): a.T @ dz": _weight_gradients_transposed,
            "the bias serves all examples, so its gradient has one number per unit: sum over the batch": (
                _weight_gradients_bias_per_example
            ),
        },
    )
)  # fmt: skip


def central_difference(f, x, eps):
    """df/dx_i = (f(x + eps e_i) - f(x - eps e_i)) / (2 eps) for every i.   x (D,) -> (D,)"""
    slopes = np.empty_like(x)
    for i in range(x.size):
        step = np.zeros_like(x)
        step[i] = eps
        slopes[i] = (f(x + step) - f(x - step)) / (2.0 * eps)
    return slopes


def _forward_difference(f, x, eps):
    return np.array([(f(x + eps * row) - f(x)) / eps for row in np.eye(x.size)])


def _difference_of_all(f, x, eps):
    return np.full(x.size, (f(x + eps) - f(x - eps)) / (2.0 * eps))


def _difference_half(f, x, eps):
    return 2.0 * central_difference(f, x, eps)


def _sum_of_cubes(x):
    return float(np.sum(x**3))


def _wave(x):
    return float(np.sin(x[0]) * np.exp(0.3 * x[-1]))


def _functions(rng):
    return [
        (_sum_of_cubes, rng.normal(size=3), 1e-2),
        (_wave, rng.normal(size=5), 1e-3),
        (_sum_of_cubes, rng.normal(size=1), 0.1),
    ]


register(
    Exercise(
        "06.central_difference", central_difference, _functions,
        {
            "this is the forward difference: step back from x as well, its error is much smaller": _forward_difference,
            "all entries of x move together here: change one entry at a time": _difference_of_all,
            "the two points are 2 eps apart: divide by 2 eps": _difference_half,
        },
        tolerance=1e-9,
    )
)  # fmt: skip


def residual_backward(x, W, dout):
    """Backward of out = x + tanh(x W).   x (N, D), W (D, D), dout (N, D) -> dx (N, D), dW (D, D)"""
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dout + dz @ W.T, x.T @ dz


def _residual_branch_only(x, W, dout):
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dz @ W.T, x.T @ dz


def _residual_without_transpose(x, W, dout):
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dout + dz @ W, x.T @ dz


def _residual_without_slope(x, W, dout):
    return dout + dout @ W.T, x.T @ dout


def _residuals(rng):
    return [
        (rng.normal(size=(n, d)), rng.normal(size=(d, d)), rng.normal(size=(n, d))) for n, d in ((3, 2), (1, 4), (5, 3))
    ]


register(
    Exercise(
        "06.residual_backward", residual_backward, _residuals,
        {
            "x is used twice, so its gradient is a sum of two: add the share that comes along the direct way": (
                _residual_branch_only
            ),
            "W is square here, so W and W.T both fit: backward goes through the transpose": _residual_without_transpose,
            "the branch passes through tanh: multiply by its slope before W": _residual_without_slope,
        },
    )
)  # fmt: skip


def backpropagate(x, labels, W1, b1, W2, b2):
    """Gradients of the mean softmax cross-entropy of tanh(x W1 + b1) W2 + b2: (dW1, db1, dW2, db2)."""
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = (dz2 @ W2.T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


def _backpropagate_updated(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = (dz2 @ (W2 - a1.T @ dz2).T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


def _backpropagate_without_slope(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = dz2 @ W2.T
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


def _backpropagate_squared_error(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    z2 = a1 @ W2 + b2
    dz2 = (z2 - one_hot(labels, z2.shape[1], z2.dtype)) / len(x)
    dz1 = (dz2 @ W2.T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


def _networks(rng):
    return [
        (
            rng.normal(size=(n, d)), rng.integers(0, k, n),
            rng.normal(size=(d, h)), rng.normal(size=h), rng.normal(size=(h, k)), rng.normal(size=k),
        )
        for n, d, h, k in ((4, 3, 5, 2), (1, 2, 3, 4), (6, 5, 2, 3))
    ]  # fmt: skip


register(
    Exercise(
        "06.backpropagate", backpropagate, _networks,
        {
            "the hidden delta needs the W2 that the forward pass used: update the weights after all gradients": (
                _backpropagate_updated
            ),
            "the hidden delta lacks the slope of tanh, 1 - a1**2": _backpropagate_without_slope,
            "these are the gradients of a squared error: put softmax on the outputs before subtracting the targets": (
                _backpropagate_squared_error
            ),
        },
    )
)  # fmt: skip
