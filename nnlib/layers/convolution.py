"""Convolution and pooling: images (N, C, H, W) at the door, (H, C, W, N) inside.

Inside, an image's rows come first and the batch last.  So the kernel's height costs no copy: ``KH`` rows that follow
each other in memory already are one matrix.  Only the windows along a row are written out side by side, KW times the
image and not KH KW times, and each row of the output is one matrix product that fits into the cache.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnlib.initializers import he_normal, zeros
from nnlib.layers.layer import Layer, axes, fits, known, whole
from nnlib.parameters import Parameter

__all__ = ["AveragePool2D", "Conv2D", "GlobalAveragePool2D", "MaxPool2D"]


def output_size(size, kernel, stride, padding):
    """How many places a window of ``kernel`` takes on ``size`` numbers with ``padding`` zeros on both sides; None for
    an unknown size."""
    return (size + 2 * padding - kernel) // stride + 1 if known(size) else None


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


def convolve_rows(x, W, b, stride, padding, array):
    """The same on images that lie row by row; each row of the output is one matrix product ("im2col").

    x (H, C, W, N), W (C_out, C, KH, KW), b (C_out,) -> out (H', C_out, W', N), and the columns (H', KH C KW, W' N) that
    the way back needs; ``array(name, shape)`` lends memory.
    """
    c_out, c, kh, kw = W.shape
    x = padded(x, padding, array)
    windows = windows_of_rows(x, kw, stride)
    n_rows, *_, ow, n = windows.shape
    columns = array("columns", windows.shape)
    np.copyto(columns, windows)
    columns = stacked_rows(columns.reshape(n_rows, c * kw, ow * n), kh, stride)
    W = row_by_row(W, array("W", (c_out, kh, c, kw)))
    out = np.matmul(W.reshape(c_out, -1), columns, out=array("out", (len(columns), c_out, ow * n)))
    out += b[:, None]
    return out.reshape(-1, c_out, ow, n), columns


def convolve_rows_backward(dout, columns, W, dW, db, x_shape, stride, padding, array, input_gradient=True):
    """dW = sum over the rows of columns dout^T, db = sum of dout; dx (H, C, W, N): what each number of x was multiplied
    with, row by row and column by column of the kernel.   dout (H', C_out, W', N)"""
    h, c, w, n = x_shape
    c_out, _, kh, kw = W.shape
    oh, _, ow, _ = dout.shape
    dout = dout.reshape(oh, c_out, ow * n)
    dW_of_rows = array("dW_of_rows", (oh, kh * c * kw, c_out))
    np.matmul(columns, dout.transpose(0, 2, 1), out=dW_of_rows)
    summed = dW_of_rows.sum(axis=0, out=array("summed", dW_of_rows.shape[1:]))
    dW[...] = summed.T.reshape(c_out, kh, c, kw).swapaxes(1, 2)
    dout.sum(axis=2).sum(axis=0, out=db)
    if not input_gradient:
        return None
    upward = array("upward", (kh, c_out, c, kw))  # W, the last row of each kernel first
    np.copyto(upward, W[:, :, ::-1].transpose(2, 0, 1, 3))
    dcolumns = array("dcolumns", (h + 2 * padding, c * kw, ow * n))
    for i, dcolumn in enumerate(dcolumns):
        rows, met = rows_that_read(i, kh, stride, oh)
        np.matmul(upward[met].reshape(-1, c * kw).T, dout[rows].reshape(-1, ow * n), out=dcolumn)
    dcolumns = dcolumns.reshape(-1, c, kw, ow, n)
    dx = array("dx", (h + 2 * padding, c, w + 2 * padding, n))
    dx.fill(0.0)
    for v in range(kw):
        dx[:, :, v : v + stride * ow : stride] += dcolumns[:, :, v]
    return dx[padding : padding + h, :, padding : padding + w]


def padded(x, padding, array):
    """x (H, C, W, N) with ``padding`` zeros on both sides of its rows and columns."""
    if not padding:
        return x
    h, c, w, n = x.shape
    out = array("padded", (h + 2 * padding, c, w + 2 * padding, n))
    out.fill(0.0)
    out[padding : padding + h, :, padding : padding + w] = x
    return out


def rows_that_read(i, height, stride, n_rows):
    """Two slices: the rows r of the output whose window holds row i of x, 0 <= i - stride r < height; and the rows
    i - stride r of the kernel that lay on it, counted from the kernel's last row, so that both go up."""
    first, last = max(0, -((height - 1 - i) // stride)), min(n_rows, i // stride + 1)
    from_last = height - 1 - i
    return slice(first, last), slice(from_last + stride * first, from_last + stride * last, stride)


def row_by_row(W, out):
    """W (C_out, C, KH, KW) in the order of the columns, (C_out, KH, C, KW)."""
    np.copyto(out, W.swapaxes(1, 2))
    return out


def too_small(sizes, at_least):
    """Whether an image of ``sizes``, as far as they are known, leaves no place for a window."""
    return any(known(size) and size < least for size, least in zip(sizes, at_least))


def image_mend(shape):
    """What helps an example of ``shape`` that is no image."""
    return {1: ": it stands before Flatten()", 2: ": x[:, np.newaxis] gives an image its one channel"}.get(
        len(shape), ""
    )


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

    def out_shape(self, shape):
        (kh, kw), p, image = self.size, self.padding, axes(shape, 3)
        wanted = f"(N, {self.c_in}, H, W) with H >= {kh - 2 * p} and W >= {kw - 2 * p}"
        if image is None:
            raise self.refusal(wanted, shape, image_mend(shape))
        c, h, w = image
        if not fits(c, self.c_in):
            raise self.refusal(wanted, shape, c_in=c)
        if too_small((h, w), (kh - 2 * p, kw - 2 * p)):
            raise self.refusal(wanted, shape, ": padding makes it larger")
        return self.c_out, output_size(h, kh, self.stride, p), output_size(w, kw, self.stride, p)

    def compute(self, x, training):
        x = self.rows_first("x", x)
        out, self.columns = convolve_rows(x, self.W.value, self.b.value, self.stride, self.padding, self.array)
        return batch_first(out)

    def pull_back(self, dout, input_gradient):
        n, c, h, w = self.x.shape
        dx = convolve_rows_backward(
            self.rows_first("dout", dout), self.columns, self.W.value, self.W.grad, self.b.grad, (h, c, w, n),
            self.stride, self.padding, self.array, input_gradient,
        )  # fmt: skip
        return None if dx is None else batch_first(dx)

    @property
    def settings(self):
        return {
            "c_in": self.c_in,
            "c_out": self.c_out,
            "size": self.size[0] if self.size[0] == self.size[1] else list(self.size),
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

    def out_shape(self, shape):
        image, wanted = axes(shape, 3), f"(N, C, H, W), H and W at least {self.size}"
        if image is None:
            raise self.refusal(wanted, shape, image_mend(shape))
        if too_small(image[1:], (self.size, self.size)):
            raise self.refusal(wanted, shape, ": a smaller window, or none")
        c, h, w = image
        return c, output_size(h, self.size, self.size, 0), output_size(w, self.size, self.size, 0)

    def places(self, x, axis):
        """For each place in a window along one axis: the view of the numbers of x that stand there."""
        s, n = self.size, x.shape[axis] // self.size
        return [x[(slice(None),) * axis + (slice(k, k + s * n, s),)] for k in range(s)]

    def own_dx(self, x):
        """An array for dL/dx, 0 where no window was."""
        dx = self.array("dx", x.shape)
        if x.shape[0] % self.size or x.shape[2] % self.size:
            dx.fill(0.0)
        return dx

    @property
    def settings(self):
        return {"size": self.size}


class MaxPool2D(Pool):
    """The largest number of each window; backward: to that number alone, the first among equals, as in PyTorch.

    Two tournaments: in each row of the window, then among the winners of the rows.
    """

    def compute(self, x, training):
        self.rows = x = self.rows_first("x", x)
        h, c, w, n = x.shape
        oh, ow = h // self.size, w // self.size
        self.best_of_row = self.largest(self.places(x, 2), self.array("best_of_row", (h, c, ow, n)))
        self.best = self.largest(self.places(self.best_of_row, 0), self.array("best", (oh, c, ow, n)))
        return batch_first(self.best)

    def pull_back(self, dout, input_gradient):
        dout, dx = self.rows_first("dout", dout), self.own_dx(self.rows)
        dbest_of_row = self.array("dbest_of_row", self.best_of_row.shape)
        self.to_the_winner(dout, self.best_of_row, self.best, dbest_of_row, axis=0)
        if len(dx) % self.size:
            dbest_of_row[len(dout) * self.size :] = 0.0
        self.to_the_winner(dbest_of_row, self.rows, self.best_of_row, dx, axis=2)
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

    def compute(self, x, training):
        self.rows = x = self.rows_first("x", x)
        h, c, w, n = x.shape
        oh, ow = h // self.size, w // self.size
        sum_of_row = self.total(self.places(x, 2), self.array("sum_of_row", (h, c, ow, n)))
        out = self.total(self.places(sum_of_row, 0), self.array("out", (oh, c, ow, n)))
        out *= 1.0 / self.size**2
        return batch_first(out)

    def pull_back(self, dout, input_gradient):
        dout, dx = self.rows_first("dout", dout), self.own_dx(self.rows)
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

    def out_shape(self, shape):
        image = axes(shape, 3)
        if image is None:
            raise self.refusal("(N, C, H, W)", shape, image_mend(shape))
        return image[:1]

    def compute(self, x, training):
        return x.mean(axis=(2, 3))

    def pull_back(self, dout, input_gradient):
        h, w = self.x.shape[2:]
        return np.repeat(dout / (h * w), h * w, axis=1).reshape(self.x.shape)
