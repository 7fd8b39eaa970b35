"""Write the notebooks as Colab opens them: each begins with a cell that installs nnlib from the repository.

    REPOSITORY_URL=https://github.com/owner/name python tools/colab.py <folder> [<commit>]

The publishing workflow pushes the folder to the branch `colab`. The notebooks of the repository have no such cell.
"""

import os
import pathlib
import sys

import contents
import nbformat

INSTALL = """\
# Colab only: the course's library and what its interactive figures need
%pip install --quiet "nnlib[plots,widgets] @ git+{url}@{commit}" myst-nb
from google.colab import output

output.enable_custom_widget_manager()"""


def for_colab(notebook, url, commit):
    """The notebook with the install cell first, and a kernel name that Colab knows."""
    first = nbformat.v4.new_code_cell(INSTALL.format(url=url, commit=commit), id="install-nnlib")
    notebook.cells.insert(0, first)
    return notebook


def main(arguments):
    url = os.environ.get("REPOSITORY_URL", "").rstrip("/").removesuffix(".git")
    if not url or not arguments:
        print(__doc__, file=sys.stderr)
        return 1
    target, commit = pathlib.Path(arguments[0]), (arguments[1:] or ["main"])[0]
    for path in contents.toc_notebooks():
        written = target / path.relative_to(contents.ROOT)
        written.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(for_colab(nbformat.read(path, as_version=4), url, commit), written)
        print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
