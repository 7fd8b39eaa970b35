"""Questions: a guess before the result is shown, and a number that the reader works out and types."""

import hashlib
import html
import math
import numbers
import pathlib
import re
from collections.abc import Mapping

import anywidget
import traitlets

_HERE = pathlib.Path(__file__).parent


class Question(anywidget.AnyWidget):
    """What guess() and ask() return: a question that the page answers, and its text for places without widgets."""

    _esm = _HERE / "question.js"
    _css = _HERE / "question.css"

    kind = traitlets.Unicode("").tag(sync=True)  # "choice" | "range" | "number"
    question = traitlets.Unicode("").tag(sync=True)
    key = traitlets.Unicode("").tag(sync=True)  # under which a browser remembers the reader's answer
    content = traitlets.Dict({}).tag(sync=True)

    def __init__(self, kind, question, content):
        question = _sentence("a question", question)
        key = hashlib.sha256(question.encode()).hexdigest()[:8]
        super().__init__(kind=kind, question=question, key=key, content=content)

    def __repr__(self):
        return f"{'Ask' if self.kind == 'number' else 'Guess'}({self.question!r})"

    def _repr_mimebundle_(self, **kwargs):
        """The view, and beside it the question as text, with its answer at the end."""
        return {
            "text/plain": repr(self),
            "text/html": as_text(self.kind, self.question, self.content),
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2, "version_minor": 0, "model_id": self.model_id,
            },
        }  # fmt: skip


def guess(question, choices, *, answer, result, reasons=None, unit="", step=None, near=None):
    """A prediction: the reader commits to a choice or a number, then sees the result beside it.

    choices: a list of texts to choose from, or (low, high), the range of a number.
    answer: the right choice or number; result: what happens, in a sentence; nothing else on the page is hidden.
    reasons: for a choice, why each wrong one is wrong: {choice: reason}; for a range, what a guess that is too low or
    too high has missed: {"low": reason, "high": reason}, either or none.
    unit, step, near: for a range, what stands behind the number, the slider's step (a hundredth of the range), and how
    far off still counts as close (a twentieth of it).

    The guess stays in the reader's browser. In texts, `w5` between backticks is set as code.

    Raises
    ------
    TypeError, ValueError
        If the answer is none of the choices or outside the range, or a wrong choice has no reason.

    Examples
    --------
    ::

        guess(
            "The nudge at h1 is as large as the one at o1. How far does the error move?",
            ["just as far", "less", "further"],
            answer="less",
            result=f"At h1 the error moves by {at_h1:.4f}, at o1 by {at_o1:.4f}.",
            reasons={"just as far": "…", "further": "…"},
        )
        guess("What share of the test digits is read well?", (0, 100), unit="%", answer=91.3, result="91.3 %: …")
    """
    result = _sentence("a result", result)
    reasons = _texts_by_key("reasons", reasons)
    if isinstance(choices, tuple) and len(choices) == 2 and all(_is_number(end) for end in choices):
        return Question("range", question, _range(choices, answer, reasons, unit, step, near) | {"result": result})
    choices = [_sentence("a choice", str(one)) for one in choices]
    answer = str(answer)
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise ValueError(f"guess takes at least two different choices, or (low, high), got {choices}")
    if answer not in choices:
        raise ValueError(f"guess: the answer {answer!r} is not one of the choices {choices}")
    wrong = [one for one in choices if one != answer]
    if sorted(wrong) != sorted(reasons):
        raise ValueError(f"guess takes a reason for every wrong choice, {wrong}, got reasons for {list(reasons)}")
    if unit or step is not None or near is not None:
        raise ValueError("guess: unit, step and near belong to a range (low, high)")
    options = [{"text": one, "reason": reasons.get(one, "")} for one in choices]
    return Question("choice", question, {"options": options, "answer": choices.index(answer), "result": result})


def ask(question, value, *, tolerance, wrong=None, unit="", way=""):
    """A number that the reader types; the page says whether it is right, and what went wrong where it knows.

    value, tolerance: typed numbers within `tolerance` of `value` are right.
    wrong: the usual wrong values, each found by doing the usual mistake, and what the mistake was: {value: reason}.
    unit: what stands behind the field; way: how the answer is found, in a sentence, shown with it.

    Typed may be 0.6, .6, 3/5, 6e-1, 60 % or 0.6 with a unit. The answer is never shown before a try and is offered
    after two; both tries and answer stay in the reader's browser.

    Raises
    ------
    TypeError, ValueError
        If a wrong value is as near to the right one, or to another wrong one, as the tolerance cannot tell apart.

    Examples
    --------
    ::

        ask(
            "What is δ of o1?", p["dz2"][0, 0], tolerance=5e-4,
            wrong={p["da2"][0, 0]: "That is ∂E/∂o1: the slope of the sigmoid is missing."},
            way="(0.7514 − 0.01) × 0.7514 × (1 − 0.7514)",
        )
    """
    value, tolerance = _number("value", value), _number("tolerance", tolerance)
    if tolerance < 0:
        raise ValueError(f"ask takes a tolerance of 0 or more, got {tolerance}")
    known = [(_number("a wrong value", one), _sentence("a reason", why)) for one, why in dict(wrong or {}).items()]
    told_apart = [value]
    for one, why in known:
        if any(abs(one - other) <= 2 * tolerance for other in told_apart):
            raise ValueError(f"ask: the wrong value {one:g} ({why!r}) is within the tolerance of another answer")
        told_apart.append(one)
    digits = 15 if not tolerance else max(1, min(15, math.ceil(math.log10(max(abs(value) / tolerance, 1))) + 1))
    content = {
        "value": value,
        "tolerance": tolerance,
        "wrong": [list(pair) for pair in known],
        "unit": unit,
        "way": _sentence("a way", way) if way else "",
        "shown": _with_unit(value, unit, digits),
    }
    return Question("number", question, content)


def _range(ends, answer, reasons, unit, step, near):
    low, high = (_number("an end of the range", end) for end in ends)
    answer = _number("the answer", answer)
    step = (high - low) / 100 if step is None else _number("step", step)
    near = (high - low) / 20 if near is None else _number("near", near)
    if not low < high or not 0 < step <= high - low or near < 0:
        raise ValueError(f"guess takes low < high, a step within the range and near >= 0, got {ends}, {step}, {near}")
    if not low <= answer <= high:
        raise ValueError(f"guess: the answer {answer:g} is outside the range {low:g} to {high:g}")
    if set(reasons) - {"low", "high"}:
        raise ValueError(f'guess over a range takes reasons "low" and "high", got {list(reasons)}')
    out = {"low": low, "high": high, "answer": answer, "step": step, "near": near, "unit": unit}
    return out | {
        "shown": _with_unit(answer, unit, 4),
        "too_low": reasons.get("low", ""),
        "too_high": reasons.get("high", ""),
    }


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _number(name, value):
    if not _is_number(value) or not math.isfinite(value):
        raise TypeError(f"{name} is a finite number, got {value!r}")
    return float(value)


def _sentence(name, text):
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name} is a text, got {text!r}")
    return " ".join(text.split())


def _texts_by_key(name, texts):
    if not isinstance(texts or {}, Mapping):
        raise TypeError(f"{name} takes {{choice: reason}}, got {type(texts).__name__}")
    return {" ".join(str(key).split()): _sentence("a reason", text) for key, text in (texts or {}).items()}


def _with_unit(value, unit, digits):
    text = f"{value:.{digits}g}".replace("-", "−")
    return f"{text} {unit}".strip()


# ---- as text: on paper, without JavaScript, and where a notebook is only read ---------------------------------------


def _marked(text):
    """HTML of a text: `code` between backticks, everything else as it is."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def as_text(kind, question, content):
    """The question as HTML that needs nothing: what is asked, room for an answer, and the answer at the end."""
    what = "Work it out" if kind == "number" else "Predict"
    asked = f'<p class="nn-ask"><strong>{what}.</strong> {_marked(question)}</p>'
    if kind == "choice":
        options = "".join(f"<li>{_marked(one['text'])}</li>" for one in content["options"])
        reasons = "".join(
            f"<li><em>{_marked(one['text'])}</em> {_marked(one['reason'])}</li>"
            for one in content["options"]
            if one["reason"]
        )
        right = _marked(content["options"][content["answer"]]["text"])
        body = f"<ul>{options}</ul>"
        answer = (
            f"<p><em>What happens:</em> <strong>{right}</strong> {_marked(content['result'])}</p><ul>{reasons}</ul>"
        )
    elif kind == "range":
        body = (
            f'<p class="nn-room">Between {content["low"]:g} and {_with_unit(content["high"], content["unit"], 6)}:</p>'
        )
        answer = (
            f"<p><em>What happens:</em> <strong>{_marked(content['shown'])}.</strong> {_marked(content['result'])}</p>"
            + "".join(
                f"<p><em>{word}:</em> {_marked(content[key])}</p>"
                for word, key in (("Who guessed less", "too_low"), ("Who guessed more", "too_high"))
                if content[key]
            )
        )
    else:
        body = '<p class="nn-room">Answer:</p>'
        way = f" {_marked(content['way'])}" if content["way"] else ""
        wrong = "".join(
            f"<li><em>{_with_unit(value, content['unit'], 4)}:</em> {_marked(why)}</li>"
            for value, why in content["wrong"]
        )
        answer = f"<p><strong>{_marked(content['shown'])}</strong>{way}</p>" + (f"<ul>{wrong}</ul>" if wrong else "")
        answer = f"<details><summary>Answer</summary>{answer}</details>"
    return f'<div class="nn-text">{asked}{body}<div class="nn-answer">{answer}</div></div>'
