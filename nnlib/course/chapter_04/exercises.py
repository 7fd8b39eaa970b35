"""Chapter 4's exercises."""

import numpy as np

from nnlib.activations import sigmoid, swish
from nnlib.course.registry import exercise


@exercise(
    "04.best_threshold",
    cases=lambda rng: [(1.0, 1.0), (10.0, 1.0), (2.0, 5.0), (0.5, 4.0)],
)
def best_threshold(miss, false_alarm):
    return false_alarm / (false_alarm + miss)


best_threshold.mistake("turned round: the dearer a miss, the lower the threshold must be")(
    lambda miss, false_alarm: miss / (false_alarm + miss)
)
best_threshold.mistake("1 / (1 + miss) holds for a false alarm that costs 1: only the ratio of both costs counts")(
    lambda miss, false_alarm: 1.0 / (1.0 + miss)
)
best_threshold.mistake("these are the odds at which both answers cost the same: p is odds / (1 + odds)")(
    lambda miss, false_alarm: false_alarm / miss
)
best_threshold.other_way(lambda miss, false_alarm: 1.0 / (1.0 + miss / false_alarm))
best_threshold.other_way(lambda miss, false_alarm: 1.0 - miss / (false_alarm + miss))
best_threshold.cheat("one half, whatever the mistakes cost, is right only where both cost the same")(
    lambda miss, false_alarm: 0.5
)


@exercise(
    "04.log_sigmoid",
    cases=lambda rng: [
        (np.array([0.0, 1.0, -1.0, 9.0]),),
        (rng.normal(size=(3, 5)),),
        (np.array([-1000.0, -50.0, -31.0, 1000.0]),),
        (np.array([38.0, 40.0]),),
    ],
    tolerance=1e-12,
)
def log_sigmoid(z):
    return np.minimum(z, 0.0) - np.log1p(np.exp(-np.abs(z)))


log_sigmoid.mistake("a sign is turned round: log σ(z) rises towards 0, and yours falls")(lambda z: log_sigmoid(-z))
log_sigmoid.mistake("that is softplus, log(1 + exp(z)): log σ(z) = -log(1 + exp(-z)) is never positive")(
    lambda z: -log_sigmoid(-z)
)
log_sigmoid.mistake("minus infinity at z = -1000, as σ is rounded to 0 there: take the logarithm by hand first")(
    lambda z: np.log(sigmoid(z))
)
log_sigmoid.mistake("at z = 40 the answer is -4e-18, and yours 0: 1 + e loses a tiny e, np.log1p(e) keeps it")(
    lambda z: np.minimum(z, 0.0) - np.log(1.0 + np.exp(-np.abs(z)))
)
log_sigmoid.other_way(lambda z: -np.logaddexp(0.0, -z))
log_sigmoid.other_way(lambda z: np.where(z > 0, 0.0, z) - np.log1p(np.exp(-np.abs(z))))
log_sigmoid.cheat("cutting z off hides the overflow and gives -30 where the answer is -1000")(
    lambda z: -np.log1p(np.exp(-np.clip(z, -30.0, 30.0)))
)


@exercise(
    "04.celu_derivative",
    cases=lambda rng: [
        (rng.normal(size=(3, 4)), 1.0),
        (rng.normal(size=6), 1.7),
        (np.array([-1000.0, -1.0, 2.0, 1000.0]), 0.5),
    ],
)
def celu_derivative(z, alpha):
    return np.exp(np.minimum(z, 0.0) / alpha)


celu_derivative.mistake("the chain rule: the factor 1 / alpha of z / alpha cancels the alpha in front")(
    lambda z, alpha: np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0) / alpha))
)
celu_derivative.mistake("that is the derivative of ELU: in CELU z is divided by alpha")(
    lambda z, alpha: np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))
)
celu_derivative.mistake("that is CELU itself left of 0: take its derivative")(
    lambda z, alpha: np.where(z > 0, 1.0, alpha * (np.exp(np.minimum(z, 0.0) / alpha) - 1.0))
)
celu_derivative.other_way(lambda z, alpha: np.where(z > 0, 1.0, np.exp(-np.abs(z) / alpha)))
celu_derivative.other_way(lambda z, alpha: 1.0 + np.expm1(np.minimum(z, 0.0) / alpha))
celu_derivative.cheat("right for alpha = 1 only, where ELU and CELU are the same")(
    lambda z, alpha: np.exp(np.minimum(z, 0.0))
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
prelu_slope_gradient.other_way(lambda da, z: np.einsum("nd,nd->d", da, np.where(z < 0, z, 0.0)))
prelu_slope_gradient.other_way(lambda da, z: np.sum(da * (z - np.maximum(z, 0.0)), axis=0))
prelu_slope_gradient.cheat("the sums of da and of z, multiplied: the product must be taken for each example")(
    lambda da, z: da.sum(axis=0) * np.minimum(z, 0.0).sum(axis=0)
)


@exercise(
    "04.deadly_bias",
    cases=lambda rng: [
        (rng.normal(size=(5, 3)), rng.normal(size=(3, 4))),
        (rng.uniform(size=(9, 2)), rng.normal(size=(2, 3))),
        (np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[1.0, -1.0, 0.0], [0.0, 1.0, 2.0]])),
    ],
)
def deadly_bias(x, W):
    return -(x @ W).max(axis=0)


deadly_bias.mistake("at that bias the unit is silent for one example only: its largest sum decides, not its smallest")(
    lambda x, W: -(x @ W).min(axis=0)
)
deadly_bias.mistake("the sign: a bias of this size makes the largest sum twice as large, not 0")(
    lambda x, W: (x @ W).max(axis=0)
)
deadly_bias.mistake("one number per example: look for the largest sum of each unit, along axis 0")(
    lambda x, W: -(x @ W).max(axis=1)
)
deadly_bias.mistake("the same bias for all units is safe, but not the largest for each: maximum along axis 0")(
    lambda x, W: np.full(W.shape[1], -(x @ W).max())
)
deadly_bias.other_way(lambda x, W: np.min(-(x @ W), axis=0))
deadly_bias.other_way(lambda x, W: -np.sort(np.einsum("ni,ij->nj", x, W), axis=0)[-1])
deadly_bias.cheat("-50 kills these units, but so would a larger bias: the question asks for the largest")(
    lambda x, W: np.full(W.shape[1], -50.0)
)


@exercise(
    "04.softmax_rows",
    cases=lambda rng: [
        (rng.normal(size=(3, 5)),),
        (rng.normal(size=(4, 4)),),
        (np.array([[1000.0, 1001.0], [-1000.0, -1000.0], [0.0, 1000.0]]),),
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


@softmax_rows.mistake("subtract the row's maximum, not its minimum: then exponents are positive and may overflow")
def _softmax_minimum(z):
    e = np.exp(z - z.min(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


softmax_rows.mistake("the columns sum to 1, not the rows: a row holds one example")(lambda z: softmax_rows(z.T).T)
softmax_rows.other_way(lambda z: np.exp(z - np.logaddexp.reduce(z, axis=1)[:, None]))
softmax_rows.other_way(lambda z: np.stack([softmax_rows(row[None])[0] for row in z]))


@softmax_rows.cheat("cutting the logits off keeps exp finite, but changes the probabilities of large logits")
def _softmax_clipped(z):
    e = np.exp(np.clip(z, -30.0, 30.0))
    return e / e.sum(axis=1, keepdims=True)


@exercise(
    "04.swiglu_backward",
    cases=lambda rng: [
        tuple(rng.normal(size=(3, 4)) for _ in range(3)),
        tuple(rng.normal(size=(5, 2)) for _ in range(3)),
        (np.ones(3), np.array([0.0, 2.0, -1.0]), np.array([-1.0, 0.0, 3.0])),
    ],
)
def swiglu_backward(da, z1, z2):
    s = sigmoid(z2)
    return da * z2 * s, da * z1 * (s + z2 * s * (1.0 - s))


swiglu_backward.mistake(
    "the product rule: the gradient of z1 holds the other factor, swish(z2), and that of z2 holds z1"
)(lambda da, z1, z2: (da * z1, da * swish(1.0).derivative(z2)))
swiglu_backward.mistake("the gradient of z2 needs the derivative of swish, not swish itself")(
    lambda da, z1, z2: (da * swish(1.0)(z2), da * z1 * swish(1.0)(z2))
)
swiglu_backward.mistake("that is the derivative of the sigmoid: z2 σ(z2) is a product and has two terms")(
    lambda da, z1, z2: (da * swish(1.0)(z2), da * z1 * sigmoid(z2) * (1.0 - sigmoid(z2)))
)
swiglu_backward.mistake("the gradient of z2 holds the other factor, z1, too")(
    lambda da, z1, z2: (da * swish(1.0)(z2), da * swish(1.0).derivative(z2))
)
swiglu_backward.mistake("the two gradients are interchanged: return that of z1 first")(
    lambda da, z1, z2: swiglu_backward(da, z1, z2)[::-1]
)
swiglu_backward.other_way(lambda da, z1, z2: (da * swish(1.0)(z2), da * z1 * swish(1.0).derivative(z2)))
swiglu_backward.other_way(
    lambda da, z1, z2: (da * z2 / (1.0 + np.exp(-z2)), da * z1 * sigmoid(z2) * (1.0 + z2 * (1.0 - sigmoid(z2))))
)
swiglu_backward.cheat("this leaves da out: it is right only where the gradient from above is 1")(
    lambda da, z1, z2: swiglu_backward(np.ones_like(da), z1, z2)
)


@exercise(
    "04.convex_by_maxout",
    cases=lambda rng: [
        (np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0])),
        (np.array([-2.0, -0.5, 0.5, 3.0]), np.array([4.0, 0.25, 0.25, 9.0])),
        (np.array([0.0, 1.0, 2.5]), np.exp([0.0, 1.0, 2.5])),
    ],
)
def convex_by_maxout(knots, values):
    slopes = np.diff(values) / np.diff(knots)
    return slopes, values[:-1] - slopes * knots[:-1]


convex_by_maxout.mistake("these are the heights at the left knots: an intercept is the height of the line at x = 0")(
    lambda knots, values: (np.diff(values) / np.diff(knots), values[:-1])
)
convex_by_maxout.mistake("a sign of the intercept: value = slope * knot + intercept, so subtract slope * knot")(
    lambda knots, values: (
        np.diff(values) / np.diff(knots),
        values[:-1] + np.diff(values) / np.diff(knots) * knots[:-1],
    )
)
convex_by_maxout.mistake("run over rise: a slope is the difference of the values over that of the knots")(
    lambda knots, values: (
        np.diff(knots) / np.where(np.diff(values) == 0.0, np.inf, np.diff(values)),
        values[:-1] - np.diff(knots) / np.where(np.diff(values) == 0.0, np.inf, np.diff(values)) * knots[:-1],
    )
)
convex_by_maxout.mistake("the knots are not one apart: divide by their differences")(
    lambda knots, values: (np.diff(values), values[:-1] - np.diff(values) * knots[:-1])
)
convex_by_maxout.other_way(
    lambda knots, values: (
        np.diff(values) / np.diff(knots),
        values[1:] - np.diff(values) / np.diff(knots) * knots[1:],
    )
)
convex_by_maxout.other_way(
    lambda knots, values: tuple(
        np.array([np.polyfit(knots[i : i + 2], values[i : i + 2], 1) for i in range(len(knots) - 1)]).T
    )
)
convex_by_maxout.cheat("these are tangents of x²: the task is for any convex values")(
    lambda knots, values: (knots[:-1] + knots[1:], -knots[:-1] * knots[1:])
)
