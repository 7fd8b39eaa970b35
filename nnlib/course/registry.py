"""Exercises: a solution, the arguments to try, and answers that deserve their own words, all by decorators.

What a chapter's file of exercises looks like::

    @exercise("04.elu_derivative", cases=lambda rng: [(rng.normal(size=(3, 4)), 1.7), ...])
    def elu_derivative(z, alpha):
        return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))

    @elu_derivative.mistake("alpha is missing: left of 0 the derivative is alpha exp(z)")
    def _(z, alpha): ...

    elu_derivative.other_way(lambda z, alpha: ...)  # another right answer, which must pass

    @elu_derivative.cheat("this looks the answer up")  # right on the page's own example, but not the task
    def _(z, alpha): ...
"""

import functools
import importlib
import re
import zlib

import numpy as np

_EXERCISES = {}


def exercise(name, *, cases, tolerance=1e-7, in_place=False):
    """Make the decorated function the solution of an exercise, an `Exercise`; it can still be called.

    Parameters
    ----------
    name : str
        The chapter's number and the function's name, ``"04.relu_backward"``.
    cases : callable
        ``cases(rng)`` -> list of argument tuples. Take odd shapes, so that a transpose cannot hide.
    tolerance : float
        Allowed error, relative to the largest number of the wanted array. float32 results get at least 64 roundings.
    in_place : bool
        True if the task is to change the arguments: then they are compared after the call, as part of the result.

    Raises
    ------
    ValueError
        If the name is none, or another module has an exercise of that name.
    """

    def register(solution):
        made = Exercise(name, solution, cases, tolerance, in_place)
        known = _EXERCISES.get(name)
        if known is not None and known.solution.__module__ != solution.__module__:
            raise ValueError(f"there is an exercise {name} already, in {known.solution.__module__}")
        _EXERCISES[name] = made
        return made

    return register


class Exercise:
    """A task with its solution, and with the wrong and right answers that are known.

    Attributes
    ----------
    mistakes : dict
        From a hint, a full sentence, to the usual wrong function that it is meant for. A reader whose function gives
        the same outputs in every case reads that hint.
    other_ways : list
        Right functions that are written otherwise.
    cheats : dict
        From a sentence to a function that skips the point of the task. It must not pass, so some case has to tell it
        from a solution; a reader who hands it in reads the sentence.
    """

    def __init__(self, name, solution, cases, tolerance=1e-7, in_place=False):
        if not re.fullmatch(r"\d\d\.[a-z][a-z0-9_]*", name):
            raise ValueError(f"an exercise is named like '04.relu_backward', got {name!r}")
        functools.update_wrapper(self, solution)
        self.name, self.solution, self.cases = name, solution, cases
        self.tolerance, self.in_place = tolerance, in_place
        self.mistakes, self.other_ways, self.cheats = {}, [], {}

    def __call__(self, *arguments):
        return self.solution(*arguments)

    def mistake(self, hint):
        """Decorator for a usual wrong answer, with the sentence that a reader needs who gave it."""
        return self._keep(self.mistakes, hint)

    def cheat(self, sentence):
        """Decorator for an answer that skips the point, with the sentence that says so."""
        return self._keep(self.cheats, sentence)

    def other_way(self, function):
        """Decorator for another right answer."""
        self.other_ways.append(function)
        return function

    def _keep(self, answers, sentence):
        if sentence in self.mistakes or sentence in self.cheats:
            raise ValueError(f"{self.name} says {sentence!r} twice: give each answer its own words")

        def keep(function):
            answers[sentence] = function
            return function

        return keep

    def arguments(self):
        """The argument tuples, the same at every call: the generator's seed comes from the name."""
        cases = self.cases(np.random.default_rng(zlib.crc32(self.name.encode())))
        if not cases or not all(isinstance(case, tuple) for case in cases):
            raise ValueError(f"{self.name}: cases(rng) must return a list of argument tuples, at least one")
        return cases

    def __repr__(self):
        return f"Exercise({self.name!r})"


def exercises(chapter):
    """All exercises of a chapter, a dict by name, in the order of their registration."""
    importlib.import_module(f"nnlib.course.chapter_{chapter:02d}.exercises")
    return {name: known for name, known in _EXERCISES.items() if name.startswith(f"{chapter:02d}.")}
