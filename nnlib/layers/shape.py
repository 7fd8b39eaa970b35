"""Layers that change the shape or the path of a signal and not its numbers: Flatten and Residual."""

import numpy as np

from nnlib.layers.layer import Layer


class Flatten(Layer):
    """x (N, ...) -> (N, D): the numbers of each example in one row."""

    def __init__(self):
        self.shape = None

    def forward(self, x, training=False):
        x = self.at_the_door(x)
        self.shape = x.shape
        if x.flags.c_contiguous:
            return x.reshape(len(x), -1)
        out = self.array("out", (len(x), x.size // len(x)))
        np.copyto(out.reshape(x.shape), x)
        return out

    def backward(self, dout, input_gradient=True):
        shape = None if self.shape is None else (self.shape[0], int(np.prod(self.shape[1:])))
        return self.gradient_at_the_door(dout, shape).reshape(self.shape)


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
        self.shape = None

    @property
    def children(self):
        return self.layers

    def forward(self, x, training=False):
        x = self.at_the_door(x)
        self.shape = x.shape
        branch = x
        for layer in self.layers:
            branch = layer.forward(branch, training)
        if branch.shape != x.shape:
            raise ValueError(f"the branch of a Residual gives back the shape it takes, got {x.shape} -> {branch.shape}")
        return np.add(x, branch, out=self.array("out", x.shape))

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, self.shape)
        dbranch = dout
        for layer in self.layers[:0:-1]:
            dbranch = layer.backward(dbranch)
        dbranch = self.layers[0].backward(dbranch, input_gradient)
        return np.add(dout, dbranch, out=self.array("dx", self.shape)) if input_gradient else None

    @property
    def settings(self):
        return {"layers": self.layers}

    def __repr__(self):
        return f"Residual({', '.join(map(repr, self.layers))})"
