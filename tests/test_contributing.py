"""Additions: what CONTRIBUTING.md says is enough, done in a copy of the tree, brings a new thing under its laws."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
LAWS = ("test_laws", "test_properties", "test_reference", "test_layouts", "test_ensemble")


@dataclass(frozen=True)
class Addition:
    """Text to put before a marker, in the two files that CONTRIBUTING.md names for the kind of addition."""

    kind: str  # as in CONTRIBUTING.md
    name: str
    ours: tuple  # file, then (marker, text) pairs
    row: tuple
    completeness: str  # the test that wants a row
    at_least: int  # laws that speak of it


ACTIVATION = Addition(
    "an activation",
    "bent_identity",
    (
        "nnlib/activations.py",
        (
            "#: Every elementwise activation",
            '''
def _bent_identity(z, out):
    """a = (sqrt(z^2 + 1) - 1) / 2 + z"""
    np.square(z, out=out)
    out += 1.0
    np.sqrt(out, out=out)
    out -= 1.0
    out *= 0.5
    out += z


def _bent_identity_slope(z, a, out):
    """da/dz = z / (2 sqrt(z^2 + 1)) + 1"""
    np.square(z, out=out)
    out += 1.0
    np.sqrt(out, out=out)
    np.divide(z, out, out=out)
    out *= 0.5
    out += 1.0


bent_identity = Elementwise("bent_identity", _bent_identity, _bent_identity_slope)


''',
        ),
        ("        sine, square,\n", "        bent_identity,\n"),
    ),
    (
        "tests/registry/activations.py",
        (
            "]\n\n\n# --- functions beside them",
            """    Row(
        a.bent_identity,
        (-1.3819660113, -0.4409830056, 0, 1.2071067812, 4.0811388301),
        lambda m, z: (m.sqrt(z * z + 1) - 1) / 2 + z,
        monotone=True,
    ),
""",
        ),
    ),
    "test_every_public_layer_and_activation_stands_in_the_registry",
    30,
)

OPTIMIZER = Addition(
    "an optimizer",
    "SignSGD",
    (
        "nnlib/optimizers.py",
        (
            "class AdaGrad(Optimizer):",
            '''class SignSGD(Optimizer):
    """theta <- theta - learning_rate sign(grad)   (Bernstein et al. 2018, algorithm 1)"""

    def update(self, theta, grad, learning_rate):
        np.sign(grad, out=self.scratch)
        self.scratch *= learning_rate
        theta -= self.scratch


''',
        ),
    ),
    (
        "tests/registry/optimizers.py",
        (
            "def rmsprop(theta, gradients):",
            """def sign_sgd(theta, gradients):
    for g in gradients:
        theta -= 0.1 * (1 if g > 0 else -1 if g < 0 else 0)
    return theta


""",
        ),
        (
            '    Row(\n        "RMSProp",',
            """    Row(
        "SignSGD",
        lambda: optimizers.SignSGD(0.1),
        sign_sgd,
        step="scaled",
        tiny_eps=lambda: optimizers.SignSGD(0.1),
    ),
""",
        ),
    ),
    "test_every_optimizer_stands_in_the_registry",
    14,
)

ADDITIONS = [ACTIVATION, OPTIMIZER]


def insert(folder, file, *changes):
    path = folder / file
    text = path.read_text("utf8")
    for marker, new in changes:
        assert text.count(marker) == 1, f"{file} has not one {marker!r}"
        text = text.replace(marker, new + marker)
    path.write_text(text, "utf8")


@pytest.fixture
def copy(tmp_path):
    """The files that tests need, of this checkout."""
    ignore = shutil.ignore_patterns("__pycache__", "site", "*.ipynb", ".git")
    for name in ("nnlib", "tests", "tools", "reference"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def run(folder, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment["PYTHONPATH"] = os.pathsep.join([str(folder / "tests" / "offline"), str(folder), str(folder / "tools")])
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


def laws(folder, words):
    """The outcome of the laws whose names hold these words."""
    files = [f"tests/{name}.py" for name in LAWS]
    return run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", words, *files)


@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.kind)
def test_two_files_bring_a_new_thing_under_all_laws(addition, copy):
    insert(copy, *addition.ours)
    without = laws(copy, addition.completeness)
    assert without.returncode == 1, "nobody has missed the row"
    assert addition.name in without.stdout
    insert(copy, *addition.row)
    outcome = laws(copy, f"{addition.name} or registry or pytorch_has_none")
    assert outcome.returncode == 0, outcome.stdout
    assert int(re.search(r"(\d+) passed", outcome.stdout)[1]) >= addition.at_least


def test_the_accuracy_of_a_new_activation_is_measured(copy):
    insert(copy, *ACTIVATION.ours)
    insert(copy, *ACTIVATION.row)
    outcome = run(copy, "tools/accuracy.py", ACTIVATION.name)
    assert outcome.returncode == 0, outcome.stderr
    table = (copy / "reference" / "accuracy.csv").read_text("utf8")
    assert table.count(f"{ACTIVATION.name},") == 4
    assert table.replace("\r", "").count("\n") == (ROOT / "reference/accuracy.csv").read_text("utf8").count("\n") + 4


def test_a_law_that_a_new_thing_breaks_is_found(copy):
    insert(
        copy,
        ACTIVATION.ours[0],
        *((m, t.replace("out *= 0.5\n    out += 1.0", "out += 1.0")) for m, t in ACTIVATION.ours[1:]),
    )
    insert(copy, *ACTIVATION.row)
    outcome = laws(copy, ACTIVATION.name)
    assert outcome.returncode == 1
    assert "test_the_derivative_of_an_activation_is_its_slope[bent_identity]" in outcome.stdout


@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.kind)
def test_contributing_names_the_two_files(addition):
    text = (ROOT / "CONTRIBUTING.md").read_text("utf8")
    line = next(line for line in text.splitlines() if line.startswith(f"| {addition.kind} "))
    assert f"`{addition.ours[0]}`" in line
    assert f"`{addition.row[0]}`" in line


def test_every_file_that_contributing_names_exists():
    table = (ROOT / "CONTRIBUTING.md").read_text("utf8").split("# To change a notebook")[0]
    names = re.findall(r"`((?:nnlib|tests|reference|assets|chapters|tools)/[\w./]*\w/?)`", table)
    assert len(names) > 15
    assert not [name for name in names if "NN" not in name and not (ROOT / name).exists()]
