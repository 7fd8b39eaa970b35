"""Laws of folded code: what draws is folded, what is to be learned is not."""

import json

import contents
import folding
import pytest


@pytest.mark.parametrize(
    "source",
    [
        "explore(ch.nudge_frame, title='t', tries=[Try('x', {}, lambda f: f.text == 'a')], unit=choice('a', 'b'))",
        "plt.plot(x, relu(x) + 1)\nplt.show()",
        "fig, axes = plt.subplots(1, 2)\nfor ax, f in zip(axes.flat, functions):\n    ax.plot(x, f(x))\nplt.show()",
        "x = np.linspace(-1, 1, 20)\naxes[0].set(xlabel='x')\nax.lines[0].set_color('red')",
        'names = [f"w{i + 1} = {w.sum():.2f}" for i in range(3)]\nplotting.draw_network((2, 2), names=names)',
        "ch.NAME_OF_A_DRAWING(results)\nplt.show()",
    ],
)
def test_a_cell_that_only_draws_is_folded(source, monkeypatch):
    monkeypatch.setattr(folding, "drawings", lambda: {"NAME_OF_A_DRAWING"})
    assert folding.fold(source) == "the code of this figure"


@pytest.mark.parametrize(
    "source",
    [
        "a = x @ W + b\nplt.plot(a)",
        "loss, dout = softmax_cross_entropy(logits, labels)\nplt.plot(loss)",
        "def relu(z):\n    return np.maximum(z, 0)\n\nplt.plot(relu(x))",
        "slope = lambda z: z * (1 - z)\nplt.plot(slope(x))",
        "plt.plot(x)\nassert x.max() < 1",
        "print(check_gradients(network))",
        "show_source(Dense)",
        "for step in range(20):\n    w -= 0.1 * gradient(w)\n    ax.plot(step, w)",
        "ch.train(seed=1)",
        "x = np.linspace(0, 1)",
        "%matplotlib inline\nplt.plot(x)",
        "",
    ],
)
def test_code_to_be_learned_stands_open(source, monkeypatch):
    monkeypatch.setattr(folding, "drawings", set)
    assert folding.fold(source) == ""


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import numpy as np\n\nrng = np.random.default_rng(4)", "the imports"),
        ("p = ch.passes(net)\nask('What?', p['E'], tolerance=0.1)", "the code of this question"),
        ("guess('What?', (0, 1), answer=share, result='So.')", "the code of this question"),
        ("ends = losses[:, -1]\nclaim('04.ends', 'It falls.', ends.max() < 0.1)", "what is asserted"),
    ],
)
def test_imports_questions_and_claims_are_folded(source, what):
    assert folding.fold(source) == what


@pytest.mark.parametrize("path", contents.toc_notebooks(), ids=lambda path: path.stem)
def test_what_a_notebook_folds_is_what_it_shows(path):
    """The first cell, every cell that shows nothing but an interactive figure or a question, and no exercise."""
    cells = [cell for cell in json.loads(path.read_text("utf8"))["cells"] if cell["cell_type"] == "code"]
    assert folding.fold("".join(cells[0]["source"])) == "the imports"
    for cell in cells[1:]:
        source, shown = "".join(cell["source"]), json.dumps(cell["outputs"])
        if "Guess(" in shown or "Ask(" in shown:
            assert folding.fold(source) == "the code of this question"
            assert cell["metadata"]["jupyter"]["source_hidden"], "JupyterLab would show the answer"
        elif source.startswith("explore("):
            assert folding.fold(source) == "the code of this figure"
        if "exercise" in cell["metadata"]:
            assert folding.fold(source) == ""


def test_the_drawings_of_the_chapters_are_found():
    assert len(folding.drawings()) > 3
