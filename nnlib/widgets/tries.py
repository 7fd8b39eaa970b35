"""Tries: what a reader should do with an interactive figure, each with a predicate that says whether it comes true."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nnlib.widgets.frames import Frame


@dataclass(frozen=True)
class Try:
    """A sentence, the settings it speaks of, and what must hold of the frame at these settings.

    Controls that `settings` does not name stand at their first setting shown: what was tested is what a reader sees.

    >>> from nnlib.widgets import Try
    >>> sentence = "At o1, move the nudge to zero: the ring falls onto the line."
    >>> Try(sentence, dict(unit="o1", nudge=0.0), lambda frame: frame.panels[1].marks[0][1] == 0.0).settings
    {'unit': 'o1', 'nudge': 0.0}
    """

    sentence: str
    settings: Mapping
    holds: Callable[[Frame], bool]

    def place(self, controls):
        """One index per control: the values that the settings name, and the first setting shown of the others."""
        unknown = [name for name in self.settings if name not in controls]
        if unknown or not self.settings:
            raise ValueError(
                f"a try sets some of the controls {', '.join(controls)}, got {', '.join(unknown) or 'none'}: "
                f"{self.sentence!r}"
            )
        place = []
        for name, control in controls.items():
            value = self.settings.get(name, control.values[control.index])
            same = [
                i for i, v in enumerate(control.values) if v == value and isinstance(v, bool) == isinstance(value, bool)
            ]
            if not same:
                raise ValueError(
                    f"a try sets {name}={value!r}, which is not one of the values {list(control.values)}: "
                    f"{self.sentence!r}"
                )
            place.append(same[0])
        return tuple(place)

    def check(self, frame):
        """Whether the predicate holds of a frame."""
        held = self.holds(frame)
        if not isinstance(held, (bool, np.bool_)):
            raise TypeError(f"the predicate of a try returns True or False, got {held!r}: {self.sentence!r}")
        return bool(held)


def check_tries(tries, controls, grid, frames):
    """-> [{"text", "place"}].  A try must come true at its settings, and not everywhere.

    Raises
    ------
    TypeError, ValueError
        If a try names an unknown control or value, or its predicate fails there, or holds in every frame.
    """
    out = []
    for one in tries:
        if not isinstance(one, Try):
            raise TypeError(f"tries takes a list of Try(sentence, settings, holds), got {type(one).__name__}")
        if not isinstance(one.sentence, str) or not one.sentence.strip():
            raise ValueError("a try needs a sentence")
        place = one.place(controls)
        frame = frames[grid.index(place)]
        if not one.check(frame):
            raise ValueError(
                f"a try does not come true at {dict(one.settings)}: {one.sentence!r}; there {frame.text!r}"
            )
        if all(_holds_elsewhere(one, other) for other in frames):
            raise ValueError(f"a try holds at every setting and so says nothing about its own: {one.sentence!r}")
        out.append({"text": " ".join(one.sentence.split()), "place": list(place)})
    return out


def _holds_elsewhere(one, frame):
    """Another frame may lack what the predicate looks at: then it does not hold there."""
    try:
        return one.check(frame)
    except Exception:
        return False
