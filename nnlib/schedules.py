"""Schedules: functions from the number of the step, counted from 0, to a learning rate."""

import math


def constant(learning_rate):
    """The same at every step."""
    _positive(learning_rate=learning_rate)
    return lambda step: learning_rate


def inverse_time(learning_rate, decay):
    """learning_rate / (1 + decay * step): its sum diverges and that of its squares does not (Robbins & Monro 1951)."""
    _positive(learning_rate=learning_rate, decay=decay)
    return lambda step: learning_rate / (1.0 + decay * step)


def exponential(learning_rate, decay):
    """learning_rate * decay^step, 0 < decay <= 1."""
    _positive(learning_rate=learning_rate, decay=decay)
    return lambda step: learning_rate * decay**step


def step_decay(learning_rate, factor, every):
    """learning_rate * factor^(step // every)."""
    _positive(learning_rate=learning_rate, factor=factor, every=every)
    return lambda step: learning_rate * factor ** (step // every)


def cosine(learning_rate, steps, final=0.0):
    """From learning_rate down to ``final`` along half a cosine in ``steps`` steps (Loshchilov & Hutter 2017, eq. 5)."""
    _positive(learning_rate=learning_rate, steps=steps)

    def schedule(step):
        return final + 0.5 * (learning_rate - final) * (1.0 + math.cos(math.pi * min(step / steps, 1.0)))

    return schedule


def as_schedule(learning_rate):
    """A schedule from a number or a schedule."""
    if callable(learning_rate):
        return learning_rate
    return constant(learning_rate)


def _positive(**values):
    for name, value in values.items():
        if not (value > 0.0 and math.isfinite(value)):
            raise ValueError(f"{name} is a positive number, got {value!r}")
