"""Claims: sentences that a cell's results carry, and statements that must make them fail."""

import ast
import contextlib
import copy
import hashlib
import io
import json
import numbers
import os
import sys
import types

import numpy as np

RECORD = "NNLIB_CLAIMS"  # a file: claims are written down there, and one that fails does not stop the notebook


class ClaimFails(AssertionError):
    """The results do not carry the sentence; ``id`` names the claim."""

    def __init__(self, id, sentence):
        super().__init__(f"claim {id} does not hold here: {sentence}")
        self.id = id


def claim(id, sentence, holds):
    """Print a sentence that the results above carry, or raise :class:`ClaimFails`.

    The cell's metadata names ``falsifiers``: statements that change the results as little as makes the sentence false.
    ``make test`` runs each on copies of the results and wants this claim to fail.

    Parameters
    ----------
    id : str
        Of the syllabus ("D01"), or of the chapter ("04.dead").
    sentence : str
        No wider than ``holds``: the same arms, metric and setting.
    holds : bool
        Computed from results; NaN, an array or None is an error.
    """
    if not isinstance(holds, bool | np.bool_):
        raise TypeError(f"claim {id} takes True or False, got {holds!r}: compare numbers, use .all() on arrays")
    record = os.environ.get(RECORD)
    if record:
        row = {"id": id, "sentence": sentence, "holds": bool(holds), "results": digest(sys._getframe(1).f_globals)}
        with open(record, "a", encoding="utf8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif not holds:
        raise ClaimFails(id, sentence)
    print(sentence)


def falsify(cell, statement, namespace):
    """The id of the claim in a cell that fails after ``statement``; both run on copies, ``namespace`` stays as it is.

    Raises
    ------
    AssertionError
        If every claim of the cell holds all the same, if something else fails, or if the statement puts NaN, infinity
        or only zeros into a result: that makes anything false and proves nothing.
    """
    copies = _copies_of(_names(statement) | _names(cell), namespace)
    before = {name: _oddities(value) for name, value in copies.items()}
    with contextlib.redirect_stdout(io.StringIO()), _unrecorded():
        try:
            exec(compile(statement, "<falsifier>", "exec"), copies)
        except Exception as error:
            raise AssertionError(f"the falsifier {statement!r} itself fails: {error!r}") from error
        for name in copies.keys() - {"__builtins__"}:
            if fresh := _oddities(copies[name]) - before.get(name, set()):
                raise AssertionError(f"the falsifier {statement!r} puts {' and '.join(sorted(fresh))} into {name}")
        try:
            exec(compile(cell, "<claim>", "exec"), copies)
        except ClaimFails as failure:
            return failure.id
        except Exception as error:
            raise AssertionError(f"after {statement!r} the cell fails, but no claim does: {error!r}") from error
    raise AssertionError(f"after {statement!r} every claim of the cell holds all the same")


def digest(namespace):
    """A hash of all numbers and texts that the running cell names: another one where another seed changes them."""
    cell = namespace.get("In", [""])[-1]  # IPython keeps the sources of the cells there
    found = _copies_of(_names(cell), namespace)
    content = [(name, [a.tobytes() for a in _numbers(found[name])], _texts(found[name])) for name in sorted(found)]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]


def claimed(cell):
    """The ids of the claims in a cell, in order."""
    calls = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Call)]
    return [
        ast.literal_eval(call.args[0])
        for call in calls
        if getattr(call.func, "id", getattr(call.func, "attr", None)) == "claim" and call.args
    ]


def _names(source):
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _copies_of(names, namespace):
    """Those names of the namespace: results as deep copies; modules, functions and classes as they are."""
    shared = types.ModuleType | types.FunctionType | types.BuiltinFunctionType | type
    found = {name: namespace[name] for name in names if name in namespace}
    memo = {}  # results that share an array share its copy
    return {name: value if isinstance(value, shared) else copy.deepcopy(value, memo) for name, value in found.items()}


def _numbers(value, seen=None):
    """All arrays of numbers in a result, one after the other, whatever holds them."""
    seen = set() if seen is None else seen
    if value is None or id(value) in seen or isinstance(value, types.ModuleType | types.FunctionType | type):
        return []
    seen.add(id(value))
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple) and not all(isinstance(v, numbers.Number) for v in value):
        parts = list(value)
    else:
        parts = list(vars(value).values()) if hasattr(value, "__dict__") else []
    if parts:
        return [array for part in parts for array in _numbers(part, seen)]
    try:
        return [np.asarray(value, float)]
    except (TypeError, ValueError):
        return []


def _texts(value):
    """All texts in a result of lists, sets and dictionaries."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist() if value.dtype.kind in "OU" else []
    found = [text for part in value for text in _texts(part)] if isinstance(value, list | tuple | set) else []
    return sorted(found) if isinstance(value, set) else found


def _oddities(value):
    """What makes any comparison false: {"NaN"}, {"infinity"}, {"only zeros"} or several of them."""
    arrays = _numbers(value)
    odd = {"NaN": any(np.isnan(a).any() for a in arrays), "infinity": any(np.isinf(a).any() for a in arrays)}
    odd["only zeros"] = any(a.size > 1 and not a.any() for a in arrays)
    return {name for name, found in odd.items() if found}


@contextlib.contextmanager
def _unrecorded():
    record = os.environ.pop(RECORD, None)
    try:
        yield
    finally:
        if record is not None:
            os.environ[RECORD] = record
