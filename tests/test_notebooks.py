"""Laws of the notebooks: nothing in them can pass without having been run, and all of them follow CHAPTER's form.

Each law is a function from a notebook to the sentences that say how it breaks the law. Below the laws stand their own
tests: each is fed a planted fault and must find it.
"""

import ast
import collections
import copy
import json
import re
import subprocess
import sys

import contents
import folding
import notebooks
import pytest
import quiz

LONGEST_CELL = 25  # lines
LONGEST_ASIDE = 35  # lines of a cell that is folded, asks or claims
CODE_CELLS = (18, 35)  # that teach: not those of exercises, folded ones, and claims, which compute nothing
WORDS = (3000, 4500)  # without quiz and exercises
WORDIER = {"04": 6000, "07": 6000, "11": 6000, "12": 6000, "15": 6000}
EXERCISES = (6, 8)
QUIZ = (5, 8)
GUESSES, ASKS, REFUTATIONS = 3, 4, 3  # at least
REFUTATION = re.compile(r"^[:`]{3,}\{admonition\} [\"“]", re.M)  # a box whose title is what is often said
MINUTES = {"word": 1 / 200, "figure": 2, "exercise": 5}  # what a reader takes
COLUMNS = re.compile(r"\bW(\^\{?\\?\w+\}?)? ?[xa]\b|\bW\d?\.T @|\bW\d? @ [xa]\b")  # an example as a column
INTERACTIVE = 2
SHORTEST_ALT = 20  # characters
EXERCISE_TAGS = {"exercise-stub", "exercise-solution"}
FORBIDDEN_TAGS = re.compile(r"skip|raises-exception|nbval|remove-|no-execute", re.I)
UNSTABLE = {
    "an address in memory": re.compile(r"\b0x[0-9a-f]{6,}\b", re.I),
    "a timing": re.compile(r"\b\d+(\.\d+)?\s?(ms|µs|us|ns|sec|seconds|minutes|it/s)\b|\b\d+\.\d+\s?s\b"),
    "a folder of this machine": re.compile(r"(/home/|/Users/|/root/|/tmp/|[A-Z]:\\)"),
    "a version": re.compile(r"\b(numpy|python|matplotlib)\s+\d+\.\d+", re.I),
}


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def tags(cell):
    return set(cell["metadata"].get("tags", []))


def source(cell):
    return "".join(cell["source"])


def texts(cell):
    """Everything that a cell's outputs show as text."""
    for output in cell["outputs"]:
        yield "".join(output.get("text", ""))
        for mime, data in output.get("data", {}).items():
            if mime.startswith("text/"):
                yield "".join(data)


def drawn(cell):
    return any(text.startswith("<Figure size") for text in texts(cell))


def interactive(cell):
    return any(text.startswith("Explore(") for text in texts(cell))


def asks(cell):
    """Whether a cell shows a guess or a typed answer."""
    return any(text.startswith(("Guess(", "Ask(")) for text in texts(cell))


def aside(cell):
    """Whether a cell stands beside what is taught: it asks, only draws and so is folded, or states claims."""
    return asks(cell) or bool(folding.fold(source(cell))) or "falsifiers" in cell["metadata"]


def markdown(notebook, until=None):
    """The text of a notebook without its exercises, up to a heading."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    text = "\n\n".join(source(cell) for cell in cells if "exercise" not in cell["metadata"])
    return text.split(f"## {until}\n")[0] if until else text


def words(text):
    """How many words of prose a text has: code, tables and displayed formulas have none, a formula in a line is one."""
    for pattern in (r"^(`{3,})[\s\S]*?^\1`*$", r"\$\$[\s\S]*?\$\$(\s*\(.*?\))?", r"^\|.*$"):
        text = re.sub(pattern, " ", text, flags=re.M)
    return len(re.findall(r"[A-Za-z][A-Za-z'’-]*", re.sub(r"\$[^$]*\$", " x ", text)))


def minutes(notebook):
    """How long a reader takes, to 5 minutes."""
    cells = code_cells(notebook)
    counts = {
        "word": words(markdown(notebook)),
        "figure": sum(drawn(cell) or interactive(cell) for cell in cells),
        "exercise": sum("exercise-stub" in tags(cell) for cell in cells),
    }
    return 5 * round(sum(n * MINUTES[kind] for kind, n in counts.items()) / 5)


def numbered(notebook):
    return enumerate(code_cells(notebook), 1)


# ---- the laws -------------------------------------------------------------------------------------------------------


def has_code(notebook):
    if not code_cells(notebook):
        yield "has no code cell"


def was_run_from_top_to_bottom(notebook):
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"was not run once from top to bottom: its execution counts are {counts}"


def hides_nothing_from_the_checks(notebook):
    for number, cell in numbered(notebook):
        for tag in tags(cell):
            if FORBIDDEN_TAGS.search(tag):
                yield f"code cell {number} has the tag {tag}"
        if re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)", source(cell)):
            yield f"code cell {number} speaks to nbval"


def uses_the_kernel_python3(notebook):
    if notebook["metadata"].get("kernelspec", {}).get("name") != "python3":
        yield f"has the kernel {notebook['metadata'].get('kernelspec')}"


def begins_with_imports_and_rng(notebook):
    cells = code_cells(notebook)
    for statement in ast.parse(source(cells[0])).body if cells else []:
        is_import = isinstance(statement, ast.Import | ast.ImportFrom)
        if not is_import and not re.fullmatch(r"rng = np\.random\.default_rng\(\d+\)", ast.unparse(statement)):
            yield f"its first code cell holds more than imports and rng: {ast.unparse(statement)}"
    for number, cell in list(numbered(notebook))[1:]:
        for statement in ast.walk(ast.parse(source(cell))):
            if isinstance(statement, ast.ImportFrom | ast.Import):
                yield f"code cell {number} imports; imports stand in the first"


def has_cells_of_one_thought(notebook):
    for number, cell in numbered(notebook):
        lines = len(source(cell).splitlines())
        if lines > (LONGEST_ASIDE if aside(cell) else LONGEST_CELL) and number > 1:  # the first one holds the imports
            yield f"code cell {number} has {lines} lines"
        if not lines:
            yield f"code cell {number} is empty"


def needs_no_network_and_no_folder(notebook):
    for number, cell in numbered(notebook):
        for word in ("http:", "https:", "sys.path", "%pip", "!pip", "os.chdir", "%cd"):
            if word in source(cell):
                yield f"code cell {number} holds {word}"


def shows_what_is_the_same_everywhere(notebook):
    for number, cell in numbered(notebook):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"code cell {number} failed"
            if output.get("name") == "stderr":
                yield f"code cell {number} writes to stderr"
            if any(mime.startswith("image/") for mime in output.get("data", {})):
                yield f"code cell {number} holds an image: strip it"
        for text in texts(cell):
            for what, pattern in UNSTABLE.items():
                if found := pattern.search(text):
                    yield f"code cell {number} shows {what}: {found[0]}"


def describes_its_figures(notebook):
    for number, cell in numbered(notebook):
        if not drawn(cell) and not interactive(cell):
            continue
        options = cell["metadata"].get("mystnb", {})
        figure = options.get("figure", {})
        if not figure.get("caption") or not re.fullmatch(r"fig-\d\d-[a-z0-9-]+", figure.get("name", "")):
            yield f"code cell {number} makes a figure without mystnb.figure.caption and name (fig-04-sigmoid)"
        alt = options.get("image", {}).get("alt", "")
        if drawn(cell) and (len(alt) < SHORTEST_ALT or re.search(r"\.(png|svg|jpe?g)$", alt)):
            yield f"code cell {number} draws a figure whose alt text says nothing: {alt!r}"


def has_the_length_of_a_chapter(notebook):
    teaching = [cell for cell in code_cells(notebook) if not tags(cell) & EXERCISE_TAGS and not aside(cell)]
    if not CODE_CELLS[0] <= len(teaching) <= CODE_CELLS[1]:
        yield f"has {len(teaching)} code cells that teach, which is not within {CODE_CELLS[0]} to {CODE_CELLS[1]}"
    if sum(interactive(cell) for cell in code_cells(notebook)) < INTERACTIVE:
        yield f"has fewer than {INTERACTIVE} interactive figures"


def pairs_each_exercise_with_a_solution(notebook):
    names = collections.defaultdict(list)
    for cell in code_cells(notebook):
        for tag in sorted(tags(cell) & EXERCISE_TAGS):
            names[tag].append(cell["metadata"].get("exercise"))
            if tag == "exercise-solution" and "hide-cell" not in tags(cell):
                yield f"the solution of {cell['metadata'].get('exercise')} is not hidden: tag it hide-cell"
    stubs, solutions = names["exercise-stub"], names["exercise-solution"]
    if stubs != solutions or None in stubs or len(set(stubs)) != len(stubs):
        yield f"its stubs {stubs} and solutions {solutions} do not pair up by metadata.exercise"
    if not EXERCISES[0] <= len(stubs) <= EXERCISES[1]:
        yield f"has {len(stubs)} exercises, which is not within {EXERCISES[0]} to {EXERCISES[1]}"


def quiz_items(notebook):
    return list(quiz.items("\n\n".join(source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")))


def asks_a_quiz_with_a_reason_for_every_option(notebook):
    items = quiz_items(notebook)
    if not QUIZ[0] <= len(items) <= QUIZ[1]:
        yield f"has {len(items)} quiz items, which is not within {QUIZ[0]} to {QUIZ[1]}"
    if [number for number, _, _ in items] != list(range(1, len(items) + 1)):
        yield f"numbers its quiz items {[number for number, _, _ in items]}"
    for item in items:
        yield from quiz.flaws(*item)


def spreads_the_right_answers_over_the_letters(notebook):
    right = collections.Counter(
        letter for *_, reasons in quiz_items(notebook) for letter, is_right in reasons if is_right
    )
    for letter, count in right.items():
        if 2 * count > sum(right.values()):
            yield f"{count} of {sum(right.values())} quiz answers are {letter}"
    if missing := set("ABCD") - set(right):
        yield f"no quiz answer is {' or '.join(sorted(missing))}"


def lets_the_reader_do_something(notebook):
    shown_texts = [text for cell in code_cells(notebook) for text in texts(cell)]
    for what, start, fewest in (("guess", "Guess(", GUESSES), ("ask", "Ask(", ASKS)):
        if (n := sum(text.startswith(start) for text in shown_texts)) < fewest:
            yield f"has {n} {what}(...), fewer than {fewest}"


def refutes_common_mistakes(notebook):
    boxes = len(REFUTATION.findall(markdown(notebook)))
    if boxes < REFUTATIONS:
        yield f"has {boxes} boxes {{admonition}} whose title is a quotation, fewer than {REFUTATIONS}"


def has_as_many_words_as_a_chapter(notebook, most=WORDS[1]):
    n = words(markdown(notebook, until="Quiz"))
    if not WORDS[0] <= n <= most:
        yield f"has {n} words before its quiz, which is not within {WORDS[0]} to {most}"


def tells_the_time_it_takes(notebook):
    said = re.findall(r"Time: about (\d+) minutes", markdown(notebook))
    if said != [str(minutes(notebook))]:
        yield f"should say once, below its objectives: Time: about {minutes(notebook)} minutes; got {said}"


def writes_examples_in_rows(notebook):
    places = [("its text", markdown(notebook, until="In practice"))]
    places += [(f"code cell {number}", source(cell)) for number, cell in numbered(notebook)]
    for place, text in places:
        if found := COLUMNS.search(text):
            yield f"{place} writes an example as a column, {found[0]}: that form stands in In practice alone"


LAWS = [
    has_code,
    was_run_from_top_to_bottom,
    hides_nothing_from_the_checks,
    uses_the_kernel_python3,
    begins_with_imports_and_rng,
    has_cells_of_one_thought,
    needs_no_network_and_no_folder,
    shows_what_is_the_same_everywhere,
    describes_its_figures,
    has_the_length_of_a_chapter,
    pairs_each_exercise_with_a_solution,
    asks_a_quiz_with_a_reason_for_every_option,
    spreads_the_right_answers_over_the_letters,
    lets_the_reader_do_something,
    refutes_common_mistakes,
    has_as_many_words_as_a_chapter,
    tells_the_time_it_takes,
    writes_examples_in_rows,
]


def definitions(notebook):
    """Names of the functions and classes that a notebook defines."""
    return {
        node.name
        for cell in code_cells(notebook)
        for node in ast.parse(source(cell)).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def defined_twice(named_notebooks):
    """Names that more than one of {name: notebook} defines, with those notebooks."""
    owners = collections.defaultdict(list)
    for name, notebook in named_notebooks.items():
        for function in definitions(notebook):
            owners[function].append(name)
    return {function: names for function, names in owners.items() if len(names) > 1}


# ---- the book keeps them --------------------------------------------------------------------------------------------

PATHS = contents.toc_notebooks()


def read(path):
    return json.loads(path.read_text("utf8"))


def test_the_book_has_notebooks_and_they_are_there():
    assert len(PATHS) >= 3
    assert [path.name for path in PATHS if not path.exists()] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_notebook(path, law):
    options = {}
    if law is has_as_many_words_as_a_chapter and path.stem[:2] in WORDIER:
        options = {"most": WORDIER[path.stem[:2]]}
    assert list(law(read(path), **options)) == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_is_as_the_tool_writes_it(path):
    assert notebooks.complaints(path) == []


def test_nothing_is_defined_in_two_notebooks():
    assert defined_twice({path.stem: read(path) for path in PATHS}) == {}


def collected_cells(paths):
    """How many cells nbval collects of each notebook."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--collect-only", "-qq", "-p", "no:cacheprovider"]
    shown = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, cwd=contents.ROOT)
    return dict(re.findall(r"^(.*\.ipynb): (\d+)$", shown.stdout, re.M))


def test_nbval_collects_every_code_cell():
    expected = {path.relative_to(contents.ROOT).as_posix(): str(len(code_cells(read(path)))) for path in PATHS}
    assert collected_cells(PATHS) == expected


# ---- the laws bite --------------------------------------------------------------------------------------------------


def code(text, count, outputs=(), **metadata):
    return {
        "cell_type": "code",
        "source": text,
        "execution_count": count,
        "outputs": list(outputs),
        "metadata": metadata,
    }


def shown(text):
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}


def printed(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def quiz_item(number):
    right = "BACAD"[number - 1]
    options = "\n".join(f"- {letter}. Option {letter}." for letter in "ABCD")
    reasons = "\n".join(f"- **{letter}** is {'right' if letter == right else 'wrong'}: because." for letter in "ABCD")
    return f"**{number}.** What?\n\n{options}\n\n:::{{dropdown}} Answers and reasons\n{reasons}\n:::\n"


@pytest.fixture
def good():
    """A notebook that keeps every law."""
    cells = [code("import numpy as np\n\nrng = np.random.default_rng(4)", 1)]
    alt = "A curve that rises from zero to one and flattens"
    figure = {"figure": {"caption": "A curve.", "name": "fig-04-curve"}, "image": {"alt": alt}}
    cells.append(code("plt.show()", 2, [shown("<Figure size 640x480 with 1 Axes>")], mystnb=copy.deepcopy(figure)))
    cells += [code("explore(f)", n, [shown("Explore('a', 3)")], mystnb=copy.deepcopy(figure)) for n in (3, 4)]
    cells += [code("1 + 1", n, [printed("2\n")]) for n in range(5, 24)]
    questions = ["Guess('What comes?')"] * 3 + ["Ask('How much?')"] * 4
    cells += [code("f(1)", n, [shown(text)]) for n, text in enumerate(questions, 24)]
    for number in range(6):
        name = f"04.task_{number}"
        cells.append(code("check(f)", 0, tags=["exercise-stub"], exercise=name))
        cells.append(code("check(f)", 0, tags=["exercise-solution", "hide-cell"], exercise=name))
    for count, cell in enumerate(cells, 1):
        cell["execution_count"] = count
    said = 3 * '```{admonition} "So it is."\n:class: warning\nNo.\n```\n\n'
    prose = "Time: about 55 minutes.\n\n" + "a word " * 1700 + f"\n\n{said}## In practice\n\n$z = Wx + b$"
    cells.append({"cell_type": "markdown", "source": prose, "metadata": {}})
    cells.append(
        {"cell_type": "markdown", "source": "## Quiz\n\n" + "\n".join(map(quiz_item, range(1, 6))), "metadata": {}}
    )
    return {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_good_notebook_keeps(law, good):
    assert list(law(good)) == []


def no_code(notebook):
    notebook["cells"] = [{"cell_type": "markdown", "source": "# Title", "metadata": {}}]


def never_run(notebook):
    notebook["cells"][5]["execution_count"] = None


def run_out_of_order(notebook):
    notebook["cells"][5]["execution_count"] = 17


def tagged(tag):
    return lambda notebook: notebook["cells"][5]["metadata"].update(tags=[tag])


def with_source(text, cell=5):
    return lambda notebook: notebook["cells"][cell].update(source=text)


def with_output(output):
    return lambda notebook: notebook["cells"][5].update(outputs=[output])


def with_alt(text):
    return lambda notebook: notebook["cells"][1]["metadata"]["mystnb"]["image"].update(alt=text)


def without_caption(cell):
    return lambda notebook: notebook["cells"][cell]["metadata"]["mystnb"].pop("figure")


def other_kernel(notebook):
    notebook["metadata"]["kernelspec"]["name"] = "conda-env-py"


def too_few_cells(notebook):
    del notebook["cells"][10:19]


def one_explorer(notebook):
    notebook["cells"][3]["outputs"] = []


def lost_solution(notebook):
    del notebook["cells"][-3]


def in_the_text(old, new, count=-1):
    return lambda notebook: notebook["cells"][-2].update(
        source=notebook["cells"][-2]["source"].replace(old, new, count)
    )


def one_question_less(start):
    def fault(notebook):
        cell = next(cell for cell in code_cells(notebook) if any(text.startswith(start) for text in texts(cell)))
        cell["outputs"] = []

    return fault


def in_the_quiz(old, new, count=-1):
    return lambda notebook: notebook["cells"][-1].update(
        source=notebook["cells"][-1]["source"].replace(old, new, count)
    )


def open_solution(notebook):
    notebook["cells"][-3]["metadata"]["tags"] = ["exercise-solution"]


@pytest.mark.parametrize(
    ("law", "fault"),
    [
        (has_code, no_code),
        (was_run_from_top_to_bottom, never_run),
        (was_run_from_top_to_bottom, run_out_of_order),
        (hides_nothing_from_the_checks, tagged("raises-exception")),
        (hides_nothing_from_the_checks, tagged("nbval-skip")),
        (hides_nothing_from_the_checks, tagged("skip-execution")),
        (hides_nothing_from_the_checks, with_source("# NBVAL_IGNORE_OUTPUT\n1")),
        (uses_the_kernel_python3, other_kernel),
        (begins_with_imports_and_rng, with_source("import numpy as np\nx = 1", cell=0)),
        (begins_with_imports_and_rng, with_source("rng = np.random.default_rng()", cell=0)),
        (begins_with_imports_and_rng, with_source("import math")),
        (has_cells_of_one_thought, with_source("x = 1\n" * 26)),
        (has_cells_of_one_thought, with_source("plt.plot(x)\n" * 36)),
        (has_cells_of_one_thought, with_source("")),
        (needs_no_network_and_no_folder, with_source("open('https://example.org')")),
        (needs_no_network_and_no_folder, with_source("sys.path.insert(0, '..')")),
        (shows_what_is_the_same_everywhere, with_output(printed("<object at 0x7f3c2a1b4d90>"))),
        (shows_what_is_the_same_everywhere, with_output(printed("took 1.25 s"))),
        (shows_what_is_the_same_everywhere, with_output(printed("12 ms per step"))),
        (shows_what_is_the_same_everywhere, with_output(printed("careful", name="stderr"))),
        (shows_what_is_the_same_everywhere, with_output(shown("saved to /tmp/model.npz"))),
        (shows_what_is_the_same_everywhere, with_output({"output_type": "error", "ename": "ValueError"})),
        (
            shows_what_is_the_same_everywhere,
            with_output({"output_type": "display_data", "data": {"image/png": "iVBO"}, "metadata": {}}),
        ),
        (describes_its_figures, with_alt("")),
        (describes_its_figures, with_alt("a_long_name_of_a_file.png")),
        (describes_its_figures, without_caption(1)),
        (describes_its_figures, without_caption(2)),
        (has_the_length_of_a_chapter, too_few_cells),
        (has_the_length_of_a_chapter, one_explorer),
        (pairs_each_exercise_with_a_solution, lost_solution),
        (pairs_each_exercise_with_a_solution, open_solution),
        (asks_a_quiz_with_a_reason_for_every_option, in_the_quiz("## Quiz", "## Quizzes")),
        (asks_a_quiz_with_a_reason_for_every_option, in_the_quiz("**5.** What?", "What?")),
        (asks_a_quiz_with_a_reason_for_every_option, in_the_quiz("**5.**", "**7.**")),
        (asks_a_quiz_with_a_reason_for_every_option, in_the_quiz("- C. Option C.\n", "", 1)),
        (asks_a_quiz_with_a_reason_for_every_option, in_the_quiz("- **C** is wrong: because.\n", "", 1)),
        (asks_a_quiz_with_a_reason_for_every_option, in_the_quiz("is right", "is wrong", 1)),
        (asks_a_quiz_with_a_reason_for_every_option, in_the_quiz("is wrong", "is right", 1)),
        (
            spreads_the_right_answers_over_the_letters,
            in_the_quiz("**A** is right: because.\n- **B** is wrong", "**A** is wrong: because.\n- **B** is right"),
        ),
        (
            spreads_the_right_answers_over_the_letters,
            in_the_quiz("**C** is wrong: because.\n- **D** is right", "**C** is right: because.\n- **D** is wrong"),
        ),
        (lets_the_reader_do_something, one_question_less("Guess(")),
        (lets_the_reader_do_something, one_question_less("Ask(")),
        (refutes_common_mistakes, in_the_text('"So it is."', "By the way", 1)),
        (has_as_many_words_as_a_chapter, in_the_text("a word ", "", 900)),
        (has_as_many_words_as_a_chapter, in_the_text("a word ", "two more words ")),
        (tells_the_time_it_takes, in_the_text("about 55", "about 50")),
        (tells_the_time_it_takes, in_the_text("Time: about", "Takes")),
        (writes_examples_in_rows, in_the_text("a word ", "$z = W^\\ell a^{\\ell-1}$ ", 1)),
        (writes_examples_in_rows, with_source("z = W.T @ x + b")),
    ],
)
def test_a_planted_fault_is_found(law, fault, good):
    fault(good)
    assert list(law(good))


def test_a_function_defined_twice_is_found(good):
    other = copy.deepcopy(good)
    good["cells"][5]["source"] = other["cells"][5]["source"] = "def relu(z):\n    return z"
    assert defined_twice({"a": good, "b": other}) == {"relu": ["a", "b"]}


def test_nbval_collects_nothing_of_a_notebook_without_code(tmp_path, good):
    no_code(good)
    path = tmp_path / "empty.ipynb"
    path.write_text(json.dumps({**good, "nbformat": 4, "nbformat_minor": 5}), "utf8")
    assert collected_cells([path]) == {}


def test_stripping_leaves_the_text_of_a_figure_and_nothing_that_changes(tmp_path):
    data = {
        "text/plain": "<Figure size 1x1>",
        "image/png": "iVBO",
        "application/vnd.jupyter.widget-view+json": {"model_id": "abc"},
    }
    output = {"output_type": "display_data", "data": data, "metadata": {"needs_background": "light"}}
    cell = {**code("f()", 1, [output, printed("a"), printed("b")], ExecuteTime={"start": 1}), "id": "xyz"}
    raw = {"cells": [cell], "metadata": {"widgets": {"state": {}}, "vscode": 1}, "nbformat": 4, "nbformat_minor": 5}
    path = tmp_path / "one.ipynb"
    path.write_text(json.dumps(raw), "utf8")
    assert notebooks.complaints(path)
    assert notebooks.main(["strip", str(path)]) == 0
    stripped = read(path)
    assert stripped["metadata"].keys() == {"kernelspec", "language_info"}
    assert stripped["cells"][0]["metadata"] == {}
    assert stripped["cells"][0]["outputs"] == [
        {"output_type": "display_data", "data": {"text/plain": ["<Figure size 1x1>"]}, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": ["ab"]},
    ]
    assert notebooks.complaints(path) == []
