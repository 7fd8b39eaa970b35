"""Laws of the perceptron: Rosenblatt's rule, Novikoff's bound, and what one threshold unit can say."""

import numpy as np
import pytest

from nnlib.activations import sigmoid
from nnlib.data import LOGIC, logic_table
from nnlib.perceptron import Perceptron, margin, mistake_bound, neuron, radius, threshold_functions


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_neuron_is_the_weighted_sum_through_h(rng):
    w, b, x = rng.normal(size=3), 0.4, rng.normal(size=(5, 3))
    by_hand = [sigmoid(sum(w[i] * row[i] for i in range(3)) + b) for row in x]
    np.testing.assert_allclose(neuron(w, b, x, sigmoid), by_hand, rtol=1e-12)
    assert neuron(w, b, x[2], sigmoid) == pytest.approx(by_hand[2], rel=1e-12)


def test_the_and_neuron_has_the_printed_values():
    x, _ = logic_table("AND")
    a = neuron([20.0, 20.0], -30.0, x.astype(np.float64), sigmoid)
    np.testing.assert_allclose(a, [9.3576229688e-14, 4.5397868702e-05, 4.5397868702e-05, 0.9999546021], rtol=1e-9)


def test_one_mistake_moves_the_weights_by_the_example(rng):
    perceptron = Perceptron(3)  # at first w . x + b = 0 for every x, and the answer is 1
    training = perceptron.fit([[2.0, -1.0, 0.5]], [0], 1, rng)
    np.testing.assert_array_equal(perceptron.w, [-2.0, 1.0, -0.5])
    assert perceptron.b == -1.0
    np.testing.assert_array_equal(training.path, [[0, 0, 0, 0], [-2.0, 1.0, -0.5, -1.0]])


@pytest.mark.parametrize("seed", range(20))
def test_mistakes_on_separable_data_stay_below_the_bound(seed):
    rng = np.random.default_rng(seed)
    n_in = 2 + seed % 4
    w, b = rng.normal(size=n_in), 0.3 * rng.normal()
    x = rng.normal(size=(120, n_in))
    scores = x @ w + b
    keep = np.abs(scores) > 0.2
    x, y = x[keep], (scores[keep] > 0).astype(int)
    perceptron = Perceptron(n_in)
    training = perceptron.fit(x, y, 10_000, rng)
    assert training.converged
    assert training.mistakes_per_epoch[-1] == 0
    assert 0 < training.mistakes <= mistake_bound(x, y, w, b)
    assert len(training.path) == training.mistakes + 1
    np.testing.assert_array_equal(perceptron.predict(x), y)


def test_xor_never_converges_and_says_so(rng):
    training = Perceptron(2).fit(*logic_table("XOR"), 50, rng)
    assert not training.converged
    assert training.epochs == 50
    assert min(training.mistakes_per_epoch) >= 1
    assert repr(training).startswith(f"did not converge: {training.mistakes} mistakes in 50 epochs, ")
    assert "no line separates" in repr(training)


@pytest.mark.parametrize("name", [name for name in LOGIC if name not in ("XOR", "XNOR")])
def test_every_other_gate_is_learned(name, rng):
    x, y = logic_table(name)
    perceptron = Perceptron(2)
    training = perceptron.fit(x, y, 100, rng)
    assert repr(training).startswith("converged: ")
    np.testing.assert_array_equal(perceptron.predict(x), y)


def test_a_second_fit_goes_on_from_the_first(rng):
    x, y = logic_table("OR")
    perceptron = Perceptron(2)
    perceptron.fit(x, y, 100, rng)
    again = perceptron.fit(x, y, 100, rng)
    assert (again.mistakes, again.epochs) == (0, 1)


def test_radius_and_margin_by_hand():
    x, y = np.array([[3.0, 0.0], [0.0, -4.0], [1.0, 1.0]]), np.array([1, 0, 1])
    assert radius(x) == pytest.approx(np.sqrt(17.0))
    # scores 3 - 0.5, -4 - 0.5, 2 - 0.5; the third is the closest
    assert margin(x, y, [1.0, 1.0], -0.5) == pytest.approx(1.5 / 1.5)
    assert mistake_bound(x, y, [1.0, 1.0], -0.5) == pytest.approx(17.0)


def test_margin_does_not_depend_on_the_length_of_the_weights():
    x, y = np.array([[3.0, 0.0], [0.0, -4.0]]), np.array([1, 0])
    assert margin(x, y, [10.0, 10.0], -5.0) == pytest.approx(margin(x, y, [1.0, 1.0], -0.5))


def test_the_bound_needs_a_separating_line():
    x, y = logic_table("XOR")
    with pytest.raises(ValueError, match="does not separate"):
        mistake_bound(x, y, [1.0, 1.0], -0.5)


def test_one_unit_computes_fourteen_of_the_sixteen_functions():
    found = threshold_functions((-1, 0, 1), (-1.5, -0.5, 0.5, 1.5))
    assert set(LOGIC.values()) - set(found) == {LOGIC["XOR"], LOGIC["XNOR"]}
    assert len(found) == 14
    for outputs, (w1, w2, b) in found.items():
        x, _ = logic_table("AND")
        assert tuple((x @ [w1, w2] + b >= 0).astype(int)) == outputs


@pytest.mark.parametrize(
    ("x", "y", "epochs", "message"),
    [
        (np.zeros((4, 3)), [0, 1, 0, 1], 5, r"takes x of shape \(N, 2\), got \(4, 3\)"),
        (np.zeros((0, 2)), [], 5, r"got \(0, 2\)"),
        (np.zeros((3, 2)), [0, 1, 2], 5, "labels 0 or 1"),
        (np.zeros((3, 2)), [-1, 1, 1], 5, "labels 0 or 1"),
        (np.zeros((3, 2)), [0, 1], 5, "3 labels"),
        (np.zeros((3, 2)), [0, 1, 1], 0, "epochs"),
    ],
)
def test_fit_says_what_it_wants(x, y, epochs, message, rng):
    with pytest.raises(ValueError, match=message):
        Perceptron(2).fit(x, y, epochs, rng)


def test_a_perceptron_has_an_input():
    with pytest.raises(ValueError, match="at least one input"):
        Perceptron(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [[np.nan, 0.0], [1.0, 1.0]]}, "NaN or infinity"),
        ({"x": [[np.inf, 0.0], [1.0, 1.0]]}, "NaN or infinity"),
        ({"y": [-1, 1]}, "labels 0 or 1"),
        ({"y": [[0], [1]]}, r"got shape \(2, 1\)"),
    ],
)
def test_bad_examples_are_refused_with_a_reason(change, message, rng):
    good = {"x": [[0.0, 0.0], [1.0, 1.0]], "y": [0, 1]}
    x, y = (np.array(value) for value in (good | change).values())
    with pytest.raises(ValueError, match=message):
        Perceptron(2).fit(x, y, 5, rng)
    with pytest.raises(ValueError, match=message):
        margin(x, y, [1.0, 1.0], -1.0)


def test_small_whole_numbers_are_labels_like_others():
    x, y = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
    assert margin(x, y.astype(np.uint8), [1.0, 1.0], -1.0) == margin(x, y, [1.0, 1.0], -1.0) > 0


def test_no_weights_have_no_margin():
    with pytest.raises(ValueError, match="some length"):
        margin(np.eye(2), [0, 1], [0.0, 0.0], 0.0)


def test_lists_of_weights_may_be_used_up_by_reading():
    assert len(threshold_functions(iter(range(-3, 4)), iter(np.arange(-3.5, 4.0)))) == 14
