"""Serve every asset of the site from the site itself, and mend what the theme leaves inaccessible."""

import importlib.util
import pathlib
import re
import shutil

# What tex-chtml.js loads by itself when a page needs it; the rest of MathJax stays out of the site.
MATHJAX = ["tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions", "a11y/assistive-mml.js", "ui/safe.js"]

# The theme's markup, and what a screen reader needs in its place.
MENDS = [
    (
        re.compile(r'<div(?: id="pst-primary-sidebar")? class="bd-sidebar-primary'),
        lambda m: m[0].replace("<div", '<div role="complementary" aria-label="Contents of the book"', 1),
    ),
    (re.compile(r' title="Search" aria-label="Search" data-bs'), ' aria-label="Search" data-bs'),
    # A page from the disk may not preload fonts; they load when they are used.
    (re.compile(r'<link rel="preload" as="font"[^>]*>\s*'), ""),
    # The name of a summary is what it shows; in the sidebar it shows an arrow alone.
    (re.compile(r'<summary aria-label="Toggle hidden content">'), "<summary>"),
    (re.compile(r'<summary>(?=<span class="toctree-toggle")'), '<summary aria-label="Pages below">'),
    # Names, punctuation and spaces of code have the color of all text: a third of a chapter's markup for nothing.
    (re.compile(r'<span class="(?:n|p|w)">([^<]*)</span>'), r"\1"),
    # A corner of a table that is left empty heads nothing.
    (re.compile(r'<th class="head([^"]*)">\s*(?:<p>\s*</p>)?\s*</th>'), r'<td class="head\1"></td>'),
    # A column that is headed by a formula alone is named by the formula's source, since set maths has no text.
    (
        re.compile(r'<th class="head([^"]*)"><p>(<span class="math[^"]*">\\\(([^<]*)\\\)</span>)</p></th>'),
        r'<th class="head\1"><p>\2<span class="visually-hidden">\3</span></p></th>',
    ),
    # Lists of sources come as role=list without list items.
    (re.compile(r' role="doc-biblioentry"'), ""),
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
]


def _package(name):
    return pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])


def copy_mathjax(app, exception):
    if exception or app.builder.format != "html":
        return
    source = _package("sphinx-mathjax-offline") / "static" / "mathjax"
    target = pathlib.Path(app.outdir) / "_static" / "vendor" / "mathjax"
    for name in MATHJAX:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        else:
            shutil.copy2(source / name, target / name)


def shorter_path(match):
    """Path data with one decimal, or none among the shapes of letters, which are a thousand times as large."""
    digits = 0 if "id=" in match[0] else 1

    def shorter(number):
        return f"{float(number[0]):.{digits}f}".rstrip("0").rstrip(".") if digits else f"{float(number[0]):.0f}"

    data = re.sub(r"-?\d+\.\d+(?:e-?\d+)?", shorter, match[2])
    return f'{match[1]}d="{" ".join(data.split())}"'


def one_style(match):
    """The points of a cloud, all of one style, in a group that has it."""
    style = f' style="{match[1]}"'
    return f"<g{style}>{match[0].replace(style, '')}</g>"


def shorten_drawings(app, exception):
    """Round the coordinates of the drawn figures to a tenth of a point, which halves them."""
    if exception or app.builder.format != "html":
        return
    for drawing in (pathlib.Path(app.outdir) / "_images").glob("*.svg"):
        text = drawing.read_text("utf8")
        if "<!-- shortened -->" in text or "Matplotlib" not in text:
            continue
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r'(<path [^>]*?\b)d="([^"]*)"', shorter_path, text)
        text = re.sub(r'\b(x|y|cx|cy|width|height)="(-?\d+\.\d{3,})"', lambda m: f'{m[1]}="{float(m[2]):.1f}"', text)
        text = re.sub(r'style="([^"]*)"', lambda m: m[0].replace(": ", ":").replace("; ", ";"), text)
        text = re.sub(r">\s+<", "><", text)
        text = re.sub(r'(?:<use [^>]*? style="([^"]*)"/>)(?:<use [^>]*? style="\1"/>)+', one_style, text)
        drawing.write_text(text.replace("</svg>", "<!-- shortened --></svg>"), "utf8")


def mend_pages(app, exception):
    if exception or app.builder.format != "html":
        return
    for page in pathlib.Path(app.outdir).rglob("*.html"):
        before = after = page.read_text("utf8")
        if 'aria-label="Contents of the book"' not in after:  # a page of an earlier build is mended already
            for pattern, replacement in MENDS:
                after = pattern.sub(replacement, after)
        if after != before:
            page.write_text(after, "utf8")


def drop_thebe(app, pagename, templatename, context, doctree):
    """Thebe starts code on a foreign server and is loaded from one."""

    def foreign(script):
        text = str(getattr(script, "filename", script) or "") + str(
            (getattr(script, "attributes", {})).get("body") or ""
        )
        return "thebe" in text.lower()

    context["script_files"] = [script for script in context.get("script_files", []) if not foreign(script)]
    context["css_files"] = [
        sheet for sheet in context.get("css_files", []) if "thebe" not in str(getattr(sheet, "filename", sheet))
    ]


def setup(app):
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", shorten_drawings)
    app.connect("build-finished", mend_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
