"""Reductions: sums along an axis as products with ones, which BLAS does many numbers at a time; and their way back,
broadcasting.
"""

import functools
import math

import numpy as np


@functools.lru_cache(maxsize=64)
def ones(n, dtype):
    """n ones, to be read only."""
    vector = np.ones(n, dtype)
    vector.flags.writeable = False
    return vector


def sum_rows(a, out=None):
    """out = a.sum(axis=0).   a (N, D) -> (D,)"""
    return ones(len(a), a.dtype).dot(a, out)


def total(a):
    """Sum of all numbers of a, as a Python float."""
    return float(np.vdot(ones(a.size, a.dtype), a))


def sum_along(axis, a):
    """Sum of a along ``axis``, which stays with size 1."""
    if axis in (-1, a.ndim - 1):
        return a.dot(ones(a.shape[-1], a.dtype))[..., np.newaxis]
    if a.ndim == 2:
        return np.dot(ones(len(a), a.dtype), a)[np.newaxis]
    return a.sum(axis=axis, keepdims=True)


def extremes(a):
    """Least and largest number of a, both NaN where one is; on small arrays four times as fast as min and max."""
    return a.item(a.argmin()), a.item(a.argmax())


LONG = 512  # numbers


def along_long_rows(function):
    """Let NumPy broadcast without its buffers where the rows of ``function``'s first array are LONG or longer.

    An operand that is broadcast, a mean or gamma, is copied into buffers of 8192 numbers first, so that NumPy's loops
    become longer.  Where rows are long that costs as much as the operation (numpy/numpy, issue 13307).
    """

    @functools.wraps(function)
    def unbuffered(*arguments, **settings):
        shape = next((a.shape for a in arguments if isinstance(a, np.ndarray)), ())
        if math.prod(shape[1 if len(shape) == 2 else 2 :]) < LONG:  # of an image: its H W numbers
            return function(*arguments, **settings)
        before = np.setbufsize(LONG)
        try:
            return function(*arguments, **settings)
        finally:
            np.setbufsize(before)

    return unbuffered
