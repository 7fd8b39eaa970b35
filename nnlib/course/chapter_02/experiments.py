"""Chapter 2's data, networks that are set by hand, graphs of units, and the models that are compared."""

import math
from graphlib import TopologicalSorter

import numpy as np

from nnlib.activations import identity, relu, sigmoid, square, step, tanh
from nnlib.autodiff import Value
from nnlib.data import LOGIC
from nnlib.gradcheck import numerical_gradient, relative_error
from nnlib.initializers import xavier_normal, zeros
from nnlib.layers import Activation, Dense
from nnlib.losses import binary_cross_entropy
from nnlib.network import Sequential, mlp
from nnlib.optimizers import Adam
from nnlib.training import fit

ACTIVATIONS = {"step": step, "sigmoid": sigmoid, "relu": relu, "tanh": tanh, "square": square, "identity": identity}
CORNERS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], dtype=np.float64)
TABLES = {outputs: name for name, outputs in LOGIC.items()}  # from a truth table to its name


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


def tent(x, k):
    """The tent map 1 - |2 x - 1| applied k times: 2^(k-1) teeth on [0, 1]."""
    for _ in range(k):
        x = 1.0 - np.abs(2.0 * x - 1.0)
    return x


def hand_set(*layers, h=step):
    """A network of units with activation h from pairs (W (n_in, n_out), b (n_out,)), in float64."""
    parts = []
    for W, _ in layers:
        parts += [Dense(*np.shape(W), init=zeros), Activation(h)]
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
    return hand_set((s * REGION_LINES[0], s * REGION_LINES[1]), cells, classes, h=sigmoid if steepness else step)


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


def random_weights(sources, rng):
    """A bias and a weight per source for each unit, as `Value` numbers."""
    return [[Value(v) for v in rng.normal(0.0, 1.0 / math.sqrt(len(s)), len(s) + 1)] for s in sources]


def gradient_error(loss, weights, backward):
    """Relative error of the gradients that ``backward(loss(weights))`` leaves in weights, rows of `Value` numbers."""
    flat = [value for row in weights for value in row]
    backward(loss(weights))
    computed = np.array([float(value.grad) for value in flat])

    def loss_at(theta):
        values = iter(theta)
        return float(loss([[Value(next(values)) for _ in row] for row in weights]).data)

    return relative_error(computed, numerical_gradient(loss_at, np.array([float(value.data) for value in flat])))


WAVE_RANGE = (-3.0, 3.0)


def wave(x):
    """sin 2x + 0.3 |x|: a smooth part and a kink."""
    return np.sin(2.0 * x) + 0.3 * np.abs(x)


def random_features_fit(x, y, h, n, rng, ridge=1e-9):
    """Fit the output layer of a network whose n hidden units h(w x - w c) have random w and c.  x (N,), y (N,).

    ``ridge`` keeps the output weights finite where hidden units are almost alike. Returns a function of x.
    """
    w, c = rng.normal(0.0, 2.0, n), rng.uniform(*WAVE_RANGE, n)

    def hidden(x):
        return np.column_stack([h(np.outer(x, w) - w * c), np.ones(len(x))])

    H = hidden(x)
    penalty = math.sqrt(ridge * len(x)) * np.eye(n + 1)
    v = np.linalg.lstsq(np.vstack([H, penalty]), np.concatenate([y, np.zeros(n + 1)]), rcond=None)[0]
    return lambda x: hidden(x) @ v


def kernel_ridge(x, y, gamma=2.0, ridge=0.5):
    """Scores of class 1 minus class 0: k(new, x) (k(x, x) + ridge 1)^-1 (2 y - 1), k(a, b) = exp(-gamma |a - b|^2)."""

    def kernel(a, b):
        return np.exp(-gamma * np.sum((a[:, None] - b) ** 2, axis=2))

    alpha = np.linalg.solve(kernel(x, x) + ridge * np.eye(len(x)), 2.0 * y - 1.0)
    return lambda new: kernel(new, x) @ alpha


def network_trainer(width, rng):
    """train(x, y) -> predict, for logistic regression (width 0) or one hidden layer of ``width`` ReLU units."""
    network = mlp((2, width, 1) if width else (2, 1), relu, xavier_normal, rng)

    def train(x, y):
        pair = x, y[:, None].astype(np.float32)
        fit(network, binary_cross_entropy, Adam(0.01), pair, epochs=100, batch_size=20, rng=rng, progress=False)
        return network.predict

    return train


def grid(low, high, n):
    """The points (n * n, 2) of a square grid, row by row from below."""
    side = np.linspace(low, high, n)
    return np.column_stack([a.ravel() for a in np.meshgrid(side, side)])
