"""Activations: functions applied to each number of an array, each beside its derivative; and the softmax.

An activation with a parameter is a function that returns an :class:`Elementwise`: ``leaky_relu(0.01)(z)``.
Kernels use only arithmetic, exp, log and tanh, which NumPy computes many numbers at a time; none of them overflows,
and none turns float32 into float64.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib.reductions import along_long_rows, sum_along
from nnlib.trace import Symbol

ZERO, HALF, ONE = (np.array(number, np.float32) for number in (0.0, 0.5, 1.0))  # read twice as fast as a float is


@dataclass(frozen=True, repr=False)
class Elementwise:
    """A function applied to each number of an array, with its derivative.

    Parameters
    ----------
    name : str
        As in the text books, e.g. ``"leaky_relu"``.
    f : callable
        ``f(z, out)`` writes a = f(z) into ``out``, which shares no memory with ``z``; no checks, for who owns both.
    df : callable
        ``df(z, a, out)`` writes da/dz into ``out``; ``a`` is f(z), in terms of which many derivatives are shortest.
    settings : tuple of float
        The parameter, as in ``leaky_relu(0.01)``; empty where there is none.
    """

    name: str
    f: Callable
    df: Callable
    settings: tuple = ()

    def __call__(self, z, out=None):
        """a = f(z), elementwise.  z of any shape -> a of the same shape and dtype; integers become float64."""
        z = as_float(z)
        if not z.ndim:
            return self(z.reshape(1))[0]
        if out is None:
            out = np.empty_like(z)
        elif np.may_share_memory(z, out):
            z = z.copy()  # f may read z again after its first write
        self.f(z, out)
        return out

    def derivative(self, z, a=None, out=None):
        """da/dz at z, elementwise.  ``a``: f(z) where it is known already.

        At a kink the value from the left; beyond 0, as at 3 in hard_sigmoid and hard_swish, that from the right.
        """
        z = as_float(z)
        if not z.ndim:
            return self.derivative(z.reshape(1))[0]
        a = self(z) if a is None else as_float(a)
        if out is None:
            out = np.empty_like(z)
        elif np.may_share_memory(z, out) or np.may_share_memory(a, out):
            z, a = z.copy(), np.copy(a)
        self.df(z, a, out)
        return out

    def __reduce_ex__(self, protocol):
        if self.name in _WITH_SETTINGS and self.settings and self.f.__module__ == __name__:  # its f has no name
            return by_name, (self.name, *self.settings)
        return super().__reduce_ex__(protocol)

    def __repr__(self):
        return self.name + (f"({', '.join(f'{s:g}' for s in self.settings)})" if self.settings else "")


def as_float(z):
    """z as an array of float32 or float64; whole numbers and truth values become float64."""
    if isinstance(z, Symbol):  # stands for one
        return z
    z = np.asarray(z)
    if z.dtype.char in "fd":
        return z
    if z.dtype.kind not in "iubf":
        raise TypeError(f"an activation takes real numbers, got dtype {z.dtype}: convert with z.astype(np.float64)")
    return z.astype(np.float32 if z.dtype == np.float16 else np.float64)


# --- no activation at all, and the oldest one ------------------------------------------------------------------------


def _identity(z, out):
    """a = z"""
    np.copyto(out, z)


def _identity_derivative(z, a, out):
    """da/dz = 1"""
    out.fill(1.0)


def _step(z, out):
    """a = 1 where z >= 0, else 0   (Rosenblatt 1958)"""
    np.greater_equal(z, 0.0, out=out, casting="unsafe")


def _step_derivative(z, a, out):
    """da/dz = 0 wherever it exists: nothing to learn from"""
    out.fill(0.0)


identity = Elementwise("identity", _identity, _identity_derivative)
step = Elementwise("step", _step, _step_derivative)


# --- the S-shaped ones ------------------------------------------------------------------------------------------------


def _sigmoid(z, out):
    """a = 1 / (1 + exp(-z)) = exp(min(z, 0)) / (1 + exp(-|z|)): no exponent is positive, so none overflows"""
    if out.dtype == np.float32:
        _sigmoid_by_tanh(z, out)
    else:
        np.exp(np.minimum(z, 0.0), out=out)
        out /= 1.0 + np.exp(-np.abs(z))


def _sigmoid_by_tanh(z, out):
    """a = (1 + tanh(z / 2)) / 2, three times as fast in float32, with an error below 1e-7 (not relative to a)"""
    np.multiply(z, HALF, out)
    np.tanh(out, out)
    out *= HALF
    out += HALF


def _sigmoid_derivative(z, a, out):
    """da/dz = a (1 - a)"""
    np.subtract(ONE, a, out)
    out *= a


def _tanh(z, out):
    """a = (exp(z) - exp(-z)) / (exp(z) + exp(-z)) = 2 sigmoid(2 z) - 1   (LeCun et al. 1998)"""
    np.tanh(z, out)


def _tanh_derivative(z, a, out):
    """da/dz = 1 - a^2"""
    np.square(a, out)
    np.subtract(ONE, out, out)


def _softsign(z, out):
    """a = z / (1 + |z|)   (Glorot & Bengio 2010)"""
    np.abs(z, out=out)
    out += 1.0
    np.divide(z, out, out=out)


def _softsign_derivative(z, a, out):
    """da/dz = 1 / (1 + |z|)^2 = (1 - |a|)^2"""
    np.abs(z, out=out)
    out += 1.0
    np.reciprocal(out, out=out)
    np.square(out, out=out)


def _hard_sigmoid(z, out):
    """a = min(max(z / 6 + 1/2, 0), 1)   (as PyTorch; Courbariaux et al. 2016 have z / 2 + 1/2)"""
    np.multiply(z, 1.0 / 6.0, out=out)
    out += 0.5
    np.clip(out, 0.0, 1.0, out=out)


def _hard_sigmoid_derivative(z, a, out):
    """da/dz = 1/6 for -3 < z < 3, else 0"""
    np.less(np.abs(z), 3.0, out=out, casting="unsafe")
    out *= 1.0 / 6.0


sigmoid = Elementwise("sigmoid", _sigmoid, _sigmoid_derivative)
tanh = Elementwise("tanh", _tanh, _tanh_derivative)
softsign = Elementwise("softsign", _softsign, _softsign_derivative)
hard_sigmoid = Elementwise("hard_sigmoid", _hard_sigmoid, _hard_sigmoid_derivative)


def _finite(name, setting):
    if not math.isfinite(setting):
        raise ValueError(f"{name} takes a finite number, got {setting!r}")


# --- the rectifiers ---------------------------------------------------------------------------------------------------


def _relu(z, out):
    """a = max(0, z)   (Fukushima 1969; Nair & Hinton 2010)"""
    np.maximum(z, ZERO, out=out)


def _relu_derivative(z, a, out):
    """da/dz = 1 where z > 0, else 0; at the kink 0, as PyTorch and JAX choose"""
    np.greater(z, ZERO, out=out, casting="unsafe")


relu = Elementwise("relu", _relu, _relu_derivative)


def leaky_relu(slope=0.01):
    """a = max(0, z) + slope min(0, z).  ``slope`` 0.01 as in Maas et al. 2013.

    The shorter max(slope z, z) is the same only for slope <= 1.
    """

    _finite("leaky_relu", slope)

    def f(z, out):
        np.minimum(z, 0.0, out=out)
        out *= slope
        out += np.maximum(z, 0.0)

    def df(z, a, out):
        """da/dz = 1 where z > 0, else slope"""
        np.greater(z, 0.0, out=out, casting="unsafe")
        out *= 1.0 - slope
        out += slope

    return Elementwise("leaky_relu", f, df, (slope,))


def elu(alpha=1.0):
    """a = z for z > 0, else alpha (exp(z) - 1).  ``alpha`` 1 as in Clevert et al. 2016, the only smooth choice."""

    _finite("elu", alpha)

    def f(z, out):
        np.minimum(z, 0.0, out=out)
        np.exp(out, out=out)
        out -= 1.0
        out *= alpha
        out += np.maximum(z, 0.0)

    def df(z, a, out):
        """da/dz = 1 where z > 0, else alpha exp(z)"""
        np.minimum(z, 0.0, out=out)
        np.exp(out, out=out)
        out *= alpha  # right for z <= 0; where z > 0 the exponential of min(z, 0) is 1
        if alpha != 1.0:
            out += (1.0 - alpha) * (z > 0.0)

    return Elementwise("elu", f, df, (alpha,))


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, eq. 14

_elu_of_selu = elu(SELU_ALPHA)


def _selu(z, out):
    """a = scale * elu(alpha)(z): keeps mean 0 and variance 1 from layer to layer   (Klambauer et al. 2017)"""
    _elu_of_selu.f(z, out)
    out *= SELU_SCALE


def _selu_derivative(z, a, out):
    """da/dz = scale * elu(alpha)'(z)"""
    _elu_of_selu.df(z, a, out)
    out *= SELU_SCALE


selu = Elementwise("selu", _selu, _selu_derivative)


def celu(alpha=1.0):
    """a = max(0, z) + min(0, alpha (exp(z / alpha) - 1)): an ELU that is smooth for every alpha (Barron 2017)."""

    if not (alpha > 0.0 and math.isfinite(alpha)):
        raise ValueError(f"celu takes a positive alpha, got {alpha!r}")

    def f(z, out):
        np.minimum(z, 0.0, out=out)
        out /= alpha
        np.exp(out, out=out)
        out -= 1.0
        out *= alpha
        out += np.maximum(z, 0.0)

    def df(z, a, out):
        """da/dz = 1 where z > 0, else exp(z / alpha)"""
        np.minimum(z, 0.0, out=out)
        out /= alpha
        np.exp(out, out=out)

    return Elementwise("celu", f, df, (alpha,))


# --- smooth relatives of the rectifier --------------------------------------------------------------------------------


def _softplus(z, out):
    """a = log(1 + exp(z)), written as max(z, 0) + log(1 + exp(-|z|)); PyTorch takes z beyond 20, which errs by 2e-9"""
    np.abs(z, out)
    np.negative(out, out)
    np.exp(out, out)
    if out.dtype == np.float32:  # log1p is ten times as slow as log, and exact where float32 shows no difference to 0
        out += ONE
        np.log(out, out)
    else:
        np.log1p(out, out)
    out += np.maximum(z, ZERO)


def _softplus_derivative(z, a, out):
    """da/dz = sigmoid(z)"""
    _sigmoid(z, out)


softplus = Elementwise("softplus", _softplus, _softplus_derivative)


def swish(beta=1.0):
    """a = z sigmoid(beta z).  ``beta`` 1 is also called SiLU (Elfwing et al. 2018; Ramachandran et al. 2017)."""

    _finite("swish", beta)

    def gate(z, out):  # sigmoid(beta z)
        _sigmoid(z if beta == 1.0 else beta * z, out)

    def f(z, out):
        gate(z, out)
        out *= z

    def df(z, a, out):
        """da/dz = s + beta a (1 - s), s = sigmoid(beta z)"""
        s = np.empty_like(z)
        gate(z, s)
        np.subtract(1.0, s, out=out)
        out *= a
        out *= beta
        out += s

    return Elementwise("swish", f, df, (beta,))


def normal_cdf(x, out=None):
    """Phi(x), the probability that a standard normal number lies below x; = erfc(-x / sqrt 2) / 2.

    NumPy has no error function.  float64: erfc(y) = t exp(-y^2 + P(t)) with t = 2 / (2 + y) for y >= 0, where the
    Chebyshev series P is fitted to ``math.erfc`` once; relative error < 1e-12 for x > -37 (the form is that of Press et
    al., *Numerical Recipes*, 3rd ed., section 6.2.2).  float32: (1 + tanh(x P(x^2))) / 2 with P a polynomial fitted to
    the exact one, error < 1e-7.
    """
    x = as_float(x)
    if out is None:
        out = np.empty_like(x)
    if x.dtype == np.float32:
        x = np.clip(x, -6.0, 6.0)
        square = x * x
        np.multiply(square, PHI_SERIES[-1], out=out)
        for coefficient in PHI_SERIES[-2:0:-1]:
            out += coefficient
            out *= square
        out += PHI_SERIES[0]
        out *= x
        np.tanh(out, out=out)
        out *= 0.5
        out += 0.5
        return out
    y = np.minimum(np.abs(x) * math.sqrt(0.5), _Y_MAX)  # erfc(26.5) is 1e-307: nothing is left to resolve
    t = 2.0 / (2.0 + y)
    tail = 0.5 * t * np.exp(_chebyshev((2.0 * t - 1.0 - _T_MIN) / (1.0 - _T_MIN), _erfc_series(28)) - y * y)
    np.copyto(out, np.where(x < 0.0, tail, 1.0 - tail))  # the tail lies on the side of x
    return out


# artanh(2 Phi(x) - 1) = x P(x^2): least squares on |x| < 5.6, weighted so that the largest error of Phi is smallest
PHI_SERIES = (
    7.97884941e-01, 3.63330845e-02, -3.25949180e-05, -5.53062215e-05, 3.96475020e-06, -1.32263854e-07, 1.75618652e-09,
)  # fmt: skip
_Y_MAX = 26.5
_T_MIN = 2.0 / (2.0 + _Y_MAX)


@functools.cache
def _erfc_series(terms):
    """Chebyshev coefficients of P = log(erfc(y) / t) + y^2 for t = 2 / (2 + y) from _T_MIN to 1."""
    n_nodes = 64
    angles = [math.pi * (k + 0.5) / n_nodes for k in range(n_nodes)]
    values = []
    for angle in angles:
        t = 0.5 * (1.0 + _T_MIN) + 0.5 * (1.0 - _T_MIN) * math.cos(angle)
        y = 2.0 / t - 2.0
        values.append(math.log(math.erfc(y) / t) + y * y)
    return [2.0 / n_nodes * math.fsum(v * math.cos(j * a) for v, a in zip(values, angles)) for j in range(terms)]


def _chebyshev(x, coefficients):
    """c_0 / 2 + sum_j c_j T_j(x) by Clenshaw's recurrence."""
    twice_x, b, b_next = 2.0 * x, np.zeros_like(x), np.zeros_like(x)
    for c in coefficients[:0:-1]:
        b, b_next = twice_x * b - b_next + c, b
    return x * b - b_next + 0.5 * coefficients[0]


def normal_density(x):
    """phi(x) = exp(-x^2 / 2) / sqrt(2 pi), the derivative of Phi."""
    x = as_float(x)
    return np.exp(-0.5 * x * x) * (1.0 / math.sqrt(2.0 * math.pi))


def _gelu(z, out):
    """a = z Phi(z)   (Hendrycks & Gimpel 2016)"""
    normal_cdf(z, out=out)
    out *= z


def _gelu_derivative(z, a, out):
    """da/dz = Phi(z) + z phi(z)"""
    density = z * z
    density *= -0.5
    np.exp(density, out=density)
    density *= z
    density *= 1.0 / math.sqrt(2.0 * math.pi)
    _gate(z, a, out)
    out += density


def _gate(z, a, out):
    """out = a / z, the share of z that a = z gate(z) lets through; 1/2 at 0"""
    near_zero = np.abs(z) < 1e-30
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(a, z, out=out)
    if near_zero.any():
        out[near_zero] = 0.5


GELU_CUBIC = 0.044715  # Hendrycks & Gimpel 2016, section 2; not 0.044175


def _gelu_tanh(z, out):
    """a = z/2 (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))), at most 4.8e-4 from GELU   (Hendrycks & Gimpel 2016)"""
    np.multiply(z, z, out=out)
    out *= GELU_CUBIC * math.sqrt(2.0 / math.pi)
    out += math.sqrt(2.0 / math.pi)
    out *= z
    np.tanh(out, out=out)
    out += 1.0
    out *= z
    out *= 0.5


def _gelu_tanh_derivative(z, a, out):
    """da/dz = g + 2 z g (1 - g) sqrt(2 / pi) (1 + 3 * 0.044715 z^2), g = a / z = (1 + tanh) / 2"""
    gate = np.empty_like(z)
    _gate(z, a, gate)
    np.multiply(z, z, out=out)
    out *= 6.0 * GELU_CUBIC * math.sqrt(2.0 / math.pi)
    out += 2.0 * math.sqrt(2.0 / math.pi)
    out *= z
    out *= 1.0 - gate
    out += 1.0
    out *= gate


gelu = Elementwise("gelu", _gelu, _gelu_derivative)
gelu_tanh = Elementwise("gelu_tanh", _gelu_tanh, _gelu_tanh_derivative)
_swish_of_gelu = swish(1.702)


def _gelu_sigmoid(z, out):
    """a = z sigmoid(1.702 z), the rougher approximation of GELU   (Hendrycks & Gimpel 2016, section 2)"""
    _swish_of_gelu.f(z, out)


def _gelu_sigmoid_derivative(z, a, out):
    """da/dz = s + 1.702 a (1 - s), s = sigmoid(1.702 z)"""
    _swish_of_gelu.df(z, a, out)


gelu_sigmoid = Elementwise("gelu_sigmoid", _gelu_sigmoid, _gelu_sigmoid_derivative)


def _mish(z, out):
    """a = z tanh(softplus(z))   (Misra 2020)"""
    _softplus(z, out)
    np.tanh(out, out=out)
    out *= z


def _mish_derivative(z, a, out):
    """da/dz = t + z (1 - t^2) sigmoid(z), t = tanh(softplus(z))"""
    t = np.empty_like(z)
    _softplus(z, t)
    np.tanh(t, out=t)
    _sigmoid(z, out)
    out *= z * (1.0 - t) * (1.0 + t)
    out += t


def _hard_swish(z, out):
    """a = z hard_sigmoid(z)   (Howard et al. 2019)"""
    _hard_sigmoid(z, out)
    out *= z


def _hard_swish_derivative(z, a, out):
    """da/dz = 0 for z < -3, 1 for z > 3, z/3 + 1/2 between"""
    np.multiply(z, 1.0 / 3.0, out=out)
    out += 0.5
    out[z <= -3.0] = 0.0
    out[z >= 3.0] = 1.0


mish = Elementwise("mish", _mish, _mish_derivative)
hard_swish = Elementwise("hard_swish", _hard_swish, _hard_swish_derivative)


# --- two that teach what an activation needs --------------------------------------------------------------------------


def _sine(z, out):
    """a = sin(z): neither monotone nor saturating, and yet it trains   (Sitzmann et al. 2020)"""
    np.sin(z, out=out)


def _sine_derivative(z, a, out):
    """da/dz = cos(z)"""
    np.cos(z, out=out)


def _square(z, out):
    """a = z^2: smooth, and yet no universal approximator   (Leshno et al. 1993)"""
    np.square(z, out=out)


def _square_derivative(z, a, out):
    """da/dz = 2 z"""
    np.multiply(z, 2.0, out=out)


sine = Elementwise("sine", _sine, _sine_derivative)
square = Elementwise("square", _square, _square_derivative)


# --- softmax: each output depends on all inputs -----------------------------------------------------------------------


@along_long_rows
def softmax(z, axis=-1, out=None):
    """p_i = exp(z_i) / sum_j exp(z_j) along ``axis``: positive, sum 1.  z of any shape -> p of the same shape."""
    z = as_float(z)
    out = np.subtract(z, z.max(axis=axis, keepdims=True), out=out)  # a common shift cancels; so exp cannot overflow
    np.exp(out, out=out)
    out *= 1.0 / sum_along(axis, out)
    return out


@along_long_rows
def softmax_backward(dp, p, axis=-1, out=None):
    """dz = p (dp - sum_j p_j dp_j): the Jacobian diag(p) - p p^T times dp, without ever building it."""
    mean = np.vecdot(p, dp, axis=axis)
    out = np.subtract(dp, np.expand_dims(mean, axis), out=out)
    out *= p
    return out


def log_softmax(z, axis=-1, out=None):
    """log p_i = z_i - log sum_j exp(z_j), finite where log(softmax(z)) would be log 0."""
    z = as_float(z)
    out = np.subtract(z, z.max(axis=axis, keepdims=True), out=out)
    out -= np.log(sum_along(axis, np.exp(out)))
    return out


def log_softmax_backward(dlog_p, log_p, axis=-1, out=None):
    """dz = dlog_p - p sum_j dlog_p_j."""
    out = np.exp(log_p, out=out)
    out *= sum_along(axis, dlog_p)
    return np.subtract(dlog_p, out, out=out)


#: Every elementwise activation at its paper's setting, by name: one line here brings a new one under all laws.
ELEMENTWISE = {
    f.name: f
    for f in (
        identity, step, sigmoid, tanh, relu, leaky_relu(), elu(), selu, celu(), softplus, softsign, swish(), gelu,
        gelu_tanh, gelu_sigmoid, mish, hard_sigmoid, hard_swish,
        sine, square,
    )
}  # fmt: skip

_WITH_SETTINGS = {"leaky_relu": leaky_relu, "elu": elu, "celu": celu, "swish": swish}


def by_name(name, *settings):
    """The activation of that name, e.g. ``by_name("leaky_relu", 0.1)``."""
    if name not in ELEMENTWISE:
        raise ValueError(f"no activation is called {name!r}; there are {', '.join(sorted(ELEMENTWISE))}")
    if not settings:
        return ELEMENTWISE[name]
    if name not in _WITH_SETTINGS:
        raise ValueError(f"{name} takes no setting, got {settings}")
    return _WITH_SETTINGS[name](*settings)
