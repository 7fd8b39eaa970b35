"""Experiments: one function at every point of a grid, on any executor, with results that outlive errors and crashes.

A function, a grid, and where the results are kept::

    def train(learning_rate, seed):
        rng = np.random.default_rng(seed)
        ...
        return {"loss": loss, "accuracy": accuracy}

    result = sweep(train, {"learning_rate": [0.01, 0.1], "seed": range(5)}, path="sweep.jsonl")
    result.best("loss")

`compare` asks which of several networks learns better, see :mod:`nnlib.comparison`.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import inspect
import itertools
import json
import math
import os
import pathlib
import queue
import time
import traceback
import warnings
import zlib

import numpy as np

from nnlib import archive
from nnlib.comparison import Arm, Unfair, compare  # noqa: F401  a fair comparison is an experiment, too
from nnlib.network import Table
from nnlib.progress import Line

FORMAT = "nnlib sweep, version 1"


def sweep(function, grid, executor=None, *, path=None, progress=True):
    """Compute ``function(**point)`` for every point of a grid.

    Parameters
    ----------
    function : callable
        Takes a point's values by name; returns numbers, text, None, lists, dicts, NumPy arrays or dataclasses of them.
        What is random in it should follow from the point: ``np.random.default_rng(seed)``.
    grid : dict of lists, or list of dicts
        ``{"a": [1, 2], "b": [3, 4]}`` has the four points (1, 3), (1, 4), (2, 3), (2, 4); a list names its points
        one by one.  NumPy scalars reach the function as Python numbers.
    executor : concurrent.futures.Executor, optional
        Where points are computed: None is here, one after the other; ``ProcessPoolExecutor()`` is all cores;
        ``dask.distributed.Client(...).get_executor()`` is a cluster.  The function must then live in a module, and the
        executor stays open: ``with ProcessPoolExecutor() as executor: sweep(function, grid, executor)``.
    path : str or Path, optional
        A file to which each result is written as soon as it is there, one JSON object a line.  A second call computes
        only what is missing or has failed.  The function is known by its *name*: after a change that alters its
        results, take another path.
    progress : bool
        Show a line of progress where somebody watches.

    Returns
    -------
    Sweep
        In the order of the grid.  An error at a point is kept there, with its traceback, and ends nothing.

    Raises
    ------
    TypeError, ValueError
        Before anything is computed: a grid that is none, a function that does not take its points, a path that belongs
        to another function or grid.
    Interrupted
        A KeyboardInterrupt, with what was computed in its ``result``.

    Warns
    -----
    NotSaved
        At the end, if the disk did not take a result; all of them are in memory, and the warning's ``result``, too.
    """
    if executor is not None and not isinstance(executor, concurrent.futures.Executor):
        mend = ": client.get_executor()" if hasattr(executor, "get_executor") else ""
        raise TypeError(f"executor is a concurrent.futures.Executor or None, got {type(executor).__name__}{mend}")
    points, shape = grid_points(grid)
    name = _name(function)
    _check_call(function, name, points)
    result = Sweep(name, points, shape)
    file = None if path is None else _File(path, name, points, result.outcomes)
    todo = [i for i, outcome in enumerate(result.outcomes) if outcome is None or "error" in outcome]
    n_done, n_failed = len(result) - len(todo), 0
    line = Line("point", len(result), n_done, wish=progress)

    def keep(i, outcome):
        nonlocal n_done, n_failed
        n_done, n_failed = n_done + 1, n_failed + ("error" in outcome)
        result.outcomes[i] = outcome
        if file is not None:
            file.append(i, outcome)
            result.unsaved = len(file.waiting)
        texts = [f"{n_failed} failed"] * (n_failed > 0) + [f"{result.unsaved} NOT SAVED"] * (result.unsaved > 0)
        line.show(n_done, ", ".join(texts))

    try:
        if executor is None:
            for i in todo:
                keep(i, _run(function, points[i]))
        else:
            _on(executor, function, points, todo, keep)
    except KeyboardInterrupt:
        raise Interrupted(result, path) from None
    finally:
        line.end()
    if result.unsaved:
        warnings.warn(NotSaved(result, path, file.problem), stacklevel=2)
    return result


def grid_points(grid):
    """The points of a grid, in order, and its shape: one number per parameter, or (n,) for a list of points."""
    if isinstance(grid, dict):
        for key, values in grid.items():
            if isinstance(values, str) or not np.iterable(values):
                raise TypeError(f"a grid has a list of values for each parameter, got {key}={values!r}: [{values!r}]")
        lists = [list(values) for values in grid.values()]
        points = [dict(zip(grid, values)) for values in itertools.product(*lists)] if lists else []
        shape = tuple(map(len, lists))
    else:
        if isinstance(grid, str) or not np.iterable(grid):
            raise TypeError(f"a grid is a dict of lists or a list of dicts, got {grid!r}")
        points = list(grid)
        shape = (len(points),)
    if not points:
        raise ValueError(f"a grid has at least one point, got {grid!r}")
    for point in points:
        if not isinstance(point, dict) or not all(isinstance(key, str) for key in point):
            raise TypeError(f"a point is a dict from names to values, got {point!r}")
    return [{key: v.item() if isinstance(v, np.generic) else v for key, v in p.items()} for p in points], shape


def plain(value):
    """value in the words of JSON: NumPy scalars become numbers, arrays and tuples lists, dataclasses dicts.

    NaN and infinities stay, as Python's json writes and reads them.

    Raises
    ------
    TypeError
        For anything that JSON has no words for.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "biufUO":
        return plain((value.astype(np.float64) if value.dtype.kind == "f" else value).tolist())
    if isinstance(value, int | float | str):  # of a class of its own, an enumeration for example
        return json.loads(json.dumps(value))
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        if not all(isinstance(key, str | int) for key in value) or len(set(map(str, value))) < len(value):
            raise TypeError(f"the keys of a dict are different names, got {list(value)!r}")
        return {str(key): plain(v) for key, v in value.items()}
    raise TypeError(
        f"numbers, text, None, lists, dicts, arrays and dataclasses can be kept, got {type(value).__name__}"
    )


class Sweep:
    """The results of a sweep, in the order of its grid: a table whose rows are points.

    Attributes
    ----------
    points : list of dict
    shape : tuple of int
        Of the grid: ``np.reshape(result["loss"], result.shape)`` has an axis for each parameter.
    outcomes : list
        For each point {"value": ..., "seconds": ...} or {"error": ..., "seconds": ...}, or None before it is computed.
    unsaved : int
        How many results the disk did not take.
    """

    def __init__(self, name, points, shape):
        self.name, self.points, self.shape = name, points, shape
        self.outcomes = [None] * len(points)
        self.unsaved = 0

    @property
    def values(self):
        """What the function returned, or None where it failed."""
        return [outcome.get("value") if outcome else None for outcome in self.outcomes]

    @property
    def errors(self):
        """A :class:`Failure` where the function failed, else None."""
        return [Failure(**outcome["error"]) if outcome and "error" in outcome else None for outcome in self.outcomes]

    @property
    def seconds(self):
        """How long each point took."""
        return [outcome["seconds"] if outcome else None for outcome in self.outcomes]

    @property
    def done(self):
        """Whether each point has a value."""
        return [outcome is not None and "value" in outcome for outcome in self.outcomes]

    @property
    def rows(self):
        """For each point a dict of its parameters and, where it is done, of the returned dict, or of "value".

        A returned name that is a parameter's, too, is found in ``values`` alone.
        """
        rows = []
        for point, value, done in zip(self.points, self.values, self.done):
            found = (value if isinstance(value, dict) else {"value": value}) if done else {}
            rows.append({**point, **{name: v for name, v in found.items() if name not in point}})
        return rows

    @property
    def columns(self):
        """All names in the rows: parameters, then what was returned."""
        names = dict.fromkeys(name for point in self.points for name in point)
        return list(names | dict.fromkeys(name for row in self.rows for name in row))

    def __getitem__(self, name):
        """A column, a list with None where there is no value."""
        if name not in self.columns:
            raise KeyError(f"no column is called {name!r}; there are {', '.join(self.columns)}")
        return [row.get(name) for row in self.rows]

    def best(self, name, largest=False):
        """The row with the smallest, or ``largest``, number in a column; NaN and missing ones do not take part."""
        column = self[name]
        wrong = [v for v in column if v is not None and not isinstance(v, int | float)]
        if wrong:
            raise TypeError(f"best compares numbers, the column {name!r} has {wrong[0]!r}")
        numbers = [(v, i) for i, v in enumerate(column) if v is not None and not math.isnan(v)]
        if not numbers:
            raise ValueError(f"the column {name!r} has no number to compare")
        _, i = min(numbers, key=lambda pair: -pair[0] if largest else pair[0])  # the first among equals
        return self.rows[i]

    def save(self, path):
        """Write all results to a file that ``sweep(..., path=path)`` goes on with; an older file is replaced."""
        lines = [_line(p, outcome) for p, outcome in zip(self.points, self.outcomes) if outcome is not None]
        _write_whole(pathlib.Path(path), [_header(self.name, self.points), *lines])
        self.unsaved = 0

    def __len__(self):
        return len(self.points)

    def __iter__(self):
        return iter(self.rows)

    def __repr__(self):
        n_failed, n_missing = sum(e is not None for e in self.errors), self.outcomes.count(None)
        text = f"sweep of {self.name}: {len(self)} points"
        text += f", {n_failed} failed" * (n_failed > 0) + f", {n_missing} not computed" * (n_missing > 0)
        text += f", {self.unsaved} not saved" * (self.unsaved > 0)
        shown = [[_short(row.get(name)) for name in self.columns] for row in self.rows[:SHOWN]]
        header = list(self.columns)
        if n_failed:
            header.append("failed")
            for cells, error in zip(shown, self.errors):
                cells.append("" if error is None else _short(str(error)))
        text += "\n" + repr(Table([header, *shown]))
        return text + f"\n... and {len(self) - SHOWN} more" * (len(self) > SHOWN)


SHOWN = 20  # rows of a printed sweep


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a point has no value: the error's type and message, and its traceback as text."""

    type: str
    message: str
    traceback: str

    def __str__(self):
        return f"{self.type}: {self.message}"


class Interrupted(KeyboardInterrupt):
    """A sweep was interrupted; ``result`` holds what was computed until then."""

    def __init__(self, result, path):
        text = f"interrupted after {sum(result.done)} of {len(result)} points, which are in this error's `result`"
        if path is not None:
            text += f"; the same call with path={str(path)!r} goes on"
            text += f", but {result.unsaved} of them are not on disk" * (result.unsaved > 0)
        super().__init__(text)
        self.result = result


class NotSaved(RuntimeWarning):
    """The disk did not take some results; ``result`` holds all of them."""

    def __init__(self, result, path, problem):
        super().__init__(
            f"{result.unsaved} of {len(result)} results are in memory alone, {path} did not take them ({problem}): "
            "make room and call result.save(path)"
        )
        self.result = result


# --- one point, here or elsewhere -------------------------------------------------------------------------------------


def _run(function, point):
    """What came of one point, in the words of JSON; this is all that a worker sends back."""
    start = time.perf_counter()
    try:
        outcome = {"value": plain(function(**point))}
    except (Exception, SystemExit) as error:
        outcome = _failure(error, error.__traceback__.tb_next)
    return {**outcome, "seconds": time.perf_counter() - start}


def _failure(error, trace):
    text = "".join(traceback.format_exception(type(error), error, trace))
    return {"error": {"type": type(error).__qualname__, "message": str(error), "traceback": text}}


def _on(executor, function, points, todo, keep):
    """Compute the points elsewhere; each is kept as soon as it is there."""
    futures, finished, kept = {}, queue.SimpleQueue(), set()

    def collect(future):
        i = futures[future]
        if i in kept:
            return
        try:
            outcome = future.result()
        except Exception as error:  # of the executor: a worker was killed, the function cannot be sent
            outcome = {**_failure(error, error.__traceback__), "seconds": 0.0}
        keep(i, outcome)
        kept.add(i)

    try:
        for i in todo:
            try:
                future = executor.submit(_run, function, points[i])
            except Exception as error:
                keep(i, {**_failure(error, error.__traceback__), "seconds": 0.0})
            else:
                futures[future] = i
                future.add_done_callback(finished.put)
        while len(kept) < len(futures):
            try:
                collect(finished.get(timeout=0.2))  # waking up now and then: Windows hears Ctrl-C only in between
            except queue.Empty:
                continue
    except KeyboardInterrupt:
        for future in futures:
            if future.done() and not future.cancelled() and not isinstance(future.exception(), KeyboardInterrupt):
                collect(future)
        raise
    finally:
        for future in futures:
            future.cancel()


def _name(function):
    """The name by which a file knows a function; what it cannot know stands between < and >."""
    if isinstance(function, functools.partial):
        given = [_literal(value) for value in function.args]
        given += [f"{name}={_literal(value)}" for name, value in function.keywords.items()]
        return f"{_name(function.func)}({', '.join(given)})"
    if not callable(function):
        raise TypeError(f"sweep takes a function, got {function!r}")
    owner = getattr(function, "__self__", None if hasattr(function, "__qualname__") else function)
    if owner is None or isinstance(owner, type) or inspect.ismodule(owner):
        return f"{function.__module__}.{function.__qualname__}"
    return f"<{type(owner).__module__}.{type(owner).__qualname__} object>"  # an object, or a method that belongs to one


def _literal(value):
    try:
        return json.dumps(plain(value))
    except TypeError:
        return f"<{type(value).__qualname__} object>"


def _check_call(function, name, points):
    """Find a misspelled parameter before anything is computed."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions of C tell nothing
        return
    for point in points:
        try:
            signature.bind(**point)
        except TypeError as error:
            raise TypeError(f"{name}{signature} does not take the point {point}: {error}") from None


# --- the file: a line that says what it is, and a line for each result ------------------------------------------------


class _File:
    """The results on disk.  ``outcomes`` is filled with what is there; ``append`` adds a line at once."""

    def __init__(self, path, name, points, outcomes):
        self.path, self.points = pathlib.Path(path), points
        self.waiting, self.torn, self.problem = [], False, None  # lines that the disk did not take, and why
        header = _header(name, points)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{self.path.parent} is no folder: make it first")
        if not self.path.exists() or not self.path.stat().st_size:
            _write_whole(self.path, [header])
            return
        first, *lines = self.path.read_bytes().split(b"\n")
        self.compare(first, header)
        index = {_key(point): i for i, point in enumerate(points)}
        whole = {}
        for line in lines:
            key, outcome = _read(line)
            if key in index:
                outcomes[index[key]] = outcome  # the last word on a point counts
                whole[key] = line
        if lines != [*whole.values(), b""]:  # a line is damaged or not finished, or a later one replaces it
            _write_whole(self.path, [header, *whole.values()])

    def compare(self, first, header):
        """Whether the file's first line is that of this sweep."""
        there, here = _parse(first), _parse(header)
        if not isinstance(there, dict) or there.get("format") != FORMAT or there.keys() != here.keys():
            raise ValueError(
                f"{self.path} was not written by a sweep, or its first line is damaged: choose another path"
            )
        mend = "choose another path, or delete the file"
        if there["function"] != here["function"]:
            raise ValueError(
                f"{self.path} holds a sweep of {there['function']}, this is one of {here['function']}: {mend}"
            )
        if there["check"] != here["check"]:
            raise ValueError(
                f"{self.path} holds a sweep over another grid: {_differences(there['grid'], here['grid'])}: {mend}"
            )

    def append(self, i, outcome):
        """Write one result, and those before it that found no place."""
        self.waiting.append(_line(self.points[i], outcome))
        # where a write broke off, a new line begins; the piece is dropped when the file is read
        text = b"\n" * self.torn + b"".join(line + b"\n" for line in self.waiting)
        self.torn = True
        try:
            with open(self.path, "ab") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self.problem = error
        else:
            self.waiting, self.torn = [], False


def _header(name, points):
    if "<lambda>" in name or " object>" in name:
        raise ValueError(
            f"a file knows a function by its name, and {name} says too little: use def, and numbers or text"
        )
    keys = [_key(point) for point in points]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"a file knows a result by its point, and {twice} stands twice: tell them apart by a seed")
    grid = {}
    for point in points:
        for parameter, value in point.items():
            values = grid.setdefault(parameter, [])
            if plain(value) not in values:
                values.append(plain(value))
    check = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()
    return _dump({"format": FORMAT, "function": name, "points": len(points), "grid": grid, "check": check})


def _differences(there, here):
    """In which parameters two grids differ, in words."""
    differences = [
        f"{name} is {there.get(name, 'absent')} there, {here.get(name, 'absent')} here"
        for name in there | here
        if sorted(map(json.dumps, there.get(name, ()))) != sorted(map(json.dumps, here.get(name, ())))
    ]
    return "; ".join(differences) or "the same values in other combinations"


def _key(point):
    try:
        return json.dumps(plain(point), sort_keys=True)
    except TypeError as error:
        raise TypeError(
            f"with a path, {point} must be written as JSON ({error}): put names into the grid, "
            "and let the function look them up"
        ) from None


def _line(point, outcome):
    record = {"point": plain(point), **outcome}
    return _dump({**record, "check": _checksum(record)})


def _read(line):
    """The point's key and the outcome of a line, or (None, None) if the line is damaged."""
    record = _parse(line)
    if not isinstance(record, dict) or record.pop("check", None) != _checksum(record) or "point" not in record:
        return None, None
    return _key(record.pop("point")), record


def _checksum(record):
    return f"{zlib.crc32(_dump(record)):08x}"


def _dump(thing):
    return json.dumps(thing).encode()


def _parse(line):
    try:
        return json.loads(line)
    except ValueError:
        return None


def _write_whole(path, lines):
    """The file as a whole, or none of it."""
    with archive.whole(path) as file:
        file.write(b"".join(line + b"\n" for line in lines))


# --- what is shown ----------------------------------------------------------------------------------------------------


def _short(value):
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | dict):
        return f"{type(value).__name__} of {len(value)}"
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:39] + "…"
