"""Network: layers one after another over one vector of parameters."""

import itertools

import numpy as np

from nnlib import activations, archive, layers
from nnlib.initializers import xavier_normal
from nnlib.layers.layer import Layer, batch_of, walk
from nnlib.parameters import Parameter

FORMAT = "nnlib network, version 1"


class Sequential(Layer):
    """Layers one after another; all their parameters lie end to end in ``theta``, the gradients in ``grad``.

    Parameters
    ----------
    *layers : Layer
    rng : np.random.Generator
        Draws the first values, in the order of the layers.
    dtype : np.float32 or np.float64
        float32 trains twice as fast; gradient checks need float64.
    input_shape : tuple of int, optional
        Shape of one example, ``(1, 8, 8)``: layers that do not fit are refused now, and not with the first batch.
        Without it only what can be known is checked, such as the channels between two convolutions.

    Attributes
    ----------
    theta, grad : ndarray (P,)
        The layers' arrays are views of these: write into them, ``network.theta[...] = ...``.
    """

    def __init__(self, *layers, rng=None, dtype=np.float32, input_shape=(...,)):
        if not layers:
            raise ValueError("Sequential takes at least one layer")
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential takes layers, got {layer!r}" + _mend_for(layer))
        if len(set(map(id, layers))) < len(layers):
            raise ValueError("Sequential takes each layer once: make a second one for a second place")
        self.layers = tuple(layers)
        self.out_shape(tuple(input_shape))
        if rng is not None:
            self.initialize(rng, dtype)

    @property
    def children(self):
        return self.layers

    def out_shape(self, shape):
        """Shape of one output, from that of one example, ``(1, 8, 8)``: both without the batch."""
        return walk(self.layers, shape)

    def compute(self, x, training):
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dout, input_gradient=True):
        """Fill ``grad`` from dL/doutput; returns dL/dx unless it is not wanted."""
        for layer in self.layers[:0:-1]:
            dout = layer.backward(dout)
        return self.layers[0].backward(dout, input_gradient)

    def __call__(self, x):
        """``network(x)`` is ``network.predict(x)``."""
        return self.predict(x)

    def predict(self, x, batch_size=4096):
        """Output for x, outside training, as an array of your own; computed ``batch_size`` rows at a time."""
        if batch_size < 1:
            raise ValueError(f"predict takes batches of at least one, got {batch_size=}")
        x = self.at_the_door(x)
        return np.concatenate([self.forward(x[i : i + batch_size]).copy() for i in range(0, len(x), batch_size)])

    # --- what has been learned, kept and brought back ---

    def snapshot(self):
        """A copy of everything that training changes: parameters and statistics."""
        self._has_memory()
        return self.theta.copy(), [array.copy() for array in self.all_statistics()]

    def restore(self, snapshot):
        """Go back to a snapshot of this network."""
        self._has_memory()
        theta, statistics = snapshot
        if theta.shape != self.theta.shape:
            raise ValueError(f"this network has {self.theta.size} parameters, the snapshot has {theta.size}")
        if [array.shape for array in statistics] != [array.shape for array in self.all_statistics()]:
            raise ValueError("the snapshot has other statistics than this network")
        self.theta[...] = theta
        for array, kept in zip(self.all_statistics(), statistics, strict=True):
            array[...] = kept

    def save(self, path):
        """Write layers and parameters to ``path`` (.npz); an older file is replaced only when the new one is whole."""
        self._has_memory()
        header = {"format": FORMAT, "dtype": self.dtype.name, "layers": [_describe(layer) for layer in self.layers]}
        statistics = {f"statistics_{i}": array for i, array in enumerate(self.all_statistics())}
        archive.write(path, header, {"theta": self.theta, **statistics})

    @classmethod
    def load(cls, path):
        """The network that ``save`` wrote; nothing in the file is executed, and a damaged one is an error."""
        header, arrays = archive.read(path, FORMAT, "network")
        try:
            theta = arrays.pop("theta")
            network, dtype = cls(*map(_build, header["layers"])), np.dtype(header["dtype"])
            n_parameters = sum(p.size for p in network.parameters)
            if theta.shape == (n_parameters,) and theta.dtype == dtype:  # else the layers may ask for any memory
                network.initialize(np.random.default_rng(0), dtype)
        except archive.DAMAGE as error:
            raise ValueError(f"{path} describes no network that can be built: {error}") from error
        if network.dtype is None:
            raise ValueError(
                f"{path} has {theta.dtype} parameters of shape {theta.shape}, its layers need {dtype} {(n_parameters,)}"
            )
        statistics = [array for name, array in arrays.items() if name.startswith("statistics_")]
        wanted = [(array.shape, array.dtype) for array in network.all_statistics()]
        if [(array.shape, array.dtype) for array in statistics] != wanted:
            raise ValueError(f"{path} has other statistics than its layers need")
        network.restore((theta, statistics))
        return network

    def _has_memory(self):
        if self.dtype is None:
            raise RuntimeError(f"{self!r} has no memory yet: make it with Sequential(..., rng=rng)")

    def summary(self, input_shape=None):
        """A table of the layers, the shapes of their parameters and how many there are.

        With the shape of one example, ``summary((1, 8, 8))``, also the shape of each layer's output.
        """
        rows = [("layer", "output", "parameters", "count")]
        shape = input_shape
        for i, layer in enumerate(self.layers):
            if input_shape is not None:
                shape = walk(self.layers[: i + 1], tuple(input_shape))
            own = [(name, p) for name, p in vars(layer).items() if isinstance(p, Parameter)]
            shapes = ", ".join(f"{name} {'×'.join(map(str, p.shape))}" for name, p in own)
            count = sum(p.size for p in layer.parameters)
            rows.append((repr(layer), shape and batch_of(shape), shapes or "–", f"{count:,}"))
        rows.append(("total", "", "", f"{sum(p.size for p in self.parameters):,}"))
        return Table(rows if input_shape else [(row[0], *row[2:]) for row in rows])

    def __repr__(self):
        return f"Sequential({', '.join(map(repr, self.layers))})"


def mlp(sizes, activation, init, rng, *, dtype=np.float32):
    """A multilayer perceptron: Dense layers from ``sizes[0]`` inputs to ``sizes[-1]`` outputs, an activation between.

    Parameters
    ----------
    sizes : sequence of int
        ``(64, 32, 10)`` has 64 inputs, 32 hidden units and 10 outputs, which are linear (logits, for a classifier).
    activation : Elementwise or callable
        ``relu``, or a function without arguments that returns a new layer, such as ``PReLU``.
    init : callable
        First weights of the hidden layers: the initializer that fits the activation.  The output layer has Xavier's.
    rng : np.random.Generator
    dtype : np.float32 or np.float64

    Returns
    -------
    Sequential
    """
    if len(sizes) < 2:
        raise ValueError(f"mlp takes the number of inputs, of the units of each layer and of outputs, got {sizes!r}")
    parts = []
    for n_in, n_out in itertools.pairwise(sizes[:-1]):
        between = layers.Activation(activation) if isinstance(activation, activations.Elementwise) else activation()
        parts += [layers.Dense(n_in, n_out, init), between]
    return Sequential(*parts, layers.Dense(sizes[-2], sizes[-1], xavier_normal), rng=rng, dtype=dtype)


class Table(str):
    """Rows as text with straight columns; shown as it is printed."""

    def __new__(cls, rows):
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.rjust(w) if i == len(row) - 1 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths))
            )
            for row in rows
        ]
        return super().__new__(cls, "\n".join(line.rstrip() for line in lines))

    __repr__ = str.__str__


def _mend_for(thing):
    if isinstance(thing, activations.Elementwise):
        return f": wrap it, Activation({thing!r})"
    if isinstance(thing, type) and issubclass(thing, Layer):
        return f": call it, {thing.__name__}(...)"
    return ""


def _describe(layer):
    """A layer as JSON: its type and settings; a network inside is a list of layers."""
    if isinstance(layer, Sequential):
        return [_describe(child) for child in layer.layers]
    settings = {}
    for name, value in layer.settings.items():
        if isinstance(value, activations.Elementwise):
            value = {"elementwise": value.name, "settings": list(value.settings)}
        elif name == "layers":
            value = [_describe(child) for child in value]
        settings[name] = value
    return {"type": type(layer).__name__, "settings": settings}


def _build(description):
    """The layer of a description; only the types of nnlib.layers can come out."""
    if isinstance(description, list):
        return Sequential(*map(_build, description))
    name, settings = description["type"], dict(description["settings"])
    if name not in layers.__all__ or name == "Layer":
        raise ValueError(f"no layer is called {name!r}")
    for key, value in settings.items():
        if isinstance(value, dict):
            settings[key] = activations.by_name(value["elementwise"], *value["settings"])
    inside = map(_build, settings.pop("layers", ()))
    return getattr(layers, name)(*inside, **settings)
