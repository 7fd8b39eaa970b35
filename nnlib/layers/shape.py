"""Layers that change the shape or the path of a signal and not its numbers: Flatten and Residual."""

import math

import numpy as np

from nnlib.layers.layer import DoesNotFit, Layer, MultipleOf, agree, batch_of, known, walk

__all__ = ["Flatten", "Residual"]


class Flatten(Layer):
    """x (N, ...) -> (N, D): the numbers of each example in one row."""

    def out_shape(self, shape):
        if ... in shape:
            return (None,)
        factor = math.prod(size for size in shape if known(size))
        return (factor if all(map(known, shape)) else MultipleOf(factor),)

    def compute(self, x, training):
        if x.flags.c_contiguous:
            return x.reshape(len(x), -1)
        out = self.array("out", (len(x), x.size // len(x)))
        np.copyto(out.reshape(x.shape), x)
        return out

    def pull_back(self, dout, input_gradient):
        return dout.reshape(self.x.shape)


class Residual(Layer):
    """out = x + branch(x): the gradient has a path around the branch (He et al. 2016).

    Parameters
    ----------
    *layers : Layer
        The branch; it must give back the shape it took.
    """

    def __init__(self, *layers):
        if not layers or not all(isinstance(layer, Layer) for layer in layers):
            raise TypeError(f"Residual takes the layers of its branch, got {layers!r}")
        self.layers = tuple(layers)
        given = self.out_shape((...,))
        if not self.takes(given):  # what comes out must be able to go in
            raise ValueError(f"the branch of a Residual gives back the shape it takes, got {self!r}")

    @property
    def children(self):
        return self.layers

    def out_shape(self, shape):
        out = walk(self.layers, shape)
        if not agree(shape, out):
            raise DoesNotFit(
                f"the branch of a Residual gives back the shape it takes, got {batch_of(shape)} -> {batch_of(out)}"
            )
        return out

    def compute(self, x, training):
        branch = x
        for layer in self.layers:
            branch = layer.forward(branch, training)
        return np.add(x, branch, out=self.array("out", x.shape))

    def pull_back(self, dout, input_gradient):
        dbranch = dout
        for layer in self.layers[:0:-1]:
            dbranch = layer.backward(dbranch)
        dbranch = self.layers[0].backward(dbranch, input_gradient)
        return np.add(dout, dbranch, out=self.array("dx", self.x.shape)) if input_gradient else None

    @property
    def settings(self):
        return {"layers": self.layers}

    def __repr__(self):
        return f"Residual({', '.join(map(repr, self.layers))})"
