"""Doors: what several modules ask of the same argument."""

import numpy as np


def checked_rng(rng):
    """The generator itself, or an error that says how to make one."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is a np.random.Generator, got {rng!r}: make one with np.random.default_rng(seed)")
    return rng
