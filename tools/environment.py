"""Set up .venv: the pinned requirements and this checkout's nnlib. A second run does nothing.

    python3 tools/environment.py

Needs only the standard library of Python 3.11 to 3.14. Works on Linux, macOS and Windows.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "ready.txt"
OLDEST, NEWEST = (3, 11), (3, 14)  # a newer one is tried


class Missing(Exception):
    """Something that this machine lacks, said in one sentence with the mend."""


def key(root=ROOT, version=sys.version_info):
    """What the environment depends on: the pins, the package, the Python, and the folder it is linked to."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    digest.update(f"{version[0]}.{version[1]} {root}".encode())
    return digest.hexdigest()


def supported():
    """The Pythons that the book is checked with, as people write them, oldest first."""
    return [f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]


def check_python(version=sys.version_info):
    """Refuse a Python that is too old; say a sentence about one that is newer than any tried."""
    names, version = supported(), tuple(version[:2])
    this = ".".join(map(str, version))
    if version < OLDEST:
        raise Missing(
            f"this is Python {this}, and the book needs {names[0]} to {names[-1]}: "
            f"install one of them and run `make book PYTHON=python{names[-1]}`"
        )
    if version > NEWEST:
        print(
            f"Python {this} is newer than {names[-1]}, the newest that the book is checked with. It may work; "
            f"if something fails below, install Python {names[-1]} and run `make book PYTHON=python{names[-1]}`",
            flush=True,
        )


def check_venv_module():
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Missing(
            "this Python lacks the module venv: on Debian and Ubuntu, `apt-get install python3-venv`; then make again"
        ) from None


def version_of(python):
    try:
        shown = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(map(int, shown.stdout.split()))


def run(*command):
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONWARNINGS": "ignore"}
    if subprocess.run(list(map(str, command)), cwd=ROOT, env=environment).returncode:
        raise Missing(
            f"`{' '.join(map(str, command[1:6]))} ...` failed, see above; if it could not reach the package index, "
            "connect this machine to a network, or point pip to a mirror, and run make again"
        )


def main():
    wanted = key()
    if STAMP.exists() and STAMP.read_text("utf8") == wanted and PYTHON.exists():
        return
    check_python()
    check_venv_module()
    start = time.perf_counter()
    if version_of(PYTHON) != sys.version_info[:2]:
        print(f"[1/3] making the environment {VENV.name} with Python {sys.version.split()[0]}", flush=True)
        if VENV.exists():
            shutil.rmtree(VENV)
        run(sys.executable, "-m", "venv", VENV)
    print("[2/3] installing the pinned requirements (a minute or two the first time)", flush=True)
    bar = ["--progress-bar", "on" if sys.stdout.isatty() else "off"]
    run(PYTHON, "-m", "pip", "install", "--quiet", *bar, "-r", "requirements.txt")
    run(PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    print("[3/3] letting matplotlib find its fonts", flush=True)
    run(PYTHON, "-c", "import matplotlib.font_manager")
    STAMP.write_text(wanted, "utf8")
    print(f"the environment is ready ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Missing as missing:
        sys.exit(f"error: {missing}")
