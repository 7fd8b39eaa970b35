"""Chapter 7's still figures."""

import numpy as np

from nnlib.plotting import color, plot_curves, plot_runs, plt, spread


def draw_noise(sizes, measured, predicted, ax=None):
    """Noise of a batch's gradient over its size: rings measured, the line predicted."""
    ax = plt.figure(figsize=(5.6, 3.2)).subplots() if ax is None else ax
    ax.loglog(sizes, predicted, color=color("muted"), linestyle="--", label="predicted")
    ax.loglog(sizes, measured, "o", color=color("gradient"), fillstyle="none", label="measured")
    ax.set(xlabel="examples in a batch", ylabel="noise of the gradient (rms)")
    ax.legend()
    return ax


def draw_excess(curves, ax=None):
    """Excess losses of several runs over the epoch.  curves: {label: (n_seeds, n_epochs + 1)}"""
    ax = plt.figure(figsize=(5.6, 3.4)).subplots() if ax is None else ax
    for i, (label, runs) in enumerate(curves.items()):
        spread(np.arange(runs.shape[1]), np.maximum(runs, 1e-14), ax, label=label, name=f"series{i}", x_label="epoch")
    ax.set(yscale="log", ylabel="loss above its minimum", ylim=(1e-10, 10.0))
    ax.legend()
    return ax


def draw_comparisons(found, log=True):
    """One panel of `plot_runs` for each of {title: Comparison}, stacked."""
    height = 0.6 + sum(0.55 + 0.28 * len(list(one)) for one in found.values())
    _, axes = plt.subplots(len(found), 1, figsize=(5.6, height), sharex=True, squeeze=False)
    for ax, (title, one) in zip(axes[:, 0], found.items()):
        plot_runs(one.held_out, ax, x_label="", log=log)
        ax.set_title(title)
    axes[-1, 0].set_xlabel("held-out loss (nats)")
    return axes[:, 0]


def draw_schedules(schedules, n_steps, ax=None):
    """Learning rates over the steps.  schedules: {label: schedule}"""
    ax = plt.figure(figsize=(5.6, 3.0)).subplots() if ax is None else ax
    steps = np.arange(n_steps)
    rates = {label: np.array([schedule(int(k)) for k in steps]) for label, schedule in schedules.items()}
    return plot_curves(steps, rates, ax, x_label="step", y_label="learning rate")


def draw_stable(predicted, met, ax=None):
    """The largest stable rates that were met over those predicted."""
    ax = plt.figure(figsize=(4.2, 3.2)).subplots() if ax is None else ax
    ends = [0.9 * min(predicted), 1.1 * max(predicted)]
    ax.plot(ends, ends, color=color("muted"), linestyle="--", label="equal")
    ax.plot(predicted, met, "o", color=color("value"), label="one network")
    ax.set(xlabel="predicted: 2 / top curvature", ylabel="met: where distances begin to grow")
    ax.legend()
    return ax


def draw_escapes(curves, ax=None):
    """Losses on the way out of a saddle.  curves: {label: (n_steps,)}"""
    ax = plt.figure(figsize=(5.6, 3.0)).subplots() if ax is None else ax
    steps = np.arange(len(next(iter(curves.values()))))
    return plot_curves(steps, curves, ax, x_label="step", y_label="loss (nats)")


def draw_widths(ends, ax=None):
    """Final training losses, one dot a seed.  ends: {label: (n_seeds,)}"""
    ax = plt.figure(figsize=(5.6, 2.2)).subplots() if ax is None else ax
    plot_runs(ends, ax, x_label="training loss at the end (nats)", log=True)
    values = np.concatenate(list(ends.values()))
    if values.max() > 6.0 * values.min():  # the numbers between the powers of ten would run into each other
        ax.xaxis.set_minor_formatter("")
    return ax


def draw_sweep(rates, losses, marks, ax=None):
    """Losses of a sweep of rising rates, with vertical lines at {label: rate}."""
    ax = plt.figure(figsize=(5.6, 3.0)).subplots() if ax is None else ax
    ax.semilogx(rates, losses, color=color("train"))
    for (label, rate), style in zip(marks.items(), ("--", ":", "-.")):
        ax.axvline(rate, color=color("muted"), linestyle=style, label=label)
    ax.set(xlabel="learning rate", ylabel="batch loss (nats)", ylim=(0.0, 4.0))
    ax.legend()
    return ax


def draw_repairs(runs):
    """Held-out accuracy after each repair, one dot a seed.  runs: {label: (n_seeds,)}"""
    ax = plt.figure(figsize=(5.6, 2.6)).subplots()
    plot_runs(runs, ax, x_label="held-out accuracy after 6 epochs")
    ax.axvline(0.1, color=color("muted"), linestyle=":")
    return ax


def draw_paths(lines, grid, ax=None):
    """Losses on the way from one network to another, a curve for each of lines (n, n_points)."""
    ax = plt.figure(figsize=(5.6, 2.8)).subplots() if ax is None else ax
    ax.plot(grid, np.transpose(lines), color=color("value"), linewidth=1.2)
    ax.set(xlabel="share of the way", ylabel="loss (nats)")
    return ax
