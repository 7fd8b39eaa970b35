"""Where the built site is, which pages it has, and which browser opens it."""

import os
import pathlib
import shutil
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_CHROMIUM = (
    "no Chromium found: install one with `apt-get install chromium` (Debian, Ubuntu), `brew install --cask chromium` "
    "(macOS) or `.venv/bin/python -m playwright install chromium` (anywhere), or name one with CHROMIUM=/path/to/it"
)
NO_SITE = f"the site is not built ({HTML} is missing): run `make book` first"


def find_chromium(playwright=None):
    """The browser that CHROMIUM names, one on the path, or playwright's own; None where there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named if pathlib.Path(named).exists() else None
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    own = playwright and pathlib.Path(playwright.chromium.executable_path)
    return str(own) if own and own.exists() else None


def pages():
    """Every page of the site by its path, `index.html` first."""
    found = sorted(path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html") if "_static" not in path.parts)
    return sorted(found, key=lambda name: (name != "index.html", name))


def page_url(root, name):
    return f"{root}/{urllib.parse.quote(name)}"
