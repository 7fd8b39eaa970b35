"""Claims hold, fail, are recorded; falsifiers must make them fail, and nothing else will do."""

import json
import os
import pathlib
import subprocess
import sys

import falsifiers
import nbformat
import numpy as np
import pytest

from nnlib.course.claims import ClaimFails, claim, claimed, digest, falsify

TESTS = pathlib.Path(__file__).parent
CELL = 'claim("04.a", "tanh ends lower than sigmoid for every seed", (tanh < sigmoid).all())'


def results():
    return {"claim": claim, "np": np, "tanh": np.array([0.1, 0.2]), "sigmoid": np.array([0.3, 0.4])}


def test_a_claim_prints_its_sentence(capsys):
    claim("04.a", "one is less than two", 1 < 2)
    assert capsys.readouterr().out == "one is less than two\n"


def test_a_claim_that_does_not_hold_says_its_sentence():
    with pytest.raises(ClaimFails, match=r"claim 04\.a does not hold here: two is less than one"):
        claim("04.a", "two is less than one", 2 < 1)


@pytest.mark.parametrize("holds", [np.array([True, True]), None, 1, np.nan, "yes"])
def test_a_claim_takes_true_or_false(holds):
    with pytest.raises(TypeError, match="takes True or False"):
        claim("04.a", "a sentence", holds)


def test_a_recorded_claim_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NNLIB_CLAIMS", str(tmp_path / "claims"))
    claim("04.a", "two is less than one", 2 < 1)
    claim("04.b", "one is less than two", np.bool_(True))
    lines = [json.loads(line) for line in (tmp_path / "claims").read_text("utf8").splitlines()]
    assert [(line["id"], line["holds"]) for line in lines] == [("04.a", False), ("04.b", True)]
    assert capsys.readouterr().out.count("\n") == 2


def test_a_falsifier_makes_its_claim_fail_on_copies():
    namespace = results()
    assert falsify(CELL, "tanh[0] = sigmoid[0] + 0.01", namespace) == "04.a"
    assert falsify(CELL, "tanh, sigmoid = sigmoid, tanh", namespace) == "04.a"
    assert namespace["tanh"].tolist() == [0.1, 0.2]


def test_a_falsifier_is_heard_while_claims_are_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("NNLIB_CLAIMS", str(tmp_path / "claims"))
    assert falsify(CELL, "tanh += 1", results()) == "04.a"
    assert not (tmp_path / "claims").exists()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("tanh -= 1", "every claim of the cell holds all the same"),
        ("pass", "every claim of the cell holds all the same"),
        ("tanh[0] = np.nan", "puts NaN into tanh"),
        ("tanh[0] = np.inf", "puts infinity into tanh"),
        ("sigmoid[:] = 0", "puts only zeros into sigmoid"),
        ("tanh = None", "the cell fails, but no claim does"),
        ("tanh[7] = 0", "itself fails"),
        ("del tanh", "the cell fails, but no claim does"),
    ],
)
def test_what_is_no_falsifier(statement, why):
    with pytest.raises(AssertionError, match=why):
        falsify(CELL, statement, results())


def test_results_that_share_an_array_share_its_copy():
    x = np.array([1.0, 2.0])
    namespace = {"claim": claim, "x": x, "runs": {"x": x}}
    cell = 'claim("04.a", "the first is less than 2", bool(runs["x"][0] < 2))'
    assert falsify(cell, "x[0] = 3.0", {**namespace}) == "04.a"


def test_the_digest_tells_other_numbers_and_other_texts_apart():
    cell = {"In": ["x, gates"], "x": np.array([1.0]), "gates": {"a": ["AND", "NOR"]}}
    assert digest(cell) == digest({**cell, "y": 2})
    assert digest(cell) != digest({**cell, "x": np.array([2.0])})
    assert digest(cell) != digest({**cell, "gates": {"a": ["AND", "OR"]}})


def test_claimed_finds_the_ids_in_order():
    assert claimed('claim("D01", "a", a < b)\nch.claim("04.b", f"{a:.2f}", c)') == ["D01", "04.b"]
    assert claimed("print(claim)") == []


KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def notebook(tmp_path, *cells):
    """A notebook of code cells (source, falsifiers, printed text)."""
    made = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL})
    for number, (source, statements, printed) in enumerate(cells, 1):
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)] if printed else []
        cell = nbformat.v4.new_code_cell(source, execution_count=number, outputs=outputs)
        if statements is not None:
            cell.metadata["falsifiers"] = statements
        made.cells.append(cell)
    path = tmp_path / "a.ipynb"
    nbformat.write(made, path)
    return path


SETUP = ("import numpy as np\nfrom nnlib.course.claims import claim\na, b = np.array([1.0]), np.array([2.0])", None, "")


def test_the_run_of_a_notebook_runs_its_falsifiers(tmp_path):
    a_is_less = 'claim("00.a", "a is less", (a < b).all())', "a is less\n"
    cases = [  # falsifiers, and what is said against them
        (["a += 1.5"], None),
        (None, "it names no falsifier"),
        ([], "it names no falsifier"),
        (["a += 0.5"], "every claim of the cell holds all the same"),
        (["a[0] = np.nan"], "puts NaN into a"),
    ]
    cells = [(a_is_less[0], statements, a_is_less[1]) for statements, _ in cases]
    path = notebook(tmp_path, SETUP, *cells, ("print(a[0], b[0])", None, "1.0 2.0\n"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "falsifiers", "-p", "no:cacheprovider", str(path)]
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout
    assert "4 failed, 3 passed" in shown, shown
    for number, (_, said) in enumerate(cases, 1):
        assert (f"FAILED a.ipynb::Cell {number}" in shown) == (said is not None)
        assert said is None or said in shown


def test_each_claim_of_a_cell_needs_a_falsifier():
    cell = 'claim("00.a", "", a)\nclaim("00.b", "", b)'
    assert list(falsifiers.missing(cell, ["x"], ["00.a"])) == ["no falsifier makes claim 00.b fail"]
    assert not list(falsifiers.missing(cell, ["x", "y"], ["00.b", "00.a"]))


def test_the_plugin_is_on():
    assert "falsifiers" in (TESTS.parent / "conftest.py").read_text("utf8")
