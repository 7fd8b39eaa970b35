"""Explore: a frame function and its controls as one figure that lives in JupyterLab and on a page without a kernel."""

import inspect
import itertools
import json
import math
import pathlib
import re

import anywidget
import ipywidgets
import traitlets

from nnlib.progress import Line
from nnlib.widgets.controls import Control
from nnlib.widgets.frames import Frame
from nnlib.widgets.state import pack_frames
from nnlib.widgets.tries import check_tries

MAX_CONTROLS = 5
MAX_FRAMES = 2000
MAX_STATE = 1_000_000  # bytes that a page may carry for its figures; one alone must stay below
_HERE = pathlib.Path(__file__).parent


class Chart(anywidget.AnyWidget):
    """Holds all frames and draws the one that the settings name."""

    _esm = _HERE / "chart.js"
    _css = _HERE / "chart.css"

    title = traitlets.Unicode("").tag(sync=True)
    function = traitlets.Unicode("").tag(sync=True)  # "module:name" of the frame function
    python = traitlets.Unicode("").tag(sync=True)  # the code that makes one frame, "{}" for its arguments
    controls = traitlets.List([]).tag(sync=True)
    tries = traitlets.List([]).tag(sync=True)  # of {"text", "place"}
    arrays = traitlets.List([]).tag(sync=True)
    specs = traitlets.List([]).tag(sync=True)
    frames = traitlets.List([]).tag(sync=True)
    texts = traitlets.List([]).tag(sync=True)
    block = traitlets.Bytes(b"").tag(sync=True)
    setting_0 = traitlets.Int(0).tag(sync=True)
    setting_1 = traitlets.Int(0).tag(sync=True)
    setting_2 = traitlets.Int(0).tag(sync=True)
    setting_3 = traitlets.Int(0).tag(sync=True)
    setting_4 = traitlets.Int(0).tag(sync=True)

    def __repr__(self):
        return f"Chart({self.title!r}, {len(self.frames)} frames)"


class Explorer(ipywidgets.VBox):
    """The figure that explore() returns: a title, the controls and the chart, joined in the browser."""

    def __init__(self, title, controls, chart, still):
        labels = {name: control.label or name.replace("_", " ") for name, control in controls.items()}
        chart.controls = [
            {"name": name, "label": labels[name], "values": list(control.values), "labels": list(control.texts),
             "python": [_literal(value) for value in control.values], "index": control.index}
            for name, control in controls.items()
        ]  # fmt: skip
        self.chart, self.still, self.links = chart, still, []
        summary = [f"{name}: {len(control.values)} values" for name, control in controls.items()]
        if chart.tries:
            summary.append(f"{len(chart.tries)} {'try' if len(chart.tries) == 1 else 'tries'}")
        self.summary = ", ".join(summary)
        boxes = []
        for k, (name, control) in enumerate(controls.items()):
            setattr(chart, f"setting_{k}", control.index)
            widget = _control_widget(control, labels[name])
            self.links.append(ipywidgets.jslink((widget, "index"), (chart, f"setting_{k}")))
            if control.kind == "play":
                button = ipywidgets.Play(
                    value=control.index, min=0, max=len(control.values) - 1, interval=control.interval,
                    description=labels[name], show_repeat=False,
                )  # fmt: skip
                self.links.append(ipywidgets.jslink((button, "value"), (widget, "index")))
                widget = ipywidgets.HBox([button, widget])
                widget.add_class("nn-play")
            boxes.append(widget)
        row = ipywidgets.HBox(boxes, layout={"flex_flow": "row wrap"})
        row.add_class("nn-controls")
        heading = ipywidgets.Label(title)
        heading.add_class("nn-title")
        super().__init__([heading, row, chart])
        self.add_class("nn-explore")

    @property
    def text(self):
        """The sentence of the setting that is shown."""
        index = 0
        for k, control in enumerate(self.chart.controls):
            index = index * len(control["values"]) + getattr(self.chart, f"setting_{k}")
        return self.chart.texts[index]

    def __repr__(self):
        return f"Explore({self.chart.title!r}, {self.summary})"

    def _repr_mimebundle_(self, **kwargs):
        """The view, and beside it the still picture for places where no widget can live."""
        return {
            "text/plain": repr(self),
            "image/png": self.still(),
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2, "version_minor": 0, "model_id": self.model_id,
            },
        }  # fmt: skip


def _control_widget(control, label):
    options = [(text, k) for k, text in enumerate(control.texts)]
    common = {"options": options, "index": control.index, "description": label, "style": {"description_width": "auto"}}
    if control.kind != "choice":
        return ipywidgets.SelectionSlider(**common, continuous_update=True, layout={"width": "auto"})
    if len(options) <= 5 and sum(map(len, control.texts)) <= 48:
        return ipywidgets.ToggleButtons(**common, layout={"width": "auto"})
    return ipywidgets.Dropdown(**common, layout={"width": "auto"})


def _literal(value):
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def explore(frame, *, title, tries=(), python=None, **controls):
    """Compute frame(**settings) for every combination of settings and return the figure that moves among them.

    frame: a top-level function whose keyword arguments are the names in `controls`; it returns a Frame.
    tries: a list of Try(sentence, settings, holds): each becomes a button below the figure that sets the controls.
    python: how "This frame in Python" calls the function; by default as its notebook does, with the import.
    controls: slider(...), choice(...) or play(...) per argument, at most five.

    Raises
    ------
    TypeError, ValueError
        If a control does not fit the function, a control never changes the sentence, a try does not come true (or
        does at every setting), or the figure is too heavy.
    RuntimeError
        If `frame` fails at a setting; the message names the setting.

    Examples
    --------
    In a notebook that says ``from nnlib.course import chapter_06 as ch``::

        explore(
            ch.nudge_frame,
            title="What happens to the error when one unit is nudged?",
            tries=[
                Try("At o1, move the nudge to zero: the ring falls onto the line.",
                    dict(unit="o1", nudge=0.0), lambda frame: frame.panels[1].marks[0] == (0.0, 0.0, "")),
            ],
            unit=choice("h1", "h2", "o1", "o2", value="o1"),
            nudge=slider(-2, -1, 0, 1, 2, value=-1),
        )
    """
    function = _qualified_name(frame)
    _check_controls(frame, function, controls)
    grid = list(itertools.product(*(range(len(control.values)) for control in controls.values())))
    settings = [
        {name: control.values[i] for (name, control), i in zip(controls.items(), place, strict=True)} for place in grid
    ]
    frames = []
    line = Line("frame", len(settings), stays=False)
    try:
        for values in settings:
            frames.append(_compute(frame, function, values))
            line.show(len(frames))
    finally:
        line.end()
    _check_alike(frames, settings, function)
    _check_every_control_speaks(frames, controls, function)
    checked = check_tries(tries, controls, grid, frames)
    block, traits = pack_frames(frames)
    weight = 4 * math.ceil(len(block) / 3) + len(json.dumps(traits))
    if weight > MAX_STATE:
        raise ValueError(
            f"explore({function}): {len(frames)} frames take {weight / 1e6:.1f} MB on the page, more than "
            f"{MAX_STATE / 1e6:.0f} MB: offer fewer values or coarser arrays ({len(traits['arrays'])} different "
            f"arrays make {len(block) / 1e6:.1f} MB of it)"
        )
    chart = Chart(title=title, function=function, python=_code(function, python), tries=checked, block=block, **traits)
    default = grid.index(tuple(control.index for control in controls.values()))
    return Explorer(title, controls, chart, lambda: _still(frames, default, title))


def _code(function, python):
    """The code that makes a frame, with {} where its arguments stand."""
    if python is not None:
        return f"{python}({{}})"
    module, name = function.split(":")
    if chapter := re.match(r"nnlib\.course\.(chapter_\d\d)\b", module):  # by the name that its notebook uses
        return f"from nnlib.course import {chapter[1]} as ch\nch.{name}({{}})"
    return f"from {module} import {name}\n{name}({{}})"


def _still(frames, default, title):
    from nnlib.widgets.still import draw_still  # Matplotlib only when a picture is asked for

    return draw_still(frames, default, title)


def _qualified_name(frame):
    name, module = getattr(frame, "__qualname__", None), getattr(frame, "__module__", None)
    if not callable(frame) or name is None or "<" in name:
        raise TypeError(
            f"explore takes a function defined at the top of a module (so that a test can compute every frame again), "
            f"got {name or type(frame).__name__}"
        )
    return f"{module}:{name}"


def _check_controls(frame, function, controls):
    if not 1 <= len(controls) <= MAX_CONTROLS:
        raise ValueError(f"explore({function}) takes 1 to {MAX_CONTROLS} controls, got {len(controls)}")
    for name, control in controls.items():
        if not isinstance(control, Control):
            raise TypeError(
                f"explore({function}): {name} takes slider(...), choice(...) or play(...), got {type(control).__name__}"
            )
    try:
        inspect.signature(frame).bind(**{name: control.values[0] for name, control in controls.items()})
    except TypeError as error:
        raise TypeError(
            f"explore({function}): the controls {list(controls)} do not fit the function: {error}"
        ) from None
    count = math.prod(len(control.values) for control in controls.values())
    if count > MAX_FRAMES:
        sizes = " x ".join(str(len(control.values)) for control in controls.values())
        raise ValueError(f"explore({function}): {sizes} = {count} frames, more than {MAX_FRAMES}: offer fewer values")


def _compute(frame, function, values):
    where = ", ".join(f"{name}={value!r}" for name, value in values.items())
    try:
        out = frame(**values)
    except Exception as error:
        raise RuntimeError(f"explore: {function} fails at {where}: {type(error).__name__}: {error}") from error
    if not isinstance(out, Frame):
        raise TypeError(f"explore: {function} returns a Frame, but at {where} it returned {type(out).__name__}")
    return out


def _check_alike(frames, settings, function):
    kinds = [tuple(panel.kind for panel in frame.panels) for frame in frames]
    for kind, values in zip(kinds, settings, strict=True):
        if kind != kinds[0]:
            raise ValueError(
                f"explore: {function} draws {', '.join(kinds[0])} at {settings[0]} but {', '.join(kind)} at {values}; "
                "every setting needs the same panels in the same places"
            )


def _check_every_control_speaks(frames, controls, function):
    """Who moves a control must be able to hear what changed."""
    sizes = [len(control.values) for control in controls.values()]
    default = [control.index for control in controls.values()]
    for k, name in enumerate(controls):
        strides = [math.prod(sizes[j + 1 :]) for j in range(len(sizes))]
        start = sum(i * s for j, (i, s) in enumerate(zip(default, strides, strict=True)) if j != k)
        if len({frames[start + i * strides[k]].text for i in range(sizes[k])}) == 1:
            raise ValueError(
                f"explore: {function}: moving {name} from the first picture never changes the sentence; "
                "let the text name what it changes, or choose another default"
            )
