"""reference/notation is the only alphabet: a letter stands there once, and the chapters' tables are parts of it."""

import json
import re

import contents
import pytest

NOTATION = contents.ROOT / "reference" / "notation.md"
FIRST = {"letter", "symbol", "sign"}  # how the first column of a table of letters is called


def plain(text):
    """A cell of a table without links to the glossary and without what only the layout needs."""
    text = re.sub(r"\{term\}`([^`<]*?)(?:\s*<[^>]*>)?`", r"\1", text)
    return re.sub(r"\s+", " ", text.replace("\\lVert", "‖").replace("\\rVert", "‖")).strip()


def tables(text):
    """The rows of the tables of letters in a text, dicts by lower-case column, the first one called "letter"."""
    columns = None
    for line in text.splitlines():
        cells = [plain(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not line.startswith("|"):
            columns = None
        elif columns is None:
            columns = [cell.lower() for cell in cells]
        elif columns[0] in FIRST and not set("".join(cells)) <= set(":-"):
            yield {"letter": cells[0], **dict(zip(columns[1:], cells[1:]))}


def differences(rows, alphabet):
    """How the rows of a chapter differ from the alphabet, as sentences."""
    known = {row["letter"]: row for row in alphabet}
    names = [row["letter"] for row in rows]
    for row in rows:
        if names.count(row["letter"]) > 1:
            yield f"{row['letter']} stands twice"
        if row["letter"] not in known:
            yield f"{row['letter']} is no letter of reference/notation"
            continue
        for column in ("shape", "meaning"):
            here, there = row.get(column, ""), known[row["letter"]].get(column, "")
            if here != there:
                yield f"{row['letter']}: its {column} is {here!r} here and {there!r} in reference/notation"


def alphabet():
    return list(tables(NOTATION.read_text("utf8")))


def of_chapter(path):
    """The rows of a chapter's table of symbols, the first of its tables of letters."""
    for cell in json.loads(path.read_text("utf8"))["cells"]:
        if cell["cell_type"] == "markdown" and (rows := list(tables(contents.source_of(cell)))):
            return rows
    return []


def twice(rows):
    """Letters that the alphabet has more than once, whatever they are equal to."""
    letters = [part.strip(" $") for row in rows for part in row["letter"].split(" = ")[0].split(",")]
    return sorted({letter for letter in letters if letters.count(letter) > 1})


def test_a_letter_has_one_meaning():
    assert len(alphabet()) > 40
    assert twice(alphabet()) == []


@pytest.mark.parametrize("path", contents.toc_notebooks(), ids=lambda path: path.stem)
def test_a_chapters_table_of_symbols_is_a_part_of_the_alphabet(path):
    rows = of_chapter(path)
    found = list(differences(rows, alphabet())) if rows else ["there is no table of symbols"]
    assert found == []


# ---- the checks bite ------------------------------------------------------------------------------------------------

TABLE = """
| Letter | Shape | Meaning |
|:--|:--|:--|
| $x$ | $(N, D)$ | {term}`inputs <input>`, one a row |
| $a = f(z)$ | $(N,)$ | activation |
"""
SMALL = list(tables(TABLE))


def test_a_table_is_read_without_its_links():
    assert SMALL[0] == {"letter": "$x$", "shape": "$(N, D)$", "meaning": "inputs, one a row"}
    assert list(tables("| Depth | Error |\n|:--|:--|\n| 1 | 2 |")) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("$(N, D)$", "$(D, N)$", "its shape is '$(D, N)$' here"),
        ("one a row", "one a column", "its meaning is"),
        ("$a = f(z)$", "$a = h(z)$", "is no letter of reference/notation"),
        ("$a = f(z)$", "$x$", "$x$ stands twice"),
    ],
)
def test_a_planted_difference_is_found(old, new, sentence):
    assert list(differences(SMALL, SMALL)) == []
    assert any(sentence in found for found in differences(list(tables(TABLE.replace(old, new))), SMALL))


def test_a_letter_with_two_meanings_is_found():
    assert twice([*SMALL, {"letter": "$a$", "meaning": "the last layer"}]) == ["a"]
