"""Convolution and pooling: images (N, C, H, W) at the door, (H, C, W, N) inside.

Inside, an image's rows come first and the batch last.  So the kernel's height costs no copy: ``KH`` rows that follow
each other in memory already are one matrix.  Only the windows along a row are written out side by side, KW times the
image and not KH KW times, and each row of the output is one matrix product that fits into the cache.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnlib.initializers import he_normal, zeros
from nnlib.layers.layer import Layer, whole
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


def batch_first(x):
    """(H, C, W, N) -> (N, C, H, W), the same memory."""
    return x.transpose(3, 1, 0, 2)


def windows_of_rows(x, width, stride):
    """x (H, C, W, N), contiguous -> (H, C, width, W', N): in each row, what stands under each place of the kernel.

    A view, like :func:`stacked_rows`: both read numbers several times, so nobody may write into them.
    """
    h, c, w, n = x.shape
    to_row, to_channel, to_column, to_example = x.strides
    shape = h, c, width, output_size(w, width, stride, 0), n
    return _look(x, shape, (to_row, to_channel, to_column, stride * to_column, to_example))


def stacked_rows(x, height, stride):
    """x (H, F, M), contiguous -> (H', height F, M): under each place of the kernel, its rows one upon the other."""
    h, f, m = x.shape
    to_row, to_feature, to_number = x.strides
    return _look(x, (output_size(h, height, stride, 0), height * f, m), (stride * to_row, to_feature, to_number))


def _look(x, shape, strides):
    """Another look at the memory of x, read only."""
    view = np.ndarray(shape, x.dtype, x, 0, strides)
    view.flags.writeable = False
    return view


class ImageLayer(Layer):
    """A layer that computes on (H, C, W, N)."""

    def rows_first(self, name, x):
        """(N, C, H, W) -> (H, C, W, N), contiguous: a copy, of that name, only where x lies otherwise in memory."""
        x = x.transpose(2, 1, 3, 0)
        if not x.flags.c_contiguous:
            own = self.array(name, x.shape)
            np.copyto(own, x)
            return own
        return x


class Conv2D(ImageLayer):
    """A window of weights slides over the image: out = sum over the window of x W, plus b (LeCun et al. 1998).

    The windows become the columns of a matrix ("im2col"), so that matrix products do all the work.

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
        self.c_in, self.c_out = whole(c_in), whole(c_out)
        self.size = (whole(size), whole(size)) if np.ndim(size) == 0 else (whole(size[0]), whole(size[1]))
        self.stride, self.padding = whole(stride), whole(padding)
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
        x = self.rows_first("x", x)
        if p:
            padded = self.array("padded", (h + 2 * p, c, w + 2 * p, n))
            padded.fill(0.0)
            padded[p : p + h, :, p : p + w] = x
            x = padded
        columns = self.array("columns", (len(x), c, kw, ow, n))  # of each row, the windows of KW numbers
        np.copyto(columns, windows_of_rows(x, kw, self.stride))
        self.columns = stacked_rows(columns.reshape(len(x), c * kw, ow * n), kh, self.stride)
        out = self.array("out", (oh, self.c_out, ow * n))
        W = self.array("W", (self.c_out, kh, c, kw))
        np.copyto(W, self.W.value.swapaxes(1, 2))
        np.matmul(W.reshape(self.c_out, -1), self.columns, out=out)
        out += self.b.value[:, None]
        return batch_first(out.reshape(oh, self.c_out, ow, n))

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.x_shape is None else self.out_shape)
        (n, c, h, w), (kh, kw), p, s = self.x_shape, self.size, self.padding, self.stride
        oh, ow = self.out_shape[2:]
        dout = self.rows_first("dout", dout).reshape(oh, self.c_out, ow * n)
        dW_of_rows = self.array("dW_of_rows", (oh, kh * c * kw, self.c_out))
        np.matmul(self.columns, dout.transpose(0, 2, 1), out=dW_of_rows)
        dW = np.add.reduce(dW_of_rows, axis=0, out=self.array("dW", dW_of_rows.shape[1:]))
        self.W.grad[...] = dW.T.reshape(self.c_out, kh, c, kw).swapaxes(1, 2)
        dout.sum(axis=2).sum(axis=0, out=self.b.grad)
        if not input_gradient:
            return None
        W = self.array("W turned", (c, kw, kh, self.c_out))
        np.copyto(W, self.W.value[:, :, ::-1].transpose(1, 3, 2, 0))  # the last row of the kernel first
        W = W.reshape(c * kw, kh, self.c_out)
        dcolumns = self.array("dcolumns", (h + 2 * p, c * kw, ow * n))
        for i, dcolumn in enumerate(dcolumns):
            # row i of x was read for the rows first .. last - 1 of the output, some for none
            first, last = max(0, -((kh - 1 - i) // s)), min(oh, i // s + 1)
            u = kh - 1 - i + s * first  # the row of W that met it first
            W_rows = W[:, u : u + s * (last - first) : s].reshape(c * kw, -1)
            np.matmul(W_rows, dout[first:last].reshape(-1, ow * n), out=dcolumn)  # np.dot would copy some rows
        dx = self.array("dx", (h + 2 * p, c, w + 2 * p, n))
        dx.fill(0.0)
        dcolumns = dcolumns.reshape(len(dx), c, kw, ow, n)
        for v in range(kw):  # each column of the kernel read columns of x once: their gradients go back there
            dx[:, :, v : v + s * ow : s] += dcolumns[:, :, v]
        return batch_first(dx[p : p + h, :, p : p + w])

    @property
    def settings(self):
        return {
            "c_in": self.c_in,
            "c_out": self.c_out,
            "size": list(self.size),
            "stride": self.stride,
            "padding": self.padding,
        }


class Pool(ImageLayer):
    """Windows of ``size`` x ``size`` beside each other, one number for each; rows and columns that do not fill a window
    are left out, as in PyTorch.   (N, C, H, W) -> (N, C, H // size, W // size)
    """

    def __init__(self, size=2):
        if size < 1:
            raise ValueError(f"{type(self).__name__} takes a positive size, got {size}")
        self.size = whole(size)
        self.x = None

    def at_this_door(self, x):
        """x as (H, C, W, N)."""
        x = self.at_the_door(x)
        if x.ndim != 4 or min(x.shape[2:]) < self.size:
            raise ValueError(f"{self!r} takes x of shape (N, C, H, W), H and W at least {self.size}, got {x.shape}")
        n, c, h, w = x.shape
        self.out_shape = (n, c, h // self.size, w // self.size)
        self.x = self.rows_first("x", x)
        return self.x

    def gradient_at_this_door(self, dout):
        """dout as (H', C, W', N)."""
        return self.rows_first("dout", self.gradient_at_the_door(dout, None if self.x is None else self.out_shape))

    def places(self, x, axis):
        """For each place in a window along one axis: the view of the numbers of x that stand there."""
        s, n = self.size, x.shape[axis] // self.size
        return [x[(slice(None),) * axis + (slice(k, k + s * n, s),)] for k in range(s)]

    def own_array(self, name, height, width):
        n, c = self.out_shape[:2]
        return self.array(name, (height, c, width, n))

    def own_dx(self):
        """An array for dL/dx, 0 where no window was."""
        dx = self.array("dx", self.x.shape)
        if self.x.shape[0] % self.size or self.x.shape[2] % self.size:
            dx.fill(0.0)
        return dx

    @property
    def settings(self):
        return {"size": self.size}


class MaxPool2D(Pool):
    """The largest number of each window; backward: to that number alone, the first among equals, as in PyTorch.

    Two tournaments: in each row of the window, then among the winners of the rows.
    """

    def forward(self, x, training=False):
        x = self.at_this_door(x)
        oh, ow = self.out_shape[2:]
        self.best_of_row = self.largest(self.places(x, 2), self.own_array("best_of_row", len(x), ow))
        self.best = self.largest(self.places(self.best_of_row, 0), self.own_array("best", oh, ow))
        return batch_first(self.best)

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_this_door(dout)
        dbest_of_row, dx = self.array("dbest_of_row", self.best_of_row.shape), self.own_dx()
        self.to_the_winner(dout, self.best_of_row, self.best, dbest_of_row, axis=0)
        if len(self.x) % self.size:
            dbest_of_row[len(dout) * self.size :] = 0.0
        self.to_the_winner(dbest_of_row, self.x, self.best_of_row, dx, axis=2)
        return batch_first(dx)

    def largest(self, places, out):
        first, *others = places
        np.copyto(out, first)
        for other in others:
            np.maximum(out, other, out=out)
        return out

    def to_the_winner(self, dbest, x, best, dx, axis):
        """dx gets dbest where x is the best of its window along ``axis``, and else 0."""
        left, share = (self.array(f"{name} {axis}", dbest.shape) for name in ("left", "share"))
        won = self.array(f"won {axis}", dbest.shape, bool)
        np.copyto(left, dbest)
        *others, (_, dx_last) = zip(self.places(x, axis), self.places(dx, axis))
        for x_here, dx_here in others:
            np.equal(x_here, best, out=won)
            np.multiply(left, won, out=share)
            np.copyto(dx_here, share)
            left -= share  # what one number got, no equal one gets again
        np.copyto(dx_last, left)


class AveragePool2D(Pool):
    """The mean of each window; backward: an equal share to each of its numbers."""

    def forward(self, x, training=False):
        x = self.at_this_door(x)
        oh, ow = self.out_shape[2:]
        sum_of_row = self.total(self.places(x, 2), self.own_array("sum_of_row", len(x), ow))
        out = self.total(self.places(sum_of_row, 0), self.own_array("out", oh, ow))
        out *= 1.0 / self.size**2
        return batch_first(out)

    def backward(self, dout, input_gradient=True):
        dout, dx = self.gradient_at_this_door(dout), self.own_dx()
        share = np.multiply(dout, 1.0 / self.size**2, out=self.array("share", dout.shape))
        for rows in self.places(dx, 0):
            for dx_here in self.places(rows, 2):
                dx_here[...] = share
        return batch_first(dx)

    def total(self, places, out):
        first, *others = places
        np.copyto(out, first)
        for other in others:
            out += other
        return out


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
