"""A case: one computation done twice, by nnlib and by PyTorch, on inputs that are drawn for both."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Case:
    """One computation, done twice.

    Parameters
    ----------
    draw : callable
        ``draw(rng)`` gives the inputs, a dict of arrays.
    ours : callable
        ``ours(inputs, dtype)`` gives nnlib's results, a dict of arrays.
    theirs : callable
        ``theirs(torch, inputs)`` gives PyTorch's under the same names; the inputs are tensors, float64 or int64.
    rtol, atol : float
        How far the two may be apart in float64: rounding, unless ``why`` gives another reason.
    rtol32 : float
        How far nnlib in float32 may be from PyTorch in float64.
    """

    draw: Callable
    ours: Callable
    theirs: Callable
    rtol: float = 1e-10
    atol: float = 1e-12
    why: str = ""
    rtol32: float = 2e-5


def grid(rng, *shape):
    """Normal numbers, rounded to 64ths: they are the same in float32 and take little room in a file."""
    return np.round(64.0 * rng.normal(size=shape)) / 64.0


def between(rng, *shape):
    """As :func:`grid`, but halfway between the 64ths: never on a kink."""
    return (np.floor(64.0 * rng.normal(size=shape)) + 0.5) / 64.0


def whole_numbers(rng, *shape):
    """0, 1 and 2: many ties."""
    return rng.integers(0, 3, shape).astype(float)


def slope_of(torch, function, z):
    """function(z) and its derivative, number by number, by PyTorch's autograd."""
    z = z.clone().requires_grad_()
    value = function(z)
    if value.requires_grad:
        value.sum().backward()
    return {"value": value.detach(), "slope": torch.zeros_like(z) if z.grad is None else z.grad}
