"""CReLU and Maxout: activations that change the number of units."""

import numpy as np

from nnlib.initializers import he_normal, zeros
from nnlib.layers.layer import Layer, whole
from nnlib.parameters import Parameter


class CReLU(Layer):
    """out = [max(0, z), max(0, -z)]: twice as many units, and nothing is lost, z = left - right   (Shang et al. 2016).

    z (N, D) -> (N, 2 D)
    """

    width_factor = 2

    def __init__(self):
        self.z = None

    def forward(self, x, training=False):
        self.z = x = self.at_the_door(x)
        d = x.shape[-1]
        out = self.array("out", (*x.shape[:-1], 2 * d))
        np.maximum(x, 0.0, out=out[..., :d])
        np.subtract(out[..., :d], x, out=out[..., d:])  # max(0, -z) = max(0, z) - z
        return out

    def backward(self, dout, input_gradient=True):
        shape = None if self.z is None else (*self.z.shape[:-1], 2 * self.z.shape[-1])
        dout = self.gradient_at_the_door(dout, shape)
        if not input_gradient:
            return None
        d = self.z.shape[-1]
        dz = np.multiply(dout[..., :d], self.z > 0.0, out=self.array("dz", self.z.shape))
        dz -= dout[..., d:] * (self.z < 0.0)
        return dz


def maxout(x, W, b):
    """out = max over j of (x @ W_j + b_j), and which j it was.

    x (N, D_in), W (k, D_in, D_out), b (k, D_out) -> (N, D_out), winner (N, D_out) of int; among equals the first wins
    """
    pieces = np.matmul(x, W) + b[:, None, :]  # (k, N, D_out)
    return pieces.max(axis=0), pieces.argmax(axis=0)


def maxout_backward(dout, x, W, winner, dW, db, dx=None):
    """Only the winning piece of each output learns, as a dense layer of its own."""
    if dx is not None:
        dx.fill(0.0)
    for j in range(len(W)):
        dpiece = dout * (winner == j)
        np.matmul(x.T, dpiece, out=dW[j])
        np.sum(dpiece, axis=0, out=db[j])
        if dx is not None:
            dx += np.matmul(dpiece, W[j].T)
    return dx


class Maxout(Layer):
    """out = max over ``pieces`` affine maps of the same input: a learned convex, piecewise linear activation
    (Goodfellow et al. 2013).

    Attributes
    ----------
    W : Parameter (pieces, n_in, n_out)
    b : Parameter (pieces, n_out)
    """

    def __init__(self, n_in, n_out, pieces, init=he_normal):
        if not (n_in >= 1 and n_out >= 1 and pieces >= 1):
            raise ValueError(f"Maxout takes positive sizes, got Maxout({n_in}, {n_out}, {pieces})")
        self.n_in, self.n_out, self.pieces = whole(n_in), whole(n_out), whole(pieces)
        self.W = Parameter((pieces, n_in, n_out), init)
        self.b = Parameter((pieces, n_out), zeros, decay=False)
        self.x = None

    def forward(self, x, training=False):
        self.x = x = self.at_the_door(x, self.n_in)
        out, self.winner = maxout(x, self.W.value, self.b.value)
        return out

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.x is None else (len(self.x), self.n_out))
        dx = self.array("dx", self.x.shape) if input_gradient else None
        return maxout_backward(dout, self.x, self.W.value, self.winner, self.W.grad, self.b.grad, dx)

    @property
    def settings(self):
        return {"n_in": self.n_in, "n_out": self.n_out, "pieces": self.pieces}
