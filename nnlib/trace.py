"""Trace: what a kernel would compute, written down as calls on arrays that stay, instead of being computed.

A :class:`Symbol` stands for an array.  Give symbols to a kernel in place of arrays, and each NumPy operation that it
asks for becomes a call in a list.  So the kernel remains the only place where its formula is written.  A kernel that
looks at numbers before it decides (``if near_zero.any()``) cannot be written down: that is an error, never a guess.
"""

import functools
from typing import NamedTuple

import numpy as np


class CannotTrace(TypeError):
    """The kernel asks for something that depends on the numbers, or that a list of calls has no form for."""


class Call(NamedTuple):
    """A function with its arguments, the arrays that it reads, and the array that it writes."""

    run: functools.partial
    reads: tuple
    writes: np.ndarray


class Tape:
    """The calls that kernels asked for, in order; the arrays between them are made here, once."""

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)
        self.calls = []
        self._numbers = {}

    def take(self):
        """The calls so far; the tape is empty again."""
        calls, self.calls = self.calls, []
        return calls

    def symbol(self, array):
        """A stand-in for this array."""
        return Symbol(self, array)

    def record(self, function, reads, writes, *arguments, **settings):
        """Write down ``function(*arguments, **settings)``; returns a stand-in for ``writes``."""
        self.calls.append(Call(functools.partial(function, *arguments, **settings), tuple(reads), writes))
        return Symbol(self, writes)

    def number(self, value):
        """A Python number as an array without axes, which NumPy reads twice as fast."""
        if value not in self._numbers:
            self._numbers[value] = np.array(value, self.dtype)
        return self._numbers[value]

    def operand(self, value):
        if isinstance(value, Symbol):
            return value.array
        if isinstance(value, np.ndarray):
            return value
        if isinstance(value, int | float):
            return self.number(float(value))
        raise CannotTrace(f"a list of calls takes arrays and numbers, got {value!r}")


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A stand-in for an array: it has the array's shape, and writes down what is asked of it."""

    def __init__(self, tape, array):
        self.tape, self.array = tape, array
        self.shape, self.dtype, self.ndim, self.size = array.shape, array.dtype, array.ndim, array.size

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        if not all(k is None or k is Ellipsis or isinstance(k, slice | int) for k in np.index_exp[key]):
            raise CannotTrace("a list of calls takes views of an array, no chosen numbers")
        return Symbol(self.tape, self.array[key])

    def __setitem__(self, key, value):
        np.copyto(self[key], value)

    def _look(self, *_, **__):
        raise CannotTrace("a stand-in has no numbers to look at")

    __array__ = __bool__ = __float__ = __int__ = _look

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise CannotTrace(f"a stand-in has no {name}")

    @property
    def T(self):
        return Symbol(self.tape, self.array.T)

    def reshape(self, *shape):
        view = self.array.reshape(*shape)
        if not np.may_share_memory(view, self.array):
            raise CannotTrace("this reshape would copy")
        return Symbol(self.tape, view)

    def fill(self, value):
        self.tape.record(self.array.fill, (), self.array, value)

    def max(self, axis=None, keepdims=False):
        return np.maximum.reduce(self, axis=axis, keepdims=keepdims)

    def dot(self, b, out=None):
        return _dot(self.tape, self, b, out)

    def sum(self, axis=None, keepdims=False):
        return np.add.reduce(self, axis=axis, keepdims=keepdims)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        arrays = [self.tape.operand(x) for x in inputs]
        out = None if out is None else self.tape.operand(out[0])
        if method == "reduce":
            axis, keepdims = settings.get("axis", 0), settings.get("keepdims", False)
            out = np.empty_like(ufunc.reduce(arrays[0], axis=axis, keepdims=keepdims)) if out is None else out
            return self.tape.record(ufunc.reduce, arrays, out, arrays[0], axis, None, out, keepdims)
        if method != "__call__" or "where" in settings:
            raise CannotTrace(f"np.{ufunc.__name__}.{method} with {settings} has no form in a list of calls")
        if out is None:
            with np.errstate(all="ignore"):
                out = np.empty_like(ufunc(*arrays, **settings))  # its shape, dtype and order, as NumPy chooses them
        if ufunc in (np.maximum, np.minimum):  # these warn when out has no name
            return self.tape.record(ufunc, arrays, out, *arrays, out=out, **settings)
        return self.tape.record(ufunc, arrays, out, *arrays, out, **settings)

    def __array_function__(self, function, types, arguments, settings):
        form = FORMS.get(function)
        if form is None:
            raise CannotTrace(f"np.{function.__name__} has no form in a list of calls")
        return form(self.tape, *arguments, **settings)


def _dot(tape, a, b, out=None):
    a, b = tape.operand(a), tape.operand(b)
    if out is None:
        shape = (*a.shape[:-1], *b.shape[:-2], *b.shape[-1:]) if b.ndim > 1 else a.shape[:-1]
        out = tape.symbol(np.empty(shape, tape.dtype))
    out = out.array
    return tape.record(a.dot, (a, b), out, b, out)  # the method costs two thirds of np.dot


def _copyto(tape, out, a):
    a = tape.operand(a)
    tape.record(np.copyto, (a,), out.array, out.array, a)


FORMS = {
    np.dot: _dot,
    np.copyto: _copyto,
    np.empty_like: lambda tape, a: tape.symbol(np.empty_like(a.array)),
}


def touch(arrays, others):
    """Whether an array of the one list shares memory with one of the other."""
    return any(np.may_share_memory(a, b) for a in arrays for b in others)


def needed_for(outputs, calls):
    """Those of the calls without which the arrays ``outputs`` would not be what they are."""
    wanted, kept = list(outputs), []
    for call in reversed(calls):
        if touch([call.writes], wanted):
            kept.append(call)
            wanted += call.reads
    return kept[::-1]


def elsewhere(calls, arrays):
    """What the calls run on other arrays: a function of as many others, each of which lies as its array does."""

    def place_of(a):
        for i, array in enumerate(arrays if isinstance(a, np.ndarray) else ()):
            if np.may_share_memory(a, array):
                return i, a.shape, a.dtype, address(a) - address(array), a.strides
        return None

    plans = []
    for call in calls:
        owner = getattr(call.run.func, "__self__", None)  # of a method such as a.dot
        things = [owner, *call.run.args, *call.run.keywords.values()]
        places = [place_of(thing) for thing in things]
        plans.append((call.run, list(zip(things, places)) if any(places) else None))

    def on(others):
        def there(thing, place):
            if place is None:
                return thing
            i, shape, dtype, offset, strides = place
            return np.ndarray(shape, dtype, others[i], offset, strides)

        def moved(run, looks):
            owner, *arguments = (there(*look) for look in looks)
            function = getattr(owner, run.func.__name__) if isinstance(owner, np.ndarray) else run.func
            n = len(run.args)
            return functools.partial(function, *arguments[:n], **dict(zip(run.keywords, arguments[n:])))

        return [run if looks is None else moved(run, looks) for run, looks in plans]

    return on


def address(a):
    """Where an array begins in memory."""
    return a.__array_interface__["data"][0]
