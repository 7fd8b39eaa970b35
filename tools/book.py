"""Build the book: run the notebooks, compare them with what is committed, and make the site in _build/html.

    .venv/bin/python tools/book.py            nothing is done twice
    .venv/bin/python tools/book.py --again    everything is

A cached output is used only while what its notebook imports of nnlib (tools/imports.py), its data, the pins and the
Python are the same as when it was made.
"""

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import contents
import imports
import notebooks

ROOT = contents.ROOT
BUILD = ROOT / "_build"
HTML = BUILD / "html"

# What outputs depend on besides the notebook itself, what pages depend on besides their sources, and all the rest.
CODE = ["nnlib", "requirements.txt", "tools/book.py", "tools/imports.py", "tools/notebooks.py"]
SITE = ["_ext", "_config.yml", "_toc.yml", "assets", "tools"]
TEXT = ["chapters", "reference", "index.md", "tests/syllabus.csv"]
SETTINGS = ["REPOSITORY_URL", "REPOSITORY_BRANCH", "COLAB_BRANCH"]

# Drawn figures are vectors on the site and stay out of the committed notebooks.
IPYTHON = """\
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
c.HistoryManager.enabled = False
"""


def fingerprint(names, root=ROOT):
    """A hash over the files and folders of that name; caches of Python and of editors do not count."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for name in names:
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts and ".ipynb_checkpoints" not in file.parts:
                digest.update(file.relative_to(root).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    for name in SETTINGS:
        digest.update(f"{name}={os.environ.get(name, '')}".encode())
    return digest.hexdigest()


def remembered(name):
    path = BUILD / f"{name}.key"
    return path.read_text("utf8") if path.exists() else None


def remember(name, value):
    BUILD.mkdir(exist_ok=True)
    (BUILD / f"{name}.key").write_text(value, "utf8")


def drop(*names):
    for name in names:
        shutil.rmtree(BUILD / name, ignore_errors=True)


def outputs_key(path):
    """A hash over all that the outputs of a notebook depend on besides the notebook itself."""
    files = [file.relative_to(ROOT).as_posix() for file in imports.dependencies(path, ROOT)]
    return fingerprint([*files, *(name for name in CODE if name != imports.PACKAGE)], ROOT)


def drop_stale():
    """Throw away what was made from other imports, other data, other pins or another look."""
    code, site = fingerprint(CODE), fingerprint(SITE)
    if remembered("code") != code:
        drop_stale_outputs()
        drop(".doctrees", "html", "jupyter_execute")
    elif remembered("site") != site:
        drop(".doctrees", "html")
    remember("code", code)
    remember("site", site)


@contextlib.contextmanager
def opened_cache():
    """The cache of outputs; its database is closed at the end, which it leaves to its users."""
    from jupyter_cache import get_cache

    cache = get_cache(BUILD / ".jupyter_cache")
    try:
        yield cache
    finally:
        cache.db.dispose()


def drop_stale_outputs():
    """Throw away the cached outputs of every notebook whose imports have changed; says and returns which."""
    keys = {path.relative_to(ROOT).as_posix(): outputs_key(path) for path in contents.toc_notebooks() if path.exists()}
    before = json.loads(remembered("outputs") or "{}")
    stale = [name for name, key in keys.items() if before.get(name) != key]
    if stale and (BUILD / ".jupyter_cache").exists():
        print(f"what they import has changed, they run again: {', '.join(stale)}", flush=True)
        with opened_cache() as cache:
            for record in cache.list_cache_records():  # of older texts of the notebook, too
                if pathlib.PurePath(record.uri).as_posix().endswith(tuple(f"/{name}" for name in stale)):
                    cache.remove_cache(record.pk)
    remember("outputs", json.dumps(keys))
    return stale


def kernel_settings():
    profile = BUILD / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_config.py").write_text(IPYTHON, "utf8")
    os.environ["IPYTHONDIR"] = str(BUILD / "ipython")
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def timed_execution(path):
    start = time.perf_counter()
    executed = notebooks.execute(path, widgets=True, quiet=True)
    return executed, time.perf_counter() - start


def cell_texts(notebook):
    """The outputs of each code cell as they are committed."""
    stripped = notebooks.strip(notebook)
    return [
        json.dumps(cell.outputs, sort_keys=True, ensure_ascii=False)
        for cell in stripped.cells
        if cell.cell_type == "code"
    ]


def differences(path, executed):
    """Where a run shows something else than the committed notebook, as sentences."""
    committed, fresh = cell_texts(notebooks.read(path)), cell_texts(executed)
    return [
        f"{path.relative_to(ROOT)}, code cell {number}: shows other outputs than the committed ones\n"
        f"  committed: {old[:300]}\n  now:       {new[:300]}"
        for number, (old, new) in enumerate(zip(committed, fresh, strict=True), 1)
        if old != new
    ]


def run_notebooks(workers, cache):
    """Run what is not in the cache and say where a result differs from the committed one."""
    from jupyter_cache.base import CacheBundleIn

    paths = contents.toc_notebooks()
    missing = [str(path.relative_to(ROOT)) for path in paths if not path.exists()]
    if missing:
        sys.exit(f"error: _toc.yml names {', '.join(missing)}, which is not there")
    found, stale = [], []
    for path in paths:
        try:
            executed = cache.merge_match_into_notebook(notebooks.read(path))[1]
            found += differences(path, executed)
        except KeyError:
            stale.append(path)
    print(f"{len(paths)} notebooks, {len(stale)} to run", flush=True)
    failed = []
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        jobs = {pool.submit(timed_execution, path): path for path in stale}
        for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            path = jobs[job]
            try:
                executed, seconds = job.result()
            except Exception as error:
                print(f"  [{done}/{len(stale)}] {path.relative_to(ROOT)} FAILED", flush=True)
                failed.append(f"{path.relative_to(ROOT)}: a cell failed\n{error}")
                continue
            bundle = CacheBundleIn(executed, str(path), data={"execution_seconds": seconds})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            print(f"  [{done}/{len(stale)}] {path.relative_to(ROOT)} {seconds:.0f} s", flush=True)
            found += differences(path, executed)
    if failed:
        sys.exit("error: " + "\n".join(failed))
    return found


def build_site():
    command = "import sys; from jupyter_book.cli.main import main; sys.argv[0] = 'jupyter-book'; main()"
    options = ["build", ".", "-W", "-n", "--keep-going"]
    return subprocess.run([sys.executable, "-c", command, *options], cwd=ROOT).returncode


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="use nothing of an earlier build")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="notebooks run at once")
    options = parser.parse_args(arguments)
    page = HTML / "index.html"
    everything = fingerprint(CODE + SITE + TEXT)
    if options.again:
        drop(".jupyter_cache", ".doctrees", "html", "jupyter_execute")
    elif remembered("done") == everything and page.exists():
        print(f"nothing has changed; the book is at\n\n    {page}\n")
        return 0
    (BUILD / "done.key").unlink(missing_ok=True)
    drop_stale()
    kernel_settings()
    with opened_cache() as cache:
        found = run_notebooks(options.workers, cache)
    if build_site():
        print("error: the site was not built without a warning, see above", file=sys.stderr)
        return 1
    print(f"\nThe book is at\n\n    {page}\n")
    if found:
        print("\n".join(found), file=sys.stderr)
        print(
            "error: notebooks show other outputs than the committed ones; if the new ones are right, `make notebooks`",
            file=sys.stderr,
        )
        return 1
    remember("done", everything)
    return 0


if __name__ == "__main__":
    sys.exit(main())
