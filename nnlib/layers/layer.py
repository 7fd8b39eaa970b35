"""Layer: what every layer has in common; parameters, memory, and the doors of the two directions."""

import math
import operator
from dataclasses import dataclass

import numpy as np

from nnlib.foreign import SpeaksOurs
from nnlib.parameters import Parameter, allocate, bind

__all__ = ["Layer"]


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


def rows(x):
    """x (..., D) -> (-1, D): the same numbers, one row after another; nothing stays nothing."""
    return x if x is None or x.ndim == 2 else x.reshape(-1, x.shape[-1])


def lying_as(x, memory):
    """An array of x's shape in ``memory``, contiguous, whose axes follow each other there as those of x do."""
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))  # the slowest axis first
    return memory.reshape([x.shape[axis] for axis in order]).transpose(np.argsort(order))


# --- shapes of one example, where not every size is known: (8, None, None), or (..., 64) with any axes before ---------


@dataclass(frozen=True)
class MultipleOf:
    """A size that is not known yet, except for a factor: that of flattened images of 8 channels."""

    factor: int

    def __rmul__(self, n):
        return MultipleOf(n * self.factor)

    def __repr__(self):
        return f"{self.factor}·?"


def known(size):
    """Whether a size is a number."""
    return not (size is None or size is ... or isinstance(size, MultipleOf))


def fits(size, wanted):
    """Whether a size is, or can become, the wanted one."""
    if isinstance(size, MultipleOf):
        return not known(wanted) or wanted % size.factor == 0
    return not (known(size) and known(wanted)) or size == wanted


def axes(shape, n):
    """``shape`` as n sizes, unknown ones where it begins with an ellipsis; None if it has not n axes."""
    if shape[:1] == (...,):
        shape = (None,) * (n - len(shape) + 1) + shape[1:]
    return shape if len(shape) == n else None


def agree(a, b):
    """Whether two shapes are, or can become, the same."""
    one_length = len(a) == len(b) or ... in a or ... in b
    return one_length and all(fits(p, q) and fits(q, p) for p, q in zip(reversed(a), reversed(b)))


def with_last(shape, size):
    """``shape`` with another size of its last axis: (5, 64) -> (5, 32), and (...,) -> (..., 32)."""
    return (..., size) if shape == (...,) else (*shape[:-1], size)


def batch_of(shape, batch="N"):
    """(8, None) -> "(N, 8, ?)": how a batch of such examples is written."""
    sizes = [batch, *("?" if size is None else "…" if size is ... else size for size in shape)]
    return f"({', '.join(map(str, sizes))}{',' * (len(sizes) == 1)})"


class DoesNotFit(ValueError):
    """Examples of a shape that ``layer`` does not take: it wants ``wanted``, in words.

    ``layer`` is None where two layers do not fit each other.  ``mend``: what would help, and ``setting`` if the layer
    shall be changed and not what goes into it: n_in=288.
    """

    def __init__(self, message, layer=None, wanted="", mend="", setting=None):
        super().__init__(message)
        self.layer, self.wanted, self.mend, self.setting = layer, wanted, mend, setting or {}

    def __reduce__(self):
        return ValueError, self.args  # what another process has to know

    def between(self, before, shape):
        """The same, where the layer stands behind another one, whose output is what it has to take."""
        mend = self.mend
        for name, size in self.setting.items():
            if known(size):
                mend = mend or f": write {name}={size}"
            elif isinstance(size, MultipleOf):
                mend = f": {name} is a multiple of {size.factor}"
        message = f"{before!r} gives x of shape {batch_of(shape)}, but {self.layer!r} takes {self.wanted}{mend}"
        return DoesNotFit(message)


def walk(layers, shape):
    """Shape of one output of layers one after another; an error names the two that do not fit."""
    before = None
    for layer in layers:
        try:
            before, shape = layer, layer.out_shape(shape)
        except DoesNotFit as error:
            if before is None or error.layer is None:
                raise
            raise error.between(before, shape) from None
    return shape


class Layer(SpeaksOurs):
    """One step of a network: ``forward`` computes the output, ``backward`` hands the gradient of the loss on.

    ``forward`` and ``backward`` return arrays that belong to the layer and are overwritten by its next call: copy what
    you want to keep.  ``backward`` speaks of the batch that went forward last, and *overwrites* the parameters'
    gradients.

    They are the doors, the same for all layers.  A layer of your own writes ``compute(x, training)``,
    ``pull_back(dout, input_gradient)`` and, where it does not take any shape and give it back, ``out_shape(shape)``.

    Attributes
    ----------
    x, out : ndarray
        Input and output of the last forward; None before the first.
    """

    dtype = None  # until initialize
    x = out = None  # until forward
    _taken = None  # shape of the examples that came last

    # --- the two directions ---

    def forward(self, x, training=False):
        """Output for a batch x, whose examples lie along axis 0."""
        if x is not self.x or x is None:  # inside a network the arrays of a layer are the same at every step
            self.x, self.out = self.at_the_door(x), None
        self.out = self.compute(self.x, training)
        return self.out

    def backward(self, dout, input_gradient=True):
        """Fill the parameters' gradients from dL/dout; return dL/dx, or nothing where nobody wants it."""
        if self.out is None:
            raise RuntimeError(f"{self!r}.backward needs the batch of a forward before it")
        if type(dout) is not np.ndarray or dout.dtype is not self.dtype:
            dout = np.asarray(dout, self.dtype)
        if dout.shape != self.out.shape:
            raise ValueError(
                f"{self!r}.backward takes dout of shape {self.out.shape}, as forward returned, got {dout.shape}"
            )
        return self.pull_back(dout, input_gradient)

    def compute(self, x, training):
        """The output for x."""
        raise NotImplementedError

    def pull_back(self, dout, input_gradient):
        """Fill the parameters' gradients; return dL/dx, or None where it is not wanted."""
        raise NotImplementedError

    # --- shapes ---

    def out_shape(self, shape):
        """Shape of one output, from that of one example: both without the batch, ``Dense(64, 32)``: (64,) -> (32,).

        An unknown size is None, and ``(..., 64)`` has any axes before its last.  Raises ValueError for what the layer
        does not take.
        """
        return shape

    def check_features(self, shape, **setting):
        """Refuse examples whose last axis is not of the size of that setting: ``check_features(shape, n_in=64)``."""
        ((name, n),) = setting.items()
        if not shape or not fits(shape[-1], n):
            raise self.refusal(f"(N, {n})", shape, **{name: shape[-1] if shape else None})

    def refusal(self, wanted, shape, mend="", batch="N", **setting):
        """The error for examples of this shape, for ``out_shape`` to raise; see :class:`DoesNotFit`."""
        if len(shape) > 1 and all(map(known, shape)) and self.takes((math.prod(shape),)):
            mend = ": put Flatten() before it"
        message = f"{self!r} takes x of shape {wanted}, got {batch_of(shape, batch)}{mend}"
        return DoesNotFit(message, self, wanted, mend, setting)

    def takes(self, shape):
        """Whether an example of this shape fits."""
        try:
            self.out_shape(shape)
        except DoesNotFit:
            return False
        return True

    # --- what the layer consists of ---

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

    @property
    def settings(self):
        """What ``save`` writes down to build the layer again: its type is known, its values lie in ``theta``."""
        return {}

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(written(self.settings))})"

    # --- memory ---

    def initialize(self, rng, dtype=np.float32):
        """Give a lone layer its memory and first values; Sequential does this for the layers inside it."""
        self.theta, self.grad = allocate(self.parameters, rng, dtype)
        self.prepare(rng, self.theta.dtype)
        return self

    def __setstate__(self, state):
        """A copy, also one from a pickle, in which the parameters look at the copy's own ``theta`` and ``grad``."""
        vars(self).update(state)
        theta = state.get("theta")
        if theta is not None and np.array_equal(  # else it is a part of a network, whose vectors are elsewhere
            theta, np.concatenate([p.value.ravel() for p in self.parameters] or [theta]), equal_nan=True
        ):
            bind(self.parameters, theta, state["grad"])

    def prepare(self, rng, dtype):
        """Take over the dtype, and whatever else the layer needs once."""
        self.dtype = np.dtype(dtype)
        self._arrays, self._blocks, self._taken, self.x, self.out = {}, {}, None, None, None
        for child in self.children:
            child.prepare(rng, dtype)

    def array(self, name, shape, dtype=None):
        """The layer's own array of that name, shape and dtype; its content is left over from the name's last use."""
        try:
            return self._arrays[name, shape, dtype]
        except KeyError:
            array = self._arrays[name, shape, dtype] = self._block(name, math.prod(shape), dtype).reshape(shape)
            return array

    def array_like(self, name, x):
        """The layer's own array of x's shape and order in memory: images that lie batch-last stay so."""
        try:
            return self._arrays[name, x.shape, x.strides]
        except KeyError:
            array = self._arrays[name, x.shape, x.strides] = lying_as(x, self._block(name, x.size))
            return array

    def _block(self, name, size, dtype=None):
        """Memory for all shapes of a name: a smaller last batch needs none of its own."""
        block = self._blocks.get((name, dtype))
        if block is None or block.size < size:
            for key in [key for key in self._arrays if key[0] == name]:
                del self._arrays[key]
            block = self._blocks[name, dtype] = np.empty(size, dtype or self.dtype)
        return block[:size]

    # --- the door ---

    def at_the_door(self, x):
        """x as an array of the layer's dtype, of a shape that the layer takes."""
        if self.dtype is None:
            raise RuntimeError(
                f"{self!r} has no memory yet: put it into Sequential(..., rng=rng) or call initialize(rng)"
            )
        x = np.asarray(x)
        if x.dtype != self.dtype:
            if x.dtype.kind not in "iubf":
                raise TypeError(f"{self!r} takes real numbers, got dtype {x.dtype}")
            x = x.astype(self.dtype)
        self.look_at_the_shape(x)
        return x

    def look_at_the_shape(self, x):
        """Refuse a batch without examples, or one whose examples do not fit."""
        shape = x.shape
        if not x.size or not shape:
            raise ValueError(f"{self!r} takes at least one example, got x of shape {shape}")
        if shape[1:] == self._taken:
            return
        try:
            self.out_shape(shape[1:])
        except DoesNotFit as error:
            if self.takes(shape):
                raise ValueError(f"{error}: one example is x.reshape{(1, *shape)}") from None
            if error.layer is None:  # no matter of the data
                raise
            raise error.layer.refusal(error.wanted, shape[1:], error.mend, len(x)) from None
        self._taken = shape[1:]


UNNAMED = ("n_in", "n_out", "n_hidden", "n_classes", "c_in", "c_out", "n", "function")  # everybody knows their order


def written(settings):
    """Settings as they stand in a call: sizes from input to output first, and every other one with its name."""
    named = False
    for name, value in settings.items():
        named |= name not in UNNAMED
        yield f"{name}={value!r}" if named else repr(value)
