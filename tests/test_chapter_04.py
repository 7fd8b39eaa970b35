"""Laws of chapter 4: its tools, the frames of its figures and their sentences, and the claims that matter most."""

import itertools
import re

import numpy as np
import pytest

from nnlib.activations import elu, gelu, relu, sigmoid, swish, tanh
from nnlib.course import chapter_04 as ch
from nnlib.diagnostics import gain_of
from nnlib.initializers import he_normal
from nnlib.layers import Dense
from nnlib.losses import softmax_cross_entropy
from nnlib.network import mlp
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


def test_straight_through_steps_forward_and_lies_backward():
    f, z = ch.straight_through(), np.array([-2.0, -1.0, -0.1, 0.0, 0.5, 1.0, 1.1])
    np.testing.assert_array_equal(f(z), [0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(f.derivative(z), [0, 1, 1, 1, 1, 1, 0])


@pytest.mark.parametrize("f", [relu, gelu, swish(1.0)])
def test_matched_weights_keep_the_signal_level_for_some_layers_and_others_do_not(f):
    size = {k: np.hypot(s.mean, s.std)[6] for k in (0.5, 1.0) for s in [ch.signal(f, k * gain_of(f))]}
    assert 0.4 < size[1.0] < 2.5
    assert size[0.5] < 0.25


def test_opposed_cosines_see_a_pair():
    W = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_allclose(ch.most_opposed_cosine(np.column_stack([W, -2 * W[:, 1]]))[[1, 3]], -1.0)


def test_the_best_of_a_grid_is_the_best_and_divergence_is_infinite():
    best = ch.best_of_grid(
        lambda rng: mlp((64, 8, 10), relu, he_normal, rng),
        (1e-4, 0.3, 1e30),
        seeds=(0, 1),
        epochs=2,
        train=ch.some_digits(200),
    )
    assert best.learning_rate == 0.3
    assert best.curves.shape == (2, 2)
    assert np.isinf(best.table[2]).all()
    np.testing.assert_array_equal(best.losses, best.table[1])
    x, y = ch.some_digits(200)
    assert best.losses[0] == pytest.approx(softmax_cross_entropy(best.networks[0].predict(x), y)[0])


# --- claims -------------------------------------------------------------------------------------------------------


def test_weight_gradients_of_one_example_share_a_sign_where_inputs_do():
    x, y = ch.some_digits(30)
    for f, share in ((sigmoid, 1.0), (relu, 1.0), (tanh, 0.0)):
        network = mlp((64, 30, 30, 10), f, he_normal, np.random.default_rng(2), dtype=np.float64)
        assert ch.same_sign_share(network, x, y, layer=2) == share


@pytest.mark.parametrize("weights", ch.WEIGHT_SHAPES)
def test_selu_settles_whatever_the_shape_of_the_weights(weights):
    rows = ch.selu_layers(weights, mean=0.5, std=2.0, width=128, n=100)
    assert abs(rows[-1, 0]) < 0.2
    assert 0.8 < rows[-1, 1] < 1.2
    assert ch.selu_layers(weights, 1.5, width=128, n=100)[-1, 1] > 20


def test_units_die_at_large_learning_rates_and_not_at_small_ones():
    dead = {rate: ch.dead_runs("ReLU", rate)[0] for rate in (0.1, 2.0)}
    assert dead[0.1].mean() < 0.2 < 0.4 < dead[2.0].mean()


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
    shares = 100 * ch.dead_runs("ReLU", 1.0, 0)[0].mean(axis=0)
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

    def spy(build, *rest):
        network = build(np.random.default_rng(0))
        seen.append([float(layer.b.value[0]) for layer in network.layers if isinstance(layer, Dense)])
        return 0.0, network, np.zeros(5)

    monkeypatch.setattr(ch.experiments, "_run", spy)
    ch.dead_runs.__wrapped__("ReLU", 0.1, -0.5, seeds=(0,))
    assert seen == [[-0.5, -0.5, -0.5, 0.0]]
