"""Dropout: silence each unit at random during training, so that none can rely on another."""

import numpy as np

from nnlib.layers.layer import Layer

__all__ = ["Dropout"]


def keep_mask(rng, shape, p, out):
    """out = 1 / (1 - p) with probability 1 - p, else 0, so that the mean is 1.

    One 16-bit number per unit decides; p is rounded to the next 1/65536 and the factor is that of the rounded p.
    """
    n_dropped = round(p * 65536)
    n_units = int(np.prod(shape))
    draws = rng.bit_generator.random_raw(-(-n_units // 4)).view(np.uint16)[:n_units].reshape(shape)
    np.greater_equal(draws, n_dropped, out=out, casting="unsafe")
    out *= 65536 / (65536 - n_dropped)
    return out


class Dropout(Layer):
    """Training: out = x * mask / (1 - p); otherwise out = x   (Srivastava et al. 2014, the inverted form, as PyTorch).

    Parameters
    ----------
    p : float
        Probability with which a unit is silenced, 0 <= p < 1.
    """

    def __init__(self, p):
        if not 0.0 <= p < 1.0:
            raise ValueError(f"Dropout silences with a probability p, 0 <= p < 1, got {p!r}")
        self.p = float(p)

    def prepare(self, rng, dtype):
        super().prepare(rng, dtype)
        (self.rng,) = rng.spawn(1)  # its own stream: the first values of later layers do not depend on it

    def compute(self, x, training):
        self.mask = keep_mask(self.rng, x.shape, self.p, self.array("mask", x.shape)) if training and self.p else None
        return x if self.mask is None else np.multiply(x, self.mask, out=self.array("out", x.shape))

    def pull_back(self, dout, input_gradient):
        return dout if self.mask is None else np.multiply(dout, self.mask, out=self.array("dx", dout.shape))

    @property
    def settings(self):
        return {"p": self.p}
