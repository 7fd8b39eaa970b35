"""Laws of the interactive figures: what a page ships is what the frame function computes."""

import ast
import base64
import copy
import io
import json
import re
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import contents
import ipywidgets
import numpy as np
import pytest
import traitlets

import nnlib.widgets.frames as frames_module
from nnlib import progress
from nnlib.course import chapter_06
from nnlib.plotting import PALETTE, plt
from nnlib.progress import Line
from nnlib.widgets import (
    Bars,
    Field,
    Frame,
    Histogram,
    Lines,
    Network,
    Points,
    Try,
    ask,
    choice,
    explore,
    figures_from_state,
    frames_from_state,
    guess,
    play,
    slider,
)
from nnlib.widgets.explore import Chart
from nnlib.widgets.frames import ROLES, pack, share_ranges, unpack
from nnlib.widgets.state import LEVELS, decode, encode, pack_frames
from nnlib.widgets.still import draw_still

X = np.linspace(-2, 2, 21)
PNG = b"\x89PNG\r\n\x1a\n"


def all_panels(gain):
    """One panel of every kind, all of which move with `gain`."""
    rng = np.random.default_rng(5)
    xy, classes = rng.normal(size=(30, 2)), rng.integers(0, 3, 30)
    grid = gain * X[None, :] + X[:7, None] ** 2
    return [
        Lines(gain * X, X**2, x=X, labels=["train", "other"], marks=[(0, None, "zero")], bands=[(X - 1, X + 1), None]),
        Points(xy * gain, classes, labels=["a", "b", "c"], texts=[str(i) for i in range(30)]),
        Field(grid, x=(-2, 2), y=(-2, -0.8), overlay=[Lines(xy[:4] / 2), Points(xy)], levels=[0, 1], v_label="height"),
        Bars([[gain, -1, 2], [1, 2, 3]], ["p", "q", "r"], labels=["one", "two"]),
        Histogram(rng.integers(0, 9, 6) * gain, np.arange(7), labels=["count"]),
        Network(
            (2, 3, 1),
            weights=[gain * rng.normal(size=(2, 3)), np.array([[1.0], [np.nan], [0.0]])],
            values=[[gain, 2], [0.1, -0.2, 0.3], None],
            names=[["x₁", "x₂"], ["h₁", "h₂", "1"], ["o"]],
            edge_text=True,
            highlight=[(0, 1), (0, 1, 2), (2, 0)],
            layer_names=["in", "hidden", "out"],
        ),
    ]


def every_kind(gain, shift="low"):
    return Frame(all_panels(gain + (shift == "high")), text=f"The gain is {gain} and the shift is {shift}.")


def straight(slope):
    return Frame([Lines(slope * X, x=X)], text=f"The slope is {slope}.")


def figure(**controls):
    return explore(
        every_kind,
        title="Every kind",
        **(controls or {"gain": slider(1, 2, 3, value=2), "shift": choice("low", "high")}),
    )


def saved(figure):
    """The widget state as a page holds it: one model per widget, bytes beside it in base64."""
    out = {}
    for widget in [figure, *figure.children, *figure.links]:
        state = widget.get_state()
        buffers = [
            {"path": [name], "encoding": "base64", "data": base64.b64encode(value).decode()}
            for name, value in state.items()
            if isinstance(value, (bytes, memoryview))
        ]
        state = {name: value for name, value in state.items() if not isinstance(value, (bytes, memoryview))}
        out[widget.model_id] = {"model_name": state["_model_name"], "state": state, "buffers": buffers}
    return json.dumps({"version_major": 2, "version_minor": 0, "state": out}, default=str)


# What a page ships


def test_a_saved_page_holds_every_frame_the_function_computes():
    [copy_of] = figures_from_state(saved(figure()))
    assert copy_of.function == f"{__name__}:every_kind"
    seen = []
    for settings, panels, text in copy_of:
        seen.append(settings)
        assert copy_of.differences(settings, panels, text, every_kind(**settings)) == []
    assert seen == [{"gain": g, "shift": s} for g in (1, 2, 3) for s in ("low", "high")]


def test_frames_from_state_walks_all_figures():
    one = json.loads(saved(figure()))
    two = json.loads(saved(explore(straight, title="Slope", slope=slider(1, 2))))
    both = {"state": {**one["state"], **two["state"]}}
    texts = [text for _, _, text in frames_from_state(both)]
    assert len(texts) == 8
    assert "The slope is 2." in texts


@pytest.mark.parametrize("panel", range(6))
def test_a_changed_number_in_any_panel_is_seen(panel):
    [copy_of] = figures_from_state(saved(figure()))
    settings, panels, text = next(iter(copy_of))
    frame = every_kind(**settings)
    other = every_kind(gain=1.5).panels[panel]
    if panel == 1:  # texts and classes stay the same: the points alone differ
        assert not np.allclose(other.xy, frame.panels[1].xy)
    changed = Frame([*frame.panels[:panel], other, *frame.panels[panel + 1 :]], frame.text)
    found = copy_of.differences(settings, panels, text, changed)
    assert found
    assert all(f"panel {panel}" in line for line in found)


def test_a_changed_sentence_or_label_is_seen():
    [copy_of] = figures_from_state(saved(explore(straight, title="Slope", slope=slider(1, 2))))
    settings, panels, text = next(iter(copy_of))
    assert "text" in copy_of.differences(settings, panels, text, Frame([Lines(X, x=X)], "Something else."))[0]
    assert "x_label" in copy_of.differences(settings, panels, text, Frame([Lines(X, x=X, x_label="z")], text))[0]


def test_equal_arrays_are_stored_once():
    shared = np.arange(50.0)
    frames = [Frame([Lines(shared, shared * k, x=shared)], f"{k}") for k in range(4)]
    block, traits = pack_frames(frames)
    assert len(traits["arrays"]) == 4  # shared == 1 * shared == x, and three multiples
    assert len(block) == 4 * 50 * 4
    assert len(traits["specs"]) == 1


@pytest.mark.parametrize("code", LEVELS)
def test_quantisation_is_true_to_half_a_step(code):
    values = np.random.default_rng(0).uniform(-3, 5, (6, 5))
    values[2, 3] = np.nan
    back = decode(encode(values, code, (-3, 5)), code, values.shape, (-3, 5))
    assert np.nanmax(np.abs(back - values)) <= 0.5 * 8 / LEVELS[code] + 1e-12
    assert np.array_equal(np.isnan(back), np.isnan(values))


def test_quantisation_clips_what_the_color_scale_clips():
    back = decode(encode(np.array([-9.0, 0.5, 9.0, np.inf]), "q1", (0, 1)), "q1", (4,), (0, 1))
    np.testing.assert_allclose(back, [0, 0.5, 1, 1], atol=1 / 254)


def test_a_diverged_run_becomes_infinity_without_a_warning():
    data = encode(np.array([1e300, -1e300, 1.0]), "f4")
    assert decode(data, "f4", (3,)).tolist() == [np.inf, -np.inf, 1.0]


def test_unpack_is_the_inverse_of_pack():
    for panel in all_panels(1.5):
        spec, arrays = pack(panel)
        json.dumps(spec, allow_nan=False)
        assert arrays
        whole = unpack(spec, [array for array, _ in arrays])
        assert whole["kind"] == panel.kind
        assert "$" not in json.dumps(whole, default=lambda a: a.tolist())


# The figure


def test_the_first_picture_is_the_chosen_default():
    shown = figure()
    assert (shown.chart.setting_0, shown.chart.setting_1) == (1, 0)
    assert shown.text == "The gain is 2 and the shift is low."
    shown.chart.setting_1 = 1
    assert shown.text == "The gain is 2 and the shift is high."


def test_the_repr_is_stable_and_names_no_address():
    assert repr(figure()) == "Explore('Every kind', gain: 3 values, shift: 2 values)"
    bundle = figure()._repr_mimebundle_()
    assert bundle["text/plain"] == repr(figure())
    assert bundle["image/png"].startswith(PNG)
    assert set(bundle["application/vnd.jupyter.widget-view+json"]) == {"version_major", "version_minor", "model_id"}


def test_every_control_is_linked_to_the_chart_in_the_browser():
    shown = figure(gain=play(1, 2, 3, value=2), shift=choice("low", "high"))
    joined = {(link.source[0], link.source[1], link.target[0], link.target[1]) for link in shown.links}
    _, row, chart = shown.children
    [button, bar], buttons = row.children[0].children, row.children[1]
    assert joined == {
        (bar, "index", chart, "setting_0"),
        (button, "value", bar, "index"),
        (buttons, "index", chart, "setting_1"),
    }
    assert all(isinstance(link, ipywidgets.widgets.widget_link.Link) for link in shown.links)


@pytest.mark.parametrize(
    ("control", "kind"),
    [
        (slider(1, 2, 3), ipywidgets.SelectionSlider),
        (choice(1, 2, 3), ipywidgets.ToggleButtons),
        (choice(1, 2, 3, 4, 5, 6), ipywidgets.Dropdown),
        (choice({"the first of these " * 2: 1, "the second of these": 2}), ipywidgets.Dropdown),
    ],
)
def test_each_control_is_a_standard_one_with_a_label(control, kind):
    shown = explore(straight, title="Slope", slope=control)
    [widget] = shown.children[1].children
    assert type(widget) is kind
    assert widget.description == "slope"


def test_labels_and_formats():
    shown = explore(straight, title="Slope", slope=slider(0.5, -0.25, label="steepness", format=".1e"))
    [widget] = shown.children[1].children
    assert widget.description == "steepness"
    assert list(widget._options_labels) == ["5.0e−01", "−2.5e−01"]
    assert shown.chart.controls[0] == {
        "name": "slope", "label": "steepness", "values": [0.5, -0.25], "labels": ["5.0e−01", "−2.5e−01"], "index": 0,
        "python": ["0.5", "-0.25"],
    }  # fmt: skip


def test_nothing_is_printed_while_a_book_is_built(capfd, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    figure()
    assert capfd.readouterr() == ("", "")


def test_a_waiting_person_sees_progress_and_a_clean_line_after_it(capfd, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook")
    clock = iter(np.arange(0, 100, 0.9))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    line = Line("frame", 3, stays=False)
    for done in (1, 2, 3):
        line.show(done)
    line.end()
    shown = capfd.readouterr().err
    assert "frame 2/3" in shown
    assert shown.endswith(" \r")


# Tries and the code of a frame


def steep(frame):
    return "2" in frame.text


def with_tries(*tries, **controls):
    return explore(
        every_kind,
        title="t",
        tries=tries,
        **(controls or {"gain": slider(1, 2, 3, value=2), "shift": choice("low", "high")}),
    )


def test_a_try_sets_what_it_names_and_the_first_setting_of_the_rest():
    shown = with_tries(
        Try("Raise  the\n gain.", {"gain": 3}, lambda frame: "is 3" in frame.text),
        Try("Shift it.", {"shift": "high"}, lambda frame: "high" in frame.text and "is 2" in frame.text),
    )
    assert shown.chart.tries == [{"text": "Raise the gain.", "place": [2, 0]}, {"text": "Shift it.", "place": [1, 1]}]
    assert repr(shown) == "Explore('t', gain: 3 values, shift: 2 values, 2 tries)"


def raises(frame):
    raise IndexError("no such panel")


@pytest.mark.parametrize(
    ("error", "message", "one"),
    [
        (ValueError, r"does not come true at {'gain': 3}.*The gain is 3", Try("Fall.", {"gain": 3}, steep)),
        (ValueError, r"holds at every setting", Try("It is a gain.", {"gain": 3}, lambda f: "gain" in f.text)),
        (ValueError, r"sets some of the controls gain, shift, got slope", Try("Up.", {"slope": 3}, steep)),
        (ValueError, r"got none", Try("Up.", {}, steep)),
        (ValueError, r"gain=4, which is not one of the values \[1, 2, 3\]", Try("Up.", {"gain": 4}, steep)),
        (ValueError, r"gain=True, which is not one of", Try("Up.", {"gain": True}, steep)),
        (ValueError, r"needs a sentence", Try(" ", {"gain": 3}, steep)),
        (TypeError, r"returns True or False, got 'The gain", Try("Up.", {"gain": 2}, lambda frame: frame.text)),
        (IndexError, r"no such panel", Try("Up.", {"gain": 2}, raises)),
        (TypeError, r"takes a list of Try", ("Up.", {"gain": 2}, steep)),
    ],
)
def test_a_try_that_does_not_come_true_is_refused(error, message, one):
    with pytest.raises(error, match=message):
        with_tries(one)


def test_a_predicate_may_look_at_what_other_frames_lack():
    def first_of_one(frame):
        return {"The gain is 2 and the shift is low.": 0}[frame.text] == 0

    assert len(with_tries(Try("Look.", {"gain": 2}, first_of_one)).chart.tries) == 1


@pytest.mark.parametrize("python", [None, "here.every_kind"])
def test_the_code_of_a_frame_makes_that_frame(python):
    chart = explore(every_kind, title="t", python=python, gain=slider(1, 2), shift=choice("low", "high")).chart
    code = chart.python.replace("{}", ", ".join(f"{c['name']}={c['python'][1]}" for c in chart.controls))
    *imports, line = code.splitlines()
    assert line == ("here." if python else "") + 'every_kind(gain=2, shift="high")'
    space = {"here": Namespace(every_kind=every_kind)}
    exec("\n".join(imports), space)
    assert eval(line, space).text == "The gain is 2 and the shift is high."


def test_the_code_of_a_chapter_s_frame_says_what_its_notebook_says():
    chart = explore(chapter_06.nudge_frame, title="t", unit=choice("h1", "o1"), nudge=slider(-1.0, 1.0)).chart
    assert chart.python == "from nnlib.course import chapter_06 as ch\nch.nudge_frame({})"


def test_a_frame_by_itself_shows_a_picture_in_a_notebook():
    frame = straight(2)
    assert repr(frame) == "Frame(lines: 'The slope is 2.')"
    assert frame._repr_png_().startswith(PNG)


def explored(notebook):
    """(frame function, tries, controls) of every explore(...) of a notebook, with what its first code cell imports."""
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    found, space = [], {}
    exec(cells[0], space)
    space["explore"] = lambda frame, *, title, tries=(), python=None, **controls: found.append((frame, tries, controls))
    for call in (node for source in cells for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id == "explore":
            eval(compile(ast.Expression(call), "explore", "eval"), space)
    return found


NOTEBOOKS = [path for path in contents.toc_notebooks() if "explore(" in path.read_text("utf8")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_try_of_a_notebook_comes_true(path):
    """Without the notebook's results: a figure and its tries are made from what the first cell imports alone."""
    notebook = json.loads(path.read_text("utf8"))
    figures = explored(notebook)
    shown = [o for cell in notebook["cells"] for o in cell.get("outputs", ()) if "Explore(" in json.dumps(o)]
    assert len(figures) == len(shown) > 0
    for frame, tries, controls in figures:
        for one in tries:
            place = one.place(controls)
            settings = {name: control.values[at] for (name, control), at in zip(controls.items(), place, strict=True)}
            assert one.check(frame(**settings)), one.sentence


# Questions


def a_choice(**changes):
    given = {
        "question": "Which  is\nlarger?",
        "choices": ["δ of o1", "δ of o2", "neither"],
        "answer": "δ of o1",
        "result": "It is 0.1385, and `o2` has −0.0381.",
        "reasons": {"δ of o2": "It is <0.", "neither": "They differ."},
    }
    return guess(**(given | changes))


def a_range(**changes):
    given = {"question": "How much?", "choices": (0, 100), "answer": 61.25, "unit": "%", "result": "So it is."}
    return guess(**(given | changes))


def a_number(**changes):
    given = {
        "question": "What is δ?",
        "value": -0.1384985,
        "tolerance": 5e-4,
        "wrong": {0.7414: "The slope is missing."},
        "way": "0.7414 × 0.1868",
    }
    return ask(**(given | changes))


QUESTIONS = [a_choice, a_range, a_number]


@pytest.mark.parametrize("make", QUESTIONS)
def test_a_question_shows_its_text_where_no_widget_lives(make):
    one, other = make()._repr_mimebundle_(), make()._repr_mimebundle_()
    view = one.pop("application/vnd.jupyter.widget-view+json")
    other.pop("application/vnd.jupyter.widget-view+json")
    assert one == other, "nbval compares text/plain and text/html"
    assert view["model_id"]
    assert one["text/plain"] == repr(make())
    json.dumps(make().content, allow_nan=False)


def test_the_text_of_a_guess_holds_everything_and_escapes_it():
    text = a_choice()._repr_mimebundle_()["text/html"]
    for part in ("Which is larger?", "δ of o1", "It is 0.1385, and <code>o2</code>", "It is &lt;0.", "They differ."):
        assert part in text
    assert "<details" not in text
    assert text.index("nn-answer") > text.index("neither")


def test_the_text_of_a_typed_answer_folds_the_answer():
    question, answer = a_number()._repr_mimebundle_()["text/html"].split("<details>")
    assert "What is δ?" in question
    assert "138" not in question
    assert all(part in answer for part in ("−0.1385", "0.7414 × 0.1868", "The slope is missing."))


def test_a_range_says_its_ends_and_its_reasons():
    text = a_range(reasons={"low": "Too shy."})._repr_mimebundle_()["text/html"]
    assert "Between 0 and 100 %" in text
    assert "61.25 %" in text
    assert "Who guessed less:</em> Too shy." in text
    content = a_range().content
    assert (content["step"], content["near"], content["too_low"]) == (1.0, 5.0, "")


def test_the_key_of_an_answer_follows_from_its_question():
    assert a_choice().key == a_choice(question="Which is larger?", result="Other.").key
    assert a_choice().key != a_choice(question="Which is smaller?").key


@pytest.mark.parametrize(
    ("value", "tolerance", "unit", "shown"),
    [
        (0.1384985616, 5e-4, "", "0.1385"),
        (-0.0380982365, 5e-4, "", "−0.0381"),
        (2410, 0, "parameters", "2410 parameters"),
        (1 / 3, 0.01, "", "0.333"),
        (0, 0.01, "rad", "0 rad"),
        (123456.0, 0.5, "", "123456"),
    ],
)
def test_the_answer_is_shown_as_finely_as_it_is_asked(value, tolerance, unit, shown):
    assert a_number(value=value, tolerance=tolerance, unit=unit, wrong={}).content["shown"] == shown


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "not one of the choices", lambda: a_choice(answer="δ of h1")),
        (ValueError, "a reason for every wrong choice", lambda: a_choice(reasons={"neither": "They differ."})),
        (ValueError, "a reason for every wrong choice", lambda: a_choice(answer="neither")),
        (ValueError, "two different choices", lambda: a_choice(choices=["a", "a"], answer="a")),
        (ValueError, "belong to a range", lambda: a_choice(unit="%")),
        (ValueError, "a result is a text", lambda: a_choice(result=" ")),
        (ValueError, "a question is a text", lambda: a_choice(question="")),
        (TypeError, "reasons takes", lambda: a_choice(reasons=["They differ."])),
        (ValueError, "outside the range", lambda: a_range(answer=101)),
        (ValueError, "low < high", lambda: a_range(choices=(5, 5), answer=5)),
        (ValueError, "a step within the range", lambda: a_range(step=0)),
        (ValueError, '"low" and "high"', lambda: a_range(reasons={"less": "No."})),
        (TypeError, "the answer is a finite number", lambda: a_range(answer=float("nan"))),
        (TypeError, "value is a finite number", lambda: a_number(value=True)),
        (ValueError, "tolerance of 0 or more", lambda: a_number(tolerance=-1)),
        (ValueError, "within the tolerance of another", lambda: a_number(wrong={-0.1390: "Rounded."})),
        (ValueError, "within the tolerance of another", lambda: a_number(wrong={0.5: "One.", 0.5005: "Two."})),
        (TypeError, "a wrong value is a finite number", lambda: a_number(wrong={"0.7": "The slope."})),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()


# Errors at the door


def fails_at_two(slope):
    if slope == 2:
        raise ZeroDivisionError("division by zero")
    return straight(slope)


def returns_nothing(slope):
    return None


def speaks_of_nothing(slope):
    return Frame([Lines(slope * X)], "A line.")


def other_kind_at_two(slope):
    return Frame([Lines(X) if slope < 2 else Points(np.eye(2))], f"{slope}")


def shown(frame, *values):
    return explore(frame, title="t", slope=slider(*(values or (1, 2))))


HUNDRED = slider(*range(100))


def heavy(slope):
    rng = np.random.default_rng(slope)
    return Frame([Lines(*rng.normal(size=(10, 300))) for _ in range(2)], f"{slope}")


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (RuntimeError, r"fails_at_two fails at slope=2: ZeroDivisionError", lambda: shown(fails_at_two)),
        (TypeError, r"at slope=1 it returned NoneType", lambda: shown(returns_nothing)),
        (ValueError, r"moving slope .* never changes the sentence", lambda: shown(speaks_of_nothing)),
        (ValueError, r"draws lines at .* but points at", lambda: shown(other_kind_at_two)),
        (ValueError, r"50 frames take 1\.[0-9] MB", lambda: shown(heavy, *range(50))),
        (ValueError, r"100 x 100 = 10000 frames", lambda: explore(every_kind, title="t", gain=HUNDRED, shift=HUNDRED)),
        (TypeError, r"do not fit the function", lambda: explore(straight, title="t", angle=slider(1, 2))),
        (TypeError, r"top of a module", lambda: explore(lambda slope: straight(slope), title="t", slope=slider(1, 2))),
        (TypeError, r"takes slider", lambda: explore(straight, title="t", slope=[1, 2])),
        (ValueError, r"1 to 5 controls, got 0", lambda: explore(straight, title="t")),
        (ValueError, r"at least two values", lambda: slider(1)),
        (ValueError, r"value=3 is not one of", lambda: slider(1, 2, value=3)),
        (ValueError, r"a text of its own", lambda: slider(0.11, 0.12, format=".1f")),
        (TypeError, r"stores them as JSON", lambda: choice(np.sin, np.cos)),
        (TypeError, r"stores them as JSON", lambda: slider(0.0, float("nan"))),
        (ValueError, r"interval of 100", lambda: play(1, 2, interval=5)),
        (ValueError, r"at least one series", lambda: Lines()),
        (ValueError, r"series 0 takes shape", lambda: Lines(np.ones((3, 3)))),
        (ValueError, r"series 1 has 4 values over 5", lambda: Lines(np.ones(5), np.ones(4), x=np.ones(5))),
        (ValueError, r"more than 400", lambda: Lines(np.ones(401))),
        (ValueError, r"'blue' is not a color role", lambda: Lines(X, colors=["blue"])),
        (ValueError, r"takes 1 texts, got 2", lambda: Lines(X, labels=["a", "b"])),
        (ValueError, r"low < high", lambda: Lines(X, y_range=(1, 1))),
        (ValueError, r"log is", lambda: Lines(X, log="z")),
        (ValueError, r"a mark is", lambda: Lines(X, marks=[(None, None)])),
        (ValueError, r"band 0 has 3", lambda: Lines(X, bands=[(np.ones(3), np.ones(3))])),
        (ValueError, r"shape \(n, 2\)", lambda: Points(np.ones((3, 3)))),
        (ValueError, r"one class per point", lambda: Points(np.ones((3, 2)), [0, 1])),
        (ValueError, r"integers from 0 to 9", lambda: Points(np.ones((2, 2)), [0, 10])),
        (ValueError, r"coarser grid", lambda: Field(np.ones((65, 3)), x=(0, 1), y=(0, 1))),
        (ValueError, r"classes=True", lambda: Field(np.full((2, 2), 0.5), x=(0, 1), y=(0, 1), classes=True)),
        (TypeError, r"overlay takes Lines and Points", lambda: Field(np.ones((2, 2)), x=(0, 1), y=(0, 1), overlay=[3])),
        (ValueError, r"diverging is", lambda: Field(np.ones((2, 2)), x=(0, 1), y=(0, 1), diverging="red")),
        (ValueError, r"takes 2 names", lambda: Bars([1, 2], ["a"])),
        (ValueError, r"one more edge", lambda: Histogram([1, 2], [0, 1])),
        (ValueError, r"must increase", lambda: Histogram([1, 2], [0, 2, 1])),
        (ValueError, r"weights\[0\] takes shape \(2, 3\)", lambda: Network((2, 3), weights=[np.ones((3, 2))])),
        (ValueError, r"values takes 2 entries", lambda: Network((2, 3), values=[np.ones(2)])),
        (ValueError, r"highlight takes", lambda: Network((2, 3), highlight=[(0, 2)])),
        (ValueError, r"there are none", lambda: Network((2, 3), edge_text=True)),
        (TypeError, r"Frame takes panels", lambda: Frame([X], "x")),
        (ValueError, r"a sentence", lambda: Frame([Lines(X)], " ")),
    ],
)  # fmt: skip
def test_errors_say_what_was_wanted(error, message, call):
    with pytest.raises(error, match=message):
        call()


# Drawing


def test_the_still_picture_shows_the_frame_that_is_asked_for():
    frames = [every_kind(gain) for gain in (1, 2)]
    one, two = draw_still(frames, 0, "Title"), draw_still(frames, 1, "Title")
    assert one.startswith(PNG)
    assert one != two
    assert one == draw_still(frames, 0, "Title")
    assert len(one) < 200_000


@pytest.mark.parametrize("panel", range(6))
def test_the_still_of_every_panel_shows_its_data(panel):
    frames = [Frame([all_panels(gain)[panel]], "x") for gain in (1.0, 2.0)]  # the same axes, other data
    assert draw_still(frames, 0) != draw_still(frames, 1)


def test_the_still_is_a_picture_that_others_can_read():
    pixels = plt.imread(io.BytesIO(draw_still([every_kind(1)], 0, "Title")), format="png")
    assert pixels.shape[1] > 600
    assert pixels[0, 0, :3].tolist() == [1, 1, 1]
    assert pixels[:, :, :3].min() < 0.25


def test_settings_share_their_axes_unless_told_otherwise():
    first, second = share_ranges([Lines(X), Lines(10 * X)])
    assert first.y_range == second.y_range
    assert first.y_range[1] > 20
    assert first.x_range == (0, 20)
    own = share_ranges([Lines(X, y_range=(-1, 1)), Lines(10 * X)])
    assert own[0].y_range == (-1, 1)
    log = share_ranges([Lines([1e-3, 0, 10], log=True)])[0]
    assert 0 < log.y_range[0] < 1e-3
    bars = share_ranges([Bars([1, 2], ["a", "b"])])[0]
    assert bars.y_range[0] == 0


def test_page_and_still_know_every_color_role_alike():
    css = (Path(frames_module.__file__).parent / "chart.css").read_text("utf8")
    light, dark = css.split("@media screen", 1)
    for role in ROLES:
        [value] = re.findall(rf"--nn-{role}: (#[0-9a-f]{{6}});", light)
        assert value == PALETTE[role], role
        assert f"--nn-{role}: #" in dark, role


def test_the_chart_draws_every_kind_of_panel():
    script = (Path(frames_module.__file__).parent / "chart.js").read_text("utf8")
    for kind in (panel.kind for panel in frames_module.PANELS):
        assert re.search(rf"^  {kind}\(p, box", script, re.MULTILINE), kind


def test_frames_cannot_be_changed_after_they_were_checked():
    panel = Lines(X)
    with pytest.raises(AttributeError):
        panel.series = ()
    assert copy.copy(panel).series is panel.series


def test_the_chart_has_a_setting_for_every_possible_control():
    settings = [name for name in Chart.class_traits(sync=True) if name.startswith("setting_")]
    assert len(settings) == 5
    assert isinstance(Chart.class_traits()["block"], traitlets.Bytes)
