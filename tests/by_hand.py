"""Optimizers on a single number, written once more from the papers: what nnlib must give after any gradients."""

import math


def sgd(theta, gradients):
    for g in gradients:
        theta -= 0.1 * g
    return theta


def momentum(theta, gradients):
    v = 0.0
    for g in gradients:
        v = 0.5 * v + g
        theta -= 0.1 * v
    return theta


def nesterov(theta, gradients):
    v = 0.0  # Sutskever et al. 2013, eq. 3 and 4, followed at the point that looks ahead: theta + 0.5 * step
    position = theta
    for g in gradients:  # g is the gradient at position + 0.5 v
        v = 0.5 * v - 0.1 * g
        position += v
    return position + 0.5 * v


def adagrad(theta, gradients):
    s = 0.0
    for g in gradients:
        s += g * g
        theta -= 0.1 * g / (math.sqrt(s) + 1e-10)
    return theta


def rmsprop(theta, gradients):
    s = 0.0
    for g in gradients:
        s = 0.9 * s + 0.1 * g * g
        theta -= 0.1 * g / (math.sqrt(s) + 1e-8)
    return theta


def adadelta(theta, gradients):
    s = u = 0.0
    for g in gradients:
        s = 0.9 * s + 0.1 * g * g
        d = math.sqrt(u + 1e-6) / math.sqrt(s + 1e-6) * g
        u = 0.9 * u + 0.1 * d * d
        theta -= d
    return theta


def adam(theta, gradients, decay=0.0, largest=False):
    m = v = top = 0.0
    for t, g in enumerate(gradients, start=1):
        theta *= 1.0 - 0.1 * decay
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        top = max(top, v) if largest else v
        theta -= 0.1 * (m / (1 - 0.9**t)) / (math.sqrt(top / (1 - 0.999**t)) + 1e-8)
    return theta


def amsgrad(theta, gradients):
    return adam(theta, gradients, largest=True)


def adamw(theta, gradients):
    return adam(theta, gradients, decay=0.2)


def nadam(theta, gradients):
    m = v = 0.0
    mus = [0.9 * (1.0 - 0.5 * 0.96 ** (t * 0.004)) for t in range(len(gradients) + 2)]
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        so_far = math.prod(mus[1 : t + 1])
        m_hat = mus[t + 1] * m / (1 - so_far * mus[t + 1]) + (1 - mus[t]) * g / (1 - so_far)
        theta -= 0.1 * m_hat / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return theta
