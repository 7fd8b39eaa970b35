"""Activation: an elementwise function as a layer."""

from nnlib import activations
from nnlib.layers.layer import Layer


class Activation(Layer):
    """a = f(z), for each number; backward: dz = da f'(z).

    Parameters
    ----------
    function : Elementwise
        E.g. ``relu`` or ``leaky_relu(0.01)``.
    """

    width_factor = 1

    def __init__(self, function):
        if not isinstance(function, activations.Elementwise):
            raise TypeError(
                f"Activation takes an Elementwise such as relu or leaky_relu(0.01), got {function!r}"
                + (": call it with its parameter first" if callable(function) else "")
            )
        self.function = function
        self.z = None

    def forward(self, x, training=False):
        self.z = x = self.at_the_door(x)
        self.a = self.array_like("a", x)
        self.function.f(x, self.a)
        return self.a

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.z is None else self.z.shape)
        if not input_gradient:
            return None
        dz = self.array_like("dz", self.z)
        self.function.df(self.z, self.a, dz)
        dz *= dout
        return dz

    @property
    def settings(self):
        return {"function": self.function}
