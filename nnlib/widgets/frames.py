"""Frames: one setting of an interactive figure as plain data: panels to draw and a sentence that says what they show.

A panel holds arrays, labels and ranges and knows nothing of widgets. Colors are names of roles ("train", "class0",
"accent", "series2"); what they look like is decided where they are drawn. Every panel checks its arguments at once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

MAX_POINTS = 400  # per series: more than a screen has room for
MAX_SIDE = 64  # rows or columns of a field
ROLES = (
    *("train", "validation", "test", "accent", "muted", "gradient", "value", "positive", "negative"),
    *(f"class{i}" for i in range(10)),
    *(f"series{i}" for i in range(8)),
)
LOGS = {False: "", None: "", "": "", True: "y", "x": "x", "y": "y", "xy": "xy"}


def _array(name, value, ndim, limit=None):
    """A float array of `ndim` axes, or a sentence about what came instead."""
    try:
        out = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} takes numbers, got {type(value).__name__}") from None
    if out.ndim not in np.atleast_1d(ndim):
        wanted = " or ".join(f"{n}-dimensional" for n in np.atleast_1d(ndim))
        raise ValueError(f"{name} takes a {wanted} array, got shape {out.shape}")
    if out.size == 0:
        raise ValueError(f"{name} is empty: shape {out.shape}")
    if limit and len(out) > limit:
        raise ValueError(f"{name} has {len(out)} points, more than {limit}: thin it out, the eye will not miss them")
    return out


def _range(name, value):
    if value is None:
        return None
    lo, hi = (float(v) for v in value)
    if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi):
        raise ValueError(f"{name} takes (low, high) with low < high, both finite, got {tuple(value)}")
    return lo, hi


def _roles(name, value):
    value = (value,) if isinstance(value, str) else tuple(value)
    for role in value:
        if role not in ROLES:
            raise ValueError(f"{name}: {role!r} is not a color role; use one of {', '.join(ROLES)}")
    return value


def _texts(name, value, count=None):
    value = (value,) if isinstance(value, str) else tuple(str(v) for v in value)
    if count is not None and value and len(value) != count:
        raise ValueError(f"{name} takes {count} texts, got {len(value)}: {value}")
    return value


def _set(panel, **values):
    """Write the checked values into a frozen panel."""
    for name, value in values.items():
        object.__setattr__(panel, name, value)


def _extent(arrays, log=False):
    """Lowest and highest finite value (above zero for a logarithmic axis), or None."""
    lo, hi = math.inf, -math.inf
    for array in arrays:
        seen = array[np.isfinite(array) & (array > 0 if log else True)]
        if seen.size:
            lo, hi = min(lo, seen.min()), max(hi, seen.max())
    return (float(lo), float(hi)) if lo <= hi else None


@dataclass(frozen=True, init=False, eq=False)
class Lines:
    """Curves over x, or paths in the plane.

    A series is (n,) values over `x` (default 0, 1, 2 ...) or an (n, 2) path. NaN leaves a gap.
    `bands` holds (lower, upper) pairs, one per series (None for none), drawn in the series' color.
    `marks` holds (x, y) or (x, y, text): a ring; with y None a vertical line, with x None a horizontal one.
    `log` is False, True (the y axis), "x" or "xy". `dashes` says per series whether it is dashed.
    """

    series: tuple
    x: np.ndarray | None = None
    labels: tuple = ()
    colors: tuple = ()
    x_label: str = ""
    y_label: str = ""
    title: str = ""
    log: str = ""
    x_range: tuple | None = None
    y_range: tuple | None = None
    steps: bool = False
    dashes: tuple = ()
    marks: tuple = ()
    bands: tuple = ()
    kind = "lines"

    def __init__(
        self, *series, x=None, labels=(), colors=(), x_label="", y_label="", title="", log=False,
        x_range=None, y_range=None, steps=False, dashes=(), marks=(), bands=(),
    ):  # fmt: skip
        if not series:
            raise ValueError("Lines takes at least one series")
        series = tuple(_array(f"Lines: series {i}", s, (1, 2), MAX_POINTS) for i, s in enumerate(series))
        for i, one in enumerate(series):
            if one.ndim == 2 and one.shape[1] != 2:
                raise ValueError(f"Lines: series {i} takes shape (n,) or (n, 2), got {one.shape}")
        if x is not None:
            x = _array("Lines: x", x, 1, MAX_POINTS)
            for i, one in enumerate(series):
                if one.ndim == 1 and len(one) != len(x):
                    raise ValueError(f"Lines: series {i} has {len(one)} values over {len(x)} values of x")
        if not isinstance(log, (bool, str, type(None))) or log not in LOGS:
            raise ValueError(f'Lines: log is False, True, "x", "y" or "xy", got {log!r}')
        labels = _texts("Lines: labels", labels, len(series))
        colors = _roles("Lines: colors", colors)
        if colors and len(colors) != len(series):
            raise ValueError(f"Lines takes {len(series)} colors, got {len(colors)}")
        if not colors:
            known = ("train", "validation", "test")
            colors = tuple(labels[i] if labels and labels[i] in known else f"series{i % 8}" for i in range(len(series)))
        dashes = (dashes,) * len(series) if isinstance(dashes, bool) else tuple(bool(d) for d in dashes)
        if dashes and len(dashes) != len(series):
            raise ValueError(f"Lines takes {len(series)} dashes, got {len(dashes)}")
        _set(
            self, series=series, x=x, labels=labels, colors=colors, x_label=x_label, y_label=y_label, title=title,
            log=LOGS[log], x_range=_range("Lines: x_range", x_range), y_range=_range("Lines: y_range", y_range),
            steps=bool(steps), dashes=dashes, marks=tuple(_mark(m) for m in marks),
            bands=_bands(bands, series),
        )  # fmt: skip

    def over(self, i):
        """The x values of series i."""
        one = self.series[i]
        if one.ndim == 2:
            return one[:, 0]
        return np.arange(len(one), dtype=np.float64) if self.x is None else self.x

    def values(self, i):
        """The y values of series i."""
        one = self.series[i]
        return one[:, 1] if one.ndim == 2 else one

    def extents(self):
        marks_x = np.array([m[0] for m in self.marks if m[0] is not None], dtype=np.float64)
        marks_y = np.array([m[1] for m in self.marks if m[1] is not None], dtype=np.float64)
        count = range(len(self.series))
        bands = [side for band in self.bands if band is not None for side in band]
        return {
            "x": _extent([*(self.over(i) for i in count), marks_x], "x" in self.log),
            "y": _extent([*(self.values(i) for i in count), *bands, marks_y], "y" in self.log),
        }

    def pack(self, put):
        return {
            "kind": self.kind,
            "series": [put(s) for s in self.series],
            "x": None if self.x is None else put(self.x),
            "bands": [None if band is None else [put(side) for side in band] for band in self.bands],
            "marks": [list(m) for m in self.marks],
            **_plain(self, "labels colors x_label y_label title log x_range y_range steps dashes"),
        }


def _mark(mark):
    mark = tuple(mark)
    if len(mark) not in (2, 3) or (mark[0] is None and mark[1] is None):
        raise ValueError(f"a mark is (x, y) or (x, y, text), with at most one of x and y None; got {mark}")
    x, y = (None if v is None else float(v) for v in mark[:2])
    if not all(v is None or math.isfinite(v) for v in (x, y)):
        raise ValueError(f"a mark takes finite numbers, got {mark}")
    return x, y, str(mark[2]) if len(mark) == 3 else ""


def _bands(bands, series):
    out = []
    if bands and len(bands) != len(series):
        raise ValueError(f"Lines takes {len(series)} bands (None for none), got {len(bands)}")
    for i, band in enumerate(bands):
        if band is None:
            out.append(None)
            continue
        lower, upper = (_array(f"Lines: band {i}", side, 1, MAX_POINTS) for side in band)
        if not len(lower) == len(upper) == len(series[i]):
            raise ValueError(f"Lines: band {i} has {len(lower)} and {len(upper)} values, its series {len(series[i])}")
        out.append((lower, upper))
    return tuple(out)


def _plain(panel, names):
    """Fields that are JSON as they stand (tuples become lists)."""
    out = {}
    for name in names.split():
        value = getattr(panel, name)
        out[name] = list(value) if isinstance(value, tuple) else value
    return out


@dataclass(frozen=True, eq=False)
class Points:
    """A cloud of points.  xy (n, 2); classes (n,) small integers, each with its own color and shape.

    `labels` names the classes (or, without classes, the one cloud) in the legend; `colors` gives a role per class;
    `texts` writes a short text beside each point.
    """

    xy: np.ndarray
    classes: np.ndarray | None = None
    colors: tuple = ()
    labels: tuple = ()
    texts: tuple = ()
    x_label: str = ""
    y_label: str = ""
    title: str = ""
    x_range: tuple | None = None
    y_range: tuple | None = None
    kind = "points"

    def __post_init__(self):
        xy = _array("Points: xy", self.xy, 2, MAX_POINTS)
        if xy.shape[1] != 2:
            raise ValueError(f"Points takes xy of shape (n, 2), got {xy.shape}")
        classes, count = self.classes, 1
        if classes is not None:
            classes = np.asarray(classes)
            if classes.shape != (len(xy),):
                raise ValueError(f"Points takes one class per point, shape ({len(xy)},), got {classes.shape}")
            if not np.array_equal(classes, classes.astype(np.uint8)) or classes.max() > 9:
                raise ValueError("Points: classes are integers from 0 to 9")
            classes = classes.astype(np.uint8)
            count = int(classes.max()) + 1
        colors = _roles("Points: colors", self.colors)
        if not colors:
            colors = tuple(f"class{i}" for i in range(count)) if classes is not None else ("accent",)
        labels = _texts("Points: labels", self.labels)
        if len(colors) < count or (labels and len(labels) < count):
            raise ValueError(f"Points has {count} classes, {len(colors)} colors and {len(labels)} labels")
        _set(
            self, xy=xy, classes=classes, colors=colors, labels=labels,
            texts=_texts("Points: texts", self.texts, len(xy)),
            x_range=_range("Points: x_range", self.x_range), y_range=_range("Points: y_range", self.y_range),
        )  # fmt: skip

    def extents(self):
        return {"x": _extent([self.xy[:, 0]]), "y": _extent([self.xy[:, 1]])}

    def pack(self, put):
        return {
            "kind": self.kind,
            "xy": put(self.xy),
            "classes": None if self.classes is None else put(self.classes, "u1"),
            **_plain(self, "colors labels texts x_label y_label title x_range y_range"),
        }


@dataclass(frozen=True, eq=False)
class Field:
    """A function of two variables on a grid, as colors.  values (H, W), row 0 = lowest y.

    x and y are (low, high), the coordinates of the first and the last grid point. `levels` draws contour lines.
    `classes` says that the values are class numbers; `labels` names them. `diverging` colors below and above the
    middle of v_range in the two hues of negative and positive, or, if "class", of class 0 and class 1. `numbers`
    writes each value into its cell (for small matrices). `overlay` holds Lines and Points in the same coordinates.
    """

    values: np.ndarray
    x: tuple
    y: tuple
    overlay: tuple = ()
    levels: tuple | None = None
    classes: bool = False
    diverging: bool | str = False
    v_range: tuple | None = None
    x_label: str = ""
    y_label: str = ""
    title: str = ""
    v_label: str = ""
    labels: tuple = ()
    numbers: bool = False
    kind = "field"

    def __post_init__(self):
        values = _array("Field: values", self.values, 2)
        if max(values.shape) > MAX_SIDE:
            raise ValueError(f"Field: values has shape {values.shape}, more than {MAX_SIDE} a side: use a coarser grid")
        if min(values.shape) < 2 and not self.numbers:
            raise ValueError(f"Field takes at least 2 x 2 values, got shape {values.shape}")
        if self.numbers and values.size > 150:
            raise ValueError(f"Field: numbers for at most 150 cells, got shape {values.shape}")
        if self.classes and (
            not np.all(np.isfinite(values))
            or not np.array_equal(values, np.round(values))
            or values.min() < 0
            or values.max() > 9
        ):
            raise ValueError("Field: with classes=True the values are integers from 0 to 9")
        if self.diverging not in (False, True, "class"):
            raise ValueError(f'Field: diverging is False, True or "class", got {self.diverging!r}')
        overlay = (self.overlay,) if isinstance(self.overlay, (Lines, Points)) else tuple(self.overlay)
        for panel in overlay:
            if not isinstance(panel, (Lines, Points)):
                raise TypeError(f"Field: overlay takes Lines and Points, got {type(panel).__name__}")
            if isinstance(panel, Lines) and panel.log:
                raise ValueError("Field: an overlay shares the axes of the field, which are not logarithmic")
        levels = None
        if self.levels is not None:
            levels = tuple(float(v) for v in np.atleast_1d(self.levels))
            if not all(math.isfinite(v) for v in levels):
                raise ValueError(f"Field: levels are finite numbers, got {levels}")
        _set(
            self, values=values, x=_range("Field: x", self.x), y=_range("Field: y", self.y), overlay=overlay,
            levels=levels, v_range=_range("Field: v_range", self.v_range),
            labels=_texts("Field: labels", self.labels),
        )  # fmt: skip

    def extents(self):
        out = {"v": _extent([self.values])}
        if self.diverging is True and out["v"]:
            top = max(abs(v) for v in out["v"])
            out["v"] = (-top, top)
        return out

    def pack(self, put):
        return {
            "kind": self.kind,
            "values": put(
                self.values, "u1" if self.classes else "f4" if self.numbers else "q2" if self.levels else "q1"
            ),
            "overlay": [panel.pack(put) for panel in self.overlay],
            **_plain(self, "x y levels classes diverging v_range x_label y_label title v_label labels numbers"),
        }


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars.  heights (n,), or (k, n) for k groups side by side; names: n texts; labels: k texts for the legend.

    `colors` gives one role per group; with a single group it may give one per bar.
    """

    heights: np.ndarray
    names: tuple
    y_label: str = ""
    title: str = ""
    y_range: tuple | None = None
    colors: tuple = ()
    labels: tuple = ()
    x_label: str = ""
    numbers: bool = True
    kind = "bars"

    def __post_init__(self):
        heights = _array("Bars: heights", self.heights, (1, 2))
        groups, count = (1, len(heights)) if heights.ndim == 1 else heights.shape
        if groups * count > 100:
            raise ValueError(f"Bars draws at most 100 bars, got shape {heights.shape}: use Lines or Histogram")
        names = _texts("Bars: names", self.names)
        if len(names) != count:
            raise ValueError(f"Bars takes {count} names, got {len(names)}")
        colors = _roles("Bars: colors", self.colors) or (
            ("accent",) if groups == 1 else tuple(f"series{i % 8}" for i in range(groups))
        )
        if len(colors) not in ((1, count) if groups == 1 else (groups,)):
            raise ValueError(f"Bars has {groups} groups of {count} bars and {len(colors)} colors")
        _set(
            self, heights=heights, names=names, colors=colors, labels=_texts("Bars: labels", self.labels, groups),
            y_range=_range("Bars: y_range", self.y_range),
        )  # fmt: skip

    def extents(self):
        return {"y": _extent([self.heights, np.zeros(1)])}

    def pack(self, put):
        return {
            "kind": self.kind,
            "heights": put(self.heights),
            **_plain(self, "names y_label title y_range colors labels x_label numbers"),
        }


@dataclass(frozen=True, eq=False)
class Histogram:
    """Histograms as np.histogram gives them.  counts (n,) or (k, n) laid over each other; edges (n + 1,)."""

    counts: np.ndarray
    edges: np.ndarray
    x_label: str = ""
    y_label: str = ""
    title: str = ""
    labels: tuple = ()
    colors: tuple = ()
    x_range: tuple | None = None
    y_range: tuple | None = None
    kind = "histogram"

    def __post_init__(self):
        counts = _array("Histogram: counts", self.counts, (1, 2))
        edges = _array("Histogram: edges", self.edges, 1, MAX_POINTS)
        groups = 1 if counts.ndim == 1 else len(counts)
        if counts.shape[-1] + 1 != len(edges):
            raise ValueError(f"Histogram takes one more edge than counts, got {len(edges)} and {counts.shape[-1]}")
        if not np.all(np.diff(edges) > 0):
            raise ValueError("Histogram: edges must increase")
        colors = _roles("Histogram: colors", self.colors) or tuple(f"series{i % 8}" for i in range(groups))
        if len(colors) != groups:
            raise ValueError(f"Histogram has {groups} groups and {len(colors)} colors")
        _set(
            self, counts=counts, edges=edges, colors=colors,
            labels=_texts("Histogram: labels", self.labels, groups),
            x_range=_range("Histogram: x_range", self.x_range), y_range=_range("Histogram: y_range", self.y_range),
        )  # fmt: skip

    def extents(self):
        return {"x": _extent([self.edges]), "y": _extent([self.counts, np.zeros(1)])}

    def pack(self, put):
        return {
            "kind": self.kind,
            "counts": put(self.counts),
            "edges": put(self.edges),
            **_plain(self, "x_label y_label title labels colors x_range y_range"),
        }


@dataclass(frozen=True, eq=False)
class Network:
    """A layered network.  sizes: nodes per layer; weights: one (n_in, n_out) array per gap; values: one (n,) per layer.

    Edges take the color of their weight's sign and the width of its size; NaN draws no edge (so a bias is a node
    "1" into which nothing runs). A node is tinted by its value and shows it, unless `node_text` gives other texts.
    `names` stand above the nodes, `edge_text` on the edges (nested like `weights`; True writes the weights).
    `highlight` lists nodes (layer, i) and edges (layer, i, j), from node i of `layer` to node j of the next; when it
    is given, all else steps back. With `backward` the highlighted edges point to the left.
    """

    sizes: tuple
    weights: tuple | None = None
    values: tuple | None = None
    names: tuple = ()
    edge_text: tuple | bool = ()
    node_text: tuple = ()
    highlight: tuple = ()
    layer_names: tuple = ()
    title: str = ""
    backward: bool = False
    v_range: tuple | None = None
    w_range: tuple | None = None
    kind = "network"

    def __post_init__(self):
        sizes = tuple(int(n) for n in self.sizes)
        if len(sizes) < 2 or min(sizes) < 1 or max(sizes) > 16:
            raise ValueError(f"Network takes two or more layers of 1 to 16 nodes, got sizes {self.sizes}")
        gaps = tuple(pairwise(sizes))
        weights = self.weights
        if weights is not None:
            weights = _per(weights, "weights", len(gaps), lambda w, k: _array(f"Network: weights[{k}]", w, 2))
            for k, shape in enumerate(gaps):
                if weights[k] is not None and weights[k].shape != shape:
                    raise ValueError(f"Network: weights[{k}] takes shape {shape}, got {weights[k].shape}")
        values = self.values
        if values is not None:
            values = _per(values, "values", len(sizes), lambda v, k: _array(f"Network: values[{k}]", v, 1))
            for k, n in enumerate(sizes):
                if values[k] is not None and values[k].shape != (n,):
                    raise ValueError(f"Network: values[{k}] takes shape ({n},), got {values[k].shape}")
        text = self.edge_text
        if text is True:
            if weights is None:
                raise ValueError("Network: edge_text=True writes the weights, and there are none")
            text = tuple(
                None if w is None else [["" if math.isnan(v) else number(v) for v in row] for row in w] for w in weights
            )
        if text:
            text = _per(text, "edge_text", len(gaps), lambda t, k: tuple(_texts("edge_text", row) for row in t))
            for k, (n_in, n_out) in enumerate(gaps):
                if text[k] is not None and (len(text[k]) != n_in or any(len(row) != n_out for row in text[k])):
                    raise ValueError(f"Network: edge_text[{k}] takes {n_in} rows of {n_out} texts, got {text[k]}")
        nested = {}
        for name in ("names", "node_text"):
            rows = getattr(self, name)
            if rows:
                rows = _per(rows, name, len(sizes), lambda t, k, name=name: _texts(f"{name}[{k}]", t, sizes[k]))
            nested[name] = tuple(rows)
        layer_names = _texts("Network: layer_names", self.layer_names, len(sizes))
        _set(
            self, sizes=sizes, weights=weights, values=values, edge_text=tuple(text or ()), layer_names=layer_names,
            highlight=tuple(_place(h, sizes) for h in self.highlight), **nested,
            v_range=_range("Network: v_range", self.v_range), w_range=_range("Network: w_range", self.w_range),
        )  # fmt: skip

    def extents(self):
        out = {}
        for key, arrays in (("v", self.values), ("w", self.weights)):
            extent = _extent([a for a in arrays or () if a is not None])
            if extent:
                top = max(abs(v) for v in extent) or 1.0
                out[key] = (-top, top)
        return out

    def pack(self, put):
        def rows(arrays):
            return None if arrays is None else [None if a is None else put(a) for a in arrays]

        def nested(texts):
            return [list(map(list, t)) if t and not isinstance(t[0], str) else t and list(t) for t in texts]

        return {
            "kind": self.kind,
            "weights": rows(self.weights),
            "values": rows(self.values),
            "names": nested(self.names),
            "node_text": nested(self.node_text),
            "edge_text": nested(self.edge_text),
            "highlight": [list(h) for h in self.highlight],
            **_plain(self, "sizes layer_names title backward v_range w_range"),
        }


def _per(value, name, count, each):
    """One checked entry (or None) per layer or gap."""
    value = tuple(value)
    if len(value) != count:
        raise ValueError(f"Network: {name} takes {count} entries, got {len(value)}")
    return tuple(None if v is None else each(v, k) for k, v in enumerate(value))


def _place(place, sizes):
    place = tuple(int(v) for v in place)
    layer = place[0] if place else -1
    node = len(place) == 2 and 0 <= layer < len(sizes) and 0 <= place[1] < sizes[layer]
    edge = (
        len(place) == 3
        and 0 <= layer < len(sizes) - 1
        and 0 <= place[1] < sizes[layer]
        and 0 <= place[2] < sizes[layer + 1]
    )
    if not (node or edge):
        raise ValueError(f"Network: highlight takes nodes (layer, i) and edges (layer, i, j) of {sizes}, got {place}")
    return place


def number(value, digits=3):
    """A number as people write it: 0.25, 1.2e-07, 1,024 as 1024; a true minus sign."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("-", "−")


PANELS = (Lines, Points, Field, Bars, Histogram, Network)


@dataclass(frozen=True, eq=False)
class Frame:
    """What one setting shows: panels, and `text`, one or two sentences in words with numbers."""

    panels: tuple
    text: str = field(default="")

    def __post_init__(self):
        panels = (self.panels,) if isinstance(self.panels, PANELS) else self.panels
        if not isinstance(panels, Sequence) or not 1 <= len(panels) <= 6:
            raise ValueError("Frame takes a list of 1 to 6 panels")
        for panel in panels:
            if not isinstance(panel, PANELS):
                wanted = ", ".join(p.__name__ for p in PANELS)
                raise TypeError(f"Frame takes panels ({wanted}), got {type(panel).__name__}")
        if not isinstance(self.text, str) or not self.text.strip():
            raise ValueError('Frame takes text="...", a sentence that says in words what the panels show')
        _set(self, panels=tuple(panels), text=" ".join(self.text.split()))

    def __repr__(self):
        return f"Frame({', '.join(panel.kind for panel in self.panels)}: {self.text!r})"

    def _repr_png_(self):
        """The picture that a notebook shows of a frame."""
        from nnlib.widgets.still import draw_still  # Matplotlib only when a picture is asked for

        return draw_still(self)


# Axes that every setting shares, so that a moved control moves the data and not the ground under it.


def _widen(lo, hi, log, pad):
    if log:
        if lo == hi:
            return lo / 10, hi * 10
        factor = (hi / lo) ** pad
        return lo / factor, hi * factor
    if lo == hi:
        half = abs(lo) / 2 or 0.5
        return lo - half, hi + half
    return lo - pad * (hi - lo), hi + pad * (hi - lo)


def _union(extents):
    extents = [e for e in extents if e]
    return (min(e[0] for e in extents), max(e[1] for e in extents)) if extents else None


def share_ranges(columns):
    """Give the panels of one place (one per setting, all of one kind) the same ranges where they name none."""
    first, out = columns[0], list(columns)
    extents = [panel.extents() for panel in columns]
    if first.kind == "field":
        shared = _union(e["v"] for e in extents)
        shared = (shared[0], shared[1] if shared[1] > shared[0] else shared[0] + 1.0) if shared else (0.0, 1.0)
        return [_with(p, v_range=p.v_range or shared) for p in out]
    if first.kind == "network":
        shared = {f"{key}_range": _union(e.get(key) for e in extents) or (-1.0, 1.0) for key in ("v", "w")}
        return [_with(p, **{name: getattr(p, name) or value for name, value in shared.items()}) for p in out]
    logs = getattr(first, "log", "")
    ranges = {}
    for key in ("x", "y"):
        shared = _union(e.get(key) for e in extents)
        log = key in logs
        if shared is None:
            shared = (0.1, 1.0) if log else (0.0, 1.0)
        free = first.kind == "points" or (first.kind == "lines" and any(s.ndim == 2 for s in first.series))
        pad = 0.0 if key == "x" and not free else 0.05
        lo, hi = shared
        shared = _widen(lo, hi, log, pad)
        if first.kind in ("bars", "histogram") and key == "y":  # bars stand on zero
            room = 0.12 * (hi - lo)  # for the numbers
            shared = (0.0 if lo == 0 else lo - room, 0.0 if hi == 0 and lo < 0 else hi + room or 1.0)
        ranges[key] = shared
    for i, panel in enumerate(out):
        given = {"y_range": panel.y_range or ranges["y"]}
        if first.kind != "bars":
            given["x_range"] = panel.x_range or ranges["x"]
        out[i] = _with(panel, **given)
    return out


def _with(panel, **values):
    """A copy of a panel with other ranges (Lines takes its series by position, so dataclasses.replace cannot)."""
    out = object.__new__(type(panel))
    _set(out, **{**panel.__dict__, **values})
    return out


# A panel as JSON and arrays.


def pack(panel):
    """-> (spec, arrays): JSON in which {"$": k} stands for arrays[k], an (array, encoding) pair."""
    arrays = []

    def put(array, encoding="f4"):
        arrays.append((array, encoding))
        return {"$": len(arrays) - 1}

    return panel.pack(put), arrays


def unpack(spec, arrays):
    """The spec with its arrays in their places."""
    if isinstance(spec, Mapping):
        if set(spec) == {"$"}:
            return arrays[spec["$"]]
        return {key: unpack(value, arrays) for key, value in spec.items()}
    if isinstance(spec, list):
        return [unpack(value, arrays) for value in spec]
    return spec
