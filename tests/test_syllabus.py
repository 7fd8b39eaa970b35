"""The chapters of _toc.yml cover their part of the syllabus: each id once, in its own section, and nothing else."""

import collections
import json
import re

import contents
import pytest

SYLLABUS = contents.read_table("tests/syllabus.csv")
ERRATA = contents.read_table("reference/errata.csv")
COURSE = contents.read_table("reference/course.csv")
COVERED = {"topic", "question", "claim"}  # errata have a page of their own


def promised(syllabus, chapters):
    """{section: set of ids} for the chapters, which are numbers as text."""
    sections = collections.defaultdict(set)
    for row in syllabus:
        if row["kind"] in COVERED and row["section"].split(".")[0] in chapters:
            sections[row["section"]].add(row["id"])
    return sections


def gaps(syllabus, chapters):
    """How {chapter number: its headings} differs from the syllabus, as sentences."""
    found, count = [], collections.Counter()
    known = {row["id"]: row for row in syllabus}
    for chapter, headings in chapters.items():
        numbers = [heading.number for heading in headings if heading.number]
        found += [f"section {number} stands twice" for number, n in collections.Counter(numbers).items() if n > 1]
        for heading in headings:
            count.update(heading.covers)
            for name in heading.covers:
                if name not in known or known[name]["kind"] not in COVERED:
                    found.append(f"{name}, covered in {heading.text!r}, is no id of the syllabus")
                elif known[name]["section"] != heading.number:
                    found.append(f"{name} belongs to section {known[name]['section']}, not to {heading.text!r}")
            for name in heading.answers:
                if name not in heading.covers or known.get(name, {}).get("kind") != "question":
                    found.append(f"{heading.text!r} answers {name}, which is no question that it covers")
        for section, names in promised(syllabus, {chapter}).items():
            if section not in numbers:
                found.append(f"section {section} is missing (a heading that begins with {section})")
            found += [f"{name} of section {section} is not covered" for name in sorted(names) if not count[name]]
    found += [f"{name} is covered {n} times" for name, n in count.items() if n > 1]
    return found


def chapter_number(path):
    return str(int(path.stem.split("_")[0]))


def test_every_id_is_covered_once_in_its_own_section():
    chapters = {chapter_number(path): contents.headings(path) for path in contents.toc_notebooks()}
    assert len(chapters) >= 3
    assert gaps(SYLLABUS, chapters) == []


def test_the_syllabus_is_whole():
    kinds = collections.Counter(row["kind"] for row in SYLLABUS)
    assert kinds == {"topic": 254, "question": 61, "claim": 48, "erratum": 157}
    assert len({row["id"] for row in SYLLABUS}) == len(SYLLABUS)
    assert [row["id"] for row in SYLLABUS if not re.fullmatch(r"\d+\.\d+", row["section"])] == []


def test_every_chapter_of_the_syllabus_stands_in_the_course():
    assert {row["section"].split(".")[0] for row in SYLLABUS} == {row["chapter"] for row in COURSE}
    documents = {row["document"] for row in COURSE}
    assert {name for name in contents.toc_documents() if name.startswith("chapters/")} <= documents


def test_every_erratum_stands_on_the_errata_page():
    assert [row["id"] for row in ERRATA] == [row["id"] for row in SYLLABUS if row["kind"] == "erratum"]


def flaws(erratum, sections):
    """What an entry of the errata page lacks."""
    for column in ("kind", "note", "lines", "original", "translation", "right", "source", "section"):
        if not erratum[column].strip():
            yield f"{erratum['id']} has no {column}"
    if erratum["section"] not in sections:
        yield f"{erratum['id']} belongs to section {erratum['section']}, which is none"
    if len(re.findall(r"[\u4e00-\u9fff]", erratum["translation"])) > len(erratum["translation"]) / 10:  # but for a word
        yield f"the translation of {erratum['id']} is not in English"
    if erratum["note"] not in "01234":
        yield f"{erratum['id']} stands in no set of notes"


SECTIONS = {row["section"] for row in SYLLABUS}


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda row: row["id"])
def test_an_erratum_says_what_is_wrong_what_is_right_and_where(erratum):
    assert list(flaws(erratum, SECTIONS)) == []


# ---- the checks bite ------------------------------------------------------------------------------------------------

SMALL = [
    {"id": "A1", "kind": "topic", "section": "4.1"},
    {"id": "B1", "kind": "question", "section": "4.2"},
    {"id": "C1", "kind": "claim", "section": "5.1"},
    {"id": "G1", "kind": "erratum", "section": "4.1"},
]


def heading(text, *covers, **answers):
    return contents.Heading(2, text, list(covers), 0, answers)


def test_a_chapter_that_covers_its_part_passes():
    assert gaps(SMALL, {"4": [heading("4.1 One", "A1"), heading("Aside"), heading("4.2 Two", "B1")]}) == []


@pytest.mark.parametrize(
    ("headings", "sentence"),
    [
        ([heading("4.1 One", "A1"), heading("4.2 Two")], "B1 of section 4.2 is not covered"),
        ([heading("4.1 One", "A1")], "section 4.2 is missing"),
        ([heading("4.1 One", "A1", "B1"), heading("4.2 Two")], "B1 belongs to section 4.2"),
        ([heading("4.1 One", "A1"), heading("4.2 Two", "B1", "B1")], "B1 is covered 2 times"),
        ([heading("4.1 One", "A1"), heading("4.2 Two", "B1", "C1")], "C1 belongs to section 5.1"),
        ([heading("4.1 One", "A1", "Z9"), heading("4.2 Two", "B1")], "Z9, covered"),
        ([heading("4.1 One", "A1", "G1"), heading("4.2 Two", "B1")], "G1, covered"),
        ([heading("4.1 One", "A1", A1="So."), heading("4.2 Two", "B1")], "answers A1, which is no question"),
        (
            [heading("4.1 One", "A1", B1="So."), heading("4.2 Two", "B1")],
            "answers B1, which is no question that it covers",
        ),
        ([heading("4.1 One", "A1"), heading("4.1 Again"), heading("4.2 Two", "B1")], "stands twice"),
    ],
)
def test_a_planted_gap_is_found(headings, sentence):
    assert any(sentence in found for found in gaps(SMALL, {"4": headings}))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("right", ""),
        ("original", " "),
        ("source", ""),
        ("section", "4.99"),
        ("translation", "\u8bef\u5dee"),
        ("note", "5"),
    ],
)
def test_a_planted_flaw_of_an_erratum_is_found(column, value):
    assert list(flaws({**ERRATA[0], column: value}, SECTIONS))


def test_headings_are_read_from_cells_and_not_from_their_code(tmp_path):
    text = "## 4.1 One\n\n```python\n# no heading\n```\n\n### Below"
    cells = [{"cell_type": "markdown", "source": text, "metadata": {"covers": ["A1"]}}]
    path = tmp_path / "04_x.ipynb"
    path.write_text(json.dumps({"cells": cells}), "utf8")
    found = contents.headings(path)
    assert [(one.number, one.covers) for one in found] == [("4.1", ["A1"]), ("", [])]
