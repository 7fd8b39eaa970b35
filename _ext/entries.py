"""Entries of the library's pages: one for each activation, loss and initializer, made from nnlib's own objects.

Formula, derivative and source are the docstring's, range and curves come from calling the thing itself.  Nothing is
listed here but what a picture of a loss needs: the slice through its outputs that is drawn.
"""

import functools
import html
import inspect
import math
import pathlib
import re

import numpy as np

from nnlib import activations, initializers, losses

BIBLIOGRAPHY = pathlib.Path(__file__).resolve().parents[1] / "assets" / "references.bib"
Z = np.linspace(-4.0, 4.0, 161)  # where curves are drawn
FAR = np.geomspace(5.0, 1e5, 2000)
WIDE = np.concatenate([-FAR[::-1], np.linspace(-5.0, 5.0, 20_001), FAR])  # where a range is sought
NEAR = 5.0  # a bound that is met for |z| <= NEAR belongs to the range; further out rounding meets it


# --- what there is ----------------------------------------------------------------------------------------------------


def public(module):
    """The functions that a module defines for everybody, in its order."""
    own = [f for f in vars(module).values() if getattr(f, "__module__", "") == module.__name__ and inspect.isroutine(f)]
    return [f for f in own if not f.__name__.startswith("_")]


def first_parameters(function, *names):
    return list(inspect.signature(function).parameters)[: len(names)] == list(names)


def all_activations():
    """Name -> (the activation at its paper's setting, its docstring and that of its derivative)."""
    found = {}
    for name, f in activations.ELEMENTWISE.items():
        made_by = getattr(activations, name)
        text = made_by.__doc__ if inspect.isfunction(made_by) else f.f.__doc__
        found[name] = f, text, f.df.__doc__
    return found


def all_of_rows():
    """Name -> (function, its backward) of those whose outputs depend on a whole row, such as the softmax."""
    found = {f.__name__: f for f in public(activations)}
    return {name: (f, found[f"{name}_backward"]) for name, f in found.items() if first_parameters(f, "z", "axis")}


def of_rows(f, backward, z):
    """The first of three outputs and its derivative by the first input, the others are 0."""
    inputs = np.stack([z, 0.0 * z, 0.0 * z], axis=1)
    outputs = f(inputs)
    first = np.zeros_like(outputs)
    first[:, 0] = 1.0
    return outputs[:, 0], backward(first, outputs)[:, 0]


def all_losses():
    """Name -> the loss."""
    return {f.__name__: f for f in public(losses) if first_parameters(f, "output", "target")}


def all_initializers():
    """Name -> (the initializer, how it was made, its docstring)."""
    found = {}
    for f in public(initializers):
        if first_parameters(f, "rng", "shape"):
            found[f.__name__] = f, f.__name__, f.__doc__
        elif not first_parameters(f, "shape"):
            example = EXAMPLES[f.__name__]
            found[f.__name__] = f(*example), f"{f.__name__}({', '.join(map(str, example))})", f.__doc__
    return found


EXAMPLES = {
    "constant": (0.1,),
    "normal": (0.05,),
    "uniform": (-0.1, 0.1),
    "sparse": (15,),
}  # of initializers with settings


def slice_of(name):
    """(loss, what z is, z -> (output, target, place of z in the output)): the slice through a loss that is drawn."""
    one = np.ones((1, 1))
    regression = "the output, where the target is 0", lambda z: (np.full((1, 1), z), 0.0 * one, (0, 0))
    score = lambda z: (np.full((1, 1), z), one, (0, 0))  # noqa: E731
    of_two = "the logit of the right one of two classes", lambda z: (np.array([[z, 0.0]]), np.array([0]), (0, 0))
    return {
        "mean_squared_error": (losses.mean_squared_error, *regression),
        "mean_absolute_error": (losses.mean_absolute_error, *regression),
        "huber": (losses.huber, *regression),
        "hinge": (losses.hinge, "the output, where the target is +1", score),
        "binary_cross_entropy": (losses.binary_cross_entropy, "the logit, where the target is 1", score),
        "softmax_cross_entropy": (losses.softmax_cross_entropy, *of_two),
        "focal": (losses.focal, *of_two),
        "distillation": (
            losses.distillation(temperature=2.0), "the student's first logit, where the teacher's two are 1 and 0",
            lambda z: (np.array([[z, 0.0]]), np.array([[1.0, 0.0]]), (0, 0)),
        ),
        "large_margin_softmax": (
            losses.large_margin_softmax(margin=2), "the logit of the right one of two classes, at length 5",
            lambda z: (np.array([[z, 0.0, -5.0, -5.0]]), np.array([0]), (0, 0)),
        ),
        "contrastive": (
            losses.contrastive, "one embedding, where the other is 0 and they belong together",
            lambda z: (np.array([[0.0], [z]]), np.ones(1), (1, 0)),
        ),
        "triplet": (
            losses.triplet, "the positive, where the anchor is 0 and the negative 1",
            lambda z: (np.array([[0.0], [z], [1.0]]), None, (1, 0)),
        ),
    }[name]  # fmt: skip


def along(name, z):
    """A loss and its derivative along its slice, at each z."""
    loss, _, at = slice_of(name)
    values = np.empty((2, len(z)))
    for i, number in enumerate(z):
        output, target, place = at(number)
        value, gradient = loss(output, target)
        values[:, i] = value, gradient[place]
    return values


# --- ranges -----------------------------------------------------------------------------------------------------------


def bounds(f):
    """((least, whether it is met), (largest, whether it is met)) of f(z); infinite if it grows."""
    z = WIDE
    for _ in range(2):  # a closer look at where the extremes are
        values = f(z)
        ends = [z[[max(i - 1, 0), min(i + 1, len(z) - 1)]] for i in (values.argmin(), values.argmax())]
        z = np.sort(np.concatenate([z, *(np.linspace(*pair, 1001) for pair in ends)]))
    values, near, result = f(z), np.abs(z) <= NEAR, []
    for sign in (-1.0, 1.0):
        end = (sign * values).max()
        if end > 100.0:  # over |z| <= 100,000 only what grows gets there
            result.append((sign * math.inf, False))
        else:
            result.append((sign * end, bool(np.isclose((sign * values)[near].max(), end, rtol=1e-6, atol=1e-6))))
    return result


def interval(f):
    """The range in words, e.g. [-0.278, ∞)."""
    (low, met), (high, met_too) = bounds(f)
    return f"{'[' if met else '('}{number(low)}, {number(high)}{']' if met_too else ')'}"


def number(value):
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{round(value, 4) + 0.0:.4g}".replace("-", "−")


# --- pictures ---------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 240, 150


def picture(curves, words, x=(-4.0, 4.0), y=(-2.0, 4.0)):
    """A small drawing in the page's own colors: [(x, y, class), ...] in a box, with axes and their ends."""

    def place(a, b):
        u = (np.asarray(a) - x[0]) / (x[1] - x[0]) * WIDTH
        v = (y[1] - np.asarray(b)) / (y[1] - y[0]) * HEIGHT
        return u, v

    def line(a, b, kind):
        b = np.clip(b, y[0] - 1.0 * (y[1] - y[0]), y[1] + 1.0 * (y[1] - y[0]))
        points = " ".join(f"{u:.1f},{v:.1f}" for u, v in zip(*place(a, b)))
        return f'<polyline class="{kind}" points="{points}"/>'

    parts = [f'<svg class="entry-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(words)}">']
    if y[0] <= 0.0 <= y[1]:
        parts.append(line(x, (0.0, 0.0), "axis"))
    if x[0] <= 0.0 <= x[1]:
        parts.append(line((0.0, 0.0), y, "axis"))
    parts += [line(*curve) for curve in curves]
    for text, u, v, anchor in (
        (number(x[0]), 2, HEIGHT - 4, "start"), (number(x[1]), WIDTH - 2, HEIGHT - 4, "end"),
        (number(y[1]), 2, 12, "start"),
    ):  # fmt: skip
        parts.append(f'<text x="{u}" y="{v}" text-anchor="{anchor}">{text}</text>')
    return ["```{raw} html", "".join([*parts, "</svg>"]), "```", ""]


# --- sources ----------------------------------------------------------------------------------------------------------


@functools.cache
def bibliography():
    """(surname of the first author, year of the key) -> key of references.bib."""
    found = {}
    for entry in re.split(r"\n(?=@)", BIBLIOGRAPHY.read_text("utf8")):
        match = re.match(r"@\w+\{(([a-z]+)(\d{4})\w*),", entry)
        if match:
            found[match[2], match[3]] = match[1]
    return found


CITATION = re.compile(r"\b([A-Z][A-Za-z]+)(?: (?:et al\.|& [A-Z]\w+))? (\d{4})")


def sources(text):
    """The keys of the papers that a docstring names."""
    keys = []
    for surname, year in CITATION.findall(text):
        key = bibliography().get((surname.lower(), year))
        if key is None:
            raise KeyError(f"assets/references.bib has no {surname} {year}, which a docstring names: add it")
        if key not in keys:
            keys.append(key)
    return keys


# --- entries ----------------------------------------------------------------------------------------------------------


def head(family, name):
    return [f"({family}-{name})=", f"## {name}", ""]


def rows(*pairs):
    lines = []
    for term, text in pairs:
        if text:
            lines += [term, f": {text}", ""]
    return lines


def code(text):
    """The first paragraph of a docstring as it stands, without markup of its own."""
    paragraph = " ".join(inspect.cleandoc(text).split("\n\n")[0].split())
    return "`" + paragraph.replace("``", "").replace(":func:", "").replace("`", "") + "`"


def cited(text):
    return ", ".join(f"{{cite:t}}`{key}`" for key in sources(text))


def activation_entries(app=None):
    lines = []
    for name, (f, text, slope_text) in all_activations().items():
        value, slope = interval(f), interval(f.derivative)
        words = f"{name} (solid) and its derivative (dashed) from −4 to 4; values in {value}"
        lines += head("activation", name)
        lines += picture([(Z, f(Z), "f"), (Z, f.derivative(Z), "df")], words)
        lines += rows(
            ("Formula", code(text)),
            ("Derivative", code(slope_text)),
            ("Range", f"{value}, slope {slope}, drawn as `{f!r}`"),
            ("Source", cited(text)),
        )
    for name, (f, backward) in all_of_rows().items():
        value, slope = (interval(lambda z, k=k, of=(f, backward): of_rows(*of, z)[k]) for k in range(2))
        lines += head("activation", name)
        drawn = "the first of three outputs by its input, the others are 0"
        lines += picture([(Z, y, kind) for kind, y in zip(("f", "df"), of_rows(f, backward, Z))], drawn)
        lines += rows(
            ("Formula", code(f.__doc__)),
            ("Derivative", code(backward.__doc__)),
            ("Range", f"{value}, slope {slope}; drawn is {drawn}"),
            ("Source", cited(f.__doc__)),
        )
    return lines


def loss_entries(app=None):
    lines = []
    for name, loss in all_losses().items():
        values, slopes = along(name, Z)
        text = loss.__doc__
        _, words, _ = slice_of(name)
        lines += head("loss", name)
        lines += picture(
            [(Z, values, "f"), (Z, slopes, "df")], f"{name} (solid) and its derivative (dashed) by {words}"
        )
        lines += rows(
            ("Formula and derivative", code(text)),
            ("Range", f"[0, ∞), drawn by {words}: from {number(values.max())} down to {number(values.min())}"),
            ("Source", cited(text)),
        )
    return lines


SHAPE = (256, 128)  # of the weight that is drawn


def initializer_entries(app=None):
    lines = []
    for name, (init, call, text) in all_initializers().items():
        W = init(np.random.default_rng(0), SHAPE)
        reach = 1.25 * max(np.abs(W).max(), 0.08)
        count, edges = np.histogram(W, bins=40, range=(-reach, reach))
        x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(count, 2), [0]])
        words = f"histogram of {call} for a weight of shape {SHAPE}: standard deviation {number(W.std())}"
        lines += head("initializer", name)
        lines += picture([(x, y, "f")], words, (-reach, reach), (0.0, 1.1 * count.max()))
        lines += rows(
            ("Values", code(text)),
            ("Range", f"{number(W.min())} to {number(W.max())} with standard deviation {number(W.std())}, drawn as "
             f"`{call}` for a weight of shape {SHAPE}"),
            ("Source", cited(text)),
        )  # fmt: skip
    return lines


PAGES = {"activations": activation_entries, "losses": loss_entries, "initializers": initializer_entries}
