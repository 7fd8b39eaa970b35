"""The programs of the README, which the site shows, too: they run from the very text and achieve what it says."""

import pathlib
import re

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf8")
MARKS = "<!-- programs: begin -->", "<!-- programs: end -->"
PROGRAMS = re.findall(r"```python\n(.*?)```", README.partition(MARKS[0])[2].partition(MARKS[1])[0], re.DOTALL)


def run(program, capsys):
    """What the program prints, and its names."""
    names = {"__name__": "__main__"}
    exec(compile(program, "README.md", "exec"), names)
    return capsys.readouterr().out, names


def test_there_are_three_short_ones_and_the_site_shows_the_same_text():
    assert len(PROGRAMS) == README.count("```python") == 3
    assert all(len(program.strip().splitlines()) < 15 for program in PROGRAMS)
    page = (ROOT / "reference/api/index.md").read_text("utf8")
    assert "```{include} ../../README.md" in page
    assert all(f'"{mark}"' in page for mark in MARKS)


def test_the_convolutional_network_reads_digits(capsys):
    shown, names = run(PROGRAMS[0], capsys)
    assert "(N, 32, 2, 2)" in shown, "the summary says what arrives at Flatten"
    share = float(re.search(r"([\d.]+)% right", shown)[1])
    assert share > 93.0
    right = np.argmax(names["network"].predict(names["images"]), axis=1) == names["labels"]
    assert share == pytest.approx(100.0 * right.mean(), abs=0.06)


def test_the_recurrent_network_adds_two_marked_numbers(capsys):
    shown, names = run(PROGRAMS[1], capsys)
    error, guess = map(float, re.search(r"error ([\d.]+); always to say 1 has ([\d.]+)", shown).groups())
    assert guess == pytest.approx(1.0 / 6.0, rel=0.2)  # two variances of 1/12
    assert error < 0.1 * guess
    x, y = names["x"][:500], names["y"][:500]
    assert error == pytest.approx(np.mean((names["network"](x) - y) ** 2), abs=1e-4)


def test_the_sweep_shows_which_rate_learns_best_and_how_sure_that_is(capsys):
    shown, names = run(PROGRAMS[2], capsys)
    rows = re.findall(r"learning rate ([\d.]+): ([\d.]+)% ± ([\d.]+)%", shown)
    assert [float(rate) for rate, *_ in rows] == names["rates"]
    means, deviations = (np.array([float(row[k]) for row in rows]) for k in (1, 2))
    best = means.argmax()
    assert 0 < best < len(rows) - 1, "the best rate lies within the sweep"
    assert means[best] > 93.0
    assert (deviations > 0.0).all(), "seeds differ"
    assert means[best] - means[0] > 4.0 * max(deviations[best], deviations[0])
