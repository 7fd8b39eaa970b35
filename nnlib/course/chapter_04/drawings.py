"""Chapter 4's still figures."""

import numpy as np

from nnlib.plotting import color


def plot_runs(runs, ax, *, x_label="training loss after the last epoch (nats)", log=True):
    """One row per arm of an experiment, one dot per seed and a bar at the mean.  runs: {label: losses (seeds,)}"""
    for row, losses in enumerate(runs.values()):
        ax.plot(losses, np.full(len(losses), row), "o", color=color("muted"), markersize=5)
        ax.plot([np.mean(losses)] * 2, [row - 0.3, row + 0.3], color=color("value"), linewidth=2.5)
    ax.set(yticks=range(len(runs)), yticklabels=list(runs), xlabel=x_label, ylim=(len(runs) - 0.5, -0.5))
    if log:
        ax.set_xscale("log")
    return ax
