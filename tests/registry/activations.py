"""Activations: a row each, with the values at five points, the formula for mpmath, and PyTorch's name."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nnlib import activations as a
from registry.cases import Case, grid, slope_of

POINTS = (-2.0, -0.5, 0.0, 1.0, 3.0)
FAR = np.array([1e-30, 1e-8, 1e-3, 3.0, 5.9, 8.0, 20.5, 40.0, 100.0, 700.0])


@dataclass(frozen=True)
class Row:
    """One activation.

    Parameters
    ----------
    f : Elementwise
    values : tuple
        f at ``POINTS``.
    exact : callable
        ``exact(m, z)``: the formula, with the functions of ``m``, which is mpmath.
    torch : callable
        ``torch(torch, z)``: the same by PyTorch; none where PyTorch has none.
    kinks : tuple
        Where it has a kink or a jump.
    center : float
        f(z) + f(-z) = 2 center for all z; none where that is not so.
    gated : bool
        Whether f(z) - f(-z) = z.
    monotone : bool
        Whether it never falls.
    ulp : tuple
        How many units in the last place of max(1, |value|) it and its derivative may err: in float32, in float64.
    near : dict
        What the comparison with PyTorch needs instead of its usual rtol and atol, and why.
    """

    f: a.Elementwise
    values: tuple
    exact: Callable
    torch: Callable | None = None
    kinks: tuple = ()
    center: float | None = None
    gated: bool = False
    monotone: bool = False
    ulp: tuple = (4, 4)
    near: dict = field(default_factory=dict)

    @property
    def name(self):
        return repr(self.f)

    def case(self):
        return Case(
            draw=lambda rng: {"z": np.concatenate([3.0 * grid(rng, 20), [0.0], FAR, -FAR])},
            ours=lambda i, dtype: {
                "value": self.f(i["z"].astype(dtype)),
                "slope": self.f.derivative(i["z"].astype(dtype)),
            },
            theirs=lambda torch, i: slope_of(torch, lambda z: self.torch(torch, z), i["z"]),
            **self.near,
        )


EXACTLY = {"atol": 0.0}
CANCELS = {"atol": 1e-13, "why": "PyTorch takes 1 + erf and 1 + tanh, which cancel far to the left"}
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772  # of SELU


def logistic(m, z):
    return 1 / (1 + m.exp(-z))


def elu(m, z, alpha=1.0):
    return z if z > 0 else alpha * m.expm1(z)


ACTIVATIONS = [
    Row(
        a.identity,
        POINTS,
        lambda m, z: z,
        lambda torch, z: torch.nn.Identity()(z),
        center=0.0,
        monotone=True,
    ),
    Row(
        a.step,
        (0, 0, 1, 1, 1),
        lambda m, z: m.mpf(z >= 0),
        lambda torch, z: torch.heaviside(z.detach(), z.new_ones(())),
        kinks=(0,),
        monotone=True,
    ),
    Row(
        a.sigmoid,
        (0.1192029220, 0.3775406688, 0.5, 0.7310585786, 0.9525741268),
        logistic,
        lambda torch, z: torch.sigmoid(z),
        center=0.5,
        monotone=True,
        near=EXACTLY,
    ),
    Row(
        a.tanh,
        (-0.9640275801, -0.4621171573, 0.0, 0.7615941560, 0.9950547537),
        lambda m, z: m.tanh(z),
        lambda torch, z: torch.tanh(z),
        center=0.0,
        monotone=True,
    ),
    Row(
        a.relu,
        (0, 0, 0, 1, 3),
        lambda m, z: max(z, m.mpf(0)),
        lambda torch, z: torch.relu(z),
        kinks=(0,),
        gated=True,
        monotone=True,
        near=EXACTLY,
    ),
    Row(
        a.leaky_relu(),
        (-0.02, -0.005, 0, 1, 3),
        lambda m, z: z if z > 0 else m.mpf(0.01) * z,
        lambda torch, z: torch.nn.functional.leaky_relu(z),
        kinks=(0,),
        monotone=True,
        near=EXACTLY,
    ),
    Row(
        a.leaky_relu(1.5),
        (-3.0, -0.75, 0, 1, 3),
        lambda m, z: z if z > 0 else 1.5 * z,
        lambda torch, z: torch.nn.functional.leaky_relu(z, 1.5),
        kinks=(0,),
        monotone=True,
        near=EXACTLY,
    ),
    Row(
        a.elu(),
        (math.expm1(-2), math.expm1(-0.5), 0, 1, 3),
        elu,
        lambda torch, z: torch.nn.functional.elu(z),
        monotone=True,
    ),
    Row(
        a.elu(0.3),
        (0.3 * math.expm1(-2), 0.3 * math.expm1(-0.5), 0, 1, 3),
        lambda m, z: elu(m, z, m.mpf(0.3)),
        lambda torch, z: torch.nn.functional.elu(z, 0.3),
        kinks=(0,),
        monotone=True,
    ),
    Row(
        a.selu,
        (1.7580993408 * math.expm1(-2), 1.7580993408 * math.expm1(-0.5), 0, 1.0507009874, 3 * 1.0507009874),
        lambda m, z: m.mpf(SCALE) * elu(m, z, m.mpf(ALPHA)),
        lambda torch, z: torch.selu(z),
        kinks=(0,),
        monotone=True,
    ),
    Row(
        a.celu(),
        (math.expm1(-2), math.expm1(-0.5), 0, 1, 3),
        elu,
        lambda torch, z: torch.celu(z),
        monotone=True,
    ),
    Row(
        a.celu(2.0),
        (2 * math.expm1(-1), 2 * math.expm1(-0.25), 0, 1, 3),
        lambda m, z: elu(m, z / 2, 2) if z <= 0 else z,
        lambda torch, z: torch.celu(z, 2.0),
        monotone=True,
    ),
    Row(
        a.softplus,
        (0.1269280110, 0.4740769842, math.log(2), 1.3132616875, 3.0485873516),
        lambda m, z: m.log1p(m.exp(z)),
        lambda torch, z: torch.nn.functional.softplus(z, threshold=705.0),
        gated=True,
        monotone=True,
        near=EXACTLY,
    ),
    Row(
        a.softsign,
        (-2 / 3, -1 / 3, 0, 0.5, 0.75),
        lambda m, z: z / (1 + abs(z)),
        lambda torch, z: torch.nn.functional.softsign(z),
        center=0.0,
        monotone=True,
        near=EXACTLY,
    ),
    Row(
        a.swish(),
        (-0.2384058440, -0.1887703344, 0, 0.7310585786, 2.8577223804),
        lambda m, z: z * logistic(m, z),
        lambda torch, z: torch.nn.functional.silu(z),
        gated=True,
        ulp=(4, 24),  # z multiplies the rounding of s and of 1 - s
    ),
    Row(
        a.swish(0.0),
        (-1.0, -0.25, 0, 0.5, 1.5),
        lambda m, z: z / 2,
        lambda torch, z: z * torch.sigmoid(0.0 * z),
        gated=True,
        monotone=True,
    ),
    Row(
        a.swish(0.4),
        (-0.6200510377, -0.2250830013, 0, 0.5986876601, 2.3055743505),
        lambda m, z: z * logistic(m, m.mpf(0.4) * z),
        lambda torch, z: z * torch.sigmoid(0.4 * z),
        gated=True,
        ulp=(8, 24),  # z multiplies the rounding of s and of 1 - s
    ),
    Row(
        a.gelu,
        (-0.0455002639, -0.1542687694, 0, 0.8413447461, 2.9959503059),
        lambda m, z: z * m.erfc(-z / m.sqrt(2)) / 2,
        lambda torch, z: torch.nn.functional.gelu(z),
        gated=True,
        near=CANCELS,
        ulp=(4, 8),  # the series of normal_cdf
    ),
    Row(
        a.gelu_tanh,
        (-0.0454023059, -0.1542859902, 0, 0.8411919906, 2.9963626079),
        lambda m, z: z * logistic(m, 2 * m.sqrt(2 / m.pi) * (z + m.mpf(0.044715) * z**3)),
        lambda torch, z: torch.nn.functional.gelu(z, approximate="tanh"),
        gated=True,
        near=CANCELS,
        ulp=(32, 40),  # z^3 (1 - t^2), where 1 - t^2 has the rounding of 1
    ),
    Row(
        a.gelu_sigmoid,
        (-0.0643413769, -0.1496115634, 0, 0.8457957659, 2.9819286903),
        lambda m, z: z * logistic(m, m.mpf(1.702) * z),
        lambda torch, z: z * torch.sigmoid(1.702 * z),
        gated=True,
        ulp=(8, 12),  # z multiplies the rounding of s and of 1 - s
    ),
    Row(
        a.mish,
        (-0.2525014827, -0.2207437747, 0, 0.8650983883, 2.9865350050),
        lambda m, z: z * m.tanh(m.log1p(m.exp(z))),
        lambda torch, z: torch.nn.functional.mish(z),
        ulp=(12, 12),  # z multiplies the rounding of 1 + exp(z)
    ),
    Row(
        a.hard_sigmoid,
        (1 / 6, 5 / 12, 0.5, 2 / 3, 1),
        lambda m, z: min(max(z / 6 + m.mpf(0.5), m.mpf(0)), m.mpf(1)),
        lambda torch, z: torch.nn.functional.hardsigmoid(z),
        kinks=(-3, 3),
        center=0.5,
        monotone=True,
        near={"rtol": 1e-7, "why": "PyTorch's 1/6 in the derivative is that of float32"},
    ),
    Row(
        a.hard_swish,
        (-1 / 3, -5 / 24, 0, 2 / 3, 3),
        lambda m, z: z * min(max(z / 6 + m.mpf(0.5), m.mpf(0)), m.mpf(1)),
        lambda torch, z: torch.nn.functional.hardswish(z),
        kinks=(-3, 3),
        gated=True,
    ),
    Row(
        a.sine,
        tuple(map(math.sin, POINTS)),
        lambda m, z: m.sin(z),
        lambda torch, z: torch.sin(z),
        center=0.0,
    ),
    Row(
        a.square,
        (4, 0.25, 0, 1, 9),
        lambda m, z: z * z,
        lambda torch, z: torch.square(z),
        near=EXACTLY,
    ),
]


# --- functions beside them --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function:
    """A function of numbers with its derivative, as arrays, which is no activation."""

    name: str
    f: Callable
    derivative: Callable
    exact: Callable
    torch: Callable
    ulp: tuple = (4, 4)
    near: dict = field(default_factory=dict)

    def case(self):
        return Case(
            draw=lambda rng: {"z": np.concatenate([3.0 * grid(rng, 20), [0.0], FAR[:-2], -FAR[:-3]])},
            ours=lambda i, dtype: {
                "value": self.f(i["z"].astype(dtype)),
                "slope": self.derivative(i["z"].astype(dtype)),
            },
            theirs=lambda torch, i: slope_of(torch, lambda z: self.torch(torch, z), i["z"]),
            **self.near,
        )


@dataclass(frozen=True)
class AlongAnAxis:
    """A function of all numbers along an axis, with its backward pass."""

    name: str
    axis: int
    forward: Callable
    backward: Callable
    torch: Callable
    exact: Callable | None = None  # of the first number of (z, 0)
    ulp: tuple = (4, 4)

    def f(self, z):
        """The first of the two results for (z, 0), for each z."""
        return self.forward(np.stack([z, np.zeros_like(z)], axis=1), axis=1)[:, 0]

    def derivative(self, z):
        out = self.forward(np.stack([z, np.zeros_like(z)], axis=1), axis=1)
        dout = np.zeros_like(out)
        dout[:, 0] = 1.0
        return self.backward(dout, out, axis=1)[:, 0]

    def case(self):
        def draw(rng):
            z = 4.0 * grid(rng, 3, 4, 2)
            z[0, 0] = 900.0  # exp overflows
            return {"z": z, "dout": grid(rng, 3, 4, 2)}

        def ours(i, dtype):
            out = self.forward(i["z"].astype(dtype), axis=self.axis)
            return {"out": out, "dz": self.backward(i["dout"].astype(dtype), out, axis=self.axis)}

        def theirs(torch, i):
            z = i["z"].clone().requires_grad_()
            out = self.torch(torch, z)
            out.backward(i["dout"])
            return {"out": out.detach(), "dz": z.grad}

        return Case(draw, ours, theirs)


FUNCTIONS = [
    Function(
        "normal_cdf and normal_density",
        a.normal_cdf,
        a.normal_density,
        lambda m, z: m.erfc(-z / m.sqrt(2)) / 2,
        lambda torch, z: 0.5 * torch.special.erfc(z * -(0.5**0.5)),
        ulp=(4, 8),  # its series
        near=EXACTLY,
    ),
    *(
        AlongAnAxis(
            f"{name}, axis {axis}",
            axis,
            getattr(a, name),
            getattr(a, f"{name}_backward"),
            lambda torch, z, name=name, axis=axis: getattr(torch, name)(z, dim=axis),
            exact if axis == -1 else None,
        )
        for axis in (-1, 0, 1)
        for name, exact in (("softmax", logistic), ("log_softmax", lambda m, z: -m.log1p(m.exp(-z))))
    ),
]
