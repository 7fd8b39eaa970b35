"""Optimizers: written once more from the papers, on a single number; and a row each.

What stands by hand must come out of nnlib after any gradients, with the settings of its row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib import optimizers
from registry.cases import Case, grid


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


# --- the rows ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One optimizer.

    Parameters
    ----------
    make : callable
        ``make()`` gives a new one.
    by_hand : callable
        ``by_hand(theta, gradients)``: one number after these gradients, written above from the paper; none in a row
        that only has other settings for the comparison with PyTorch.
    torch : callable
        ``torch(optim, parameters)``: PyTorch's; none where PyTorch has none.
    step : str
        "linear" in the gradients, or "scaled" if it does not depend on their common scale where eps is tiny.
    tiny_eps : callable
        As ``make``, with such an eps, for a "scaled" one.
    sees_theta : bool
        Whether a step depends on where theta is.
    """

    name: str
    make: Callable
    by_hand: Callable | None = None
    torch: Callable | None = None
    step: str = ""
    tiny_eps: Callable | None = None
    sees_theta: bool = False

    def case(self):
        def draw(rng):
            gradients = grid(rng, 4, 6) * np.array([1.0, 1.0, 1e-4, 1e4, 1.0, 1.0])  # of different sizes
            gradients[1, 4], gradients[:, 5] = 0.0, 0.0
            return {"theta": grid(rng, 6), "gradients": gradients}

        def ours(i, dtype):
            made, theta, path = self.make(), i["theta"].astype(dtype), []
            for gradient in i["gradients"].astype(dtype):
                made.step(theta, gradient)
                path.append(theta.copy())
            return {"path": np.array(path)}

        def theirs(torch, i):
            theta, path = i["theta"].clone().requires_grad_(), []
            made = self.torch(torch.optim, [theta])
            for gradient in i["gradients"]:
                theta.grad = gradient.clone()
                made.step()
                path.append(theta.detach().clone())
            return {"path": torch.stack(path)}

        return Case(draw, ours, theirs)


def adam_family(name, by_hand, theirs, decay=None, **more):
    """The three rows of a relative of Adam: as in the paper, with other settings, with an eps that does not count."""
    kind = getattr(optimizers, name)
    ours, same = ({}, {}) if decay is None else ({"decay": decay}, {"weight_decay": decay})
    sees_theta = name == "AdamW"  # its decay
    return [
        Row(
            name,
            lambda: kind(0.1, **ours),
            by_hand,
            lambda optim, p: getattr(optim, theirs)(p, 0.1, **same, **more),
            step="scaled",
            tiny_eps=lambda: kind(0.1, eps=1e-300),
            sees_theta=sees_theta,
        ),
        Row(f"{name}, defaults", kind, torch=lambda optim, p: getattr(optim, theirs)(p, **more), sees_theta=sees_theta),
        Row(
            f"{name}, settings",
            lambda: kind(0.1, beta1=0.7, beta2=0.8, eps=0.03),
            torch=lambda optim, p: getattr(optim, theirs)(p, 0.1, betas=(0.7, 0.8), eps=0.03, **more),
            sees_theta=sees_theta,
        ),
    ]


OPTIMIZERS = [
    Row("SGD", lambda: optimizers.SGD(0.1), sgd, lambda optim, p: optim.SGD(p, 0.1), step="linear"),
    Row(
        "Momentum",
        lambda: optimizers.Momentum(0.1, 0.5),
        momentum,
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.5),
        step="linear",
    ),
    Row(
        "Momentum, defaults",
        lambda: optimizers.Momentum(0.1),
        torch=lambda optim, p: optim.SGD(p, 0.1, momentum=0.9),
    ),
    Row(
        "Nesterov",
        lambda: optimizers.Nesterov(0.1, 0.5),
        nesterov,
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.5, nesterov=True),
        step="linear",
    ),
    Row(
        "AdaGrad",
        lambda: optimizers.AdaGrad(0.1),
        adagrad,
        lambda optim, p: optim.Adagrad(p, 0.1),
        step="scaled",
        tiny_eps=lambda: optimizers.AdaGrad(0.1, eps=1e-300),
    ),
    Row(
        "AdaGrad, eps",
        lambda: optimizers.AdaGrad(0.1, eps=0.03),
        torch=lambda optim, p: optim.Adagrad(p, 0.1, eps=0.03),
    ),
    Row(
        "RMSProp",
        lambda: optimizers.RMSProp(0.1),
        rmsprop,
        lambda optim, p: optim.RMSprop(p, 0.1, alpha=0.9),
        step="scaled",
        tiny_eps=lambda: optimizers.RMSProp(0.1, eps=1e-300),
    ),
    Row(
        "RMSProp, beta and eps",
        lambda: optimizers.RMSProp(0.1, beta=0.99, eps=0.03),
        torch=lambda optim, p: optim.RMSprop(p, 0.1, eps=0.03),
    ),
    Row("AdaDelta", lambda: optimizers.AdaDelta(), adadelta, lambda optim, p: optim.Adadelta(p)),
    Row(
        "AdaDelta, settings",
        lambda: optimizers.AdaDelta(0.5, beta=0.7, eps=0.03),
        torch=lambda optim, p: optim.Adadelta(p, 0.5, rho=0.7, eps=0.03),
    ),
    *adam_family("Adam", adam, "Adam"),
    *adam_family("AMSGrad", amsgrad, "Adam", amsgrad=True),
    *adam_family("AdamW", adamw, "AdamW", decay=0.2),
    *adam_family("NAdam", nadam, "NAdam"),
]
