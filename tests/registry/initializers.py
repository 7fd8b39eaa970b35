"""Initializers: a row each, with the variance of a weight of shape (300, 200) and PyTorch's function."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib import initializers
from registry.cases import Case


@dataclass(frozen=True)
class Row:
    """One initializer: its variance for a weight of shape (300, 200), and PyTorch's: ``torch(init, w, generator)``.

    ``bounded``: its numbers are uniform, and the largest is compared, too.
    """

    name: str
    init: Callable
    variance: float
    torch: Callable | None = None
    bounded: bool = False

    def case(self):
        """Two shapes: of a dense layer and of a convolution."""

        def spread(w):
            std = (w**2).mean() ** 0.5
            return {"std": std, "kurtosis": (w**4).mean() / std**4, **({"bound": abs(w).max()} if self.bounded else {})}

        def both(of):
            return {
                f"{name}, {kind}": value
                for kind, shape in (("dense", (300, 200)), ("convolution", (40, 60, 5, 5)))
                for name, value in spread(of(shape)).items()
            }

        def theirs(torch, i):
            def of(shape):
                w = torch.empty(shape[::-1] if len(shape) == 2 else shape, dtype=torch.float64)
                self.torch(torch.nn.init, w, torch.Generator().manual_seed(int(i["seed"])))
                return w

            return both(of)

        return Case(
            draw=lambda rng: {"seed": rng.integers(2**31)},
            ours=lambda i, dtype: both(lambda shape: self.init(np.random.default_rng(int(i["seed"])), shape)),
            theirs=theirs,
            rtol=0.03,
            why="60,000 random numbers from another generator",
        )


INITIALIZERS = [
    Row("zeros", initializers.zeros, 0.0),
    Row("constant(2)", initializers.constant(2), 0.0),
    Row("normal(0.3)", initializers.normal(0.3), 0.09, lambda i, w, g: i.normal_(w, std=0.3, generator=g)),
    Row(
        "uniform(-1, 2)",
        initializers.uniform(-1, 2),
        0.75,
        lambda i, w, g: i.uniform_(w, -1, 2, g),
        bounded=True,
    ),
    Row(
        "lecun_normal",
        initializers.lecun_normal,
        1 / 300,
        lambda i, w, g: i.kaiming_normal_(w, nonlinearity="linear", generator=g),
    ),
    Row(
        "lecun_uniform",
        initializers.lecun_uniform,
        1 / 300,
        lambda i, w, g: i.kaiming_uniform_(w, nonlinearity="linear", generator=g),
        bounded=True,
    ),
    Row("xavier_normal", initializers.xavier_normal, 2 / 500, lambda i, w, g: i.xavier_normal_(w, generator=g)),
    Row(
        "xavier_uniform",
        initializers.xavier_uniform,
        2 / 500,
        lambda i, w, g: i.xavier_uniform_(w, generator=g),
        bounded=True,
    ),
    Row(
        "he_normal",
        initializers.he_normal,
        2 / 300,
        lambda i, w, g: i.kaiming_normal_(w, nonlinearity="relu", generator=g),
    ),
    Row(
        "he_uniform",
        initializers.he_uniform,
        2 / 300,
        lambda i, w, g: i.kaiming_uniform_(w, nonlinearity="relu", generator=g),
        bounded=True,
    ),
    Row("orthogonal", initializers.orthogonal, 1 / 300, lambda i, w, g: i.orthogonal_(w, generator=g)),
    Row("sparse(150, 0.5)", initializers.sparse(150, 0.5), 150 / 300 / 4),
]
