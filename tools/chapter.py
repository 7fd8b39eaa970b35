"""Write the skeleton of a chapter: its notebook, its code, its tests. It runs and lints before a word of it is written.

    python tools/chapter.py 05 losses

The texts stand in tools/skeleton/: the order of a chapter with the cells' metadata (tags, figures, what each section
covers, falsifiers, exercises), around an example of one weight that the chapter replaces. The notebook is not in
_toc.yml until it is a chapter.
"""

import argparse
import collections
import csv
import json
import pathlib
import re
import sys

import contents
import nbformat
import notebooks

SKELETON = pathlib.Path(__file__).with_name("skeleton")
FILES = {
    "init": "nnlib/course/chapter_$NN/__init__.py",
    "experiments": "nnlib/course/chapter_$NN/experiments.py",
    "drawings": "nnlib/course/chapter_$NN/drawings.py",
    "frames": "nnlib/course/chapter_$NN/frames.py",
    "exercises": "nnlib/course/chapter_$NN/exercises.py",
    "tests": "tests/test_chapter_$NN.py",
}


def covered(number, root):
    """The sections of a chapter and the ids of the syllabus that each covers."""
    sections = collections.defaultdict(list)
    with open(root / "tests" / "syllabus.csv", encoding="utf8", newline="") as file:
        for row in csv.DictReader(file):
            if row["section"].split(".")[0] == str(number) and row["kind"] != "erratum":
                sections[row["section"]].append(row["id"])
    return dict(sorted(sections.items(), key=lambda item: int(item[0].split(".")[1])))


def filled(text, words):
    return re.sub(r"\$(NN|N|TITLE)\b", lambda match: words[match[1]], text)


def notebook_of(text, sections):
    """The notebook of a text whose cells begin with ``%%% code {metadata}``; a heading for each of {section: ids}."""
    notebook = nbformat.v4.new_notebook()
    for piece in re.split(r"^%%% ", text, flags=re.M)[1:]:
        head, source = piece.split("\n", 1)
        kind, _, metadata = head.partition(" ")
        if kind == "code":
            notebook.cells.append(nbformat.v4.new_code_cell(source.rstrip(), metadata=json.loads(metadata or "{}")))
        elif kind == "markdown":
            notebook.cells.append(nbformat.v4.new_markdown_cell(source.rstrip()))
        else:
            for section, ids in sections.items():
                heading = source.rstrip().replace("$SECTION", section)
                notebook.cells.append(nbformat.v4.new_markdown_cell(heading, metadata={"covers": ids}))
    return notebook


def write(number, name, root):
    """Write the files of a chapter below ``root``, the notebook not yet run; returns their paths, the notebook last."""
    words = {"NN": f"{number:02d}", "N": str(number), "TITLE": name.replace("_", " ").capitalize()}
    texts = {part: filled((SKELETON / f"{part}.txt").read_text("utf8"), words) for part in [*FILES, "notebook"]}
    paths = {part: root / filled(path, words) for part, path in FILES.items()}
    there = [p for p in (*paths.values(), *(root / "chapters").glob(f"{number:02d}_*.ipynb")) if p.exists()]
    if there:
        raise FileExistsError(f"chapter {number} has {there[0].relative_to(root)} already: take another number")
    for part, path in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[part], "utf8", newline="\n")
    path = root / "chapters" / f"{number:02d}_{name}.ipynb"
    notebooks.write(path, notebooks.strip(notebook_of(texts["notebook"], covered(number, root))))
    return [*paths.values(), path]


def main(arguments=None, root=contents.ROOT):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", type=int, help="1 to 99")
    parser.add_argument("name", help="of the notebook: losses")
    options = parser.parse_args(arguments)
    if not 1 <= options.number <= 99 or not re.fullmatch(r"[a-z][a-z0-9_]*", options.name):
        parser.error(f"a chapter has a number and a plain name, 05 losses, got {options.number} {options.name!r}")
    try:
        paths = write(options.number, options.name, root)
    except FileExistsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in paths:
        print(path.relative_to(root).as_posix())
    return notebooks.main(["run", str(paths[-1])])


if __name__ == "__main__":
    sys.exit(main())
