"""Chapter 6's exercises."""

import numpy as np

from nnlib.activations import softmax
from nnlib.course.checking import Exercise, register
from nnlib.losses import one_hot


def output_delta(logits, labels):
    """dL/dz of the mean softmax cross-entropy: (softmax(z) - y) / N.   logits (N, K), labels (N,) -> (N, K)"""
    return (softmax(logits) - one_hot(labels, logits.shape[1], logits.dtype)) / len(logits)


def _output_delta_not_averaged(logits, labels):
    return output_delta(logits, labels) * len(logits)


def _output_delta_with_slope(logits, labels):
    p = softmax(logits)
    return output_delta(logits, labels) * p * (1.0 - p)


def _logits_and_labels(rng):
    return [
        ((3.0 * rng.normal(size=(n, k))).astype(dtype), rng.integers(0, k, n))
        for n, k, dtype in ((1, 3, np.float64), (5, 4, np.float64), (7, 10, np.float32), (2, 2, np.float64))
    ]


register(
    Exercise(
        "06.output_delta", output_delta, _logits_and_labels,
        {
            "this is the delta of the summed loss: the loss is the mean over the batch, so divide by N": (
                _output_delta_not_averaged
            ),
            "softmax and cross-entropy together have no factor p (1 - p) left: the logarithm cancels it": (
                _output_delta_with_slope
            ),
        },
    )
)  # fmt: skip


def hidden_delta(dz_next, W_next, z):
    """dz = (dz_next W_next^T) tanh'(z).   dz_next (N, M), W_next (H, M), z (N, H) -> (N, H)"""
    return (dz_next @ W_next.T) * (1.0 - np.tanh(z) ** 2)


def _hidden_delta_without_slope(dz_next, W_next, z):
    return dz_next @ W_next.T


def _hidden_delta_with_activation(dz_next, W_next, z):
    return (dz_next @ W_next.T) * np.tanh(z)


def _hidden_delta_slope_of_z(dz_next, W_next, z):
    return (dz_next @ W_next.T) * (1.0 - z**2)


def _deltas(rng):
    return [
        (rng.normal(size=(n, m)), rng.normal(size=(h, m)), rng.normal(size=(n, h)))
        for n, h, m in ((1, 2, 3), (4, 5, 3), (6, 3, 2), (3, 4, 1))
    ]


register(
    Exercise(
        "06.hidden_delta", hidden_delta, _deltas,
        {
            "this is dL/da: multiply by the slope of tanh at z to get through it": _hidden_delta_without_slope,
            "the factor is the slope 1 - tanh(z)^2, not the activation tanh(z)": _hidden_delta_with_activation,
            "1 - a^2 is the slope in terms of the activation a = tanh(z), not of z": _hidden_delta_slope_of_z,
        },
    )
)  # fmt: skip


def weight_gradients(a, dz):
    """(dW, db) of z = a W + b.   a (N, n_in), dz (N, n_out) -> (n_in, n_out), (n_out,)"""
    return a.T @ dz, dz.sum(axis=0)


def _weight_gradients_mean(a, dz):
    return a.T @ dz / len(a), dz.mean(axis=0)


def _weight_gradients_bias_mean(a, dz):
    return a.T @ dz, dz.mean(axis=0)


def _weight_gradients_transposed(a, dz):
    return dz.T @ a, dz.sum(axis=0)


def _weight_gradients_bias_per_example(a, dz):
    return a.T @ dz, dz


def _activations_and_deltas(rng):
    return [
        (rng.normal(size=(n, i)), rng.normal(size=(n, o))) for n, i, o in ((4, 3, 2), (1, 2, 5), (7, 4, 3), (2, 5, 1))
    ]


register(
    Exercise(
        "06.weight_gradients", weight_gradients, _activations_and_deltas,
        {
            "the 1/N of the mean loss is inside dz already: sum over the batch": _weight_gradients_mean,
            "the bias is added to every row, so db is the sum of the rows of dz, not their mean": (
                _weight_gradients_bias_mean
            ),
            "dW must have the shape of W, (n_in, n_out): a.T @ dz": _weight_gradients_transposed,
            "the bias serves all examples, so its gradient has one number per unit: sum over the batch": (
                _weight_gradients_bias_per_example
            ),
        },
    )
)  # fmt: skip


def central_difference(f, x, eps):
    """df/dx_i = (f(x + eps e_i) - f(x - eps e_i)) / (2 eps) for every i.   x (D,) -> (D,)"""
    slopes = np.empty_like(x)
    for i in range(x.size):
        step = np.zeros_like(x)
        step[i] = eps
        slopes[i] = (f(x + step) - f(x - step)) / (2.0 * eps)
    return slopes


def _forward_difference(f, x, eps):
    return np.array([(f(x + eps * row) - f(x)) / eps for row in np.eye(x.size)])


def _difference_of_all(f, x, eps):
    return np.full(x.size, (f(x + eps) - f(x - eps)) / (2.0 * eps))


def _difference_half(f, x, eps):
    return 2.0 * central_difference(f, x, eps)


def _sum_of_cubes(x):
    return float(np.sum(x**3))


def _wave(x):
    return float(np.sin(x[0]) * np.exp(0.3 * x[-1]))


def _functions(rng):
    return [
        (_sum_of_cubes, rng.normal(size=3), 1e-2),
        (_wave, rng.normal(size=5), 1e-3),
        (_sum_of_cubes, rng.normal(size=1), 0.1),
    ]


register(
    Exercise(
        "06.central_difference", central_difference, _functions,
        {
            "this is the forward difference: step back from x as well, its error is much smaller": _forward_difference,
            "all entries of x move together here: change one entry at a time": _difference_of_all,
            "the two points are 2 eps apart: divide by 2 eps": _difference_half,
        },
        tolerance=1e-9,
    )
)  # fmt: skip


def residual_backward(x, W, dout):
    """Backward of out = x + tanh(x W).   x (N, D), W (D, D), dout (N, D) -> dx (N, D), dW (D, D)"""
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dout + dz @ W.T, x.T @ dz


def _residual_branch_only(x, W, dout):
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dz @ W.T, x.T @ dz


def _residual_without_transpose(x, W, dout):
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dout + dz @ W, x.T @ dz


def _residual_without_slope(x, W, dout):
    return dout + dout @ W.T, x.T @ dout


def _residuals(rng):
    return [
        (rng.normal(size=(n, d)), rng.normal(size=(d, d)), rng.normal(size=(n, d))) for n, d in ((3, 2), (1, 4), (5, 3))
    ]


register(
    Exercise(
        "06.residual_backward", residual_backward, _residuals,
        {
            "x is used twice, so its gradient is a sum of two: add the share that comes along the direct way": (
                _residual_branch_only
            ),
            "W is square here, so W and W.T both fit: backward goes through the transpose": _residual_without_transpose,
            "the branch passes through tanh: multiply by its slope before W": _residual_without_slope,
        },
    )
)  # fmt: skip


def backpropagate(x, labels, W1, b1, W2, b2):
    """Gradients of the mean softmax cross-entropy of tanh(x W1 + b1) W2 + b2: (dW1, db1, dW2, db2)."""
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = (dz2 @ W2.T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


def _backpropagate_updated(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = (dz2 @ (W2 - a1.T @ dz2).T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


def _backpropagate_without_slope(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = dz2 @ W2.T
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


def _backpropagate_squared_error(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    z2 = a1 @ W2 + b2
    dz2 = (z2 - one_hot(labels, z2.shape[1], z2.dtype)) / len(x)
    dz1 = (dz2 @ W2.T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


def _networks(rng):
    return [
        (
            rng.normal(size=(n, d)), rng.integers(0, k, n),
            rng.normal(size=(d, h)), rng.normal(size=h), rng.normal(size=(h, k)), rng.normal(size=k),
        )
        for n, d, h, k in ((4, 3, 5, 2), (1, 2, 3, 4), (6, 5, 2, 3))
    ]  # fmt: skip


register(
    Exercise(
        "06.backpropagate", backpropagate, _networks,
        {
            "the hidden delta needs the W2 that the forward pass used: update the weights after all gradients": (
                _backpropagate_updated
            ),
            "the hidden delta lacks the slope of tanh, 1 - a1**2": _backpropagate_without_slope,
            "these are the gradients of a squared error: put softmax on the outputs before subtracting the targets": (
                _backpropagate_squared_error
            ),
        },
    )
)  # fmt: skip
