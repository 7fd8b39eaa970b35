"""What the book holds: the notebooks of _toc.yml, their headings, and the syllabus ids that each section covers."""

import csv
import dataclasses
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass
class Heading:
    """One heading of a notebook. `number` is "4.2" for the heading "4.2 Sigmoid" and "" where it has none."""

    level: int
    text: str
    covers: list
    cell: int
    answers: dict = dataclasses.field(default_factory=dict)

    @property
    def number(self):
        found = re.match(r"(\d+(?:\.\d+)+)\b", self.text)
        return found[1] if found else ""


def toc_documents(root=ROOT):
    """The documents of _toc.yml without suffix, in the order of reading."""
    return re.findall(r"^[\s-]*(?:file|root):\s*(\S+)", (root / "_toc.yml").read_text("utf8"), re.M)


def toc_notebooks(root=ROOT):
    """The notebooks of _toc.yml, those that are missing included."""
    paths = [root / f"{name.removesuffix('.ipynb')}.ipynb" for name in toc_documents(root)]
    return [path for path in paths if path.exists() or path.parent.name == "chapters"]


def source_of(cell):
    return "".join(cell["source"])


def headings(path):
    """All headings of a notebook, in order; `covers` (ids of the syllabus) and `answers` (of its questions, a sentence
    each) come from the metadata of the cell that holds the heading.
    """
    found = []
    for number, cell in enumerate(json.loads(path.read_text("utf8"))["cells"]):
        if cell["cell_type"] != "markdown":
            continue
        fence, first = None, True
        for line in source_of(cell).splitlines():
            mark = re.match(r"\s*(`{3,}|~{3,}|:{3,})", line)
            if mark and fence is None:
                fence = mark[1]
            elif mark and line.strip() == fence:
                fence = None
            heading = fence is None and re.match(r"(#{1,6})\s+(.*?)\s*#*$", line)
            if heading:
                covers = list(cell["metadata"].get("covers", [])) if first else []
                answers = dict(cell["metadata"].get("answers", {})) if first else {}
                found.append(Heading(len(heading[1]), heading[2], covers, number, answers))
                first = False
    return found


def covered(root=ROOT):
    """{section number: (document, position of the heading, [ids])} over all notebooks of _toc.yml that exist."""
    sections = {}
    for path in toc_notebooks(root):
        if not path.exists():
            continue
        document = path.relative_to(root).with_suffix("").as_posix()
        for position, heading in enumerate(headings(path)):
            if heading.number:
                sections[heading.number] = (document, position, heading.covers)
    return sections


def answers(root=ROOT):
    """{id of a question: its answer in one sentence} over all notebooks of _toc.yml that exist."""
    found = {}
    for path in toc_notebooks(root):
        if path.exists():
            for heading in headings(path):
                found.update(heading.answers)
    return found


def read_table(name, root=ROOT):
    with open(root / name, encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))
