"""How heavy each page of the built site is; fails if one is too heavy.

A page weighs its HTML, its pictures and whatever else belongs to it alone. Files that every page shares, and the
notebook that can be downloaded, do not count. A page with interactive figures may weigh more.
"""

import argparse
import html.parser
import pathlib
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIMIT = 600  # kB
INTERACTIVE_LIMIT = 1_600  # kB
WIDGETS = "application/vnd.jupyter.widget-view+json"


class References(html.parser.HTMLParser):
    """The files that a page loads by itself."""

    def __init__(self):
        super().__init__()
        self.found = set()
        self.interactive = False

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag in ("img", "script", "source", "video", "iframe", "embed") and values.get("src"):
            self.found.add(values["src"])
        if tag == "link" and "stylesheet" in (values.get("rel") or "") and values.get("href"):
            self.found.add(values["href"])
        if tag == "object" and values.get("data"):
            self.found.add(values["data"])
        self.interactive |= values.get("type") == WIDGETS


def weigh(page):
    """(kB of the page and of what belongs to it alone, whether it is interactive)"""
    text = page.read_text("utf8")
    references = References()
    references.feed(text)
    weight = page.stat().st_size
    for reference in references.found:
        parts = urllib.parse.urlsplit(reference)
        if parts.scheme or not parts.path:
            continue
        file = (page.parent / urllib.parse.unquote(parts.path)).resolve()
        if "_static" not in file.parts:
            weight += file.stat().st_size
    return weight / 1000, references.interactive


def too_heavy(weights):
    """Sentences about the pages of [(name, kB, interactive)] that exceed their limit."""
    for name, weight, interactive in weights:
        limit = INTERACTIVE_LIMIT if interactive else LIMIT
        if weight > limit:
            yield f"{name} weighs {weight:.0f} kB, more than {limit} kB"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", nargs="?", type=pathlib.Path, default=ROOT / "_build" / "html")
    site = parser.parse_args(arguments).site
    pages = [page for page in sorted(site.rglob("*.html")) if "_static" not in page.relative_to(site).parts]
    if not pages:
        print(f"error: no pages in {site}: run `make book` first", file=sys.stderr)
        return 1
    weights = [(page.relative_to(site).as_posix(), *weigh(page)) for page in pages]
    for name, weight, interactive in sorted(weights, key=lambda row: -row[1])[:5]:
        print(f"{weight:7.0f} kB  {name}{'  (interactive)' if interactive else ''}")
    total = sum(file.stat().st_size for file in site.rglob("*") if file.is_file())
    print(f"{len(pages)} pages, the whole site {total / 1e6:.1f} MB")
    heavy = list(too_heavy(weights))
    print("\n".join(f"error: {sentence}" for sentence in heavy), file=sys.stderr, end="\n" if heavy else "")
    return int(bool(heavy))


if __name__ == "__main__":
    sys.exit(main())
