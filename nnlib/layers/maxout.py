"""CReLU and Maxout: activations that change the number of units."""

import numpy as np

from nnlib.initializers import he_normal, zeros
from nnlib.layers.layer import Layer, rows, whole, with_last
from nnlib.parameters import Parameter

__all__ = ["CReLU", "Maxout"]


class CReLU(Layer):
    """out = [max(0, z), max(0, -z)]: twice as many units, and nothing is lost, z = left - right   (Shang et al. 2016).

    z (N, ..., D) -> (N, ..., 2 D)
    """

    def out_shape(self, shape):
        if not shape:
            raise self.refusal("(N, D)", shape)
        d = shape[-1]
        return with_last(shape, None if d in (None, ...) else 2 * d)

    def compute(self, z, training):
        d = z.shape[-1]
        out = self.array("out", (*z.shape[:-1], 2 * d))
        left, right = out[..., :d], out[..., d:]
        np.maximum(z, 0.0, out=left)
        np.subtract(left, z, out=right)  # max(0, -z) = max(0, z) - z
        return out

    def pull_back(self, dout, input_gradient):
        if not input_gradient:
            return None
        z, d = self.x, self.x.shape[-1]
        dz = np.multiply(dout[..., :d], z > 0.0, out=self.array("dz", z.shape))
        dz -= dout[..., d:] * (z < 0.0)
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

    def out_shape(self, shape):
        self.check_features(shape, n_in=self.n_in)
        return with_last(shape, self.n_out)

    def compute(self, x, training):
        out, self.winner = maxout(rows(x), self.W.value, self.b.value)
        return out.reshape(*x.shape[:-1], self.n_out)

    def pull_back(self, dout, input_gradient):
        dx = self.array("dx", self.x.shape) if input_gradient else None
        own = self.W.grad, self.b.grad, rows(dx)
        maxout_backward(rows(dout), rows(self.x), self.W.value, self.winner, *own)
        return dx

    @property
    def settings(self):
        return {"n_in": self.n_in, "n_out": self.n_out, "pieces": self.pieces}
