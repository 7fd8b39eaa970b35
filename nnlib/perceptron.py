"""The neuron, and Rosenblatt's rule, which finds a separating line whenever there is one."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np


def neuron(w, b, x, f):
    """a = f(x . w + b).  w (D,), b scalar, x (D,) or (N, D) -> a
    scalar or (N,); f is the activation function.
    """
    return f(np.asarray(x) @ np.asarray(w) + b)


@dataclass(frozen=True)
class Training:
    """What a perceptron did while it learned; it prints as a sentence.

    ``path`` (mistakes + 1, n_in + 1) holds (w, b) at the start and after every mistake.
    """

    converged: bool
    mistakes_per_epoch: tuple
    path: np.ndarray

    @property
    def mistakes(self):
        return sum(self.mistakes_per_epoch)

    @property
    def epochs(self):
        return len(self.mistakes_per_epoch)

    def __repr__(self):
        passes = f"{self.epochs} epoch" + "s" * (self.epochs != 1)
        if self.converged:
            return f"converged: {self.mistakes} mistakes in {passes}, none in the last"
        last = self.mistakes_per_epoch[-1]
        return (
            f"did not converge: {self.mistakes} mistakes in {passes}, {last} in the last; "
            "more epochs are needed, or no line separates the classes"
        )


class Perceptron:
    """prediction = 1 if w . x + b >= 0 else 0, learned from mistakes alone.

    The weights ``w`` (n_in,) and the bias ``b`` start at 0, so the learning rate would only scale them: it is 1.

    References
    ----------
    F. Rosenblatt, "The perceptron", Psychological Review 65, 1958.
    """

    def __init__(self, n_in):
        if n_in < 1:
            raise ValueError(f"Perceptron takes at least one input, got n_in = {n_in}")
        self.w = np.zeros(n_in)
        self.b = 0.0

    def predict(self, x):
        """x (n_in,) or (N, n_in) -> 0 or 1, int64."""
        return np.where(np.asarray(x) @ self.w + self.b >= 0.0, 1, 0)

    def fit(self, x, y, epochs, rng):
        """Go through x (N, n_in), y (N,) of 0 and 1 in a new random order each epoch; stop after one without mistakes.

        At each mistake: w <- w + (y - prediction) x, b <- b + (y - prediction). A second call goes on from where the
        first one stopped.

        Returns
        -------
        Training
            Whether it converged, the mistakes of each epoch, and the path of (w, b).
        """
        x, y = _examples(f"Perceptron({len(self.w)})", x, y, len(self.w))
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {epochs}")
        path, mistakes_per_epoch = [np.append(self.w, self.b)], []
        for _ in range(epochs):
            before = len(path)
            for i in rng.permutation(len(x)):
                error = int(y[i]) - int(self.predict(x[i]))
                if error:
                    self.w = self.w + error * x[i]
                    self.b = self.b + error
                    path.append(np.append(self.w, self.b))
            mistakes_per_epoch.append(len(path) - before)
            if mistakes_per_epoch[-1] == 0:
                break
        return Training(mistakes_per_epoch[-1] == 0, tuple(mistakes_per_epoch), np.array(path))


def _examples(name, x, y, n_in):
    """x (N, n_in) as float64 and y (N,) as int64, or an error that says what is wrong with them."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != n_in or len(x) == 0:
        raise ValueError(f"{name} takes x of shape (N, {n_in}), got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} takes finite numbers, but x holds NaN or infinity")
    if y.shape != (len(x),) or not np.isin(y, (0, 1)).all():
        raise ValueError(f"y must hold {len(x)} labels 0 or 1, got shape {y.shape} with {np.unique(y)}")
    return x, y.astype(np.int64)


def radius(x):
    """R = max over the examples of ||(x, 1)||: the bias is the weight of an input that is always 1.  x (N, n)."""
    return math.sqrt(1.0 + np.max(np.sum(np.square(np.asarray(x, dtype=np.float64)), axis=1)))


def margin(x, y, w, b):
    """gamma = min over the examples of (2y - 1)(w . x + b) / ||(w, b)||: positive if (w, b) separates the classes.

    x (N, n), y (N,) of 0 and 1, w (n,). The bias counts as one more weight, as in `radius`.

    Raises
    ------
    ValueError
        If x, y and w do not fit together, or (w, b) is zero and has no direction.
    """
    w = np.asarray(w, dtype=np.float64)
    x, y = _examples("margin", x, y, len(w))
    if not (w.any() or b):
        raise ValueError("margin takes (w, b) of some length, got zeros")
    scores = (2 * y - 1) * (x @ w + b)
    return float(np.min(scores) / math.sqrt(w @ w + b * b))


def mistake_bound(x, y, w, b):
    """(R / gamma)^2: no order of the examples makes a perceptron fail more often (Novikoff 1962).

    Every separating (w, b) gives a bound; the one with the largest margin gives the smallest.

    Raises
    ------
    ValueError
        If (w, b) does not separate the classes: the theorem then promises nothing.
    """
    gamma = margin(x, y, w, b)
    if gamma <= 0.0:
        raise ValueError(f"(w, b) does not separate the classes (margin {gamma:.3g}): there is no bound to give")
    return (radius(x) / gamma) ** 2


def threshold_functions(weights, biases):
    """Every Boolean function of two inputs that one threshold unit computes with weights and biases from these lists.

    Returns a dict from the truth table, a tuple of outputs for (0, 0), (0, 1), (1, 0), (1, 1), to the first
    (w1, w2, b) that gives it.
    """
    found, weights, biases = {}, list(weights), list(biases)
    for w1, w2, b in product(weights, weights, biases):
        outputs = tuple(int(w1 * x1 + w2 * x2 + b >= 0) for x1, x2 in product((0, 1), repeat=2))
        found.setdefault(outputs, (w1, w2, b))
    return found
