"""check: run a reader's function beside the reference and say in one sentence what is wrong."""

import dis
import inspect
import re
import types
import warnings
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from nnlib.course.diagnosis import diagnose, other_dtype, same, show_arguments
from nnlib.course.registry import exercises


@dataclass(frozen=True)
class Answer:
    """The outcome of a check, true if the function passed; it prints as ``message``."""

    name: str
    passed: bool
    message: str

    def __bool__(self):
        return self.passed

    def __repr__(self):
        return f"{self.name}: {self.message}"


@dataclass(frozen=True)
class Outcome:
    """One call: what it returned or raised, its arguments afterwards, and what NumPy warned of."""

    returned: object
    error: Exception | None
    arguments: tuple
    warning: str

    def returns_like(self, other, tolerance):
        """Whether both calls returned the same numbers, of whatever dtype, or raised the same error."""
        if self.error is not None or other.error is not None:
            return type(self.error) is type(other.error) and str(self.error) == str(other.error)
        return same(self.returned, other.returned, tolerance)

    def leaves_like(self, other, tolerance):
        """Whether both calls left the same in their arguments."""
        return all(same(a, b, tolerance) for a, b in zip(self.arguments, other.arguments))


def check(name, function):
    """Compare a function with the solution of an exercise.

    Parameters
    ----------
    name : str
        As in ``"04.relu_backward"``.
    function : callable
        The reader's answer: the function itself, without parentheses.

    Returns
    -------
    Answer
        Let a cell end in it: it prints as one sentence that says what is right or wrong. True if it passed.

    Raises
    ------
    ValueError
        If there is no exercise of that name.
    """
    if not re.fullmatch(r"\d\d\..+", name):
        raise ValueError(f"an exercise is named like '04.relu_backward', got {name!r}")
    try:
        known = exercises(int(name[:2]))
    except ModuleNotFoundError as error:
        raise ValueError(f"there is no chapter {name[:2]} with exercises") from error
    if name not in known:
        raise ValueError(f"no exercise {name!r}; chapter {name[:2]} has {', '.join(known)}")
    exercise = known[name]
    problem = find_problem(exercise, function)
    if problem:
        return Answer(name, False, problem)
    n = len(exercise.arguments())
    note = dtype_note(exercise, function)
    return Answer(name, True, f"correct on {n} case{'s' * (n != 1)}" + (f"; note: {note}" if note else ""))


def find_problem(exercise, function):
    """One sentence on what is wrong with a function, or None.

    In this order: no function, the stub, an exception, then shape, scale and sign, then damage to the arguments, then
    warnings. A named mistake or cheat that does the same in every case speaks first. The dtype alone is never wrong,
    see `dtype_note`.
    """
    if not callable(function):
        kind = type(function).__name__
        return f"got a value of type {kind} instead of the function: leave its parentheses out"
    if is_stub(function):
        return "still the stub: replace the ... by your own lines"
    cases, names = exercise.arguments(), list(inspect.signature(exercise.solution).parameters)
    if problem := _wrong_parameters(exercise.solution, function, cases[0]):
        return problem
    got = [call(function, case) for case in cases]
    want = _solved(exercise, cases)
    results = _results(exercise, got, want)
    raised = _raised(function, names, cases, got) or _returned_nothing(got)
    right = not raised and all(same(g, w, exercise.tolerance) for g, w in zip(*results))
    damage = None if exercise.in_place else _damaged(names, cases, got)
    if not right or damage:
        return (
            _named(exercise, cases, got, right)
            or raised
            or (damage if right else None)
            or diagnose(names, cases, *results, exercise.tolerance, _first_warning(got, want))
        )
    return _warned(names, cases, got, want)


def dtype_note(exercise, function):
    """A remark on right numbers of another dtype than the solution's, or None."""
    cases, names = exercise.arguments(), list(inspect.signature(exercise.solution).parameters)
    results = _results(exercise, [call(function, case) for case in cases], _solved(exercise, cases))
    return other_dtype(names, cases, *results)


def _solved(exercise, cases):
    want = [call(exercise.solution, case) for case in cases]
    for case, outcome in zip(cases, want):
        if outcome.error is not None:
            raise RuntimeError(f"the solution of {exercise.name} fails on {show_arguments(case)}") from outcome.error
    return want


def _named(exercise, cases, got, right):
    """The words of the mistake or cheat that gives the same; where the numbers are right, it must damage the same."""
    for words, function in (exercise.mistakes | exercise.cheats).items():
        known = [call(function, case) for case in cases]
        compared = exercise.in_place or right
        if all(
            g.returns_like(k, exercise.tolerance) and (not compared or g.leaves_like(k, exercise.tolerance))
            for g, k in zip(got, known)
        ):
            return words
    return None


def call(function, case):
    """Call a function on its own copy of the arguments."""
    arguments = deepcopy(case)
    with (
        warnings.catch_warnings(record=True) as caught,
        np.errstate(over="warn", divide="warn", invalid="warn", under="ignore"),
    ):
        warnings.simplefilter("always")
        try:
            returned, error = function(*arguments), None
        except Exception as raised:
            returned, error = None, raised
    return Outcome(returned, error, arguments, str(caught[0].message) if caught else "")


def is_stub(function):
    """Whether the function does nothing: its body is ``...`` or ``pass``, with or without a docstring."""
    if not isinstance(function, types.FunctionType) or inspect.isgeneratorfunction(function):
        return False
    steps = [step for step in dis.get_instructions(function) if step.opname not in ("RESUME", "NOP")]
    only_returns = all(step.opname in ("LOAD_CONST", "RETURN_VALUE", "RETURN_CONST") for step in steps)
    return only_returns and steps[0].argval is None


def _wrong_parameters(solution, function, case):
    """A function that cannot be called with a case's arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a compiled function tells no signature
        return None
    try:
        signature.bind(*case)
    except TypeError:
        wanted = ", ".join(inspect.signature(solution).parameters)
        return f"takes {signature}, but is called with ({wanted})"
    return None


def _warned(names, cases, got, want):
    """Right numbers, but a warning on the way that the solution avoids."""
    for case, g, w in zip(cases, got, want):
        if g.warning and not w.warning:
            return f"the numbers are right, but NumPy warns: {g.warning} (case {show_arguments(case, names)})"
    return None


def _first_warning(got, want):
    return next((g.warning for g, w in zip(got, want) if g.warning and not w.warning), "")


def _raised(function, names, cases, got):
    for case, outcome in zip(cases, got):
        if (error := outcome.error) is not None:
            line = _line_of(error, function)
            message = str(error).split("\n")[0]
            return (
                f"raised {type(error).__name__}{line}: {message or 'no message'} (case {show_arguments(case, names)})"
            )
    return None


def _line_of(error, function):
    """Where in the reader's own function an error arose."""
    code, trace, line = getattr(function, "__code__", None), error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code is code:
            line = trace.tb_lineno - code.co_firstlineno + 1
        trace = trace.tb_next
    return f" in line {line} of the function" if line else ""


def _returned_nothing(got):
    if any(outcome.returned is ... for outcome in got):
        return "returned ...: a part of the stub is still there"
    return None


def _damaged(names, cases, got):
    for case, outcome in zip(cases, got):
        for name, before, after in zip(names, case, outcome.arguments):
            if not same(before, after, 0.0):
                return f"changed its argument {name} in place: the caller's array is damaged; write to a new one"
    return None


def _as_array_like(got, want):
    """A list of numbers as an array, where an array is wanted: [1.0, 2.0] is no wrong answer."""
    if isinstance(got, list) and isinstance(want, np.ndarray):
        try:
            return np.asarray(got)
        except ValueError:  # rows of several lengths
            return got
    return got


def _results(exercise, got, want):
    """What is to be compared: the returned values, with the arguments after the call if the task is to change them."""
    if not exercise.in_place:
        return [_as_array_like(g.returned, w.returned) for g, w in zip(got, want)], [w.returned for w in want]
    names = list(inspect.signature(exercise.solution).parameters)

    def together(outcome):
        result = {f"{name} after the call": value for name, value in zip(names, outcome.arguments)}
        return result | ({} if outcome.returned is None else {"the returned value": outcome.returned})

    return [together(g) for g in got], [together(w) for w in want]
