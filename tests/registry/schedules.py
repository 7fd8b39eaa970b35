"""Schedules: a row each, with the learning rate of two steps and PyTorch's scheduler."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib import schedules
from registry.cases import Case


@dataclass(frozen=True)
class Row:
    """One schedule: its rate at step 0 and at step 10, and PyTorch's: ``torch(schedulers, optimizer)``, at rate 0.5."""

    name: str
    schedule: Callable
    first: float
    tenth: float
    torch: Callable | None = None
    steps: int = 20  # compared with PyTorch

    def case(self):
        def theirs(torch, i):
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.5)
            made, rates = self.torch(torch.optim.lr_scheduler, optimizer), []
            for k in range(self.steps):
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                if k < self.steps - 1:
                    made.step()
            return {"rates": torch.tensor(rates, dtype=torch.float64)}

        return Case(
            draw=lambda rng: {},
            ours=lambda i, dtype: {"rates": np.array([self.schedule(step) for step in range(self.steps)])},
            theirs=theirs,
        )


SCHEDULES = [
    Row("constant", schedules.constant(0.5), 0.5, 0.5, lambda s, o: s.ConstantLR(o, factor=1.0)),
    Row(
        "inverse_time",
        schedules.inverse_time(0.5, 0.1),
        0.5,
        0.25,
        lambda s, o: s.LambdaLR(o, lambda t: 1 / (1 + 0.1 * t)),
    ),
    Row("exponential", schedules.exponential(0.5, 0.9), 0.5, 0.5 * 0.9**10, lambda s, o: s.ExponentialLR(o, 0.9)),
    Row("step_decay", schedules.step_decay(0.5, 0.1, every=5), 0.5, 0.005, lambda s, o: s.StepLR(o, 5, 0.1)),
    Row("cosine", schedules.cosine(0.5, 20), 0.5, 0.25, lambda s, o: s.CosineAnnealingLR(o, 20), 21),
    Row(
        "cosine, final, after its end",
        schedules.cosine(0.5, 7, final=0.2),
        0.5,
        0.2,
        lambda s, o: s.CosineAnnealingLR(o, 7, 0.2),
        8,
    ),
    Row("warmup", schedules.warmup(0.5, 5), 0.1, 0.5, lambda s, o: s.LinearLR(o, 1 / 5, total_iters=4)),
    Row(
        "warmup of a schedule",
        schedules.warmup(schedules.exponential(0.5, 0.9), 20),
        0.025,
        0.5 * 0.9**10 * 11 / 20,
        lambda s, o: s.ChainedScheduler([s.LinearLR(o, 1 / 20, total_iters=19), s.ExponentialLR(o, 0.9)]),
    ),
    Row(
        "one_cycle",
        schedules.one_cycle(0.5, 40),
        0.02,
        0.5 * (0.04 + 0.48 * (1 - math.cos(math.pi * 10 / 11))),
        lambda s, o: s.OneCycleLR(o, 0.5, total_steps=40, cycle_momentum=False),
        40,
    ),
    Row(
        "one_cycle, its end",
        schedules.one_cycle(0.5, 11, rise=0.5, start=2.0, final=10.0),
        0.25,
        0.025,
        lambda s, o: s.OneCycleLR(
            o, 0.5, total_steps=11, pct_start=0.5, div_factor=2.0, final_div_factor=10.0, cycle_momentum=False
        ),
        11,
    ),
    Row("one_cycle, down from the first step", schedules.one_cycle(1.0, 10, rise=0.1, final=10.0), 1.0, 0.004),
    Row("one_cycle, up to the last step", schedules.one_cycle(1.0, 11, rise=1.0), 0.04, 1.0),
]
