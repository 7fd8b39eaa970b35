"""Recorded experiments: bound to their source, rerun in part, and none of the course is stale."""

import importlib
import json
import sys

import experiments
import numpy as np
import pytest

from nnlib.course.seeds import shift
from nnlib.records import Stale

SOURCE = '''
"""A module with an experiment."""
import numpy as np
from nnlib.records import record

SCALE = 2.0
UNUSED = 1.0


def noise(seed):
    """Normal numbers."""
    return np.random.default_rng(seed).normal(size=3)  # three


def unused():
    return UNUSED


@record("00.toy", arms=["a", "b"], seeds=range(5))
def toy(arm, seed):
    x = SCALE * noise(seed) + (arm == "b")
    return {"mean": x.mean(), "all": x, "n": len(x)}
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A function that writes the module with replacements and gives its experiment."""
    monkeypatch.syspath_prepend(tmp_path)

    def load(*replacements):
        source = SOURCE
        for old, new in replacements:
            assert old in source
            source = source.replace(old, new)
        (tmp_path / "recorded_toy.py").write_text(source, "utf8")
        sys.modules.pop("recorded_toy", None)
        importlib.invalidate_caches()
        import linecache

        linecache.clearcache()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        try:
            return importlib.import_module("recorded_toy").toy
        finally:
            sys.dont_write_bytecode = before
            monkeypatch.setitem(sys.modules, "recorded_toy", sys.modules["recorded_toy"])

    return load


def test_results_come_back_one_a_seed(toy):
    experiment = toy()
    assert experiment.state() == "missing"
    steps = []
    experiment.run(lambda arm, seed: steps.append((arm, seed)))
    assert steps == [(arm, seed) for arm in "ab" for seed in range(5)]
    assert experiment.state() == "recorded"
    results = experiment.results
    assert results["a"]["mean"].shape == (5,)
    assert results["b"]["all"].shape == (5, 3)
    np.testing.assert_allclose(results["b"]["mean"] - results["a"]["mean"], 1.0, rtol=1e-4)
    np.testing.assert_allclose(results["a"]["all"][3], 2.0 * np.random.default_rng(3).normal(size=3), rtol=1e-5)


def test_a_rerun_agrees_or_says_both(toy):
    experiment = toy()
    experiment.run()
    assert experiment.rerun("b", seed=2)["n"] == 3
    record = json.loads(experiment.path.read_text("utf8"))
    record["results"]["b"]["2"]["mean"] *= 1.01
    experiment.path.write_text(json.dumps(record), "utf8")
    with pytest.raises(AssertionError, match=r"00\.toy, b, seed 2: mean is .* now and .* in the record"):
        experiment.rerun("b", seed=2)
    experiment.rerun("b", seed=1)


def test_a_rerun_keeps_its_seeds_under_another_number(toy):
    experiment = toy()
    experiment.run()
    try:
        shift(3)
        experiment.rerun("a", seed=1)
        assert np.random.default_rng(1).random() != np.random.default_rng.original(1).random()
    finally:
        shift(0)


def test_a_source_edited_during_a_run_leaves_the_record_stale(toy):
    experiment = toy()

    def edit(arm, seed):
        path = experiment.path.parents[1] / "recorded_toy.py"
        path.write_text(path.read_text("utf8").replace("SCALE = 2.0", "SCALE = 3.0 "), "utf8")

    experiment.run(edit)
    assert toy(("SCALE = 2.0", "SCALE = 3.0")).state() == "stale"
    assert toy().state() == "recorded"


@pytest.mark.parametrize(
    "change",
    [
        ("SCALE = 2.0", "SCALE = 3.0"),
        ("x.mean()", "x.max()"),
        ("normal(size=3)", "random(size=3)"),
        ("range(5)", "range(6)"),
        ('["a", "b"]', '["a", "b", "c"]'),
    ],
)
def test_another_source_makes_the_record_stale(toy, change):
    toy().run()
    experiment = toy(change)
    assert experiment.state() == "stale"
    with pytest.raises(Stale, match="is stale: run `make experiments`"):
        experiment.results


@pytest.mark.parametrize(
    "change",
    [
        ("# three", "# 3"),
        ('"""Normal numbers."""', '"""Numbers."""'),
        ("UNUSED = 1.0", "UNUSED = 7.0"),
        ("A module", "The module"),
    ],
)
def test_what_it_does_not_use_leaves_the_record_alone(toy, change):
    toy().run()
    assert toy(change).state() == "recorded"


def test_wrong_calls(toy):
    experiment = toy()
    with pytest.raises(Stale, match="is missing"):
        experiment.results
    with pytest.raises(ValueError, match="has the arms a, b, got 'c'"):
        experiment("c", 0)
    with pytest.raises(TypeError, match="numbers, lists and arrays"):
        toy(('"n": len(x)', '"n": "three"'))("a", 0)


def test_no_record_of_the_course_is_stale():
    assert {id: e.state() for id, e in experiments.recorded().items() if e.state() != "recorded"} == {}
