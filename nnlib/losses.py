"""Losses: functions from (output, target) to the mean loss over the batch and its gradient with respect to the output.

Cross-entropies take **logits**, the numbers before the sigmoid or softmax, since together the two have a gradient that
is short, exact and never vanishes on a mistake.  The gradient is a new array of the output's shape and dtype.

Three losses are written as a kernel, which gives the loss of each example and its gradient, behind a door that checks
the targets and takes the mean.  :func:`parts` hands out the two, for many networks or many steps at once.
"""

import functools
import math

import numpy as np

from nnlib.activations import as_float, log_softmax, sigmoid, softplus
from nnlib.reductions import extremes, total

# --- losses of each example, with their gradients ---------------------------------------------------------------------


def squared_errors(z, y):
    """l = (z - y)^2,  dl/dz = 2 (z - y).   z, y (..., D), number by number"""
    difference = z - y
    return np.square(difference), 2.0 * difference


def binary_cross_entropies(z, y):
    """l = log(1 + exp(z)) - z y,  dl/dz = sigmoid(z) - y.   z, y (..., K), number by number"""
    return softplus(z) - z * y, sigmoid(z) - y


def softmax_cross_entropies(z, y, mass=None):
    """l = -sum_k y_k log p_k with p = softmax(z),  dl/dz = p - y.   z, y (..., K) -> l (...), dl/dz (..., K)

    Where a row of y is no distribution, ``mass`` is its sum m (..., 1), and dl/dz = m p - y.
    """
    log_p = log_softmax(z)
    p = np.exp(log_p)
    if mass is not None:
        p *= mass
    return -np.vecdot(y, log_p), p - y


def mean_over_batch(each, gradient):
    """The mean of the losses of all examples, and its gradient, which takes the place of theirs."""
    gradient *= 1.0 / each.size
    return total(each) / each.size, gradient


# --- their means: (output, target) -> (float, gradient) ---------------------------------------------------------------


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
    output = as_float(output)
    return mean_over_batch(*squared_errors(output, _like(output, target, "mean_squared_error")))


def mean_absolute_error(output, target):
    """L = mean |output - target|; dL/doutput = sign(output - target) / (N D), 0 where they are equal.

    Shapes as for :func:`mean_squared_error`; PyTorch's ``L1Loss``.
    """
    output, target = _pair("mean_absolute_error", output, target)
    difference = output - target
    return float(np.abs(difference).sum()) / difference.size, np.sign(difference) / difference.size


def huber(output=None, target=None, *, delta=1.0):
    """L = mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = output - target: square near 0,
    straight far out (Huber 1964); dL/doutput = min(max(d, -delta), delta) / (N D).

    Called without output and target it returns the loss with this delta.  PyTorch's ``HuberLoss``.
    """
    if not 0.0 < delta < math.inf:
        raise ValueError(f"huber takes a positive delta, got {delta!r}")
    if output is None:
        return functools.partial(huber, delta=delta)
    output, target = _pair("huber", output, target)
    difference = output - target
    gradient = np.clip(difference, -delta, delta)  # also the part of d that counts squared
    loss = float(np.vdot(gradient, difference) - 0.5 * np.vdot(gradient, gradient)) / difference.size
    return loss, gradient / difference.size


def hinge(output, target):
    """L = mean max(0, 1 - y z), y = -1 or +1; dL/dz = -y / size where y z < 1, else 0: the loss of support vector
    machines (Cortes & Vapnik 1995).

    Parameters
    ----------
    output : ndarray (N,) or (N, 1)
        Scores z, no probabilities.
    target : ndarray of the same shape
        -1 or +1; from classes 0 and 1: ``2 * y - 1``.
    """
    z, y = _pair("hinge", output, target)
    if not (np.abs(y) == 1.0).all():
        raise ValueError("hinge takes targets -1 and +1: use 2 * y - 1 for classes 0 and 1")
    missing = np.maximum(1.0 - y * z, 0.0)
    return float(missing.sum()) / z.size, -y * (missing > 0.0) / z.size


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
    output = as_float(output)
    return mean_over_batch(*binary_cross_entropies(output, _shares_like(output, target)))


def softmax_cross_entropy(output=None, target=None, *, weights=None, label_smoothing=0.0):
    """L = mean over the batch of -sum_k y_k log softmax(z)_k; dL/dz = (softmax(z) - y) / N.

    Called without output and target it returns the loss with these settings fixed:
    ``fit(network, softmax_cross_entropy(label_smoothing=0.1), ...)``.  Conventions are PyTorch's ``CrossEntropyLoss``.

    Parameters
    ----------
    output : ndarray (N, K), or (N, T, K) with any number of axes before the last
        Logits z; the batch is all of their rows.
    target : ndarray (N,) or (N, T) of int, or of the shape of the output
        Class numbers 0 .. K-1, or one distribution over the classes per row.
    weights : ndarray (K,), optional
        Weight of each class; the mean is then divided by the total weight of the targets (class numbers only).
    label_smoothing : float
        Share of each target that is spread evenly over all K classes (Szegedy et al. 2016, section 7).
    """
    if output is None:
        return functools.partial(softmax_cross_entropy, weights=weights, label_smoothing=label_smoothing)
    output = _logits("softmax_cross_entropy", output)
    y = _rows_like(output, target, weights, label_smoothing)
    z, y = _by_columns(output), _by_columns(y)
    if weights is None and np.ndim(target) < output.ndim:
        loss, gradient = mean_over_batch(*softmax_cross_entropies(z, y))
        return loss, gradient.reshape(output.shape)
    each, gradient = softmax_cross_entropies(z, y, mass=y.sum(axis=1, keepdims=True))
    n = len(y) if weights is None else float(np.asarray(weights, z.dtype)[np.ravel(target)].sum())
    if n == 0.0:
        raise ValueError("all classes of this batch have weight 0: there is no mean over nothing")
    gradient *= 1.0 / n
    return total(each) / n, gradient.reshape(output.shape)


def _by_columns(z):
    """The rows of z (..., K) as (N, K), column by column in memory: NumPy is faster along few long rows than many."""
    return np.asfortranarray(z.reshape(-1, z.shape[-1]))


def focal(output=None, target=None, *, gamma=2.0):
    """L = mean of -(1 - p)^gamma log p, p the softmax probability of the target class: easy examples count less
    (Lin et al. 2017, eq. 4, for K classes); gamma = 0 is the cross-entropy.

    dL/dz = (1 - p)^gamma (gamma p log p / (1 - p) - 1) / N * (one_hot - softmax(z)).  Called without output and target
    it returns the loss with this gamma.

    Parameters
    ----------
    output : ndarray (..., K)
        Logits.
    target : ndarray (...) of int
    """
    if not gamma >= 0.0:
        raise ValueError(f"focal takes gamma >= 0, got {gamma!r}")
    if output is None:
        return functools.partial(focal, gamma=gamma)
    z = _logits("focal", output)
    y, n = _one_hot_like(z, target), z.size // z.shape[-1]
    log_p = log_softmax(z)
    log_target = np.sum(y * log_p, axis=-1, keepdims=True)
    p = np.exp(log_target)
    rest = -np.expm1(log_target)  # 1 - p without the loss of digits near p = 1
    loss = -float(np.vdot(rest**gamma, log_target)) / n
    ratio = np.divide(log_target, rest, out=np.zeros_like(p), where=rest > 0.0)  # at p = 1 its factor is 0
    gradient = rest**gamma * (gamma * p * ratio - 1.0) * (y - np.exp(log_p)) / n
    return loss, gradient


def distillation(output=None, target=None, *, temperature):
    """L = T^2 mean KL(softmax(teacher / T) || softmax(student / T)); dL/dstudent = T (q - p) / N, q the student's and
    p the teacher's softened distribution (Hinton et al. 2015, section 2: T^2 keeps the gradient's size).

    Called without output and target it returns the loss with this temperature.

    Parameters
    ----------
    output, target : ndarray (..., K)
        Logits of the student and of the teacher.
    """
    if not 0.0 < temperature < math.inf:
        raise ValueError(f"distillation takes a positive temperature, got {temperature!r}")
    if output is None:
        return functools.partial(distillation, temperature=temperature)
    student, teacher = _pair("distillation", _logits("distillation", output), target)
    log_q, log_p = log_softmax(student / temperature), log_softmax(teacher / temperature)
    p = np.exp(log_p)
    n = student.size // student.shape[-1]
    loss = temperature**2 * float(np.vdot(p, log_p - log_q)) / n
    return loss, (np.exp(log_q) - p) * (temperature / n)


def large_margin_softmax(output=None, target=None, *, margin, ease=0.0):
    """The cross-entropy of :func:`softmax_cross_entropy` with a harder logit for the target class: its angle theta to
    the class direction W_y counts ``margin`` times (Liu et al. 2016, arXiv 1612.02295),

        ||W_y|| ||x|| cos(theta)  becomes  ||W_y|| ||x|| psi(theta),
        psi(theta) = (-1)^k cos(m theta) - 2 k  for theta from k pi / m to (k + 1) pi / m,  k = 0 .. m - 1.

    psi falls from 1 to 1 - 2 m and is never above cos, so a row must lie nearer to its class than an ordinary logit
    asks: classes become narrow.  psi has no kink.  margin = 1 is the cross-entropy itself.  Called without output and
    target it returns the loss with these settings.

    Parameters
    ----------
    output : ndarray (..., 2 K)
        Of :class:`~nnlib.layers.angular.AngularDense`: K logits ||W_k|| ||x|| cos(theta_k), then K numbers
        -||W_k|| ||x||.
    target : ndarray (...) of int
    margin : int
        m >= 1; the authors use 2 to 4.
    ease : float
        The target's logit is (ease ||W_y|| ||x|| cos(theta) + ||W_y|| ||x|| psi(theta)) / (1 + ease): begin with a
        large number and go on with smaller ones where training does not get going.  lambda of the authors' Caffe layer.

    Notes
    -----
    With c = cos(theta), cos(m theta) is the Chebyshev polynomial T_m(c) and its slope m U_{m-1}(c): no angle is
    computed, and no division by sin(theta).  A row or a class of length 0 has no angle and keeps its logit 0.
    """
    if margin != int(margin) or margin < 1:
        raise ValueError(f"large_margin_softmax takes a whole margin >= 1, got {margin!r}")
    if not 0.0 <= ease < math.inf:
        raise ValueError(f"large_margin_softmax takes ease >= 0, got {ease!r}")
    if output is None:
        return functools.partial(large_margin_softmax, margin=margin, ease=ease)
    output = _logits("large_margin_softmax", output)
    z, low = np.split(output, 2, axis=-1) if output.shape[-1] % 2 == 0 else (output, output[..., :0])
    if z.shape != low.shape or (low > -np.abs(z) * (1.0 - 1e-3)).any():
        raise ValueError(
            "large_margin_softmax takes logits and the values they would have at 180 degrees, (N, 2 K), "
            f"got {output.shape}: let AngularDense(n_in, n_classes) be the last layer"
        )
    y = _one_hot_like(z, target).astype(bool)
    length = -low[y]  # ||W_y|| ||x|| (N,)
    c = np.divide(z[y], length, out=np.ones_like(length), where=length > 0.0)
    psi, slope = large_margin_psi(np.clip(c, -1.0, 1.0), int(margin))
    share = 1.0 / (1.0 + ease)
    harder = z.copy()
    harder[y] += share * length * (psi - c)
    loss, gradient_harder = softmax_cross_entropy(harder, target)
    dy = share * gradient_harder[y]  # of length psi(z / length), by z and by -length
    gradient = np.concatenate([gradient_harder, np.zeros_like(z)], axis=-1)
    dz, dlow = np.split(gradient, 2, axis=-1)
    dz[y] += dy * (slope - 1.0)
    dlow[y] = -dy * (psi - c * slope)
    return loss, gradient


def large_margin_psi(c, margin):
    """psi and its slope dpsi/dc at c = cos(theta), for :func:`large_margin_softmax`.   c (N,) -> (N,), (N,)"""
    before, cosine = np.ones_like(c), c  # T_0, T_1 and U_0, U_1 by f_{n+1} = 2 c f_n - f_{n-1}
    u_before, u = np.zeros_like(c), np.ones_like(c)
    for _ in range(margin - 1):
        before, cosine = cosine, 2.0 * c * cosine - before
        u_before, u = u, 2.0 * c * u - u_before
    borders = [math.cos(k * math.pi / margin) for k in range(1, margin)]
    k = sum(((c < border).astype(c.dtype) for border in borders), np.zeros_like(c))
    sign = 1.0 - 2.0 * (k % 2.0)
    return sign * cosine - 2.0 * k, sign * margin * u


def contrastive(output=None, target=None, *, margin=1.0):
    """Pairs of embeddings: L = mean of d^2 / 2 for equal pairs and max(0, margin - d)^2 / 2 for unequal ones, d their
    distance (Hadsell et al. 2006, eq. 4, with 1 for "the same").

    Parameters
    ----------
    output : ndarray (2 N, D)
        Row 2 i and row 2 i + 1 are a pair.
    target : ndarray (N,)
        1 where the pair belongs together, else 0.
    """
    if not 0.0 < margin < math.inf:
        raise ValueError(f"contrastive takes a positive margin, got {margin!r}")
    if output is None:
        return functools.partial(contrastive, margin=margin)
    a, b = _embeddings("contrastive", output, 2)
    same = np.asarray(target, a.dtype)
    if same.shape != (len(a),) or not np.isin(same, (0.0, 1.0)).all():
        raise ValueError(f"contrastive takes {len(a)} targets 0 or 1, one a pair, got shape {same.shape}")
    difference = a - b
    d = np.sqrt(np.sum(difference * difference, axis=1))
    short = np.maximum(margin - d, 0.0)
    loss = 0.5 * float(np.sum(same * d * d + (1.0 - same) * short * short)) / len(a)
    pull = same - (1.0 - same) * np.divide(short, d, out=np.zeros_like(d), where=d > 0.0)
    da = (pull / len(a))[:, None] * difference
    return loss, np.stack([da, -da], axis=1).reshape(np.shape(output))


def triplet(output=None, target=None, *, margin=1.0):
    """Triples of embeddings: L = mean max(0, |a - p|^2 - |a - n|^2 + margin): the anchor a is to be nearer to the
    positive p than to the negative n (Schroff et al. 2015, eq. 3, squared distances; PyTorch's
    ``TripletMarginLoss`` takes plain ones).

    Parameters
    ----------
    output : ndarray (3 N, D)
        Rows 3 i, 3 i + 1, 3 i + 2 are anchor, positive, negative.
    target : None
        Not used: the order of the rows says it all.
    """
    if not 0.0 <= margin < math.inf:
        raise ValueError(f"triplet takes a margin >= 0, got {margin!r}")
    if output is None:
        return functools.partial(triplet, margin=margin)
    a, p, n = _embeddings("triplet", output, 3)
    excess = np.sum((a - p) ** 2, axis=1) - np.sum((a - n) ** 2, axis=1) + margin
    active = (excess > 0.0).astype(a.dtype) * (2.0 / len(a))
    loss = float(np.maximum(excess, 0.0).sum()) / len(a)
    da, dp, dn = (active[:, None] * d for d in (n - p, p - a, a - n))
    return loss, np.stack([da, dp, dn], axis=1).reshape(np.shape(output))


def _embeddings(name, output, group):
    """The rows of each place in the groups: ``group`` arrays (N, D)."""
    z = as_float(output)
    if z.ndim != 2 or not z.size or len(z) % group:
        raise ValueError(f"{name} takes rows in groups of {group}, shape ({group} N, D), got {z.shape}")
    return tuple(z[i::group] for i in range(group))


def _logits(name, output):
    z = as_float(output)
    if z.ndim < 2 or not z.size:
        raise ValueError(f"{name} takes logits of shape (N, ..., K) or (N, K), N and K >= 1, got {z.shape}")
    return z


def one_hot(labels, n_classes, dtype=np.float64):
    """y (..., K) with a single 1 a row.  labels (...) of class numbers 0 .. K-1; anything else is an error."""
    labels = np.asarray(labels)
    if not labels.ndim or labels.dtype.kind not in "iu":
        raise TypeError(f"class numbers are integers of shape (N,), got {labels.dtype} of shape {labels.shape}")
    least, largest = extremes(labels) if labels.size else (0, 0)
    if not 0 <= least <= largest < n_classes:
        raise ValueError(f"class numbers go from 0 to {n_classes - 1}, got {least} to {largest}")
    y = np.zeros((n_classes, labels.size), dtype)
    y[labels.ravel(), np.arange(labels.size)] = 1.0
    return y.T.reshape(*labels.shape, n_classes)  # of labels (N,) column by column in memory


def _one_hot_like(z, labels):
    """One-hot rows for logits (..., K) from labels (...)."""
    labels = np.asarray(labels)
    if labels.shape != z.shape[:-1]:
        raise ValueError(f"logits of shape {z.shape} take class numbers of shape {z.shape[:-1]}, got {labels.shape}")
    return one_hot(labels, z.shape[-1], z.dtype)


def _pair(name, output, target):
    """Output and target as arrays of one shape and the output's dtype."""
    output = as_float(output)
    return output, _like(output, target, name)


def _like(output, target, name):
    """The target as an array of the output's shape and dtype."""
    target = np.asarray(target)
    if target.dtype.kind not in "iubf":
        raise TypeError(f"{name} takes targets that are real numbers, got dtype {target.dtype}")
    if output.shape != target.shape:
        raise ValueError(
            f"{name} takes output and target of one shape, got {output.shape} and {target.shape}"
            + (": use target.reshape(-1, 1)" if output.shape == (*target.shape, 1) else "")
        )
    if not output.size:
        raise ValueError(f"{name} takes at least one example, got shape {output.shape}")
    return target.astype(output.dtype, copy=False)


def _shares_like(output, target):
    """Targets from 0 to 1, of the output's shape and dtype."""
    y = _like(output, target, "binary_cross_entropy")
    least, largest = extremes(y)
    if not (least >= 0.0 and largest <= 1.0):
        raise ValueError(f"binary_cross_entropy takes targets from 0 to 1, got {least:g} to {largest:g}")
    return y


def _rows_like(output, target, weights=None, label_smoothing=0.0):
    """For each row of the output (..., K) its row of targets, from class numbers (...) or from rows."""
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"label_smoothing lies in [0, 1], got {label_smoothing!r}")
    target, k = np.asarray(target), output.shape[-1]
    of_numbers = target.ndim == output.ndim - 1
    y = _one_hot_like(output, target) if of_numbers else target.astype(output.dtype, copy=False)
    if y.shape != output.shape:
        raise ValueError(
            f"logits of shape {output.shape} take {output.shape[:-1]} class numbers or targets of their shape, "
            f"got {target.shape}"
        )
    if label_smoothing:
        y = y * (1.0 - label_smoothing) + label_smoothing / k
    if weights is not None:
        if not of_numbers:
            raise ValueError("class weights go with class numbers, got target distributions")
        weights = np.asarray(weights, output.dtype)
        if weights.shape != (k,):
            raise ValueError(f"{k} classes need {k} weights, got shape {weights.shape}")
        if not (weights.min() >= 0.0 and math.isfinite(weights.sum())):
            raise ValueError(f"class weights are finite and not negative, got {weights}")
        y = y * weights
    return y


# --- a loss in its parts ----------------------------------------------------------------------------------------------


class NoParts(TypeError):
    """The loss is no plain mean of a kernel over the examples, or not with these targets."""


def parts(loss):
    """The kernel of a loss that is the mean over the examples, and the function that makes its targets.

    Returns
    -------
    kernel : callable
        ``kernel(z, y) -> losses, gradient``: of each example, or number, and no mean.
    targets : callable
        ``targets(output, target) -> y`` of the output's shape and dtype; an error for targets that cannot be.

    Raises
    ------
    NoParts
        For a loss that is not written so; from ``targets``, for rows that are no distributions.
    """
    function, settings = (loss.func, loss.keywords) if isinstance(loss, functools.partial) else (loss, {})
    if function not in PARTS or settings.get("weights") is not None:
        raise NoParts(f"{getattr(function, '__name__', function)} is no plain mean over the examples")
    kernel, targets = PARTS[function]
    return kernel, functools.partial(targets, **settings) if settings else targets


def _distributions_like(output, target, weights=None, label_smoothing=0.0):
    y = _rows_like(output, target, weights, label_smoothing)
    if y.ndim == np.ndim(target) and not np.allclose(y.sum(axis=-1), 1.0, atol=1e-4):
        raise NoParts("rows of targets with another sum than 1 are no distributions")
    return y


PARTS = {
    mean_squared_error: (squared_errors, functools.partial(_like, name="mean_squared_error")),
    binary_cross_entropy: (binary_cross_entropies, _shares_like),
    softmax_cross_entropy: (softmax_cross_entropies, _distributions_like),
}
