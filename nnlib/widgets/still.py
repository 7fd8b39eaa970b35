"""Stills: one frame as a picture, for paper, for readers without JavaScript, and where no widget can live."""

import io
import struct
import zlib

import numpy as np

from nnlib.plotting import MARKERS, PALETTE, LinearSegmentedColormap, plt, to_rgb
from nnlib.widgets.frames import share_ranges

INK, SOFT, FAINT, LINE = PALETTE["text"], PALETTE["muted"], PALETTE["grid"], "#9aa3ab"
COLORS = PALETTE
RAMP = ("#f6f8fa", "#bcd3e6", "#5d97c4", "#164a7c")  # as in chart.css
WIDTH, DPI = 7.6, 120  # inches, dots per inch: about the width of a page's text


def draw_still(frames, index=0, title=""):
    """The frame as PNG bytes.  frames: all frames of the figure (they share their axes), or a single one."""
    frames = list(frames) if isinstance(frames, (list, tuple)) else [frames]
    panels = [share_ranges(column)[index] for column in zip(*(f.panels for f in frames), strict=True)]
    columns = len(panels) if len(panels) <= 3 else 2 if len(panels) == 4 else 3
    rows = -(-len(panels) // columns)
    high = max(4.0 if panel.kind == "network" else 3.0 if columns > 2 else 3.5 for panel in panels)
    figure = plt.Figure(
        dpi=DPI, figsize=(WIDTH, high * rows + (0.35 if title else 0)), layout="constrained", facecolor="white"
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, panel in zip(axes, panels, strict=False):
        _DRAW[panel.kind](ax, panel)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left", fontweight="bold")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="rgba", facecolor="white")
    width, height = figure.canvas.get_width_height()
    return _png(np.frombuffer(drawn.getvalue(), dtype=np.uint8).reshape(height, width, 4)[:, :, :3])


def _png(pixels):
    """pixels (H, W, 3) uint8 -> a PNG with a palette of at most 256 colors, a quarter of the bytes of full color."""
    height, width, _ = pixels.shape
    coarse = pixels >> 3  # 32 levels a channel
    codes = coarse.astype(np.uint16) @ np.array([1024, 32, 1], dtype=np.uint16)
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    inverse = inverse.ravel()
    colors = np.stack([np.bincount(inverse, weights=pixels[:, :, c].ravel()) / counts for c in range(3)], axis=1)
    palette = colors[np.argsort(-counts, kind="stable")[:256]]
    nearest = ((colors[:, None] - palette[None]) ** 2).sum(axis=2).argmin(axis=1)
    rows = np.zeros((height, 1 + width), dtype=np.uint8)  # each row opens with its filter: none
    rows[:, 1:] = nearest[inverse].reshape(height, width)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),  # 8 bits, palette
            chunk(b"PLTE", np.rint(palette).astype(np.uint8).tobytes()),
            chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            chunk(b"IEND", b""),
        ]
    )


def _ground(ax, panel, grid=True):
    ax.set_title(panel.title, fontsize=10, loc="left", color=INK)
    ax.set_xlabel(getattr(panel, "x_label", ""), fontsize=9, color=SOFT)
    ax.set_ylabel(getattr(panel, "y_label", ""), fontsize=9, color=SOFT)
    ax.tick_params(labelsize=8, colors=SOFT, length=3)
    for side in ("top", "right", *(["left"] if grid else ())):
        ax.spines[side].set_visible(not grid)
    for spine in ax.spines.values():
        spine.set_color(LINE)
    ax.grid(False)
    if grid:
        ax.grid(axis="y", color=FAINT, linewidth=0.8)
        ax.set_axisbelow(True)


def _legend(ax, labels):
    if any(labels):
        ax.legend(fontsize=8, frameon=False, labelcolor=INK)


def _walks(series, on_field):
    """A walk has a beginning and an end; two points are a line, and over a plot's own axes x that grows is a curve."""
    grows = len(series) > 1 and np.all(np.diff(series[:, 0]) > 0) if series.ndim == 2 else True
    return series.ndim == 2 and len(series) != 2 and (on_field or not grows)


def _lines(ax, panel, on_field=False):
    for i, one in enumerate(panel.series):
        x, y, color = panel.over(i), panel.values(i), COLORS[panel.colors[i]]
        style = {"color": color, "linestyle": "--" if panel.dashes and panel.dashes[i] else "-"}
        label = panel.labels[i] if panel.labels else None
        if _walks(one, on_field):
            ax.plot(x, y, linewidth=1.3, marker=".", markersize=3 if len(x) <= 80 else 0, label=label, **style)
            ax.plot(x[:1], y[:1], "o", markerfacecolor="white", markeredgecolor=color, markersize=6)
            ax.plot(x[-1:], y[-1:], "o", color=color, markersize=6)
        else:
            draw = "steps-post" if panel.steps else "default"
            ax.plot(x, y, linewidth=1.7, drawstyle=draw, label=label, **style)
        if panel.bands and panel.bands[i] is not None:
            ax.fill_between(x, *panel.bands[i], color=color, alpha=0.16, linewidth=0)
    for x, y, text in panel.marks:
        if x is None:
            ax.axhline(y, color=SOFT, linewidth=1, linestyle=":")
            ax.annotate(text, (1, y), (-3, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
                        ha="right", fontsize=8, color=INK)  # fmt: skip
        elif y is None:
            ax.axvline(x, color=SOFT, linewidth=1, linestyle=":")
            ax.annotate(text, (x, 1), (3, -10), xycoords=("data", "axes fraction"), textcoords="offset points",
                        fontsize=8, color=INK)  # fmt: skip
        else:
            ax.plot([x], [y], "o", markerfacecolor="none", markeredgecolor=INK, markersize=7)
            ax.annotate(text, (x, y), (6, 5), textcoords="offset points", fontsize=8, color=INK)
    if not on_field:
        _ground(ax, panel)
        if "x" in panel.log:
            ax.set_xscale("log")
        if "y" in panel.log:
            ax.set_yscale("log")
        ax.set_xlim(panel.x_range)
        ax.set_ylim(panel.y_range)
        _legend(ax, panel.labels)


def _points(ax, panel, on_field=False):
    classes = np.zeros(len(panel.xy), dtype=int) if panel.classes is None else panel.classes
    for c in range(classes.max() + 1):
        xy = panel.xy[classes == c]
        ax.scatter(xy[:, 0], xy[:, 1], s=16, marker=MARKERS[c % 4], color=COLORS[panel.colors[c]], linewidth=0.5,
                   edgecolor="white", label=panel.labels[c] if panel.labels else None, zorder=3)  # fmt: skip
    for (x, y), text in zip(panel.xy, panel.texts, strict=False):
        ax.annotate(text, (x, y), (5, 4), textcoords="offset points", fontsize=8, color=INK)
    if not on_field:
        _ground(ax, panel)
        ax.set_xlim(panel.x_range)
        ax.set_ylim(panel.y_range)
        _legend(ax, panel.labels)


def _field(ax, panel):
    def pale(color):
        return tuple(1 + 0.3 * (v - 1) for v in to_rgb(color))

    h, w = panel.values.shape
    dx = (panel.x[1] - panel.x[0]) / max(1, w - 1) or 1.0
    dy = (panel.y[1] - panel.y[0]) / max(1, h - 1) or 1.0
    extent = (panel.x[0] - dx / 2, panel.x[1] + dx / 2, panel.y[0] - dy / 2, panel.y[1] + dy / 2)
    common = {"origin": "lower", "extent": extent, "aspect": "auto"}
    if panel.classes:
        colors = np.array([pale(COLORS[f"class{i}"]) for i in range(10)])
        ax.imshow(colors[panel.values.astype(int)], interpolation="nearest", **common)
    else:
        ends = ("class0", "class1") if panel.diverging == "class" else ("negative", "positive")
        stops = [COLORS[ends[0]], "#f8f7f4", COLORS[ends[1]]] if panel.diverging else RAMP
        cmap = LinearSegmentedColormap.from_list("course", stops)
        how = "nearest" if panel.numbers else "bilinear"
        image = ax.imshow(panel.values, cmap=cmap, vmin=panel.v_range[0], vmax=panel.v_range[1], interpolation=how,
                          **common)  # fmt: skip
        if not panel.numbers:
            bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02, aspect=25)
            bar.ax.tick_params(labelsize=8, colors=SOFT, length=2)
            bar.outline.set_visible(False)
            bar.set_label(panel.v_label, fontsize=8, color=SOFT)
    if panel.levels:
        levels = [v for v in sorted(set(panel.levels)) if np.nanmin(panel.values) < v < np.nanmax(panel.values)]
        if levels:
            x, y = np.linspace(*panel.x, w), np.linspace(*panel.y, h)
            ax.contour(x, y, panel.values, levels=levels, colors=INK, linewidths=0.6, alpha=0.5, linestyles="solid")
    if panel.numbers:
        for (i, j), v in np.ndenumerate(panel.values):
            ax.text(panel.x[0] + j * dx, panel.y[0] + i * dy, f"{v:.3g}", ha="center", va="center", fontsize=8)
    for over in panel.overlay:
        (_lines if over.kind == "lines" else _points)(ax, over, on_field=True)
    _ground(ax, panel, grid=False)
    whole = panel.numbers or panel.classes
    ax.set_xlim(extent[:2] if whole else panel.x)
    ax.set_ylim(extent[2:] if whole else panel.y)
    if any(label for over in panel.overlay for label in over.labels):
        ax.legend(fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", labelcolor=INK)


def _bars(ax, panel):
    heights = np.atleast_2d(panel.heights)
    groups, n = heights.shape
    width = 0.72 / groups
    for k, row in enumerate(heights):
        at = np.arange(n) + (k - (groups - 1) / 2) * width
        colors = panel.colors[k] if groups > 1 else panel.colors
        colors = COLORS[colors] if isinstance(colors, str) else [COLORS[c] for c in colors]
        ax.bar(at, row, width * 0.95, color=colors, label=panel.labels[k] if panel.labels else None)
        if panel.numbers and n * groups <= 12:
            for x, v in zip(at, row, strict=True):
                if np.isfinite(v):
                    ax.annotate(f"{v:.3g}", (x, v), (0, 2 if v >= 0 else -9), textcoords="offset points", ha="center",
                                fontsize=7, color=INK)  # fmt: skip
    _ground(ax, panel)
    long = sum(map(len, panel.names)) > 30
    ax.set_xticks(np.arange(n), panel.names, rotation=35 if long else 0, ha="right" if long else "center")
    ax.set_ylim(panel.y_range)
    _legend(ax, panel.labels)


def _histogram(ax, panel):
    for k, row in enumerate(np.atleast_2d(panel.counts)):
        color = COLORS[panel.colors[k]]
        ax.stairs(row, panel.edges, fill=True, color=color, alpha=0.28)
        ax.stairs(row, panel.edges, color=color, linewidth=1.3, label=panel.labels[k] if panel.labels else None)
    _ground(ax, panel)
    ax.set_xlim(panel.x_range)
    ax.set_ylim(panel.y_range)
    _legend(ax, panel.labels)


def _network(ax, panel):
    sizes, lit = panel.sizes, {tuple(h) for h in panel.highlight}
    most = max(sizes)

    def place(layer, i):
        return float(layer), (sizes[layer] - 1) / 2 - i

    for k in range(len(sizes) - 1):
        for i in range(sizes[k]):
            for j in range(sizes[k + 1]):
                w = None if panel.weights is None or panel.weights[k] is None else panel.weights[k][i, j]
                if w is not None and np.isnan(w):
                    continue
                (x0, y0), (x1, y1) = place(k, i), place(k + 1, j)
                size = 1.0 if w is None else 0.6 + 3 * min(1, abs(w) / panel.w_range[1])
                color = "muted" if not w else "positive" if w > 0 else "negative"
                shown = 1.0 if not lit or (k, i, j) in lit else 0.3
                ax.plot([x0, x1], [y0, y1], color=COLORS[color], linewidth=size, alpha=shown, zorder=1)
                text = panel.edge_text[k][i][j] if panel.edge_text and panel.edge_text[k] else ""
                if text:
                    f = (0.3 if (i + j) % 2 else 0.66) if sizes[k] > 1 and sizes[k + 1] > 1 else 0.5
                    ax.text(x0 + f * (x1 - x0), y0 + f * (y1 - y0), text, ha="center", va="center", fontsize=7.5,
                            color=INK, zorder=4,
                            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85})  # fmt: skip
    for k, n in enumerate(sizes):
        for i in range(n):
            x, y = place(k, i)
            value = None if panel.values is None or panel.values[k] is None else panel.values[k][i]
            tint = 0.0 if value is None or np.isnan(value) else min(1, abs(value) / panel.v_range[1])
            color = COLORS["negative" if value is not None and value < 0 else "positive"]
            face = tuple(1 + (0.06 + 0.4 * tint) * (int(color[c : c + 2], 16) / 255 - 1) for c in (1, 3, 5))
            ax.plot([x], [y], "o", markersize=min(28, 150 / most), markerfacecolor=face, zorder=2,
                    markeredgecolor=INK if (k, i) in lit else LINE,
                    markeredgewidth=2 if (k, i) in lit else 1)  # fmt: skip
            given = panel.node_text[k][i] if panel.node_text and panel.node_text[k] else None
            inside = given if given is not None else "" if value is None or np.isnan(value) else f"{value:.3g}"
            name = panel.names[k][i] if panel.names and panel.names[k] else ""
            below = len(inside) > 6
            common = {"ha": "center", "va": "center", "fontsize": 8, "color": INK, "zorder": 3}
            ax.annotate(inside, (x, y), (0, -22 if below else 0), textcoords="offset points", **common)
            if name:
                up = 22 if inside and not below else 0
                ax.annotate(name, (x, y), (0, up), textcoords="offset points", **common)
        if panel.layer_names:
            ax.text(k, most / 2 + 0.1, panel.layer_names[k], ha="center", fontsize=9, color=SOFT)
    ax.set_title(panel.title, fontsize=10, loc="left", color=INK)
    ax.set_xlim(-0.35, len(sizes) - 0.65)
    ax.set_ylim(-most / 2 - 0.1, most / 2 + (0.35 if panel.layer_names else 0.1))
    ax.set_axis_off()


_DRAW = {
    "lines": _lines,
    "points": _points,
    "field": _field,
    "bars": _bars,
    "histogram": _histogram,
    "network": _network,
}
