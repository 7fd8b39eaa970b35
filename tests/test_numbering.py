"""Numbers of figures and equations: the chapter's own, and counted from 1 in each chapter."""

import importlib.util
import pathlib

FILE = pathlib.Path(__file__).resolve().parents[1] / "_ext" / "numbering.py"
SPEC = importlib.util.spec_from_file_location("numbering", FILE)
numbering = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(numbering)


def test_numbers_start_with_the_chapter_and_keep_their_order():
    before = {
        "index": {"figure": {"cover": (1,)}},
        "chapters/06_backpropagation": {"figure": {"b": (12,), "a": (3,)}, "displaymath": {"e": (40,)}},
        "chapters/12_normalization": {"figure": {"c": (13,)}},
    }
    assert numbering.renumbered(before) == {
        "index": {"figure": {"cover": (1,)}},
        "chapters/06_backpropagation": {"figure": {"a": (6, 1), "b": (6, 2)}, "displaymath": {"e": (6, 1)}},
        "chapters/12_normalization": {"figure": {"c": (12, 1)}},
    }
