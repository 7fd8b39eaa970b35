"""Point sets in the plane, each a shape that some model cannot separate.

Every function returns x (n, 2) float32 and y (n,) int64, shuffled, with class sizes that differ by one at most.
"""

import math

import numpy as np

from nnlib.doors import checked_rng


def moons(n, *, rng, noise=0.1):
    """Two interleaved half circles of radius 1, each reaching into the other.

    Class 0 is the upper half of the circle around (0, 0), class 1 the lower half of the one around (1, 0.5).

    Parameters
    ----------
    n : int
        Number of points.
    rng : numpy.random.Generator
    noise : float
        Standard deviation of the normal noise added to both coordinates.
    """
    y = _labels(n, 2, rng)
    angle = rng.uniform(0.0, math.pi, n)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    lower = np.array([1.0, 0.5]) - upper
    return _points(np.where(y[:, None] == 0, upper, lower), noise, rng), y


def circles(n, *, rng, noise=0.1, factor=0.5):
    """Two circles around (0, 0): class 0 of radius 1 outside, class 1 of radius ``factor`` inside.

    Parameters
    ----------
    n : int
        Number of points.
    rng : numpy.random.Generator
    noise : float
        Standard deviation of the normal noise added to both coordinates.
    factor : float
        Radius of the inner circle, between 0 and 1.
    """
    if not 0.0 < factor < 1.0:
        raise ValueError(f"factor must lie between 0 and 1, got {factor}")
    y = _labels(n, 2, rng)
    angle = rng.uniform(0.0, 2.0 * math.pi, n)
    radius = np.where(y == 0, 1.0, factor)
    return _points(radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), noise, rng), y


def spirals(n, *, rng, arms=3, noise=0.05, turns=0.75):
    """Arms that wind out of (0, 0) to radius 1, one class each.

    Parameters
    ----------
    n : int
        Number of points.
    rng : numpy.random.Generator
    arms : int
        Number of arms, at least 2.
    noise : float
        Standard deviation of the normal noise added to both coordinates.
    turns : float
        Turns that an arm makes from the center to its end.
    """
    y = _labels(n, arms, rng)
    radius = np.sqrt(rng.uniform(0.01, 1.0, n))  # the root spreads the points evenly over the area
    angle = 2.0 * math.pi * (turns * radius + y / arms)
    return _points(radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), noise, rng), y


def xor(n, *, rng, noise=0.25):
    """Four clouds around (-1, -1), (-1, 1), (1, -1), (1, 1); class 1 where the signs differ.

    The four clouds are equally large (within one point).

    Parameters
    ----------
    n : int
        Number of points.
    rng : numpy.random.Generator
    noise : float
        Standard deviation of each cloud.
    """
    # Clouds 0 and 1 differ in class, and so do 2 and 3: balanced clouds give balanced classes.
    centers = np.array([(-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (1.0, -1.0)])
    cloud = _labels(n, 4, rng)
    return _points(centers[cloud], noise, rng), cloud % 2


def blobs(n, *, rng, centers=3, spread=0.3):
    """One round cloud a class.

    Parameters
    ----------
    n : int
        Number of points.
    rng : numpy.random.Generator
    centers : int or array (K, 2)
        Number of clouds, which then stand evenly on a circle of radius 1 (the first at the top), or their centers.
    spread : float
        Standard deviation of each cloud.
    """
    if np.ndim(centers) == 0:
        angle = math.pi / 2 + 2.0 * math.pi * np.arange(_count("centers", centers, 1)) / centers
        centers = np.column_stack([np.cos(angle), np.sin(angle)])
    centers = np.asarray(centers, dtype=np.float64)
    if centers.ndim != 2 or centers.shape[1] != 2:
        raise ValueError(f"centers must be a number or an array of shape (K, 2), got shape {centers.shape}")
    y = _labels(n, len(centers), rng)
    return _points(centers[y], spread, rng), y


def _count(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def _labels(n, n_classes, rng):
    """Balanced labels 0..n_classes-1 in random order, int64."""
    checked_rng(rng)
    n_classes = _count("the number of classes", n_classes, 1)
    return rng.permutation(np.arange(_count("n", n, n_classes), dtype=np.int64) % n_classes)


def _points(exact, noise, rng):
    """The exact points with normal noise, float32."""
    if not noise >= 0.0 or math.isinf(noise):
        raise ValueError(f"the noise must be a standard deviation >= 0, got {noise}")
    return (exact + noise * rng.normal(size=exact.shape)).astype(np.float32)
