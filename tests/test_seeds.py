"""One number shifts all randomness; claims are counted over seeds, and the table of them is that of the notebooks."""

import json

import contents
import nbformat
import numpy as np
import pytest
import seeds

from nnlib.course.claims import claimed
from nnlib.course.seeds import resampled, shift, shift_from_environment


@pytest.fixture(autouse=True)
def unshifted():
    yield
    shift(0)


def draw(seed):
    return np.random.default_rng(seed).random()


@pytest.mark.parametrize("seed", [0, 7, np.int64(7), [3, 4], np.random.SeedSequence(5), np.random.SeedSequence([1, 2])])
def test_a_shift_changes_every_seed_and_is_repeatable(seed):
    before = draw(seed)
    shift(3)
    shifted = draw(seed)
    assert shifted != before
    assert draw(seed) == shifted
    shift(4)
    assert draw(seed) not in (before, shifted)
    shift(0)
    assert draw(seed) == before


def test_spawned_seeds_stay_different():
    shift(2)
    a, b = np.random.SeedSequence(1).spawn(2)
    assert draw(a) != draw(b)


def test_what_is_no_seed_stays():
    rng = np.random.default_rng(1)
    shift(1)
    assert np.random.default_rng(rng) is rng
    assert draw(None) != draw(None)


def test_recorded_runs_are_drawn_again_under_another_number():
    np.testing.assert_array_equal(resampled(6), np.arange(6))
    shift(1)
    one, same, other = resampled(60, "tanh"), resampled(60, "tanh"), resampled(60, "ReLU")
    np.testing.assert_array_equal(one, same)
    assert len(set(one)) < 60
    assert (one != other).any()
    shift(2)
    assert (resampled(60, "tanh") != one).any()


def test_the_number_comes_from_the_environment(monkeypatch):
    before = draw(1)
    monkeypatch.setenv("NNLIB_SEED", "5")
    shift_from_environment()
    assert draw(1) != before
    monkeypatch.setenv("NNLIB_SEED", "five")
    with pytest.raises(ValueError, match="NNLIB_SEED is a whole number, got 'five'"):
        shift_from_environment()


def test_texts_count_among_the_results_of_a_claim():
    from nnlib.course.claims import digest

    def of(gates):
        return digest({"In": ["claim('a', 'b', set(gates) <= {'AND'})"], "gates": gates})

    assert len({of(["AND", "OR"]), of(["AND", "AND"]), of({"AND": 1}), of(np.array(["OR"]))}) == 4
    assert of({"AND", "OR", "XOR"}) == of({"XOR", "OR", "AND"})


CELLS = """\
import numpy as np
from nnlib.course import claim
x = np.random.default_rng(0).random(3)
---
claim("00.positive", "three numbers are positive", (x > 0).all())
claim("00.first", "the first of three numbers is the largest", bool(x[0] == x.max()))
---
claim("00.two", "two is more than one", 2 > 1)
"""


def test_claims_are_counted_over_seeds(tmp_path):
    made = nbformat.v4.new_notebook()
    made.cells = [
        nbformat.v4.new_markdown_cell("## 4.2 Numbers"),
        *map(nbformat.v4.new_code_cell, CELLS.split("---\n")),
    ]
    path = tmp_path / "00_numbers.ipynb"
    nbformat.write(made, path)
    runs = {}
    for number in range(4):
        runs[number], error = seeds.claims_of(path, number) if number < 2 else (runs[1], "")
        assert error == ""
    positive, first, two = seeds.rows_of(path, runs)
    assert (positive["held"], positive["runs"], positive["random"], positive["section"]) == (3, 3, "yes", "4.2")
    assert (two["held"], two["random"]) == (3, "no")
    assert first["held"] == 3 * runs[1][1]["holds"]


def test_a_cell_that_fails_under_a_seed_is_said(tmp_path):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert 1 > 2, 'one is not more than two'")])
    nbformat.write(made, tmp_path / "a.ipynb")
    rows, error = seeds.claims_of(tmp_path / "a.ipynb", 1)
    assert rows == []
    assert "one is not more than two" in error


def test_every_claim_of_the_chapters_was_tried_with_other_seeds():
    """After a new claim: `make seeds`."""
    made = {
        (seeds.document_of(path), id)
        for path in contents.toc_notebooks()
        for cell in json.loads(path.read_text("utf8"))["cells"]
        if cell["cell_type"] == "code"
        for id in claimed(contents.source_of(cell))
    }
    table = contents.read_table("reference/claims.csv")
    assert made == {(row["document"], row["id"]) for row in table}
    assert [row["id"] for row in table if int(row["runs"]) < 20] == []
    assert [row["id"] for row in table if int(row["held"]) < seeds.SHARE * int(row["runs"])] == []


def test_the_sentences_on_the_page_are_those_of_the_chapters():
    """After a change of a claim: `make seeds`."""
    table = contents.read_table("reference/claims.csv")
    for path in contents.toc_notebooks():
        cells = [cell for cell in json.loads(path.read_text("utf8"))["cells"] if cell["cell_type"] == "code"]
        printed = {
            line
            for cell in cells
            for output in cell["outputs"]
            if output["output_type"] == "stream"
            for line in "".join(output["text"]).splitlines()
        }
        said = {row["sentence"] for row in table if row["document"] == seeds.document_of(path)}
        assert said <= printed, said - printed
