"""Where nnlib differs from PyTorch, on purpose: both sides, and the words of the docstring that say so."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib import activations as a
from nnlib import layers as l
from nnlib import losses, optimizers, schedules


@dataclass(frozen=True)
class Difference:
    """A convention that is not PyTorch's: both sides as arrays, and the words of nnlib's docstring that say so."""

    ours: Callable  # () -> array
    theirs: Callable  # torch -> array
    where: object  # whose docstring
    words: str


def default(function, name):
    return inspect.signature(function).parameters[name].default


DIFFERENCES = {
    "RMSProp forgets in 10 steps, PyTorch's in 100": Difference(
        lambda: default(optimizers.RMSProp, "beta"),
        lambda torch: default(torch.optim.RMSprop, "alpha"),
        optimizers.RMSProp,
        "PyTorch's is 0.99",
    ),
    "momentum is 0.9 unless said otherwise, PyTorch's SGD has none": Difference(
        lambda: default(optimizers.Momentum, "momentum"),
        lambda torch: default(torch.optim.SGD, "momentum"),
        optimizers.Momentum,
        "0.9 is usual",
    ),
    "LSTM opens its forget gate at first": Difference(
        lambda: l.LSTM(3, 400).initialize(np.random.default_rng(0)).b.value[400:800].mean(),
        lambda torch: sum(
            b.detach()[400:800].mean() for n, b in torch.nn.LSTM(3, 400).named_parameters() if "bias" in n
        ),
        l.LSTM,
        "PyTorch draws it around 0",
    ),
    "Dense starts from He's normal numbers and b = 0, PyTorch from uniform ones of a third of 2 / n_in": Difference(
        lambda: [300 * p.value.var() for p in l.Dense(300, 300).initialize(np.random.default_rng(0)).parameters],
        lambda torch: [300 * p.detach().var() for p in torch.nn.Linear(300, 300).parameters()],
        l.Dense,
        "PyTorch's ``Linear`` draws both",
    ),
    "RMSNorm's eps is that of the other norms, PyTorch's is the rounding of the dtype": Difference(
        lambda: l.RMSNorm(2).initialize(np.random.default_rng(0), np.float64).forward([[1e-3, 1e-3]]),
        lambda torch: torch.nn.RMSNorm(2).double()(torch.full((1, 2), 1e-3, dtype=torch.float64)).detach(),
        l.RMSNorm,
        "PyTorch's default is the rounding error of the dtype",
    ),
    "InstanceNorm always has gamma and beta": Difference(
        lambda: len(l.InstanceNorm(3).parameters),
        lambda torch: len(list(torch.nn.InstanceNorm2d(3).parameters())),
        l.InstanceNorm,
        "only with ``affine=True``",
    ),
    "triplet takes squared distances": Difference(
        lambda: losses.triplet(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))[0],
        lambda torch: torch.nn.functional.triplet_margin_loss(
            *torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]], [[0.0, 1.0]]])
        ),
        losses.triplet,
        "takes plain ones",
    ),
    "clip_by_norm reaches the limit, PyTorch stops 1e-6 / norm short of it": Difference(
        lambda: _clipped(),
        lambda torch: _clipped(torch),
        optimizers.clip_by_norm,
        "PyTorch divides by ||grad|| + 1e-6",
    ),
    "softplus is never cut off, PyTorch's is z above 20": Difference(
        lambda: a.softplus(np.array([20.5])) - 20.5,
        lambda torch: torch.nn.functional.softplus(torch.tensor([20.5], dtype=torch.float64)) - 20.5,
        a._softplus,
        "PyTorch takes z beyond 20",
    ),
    "cosine stays at its end, PyTorch's goes up again": Difference(
        lambda: schedules.cosine(0.5, 4)(6),
        lambda torch: _rate_after(torch, lambda s, o: s.CosineAnnealingLR(o, 4), 6),
        schedules.cosine,
        "stays there; PyTorch's ``CosineAnnealingLR`` goes up again",
    ),
    "warmup starts at 1 / steps, PyTorch's LinearLR at a third": Difference(
        lambda: schedules.warmup(0.5, 5)(0),
        lambda torch: _rate_after(torch, lambda s, o: s.LinearLR(o, total_iters=4), 0),
        schedules.warmup,
        "``LinearLR`` with start_factor 1 / steps",
    ),
    "an exponential average is corrected for its start from 0, PyTorch's starts from the first theta": Difference(
        lambda: _averaged(),
        lambda torch: _averaged(torch),
        optimizers.ParameterAverage,
        "PyTorch's starts from the first theta instead",
    ),
}


def _clipped(torch=None):
    if torch is None:
        grad = np.array([1e-6, 0.0])
        optimizers.clip_by_norm(grad, 1e-7)
        return grad
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    parameter.grad = torch.tensor([1e-6, 0.0], dtype=torch.float64)
    torch.nn.utils.clip_grad_norm_([parameter], 1e-7)
    return parameter.grad


def _rate_after(torch, make, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.5)
    made = make(torch.optim.lr_scheduler, optimizer)
    for _ in range(steps):
        optimizer.step()
        made.step()
    return optimizer.param_groups[0]["lr"]


def _averaged(torch=None):
    path = (1.0, 3.0, 5.0)
    if torch is None:
        average = optimizers.ParameterAverage(beta=0.5)
        for theta in path:
            average.add(np.array([theta]))
        return average.value()
    model = torch.nn.ParameterList([torch.nn.Parameter(torch.zeros(1))])
    swa = torch.optim.swa_utils
    average = swa.AveragedModel(model, multi_avg_fn=swa.get_ema_multi_avg_fn(0.5))
    for theta in path:
        model[0].data[...] = theta
        average.update_parameters(model)
    return average.module[0].detach()
