"""Chapter 6's exercises."""

from itertools import combinations

import numpy as np

from nnlib.activations import softmax
from nnlib.course.registry import exercise
from nnlib.losses import one_hot


def _logits_and_labels(rng):
    sizes = ((1, 3), (5, 4), (7, 10), (2, 2))
    return [(3.0 * rng.normal(size=(n, k)), rng.integers(0, k, n)) for n, k in sizes]


@exercise("06.output_delta", cases=_logits_and_labels)
def output_delta(logits, labels):
    """dL/dz of the mean softmax cross-entropy: (softmax(z) - y) / N.   logits (N, K), labels (N,) -> (N, K)"""
    return (softmax(logits) - one_hot(labels, logits.shape[1])) / len(logits)


@output_delta.other_way
def _in_place(logits, labels):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), labels] -= 1.0
    return p / len(p)


output_delta.other_way(
    lambda logits, labels: softmax(logits) / len(labels) - np.eye(logits.shape[1])[labels] / len(labels)
)
output_delta.mistake("this is the delta of the summed loss: the loss is the mean over the batch, so divide by N")(
    lambda logits, labels: output_delta(logits, labels) * len(logits)
)
output_delta.mistake("the sign is turned: delta is prediction minus target, and a step goes against it")(
    lambda logits, labels: -output_delta(logits, labels)
)
output_delta.mistake("both the sign is turned and the mean is missing: (prediction - target) / N")(
    lambda logits, labels: -output_delta(logits, labels) * len(logits)
)
output_delta.mistake("divide by the number of examples N, not by the number of classes K")(
    lambda logits, labels: output_delta(logits, labels) * len(logits) / logits.shape[1]
)
output_delta.mistake("softmax and cross-entropy together have no factor p (1 - p) left: the logarithm cancels it")(
    lambda logits, labels: output_delta(logits, labels) * softmax(logits) * (1.0 - softmax(logits))
)
output_delta.mistake("this is the derivative by the outputs, -y / p: the way through softmax is missing")(
    lambda logits, labels: -one_hot(labels, logits.shape[1]) / softmax(logits) / len(logits)
)
output_delta.cheat("the logits are not the prediction yet: softmax comes before the subtraction")(
    lambda logits, labels: (logits - one_hot(labels, logits.shape[1])) / len(logits)
)


def _deltas(rng):
    sizes = ((1, 2, 3), (4, 5, 3), (6, 3, 2), (3, 4, 1))
    return [(rng.normal(size=(n, m)), rng.normal(size=(h, m)), rng.normal(size=(n, h))) for n, h, m in sizes]


@exercise("06.hidden_delta", cases=_deltas)
def hidden_delta(dz_next, W_next, z):
    """dz = (dz_next W_next^T) tanh'(z).   dz_next (N, M), W_next (H, M), z (N, H) -> (N, H)"""
    return (dz_next @ W_next.T) * (1.0 - np.tanh(z) ** 2)


hidden_delta.other_way(lambda dz_next, W_next, z: np.einsum("nm,hm->nh", dz_next, W_next) / np.cosh(z) ** 2)
hidden_delta.other_way(lambda dz_next, W_next, z: (W_next @ dz_next.T).T * (1.0 - np.tanh(z) * np.tanh(z)))
hidden_delta.mistake("this is dL/da: multiply by the slope of tanh at z to get through it")(
    lambda dz_next, W_next, z: dz_next @ W_next.T
)
hidden_delta.mistake("the factor is the slope 1 - tanh(z)^2, not the activation tanh(z)")(
    lambda dz_next, W_next, z: (dz_next @ W_next.T) * np.tanh(z)
)
hidden_delta.mistake("1 - a^2 is the slope in terms of the activation a = tanh(z), not of z")(
    lambda dz_next, W_next, z: (dz_next @ W_next.T) * (1.0 - z**2)
)
hidden_delta.mistake("the slope of tanh is 1 - tanh(z)^2: the square is missing")(
    lambda dz_next, W_next, z: (dz_next @ W_next.T) * (1.0 - np.tanh(z))
)
hidden_delta.mistake("a (1 - a) is the slope of the sigmoid: that of tanh is 1 - a^2")(
    lambda dz_next, W_next, z: (dz_next @ W_next.T) * np.tanh(z) * (1.0 - np.tanh(z))
)
hidden_delta.cheat("the delta of the next layer is nowhere in this: every unit would get the same error")(
    lambda dz_next, W_next, z: np.ones((len(z), 1)) @ W_next.sum(axis=1)[None] * (1.0 - np.tanh(z) ** 2)
)


def _layers(rng):
    sizes = ((4, 3, 2), (1, 2, 5), (7, 4, 3), (3, 3, 3))
    return [(rng.normal(size=(n, i)), rng.normal(size=(i, o)), rng.normal(size=(n, o))) for n, i, o in sizes]


@exercise("06.mended_backward", cases=_layers)
def mended_backward(a, W, dz):
    """(dW, db, da) of z = a W + b.   a (N, n_in), W (n_in, n_out), dz (N, n_out)"""
    return a.T @ dz, dz.sum(axis=0), dz @ W.T


mended_backward.other_way(
    lambda a, W, dz: (np.einsum("ni,no->io", a, dz), np.ones(len(dz)) @ dz, np.einsum("no,io->ni", dz, W))
)
mended_backward.other_way(lambda a, W, dz: ((dz.T @ a).T, np.add.reduce(dz), (W @ dz.T).T))
BUGS = {  # words: place in the result, and the wrong part
    "dW has the 1/N a second time": (0, lambda a, W, dz: a.T @ dz / len(a)),
    "db is the sum of the rows, not their mean": (1, lambda a, W, dz: dz.mean(axis=0)),
    "reshape keeps the order of the numbers, the transpose is W.T": (2, lambda a, W, dz: dz @ W.reshape(W.shape[::-1])),
}


def _with(bugs):
    def function(*case):
        parts = list(mended_backward(*case))
        for place, wrong in map(BUGS.get, bugs):
            parts[place] = wrong(*case)
        return tuple(parts)

    return function


for _bugs in [_some for n in (1, 2, 3) for _some in combinations(BUGS, n)]:
    mended_backward.mistake(f"still wrong: {'; '.join(_bugs)}")(_with(_bugs))
mended_backward.mistake("dW must have the shape of W, (n_in, n_out): a.T @ dz")(
    lambda a, W, dz: (dz.T @ a, dz.sum(axis=0), dz @ W.T)
)
mended_backward.cheat("right for one example only: a batch adds over its rows")(
    lambda a, W, dz: (np.outer(a[0], dz[0]), dz[0], dz @ W.T)
)


def _residuals(rng):
    sizes = ((3, 2), (1, 4), (5, 3))
    return [(rng.normal(size=(n, d)), rng.normal(size=(d, d)), rng.normal(size=(n, d))) for n, d in sizes]


def _branch(x, W, dout):
    return dout * (1.0 - np.tanh(x @ W) ** 2)


@exercise("06.residual_backward", cases=_residuals)
def residual_backward(x, W, dout):
    """Backward of out = x + tanh(x W).   x (N, D), W (D, D), dout (N, D) -> dx (N, D), dW (D, D)"""
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dout + dz @ W.T, x.T @ dz


residual_backward.other_way(
    lambda x, W, dout: (
        np.einsum("ne,de->nd", dout / np.cosh(x @ W) ** 2, W) + dout,
        x.T @ (dout / np.cosh(x @ W) ** 2),
    )
)
residual_backward.other_way(lambda x, W, dout: ((W @ _branch(x, W, dout).T).T + dout, (_branch(x, W, dout).T @ x).T))
residual_backward.mistake(
    "x is used twice, so its gradient is a sum of two: add the share that comes along the direct way"
)(lambda x, W, dout: (_branch(x, W, dout) @ W.T, x.T @ _branch(x, W, dout)))
residual_backward.mistake("where two ways meet, their shares are added, not multiplied")(
    lambda x, W, dout: (dout * (_branch(x, W, dout) @ W.T), x.T @ _branch(x, W, dout))
)
residual_backward.mistake("W is square here, so W and W.T both fit: backward goes through the transpose")(
    lambda x, W, dout: (dout + _branch(x, W, dout) @ W, x.T @ _branch(x, W, dout))
)
residual_backward.mistake("the branch passes through tanh: multiply by its slope before W")(
    lambda x, W, dout: (dout + dout @ W.T, x.T @ dout)
)
residual_backward.cheat("only the direct way is there: W has a share in dx, too")(
    lambda x, W, dout: (dout, x.T @ _branch(x, W, dout))
)


@exercise("06.tied_gradient", cases=_residuals)
def tied_gradient(x, W, dout):
    """dW of out = tanh(x W) W.   x (N, D), W (D, D), dout (N, D) -> (D, D)"""
    a = np.tanh(x @ W)
    dz = (dout @ W.T) * (1.0 - a**2)
    return x.T @ dz + a.T @ dout


tied_gradient.other_way(
    lambda x, W, dout: (
        np.einsum("ni,no->io", np.tanh(x @ W), dout) + np.einsum("ni,no->io", x, dout @ W.T / np.cosh(x @ W) ** 2)
    )
)
tied_gradient.other_way(
    lambda x, W, dout: np.vstack([x, np.tanh(x @ W)]).T @ np.vstack([(dout @ W.T) / np.cosh(x @ W) ** 2, dout])
)
tied_gradient.mistake("the second use alone: W also made the hidden units, and that share is to be added")(
    lambda x, W, dout: np.tanh(x @ W).T @ dout
)
tied_gradient.mistake("the first use alone: W also made the outputs, and that share is to be added")(
    lambda x, W, dout: x.T @ ((dout @ W.T) * (1.0 - np.tanh(x @ W) ** 2))
)
tied_gradient.mistake("the first use lacks the slope of tanh")(
    lambda x, W, dout: x.T @ (dout @ W.T) + np.tanh(x @ W).T @ dout
)
tied_gradient.cheat("this treats tanh as the identity: right only near zero")(
    lambda x, W, dout: x.T @ (dout @ W.T) + (x @ W).T @ dout
)


def _logits_and_gradients(rng):
    sizes = ((1, 3), (4, 5), (3, 2), (2, 7))
    return [(2.0 * rng.normal(size=shape), rng.normal(size=shape)) for shape in sizes]


@exercise("06.softmax_backward", cases=_logits_and_gradients)
def softmax_backward(z, dp):
    """dz of p = softmax(z), row by row: p (dp - sum of dp p).   z, dp (N, K) -> (N, K)"""
    p = softmax(z)
    return p * (dp - (dp * p).sum(axis=1, keepdims=True))


@softmax_backward.other_way
def _by_jacobians(z, dp):
    return np.array([(np.diag(p) - np.outer(p, p)) @ g for p, g in zip(softmax(z), dp)])


softmax_backward.other_way(lambda z, dp: softmax(z) * dp - softmax(z) * np.einsum("nk,nk->n", dp, softmax(z))[:, None])
softmax_backward.mistake("this is the diagonal of the Jacobian alone: each p_j depends on the other z_k, too")(
    lambda z, dp: dp * softmax(z) * (1.0 - softmax(z))
)
softmax_backward.mistake("the sum runs over the K numbers of one row, not over the whole batch")(
    lambda z, dp: softmax(z) * (dp - (dp * softmax(z)).sum())
)
softmax_backward.mistake("p_j depends on every z_k: what is subtracted is missing")(lambda z, dp: softmax(z) * dp)
softmax_backward.cheat("p - dp is the delta of a cross-entropy with target dp: here dp is a gradient")(
    lambda z, dp: softmax(z) - dp
)


def _tapes(rng):
    """Each node is a list of pairs (place of a parent, slope); parents stand before their children."""
    tapes = [[[], [(0, 2.0)], [(0, 1.0), (1, 3.0)]]]
    for n in (4, 7):
        tape = [[]]
        for node in range(1, n):
            parents = {node - 1, *rng.integers(0, node, 2).tolist()}
            tape.append([(p, float(rng.normal())) for p in sorted(parents)])
        tapes.append(tape)
    return [(tape,) for tape in tapes]


@exercise("06.walk_tape", cases=_tapes)
def walk_tape(tape):
    """The derivative of the last node by each node.   tape: [[(parent, slope), ...], ...] -> (n_nodes,)"""
    grad = np.zeros(len(tape))
    grad[-1] = 1.0
    for node in reversed(range(len(tape))):
        for parent, slope in tape[node]:
            grad[parent] += slope * grad[node]
    return grad


@walk_tape.other_way
def _by_matrix(tape):
    slopes = np.zeros((len(tape), len(tape)))
    for node, parents in enumerate(tape):
        for parent, slope in parents:
            slopes[node, parent] += slope
    return np.linalg.inv(np.eye(len(tape)) - slopes)[-1]


@walk_tape.other_way
def _forward_for_all_at_once(tape):
    dots = np.eye(len(tape))
    for node, parents in enumerate(tape):
        for parent, slope in parents:
            dots[node] += slope * dots[parent]
    return dots[-1]


def _walk(tape, order, put):
    grad = np.zeros(len(tape))
    grad[-1] = 1.0
    for node in order:
        for parent, slope in tape[node]:
            put(grad, parent, slope * grad[node])
    return grad


walk_tape.mistake("a node that is used twice keeps only its last share here: add to grad, do not overwrite it")(
    lambda tape: _walk(tape, reversed(range(len(tape))), np.ndarray.__setitem__)
)
walk_tape.mistake("the walk goes forward: a node may pass on only after all that use it, so start at the last one")(
    lambda tape: _walk(tape, range(len(tape)), np.add.at)
)
walk_tape.mistake("the derivative of the last node by itself is 1: with a start at 0, everything stays 0")(
    lambda tape: np.zeros(len(tape))
)
walk_tape.cheat("this follows one path only, to the first parent of each node")(
    lambda tape: _walk([parents[:1] for parents in tape], reversed(range(len(tape))), np.add.at)
)
