"""Rectifiers with a slope of their own: PReLU learns it, RReLU draws it."""

import numpy as np

from nnlib.initializers import constant
from nnlib.layers.layer import Layer, rows, whole
from nnlib.parameters import Parameter
from nnlib.reductions import sum_rows

__all__ = ["PReLU", "RReLU"]


def prelu(z, slope, out=None):
    """out = max(0, z) + slope min(0, z).   z (N, ..., D), slope (D,), (1,) or as z"""
    out = np.minimum(z, 0.0, out=out)
    out *= slope
    out += np.maximum(z, 0.0)
    return out


def prelu_backward(dout, z, slope, dslope, dz=None):
    """dslope = sum of dout min(0, z) over the batch (and over D where one slope serves all); dz = dout (1 or slope)."""
    negative = np.minimum(z, 0.0)
    negative *= dout
    if dslope is not None:
        dslope[...] = sum_rows(rows(negative)) if len(dslope) > 1 else negative.sum()
    if dz is not None:
        positive = np.greater(z, 0.0).astype(z.dtype)
        np.multiply(dout, positive + slope * (1.0 - positive), out=dz)
    return dz


class PReLU(Layer):
    """out = max(0, z) + slope min(0, z), with a learned slope   (He et al. 2015).

    Parameters
    ----------
    n : int
        1: one slope for all units; D: one for each of the D units, along the last axis.
    slope : float
        First value, 0.25 as in the paper.  Penalties leave it alone: decay would pull it to ReLU.
    """

    def __init__(self, n=1, slope=0.25):
        self.n, self.first_slope = whole(n), float(slope)
        self.slope = Parameter((n,), constant(slope), decay=False)

    def out_shape(self, shape):
        if self.n > 1:
            self.check_features(shape, n=self.n)
        return shape

    def compute(self, z, training):
        return prelu(z, self.slope.value, out=self.array("out", z.shape))

    def pull_back(self, dout, input_gradient):
        dz = self.array("dz", self.x.shape) if input_gradient else None
        return prelu_backward(dout, self.x, self.slope.value, self.slope.grad, dz)

    @property
    def settings(self):
        return {"n": self.n, "slope": self.first_slope}


class RReLU(Layer):
    """out = max(0, z) + slope min(0, z), the slope drawn anew for each number from uniform(low, high) in training, and
    its mean (low + high) / 2 otherwise   (Xu et al. 2015; the bounds 1/8 and 1/3 are those of PyTorch).
    """

    def __init__(self, low=1 / 8, high=1 / 3):
        if not 0.0 <= low <= high:
            raise ValueError(f"RReLU takes 0 <= low <= high, got {low!r} and {high!r}")
        self.low, self.high = float(low), float(high)

    def prepare(self, rng, dtype):
        super().prepare(rng, dtype)
        (self.rng,) = rng.spawn(1)

    def compute(self, z, training):
        if training:
            self.drawn = self.rng.random(z.shape, self.dtype, out=self.array("slopes", z.shape))
            self.drawn *= self.high - self.low
            self.drawn += self.low
        else:
            self.drawn = 0.5 * (self.low + self.high)
        return prelu(z, self.drawn, out=self.array("out", z.shape))

    def pull_back(self, dout, input_gradient):
        dz = self.array("dz", self.x.shape) if input_gradient else None
        return prelu_backward(dout, self.x, self.drawn, None, dz)

    @property
    def settings(self):
        return {"low": self.low, "high": self.high}
