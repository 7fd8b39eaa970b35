"""Normalization: bring numbers to mean 0 and variance 1, then let two learned numbers scale and shift them.

The layers differ in *which* numbers share a mean and variance: the batch (BatchNorm), one example (LayerNorm,
RMSNorm), a group of its channels (GroupNorm), a single channel (InstanceNorm).  eps stands inside the root everywhere,
as in PyTorch.
"""

import math

import numpy as np

from nnlib.initializers import constant, zeros
from nnlib.layers.layer import Layer, positive_eps, whole
from nnlib.parameters import Parameter
from nnlib.reductions import along_long_rows, ones

EPS = 1e-5  # that of the papers' code and of PyTorch; Keras has 1e-3


def standardize(x, axes, eps=EPS, out=None):
    """x_hat = (x - mean) / sqrt(var + eps), mean and biased variance over ``axes``; also mean, var and 1 / std."""
    mean = mean_over(axes, x)
    x_hat = np.subtract(x, mean, out=out)
    var = mean_over(axes, x_hat, x_hat)
    inverse_std = 1.0 / np.sqrt(var + eps)
    x_hat *= inverse_std
    return x_hat, mean, var, inverse_std


def standardize_backward(dx_hat, x_hat, inverse_std, axes, out=None):
    """dx = (dx_hat - mean(dx_hat) - x_hat mean(dx_hat x_hat)) / std.

    The first mean is there since a shift of all x changes nothing, the second since a common scale changes nothing
    (Ioffe & Szegedy 2015, the equations after algorithm 1, put together).
    """
    dx = np.multiply(x_hat, mean_over(axes, dx_hat, x_hat), out=out)
    np.subtract(dx_hat, dx, out=dx)
    dx -= mean_over(axes, dx_hat)
    dx *= inverse_std
    return dx


LETTERS = "nchw"


def mean_over(axes, a, b=None):
    """Mean of a, or of a * b without that array, over ``axes``, which stay with size 1."""
    kept = tuple(1 if i in axes else size for i, size in enumerate(a.shape))
    n = a.size // math.prod(kept)
    if axes == (a.ndim - 1,):  # of each row: products of vectors, which BLAS does
        total = np.matmul(a, ones(n, a.dtype)) if b is None else np.vecdot(a, b)
    elif b is None:
        total = np.dot(ones(n, a.dtype), a) if a.ndim == 2 else a.sum(axis=axes)
    else:
        letters = LETTERS[: a.ndim]
        rest = "".join(letter for i, letter in enumerate(letters) if i not in axes)
        total = np.einsum(f"{letters},{letters}->{rest}", a, b)
    total *= 1.0 / n
    return total.reshape(kept)


class Normalization(Layer):
    """out = gamma x_hat + beta, gamma and beta one number per feature (N, D) or channel (N, C, H, W).

    Attributes
    ----------
    gamma, beta : Parameter (n,)
        1 and 0 at first; penalties leave both alone.
    """

    width_factor = 1

    def __init__(self, n, eps=EPS):
        if n < 1:
            raise ValueError(f"{type(self).__name__} takes at least one feature, got {n}")
        self.n, self.eps = whole(n), positive_eps(eps)
        self.gamma = Parameter((n,), constant(1.0), decay=False)
        self.beta = Parameter((n,), zeros, decay=False)
        self.shape = None

    def at_this_door(self, x):
        x = self.at_the_door(x)
        if x.ndim not in (2, 4) or x.shape[1] != self.n:
            raise ValueError(f"{self!r} takes x of shape (N, {self.n}) or (N, {self.n}, H, W), got {x.shape}")
        self.shape = x.shape
        self.others = (0,) if x.ndim == 2 else (0, 2, 3)  # what a feature's gamma and beta are shared over
        return x

    def per_feature(self, values):
        """values (n,) in a shape that goes with x."""
        return values.reshape((-1,) + (1,) * (len(self.shape) - 2))

    def scale_and_shift(self, x_hat):
        out = np.multiply(x_hat, self.per_feature(self.gamma.value), out=self.array("out", self.shape))
        out += self.per_feature(self.beta.value)
        return out

    def gradients(self, dout):
        """Fill those of gamma and beta."""
        dout = self.gradient_at_the_door(dout, self.shape)
        n_values = dout.size // self.n
        self.gamma.grad[...] = mean_over(self.others, dout, self.x_hat).reshape(-1) * n_values
        self.beta.grad[...] = mean_over(self.others, dout).reshape(-1) * n_values
        return dout

    def scaled(self, dout):
        """dx_hat = dout gamma."""
        return np.multiply(dout, self.per_feature(self.gamma.value), out=self.array("dx_hat", self.shape))

    @property
    def settings(self):
        return {"n": self.n, "eps": self.eps}


class BatchNorm(Normalization):
    """Mean and variance of each feature over the batch (and over H and W), in training; running averages of them
    otherwise (Ioffe & Szegedy 2015).

    As PyTorch: running <- (1 - momentum) running + momentum batch, with the *unbiased* batch variance.  Keras calls
    1 - momentum "momentum", and its running variance is biased.

    Attributes
    ----------
    running_mean, running_var : ndarray (n,)
        What ``predict`` normalizes with; saved and rolled back with the parameters.
    """

    def __init__(self, n, momentum=0.1, eps=EPS):
        super().__init__(n, eps)
        if not 0.0 < momentum <= 1.0:
            raise ValueError(f"momentum lies in (0, 1], got {momentum!r}")
        self.momentum = float(momentum)

    def prepare(self, rng, dtype):
        super().prepare(rng, dtype)
        self.running_mean, self.running_var = np.zeros(self.n, dtype), np.ones(self.n, dtype)

    @property
    def statistics(self):
        return {"running_mean": self.running_mean, "running_var": self.running_var}

    @along_long_rows
    def forward(self, x, training=False):
        x = self.at_this_door(x)
        self.from_batch = training
        if training:
            n_values = x.size // self.n
            if n_values < 2:
                raise ValueError(f"{self!r} needs at least two values of each feature to train on, got x {x.shape}")
            self.x_hat, mean, var, self.inverse_std = standardize(
                x, self.others, self.eps, self.array("x_hat", x.shape)
            )
            self.running_mean += self.momentum * (mean.reshape(-1) - self.running_mean)
            self.running_var += self.momentum * (var.reshape(-1) * (n_values / (n_values - 1)) - self.running_var)
        else:
            self.inverse_std = self.per_feature(1.0 / np.sqrt(self.running_var + self.eps))
            self.x_hat = np.subtract(x, self.per_feature(self.running_mean), out=self.array("x_hat", x.shape))
            self.x_hat *= self.inverse_std
        return self.scale_and_shift(self.x_hat)

    @along_long_rows
    def backward(self, dout, input_gradient=True):
        dout = self.gradients(dout)
        if not input_gradient:
            return None
        scale = self.per_feature(self.gamma.value) * self.inverse_std
        dx = self.array("dx", self.shape)
        if not self.from_batch:  # running averages are constants
            return np.multiply(dout, scale, out=dx)
        # standardize_backward, with the two means at hand: those of dout are dbeta / n, those of dout x_hat dgamma / n
        n_values = dout.size // self.n
        np.multiply(self.x_hat, self.per_feature(self.gamma.grad / n_values), out=dx)
        np.subtract(dout, dx, out=dx)
        dx -= self.per_feature(self.beta.grad / n_values)
        dx *= scale
        return dx

    @property
    def settings(self):
        return {"n": self.n, "momentum": self.momentum, "eps": self.eps}


class LayerNorm(Normalization):
    """Mean and variance of each example over all its features (and H and W), in training as otherwise (Ba et al. 2016).

    On (N, C, H, W) this is ``GroupNorm(1, C)``: PyTorch's ``LayerNorm([C, H, W])`` has a gamma per position instead.
    """

    @along_long_rows
    def forward(self, x, training=False):
        x = self.at_this_door(x)
        self.axes = tuple(range(1, x.ndim))
        self.x_hat, _, _, self.inverse_std = standardize(x, self.axes, self.eps, self.array("x_hat", x.shape))
        return self.scale_and_shift(self.x_hat)

    @along_long_rows
    def backward(self, dout, input_gradient=True):
        dout = self.gradients(dout)
        if not input_gradient:
            return None
        return standardize_backward(
            self.scaled(dout), self.x_hat, self.inverse_std, self.axes, self.array("dx", self.shape)
        )


class RMSNorm(Layer):
    """out = gamma x / sqrt(mean(x^2) + eps), the mean over the features of one example: LayerNorm without the mean and
    without beta (Zhang & Sennrich 2019, eq. 4).   x (N, D) -> (N, D)

    PyTorch's default is the rounding error of the dtype as eps; here it is that of the other norms.

    Attributes
    ----------
    gamma : Parameter (n,)
    """

    width_factor = 1

    def __init__(self, n, eps=EPS):
        if n < 1:
            raise ValueError(f"RMSNorm takes at least one feature, got {n}")
        self.n, self.eps = whole(n), positive_eps(eps)
        self.gamma = Parameter((n,), constant(1.0), decay=False)
        self.x_hat = None

    def forward(self, x, training=False):
        x = self.at_the_door(x, self.n)
        self.inverse_rms = 1.0 / np.sqrt(np.square(x).mean(axis=1, keepdims=True) + self.eps)
        self.x_hat = x * self.inverse_rms
        return self.x_hat * self.gamma.value

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.x_hat is None else self.x_hat.shape)
        np.sum(dout * self.x_hat, axis=0, out=self.gamma.grad)
        if not input_gradient:
            return None
        dx = dout * self.gamma.value
        dx -= self.x_hat * (dx * self.x_hat).mean(axis=1, keepdims=True)
        dx *= self.inverse_rms
        return dx

    @property
    def settings(self):
        return {"n": self.n, "eps": self.eps}


class GroupNorm(Normalization):
    """Mean and variance of each example over each of ``groups`` groups of neighboring channels (Wu & He 2018).

    x (N, C, H, W) or (N, C), C divisible by ``groups``.
    """

    def __init__(self, groups, n, eps=EPS):
        super().__init__(n, eps)
        if groups < 1 or n % groups:
            raise ValueError(f"GroupNorm divides its channels evenly, got {n} channels and {groups} groups")
        self.groups = whole(groups)

    def in_groups(self, x):
        return x.reshape(len(x), self.groups, -1)

    @along_long_rows
    def forward(self, x, training=False):
        x = self.at_this_door(x)
        x_hat, _, _, self.inverse_std = standardize(self.in_groups(x), (2,), self.eps)
        self.x_hat = x_hat.reshape(x.shape)
        return self.scale_and_shift(self.x_hat)

    @along_long_rows
    def backward(self, dout, input_gradient=True):
        dout = self.gradients(dout)
        if not input_gradient:
            return None
        dx = standardize_backward(self.in_groups(self.scaled(dout)), self.in_groups(self.x_hat), self.inverse_std, (2,))
        return dx.reshape(self.shape)

    @property
    def settings(self):
        return {"groups": self.groups, "n": self.n, "eps": self.eps}


class InstanceNorm(GroupNorm):
    """Mean and variance of each channel of each example: as many groups as channels (Ulyanov et al. 2016).

    x (N, C, H, W).  PyTorch's ``InstanceNorm2d`` has gamma and beta only with ``affine=True``.
    """

    def __init__(self, n, eps=EPS):
        super().__init__(n, n, eps)

    def forward(self, x, training=False):
        if np.ndim(x) != 4 or np.prod(np.shape(x)[2:]) < 2:
            raise ValueError(f"{self!r} takes x of shape (N, {self.n}, H, W), H W >= 2, got {np.shape(x)}")
        return super().forward(x, training)

    @property
    def settings(self):
        return {"n": self.n, "eps": self.eps}
