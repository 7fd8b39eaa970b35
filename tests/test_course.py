"""Laws of the exercises: stubs fail, solutions pass, each usual mistake gets its own hint; and of what `check` says."""

import importlib
import json
import math
import sys
import types
import warnings
from pathlib import Path

import contents
import numpy as np
import pytest

from nnlib.course import check, exercise, exercises, show_source
from nnlib.course.chapter import FILES
from nnlib.course.checking import call, dtype_note, find_problem, is_stub
from nnlib.course.diagnosis import same
from nnlib.course.registry import Exercise

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted(int(path.name[-2:]) for path in (ROOT / "nnlib" / "course").glob("chapter_[0-9][0-9]"))
EXERCISES = {name: exercise for chapter in CHAPTERS for name, exercise in exercises(chapter).items()}
MISTAKES = [(name, hint) for name, known in EXERCISES.items() for hint in known.mistakes | known.cheats]
OTHER_WAYS = [(name, i) for name, known in EXERCISES.items() for i in range(len(known.other_ways))]


def notebook(chapter):
    paths = list((ROOT / "chapters").glob(f"{chapter:02d}_*.ipynb"))
    assert len(paths) == 1, f"chapter {chapter} has {len(paths)} notebooks"
    return json.loads(paths[0].read_text(encoding="utf-8"))["cells"]


def tagged(chapter, tag):
    """The cells of a chapter with a tag: pairs (place in the notebook, cell)."""
    return [(i, cell) for i, cell in enumerate(notebook(chapter)) if tag in cell["metadata"].get("tags", [])]


def answers_of(chapter, cell):
    """Run one exercise cell after the chapter's first code cell, and return the answers of its calls of check."""
    first = next(c for c in notebook(chapter) if c["cell_type"] == "code")
    answers, names = [], {"__name__": "exercise"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec("".join(first["source"]), names)

        def recorded(name, function):
            answers.append(check(name, function))
            return answers[-1]

        names["check"] = recorded
        exec("".join(cell["source"]), names)
    return answers


# --- every exercise of every chapter ---------------------------------------------------------------------------------


def test_every_notebook_has_its_exercises():
    notebooks = sorted(int(path.name[:2]) for path in (ROOT / "chapters").glob("[0-9][0-9]_*.ipynb"))
    assert notebooks, "no chapter at all"
    assert notebooks == CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapters_code_stands_in_four_short_files(chapter):
    files = {path.stem: path for path in (ROOT / "nnlib" / "course" / f"chapter_{chapter:02d}").glob("*.py")}
    assert files.keys() == {"__init__", *FILES}
    assert {name: n for name, path in files.items() if (n := len(path.read_text("utf8").splitlines())) > 300} == {}


def test_the_alias_of_a_chapter_finds_what_its_files_hold_and_nothing_else():
    ch = importlib.import_module("nnlib.course.chapter_06")
    assert ch.nudge_frame is ch.frames.nudge_frame
    assert ch.output_delta is exercises(6)["06.output_delta"]
    assert {"step_frame", "continued", "BIASES"} <= set(dir(ch))
    with pytest.raises(
        AttributeError, match=r"has no 'nothing' in experiments\.py, drawings\.py, frames\.py, exercises"
    ):
        ch.nothing
    assert not hasattr(ch, "np")


@pytest.mark.parametrize("chapter", [int(path.name[:2]) for path in contents.toc_notebooks()])
def test_a_chapter_of_the_book_has_six_to_ten_exercises(chapter):
    assert 6 <= len(exercises(chapter)) <= 10


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_shows_each_exercise_once_with_its_task_and_its_solution_below(chapter):
    stubs, solutions = tagged(chapter, "exercise-stub"), tagged(chapter, "exercise-solution")
    assert [cell["metadata"]["exercise"] for _, cell in stubs] == list(exercises(chapter))
    assert [cell["metadata"]["exercise"] for _, cell in solutions] == list(exercises(chapter))
    cells = notebook(chapter)
    for (stub, _), (solution, cell) in zip(stubs, solutions):
        assert cells[stub - 1]["cell_type"] == "markdown", "the task stands above its stub"
        assert solution > stub
        assert "hide-cell" in cell["metadata"]["tags"]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_stub_in_the_notebook_fails_as_a_stub(name):
    cell = next(c for _, c in tagged(int(name[:2]), "exercise-stub") if c["metadata"]["exercise"] == name)
    (answer,) = answers_of(int(name[:2]), cell)
    assert answer.name == name
    assert not answer
    assert "stub" in answer.message


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_in_the_notebook_passes(name):
    cell = next(c for _, c in tagged(int(name[:2]), "exercise-solution") if c["metadata"]["exercise"] == name)
    (answer,) = answers_of(int(name[:2]), cell)
    assert answer.name == name
    assert answer, repr(answer)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_reference_passes_without_warning_or_damage(name):
    known = EXERCISES[name]
    assert find_problem(known, known.solution) is None
    for case in known.arguments():
        outcome = call(known.solution, case)
        assert outcome.error is None
        assert not outcome.warning
        assert known.in_place or same(case, outcome.arguments, 0.0)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_cases_are_several_and_always_the_same(name):
    known = EXERCISES[name]
    assert len(known.arguments()) >= 3
    assert all(same(a, b, 0.0) for a, b in zip(known.arguments(), known.arguments()))


@pytest.mark.parametrize(("name", "hint"), MISTAKES, ids=lambda part: part if part in EXERCISES else "")
def test_each_mistake_and_each_cheat_gets_its_own_words(name, hint):
    known = EXERCISES[name]
    assert find_problem(known, (known.mistakes | known.cheats)[hint]) == hint


@pytest.mark.parametrize(("name", "i"), OTHER_WAYS)
def test_each_other_way_passes_with_nothing_to_be_said(name, i):
    assert find_problem(EXERCISES[name], EXERCISES[name].other_ways[i]) is None
    assert dtype_note(EXERCISES[name], EXERCISES[name].other_ways[i]) is None


@pytest.mark.parametrize("name", EXERCISES)
def test_each_exercise_knows_a_mistake_and_sees_wrong_scales(name):
    known = EXERCISES[name]
    assert known.mistakes, "which wrong answer is usual?"
    assert all(len(hint) > 20 and "\n" not in hint for hint in known.mistakes), "a hint is a sentence on one line"

    def doubled(result):
        if isinstance(result, dict):
            return {key: doubled(value) for key, value in result.items()}
        if isinstance(result, (tuple, list)):
            return type(result)(map(doubled, result))
        return np.logical_not(result) if np.asarray(result).dtype == bool else result * 2

    if not known.in_place and not isinstance(known.solution(*known.arguments()[0]), str):
        assert find_problem(known, lambda *args: doubled(known.solution(*args)))


# --- what check says --------------------------------------------------------------------------------------------------


def scaled_error(output, target):
    return (output - target) / len(output)


def pairs(rng):
    shapes = [(2, 3), (5, 4), (7, 1)]
    return [(rng.normal(size=shape), rng.normal(size=shape)) for shape in shapes]


ERROR = Exercise("97.scaled_error", scaled_error, pairs)
ERROR.mistake("the target is subtracted from the output, not added")(lambda o, t: o + t)


def stub(output, target): ...


def stub_with_docstring(output, target):
    """What to do."""
    ...  # noqa: PIE790


def half_a_stub(output, target):
    difference = ...  # noqa: F841
    return ...


def in_place(output, target):
    output -= target
    return output / len(output)


def subtracts_in_place(output, target):
    output -= target
    return output


def raises(output, target):
    wrong = output.sum(axis=0)
    return wrong @ np.ones(9)


def infinite(output, target):
    return scaled_error(output, target) / (target - target[0, 0])


def one_entry(output, target):
    result = scaled_error(output, target)
    result[-1, 0] = 0.25
    return result


ALL_WRONG = {
    "not a function": (3.0, "got a value of type float instead of the function: leave its parentheses out"),
    "stub": (stub, "still the stub: replace the ... by your own lines"),
    "stub with docstring": (stub_with_docstring, "still the stub: replace the ... by your own lines"),
    "half a stub": (half_a_stub, "returned ...: a part of the stub is still there"),
    "no return": (lambda o, t: None if len(o) else o, "returned None: is the return missing?"),
    "one parameter": (lambda output: output, "takes (output), but is called with (output, target)"),
    "raises": (raises, "raised ValueError in line 3 of the function: matmul"),
    "known mistake": (lambda o, t: o + t, "the target is subtracted from the output, not added"),
    "in place": (in_place, "changed its argument output in place: the caller's array is damaged; write to a new one"),
    "scalar": (lambda o, t: scaled_error(o, t).sum(), "shape (), wanted (2, 3)"),
    "transposed": (lambda o, t: scaled_error(o, t).T, "shape (3, 2), wanted (2, 3): it is transposed"),
    "axes": (lambda o, t: scaled_error(o, t).ravel(), "shape (6,), wanted (2, 3): the numbers are right, the axes are"),
    "tuple": (lambda o, t: (o, t), "returned a tuple of 2, wanted one array of shape (2, 3)"),
    "text": (lambda o, t: "error", "returned a str, wanted array of shape (2, 3)"),
    "whole": (
        lambda o, t: np.rint(scaled_error(o, t)).astype(int),
        "whole numbers cannot hold the result: start from an array of floats",
    ),
    "infinite": (infinite, "; NumPy warns: divide by zero encountered in divide"),
    "nan": (lambda o, t: scaled_error(o, t) * np.nan, "got nan, wanted "),
    "sign": (lambda o, t: -scaled_error(o, t), "the sign is flipped"),
    "twice": (lambda o, t: 2 * scaled_error(o, t), "2 times too large"),
    "third": (lambda o, t: scaled_error(o, t) / 3, "3 times too small"),
    "sign and scale": (
        lambda o, t: -2 * scaled_error(o, t),
        "the sign is flipped, and the result is 2 times too large",
    ),
    "sum": (lambda o, t: o - t, "exactly N times too large, N = output.shape[0]: forgot the mean over the batch?"),
    "mean twice": (
        lambda o, t: scaled_error(o, t) / len(o),
        "exactly N times too small, N = output.shape[0]: took the mean over the batch twice?",
    ),
    "other axis": (
        lambda o, t: scaled_error(o, t) * o.shape[1],
        "exactly K times too large, K = output.shape[1]: a sum and a mean over axis 1 mixed up?",
    ),
    "in place, and no mean": (
        subtracts_in_place,
        "exactly N times too large, N = output.shape[0]: forgot the mean over the batch?",
    ),
    "sign, in another dtype": (lambda o, t: (-scaled_error(o, t)).astype(np.float32), "the sign is flipped"),
    "shift": (lambda o, t: scaled_error(o, t) + 0.5, "every number is 0.5 too large"),
    "zeros": (lambda o, t: 0 * o, "all zeros"),
    "one entry": (one_entry, ", got 0.25 at [1, 0], where output = "),
}


@pytest.mark.parametrize("name", ALL_WRONG)
def test_check_says_what_is_wrong(name):
    function, said = ALL_WRONG[name]
    problem = find_problem(ERROR, function)
    assert problem is not None
    if name in ("raises", "axes", "scalar", "transposed", "tuple", "text", "infinite", "nan"):
        assert said in problem
        assert "output of shape (2, 3), target of shape (2, 3)" in problem
    elif name == "one entry":
        assert said in problem
        assert "1 of 6 numbers differ (case 1 of 3: output of shape (2, 3)" in problem
    else:
        assert problem == said
    assert "\n" not in problem


def test_the_right_answer_passes_however_it_is_written():
    assert find_problem(ERROR, scaled_error) is None
    assert find_problem(ERROR, lambda a, b: (a - b) * (1.0 / a.shape[0])) is None
    assert find_problem(ERROR, lambda *args: scaled_error(*args)) is None
    assert find_problem(ERROR, np.vectorize(lambda o, t: o - t)) is not None


def test_a_named_mistake_wins_over_the_diagnosis_of_wrong_numbers_and_of_damage():
    known = Exercise("97.relu", lambda z: np.maximum(z, 0), lambda rng: [(rng.normal(size=(4, 3)),), (np.ones(5),)])

    @known.mistake("damages")
    def damaging(z):
        z[z < 0] = 0
        return z

    known.mistake("turned")(lambda z: np.maximum(z, 0).T)
    known.mistake("smaller")(lambda z: np.minimum(z, 0))
    known.cheat("looked up")(lambda z: np.ones(5))
    for hint, mistake in (known.mistakes | known.cheats).items():
        assert find_problem(known, mistake) == hint

    def damages_more(z):
        z[z < 0] = -1
        return np.maximum(z, 0)

    assert find_problem(known, damages_more).startswith("changed its argument z in place")
    with pytest.raises(ValueError, match="twice"):
        known.mistake("looked up")


def test_a_mistake_that_raises_speaks_for_its_own_error_alone():
    known = Exercise("97.product", lambda a: a @ a.T, lambda rng: [(rng.normal(size=(4, 3)),)])
    known.mistake("a hint")(lambda a: a @ a)
    assert find_problem(known, lambda a: np.matmul(a, a)) == "a hint"
    assert find_problem(known, lambda a: a @ np.ones(7)).startswith("raised ValueError in line 1 of the function")


def test_a_right_formula_passes_in_any_dtype_with_a_note():
    known = Exercise("97.half", lambda z: z / 2, lambda rng: [(rng.normal(size=5).astype(np.float32),)])
    wide = lambda z: z / np.full(5, 2.0)  # noqa: E731
    assert find_problem(known, wide) is None
    assert dtype_note(known, wide).startswith("dtype float64, the solution has float32, as what came in; an array")
    assert dtype_note(known, lambda z: z * 0.5) is None
    assert find_problem(known, lambda z: -wide(z)) == "the sign is flipped"
    assert find_problem(ERROR, lambda o, t: scaled_error(o, t).astype(np.float32)) is None
    assert "differ" in find_problem(ERROR, lambda o, t: scaled_error(o, t).astype(np.float16))
    table = Exercise("97.xor", lambda x: (x[:, 0] != x[:, 1]).astype(float), lambda rng: [(np.eye(3)[:, :2],)])
    assert find_problem(table, lambda x: x[:, 0] != x[:, 1]) is None
    assert dtype_note(table, lambda x: x[:, 0] != x[:, 1]).startswith("dtype bool, the solution has float64, which .as")
    assert find_problem(table, lambda x: x[:, 0] == x[:, 1]) is not None


def test_float32_results_may_differ_by_roundings_but_not_by_digits():
    known = Exercise("97.total", lambda z: z.sum() * z, lambda rng: [(rng.random(9999).astype(np.float32),)])

    def one_after_the_other(z):
        return np.cumsum(z)[-1] * z

    (z,) = known.arguments()[0]
    assert abs(np.cumsum(z)[-1] / z.sum() - 1.0) > 3e-7  # so that the tolerance alone would refuse it
    assert find_problem(known, one_after_the_other) is None
    assert find_problem(known, lambda z: z.sum() * z * np.float32(1.0001)) is not None


def test_a_list_of_numbers_is_taken_for_the_array():
    known = Exercise("97.squares", lambda x: x**2, lambda rng: [(rng.normal(size=n),) for n in (3, 4)])
    assert find_problem(known, lambda x: (x**2).tolist()) is None
    assert find_problem(known, lambda x: (2 * x**2).tolist()).startswith("2 times too large")
    assert find_problem(known, lambda x: [[1.0], [2.0, 3.0]]) is not None


def test_tuples_and_dicts_of_arrays_are_compared_part_by_part():
    def both(dout, x):
        return x.T @ dout, dout.sum(axis=0)

    def cases(rng):
        return [(rng.normal(size=(n, 2)), rng.normal(size=(n, 3))) for n in (4, 5, 6)]

    pair = Exercise("97.pair", both, cases)
    assert find_problem(pair, lambda *args: list(both(*args))) is None
    assert find_problem(pair, lambda d, x: both(d, x)[0]) == (
        "returned one array of shape (3, 2), wanted a tuple of 2 (case dout of shape (4, 2), x of shape (4, 3))"
    )
    assert find_problem(pair, lambda d, x: (*both(d, x), 0)).startswith("returned a tuple of 3, wanted 2")
    assert find_problem(pair, lambda d, x: (both(d, x)[0], None)).startswith("output 2 of 2 is None")
    assert find_problem(pair, lambda d, x: (both(d, x)[0], d.mean(axis=0))) == (
        "output 2 of 2: exactly N times too small, N = dout.shape[0]: took the mean over the batch twice?"
    )
    assert find_problem(pair, lambda d, x: (both(d, x)[0], d.sum(axis=0, keepdims=True))).startswith(
        "output 2 of 2: shape (1, 2), wanted (2,): the numbers are right, the axes are not"
    )
    table = Exercise("97.table", lambda d, x: dict(zip("Wb", both(d, x))), cases)
    assert find_problem(table, lambda d, x: {"b": both(d, x)[1], "W": both(d, x)[0]}) is None
    assert find_problem(table, lambda d, x: {"W": both(d, x)[0]}).startswith("b is missing from the result")
    assert find_problem(table, lambda d, x: {"W": -both(d, x)[0], "b": both(d, x)[1]}) == "W: the sign is flipped"


def test_numbers_texts_and_truth_values_are_compared():
    def cases(rng):
        return [(1.5,), (-2.0,), (0.25,)]

    number = Exercise("97.square", lambda z: z * z, cases)
    assert find_problem(number, lambda z: np.float64(z) ** 2) is None
    assert find_problem(number, lambda z: z) == "wanted 2.25, got 1.5 (case 1 of 3: z = 1.5)"
    word = Exercise("97.side", lambda z: "right" if z > 0 else "left", cases)
    assert find_problem(word, lambda z: "right") == "wanted left, got right (case 2 of 3: z = -2)"
    truth = Exercise("97.positive", lambda z: z > 0, cases)
    assert find_problem(truth, lambda z: bool(z > 0)) is None
    assert find_problem(truth, lambda z: z >= -3).startswith("wanted False, got True")


def test_a_square_transpose_is_seen():
    known = Exercise(
        "97.product", lambda a: a @ a, lambda rng: [(rng.normal(size=(3, 3)),), (rng.normal(size=(2, 2)),)]
    )
    assert find_problem(known, lambda a: (a @ a).T) == "the result is transposed"


def test_right_numbers_with_a_warning_do_not_pass():
    known = Exercise("97.sigmoid", lambda z: np.exp(np.minimum(z, 0)) / (1 + np.exp(-abs(z))), lambda rng: [
        (np.array([-1000.0, 0.0, 1000.0]),)
    ])  # fmt: skip
    problem = find_problem(known, lambda z: 1 / (1 + np.exp(-z)))
    assert problem == (
        "the numbers are right, but NumPy warns: overflow encountered in exp (case z = [-1000, 0, 1000])"
    )


def test_an_exercise_may_ask_for_a_change_in_place():
    def step(theta, gradient):
        theta -= 0.1 * gradient

    known = Exercise("97.step", step, pairs, in_place=True)
    assert find_problem(known, step) is None
    assert find_problem(known, lambda theta, gradient: theta - 0.1 * gradient).startswith("the returned value")

    def forgets(theta, gradient):
        theta = theta - 0.1 * gradient

    assert find_problem(known, forgets).startswith("theta after the call: wanted ")


def test_constant_and_broken_references_are_not_taken_for_the_readers_fault():
    known = Exercise("97.broken", lambda z: z @ "no", lambda rng: [(np.ones(3),)])
    with pytest.raises(RuntimeError, match=r"the solution of 97\.broken fails"):
        find_problem(known, lambda z: z)
    with pytest.raises(ValueError, match="list of argument tuples"):
        find_problem(Exercise("97.empty", lambda z: z, lambda rng: []), lambda z: z)


def test_is_stub_knows_empty_bodies_only():
    assert is_stub(stub)
    assert is_stub(lambda: None)
    assert not is_stub(lambda z: z)
    assert not is_stub(in_place)
    assert not is_stub(np.exp)


@pytest.fixture
def chapter_98(monkeypatch):
    """A chapter of one exercise."""
    monkeypatch.setattr("nnlib.course.registry._EXERCISES", {})
    for name in ("nnlib.course.chapter_98", "nnlib.course.chapter_98.exercises"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    return exercise("98.scaled_error", cases=pairs)(scaled_error)


def test_check_prints_one_line_and_is_true_or_false(chapter_98):
    right, wrong = check("98.scaled_error", scaled_error), check("98.scaled_error", stub)
    assert repr(right) == "98.scaled_error: correct on 3 cases"
    assert repr(wrong) == "98.scaled_error: still the stub: replace the ... by your own lines"
    assert right
    assert not wrong
    assert exercises(98) == {"98.scaled_error": chapter_98}


def test_check_knows_its_exercises(chapter_98):
    with pytest.raises(ValueError, match=r"no exercise '98\.error'; chapter 98 has 98\.scaled_error"):
        check("98.error", scaled_error)
    with pytest.raises(ValueError, match="there is no chapter 99 with exercises"):
        check("99.error", scaled_error)
    with pytest.raises(ValueError, match="named like"):
        check("scaled_error", scaled_error)
    with pytest.raises(ValueError, match="named like"):
        Exercise("scaled_error", scaled_error, pairs)


def test_a_name_is_registered_by_one_chapter(chapter_98):
    exercise("98.scaled_error", cases=pairs)(scaled_error)  # the same module again, as a reload does
    with pytest.raises(ValueError, match=r"there is an exercise 98\.scaled_error already"):
        exercise("98.scaled_error", cases=pairs)(math.hypot)


def test_an_exercise_can_be_called_and_its_source_shown(chapter_98):
    np.testing.assert_array_equal(chapter_98(np.ones((2, 1)), np.zeros((2, 1))), 0.5)
    assert repr(show_source(chapter_98)) == repr(show_source(scaled_error))
    assert chapter_98.__doc__ == scaled_error.__doc__


# --- show_source ------------------------------------------------------------------------------------------------------


def decorated_example(n):
    """One line.

    More lines.
    """

    def inner():
        """Only a docstring."""

    return inner, "text with ``` in it", n


class Sample:
    """What it is."""

    def method(self):
        """What it does."""
        # a comment stays
        return decorated_example(1)


def test_show_source_is_the_source_and_nothing_else():
    shown = show_source(decorated_example)
    assert repr(shown) == str(shown)
    assert repr(shown).startswith('def decorated_example(n):\n    """One line.\n')
    assert repr(shown).endswith('in it", n')
    assert "/" not in repr(show_source(Sample))


def test_show_source_dedents_and_joins():
    both = repr(show_source(Sample.method, decorated_example))
    assert both.startswith('def method(self):\n    """What it does.')
    assert "\n\n\ndef decorated_example" in both
    assert repr(show_source(Sample().method)) == repr(show_source(Sample.method))


def test_show_source_can_leave_the_docstrings_out():
    assert repr(show_source(Sample, docstring=False)) == (
        "class Sample:\n    def method(self):\n        # a comment stays\n        return decorated_example(1)"
    )
    shown = repr(show_source(decorated_example, docstring=False))
    assert shown.startswith("def decorated_example(n):\n    def inner():\n        ...\n\n    return inner")
    compile(shown, "shown", "exec")


def test_show_source_is_highlighted_by_the_page_and_plain_elsewhere():
    bundle = show_source(decorated_example)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/markdown"}
    fence = "````"  # the source holds three
    assert bundle["text/markdown"] == f"{fence}python\n{bundle['text/plain']}\n{fence}"
    assert show_source(Sample)._repr_mimebundle_()["text/markdown"].startswith("```python\nclass Sample")


def test_show_source_of_an_activation_is_its_function_and_its_derivative():
    from nnlib.activations import leaky_relu, sigmoid

    assert repr(show_source(sigmoid)).count("def ") == 2
    assert "def df(" in repr(show_source(leaky_relu(0.1)))
    assert repr(show_source(leaky_relu(0.1))) == repr(show_source(leaky_relu))


@pytest.mark.parametrize("thing", [np.exp, 3, len, "text"])
def test_show_source_says_when_there_is_none(thing):
    with pytest.raises(TypeError, match=r"show_source takes|no Python source"):
        show_source(thing)
    with pytest.raises(TypeError, match="at least one"):
        show_source()
