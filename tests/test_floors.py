"""The floors of nnlib: imports point down only, and the heavy libraries stay where the plan names them."""

import ast
import pathlib
import subprocess
import sys

import pytest

import nnlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "nnlib"

FLOOR = {name: floor for floor, names in nnlib.FLOORS.items() for name in names.split()}

SHORT = [name for names in nnlib.NAMES.values() for name in names.split()]

# Who may import what from outside; everything else may import NumPy and the standard library alone.
MAY = {
    "plotting": {"matplotlib", "cycler"},
    "widgets": {"ipywidgets", "anywidget", "traitlets"},
    "course": {"IPython"},
}


def imported(source, package):
    """The modules that a file imports, as absolute dotted names, with the depth of functions around each import."""
    found = []

    def walk(node, depth):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, depth) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package.split(".")[: len(package.split(".")) - child.level + 1] if child.level else []
                module = ".".join([*base, *filter(None, [child.module])])
                if module == "nnlib":
                    found.extend((f"nnlib.{alias.name}", depth) for alias in child.names)
                else:
                    found.append((module, depth))
            walk(child, depth + isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    walk(ast.parse(source), 0)
    return found


def violations(source, module):
    """What the file of `module` ("layers.dense") imports and may not, as sentences."""
    top = module.split(".")[0]
    package = "nnlib." + module.rpartition(".")[0] if "." in module else "nnlib"
    found = []
    for name, depth in imported(source, package):
        head, _, rest = name.partition(".")
        if head == "nnlib":
            below = rest.split(".")[0]
            if below and top != "__init__" and below in FLOOR and FLOOR[below] > FLOOR[top]:
                found.append(f"nnlib.{module} (floor {FLOOR[top]}) imports {name} (floor {FLOOR[below]})")
            elif below in SHORT and top != "__init__":
                found.append(f"nnlib.{module} imports {name}, a short name: say which module has it")
        elif head != "numpy" and head not in sys.stdlib_module_names:
            if head not in MAY.get(top, ()):
                found.append(f"nnlib.{module} may not import {name}")
            elif head == "IPython" and depth == 0:
                found.append(f"nnlib.{module} imports {name} when it is imported, not when it is used")
    return found


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield path, ".".join(parts)


def test_every_module_has_a_floor():
    tops = {name.split(".")[0] for _, name in modules()} - {"__init__"}
    assert tops
    assert FLOOR.keys() <= tops, f"there is no {sorted(FLOOR.keys() - tops)}"
    assert tops <= FLOOR.keys(), f"say in nnlib.FLOORS on which floor these stand: {sorted(tops - FLOOR.keys())}"


@pytest.mark.parametrize(("path", "name"), [pytest.param(*pair, id=pair[1]) for pair in modules()])
def test_imports_point_down(path, name):
    assert not violations(path.read_text("utf8"), name)


@pytest.mark.parametrize(
    ("source", "module", "sentence"),
    [
        ("import nnlib.training", "layers.dense", "imports nnlib.training"),
        ("from nnlib import network", "activations", "imports nnlib.network"),
        ("from ..network import Sequential", "layers.dense", "imports nnlib.network"),
        ("def f():\n    from nnlib.widgets import explore", "plotting", "imports nnlib.widgets"),
        ("from nnlib import Sequential", "layers.dense", "a short name"),
        ("import matplotlib.pyplot as plt", "training", "may not import matplotlib"),
        ("import ipywidgets", "course.checking", "may not import ipywidgets"),
        ("from IPython.display import Code", "course.source", "not when it is used"),
        ("import scipy", "data.toys", "may not import scipy"),
    ],
)
def test_a_planted_import_is_found(source, module, sentence):
    assert any(sentence in found for found in violations(source, module))


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import numpy as np\nimport math\nfrom nnlib.activations import relu", "layers.dense"),
        ("def f():\n    from IPython.display import Code", "course.source"),
        ("from .layer import Layer", "layers.dense"),
    ],
)
def test_allowed_imports_pass(source, module):
    assert not violations(source, module)


def test_every_module_is_reached_by_its_name():
    assert set(dir(nnlib)) == {"FLOORS", "NAMES", "__version__", *FLOOR, *SHORT}
    for name in FLOOR:
        assert getattr(nnlib, name).__name__ == f"nnlib.{name}"
    with pytest.raises(AttributeError, match="no 'layer'; it has activations"):
        nnlib.layer


@pytest.mark.parametrize("module", nnlib.NAMES)
def test_a_short_name_is_the_object_of_its_module_and_no_module_of_its_own(module):
    for name in nnlib.NAMES[module].split():
        assert getattr(nnlib, name) is getattr(getattr(nnlib, module), name)
        assert name not in FLOOR
    assert len(SHORT) == len(set(SHORT))


def test_a_short_name_imports_no_more_than_its_module():
    code = (
        "import sys; from nnlib import relu; print('nnlib.activations' in sys.modules, 'nnlib.layers' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.split() == ["True", "False"]


def test_importing_nnlib_imports_numpy_alone():
    code = (
        "import sys; import nnlib; heavy = {'matplotlib', 'ipywidgets', 'anywidget', 'IPython', 'traitlets'}; "
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"
