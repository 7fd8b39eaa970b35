"""Records: results of experiments that take longer than a notebook may, kept beside their source and bound to it.

An experiment is a function of an arm and a seed in a module; its record is a file beside that module, with a hash of
the experiment's own source.  ``make experiments`` runs what has changed; a chapter draws the record and runs one arm
and seed live, which must agree with it::

    @record("10.deep", arms=["tanh", "relu"], seeds=range(5))
    def deep(arm, seed):
        ...
        return {"accuracy": accuracy, "loss": losses}

    deep.results["tanh"]["accuracy"]  # (5,), one a seed
    deep.rerun("tanh", seed=0)        # computes it again and compares
"""

import ast
import functools
import hashlib
import inspect
import json
import math
import pathlib
import sys
import textwrap

import numpy as np

from nnlib.course.seeds import unshifted

FORMAT = "nnlib record, version 1"
FOLDER = "records"  # beside the experiment's module
DIGITS = 6  # of each number in a record


class Stale(RuntimeError):
    """The record was made by another version of its experiment."""


def record(id, *, arms, seeds, rtol=1e-3):
    """A decorator that makes an experiment ``function(arm, seed) -> dict`` a :class:`Recorded` one.

    Parameters
    ----------
    id : str
        "10.deep": the chapter and a name; the record is ``records/10.deep.json`` beside the module.
    arms : sequence of str
    seeds : sequence of int
    rtol : float
        How far a rerun on another machine may be from the record, relative to the larger of the two.
    """
    return lambda function: Recorded(function, id, tuple(arms), tuple(map(int, seeds)), rtol)


class Recorded:
    """An experiment with its record; see :func:`record`."""

    def __init__(self, function, id, arms, seeds, rtol):
        functools.update_wrapper(self, function)
        self.function, self.id, self.arms, self.seeds, self.rtol = function, id, arms, seeds, rtol
        self.path = pathlib.Path(inspect.getfile(function)).parent / FOLDER / f"{id}.json"

    def __call__(self, arm, seed):
        """Run one arm and seed now; the seed is the record's own, whatever ``NNLIB_SEED`` says."""
        if arm not in self.arms:
            raise ValueError(f"the experiment {self.id} has the arms {', '.join(self.arms)}, got {arm!r}")
        if seed not in self.seeds:
            raise ValueError(f"the experiment {self.id} has the seeds {', '.join(map(str, self.seeds))}, got {seed!r}")
        with unshifted():
            return _plain(self.function(arm, seed))

    @property
    def hash(self):
        """Of the experiment's source and of what it uses of its own module; comments and layout do not count."""
        text = own_source(self.function) + repr((self.arms, self.seeds))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def state(self):
        """ "recorded", "missing" or "stale"."""
        if not self.path.exists():
            return "missing"
        return "recorded" if json.loads(self.path.read_text("utf8")).get("hash") == self.hash else "stale"

    @property
    def results(self):
        """{arm: {name: array (seeds, ...)}}, as recorded.

        Raises
        ------
        Stale
            Where the experiment has changed since, or never ran.
        """
        state = self.state()
        if state != "recorded":
            raise Stale(f"the record of the experiment {self.id} is {state}: run `make experiments`")
        rows = json.loads(self.path.read_text("utf8"))["results"]
        return {
            arm: {
                name: np.array([rows[arm][str(s)][name] for s in self.seeds]) for name in rows[arm][str(self.seeds[0])]
            }
            for arm in self.arms
        }

    def run(self, step=lambda arm, seed: None):
        """Run every arm and seed and write the record; ``step(arm, seed)`` is called before each."""
        hash, results = self.hash, {arm: {} for arm in self.arms}  # of the source as it is now, and runs
        for arm in self.arms:
            for seed in self.seeds:
                step(arm, seed)
                results[arm][str(seed)] = self(arm, seed)
        self.path.parent.mkdir(exist_ok=True)
        rows = {"format": FORMAT, "id": self.id, "hash": hash, "results": results}
        text = json.dumps(rows, indent=1, ensure_ascii=False, default=str)
        self.path.write_text(text, "utf8")

    def rerun(self, arm, seed):
        """Run one arm and seed now; its results, if they agree with the record.

        Raises
        ------
        AssertionError
            Where they do not, with both.
        """
        now, then = self(arm, seed), {k: v[self.seeds.index(seed)] for k, v in self.results[arm].items()}
        for name, recorded in then.items():
            if not np.allclose(now[name], recorded, rtol=self.rtol, atol=0.0, equal_nan=True):
                raise AssertionError(
                    f"{self.id}, {arm}, seed {seed}: {name} is {now[name]} now and {recorded} in the record"
                )
        return now

    def __repr__(self):
        return f"Recorded({self.id!r}, {len(self.arms)} arms, {len(self.seeds)} seeds)"


def own_source(function):
    """The source of a function and of all that it uses, directly or not, of its own module, without comments."""
    module = ast.parse(inspect.getsource(sys.modules[function.__module__]))
    definitions = {}
    for node in module.body:
        names = [node.name] if hasattr(node, "name") else []
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
        definitions.update(dict.fromkeys(names, node))
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found, waiting = {}, {function.__name__: tree}
    while waiting:
        name, node = waiting.popitem()
        found[name] = ast.unparse(_without_docstring(node))
        used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        waiting.update({n: definitions[n] for n in used if n in definitions and n not in found})
    return "\n".join(found[name] for name in sorted(found))


def _without_docstring(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and len(node.body) > 1 and ast.get_docstring(node):
            del node.body[0]
    return tree


def _plain(thing):
    """Results as JSON holds them, each number to a few digits."""
    if isinstance(thing, dict):
        return {str(k): _plain(v) for k, v in thing.items()}
    if isinstance(thing, np.ndarray):
        return _plain(thing.tolist())
    if isinstance(thing, list | tuple):
        return [_plain(v) for v in thing]
    if isinstance(thing, bool | np.bool_):
        return bool(thing)
    if isinstance(thing, int | np.integer):
        return int(thing)
    if isinstance(thing, float | np.floating):
        return float(f"{thing:.{DIGITS}g}") if math.isfinite(thing) else float(thing)
    raise TypeError(f"an experiment gives numbers, lists and arrays of them, got {thing!r}")
