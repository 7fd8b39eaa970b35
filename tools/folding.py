"""Folding: code that is to be learned stands open; cells that only import, draw, explore, ask or claim are folded."""

import ast
import functools
import pathlib

from nnlib.course.claims import claimed

ROOT = pathlib.Path(__file__).resolve().parents[1]
DRAWERS = {"plt", "fig", "ax", "axes", "plotting", "explore", "guess", "ask", "glue"}
ASKERS = {"guess", "ask"}
ASSERTED = "what is asserted"
PLAIN = {
    "range",
    "zip",
    "enumerate",
    "linspace",
    "arange",
    "meshgrid",
    "ones",
    "flat",
    "ravel",
}  # what only names places


@functools.cache
def drawings():
    """Names of the functions in the chapters' files of drawings."""
    trees = [ast.parse(path.read_text("utf8")) for path in ROOT.glob("nnlib/course/*/drawings.py")]
    return {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)}


def _names(function):
    """The names of a.b.c, first to last."""
    if isinstance(function, ast.Name):
        return [function.id]
    if isinstance(function, ast.Attribute):
        return [*_names(function.value), function.attr]
    return _names(function.value) if isinstance(function, ast.Subscript) else [""]


def _draws(node):
    """Whether an expression is a call that draws: plt.plot(...), axes[0].set(...), ch.some_drawing(...)."""
    if not isinstance(node, ast.Call):
        return False
    names = _names(node.func)
    return names[0] in DRAWERS or (names[0] == "ch" and names[-1] in drawings())


def _parts(node):
    """A node and all below it, without what stands in a text."""
    yield node
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from _parts(child)


def _is_plain(node):
    """Whether an expression computes nothing: numbers, texts, names, and places such as np.linspace(0, 1)."""
    return not any(
        isinstance(one, ast.BinOp | ast.Compare | ast.Lambda)
        or (isinstance(one, ast.Call) and _names(one.func)[-1] not in PLAIN and not _draws(one))
        for one in _parts(node)
    )


def _only_draws(statement):
    if isinstance(statement, ast.Expr):
        return _draws(statement.value) or isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign):
        return _draws(statement.value) or _is_plain(statement.value)
    if isinstance(statement, ast.For):
        return _is_plain(statement.iter) and all(map(_only_draws, statement.body))
    return False


def only_imports(source):
    """Whether a cell holds imports, and beside them at most the random generator."""
    statements = ast.parse(source).body
    kinds = [isinstance(one, ast.Import | ast.ImportFrom) for one in statements]
    return any(kinds) and all(kind or isinstance(one, ast.Assign) for kind, one in zip(kinds, statements, strict=True))


def only_draws(source):
    """Whether every statement of a cell draws, explores or asks; arguments may compute what is drawn."""
    statements = ast.parse(source).body
    calls = [one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.Call)]
    return any(map(_draws, calls)) and all(map(_only_draws, statements))


def asks(source):
    """Whether a cell ends in a guess or a typed answer, so that its code tells the result."""
    statements = ast.parse(source).body
    last = statements[-1] if statements else None
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and _names(last.value.func)[0] in ASKERS


def fold(source):
    """What the button of a folded cell says, or "" for code that stays open."""
    try:
        if only_imports(source):
            return "the imports"
        if asks(source):
            return "the code of this question"
        if claimed(source):
            return ASSERTED
        return "the code of this figure" if only_draws(source) else ""
    except SyntaxError:  # magics and the like: as it stands
        return ""
