"""What a notebook's outputs depend on: nothing that it imports is missed, and another chapter's code is left out."""

import json
import pathlib
import shutil
import subprocess
import sys

import book
import contents
import imports
import notebooks
import pytest
from jupyter_cache.base import CacheBundleIn

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = [path.relative_to(ROOT).as_posix() for path in contents.toc_notebooks()]
CHAPTERS = {path[9:11]: path for path in NOTEBOOKS}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of what outputs depend on, with a cache that holds the outputs of all notebooks."""
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in ("nnlib", "chapters", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("_toc.yml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(book, "ROOT", tmp_path)
    monkeypatch.setattr(book, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(contents, "toc_notebooks", lambda: [tmp_path / name for name in NOTEBOOKS])
    for name in NOTEBOOKS:
        keep(tmp_path / name)
    book.remember("outputs", json.dumps({name: book.outputs_key(tmp_path / name) for name in NOTEBOOKS}))
    return tmp_path


def keep(path):
    bundle = CacheBundleIn(notebooks.read(path), str(path), data={"execution_seconds": 1.0})
    with book.opened_cache() as cache:
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def stale_after(checkout, name, text="\n# a comment\n"):
    """The notebooks whose outputs are thrown away after a change of one file."""
    with open(checkout / name, "ab") as file:
        file.write(text.encode())
    return dropped(checkout)


def dropped(checkout):
    book.drop_stale_outputs()
    gone = []
    with book.opened_cache() as cache:
        for name in NOTEBOOKS:
            try:
                cache.match_cache_notebook(notebooks.read(checkout / name))
            except KeyError:
                gone.append(name)
    return gone


def test_nothing_is_thrown_away_twice(checkout):
    assert dropped(checkout) == []
    assert stale_after(checkout, "nnlib/course/chapter_02/frames.py") == [CHAPTERS["02"]]
    keep(checkout / CHAPTERS["02"])
    assert dropped(checkout) == []


@pytest.mark.parametrize(
    ("chapter", "file"), [("02", "frames"), ("02", "exercises"), ("04", "experiments"), ("06", "__init__")]
)
def test_a_comment_in_a_chapters_code_runs_that_chapter_alone(chapter, file, checkout):
    assert stale_after(checkout, f"nnlib/course/chapter_{chapter}/{file}.py") == [CHAPTERS[chapter]]


@pytest.mark.parametrize(
    "name", ["nnlib/layers/dense.py", "nnlib/data/optdigits.npz", "nnlib/widgets/chart.js", "nnlib/__init__.py",
             "nnlib/course/checking.py", "requirements.txt", "tools/imports.py"]
)  # fmt: skip
def test_what_all_chapters_use_runs_all(name, checkout):
    assert stale_after(checkout, name) == NOTEBOOKS


def test_what_nobody_imports_runs_none(checkout):
    assert stale_after(checkout, "nnlib/augmentation.py") == []


def test_an_older_text_of_a_notebook_is_thrown_away_with_it(checkout):
    path = checkout / CHAPTERS["02"]
    before = path.read_text("utf8")
    path.write_text(before.replace("rng = np.random.default_rng(2)", "rng = np.random.default_rng(3)"), "utf8")
    keep(path)
    assert stale_after(checkout, "nnlib/perceptron.py") == [CHAPTERS["02"]]
    path.write_text(before, "utf8")
    assert dropped(checkout) == [CHAPTERS["02"]], "what was made from the old perceptron would come back"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_nothing_that_a_notebook_imports_is_missed(name):
    """Its imports, and all that its chapter's files and exercises bring, are really imported and looked for."""
    cells = json.loads((ROOT / name).read_text("utf8"))["cells"]
    first = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    loaded = "(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'nnlib')"
    code = f"{first}\ndir(ch)\nimport sys\nprint(*{loaded}, sep='\\n')"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {pathlib.Path(line) for line in shown.stdout.split("\n") if line.endswith(".py")}
    assert len(loaded) > 20
    assert loaded <= set(imports.dependencies(ROOT / name, ROOT))


# --- how imports are written ------------------------------------------------------------------------------------------

LITTLE = {
    "nnlib/__init__.py": "import importlib",
    "nnlib/layers/__init__.py": "from .dense import Dense",
    "nnlib/layers/dense.py": "from nnlib import parameters",
    "nnlib/parameters.py": "",
    "nnlib/losses.py": "def f():\n    import nnlib.metrics",
    "nnlib/metrics.py": "",
    "nnlib/course/__init__.py": "",
    "nnlib/course/chapter_02/__init__.py": "",
    "nnlib/course/chapter_02/frames.py": "from nnlib.losses import f",
    "nnlib/course/chapter_04/__init__.py": "",
    "nnlib/data/__init__.py": "",
    "nnlib/data/digits.npz": "",
}
TOP = {"nnlib/__init__.py"}
LAYERS = {*TOP, "nnlib/layers/__init__.py", "nnlib/layers/dense.py", "nnlib/parameters.py"}
LOSSES = {*TOP, "nnlib/losses.py", "nnlib/metrics.py"}
CHAPTER = LOSSES | {f"nnlib/course/{name}.py" for name in ("__init__", "chapter_02/__init__", "chapter_02/frames")}


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("import numpy as np", set()),
        ("from nnlib import layers", LAYERS),
        ("from nnlib.layers import Dense", LAYERS),
        ("import nnlib\nnnlib.layers.Dense(2, 3)", LAYERS),
        ("import nnlib as nn\nf = nn.losses.f", LOSSES),
        ("import nnlib.losses", LOSSES),
        ("import nnlib\nnnlib.__version__", TOP),
        ("from nnlib import data", {*TOP, "nnlib/data/__init__.py", "nnlib/data/digits.npz"}),
        ("from nnlib.course import chapter_02 as ch", CHAPTER),
        ("from nnlib import course\ncourse.chapter_02.frames", CHAPTER),
        ("import nnlib.course\ncheck('02.xor', f)", CHAPTER),
        ("import nnlib\ngetattr(nnlib, name)", set(LITTLE)),
        ("from nnlib import *", set(LITTLE)),
        ("from nnlib import Dense", set(LITTLE)),
        ("import nnlib\nnnlib.Dense(2, 3)", set(LITTLE)),
        ("from nnlib import FLOORS", TOP),
        ("%time f()", set(LITTLE)),
    ],
)
def test_every_way_to_write_an_import(source, files, tmp_path):
    for name, text in LITTLE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf8")
    cells = [{"cell_type": "code", "source": source}, {"cell_type": "markdown", "source": "from nnlib import losses"}]
    path = tmp_path / "02_x.ipynb"
    path.write_text(json.dumps({"cells": cells}), "utf8")
    assert {file.relative_to(tmp_path).as_posix() for file in imports.dependencies(path, tmp_path)} == files
