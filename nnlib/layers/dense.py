"""Dense: every output is a weighted sum of all inputs, plus a bias."""

import math

import numpy as np

from nnlib.initializers import he_normal, normal, zeros
from nnlib.layers.layer import Layer, rows, whole, with_last
from nnlib.parameters import Parameter
from nnlib.reductions import sum_rows

__all__ = ["Dense", "NTKDense"]


def affine(x, W, b, out=None):
    """out = x @ W + b.   x (N, D_in), W (D_in, D_out), b (D_out,) -> (N, D_out)"""
    out = x.dot(W, out)
    out += b
    return out


def affine_backward(dout, x, W, dW, db, dx=None):
    """dW = x^T dout, db = sum of dout over the batch, dx = dout W^T unless it is None."""
    x.T.dot(dout, dW)  # each weight: its input times its error, over the batch
    sum_rows(dout, out=db)  # a bias is a weight whose input is always 1
    if dx is not None:
        dout.dot(W.T, dx)
    return dx


class Dense(Layer):
    """out = x @ W + b.   x (N, n_in) -> (N, n_out), or with any axes between: (N, T, n_in) -> (N, T, n_out)

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs and outputs.
    init : callable
        First values of W; He's normal numbers suit ReLU, ``xavier_normal`` suits tanh.  b starts at 0.

    Attributes
    ----------
    W : Parameter (n_in, n_out)
        PyTorch's ``Linear.weight`` is its transpose.
    b : Parameter (n_out,)

    Notes
    -----
    PyTorch's ``Linear`` draws both from uniform(-1 / sqrt(n_in), 1 / sqrt(n_in)): a sixth of He's variance.
    """

    def __init__(self, n_in, n_out, init=he_normal):
        if not (n_in >= 1 and n_out >= 1):
            raise ValueError(f"Dense takes at least one input and one output, got Dense({n_in}, {n_out})")
        self.n_in, self.n_out = whole(n_in), whole(n_out)
        self.W = Parameter((n_in, n_out), init)
        self.b = Parameter((n_out,), zeros, decay=False)

    def out_shape(self, shape):
        self.check_features(shape, n_in=self.n_in)
        return with_last(shape, self.n_out)

    def compute(self, x, training):
        out = self.array("out", (*x.shape[:-1], self.n_out))
        affine(rows(x), self.W.value, self.b.value, out=rows(out))
        return out

    def pull_back(self, dout, input_gradient):
        dx = self.array("dx", self.x.shape) if input_gradient else None  # nobody reads the first layer's
        affine_backward(rows(dout), rows(self.x), self.W.value, self.W.grad, self.b.grad, rows(dx))
        return dx

    @property
    def settings(self):
        return {"n_in": self.n_in, "n_out": self.n_out}


standard_normal = normal(1.0)


class NTKDense(Dense):
    """out = (x @ W) / sqrt(n_in) + b with W of variance 1: the scale stands in the layer, not in the first values, so
    the largest stable learning rate does not depend on the width (Jacot et al. 2018, section 2.1).
    """

    def __init__(self, n_in, n_out, init=standard_normal):
        super().__init__(n_in, n_out, init)
        self.scale = 1.0 / math.sqrt(n_in)

    def compute(self, x, training):
        out = np.matmul(x, self.W.value, out=self.array("out", (*x.shape[:-1], self.n_out)))
        out *= self.scale
        out += self.b.value
        return out

    def pull_back(self, dout, input_gradient):
        dx = super().pull_back(dout, input_gradient)
        self.W.grad[...] *= self.scale
        if dx is not None:
            dx *= self.scale
        return dx
