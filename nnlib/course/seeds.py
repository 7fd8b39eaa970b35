"""Seeds: all randomness of the book derives from one number, so that claims can be tried with seeds nobody chose.

``NNLIB_SEED=7 make ...`` shifts every generator that the course makes; without it the number is 0.
"""

import os

import numpy as np

VARIABLE = "NNLIB_SEED"


def base():
    """The number of ``NNLIB_SEED``, 0 without it."""
    value = os.environ.get(VARIABLE, "0")
    if not value.isdigit():
        raise ValueError(f"{VARIABLE} is a whole number from 0, got {value!r}")
    return int(value)


def seeds(n):
    """n different seeds: 0, 1 ... n - 1 for base 0, others for another."""
    return [1_000_000 * base() + i for i in range(n)]


def generator(seed=0):
    """``np.random.default_rng(seed)`` for base 0, an independent generator for another."""
    shift = base()
    return np.random.default_rng([seed, shift] if shift else seed)
