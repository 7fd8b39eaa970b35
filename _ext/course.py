"""The course's own pages and parts: map, questions, errata, exercises, quizzes, folded code, repository links."""

import csv
import html
import os
import pathlib
import re
import sys
import urllib.parse

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

LOG = logging.getLogger(__name__)
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]

import contents  # noqa: E402
import entries  # noqa: E402
import folding  # noqa: E402
import quiz  # noqa: E402

import nnlib  # noqa: E402

LIBRARY = tuple(f"reference/api/{name}" for name in ("index", *entries.PAGES))
GENERATED = ("index", *LIBRARY, "reference/questions", "reference/claims", "reference/errata")


# ---- {section}`4.2`: a link to a section of a chapter, or its bare number while the chapter is not written ----------


class section_link(nodes.Inline, nodes.TextElement):
    """Stands for a link until all documents are read."""


class SectionRole(SphinxRole):
    def run(self):
        return [section_link(self.text, self.text, section=self.text)], []


def _toc_references(env, document):
    return [
        (entry["anchorname"], entry.astext())
        for entry in env.tocs[document].findall(nodes.reference)
        if entry["refuri"] == document
    ]


def resolve_sections(app, doctree, docname):
    """A number such as 4.2 leads to its section, 4 to its chapter."""
    for node in list(doctree.findall(section_link)):
        number = node["section"]
        target = app.env.course_sections.get(number)
        if target is None:
            node.replace_self(nodes.inline(number, number, classes=["section-to-come"]))
            continue
        document, position = target
        anchor, title = _toc_references(app.env, document)[position]
        title = title.removeprefix(number).lstrip(". ")
        uri = app.builder.get_relative_uri(docname, document) + anchor
        node.replace_self(nodes.reference("", f"{number} {title}", refuri=uri, internal=True))


def find_sections(app, env, docnames):
    """Remember where each section is; the generated pages are read anew whenever anything else is."""
    sections = {}
    for number, (document, position, _) in contents.covered(pathlib.Path(app.srcdir)).items():
        sections[number] = (document, position)
    for row in course_rows(app):
        if row["document"] in env.found_docs:
            sections[row["chapter"]] = (row["document"], 0)
    env.course_sections = sections
    docnames.extend(name for name in GENERATED if name in env.found_docs and name not in docnames)


# ---- generated pages ------------------------------------------------------------------------------------------------


def rows(app, name):
    path = pathlib.Path(app.srcdir) / name
    with open(path, encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def course_rows(app):
    return rows(app, "reference/course.csv")


def course_map(app):
    """All chapters: those that are written with a link and a summary, the others by name."""
    written = [row for row in course_rows(app) if row["document"] in app.env.found_docs]
    planned = [row for row in course_rows(app) if row["document"] not in app.env.found_docs]
    lines = ["::::{grid} 1 1 2 2", ":gutter: 3", ":class-container: chapter-cards", ""]
    for row in written:
        lines += [
            f":::{{grid-item-card}} {row['chapter']}. {row['title']}",
            f":link: /{row['document']}",
            ":link-type: doc",
            ":shadow: none",
            "",
            row["summary"],
            ":::",
        ]
    lines += ["::::", ""]
    if planned:
        names = [f"{row['chapter']}\u00a0{row['title']}" for row in planned]
        lines += ["Planned around them: " + " · ".join(names) + ".", ""]
    return lines


def grouped(app, table, entries):
    """The rows of a table under the chapters that treat them: those that are written, and closed below, those to come.

    `entries` turns the rows of one chapter into lines.
    """
    lines, planned = [], []
    for chapter in course_rows(app):
        mine = [row for row in table if row["section"].split(".")[0] == chapter["chapter"]]
        title = f"{chapter['chapter']}. {chapter['title']}"
        if mine and chapter["document"] in app.env.found_docs:
            lines += [f"## {title}", "", *entries(mine)]
        elif mine:
            planned += [f"**{title}**", "", *entries(mine)]
    if planned:
        lines += ["::::{dropdown} In chapters to come", "", *planned, "::::", ""]
    return lines


def questions(app):
    """Every question of the syllabus with its answer in one sentence and the section that gives the whole one."""
    answers = contents.answers(pathlib.Path(app.srcdir))

    def entries(mine):
        lines = []
        for row in mine:
            answer = f" {answers[row['id']]}" if row["id"] in answers else ""
            lines.append(f"- *{row['topic'].replace(' - ', ', ')}*{answer} {{section}}`{row['section']}`")
        return [*lines, ""]

    return grouped(app, [row for row in rows(app, "tests/syllabus.csv") if row["kind"] == "question"], entries)


def claims(app):
    """What is often said, what was measured here, and how often that held for other seeds; then each chapter's own."""
    measured = rows(app, "reference/claims.csv")
    said = {row["id"]: row for row in rows(app, "tests/syllabus.csv") if row["kind"] == "claim"}
    tested = [row for row in measured if row["section"]]

    def line(row):
        share = (
            f"held for {row['held']} of {row['runs']} other seeds"
            if row["random"] == "yes"
            else "the same for each seed"
        )
        return f"{row['sentence']} *({share})* {{section}}`{row['section']}`"

    def entries(mine):
        lines = []
        for id in dict.fromkeys(row["id"] for row in mine):
            found = [row for row in tested if row["id"] == id]
            if id in said:
                lines.append(
                    f"- *{said[id]['topic'].replace(' - ', ', ')}*"
                    + ("" if found else f" {{section}}`{said[id]['section']}`")
                )
                lines += [f"  - {line(row)}" for row in found]
            else:
                lines += [f"- {line(row)}" for row in found]
        return [*lines, ""]

    own = [row for row in tested if row["id"] not in said]
    none_yet = [
        "No chapter has been brought to this form yet: the links lead to the sections that test what is said.",
        "",
    ]
    return [*([] if tested else none_yet), *grouped(app, [*said.values(), *own], entries)]


def as_html(text):
    """Text in a block of HTML, where no sign is markup and no blank line ends the block."""
    return html.escape(" ".join(text.split()))


def lines_of(erratum):
    return ("lines " if re.search(r"\D", erratum["lines"]) else "line ") + erratum["lines"]


def errata(app):
    """Every correction, under the chapter that treats it: the original words, their translation, and what is right."""

    def entries(mine):
        lines = []
        for row in sorted(mine, key=lambda row: [int(part) for part in (*row["section"].split("."), row["id"][1:])]):
            lines += [
                f"({row['id'].lower()})=",
                f"**{row['id']}** · {row['kind']} · notes {row['note']}, {lines_of(row)}",
                "",
                '<blockquote class="erratum">',
                f'<p lang="zh">{as_html(row["original"])}</p>',
                f"<p>{as_html(row['translation'])}</p>",
                "</blockquote>",
                "",
                f"**Right:** {row['right']} <small>{row['source']}. Section {{section}}`{row['section']}`.</small>",
                "",
            ]
        return lines

    table = rows(app, "reference/errata.csv")
    return [f"There are {len(table)} of them.", "", *grouped(app, table, entries)]


def repository_links(app):
    if not app.config.repository_url:
        return []
    return [f"The sources stand in [the repository]({app.config.repository_url})."]


def floors(app):
    """Which module of nnlib stands on which floor."""
    lines = ["| Floor | Modules |", "|:--|:--|"]
    for floor in sorted(nnlib.FLOORS, reverse=True):
        lines.append(f"| {floor} | " + ", ".join(f"`{name}`" for name in nnlib.FLOORS[floor].split()) + " |")
    return lines


PAGES = {
    "floors": floors,
    **entries.PAGES,
    "course-map": course_map,
    "questions": questions,
    "claims": claims,
    "errata": errata,
    "repository": repository_links,
}


def fill_in(app, docname, source):
    """Replace a line `% generated: name` by what the data say."""
    if docname not in GENERATED:
        return
    for name, page in PAGES.items():
        mark = f"% generated: {name}\n"
        if mark in source[0]:
            source[0] = source[0].replace(mark, "\n".join(page(app)) + "\n")


# ---- exercises ------------------------------------------------------------------------------------------------------


def name_solutions(app, doctree):
    """A hidden solution says so, instead of "Show code cell content"."""
    for node in doctree.findall(nodes.container):
        if "tag_exercise-solution" in node.get("classes", []) and node.get("hide_mode"):
            node["prompt_show"], node["prompt_hide"] = "Show a solution", "Hide the solution"


# ---- folded code ----------------------------------------------------------------------------------------------------


def fold_code(app, doctree):
    """Fold the cells that only import, draw, explore, ask or claim; whoever wants to see their code opens them."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code" or cell.get("hide_mode", "input") != "input":
            continue
        source = next((part for part in cell.children if part.get("nb_element") == "cell_code_source"), None)
        if what := source and (folding.fold(source.astext()) or (cell.get("hide_mode") and "the code")):
            cell["hide_mode"] = "input"
            cell["prompt_show"], cell["prompt_hide"] = f"Show {what}", f"Hide {what}"
            if what == folding.ASSERTED:
                cell["classes"].append("claims")  # sentences, which may be broken where the column ends
                for printed in list(cell.findall(nodes.literal_block))[1:]:  # after the source
                    printed.parent.replace(
                        printed, [nodes.paragraph("", line) for line in printed.astext().split("\n")]
                    )


# ---- quizzes --------------------------------------------------------------------------------------------------------


def _text_of_items(items):
    return [item.astext() for item in items.children]


def mark_quizzes(app, doctree):
    """Gather each item of a quiz, with its options and reasons marked, so that course.js can let options answer."""
    for section in list(doctree.findall(nodes.section)):
        if section.next_node(nodes.title).astext() != "Quiz":
            continue
        item, number = None, ""
        for node in list(section.children):
            bold = node.next_node(nodes.strong) if isinstance(node, nodes.paragraph) else None
            if bold and re.fullmatch(r"\d+\.", bold.astext()) and node.astext().startswith(bold.astext()):
                item, number = nodes.container(classes=["quiz-item"]), bold.astext().rstrip(".")
                section.replace(node, item)
                item += node
            elif item is not None:
                section.remove(node)
                item += node
                if node.get("design_component") == "dropdown":
                    _mark_item(item, number)
                    item = None
        if item is not None:
            LOG.warning("quiz %s has no reasons", number, location=item)


def _mark_item(item, number):
    lists = list(item.findall(nodes.bullet_list))
    if len(lists) < 2:
        LOG.warning("quiz %s takes a list of options and a list of reasons", number, location=item)
        return
    options, reasons = lists[0], lists[-1]
    told = [quiz.letter_of_reason(text) for text in _text_of_items(reasons)]
    for flaw in quiz.flaws(number, [quiz.letter_of_option(text) for text in _text_of_items(options)], told):
        LOG.warning(flaw, location=item)
    options["classes"].append("quiz-options")
    reasons["classes"].append("quiz-reasons")
    for reason, (_, right) in zip(reasons.children, told, strict=True):
        reason["classes"] += ["quiz-right"] if right else []


# ---- docstrings, which are written for people first -----------------------------------------------------------------


def keep_signs(app, what, name, obj, options, lines):
    """Let |x| and f(**settings) stand in a docstring, which are markup otherwise."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``.*?``|:\w+:`.*?`)", line)
        for k in range(0, len(parts), 2):
            parts[k] = re.sub(r"(?<=[(\s,])(\*{1,2})(?=\w+[),])", lambda m: m[1].replace("*", r"\*"), parts[k])
            parts[k] = parts[k].replace("|", r"\|")
        lines[number] = "".join(parts)


# ---- links to the repository, once its address is known -------------------------------------------------------------


def repository_buttons(app, pagename, templatename, context, doctree):
    """Binder, Colab and edit links; none at all without REPOSITORY_URL."""
    url, branch = app.config.repository_url, app.config.repository_branch
    buttons = context.get("header_buttons")
    if not url or buttons is None or pagename not in app.env.found_docs:
        return
    path = pathlib.Path(app.env.doc2path(pagename)).relative_to(app.srcdir).as_posix()
    github = urllib.parse.urlparse(url).netloc == "github.com"
    name = urllib.parse.urlparse(url).path.strip("/")
    links = []
    if github and path.endswith(".ipynb"):
        lab = urllib.parse.quote(f"lab/tree/{path}", safe="")
        links += [
            ("Run on Binder", f"https://mybinder.org/v2/gh/{name}/{branch}?urlpath={lab}", "fas fa-rocket"),
            (
                "Run on Colab",
                f"https://colab.research.google.com/github/{name}/blob/{app.config.colab_branch}/{path}",
                "fas fa-play",
            ),
        ]
    links += [
        ("Repository", url, "fas fa-code-branch"),
        ("Suggest an edit", f"{url}/edit/{branch}/{path}", "fas fa-pencil-alt"),
    ]
    buttons.insert(
        0,
        {
            "type": "group",
            "label": "repository-buttons",
            "tooltip": "Run or edit this page",
            "icon": "fas fa-rocket",
            "buttons": [
                {"type": "link", "text": text, "url": link, "tooltip": text, "icon": icon, "label": text}
                for text, link, icon in links
            ],
        },
    )


def setup(app):
    app.add_config_value("repository_url", os.environ.get("REPOSITORY_URL", "").rstrip("/").removesuffix(".git"), "env")
    app.add_config_value("repository_branch", os.environ.get("REPOSITORY_BRANCH", "main"), "env")
    app.add_config_value("colab_branch", os.environ.get("COLAB_BRANCH", "colab"), "env")
    app.add_node(section_link)
    app.add_role("section", SectionRole())
    app.connect("env-before-read-docs", find_sections)
    app.connect("source-read", fill_in)
    app.connect("doctree-read", fold_code)
    app.connect("doctree-read", name_solutions)
    app.connect("doctree-read", mark_quizzes)
    app.connect("doctree-resolved", resolve_sections)
    app.connect("autodoc-process-docstring", keep_signs, priority=100)
    app.connect("html-page-context", repository_buttons, priority=502)
    app.add_js_file("course.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
