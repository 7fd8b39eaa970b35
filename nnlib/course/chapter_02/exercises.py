"""Chapter 2's exercises."""

import itertools

import numpy as np

from nnlib.course.chapter_02.experiments import CORNERS, polygon, random_graph
from nnlib.course.registry import exercise


def _threshold_cases(rng):
    on_the_line = (np.array([1.0, 1.0]), -1.0, np.array([(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0)]))
    cases = [on_the_line]
    for n, n_examples in ((1, 4), (3, 5), (6, 2)):
        cases.append((rng.normal(size=n), float(rng.normal()), rng.normal(size=(n_examples, n))))
    return [*cases, (np.float32([0.5, -2.0]), 0.25, rng.normal(size=(7, 2)).astype(np.float32))]


@exercise("02.threshold_unit", cases=_threshold_cases)
def threshold_unit(w, b, x):
    """1.0 where w . x + b >= 0, else 0.0.  w (n,), x (N, n) -> (N,) of x's dtype"""
    return (x @ w + b >= 0).astype(x.dtype)


threshold_unit.mistake("an example on the line itself, where z = 0, belongs to class 1: use >=, not >")(
    lambda w, b, x: (x @ w + b > 0).astype(x.dtype)
)
threshold_unit.mistake("the bias is missing: the line then always passes through the origin")(
    lambda w, b, x: (x @ w >= 0).astype(x.dtype)
)
threshold_unit.mistake("this is the weighted sum z itself: send it through the step function")(
    lambda w, b, x: x @ w + b
)


def _update_cases(rng):
    cases = [(np.zeros(2), 0.0, np.array([1.0, 2.0]), 0), (np.zeros(2), 0.0, np.array([1.0, 2.0]), 1)]
    for n in (1, 3, 4, 6):
        for y in (0, 1):
            cases.append((rng.normal(size=n), float(rng.normal()), rng.normal(size=n), y))
    return cases


@exercise("02.perceptron_update", cases=_update_cases)
def perceptron_update(w, b, x, y):
    """w + (y - prediction) x and b + (y - prediction) for one example.  w (n,), x (n,), y 0 or 1 -> (w, b)"""
    error = y - float(w @ x + b >= 0)
    return w + error * x, b + error


@perceptron_update.mistake("the rule changes nothing when the prediction is right")
def _update_always(w, b, x, y):
    return w + (2 * y - 1) * x, b + (2.0 * y - 1)


perceptron_update.mistake("the bias learns, too: it is the weight of an input that is always 1")(
    lambda w, b, x, y: (w + (y - float(w @ x + b >= 0)) * x, b)
)
perceptron_update.mistake("the step goes the wrong way: the error is y minus the prediction")(
    lambda w, b, x, y: (w - (y - float(w @ x + b >= 0)) * x, b - (y - float(w @ x + b >= 0)))
)


def _polygon_cases(rng):
    return [
        (rng.uniform(-2, 2, (60, 2)), *polygon(n, r, rng.uniform(-0.5, 0.5, 2)))
        for n, r in ((1, 0.4), (3, 0.8), (5, 1.2))
    ]


@exercise("02.in_polygon", cases=_polygon_cases)
def in_polygon(x, W, b):
    """1.0 where all half-planes x @ W + b >= 0 agree, else 0.0.  x (N, 2), W (2, n), b (n,) -> (N,)"""
    h = (x @ W + b >= 0).astype(np.float64)
    return (h.sum(axis=1) >= W.shape[1] - 0.5).astype(np.float64)


in_polygon.mistake("this is OR: one half-plane is enough for you, but a point inside lies in all of them")(
    lambda x, W, b: (x @ W + b >= 0).any(axis=1).astype(np.float64)
)
in_polygon.mistake("the sum of the pre-activations is not the number of half-planes that agree: apply the step first")(
    lambda x, W, b: ((x @ W + b).sum(axis=1) >= W.shape[1] - 0.5).astype(np.float64)
)


def _xor_cases(rng):
    return [(CORNERS,), (CORNERS[[1]],), (rng.integers(0, 2, (9, 2)).astype(np.float64),)]


@exercise("02.xor_network", cases=_xor_cases)
def xor_network(x):
    """XOR of two inputs that are 0 or 1, from threshold units.  x (N, 2) -> (N,)"""
    h_or = (x @ np.array([1.0, 1.0]) - 0.5 >= 0).astype(np.float64)
    h_and = (x @ np.array([1.0, 1.0]) - 1.5 >= 0).astype(np.float64)
    return (h_or - h_and - 0.5 >= 0).astype(np.float64)


xor_network.mistake("this is OR: the pair (1, 1) must give 0")(lambda x: (x.sum(axis=1) >= 0.5).astype(np.float64))
xor_network.mistake("this is XNOR, the opposite")(lambda x: (x[:, 0] == x[:, 1]).astype(np.float64))
xor_network.mistake("this is NAND: the pair (0, 0) must give 0")(lambda x: (x.sum(axis=1) < 1.5).astype(np.float64))


def _count_cases(rng):
    return [([2, 1],), ([2, 100, 100, 1],), ([784, 1000, 10],), ([3, 5, 7, 2],)]


@exercise("02.count_parameters", cases=_count_cases)
def count_parameters(sizes):
    """Weights and biases of a fully connected network, e.g. [2, 100, 100, 1] -> 10501."""
    return sum(n_in * n_out + n_out for n_in, n_out in itertools.pairwise(sizes))


count_parameters.other_way(lambda s: sum((s[i] + 1) * s[i + 1] for i in range(len(s) - 1)))

count_parameters.mistake("the biases are missing: every unit has one")(
    lambda s: sum(a * b for a, b in itertools.pairwise(s))
)
count_parameters.mistake("the inputs have no biases: they are data, not units")(
    lambda s: sum(a * b for a, b in itertools.pairwise(s)) + sum(s)
)
count_parameters.mistake(
    "that is the number of units: count one weight for each pair of neighbors, and one bias for each unit"
)(sum)


def _stack_cases(rng, examples=True):
    cases = []
    for sizes in ((3, 2), (2, 5, 3), (4, 3, 6, 2)):
        weights = [rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
        biases = [rng.normal(size=n) for n in sizes[1:]]
        cases.append((rng.normal(size=(7, sizes[0])), weights, biases) if examples else (weights, biases))
    return cases


@exercise("02.forward_batch", cases=_stack_cases)
def forward_batch(x, weights, biases):
    """tanh in every hidden layer, no activation at the output.  x (N, n_0), weights (n_in, n_out) -> (N, n_L)"""
    a = x
    for W, b in zip(weights[:-1], biases[:-1]):
        a = np.tanh(a @ W + b)
    return a @ weights[-1] + biases[-1]


@forward_batch.mistake("the output layer has no activation: its numbers may leave (-1, 1)")
def _forward_everywhere(x, weights, biases):
    for W, b in zip(weights, biases):
        x = np.tanh(x @ W + b)
    return x


@forward_batch.mistake("there is no activation between the layers: the network is one affine map")
def _forward_nowhere(x, weights, biases):
    for W, b in zip(weights, biases):
        x = x @ W + b
    return x


@forward_batch.mistake("the bias belongs inside the activation: a = tanh(x W + b)")
def _forward_before_bias(x, weights, biases):
    for W, b in zip(weights[:-1], biases[:-1]):
        x = np.tanh(x @ W) + b
    return x @ weights[-1] + biases[-1]


@exercise("02.collapse", cases=lambda rng: _stack_cases(rng, examples=False))
def collapse(weights, biases):
    """The one affine map (W, b) that equals all the layers of an identity network."""
    W, b = weights[0], biases[0]
    for next_W, next_b in zip(weights[1:], biases[1:]):
        W, b = W @ next_W, b @ next_W + next_b
    return W, b


@collapse.mistake("an early bias passes through all later layers: multiply it by their weights before you add")
def _collapse_sum(weights, biases):
    W = weights[0]
    for next_W in weights[1:]:
        W = W @ next_W
    return W, biases[-1]


def _graph_cases(rng):
    cases = []
    for n_units, n_inputs, n_examples in ((1, 2, 3), (4, 2, 5), (7, 3, 6)):
        sources = random_graph(n_units, n_inputs, rng)
        weights = [rng.normal(size=len(s)) for s in sources]
        cases.append((rng.normal(size=(n_examples, n_inputs)), sources, weights, rng.normal(size=n_units)))
    return cases


@exercise("02.graph_forward", cases=_graph_cases)
def graph_forward(x, sources, weights, biases):
    """All units of a network without layers: unit k is tanh of the weighted sum of its sources; the last one, z itself.

    x (N, D); sources[k] lists columns: 0 .. D-1 are the inputs, D + j is unit j.  -> the last unit (N,)
    """
    columns = list(x.T)
    for s, w, b in zip(sources, weights, biases):
        z = b + sum(w_i * columns[i] for w_i, i in zip(w, s))
        columns.append(np.tanh(z))
    return z


@graph_forward.mistake("the last unit is the output: it has no activation")
def _graph_tanh_at_the_end(x, sources, weights, biases):
    return np.tanh(graph_forward(x, sources, weights, biases))


@graph_forward.mistake("a source D + j is unit j: append each unit's output to the columns")
def _graph_inputs_only(x, sources, weights, biases):
    for s, w, b in zip(sources, weights, biases):
        z = b + sum(w_i * (x[:, i] if i < x.shape[1] else 0.0 * x[:, 0]) for w_i, i in zip(w, s))
    return z


@graph_forward.mistake("the units apply tanh; without it the whole graph is one affine map")
def _graph_linear(x, sources, weights, biases):
    columns = list(x.T)
    for s, w, b in zip(sources, weights, biases):
        columns.append(b + sum(w_i * columns[i] for w_i, i in zip(w, s)))
    return columns[-1]
