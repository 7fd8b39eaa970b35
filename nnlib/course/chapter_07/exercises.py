"""Chapter 7's exercises."""

import functools
import math

import numpy as np

from nnlib.course.registry import exercise


@exercise(
    "07.after_steps",
    cases=lambda rng: [
        (rng.normal(size=3), rng.uniform(0.5, 5.0, 3), 0.1, 7),
        (rng.normal(size=5), rng.uniform(0.5, 5.0, 5), 0.3, 4),
        (np.array([1.0, -2.0]), np.array([-0.5, 3.0]), 0.25, 0),
        (np.array([1.0, -2.0]), np.array([-0.5, 3.0]), 0.25, 1000),
    ],
)
def after_steps(theta, curvatures, learning_rate, n_steps):
    """(1 - learning_rate curvature)^n_steps theta"""
    return (1.0 - learning_rate * curvatures) ** n_steps * theta


@after_steps.other_way
def _(theta, curvatures, learning_rate, n_steps):
    for _ in range(n_steps):
        theta = theta - learning_rate * curvatures * theta
    return theta


after_steps.other_way(lambda theta, c, rate, n: theta * np.power(1.0 - rate * c, n))
after_steps.mistake("the steps add up instead of multiplying: each one shrinks what the last one left")(
    lambda theta, c, rate, n: theta - n * rate * c * theta
)
after_steps.mistake("the sign: descent takes the slope away, so the factor is 1 - rate * curvature")(
    lambda theta, c, rate, n: (1.0 + rate * c) ** n * theta
)
after_steps.mistake("one step too many: no step leaves theta where it is")(
    lambda theta, c, rate, n: (1.0 - rate * c) ** (n + 1) * theta
)
after_steps.cheat("this is where every stable descent ends, not where this one is after n_steps")(
    lambda theta, c, rate, n: 0.0 * theta
)


@exercise(
    "07.best_rate",
    cases=lambda rng: [(a @ a.T + 0.1 * np.eye(n),) for n in (2, 3, 5) for a in (rng.normal(size=(n, n)),)],
)
def best_rate(hessian):
    """2 / (smallest + largest eigenvalue)"""
    curvatures = np.linalg.eigvalsh(hessian)
    return 2.0 / (curvatures[0] + curvatures[-1])


best_rate.other_way(lambda h: 2.0 / (np.linalg.eigvals(h).real.min() + np.linalg.eigvals(h).real.max()))
best_rate.other_way(lambda h: 2.0 / (np.linalg.norm(h, 2) + np.linalg.norm(h, -2)))
best_rate.mistake("that is the largest stable rate, at which the steepest direction jumps from side to side")(
    lambda h: 2.0 / np.linalg.eigvalsh(h)[-1]
)
best_rate.mistake("this rate lands the steepest direction in one step and is slow in the others")(
    lambda h: 1.0 / np.linalg.eigvalsh(h)[-1]
)
best_rate.mistake("the diagonal does not hold the curvatures: take the eigenvalues")(
    lambda h: 2.0 / (np.diag(h).min() + np.diag(h).max())
)
best_rate.mistake("the trace adds up all curvatures: only the smallest and the largest decide")(
    lambda h: 2.0 / np.trace(h) if len(h) > 2 else 1.0 / np.trace(h)
)


@exercise(
    "07.batch_noise",
    cases=lambda rng: [(rng.normal(size=(m, p)), n) for m, p, n in ((6, 3, 1), (9, 2, 4), (5, 4, 5), (12, 3, 7))],
)
def batch_noise(gradients, batch_size):
    """Mean squared distance of a batch's gradient from the whole, drawn without replacement.  gradients (M, P)"""
    m = len(gradients)
    spread = np.mean(np.sum((gradients - gradients.mean(axis=0)) ** 2, axis=1))
    return spread / batch_size * (m - batch_size) / (m - 1)


batch_noise.other_way(lambda g, n: g.var(axis=0, ddof=1).sum() * (1.0 / n - 1.0 / len(g)))
batch_noise.other_way(lambda g, n: np.trace(np.cov(g.T, bias=True)) / n * (1 - (n - 1) / (len(g) - 1)))
batch_noise.mistake("that is the noise with replacement: a batch of all examples would have some, and it has none")(
    lambda g, n: g.var(axis=0).sum() / n
)
batch_noise.mistake("that is the root: the mean of the squares is asked for")(
    lambda g, n: math.sqrt(g.var(axis=0).sum() / n * (len(g) - n) / (len(g) - 1))
)
batch_noise.mistake("the gradient has all its P numbers: add their variances instead of averaging them")(
    lambda g, n: g.var(axis=0).mean() / n * (len(g) - n) / (len(g) - 1)
)
batch_noise.cheat("this is right for a batch of all examples only")(lambda g, n: 0.0)


@exercise(
    "07.warm_cosine",
    cases=lambda rng: [(k, 20, 5, 0.3) for k in (0, 1, 4, 5, 6, 12, 19)] + [(3, 8, 2, 1.0), (9, 40, 10, 0.1)],
)
def warm_cosine(step, n_steps, n_warm, learning_rate):
    """A line up to the rate in n_warm steps, then half a cosine down to 0 at n_steps."""
    if step < n_warm:
        return learning_rate * (step + 1) / n_warm
    share = (step - n_warm) / (n_steps - n_warm)
    return learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))


warm_cosine.other_way(
    lambda k, n, w, r: (
        min((k + 1) / w, 1.0) * r * (0.5 + 0.5 * np.cos(np.pi * (k - w) / (n - w))) if k >= w else r / w * (k + 1)
    )
)
warm_cosine.other_way(
    lambda k, n, w, r: r * (k + 1) / w if k < w else r * math.cos(0.5 * math.pi * (k - w) / (n - w)) ** 2
)
warm_cosine.mistake("the first step would have rate 0 and be lost: count from step + 1")(
    lambda k, n, w, r: r * k / w if k < w else r * 0.5 * (1.0 + math.cos(math.pi * (k - w) / (n - w)))
)
warm_cosine.mistake("the cosine begins when the warm-up is over: count its steps from n_warm")(
    lambda k, n, w, r: r * (k + 1) / w if k < w else r * 0.5 * (1.0 + math.cos(math.pi * k / n))
)
warm_cosine.mistake("half a cosine goes from +1 to -1: add 1 and halve, or the rate becomes negative")(
    lambda k, n, w, r: r * (k + 1) / w if k < w else r * math.cos(math.pi * (k - w) / (n - w))
)


@functools.cache
def _bowl(*curvatures):
    """The gradient of sum curvature theta^2 / 2 + theta^4 / 4."""
    return lambda theta: np.array(curvatures) * theta + theta**3


@exercise(
    "07.curvature_along",
    cases=lambda rng: [
        (_bowl(*rng.uniform(-2.0, 5.0, n)), rng.normal(size=n), scale * rng.normal(size=n))
        for n, scale in ((3, 1.0), (4, 0.2), (6, 3.0))
    ],
    tolerance=1e-4,
)
def curvature_along(gradient, theta, v):
    """v^T (second derivatives) v / v^T v, from two gradients."""
    v = v / np.linalg.norm(v)
    eps = 1e-4
    return v @ (gradient(theta + eps * v) - gradient(theta - eps * v)) / (2.0 * eps)


@curvature_along.other_way
def _(gradient, theta, v):
    above, below = gradient(theta + 1e-5 * v), gradient(theta - 1e-5 * v)
    return float(np.sum(v * (above - below)) / (2e-5 * np.sum(v**2)))


curvature_along.other_way(lambda g, t, v: v @ (g(t + 1e-7 * v / np.linalg.norm(v)) - g(t)) / (1e-7 * np.linalg.norm(v)))
curvature_along.mistake("v has to have length 1, or the result grows with its square")(
    lambda g, t, v: v @ (g(t + 1e-5 * v) - g(t - 1e-5 * v)) / 2e-5
)
curvature_along.mistake("that is the slope along v: the curvature is how fast the slope changes")(
    lambda g, t, v: v @ g(t) / np.linalg.norm(v)
)
curvature_along.mistake("the two points are 2 eps apart: divide by 2 eps")(
    lambda g, t, v: v @ (g(t + 1e-5 * v) - g(t - 1e-5 * v)) / (1e-5 * (v @ v))
)


@exercise(
    "07.damped_newton",
    cases=lambda rng: [
        (rng.normal(size=n), rng.normal(size=n), a @ a.T, damping)
        for n, damping in ((2, 0.1), (3, 0.5), (5, 2.0))
        for a in (rng.normal(size=(n, n)),)
    ],
)
def damped_newton(theta, gradient, hessian, damping):
    """theta - (hessian + damping I)^-1 gradient"""
    return theta - np.linalg.solve(hessian + damping * np.eye(len(theta)), gradient)


damped_newton.other_way(lambda t, g, h, d: t - np.linalg.inv(h + d * np.identity(len(h))) @ g)


@damped_newton.other_way
def _(theta, gradient, hessian, damping):
    curvatures, directions = np.linalg.eigh(hessian)
    return theta - directions @ ((directions.T @ gradient) / (curvatures + damping))


damped_newton.mistake("the damping stands on the diagonal only: damping * np.eye(P)")(
    lambda t, g, h, d: t - np.linalg.solve(h + d, g)
)
damped_newton.mistake("the damping is missing: without it flat directions get endless steps")(
    lambda t, g, h, d: t - np.linalg.solve(h, g)
)
damped_newton.mistake("this is a step of gradient descent with the Hessian as rate: solve, do not multiply")(
    lambda t, g, h, d: t - (h + d * np.eye(len(t))) @ g
)
damped_newton.mistake("the step goes uphill: take it away from theta")(
    lambda t, g, h, d: t + np.linalg.solve(h + d * np.eye(len(t)), g)
)


@exercise(
    "07.epoch_batches",
    cases=lambda rng: [(rng.permutation(m), n) for m, n in ((10, 4), (7, 7), (5, 8), (9, 3))],
)
def epoch_batches(order, batch_size):
    """The list of the batches of an epoch: every example once, the last batch may be smaller."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


epoch_batches.other_way(lambda o, n: np.split(o, range(n, len(o), n)))


@epoch_batches.other_way
def _(order, batch_size):
    batches = []
    while len(order):
        batches.append(order[:batch_size])
        order = order[batch_size:]
    return batches


epoch_batches.mistake("the last, smaller batch is lost: an epoch meets every example")(
    lambda o, n: [o[k * n : (k + 1) * n] for k in range(len(o) // n)]
)
epoch_batches.mistake("an empty batch stands at the end when the sizes divide")(
    lambda o, n: [o[k * n : (k + 1) * n] for k in range(len(o) // n + 1)]
)
epoch_batches.mistake("that is the number of batches, taken for their size")(lambda o, n: np.array_split(o, n))
