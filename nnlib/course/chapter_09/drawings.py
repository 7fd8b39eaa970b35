"""Chapter 9's still figures, and the numbers that two of them draw."""

import numpy as np

from nnlib import plotting
from nnlib.activations import ELEMENTWISE, normal_density
from nnlib.course.chapter_09.experiments import Z, mean_square, mean_square_slope

plt = plotting.plt


def variance_of_z(scale, fan_ins, seeds=range(5)):
    """Var(z) over 200 normal examples and 50 units, for weights of standard deviation scale(n): (seeds, fan_ins)."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([9, seed])
        found.append(
            [np.var(rng.normal(size=(200, n)) @ rng.normal(0.0, scale(n), (n, 50))) for n in fan_ins],
        )
    return np.array(found)


def gains():
    """{name of an activation: (gain 1 / E f^2, growth of the error a layer at it, share of E f^2 in the mean)}"""
    found = {}
    for name, f in ELEMENTWISE.items():
        square = mean_square(f, 1.0)
        mean = float(f(Z) @ normal_density(Z)) * (Z[1] - Z[0])
        found[name] = (1.0 / square, mean_square_slope(f, 1.0) / square, mean**2 / square)
    return found


def centered_growth(names):
    """{name: chi of the function minus its mean, at the gain of what is left}"""
    found = {}
    for name in names:
        f = ELEMENTWISE[name]
        weights = normal_density(Z) * (Z[1] - Z[0])
        spread = (f(Z) - f(Z) @ weights) ** 2 @ weights
        found[name] = mean_square_slope(f, 1.0) / float(spread)
    return found


def draw_variance(fan_ins, found):
    """Var(z) over the fan-in.  found: {label of a scale: (values (seeds, fan_ins), predicted (fan_ins,))}"""
    _, ax = plt.subplots(figsize=(5.6, 3.4))
    for i, (label, (values, predicted)) in enumerate(found.items()):
        tone = plotting.color(f"series{i}")
        ax.plot(fan_ins, predicted, color=tone)
        for run in values:
            ax.plot(fan_ins, run, plotting.MARKERS[i], color=tone, markersize=4, alpha=0.6)
        ax.plot([], [], plotting.MARKERS[i] + "-", color=tone, markersize=4, label=label)
    ax.set(xscale="log", yscale="log", xlabel="fan-in n", ylabel="Var(z)")
    ax.set_xticks(fan_ins, [str(n) for n in fan_ins])
    ax.xaxis.minorticks_off()
    ax.legend(title="standard deviation of a weight", fontsize=9)
    return ax


def draw_sizes(panels):
    """Measured and predicted mean squares.  panels: {title: (runs, predicted)} of `Sizes`"""
    _, axes = plt.subplots(len(panels), 1, figsize=(5.6, 2.5 * len(panels)), sharex=True, squeeze=False)
    for ax, (title, (runs, predicted)) in zip(axes[:, 0], panels.items()):
        layers = np.arange(len(predicted.signal))
        for part, tone, label, mark in (("signal", "value", "signal", "o"), ("error", "gradient", "error", "^")):
            ax.plot(layers, getattr(predicted, part), color=plotting.color(tone), linewidth=1.4)
            for run in runs:
                ax.plot(layers, getattr(run, part), mark, color=plotting.color(tone), markersize=3.5, alpha=0.5)
            ax.plot([], [], mark + "-", color=plotting.color(tone), markersize=4, label=label)
        ax.set(yscale="log", ylabel="mean square", title=title)
    axes[0, 0].legend(fontsize=9)
    axes[-1, 0].set_xlabel("layer")
    return axes


def draw_heat(scales, grids):
    """log10 of a size over the scale of the weights and the layer.  grids: {title: (scales, layers)}"""
    figure, axes = plt.subplots(len(grids), 1, figsize=(5.6, 2.6 * len(grids)), sharex=True)
    for ax, (title, grid) in zip(axes, grids.items()):
        picture = ax.imshow(
            np.clip(grid, -6.0, 6.0).T, origin="lower", aspect="auto", cmap=plotting.SIGNED, vmin=-6, vmax=6,
            extent=(-0.5, len(scales) - 0.5, -0.5, grid.shape[1] - 0.5),
        )  # fmt: skip
        ax.grid(False)
        ax.set(ylabel="layer", title=title)
    axes[-1].set_xticks(range(len(scales)), [f"{g:g}" for g in scales])
    axes[-1].set_xlabel("gain: variance of a weight × fan-in")
    figure.colorbar(picture, ax=axes, label="log₁₀ of the root mean square")
    return axes


def draw_gains(found):
    """One row an activation: its gain, and the growth of the error a layer.  found: {name: (gain, growth, ...)}"""
    names = sorted(found, key=lambda name: found[name][0])
    rows = range(len(names))
    _, axes = plt.subplots(1, 2, figsize=(5.6, 4.6), sharey=True)
    for ax, k, tone, line, title in (
        (axes[0], 0, "value", 2.0, "gain"),
        (axes[1], 1, "gradient", 1.0, "error, a layer"),
    ):
        ax.axvline(line, color=plotting.color("muted"), linewidth=1.0)
        ax.plot([found[name][k] for name in names], rows, "o", color=plotting.color(tone), markersize=5)
        ax.set(title=title, xlabel="variance × n" if k == 0 else "mean square, factor")
    axes[0].set_yticks(rows, names)
    axes[0].set_xlim(0, 6)
    axes[1].set_xlim(-0.05, 1.6)
    return axes


def draw_fans(widths, rules):
    """Predicted (lines) and measured (points) sizes in layers of unequal width.  rules: {name: (runs, predicted)}"""
    _, axes = plt.subplots(2, 1, figsize=(5.6, 5.0), sharex=True)
    layers = np.arange(len(widths) + 1)
    for ax, part, title in ((axes[0], "signal", "signal"), (axes[1], "error", "error coming back")):
        for i, (name, (runs, predicted)) in enumerate(rules.items()):
            tone = plotting.color(f"series{i}")
            ax.plot(layers, getattr(predicted, part), color=tone, linestyle=("-", (0, (5, 1.5)), (0, (1.5, 1.2)))[i])
            for run in runs:
                ax.plot(layers, getattr(run, part), plotting.MARKERS[i], color=tone, markersize=3.5, alpha=0.5)
            ax.plot([], [], plotting.MARKERS[i], color=tone, label=name)
        ax.set(yscale="log", ylabel="mean square", title=title)
    axes[0].legend(fontsize=9)
    axes[1].set_xticks(layers, [f"{n}" for n in (64, *widths)])
    axes[1].set_xlabel("width of the layer")
    return axes


def draw_accuracies(panels, x_label="held-out accuracy"):
    """One row an arm, one dot a seed.  panels: {title: {arm: values (seeds,)}}"""
    heights = [len(runs) for runs in panels.values()]
    _, axes = plt.subplots(
        len(panels), 1, figsize=(5.6, 0.34 * sum(heights) + 1.2), sharex=True, squeeze=False, height_ratios=heights
    )
    for ax, (title, runs) in zip(axes[:, 0], panels.items()):
        plotting.plot_runs(runs, ax, x_label="").set_title(title)
    axes[-1, 0].set_xlabel(x_label)
    return axes


def draw_widths(widths, panels):
    """Over the width, a line at the median and a dot a seed.  panels: {y label: {form: values (seeds, widths)}}"""
    _, axes = plt.subplots(len(panels), 1, figsize=(5.6, 2.7 * len(panels)), sharex=True, squeeze=False)
    for ax, (label, forms) in zip(axes[:, 0], panels.items()):
        for i, (form, values) in enumerate(forms.items()):
            tone = plotting.color(f"series{i}")
            ax.plot(widths, np.median(values, axis=0), color=tone, linestyle=("-", (0, (5, 1.5)), (0, (1.5, 1.2)))[i])
            for run in values:
                ax.plot(widths, run, plotting.MARKERS[i], color=tone, markersize=4, alpha=0.6)
            ax.plot([], [], plotting.MARKERS[i], color=tone, label=form)
        ax.set(xscale="log", yscale="log", ylabel=label)
        ax.set_xticks(widths, [str(n) for n in widths])
        ax.xaxis.minorticks_off()
    axes[0, 0].legend()
    axes[-1, 0].set_xlabel("hidden units n")
    return axes


def draw_singular(values, ax):
    """Singular values in order.  values: {label: (n,)}"""
    for i, (label, v) in enumerate(values.items()):
        tone = plotting.color(f"series{i}")
        ax.plot(np.arange(1, len(v) + 1), v, plotting.MARKERS[i], color=tone, markersize=4, label=label)
    ax.set(yscale="log", xlabel="number of the singular value", ylabel="singular value")
    ax.legend()
    return ax
