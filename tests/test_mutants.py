"""The tool that changes nnlib to see whether a test notices: which changes it makes, and its table of exceptions."""

import ast
import collections
import textwrap

import mutants
import pytest

import nnlib


def changes(source):
    """{(line before, line after)} of all mutants of a piece of code."""
    source = textwrap.dedent(source).lstrip()
    found = mutants.mutants_of("module", source)
    for mutant in found:
        ast.parse(mutant.source)
        assert mutant.source != source
    return {(mutant.before, mutant.after) for mutant in found}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a = b + c", "a = (b - c)"),
        ("a = b + c", "a = (c)"),
        ("a = b * c", "a = (b)"),
        ("a = -b", "a = (b)"),
        ("a = b < c", "a = (b <= c)"),
        ("a = x.sum(axis=1)", "a = x.sum(axis=0)"),
        ("a = x.sum(axis=1)", "a = (x.sum())"),
        ("a = x.mean()", "a = (x.sum)()"),
        ("a = W.T @ x", "a = (W) @ x"),
        ("a = 1.0 / np.sqrt(v + eps)", "a = 1.0 / (np.sqrt(v) + eps)"),
        ("a = np.maximum(z, 0.0)", "a = (np.minimum)(z, 0.0)"),
        ("a = np.maximum(z, 0.0)", "a = np.maximum(z, 1.0)"),
        ("total += x", "total -= x"),
        ("total += x", "pass"),
        ("self.x = x", "pass"),
        ("a = x if y else z", "a = (z)"),
        ("a = x[1:]", "a = x[2:]"),
        ("a = x and y", "a = (x or y)"),
    ],
)
def test_a_small_change_is_made(before, after):
    assert (before, after) in changes(before)


def test_two_steps_of_which_one_needs_the_other_change_places():
    code = """
    np.sqrt(s, out=d)
    d += eps
    """
    assert ("np.sqrt(s, out=d) d += eps", "d += eps np.sqrt(s, out=d)") in changes(code)
    for independent in ("a += x\nb += y", "a *= x\na *= y"):
        assert not any(before == independent.replace("\n", " ") for before, _ in changes(independent))


def test_a_door_is_left_open_and_closed():
    assert changes("if x.ndim != 2:\n    raise ValueError(f'got {x.ndim + 1}')") == {
        ("if x.ndim != 2:", "if False:"),
        ("if x.ndim != 2:", "if (x.ndim == 2):"),
        ("if x.ndim != 2:", "if x.ndim != 3:"),
        ("if x.ndim != 2:", "if x.ndim != 1:"),
    }


def test_texts_and_representations_are_left_alone():
    code = '''
    """A text with 1 + 1."""
    import math
    @dataclass(frozen=True)
    class A:
        def __repr__(self):
            return "a" + str(1)
    '''
    assert not changes(code)


def test_every_change_of_a_module_is_another_one_and_has_its_own_key():
    source = (mutants.ROOT / "nnlib" / "optimizers.py").read_text("utf8")
    found = mutants.mutants_of("optimizers", source)
    assert len({mutant.key for mutant in found}) == len(found) > 300
    assert len({mutant.source for mutant in found}) == len(found)


def test_the_table_of_equivalent_mutants_holds_mutants_that_exist_and_hides_no_other():
    table = mutants.equivalents()
    found = collections.Counter()
    for module in {module for module, *_ in table}:
        source = (mutants.ROOT / "nnlib" / f"{module}.py").read_text("utf8")
        found.update(map(mutants.row, mutants.mutants_of(module, source)))
    assert table
    gone = {row for row in table if not found[row]}
    assert not gone, "these expressions have changed since: judge their mutants again and renew the table"
    assert not {row: found[row] for row in table if found[row] > 1}, "a row stands for one place, not for several"


def test_a_mutant_of_the_table_outlives_what_is_written_around_it():
    def rows(source):
        return {mutants.row(mutant) for mutant in mutants.mutants_of("module", textwrap.dedent(source))}

    before = rows("""
        def f(x, n=3):
            if x.ndim == 2:
                x += 1.0
                x *= n
            return np.clip(x, -6.0, 6.0)
    """)
    after = rows("""
        # a comment
        def f(x, n=3):
            "What it does."
            y = 0
            if (x.ndim == 2):  # rows
                x += 1.0; x *= n
            return np.clip(
                x, -6.0, 6.0)
    """)
    wanted = {
        ("module", "f", "x.ndim == 2", "x.ndim == 3"),
        ("module", "f", "x, n=3", "x, n=4"),
        ("module", "f", "x += 1.0", "x += 0.0"),
        ("module", "f", "x += 1.0; x *= n", "x *= n; x += 1.0"),
        ("module", "f", "np.clip(x, -6.0, 6.0)", "np.clip(x, 6.0, 6.0)"),
    }
    assert wanted <= before
    assert wanted <= after
    assert ("module", "f", "x.ndim == 2", "x.ndim == 3") not in rows("def f(x):\n    return x.ndim == 3")


def test_every_file_of_the_lower_floors_is_changed_unless_it_is_named():
    assert {"layers/dense", "layers/recurrent", "activations", "losses", "optimizers", "ensemble"} <= set(
        mutants.KERNELS
    )
    assert not set(mutants.KERNELS) & mutants.NOT_KERNELS
    assert "layers/__init__" not in mutants.KERNELS
    assert all((mutants.ROOT / "nnlib" / f"{module}.py").exists() for module in mutants.KERNELS)
    on_floors = {name for floor in (1, 2) for name in nnlib.FLOORS[floor].split()}
    assert on_floors >= mutants.NOT_KERNELS, "a name of NOT_KERNELS is no module of floors 1 and 2"
