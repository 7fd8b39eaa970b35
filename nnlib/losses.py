"""Losses: functions from (output, target) to the mean loss over the batch and its gradient with respect to the output.

Cross-entropies take **logits**, the numbers before the sigmoid or softmax, since together the two have a gradient that
is short, exact and never vanishes on a mistake.  The gradient is a new array of the output's shape and dtype.
"""

import functools

import numpy as np

from nnlib.activations import as_float, log_softmax, softplus


def mean_squared_error(output, target):
    """L = mean (output - target)^2 over all N x D numbers; dL/doutput = 2 (output - target) / (N D).

    The reduction is PyTorch's ``MSELoss``; the worked examples of the literature often have 1/2 sum instead.

    Parameters
    ----------
    output, target : ndarray (N, D)
        Of equal shape; a target of shape (N,) against an output of shape (N, 1) is an error, not a broadcast to (N, N).

    Returns
    -------
    float, ndarray
    """
    output, target = _pair("mean_squared_error", output, target)
    gradient = output - target
    loss = float(np.vdot(gradient, gradient)) / gradient.size
    gradient *= 2.0 / gradient.size
    return loss, gradient


def binary_cross_entropy(output, target):
    """L = mean [max(z, 0) - z y + log(1 + exp(-|z|))] over logits z; dL/dz = (sigmoid(z) - y) / size.

    The same as -y log p - (1 - y) log(1 - p) with p = sigmoid(z), without log 0 or overflow; PyTorch's
    ``BCEWithLogitsLoss``.

    Parameters
    ----------
    output : ndarray (N,), (N, 1) or (N, K)
        Logits; K independent yes/no questions (multi-label) where there are K columns.
    target : ndarray of the same shape
        Probabilities from 0 to 1, usually 0 or 1.
    """
    z, y = _pair("binary_cross_entropy", output, target)
    if not (y.min() >= 0.0 and y.max() <= 1.0):
        raise ValueError(f"binary_cross_entropy takes targets from 0 to 1, got {y.min():g} to {y.max():g}")
    log_sum = softplus(z)
    loss = (float(log_sum.sum()) - float(np.vdot(z, y))) / z.size
    gradient = np.subtract(z, log_sum, out=log_sum)
    np.exp(gradient, out=gradient)  # sigmoid(z) = exp(z - log(1 + exp(z)))
    gradient -= y
    gradient *= 1.0 / z.size
    return loss, gradient


def softmax_cross_entropy(output=None, target=None, *, weights=None, label_smoothing=0.0):
    """L = mean over the batch of -sum_k y_k log softmax(z)_k; dL/dz = (softmax(z) - y) / N.

    Called without output and target it returns the loss with these settings fixed:
    ``fit(network, softmax_cross_entropy(label_smoothing=0.1), ...)``.  Conventions are PyTorch's ``CrossEntropyLoss``.

    Parameters
    ----------
    output : ndarray (N, K)
        Logits z.
    target : ndarray (N,) of int, or (N, K)
        Class numbers 0 .. K-1, or one distribution over the classes per row.
    weights : ndarray (K,), optional
        Weight of each class; the mean is then divided by the total weight of the targets (class numbers only).
    label_smoothing : float
        Share of each target that is spread evenly over all K classes (Szegedy et al. 2016, section 7).
    """
    if output is None:
        return functools.partial(softmax_cross_entropy, weights=weights, label_smoothing=label_smoothing)
    z = as_float(output)
    if z.ndim != 2 or not z.size:
        raise ValueError(f"softmax_cross_entropy takes logits of shape (N, K), N and K >= 1, got {z.shape}")
    n, k = z.shape
    y = one_hot(target, k, z.dtype) if np.ndim(target) == 1 else np.asarray(target, z.dtype)
    if y.shape != z.shape:
        raise ValueError(f"logits of shape {z.shape} take {n} class numbers or targets of their shape, got {y.shape}")
    if label_smoothing:
        y = y * (1.0 - label_smoothing) + label_smoothing / k
    total = n
    if weights is not None:
        if np.ndim(target) != 1:
            raise ValueError("class weights go with class numbers, got target distributions")
        weights = np.asarray(weights, z.dtype)
        if weights.shape != (k,):
            raise ValueError(f"{k} classes need {k} weights, got shape {weights.shape}")
        total = float(weights[target].sum())
        y = y * weights
    log_p = log_softmax(z)
    loss = -float(np.vdot(y, log_p)) / total
    gradient = np.exp(log_p, out=log_p)
    if weights is not None or np.ndim(target) != 1:
        gradient *= y.sum(axis=1, keepdims=True)  # 1 where y is a distribution
    gradient -= y
    gradient *= 1.0 / total
    return loss, gradient


def one_hot(labels, n_classes, dtype=np.float64):
    """y (N, K) with a single 1 a row.  labels (N,) of class numbers 0 .. K-1; anything else is an error."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise TypeError(f"class numbers are integers of shape (N,), got {labels.dtype} of shape {labels.shape}")
    if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(f"class numbers go from 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}")
    y = np.zeros((len(labels), n_classes), dtype)
    y[np.arange(len(labels)), labels] = 1.0
    return y


def _pair(name, output, target):
    """Output and target as arrays of one shape and the output's dtype."""
    output = as_float(output)
    target = np.asarray(target, output.dtype)
    if output.shape != target.shape:
        raise ValueError(
            f"{name} takes output and target of one shape, got {output.shape} and {target.shape}"
            + (": use target.reshape(-1, 1)" if output.shape == (*target.shape, 1) else "")
        )
    if not output.size:
        raise ValueError(f"{name} takes at least one example, got shape {output.shape}")
    return output, target
