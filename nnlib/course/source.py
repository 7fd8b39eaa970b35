"""show_source: the source of a function, class or module as a notebook output, so that the page never holds a copy."""

import ast
import dataclasses
import functools
import inspect
import re
import textwrap
import types


class Source:
    """Python source that a notebook shows highlighted; ``str`` and ``repr`` are the text itself."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        # A Markdown fence is highlighted by JupyterLab and by the site in their own light and dark colors.
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", self.text)), default=0))
        return {"text/plain": self.text, "text/markdown": f"{fence}python\n{self.text}\n{fence}"}


def show_source(*objects, docstring=True):
    """Show the source of functions, classes, methods or modules, one after the other.

    Parameters
    ----------
    *objects
        What to show. Of an activation (an ``Elementwise``) its function and its derivative are shown.
    docstring : bool
        False leaves every docstring out, so that only the code is left.

    Returns
    -------
    Source
        Let a cell end in it. It holds the text alone, no file name and no line number.

    Raises
    ------
    TypeError
        If there is no Python source to show, as for NumPy's compiled functions.
    """
    if not objects:
        raise TypeError("show_source takes at least one function, class or module")
    pieces = dict.fromkeys(_source(piece) for item in objects for piece in _pieces(item))
    return Source("\n\n\n".join(piece if docstring else _without_docstrings(piece) for piece in pieces))


def _pieces(item):
    """The functions, classes or modules that make up an object."""
    if isinstance(item, functools.partial):
        return _pieces(item.func)
    if isinstance(item, types.FunctionType) and "<locals>" in item.__qualname__:
        outer = getattr(inspect.getmodule(item), item.__qualname__.split(".")[0], None)
        return [outer if outer is not None else item]  # a function made by a function is read inside it
    if isinstance(item, (types.FunctionType, types.MethodType, types.ModuleType, type)):
        return [item]
    if isinstance(item, (property, functools.cached_property)):
        return [item.fget if isinstance(item, property) else item.func]
    if dataclasses.is_dataclass(item):
        values = [getattr(item, field.name) for field in dataclasses.fields(item)]
        found = [piece for value in values if callable(value) for piece in _pieces(value)]
        if found:
            return found
    if hasattr(item, "__wrapped__"):
        return _pieces(item.__wrapped__)
    raise TypeError(f"show_source takes functions, classes and modules, got {type(item).__name__} {item!r}")


def _source(item):
    try:
        text = inspect.getsource(item)
    except (OSError, TypeError) as error:
        raise TypeError(f"{getattr(item, '__name__', item)} has no Python source to show") from error
    return textwrap.dedent(text).strip()


def _without_docstrings(text):
    """Cut the lines of every docstring, and the blank lines after it; a body that was one docstring becomes `...`."""
    lines = text.split("\n")
    for node in reversed(list(ast.walk(ast.parse(text)))):
        holder = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module))
        if not holder or ast.get_docstring(node) is None:
            continue
        first, last = node.body[0].lineno, node.body[0].end_lineno
        alone = len(node.body) == 1 and not isinstance(node, ast.Module)
        lines[first - 1] = " " * node.body[0].col_offset + "..." if alone else None
        lines[first:last] = [None] * (last - first)
        while not alone and last < len(lines) and lines[last] == "":
            lines[last] = None
            last += 1
    return "\n".join(line for line in lines if line is not None)
