"""What a notebook's outputs depend on: the files of nnlib that it imports, and those that they import.

A chapter's package is taken whole, since its `ch.name` is looked up while it runs; so is a package that somebody
imports whole or asks for names that are not written down, as in ``getattr(nnlib, name)``, or that nnlib fetches from
its modules, as in ``from nnlib import Dense``. The other files of a folder,
data for example, belong to every module in it.
"""

import ast
import functools
import json
import pathlib
import re

PACKAGE = "nnlib"
CHAPTER = re.compile(rf"{PACKAGE}\.course\.chapter_\d\d$")
EXERCISE = re.compile(r"(\d\d)\.[a-z][a-z0-9_]*")  # check("02.xor_network", f) looks into chapter 2


def modules(root):
    """From the dotted name of each module of nnlib to its file."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def code_of(path):
    """The Python source of a file or of a notebook's cells."""
    if path.suffix != ".ipynb":
        return path.read_text("utf8")
    cells = json.loads(path.read_text("utf8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def imported(source, name, known):
    """The modules of nnlib that the source of module ``name`` names; all of them where that cannot be read."""
    try:
        imports, texts, chains = _parsed(source)
    except SyntaxError:  # a cell with a magic
        return set(known)
    found, aliases = set(), {}
    package = name if known.get(name, pathlib.Path()).name == "__init__.py" else name.rpartition(".")[0]
    for node in imports:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.add(alias.name)
                top = alias.name.split(".")[0]
                aliases[alias.asname or top] = alias.name if alias.asname else top
        else:
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found.add(base)
            for alias in node.names:
                if base == PACKAGE and _fetched(alias.name, known):
                    return set(known)
                found.add(f"{base}.{alias.name}")
                aliases[alias.asname or alias.name] = f"{base}.{alias.name}"
    if not name:
        found |= {f"{PACKAGE}.course.chapter_{match[1]}" for text in texts if (match := EXERCISE.fullmatch(text))}
    aliases = {short: long for short, long in aliases.items() if long in known}
    if any(aliases.get(first) == PACKAGE and (not rest or _fetched(rest[0], known)) for first, *rest in chains):
        return set(known)  # nnlib itself is handed to somebody, or fetches
    for first, *rest in chains:
        if first in aliases:
            found |= {".".join([aliases[first], *rest[:n]]) for n in range(len(rest) + 1)}
    return found & known.keys()


def _fetched(name, known):
    """Whether nnlib looks for that name in its modules: it is neither one of them nor a constant of its own."""
    return f"{PACKAGE}.{name}" not in known and not name.startswith("__") and not name.isupper()


@functools.cache
def _parsed(source):
    """The import statements of a source, its texts, and its names with their attributes."""
    nodes = list(ast.walk(ast.parse(source)))
    texts = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)], texts, list(_chains(nodes))


def _chains(nodes):
    """Every name with the attributes after it: a.b.c as ["a", "b", "c"]."""
    inside = set()
    for node in nodes:
        if not isinstance(node, ast.Attribute | ast.Name) or id(node) in inside:
            continue
        chain = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
            inside.add(id(node))
        if isinstance(node, ast.Name):
            yield [node.id, *chain[::-1]]


def dependencies(path, root):
    """The files of nnlib that the outputs of a notebook depend on, sorted."""
    known, seen = modules(root), set()
    waiting = imported(code_of(path), "", known)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        parts = name.split(".")
        waiting |= {".".join(parts[:n]) for n in range(1, len(parts))}
        if CHAPTER.match(name):
            waiting |= {other for other in known if other.startswith(name + ".")}
        waiting |= imported(code_of(known[name]), name, known)
    files = {known[name] for name in seen}
    for folder in {file.parent for file in files}:
        files |= {file for file in folder.iterdir() if file.is_file() and file.suffix not in (".py", ".pyc")}
    return sorted(files)
