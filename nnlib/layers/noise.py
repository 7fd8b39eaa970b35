"""Noise: disturb units or connections in training, so that nothing fragile is learned."""

import numpy as np

from nnlib.initializers import he_normal
from nnlib.layers.dense import Dense
from nnlib.layers.dropout import keep_mask
from nnlib.layers.layer import Layer

__all__ = ["DropConnect", "GaussianNoise"]


class GaussianNoise(Layer):
    """Training: out = x + std * noise, noise normal; otherwise out = x.  On the inputs this acts like a penalty on the
    network's slope (Bishop 1995).
    """

    def __init__(self, std):
        if not std >= 0.0:
            raise ValueError(f"GaussianNoise takes a standard deviation >= 0, got {std!r}")
        self.std = float(std)

    def prepare(self, rng, dtype):
        super().prepare(rng, dtype)
        (self.rng,) = rng.spawn(1)

    def compute(self, x, training):
        if not (training and self.std):
            return x
        out = self.rng.standard_normal(dtype=self.dtype, out=self.array("out", x.shape))
        out *= self.std
        out += x
        return out

    def pull_back(self, dout, input_gradient):
        return dout

    @property
    def settings(self):
        return {"std": self.std}


class DropConnect(Dense):
    """Training: out = x @ (W * mask / (1 - p)) + b, one mask for the batch; otherwise Dense (Wan et al. 2013, whose
    test pass samples; the mean weights used here are Dropout's rule).

    Dropout silences units, DropConnect single connections.
    """

    def __init__(self, n_in, n_out, p, init=he_normal):
        super().__init__(n_in, n_out, init)
        if not 0.0 <= p < 1.0:
            raise ValueError(f"DropConnect silences with a probability p, 0 <= p < 1, got {p!r}")
        self.p = float(p)

    def prepare(self, rng, dtype):
        super().prepare(rng, dtype)
        (self.rng,) = rng.spawn(1)

    def compute(self, x, training):
        self.mask = None
        if not (training and self.p):
            return super().compute(x, training)
        self.mask = keep_mask(self.rng, self.W.shape, self.p, self.array("mask", self.W.shape))
        self.thinned = self.W.value * self.mask
        out = np.matmul(x, self.thinned, out=self.array("out", (*x.shape[:-1], self.n_out)))
        out += self.b.value
        return out

    def pull_back(self, dout, input_gradient):
        if self.mask is None:
            return super().pull_back(dout, input_gradient)
        super().pull_back(dout, input_gradient=False)
        self.W.grad[...] *= self.mask
        return np.matmul(dout, self.thinned.T, out=self.array("dx", self.x.shape)) if input_gradient else None

    @property
    def settings(self):
        return {"n_in": self.n_in, "n_out": self.n_out, "p": self.p}
