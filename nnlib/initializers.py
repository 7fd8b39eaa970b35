"""Initializers: functions from a random generator and a shape to the first values of a parameter.

A weight of shape (n_in, n_out) has fan-in n_in and fan-out n_out; one of shape (C_out, C_in, H, W) has fan-in C_in H W
and fan-out C_out H W; a stack (k, n_in, n_out) of matrices has the fans of one of them.  All return float64.
"""

import math

import numpy as np

from nnlib.reprs import says_its_call


def fans(shape):
    """(fan-in, fan-out): how many inputs a unit sums, and how many units an input feeds."""
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) == 3:
        return shape[1], shape[2]
    if len(shape) == 4:
        return shape[1] * shape[2] * shape[3], shape[0] * shape[2] * shape[3]
    raise ValueError(f"a scale by fan-in needs a weight of 2, 3 or 4 axes, got shape {shape}: use constant or normal")


def zeros(rng, shape):
    """All 0: right for biases, hopeless for weights (every unit would stay the same)."""
    return np.zeros(shape)


@says_its_call
def constant(value):
    """All equal to ``value``."""
    if not math.isfinite(value):
        raise ValueError(f"constant takes a finite number, got {value!r}")

    def init(rng, shape):
        return np.full(shape, float(value))

    return init


@says_its_call
def normal(std):
    """Normal numbers of mean 0 and standard deviation ``std``."""
    if not 0.0 <= std < math.inf:
        raise ValueError(f"normal takes a standard deviation >= 0, got {std!r}")

    def init(rng, shape):
        return rng.normal(0.0, std, shape)

    return init


@says_its_call
def uniform(low, high):
    """Uniform numbers between ``low`` and ``high``."""
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"uniform takes low <= high, got {low!r} and {high!r}")

    def init(rng, shape):
        return rng.uniform(low, high, shape)

    return init


def lecun_normal(rng, shape):
    """Normal, variance 1 / fan_in: keeps the variance of a linear layer's signal (LeCun et al. 1998, section 4.6)."""
    return rng.normal(0.0, math.sqrt(1.0 / fans(shape)[0]), shape)


def lecun_uniform(rng, shape):
    """Uniform on +-sqrt(3 / fan_in), variance 1 / fan_in."""
    return _uniform_of_variance(1.0 / fans(shape)[0], rng, shape)


def xavier_normal(rng, shape):
    """Normal, variance 2 / (fan_in + fan_out): between what the two passes want (Glorot & Bengio 2010, eq. 12)."""
    return rng.normal(0.0, math.sqrt(2.0 / sum(fans(shape))), shape)


def xavier_uniform(rng, shape):
    """Uniform on +-sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16)."""
    return _uniform_of_variance(2.0 / sum(fans(shape)), rng, shape)


def he_normal(rng, shape):
    """Normal, variance 2 / fan_in: a ReLU passes half of the signal's power (He et al. 2015, eq. 10)."""
    return rng.normal(0.0, math.sqrt(2.0 / fans(shape)[0]), shape)


def he_uniform(rng, shape):
    """Uniform on +-sqrt(6 / fan_in), variance 2 / fan_in."""
    return _uniform_of_variance(2.0 / fans(shape)[0], rng, shape)


def _uniform_of_variance(variance, rng, shape):
    limit = math.sqrt(3.0 * variance)  # a uniform number on +-limit has variance limit^2 / 3
    return rng.uniform(-limit, limit, shape)


def orthogonal(rng, shape):
    """Orthonormal columns (or rows, where there are fewer): W^T W = 1, so no direction grows or shrinks.

    Saxe et al. 2014.  Q of a normal matrix, the signs fixed so that all orthogonal matrices are equally likely.
    """
    fans(shape)
    rows, columns = (math.prod(shape[:-1]), shape[-1]) if len(shape) < 4 else (shape[0], math.prod(shape[1:]))
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


@says_its_call
def sparse(connections, std=1.0):
    """Exactly ``connections`` weights of each unit are normal with standard deviation ``std``, the others are 0
    (Martens 2010): the variance of z does not depend on the fan-in.
    """
    if not (isinstance(connections, int) and connections > 0 and 0.0 <= std < math.inf):
        raise ValueError(f"sparse takes a number of connections > 0 and a std >= 0, got {connections!r} and {std!r}")

    def init(rng, shape):
        n_in, _ = fans(shape)
        if connections > n_in:
            raise ValueError(f"sparse({connections}) needs a fan-in of at least {connections}, got shape {shape}")
        n_units = math.prod(shape) // n_in
        chosen = rng.random((n_units, n_in)).argsort(axis=1) < connections
        W = np.where(chosen, rng.normal(0.0, std, (n_units, n_in)), 0.0)  # a unit a row
        return W.reshape(shape) if len(shape) == 4 else W.reshape(*shape[:-2], shape[-1], n_in).swapaxes(-1, -2)

    return init
