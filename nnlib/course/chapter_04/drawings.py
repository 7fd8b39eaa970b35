"""Chapter 4's still figures, and the recorded results as they need them."""

import numpy as np

from nnlib.activations import ELEMENTWISE
from nnlib.comparison import Unfair
from nnlib.course.seeds import resampled
from nnlib.plotting import color, plot_decision, plot_elementwise, plot_runs, spread

# --- recorded results: arms "name, scale, rate" -----------------------------------------------------------------------


def by_setting(recorded, measure="wrong"):
    """{name: {scale: {rate: (n_seeds,)}}} of a record whose arms are "name, scale, rate"; see `resampled`."""
    found = {}
    for arm, row in recorded.results.items():
        name, scale, rate = arm.rsplit(", ", 2)
        values = row[measure][resampled(len(row[measure]), name)]
        found.setdefault(name, {}).setdefault(float(scale), {})[float(rate)] = values
    return found


def best_rate(by_rate):
    """The rate of {rate: (n_seeds,)} with the lowest mean; an error where it stands at an end of the grid.

    Runs that were drawn again may put it there: that happens, and the grid was chosen for all of them.
    """
    rates = sorted(by_rate)
    best = min(rates, key=lambda rate: by_rate[rate].mean())
    redrawn = not np.array_equal(resampled(len(by_rate[best])), np.arange(len(by_rate[best])))
    if best in (rates[0], rates[-1]) and not redrawn:
        raise Unfair(f"the best rate, {best:g}, stands at the edge of {rates}: add others")
    return best


def at_best_rates(recorded, measure="wrong"):
    """{name: {scale: (n_seeds,)}}: each scale of the weights at the rate with the fewest wrong answers."""
    wrong, wanted = by_setting(recorded), by_setting(recorded, measure)
    return {
        name: {scale: wanted[name][scale][best_rate(by_rate)] for scale, by_rate in scales.items()}
        for name, scales in wrong.items()
    }


def at_best(recorded, measure="wrong"):
    """{name: (n_seeds,)}: each activation at its best scale and rate, by the fewest wrong answers.

    Of three scales and more the best one has both neighbors, too.
    """
    wrong, wanted, found = at_best_rates(recorded), at_best_rates(recorded, measure), {}
    for name, scales in wrong.items():
        best = best_rate(scales) if len(scales) > 2 else min(scales, key=lambda scale: scales[scale].mean())
        found[name] = wanted[name][best]
    return found


def best_arm(recorded, name):
    """The arm "name, scale, rate" with the fewest wrong answers, as the record calls it."""
    arms = [arm for arm in recorded.arms if arm.rsplit(", ", 2)[0] == name]
    return min(arms, key=lambda arm: recorded.results[arm]["wrong"].mean())


# --- figures ----------------------------------------------------------------------------------------------------------


def draw_scales(found, ax):
    """Percent wrong over the scale of the weights: means, and all runs as bands.  found: {name: {scale: (seeds,)}}"""
    for i, (name, scales) in enumerate(found.items()):
        runs = np.array(list(scales.values())).T
        spread(np.log2(list(scales)), runs, ax, label=name, name=f"series{i}")
        ax.lines[-1].set(ydata=runs.mean(axis=0), marker="osD^"[i % 4], markersize=5)
    ticks = list(next(iter(found.values())))
    ax.set(xticks=np.log2(ticks), xticklabels=[f"{t:g}" for t in ticks])
    ax.set(xlabel="scale of the first weights (1: Xavier's)", ylabel="wrong (%)", yscale="log")
    ax.set(yticks=[3, 5, 10, 30, 90], yticklabels=["3", "5", "10", "30", "90"])
    ax.minorticks_off()
    ax.legend()
    return ax


def draw_wrong(panels, axes):
    """`plot_runs` in panels, on one axis of percent.  panels: {title: {label: (seeds,)}}"""
    for (title, runs), ax in zip(panels.items(), axes, strict=True):
        plot_runs(runs, ax, x_label="", log=True)
        ax.set_title(title, fontsize=9)
        ax.minorticks_off()
    largest = max(values.max() for runs in panels.values() for values in runs.values())
    ticks = [t for t in (2, 3, 4, 5, 7, 10, 20, 40, 90) if t < 1.3 * largest]
    axes[-1].set(xlabel="wrong among new writers' digits (%)", xticks=ticks, xticklabels=ticks)
    return axes


def draw_calibration(said, seen, thresholds, costs, axes):
    """Share of eights over predicted probability, one line a seed, and below it the cost of each threshold.

    said, seen (seeds, bins); costs: {factor of a miss: (seeds, thresholds)}
    """
    axes[0].plot([0, 1], [0, 1], color=color("muted"), linestyle=":")
    axes[0].plot(said.T, seen.T, "o-", color=color("validation"), alpha=0.7)
    axes[0].set(xlabel="predicted probability", ylabel="share of eights")
    for i, (c, runs) in enumerate(costs.items()):
        spread(thresholds, runs, axes[1], label=f"a miss costs {c}×", name=f"series{i}")
        axes[1].axvline(1 / (1 + c), color=color(f"series{i}"), linestyle=":")
    axes[1].set(xlabel="threshold", ylabel="cost per digit", yscale="log")
    return axes


def draw_maxout(x, approximations, axes):
    """x² and its approximations by straight pieces.  x (n,), approximations: {number of pieces: (n,)}"""
    for ax, (k, a) in zip(axes, approximations.items()):
        ax.plot(x, x**2, color=color("muted"), linestyle=":", label="x²")
        ax.plot(x, a, color=color("value"), label="Maxout")
        ax.set(xlabel="x", title=f"k = {k}")
    axes[0].legend()
    return axes


def draw_all(axes):
    """Every elementwise activation of nnlib with its derivative, in a grid of axes."""
    for ax in axes.flat[len(ELEMENTWISE) :]:
        ax.axis("off")
    for f, ax in zip(ELEMENTWISE.values(), axes.flat):
        plot_elementwise(f, ax, low=-4, high=4, legend=False)
        ax.set(ylim=(-2, 4), xlabel="", ylabel="")
        ax.set_title(str(f).replace("_", " "), fontsize=9)
    axes.flat[0].figure.supxlabel("pre-activation z")
    axes.flat[0].figure.supylabel("value (solid) and derivative (dashed)")
    return axes


def draw_step(panels, axes):
    """Regions of classifiers on two moons, side by side.  panels: {title: (predict, x, y)}"""
    for ax, (title, (predict, x, y)) in zip(axes, panels.items()):
        plot_decision(predict, x, y, ax)
        ax.set_title(title, fontsize=9)
    return axes
