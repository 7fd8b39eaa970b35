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
LAWS = ("test_laws", "test_properties", "test_reference", "test_layouts")


@dataclass(frozen=True)
class Addition:
    """Text to put before a marker, in the two files that CONTRIBUTING.md names for the kind of addition."""

    kind: str  # as in CONTRIBUTING.md
    name: str
    ours: tuple  # file, then (marker, text) pairs
    row: tuple
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
    12,
)

LAYER = Addition(
    "a layer",
    "Gain",
    (
        "nnlib/layers/rectifiers.py",
        (
            "\n\ndef prelu(z, slope",
            '__all__ += ["Gain"]\n',
        ),
        (
            "class PReLU(Layer):",
            '''class Gain(Layer):
    """out = gain x, with one learned gain for all numbers of an example."""

    def __init__(self, gain=2.0):
        self.first, self.gain = float(gain), Parameter((1,), constant(gain), decay=False)

    def compute(self, x, training):
        return np.multiply(x, self.gain.value, out=self.array("out", x.shape))

    def pull_back(self, dout, input_gradient):
        self.gain.grad[0] = np.vdot(self.x, dout)
        return np.multiply(dout, self.gain.value, out=self.array("dx", dout.shape)) if input_gradient else None

    @property
    def settings(self):
        return {"gain": self.first}


''',
        ),
    ),
    (
        "tests/registry/layers.py",
        (
            '    Row("AngularDense"',
            '    Row("Gain", lambda: l.Gain(3.0), (4, 3), homogeneous=True),\n',
        ),
    ),
    20,
)

LOSS = Addition(
    "a loss",
    "log_cosh",
    (
        "nnlib/losses.py",
        (
            "def mean_absolute_error(",
            '''def log_cosh(output, target):
    """L = mean log cosh d with d = output - target;  dL/d output = tanh(d) / size."""
    output, target = _pair("log_cosh", output, target)
    d = output - target
    size = np.abs(d)
    return float((size + np.log1p(np.exp(-2.0 * size))).mean()) - float(np.log(2.0)), np.tanh(d) / d.size


''',
        ),
    ),
    (
        "tests/registry/losses.py",
        (
            '    Row(\n        "huber",',
            """    Row(
        "log_cosh",
        losses.log_cosh,
        real,
        exact=lambda m, z, t: m.log(m.cosh(z - t)),
        at=(0.0, 0.75),
    ),
""",
        ),
    ),
    10,
)

ADDITIONS = [ACTIVATION, LAYER, LOSS, OPTIMIZER]


def insert(folder, file, *changes):
    path = folder / file
    text = path.read_text("utf8")
    for marker, new in changes:
        assert text.count(marker) == 1, f"{file} has not one {marker!r}"
        text = text.replace(marker, new + marker)
    path.write_text(text, "utf8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The files that tests need, of this checkout, with every addition but for its row."""
    folder = tmp_path_factory.mktemp("additions")
    ignore = shutil.ignore_patterns("site", "*.ipynb", ".git")  # what is compiled goes along
    for name in ("nnlib", "tests", "tools", "reference"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder / name)
    for addition in ADDITIONS:
        insert(folder, *addition.ours)
    return folder


@pytest.fixture(scope="module")
def without_rows(copy):
    """The outcome of the laws of the registry for these additions, before they have rows."""
    return laws(copy, "registry", ["test_laws"])


@pytest.fixture(scope="module")
def with_rows(copy, without_rows):
    """The copy, with a row for each addition."""
    for addition in ADDITIONS:
        insert(copy, *addition.row)
    return copy


@pytest.fixture(scope="module")
def outcome(with_rows):
    """The outcome of all laws that speak of them, and once more of the registry."""
    return laws(with_rows, " or ".join(addition.name for addition in ADDITIONS) + " or registry or compared")


def run(folder, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment["PYTHONPATH"] = os.pathsep.join([str(folder / "tests" / "offline"), str(folder), str(folder / "tools")])
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


def laws(folder, words, files=LAWS):
    """The outcome of the laws whose names hold these words, a line each."""
    files = [f"tests/{name}.py" for name in files]
    return run(folder, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", words, *files)


each = pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.kind)


@each
def test_an_addition_without_its_row_is_missed(addition, without_rows):
    assert without_rows.returncode == 1, without_rows.stdout
    assert f"{addition.row[0]} wants a row for ['{addition.name}']" in without_rows.stdout


@each
def test_two_files_bring_an_addition_under_all_laws(addition, outcome):
    assert outcome.returncode == 0, outcome.stdout
    passed = [line for line in outcome.stdout.splitlines() if addition.name in line and " PASSED" in line]
    assert len(passed) >= addition.at_least


def test_the_accuracy_of_an_addition_is_measured(with_rows):
    for addition in (ACTIVATION, LOSS):
        outcome = run(with_rows, "tools/accuracy.py", addition.name)
        assert outcome.returncode == 0, outcome.stderr
    table, before = ((folder / "reference/accuracy.csv").read_text("utf8") for folder in (with_rows, ROOT))
    assert set(before.splitlines()) < set(table.splitlines())
    assert [table.count(f"{name},") for name in ("bent_identity", "log_cosh")] == [4, 8]


def test_an_addition_that_breaks_a_law_is_found(with_rows, outcome):
    path = with_rows / ACTIVATION.ours[0]
    text = path.read_text("utf8")
    assert text.count("out *= 0.5\n    out += 1.0") == 1
    path.write_text(text.replace("out *= 0.5\n    out += 1.0", "out += 1.0"), "utf8")
    broken = laws(with_rows, f"test_the_derivative_of_an_activation_is_its_slope and {ACTIVATION.name}", ["test_laws"])
    assert broken.returncode == 1
    assert "test_the_derivative_of_an_activation_is_its_slope[bent_identity] FAILED" in broken.stdout


@each
def test_contributing_names_the_two_files(addition):
    text = (ROOT / "CONTRIBUTING.md").read_text("utf8")
    line = next(line for line in text.splitlines() if line.startswith(f"| {addition.kind} "))
    folder = f"{pathlib.PurePosixPath(addition.ours[0]).parent}/"
    assert f"`{addition.ours[0]}`" in line or f"`{folder}`" in line
    assert f"`{addition.row[0]}`" in line


def test_every_file_that_contributing_names_exists():
    table = (ROOT / "CONTRIBUTING.md").read_text("utf8").split("# To change a notebook")[0]
    names = re.findall(r"`((?:nnlib|tests|reference|assets|chapters|tools)/[\w./]*\w/?)`", table)
    assert len(names) > 15
    assert not [name for name in names if not re.search(r"NN|chapter_05", name) and not (ROOT / name).exists()]
