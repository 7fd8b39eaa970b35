"""Interactive figures: a plain function of the settings, explored with standard controls, with and without a kernel."""

from nnlib.widgets.controls import choice, play, slider
from nnlib.widgets.explore import explore
from nnlib.widgets.frames import Bars, Field, Frame, Histogram, Lines, Network, Points
from nnlib.widgets.state import figures_from_state, frames_from_state
from nnlib.widgets.tries import Try

__all__ = [
    "Bars",
    "Field",
    "Frame",
    "Histogram",
    "Lines",
    "Network",
    "Points",
    "Try",
    "choice",
    "explore",
    "figures_from_state",
    "frames_from_state",
    "play",
    "slider",
]
