"""make chapter: the skeleton of a chapter runs, lints and passes its tests before a word of it is written."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import chapter
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
CODE = [f"nnlib/course/chapter_05/{name}.py" for name in ("__init__", "experiments", "drawings", "frames", "exercises")]
QUIET = ["-q", "-p", "no:cacheprovider"]
WRITTEN = [*CODE, "tests/test_chapter_05.py", "chapters/05_losses.ipynb"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the project in which chapter 5 was made, and what that said."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "0[246]_*.ipynb", "chapter_0[246]", "site")
    for name in ("nnlib", "chapters", "tools", "tests", "reference"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("_toc.yml", "conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    before = {path for path in folder.rglob("*") if path.is_file()}
    said = run(folder, "tools/chapter.py", "05", "losses")
    after = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return folder, said, sorted(path.relative_to(folder).as_posix() for path in after - before)


def run(folder, *command):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_writes_seven_files_and_says_which(checkout):
    folder, said, written = checkout
    assert written == sorted(WRITTEN)
    assert said.split("\n")[:7] == WRITTEN
    assert "05_losses" not in (folder / "_toc.yml").read_text("utf8")


def test_it_lints(checkout):
    folder, _, _ = checkout
    run(folder, "-m", "ruff", "check", "--no-cache", *WRITTEN)
    run(folder, "-m", "ruff", "format", "--no-cache", "--check", *WRITTEN)
    run(folder, "tools/notebooks.py", "check", "chapters/05_losses.ipynb")


def test_its_tests_its_outputs_and_its_falsifiers_pass(checkout):
    folder, _, _ = checkout
    said = run(
        folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_chapter_05.py", "chapters", "--nbval"
    )
    assert " passed" in said
    assert "skipped" not in said


def test_its_exercise_answers(checkout):
    folder, _, _ = checkout
    said = run(folder, "-m", "pytest", *QUIET, "tests/test_course.py", "-k", "05 or 5-")
    assert " passed" in said


def test_its_sections_cover_the_syllabus(checkout):
    folder, _, _ = checkout
    cells = json.loads((folder / "chapters" / "05_losses.ipynb").read_text("utf8"))["cells"]
    covers = {"".join(c["source"]).split()[1]: c["metadata"]["covers"] for c in cells if "covers" in c["metadata"]}
    assert covers == chapter.covered(5, ROOT)
    assert len(covers) > 3


def test_a_chapter_that_is_there_is_left_alone(checkout, capsys):
    folder, _, _ = checkout
    assert chapter.main(["5", "other"], root=folder) == 1
    assert "chapter 5 has nnlib/course/chapter_05/__init__.py already" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        chapter.main(["5", "My Losses"], root=folder)
    assert "a number and a plain name" in capsys.readouterr().err
