"""Activation: an elementwise function as a layer."""

from nnlib import activations
from nnlib.layers.layer import Layer

__all__ = ["Activation"]


class Activation(Layer):
    """a = f(z), for each number; backward: dz = da f'(z).

    Parameters
    ----------
    function : Elementwise
        E.g. ``relu`` or ``leaky_relu(0.01)``.
    """

    def __init__(self, function):
        if not isinstance(function, activations.Elementwise):
            raise TypeError(
                f"Activation takes an Elementwise such as relu or leaky_relu(0.01), got {function!r}"
                + (": call it with its parameter first" if callable(function) else "")
            )
        self.function = function

    def compute(self, z, training):
        a = self.array_like("a", z)
        self.function.f(z, a)
        return a

    def pull_back(self, da, input_gradient):
        if not input_gradient:
            return None
        dz = self.array_like("dz", self.x)
        self.function.df(self.x, self.out, dz)
        dz *= da
        return dz

    @property
    def settings(self):
        return {"function": self.function}
