"""Preprocessing: put features on a common scale, with statistics of the training data alone.

A transform is fitted once, on training data, and then applied to whatever comes: ``z = scaler.fit(x_train)(x_test)``.
Statistics are float64 and biased (1 / N, not 1 / (N - 1)); what comes out has the dtype of what went in.
"""

import math

import numpy as np

EPS = np.finfo(np.float64).eps


class Transform:
    """What all transforms share: ``fit(x)`` -> itself, ``transform(x)`` or a plain call, ``inverse(z)``."""

    fitted = False

    def fit(self, x):
        """Learn the statistics of x, the training data; returns the transform."""
        x = _numbers(self, x)
        if len(x) < 2:
            raise ValueError(f"{self!r}.fit takes at least two examples, got x of shape {x.shape}")
        x = x.astype(np.float64)
        if not np.isfinite(x).all():
            raise ValueError(
                f"{self!r}.fit takes finite numbers, got {np.sum(~np.isfinite(x))} that are NaN or infinite"
            )
        self.learn(x)
        self.fitted = True
        return self

    def __call__(self, x):
        """x transformed with the statistics of the training data, as a new array."""
        return self._apply(x, self.forward, self.takes, "x")

    def transform(self, x):
        """The same as a call."""
        return self(x)

    def inverse(self, z):
        """The x that ``transform`` makes z of, as a new array."""
        return self._apply(z, self.backward, self.gives, "z")

    def _apply(self, x, function, wanted, name):
        if not self.fitted:
            raise RuntimeError(f"{self!r} is not fitted yet: call fit(x_train) first")
        x = _numbers(self, x)
        if x.ndim != len(wanted) + 1 or any(n not in (None, size) for n, size in zip(wanted, x.shape[1:])):
            shape = ", ".join(["N", *("any" if n is None else str(n) for n in wanted)])
            raise ValueError(f"{self!r} was fitted to {name} of shape ({shape}), got {x.shape}")
        return function(x.astype(np.float64)).astype(x.dtype, copy=False)

    # What a transform defines: the statistics, both directions, and the shapes of one example, None where any size does

    takes = gives = ()

    def learn(self, x):
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError

    def backward(self, z):
        raise NotImplementedError


class Standardize(Transform):
    """z = (x - mean) / std, for each feature: mean 0 and standard deviation 1 on the training data.

    A constant feature has no scale: its std counts as 1, so it becomes 0, and ``inverse`` brings it back.  No eps is
    added anywhere.

    Parameters
    ----------
    axes : tuple of int
        What a mean and std are shared over: (0,) gives each feature its own, (0, 2, 3) each channel of images
        (N, C, H, W).

    Attributes
    ----------
    mean, std : ndarray of float64
        Of the shape of one example, with 1 in place of an axis that shares.
    constant : ndarray of bool
        Which features were constant.
    """

    def __init__(self, axes=(0,)):
        self.axes = tuple(axes)
        if 0 not in self.axes or any(axis < 0 for axis in self.axes) or len(set(self.axes)) < len(self.axes):
            raise ValueError(f"axes are different axes from 0 on, with 0, that of the examples, got {self.axes}")

    def learn(self, x):
        if max(self.axes) >= x.ndim:
            raise ValueError(f"{self!r} takes x with at least {max(self.axes) + 1} axes, got {x.shape}")
        mean = x.mean(axis=self.axes, keepdims=True)
        std = np.sqrt(np.square(x - mean).mean(axis=self.axes, keepdims=True))
        low, high = (f(x, axis=self.axes, keepdims=True) for f in (np.min, np.max))
        constant = (low == high) | (std == 0.0)  # by the values: rounding leaves a std of 1e-17
        mean[constant] = low[constant]
        std[constant] = 1.0
        self.mean, self.std, self.constant = mean[0], std[0], constant[0]
        self.takes = self.gives = tuple(None if i in self.axes else n for i, n in enumerate(x.shape))[1:]

    def forward(self, x):
        x -= self.mean
        x /= self.std
        return x

    def backward(self, z):
        z *= self.std
        z += self.mean
        return z

    def __repr__(self):
        return "Standardize()" if self.axes == (0,) else f"Standardize(axes={self.axes})"


def principal_axes(x):
    """x^T x / N = U diag(variances) U^T for centered x (N, D): U (D, D) of orthonormal columns, variances (D,) falling.

    The largest entry of each column is positive, so that U is the same on every machine.
    """
    R = np.linalg.qr(x, mode="r")  # x = Q R, so that x^T x = R^T R, and its condition number is never squared
    _, singular, U_T = np.linalg.svd(R)
    U = U_T.T
    U *= np.where(U[np.abs(U).argmax(axis=0), np.arange(len(U))] < 0.0, -1.0, 1.0)
    variances = np.zeros(len(U))
    variances[: len(singular)] = np.square(singular) / len(x)
    return U, variances


class Affine(Transform):
    """z = (x - mean) @ matrix;  x = z @ inverse_matrix + mean."""

    def center(self, x):
        """x - mean, for x (N, D); keeps the mean."""
        if x.ndim != 2:
            raise ValueError(f"{self!r} takes x of shape (N, D), got {x.shape}: x.reshape(len(x), -1) has one row each")
        self.mean = x.mean(axis=0)
        return x - self.mean

    def count(self, x):
        """How many directions are kept of x (N, D)."""
        n = x.shape[1] if self.n_components is None else self.n_components
        if n > x.shape[1]:
            raise ValueError(f"{self!r} cannot keep {n} directions of {x.shape[1]} features")
        return n

    def set_matrices(self, matrix, inverse_matrix):
        self.matrix, self.inverse_matrix = matrix, inverse_matrix
        self.takes, self.gives = matrix.shape[:1], matrix.shape[1:]

    def forward(self, x):
        return (x - self.mean) @ self.matrix

    def backward(self, z):
        return z @ self.inverse_matrix + self.mean


class PCA(Affine):
    """z = (x - mean) @ U, the coordinates along the directions of largest variance.

    ``inverse`` is exact with all directions, else it gives the nearest point that they span.

    Parameters
    ----------
    n_components : int, optional
        How many directions are kept; all D without it.

    Attributes
    ----------
    mean : ndarray (D,)
    directions : ndarray (D, n_components)
        U, orthonormal columns (scikit-learn's ``components_`` is its transpose).
    variances : ndarray (n_components,)
        Of z on the training data, falling (scikit-learn divides by N - 1).
    explained : ndarray (n_components,)
        The share of each in the whole variance.

    Raises
    ------
    ValueError
        In ``fit``: N examples span N - 1 directions at most, and more were asked for.
    """

    def __init__(self, n_components=None):
        self.n_components = _count(n_components)

    def learn(self, x):
        x = self.center(x)
        n = self.count(x)
        if n >= len(x):
            raise ValueError(
                f"{self!r}: {len(x)} examples of {x.shape[1]} features span at most {len(x) - 1} directions: "
                f"more examples, or PCA({len(x) - 1})"
            )
        U, variances = principal_axes(x)
        if variances[0] == 0.0:
            raise ValueError(f"{self!r}: all features are constant, no direction is larger than another")
        self.directions, self.variances = U[:, :n], variances[:n]
        self.explained = self.variances / variances.sum()
        self.set_matrices(self.directions, self.directions.T)

    def __repr__(self):
        return f"PCA({self.n_components or ''})"


class Whiten(Affine):
    """Covariance I: kind "pca" is z = (x - mean) @ U / sqrt(variances + eps), coordinates along the directions U of
    largest variance; kind "zca" turns them back, z = (x - mean) @ U / sqrt(variances + eps) @ U^T.

    Of all whitening transforms ZCA's z is the nearest to x - mean (Kessy et al. 2018, section 3): whitened images still
    look like images.  With eps > 0 a variance becomes v / (v + eps), and weak directions, mostly noise, are not blown
    up; ``inverse`` stays exact.

    Parameters
    ----------
    kind : "pca" or "zca"
    n_components : int, optional
        How many directions are kept; all D without it.  ``inverse`` then gives the nearest point that they span.
    eps : float
        In the unit of a variance, under the root.

    Attributes
    ----------
    mean : ndarray (D,)
    directions : ndarray (D, n_components)
    variances : ndarray (n_components,)
        Before whitening, falling.
    matrix, inverse_matrix : ndarray
        z = (x - mean) @ matrix, x = z @ inverse_matrix + mean.

    Raises
    ------
    ValueError
        In ``fit`` with eps = 0: a direction without variance, from a constant feature, from one that depends on others,
        or from too few examples (N of them span N - 1 directions at most).
    """

    def __init__(self, kind, n_components=None, eps=0.0):
        if kind not in ("pca", "zca"):
            raise ValueError(f'Whiten takes the kind "pca" or "zca", got {kind!r}')
        if not 0.0 <= eps < math.inf:
            raise ValueError(f"eps is a nonnegative number, got {eps!r}")
        self.kind, self.n_components, self.eps = kind, _count(n_components), float(eps)

    def learn(self, x):
        x = self.center(x)
        n = self.count(x)
        U, variances = principal_axes(x)
        rank = min(_rank(np.sqrt(variances), x.shape), len(x) - 1)
        if n > rank and not self.eps:
            raise ValueError(
                f"{self!r}: the {len(x)} examples of {x.shape[1]} features vary in {rank} directions alone, {n} are "
                f"asked for: more examples, Whiten({self.kind!r}, n_components={rank}) or less, or eps > 0"
            )
        U, variances = U[:, :n], variances[:n]
        self.directions, self.variances = U, variances
        std = np.sqrt(variances + self.eps)
        back = U.T if self.kind == "zca" else np.eye(n)
        self.set_matrices(U / std @ back, back.T * std @ U.T)

    def __repr__(self):
        kept = "" if self.n_components is None else f", n_components={self.n_components}"
        return f"Whiten({self.kind!r}{kept}{f', eps={self.eps}' if self.eps else ''})"


class Pipeline(Transform):
    """One transform after another, each fitted to what the ones before it give; ``inverse`` goes back through them."""

    def __init__(self, *steps):
        if not steps or not all(isinstance(step, Transform) for step in steps):
            raise TypeError(f"Pipeline takes transforms, got {steps!r}")
        self.steps = steps

    def fit(self, x):
        """Fit each step to what the steps before it make of x, the training data; returns the pipeline."""
        for step in self.steps:
            x = step.fit(x)(x)
        return self

    @property
    def fitted(self):
        """Whether all steps are."""
        return all(step.fitted for step in self.steps)

    def __call__(self, x):
        """x through all steps."""
        for step in self.steps:
            x = step(x)
        return x

    def inverse(self, z):
        """z back through all steps, the last one first."""
        for step in reversed(self.steps):
            z = step.inverse(z)
        return z

    def __repr__(self):
        return f"Pipeline({', '.join(map(repr, self.steps))})"


def condition_number(x, bias=False):
    """lambda_max / lambda_min of x^T x / N, the curvatures of least squares on x (N, D): gradient descent takes steps
    in proportion to it.  Infinite where the features depend on each other, up to the rounding of x's dtype; x is *not*
    centered.

    Parameters
    ----------
    x : array (N, D)
    bias : bool
        Count the bias, too: as a column of ones.
    """
    x = np.asarray(x)
    if x.ndim != 2 or not x.size or x.dtype.kind not in "iubf":
        raise ValueError(f"condition_number takes real numbers of shape (N, D), got {x.dtype} {x.shape}")
    eps = np.finfo(x.dtype).eps if x.dtype.kind == "f" else EPS
    x = x.astype(np.float64)
    if not np.isfinite(x).all():
        raise ValueError("condition_number takes finite numbers, got NaN or infinity")
    if bias:
        x = np.column_stack([x, np.ones(len(x))])
    singular = np.linalg.svd(x, compute_uv=False)
    if _rank(singular, x.shape, eps) < x.shape[1]:
        return math.inf
    return float((singular[0] / singular[-1]) ** 2)


def _rank(singular, shape, eps=EPS):
    """How many singular values are not zero but for rounding."""
    return int(np.count_nonzero(singular > singular[0] * max(shape) * eps))


def _count(n):
    if n is not None and (n != int(n) or n < 1):
        raise ValueError(f"n_components is a positive whole number, got {n!r}")
    return None if n is None else int(n)


def _numbers(transform, x):
    """x as an array of floating point, with examples along its first axis."""
    x = np.asarray(x)
    if x.dtype.kind not in "iubf":
        raise TypeError(f"{transform!r} takes real numbers, got dtype {x.dtype}")
    if x.ndim < 2 or not x.size:
        raise ValueError(f"{transform!r} takes at least one example, x of shape (N, ...), got {x.shape}")
    return x if x.dtype.kind == "f" else x.astype(np.float64)
