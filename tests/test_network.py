"""Network, parameters, training, optimizers, metrics: one vector, honest records, clear errors."""

import itertools
import math
import os
from types import SimpleNamespace

import numpy as np
import pytest

import nnlib
from nnlib import losses, progress, schedules
from nnlib.activations import relu, tanh
from nnlib.callbacks import Callback, EarlyStopping, Progress
from nnlib.gradcheck import Report, check_gradients, directional_check, numerical_gradient, relative_error
from nnlib.initializers import constant, he_normal, normal, uniform, xavier_normal
from nnlib.layers import (
    Activation,
    AngularDense,
    BatchNorm,
    Conv2D,
    CReLU,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Maxout,
    PReLU,
    RReLU,
)
from nnlib.losses import binary_cross_entropy, mean_squared_error, one_hot, softmax_cross_entropy
from nnlib.metrics import accuracy, predicted_classes
from nnlib.network import Sequential, mlp
from nnlib.optimizers import SGD, Adam, Momentum, Optimizer, ParameterAverage, clip_by_norm, clip_by_value
from nnlib.parameters import Parameter
from nnlib.progress import Line, watched
from nnlib.reductions import along_long_rows, extremes, ones, sum_along, total
from nnlib.training import Diverged, History, fit


def small(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return Sequential(Dense(4, 6), Activation(tanh), Dense(6, 3), rng=rng, dtype=dtype)


def separable(rng, n=90):
    """Three well separated clouds in four dimensions."""
    y = np.arange(n) % 3
    return (3.0 * np.eye(4)[y] + 0.3 * rng.normal(size=(n, 4))).astype(np.float32), y


# --- one vector -------------------------------------------------------------------------------------------------------


def test_all_parameters_are_views_of_one_vector():
    network = small()
    assert network.theta.shape == network.grad.shape == (4 * 6 + 6 + 6 * 3 + 3,)
    assert not network.grad.any()
    network.theta[...] = np.arange(51)
    first, last = network.layers[0], network.layers[2]
    assert first.W.value[0, 0] == 0
    assert last.b.value[-1] == 50
    last.b.value[...] = -1.0
    np.testing.assert_array_equal(network.theta[-3:], -1.0)
    network.backward(np.ones_like(network.forward(np.ones((2, 4)))))
    np.testing.assert_array_equal(network.grad[-3:], last.b.grad)


def test_counts_of_the_syllabus():
    rng = np.random.default_rng(0)
    for sizes, count in [
        ((2, 1000, 1), 4001),
        ((2, 100, 100, 1), 10501),
        ((784, 1000, 10), 795010),
        ((784, 100, 100, 10), 89610),
    ]:
        network = Sequential(*(Dense(a, b) for a, b in itertools.pairwise(sizes)), rng=rng)
        assert network.theta.size == count
        assert f"{count:,}" in network.summary().splitlines()[-1]


def test_replacing_a_parameter_is_refused_with_the_mend():
    dense = Dense(2, 3)
    with pytest.raises(RuntimeError, match="no memory yet"):
        _ = dense.W.value
    with pytest.raises(RuntimeError, match="no memory yet"):
        _ = dense.W.grad
    dense.initialize(np.random.default_rng(0))
    with pytest.raises(AttributeError, match=r"value\[\.\.\.\]"):
        dense.W.value = np.ones((2, 3))
    with pytest.raises(AttributeError, match=r"grad\[\.\.\.\]"):
        dense.W.grad = np.ones((2, 3))
    assert repr(dense.W) == "Parameter(2, 3)"


def test_predict_copies_and_forward_does_not():
    network, rng = small(), np.random.default_rng(1)
    x = rng.normal(size=(5, 4))
    predicted, forwarded = network.predict(x), network.forward(x)
    kept = predicted.copy()
    network.forward(x + 1.0)
    np.testing.assert_array_equal(predicted, kept)
    assert not np.array_equal(forwarded, kept), "forward's array belongs to the network"
    np.testing.assert_allclose(network.predict(x, batch_size=2), kept, rtol=1e-12)


def test_restore_goes_back_to_the_snapshot():
    network = small()
    before, theta = network.snapshot(), network.theta.copy()
    network.theta += 1.0
    network.restore(before)
    np.testing.assert_array_equal(network.theta, theta)
    with pytest.raises(ValueError, match="51 parameters"):
        network.restore((np.zeros(3), []))


def test_the_same_seed_gives_the_same_network_and_dropout_does_not_disturb_it():
    plain = Sequential(Dense(4, 6), Dense(6, 3), rng=np.random.default_rng(5))
    with_dropout = Sequential(Dense(4, 6), Dropout(0.5), Dense(6, 3), rng=np.random.default_rng(5))
    np.testing.assert_array_equal(plain.theta, with_dropout.theta)


def test_dropout_keeps_the_mean_and_the_share():
    layer = Dropout(0.3).initialize(np.random.default_rng(6))
    out = layer.forward(np.ones((500, 401)), training=True)
    assert np.mean(out == 0.0) == pytest.approx(0.3, abs=0.006)
    assert out.mean() == pytest.approx(1.0, abs=0.01)
    assert set(np.unique(out)) == {np.float32(0.0), np.float32(65536 / (65536 - round(0.3 * 65536)))}
    np.testing.assert_array_equal(layer.forward(np.ones((3, 2))), 1.0)


def test_rrelu_draws_between_its_bounds_and_uses_their_mean_afterwards():
    layer = RReLU().initialize(np.random.default_rng(7), np.float64)
    slopes = -layer.forward(-np.ones((400, 300)), training=True)
    assert 1 / 8 <= slopes.min() < 0.126
    assert 0.332 < slopes.max() <= 1 / 3
    assert slopes.mean() == pytest.approx(0.2291666667, abs=0.001)
    np.testing.assert_allclose(layer.forward(-np.ones((2, 2))), -0.2291666667, atol=1e-10)


def test_crelu_loses_nothing():
    z = np.random.default_rng(8).normal(size=(5, 4))
    left, right = np.split(CReLU().initialize(np.random.default_rng(0), np.float64).forward(z), 2, axis=1)
    np.testing.assert_array_equal(left - right, z)


def test_the_directional_check_agrees_and_catches_a_wrong_sign():
    network, rng = small(), np.random.default_rng(9)
    x, y = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    theta = network.theta.copy()
    numeric, analytic = directional_check(network, softmax_cross_entropy, x, y, rng=rng)
    assert analytic == pytest.approx(numeric, rel=1e-7)
    assert type(numeric) is type(analytic) is float
    np.testing.assert_array_equal(network.theta, theta)

    def flipped(output, target):
        value, gradient = softmax_cross_entropy(output, target)
        return value, -gradient

    numeric, analytic = directional_check(network, flipped, x, y, rng=rng)
    assert analytic == pytest.approx(-numeric, rel=1e-7)
    report = check_gradients(network, flipped, x, y, rng=rng)
    assert not report.passed
    assert report.max_error == pytest.approx(2.0, rel=1e-3)
    assert "WRONG" in repr(report)
    assert "WRONG" not in repr(check_gradients(network, softmax_cross_entropy, x, y, rng=rng))


def test_a_gradient_check_changes_nothing_and_wants_float64():
    network, rng = small(), np.random.default_rng(10)
    theta = network.theta.copy()
    x, y = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    report = check_gradients(network, softmax_cross_entropy, x, y, rng=rng, entries=7)
    np.testing.assert_array_equal(network.theta, theta)
    assert [name for name, _, _ in report.rows] == ["0 Dense.W", "0 Dense.b", "2 Dense.W", "2 Dense.b", "input"]
    for check in (check_gradients, directional_check):
        with pytest.raises(TypeError, match=r"dtype=np\.float64"):
            check(small(dtype=np.float32), softmax_cross_entropy, x, y, rng=rng)
    with pytest.raises(TypeError, match="float64"):
        numerical_gradient(np.sum, np.ones(3, np.float32))


def test_a_report_passes_where_every_error_is_below_its_limit():
    def report(*errors):
        return Report([("W", (2, 3), error) for error in errors])

    assert report(9.9e-7, 0.0).passed
    assert not report(1e-6).passed
    assert not report(1e-9, 1.01e-6).passed
    assert not report(math.nan).passed
    assert report(1e-9, 3e-7, 1e-8).max_error == 3e-7


def test_a_relative_error_is_absolute_where_there_is_nothing_to_compare_with():
    for x in (1e-13, 1e-12):
        assert relative_error([x], [0.0]) == x
        assert relative_error([x], [-x]) == 2.0 * x
        assert relative_error([0.0], [x]) == x
    assert relative_error([1.05e-12], [0.0]) == 1.0
    assert type(relative_error(np.ones(2), np.zeros(2))) is type(relative_error(np.zeros(2), np.zeros(2))) is float


def test_a_relative_error_is_of_two_arrays_of_one_shape():
    for a, b in ((np.ones((2, 3)), np.ones((3, 2))), (np.ones(6), 1.0)):
        with pytest.raises(ValueError, match="of one shape"):
            relative_error(a, b)
    assert relative_error(np.ones(1), 1.0) == 0.0


def test_a_numerical_gradient_refuses_a_function_that_rounds_to_float32():
    with pytest.raises(TypeError, match="returned float32"):
        numerical_gradient(lambda x: np.float32(x.sum()), np.ones(2))


def test_a_numerical_gradient_looks_a_millionth_to_both_sides_of_chosen_entries():
    seen = []
    numeric = numerical_gradient(lambda x: seen.append(x.copy()) or x.sum(), np.zeros((2, 2)), entries=[1, 2])
    np.testing.assert_array_equal(np.isnan(numeric), [[True, False], [False, True]])
    d = 1e-6
    np.testing.assert_array_equal(np.reshape(seen, (4, 4)), [[0, d, 0, 0], [0, -d, 0, 0], [0, 0, d, 0], [0, 0, -d, 0]])


def test_a_gradient_check_looks_at_200_entries_of_a_parameter_a_millionth_to_both_sides_outside_training():
    rng, seen = np.random.default_rng(21), []
    network = Sequential(Dense(2, 120), BatchNorm(120), Dropout(0.5), Dense(120, 1), rng=rng, dtype=np.float64)
    theta = network.theta.copy()
    x, y = rng.normal(size=(3, 2)), rng.normal(size=(3, 1))

    def watching(output, target):
        seen.append(network.theta - theta)
        return mean_squared_error(output, target)

    plain = network.forward(x).copy()
    assert check_gradients(network, watching, x, y, rng=rng).passed
    moves = np.array(seen)
    sizes = [200, 120, 120, 120, 120, 1]  # W of 240 entries, b, gamma, beta, W, b
    assert len(moves) == 1 + 2 * (sum(sizes) + x.size)
    lengths = [0.0] + [1e-6] * 2 * sum(sizes) + [0.0] * 2 * x.size
    np.testing.assert_allclose(np.abs(moves).max(axis=1), lengths, rtol=1e-9)
    assert np.count_nonzero(moves[: 1 + 2 * 200].any(axis=0)) == 200, "no entry twice"
    np.testing.assert_array_equal(network.forward(x), plain)
    np.testing.assert_array_equal(network.layers[1].running_mean, 0.0)
    seen.clear()
    directional_check(network, watching, x, y, rng=rng)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), [0.0, 1e-6, 1e-6], rtol=1e-9)


def test_a_gradient_check_of_all_entries_finds_one_wrong_sign_that_a_sample_misses():
    rng = np.random.default_rng(23)
    network = Sequential(Dense(30, 20), rng=rng, dtype=np.float64)
    x, y = rng.normal(size=(4, 30)), rng.normal(size=(4, 20))
    backward = network.backward

    def one_wrong_sign(dout, input_gradient=True):
        dx = backward(dout, input_gradient)
        network.grad[17] *= -1.0
        return dx

    network.backward = one_wrong_sign
    assert not check_gradients(network, mean_squared_error, x, y, rng=rng, entries=None).passed
    sampled = [check_gradients(network, mean_squared_error, x, y, rng=rng, entries=60).passed for _ in range(50)]
    assert 35 <= sum(sampled) < 50  # 9 of 10 samples leave it out
    with pytest.raises(ValueError, match="None for all"):
        check_gradients(network, mean_squared_error, x, y, rng=rng, entries=0)


def test_a_gradient_check_gives_random_layers_their_state_back():
    rng = np.random.default_rng(22)
    checked, left_alone = (Sequential(Dropout(0.5), rng=np.random.default_rng(0), dtype=np.float64) for _ in range(2))
    x = rng.normal(size=(6, 4))
    assert check_gradients(checked, mean_squared_error, x, rng.normal(size=x.shape), rng=rng, training=True).passed
    np.testing.assert_array_equal(checked.forward(x, training=True), left_alone.forward(x, training=True))


# --- doors ------------------------------------------------------------------------------------------------------------


def test_the_abstract_layer_and_optimizer_compute_nothing():
    with pytest.raises(NotImplementedError):
        Layer().compute(None, False)
    with pytest.raises(NotImplementedError):
        Layer().pull_back(None, True)
    with pytest.raises(NotImplementedError):
        Optimizer(0.1).step(np.ones(1), np.ones(1))


def test_the_package_lists_its_modules_and_names_them_where_one_is_missing():
    assert {"layers", "training", "__version__"} <= set(dir(nnlib))
    assert nnlib.losses is losses
    with pytest.raises(AttributeError, match="no 'keras'; it has activations"):
        _ = nnlib.keras


# --- saved and loaded -------------------------------------------------------------------------------------------------


def test_a_loaded_network_equals_the_saved_one(tmp_path):
    rng = np.random.default_rng(11)
    network = Sequential(
        Dense(4, 6), Activation(tanh), Dropout(0.1), Maxout(6, 3, 2), PReLU(3), CReLU(), Dense(6, 2), rng=rng
    )
    path = tmp_path / "network.npz"
    network.save(path)
    loaded = Sequential.load(path)
    x = rng.normal(size=(5, 4))
    assert repr(loaded) == repr(network)
    np.testing.assert_array_equal(loaded.predict(x), network.predict(x))
    assert [p.name for p in tmp_path.iterdir()] == ["network.npz"]


def test_a_failed_save_leaves_the_older_file_whole(tmp_path, monkeypatch):
    path, network = tmp_path / "network.npz", small()
    network.save(path)
    before = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space"):
        network.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["network.npz"]


# --- optimizers -------------------------------------------------------------------------------------------------------


def test_an_optimizer_follows_its_schedule_and_counts_from_zero():
    asked = []
    optimizer = SGD(lambda step: asked.append(step) or 0.1)
    theta = np.ones(2)
    for _ in range(3):
        optimizer.step(theta, theta)
    assert asked == [0, 1, 2]
    assert SGD(schedules.inverse_time(1.0, 1.0)).learning_rate == 1.0


def test_an_optimizer_serves_one_network():
    optimizer = Adam(0.1)
    optimizer.step(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="new optimizer"):
        optimizer.step(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="new optimizer"):
        optimizer.step(np.ones(3, np.float32), np.ones(3, np.float32))


def test_an_optimizer_looks_at_vectors_that_it_has_not_seen():
    optimizer, theta, grad = Momentum(0.1), np.zeros(3), np.ones(3)
    optimizer.step(theta, grad)
    optimizer.step(theta, grad)
    with pytest.raises(ValueError, match="one shape and dtype"):
        optimizer.step(theta, np.ones(2))
    with pytest.raises(ValueError, match="another network"):
        optimizer.step(np.zeros(2), np.ones(2))
    with pytest.raises(ValueError, match="one shape and dtype"):
        optimizer.step(np.zeros(2), grad)
    assert optimizer.n_steps == 2
    other = np.zeros(3)
    optimizer.step(other, grad)  # goes on, with the velocity of the first
    np.testing.assert_allclose(other, -0.1 * (1.0 + 0.9 + 0.81))


def test_a_snapshot_of_an_optimizer_stays_as_it_is():
    optimizer, grad = Momentum(0.1), np.ones(3)
    optimizer.step(np.zeros(3), grad)
    kept = optimizer.snapshot()
    for _ in range(2):
        theta = np.zeros(3)
        optimizer.restore(kept)
        optimizer.step(theta, grad)
        np.testing.assert_allclose(theta, -0.1 * 1.9)


def test_an_optimizer_that_goes_back_to_its_beginning_forgets():
    optimizer, theta, grad = Momentum(0.1), np.zeros(3), np.ones(3)
    at_first = optimizer.snapshot()
    optimizer.step(theta, grad)
    optimizer.restore(at_first)
    theta[...] = 0.0
    optimizer.step(theta, grad)
    np.testing.assert_allclose(theta, -0.1)


def test_the_first_step_of_adam_is_as_long_as_the_learning_rate():
    for eps in (1e-8, 0.0):
        theta = np.array([1.0])
        Adam(0.1, eps=eps).step(theta, np.array([123.0]))
        assert theta[0] == pytest.approx(0.9, abs=1e-9)


def test_clipping_by_norm_keeps_the_direction_and_by_value_does_not():
    grad = np.array([3.0, 4.0])
    assert clip_by_norm(grad, 10.0) == 5.0
    np.testing.assert_array_equal(grad, [3.0, 4.0])
    assert clip_by_norm(grad, 1.0) == 5.0
    np.testing.assert_allclose(grad, [0.6, 0.8], rtol=1e-15)
    np.testing.assert_allclose(clip_by_value(np.array([-3.0, 0.5, 4.0]), 1.0), [-1.0, 0.5, 1.0])
    broken = np.array([np.nan, 1.0])
    assert math.isnan(clip_by_norm(broken, 1.0))
    assert broken[1] == 1.0
    endless = np.array([np.inf, 1.0])
    assert clip_by_norm(endless, 1.0) == math.inf
    np.testing.assert_array_equal(endless, [np.inf, 1.0])
    assert type(clip_by_norm(np.ones(2, np.float32), 1.0)) is float


def test_a_parameter_average_is_the_mean_and_the_exponential_one_is_corrected():
    plain, moving = ParameterAverage(), ParameterAverage(beta=0.9)
    with pytest.raises(RuntimeError, match="nothing was added"):
        plain.value()
    for theta in (np.array([1.0, 2.0]), np.array([3.0, 0.0]), np.array([5.0, 1.0])):
        plain.add(theta)
        moving.add(theta)
    np.testing.assert_allclose(plain.value(), [3.0, 1.0], rtol=1e-15)
    expected = (0.81 * np.array([1.0, 2.0]) + 0.9 * np.array([3.0, 0.0]) + np.array([5.0, 1.0])) * 0.1 / (1 - 0.9**3)
    np.testing.assert_allclose(moving.value(), expected, rtol=1e-14)


# --- training ---------------------------------------------------------------------------------------------------------


def test_fit_learns_and_records_every_step_and_epoch():
    rng = np.random.default_rng(12)
    train, validation = separable(rng), separable(rng, 31)
    network = small(dtype=np.float32)
    history = fit(network, softmax_cross_entropy, Adam(0.02), train, validation, epochs=12, batch_size=20, rng=rng)
    assert len(history.batch_loss) == len(history.learning_rate) == 12 * 5  # 90 examples: 4 batches of 20, one of 10
    assert len(history.train_loss) == len(history.validation_loss) == len(history.train_accuracy) == 12
    assert history.train_loss[-1] < history.train_loss[0] / 5
    assert history.validation_accuracy[-1] == 1.0
    first = np.array(history.batch_loss[:5])
    assert history.train_loss[0] == pytest.approx((20 * first[:4].sum() + 10 * first[4]) / 90)
    assert "12 epochs, 60 steps" in repr(history)
    assert repr(History()) == "History of 0 epochs, 0 steps"


def test_fit_regresses_and_then_records_no_accuracy():
    rng = np.random.default_rng(13)
    x = rng.normal(size=(64, 4))
    y = x @ rng.normal(size=(4, 3)) + 1.0
    network = Sequential(Dense(4, 3, init=xavier_normal), rng=rng, dtype=np.float64)
    history = fit(network, mean_squared_error, SGD(0.3), (x, y), epochs=300, batch_size=64, rng=rng)
    assert history.train_loss[-1] < 1e-12
    assert history.train_accuracy == []


def test_the_same_seeds_give_the_same_bits():
    def run():
        rng = np.random.default_rng(14)
        network = Sequential(Dense(4, 8), Activation(relu), Dropout(0.2), Dense(8, 3), rng=rng)
        fit(network, softmax_cross_entropy, Momentum(0.05), separable(rng), epochs=3, rng=rng)
        return network.theta

    np.testing.assert_array_equal(run(), run())


def test_a_step_of_fit_is_forward_loss_backward_penalty_step():
    rng = np.random.default_rng(15)
    x, y = separable(rng, 10)
    network, by_hand = small(), small()
    fit(
        network,
        softmax_cross_entropy,
        SGD(0.1),
        (x, y),
        epochs=1,
        batch_size=10,
        rng=rng,
        penalty=lambda net: net.grad.__iadd__(0.01 * net.theta),
    )
    _, dout = softmax_cross_entropy(by_hand.forward(x), y)
    by_hand.backward(dout)
    by_hand.theta -= 0.1 * (by_hand.grad + 0.01 * by_hand.theta)
    np.testing.assert_allclose(network.theta, by_hand.theta, rtol=1e-12)


def test_augmentation_changes_the_training_batches_and_nothing_else():
    rng = np.random.default_rng(22)
    x, y = separable(rng, 10)
    seen = []

    def augment(batch):
        seen.append(batch.copy())
        return np.zeros_like(batch)

    network, call = small(), {"epochs": 1, "batch_size": 10, "rng": rng}
    history = fit(network, softmax_cross_entropy, SGD(0.1), (x, y), (x, y), augment=augment, **call)
    assert len(seen) == 1
    np.testing.assert_array_equal(np.sort(seen[0], axis=0), np.sort(x, axis=0))
    assert not network.layers[0].W.grad.any(), "inputs of 0 give the first weights no gradient"
    assert history.validation_loss[0] == pytest.approx(softmax_cross_entropy(network.predict(x), y)[0])


class Script(Callback):
    """Writes given validation losses into the history and one number into the parameters."""

    def __init__(self, losses):
        self.losses = losses

    def epoch(self, run):
        run.history.validation_loss[-1] = self.losses[run.epoch]
        run.network.theta[...] = run.epoch


def scripted(losses, stopping, epochs=None):
    rng = np.random.default_rng(16)
    network, data = small(), separable(rng, 12)
    history = fit(
        network,
        softmax_cross_entropy,
        SGD(0.1),
        data,
        data,
        epochs=epochs or len(losses),
        rng=rng,
        callbacks=[Script(losses), stopping],
    )
    return network.theta[0], len(history.train_loss)


def test_early_stopping_rolls_back_to_the_best_epoch():
    stopping = EarlyStopping(patience=2)
    assert scripted([5, 4, 3, 4, 3.5, 1], stopping) == (2, 5)
    assert (stopping.best_epoch, stopping.best_loss, stopping.stopped) == (2, 3, True)


def test_early_stopping_rolls_back_even_when_patience_did_not_run_out():
    stopping = EarlyStopping(patience=9)
    assert scripted([5, 3, 4], stopping) == (1, 3)
    assert not stopping.stopped


def test_early_stopping_can_stay_at_the_last_epoch_and_ask_for_more_than_a_trifle():
    assert scripted([5, 3, 4, 4], EarlyStopping(patience=2, restore_best=False)) == (3, 4)
    assert scripted([5, 4.99, 4.98, 1], EarlyStopping(patience=2, min_delta=0.1)) == (0, 3)


def test_divergence_stops_with_the_reason_before_the_step_is_taken():
    rng = np.random.default_rng(17)
    network = small(dtype=np.float32)
    x, y = separable(rng)
    with pytest.raises(Diverged, match=r"learning rate 1e\+38, gradient norm") as caught:
        fit(network, softmax_cross_entropy, SGD(1e38), (x, y), epochs=3, rng=rng)
    assert np.isfinite(network.theta).all()
    assert len(caught.value.history.batch_loss) >= 1
    x[3, 1] = np.nan
    history = fit(
        small(), softmax_cross_entropy, SGD(0.1), (x, y), epochs=2, batch_size=90, rng=rng, stop_on_divergence=False
    )
    assert len(history.batch_loss) == 2


def test_progress_is_one_growing_line_and_silent_where_nobody_watches(monkeypatch, capsys):
    import io

    rng, stream = np.random.default_rng(19), io.StringIO()
    data = separable(rng)
    fit(small(), softmax_cross_entropy, SGD(0.1), data, data, epochs=2, rng=rng, callbacks=[Progress(stream)])
    assert "epoch 2/2" in stream.getvalue()
    assert "validation" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
    assert capsys.readouterr().err == "", "the default progress is silent without a terminal"
    monkeypatch.delenv("NNLIB_PROGRESS", raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert not watched(), "the tests' stderr is no terminal"
    monkeypatch.setitem(os.environ, "JPY_SESSION_NAME", "notebook")
    assert watched()
    monkeypatch.setitem(os.environ, "NNLIB_PROGRESS", "0")
    assert not watched()
    monkeypatch.delenv("JPY_SESSION_NAME")
    monkeypatch.setitem(os.environ, "NNLIB_PROGRESS", "1")
    assert watched()


def test_a_line_of_progress_waits_for_a_second_and_counts_on_from_what_was_done(monkeypatch, capsys):
    monkeypatch.setitem(os.environ, "NNLIB_PROGRESS", "1")
    times = iter([0.0, 0.9, 1.0, 1.05, 3.0, 3.0, 0.0, 0.5, 0.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(times)))
    line = Line("point", 8, 2)
    line.show(3)  # after 0.9 s
    assert capsys.readouterr().err == ""
    line.show(4, "1 failed")  # 2 of the 6 that were left took 1 s
    assert capsys.readouterr().err == "\r" + "█" * 10 + "·" * 10 + " point 4/8  1 failed  2 s left"
    line.show(5)  # too soon after
    assert capsys.readouterr().err == ""
    line.show(6)
    assert capsys.readouterr().err == "\r" + ("█" * 15 + "·" * 5 + " point 6/8  2 s left").ljust(50)
    line.show(8)
    line.end()
    assert capsys.readouterr().err.rstrip(" \n").endswith("point 8/8  0 s left")
    short = Line("frame", 1, stays=False)
    short.show(1)
    short.end()
    silent = Line("frame", 1, wish=False)
    silent.show(1)
    silent.end()
    assert capsys.readouterr().err == "", "what takes less than a second is over before anybody asks"


# --- losses ----------------------------------------------------------------------------------------------------------


def test_losses_worked_by_hand():
    assert losses.mean_absolute_error([[1.0, -2.0]], [[0.0, 1.0]])[0] == 2.0
    assert losses.huber([[0.5, 3.0]], [[0.0, 0.0]])[0] == pytest.approx((0.125 + 2.5) / 2)
    assert losses.hinge([0.5, -3.0], [1.0, 1.0])[0] == pytest.approx((0.5 + 4.0) / 2)
    assert binary_cross_entropy([math.log(1.5)], [1.0])[0] == pytest.approx(0.5108256238, abs=1e-10)  # p = 0.6
    assert losses.focal([[0.0, 0.0]], [1])[0] == pytest.approx(0.25 * math.log(2.0))
    assert losses.distillation([[1.0, 2.0]], [[1.0, 2.0]], temperature=4.0)[0] == pytest.approx(0.0, abs=1e-15)
    assert losses.contrastive([[3.0, 4.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.5]], [1, 0])[0] == pytest.approx(12.625 / 2)
    assert losses.triplet([[0.0], [1.0], [1.5]])[0] == 0.0
    assert losses.triplet([[0.0], [1.0], [1.2]])[0] == pytest.approx(0.56)
    np.testing.assert_array_equal(losses.triplet([[0.0], [0.0], [1.0]])[1], 0.0)  # just far enough
    assert losses.triplet([[0.0], [1.0], [1.2]], margin=0.0)[0] == 0.0
    value, gradient = losses.contrastive([[1.0, 2.0], [1.0, 2.0]], [0], margin=3.0)
    assert value == 4.5
    np.testing.assert_array_equal(gradient, 0.0)  # two that should part and lie together: no direction to go


def test_large_margin_softmax_worked_by_hand():
    # ||W_y|| ||x|| = 2, theta = 60 degrees: k = 0, psi = cos(120 degrees) = -1/2, the logit 1 becomes -1
    value, _ = losses.large_margin_softmax([[1.0, 0.0, -2.0, -2.0]], [0], margin=2)
    assert value == pytest.approx(math.log(1.0 + math.exp(1.0)))
    # theta = 120 degrees: k = 1, psi = -cos(240 degrees) - 2 = -3/2, the logit -1 becomes -3
    value, _ = losses.large_margin_softmax([[-1.0, 0.0, -2.0, -2.0]], [0], margin=2)
    assert value == pytest.approx(math.log(1.0 + math.exp(3.0)))
    value, _ = losses.large_margin_softmax([[1.0, 0.0, -2.0, -2.0]], [0], margin=2, ease=3.0)
    assert value == pytest.approx(math.log(1.0 + math.exp(-0.5)))  # (3 * 1 + -1) / 4


def test_psi_falls_smoothly_from_1_to_1_minus_2_m():
    theta = np.linspace(0.0, math.pi, 2001)
    for margin in (1, 2, 3, 4, 7):
        psi, slope = losses.large_margin_psi(np.cos(theta), margin)
        k = np.minimum(np.floor(margin * theta / math.pi), margin - 1)
        np.testing.assert_allclose(psi, (-1.0) ** k * np.cos(margin * theta) - 2.0 * k, atol=1e-12)
        assert (np.diff(psi) < 1e-12).all()
        assert (slope >= -1e-9).all()
        np.testing.assert_allclose([psi[0], psi[-1]], [1.0, 1.0 - 2.0 * margin], atol=1e-12)


def test_a_margin_of_1_is_the_cross_entropy_to_the_last_bit():
    rng = np.random.default_rng(24)
    network = Sequential(Dense(4, 3), AngularDense(3, 5), rng=rng, dtype=np.float64)
    output, y = network.predict(rng.normal(size=(20, 4))), rng.integers(0, 5, 20)
    value, gradient = losses.large_margin_softmax(output, y, margin=1)
    plain, plain_gradient = softmax_cross_entropy(output[:, :5], y)
    assert value == plain
    np.testing.assert_array_equal(gradient[:, :5], plain_gradient)
    np.testing.assert_array_equal(gradient[:, 5:], 0.0)


def test_the_large_margin_gradient_reaches_features_and_class_directions():
    rng = np.random.default_rng(25)
    for margin in (1, 2, 3, 4):
        network = Sequential(Dense(4, 6), Activation(tanh), AngularDense(6, 3), rng=rng, dtype=np.float64)
        x, y = rng.normal(size=(9, 4)), rng.integers(0, 3, 9)
        report = check_gradients(network, losses.large_margin_softmax(margin=margin), x, y, rng=rng)
        assert report.passed, report


def test_a_row_of_length_0_has_no_angle_and_stays_finite():
    layer = AngularDense(3, 4).initialize(np.random.default_rng(26), np.float64)
    layer.W.value[:, 1] = 0.0
    output = layer.forward(np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]))
    value, gradient = losses.large_margin_softmax(output, [0, 1], margin=4)
    assert np.isfinite(value)
    assert np.isfinite(layer.backward(gradient)).all()
    assert np.isfinite(layer.grad).all()


def test_no_rounding_puts_the_lowest_value_above_the_logit():
    layer = AngularDense(3, 200).initialize(np.random.default_rng(28))
    opposite = -2.7 * layer.W.value.T  # row k lies 180 degrees from class k
    z, low = np.split(layer.forward(opposite), 2, axis=1)
    assert (low <= z).all()
    np.testing.assert_allclose(np.diag(low), np.diag(z), rtol=1e-5)


def test_the_large_margin_takes_a_rounded_180_degrees_and_no_other():
    for z, logit in ((1.0, 0.9995), (-1.0, -3.0 * 0.9995)):  # psi(0) = 1, psi(180 degrees) = 1 - 2 m
        loss, _ = losses.large_margin_softmax(np.array([[z, 0.0, -0.9995, 0.0]]), [0], margin=2)
        assert loss == pytest.approx(math.log1p(math.exp(-logit)), rel=1e-6)
        for low in (-0.99895, -0.5, 0.5, 0.9995):
            for output in ([[z, 0.0, low, 0.0]], [[0.0, z, 0.0, low]]):
                with pytest.raises(ValueError, match="AngularDense"):
                    losses.large_margin_softmax(np.array(output), [0], margin=2)


def angle_to_own_class(network, x, y):
    """The mean angle between features and the direction of their class, in degrees."""
    output = network.predict(x)
    k = output.shape[1] // 2
    cosine = output[np.arange(len(y)), y] / -output[np.arange(len(y)), k + y]
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).mean())


def test_a_larger_margin_makes_classes_narrower():
    angles = {}
    for margin in (1, 4):
        rng = np.random.default_rng(27)
        x, y = separable(rng, 90)
        network = Sequential(Dense(4, 8), Activation(tanh), AngularDense(8, 3), rng=rng)
        loss = losses.large_margin_softmax(margin=margin)
        history = fit(network, loss, Adam(0.01), (x, y), epochs=30, rng=rng)
        assert history.train_accuracy[-1] == accuracy(network.predict(x), y) == 1.0
        angles[margin] = angle_to_own_class(network, x, y)
    assert angles[4] < 0.8 * angles[1]


def test_focal_without_gamma_is_the_cross_entropy_and_smoothing_spreads_the_target():
    rng = np.random.default_rng(20)
    z, y = rng.normal(size=(5, 4)), np.array([0, 3, 1, 2, 2])
    plain, gradient = softmax_cross_entropy(z, y)
    value, focal_gradient = losses.focal(z, y, gamma=0.0)
    assert value == pytest.approx(plain, rel=1e-13)
    np.testing.assert_allclose(focal_gradient, gradient, rtol=1e-12, atol=1e-16)
    spread = 0.9 * one_hot(y, 4) + 0.1 / 4
    assert softmax_cross_entropy(z, y, label_smoothing=0.1)[0] == pytest.approx(softmax_cross_entropy(z, spread)[0])
    even = np.full((5, 4), 0.25)
    assert softmax_cross_entropy(z, y, label_smoothing=1.0)[0] == pytest.approx(softmax_cross_entropy(z, even)[0])


# --- metrics and small things -----------------------------------------------------------------------------------------


def test_accuracy_of_logits_of_a_yes_and_of_classes():
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    assert accuracy(logits, [0, 1, 1]) == pytest.approx(2 / 3)
    assert accuracy(logits, [[1, 0], [0, 1], [1, 0]]) == 1.0
    assert accuracy(np.array([[-1.0], [2.0]]), [[0], [1]]) == 1.0
    assert accuracy(np.array([0.5, -0.5]), [0, 0]) == 0.5
    assert accuracy(np.array([2, 1]), [2, 2]) == 0.5
    assert accuracy(logits, [0.0, 1.0, 1.0]) == pytest.approx(2 / 3), "whole numbers of any dtype"
    np.testing.assert_array_equal(predicted_classes([[math.nan, 1.0], [0.0, 1.0], [-math.inf, 0.0]]), [-1, 1, 1])
    assert accuracy(np.array([0.0]), [0]) == 1.0  # a yes is above 0
    assert type(accuracy(np.array([2, 1]), [2, 2])) is float


def test_one_hot_has_a_single_one_a_row():
    np.testing.assert_array_equal(one_hot(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])
    assert one_hot(np.array([], int), 3).shape == (0, 3)
    assert one_hot(np.array([], int), 1).shape == (0, 1)


def test_reductions_are_those_of_numpy():
    rng = np.random.default_rng(8)
    for shape in ((5,), (4, 3), (3, 4), (2, 3, 4), (2, 3, 2, 5)):
        for dtype, rtol in ((np.float64, 1e-13), (np.float32, 1e-5)):
            a = rng.uniform(1.0, 2.0, shape).astype(dtype)
            assert isinstance(total(a), float)
            assert total(a) == pytest.approx(a.sum(dtype=np.float64), rel=rtol)
            for axis in range(-1, a.ndim):
                found = sum_along(axis, a)
                assert found.dtype == dtype
                np.testing.assert_allclose(found, a.sum(axis=axis, keepdims=True), rtol=rtol)
    a = rng.normal(size=(6, 2))
    assert extremes(a) == (a.min(), a.max())
    a[2, 1] = np.nan
    assert np.isnan(extremes(a)).all()
    assert extremes(np.array([3, 1, 2])) == (1, 3)


def test_long_rows_are_broadcast_without_buffers_and_the_setting_comes_back():
    before = np.getbufsize()

    @along_long_rows
    def buffer_size(*arguments, fail=False):
        if fail:
            raise ValueError("wrong")
        return np.getbufsize()

    for shape in ((512,), (2, 511), (3, 600, 511), (2, 3, 16, 31), ()):
        assert buffer_size(np.ones(shape)) == before
    for shape in ((1, 512), (3, 2, 512), (2, 3, 16, 32)):
        assert buffer_size("not an array", np.ones(shape), np.ones(3)) == 512
        with pytest.raises(ValueError, match="wrong"):
            buffer_size(np.ones(shape), fail=True)
        assert np.getbufsize() == before
    assert buffer_size([1.0] * 600) == before


def test_shared_ones_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        ones(4321, np.dtype(np.float32))[...] = 2.0  # a size that nobody has asked for before


def test_the_cross_entropy_leaves_its_logits_alone():
    for z in (np.zeros((4, 3)), np.zeros((3, 4)).T, np.zeros((4, 1))):
        loss, gradient = softmax_cross_entropy(z, [0, 0, 0, 0])
        assert loss == pytest.approx(np.log(z.shape[1]))
        assert (z == 0.0).all()
        assert gradient.shape == z.shape


def test_first_values_may_all_be_equal():
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(normal(0.0)(rng, (2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(uniform(2.0, 2.0)(rng, (2, 3)), np.full((2, 3), 2.0))


def test_a_parameter_keeps_what_its_initializer_gave():
    layer = Dense(2, 3, init=constant(0.5)).initialize(np.random.default_rng(0))
    np.testing.assert_array_equal(layer.W.value, np.float32(0.5))
    np.testing.assert_array_equal(layer.b.value, 0.0)
    assert [p.decay for p in layer.parameters] == [True, False]
    assert Parameter((2, 3), constant(1)).size == 6


def test_an_mlp_has_its_sizes_and_draws_in_the_order_of_its_layers():
    network = mlp((3, 5, 4, 2), relu, he_normal, np.random.default_rng(0), dtype=np.float64)
    assert repr(network) == repr(
        Sequential(Dense(3, 5, he_normal), Activation(relu), Dense(5, 4, he_normal), Activation(relu), Dense(4, 2))
    )
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(network.layers[0].W.value, he_normal(rng, (3, 5)))
    np.testing.assert_array_equal(network.layers[2].W.value, he_normal(rng, (5, 4)))
    np.testing.assert_array_equal(network.layers[4].W.value, xavier_normal(rng, (4, 2)))
    assert network.theta.dtype == np.float64
    assert mlp((3, 5, 2), PReLU, he_normal, np.random.default_rng(0)).predict(np.ones((1, 3))).shape == (1, 2)
    assert mlp((3, 2), relu, he_normal, np.random.default_rng(0)).theta.size == 8
    with pytest.raises(ValueError, match="number of inputs"):
        mlp((3,), relu, he_normal, np.random.default_rng(0))


@pytest.mark.parametrize("copied", ["deepcopy", "pickle"])
def test_the_parameters_of_a_copy_look_at_its_own_vector(copied):
    import copy
    import pickle

    from nnlib.activations import relu
    from nnlib.layers import Activation, Dense
    from nnlib.network import Sequential

    network = Sequential(Dense(3, 4), Activation(relu), Dense(4, 2), rng=np.random.default_rng(0))
    other = copy.deepcopy(network) if copied == "deepcopy" else pickle.loads(pickle.dumps(network))
    assert all(np.shares_memory(p.value, other.theta) for p in other.parameters)
    assert all(np.shares_memory(p.grad, other.grad) for p in other.parameters)
    assert not np.shares_memory(other.theta, network.theta)


def test_a_network_called_predicts():
    network = Sequential(Dense(4, 3), rng=np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(5, 4))
    np.testing.assert_array_equal(network(x), network.predict(x))
    kept = network(x)
    network(2.0 * x)
    np.testing.assert_array_equal(kept, network(x))  # an array of the caller's own


def test_a_summary_with_an_input_shape_prints_shapes_and_counts():
    network = Sequential(Conv2D(1, 8, 3), Activation(relu), Flatten(), Dense(8 * 36, 10), rng=np.random.default_rng(0))
    lines = network.summary((1, 8, 8)).splitlines()
    assert [word for word in ("output", "parameters", "count") if word in lines[0]] == ["output", "parameters", "count"]
    assert "(N, 8, 6, 6)" in lines[1]
    assert "W 8×1×3×3" in lines[1]
    assert "(N, 288)" in lines[3]
    assert lines[4].endswith("2,890")
    assert lines[5].split() == ["total", "2,970"]
    with pytest.raises(ValueError, match="write n_in=512"):
        network.summary((1, 10, 10))
