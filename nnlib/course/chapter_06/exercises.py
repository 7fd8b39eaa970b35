"""Chapter 6's exercises."""

import numpy as np

from nnlib.activations import softmax
from nnlib.course.registry import exercise
from nnlib.gradcheck import numerical_gradient, relative_error
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


def _rows(rng):
    return [(rng.normal(size=shape), rng.normal(size=shape[0])) for shape in ((1, 3), (4, 2), (5, 6), (3, 3))]


@exercise("06.row_max_backward", cases=_rows)
def row_max_backward(z, dout):
    """dz of out = z.max(axis=1): dout where the maximum stands, else 0.   z (N, K), dout (N,) -> (N, K)"""
    dz = np.zeros_like(z)
    dz[np.arange(len(z)), z.argmax(axis=1)] = dout
    return dz


row_max_backward.other_way(lambda z, dout: np.eye(z.shape[1])[z.argmax(axis=1)] * dout[:, None])
row_max_backward.other_way(lambda z, dout: np.where(z == z.max(axis=1, keepdims=True), dout[:, None], 0.0))
row_max_backward.mistake("that says where the maximum stands: what comes back there is dout")(
    lambda z, dout: 1.0 * (z == z.max(axis=1, keepdims=True))
)
row_max_backward.mistake("only the largest number of a row has moved the output: the others get 0")(
    lambda z, dout: np.repeat(dout[:, None], z.shape[1], axis=1)
)
row_max_backward.mistake("the slope of the maximum by its largest number is 1, not that number")(
    lambda z, dout: z * row_max_backward(z, dout)
)
row_max_backward.cheat("each row has a maximum of its own: this takes the place in the first row for all")(
    lambda z, dout: np.eye(z.shape[1])[np.full(len(z), z[0].argmax())] * dout[:, None]
)


def _right(a, W, dz):
    return a.T @ dz, dz.sum(axis=0), dz @ W.T


def _but(place, part):
    return lambda a, W, dz: tuple(part(a, W, dz) if k == place else one for k, one in enumerate(_right(a, W, dz)))


CANDIDATES = [
    _right,
    lambda a, W, dz: (np.einsum("ni,no->io", a, dz), np.ones(len(dz)) @ dz, (W @ dz.T).T),
    _but(0, lambda a, W, dz: a.T @ dz / len(a)),
    _but(0, lambda a, W, dz: -a.T @ dz),
    _but(1, lambda a, W, dz: dz.mean(axis=0)),
    _but(2, lambda a, W, dz: dz @ W.reshape(W.shape[::-1])),
    _but(2, lambda a, W, dz: 1.01 * dz @ W.T),
]


def _judge(sizes, parts=(0, 1, 2)):
    def finds_bug(backward):
        n, n_in, n_out = sizes
        rng = np.random.default_rng(1)
        a, W, b, dz = (rng.normal(size=shape) for shape in ((n, n_in), (n_in, n_out), n_out, (n, n_out)))
        measured = (
            numerical_gradient(lambda W: np.sum((a @ W + b) * dz), W),
            numerical_gradient(lambda b: np.sum((a @ W + b) * dz), b),
            numerical_gradient(lambda a: np.sum((a @ W + b) * dz), a),
        )
        found = backward(a, W, dz)
        return any(relative_error(found[k], measured[k]) > 1e-6 for k in parts)

    return finds_bug


@exercise("06.finds_bug", cases=lambda rng: [(function,) for function in CANDIDATES])
def finds_bug(backward):
    """Whether backward(a, W, dz) -> (dW, db, da) of z = a W + b is wrong anywhere."""
    return _judge((4, 3, 2))(backward)


finds_bug.other_way(_judge((5, 2, 7)))
finds_bug.other_way(_judge((2, 6, 3)))
finds_bug.mistake("with a batch of one example the mean is the sum: take several")(_judge((1, 3, 2)))
finds_bug.mistake("dW alone is compared: db and da can be wrong, too")(_judge((4, 3, 2), parts=(0,)))
finds_bug.mistake("dW and db are compared, but da can be wrong, too")(_judge((4, 3, 2), parts=(0, 1)))
finds_bug.cheat("this says of every function that it is right")(lambda backward: False)


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
residual_backward.mistake("dx is right; dW comes through tanh, too: its slope is missing")(
    lambda x, W, dout: (dout + _branch(x, W, dout) @ W.T, x.T @ dout)
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
tied_gradient.mistake("W is square here, so W and W.T both fit: backward goes through the transpose")(
    lambda x, W, dout: x.T @ ((dout @ W) * (1.0 - np.tanh(x @ W) ** 2)) + np.tanh(x @ W).T @ dout
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
softmax_backward.mistake("subtract the sum of dp times p, not that of dp")(
    lambda z, dp: softmax(z) * (dp - dp.sum(axis=1, keepdims=True))
)
softmax_backward.mistake("the sign is turned: each output rises with its own logit")(
    lambda z, dp: -softmax_backward(z, dp)
)
softmax_backward.cheat("p - dp is the delta of a cross-entropy with target dp: here dp is a gradient")(
    lambda z, dp: softmax(z) - dp
)


def _tapes(rng):
    """Each node is a list of pairs (place of a parent, slope); parents stand before their children."""
    tapes = [[[], [(0, 2.0)], [(0, 1.0), (1, 3.0)]], [[], [(0, 2.0), (0, 2.0)]]]  # the last: h h, with h = 2
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
walk_tape.mistake(
    "a parent can stand twice in one node, as in h * h: each pair has its share, and none replaces another"
)(lambda tape: _walk([list(dict(pairs).items()) for pairs in tape], reversed(range(len(tape))), np.add.at))
walk_tape.mistake("the walk goes forward: a node may pass on only after all that use it, so start at the last one")(
    lambda tape: _walk(tape, range(len(tape)), np.add.at)
)
walk_tape.cheat("this follows one path only, to the first parent of each node")(
    lambda tape: _walk([parents[:1] for parents in tape], reversed(range(len(tape))), np.add.at)
)
