"""Laws of chapter 2: its data, its hand-made networks, and what its interactive figures say in each setting."""

import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nnlib.activations import identity, relu, sigmoid, square, step, tanh
from nnlib.course import chapter_02 as ch
from nnlib.data import LOGIC, moons
from nnlib.perceptron import Perceptron, margin, radius
from nnlib.widgets import Field, Lines

# --- data and networks that are set by hand ---------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.02, 0.1, 0.4])
def test_separable_data_keep_their_margin(gap):
    for seed in range(5):
        x, y, (w, b) = ch.separable(50, gap, np.random.default_rng(seed))
        assert len(x) == 50
        assert set(y) == {0, 1}
        assert gap <= margin(x, y, w, b) < gap + 0.2


def test_discs_are_two_separate_pieces_and_a_sixth_of_the_square():
    x, y = ch.discs(20_000, np.random.default_rng(0))
    assert abs(y.mean() - 2 * np.pi * 0.67**2 / 16) < 0.01
    assert not y[np.abs(x @ [1.0, 0.6]) < 0.1].any()  # a border of class 0 between them


@pytest.mark.parametrize("f", [step, sigmoid], ids=str)
def test_the_hand_made_strip_needs_no_training(f):
    x, y = ch.strip(500, np.random.default_rng(3))
    lines = np.array([[-12.0, 12.0], [20.0, -20.0]]), np.array([10.0, 10.0])
    network = ch.hand_set(lines, (np.array([[20.0], [20.0]]), np.array([-30.0])), f=f)
    assert np.array_equal(network.predict(x)[:, 0] > 0.5, y == 1)


@pytest.mark.parametrize("steepness", [None, 100])
def test_the_four_region_network_is_right_on_a_grid(steepness):
    points = ch.grid(-1.97, 1.97, 80)
    output = ch.four_regions(steepness).predict(points)
    far = np.min(np.abs(points @ ch.REGION_LINES[0] + ch.REGION_LINES[1]), axis=1) > 0.1
    assert np.array_equal(output.argmax(axis=1)[far], ch.region_of(points)[far])
    assert set(ch.region_of(points)) == {0, 1, 2, 3}


@pytest.mark.parametrize("n_edges", [3, 4, 7])
def test_a_polygon_holds_its_center_and_no_far_point(n_edges):
    W, b = ch.polygon(n_edges, 0.5, (0.3, -0.2))
    np.testing.assert_allclose(np.array([0.3, -0.2]) @ W + b, 0.5)
    angle = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    center = np.array([0.3, -0.2])
    assert ((center + 0.49 * circle) @ W + b >= 0).all()  # the inscribed circle
    corner = 0.5 / np.cos(np.pi / n_edges)
    assert not ((center + 1.01 * corner * circle) @ W + b >= 0).all(axis=1).any()  # outside the circumscribed one


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_tent_alternates_between_0_and_1(k):
    knots = np.arange(2**k + 1) / 2**k
    np.testing.assert_array_equal(ch.tent(knots, k), np.arange(2**k + 1) % 2)


# --- graphs -----------------------------------------------------------------------------------------------------------


def test_every_unit_of_a_random_graph_reads_only_what_comes_before_it():
    for seed in range(10):
        sources = ch.random_graph(9, 2, np.random.default_rng(seed))
        assert len(sources) == 9
        for place, s in enumerate(sources, 2):
            assert s
            assert len(set(s)) == len(s)
            assert all(0 <= i < place for i in s)


def test_a_trained_graph_is_computed_as_it_was_trained():
    x, y = moons(60, rng=np.random.default_rng(0))
    sources = ch.random_graph(5, 2, np.random.default_rng(1))

    def loss(n_steps):
        weights = ch.train_graph(sources, x, y, np.random.default_rng(2), n_steps=n_steps)
        return np.mean(np.log1p(np.exp(-(2.0 * y - 1.0) * ch.graph_output(x, sources, weights))))

    assert loss(40) < 0.7 * loss(0)


# --- what a line separates --------------------------------------------------------------------------------------------


def test_the_labelings_that_lines_make_are_those_that_perceptrons_learn():
    """Two independent ways: lines through two points, and Rosenblatt's rule on all 32 labelings."""
    x = np.random.default_rng(3).normal(size=(5, 2))
    learned = set()
    for labels in itertools.product((0, 1), repeat=5):
        if Perceptron(2).fit(x, np.array(labels), 500, np.random.default_rng(0)).converged:
            learned.add(tuple(map(bool, labels)))
    assert ch.planar_labelings(x) == learned
    assert len(learned) == 2 * (1 + 4 + 6)


def test_kernel_ridge_without_a_penalty_joins_its_examples():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(12, 3)), rng.integers(0, 10, 12)
    np.testing.assert_allclose(ch.kernel_ridge((x, labels), 1.0, 1e-12)(x), np.eye(10)[labels], atol=1e-6)


# --- approximation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "degree"), [(square, 2), (identity, 1)])
@pytest.mark.parametrize("n", [4, 64])
def test_a_polynomial_activation_gives_the_best_polynomial_at_every_width(f, degree, n):
    x = np.linspace(*ch.WAVE_RANGE, 301)
    y = ch.wave(x)
    fitted = ch.random_units_fit(x, y, f, n, np.random.default_rng(1))
    np.testing.assert_allclose(fitted(x), np.polyval(np.polyfit(x, y, degree), x), atol=1e-3)


@pytest.mark.parametrize("f", [relu, tanh], ids=str)
def test_other_activations_come_close_with_width(f):
    x = np.linspace(*ch.WAVE_RANGE, 1001)
    for seed in range(3):
        errors = [
            np.max(np.abs(ch.random_units_fit(x, ch.wave(x), f, n, np.random.default_rng(seed))(x) - ch.wave(x)))
            for n in (4, 64, 256)
        ]
        assert errors[0] > 0.3
        assert errors[1] < 0.1
        assert errors[2] < 0.02


def test_placed_relus_pass_the_points_and_placed_steps_stay_within_half_a_gap():
    t = np.linspace(*ch.WAVE_RANGE, 13)
    np.testing.assert_allclose(ch.placed_units(ch.wave, 12, "relu")(t), ch.wave(t), atol=1e-12)
    x = np.linspace(*ch.WAVE_RANGE, 400)
    nearest = t[np.argmin(np.abs(np.subtract.outer(x, t)), axis=1)]
    np.testing.assert_allclose(ch.placed_units(ch.wave, 12, "step")(x), ch.wave(nearest), atol=1e-12)


# --- the interactive figures ------------------------------------------------------------------------------------------


def test_the_neuron_reaches_fourteen_functions_and_names_what_it_computes():
    named = set()
    for w1, w2, b in itertools.product((-2, -1, 0, 1, 2), (-2, -1, 0, 1, 2), (-3, -1.5, -0.5, 1.5)):
        for activation in ("step", "sigmoid", "relu"):
            text = ch.neuron_frame(w1, w2, b, activation).text
            name = re.search(r"which is (.*)\.$", text)[1]
            outputs = tuple(int(w1 * x1 + w2 * x2 + b >= 0) for x1, x2 in itertools.product((0, 1), repeat=2))
            assert LOGIC[name] == outputs
            named.add(name)
    assert set(LOGIC) - named == {"XOR", "XNOR"}


def test_the_neuron_draws_its_line_where_z_is_zero():
    plane = ch.neuron_frame(1, 2, -1.5, "step").panels[0]
    (line,) = (panel for panel in plane.overlay if isinstance(panel, Lines))
    np.testing.assert_allclose(line.series[0] @ [1, 2] - 1.5, 0, atol=1e-12)
    np.testing.assert_array_equal(ch.line_of(ch.neuron_frame(1, 2, -1.5, "step")), line.series[0])
    assert not any(isinstance(p, Lines) for p in ch.neuron_frame(0, 0, 0.5, "step").panels[0].overlay)


@pytest.mark.parametrize("data", ["separable", "XOR"])
def test_the_perceptron_stays_between_its_bounds_and_counts_the_wrong_ones(data):
    x, y, line = ch.perceptron_data(data)
    for k in range(ch.PERCEPTRON_STEPS + 1):
        frame = ch.perceptron_frame(data, k)
        walk = frame.panels[1].series[0]
        assert np.all(walk[:, 1] <= np.sqrt(walk[:, 0]) * radius(x) + 1e-9)
        if line is not None:
            assert np.all(walk[:, 1] >= walk[:, 0] * margin(x, y, *line) - 1e-9)
        wrong = re.search(r"(\d+) of (\d+) examples", frame.text)
        path = Perceptron(2).fit(x, y, 30, np.random.default_rng(2)).path
        w = path[min(k, len(path) - 1)]
        assert int(wrong[1]) == np.sum((x @ w[:2] + w[2] >= 0) != y)
        assert int(wrong[2]) == len(x)


def test_the_separable_perceptron_ends_and_the_other_does_not():
    last = ch.PERCEPTRON_STEPS
    assert "no example is wrong" in ch.perceptron_frame("separable", last).text
    assert all("no example is wrong" not in ch.perceptron_frame("XOR", k).text for k in range(last + 1))


@pytest.mark.parametrize("unit", ch.REGION_UNITS)
def test_a_threshold_unit_is_never_unsure_and_says_how_much_it_covers(unit):
    frame = ch.regions_frame(unit, 0)
    assert isinstance(frame.panels[0], Field)
    if unit == "the classes":
        assert "100%" in frame.text
    else:
        assert "0.9 on 0%" in frame.text
        share = float(re.search(r"above ½ on (\d+)%", frame.text)[1])
        assert abs(share - 100 * np.mean(frame.panels[0].values > 0.5)) <= 0.5
        assert float(re.search(r"0.9 on (\d+)%", ch.regions_frame(unit, 2).text)[1]) > 5


def test_the_forward_pass_prints_the_numbers_of_the_worked_example():
    end = ch.forward_frame(4, 0.05, 0.1).text
    assert "0.75136507" in end
    assert "0.77292847" in end
    assert "0.377500" in ch.forward_frame(1, 0.05, 0.1).text
    assert "0.59326999" in ch.forward_frame(2, 0.05, 0.1).text
    assert "1.105906" in ch.forward_frame(3, 0.05, 0.1).text


def test_the_approximation_sentence_tells_the_largest_error():
    x = np.linspace(*ch.WAVE_RANGE, 1001)
    for units, n in itertools.product(ch.APPROXIMATIONS, (1, 16, 64)):
        frame = ch.approximation_frame(units, n)
        error = np.max(np.abs(ch.approximating(units, n)(x) - ch.wave(x)))
        assert abs(ch.error_of(frame) - error) <= 0.006
        assert f"{n} {units} unit" in frame.text


def test_what_is_not_there_is_refused():
    with pytest.raises(KeyError):
        ch.approximation_frame("placed tanh", 3)
    with pytest.raises(ValueError, match="XOR or separable"):
        ch.perceptron_frame("xor", 3)


def test_the_perceptron_names_its_curves_and_its_sides():
    for k in (3, ch.PERCEPTRON_STEPS):
        plane, lengths = ch.perceptron_frame("separable", k).panels
        x, _, line = ch.perceptron_data("separable")
        by_label = dict(zip(lengths.labels, lengths.series))
        np.testing.assert_allclose(by_label["√k R"][-1, 1], np.sqrt(ch.PERCEPTRON_STEPS) * radius(x))
        assert by_label["k γ"][-1, 1] == pytest.approx(
            ch.PERCEPTRON_STEPS * margin(*ch.perceptron_data("separable")[:2], *line)
        )
        assert plane.labels == ("says 0", "says 1")
        path = Perceptron(2).fit(*ch.perceptron_data("separable")[:2], 30, ch.example_rng(2)).path[k]
        np.testing.assert_array_equal(plane.values.ravel(), ch.grid(-1.3, 1.3, 32) @ path[:2] + path[2] >= 0)


CONDITIONS = {
    "line 1": lambda x1, x2: x1 >= 0,
    "line 2": lambda x1, x2: x2 >= 0,
    "line 3": lambda x1, x2: x1 + x2 >= 1.5,
    "line 4": lambda x1, x2: x1 + x2 <= -1.5,
}


@pytest.mark.parametrize("unit", ch.REGION_UNITS[1:])
def test_the_sentence_of_a_unit_is_what_the_unit_computes(unit):
    """Lines by their inequality; cells and classes by reading the sentence as a formula of the layer below."""
    points = ch.grid(-2.0, 2.0, 40)
    layers = {"line": 0, "cell": 1, "class": 2}

    def holds(kind, number):
        if kind == "line":
            return CONDITIONS[f"line {number}"](*points.T)
        below = "line" if kind == "cell" else "cell"
        sentence = ch.UNIT_SENTENCES[f"{kind} {number}"]
        terms = [(part.startswith("¬"), int(part.strip("¬"))) for part in re.split(r" [∧∨] ", sentence)]
        found = [holds(below, n) ^ negated for negated, n in terms]
        return np.all(found, axis=0) if "∧" in sentence else np.any(found, axis=0)

    kind, number = unit.split()
    values = ch.regions_frame(unit, 0).panels[0].values.ravel()
    np.testing.assert_array_equal(values > 0.5, holds(kind, int(number)))
    assert layers[kind] in (0, 1, 2)
    if kind == "line":
        said = ch.UNIT_SENTENCES[unit]
        sign = {
            "x₁ ≥ 0": (1, 0, 0),
            "x₂ ≥ 0": (0, 1, 0),
            "x₁ + x₂ ≥ 1.5": (1, 1, -1.5),
            "x₁ + x₂ ≤ −1.5": (-1, -1, -1.5),
        }
        w1, w2, b = sign[said]
        np.testing.assert_array_equal(values > 0.5, points @ [w1, w2] + b >= 0)


def test_the_bend_of_the_wave_is_its_second_difference():
    x, h = np.array([-2.0, -0.7, 0.5, 2.5]), 1e-4
    np.testing.assert_allclose((ch.wave(x + h) - 2 * ch.wave(x) + ch.wave(x - h)) / h**2, ch.wave_bend(x), atol=1e-4)


# --- the drawings -----------------------------------------------------------------------------------------------------


@pytest.fixture
def axes():
    """The axes that the test draws, closed afterwards."""
    yield lambda: plt.gcf().axes
    plt.close("all")


def drawn(ax):
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in ax.lines}


def test_mistakes_and_bounds_are_drawn_under_their_names(axes):
    counts = np.array([(0.02, 90, 4000), (0.4, 3, 20)])
    ch.draw_mistakes(counts, [3, 5, 250])
    found = drawn(axes()[0])
    np.testing.assert_array_equal(found["mistakes"][1], [90, 3])
    np.testing.assert_array_equal(found["bound $(R/\\gamma)^2$"][1], [4000, 20])
    assert sum(bar.get_height() for bar in axes()[1].patches) == 3


def test_units_for_tents_are_drawn_under_their_names(axes):
    ch.draw_errors((4, 16), {"relu": np.ones((5, 2))}, (1, 2, 3))
    found = drawn(axes()[1])
    np.testing.assert_array_equal(found["one layer, exact"][1], [2, 4, 8])
    np.testing.assert_array_equal(found["one layer, at least"][1], [1, 3, 7])
    np.testing.assert_array_equal(found["r layers of 2, exact"][1], [2, 4, 6])


def test_learned_and_new_digits_are_drawn_under_their_names(axes):
    ch.draw_comparison({"a": np.array([0.9, 1.0])}, {"a": np.array([0.7, 0.8])}, {"b": np.array([0.6])})
    found = drawn(axes()[0])
    np.testing.assert_array_equal(found["learned"][0], [0.9, 1.0])
    np.testing.assert_array_equal(found["new writers"][0], [0.7, 0.8, 0.6])
    assert [label.get_text() for label in axes()[0].get_yticklabels()] == ["a", "b"]


def test_shares_are_drawn_under_their_number_of_inputs(axes):
    ch.draw_separable_shares({2: ([1, 2], [1.0, 0.5]), 9: ([1, 2], [1.0, 0.4])}, at=9.1)
    assert {label: list(y) for label, (_, y) in drawn(axes()[0]).items() if label[0] == "D"} == {
        "D = 2": [1.0, 0.5],
        "D = 9": [1.0, 0.4],
    }


def test_the_line_of_the_hidden_plane_separates_what_it_should(axes):
    a = np.array([(0.0, 1.0), (0.0, 0.0), (0.0, 0.0), (1.0, 0.0)])
    ch.draw_hidden_plane(a, np.array([1, 0, 0, 1]))
    (line,) = axes()[1].lines
    np.testing.assert_allclose(np.add(*line.get_data()), 0.5)  # the OR of the page: 20 a1 + 20 a2 - 10 = 0
