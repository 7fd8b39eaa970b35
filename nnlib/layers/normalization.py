"""Normalization: bring numbers to mean 0 and variance 1, then let two learned numbers scale and shift them.

The layers differ in *which* numbers share a mean and variance: the batch (BatchNorm), the features of one example
(LayerNorm, RMSNorm), a group of its channels (GroupNorm), a single channel (InstanceNorm).  eps stands inside the root
everywhere, as in PyTorch.
"""

import math

import numpy as np

from nnlib.initializers import constant, zeros
from nnlib.layers.layer import Layer, axes, fits, positive_eps, whole
from nnlib.parameters import Parameter
from nnlib.reductions import along_long_rows, ones

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]

EPS = 1e-5  # that of the papers' code and of PyTorch; Keras has 1e-3


def standardize(x, axes, eps=EPS, out=None):
    """x_hat = (x - mean) / sqrt(var + eps), mean and biased variance over ``axes``; also mean, var and 1 / std."""
    mean = mean_over(axes, x)
    x_hat, var, inverse_std = rescale(np.subtract(x, mean, out=out), axes, eps, out=out)
    return x_hat, mean, var, inverse_std


def rescale(x, axes, eps=EPS, out=None):
    """x_hat = x / sqrt(mean(x^2) + eps), the mean over ``axes``; also mean(x^2) and 1 / root."""
    square = mean_over(axes, x, x)
    inverse_root = 1.0 / np.sqrt(square + eps)
    return np.multiply(x, inverse_root, out=out), square, inverse_root


def standardize_backward(dx_hat, x_hat, inverse_std, mean, mean_with_x_hat, out=None):
    """dx = (dx_hat - mean(dx_hat) - x_hat mean(dx_hat x_hat)) / std.

    The first mean is there since a shift of all x changes nothing, the second since a common scale changes nothing
    (Ioffe & Szegedy 2015, the equations after algorithm 1, put together).  :func:`rescale` ignores no shift: its first
    mean is 0.
    """
    dx = np.multiply(x_hat, mean_with_x_hat, out=out)
    np.subtract(dx_hat, dx, out=dx)
    dx -= mean
    dx *= inverse_std
    return dx


def mean_over(axes, a, b=None):
    """Mean of a, or of a * b without that array, over ``axes``, which stay with size 1."""
    total = sum_over(axes, a, b)
    total *= math.prod(total.shape) / a.size
    return total


def sum_over(axes, a, b=None):
    """Sum of a, or of a * b without that array, over ``axes``, which stay with size 1."""
    if axes == (a.ndim - 1,):
        return np.vecdot(a, ones(a.shape[-1], a.dtype) if b is None else b)[..., np.newaxis]
    every = list(range(a.ndim))
    kept = [axis for axis in every if axis not in axes]
    total = np.einsum(a, every, kept) if b is None else np.einsum(a, every, b, every, kept)
    return total.reshape([1 if axis in axes else size for axis, size in enumerate(a.shape)])


class Normalization(Layer):
    """out = gamma x_hat + beta, gamma and beta one number per feature.

    Attributes
    ----------
    gamma, beta : Parameter (n,)
        1 and 0 at first; penalties leave both alone.
    """

    feature_axis = 1  # of (N, D) and of (N, C, H, W)

    def __init__(self, n, eps=EPS):
        if n < 1:
            raise ValueError(f"{type(self).__name__} takes at least one feature, got {n}")
        self.n, self.eps = whole(n), positive_eps(eps)
        self.gamma = Parameter((n,), constant(1.0), decay=False)
        self.beta = Parameter((n,), zeros, decay=False)

    def out_shape(self, shape):
        wanted = f"(N, {self.n}) or (N, {self.n}, H, W)"
        sizes = axes(shape, 1) or axes(shape, 3)  # a row of features where both are possible
        if sizes is None:
            mend = f": LayerNorm({shape[1]}) takes each step of a sequence" if len(shape) == 2 else ""
            raise self.refusal(wanted, shape, mend)
        if not fits(sizes[0], self.n):
            raise self.refusal(wanted, shape, n=sizes[0])
        return shape

    def others(self, x):
        """The axes of x that gamma and beta are shared over."""
        feature = self.feature_axis % x.ndim
        return tuple(axis for axis in range(x.ndim) if axis != feature)

    def per_feature(self, values, x):
        """values (n,) in a shape that goes with x."""
        return values.reshape((-1,) + (1,) * (x.ndim - 1 - self.feature_axis % x.ndim))

    def scale_and_shift(self, x_hat):
        out = np.multiply(x_hat, self.per_feature(self.gamma.value, x_hat), out=self.array("out", x_hat.shape))
        out += self.per_feature(self.beta.value, x_hat)
        return out

    def gradients(self, dout):
        """dgamma = sum of dout x_hat, dbeta = sum of dout."""
        every = list(range(dout.ndim))
        feature = [every[self.feature_axis]]
        np.einsum(dout, every, self.x_hat, every, feature, out=self.gamma.grad)
        np.einsum(dout, every, feature, out=self.beta.grad)

    def scaled(self, dout):
        """dx_hat = dout gamma."""
        return np.multiply(dout, self.per_feature(self.gamma.value, dout), out=self.array("dx_hat", dout.shape))

    @property
    def settings(self):
        return {"n": self.n, "eps": self.eps}


class BatchNorm(Normalization):
    """Mean and variance of each feature over the batch (and over H and W), in training; running averages of them
    otherwise (Ioffe & Szegedy 2015).   x (N, D) or (N, C, H, W)

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
    def compute(self, x, training):
        self.from_batch, x_hat = training, self.array("x_hat", x.shape)
        if training:
            self.x_hat, mean, var, self.inverse_std = standardize(x, self.others(x), self.eps, out=x_hat)
            self.average(mean.reshape(-1), var.reshape(-1), x.size // self.n)
        else:
            self.inverse_std = self.per_feature(1.0 / np.sqrt(self.running_var + self.eps), x)
            self.x_hat = np.subtract(x, self.per_feature(self.running_mean, x), out=x_hat)
            self.x_hat *= self.inverse_std
        return self.scale_and_shift(self.x_hat)

    def average(self, mean, var, n_values):
        """Let the running averages follow those of a batch."""
        if n_values < 2:
            raise ValueError(f"{self!r} needs at least two values of each feature to train on, got {n_values}")
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var * (n_values / (n_values - 1)) - self.running_var)

    @along_long_rows
    def pull_back(self, dout, input_gradient):
        self.gradients(dout)
        if not input_gradient:
            return None
        scale, dx = self.per_feature(self.gamma.value, dout) * self.inverse_std, self.array("dx", dout.shape)
        if not self.from_batch:  # running averages are constants
            return np.multiply(dout, scale, out=dx)
        # gamma is the same all over the batch: it may wait, and the means of dout are those of beta's and gamma's sums
        means = (self.per_feature(p.grad / (dout.size // self.n), dout) for p in (self.beta, self.gamma))
        return standardize_backward(dout, self.x_hat, scale, *means, out=dx)

    @property
    def settings(self):
        return {"n": self.n, "momentum": self.momentum, "eps": self.eps}


class LayerNorm(Normalization):
    """Mean and variance over the features of one example, or of one step of a sequence, in training as otherwise
    (Ba et al. 2016).   x (..., D)

    The features are the last axis.  On images (N, C, H, W) one example is normalized by ``GroupNorm(1, C)``; PyTorch's
    ``LayerNorm([C, H, W])`` does that with a gamma per position.
    """

    feature_axis = -1

    def out_shape(self, shape):
        return last_axis_is(self, shape)

    @along_long_rows
    def compute(self, x, training):
        self.x_hat, _, _, self.inverse_std = standardize(x, (x.ndim - 1,), self.eps, out=self.array("x_hat", x.shape))
        return self.scale_and_shift(self.x_hat)

    @along_long_rows
    def pull_back(self, dout, input_gradient):
        self.gradients(dout)
        if not input_gradient:
            return None
        dx_hat, last = self.scaled(dout), (dout.ndim - 1,)
        means = mean_over(last, dx_hat), mean_over(last, dx_hat, self.x_hat)
        return standardize_backward(dx_hat, self.x_hat, self.inverse_std, *means, out=self.array("dx", dout.shape))


class RMSNorm(Layer):
    """out = gamma x / sqrt(mean(x^2) + eps), the mean over the features of one example: LayerNorm without the mean and
    without beta (Zhang & Sennrich 2019, eq. 4).   x (..., D)

    PyTorch's default is the rounding error of the dtype as eps; here it is that of the other norms.

    Attributes
    ----------
    gamma : Parameter (n,)
    """

    def __init__(self, n, eps=EPS):
        if n < 1:
            raise ValueError(f"RMSNorm takes at least one feature, got {n}")
        self.n, self.eps = whole(n), positive_eps(eps)
        self.gamma = Parameter((n,), constant(1.0), decay=False)

    def out_shape(self, shape):
        return last_axis_is(self, shape)

    @along_long_rows
    def compute(self, x, training):
        self.x_hat, _, self.inverse_rms = rescale(x, (x.ndim - 1,), self.eps, out=self.array("x_hat", x.shape))
        return np.multiply(self.x_hat, self.gamma.value, out=self.array("out", x.shape))

    @along_long_rows
    def pull_back(self, dout, input_gradient):
        last = dout.ndim - 1
        self.gamma.grad[...] = sum_over(tuple(range(last)), dout, self.x_hat).reshape(-1)
        if not input_gradient:
            return None
        dx_hat = np.multiply(dout, self.gamma.value, out=self.array("dx_hat", dout.shape))
        along = mean_over((last,), dx_hat, self.x_hat)
        return standardize_backward(dx_hat, self.x_hat, self.inverse_rms, 0.0, along, out=self.array("dx", dout.shape))

    @property
    def settings(self):
        return {"n": self.n, "eps": self.eps}


def last_axis_is(layer, shape):
    """The shape of one example of ``layer.n`` features, or an error."""
    if not shape or not fits(shape[-1], layer.n):
        mend = f": for images take GroupNorm(1, {shape[0]})" if len(shape) == 3 else ""
        raise layer.refusal(f"(N, ..., {layer.n})", shape, mend, n=shape[-1] if shape else None)
    return shape


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
        """(N, C, ...) -> (N, groups, C / groups, ...)"""
        return x.reshape(len(x), self.groups, -1, *x.shape[2:])

    @along_long_rows
    def compute(self, x, training):
        x_hat, axes = self.array("x_hat", x.shape), tuple(range(2, x.ndim + 1))
        _, _, _, self.inverse_std = standardize(self.in_groups(x), axes, self.eps, out=self.in_groups(x_hat))
        self.x_hat = x_hat
        return self.scale_and_shift(x_hat)

    @along_long_rows
    def pull_back(self, dout, input_gradient):
        self.gradients(dout)
        if not input_gradient:
            return None
        dx, axes = self.array("dx", dout.shape), tuple(range(2, dout.ndim + 1))
        dx_hat, x_hat = self.in_groups(self.scaled(dout)), self.in_groups(self.x_hat)
        means = mean_over(axes, dx_hat), mean_over(axes, dx_hat, x_hat)
        standardize_backward(dx_hat, x_hat, self.inverse_std, *means, out=self.in_groups(dx))
        return dx

    @property
    def settings(self):
        return {"groups": self.groups, "n": self.n, "eps": self.eps}


class InstanceNorm(GroupNorm):
    """Mean and variance of each channel of each example: as many groups as channels (Ulyanov et al. 2016).

    x (N, C, H, W).  PyTorch's ``InstanceNorm2d`` has gamma and beta only with ``affine=True``.
    """

    def __init__(self, n, eps=EPS):
        super().__init__(n, n, eps)

    def out_shape(self, shape):
        image, wanted = axes(shape, 3), f"(N, {self.n}, H, W), H W >= 2"
        if image is None or image[1:] == (1, 1):
            raise self.refusal(wanted, shape)
        if not fits(image[0], self.n):
            raise self.refusal(wanted, shape, n=image[0])
        return image

    @property
    def settings(self):
        return {"n": self.n, "eps": self.eps}
