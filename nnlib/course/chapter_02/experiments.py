"""Chapter 2's data, networks that are set by hand, graphs of units, and what is fitted or compared."""

import math
from graphlib import TopologicalSorter

import numpy as np

from nnlib.activations import identity, relu, sigmoid, square, step, tanh
from nnlib.autodiff import Value
from nnlib.data import LOGIC
from nnlib.initializers import zeros
from nnlib.layers import Activation, Dense
from nnlib.metrics import accuracy
from nnlib.network import Sequential
from nnlib.perceptron import Perceptron

ACTIVATIONS = {"step": step, "sigmoid": sigmoid, "relu": relu, "tanh": tanh, "square": square, "identity": identity}
CORNERS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], dtype=np.float64)
TABLES = {outputs: name for name, outputs in LOGIC.items()}  # from a truth table to its name


def example_rng(seed):
    """What `np.random.default_rng` gives, and the same under every NNLIB_SEED: the tries speak of these examples."""
    return np.random.Generator(np.random.PCG64(seed))


def separable(n, gap, rng):
    """Points of the square (-1, 1)^2 on both sides of a random line, none closer to it than ``gap``.

    Returns x (n, 2), y (n,) and the line (w, b); ``gap`` is the margin of `nnlib.perceptron.margin`, the bias counted.
    """
    w, b = rng.normal(size=2), 0.1
    w /= np.linalg.norm(w)
    x = rng.uniform(-1, 1, (40 * n, 2))
    scores = (x @ w + b) / math.sqrt(1.0 + b * b)
    x = x[np.abs(scores) >= gap][:n]
    return x, (x @ w + b > 0).astype(np.int64), (w, b)


def pixels_of(x, block):
    """Digits (N, 64) with their pixels averaged in squares of block x block: (N, 64 / block^2)."""
    side = 8 // block
    return x.reshape(-1, side, block, side, block).mean(axis=(2, 4)).reshape(len(x), -1)


def apart(center, rng, n=60):
    """Points on both sides of the line x1 = center, 0.5 away or more.  -> x (n, 2), y (n,), the line (w, b)"""
    x = rng.uniform(-1, 1, (n, 2))
    y = (x[:, 0] > 0).astype(np.int64)
    x[:, 0] += center + y - 0.5
    return x, y, (np.array([1.0, 0.0]), -center)


def strip(n, rng):
    """Class 1 lies between the lines x2 = 0.6 x1 + 0.5 and x2 = 0.6 x1 - 0.5, class 0 on both sides of them.

    x (n, 2) float32 in the square (-2, 2)^2, no point closer than 0.1 (measured upward) to a line; y (n,) int64.
    """
    x = rng.uniform(-2, 2, (3 * n, 2))
    height = np.abs(x[:, 1] - 0.6 * x[:, 0])
    near = np.abs(height - 0.5) < 0.1
    x, height = x[~near][:n], height[~near][:n]
    return x.astype(np.float32), (height < 0.5).astype(np.int64)


DISCS = (np.array([(-1.0, -0.6), (1.0, 0.6)]), 0.67)  # centers, radius


def discs(n, rng):
    """Class 1 is two separate discs, class 0 the rest of the square (-2, 2)^2.  x (n, 2) float32, y (n,) int64."""
    centers, r = DISCS
    x = rng.uniform(-2, 2, (n, 2)).astype(np.float32)
    distance = np.linalg.norm(x[:, None] - centers, axis=2)
    return x, (distance < r).any(axis=1).astype(np.int64)


def distance_to_discs(x):
    """How far each point is from the nearer edge of a disc, inside or outside.  x (N, 2) -> (N,)"""
    centers, r = DISCS
    return np.abs(np.linalg.norm(x[:, None] - centers, axis=2) - r).min(axis=1)


def polygon(n_edges, radius=1.0, center=(0.0, 0.0)):
    """The half-planes W (2, n_edges), b (n_edges,) whose common part is a regular polygon: x @ W + b >= 0 inside."""
    angle = 2.0 * math.pi * (np.arange(n_edges) + 0.25) / n_edges
    W = -np.stack([np.cos(angle), np.sin(angle)])
    return W, radius - np.asarray(center) @ W


def half_plane(x):
    """1.0 where x1 - 0.7 x2 + 0.3 >= 0: one threshold unit.  x (N, 2) -> (N,)"""
    return step(x @ np.array([1.0, -0.7]) + 0.3)


def pentagon(x):
    """1.0 inside a pentagon: five threshold units and an AND of them.  x (N, 2) -> (N,)"""
    W, b = polygon(5, 1.2)
    return step(step(x @ W + b) @ np.ones(5) - 4.5)


def tent(x, k):
    """The tent map 1 - |2 x - 1| applied k times: 2^(k-1) teeth on [0, 1]."""
    for _ in range(k):
        x = 1.0 - np.abs(2.0 * x - 1.0)
    return x


def hand_set(*layers, f=step):
    """A network of units with activation f from pairs (W (n_in, n_out), b (n_out,)), in float64."""
    parts = []
    for W, _ in layers:
        parts += [Dense(*np.shape(W), init=zeros), Activation(f)]
    network = Sequential(*parts, rng=np.random.default_rng(0), dtype=np.float64)
    for dense, (W, b) in zip(network.layers[::2], layers):
        dense.W.value[...], dense.b.value[...] = W, b
    return network


# Each cell is an AND of half-planes (+1: inside, -1: outside, 0: does not matter), each class an OR of cells.
REGION_LINES = (np.array([[1.0, 0.0, 1.0, -1.0], [0.0, 1.0, 1.0, -1.0]]), np.array([0.0, 0.0, -1.5, -1.5]))
REGION_CELLS = np.array(
    [
        [+1, +1, -1, 0],  # right of h1, above h2, below h3: a triangle
        [+1, +1, +1, 0],  # beyond h3: a corner, open to the outside
        [-1, -1, 0, -1],
        [-1, -1, 0, +1],
        [+1, -1, 0, 0],
        [-1, +1, 0, 0],
    ]
).T.astype(np.float64)
REGION_CLASSES = np.array([[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]]).T.astype(
    float
)


def four_regions(steepness=None):
    """The 2-4-6-4 network: half-planes, then ANDs of them, then ORs.  Without a steepness its units are thresholds."""
    s = steepness or 1.0
    cells = s * REGION_CELLS, -s * (np.sum(REGION_CELLS > 0, axis=0) - 0.5)
    classes = s * REGION_CLASSES, np.full(4, -0.5 * s)
    return hand_set((s * REGION_LINES[0], s * REGION_LINES[1]), cells, classes, f=sigmoid if steepness else step)


def region_of(x):
    """The class that a point of the plane belongs to, by plain comparisons.  x (N, 2) -> (N,)"""
    x1, x2 = x.T
    outer = np.abs(x1 + x2) >= 1.5
    return np.where(x1 * x2 > 0, outer.astype(int), np.where(x1 > 0, 2, 3))


def order_of(sources):
    """An order in which the nodes of {node: its sources} can be computed; a cycle raises `graphlib.CycleError`."""
    return list(TopologicalSorter(sources).static_order())


def random_graph(n_units, n_inputs, rng, most=3):
    """The sources of each unit: up to ``most`` earlier units or inputs; the last unit, the output, reads them all."""
    sources = []
    for k in range(n_inputs, n_inputs + n_units - 1):
        sources.append(sorted(rng.choice(k, size=min(k, most), replace=False).tolist()))
    return [*sources, list(range(n_inputs + n_units - 1))]


def graph_output(x, sources, weights):
    """The last unit's weighted sum (N,).  x (N, D); weights: a row (bias, one weight per source) for each unit."""
    columns = list(x.T)
    for s, (b, *w) in zip(sources, weights):
        z = b + sum(w_i * columns[i] for w_i, i in zip(w, s))
        columns.append(np.tanh(z))
    return z


def train_graph(sources, x, y, rng, n_steps=200, learning_rate=2.0):
    """The weights of a graph of tanh units after gradient descent, a row (bias, one weight per source) for each unit.

    x (N, D), y (N,) of 0 and 1; the loss is the mean of log(1 + exp(-s z)) with s = -1, +1 for the classes 0, 1.
    """
    rows = [[Value(v) for v in rng.normal(0.0, 1.0 / math.sqrt(len(s)), len(s) + 1)] for s in sources]
    sign = 2.0 * y[:, None] - 1.0
    for _ in range(n_steps):
        columns = [Value(column[:, None]) for column in x.T]
        for s, (b, *w) in zip(sources, rows):
            z = b
            for w_i, i in zip(w, s):
                z = z + w_i * columns[i]
            columns.append(z.tanh())
        (1 + (z * -sign).exp()).log().mean().backward()
        for value in (value for row in rows for value in row):
            value.data = value.data - learning_rate * value.grad
    return [np.array([float(value.data) for value in row]) for row in rows]


WAVE_RANGE = (-3.0, 3.0)


def wave(x):
    """sin 2x + 0.3 |x|: a smooth part and a kink."""
    return np.sin(2.0 * x) + 0.3 * np.abs(x)


def wave_bend(x):
    """The second derivative of its smooth part, -4 sin 2x."""
    return -4.0 * np.sin(2.0 * x)


def random_units_fit(x, target, f, n, rng, ridge=1e-9):
    """Fit the output layer of a network whose n hidden units f(w x - w c) have random w and c.  x, target (N,).

    ``ridge`` keeps the output weights finite where hidden units are almost alike. Returns a function of x.
    """
    w, c = rng.normal(0.0, 2.0, n), rng.uniform(*WAVE_RANGE, n)

    def hidden(x):
        return np.column_stack([f(np.outer(x, w) - w * c), np.ones(len(x))])

    H = hidden(x)
    penalty = math.sqrt(ridge * len(x)) * np.eye(n + 1)
    v = np.linalg.lstsq(np.vstack([H, penalty]), np.concatenate([target, np.zeros(n + 1)]), rcond=None)[0]
    return lambda x: hidden(x) @ v


def corners_and_jumps(t, heights):
    """Output weights of n = len(t) - 1 units that follow the heights at the points t, in closed form.

    Returns (offset, slope changes) for ReLUs relu(x - t_j), and (offset, jumps) for steps at the middles of the gaps.
    """
    slopes = np.diff(heights) / np.diff(t)
    return (heights[0], np.diff(slopes, prepend=0.0)), (heights[0], np.diff(heights))


def placed_units(target, n, kind):
    """A network of n hidden units without any fitting: "relu" joins n + 1 points of the target, "step" is a staircase.

    Returns a function of x on WAVE_RANGE.
    """
    t = np.linspace(*WAVE_RANGE, n + 1)
    (low, changes), (start, jumps) = corners_and_jumps(t, target(t))
    return {
        "relu": lambda x: low + relu(np.subtract.outer(x, t[:-1])) @ changes,
        "step": lambda x: start + step(np.subtract.outer(x, (t[:-1] + t[1:]) / 2)) @ jumps,
    }[kind]


def planar_labelings(x):
    """All labelings of points that some line makes, a set of tuples.  x (N, 2), no three of them on a line.

    Every separable labeling is made by a line through two of the points, turned and shifted by as little as puts these
    two on the wanted sides.
    """
    found = set()
    for i in range(len(x)):
        for j in range(i):
            dx, dy = x[i] - x[j]
            side = (x - x[j]) @ np.array([dy, -dx]) > 0
            for at_i in (False, True):
                for at_j in (False, True):
                    side[i], side[j] = at_i, at_j
                    found |= {tuple(side.tolist()), tuple((~side).tolist())}
    return found | {(False,) * len(x), (True,) * len(x)}


def kernel_ridge(train, c, ridge):
    """new x -> scores (N, 10): k(new, x) (k(x, x) + ridge 1)^-1 Y with k(u, v) = exp(-c |u - v|^2), Y one-hot."""
    x, labels = train[0].astype(np.float64), train[1]

    def kernel(u, v):
        return np.exp(-c * (np.sum(u**2, axis=1)[:, None] - 2.0 * u @ v.T + np.sum(v**2, axis=1)))

    alpha = np.linalg.solve(kernel(x, x) + ridge * np.eye(len(x)), np.eye(10)[labels])
    return lambda new: kernel(new.astype(np.float64), x) @ alpha


def best_kernel_ridge(train, tuning):
    """The scores function of the best of 20 settings on the tuning part."""
    x, y = tuning
    fitted = [kernel_ridge(train, c, ridge) for c in (0.03, 0.1, 0.3, 1.0, 3.0) for ridge in (0.01, 0.1, 1.0, 10.0)]
    return max(fitted, key=lambda predict: accuracy(predict(x), y))


def ten_perceptrons(train, validation, seeds, epochs=5):
    """Accuracies on the validation part, one for each seed: a perceptron for each digit, the largest sum wins."""
    found = []
    for seed in seeds:
        run, machines = np.random.default_rng(seed), [Perceptron(64) for _ in range(10)]
        for digit, machine in enumerate(machines):
            machine.fit(train[0], (train[1] == digit).astype(int), epochs, run)
        sums = np.column_stack([validation[0] @ machine.w + machine.b for machine in machines])
        found.append(accuracy(sums, validation[1]))
    return np.array(found)


def grid(low, high, n):
    """The points (n * n, 2) of a square grid, row by row from below."""
    side = np.linspace(low, high, n)
    return np.column_stack([a.ravel() for a in np.meshgrid(side, side)])
