"""The 2-2-2 network that chapters work through by hand: two inputs, two sigmoid units, two sigmoid outputs."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TwoTwoTwo:
    """The worked example: two inputs, two sigmoid units, two sigmoid outputs, one example, E = sum (t - o)^2 / 2.

    w1 w2 lead into h1, w3 w4 into h2, w5 w6 into o1, w7 w8 into o2: one column of a matrix per unit.
    """

    x: np.ndarray  # (1, 2)
    target: np.ndarray  # (1, 2)
    W1: np.ndarray  # (2, 2) [[w1, w3], [w2, w4]]
    b1: np.ndarray  # (2,)
    W2: np.ndarray  # (2, 2) [[w5, w7], [w6, w8]]
    b2: np.ndarray  # (2,)


def two_two_two():
    """The example's first numbers, as fresh arrays."""
    return TwoTwoTwo(
        x=np.array([[0.05, 0.10]]),
        target=np.array([[0.01, 0.99]]),
        W1=np.array([[0.15, 0.25], [0.20, 0.30]]),
        b1=np.array([0.35, 0.35]),
        W2=np.array([[0.40, 0.50], [0.45, 0.55]]),
        b2=np.array([0.60, 0.60]),
    )
