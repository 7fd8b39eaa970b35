"""Seeds: one number, ``NNLIB_SEED``, shifts all randomness of a lesson, so that its claims meet seeds nobody saw."""

import contextlib
import functools
import os
import zlib

import numpy as np

VARIABLE = "NNLIB_SEED"


def shift(number):
    """From now on ``np.random.default_rng(seed)`` gives the generator of (number, seed); 0 leaves seeds as they are."""
    original = getattr(np.random.default_rng, "original", np.random.default_rng)
    if number == 0:
        np.random.default_rng = original
        return

    @functools.wraps(original)
    def default_rng(seed=None):
        return original(shifted(seed, number))

    default_rng.original = original
    np.random.default_rng = default_rng


def resampled(n, name=""):
    """Which of the n runs of a recorded experiment to look at: all of them, in order; under another ``NNLIB_SEED`` n
    of them drawn with replacement, for each ``name`` anew, so that claims about records meet other draws, too.
    """
    if not hasattr(np.random.default_rng, "original"):
        return np.arange(n)
    return np.random.default_rng(zlib.crc32(name.encode())).integers(0, n, n)


@contextlib.contextmanager
def unshifted():
    """Within this block seeds give their own generators again: what was recorded with them can be computed again."""
    now = np.random.default_rng
    np.random.default_rng = getattr(now, "original", now)
    try:
        yield
    finally:
        np.random.default_rng = now


def shifted(seed, number):
    """Another seed of the same kind: of (number, seed) for whole numbers; generators and None are no seeds."""
    if isinstance(seed, np.random.SeedSequence):
        entropy = np.ravel(seed.entropy).tolist()
        return np.random.SeedSequence([number, *entropy], spawn_key=seed.spawn_key, pool_size=seed.pool_size)
    if seed is None or isinstance(seed, np.random.Generator | np.random.BitGenerator):
        return seed
    return [number, *np.ravel(seed).tolist()]


def shift_from_environment():
    """Shift by ``NNLIB_SEED``, a whole number; without it nothing changes."""
    text = os.environ.get(VARIABLE, "0")
    if not text.isdecimal():
        raise ValueError(f"{VARIABLE} is a whole number, got {text!r}")
    shift(int(text))
