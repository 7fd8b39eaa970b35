"""Laws of chapter 4: its tools, the frames of its figures and their sentences, and the claims that matter most."""

import itertools
import re

import numpy as np
import pytest

from nnlib.activations import elu, gelu, relu, sigmoid, swish, tanh
from nnlib.comparison import Unfair
from nnlib.course import chapter_04 as ch
from nnlib.diagnostics import gain_of
from nnlib.gradcheck import numerical_gradient
from nnlib.layers import Dense
from nnlib.widgets import Frame


def numbers(text):
    """All numbers of a sentence, with true minus signs and thousands commas read."""
    return [float(n.replace("−", "-").replace(",", "")) for n in re.findall(r"−?\d[\d,]*\.?\d*", text)]


# --- tools --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [ch.shifted(sigmoid, -0.5), ch.shifted(tanh, 1.0), ch.shifted(elu(1.5), 0.3)])
def test_a_shift_changes_the_outputs_and_not_the_slopes(f):
    z = np.linspace(-3.05, 3.0, 21).reshape(3, 7)
    np.testing.assert_allclose(f.derivative(z), (f(z + 1e-6) - f(z - 1e-6)) / 2e-6, atol=1e-8)
    np.testing.assert_allclose(f.derivative(z, f(z)), f.derivative(z))


def test_the_shifted_sigmoid_is_half_a_tanh_of_half_the_argument():
    z = np.linspace(-5, 5, 11)
    np.testing.assert_allclose(ch.shifted(sigmoid, -0.5)(z), tanh(z / 2) / 2, atol=1e-15)


@pytest.mark.parametrize("f", [relu, gelu, swish(1.0)])
def test_matched_weights_keep_the_signal_level_for_some_layers_and_others_do_not(f):
    size = {k: np.hypot(s.mean, s.std)[6] for k in (0.5, 1.0) for s in [ch.signal(f, k * gain_of(f))]}
    assert 0.4 < size[1.0] < 2.5
    assert size[0.5] < 0.25


def test_a_gated_unit_is_a_product_and_its_gradients_are_exact():
    rng = np.random.default_rng(0)
    layer = ch.Gated(swish(1.0)).initialize(rng, np.float64)
    x, dout = rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
    np.testing.assert_allclose(layer.forward(x), x[:, :3] * swish(1.0)(x[:, 3:]))
    measured = numerical_gradient(lambda x: float(np.sum(dout * layer.forward(x))), x)
    layer.forward(x)
    np.testing.assert_allclose(layer.backward(dout), measured, atol=1e-8)
    assert layer.out_shape((8,)) == (4,)
    with pytest.raises(ValueError, match=r"Gated\(\) takes x of shape \(N, 2 D\), got \(N, 5\)"):
        layer.out_shape((5,))


def test_arms_of_blocks_have_about_as_many_parameters():
    sizes = [ch.residual_network(name, 1.0, np.random.default_rng(0)).theta.size for name in ch.GATED_GRIDS]
    assert max(sizes) / min(sizes) < 1.01


def test_first_biases_take_the_mean_of_the_sigmoid_away(monkeypatch):
    made = []
    monkeypatch.setattr(ch.experiments, "wrong_after", lambda make, rate, seed: made.append(make) or {})
    for arm in ("sigmoid, biases, 4, 1", "sigmoid − 1/2, 4, 1"):
        ch.deep_runs.function(arm, 0)
    one, other = (make(np.random.default_rng(3)) for make in made)
    x = ch.some_digits(7)[0]
    hidden = [last_hidden(network, x) for network in (one, other)]
    np.testing.assert_allclose(hidden[0] - 0.5, hidden[1], atol=1e-12)


def last_hidden(network, x):
    """Outputs of the last hidden layer."""
    for layer in network.layers[:-1]:
        x = layer.forward(x)
    return x


# --- recorded results -------------------------------------------------------------------------------------------------


class Fake:
    """A record of one activation, two scales and three rates, whose mistakes are (scale - 2)^2 + (rate - best)^2."""

    def __init__(self, best, scales=(1, 2, 4)):
        self.results = {
            f"a, b, {s}, {r}": {"wrong": np.full(5, (s - 2.0) ** 2 + (r - best) ** 2), "loss": np.full(5, 10.0 * r)}
            for s in scales
            for r in (1, 2, 3)
        }
        self.arms = list(self.results)


def test_the_best_setting_is_found_and_brings_its_other_measure():
    assert ch.at_best_rates(Fake(2))["a, b"][4.0] == pytest.approx(np.full(5, 4.0))
    np.testing.assert_array_equal(ch.at_best(Fake(2))["a, b"], np.zeros(5))
    np.testing.assert_array_equal(ch.at_best(Fake(2), "loss")["a, b"], np.full(5, 20.0))
    assert ch.best_arm(Fake(2), "a, b") == "a, b, 2, 2"


def test_a_best_rate_or_scale_at_the_edge_is_refused():
    with pytest.raises(Unfair, match="the best rate, 3, stands at the edge"):
        ch.at_best(Fake(3))
    with pytest.raises(Unfair, match="stands at the edge of"):
        ch.at_best(Fake(2, scales=(2, 4, 8)))
    assert ch.at_best(Fake(2, scales=(2,)))["a, b"].max() == 0


def test_no_recorded_arm_was_best_at_an_edge():
    for recorded in (ch.scale_runs, ch.shallow_runs, ch.deep_runs, ch.gated_runs):
        assert all(values.shape == (10,) for values in ch.at_best(recorded).values())


# --- claims -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ch.WEIGHT_SHAPES)
def test_selu_settles_whatever_the_shape_of_the_weights(weights):
    rows = ch.selu_layers(weights, mean=0.5, std=2.0, width=128, n=100)
    assert abs(rows[-1, 0]) < 0.2
    assert 0.8 < rows[-1, 1] < 1.2
    assert ch.selu_layers(weights, 1.5, width=128, n=100)[-1, 1] > 20


def test_units_die_at_large_learning_rates_and_not_at_small_ones():
    dead = {rate: ch.dead_runs("ReLU", rate)[0] for rate in (0.1, 2.0)}
    assert dead[0.1].mean() < 0.2 < 0.4 < np.nanmean(dead[2.0])


def test_decay_turns_prelu_into_relu():
    assert np.abs(ch.learned_slopes(decay=0.1, seeds=(0,), epochs=6)).max() < 0.1
    assert ch.learned_slopes(seeds=(0,), epochs=6).min() > 0.2


def test_the_ink_task_is_what_it_says():
    (x, y), (x_new, y_new) = ch.ink_task()
    assert x.shape[1] == x_new.shape[1] == 48
    assert y.shape == (len(x), 1)
    assert y_new.min() == 0 <= y.min() <= y.max() <= 1
    image = ch.some_digits()[0][3].reshape(8, 8)
    np.testing.assert_allclose(x[3].reshape(8, 6), image[:, :6])
    assert y[3, 0] == pytest.approx(image[:, 6].mean())


# --- frames -------------------------------------------------------------------------------------------------------


def test_every_gallery_frame_computes_and_names_its_activation():
    for activation, parameter, weights in itertools.product(ch.GALLERY, (1, 4), ch.GAINS):
        frame = ch.gallery_frame(activation, parameter, weights)
        assert isinstance(frame, Frame)
        assert frame.text.lower().startswith(activation.lower())
        assert f"variance {weights}" in frame.text
        assert all(np.isfinite(s).all() or activation == "binary step" for s in frame.panels[0].series)
        counts = frame.panels[2].counts
        np.testing.assert_allclose(np.sum(counts, axis=1), 1.0)


def test_the_gallery_says_what_the_library_computes():
    text = ch.gallery_frame("Swish", 3, "2/n").text
    s = ch.signal(swish(1.0), 2.0)
    beta, low, high, *_ = numbers(text)
    assert (beta, low, high) == (1.0, -0.1, 1.1)
    for value in (s.std[-1], s.error[0]):
        assert float(f"{value:.2g}") in numbers(text)
    assert "exactly 0" in ch.gallery_frame("binary step", 1, "1/n").text
    assert "less than a millionth" in ch.gallery_frame("sigmoid", 1, "4/n").text
    assert "more than a million" in ch.gallery_frame("square", 1, "4/n").text


@pytest.mark.parametrize(
    ("mean", "batch", "rate"), list(itertools.product((0, 0.5, 1, 2), ("one", "all"), (0.5, 1, 1.8)))
)
def test_the_zigzag_says_what_the_path_does(mean, batch, rate):
    path, condition, same_way, x = ch.zigzag_path(mean, batch, rate)
    assert path.shape == (61, 2)
    assert condition == pytest.approx(1 + 6 * mean**2, rel=0.35)  # of uniform inputs on mean ± 1
    if mean >= 1 and batch == "one":
        assert x.min() >= 0
        assert same_way == 1.0
    found = numbers(ch.zigzag_frame(mean, batch, rate).text)
    assert round(condition) in found
    assert round(100 * same_way) in found
    assert float(f"{np.linalg.norm(path[-1] - [1, -1]):.2f}") in found


def test_dead_frames_say_the_shares_they_draw():
    frame = ch.dead_frame(1.0, 0, "ReLU")
    shares = 100 * np.nanmean(ch.dead_runs("ReLU", 1.0, 0)[0], axis=0)
    np.testing.assert_allclose(frame.panels[0].heights, shares)
    assert [round(share) for share in shares] == numbers(frame.text.split("after five epochs")[1])[:3]
    assert "is dead" in frame.text
    assert "not dead" in ch.dead_frame(1.0, 0, "leaky ReLU").text


@pytest.mark.parametrize("start", ["0, 3", "1, 0.3"])
def test_selu_frames_tell_the_fixed_point_from_the_rest(start):
    assert "has settled" in ch.selu_frame("uniform", 1.0, start).text
    assert "does not settle" in ch.selu_frame("uniform", 1.5, start).text


def test_initial_biases_reach_the_networks_of_the_dead_figure(monkeypatch):
    seen = []

    def spy(network, *rest, **budget):
        seen.append([float(layer.b.value[0]) for layer in network.layers if isinstance(layer, Dense)])
        return np.zeros(5)

    monkeypatch.setattr(ch.frames, "fit_or_diverge", spy)
    ch.dead_runs.__wrapped__("ReLU", 0.1, -0.5, seeds=(0,))
    assert seen == [[-0.5, -0.5, -0.5, 0.0]]


def test_runs_that_diverged_are_left_out_of_the_dead_and_said():
    silent, curves = ch.dead_runs("leaky ReLU", 2.0)
    diverged = ~np.isfinite(curves).all(axis=1)
    assert diverged.any()
    np.testing.assert_array_equal(np.isnan(silent[:, 0]), diverged)
    assert f"{diverged.sum()} of 5 trainings diverged" in ch.dead_frame(2.0, 0, "leaky ReLU").text
    assert "diverged" not in ch.dead_frame(0.3, 0, "ReLU").text


@pytest.mark.parametrize("call", [lambda: ch.zigzag_path(1, "All", 1), lambda: ch.selu_layers("Normal")])
def test_settings_that_are_none_are_refused(call):
    with pytest.raises(ValueError, match="got '"):
        call()
