"""Chapter 4's exercises."""

import numpy as np

from nnlib.activations import normal_cdf, normal_density, sigmoid
from nnlib.course.registry import exercise


@exercise(
    "04.stable_sigmoid",
    cases=lambda rng: [
        (np.array([0.0, 1.0, -1.0, 9.0]),),
        (rng.normal(size=(3, 5)),),
        (np.array([-1000.0, -710.0, 710.0, 1000.0]),),
    ],
)
def stable_sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


stable_sigmoid.mistake("one sign is turned round: sigmoid(z) grows with z, and yours falls")(
    lambda z: stable_sigmoid(-z)
)
stable_sigmoid.mistake("this overflows for large z, as inf / inf is NaN: choose the branch whose exponent is negative")(
    lambda z: np.exp(z) / (1.0 + np.exp(z))
)
stable_sigmoid.mistake("that is tanh: sigmoid lies between 0 and 1 and is 1/2 at 0")(lambda z: np.tanh(z))


@exercise(
    "04.tanh_by_sigmoid",
    cases=lambda rng: [(np.array([0.0, 0.5, -3.0]),), (rng.normal(size=(2, 4)),), (rng.normal(0, 5, 7),)],
)
def tanh_by_sigmoid(z):
    return 2.0 * sigmoid(2.0 * z) - 1.0


tanh_by_sigmoid.mistake("this is sigmoid(2z - 1): the 2 and the -1 belong around the sigmoid, tanh(0) is 0")(
    lambda z: sigmoid(2.0 * z - 1.0)
)
tanh_by_sigmoid.mistake("stretched to (-1, 1), but half as steep as tanh: the argument must be 2z")(
    lambda z: 2.0 * sigmoid(z) - 1.0
)
tanh_by_sigmoid.mistake("steep enough, but it lies between 0 and 1: stretch it by 2 and shift it down by 1")(
    lambda z: sigmoid(2.0 * z)
)


@exercise(
    "04.leaky_relu_backward",
    cases=lambda rng: [
        (rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), 0.01),
        (rng.normal(size=(5, 2)), rng.normal(size=(5, 2)), 0.3),
        (np.ones(3), np.array([-1.0, 0.0, 2.0]), 0.25),
    ],
)
def leaky_relu_backward(da, z, slope):
    return da * np.where(z > 0, 1.0, slope)


leaky_relu_backward.other_way(lambda da, z, slope: np.where(z > 0, da, slope * da))

leaky_relu_backward.mistake("that is the derivative alone: multiply it with da, the gradient that comes from above")(
    lambda da, z, slope: np.where(z > 0, 1.0, slope)
)
leaky_relu_backward.mistake("negative z get no gradient at all, as behind a ReLU: there it is slope times da")(
    lambda da, z, slope: da * (z > 0)
)
leaky_relu_backward.mistake("this multiplies da with the activation: it takes the derivative")(
    lambda da, z, slope: da * np.where(z > 0, z, slope * z)
)


@exercise(
    "04.prelu_slope_gradient",
    cases=lambda rng: [
        (rng.normal(size=(4, 3)), rng.normal(size=(4, 3))),
        (rng.normal(size=(7, 2)), rng.normal(size=(7, 2))),
        (rng.normal(size=(2, 5)), rng.normal(size=(2, 5))),
    ],
)
def prelu_slope_gradient(da, z):
    return (da * np.minimum(z, 0.0)).sum(axis=0)


prelu_slope_gradient.mistake(
    "one number for all units: each unit has its own slope, so sum over the batch (axis 0) only"
)(lambda da, z: (da * np.minimum(z, 0.0)).sum())
prelu_slope_gradient.mistake("da already holds the mean over the batch: sum over the examples, do not average again")(
    lambda da, z: (da * np.minimum(z, 0.0)).mean(axis=0)
)
prelu_slope_gradient.mistake("positive z do not depend on the slope: only min(0, z) counts")(
    lambda da, z: (da * z).sum(axis=0)
)
prelu_slope_gradient.mistake(
    "for z < 0 the function is slope times z, not the slope alone: its derivative by the slope is z"
)(lambda da, z: (da * (z < 0)).sum(axis=0))


@exercise(
    "04.elu_derivative",
    cases=lambda rng: [
        (rng.normal(size=(3, 4)), 1.0),
        (rng.normal(size=6), 1.7),
        (np.array([-1000.0, -1.0, 2.0, 1000.0]), 0.5),
    ],
)
def elu_derivative(z, alpha):
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))


elu_derivative.mistake("alpha is missing: left of 0 the derivative is alpha exp(z)")(
    lambda z, alpha: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0.0)))
)
elu_derivative.mistake("that is ELU itself for z < 0: its derivative there is ELU + alpha")(
    lambda z, alpha: np.where(z > 0, 1.0, alpha * (np.exp(np.minimum(z, 0.0)) - 1.0))
)
elu_derivative.mistake("the derivative of ELU is 1 for z > 0: this is alpha there")(
    lambda z, alpha: alpha * np.exp(np.minimum(z, 0.0))
)


@exercise(
    "04.dead_units",
    cases=lambda rng: [
        (rng.normal(-1.0, 1.0, (4, 6)),),
        (rng.normal(-2.0, 1.0, (9, 5)),),
        (np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, -1.0]]),),
    ],
)
def dead_units(z):
    return np.all(z <= 0, axis=0)


dead_units.other_way(lambda z: z.max(axis=0) <= 0)

dead_units.mistake("a unit is dead only if z <= 0 for every example: one silent example makes it merely inactive")(
    lambda z: np.any(z <= 0, axis=0)
)
dead_units.mistake("this asks each example whether all its units are silent: turn the axis round")(
    lambda z: np.all(z <= 0, axis=1)
)
dead_units.mistake("at z = 0 ReLU has slope 0 as well, so a unit that never exceeds 0 is dead: use <=")(
    lambda z: np.all(z < 0, axis=0)
)


@exercise(
    "04.softmax_rows",
    cases=lambda rng: [
        (rng.normal(size=(3, 5)),),
        (rng.normal(size=(4, 4)),),
        (np.array([[1000.0, 1001.0], [-1000.0, -1000.0], [0.0, 3.0]]),),
    ],
)
def softmax_rows(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@softmax_rows.mistake(
    "the maxima and sums must stand in a column, one per row: keepdims=True instead of reshape(1, -1)"
)
def _softmax_reshaped(z):
    e = np.exp(z - np.max(z, axis=1).reshape(1, -1))
    return e / np.sum(e, axis=1).reshape(1, -1)


@softmax_rows.mistake("the numbers are right, but z itself was changed: -= writes into the caller's array")
def _softmax_in_place(z):
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    return z


@softmax_rows.mistake("subtract each row's own maximum: the largest of all makes 0 / 0 of other rows")
def _softmax_one_shift(z):
    e = np.exp(z - z.max())
    return e / e.sum(axis=1, keepdims=True)


softmax_rows.mistake("the columns sum to 1, not the rows: a row holds one example")(lambda z: softmax_rows(z.T).T)


@exercise(
    "04.gelu_derivative",
    cases=lambda rng: [(rng.normal(size=(3, 4)),), (np.array([-1.5, 0.0, 1.5]),), (rng.normal(0.0, 3.0, 9),)],
)
def gelu_derivative(z):
    return normal_cdf(z) + z * normal_density(z)


gelu_derivative.mistake("z Φ(z) is a product: Φ(z) alone leaves out z times the derivative of Φ")(
    lambda z: normal_cdf(z)
)
gelu_derivative.mistake("the derivative of Φ is the density φ(z) = exp(-z²/2) / √(2π), not Φ(z)(1 - Φ(z))")(
    lambda z: normal_cdf(z) + z * normal_cdf(z) * (1.0 - normal_cdf(z))
)
gelu_derivative.mistake("z φ(z) is only the second half of the product rule: Φ(z) is missing")(
    lambda z: z * normal_density(z)
)


@exercise("04.square_by_maxout", cases=lambda rng: [(1,), (2,), (5,)])
def square_by_maxout(k):
    middle = (2.0 * np.arange(k) + 1.0) / k - 1.0
    return 2.0 * middle, 0.5 / k**2 - middle**2


square_by_maxout.mistake("these are tangents, which touch x² from below: lift all of them by half of the largest gap")(
    lambda k: (square_by_maxout(k)[0], square_by_maxout(k)[1] - 0.5 / k**2)
)
square_by_maxout.mistake("the slope of x² at m is 2m: yours is m")(
    lambda k: (
        0.5 * square_by_maxout(k)[0],
        square_by_maxout(k)[1],
    )
)
