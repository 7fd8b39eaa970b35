"""Reverse-mode differentiation of arithmetic on numbers and arrays, in one class."""

import numpy as np


class Value:
    """A number or array (float64) that knows from which values it came, and how to pass a gradient on to them.

    ``parents`` holds a pair (value, pull) for each: ``pull(gradient of the result)`` is its share of the gradient.
    """

    __array_ufunc__ = None  # array * Value calls Value.__rmul__, not a loop over the array

    def __init__(self, data, name="", *parents):
        self.data = np.asarray(data, dtype=np.float64)
        self.name, self.parents = name, parents
        self.grad = np.zeros_like(self.data)

    def __add__(self, other):
        a, b = self, as_value(other)
        return Value(a.data + b.data, "+", (a, lambda g: g), (b, lambda g: g))

    def __sub__(self, other):
        a, b = self, as_value(other)
        return Value(a.data - b.data, "-", (a, lambda g: g), (b, lambda g: -g))

    def __mul__(self, other):
        a, b = self, as_value(other)
        return Value(a.data * b.data, "*", (a, lambda g: g * b.data), (b, lambda g: g * a.data))

    def __truediv__(self, other):
        a, b = self, as_value(other)
        q = a.data / b.data
        return Value(q, "/", (a, lambda g: g / b.data), (b, lambda g: -g * q / b.data))

    def __matmul__(self, other):
        a, b = self, as_value(other)
        if a.data.ndim != 2 or b.data.ndim != 2:
            raise ValueError(f"@ takes two matrices, got {a.data.shape} and {b.data.shape}")
        return Value(a.data @ b.data, "@", (a, lambda g: g @ b.data.T), (b, lambda g: a.data.T @ g))

    def __pow__(self, n):
        return Value(self.data**n, f"**{n}", (self, lambda g: g * n * self.data ** (n - 1)))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return Value(-self.data, "-", (self, lambda g: -g))

    def __rsub__(self, other):
        return as_value(other) - self

    def __rtruediv__(self, other):
        return as_value(other) / self

    def __rmatmul__(self, other):
        return as_value(other) @ self

    def apply(self, name, result, slope):
        """An elementwise function: its name, its result, and its derivative at each element."""
        return Value(result, name, (self, lambda g: g * slope))

    def exp(self):
        return self.apply("exp", a := np.exp(self.data), a)

    def log(self):
        return self.apply("log", np.log(self.data), 1 / self.data)

    def tanh(self):
        return self.apply("tanh", a := np.tanh(self.data), 1 - a * a)

    def sigmoid(self):
        return self.apply("sigmoid", a := np.exp(-np.logaddexp(0, -self.data)), a * (1 - a))

    def relu(self):
        return self.apply("relu", np.maximum(self.data, 0), self.data > 0)

    def sum(self, axis=None):
        """Over one axis, which stays with size 1, or over all elements."""
        total = self.data.sum(axis=axis, keepdims=axis is not None)
        return Value(total, "sum", (self, lambda g: np.broadcast_to(g, self.data.shape)))

    def mean(self, axis=None):
        mean = self.data.mean(axis=axis, keepdims=axis is not None)
        count = self.data.size / mean.size
        return Value(mean, "mean", (self, lambda g: np.broadcast_to(g / count, self.data.shape)))

    def backward(self):
        """Fill ``grad`` of every value that this one came from; it must be a single number."""
        if self.data.size != 1:
            raise ValueError(f"backward starts at one number, not at {self.data.shape}: take .sum()")
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros_like(node.data)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):  # whatever uses a value comes before the value
            for parent, pull in node.parents:
                parent.grad = parent.grad + sum_to(pull(node.grad), parent.data.shape)


def as_value(x):
    """x itself if it is a Value, else a constant."""
    return x if isinstance(x, Value) else Value(x)


def sum_to(g, shape):
    """Undo broadcasting: what was copied forward is summed backward.  g (...) -> (shape)"""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(i for i, size in enumerate(shape) if size == 1 and g.shape[i] != 1)
    return g.sum(axis=stretched, keepdims=True) if stretched else g


def topological_order(output):
    """Every value behind ``output``, parents before children, ``output`` last."""
    order, seen, stack = [], set(), [output]
    while stack:
        waiting = [parent for parent, _ in stack[-1].parents if parent not in seen]
        if waiting:
            stack.extend(reversed(waiting))
        elif (node := stack.pop()) not in seen:
            seen.add(node)
            order.append(node)
    return order


def trace(output):
    """The graph behind ``output``: its values in topological order, and its edges as pairs of places in that list."""
    nodes = topological_order(output)
    place = {node: i for i, node in enumerate(nodes)}
    return nodes, [(place[parent], place[node]) for node in nodes for parent, _ in node.parents]
