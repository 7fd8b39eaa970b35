"""Angular: a dense layer that also gives the length of each product, so that a loss can see the angle."""

import numpy as np

from nnlib.initializers import xavier_normal
from nnlib.layers.layer import Layer, axes, whole
from nnlib.parameters import Parameter

__all__ = ["AngularDense"]


def lowest_products(x_norm, W_norm, out=None):
    """-||x_n|| ||W_k||, the product x_n . W_k if the two were opposite.   x_norm (N,), W_norm (K,) -> (N, K)"""
    return np.multiply(-x_norm[:, None], W_norm, out=out)


def lowest_products_backward(dlow, x, W, x_norm, W_norm):
    """dx_n = -(sum_k dlow_nk ||W_k||) x_n / ||x_n||,  dW_k = -(sum_n dlow_nk ||x_n||) W_k / ||W_k||, 0 at length 0.

    dlow (N, K), x (N, D), W (D, K) -> dx (N, D), dW (D, K)
    """
    dx = x * -_over(dlow @ W_norm, x_norm)[:, None]
    return dx, W * -_over(x_norm @ dlow, W_norm)


def _over(a, norm):
    return np.divide(a, norm, out=np.zeros_like(norm), where=norm > 0.0)


class AngularDense(Layer):
    """out = [x @ W, -||x|| ||W_k||]: K logits z_k = ||W_k|| ||x|| cos(theta_k), and beside each the value it would have
    at theta_k = 180 degrees.  The last layer before :func:`nnlib.losses.large_margin_softmax`; there is no bias, since
    an angle has none.

    A second half is never above its first half, so the largest number of a row is still the predicted class.

    Parameters
    ----------
    n_in : int
        Number of features D.
    n_classes : int
        K; the output has 2 K columns.

    Attributes
    ----------
    W : Parameter (n_in, n_classes)
        A direction for each class.
    """

    def __init__(self, n_in, n_classes, init=xavier_normal):
        if not (n_in >= 1 and n_classes >= 1):
            raise ValueError(f"AngularDense takes at least one input and one class, got ({n_in}, {n_classes})")
        self.n_in, self.n_classes, self.n_out = whole(n_in), whole(n_classes), 2 * whole(n_classes)
        self.W = Parameter((n_in, n_classes), init)

    def out_shape(self, shape):
        if axes(shape, 1) is None:
            raise self.refusal(f"(N, {self.n_in})", shape)
        self.check_features(shape, n_in=self.n_in)
        return (self.n_out,)

    def compute(self, x, training):
        W, k = self.W.value, self.n_classes
        self.x_norm, self.W_norm = np.sqrt(np.vecdot(x, x)), np.sqrt(np.vecdot(W, W, axis=0))
        out = self.array("out", (len(x), 2 * k))
        np.matmul(x, W, out=out[:, :k])
        lowest_products(self.x_norm, self.W_norm, out=out[:, k:])
        np.minimum(out[:, k:], out[:, :k], out=out[:, k:])  # rounding must not put it above
        return out

    def pull_back(self, dout, input_gradient):
        dz, dlow = dout[:, : self.n_classes], dout[:, self.n_classes :]
        dx, dW = lowest_products_backward(dlow, self.x, self.W.value, self.x_norm, self.W_norm)
        np.matmul(self.x.T, dz, out=self.W.grad)
        self.W.grad[...] += dW
        if not input_gradient:
            return None
        dx += np.matmul(dz, self.W.value.T)
        return dx

    @property
    def settings(self):
        return {"n_in": self.n_in, "n_classes": self.n_classes}
