"""Chapter 2's exercises."""

import math
from fractions import Fraction

import numpy as np

from nnlib.course.chapter_02.experiments import CORNERS, random_graph
from nnlib.course.registry import exercise


def _vote_cases(rng):
    shapes = ((6, 3, 2), (9, 5, 1), (9, 5, 4), (7, 4, 4), (8, 6, 3))
    return [(rng.integers(0, 2, (n, n_inputs)).astype(np.float64), k) for n, n_inputs, k in shapes]


@exercise("02.at_least", cases=_vote_cases)
def at_least(x, k):
    """1.0 for rows with k ones or more, by one threshold unit whose weights are all 1.  x (N, D) of 0 and 1 -> (N,)"""
    w, b = np.ones(x.shape[1]), 0.5 - k
    return (x @ w + b >= 0).astype(np.float64)


at_least.mistake("this is on above k: with exactly k ones the sum must reach 0, too")(
    lambda x, k: (x.sum(axis=1) > k).astype(np.float64)
)
at_least.mistake("this is on from k - 1 ones on: the sum must stay below 0 there")(
    lambda x, k: (x.sum(axis=1) >= k - 1).astype(np.float64)
)
at_least.mistake("this is on for exactly k ones; a unit that is on stays on when more inputs come")(
    lambda x, k: (x.sum(axis=1) == k).astype(np.float64)
)
at_least.mistake("the bias does not depend on k: this is OR")(lambda x, k: (x.sum(axis=1) >= 0.5).astype(np.float64))
at_least.cheat("this is the majority, right for one k only")(lambda x, k: (x.mean(axis=1) >= 0.5).astype(np.float64))
at_least.other_way(lambda x, k: np.where(x.sum(axis=1) - k >= 0, 1.0, 0.0))
at_least.other_way(lambda x, k: 1.0 * (np.sort(x, axis=1)[:, -k] > 0))


def _mirror_cases(rng):
    cases = [(np.array([3.0, 4.0]), -5.0, np.array([(2.0, 1.0), (0.0, 0.0), (1.0, 0.5)]))]
    for n_inputs, n in ((1, 4), (3, 5), (5, 2)):
        cases.append((rng.normal(size=n_inputs), float(rng.normal()), rng.normal(size=(n, n_inputs))))
    return cases


@exercise("02.mirror", cases=_mirror_cases)
def mirror(w, b, x):
    """The mirror images of the rows of x in the decision boundary w . x + b = 0.  w (D,), x (N, D) -> (N, D)"""
    return x - 2.0 * ((x @ w + b) / (w @ w))[:, None] * w


mirror.mistake("this is the nearest point of the boundary: the image lies as far again behind it")(
    lambda w, b, x: x - ((x @ w + b) / (w @ w))[:, None] * w
)
mirror.mistake("the length of w counts twice: once in the distance, once in the direction of length 1")(
    lambda w, b, x: x - 2.0 * ((x @ w + b) / np.linalg.norm(w))[:, None] * w
)
mirror.mistake("the bias is missing: this mirrors in a parallel boundary through the origin")(
    lambda w, b, x: x - 2.0 * ((x @ w) / (w @ w))[:, None] * w
)
mirror.mistake("this walks away from the boundary: subtract, since w points to where z grows")(
    lambda w, b, x: x + 2.0 * ((x @ w + b) / (w @ w))[:, None] * w
)
mirror.cheat("this turns the points about the origin and looks at neither w nor b")(lambda w, b, x: -x)
mirror.other_way(lambda w, b, x: x @ (np.eye(len(w)) - 2.0 * np.outer(w, w) / (w @ w)) - 2.0 * b * w / (w @ w))
mirror.other_way(lambda w, b, x: x - np.outer(2.0 * (x @ w + b) / np.sum(w**2), w))


EDGES = np.array([(0.5, 0.0), (0.25, 0.25), (1.0, 0.5), (0.75, 0.75)])  # on the lines themselves


@exercise(
    "02.xor_network", cases=lambda rng: [(CORNERS,), (CORNERS[[1]],), (rng.uniform(-1.0, 2.0, (40, 2)),), (EDGES,)]
)
def xor_network(x):
    """1.0 between the lines x1 + x2 = 0.5 and x1 + x2 = 1.5, else 0.0, by three threshold units.  x (N, 2) -> (N,)"""
    above_lower = (x @ np.array([1.0, 1.0]) - 0.5 >= 0).astype(np.float64)
    above_upper = (x @ np.array([1.0, 1.0]) - 1.5 >= 0).astype(np.float64)
    return (above_lower - above_upper - 0.5 >= 0).astype(np.float64)


def _on(z):
    return np.where(z >= 0, 1.0, 0.0)


xor_network.mistake("this is OR: above the second line, at (1, 1) too, the output must be 0")(
    lambda x: _on(x.sum(axis=1) - 0.5)
)
xor_network.mistake("this is XNOR, the opposite: it is on outside of the strip")(
    lambda x: 1.0 - (_on(x.sum(axis=1) - 0.5) - _on(x.sum(axis=1) - 1.5))
)
xor_network.mistake(
    "this is XOR at the four corners with other lines, x1 - x2 = 0.5 and x2 - x1 = 0.5: take those of the task"
)(lambda x: _on(_on(x[:, 0] - x[:, 1] - 0.5) + _on(x[:, 1] - x[:, 0] - 0.5) - 0.5))
xor_network.cheat("this is right at the corners, but no threshold unit is in it: between the corners it is no 0 or 1")(
    lambda x: np.abs(x[:, 0] - x[:, 1])
)
xor_network.cheat("this compares the inputs and is right at the corners only: use three threshold units")(
    lambda x: (x[:, 0] != x[:, 1]).astype(np.float64)
)
xor_network.other_way(lambda x: _on(_on(x[:, 0] + x[:, 1] - 0.5) + (1.0 - _on(x[:, 0] + x[:, 1] - 1.5)) - 1.5))
xor_network.other_way(lambda x: _on(_on(x @ np.ones((2, 2)) - np.array([0.5, 1.5])) @ np.array([1.0, -1.0]) - 0.5))


def _staircase_cases(rng):
    cases = [(np.array([-1.0, 0.0, 0.5, 1.0, 3.0]), np.array([0.0, 1.0]), np.array([2.0, 5.0, -1.0]))]
    for n in (1, 3, 6):
        cases.append((rng.uniform(-3, 3, 15), np.sort(rng.uniform(-2, 2, n)), rng.normal(size=n + 1)))
    return cases


@exercise("02.staircase", cases=_staircase_cases)
def staircase(x, t, heights):
    """One hidden layer of step units: heights[0] left of t[0], heights[j] from t[j - 1] on.

    x (N,), t (n,) ascending, heights (n + 1,) -> (N,)
    """
    a = (np.subtract.outer(x, t) >= 0).astype(np.float64)
    return a @ np.diff(heights) + heights[0]


staircase.mistake("the units that are on add up: the output weights are the jumps between heights, not the heights")(
    lambda x, t, heights: (np.subtract.outer(x, t) >= 0) @ heights[1:] + heights[0]
)
staircase.mistake("the output bias is missing: left of the first step the value is heights[0]")(
    lambda x, t, heights: (np.subtract.outer(x, t) >= 0) @ np.diff(heights)
)
staircase.mistake("a step unit is 1 at z = 0: the new height begins at t[j - 1] itself")(
    lambda x, t, heights: (np.subtract.outer(x, t) > 0) @ np.diff(heights) + heights[0]
)
staircase.cheat("this joins the heights by straight lines: no step unit is in it")(
    lambda x, t, heights: np.interp(x, t, heights[1:])
)
staircase.other_way(lambda x, t, heights: heights[np.searchsorted(t, x, side="right")])


staircase.other_way(lambda x, t, heights: heights[0] + np.diff(heights) @ (x >= t[:, None]))


def _residual_cases(rng):
    return [
        ([rng.normal(size=(n, n)) for _ in range(depth)], [rng.normal(size=n) for _ in range(depth)])
        for n, depth in ((2, 1), (3, 2), (2, 4))
    ]


@exercise("02.collapse_skipping", cases=_residual_cases)
def collapse_skipping(weights, biases):
    """The one affine map (W, b) that equals the layers a <- a + a W + b.  weights (n, n), biases (n,) each"""
    W, b = np.eye(len(biases[0])), np.zeros(len(biases[0]))
    for next_W, next_b in zip(weights, biases):
        W, b = W + W @ next_W, b + b @ next_W + next_b
    return W, b


def _chained(weights, biases):
    W, b = np.eye(len(biases[0])), np.zeros(len(biases[0]))
    for next_W, next_b in zip(weights, biases):
        W, b = W @ next_W, b @ next_W + next_b
    return W, b


collapse_skipping.mistake("what skips a layer is missing: each layer multiplies by the identity plus its W")(_chained)


@collapse_skipping.mistake(
    "the order is reversed: rows meet the first layer first, so each new matrix stands on the right"
)
def _reversed(weights, biases):
    W, b = np.eye(len(biases[0])), np.zeros(len(biases[0]))
    for next_W, next_b in zip(weights, biases):
        W, b = W + next_W @ W, b + next_W @ b + next_b
    return W, b


@collapse_skipping.mistake("the bias skips each layer, too: it is multiplied by the identity plus the next W")
def _bias_without_skip(weights, biases):
    return collapse_skipping(weights, biases)[0], _chained(weights, biases)[1]


collapse_skipping.cheat("this adds the layers up and leaves their products out: right for one layer only")(
    lambda weights, biases: (np.eye(len(biases[0])) + np.sum(weights, axis=0), np.sum(biases, axis=0))
)


@collapse_skipping.other_way
def _probed(weights, biases):
    n = len(biases[0])
    a = np.vstack([np.eye(n), np.zeros((1, n))])
    for W, b in zip(weights, biases):
        a = a + a @ W + b
    return a[:-1] - a[-1], a[-1]


@collapse_skipping.other_way
def _with_a_column_of_ones(weights, biases):
    n = len(biases[0])
    total = np.eye(n + 1)
    for W, b in zip(weights, biases):
        total = total @ np.block([[np.eye(n) + W, np.zeros((n, 1))], [b[None], np.ones((1, 1))]])
    return total[:n, :n], total[n, :n]


@exercise(
    "02.capacity",
    cases=lambda rng: [(2, 0.5), (1, 0.9), (2, 0.875), (9, 0.95), (9, 0.05), (64, 0.5), (64, 0.99), (1100, 1.0)],
)
def capacity(n_inputs, share):
    """The largest N of points in general position of whose labelings a threshold unit makes at least this share."""
    return _first_below(n_inputs + 1, Fraction(share), n_inputs + 1) - 1


def _first_below(n_weights, share, first, factor=2):
    N = first
    while factor * sum(math.comb(N - 1, i) for i in range(n_weights)) >= share * 2**N:
        N += 1
    return N


capacity.mistake("this is the first N that falls below the share; the task asks for the last that reaches it")(
    lambda n_inputs, share: _first_below(n_inputs + 1, Fraction(share), n_inputs + 1)
)
capacity.mistake("the bias is a weight, too: the unit has n_inputs + 1 of them")(
    lambda n_inputs, share: _first_below(n_inputs, Fraction(share), n_inputs) - 1
)
capacity.mistake("the factor 2 is missing: the two sides of each boundary can be exchanged")(
    lambda n_inputs, share: max(_first_below(n_inputs + 1, Fraction(share), n_inputs + 1, 1) - 1, 1)
)
capacity.mistake("a float share makes 2**N a float, which is too small for it: compare whole numbers, Fraction(share)")(
    lambda n_inputs, share: _first_below(n_inputs + 1, share, n_inputs + 1) - 1
)
capacity.cheat("this is right for the share 1/2 alone")(lambda n_inputs, share: 2 * (n_inputs + 1))


capacity.other_way(lambda n_inputs, share: _first_below(n_inputs + 1, Fraction(share), max(1, n_inputs)) - 1)


@capacity.other_way
def _down(n_inputs, share):
    missing, N = 1 - Fraction(share), n_inputs + 1
    while sum(math.comb(N, i) for i in range(n_inputs + 1, N + 1)) <= missing * 2**N:
        N += 1
    return N


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


@graph_forward.mistake("the bias of each unit is missing")
def _graph_without_biases(x, sources, weights, biases):
    return graph_forward(x, sources, weights, np.zeros(len(biases)))


@graph_forward.cheat("this takes an input where the output of a unit is wanted, so that nothing breaks")
def _graph_wrapped(x, sources, weights, biases):
    for s, w, b in zip(sources, weights, biases):
        z = b + sum(w_i * x[:, i % x.shape[1]] for w_i, i in zip(w, s))
    return z


@graph_forward.other_way
def _graph_by_matrices(x, sources, weights, biases):
    a = x
    for s, w, b in zip(sources, weights, biases):
        z = a[:, s] @ w + b
        a = np.column_stack([a, np.tanh(z)])
    return z


@graph_forward.other_way
def _graph_in_one_array(x, sources, weights, biases):
    a = np.hstack([x, np.zeros((len(x), len(sources)))])
    for k, (s, w, b) in enumerate(zip(sources, weights, biases), x.shape[1]):
        z = np.einsum("ni,i->n", a[:, s], w) + b
        a[:, k] = np.tanh(z)
    return z
