"""Interactive figures, guesses and typed answers: the same objects in JupyterLab and on a page without a kernel."""

from nnlib.widgets.controls import choice, play, slider
from nnlib.widgets.explore import explore
from nnlib.widgets.frames import Bars, Field, Frame, Histogram, Lines, Network, Points
from nnlib.widgets.questions import ask, guess
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
    "ask",
    "choice",
    "explore",
    "figures_from_state",
    "frames_from_state",
    "guess",
    "play",
    "slider",
]
