"""Laws of chapter 9: its experiments, and what its figures say."""

import math

import numpy as np
import pytest

from nnlib.activations import identity, relu, sigmoid, tanh
from nnlib.course import chapter_09 as ch
from nnlib.diagnostics import gain_of
from nnlib.initializers import he_normal, orthogonal, sparse
from nnlib.layers import Dense
from nnlib.network import mlp


@pytest.mark.parametrize("q", [0.1, 1.0, 7.0])
def test_mean_squares_are_those_of_known_integrals(q):
    assert ch.mean_square(identity, q) == pytest.approx(q, rel=1e-9)
    assert ch.mean_square(relu, q) == pytest.approx(q / 2, rel=1e-9)
    assert ch.mean_square_slope(relu, q) == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize("f", [relu, tanh, sigmoid])
def test_the_gain_is_that_of_the_diagnostics(f):
    gain, growth, share = ch.gains()[f.name]
    assert gain == pytest.approx(gain_of(f), rel=1e-4)
    assert growth == pytest.approx(gain * ch.mean_square_slope(f, 1.0), rel=1e-9)
    assert 0.0 <= share <= 1.0


def test_a_linear_network_is_predicted_by_products_of_fans():
    sizes = ch.predicted_sizes(identity, (10, 40), lambda n_in, n_out: 0.5 / n_in, 2.0, 3.0)
    np.testing.assert_allclose(sizes.signal, [2.0, 1.0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(sizes.error, [3.0 * 0.5 * 4 * 0.5 * 10 / 64, 3.0 * 0.5 * 4, 3.0], rtol=1e-6)


def test_measured_and_predicted_sizes_agree_in_wide_layers():
    x, y = ch.centered_digits(100)
    rule = lambda n_in, n_out: 1.5 / n_in  # noqa: E731
    measured = ch.measured_sizes(tanh, (800, 800), rule, x, y, np.random.default_rng(0))
    predicted = ch.predicted_sizes(tanh, (800, 800), rule, np.mean(x**2), measured.error[-1])
    np.testing.assert_allclose(measured.signal, predicted.signal, rtol=0.15)
    np.testing.assert_allclose(measured.error, predicted.error, rtol=0.3)


def test_weights_fitted_to_data_give_unit_deviations():
    x, _ = ch.centered_digits(50)
    network = ch.unit_variance(mlp((64, 20, 30, 10), tanh, orthogonal, np.random.default_rng(1), dtype=np.float64), x)
    for layer in network.layers:
        z = layer.forward(x)
        if isinstance(layer, Dense):
            assert z.std() == pytest.approx(1.0)
        x = z.copy()


def test_other_draws_have_the_variance_they_say():
    rng = np.random.default_rng(2)
    assert np.var(ch.signs(rng, (50, 400))) == pytest.approx(2 / 50, rel=1e-2)
    assert set(np.round(np.unique(ch.signs(rng, (50, 40))), 9)) == {-0.2, 0.2}
    assert np.std(ch.over_fan_in(rng, (50, 400))) == pytest.approx(1 / 50, rel=0.05)
    assert np.var(ch.scaled(he_normal, 3.0)(rng, (50, 400))) == pytest.approx(6 / 50, rel=0.05)


@pytest.mark.parametrize("shape", [(30, 7), (3, 30, 7), (7, 5, 2, 3)])
def test_sparse_weights_have_the_same_number_of_connections_in_every_unit(shape):
    W = sparse(4)(np.random.default_rng(3), shape)
    assert W.shape == shape
    axes = (1, 2, 3) if len(shape) == 4 else -2
    np.testing.assert_array_equal(np.count_nonzero(W, axis=axes), 4)


@pytest.mark.parametrize(("call", "match"), [((0,), "connections > 0"), ((3, -1.0), "std >= 0"), ((2.5,), "a number")])
def test_sparse_says_what_it_takes(call, match):
    with pytest.raises(ValueError, match=match):
        sparse(*call)


def test_sparse_needs_enough_inputs():
    with pytest.raises(ValueError, match="fan-in of at least 5"):
        sparse(5)(np.random.default_rng(0), (4, 3))


@pytest.mark.parametrize("f", [sigmoid, tanh, relu])
def test_units_that_begin_alike_stay_alike_and_one_difference_parts_them(f):
    assert ch.descend(ch.start_network("all equal", f), 30).apart[-1] < 1e-9
    assert ch.descend(ch.start_network("other output weights", f), 30).apart[-1] > 1e-3


def test_the_standard_and_the_ntk_form_begin_as_one_function():
    one, other = (ch.OneHidden(form, 50, np.random.default_rng(4)) for form in ("standard", "NTK"))
    np.testing.assert_allclose(one.hidden(), other.hidden())
    assert one.losses(0.1, 1)[0] == pytest.approx(other.losses(0.1, 1)[0])


@pytest.mark.parametrize("form", ["standard", "NTK", "μP"])
def test_a_step_follows_the_numerical_gradient(form):
    """The weights' change, divided by the rate, is the derivative of the loss."""
    make = lambda: ch.OneHidden(form, 6, np.random.default_rng(5), n_examples=20)  # noqa: E731
    after, rate, eps = make(), 1e-3, 1e-6
    after.step(rate)
    for name, place in (("W1", (3, 2)), ("W2", (4, 1))):
        up, down, before = make(), make(), make()
        getattr(up, name)[place] += eps
        getattr(down, name)[place] -= eps
        slope = (up.step(0.0) - down.step(0.0)) / (2 * eps)
        moved = getattr(before, name)[place] - getattr(after, name)[place]
        assert moved == pytest.approx(rate * after.faster * slope, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize(
    "record", [ch.deep_relu, ch.deep_tanh, ch.later, ch.shapes, ch.width], ids=lambda record: record.id
)
def test_the_records_are_those_of_their_source(record):
    assert record.state() == "recorded"
    assert set(record.results) == set(record.arms)


@pytest.mark.parametrize("layer", [1, 30])
def test_the_signal_frame_says_the_sizes_that_it_draws(layer):
    frame = ch.signal_frame("ReLU", "√(2/n)", 50, layer)
    signal, error = frame.panels[0].series
    assert f"{float(f'{signal[layer]:.2g}'):g}" in frame.text
    assert error[-1] == pytest.approx(1.0)
    np.testing.assert_allclose(frame.panels[1].counts.sum(axis=1), 1.0)


def test_the_symmetry_frame_says_whether_the_units_are_one():
    assert "still one unit" in ch.symmetry_frame("all equal", "tanh").text
    assert "apart" in ch.symmetry_frame("random", "tanh").text


def test_the_width_frame_says_what_the_loss_does():
    assert "blows up" in ch.width_frame("standard", 1024, 1.0).text
    assert "falls" in ch.width_frame("NTK", 64, 1.0).text


def test_a_stable_rate_is_one_at_which_the_loss_stays_below_its_start():
    rate = ch.largest_stable_rate("NTK", 16, 0)
    make = lambda: ch.OneHidden("NTK", 16, np.random.default_rng([93, 0]))  # noqa: E731
    stable, above = make().losses(rate), make().losses(rate * 2**0.25)
    assert (stable <= stable[0]).all()
    assert not (above <= above[0]).all()


def test_drawings_have_a_row_for_each_arm():
    axes = ch.draw_accuracies({"a": {"x": np.ones(3), "y": np.zeros(3)}, "b": {"z": np.ones(3)}})
    assert [len(ax.get_yticklabels()) for ax in axes[:, 0]] == [2, 1]
    assert math.isclose(ch.draw_gains(ch.gains())[0].get_xlim()[1], 6.0)
