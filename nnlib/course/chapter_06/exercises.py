"""Chapter 6's exercises."""

import numpy as np

from nnlib.activations import softmax
from nnlib.course.registry import exercise
from nnlib.losses import one_hot


def _logits_and_labels(rng):
    return [
        ((3.0 * rng.normal(size=(n, k))).astype(dtype), rng.integers(0, k, n))
        for n, k, dtype in ((1, 3, np.float64), (5, 4, np.float64), (7, 10, np.float32), (2, 2, np.float64))
    ]


@exercise("06.output_delta", cases=_logits_and_labels)
def output_delta(logits, labels):
    """dL/dz of the mean softmax cross-entropy: (softmax(z) - y) / N.   logits (N, K), labels (N,) -> (N, K)"""
    return (softmax(logits) - one_hot(labels, logits.shape[1], logits.dtype)) / len(logits)


@output_delta.mistake("this is the delta of the summed loss: the loss is the mean over the batch, so divide by N")
def _output_delta_not_averaged(logits, labels):
    return output_delta(logits, labels) * len(logits)


@output_delta.mistake("softmax and cross-entropy together have no factor p (1 - p) left: the logarithm cancels it")
def _output_delta_with_slope(logits, labels):
    p = softmax(logits)
    return output_delta(logits, labels) * p * (1.0 - p)


def _deltas(rng):
    return [
        (rng.normal(size=(n, m)), rng.normal(size=(h, m)), rng.normal(size=(n, h)))
        for n, h, m in ((1, 2, 3), (4, 5, 3), (6, 3, 2), (3, 4, 1))
    ]


@exercise("06.hidden_delta", cases=_deltas)
def hidden_delta(dz_next, W_next, z):
    """dz = (dz_next W_next^T) tanh'(z).   dz_next (N, M), W_next (H, M), z (N, H) -> (N, H)"""
    return (dz_next @ W_next.T) * (1.0 - np.tanh(z) ** 2)


hidden_delta.other_way(lambda dz_next, W_next, z: np.einsum("nm,hm->nh", dz_next, W_next) / np.cosh(z) ** 2)


@hidden_delta.mistake("this is dL/da: multiply by the slope of tanh at z to get through it")
def _hidden_delta_without_slope(dz_next, W_next, z):
    return dz_next @ W_next.T


@hidden_delta.mistake("the factor is the slope 1 - tanh(z)^2, not the activation tanh(z)")
def _hidden_delta_with_activation(dz_next, W_next, z):
    return (dz_next @ W_next.T) * np.tanh(z)


@hidden_delta.mistake("1 - a^2 is the slope in terms of the activation a = tanh(z), not of z")
def _hidden_delta_slope_of_z(dz_next, W_next, z):
    return (dz_next @ W_next.T) * (1.0 - z**2)


def _activations_and_deltas(rng):
    return [
        (rng.normal(size=(n, i)), rng.normal(size=(n, o))) for n, i, o in ((4, 3, 2), (1, 2, 5), (7, 4, 3), (2, 5, 1))
    ]


@exercise("06.weight_gradients", cases=_activations_and_deltas)
def weight_gradients(a, dz):
    """(dW, db) of z = a W + b.   a (N, n_in), dz (N, n_out) -> (n_in, n_out), (n_out,)"""
    return a.T @ dz, dz.sum(axis=0)


weight_gradients.other_way(lambda a, dz: (np.einsum("ni,no->io", a, dz), np.ones(len(dz)) @ dz))


@weight_gradients.mistake("the 1/N of the mean loss is inside dz already: sum over the batch")
def _weight_gradients_mean(a, dz):
    return a.T @ dz / len(a), dz.mean(axis=0)


@weight_gradients.mistake("the bias is added to every row, so db is the sum of the rows of dz, not their mean")
def _weight_gradients_bias_mean(a, dz):
    return a.T @ dz, dz.mean(axis=0)


@weight_gradients.mistake("dW must have the shape of W, (n_in, n_out): a.T @ dz")
def _weight_gradients_transposed(a, dz):
    return dz.T @ a, dz.sum(axis=0)


@weight_gradients.mistake("the bias serves all examples, so its gradient has one number per unit: sum over the batch")
def _weight_gradients_bias_per_example(a, dz):
    return a.T @ dz, dz


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


@exercise("06.central_difference", cases=_functions, tolerance=1e-9)
def central_difference(f, x, eps):
    """df/dx_i = (f(x + eps e_i) - f(x - eps e_i)) / (2 eps) for every i.   x (D,) -> (D,)"""
    slopes = np.empty_like(x)
    for i in range(x.size):
        step = np.zeros_like(x)
        step[i] = eps
        slopes[i] = (f(x + step) - f(x - step)) / (2.0 * eps)
    return slopes


@central_difference.mistake("this is the forward difference: step back from x as well, its error is much smaller")
def _forward_difference(f, x, eps):
    return np.array([(f(x + eps * row) - f(x)) / eps for row in np.eye(x.size)])


@central_difference.mistake("all entries of x move together here: change one entry at a time")
def _difference_of_all(f, x, eps):
    return np.full(x.size, (f(x + eps) - f(x - eps)) / (2.0 * eps))


@central_difference.mistake("the two points are 2 eps apart: divide by 2 eps")
def _difference_half(f, x, eps):
    return 2.0 * central_difference(f, x, eps)


def _residuals(rng):
    return [
        (rng.normal(size=(n, d)), rng.normal(size=(d, d)), rng.normal(size=(n, d))) for n, d in ((3, 2), (1, 4), (5, 3))
    ]


@exercise("06.residual_backward", cases=_residuals)
def residual_backward(x, W, dout):
    """Backward of out = x + tanh(x W).   x (N, D), W (D, D), dout (N, D) -> dx (N, D), dW (D, D)"""
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dout + dz @ W.T, x.T @ dz


@residual_backward.mistake(
    "x is used twice, so its gradient is a sum of two: add the share that comes along the direct way"
)
def _residual_branch_only(x, W, dout):
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dz @ W.T, x.T @ dz


@residual_backward.mistake("W is square here, so W and W.T both fit: backward goes through the transpose")
def _residual_without_transpose(x, W, dout):
    dz = dout * (1.0 - np.tanh(x @ W) ** 2)
    return dout + dz @ W, x.T @ dz


@residual_backward.mistake("the branch passes through tanh: multiply by its slope before W")
def _residual_without_slope(x, W, dout):
    return dout + dout @ W.T, x.T @ dout


def _networks(rng):
    return [
        (
            rng.normal(size=(n, d)), rng.integers(0, k, n),
            rng.normal(size=(d, h)), rng.normal(size=h), rng.normal(size=(h, k)), rng.normal(size=k),
        )
        for n, d, h, k in ((4, 3, 5, 2), (1, 2, 3, 4), (6, 5, 2, 3))
    ]  # fmt: skip


@exercise("06.backpropagate", cases=_networks)
def backpropagate(x, labels, W1, b1, W2, b2):
    """Gradients of the mean softmax cross-entropy of tanh(x W1 + b1) W2 + b2: (dW1, db1, dW2, db2)."""
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = (dz2 @ W2.T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


@backpropagate.mistake(
    "the hidden delta needs the W2 that the forward pass used: update the weights after all gradients"
)
def _backpropagate_updated(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = (dz2 @ (W2 - a1.T @ dz2).T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


@backpropagate.mistake("the hidden delta lacks the slope of tanh, 1 - a1**2")
def _backpropagate_without_slope(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    dz2 = output_delta(a1 @ W2 + b2, labels)
    dz1 = dz2 @ W2.T
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)


@backpropagate.mistake(
    "these are the gradients of a squared error: put softmax on the outputs before subtracting the targets"
)
def _backpropagate_squared_error(x, labels, W1, b1, W2, b2):
    a1 = np.tanh(x @ W1 + b1)
    z2 = a1 @ W2 + b2
    dz2 = (z2 - one_hot(labels, z2.shape[1], z2.dtype)) / len(x)
    dz1 = (dz2 @ W2.T) * (1.0 - a1**2)
    return x.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0)
