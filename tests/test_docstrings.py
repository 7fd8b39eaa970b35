"""Docstrings: every example in nnlib runs, and gives what stands below it."""

import doctest
import importlib
import pathlib

import pytest

import nnlib

PACKAGE = pathlib.Path(nnlib.__file__).parent
WITH_EXAMPLES = [
    "nnlib." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text("utf8")
]


def attempted_and_failed(examples, namespace, name):
    """Both counts, with what went wrong in the report that doctest prints."""
    test = doctest.DocTestParser().get_doctest(examples, dict(namespace), name, None, 0)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test)
    return result.attempted, result.failed


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name):
    module = importlib.import_module(name)
    tests = [test for test in doctest.DocTestFinder(exclude_empty=True).find(module, name) if test.examples]
    assert tests, f"the examples of {name} stand in no docstring"
    for test in tests:
        assert "+SKIP" not in test.docstring, f"{test.name}: an example that nobody runs"
        attempted, failed = attempted_and_failed(test.docstring, {"__name__": "__main__"}, test.name)
        assert attempted
        assert not failed, test.name


def test_there_are_examples():
    assert {"nnlib.ensemble", "nnlib.callbacks"} <= set(WITH_EXAMPLES)


def test_an_example_that_is_wrong_is_found():
    assert attempted_and_failed(">>> 1 + 1\n2", {}, "right") == (1, 0)
    assert attempted_and_failed(">>> 1 + 1\n3", {}, "wrong") == (1, 1)
    assert attempted_and_failed(">>> missing_name\n", {}, "no such name") == (1, 1)
