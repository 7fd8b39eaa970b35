"""The tools behind make, and the guard that keeps tests from the network: each does what it promises, and notices."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tomllib

import book
import colab
import environment
import nbformat
import no_network
import page_weight
import pytest
from jupyter_client.manager import start_new_kernel

ROOT = pathlib.Path(__file__).resolve().parents[1]


REFUSED = "no test and no notebook may reach the network"


@pytest.mark.parametrize("host", ["example.org", "192.0.2.1", "2001:db8::1", b"example.org"])
def test_another_host_is_out_of_reach(host):
    with pytest.raises(no_network.NetworkForbidden, match=REFUSED):
        socket.create_connection((host, 80))


CALL_OUT = "import urllib.request; urllib.request.urlopen('http://example.org')"


def test_a_process_of_a_test_has_no_network_either():
    told = subprocess.run([sys.executable, "-c", CALL_OUT], capture_output=True, text=True)
    assert told.returncode
    assert REFUSED in told.stderr


def test_a_kernel_has_no_network_either():
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        content = client.execute_interactive(CALL_OUT, output_hook=lambda message: None)["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert content["ename"] == "NetworkForbidden"
    assert REFUSED in content["evalue"]


def test_the_sitecustomize_of_a_system_runs_behind_the_guard(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('the system speaks')", "utf8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(tmp_path)])}
    told = subprocess.run([sys.executable, "-c", CALL_OUT], capture_output=True, text=True, env=environment)
    assert told.stdout == "the system speaks\n"
    assert REFUSED in told.stderr


def test_this_machine_is_in_reach():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


@pytest.mark.parametrize("version", [(3, 10), (2, 7)])
def test_an_older_python_is_refused_with_the_mend(version):
    with pytest.raises(environment.Missing, match=r"needs 3\.11 to 3\.14: .* PYTHON=python3\.14"):
        environment.check_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13), (3, 14)])
def test_the_supported_pythons_pass_in_silence(version, capsys):
    environment.check_python(version)
    assert capsys.readouterr() == ("", "")


def test_a_newer_python_is_tried_with_a_sentence(capsys):
    environment.check_python((3, 15))
    assert "Python 3.15 is newer than 3.14" in capsys.readouterr().out


def test_one_range_of_pythons_is_named_everywhere():
    names = environment.supported()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
    assert project["requires-python"] == f">={names[0]}"
    versions = [line.rsplit(" ", 1)[1] for line in project["classifiers"] if "Python ::" in line]
    assert versions == names
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf8")
    assert f"python: {json.dumps(names)}" in workflow
    for name in ("Makefile", "README.md", "index.md", ".ci/run", "tools/environment.py"):
        assert f"{names[0]} to {names[-1]}" in (ROOT / name).read_text("utf8"), name
    makefile = (ROOT / "Makefile").read_text("utf8")
    searched = re.findall(r"python(3\.\d+)", makefile[: makefile.index("RUN :=")])
    assert searched == names[::-1]


def small_checkout(folder):
    (folder / "nnlib").mkdir()
    (folder / "nnlib" / "relu.py").write_text("def relu(z): ...", "utf8")
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).write_text("numpy==1", "utf8")
    return folder


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_new_pins_make_a_new_environment(name, tmp_path):
    before = environment.key(small_checkout(tmp_path))
    assert environment.key(tmp_path) == before
    (tmp_path / name).write_text("numpy==2", "utf8")
    assert environment.key(tmp_path) != before


def test_another_folder_or_python_makes_a_new_environment(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    a, b = small_checkout(tmp_path / "a"), small_checkout(tmp_path / "b")
    assert environment.key(a) != environment.key(b)
    assert environment.key(a, (3, 11)) != environment.key(a, (3, 12))


def notebook_that_prints(text):
    cell = nbformat.v4.new_code_cell("f()", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    return nbformat.v4.new_notebook(cells=[cell])


def test_a_wrong_printed_number_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(book, "ROOT", tmp_path)
    path = tmp_path / "04_x.ipynb"
    nbformat.write(notebook_that_prints("0.9741"), path)
    assert book.differences(path, notebook_that_prints("0.9741")) == []
    assert "code cell 1" in book.differences(path, notebook_that_prints("0.9740"))[0]


def site(folder, extra=""):
    (folder / "_static").mkdir()
    (folder / "_static" / "theme.css").write_bytes(b"x" * 900_000)
    (folder / "drawn.svg").write_bytes(b"x" * 590_000)
    head = '<link rel="stylesheet" href="_static/theme.css">'
    (folder / "index.html").write_text(f'{head}<img src="drawn.svg">{extra}', "utf8")
    return folder


def test_a_light_page_passes_and_shared_files_do_not_count(tmp_path):
    assert page_weight.main([str(site(tmp_path))]) == 0


def test_a_heavy_page_fails(tmp_path, capsys):
    assert page_weight.main([str(site(tmp_path, "x" * 20_000))]) == 1
    assert "more than 600 kB" in capsys.readouterr().err


def test_an_interactive_page_may_weigh_more(tmp_path):
    widget = f'<script type="{page_weight.WIDGETS}">{{}}</script>'
    assert page_weight.main([str(site(tmp_path, widget + "x" * 20_000))]) == 0
    assert list(page_weight.too_heavy([("a", 1_601, True)]))


def test_a_site_without_pages_fails(tmp_path):
    assert page_weight.main([str(tmp_path)]) == 1


def test_a_notebook_for_colab_installs_this_commit_first():
    notebook = colab.for_colab(notebook_that_prints("1"), "https://github.com/owner/name", "abc")
    nbformat.validate(notebook)
    assert "git+https://github.com/owner/name@abc" in notebook.cells[0].source
    assert notebook.cells[1].source == "f()"


def test_every_module_stands_on_a_page_of_the_library():
    pages = "".join(page.read_text("utf8") for page in (ROOT / "reference" / "api").glob("*.md"))
    listed = set(re.findall(r"automodule:: nnlib\.([\w.]+)", pages))
    modules = {
        path.relative_to(ROOT / "nnlib").with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "nnlib").rglob("*.py")
        if path.name != "__init__.py" and not path.name.startswith("_")
    }
    inside = {
        "course.chapter",
        "course.diagnosis",
        "doors",
        "foreign",
        "reprs",
        "widgets.state",
        "widgets.still",
    }  # parts that a reader does not call
    chapters = {name for name in modules if re.fullmatch(r"course\.chapter_\d\d(\..*)?", name)}
    assert modules - listed - inside - chapters == set()


def test_the_makefile_has_the_promised_commands():
    text = (ROOT / "Makefile").read_text("utf8")
    promised = {"book", "test", "serve", "lab", "site-test", "check", "clean", "lint", "help"}
    assert promised <= set(re.findall(r"^([a-z-]+):", text, re.M))
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
