"""Noise: disturb units or connections in training, so that nothing fragile is learned."""

import numpy as np

from nnlib.initializers import he_normal
from nnlib.layers.dense import Dense, affine
from nnlib.layers.dropout import keep_mask
from nnlib.layers.layer import Layer


class GaussianNoise(Layer):
    """Training: out = x + std * noise, noise normal; otherwise out = x.  On the inputs this acts like a penalty on the
    network's slope (Bishop 1995).
    """

    width_factor = 1

    def __init__(self, std):
        if not std >= 0.0:
            raise ValueError(f"GaussianNoise takes a standard deviation >= 0, got {std!r}")
        self.std = float(std)
        self.shape = None

    def prepare(self, rng, dtype):
        super().prepare(rng, dtype)
        (self.rng,) = rng.spawn(1)

    def forward(self, x, training=False):
        x = self.at_the_door(x)
        self.shape = x.shape
        if not (training and self.std):
            return x
        out = self.rng.standard_normal(dtype=self.dtype, out=self.array("out", x.shape))
        out *= self.std
        out += x
        return out

    def backward(self, dout, input_gradient=True):
        return self.gradient_at_the_door(dout, self.shape)

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

    def forward(self, x, training=False):
        self.mask = None
        if not (training and self.p):
            return super().forward(x, training)
        self.x = x = self.at_the_door(x, self.n_in)
        self.mask = keep_mask(self.rng, self.W.shape, self.p, self.array("mask", self.W.shape))
        self.thinned = self.W.value * self.mask
        return affine(x, self.thinned, self.b.value, out=self.array("out", (len(x), self.n_out)))

    def backward(self, dout, input_gradient=True):
        if self.x is None or self.mask is None:
            return super().backward(dout, input_gradient)
        dx = super().backward(dout, input_gradient=False)
        self.W.grad[...] *= self.mask
        if input_gradient:
            dx = np.matmul(np.asarray(dout, self.dtype), self.thinned.T, out=self.array("dx", self.x.shape))
        return dx

    @property
    def settings(self):
        return {"n_in": self.n_in, "n_out": self.n_out, "p": self.p}
