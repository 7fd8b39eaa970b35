"""Chapter 6's still figures."""

import numpy as np

from nnlib import plotting
from nnlib.autodiff import Value


def draw_descents(paths, axes):
    """Gradient descent on (6 w - 1)^2 / 2.  paths: {learning rate: the weight after each step (n_steps + 1,)}"""
    grid = np.linspace(-0.9, 1.35, 200)
    for ax, (learning_rate, path) in zip(axes, paths.items()):
        ax.plot(grid, 0.5 * (6 * grid - 1) ** 2, color=plotting.color("value"))
        steps = 0.5 * (6 * path - 1) ** 2
        ax.plot(path, steps, "o--", color=plotting.color("gradient"), linewidth=1, markersize=4)
        ax.set(title=f"learning rate {learning_rate:g}", ylabel="loss L", ylim=(-1, 24))
    axes[-1].set_xlabel("weight w")
    return axes


def draw_biases(losses, ax):
    """Loss over updates, both logarithmic.  losses: {kind of biases: (n_updates + 1,)}"""
    for i, (kind, run) in enumerate(losses.items()):
        style = {"color": plotting.color(f"series{i}"), "linestyle": ["-", "--", ":"][i], "label": kind}
        ax.loglog(np.arange(1, len(run)), run[1:], **style)
    ax.set(xlabel="update", ylabel="loss L")
    ax.legend(title="biases")
    return ax


def draw_deltas(deltas, labels, misread, axes):
    """One heat map per layer: rows are examples, columns units.  deltas: [(N, n_l)], labels and misread (N,)"""
    marks = [f"{y}\n{'✗' if wrong else ''}" for y, wrong in zip(labels, misread)]
    for layer, (ax, delta) in enumerate(zip(axes, deltas), start=1):
        reach = np.max(np.abs(delta))
        ax.imshow(delta.T, cmap=plotting.SIGNED, vmin=-reach, vmax=reach, aspect="auto")
        ax.set(title=f"$\\delta^{layer}$", ylabel="unit")
        ax.grid(False)
        ax.set_xticks(range(len(labels)), marks if layer == len(deltas) else [])
    axes[-1].set_xlabel("example: its label, ✗ = misread")
    return axes


def draw_errors(found, ax, limit=1e-6):
    """Relative errors as bars on a logarithmic axis, with the limit of a check.  found: {name: error}"""
    values = np.maximum(list(found.values()), 1e-9)
    ax.barh(list(found)[::-1], values[::-1], color=plotting.color("gradient"))
    ax.axvline(limit, color=plotting.color("muted"), linestyle="--")
    ax.set(xscale="log", xlim=(1e-10, 3), xlabel="relative error (dashed: the limit)")
    return ax


def draw_held_out(comparison, nearest, ax):
    """One dot per seed for each arm of a comparison, and a line for a method without training."""
    comparison.draw(ax)
    ax.axvline(nearest, color=plotting.color("muted"), linestyle="--", label="nearest neighbor")
    ax.legend(loc="lower left")
    return ax


def draw_skip_graph():
    """The graph of L = h + h^2 with h = 2 x at x = 1, after its backward pass."""
    h = Value(2.0, "2") * Value(1.0, "x")
    square = h * h
    loss = h + square
    h.name, square.name, loss.name = "h", "h²", "L"
    loss.backward()
    return plotting.draw_graph(loss)
