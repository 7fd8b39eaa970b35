"""Laws of chapter 7: its experiments, and what its figures say."""

import numpy as np
import pytest

from nnlib.activations import relu
from nnlib.course import chapter_07 as ch
from nnlib.course import ward
from nnlib.diagnostics import sharpness
from nnlib.gradcheck import relative_error
from nnlib.initializers import he_normal
from nnlib.losses import softmax_cross_entropy
from nnlib.network import mlp


def test_descent_multiplies_each_direction_by_one_minus_rate_times_curvature():
    curvatures = np.array([0.5, 3.0])
    path = ch.descend(curvatures, (2.0, -1.0), 0.2, 5)
    np.testing.assert_allclose(path, (1 - 0.2 * curvatures) ** np.arange(6)[:, None] * [2.0, -1.0])


def test_a_tiny_distance_grows_above_the_stable_rate_and_shrinks_below():
    run, (steepest, _), top = ch.trained(0)
    before = run.network.theta.copy()
    limit = 2 / top[0]
    assert ch.distance_growth(run, steepest, 0.8 * limit) < 0.8
    assert ch.distance_growth(run, steepest, 1.3 * limit) > 1.1
    np.testing.assert_array_equal(run.network.theta, before)


def test_the_two_steepest_directions_are_orthonormal_and_the_first_has_the_top_curvature():
    run, vectors, top = ch.trained(0)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(2), atol=1e-3)
    assert top[0] == pytest.approx(ch.top_curvature(run.network, run.x, run.y, 0, iterations=40), rel=1e-3)
    assert top[0] > top[1] > 0


@pytest.mark.parametrize("plane", ch.PLANES)
def test_a_plane_has_two_orthonormal_directions(plane):
    directions = ch.plane_of(plane)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-3)


def test_the_noise_of_all_examples_is_zero_and_of_one_the_spread():
    gradients = np.random.default_rng(0).normal(size=(9, 4))
    assert ch.measured_noise(gradients, 9, np.random.default_rng(1)) < 1e-12
    spread = np.sqrt(gradients.var(axis=0).sum())
    assert ch.measured_noise(gradients, 1, np.random.default_rng(1), 4000) == pytest.approx(spread, rel=0.05)


def test_batches_of_everything_are_gradient_descent_and_arrive():
    above = ch.excess(lambda step: 0.5, 200, 60, seed=0)
    assert np.all(np.diff(above[:20]) < 0)
    assert above[-1] < 1e-12


def test_the_saddle_has_no_gradient_and_its_digits_shares():
    network, x, y = ch.at_the_saddle(1)
    _, gradient = ch.gradient_of(network, ch.SMOOTHED, x, y)
    assert np.abs(gradient).max() < 1e-14


def test_the_hessian_is_the_derivative_of_the_gradient():
    network = ch.digit_network(0, width=2)
    x, y = ch.some_digits(7, 0)
    H = ch.hessian(network, ch.SMOOTHED, x, y)
    v = np.random.default_rng(0).normal(size=len(H))
    network.theta += 1e-5 * v
    above = ch.gradient_of(network, ch.SMOOTHED, x, y)[1]
    network.theta -= 2e-5 * v
    below = ch.gradient_of(network, ch.SMOOTHED, x, y)[1]
    assert relative_error(H @ v, (above - below) / 2e-5) < 1e-5


def test_the_slopes_of_the_cliff_are_its_derivatives():
    for place in ([0.7, 0.3], [1.2, -0.05], [2.0, 0.5]):
        for k, e in enumerate(1e-6 * np.eye(2)):
            measured = (ch.cliff(*(place + e))[0] - ch.cliff(*(place - e))[0]) / 2e-6
            assert ch.cliff(*place)[1 + k] == pytest.approx(measured, rel=1e-5, abs=1e-9)


def test_clipping_limits_every_step():
    places, _ = ch.walk_at_the_cliff((1.6, 0.3), limit=0.3)
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() <= 0.3 * 0.3 + 1e-12


@pytest.mark.parametrize("learning_rate", [0.1, 0.2, 0.25])
def test_the_valley_says_what_its_path_does(learning_rate):
    frame = ch.valley_frame(learning_rate)
    path = ch.descend(ch.CURVATURES, ch.START, learning_rate, 20)
    np.testing.assert_allclose(frame.panels[1].series[0], 0.5 * path**2 @ ch.CURVATURES)
    assert f"to {frame.panels[1].series[0][-1]:.3g} in" in frame.text


# --- the ward ---------------------------------------------------------------------------------------------------------


def test_each_illness_shows_its_own_sign_and_no_other_and_the_healthy_none():
    for illness in (None, *ward.ILL):
        seen = [name for name, sign in ward.SIGNS.items() if sign.seen(ward.chart(illness))[0]]
        assert seen == ([illness] if illness else []), illness


def test_every_patient_has_another_illness():
    assert sorted(ch.PATIENTS.values()) == sorted(ward.ILL)
    assert len(ch.PATIENTS) == 12


@pytest.mark.parametrize("patient", list(ch.PATIENTS))
def test_one_diagnosis_is_right(patient):
    said = [ch.verdict(patient, diagnosis).split()[0] for diagnosis in ch.DIAGNOSES]
    assert said.count("Right,") == 1
    assert ch.DIAGNOSES[said.index("Right,")] == ch.PATIENTS[patient]


def test_softmax_twice_is_the_gradient_of_its_loss_and_has_a_floor():
    z = np.random.default_rng(0).normal(size=(3, 10))
    labels = np.array([2, 0, 9])
    value, dz = ward.softmax_twice(z, labels)
    e = 1e-6 * np.random.default_rng(1).normal(size=z.shape)
    measured = (ward.softmax_twice(z + e, labels)[0] - ward.softmax_twice(z - e, labels)[0]) / 2
    assert np.sum(dz * e) == pytest.approx(measured, rel=1e-6)
    best = ward.softmax_twice(1000.0 * np.eye(10), np.arange(10))[0]
    assert best == pytest.approx(np.log(np.e + 9) - 1)
    assert value > best


def test_the_drawings_have_a_curve_or_row_for_each_part():
    assert len(ch.draw_paths(np.ones((3, 5)), np.arange(5)).lines) == 3
    assert len(ch.draw_escapes({"a": np.ones(4), "b": np.zeros(4)}).lines) == 2
    ax = ch.draw_widths({"narrow": np.array([1.0, 2.0]), "wide": np.array([0.1, 0.2])})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["narrow", "wide"]


# --- what the text says of the figures --------------------------------------------------------------------------------


def test_in_the_second_puzzle_nothing_but_the_penalty_moves_the_weights():
    """Late in the run every step multiplies the largest weight by 1 - 0.03: the loss gives no gradient any more."""
    _, largest, _ = ch.played(ch.frames.relu, 1.0, 0.03, 4, 10)
    assert largest[60] / largest[20] == pytest.approx(0.97 ** (20 * 40), rel=1e-6)


def test_small_batches_wobble_where_the_curvature_is_stable():
    whole, small = (ch.played(ch.frames.tanh, 0.1, 0.0, 2, n) for n in (200, 10))
    for _, _, steepness in (whole, small):
        assert steepness.max() < 1.0
    wobble = [np.std(np.diff(losses[30:])) for losses, _, _ in (whole, small)]
    assert wobble[1] > 3 * wobble[0]


def test_from_the_slope_the_clipped_descent_is_behind():
    (_, free), (_, clipped) = (ch.walk_at_the_cliff(ch.STARTS["on the slope"], limit=limit) for limit in (None, 0.3))
    assert free[20] < clipped[20]


def test_newton_lands_the_valley_and_gradient_descent_leaves_a_saddle():
    np.testing.assert_allclose(
        np.array(ch.START) - np.linalg.solve(np.diag(ch.CURVATURES), ch.CURVATURES * ch.START), 0.0
    )
    losses = ch.escape(0, 0.1, n_steps=100)
    assert losses[-1] < losses[0] - 0.5


def test_a_batch_of_all_examples_walks_the_exact_gradient():
    x, y = ch.two_weights()
    paths = [ch.mini_batch_path(64, order) for order in (1, 2)]
    np.testing.assert_allclose(paths[0], paths[1], atol=1e-12)
    step = 0.1 * (x @ paths[0][0] - y) @ x / 64
    np.testing.assert_allclose(paths[0][1], paths[0][0] - step)
    assert len(ch.mini_batch_path(16, 1)) == 4 * 4 + 1


def test_a_shuffled_pass_has_a_smaller_ball_than_independent_draws_at_a_small_rate():
    """Least squares with unit noise and five unit curvatures: five times the ball of one direction."""
    for learning_rate, at_most in ((0.002, 0.5), (0.005, 0.5)):
        end = np.mean([ch.excess(lambda step, r=learning_rate: r, 1, 40, seed)[-5:].mean() for seed in range(4)])
        assert end < at_most * 5 * learning_rate / (2 * (2 - learning_rate))


def test_the_steps_of_the_healthy_run_are_a_thousandth_to_a_hundredth_of_the_weights():
    assert 1e-3 < np.median(ward.chart().ratios) < 2e-2


def test_after_as_many_steps_a_network_is_steeper_at_the_smaller_rate():
    """The control for the edge of stability: the curvature falls at both rates, but less far at 0.5."""
    for seed in range(5):
        timid, bold = (ch.train_on_all(rate, 390, seed, every=390).top for rate in (0.5, 1.5))
        assert bold[1] < timid[1] < timid[0]
        assert bold[1] < 1.1 * 2 / 1.5


def test_first_weights_three_times_too_large_are_a_steeper_start():
    """What a warm-up is meant for: the network of the warm-up's experiment begins where the surface is steep."""
    x, y = ch.some_digits(200, 0)
    for seed in range(3):
        top = []
        for factor in (1, 3):
            init = lambda rng, shape, k=factor: k * he_normal(rng, shape)  # noqa: E731
            network = mlp((64, 32, 32, 32, 32, 10), relu, init, np.random.default_rng(seed), dtype=np.float64)
            found = sharpness(network, softmax_cross_entropy, x, y, rng=np.random.default_rng(seed), iterations=10)
            top.append(found.largest)
        assert top[1] > 10 * top[0]
