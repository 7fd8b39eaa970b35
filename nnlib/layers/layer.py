"""Layer: what every layer has in common; parameters, memory, and the two directions."""

import math
import operator

import numpy as np

from nnlib.parameters import Parameter, allocate


def whole(n):
    """n as an int; half a unit is an error, not a rounding."""
    try:
        return operator.index(n)
    except TypeError:
        raise TypeError(f"sizes are whole numbers, got {n!r}") from None


def positive_eps(eps):
    """eps as a float that keeps a division by a variance possible."""
    if not (eps > 0.0 and math.isfinite(eps)):
        raise ValueError(f"eps is a small positive number, got {eps!r}")
    return float(eps)


NOTHING = object()  # not None, which a caller may pass


def example(shape):
    """The shape of a batch of such examples, for a message: (3, None) -> "(N, 3, ?)"."""
    return f"({', '.join(['N', *('?' if n is None else str(n) for n in shape)])})"


class Layer:
    """One step of a network: ``forward`` computes the output, ``backward`` hands the gradient of the loss on.

    ``forward`` and ``backward`` return arrays that belong to the layer and are overwritten by its next call: copy what
    you want to keep.  ``backward`` speaks of the batch that went forward last, and *overwrites* the parameters'
    gradients.
    """

    dtype = None  # until initialize
    width_factor = None  # numbers of an output over numbers of an input; None: another question, or not known
    _admitted = NOTHING  # the array that came through the door last

    @property
    def children(self):
        """Layers inside this one, in order."""
        return ()

    @property
    def parameters(self):
        """All parameters, in order of their definition."""
        own = [p for p in vars(self).values() if isinstance(p, Parameter)]
        return own + [p for child in self.children for p in child.parameters]

    @property
    def statistics(self):
        """Arrays that a training pass changes although no gradient does, by name: BatchNorm's running averages."""
        return {}

    def all_statistics(self):
        """Those of this layer and of the layers inside it, in order."""
        return [*self.statistics.values(), *(array for child in self.children for array in child.all_statistics())]

    def initialize(self, rng, dtype=np.float32):
        """Give a lone layer its memory and first values; Sequential does this for the layers inside it."""
        self.theta, self.grad = allocate(self.parameters, rng, dtype)
        self.prepare(rng, self.theta.dtype)
        return self

    def prepare(self, rng, dtype):
        """Take over the dtype, and whatever else the layer needs once."""
        self.dtype = np.dtype(dtype)
        self._arrays, self._views, self._likes, self._admitted = {}, {}, {}, NOTHING
        for child in self.children:
            child.prepare(rng, dtype)

    x = out = None

    def forward(self, x, training=False):
        self.x = x = self.at_the_door(x)
        self.out_shape(x.shape[1:])
        self.out = self.compute(x, training)
        return self.out

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.out is None else self.out.shape)
        return self.pull_back(dout, input_gradient)

    def compute(self, x, training):
        raise NotImplementedError

    def pull_back(self, dout, input_gradient):
        raise NotImplementedError

    def out_shape(self, shape):
        """Shape of the output for one example of ``shape``, where None stands for a size that is not known."""
        raise NotImplementedError

    def array(self, name, shape, dtype=None):
        """The layer's own array of that name, made anew only when a larger batch comes; its content is left over."""
        last = self._views.get(name)
        if last is not None and last.shape == shape:
            return last
        kept = self._arrays.get(name)
        if kept is None or kept.shape[1:] != shape[1:] or len(kept) < shape[0]:
            kept = self._arrays[name] = np.empty(shape, dtype or self.dtype)
        self._views[name] = kept[: shape[0]]
        return self._views[name]

    def array_like(self, name, x):
        """The layer's own array of x's shape and order in memory: images that lie batch-last stay so."""
        model, last = self._likes.get(name, (None, None))
        if model is x:
            return last
        if x.flags.c_contiguous:
            last = self.array(name, x.shape)
        elif last is None or last.shape != x.shape or last.strides != x.strides:
            last = np.empty_like(x)
        self._likes[name] = x, last
        return last

    def at_the_door(self, x, n_in=None):
        """x as an array of the layer's dtype, of shape (N, n_in) where the layer asks for it."""
        if x is self._admitted:
            return x  # it came in before: inside a network the arrays of a layer are the same at every step
        if self.dtype is None:
            raise RuntimeError(
                f"{self!r} has no memory yet: put it into Sequential(..., rng=rng) or call initialize(rng)"
            )
        x = np.asarray(x)
        if x.dtype != self.dtype:
            if x.dtype.kind not in "iubf":
                raise TypeError(f"{self!r} takes real numbers, got dtype {x.dtype}")
            x = x.astype(self.dtype)
        if n_in is not None and (x.ndim != 2 or x.shape[1] != n_in):
            mend = ": put Flatten() before it" if x.ndim > 2 and np.prod(x.shape[1:]) == n_in else ""
            mend = f": one example is x.reshape(1, {n_in})" if x.shape == (n_in,) else mend
            raise ValueError(f"{self!r} takes x of shape (N, {n_in}), got {x.shape}{mend}")
        if not x.size:
            raise ValueError(f"{self!r} takes at least one example, got x of shape {x.shape}")
        self._admitted = x
        return x

    def gradient_at_the_door(self, dout, shape):
        """dout as an array of the layer's dtype, of the shape that forward returned."""
        if shape is None:
            raise RuntimeError(f"{self!r}.backward needs the batch of a forward before it")
        if type(dout) is not np.ndarray or dout.dtype is not self.dtype:
            dout = np.asarray(dout, self.dtype)
        if dout.shape != shape:
            raise ValueError(f"{self!r}.backward takes dout of shape {shape}, as forward returned, got {dout.shape}")
        return dout

    @property
    def settings(self):
        """What ``save`` writes down to build the layer again: its type is known, its values lie in ``theta``."""
        return {}

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{value!r}' for value in self.settings.values())})"
