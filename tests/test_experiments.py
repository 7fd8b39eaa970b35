"""Laws of sweeps: results in the order of the grid, the same on any executor, none lost to errors, kills or disks."""

import concurrent.futures
import dataclasses
import enum
import errno
import functools
import io
import json
import math
import multiprocessing
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import types
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import swept
from hypothesis import given
from hypothesis import strategies as st

from nnlib import archive, experiments, progress
from nnlib.experiments import Failure, Interrupted, NotSaved, Sweep, grid_points, plain, sweep
from nnlib.training import History

HERE = pathlib.Path(__file__).parent


def named_like(function, other):
    """``other`` under the name by which a file knows ``function``."""

    def renamed(**point):
        return other(**point)

    renamed.__module__, renamed.__qualname__ = function.__module__, function.__qualname__
    return renamed


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sweep.jsonl"


# --- grids ------------------------------------------------------------------------------------------------------------


def test_a_dict_of_lists_is_every_combination_the_last_parameter_fastest():
    points, shape = grid_points({"a": [1, 2], "b": ["x", "z"], "c": range(3)})
    assert shape == (2, 2, 3)
    assert points[:4] == [{"a": 1, "b": "x", "c": 0}, {"a": 1, "b": "x", "c": 1}, {"a": 1, "b": "x", "c": 2}, {"a": 1, "b": "z", "c": 0}]  # fmt: skip # noqa: E501
    assert len(points) == 12
    assert points[-1] == {"a": 2, "b": "z", "c": 2}


def test_a_list_of_dicts_names_its_points():
    assert grid_points([{"a": 1}, {"a": 2, "b": 3}]) == ([{"a": 1}, {"a": 2, "b": 3}], (2,))
    assert grid_points({"a": n} for n in (1, 2)) == ([{"a": 1}, {"a": 2}], (2,))


def test_numpy_scalars_reach_the_function_as_python_numbers():
    got = []
    sweep(lambda a, b: got.append((type(a), type(b))), {"a": np.linspace(0, 1, 2), "b": np.arange(2, dtype=np.int8)})
    assert set(got) == {(float, int)}  # a np.float64 would turn float32 arrays into float64


# --- results ----------------------------------------------------------------------------------------------------------


def test_a_sweep_holds_what_the_function_gives_in_the_order_of_the_grid():
    result = sweep(swept.product, {"a": [2, 3], "b": [5, 7, 11]})
    assert result.values == [10, 14, 22, 15, 21, 33]
    assert result.rows[4] == {"a": 3, "b": 7, "value": 21}
    assert list(result) == result.rows
    assert len(result) == 6
    assert result["a"] == [2, 2, 2, 3, 3, 3]
    assert result["value"] == result.values
    assert result.columns == ["a", "b", "value"]
    assert result.done == [True] * 6
    assert result.errors == [None] * 6
    np.testing.assert_array_equal(np.reshape(result["value"], result.shape), [[10, 14, 22], [15, 21, 33]])


def test_each_point_is_timed(monkeypatch):
    clock = iter([1.0, 1.5, 10.0, 12.0])
    monkeypatch.setattr(experiments.time, "perf_counter", lambda: next(clock))
    assert sweep(swept.fragile, {"n": [1, 2]}).seconds == [0.5, 2.0]


def test_a_returned_dict_becomes_columns():
    result = sweep(lambda a: {"loss": a / 2, "a": "hidden", "curve": np.arange(a)}, {"a": [1, 2]})
    assert result.rows == [{"a": 1, "loss": 0.5, "curve": [0]}, {"a": 2, "loss": 1.0, "curve": [0, 1]}]
    assert result.values[0]["a"] == "hidden"
    with pytest.raises(KeyError, match="no column is called 'los'; there are a, loss, curve"):
        result["los"]


def test_a_failed_point_keeps_its_error_and_ends_nothing():
    result = sweep(swept.fragile, {"n": [1, 2, 3]})
    assert result.values == [1, None, 9]
    assert result.done == [True, False, True]
    failure = result.errors[1]
    assert isinstance(failure, Failure)
    assert (failure.type, failure.message) == ("ZeroDivisionError", "no result at 2")
    assert str(failure) == "ZeroDivisionError: no result at 2"
    assert failure.traceback.startswith("Traceback (most recent call last):")
    assert "in fragile" in failure.traceback
    assert "_run" not in failure.traceback
    assert result["value"] == [1, None, 9]
    assert result.rows[1] == {"n": 2}
    assert result.errors[::2] == [None, None]


def test_a_function_that_leaves_python_is_a_failed_point():
    result = sweep(lambda n: sys.exit(3) if n else 0, {"n": [1, 0]})
    assert result.errors[0].type == "SystemExit"
    assert result.values == [None, 0]


def test_a_result_that_is_no_json_is_a_failed_point_that_says_so():
    result = sweep(lambda n: {"network": object()} if n else None, {"n": [0, 1]})
    assert result.done == [True, False]
    assert result.errors[1].message.endswith("can be kept, got object")


class Color(enum.StrEnum):
    RED = "red"


@dataclasses.dataclass
class Pair:
    left: object
    right: object

    @classmethod
    def of(cls, n):
        return cls(n, n)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (np.True_, True),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.longdouble(0.25), 0.25),
        (np.str_("a"), "a"),
        (enum.IntEnum("N", "ONE")(1), 1),
        (Color.RED, "red"),
        ((1, [2.0, "x"]), [1, [2.0, "x"]]),
        (np.arange(4, dtype=np.uint8).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array(7.0), 7.0),
        (np.array([1, None, "a"], object), [1, None, "a"]),
        ({"a": np.float32(1), 2: (3,)}, {"a": 1.0, "2": [3]}),
        (Pair(np.ones(2), Pair(1, None)), {"left": [1.0, 1.0], "right": {"left": 1, "right": None}}),
    ],
)
def test_values_are_told_in_the_words_of_json(value, expected):
    result = plain(value)
    assert result == expected
    assert type(result) is type(expected)
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(
    "value", [object(), 1j, np.complex64(1j), {1, 2}, b"x", {1.5: 2}, {1: 0, "1": 0}, Pair, np.array([object()]), len]
)
def test_what_json_has_no_words_for_is_refused(value):
    with pytest.raises(TypeError, match=r"can be kept|different names"):
        plain(value)


def test_a_training_history_can_be_kept():
    kept = plain(History(train_loss=[np.float32(1.5), math.inf]))
    assert kept["train_loss"] == [1.5, math.inf]
    assert kept["validation_loss"] == []


def test_best_finds_the_row_of_the_extreme_number():
    losses = [0.3, math.nan, 0.1, None, 0.1, math.inf]
    result = sweep(lambda n: {"loss": losses[n], "text": "x"} if n != 3 else 1 / 0, {"n": range(6)})
    assert result.best("loss") == {"n": 2, "loss": 0.1, "text": "x"}
    assert result.best("loss", largest=True)["n"] == 5
    assert result.best("n", largest=True)["n"] == 5
    with pytest.raises(TypeError, match="'text' has 'x'"):
        result.best("text")
    with pytest.raises(ValueError, match="'loss' has no number"):
        sweep(lambda n: {"loss": math.nan}, {"n": [1]}).best("loss")


def test_a_sweep_prints_as_a_table():
    def cell(n):
        if n == 2:
            raise ValueError("a long story " * 10)
        return {"loss": n / 3, "curve": [1.0, 2.0], "note": None}

    result = sweep(cell, {"n": range(1, 24)})
    lines = repr(result).splitlines()
    assert lines[0].endswith("cell: 23 points, 1 failed")
    assert lines[1].split() == ["n", "loss", "curve", "note", "failed"]
    assert lines[2].split() == ["1", "0.3333", "list", "of", "2", "–"]
    assert lines[3].split()[:6] == ["2", "–", "–", "–", "ValueError:", "a"]
    assert lines[3].endswith("…")
    assert lines[-1] == "... and 3 more"
    assert len(lines) == 2 + 20 + 1
    partly = Sweep("f", [{"n": 1}, {"n": 2}], (2,))
    partly.unsaved = 1
    assert repr(partly).startswith("sweep of f: 2 points, 2 not computed, 1 not saved")


# --- executors --------------------------------------------------------------------------------------------------------

GRID = {"learning_rate": [0.1, 0.5], "seed": [0, 1, 2]}


def check_an_executor(executor, path, elsewhere=True):
    """What must hold on every executor: the bits, the order and the errors of this process."""
    here = sweep(swept.train, GRID)
    there = sweep(swept.train, GRID, executor, path=path)
    assert here["path"] == there["path"]
    assert here["loss"] == there["loss"]
    assert there["finite"] == [True] * 6
    assert (os.getpid() not in there["pid"]) == elsewhere
    assert sweep(swept.train, GRID, path=path)["pid"] == there["pid"]  # from the file
    fragile = sweep(swept.fragile, {"n": [3, 2, 1]}, executor)
    assert fragile.values == [9, None, 1]
    assert fragile.errors[1].type == "ZeroDivisionError"
    assert "in fragile" in fragile.errors[1].traceback
    if elsewhere:  # a function that cannot be sent is an error at each point, and says so
        assert all(e.message for e in sweep(Unsendable(), {"n": [1, 2]}, executor).errors)


class Unsendable:
    def __call__(self, n):
        return n

    def __reduce__(self):
        raise TypeError("cannot be sent")


class Client:
    """Like dask's: not an executor, but it has one."""

    def get_executor(self):
        pytest.fail("asked")


def test_a_sweep_on_threads(path):
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        check_an_executor(executor, path, elsewhere=False)


def test_results_that_come_in_any_order_are_told_in_that_of_the_grid():
    waiting, computed = [], []

    class LastFirst(concurrent.futures.Executor):
        """Computes when it has four points, the last of them first."""

        def submit(self, function, *arguments):
            waiting.append((concurrent.futures.Future(), function, arguments))
            if len(waiting) == 4:
                for future, compute, (f, point) in reversed(waiting):
                    computed.append(point["n"])
                    future.set_result(compute(f, point))
            return waiting[-1][0]

    assert sweep(swept.fragile, {"n": [0, 1, 3, 4]}, LastFirst()).values == [0, 1, 9, 16]
    assert computed == [4, 3, 1, 0]


def test_a_sweep_on_two_processes(path):
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        check_an_executor(executor, path)


def test_a_killed_worker_is_an_error_that_the_next_call_mends(path):
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        result = sweep(swept.killed, {"n": [0, 1, 2]}, executor, path=path)
        assert result.errors[1].type == "BrokenProcessPool"
        assert result.done[0]
        again = sweep(swept.killed, {"n": [2, 3]}, executor)  # a broken executor takes nothing more
        assert [error.type for error in again.errors] == ["BrokenProcessPool"] * 2
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert [line["point"]["n"] for line in lines if "value" in line][:1] == [0]


def test_a_sweep_on_a_dask_cluster_of_two_workers(path, tmp_path):
    from distributed import Client, LocalCluster

    # port 0 is any that is free; None would be 8787, which another cluster on this machine may have
    options = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "local_directory": str(tmp_path)}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **options) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        check_an_executor(client.get_executor(), path)
        together = sweep(swept.meeting, {"n": [0, 1]}, client.get_executor())
        assert together["met"] == [True, True]  # both points were under way at once
        assert len(set(together["pid"])) == 2


# --- the file ---------------------------------------------------------------------------------------------------------


def test_every_result_is_a_line_of_json_written_at_once(path):
    n_lines = []

    def function(a, b):
        n_lines.append(len(path.read_bytes().splitlines()))
        return {"sum": a + b, "nan": math.nan}

    sweep(function, {"a": [1, 2], "b": [0.5]}, path=path)
    assert n_lines == [1, 2]
    header, *lines = map(json.loads, path.read_text().splitlines())
    assert header["format"] == "nnlib sweep, version 1"
    assert header["function"].endswith("function")
    assert header["grid"] == {"a": [1, 2], "b": [0.5]}
    assert [line["point"] for line in lines] == [{"a": 1, "b": 0.5}, {"a": 2, "b": 0.5}]
    assert lines[1]["value"]["sum"] == 2.5
    assert math.isnan(lines[1]["value"]["nan"])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_second_call_computes_nothing_again(path, tmp_path):
    grid = {"n": [1, 2, 3], "calls": [str(tmp_path / "calls")]}
    first = sweep(swept.counted, grid, path=path)
    before, changed = path.read_bytes(), path.stat().st_mtime_ns
    second = sweep(swept.counted, grid, path=str(path))
    assert second.rows == first.rows
    assert second.seconds == first.seconds
    assert swept.calls_of(tmp_path / "calls") == [1, 2, 3]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, changed)
    turned = sweep(swept.counted, {"calls": grid["calls"], "n": [3, 1, 2]}, path=path)  # the same points
    assert turned.values == [9, 1, 4]
    assert swept.calls_of(tmp_path / "calls") == [1, 2, 3]


def test_a_second_call_computes_failed_points_again(path, tmp_path):
    grid = {"n": range(4), "marker": [str(tmp_path / "marker")]}
    assert sweep(swept.mended, grid, path=path).done == [True, False, True, False]
    (tmp_path / "marker").touch()
    assert sweep(swept.mended, grid, path=path).values == [0, 1, 2, 3]
    (tmp_path / "marker").unlink()
    assert sweep(swept.mended, grid, path=path).values == [0, 1, 2, 3]  # the last word on a point counts


def test_a_file_cut_anywhere_loses_at_most_its_last_point(path, tmp_path):
    grid = {"n": [1, 2, 3], "calls": [str(tmp_path / "calls")]}
    sweep(swept.counted, grid, path=path)
    whole = path.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for size in range(last, len(whole) + 1):
        path.write_bytes(whole[:size])
        (tmp_path / "calls").write_text("")
        assert sweep(swept.counted, grid, path=path).values == [1, 4, 9]
        assert swept.calls_of(tmp_path / "calls") == ([3] if size < len(whole) - 1 else [])
        for line in path.read_bytes().splitlines():
            json.loads(line)  # the file is mended, too
        assert path.read_bytes().count(b"\n") == 4


@functools.cache
def written():
    """A file and the sweep that wrote it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "sweep.jsonl")
        result = sweep(swept.product, {"a": [1, 2, 3], "b": [0.125, 10.5]}, path=path)
        return path.read_bytes(), result


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_no_damage_to_a_line_gives_a_wrong_number(where, byte):
    content, result = bytearray(written()[0]), written()[1]
    start = content.index(b"\n") + 1
    content[start + int(where * (len(content) - start))] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "sweep.jsonl")
        path.write_bytes(bytes(content))
        again = sweep(swept.product, {"a": [1, 2, 3], "b": [0.125, 10.5]}, path=path)
    assert again.rows == result.rows
    kept = [old == new for old, new in zip(again.seconds, result.seconds)]
    assert kept.count(False) <= 2  # a line, or two where the damage joins them


def test_an_empty_file_and_zeros_at_the_end_are_mended(path):
    path.touch()
    assert sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path).values == [3, 6]
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(100))  # as some file systems leave behind after a power failure
    assert sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path).values == [3, 6]
    assert path.read_bytes() == whole


def test_lines_that_no_sweep_wrote_are_dropped(path):
    sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path)
    whole = path.read_bytes()
    record = {"value": 7, "seconds": 0.0}
    forged = json.dumps({**record, "check": experiments._checksum(record)}).encode()
    path.write_bytes(whole + b"3\n\xff\n[]\n{}\n" + forged + b"\n")
    assert sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path).values == [3, 6]
    assert path.read_bytes() == whole


def test_a_file_is_mended_as_a_whole_or_not_at_all(path, monkeypatch):
    sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path)
    damaged = path.read_bytes()[:-1]
    path.write_bytes(damaged)

    def refuse(source, target):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(experiments.os, "replace", refuse)
        with pytest.raises(OSError, match="Input/output"):
            sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path)
    assert path.read_bytes() == damaged
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_result_is_on_the_disk_before_the_next_point_begins(path, monkeypatch):
    happened = []
    fsync = os.fsync
    monkeypatch.setattr(experiments.os, "fsync", lambda number: (happened.append("saved"), fsync(number)))
    sweep(named_like(swept.fragile, lambda n: happened.append("computed")), {"n": range(2)}, path=path)
    assert happened == ["saved", "computed", "saved", "computed", "saved"]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        b"\x80\x04\x95",
        b"[1]\n",
        b'{"format": "other"}\n',
        b'{"format": "nnlib sweep, version 1"}\n',
        b'{"format": "nnlib sweep, ver',
        b'{"format": "nnlib sweep, version 2", "function": "f", "points": 1, "grid": {}, "check": ""}\n',
    ],
)
def test_a_foreign_file_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"was not written by a sweep, .*: choose another path"):
        sweep(swept.product, {"a": [1], "b": [2]}, path=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("function", "grid", "text"),
    [
        (swept.fragile, {"n": [1]}, r"holds a sweep of swept\.product, this is one of swept\.fragile: choose another"),
        (
            swept.product,
            {"a": [1, 2], "b": [4]},
            r"another grid: b is \[3\] there, \[4\] here: choose another path, or",
        ),
        (swept.product, {"a": [1, 2, 5], "b": [3]}, r"a is \[1, 2\] there, \[1, 2, 5\] here"),
        (swept.product, {"a": [1.0, 2.0], "b": [3.5, 3]}, r"b is \[3\] there, \[3.5, 3\] here"),
        (swept.product, [{"a": 1, "b": 3}, {"a": 2, "b": 3}, {"a": 2}], "does not take the point {'a': 2}"),
        (functools.partial(swept.product, b=3), {"a": [1, 2]}, r"this is one of swept\.product\(b=3\)"),
    ],
)
def test_the_file_of_another_sweep_is_refused_and_left_alone(path, function, grid, text):
    sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path)
    before = path.read_bytes()
    with pytest.raises((ValueError, TypeError), match=text):
        sweep(function, grid, path=path)
    assert path.read_bytes() == before


def test_the_same_values_in_other_combinations_are_another_grid(path):
    sweep(swept.product, [{"a": 1, "b": 2}, {"a": 2, "b": 1}], path=path)
    with pytest.raises(ValueError, match="the same values in other combinations"):
        sweep(swept.product, [{"a": 1, "b": 1}, {"a": 2, "b": 2}], path=path)


def test_functions_of_c_and_class_methods_have_names(path):
    assert sweep(round, {"number": [1.26, 2.5], "ndigits": [1]}, path=path).values == [1.3, 2.5]
    path.unlink()
    assert sweep(Pair.of, {"n": [1]}, path=path).values == [{"left": 1, "right": 1}]
    assert b"test_experiments.Pair.of" in path.read_bytes()


def test_settings_of_a_partial_belong_to_its_name(path):
    grid = {"a": [1, 2]}
    assert sweep(functools.partial(swept.product, b=3), grid, path=path).values == [3, 6]
    assert sweep(functools.partial(swept.product, b=3), grid, path=path).values == [3, 6]
    with pytest.raises(ValueError, match=r"product\(b=3\), this is one of swept\.product\(b=4\)"):
        sweep(functools.partial(swept.product, b=4), grid, path=path)


@pytest.mark.parametrize(
    ("function", "grid", "error", "text"),
    [
        (lambda a: a, {"a": [1]}, ValueError, "<lambda> says too little: use def"),
        (Unsendable(), {"n": [1]}, ValueError, "Unsendable object> says too little"),
        ([].append, [{}], TypeError, "does not take the point"),
        ([].copy, [{}], ValueError, "list object> says too little"),
        (functools.partial(swept.product, b=np.sin), {"a": [1]}, ValueError, "ufunc object>.* says too little"),
        (swept.product, {"a": [1, 1], "b": [2]}, ValueError, "stands twice: tell them apart by a seed"),
        (swept.product, {"a": [object()], "b": [2]}, TypeError, "put names into the grid"),
    ],
)
def test_what_a_file_cannot_know_again_is_refused(path, function, grid, error, text):
    with pytest.raises(error, match=text):
        sweep(function, grid, path=path)
    assert not path.exists()


def test_without_a_file_points_may_hold_anything():
    result = sweep(lambda f, x: f(x), {"f": [np.sin, math.sqrt, lambda x: x], "x": [4.0, 4.0]})
    assert result.values == [math.sin(4.0)] * 2 + [2.0] * 2 + [4.0] * 2


def must_not_run(n):
    pytest.fail("computed")


def test_a_missing_folder_is_told_before_anything_is_computed(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is no folder: make it first"):
        sweep(must_not_run, {"n": [1]}, path=tmp_path / "nowhere" / "sweep.jsonl")


def test_a_saved_sweep_goes_on_like_any_other(path, tmp_path):
    calls = str(tmp_path / "calls")
    result = sweep(swept.counted, {"n": [1, 2], "calls": [calls]})
    result.save(path)
    assert sweep(swept.counted, {"n": [1, 2], "calls": [calls]}, path=path).rows == result.rows
    assert swept.calls_of(calls) == [1, 2]


# --- killed -----------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys
from swept import stuck
from nnlib.experiments import sweep
sweep(stuck, {"n": list(range(40)), "calls": [sys.argv[1]]}, path=sys.argv[2])
"""


def test_a_killed_sweep_goes_on_and_loses_at_most_the_point_being_computed(path, tmp_path):
    calls = tmp_path / "calls"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ["PYTHONPATH"]])}
    command, pipe = [sys.executable, "-c", SCRIPT, str(calls), str(path)], subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "stuck\n"
        process.kill()  # SIGKILL: nothing in Python gets to tidy up
    assert path.read_bytes().count(b"\n") == 1 + 20
    assert swept.calls_of(calls) == list(range(21))

    again = []

    def stuck(n, calls):
        again.append(n)
        return n * n

    function = named_like(swept.stuck, stuck)
    assert sweep(function, {"n": list(range(40)), "calls": [str(calls)]}, path=path).values == [
        n * n for n in range(40)
    ]
    assert again == list(range(20, 40))


# --- interrupted ------------------------------------------------------------------------------------------------------


def test_an_interrupt_keeps_what_is_done_in_memory_and_on_disk(path):
    pressed = []

    def function(n):
        if n == 2 and not pressed:
            pressed.append(n)
            raise KeyboardInterrupt
        return n

    with pytest.raises(KeyboardInterrupt) as caught:
        sweep(function, {"n": range(4)}, path=path)
    error = caught.value
    assert isinstance(error, Interrupted)
    assert error.result.values == [0, 1, None, None]
    assert error.result.done == [True, True, False, False]
    assert str(error).startswith("interrupted after 2 of 4 points")
    assert "goes on" in str(error)
    assert sweep(function, {"n": range(4)}, path=path).values == [0, 1, 2, 3]


def test_an_interrupt_without_a_file_has_the_results_too():
    def function(n):
        if n:
            raise KeyboardInterrupt
        return 7

    with pytest.raises(Interrupted, match=r"after 1 of 2 points, which are in this error's `result`$") as caught:
        sweep(function, {"n": [0, 1]})
    assert caught.value.result.values == [7, None]


class Pressed(queue.SimpleQueue):
    """A queue of results on which Ctrl-C comes after the first, or after so many and at that moment."""

    def __init__(self, after=1, moment=None):
        self.after, self.moment = after, moment

    def get(self, timeout):
        if not self.after:
            if self.moment:
                self.moment.wait()
            raise KeyboardInterrupt
        result = super().get(timeout=timeout)
        self.after -= 1
        return result


def queues(make):
    """Stands in for the module ``queue``, which executors use, too."""
    return types.SimpleNamespace(SimpleQueue=make, Empty=queue.Empty)


def test_an_interrupt_cancels_what_waits_on_an_executor(monkeypatch):
    started, at_two, go = [], threading.Event(), threading.Event()

    def function(n):
        started.append(n)
        if n == 2:
            at_two.set()
            go.wait()
        return n

    monkeypatch.setattr(experiments, "queue", queues(lambda: Pressed(2, at_two)))
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        try:
            with pytest.raises(Interrupted) as caught:
                sweep(function, {"n": range(50)}, executor)
        finally:
            go.set()
    assert caught.value.result.done == [True, True] + 48 * [False]
    assert started == [0, 1, 2]


def test_an_interrupt_while_points_are_handed_over_cancels_those_that_were():
    futures = []

    class Pressed(concurrent.futures.Executor):
        """Takes three points; then comes Ctrl-C."""

        def submit(self, function, *arguments):
            if len(futures) == 3:
                raise KeyboardInterrupt
            futures.append(concurrent.futures.Future())
            return futures[-1]

    with pytest.raises(Interrupted, match="after 0 of 50 points"):
        sweep(swept.fragile, {"n": range(50)}, Pressed())
    assert [future.cancelled() for future in futures] == [True] * 3


def test_an_interrupt_collects_what_has_come_in_and_not_an_interrupted_worker(monkeypatch, path):
    class Done(concurrent.futures.Executor):
        """All is computed when it is submitted; one worker was interrupted, and one point is taken away."""

        def submit(self, function, *arguments):
            future = concurrent.futures.Future()
            if arguments[1]["n"] == 1:
                future.set_exception(KeyboardInterrupt())
            elif arguments[1]["n"] == 3:
                future.cancel()
            else:
                future.set_result(function(*arguments))
            return future

    def function(n):
        return n

    with monkeypatch.context() as patch:
        patch.setattr(experiments, "queue", queues(Pressed))
        with pytest.raises(Interrupted) as caught:
            sweep(function, {"n": range(4)}, Done(), path=path)
    assert caught.value.result.values == [0, None, 2, None]
    assert caught.value.result.errors == [None] * 4
    assert path.read_bytes().count(b"\n") == 3
    with pytest.raises(Interrupted):  # the worker's interrupt is ours, too
        sweep(function, {"n": range(4)}, Done(), path=path)
    assert sweep(function, {"n": range(4)}, path=path).values == [0, 1, 2, 3]


# --- a full disk ------------------------------------------------------------------------------------------------------


class Disk:
    """Stands in for ``open``: from the time it is full on, a write gets half of its bytes down."""

    def __init__(self):
        self.full = False

    def open(self, path, mode):
        disk = self

        class File(io.FileIO):
            def write(self, data):
                if disk.full:
                    super().write(data[: len(data) // 2])
                    raise OSError(errno.ENOSPC, "No space left on device")
                return super().write(data)

        return File(path, mode)


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    monkeypatch.setattr(experiments, "open", disk.open, raising=False)
    monkeypatch.setattr(archive, "open", disk.open, raising=False)
    return disk


def test_a_full_disk_is_reported_and_everything_computed_is_kept(path, tmp_path, disk):
    grid = {"n": range(6), "calls": [str(tmp_path / "calls")]}

    def function(n, calls):
        disk.full = n >= 2
        return swept.counted(n, calls)

    with pytest.warns(
        NotSaved, match=r"4 of 6 results are in memory alone.*No space left.*result\.save\(path\)"
    ) as seen:
        result = sweep(function, grid, path=path)
    assert result.values == [0, 1, 4, 9, 16, 25]
    assert result.unsaved == 4
    assert "4 not saved" in repr(result)
    assert seen[0].message.result is result

    disk.full = True
    with pytest.raises(OSError, match="No space"):
        result.save(tmp_path / "elsewhere.jsonl")
    assert not list(tmp_path.glob("elsewhere*"))
    disk.full = False
    result.save(path)
    assert result.unsaved == 0
    assert sweep(function, grid, path=path).rows == result.rows
    assert swept.calls_of(tmp_path / "calls") == list(range(6))


@pytest.mark.parametrize("room_at", [2, 3, 4])
def test_what_waited_is_written_when_there_is_room_again(path, disk, room_at):
    def function(n):
        disk.full = 1 <= n < room_at
        return n

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = sweep(function, {"n": range(6)}, path=path)
    assert result.unsaved == 0
    again = sweep(named_like(function, must_not_run), {"n": range(6)}, path=path)
    assert again.values == list(range(6))
    _, *lines = map(json.loads, path.read_bytes().splitlines())  # the broken pieces are gone
    assert [line["point"]["n"] for line in lines] == list(range(6))


def test_a_sweep_killed_on_a_full_disk_keeps_what_was_on_it(path, disk):
    def function(n):
        disk.full = n >= 2
        if n == 3 and not path.with_suffix(".pressed").exists():
            path.with_suffix(".pressed").touch()
            raise KeyboardInterrupt
        return n

    with pytest.raises(Interrupted, match="but 1 of them are not on disk") as caught:
        sweep(function, {"n": range(4)}, path=path)
    assert caught.value.result.values == [0, 1, 2, None]
    disk.full = False
    computed = []

    def same(n):
        computed.append(n)
        return n

    assert sweep(named_like(function, same), {"n": range(4)}, path=path).values == [0, 1, 2, 3]
    assert computed == [2, 3]


def test_a_disk_that_is_full_from_the_start_is_told_before_anything_is_computed(path, disk):
    disk.full = True
    with pytest.raises(OSError, match="No space"):
        sweep(must_not_run, {"n": [1]}, path=path)
    assert not list(path.parent.iterdir())


# --- progress ---------------------------------------------------------------------------------------------------------


def test_progress_is_shown_where_somebody_watches_and_not_elsewhere(monkeypatch, capsys, path, disk):
    def function(n):
        disk.full = n == 3
        return 1 / (n - 1)

    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setenv("NNLIB_PROGRESS", "0")
    sweep(function, {"n": range(2)})
    monkeypatch.setenv("NNLIB_PROGRESS", "1")
    sweep(function, {"n": range(2)}, progress=False)
    assert capsys.readouterr().err == ""
    with pytest.warns(NotSaved):
        sweep(function, {"n": range(4)}, path=path)
    shown = capsys.readouterr().err
    assert shown.rstrip(" \n").endswith("point 4/4  1 failed, 1 NOT SAVED  0 s left")
    assert "█" * 20 in shown
    disk.full = False
    sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path.with_suffix(".2"))
    assert capsys.readouterr().err.endswith("point 2/2  0 s left\n")
    sweep(swept.product, {"a": [1, 2], "b": [3]}, path=path.with_suffix(".2"))
    assert capsys.readouterr().err == "", "what is on disk already is there at once"


def test_progress_tells_the_time_that_is_left(monkeypatch, capsys):
    clock = iter([100.0, 110.0, 120.0, 130.0, 140.0])
    monkeypatch.setenv("NNLIB_PROGRESS", "1")
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    sweep(lambda n: n, {"n": range(4)})
    shown = capsys.readouterr().err.split("\r")[1:]
    assert [line.strip() for line in shown] == [
        "█████··············· point 1/4  30 s left",
        "██████████·········· point 2/4  20 s left",
        "███████████████····· point 3/4  10 s left",
        "████████████████████ point 4/4  0 s left",
    ]


# --- doors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: sweep(swept.product, {"a": 0.1, "b": [1]}), TypeError, r"a list of values .* a=0.1: \[0.1\]"),
        (lambda: sweep(swept.product, {"a": "relu", "b": [1]}), TypeError, r"a='relu': \['relu'\]"),
        (lambda: sweep(swept.product, {}), ValueError, "at least one point"),
        (lambda: sweep(swept.product, {"a": [], "b": [1]}), ValueError, "at least one point"),
        (lambda: sweep(swept.product, []), ValueError, "at least one point"),
        (lambda: sweep(swept.product, 3), TypeError, "a dict of lists or a list of dicts, got 3"),
        (lambda: sweep(swept.product, "ab"), TypeError, "a dict of lists"),
        (lambda: sweep(swept.product, [(1, 2)]), TypeError, r"a point is a dict .* got \(1, 2\)"),
        (lambda: sweep(swept.product, {1: [2]}), TypeError, "a point is a dict from names"),
        (lambda: sweep(swept.product, {"a": [1]}), TypeError, r"product\(a, b\) does not take .* 'b'"),
        (lambda: sweep(swept.product, {"a": [1], "B": [2]}), TypeError, "does not take the point {'a': 1, 'B': 2}"),
        (lambda: sweep(swept.fragile, {"n": [1]}, 2), TypeError, "executor is a .*Executor or None, got int$"),
        (lambda: sweep(swept.fragile, {"n": [1]}, Client()), TypeError, r"got Client: client\.get_executor\(\)"),
        (lambda: sweep(3, {"a": [1]}), TypeError, "sweep takes a function, got 3"),
    ],
)
def test_a_wrong_call_says_what_was_wanted_before_anything_is_computed(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_function_that_tells_no_signature_is_just_called():
    assert sweep(dict, {"a": [1, 2]}).values == [{"a": 1}, {"a": 2}]
