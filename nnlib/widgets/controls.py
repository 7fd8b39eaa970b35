"""Controls: the settings that an interactive figure offers for one argument of its frame function."""

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

MAX_VALUES = 100


@dataclass(frozen=True)
class Control:
    """One argument: its values, their texts, which one is shown first, and how it is offered."""

    kind: str  # "slider" | "choice" | "play"
    values: tuple
    texts: tuple
    index: int
    label: str | None = None
    interval: int = 600  # ms a frame, for play


def _make(kind, values, value, label, format, texts=None, interval=600):
    name = f"{kind}({', '.join(map(repr, values[:3]))}{', ...' if len(values) > 3 else ''})"
    if len(values) < 2:
        raise ValueError(f"{name} needs at least two values to choose from")
    if len(values) > MAX_VALUES:
        raise ValueError(f"{kind} takes at most {MAX_VALUES} values, got {len(values)}")
    plain = []
    for one in values:
        one = one.item() if isinstance(one, np.generic) else one
        if not isinstance(one, (bool, int, float, str)) or (isinstance(one, float) and not np.isfinite(one)):
            raise TypeError(f"{name} takes numbers, texts and booleans (a page stores them as JSON), got {one!r}")
        plain.append(one)
    if texts is None:
        to_text: Callable = format if callable(format) else lambda v: f"{v:{format}}"
        texts = [to_text(v) for v in plain]
    texts = tuple(str(t).strip().replace("-", "−") if isinstance(v, numbers.Number) else str(t).strip()
                  for t, v in zip(texts, plain, strict=True))  # fmt: skip
    if len(set(texts)) != len(texts) or not all(texts):
        raise ValueError(f"{name}: every value needs a text of its own, got {list(texts)}")
    index = 0
    if value is not None:
        value = value.item() if isinstance(value, np.generic) else value
        same = [i for i, v in enumerate(plain) if v == value and isinstance(v, bool) == isinstance(value, bool)]
        if not same:
            raise ValueError(f"{name}: value={value!r} is not one of the values {plain}")
        index = same[0]
    return Control(kind, tuple(plain), texts, index, label, interval)


def _spread(values):
    """slider(*values) or slider(a list of values)"""
    if len(values) == 1 and isinstance(values[0], (list, tuple, range, np.ndarray)):
        return tuple(values[0])
    return values


def slider(*values, value=None, label=None, format=str):
    """A slider over the given values.  `value` is the first setting shown; `format` a function or a format code."""
    return _make("slider", _spread(values), value, label, format)


def choice(*values, value=None, label=None, format=str):
    """A choice between few values, or between the labels of {label: value}."""
    if len(values) == 1 and isinstance(values[0], Mapping):
        return _make("choice", tuple(values[0].values()), value, label, format, tuple(values[0]))
    return _make("choice", _spread(values), value, label, format)


def play(*values, value=None, label=None, format=str, interval=600):
    """A slider with a Play button that steps through it, `interval` milliseconds a step; it moves only when asked."""
    if not 100 <= interval <= 5000:
        raise ValueError(f"play takes an interval of 100 to 5000 milliseconds, got {interval}")
    return _make("play", _spread(values), value, label, format, interval=int(interval))
