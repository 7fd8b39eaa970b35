"""Convolution and pooling: images (N, C, H, W) at the door, (C, H, W, N) inside, where every copy is of long rows."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnlib.initializers import he_normal, zeros
from nnlib.layers.layer import Layer
from nnlib.parameters import Parameter


def output_size(size, kernel, stride, padding):
    """How many places a window of ``kernel`` takes on ``size`` numbers with ``padding`` zeros on both sides."""
    return (size + 2 * padding - kernel) // stride + 1


def convolve(x, W, b, stride=1, padding=0):
    """out[n, o, i, j] = b[o] + sum over c, u, v of W[o, c, u, v] x[n, c, s i + u - p, s j + v - p]

    With stride s and padding p; this is the definition, and the reference for :class:`Conv2D`.  As everywhere in deep
    learning the kernel is not mirrored: mathematically it is a cross-correlation.
    x (N, C, H, W), W (C_out, C, KH, KW) -> (N, C_out, H', W')
    """
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kh, kw = W.shape[2:]
    windows = sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncijuv,ocuv->noij", windows, W) + b[:, None, None]


def batch_last(x):
    """(N, C, H, W) -> (C, H, W, N), contiguous: no copy where x already lies so in memory."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


def batch_first(x):
    """(C, H, W, N) -> (N, C, H, W), the same memory."""
    return x.transpose(3, 0, 1, 2)


def windows(x, kh, kw, stride):
    """All windows of x (C, H, W, N) as a view (C, KH, KW, H', W', N)."""
    view = sliding_window_view(x, (kh, kw), axis=(1, 2))[:, ::stride, ::stride]
    return view.transpose(0, 4, 5, 1, 2, 3)


class Conv2D(Layer):
    """A window of weights slides over the image: out = sum over the window of x W, plus b (LeCun et al. 1998).

    The windows become the columns of one matrix ("im2col"), so that one matrix product does all the work.

    Parameters
    ----------
    c_in, c_out : int
        Channels.
    size : int or (int, int)
        Height and width of the window.
    stride, padding : int
        Steps of the window; zeros around the image ("same" for odd sizes and stride 1: ``padding=size // 2``).

    Attributes
    ----------
    W : Parameter (C_out, C_in, KH, KW)
    b : Parameter (C_out,)
    """

    def __init__(self, c_in, c_out, size, stride=1, padding=0, init=he_normal):
        self.c_in, self.c_out = int(c_in), int(c_out)
        self.size = (int(size), int(size)) if np.ndim(size) == 0 else (int(size[0]), int(size[1]))
        self.stride, self.padding = int(stride), int(padding)
        if min(self.c_in, self.c_out, *self.size, self.stride) < 1 or self.padding < 0:
            raise ValueError(f"Conv2D takes positive sizes and padding >= 0, got {self!r}")
        self.W = Parameter((self.c_out, self.c_in, *self.size), init)
        self.b = Parameter((self.c_out,), zeros, decay=False)
        self.x_shape = None

    def forward(self, x, training=False):
        x = self.at_the_door(x)
        (kh, kw), p = self.size, self.padding
        if x.ndim != 4 or x.shape[1] != self.c_in or min(x.shape[2] + 2 * p - kh, x.shape[3] + 2 * p - kw) < 0:
            raise ValueError(
                f"{self!r} takes x of shape (N, {self.c_in}, H, W) "
                f"with H >= {kh - 2 * p} and W >= {kw - 2 * p}, got {x.shape}"
            )
        n, c, h, w = self.x_shape = x.shape
        oh, ow = output_size(h, kh, self.stride, p), output_size(w, kw, self.stride, p)
        self.out_shape = (n, self.c_out, oh, ow)
        x = batch_last(x)
        if p:
            padded = self.array("padded", (c, h + 2 * p, w + 2 * p, n))
            padded.fill(0.0)
            padded[:, p : p + h, p : p + w] = x
            x = padded
        self.columns = self.array("columns", (c * kh * kw, oh * ow * n))
        np.copyto(self.columns.reshape(c, kh, kw, oh, ow, n), windows(x, kh, kw, self.stride))
        out = self.array("out", (self.c_out, oh * ow * n))
        np.matmul(self.W.value.reshape(self.c_out, -1), self.columns, out=out)
        out += self.b.value[:, None]
        return batch_first(out.reshape(self.c_out, oh, ow, n))

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.x_shape is None else self.out_shape)
        (n, c, h, w), (kh, kw), p, s = self.x_shape, self.size, self.padding, self.stride
        oh, ow = self.out_shape[2:]
        rows = batch_last(dout).reshape(self.c_out, -1)
        self.W.grad.reshape(self.c_out, -1)[...] = np.matmul(self.columns, rows.T).T
        np.sum(rows, axis=1, out=self.b.grad)
        if not input_gradient:
            return None
        dcolumns = self.array("dcolumns", self.columns.shape)
        np.matmul(self.W.value.reshape(self.c_out, -1).T, rows, out=dcolumns)
        dcolumns = dcolumns.reshape(c, kh, kw, oh, ow, n)
        dx = self.array("dx", (c, h + 2 * p, w + 2 * p, n))
        dx.fill(0.0)
        for u in range(kh):
            for v in range(kw):  # each place of the window read x once: its gradients go back there
                dx[:, u : u + s * oh : s, v : v + s * ow : s] += dcolumns[:, u, v]
        return batch_first(dx[:, p : p + h, p : p + w])

    @property
    def settings(self):
        return {
            "c_in": self.c_in,
            "c_out": self.c_out,
            "size": list(self.size),
            "stride": self.stride,
            "padding": self.padding,
        }


class Pool(Layer):
    """Windows of ``size`` x ``size`` beside each other, one number for each; rows and columns that do not fill a window
    are left out, as in PyTorch.   (N, C, H, W) -> (N, C, H // size, W // size)
    """

    def __init__(self, size=2):
        if size < 1:
            raise ValueError(f"{type(self).__name__} takes a positive size, got {size}")
        self.size = int(size)
        self.x = None

    def places(self, x):
        """For each place in a window, row by row: the view (N, C, H', W') of the numbers of x that stand there."""
        s = self.size
        oh, ow = self.out_shape[2:]
        return [x[:, :, u : u + s * oh : s, v : v + s * ow : s] for u in range(s) for v in range(s)]

    def at_this_door(self, x):
        x = self.at_the_door(x)
        if x.ndim != 4 or min(x.shape[2:]) < self.size:
            raise ValueError(f"{self!r} takes x of shape (N, C, H, W), H and W at least {self.size}, got {x.shape}")
        n, c, h, w = x.shape
        self.x, self.out_shape = x, (n, c, h // self.size, w // self.size)
        return x

    def own_dx(self):
        """An array for dL/dx, 0 where no window was."""
        dx = self.array_like("dx", self.x)
        if self.x.shape[2] % self.size or self.x.shape[3] % self.size:
            dx.fill(0.0)
        return dx

    @property
    def settings(self):
        return {"size": self.size}


class MaxPool2D(Pool):
    """The largest number of each window; backward: to that number alone, the first among equals, as in PyTorch."""

    def forward(self, x, training=False):
        first, *others = self.places(self.at_this_door(x))
        self.out = first.copy(order="K")
        for other in others:
            np.maximum(self.out, other, out=self.out)
        return self.out

    def backward(self, dout, input_gradient=True):
        left = self.gradient_at_the_door(dout, None if self.x is None else self.out_shape).copy(order="K")
        dx = self.own_dx()
        for x, dx_here in zip(self.places(self.x), self.places(dx)):
            np.multiply(left, x == self.out, out=dx_here)
            left -= dx_here  # what one number got, no equal one gets again
        return dx


class AveragePool2D(Pool):
    """The mean of each window; backward: an equal share to each of its numbers."""

    def forward(self, x, training=False):
        first, *others = self.places(self.at_this_door(x))
        out = first.copy(order="K")
        for other in others:
            out += other
        out *= 1.0 / self.size**2
        return out

    def backward(self, dout, input_gradient=True):
        share = self.gradient_at_the_door(dout, None if self.x is None else self.out_shape) * (1.0 / self.size**2)
        dx = self.own_dx()
        for dx_here in self.places(dx):
            dx_here[...] = share
        return dx


class GlobalAveragePool2D(Layer):
    """The mean of each channel: (N, C, H, W) -> (N, C)."""

    def __init__(self):
        self.x_shape = None

    def forward(self, x, training=False):
        x = self.at_the_door(x)
        if x.ndim != 4:
            raise ValueError(f"{self!r} takes x of shape (N, C, H, W), got {x.shape}")
        self.x_shape = x.shape
        return x.mean(axis=(2, 3))

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.x_shape is None else self.x_shape[:2])
        h, w = self.x_shape[2:]
        return np.repeat(dout / (h * w), h * w, axis=1).reshape(self.x_shape)
