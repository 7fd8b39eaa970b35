"""Change nnlib's kernels in thousands of small ways and see whether a test notices each.

    python tools/mutants.py --sample 200          # a random sample
    python tools/mutants.py losses optimizers     # all mutants of these modules
    python tools/mutants.py                       # all; goes on where the last run stopped

A mutant is one change of the syntax tree: a sign, a factor, an operator, a comparison, a constant, an axis, a function,
the order of two statements, a statement left out.  Each runs in a process and a copy of its own, against the tests that
execute its line, fastest first.  A test that fails, an import that fails and a loop that does not end kill it.
Survivors are printed as a difference of lines; those that change nothing one could observe stand in mutants.md.
"""

import argparse
import ast
import collections
import copy
import dataclasses
import difflib
import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOT_KERNELS = {  # on the lower floors, yet nothing that a small change would make compute something else
    "data", "archive", "callbacks", "perceptron", "autodiff", "progress", "doors", "reprs", "foreign",
}  # fmt: skip
HIGHER = ("diagnostics", "ensemble", "flat")  # kernels of higher floors


def kernels(package=ROOT / "nnlib"):
    """The modules that are changed: those of floors 1 and 2 of ``nnlib.FLOORS``, file by file, and a few above."""
    tree = ast.parse((package / "__init__.py").read_text("utf8"))
    floors = next(
        ast.literal_eval(node.value) for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FLOORS"
    )  # fmt: skip
    found = []
    for name in (*floors[1].split(), *floors[2].split(), *HIGHER):
        if name not in NOT_KERNELS:
            inside = sorted(path.stem for path in (package / name).glob("*.py") if path.stem != "__init__")
            found += [f"{name}/{stem}" for stem in inside] or [name]
    return found


KERNELS = kernels()
TESTS = [
    "test_laws",
    "test_layers",
    "test_recurrent",
    "test_network",
    "test_wrong_calls",
    "test_reference",
    "test_properties",
    "test_regularizers",
    "test_preprocessing",
    "test_augmentation",
    "test_diagnostics",
    "test_ensemble",
    "test_flat",
    "test_layouts",
    "test_clipped",
    "test_sequences",
]
EQUIVALENT = ROOT / "tools" / "mutants.md"


# --- mutants ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of one file: ``source`` is the whole changed file."""

    module: str
    line: int
    lines: tuple  # of the statement, for the tests that execute it
    where: str
    before: str
    after: str
    change: tuple  # the expression that is changed, before and after, whatever line it stands in
    nth: int  # among equal changes in equal lines of one function
    source: str = dataclasses.field(repr=False, compare=False)

    @property
    def key(self):
        text = "\n".join((self.module, self.where, self.before, self.after, str(self.nth)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


BINARY = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.Mult,),
}
COMPARE = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
NAMES = dict(
    pair
    for a, b in (
        ("minimum", "maximum"), ("min", "max"), ("mean", "sum"), ("greater", "greater_equal"), ("less", "less_equal"),
        ("add", "subtract"), ("multiply", "divide"), ("sqrt", "square"), ("sin", "cos"), ("zeros", "ones"),
        ("zeros_like", "ones_like"), ("argmax", "argmin"), ("any", "all"), ("exp", "expm1"), ("log", "log1p"),
        ("tanh", "arctan"), ("sigmoid", "tanh"), ("rows", "columns"),
    )
    for pair in ((a, b), (b, a))
)  # fmt: skip
NAMES |= {"tanh": "arctan", "abs": "sign", "sign": "abs", "negative": "positive", "reciprocal": "negative"}
UNWRAP = {"abs", "sqrt", "exp", "log", "log1p", "expm1", "square", "reversed", "sorted", "softplus", "sigmoid", "tanh",
          "round", "float", "copy"}  # fmt: skip
SWAP = {"subtract", "divide", "where", "matmul", "clip", "between"}


def changes(node):
    """The expressions that may stand in place of this one."""
    if isinstance(node, ast.BinOp):
        for op in BINARY.get(type(node.op), ()):
            yield ast.BinOp(node.left, op(), node.right)
        if not isinstance(node.op, ast.FloorDiv | ast.Mod):
            yield node.left
        if isinstance(node.op, ast.Add | ast.Mult):
            yield node.right
        if isinstance(node.op, ast.Sub):
            yield ast.UnaryOp(ast.USub(), node.right)
        if isinstance(node.op, ast.MatMult):
            yield ast.BinOp(node.right, ast.MatMult(), node.left)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for op in COMPARE.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [op()], node.comparators)
    elif isinstance(node, ast.Compare):
        for k, op in enumerate(node.ops):
            for other in COMPARE.get(type(op), ())[:1]:
                yield ast.Compare(node.left, [*node.ops[:k], other(), *node.ops[k + 1 :]], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for k in range(len(node.values)):
            rest = node.values[:k] + node.values[k + 1 :]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.Constant):
        yield from map(ast.Constant, other_constants(node.value))
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Attribute | ast.Name):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        if name in NAMES and isinstance(node.ctx, ast.Load):
            other = NAMES[name]
            yield ast.Attribute(node.value, other, node.ctx) if isinstance(node, ast.Attribute) else ast.Name(other)
    elif isinstance(node, ast.Call):
        yield from calls(node)
    elif isinstance(node, ast.Slice):
        for part in ("lower", "upper", "step"):
            if getattr(node, part) is not None:
                yield ast.Slice(**{p: None if p == part else getattr(node, p) for p in ("lower", "upper", "step")})


def name_of(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def calls(node):
    name = name_of(node)
    if name in UNWRAP and len(node.args) == 1 and not node.keywords:
        yield node.args[0]
    if name == "copy" and not node.args and isinstance(node.func, ast.Attribute):
        yield node.func.value
    if name in SWAP and len(node.args) >= 2:
        *first, a, b = node.args
        yield ast.Call(node.func, [*first, b, a], node.keywords)
    if name == "sqrt" and len(node.args) == 1 and isinstance(node.args[0], ast.BinOp):  # eps outside the root
        inside = node.args[0]
        if isinstance(inside.op, ast.Add) and "eps" in ast.unparse(inside.right):
            yield ast.BinOp(ast.Call(node.func, [inside.left], node.keywords), ast.Add(), inside.right)
    for k, keyword in enumerate(node.keywords):
        if keyword.arg in ("axis", "keepdims", "where", "dtype", "casting", "ddof"):
            yield ast.Call(node.func, node.args, node.keywords[:k] + node.keywords[k + 1 :])


def other_constants(value):
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1,) if value <= 0 else (value + 1, value - 1)
    if isinstance(value, float):
        return (1.0,) if value == 0.0 else (1.1 * value, 0.0) if value != 1.0 else (1.1, 0.0, 2.0)
    return ()


def skipped(node):
    """What no kernel computes: texts of errors, docstrings, annotations, representations."""
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.Import | ast.ImportFrom):
        return True
    return isinstance(node, ast.FunctionDef) and node.name == "__repr__"


def mutants_of(module, source):
    """Every mutant of a module, in the order of its lines."""
    tree, found = ast.parse(source), []
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    raw, seen = source.encode(), collections.Counter()
    made = set()

    def place(node):
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def add(where, statement, node, text, change=None):
        start, stop = place(node)
        if (start, stop, text) in made or text in ("", raw[start:stop].decode()):
            return
        made.add((start, stop, text))
        changed = (raw[:start] + text.encode() + raw[stop:]).decode()
        new = changed.splitlines(keepends=True)
        first, last = node.lineno, node.end_lineno
        before = " ".join(line.strip() for line in lines[first - 1 : last])
        after = " ".join(line.strip() for line in new[first - 1 : last + len(new) - len(lines)])
        seen[where, before, after] += 1
        own = header(statement)
        change = change or (ast.unparse(node), ast.unparse(ast.parse(text)))
        found.append(Mutant(module, first, own, where, before, after, change, seen[where, before, after], changed))

    def expressions(where, statement, node, around=()):
        if skipped(node):
            return
        for other in changes(node) if isinstance(node, ast.expr | ast.Slice) else ():
            text = ast.unparse(ast.fix_missing_locations(other))
            text = text if isinstance(node, ast.Slice | ast.Constant) else f"({text})"
            add(where, statement, node, text, in_context(around, node, other))
        for child in ast.iter_child_nodes(node):
            if child in getattr(node, "decorator_list", ()):
                continue
            if isinstance(child, ast.UnaryOp) and isinstance(node, ast.Call) and name_of(node) == "reshape":
                continue  # any negative number asks for what is left over
            if not isinstance(child, ast.stmt | ast.arguments):
                expressions(where, statement, child, (*around, node))
            elif isinstance(child, ast.arguments):
                body = node.body if isinstance(node.body, list) else [node.body]
                for name, default in defaults(child):
                    if any(mentions(part, name) for part in body):  # the others stand there for their callers alone
                        expressions(where, statement, default, (*around, node, child))

    def statements(where, body):
        for k, node in enumerate(body):
            if skipped(node) or is_text(node):
                continue
            inside = f"{where}.{node.name}".lstrip(".") if hasattr(node, "name") else where
            indent = " " * node.col_offset
            if isinstance(node, ast.AugAssign):
                for op in BINARY.get(type(node.op), ()):
                    add(where, node, node, ast.unparse(ast.AugAssign(node.target, op(), node.value)))
            if isinstance(node, ast.AugAssign | ast.Expr) or (
                isinstance(node, ast.Assign) and all(isinstance(t, ast.Attribute | ast.Subscript) for t in node.targets)
            ):
                add(where, node, node, "pass")
            if isinstance(node, ast.If):
                if not isinstance(node.test, ast.UnaryOp | ast.Compare):
                    add(where, node, node.test, f"not ({ast.unparse(node.test)})")
                add(where, node, node.test, "False")
            if isinstance(node, ast.While):
                add(where, node, node.test, "False")
            if isinstance(node, ast.Continue | ast.Break):
                add(where, node, node, "pass")
            after = body[k + 1] if k + 1 < len(body) else None
            if after is not None and depend(node, after):
                pair = ast.Module([node, after], [])
                pair.lineno, pair.col_offset = node.lineno, node.col_offset
                pair.end_lineno, pair.end_col_offset = after.end_lineno, after.end_col_offset
                one, two = ast.unparse(node), ast.unparse(after)
                add(where, node, pair, f"{two}\n{indent}{one}", (f"{one}; {two}", f"{two}; {one}"))
            expressions(inside, node, node)
            for block in ("body", "orelse", "finalbody"):
                statements(inside, getattr(node, block, []))
            for handler in getattr(node, "handlers", []):
                statements(inside, handler.body)

    statements("", tree.body)
    return found


BARE = ast.Constant | ast.Name | ast.Attribute | ast.UnaryOp | ast.Slice | ast.keyword | ast.Starred | ast.comprehension


def in_context(around, node, other):
    """(before, after) as text: the expression that is changed, and around a mere name or number the next larger one."""
    before, after = node, other
    for larger in reversed(around):
        if not isinstance(before, BARE):
            break
        before, after = larger, with_child(larger, before, after)
    return tuple(ast.unparse(ast.fix_missing_locations(without_block(part))) for part in (before, after))


def with_child(node, child, other):
    """A copy of the node in which another one stands for this child."""
    new = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if value is child:
            setattr(new, name, other)
        elif isinstance(value, list) and any(part is child for part in value):
            setattr(new, name, [other if part is child else part for part in value])
    return new


def without_block(node):
    """A statement's first line alone: ``for k in range(3):``."""
    if not isinstance(getattr(node, "body", None), list):
        return node
    new = copy.copy(node)
    for block in ("body", "orelse", "finalbody", "handlers"):
        if hasattr(new, block):
            setattr(new, block, [])
    return new


def defaults(arguments):
    """The arguments that have a default, with it."""
    plain = [*arguments.posonlyargs, *arguments.args]
    yield from ((a.arg, d) for a, d in zip(plain[len(plain) - len(arguments.defaults) :], arguments.defaults))
    yield from ((a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults) if d is not None)


def header(node):
    """The lines of a statement without the block below it."""
    body = getattr(node, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno
    return tuple(range(node.lineno, max(node.lineno, last) + 1))


def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def depend(first, second):
    """Whether both change an array in place, ``s += x`` or ``np.sqrt(s, out=s)``, and one reads the other's."""
    if isinstance(first, ast.AugAssign) and isinstance(second, ast.AugAssign) and type(first.op) is type(second.op):
        return False  # factors change places, and so do terms
    wrote, then = changed_by(first), changed_by(second)
    return bool(wrote and then) and (mentions(second, wrote) or mentions(first, then))


def mentions(node, text):
    return re.search(rf"(?<![\w.]){re.escape(text)}(?!\w)", ast.unparse(node)) is not None


def changed_by(node):
    """The array that a statement changes in place, as text; None where it is no such statement."""
    if isinstance(node, ast.AugAssign):
        return ast.unparse(node.target)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return next((ast.unparse(keyword.value) for keyword in node.value.keywords if keyword.arg == "out"), None)
    return None


# --- processes: everything below runs in copies -----------------------------------------------------------------------


def write_to(path):
    """From now on everything that this process prints goes there."""
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    for number in (1, 2):
        os.dup2(file, number)


def run_tests(folder, plugin):
    """pytest in this process, in that folder; leaves the process with pytest's answer."""
    write_to(plugin.output)
    sys.dont_write_bytecode = not isinstance(plugin, Recorder)
    os.chdir(folder)
    sys.path[:0] = [str(folder), str(folder / "tests")]
    import pytest

    files = sorted({name.split("::")[0] for name in plugin.wanted}) or [f"tests/{name}.py" for name in TESTS]
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:nbval", *LATE, *files]
    status = pytest.main(arguments, plugins=[plugin])
    os._exit(int(status) if status != 5 else NOTHING_RAN)


NOTHING_RAN = 77
LATE = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # hypothesis is imported before pytest starts


class Recorder:
    """For the unchanged code: how long each test takes and which lines it executes."""

    wanted = ()

    def __init__(self, folder, report):
        self.folder, self.report, self.output = folder, report, report.with_suffix(".txt")

    def pytest_sessionstart(self, session):
        import coverage

        self.durations = {}
        self.coverage = coverage.Coverage(
            data_file=None, config_file=False, include=[str(self.folder / "nnlib" / "*")], messages=False
        )
        self.coverage.start()

    def pytest_runtest_logstart(self, nodeid, location):
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.durations[report.nodeid] = report.duration

    def pytest_sessionfinish(self, session, exitstatus):
        self.coverage.stop()
        data = self.coverage.get_data()
        lines = {}
        for module in KERNELS:
            path = str(self.folder / "nnlib" / f"{module}.py")
            lines[module] = {str(n): sorted(names) for n, names in data.contexts_by_lineno(path).items()}
        content = {"status": int(exitstatus), "durations": self.durations, "lines": lines}
        self.report.write_text(json.dumps(content), "utf8")


class Chosen:
    """For a mutant: only these tests, in this order."""

    output = os.devnull

    def __init__(self, wanted):
        self.wanted = wanted

    def pytest_collection_modifyitems(self, config, items):
        place = {name: k for k, name in enumerate(self.wanted)}
        found = [item for item in items if item.nodeid in place]
        if len(found) < len(place):  # the mutant renamed a case: all cases of the same tests
            functions = {name.split("[")[0] for name in place}
            found = [item for item in items if item.nodeid.split("[")[0] in functions]
        items[:] = sorted(found, key=lambda item: place.get(item.nodeid, len(place)))


def context():
    """Processes that begin with the slow imports done, where the system can fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["numpy", "pytest", "hypothesis.strategies", "matplotlib", "coverage"])
    return made


def copy_to(folder, source=ROOT):
    """What the tests need, with the times of the files kept, so that compiled files stay valid."""
    ignore = shutil.ignore_patterns("__pycache__", "widgets", "course", "site", "*.ipynb")
    for name in ("nnlib", "tests"):
        shutil.copytree(source / name, folder / name, ignore=ignore)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy2(source / name, folder / name)
    return folder


def baseline(processes, folder, state):
    """Durations and lines of all tests, kept as long as neither code nor tests change."""
    digest = hashlib.sha256()
    for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.npz"))):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    report = state / f"baseline-{digest.hexdigest()[:16]}.json"
    if not report.exists():
        print("running the tests on the unchanged code", flush=True)
        process = processes.Process(target=run_tests, args=(folder, Recorder(folder, report)))
        process.start()
        process.join()
        if not report.exists() or json.loads(report.read_text("utf8"))["status"]:
            report.unlink(missing_ok=True)
            sys.exit(f"error: the tests fail on the unchanged code, see {report.with_suffix('.txt')}")
    return json.loads(report.read_text("utf8"))


def tests_for(mutant, base):
    """The tests that execute the mutant's lines, fastest first; where an import does so, all of its module."""
    lines = base["lines"][mutant.module]
    names = {name for line in mutant.lines for name in lines.get(str(line), ())}
    if not names or "" in names:
        names = {name for found in lines.values() for name in found}
    return sorted((n for n in names if n in base["durations"]), key=base["durations"].get)


def outcome(processes, folder, mutant, names, base):
    """ "killed", "survived" or "timeout" """
    if not names:
        return "survived"
    path = folder / "nnlib" / f"{mutant.module}.py"
    kept = path.with_suffix(".kept")
    shutil.copy2(path, kept)
    try:
        path.write_text(mutant.source, "utf8")
        process = processes.Process(target=run_tests, args=(folder, Chosen(names)))
        process.start()
        process.join(30.0 + 10.0 * sum(base["durations"][name] for name in names))
        if process.exitcode is None:
            process.kill()
            process.join()
            return "timeout"
        if process.exitcode == NOTHING_RAN:
            raise RuntimeError(f"no test ran for {mutant}")
        return "survived" if process.exitcode == 0 else "killed"
    finally:
        os.replace(kept, path)


# --- what is known, and the report ------------------------------------------------------------------------------------


def equivalents(path=EQUIVALENT):
    """{(module, function, expression before, expression after)} of the table in mutants.md."""
    rows = set()
    for line in path.read_text("utf8").splitlines() if path.exists() else ():
        cells = re.findall(r"`` ?(.*?) ?``|`(.*?)`", line) if line.startswith("| `") else ()
        texts = [a or b for a, b in cells]
        if len(texts) >= 4:
            rows.add(tuple(text.replace("\\|", "|") for text in texts[:4]))
    return rows


def known_results(path):
    results = {}
    for line in path.read_text("utf8").splitlines() if path.exists() else ():
        key, answer = json.loads(line)
        results[key] = answer
    return results


def show(mutant):
    difference = difflib.ndiff([mutant.before], [mutant.after])
    text = "\n".join(line.rstrip() for line in difference if line[0] in "-+")
    return f"nnlib/{mutant.module}.py:{mutant.line}  {mutant.where}\n{text}"


def work(mutants, processes, pristine, folder, base, results, log, lock, progress):
    """One worker: takes mutants off the list until there are none."""
    copy_to(folder, pristine)
    for path in pristine.rglob("__pycache__"):
        shutil.copytree(path, folder / path.relative_to(pristine), dirs_exist_ok=True)
    while True:
        with lock:
            if not mutants:
                return
            mutant = mutants.pop()
        answer = outcome(processes, folder, mutant, tests_for(mutant, base), base)
        with lock:
            results[mutant.key] = answer
            with open(log, "a", encoding="utf8") as file:
                file.write(json.dumps([mutant.key, answer]) + "\n")
            progress(mutant, answer)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="e.g. losses layers/dense; all kernels where left out")
    parser.add_argument("--sample", type=int, help="so many, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long; a later run goes on")
    parser.add_argument("--again", action="store_true", help="run those that survived once more, e.g. after new tests")
    parser.add_argument("--state", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "nnlib-mutants")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    options = parser.parse_args(arguments)

    unknown = set(options.modules) - set(KERNELS)
    if unknown:
        parser.error(f"no kernel module is called {', '.join(sorted(unknown))}; there are {', '.join(KERNELS)}")
    options.state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        return run(options, pathlib.Path(temporary).resolve())


def run(options, temporary):
    pristine = copy_to(temporary / "pristine")
    modules = [module for module in options.modules or KERNELS if (pristine / "nnlib" / f"{module}.py").exists()]
    every = []
    for module in modules:
        every += mutants_of(module, (pristine / "nnlib" / f"{module}.py").read_text("utf8"))
    table = equivalents()
    chosen = [m for m in every if row(m) not in table]
    n_equivalent = len(every) - len(chosen)
    if options.sample is not None:
        chosen = random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))
    print(f"{len(every)} mutants, {n_equivalent} of them change nothing one could observe (mutants.md)")
    if options.list:
        print("\n".join(map(show, chosen)))
        return 0

    processes = context()
    base = baseline(processes, pristine, options.state)
    log = options.state / "results.jsonl"
    results = known_results(log)
    waiting = [
        m for m in chosen if results.get(m.key) not in ("killed", "timeout", "" if options.again else "survived")
    ]
    print(f"{len(chosen)} to judge, {len(waiting)} of them to run", flush=True)
    total, started, done = len(waiting), time.monotonic(), collections.Counter()

    def progress(mutant, answer):
        done[answer] += 1
        if answer == "survived":
            print(show(mutant), flush=True)
        n = done.total()
        if n % 50 == 0 or n == total:
            left = (time.monotonic() - started) / n * (total - n) / 60.0
            print(f"{n}/{total}  {dict(done)}  {left:.0f} min left", flush=True)
        if time.monotonic() - started > 60.0 * options.minutes:
            waiting.clear()

    waiting.reverse()
    lock = threading.Lock()
    workers = [
        threading.Thread(
            target=work,
            args=(waiting, processes, pristine, temporary / f"copy{k}", base, results, log, lock, progress),
        )
        for k in range(options.jobs)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return report(chosen, results)


def row(mutant):
    """What the table holds of it: no line and no number, so that it outlives whatever is written around it."""
    before, after = (" ".join(text.split()) for text in mutant.change)
    return mutant.module, mutant.where or "the module", before, after


def report(chosen, results):
    judged = [m for m in chosen if m.key in results]
    survivors = [m for m in judged if results[m.key] == "survived"]
    by_module = collections.defaultdict(lambda: [0, 0])
    for mutant in judged:
        by_module[mutant.module][0] += 1
        by_module[mutant.module][1] += results[mutant.key] == "survived"
    print(f"\n{'module':24}{'mutants':>9}{'survive':>9}")
    for module, (n, alive) in by_module.items():
        print(f"{module:24}{n:9}{alive:9}")
    print("\nsurvivors:" if survivors else "\nno survivors")
    for mutant in survivors:
        print(show(mutant))
    share = 1.0 - len(survivors) / max(len(judged), 1)
    print(f"\n{len(judged)} of {len(chosen)} judged, {len(judged) - len(survivors)} killed: {share:.1%}")
    return int(share < 0.95)


if __name__ == "__main__":
    sys.exit(main())
