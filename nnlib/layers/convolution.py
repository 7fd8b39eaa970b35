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
        padded = np.zeros((c, h + 2 * p, w + 2 * p, n), self.dtype) if p else np.empty((c, h, w, n), self.dtype)
        padded[:, p : p + h, p : p + w] = x.transpose(1, 2, 3, 0)
        self.columns = np.empty((c * kh * kw, oh * ow * n), self.dtype)
        np.copyto(self.columns.reshape(c, kh, kw, oh, ow, n), windows(padded, kh, kw, self.stride))
        out = np.matmul(self.W.value.reshape(self.c_out, -1), self.columns)
        out += self.b.value[:, None]
        self.out_shape = (n, self.c_out, oh, ow)
        return out.reshape(self.c_out, oh, ow, n).transpose(3, 0, 1, 2)

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.x_shape is None else self.out_shape)
        (n, c, h, w), (kh, kw), p, s = self.x_shape, self.size, self.padding, self.stride
        oh, ow = self.out_shape[2:]
        rows = np.ascontiguousarray(dout.transpose(1, 2, 3, 0)).reshape(self.c_out, -1)
        self.W.grad.reshape(self.c_out, -1)[...] = (self.columns @ rows.T).T
        np.sum(rows, axis=1, out=self.b.grad)
        if not input_gradient:
            return None
        dcolumns = np.matmul(self.W.value.reshape(self.c_out, -1).T, rows).reshape(c, kh, kw, oh, ow, n)
        dx = np.zeros((c, h + 2 * p, w + 2 * p, n), self.dtype)
        for u in range(kh):
            for v in range(kw):  # each place of the window read x once: its gradients go back there
                dx[:, u : u + s * oh : s, v : v + s * ow : s] += dcolumns[:, u, v]
        return dx[:, p : p + h, p : p + w].transpose(3, 0, 1, 2)

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
        self.x_shape = None

    def in_windows(self, x):
        """A view (N, C, H', size, W', size) of the part of x that is covered by windows."""
        x = self.at_the_door(x)
        s = self.size
        if x.ndim != 4 or min(x.shape[2:]) < s:
            raise ValueError(f"{self!r} takes x of shape (N, C, H, W), H and W at least {s}, got {x.shape}")
        n, c, h, w = self.x_shape = x.shape
        self.out_shape = (n, c, h // s, w // s)
        return x[:, :, : h // s * s, : w // s * s].reshape(n, c, h // s, s, w // s, s)

    def out_of_windows(self, dwindows):
        """Gradients of the windows, laid back over x, with 0 where no window was."""
        n, c, h, w = self.x_shape
        s = self.size
        dx = np.zeros(self.x_shape, self.dtype)
        dx[:, :, : h // s * s, : w // s * s] = dwindows.reshape(n, c, h // s * s, w // s * s)
        return dx

    @property
    def settings(self):
        return {"size": self.size}


class MaxPool2D(Pool):
    """The largest number of each window; backward: to that number alone, the first among equals."""

    def forward(self, x, training=False):
        view = self.in_windows(x)
        s = self.size
        flat = view.transpose(0, 1, 2, 4, 3, 5).reshape(*self.out_shape, s * s)
        self.winner = flat.argmax(axis=-1)
        return np.take_along_axis(flat, self.winner[..., None], axis=-1)[..., 0]

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.x_shape is None else self.out_shape)
        s = self.size
        flat = np.zeros((*self.out_shape, s * s), self.dtype)
        np.put_along_axis(flat, self.winner[..., None], dout[..., None], axis=-1)
        n, c, oh, ow = self.out_shape
        return self.out_of_windows(flat.reshape(n, c, oh, ow, s, s).transpose(0, 1, 2, 4, 3, 5))


class AveragePool2D(Pool):
    """The mean of each window; backward: an equal share to each of its numbers."""

    def forward(self, x, training=False):
        return self.in_windows(x).mean(axis=(3, 5))

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.x_shape is None else self.out_shape)
        n, c, oh, ow = self.out_shape
        share = (dout / self.size**2)[:, :, :, None, :, None]
        return self.out_of_windows(np.broadcast_to(share, (n, c, oh, self.size, ow, self.size)))


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
