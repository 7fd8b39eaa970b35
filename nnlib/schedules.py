"""Schedules: functions from the number of the step, counted from 0, to a learning rate."""

import math
from numbers import Real

from nnlib.reprs import says_its_call


@says_its_call
def constant(learning_rate):
    """The same at every step."""
    _positive(learning_rate=learning_rate)
    return lambda step: learning_rate


@says_its_call
def inverse_time(learning_rate, decay):
    """learning_rate / (1 + decay * step): its sum diverges and that of its squares does not (Robbins & Monro 1951)."""
    _positive(learning_rate=learning_rate, decay=decay)
    return lambda step: learning_rate / (1.0 + decay * step)


@says_its_call
def exponential(learning_rate, decay):
    """learning_rate * decay^step, 0 < decay <= 1."""
    _positive(learning_rate=learning_rate, decay=decay)
    return lambda step: learning_rate * decay**step


@says_its_call
def step_decay(learning_rate, factor, every):
    """learning_rate * factor^(step // every)."""
    _positive(learning_rate=learning_rate, factor=factor, every=every)
    return lambda step: learning_rate * factor ** (step // every)


@says_its_call
def cosine(learning_rate, steps, final=0.0):
    """From learning_rate down to ``final`` along half a cosine in ``steps`` steps (Loshchilov & Hutter 2017, eq. 5).

    It stays there; PyTorch's ``CosineAnnealingLR`` goes up again.
    """
    _positive(learning_rate=learning_rate, steps=steps)

    def schedule(step):
        return final + 0.5 * (learning_rate - final) * (1.0 + math.cos(math.pi * min(step / steps, 1.0)))

    return schedule


@says_its_call
def warmup(schedule, steps):
    """From near 0 to ``schedule`` along a line in ``steps`` steps, then ``schedule``, which has counted on from 0.

    The first step is schedule(0) / steps, so that no step is lost: PyTorch's ``LinearLR`` with start_factor 1 / steps
    and total_iters = steps - 1.
    """
    _positive(steps=steps)
    schedule = as_schedule(schedule)
    return lambda step: schedule(step) * min((step + 1) / steps, 1.0)


@says_its_call
def one_cycle(learning_rate, steps, rise=0.3, start=25.0, final=1e4):
    """Up to ``learning_rate`` along half a cosine in the first ``rise`` of the steps, then down to almost 0
    (Smith & Topin 2019; the shape and defaults of PyTorch's ``OneCycleLR``).

    Parameters
    ----------
    learning_rate : float
        The highest.
    steps : int
        Length of the cycle; later steps keep its last value.
    rise : float
        Share of the steps that go up, at most 1.
    start, final : float
        The first value is learning_rate / start, the last learning_rate / start / final.
    """
    _positive(learning_rate=learning_rate, steps=steps, rise=rise, start=start, final=final)
    if rise > 1.0:
        raise ValueError(f"rise is a share of the steps, at most 1, got {rise!r}")
    low, last = learning_rate / start, learning_rate / start / final
    top, end = rise * steps - 1.0, steps - 1.0

    def between(a, b, share):
        return b + 0.5 * (a - b) * (1.0 + math.cos(math.pi * share))

    def schedule(step):
        step = min(step, end)
        if step < top:
            return between(low, learning_rate, step / top)
        return between(learning_rate, last, (step - top) / (end - top) if top < end else 0.0)

    return schedule


def as_schedule(learning_rate):
    """A schedule from a number or a schedule."""
    if isinstance(learning_rate, type) or not (callable(learning_rate) or isinstance(learning_rate, Real)):
        raise TypeError(f"a learning rate is a number or a function of the step, got {learning_rate!r}")
    return learning_rate if callable(learning_rate) else constant(learning_rate)


def _positive(**values):
    for name, value in values.items():
        if not (value > 0.0 and math.isfinite(value)):
            raise ValueError(f"{name} is a positive number, got {value!r}")
