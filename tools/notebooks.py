"""Notebooks as they are committed: executed, with outputs, and without anything that differs from run to run.

    python tools/notebooks.py run chapters/04_activations.ipynb    execute in place, then strip
    python tools/notebooks.py strip chapters/*.ipynb               strip only
    python tools/notebooks.py check                                say which notebooks are not as they should be

Without paths, every notebook of _toc.yml is meant. Stripped are image bytes (the text `<Figure size ...>` stays and is
what nbval compares), widget state and views (the widget's repr stays), timings, and editors' private metadata. The code
of a question is folded, since it holds the answer.
"""

import argparse
import hashlib
import os
import pathlib
import re
import sys

import folding
import nbformat
from contents import toc_notebooks

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}
IMAGE = re.compile(r"image/")
WIDGET = "application/vnd.jupyter.widget-view+json"
EDITORS = (
    "execution",
    "ExecuteTime",
    "collapsed",
    "scrolled",
    "trusted",
    "jupyter",
    "vscode",
    "pycharm",
    "id",
    "editable",
)


def merged_streams(outputs):
    """Consecutive pieces of one stream as one: where the kernel cuts them is a matter of timing."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and last.output_type == output.output_type == "stream" and last.name == output.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def strip_output(output):
    """The output without image bytes, widget views and metadata; None when nothing is left."""
    if output.output_type in ("display_data", "execute_result"):
        output.metadata = nbformat.from_dict({})
        drop = [mime for mime in output.data if IMAGE.match(mime) or mime == WIDGET]
        for mime in drop:
            del output.data[mime]
        if not output.data:
            return None
    output.pop("transient", None)
    return output


def cell_id(cell, taken):
    """An id that follows from the cell's text, so that two people's runs of one notebook do not differ."""
    name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
    while name in taken:
        name = hashlib.sha256(name.encode()).hexdigest()[:8]
    taken.add(name)
    return name


def strip(notebook):
    """The notebook, changed in place, as it is committed."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": KERNEL,
            "language_info": LANGUAGE,
            **{k: v for k, v in notebook.metadata.items() if k in ("title", "authors", "mystnb")},
        }
    )
    taken = set()
    for cell in notebook.cells:
        cell.source = cell.source.rstrip()
        cell.id = cell_id(cell, taken)
        for key in EDITORS:
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if cell.cell_type == "code" and folding.asks(cell.source):
            cell.metadata["jupyter"] = {"source_hidden": True}  # in JupyterLab, too: the code of a question answers it
        if cell.cell_type == "code":
            cell.outputs = [kept for output in merged_streams(cell.outputs) if (kept := strip_output(output))]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def renumber(notebook):
    """Give the code cells the counts 1..n that a run from top to bottom gives them."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count


def text_of(notebook):
    return nbformat.writes(notebook, indent=1, ensure_ascii=False).rstrip() + "\n"


def read(path):
    return nbformat.read(path, as_version=4)


def write(path, notebook):
    path.write_text(text_of(notebook), "utf8", newline="\n")


def execute(path, widgets=False, quiet=False):
    """The notebook, executed from top to bottom in its own folder by this Python."""
    from nbclient import NotebookClient

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    notebook = read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    done, shown = 0, sys.stderr.isatty() and not quiet

    def show(cell, cell_index, **_):
        nonlocal done
        done += 1
        if shown:
            print(f"\r  {path.name}: cell {done} of {len(code)}", end="", file=sys.stderr, flush=True)

    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=show,
        store_widget_state=widgets,
        record_timing=False,  # times in the cells' metadata would hide the notebook from the cache
    )
    client.execute()
    if shown:
        print(file=sys.stderr)
    return notebook


def complaints(path):
    """What keeps this notebook from being committed, as sentences."""
    found = []
    notebook = read(path)
    if text_of(strip(read(path))) != path.read_text("utf8"):
        found.append("holds image bytes, widget state or editor metadata: python tools/notebooks.py strip")
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        found.append("was not executed once from top to bottom: python tools/notebooks.py run")
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "strip", "check"])
    parser.add_argument("paths", nargs="*", type=pathlib.Path)
    options = parser.parse_args(arguments)
    paths = options.paths or toc_notebooks()
    failed = False
    for path in paths:
        if not path.exists():
            print(f"{path}: _toc.yml names it, but it is not there", file=sys.stderr)
            failed = True
        elif options.action == "run":
            try:
                notebook = execute(path)
            except Exception as error:
                print(f"{path}: a cell failed, the file is unchanged\n{error}", file=sys.stderr)
                failed = True
                continue
            write(path, strip(notebook))
            print(f"{path}: executed")
        elif options.action == "strip":
            before = path.read_text("utf8")
            write(path, strip(read(path)))
            if path.read_text("utf8") != before:
                print(f"{path}: stripped")
        else:
            for sentence in complaints(path):
                print(f"{path}: {sentence}", file=sys.stderr)
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
