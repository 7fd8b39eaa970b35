"""Laws of the figures: what is drawn is what was given, axes have labels, and colors can be told apart."""

import re
import subprocess
import sys
from importlib import resources
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle

from nnlib import plotting
from nnlib.activations import relu, sigmoid, step
from nnlib.autodiff import Value
from nnlib.plotting import PALETTE

HISTORY = SimpleNamespace(train_loss=[3.0, 2.0, 1.5], validation_loss=[3.1, 2.4, 2.2], train_accuracy=[])


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def loss_of_a_neuron():
    w, x = Value(2.0, "w"), Value(-0.5, "x")
    loss = ((w * x + 1.0).sigmoid() - 1.0) ** 2
    loss.backward()
    return loss


DRAWINGS = {
    "plot_curves": lambda ax: plotting.plot_curves([0, 1, 2], {"a": [1, 2, 3]}, ax, x_label="step", y_label="loss"),
    "plot_history": lambda ax: plotting.plot_history(HISTORY, ax),
    "spread": lambda ax: plotting.spread([1, 2, 3], [[1, 2, 3], [2, 2, 2]], ax, label="tanh", x_label="s", y_label="l"),
    "plot_runs": lambda ax: plotting.plot_runs({"tanh": [0.1, 0.2]}, ax, x_label="loss"),
    "plot_elementwise": lambda ax: plotting.plot_elementwise(relu, ax),
    "plot_decision": lambda ax: plotting.plot_decision(lambda p: p[:, 0], np.eye(2), [0, 1], ax, n=11),
    "plot_points": lambda ax: plotting.plot_points(np.eye(2), [0, 1], ax),
    "show_images": lambda ax: plotting.show_images(np.zeros((3, 64)), "abc", ax),
    "heat_table": lambda ax: plotting.heat_table([[1.0, 2.0]], ["r"], ["a", "b"], ax),
    "draw_network": lambda ax: plotting.draw_network((2, 3, 1), ax),
    "draw_neuron": lambda ax: plotting.draw_neuron([1.0, -2.0], 0.5, [1.0, 1.0], sigmoid, ax),
    "draw_graph": lambda ax: plotting.draw_graph(loss_of_a_neuron(), ax),
}


def texts(ax):
    return [text.get_text() for text in ax.texts]


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_returns_the_ax_it_was_given_and_leaves_other_figures_alone(name):
    _, ax = plt.subplots()
    assert DRAWINGS[name](ax) is ax
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", DRAWINGS)
def test_without_an_ax_a_figure_is_made_no_wider_than_the_column(name):
    ax = DRAWINGS[name](None)
    assert len(plt.get_fignums()) == 1
    width, height = ax.figure.get_size_inches()
    assert 1.0 < width <= 7.0
    assert 0.8 < height <= 7.0
    ax.figure.canvas.draw()


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_axis_with_ticks_has_a_label(name):
    ax = DRAWINGS[name](None)
    if name != "heat_table":  # its rows and columns have names
        assert ax.get_xlabel() or not len(ax.get_xticks())
    if name not in ("heat_table", "plot_runs"):
        assert ax.get_ylabel() or not len(ax.get_yticks())


def test_every_public_function_is_tested_here():
    public = {
        name for name, thing in vars(plotting).items()
        if callable(thing) and getattr(thing, "__module__", "") == plotting.__name__ and not name.startswith("_")
    }  # fmt: skip
    assert public == {*DRAWINGS, "color"}


# --- colors ----------------------------------------------------------------------------------------------------------


def linear(name):
    srgb = np.array(to_rgb(PALETTE[name]))
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def contrast(name, ground="card"):
    a, b = (float(linear(n) @ [0.2126, 0.7152, 0.0722]) + 0.05 for n in (name, ground))
    return max(a, b) / min(a, b)


# Machado, Oliveira & Fernandes 2009, full severity
SEEN = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def distance(one, other, seen):
    """Distance in CIELAB (D65) as seen by an eye; 2.3 is just noticeable."""

    def lab(name):
        rgb = np.clip(SEEN[seen] @ linear(name), 0.0, 1.0)
        xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
        f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
        return np.array([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])

    return float(np.linalg.norm(lab(one) - lab(other)))


@pytest.mark.parametrize("name", [name for name in PALETTE if name not in ("card", "grid")])
def test_colors_stand_out_from_the_card(name):
    assert contrast(name) >= (4.5 if name in ("text", "muted", "value", "gradient", "accent") else 3.0)


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize(
    "group",
    [("train", "validation", "test"), ("class0", "class1", "class2"), ("value", "gradient"), ("positive", "negative")],
    ids=" ".join,
)
def test_colors_that_stand_side_by_side_differ_for_every_eye(group, seen):
    for i, one in enumerate(group):
        for other in group[:i]:
            assert distance(one, other, seen) > 10.0, (one, other)  # dashes and markers tell them apart, too


def test_markers_differ_by_class_as_colors_do():
    assert len(set(plotting.MARKERS)) == len(plotting.MARKERS) >= len(plotting.CLASSES) == 10
    assert len({PALETTE[f"class{i}"] for i in range(10)}) == 10
    assert len(set(map(str, plotting.DASHES.values()))) == 3


def test_live_figures_use_the_same_colors_on_white():
    css = resources.files("nnlib").joinpath("widgets/chart.css").read_text()
    light = {}
    for name, code in re.findall(r"--nn-([a-z]+[0-9]?): (#[0-9a-f]{6})", css):
        light.setdefault(name, code)  # the first block is the light one
    shared = set(light) & set(PALETTE)
    assert {"train", "validation", "test", "value", "gradient", "accent", "muted", "class9", "series7"} <= shared
    assert {name: light[name] for name in shared} == {name: PALETTE[name] for name in shared}


def test_an_unknown_color_is_refused():
    with pytest.raises(ValueError, match="there are: train, validation"):
        plotting.color("red")


# --- each of them ----------------------------------------------------------------------------------------------------


def test_history_has_one_point_an_epoch_in_the_colors_of_the_parts():
    ax = plotting.plot_history(HISTORY)
    train, validation = ax.lines
    np.testing.assert_array_equal(train.get_xydata(), [[1, 3.0], [2, 2.0], [3, 1.5]])
    np.testing.assert_array_equal(validation.get_ydata(), HISTORY.validation_loss)
    assert (train.get_color(), validation.get_color()) == (PALETTE["train"], PALETTE["validation"])
    assert train.get_linestyle() != validation.get_linestyle()
    ax.figure.canvas.draw()
    assert all(tick == round(tick) for tick in ax.get_xticks())
    with pytest.raises(ValueError, match="holds no accuracy"):
        plotting.plot_history(HISTORY, quantity="accuracy")


def test_spread_is_the_median_and_the_range(rng):
    runs = rng.normal(size=(5, 7))
    ax = plotting.spread(range(7), runs, label="tanh")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.sort(runs, axis=0)[2])
    corners = ax.collections[0].get_paths()[0].vertices
    for i in range(7):
        column = corners[corners[:, 0] == i][:, 1]
        assert (column.min(), column.max()) == (runs[:, i].min(), runs[:, i].max())
    with pytest.raises(ValueError, match=r"\(n_runs, 6\), got \(5, 7\)"):
        plotting.spread(range(6), runs, label="tanh")


def test_the_bar_of_runs_stands_at_the_center_asked_for():
    for center, place in ((np.mean, 0.4), (np.median, 0.2)):
        ax = plotting.plot_runs({"tanh": [0.1, 0.2, 0.9]}, x_label="loss", center=center)
        np.testing.assert_allclose(ax.lines[1].get_xdata(), place)


def test_runs_are_a_dot_per_seed_and_a_bar_at_the_mean():
    ax = plotting.plot_runs({"tanh": [0.1, 0.3], "relu": [0.5, 0.1]}, x_label="loss", log=True)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0.1, 0.3])
    np.testing.assert_allclose(ax.lines[1].get_xdata(), 0.2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["tanh", "relu"]
    assert ax.get_xscale() == "log"


def test_elementwise_shows_value_and_derivative_and_no_line_at_a_jump():
    ax = plotting.plot_elementwise(sigmoid, low=-2.0, high=2.0)
    value, slope = ax.lines[-2:]
    np.testing.assert_allclose(value.get_ydata(), sigmoid(value.get_xdata()))
    np.testing.assert_allclose(slope.get_ydata(), sigmoid.derivative(slope.get_xdata()))
    assert ax.get_title(loc="left") == "sigmoid"
    jump = plotting.plot_elementwise(step).lines[-2].get_ydata()
    assert np.isnan(jump).sum() == 1
    bend = plotting.plot_elementwise(relu).lines
    assert np.isnan(bend[-2].get_ydata()).sum() == 0
    assert np.isnan(bend[-1].get_ydata()).sum() == 1


@pytest.mark.parametrize(
    "predict",
    [
        lambda p: (p[:, 0] > 0.5).astype(np.int64),
        lambda p: np.column_stack([0.5 - p[:, 0], p[:, 0] - 0.5]),
        lambda p: p[:, 0] - 0.5,
        lambda p: p[:, :1] - 0.5,
    ],
    ids=["labels", "two scores", "one score", "one column"],
)
def test_decision_colors_the_side_that_the_classifier_says(predict, rng):
    x = rng.uniform(size=(40, 2))
    y = (x[:, 0] > 0.5).astype(int)
    ax = plotting.plot_decision(predict, x, y, low=0.0, high=1.0, n=101)
    region = np.asarray(ax.images[0].get_array())
    assert region.shape == (101, 101)
    assert np.all(region[:, :50] == 0)
    assert np.all(region[:, 52:] == 1)
    points = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert [len(c.get_offsets()) for c in points] == np.bincount(y).tolist()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_1$", "$x_2$")


def test_decision_has_small_x2_at_the_bottom():
    ax = plotting.plot_decision(lambda p: p[:, 1] - 0.8, low=(0.0, 0.0), high=(2.0, 1.0), n=11)
    picture = ax.images[0]
    assert picture.origin == "lower"
    assert picture.get_extent() == [0.0, 2.0, 0.0, 1.0]
    assert np.asarray(picture.get_array())[:, 0].tolist() == [0] * 9 + [1, 1]


def test_decision_says_what_it_wants(rng):
    with pytest.raises(ValueError, match="needs points x, or low and high"):
        plotting.plot_decision(lambda p: p)
    with pytest.raises(ValueError, match="must return labels"):
        plotting.plot_decision(lambda p: p[:5, 0], rng.normal(size=(4, 2)), n=5)
    with pytest.raises(ValueError, match="draws classes 0 to 9"):
        plotting.plot_decision(lambda p: np.full(len(p), 12), rng.normal(size=(4, 2)), n=5)


def test_images_keep_their_place_and_label(rng):
    images = rng.random((7, 64))
    for shape in ((7, 64), (7, 8, 8), (7, 1, 8, 8)):
        ax = plotting.show_images(images.reshape(shape), range(7), columns=3, marked=[4])
        assert texts(ax) == list("0123456")
        for i, drawn in enumerate(ax.images):
            np.testing.assert_array_equal(drawn.get_array(), images[i].reshape(8, 8))
        left, right, bottom, top = ax.images[4].get_extent()
        assert (left, right) == (10.0, 18.0)  # second column: 8 pixels and a gap of 2
        assert bottom - top == 8.0
        marks = [patch.get_edgecolor()[:3] == to_rgb(PALETTE["accent"]) for patch in ax.patches]
        assert marks == [i == 4 for i in range(7)]
    with pytest.raises(ValueError, match=r"got \(7, 3, 8, 8\)"):
        plotting.show_images(np.zeros((7, 3, 8, 8)))


def test_heat_table_prints_its_numbers_in_a_legible_ink():
    values = np.array([[-2.0, 0.0, 1.0], [2.0, 0.5, np.nan]])
    ax = plotting.heat_table(values, ["r1", "r2"], ["a", "b", "c"], signed=True, format=".1f")
    assert texts(ax) == ["-2.0", "0.0", "1.0", "2.0", "0.5", "nan"]
    inks = [text.get_color() for text in ax.texts]
    assert inks[:2] == [PALETTE["card"], PALETTE["text"]]
    assert ax.images[0].get_clim() == (-2.0, 2.0)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["r1", "r2"]
    with pytest.raises(ValueError, match=r"takes values \(2, 2\), got \(2, 3\)"):
        plotting.heat_table(values, ["r1", "r2"], ["a", "b"])


def circles(ax):
    return [patch for patch in ax.patches if isinstance(patch, Circle)]


def lines(ax):
    (collection,) = (c for c in ax.collections if isinstance(c, LineCollection))
    return collection


def test_network_has_a_circle_a_unit_and_a_line_a_weight():
    ax = plotting.draw_network((2, 4, 3))
    assert len(circles(ax)) == 9
    assert len(lines(ax).get_segments()) == 2 * 4 + 4 * 3
    spots = {tuple(circle.center) for circle in circles(ax)}
    assert all(tuple(end) in spots for segment in lines(ax).get_segments() for end in segment)
    above = sorted((circle.center for circle in circles(ax) if circle.center[0] == 1), key=lambda c: -c[1])
    assert len(above) == 4


def test_network_draws_signs_and_sizes_of_weights():
    weights = [np.array([[1.0, -2.0, 0.5], [0.0, 0.1, -0.1]])]
    drawn = lines(plotting.draw_network((2, 3), weights=weights))
    widths, tones = drawn.get_linewidths(), [tuple(c[:3]) for c in drawn.get_colors()]
    assert np.argmax(widths) == 1
    assert [t == to_rgb(PALETTE["negative"]) for t in tones] == [False, True, False, False, False, True]
    dashed = [pattern is not None for _, pattern in drawn.get_linestyles()]
    assert dashed == [False, True, False, False, False, True]


def test_network_writes_texts_where_they_belong():
    ax = plotting.draw_network(
        (2, 2), node_text=[["1", "2"], ["3", "4"]], names={(1, 1): "out"}, edge_text=[[["a", "b"], ["c", "d"]]],
        layer_names=["in", "out layer"], highlight=[(0, 0), (0, 0, 1)],
    )  # fmt: skip
    spots = {text.get_text(): text.get_position() for text in ax.texts}
    centers = [tuple(circle.center) for circle in circles(ax)]
    assert [spots[name] for name in "1234"] == centers
    assert spots["out"][0] == 1.0
    assert spots["out"][1] > spots["4"][1]
    assert spots["b"][1] < spots["1"][1]  # on the line from the upper input to the lower output
    assert spots["b"][1] > spots["4"][1]
    assert spots["in"][0] == 0.0
    accent = to_rgb(PALETTE["accent"])
    assert [c.get_edgecolor()[:3] == accent for c in circles(ax)] == [True, False, False, False]
    assert [tuple(c[:3]) == accent for c in lines(ax).get_colors()] == [False, True, False, False]


def test_network_shortens_wide_layers():
    ax = plotting.draw_network((64, 32, 3), most=6)
    assert len(circles(ax)) == 6 + 6 + 3 - 2
    assert texts(ax).count("⋮") == 2


def test_network_of_a_sequential_shows_its_weights(rng):
    from nnlib.layers import Activation, Dense
    from nnlib.network import Sequential

    network = Sequential(Dense(2, 3), Activation(relu), Dense(3, 1), rng=rng)
    drawn = lines(plotting.draw_network(network))
    weights = np.concatenate([layer.W.value.ravel() for layer in network.layers if isinstance(layer, Dense)])
    red = [tuple(c[:3]) == to_rgb(PALETTE["negative"]) for c in drawn.get_colors()]
    assert red == (weights < 0).tolist()


def test_network_says_what_it_wants(rng):
    with pytest.raises(ValueError, match="at least two layers"):
        plotting.draw_network((3,))
    with pytest.raises(ValueError, match=r"shapes \[\(2, 3\)\], got \[\(3, 2\)\]"):
        plotting.draw_network((2, 3), weights=[np.ones((3, 2))])
    with pytest.raises(ValueError, match="of Dense layers"):
        plotting.draw_network(SimpleNamespace(layers=[]))


def test_neuron_shows_its_sum_and_its_output():
    ax = plotting.draw_neuron([20.0, -20.0], -30.0, [1.0, 0.5], sigmoid, names=["rain", "sun"])
    shown = texts(ax)
    assert {"× 20", "× -20", "$b$ = -30", "$z$ = -20", "$a$ = 2.061e-09", "sigmoid", "rain", "sun"} <= set(shown)
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        plotting.draw_neuron([1.0, 2.0], 0.0, [1.0, 2.0, 3.0], sigmoid)


def test_graph_shows_every_node_with_value_and_gradient():
    w = Value(2.0, "w")
    loss = w * w + w
    loss.backward()
    ax = plotting.draw_graph(loss)
    assert sorted(filter(None, texts(ax))) == sorted(["w", "2", "∂ 5", "*", "4", "∂ 1", "+", "6", "∂ 1"])
    spot = {text.get_text(): text.get_position()[0] for text in ax.texts}
    assert spot["w"] < spot["*"] < spot["+"]
    assert "∂ 5" not in texts(plotting.draw_graph(loss, gradients=False))


def test_an_arrow_past_a_box_bends_around_it():
    h = Value(2.0, "h") * Value(1.0, "x")
    ax = plotting.draw_graph(h + h * h)
    bends = [text.arrow_patch.get_connectionstyle().rad for text in ax.texts if getattr(text, "arrow_patch", None)]
    assert sorted(bends) == [-0.45, 0.0, 0.0, 0.0, 0.0, 0.0]


# --- the style -------------------------------------------------------------------------------------------------------


def test_importing_plotting_sets_the_style_and_importing_nnlib_does_not_import_it():
    code = (
        "import sys, nnlib; assert 'matplotlib' not in sys.modules; "
        "import nnlib.plotting as p, matplotlib as m; assert m.rcParams['axes.labelcolor'] == p.PALETTE['text']; "
        "assert m.rcParams['figure.dpi'] == p.STYLE['figure.dpi']; assert m.rcParams['figure.constrained_layout.use']"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
