"""Ensembles: each of many networks that are trained in one go gets the numbers that it would get alone."""

import copy
import itertools
import math
import pickle

import numpy as np
import pytest
from registry import ACTIVATIONS, OPTIMIZERS

from nnlib import losses, optimizers, progress, schedules
from nnlib.activations import relu, tanh
from nnlib.callbacks import Callback, EarlyStopping
from nnlib.checkpoint import Checkpoint
from nnlib.ensemble import Ensemble, affine_backward, fit_ensemble, for_each_model
from nnlib.gradcheck import numerical_gradient, numerical_gradient_in_place, relative_error
from nnlib.initializers import normal
from nnlib.layers import Activation, BatchNorm, Dense, Dropout, NTKDense, Residual
from nnlib.losses import PARTS, binary_cross_entropy, mean_squared_error, softmax_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import SGD, Adam, AdamW, Momentum, Nesterov
from nnlib.regularizers import L1, L2, AfterStep, ElasticNet, max_norm
from nnlib.training import Diverged, fit

DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
STEPS = ("batch_loss", "learning_rate")
EPOCHS = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


def small(dtype=np.float64, function=tanh, p=0.0, n_out=3):
    """make(rng) of a network 4-6-5-n_out."""

    def make(rng):
        return Sequential(
            Dense(4, 6), Activation(function), *([Dropout(p)] if p else []), Dense(6, 5), Activation(function),
            Dense(5, n_out), rng=rng, dtype=dtype,
        )  # fmt: skip

    return make


def examples(rng, n=50, kind="classes"):
    """Points in four dimensions and their targets; 50 leave a last batch of another size."""
    x = rng.normal(size=(n, 4))
    y = {
        "classes": rng.integers(0, 3, n),
        "distributions": rng.dirichlet(np.ones(3), n),
        "numbers": rng.normal(size=(n, 3)),
        "questions": rng.integers(0, 2, (n, 3)),
    }[kind]
    return x, y


def assert_same_training(history, alone, tolerance):
    for name in STEPS + EPOCHS:
        np.testing.assert_allclose(getattr(history, name), getattr(alone, name), rtol=tolerance, err_msg=name)


# --- the law ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (softmax_cross_entropy, "classes"),
        (softmax_cross_entropy, "distributions"),
        (binary_cross_entropy, "questions"),
        (mean_squared_error, "numbers"),
        (losses.huber(delta=0.7), "numbers"),
        (softmax_cross_entropy(label_smoothing=0.1), "classes"),
    ],
)
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_each_member_is_trained_as_it_would_be_alone(dtype, loss, kind, p):
    data, validation = (examples(np.random.default_rng(n), kind=kind) for n in (1, 2))
    rates, seeds = [0.1, 0.02, 0.5], [3, 4, 5]
    ensemble = Ensemble(small(dtype, p=p), seeds)
    optimizer = Momentum(ensemble.learning_rates(rates))
    settings = {"epochs": 3, "batch_size": 16, "progress": False}
    histories = fit_ensemble(ensemble, loss, optimizer, data, validation, rng=np.random.default_rng(9), **settings)
    for e, (rate, seed) in enumerate(zip(rates, seeds)):
        network = small(dtype, p=p)(np.random.default_rng(seed))
        alone = fit(network, loss, Momentum(rate), data, validation, rng=np.random.default_rng(9), **settings)
        assert relative_error(ensemble.theta[e], network.theta) < TOLERANCE[dtype]
        assert_same_training(histories[e], alone, TOLERANCE[dtype])
        assert bool(histories[e].train_accuracy) == (kind == "classes")
        x = validation[0]  # an output is a sum: what is rounded is its terms, also where they nearly cancel
        assert relative_error(ensemble.predict(x)[e], network.predict(x)) < TOLERANCE[dtype]


def test_members_learn_from_augmented_batches_as_they_would_alone():
    data, settings = examples(np.random.default_rng(1)), {"epochs": 3, "batch_size": 16}
    ensemble = Ensemble(small(np.float64), [3, 4])

    def disturb(seed):
        rng = np.random.default_rng(seed)
        return lambda x: x + 0.3 * rng.normal(size=x.shape)

    call = softmax_cross_entropy, SGD(0.1), data, data
    histories = fit_ensemble(ensemble, *call, augment=disturb(7), rng=np.random.default_rng(9), **settings)
    for e, seed in enumerate([3, 4]):
        network = small(np.float64)(np.random.default_rng(seed))
        alone = fit(network, softmax_cross_entropy, SGD(0.1), data, data, augment=disturb(7),
                    rng=np.random.default_rng(9), **settings)  # fmt: skip
        assert relative_error(ensemble.theta[e], network.theta) < TOLERANCE[np.float64]
        assert_same_training(histories[e], alone, TOLERANCE[np.float64])
    plain = small(np.float64)(np.random.default_rng(3))
    fit(plain, softmax_cross_entropy, SGD(0.1), data, rng=np.random.default_rng(9), **settings)
    assert relative_error(ensemble.theta[0], plain.theta) > 1e-3, "the batches were changed"


@pytest.mark.parametrize("batch_size", [1, 50, 99])
def test_an_ensemble_of_one_is_that_one(batch_size):
    data, settings = examples(np.random.default_rng(1)), {"epochs": 2, "batch_size": batch_size}
    ensemble, network = Ensemble(small(p=0.2), [3]), small(p=0.2)(np.random.default_rng(3))
    (history,) = fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, rng=np.random.default_rng(2), **settings)
    alone = fit(network, softmax_cross_entropy, SGD(0.1), data, rng=np.random.default_rng(2), **settings)
    assert_same_training(history, alone, 1e-10)
    assert relative_error(ensemble.theta[0], network.theta) < 1e-10


def test_numbers_in_one_column_are_no_classes():
    def loss(output, target):
        return mean_squared_error(output, target[:, None])

    x, _ = examples(np.random.default_rng(1))
    ensemble, network = Ensemble(small(n_out=1), [3]), small(n_out=1)(np.random.default_rng(3))
    (history,) = fit_ensemble(ensemble, loss, SGD(0.1), (x, x[:, 0]), epochs=2, rng=np.random.default_rng(2))
    alone = fit(network, loss, SGD(0.1), (x, x[:, 0]), epochs=2, rng=np.random.default_rng(2))
    assert_same_training(history, alone, 1e-10)
    assert history.train_accuracy == []


@pytest.mark.parametrize("name", [row.name for row in OPTIMIZERS if row.by_hand])
def test_every_optimizer_takes_a_learning_rate_per_model(name):
    data, kind = examples(np.random.default_rng(1)), getattr(optimizers, name)
    rates = [0.1, schedules.cosine(0.05, 10), 0.003]
    ensemble = Ensemble(small(), [0, 0, 0])
    optimizer = kind(ensemble.learning_rates(rates))
    fit_ensemble(ensemble, softmax_cross_entropy, optimizer, data, epochs=2, rng=np.random.default_rng(2))
    for e, rate in enumerate(rates):
        network = small()(np.random.default_rng(0))
        fit(network, softmax_cross_entropy, kind(rate), data, epochs=2, rng=np.random.default_rng(2))
        assert relative_error(ensemble.theta[e], network.theta) < 1e-10
    assert relative_error(ensemble.theta[0], ensemble.theta[2]) > 1e-4


@pytest.mark.parametrize("function", [pytest.param(row.f, id=row.name) for row in ACTIVATIONS])
@pytest.mark.parametrize("n_out", [1, 3])
def test_backward_of_an_ensemble_is_the_derivative_of_its_forward(function, n_out):
    rng = np.random.default_rng(3)
    ensemble = Ensemble(small(function=function, n_out=n_out), range(2))
    ensemble.theta += 0.1 * rng.normal(size=ensemble.theta.shape)
    x, target = rng.normal(size=(7, 4)), rng.normal(size=(7, n_out))

    def total():
        return mean_squared_error(ensemble.forward(x)[1], target)[0]

    values, dout = for_each_model(mean_squared_error)(ensemble.forward(x), target)
    assert values[1] == pytest.approx(total(), rel=1e-12)
    ensemble.grad[...] = np.nan
    ensemble.forward(x)
    dx = ensemble.backward(dout).copy()
    assert ensemble.backward(dout, input_gradient=False) is None
    gradient = ensemble.grad.copy()
    everything = range(gradient.shape[1])
    assert relative_error(gradient[1], numerical_gradient_in_place(total, ensemble.theta[1], 1e-6, everything)) < 1e-6
    numeric = numerical_gradient_in_place(total, x, 1e-6, range(x.size))
    assert relative_error(dx[1], numeric.reshape(x.shape)) < 1e-6
    assert ensemble.forward(x).dtype == dx.dtype == np.float64


def test_the_kernel_with_an_axis_more_is_the_kernel_for_each_model():
    rng = np.random.default_rng(4)
    for shared, n_in, n_out in [(True, 4, 3), (False, 4, 1), (False, 4, 2), (False, 4, 3), (False, 1, 3)]:
        x = rng.normal(size=(5, n_in) if shared else (2, 5, n_in))
        W, dout = rng.normal(size=(2, n_in, n_out)), rng.normal(size=(2, 5, n_out))
        dW, db, dx = np.empty_like(W), np.empty((2, n_out)), np.empty((2, 5, n_in))
        affine_backward(dout, x, W, dW, db, dx)
        np.testing.assert_allclose(dW, np.einsum("nd,enk->edk" if shared else "end,enk->edk", x, dout))
        np.testing.assert_allclose(db, dout.sum(axis=1))
        np.testing.assert_allclose(dx, np.einsum("enk,edk->end", dout, W))


@pytest.mark.parametrize("loss", PARTS, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_stacked_loss_is_the_loss_of_each_model(loss, dtype):
    rng = np.random.default_rng(5)
    output = (3.0 * rng.normal(size=(4, 7, 3))).astype(dtype)
    kinds = {softmax_cross_entropy: ("classes", "distributions"), binary_cross_entropy: ("questions", "distributions")}
    for kind in kinds.get(loss, ("numbers",)):
        target = examples(rng, 7, kind)[1]
        kept = output.copy()
        values, gradient = for_each_model(loss)(output, target)
        np.testing.assert_array_equal(output, kept)
        assert values.shape == (4,)
        assert gradient.dtype == dtype
        tolerance = 1e-6 if dtype is np.float32 else 1e-13
        for e in range(4):
            wanted, wanted_gradient = loss(output[e], target)
            assert values[e] == pytest.approx(wanted, rel=tolerance)
            np.testing.assert_allclose(gradient[e], wanted_gradient, rtol=tolerance, atol=tolerance / 10)


def test_a_target_that_is_no_distribution_counts_as_it_does_alone():
    output, target = np.random.default_rng(6).normal(size=(2, 5, 3)), np.full((5, 3), 0.7)
    values, gradient = for_each_model(softmax_cross_entropy)(output, target)
    assert values[1] == pytest.approx(softmax_cross_entropy(output[1], target)[0])
    np.testing.assert_allclose(gradient[1], softmax_cross_entropy(output[1], target)[1])
    numeric = numerical_gradient(lambda z: softmax_cross_entropy(z, target)[0], output[1])
    assert relative_error(gradient[1], numeric) < 1e-8


def test_stacked_losses_survive_huge_outputs():
    output = np.array([[[1e4, -1e4, 0.0]], [[-1e4, 1e4, 0.0]]], np.float32)
    for loss, target in [(softmax_cross_entropy, np.array([0])), (binary_cross_entropy, np.array([[1.0, 0.0, 0.0]]))]:
        values, gradient = for_each_model(loss)(output, target)
        assert np.isfinite(values).all()
        assert np.isfinite(gradient).all()


# --- penalties --------------------------------------------------------------------------------------------------------


class Shrink:
    """strength / 2 times the squares of what decays: the plain form of an L2 penalty."""

    def __init__(self, strength):
        self.strength = strength

    def __call__(self, network):
        for p in network.parameters:
            if p.decay:
                p.grad[...] += self.strength * p.value
        return 0.5 * self.strength * sum(float(np.sum(p.value**2)) for p in network.parameters if p.decay)


@pytest.mark.parametrize(
    "penalties",
    [
        [Shrink(0.0), Shrink(0.1), Shrink(1.0)],
        Shrink(0.2),
        [L2(0.0), L2(0.1), L2(1.0)],
        [L1(0.1), L2(0.1), ElasticNet(0.05, 0.3)],
        [L1(0.1), Shrink(0.3), L2(0.1)],
        L1(0.05),
    ],
    ids=["own", "shared", "own L2", "elastic", "of all kinds", "shared L1"],
)
def test_penalties_pull_each_model_as_they_would_alone(penalties):
    data = examples(np.random.default_rng(1))
    ensemble = Ensemble(small(), [0, 0, 0])
    settings = {"epochs": 2, "rng": np.random.default_rng(2)}
    fit_ensemble(ensemble, softmax_cross_entropy, Adam(0.01), data, penalty=penalties, **settings)
    for e in range(3):
        penalty = penalties[e] if isinstance(penalties, list) else penalties
        network = small()(np.random.default_rng(0))
        fit(network, softmax_cross_entropy, Adam(0.01), data, penalty=penalty, epochs=2, rng=np.random.default_rng(2))
        assert relative_error(ensemble.theta[e], network.theta) < 1e-10


@pytest.mark.parametrize("penalties", [[L1(0.1), L2(0.1), ElasticNet(0.05, 0.3)], L2(0.1)], ids=["own", "shared"])
def test_the_penalties_of_nnlib_are_computed_for_all_models_at_once(penalties, monkeypatch):
    monkeypatch.setattr(Ensemble, "windows", None)  # what goes model by model
    data, ensemble = examples(np.random.default_rng(1)), Ensemble(small(), [0, 0, 0])
    settings = {"epochs": 1, "penalty": penalties, "rng": np.random.default_rng(2)}
    fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, **settings)


def test_a_projection_after_each_step_holds_for_every_model():
    data, ensemble = examples(np.random.default_rng(1)), Ensemble(small(), [0, 1])
    optimizer = AfterStep(SGD(ensemble.learning_rates([0.5, 0.1])), lambda learning_rate: max_norm(ensemble, 0.9))
    fit_ensemble(ensemble, softmax_cross_entropy, optimizer, data, epochs=2, rng=np.random.default_rng(2))
    for e, rate in enumerate((0.5, 0.1)):
        network = small()(np.random.default_rng(e))
        alone = AfterStep(SGD(rate), lambda learning_rate, network=network: max_norm(network, 0.9))
        fit(network, softmax_cross_entropy, alone, data, epochs=2, rng=np.random.default_rng(2))
        assert relative_error(ensemble.theta[e], network.theta) < 1e-10


# --- a model that diverges --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SGD, Momentum, Nesterov, Adam, AdamW])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_model_that_diverges_is_frozen_where_fit_would_stop_and_the_others_go_on(kind, dtype):
    data = examples(np.random.default_rng(1), kind="numbers")
    huge = 1e30 if dtype is np.float32 else 1e120
    rates = [0.01, huge, 0.003]
    make = small(dtype, function=relu)
    ensemble = Ensemble(make, [0, 1, 2])
    optimizer = kind(ensemble.learning_rates(rates))
    settings = {"epochs": 4, "batch_size": 20, "progress": False}
    histories = fit_ensemble(ensemble, mean_squared_error, optimizer, data, rng=np.random.default_rng(2), **settings)
    network = make(np.random.default_rng(1))
    with pytest.raises(Diverged) as caught, np.errstate(all="ignore"):
        fit(network, mean_squared_error, kind(huge), data, rng=np.random.default_rng(2), **settings)
    assert histories[1].diverged.split(", gradient")[0] in str(caught.value)
    assert histories[1].diverged in repr(histories[1])
    np.testing.assert_allclose(histories[1].batch_loss, caught.value.history.batch_loss, rtol=TOLERANCE[dtype])
    assert len(histories[1].learning_rate) == len(histories[1].batch_loss) > 0
    np.testing.assert_allclose(ensemble.theta[1], network.theta, rtol=1e-3)
    for e in (0, 2):
        network = make(np.random.default_rng(e))
        alone = fit(network, mean_squared_error, kind(rates[e]), data, rng=np.random.default_rng(2), **settings)
        assert_same_training(histories[e], alone, TOLERANCE[dtype])
        assert relative_error(ensemble.theta[e], network.theta) < TOLERANCE[dtype]
        assert histories[e].diverged == ""
        assert "diverged" not in repr(histories[e])
    with np.errstate(all="ignore"):
        assert np.isfinite(ensemble.predict(data[0])[[0, 2]]).all()


def test_a_model_that_diverges_later_keeps_the_epochs_it_had():
    data = examples(np.random.default_rng(1), kind="numbers")
    rates = [0.01, lambda step: 0.01 if step < 7 else 1e200]
    ensemble = Ensemble(small(), [0, 0])
    optimizer = SGD(ensemble.learning_rates(rates))
    settings = {"epochs": 5, "batch_size": 20}
    histories = fit_ensemble(
        ensemble, mean_squared_error, optimizer, data, data, rng=np.random.default_rng(2), **settings
    )
    assert [len(history.train_loss) for history in histories] == [5, 2]
    assert [len(history.validation_loss) for history in histories] == [5, 2]
    assert [len(history.batch_loss) for history in histories] == [15, 8]
    assert "at step 8 (epoch 2): learning rate 1e+200" in histories[1].diverged
    np.testing.assert_allclose(histories[0].train_loss[:2], histories[1].train_loss, rtol=1e-12)


def test_where_all_models_diverge_the_training_ends_with_their_histories():
    data = examples(np.random.default_rng(1), kind="numbers")
    ensemble = Ensemble(small(), [0, 1])
    histories = fit_ensemble(
        ensemble, mean_squared_error, SGD(1e200), data, epochs=50, batch_size=50, rng=np.random.default_rng(2)
    )
    assert all(history.diverged for history in histories)
    assert all(len(history.batch_loss) < 5 for history in histories)


# --- a training that is resumed ---------------------------------------------------------------------------------------


def with_checkpoint(path, epochs, callbacks=(), seed=1):
    """Three models, of which the second diverges at its eighth step, in the third epoch."""
    data, ensemble = examples(np.random.default_rng(seed), kind="numbers"), Ensemble(small(), [0, 1, 2])
    optimizer = Momentum(ensemble.learning_rates([0.01, lambda step: 0.01 if step < 7 else 1e200, 0.02]))
    checkpoint = [] if path is None else [Checkpoint(path)]
    histories = fit_ensemble(
        ensemble, mean_squared_error, optimizer, data, data, epochs=epochs, batch_size=20,
        callbacks=[*checkpoint, *callbacks], rng=np.random.default_rng(2),
    )  # fmt: skip
    return ensemble, histories


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 4, 6])
def test_a_training_that_is_resumed_ends_as_a_whole_one(n_epochs, tmp_path):
    whole, histories = with_checkpoint(None, 6)
    assert [bool(history.diverged) for history in histories] == [False, True, False]
    _, first = with_checkpoint(tmp_path / "run.npz", n_epochs)
    assert bool(first[1].diverged) == (n_epochs > 2)
    resumed, again = with_checkpoint(tmp_path / "run.npz", 6)
    np.testing.assert_array_equal(resumed.theta, whole.theta)
    assert again == histories


def test_a_checkpoint_of_other_examples_is_refused(tmp_path):
    with_checkpoint(tmp_path / "run.npz", 1)
    with pytest.raises(ValueError, match=r"with train .*checksum"):
        with_checkpoint(tmp_path / "run.npz", 2, seed=9)


def test_a_snapshot_of_what_is_recorded_stays_as_it_was_and_holds_the_parameters_of_stopped_models_alone():
    snapshots, copies = [], []

    class Look(Callback):
        def epoch(self, run):
            snapshots.append(run.parts["record"].snapshot())
            copies.append(copy.deepcopy(snapshots[-1]))

    ensemble, _ = with_checkpoint(None, 5, [Look()])
    np.testing.assert_equal(snapshots, copies)
    assert [snapshot["running"].tolist() for snapshot in snapshots] == 2 * [[True] * 3] + 3 * [[True, False, True]]
    assert [snapshot["kept"].shape for snapshot in snapshots] == 2 * [(0, 83)] + 3 * [(1, 83)]
    np.testing.assert_array_equal(snapshots[-1]["kept"], ensemble.theta[1:2])


# --- what goes in and what comes out ----------------------------------------------------------------------------------


def test_network_gives_back_an_ordinary_network_of_its_own_that_trains_on_as_in_the_ensemble(tmp_path):
    data = examples(np.random.default_rng(1))
    ensemble = Ensemble(small(p=0.4), [0, 1])
    fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, epochs=1, rng=np.random.default_rng(2))
    networks = [ensemble.network(e) for e in range(2)]
    for e, network in enumerate(networks):
        assert type(network) is Sequential
        np.testing.assert_array_equal(network.theta, ensemble.theta[e])
        np.testing.assert_allclose(network.predict(data[0]), ensemble.predict(data[0])[e], rtol=1e-12)
        network.save(tmp_path / "network.npz")
        loaded = Sequential.load(tmp_path / "network.npz")
        np.testing.assert_array_equal(loaded.predict(data[0]), network.predict(data[0]))
    before = ensemble.theta.copy()
    fit(networks[1], softmax_cross_entropy, SGD(0.1), data, epochs=2, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(ensemble.theta, before)
    fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, epochs=2, rng=np.random.default_rng(3))
    assert relative_error(ensemble.theta[1], networks[1].theta) < 1e-10
    assert relative_error(ensemble.theta[1], before[1]) > 1e-3


def test_windows_look_at_the_rows_of_the_ensemble():
    ensemble = Ensemble(small(), [0, 1])
    windows = ensemble.windows()
    windows[1].theta += 1.0
    windows[1].layers[0].W.grad[...] = 5.0
    np.testing.assert_array_equal(ensemble.theta[1], windows[1].theta)
    assert ensemble.layers[0].W.value[1, 2, 3] == windows[1].layers[0].W.value[2, 3]
    np.testing.assert_array_equal(ensemble.layers[0].W.grad[1], 5.0)
    assert not ensemble.grad[0].any()


def test_layers_views_lie_in_theta_and_equal_seeds_give_equal_networks():
    ensemble = Ensemble(small(np.float32), [7, 7, 8])
    assert len(ensemble) == 3
    assert ensemble.theta.shape == (3, 4 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3)
    assert ensemble.theta.dtype == ensemble.grad.dtype == np.float32
    assert [p.shape for p in ensemble.parameters] == [(3, 4, 6), (3, 6), (3, 6, 5), (3, 5), (3, 5, 3), (3, 3)]
    assert [p.decay for p in ensemble.parameters] == [True, False] * 3
    assert all(np.shares_memory(p.value, ensemble.theta) for p in ensemble.parameters)
    np.testing.assert_array_equal(ensemble.theta[0], ensemble.theta[1])
    assert not np.array_equal(ensemble.theta[0], ensemble.theta[2])
    assert repr(ensemble) == (
        "Ensemble of 3 × Sequential(Dense(4, 6), Activation(tanh), Dense(6, 5), Activation(tanh), Dense(5, 3))"
    )


def test_an_ensemble_of_networks_starts_where_they_are_and_leaves_them_alone():
    networks = [small(p=0.4)(np.random.default_rng(seed)) for seed in range(2)]
    ensemble = Ensemble.of(networks)
    np.testing.assert_array_equal(ensemble.theta[1], networks[1].theta)
    ensemble.theta += 1.0
    ensemble.forward(np.ones((2, 4)), training=True)
    fresh = small(p=0.4)(np.random.default_rng(1))
    np.testing.assert_array_equal(networks[1].theta, fresh.theta)
    np.testing.assert_array_equal(
        networks[1].forward(np.ones((2, 4)), training=True), fresh.forward(np.ones((2, 4)), training=True)
    )


def test_an_ensemble_like_a_network_draws_from_the_network_s_own_initializers():
    network = Sequential(Dense(4, 6, init=normal(0.5)), Activation(relu), Dense(6, 1), rng=np.random.default_rng(0))
    kept = network.theta.copy()
    ensemble = Ensemble.like(network, [np.random.default_rng(0), 1])
    np.testing.assert_array_equal(ensemble.theta[0], kept)
    assert not np.array_equal(ensemble.theta[1], kept)
    np.testing.assert_array_equal(network.theta, kept)
    assert ensemble.dtype == np.float32


def test_predict_copies_and_takes_a_batch_per_model():
    rng, ensemble = np.random.default_rng(3), Ensemble(small(), range(3))
    x, own = rng.normal(size=(9, 4)), rng.normal(size=(3, 9, 4))
    together = ensemble.predict(x)
    assert together.shape == (3, 9, 3)
    np.testing.assert_allclose(ensemble.predict(x, batch_size=4), together, rtol=1e-12)
    kept, forwarded = together.copy(), ensemble.forward(x)
    apart = ensemble.predict(own)
    np.testing.assert_array_equal(together, kept)
    assert not np.array_equal(forwarded, kept), "forward's array belongs to the ensemble"
    for e in range(3):
        np.testing.assert_allclose(apart[e], ensemble.network(e).predict(own[e]), rtol=1e-12)


@pytest.mark.parametrize("first", [Activation(tanh), Dropout(0.3)], ids=repr)
def test_the_first_layer_may_be_any_of_the_three(first):
    def make(rng):
        layer = Dropout(0.3) if isinstance(first, Dropout) else Activation(tanh)
        return Sequential(layer, Dense(4, 3), rng=rng, dtype=np.float64)

    data, ensemble = examples(np.random.default_rng(1)), Ensemble(make, [0, 1])
    fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, epochs=2, rng=np.random.default_rng(2))
    for e in range(2):
        network = make(np.random.default_rng(e))
        fit(network, softmax_cross_entropy, SGD(0.1), data, epochs=2, rng=np.random.default_rng(2))
        assert relative_error(ensemble.theta[e], network.theta) < 1e-10


def test_restore_goes_back_to_the_snapshot_of_all_models():
    ensemble = Ensemble(small(), [0, 1])
    before, theta = ensemble.snapshot(), ensemble.theta.copy()
    ensemble.theta += 1.0
    ensemble.restore(before)
    np.testing.assert_array_equal(ensemble.theta, theta)
    with pytest.raises(ValueError, match=r"of shape \(2, 83\), got \(3, 83\)"):
        ensemble.restore(np.zeros((3, 83)))


def test_a_batch_per_model_passes_dropout_and_an_activation_in_the_first_place():
    own = np.random.default_rng(3).normal(size=(2, 7, 4))
    for first in (lambda: Dropout(0.5), lambda: Activation(tanh)):
        ensemble = Ensemble(lambda rng, first=first: of(first(), Dense(4, 3)), [0, 1])
        networks = [ensemble.network(e) for e in range(2)]
        out = ensemble.forward(own, training=True)
        for e in range(2):
            np.testing.assert_allclose(out[e], networks[e].forward(own[e], training=True), rtol=1e-12)


def test_predict_goes_in_batches_of_512():
    ensemble = Ensemble(small(), [0, 1])
    ensemble.predict(np.ones((2 * 512 + 1, 4)))
    assert ensemble.layers[0].x.shape[-2:] == (1, 4), "of 1025 rows one is left"


def test_dropout_by_itself_changes_nothing_unless_told_that_it_is_training():
    ensemble, h = Ensemble(lambda rng: of(Dense(4, 3), Dropout(0.5)), [0, 1]), np.ones((2, 5, 3))
    dropout = ensemble.layers[1]
    np.testing.assert_array_equal(dropout.forward(h), h)
    assert not np.array_equal(dropout.forward(h, training=True), h)


def test_dropout_with_probability_0_draws_nothing():
    ensemble = Ensemble(lambda rng: of(Dense(4, 3), Dropout(0.0)), [0])
    before = ensemble.layers[1].rngs[0].bit_generator.state
    x = np.ones((2, 4))
    np.testing.assert_array_equal(ensemble.forward(x, training=True)[0], ensemble.network(0).predict(x))
    assert ensemble.layers[1].rngs[0].bit_generator.state == before


def test_progress_is_shown_where_somebody_watches_and_only_if_wanted(monkeypatch, capsys):
    monkeypatch.setenv("NNLIB_PROGRESS", "1")
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    data, ensemble = examples(np.random.default_rng(1)), Ensemble(small(), [0, 1])
    settings = {"epochs": 2, "rng": np.random.default_rng(2)}
    fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, progress=False, **settings)
    assert capsys.readouterr().err == ""
    fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, data, **settings)
    assert "epoch 2/2" in capsys.readouterr().err


class Watch(Callback):
    def __init__(self):
        self.seen = []

    def start(self, run):
        self.ended = False

    def epoch(self, run):
        self.seen.append((run.network.theta.copy(), run.history.train_loss[-1], run.history.train_accuracy[-1]))
        return len(self.seen) == 3

    def end(self, run):
        self.ended = True


def test_callbacks_see_the_ensemble_and_the_medians_and_may_end_the_training():
    data, watch, ensemble = examples(np.random.default_rng(1)), Watch(), Ensemble(small(), [0, 1, 2])
    settings = {"epochs": 9, "callbacks": [watch], "rng": np.random.default_rng(2)}
    histories = fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, **settings)
    assert watch.ended
    assert [len(history.train_loss) for history in histories] == [3, 3, 3]
    np.testing.assert_array_equal(watch.seen[2][0], ensemble.theta)
    for epoch, (_, loss, accuracy) in enumerate(watch.seen):
        assert loss == pytest.approx(np.median([history.train_loss[epoch] for history in histories]), rel=1e-12)
        assert accuracy == pytest.approx(np.median([history.train_accuracy[epoch] for history in histories]), rel=1e-12)


def test_callbacks_are_called_after_each_step_and_see_one_median_for_each():
    seen = []

    class Count(Callback):
        def step(self, run):
            seen.append(run.network.theta.copy())

        def epoch(self, run):
            history, n = run.history, run.epoch + 1
            assert [len(getattr(history, name)) for name in STEPS] == [4 * n, 4 * n] == [len(seen)] * 2
            assert [len(getattr(history, name)) for name in EPOCHS] == [n] * 4

    data, ensemble = examples(np.random.default_rng(1)), Ensemble(small(), [0, 1])
    settings = {"epochs": 3, "batch_size": 16, "callbacks": [Count()], "rng": np.random.default_rng(2)}
    fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), data, data, **settings)
    assert len(seen) == 12
    assert all((before != after).any() for before, after in itertools.pairwise(seen))
    np.testing.assert_array_equal(seen[-1], ensemble.theta)


def test_early_stopping_rolls_the_whole_ensemble_back_to_the_best_median():
    rng = np.random.default_rng(1)
    data, validation = examples(rng, 20), examples(rng, 20)
    ensemble, stopping, watch = Ensemble(small(), range(4)), EarlyStopping(patience=2), Watch()
    settings = {"epochs": 60, "callbacks": [stopping, watch], "rng": rng}
    watch.epoch = lambda run: watch.seen.append(run.network.theta.copy())
    fit_ensemble(ensemble, softmax_cross_entropy, Adam(0.05), data, validation, **settings)
    assert stopping.stopped
    np.testing.assert_array_equal(ensemble.theta, watch.seen[stopping.best_epoch])
    assert len(watch.seen) == stopping.best_epoch + 3


def test_the_same_seeds_give_the_same_bits():
    def run():
        ensemble = Ensemble(small(np.float32, p=0.2), range(3))
        data = examples(np.random.default_rng(1))
        fit_ensemble(ensemble, softmax_cross_entropy, Adam(0.01), data, epochs=2, rng=np.random.default_rng(2))
        return ensemble.theta

    np.testing.assert_array_equal(run(), run())


def test_steps_of_an_ensemble_take_no_new_memory():
    import tracemalloc

    ensemble, rng = Ensemble(small(np.float32), range(16)), np.random.default_rng(1)
    x, y = rng.normal(size=(32, 4)).astype(np.float32), rng.integers(0, 3, 32)
    loss, optimizer = for_each_model(softmax_cross_entropy), Adam(ensemble.learning_rates([0.01] * 16))

    def steps(n):
        for _ in range(n):
            _, dout = loss(ensemble.forward(x, training=True), y)
            ensemble.backward(dout, input_gradient=False)
            optimizer.step(ensemble.theta, ensemble.grad)

    steps(3)
    tracemalloc.start()
    try:
        steps(3)
        before, _ = tracemalloc.get_traced_memory()
        steps(50)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50 * 100  # bytes; one forgotten array of this ensemble has 6 kB


def test_learning_rates_are_columns_of_the_ensemble_s_dtype():
    ensemble = Ensemble(small(np.float32), [0, 1])
    constant = ensemble.learning_rates((0.1, 0.2))
    assert constant(0) is constant(5)
    assert constant(0).dtype == np.float32
    np.testing.assert_allclose(constant(3), [[0.1], [0.2]], rtol=1e-7)
    mixed = ensemble.learning_rates([0.1, schedules.exponential(0.2, 0.5)])
    np.testing.assert_allclose(mixed(2), [[0.1], [0.05]], rtol=1e-7)
    optimizer = Momentum(mixed)
    fit_ensemble(
        ensemble, softmax_cross_entropy, optimizer, examples(np.random.default_rng(1)), epochs=1,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert optimizer.velocity.dtype == np.float32


# --- doors ------------------------------------------------------------------------------------------------------------


def of(*layers, dtype=np.float64, seed=0):
    return Sequential(*layers, rng=np.random.default_rng(seed), dtype=dtype)


ONE = of(Dense(2, 3))


def forwarded():
    ensemble = Ensemble(small(), [0, 1])
    ensemble.forward(np.ones((5, 4)))
    return ensemble


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Ensemble(small(), []), ValueError, "at least one network"),
        (lambda: Ensemble(lambda rng: ONE, [0, 1]), ValueError, r"inside make\(rng\)"),
        (lambda: Ensemble(lambda rng: Dense(2, 3), [0]), TypeError, r"Sequential networks, got Dense\(2, 3\)"),
        (lambda: Ensemble(lambda rng: Sequential(Dense(2, 3)), [0]), ValueError, "rng=rng"),
        (lambda: Ensemble.of([of(Dense(2, 3), BatchNorm(3))]), TypeError, r"got BatchNorm\(3.*one by one"),
        (lambda: Ensemble.of([of(NTKDense(2, 3))]), TypeError, "one by one"),
        (lambda: Ensemble.of([of(Dense(2, 3)), of(Dense(2, 4))]), ValueError, r"alike.*Dense\(2, 4\)"),
        (lambda: Ensemble.of([ONE, of(Dense(2, 3), dtype=np.float32)]), ValueError, "alike, got float64.*float32"),
        (
            lambda: Ensemble.of([of(Dense(2, 3), Activation(f)) for f in (relu, tanh)]),
            ValueError,
            r"Activation\(tanh\)",
        ),
        (lambda: Ensemble(small(), [0, 1]).forward(np.ones((5, 3))), ValueError, r"\(N, 4\) or \(2, N, 4\).*\(5, 3\)"),
        (lambda: Ensemble(small(), [0, 1]).forward(np.ones((3, 5, 4))), ValueError, r"\(2, N, 4\)"),
        (lambda: Ensemble(small(), [0, 1]).forward(np.ones((2, 5, 3, 4))), ValueError, r"\(2, 5, 3, 4\)"),
        (lambda: Ensemble.of([of(Activation(tanh))]).forward(np.ones(4)), ValueError, r"\(N, D\) or \(1, N, D\)"),
        (lambda: Ensemble(small(), [0, 1]).forward(np.ones(4)), ValueError, r"\(N, 4\)"),
        (lambda: Ensemble(small(), [0, 1]).predict(np.ones((0, 4))), ValueError, "N >= 1"),
        (lambda: Ensemble(small(), [0, 1]).forward(np.ones((2, 4), complex)), TypeError, "real numbers"),
        (lambda: Ensemble(small(), [0, 1]).learning_rates([0.1]), ValueError, "2 models take 2 learning rates, got 1"),
        (lambda: Ensemble(small(), [0, 1]).learning_rates([0.1, -1]), ValueError, "positive number"),
        (lambda: Ensemble(small(), [0, 1]).network(2), IndexError, "2"),
        (
            lambda: Ensemble(small(), [0, 1]).backward(np.ones((2, 5, 3))),
            RuntimeError,
            r"StackedDense\(n_models=2, n_in=5, n_out=3\).*forward",
        ),
        (lambda: forwarded().backward(np.ones((5, 3))), ValueError, r"of shape \(2, 5, 3\), as forward returned"),
        (lambda: for_each_model(mean_squared_error)(np.ones((2, 3, 1)), np.ones(3)), ValueError, r"reshape\(-1, 1\)"),
        (lambda: for_each_model(mean_squared_error)(np.ones((2, 3, 1)), np.ones((2, 3, 1))), ValueError, r"\(3, 1\)"),
        (
            lambda: for_each_model(binary_cross_entropy)(np.ones((2, 2, 1)), np.array([[0.5], [1.05]])),
            ValueError,
            "from 0 to 1, got 0.5 to 1.05",
        ),
        (
            lambda: for_each_model(binary_cross_entropy)(np.ones((2, 2, 1)), np.array([[0.5], [-0.05]])),
            ValueError,
            "from 0 to 1, got -0.05 to 0.5",
        ),
        (
            lambda: for_each_model(binary_cross_entropy)(np.ones((2, 1, 1)), np.array([[math.nan]])),
            ValueError,
            "from 0 to 1",
        ),
        (lambda: for_each_model(softmax_cross_entropy)(np.ones((2, 1, 3)), [3]), ValueError, "from 0 to 2, got 3"),
        (
            lambda: for_each_model(softmax_cross_entropy)(np.ones((2, 1, 3)), [0, 1]),
            ValueError,
            "class numbers of shape",
        ),
        (lambda: for_each_model(softmax_cross_entropy)(np.ones((2, 1, 3)), [0.0]), TypeError, "integers"),
    ],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text):
    with pytest.raises(error, match=text):
        call()


# ---- orders and targets of their own, copies ------------------------------------------------------------------------


def alone(ensemble, e, loss, rate, train, validation, rng, **settings):
    network = ensemble.network(e)
    history = fit(network, loss, Momentum(rate), train, validation, rng=rng, progress=False, **settings)
    return network, history


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.0, 0.3])
@pytest.mark.parametrize("own_targets", [False, True])
def test_members_with_orders_of_their_own_are_trained_as_alone(dtype, p, own_targets):
    rng, n_models, n = np.random.default_rng(0), 3, 37
    x, labels = rng.normal(size=(n, 4)), rng.integers(0, 3, n)
    own = np.stack([rng.permutation(labels) for _ in range(n_models)])
    ensemble = Ensemble(small(dtype, p=p), range(n_models))
    settings = {"epochs": 3, "batch_size": 8}
    y = own if own_targets else labels
    members = [
        alone(
            ensemble, e, softmax_cross_entropy, 0.1, (x, own[e] if own_targets else labels),
            (x, own[e] if own_targets else labels), np.random.default_rng(100 + e), **settings,
        )
        for e in range(n_models)
    ]  # fmt: skip
    histories = fit_ensemble(
        ensemble, softmax_cross_entropy, Momentum(0.1), (x, y), (x, y), progress=False,
        rngs=[np.random.default_rng(100 + e) for e in range(n_models)], **settings,
    )  # fmt: skip
    for e, (network, history) in enumerate(members):
        assert relative_error(ensemble.theta[e], network.theta) < TOLERANCE[dtype]
        for name in (*STEPS, *EPOCHS):
            np.testing.assert_allclose(getattr(histories[e], name), getattr(history, name), rtol=10 * TOLERANCE[dtype])


def test_orders_of_their_own_differ():
    x, y = np.random.default_rng(0).normal(size=(40, 4)), np.random.default_rng(1).integers(0, 3, 40)
    thetas = {}
    for way in ("shared", "own"):
        ensemble = Ensemble.of([small()(np.random.default_rng(7)) for _ in range(2)])  # two equal networks
        rngs = (
            {"rng": np.random.default_rng(2)}
            if way == "shared"
            else {"rngs": [np.random.default_rng(k) for k in (2, 3)]}
        )
        fit_ensemble(ensemble, softmax_cross_entropy, SGD(0.1), (x, y), epochs=2, progress=False, **rngs)
        thetas[way] = ensemble.theta
    np.testing.assert_array_equal(*thetas["shared"])
    assert np.abs(thetas["own"][0] - thetas["own"][1]).max() > 1e-3


def test_targets_of_their_own_on_one_order():
    x, y = np.random.default_rng(0).normal(size=(20, 4)), np.random.default_rng(1).normal(size=(2, 20, 3))
    ensemble = Ensemble(small(), range(2))
    members = [
        alone(ensemble, e, mean_squared_error, 0.05, (x, y[e]), None, np.random.default_rng(5), epochs=2)
        for e in range(2)
    ]
    fit_ensemble(
        ensemble, mean_squared_error, Momentum(0.05), (x, y), epochs=2, rng=np.random.default_rng(5), progress=False
    )
    for e in range(2):
        np.testing.assert_allclose(ensemble.theta[e], members[e][0].theta, rtol=1e-10)


def test_as_many_models_as_examples_share_flat_targets():
    """y (N, K) with N = E could be either; it is the targets of all, as everywhere else."""
    x, y = np.random.default_rng(0).normal(size=(3, 4)), np.random.default_rng(1).normal(size=(3, 3))
    ensemble = Ensemble(small(), range(3))
    network, _ = alone(ensemble, 2, mean_squared_error, 0.05, (x, y), None, np.random.default_rng(5), epochs=2)
    fit_ensemble(
        ensemble, mean_squared_error, Momentum(0.05), (x, y), epochs=2, rng=np.random.default_rng(5), progress=False
    )
    np.testing.assert_allclose(ensemble.theta[2], network.theta, rtol=1e-10)


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({}, TypeError, "rng, one order of examples for all models, or rngs"),
        ({"rng": np.random.default_rng(0), "rngs": [np.random.default_rng(0)] * 2}, TypeError, "or rngs, one for each"),
        ({"rngs": [np.random.default_rng(0)]}, ValueError, "2 models take 2 different generators, got 1"),
        ({"rngs": [np.random.default_rng(0)] * 2}, ValueError, "different generators"),
        ({"rngs": [0, 1]}, TypeError, "make one with"),
    ],
)
def test_wrong_generators_say_what_was_wanted(settings, error, text):
    x, y = np.ones((4, 4)), np.zeros(4, int)
    with pytest.raises(error, match=text):
        fit_ensemble(Ensemble(small(), range(2)), softmax_cross_entropy, SGD(0.1), (x, y), epochs=1, **settings)


def test_a_checkpoint_goes_on_with_orders_of_their_own(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(20, 4)), np.random.default_rng(1).integers(0, 3, 20)

    def train(epochs, path=None):
        ensemble = Ensemble(small(), range(2))
        callbacks = [Checkpoint(path)] if path else []
        fit_ensemble(
            ensemble, softmax_cross_entropy, Momentum(0.1), (x, y), epochs=epochs, callbacks=callbacks,
            rngs=[np.random.default_rng(k) for k in (3, 4)], progress=False,
        )  # fmt: skip
        return ensemble.theta

    train(2, tmp_path / "kept")
    np.testing.assert_array_equal(train(5, tmp_path / "kept"), train(5))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_a_copy_trains_on_its_own_vector(copied):
    x, y = np.random.default_rng(0).normal(size=(20, 4)), np.random.default_rng(1).integers(0, 3, 20)
    network = small()(np.random.default_rng(2))
    before = network.theta.copy()
    other = copied(network)
    fit(other, softmax_cross_entropy, SGD(0.5), (x, y), epochs=3, rng=np.random.default_rng(0), progress=False)
    np.testing.assert_array_equal(network.theta, before)
    assert np.shares_memory(other.layers[0].W.value, other.theta)
    wanted = small()(np.random.default_rng(2))
    fit(wanted, softmax_cross_entropy, SGD(0.5), (x, y), epochs=3, rng=np.random.default_rng(0), progress=False)
    np.testing.assert_array_equal(other.theta, wanted.theta)
    ensemble = copied(Ensemble(small(), range(2)))
    assert np.shares_memory(ensemble.layers[0].W.value, ensemble.theta)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (BatchNorm(4), "mixes the examples of a batch"),
        (NTKDense(4, 4), "no axis for models"),
        (Residual(Dense(4, 4)), "layers of its own"),
    ],
)
def test_a_layer_that_is_not_stacked_says_why(layer, why):
    with pytest.raises(TypeError, match=why) as error:
        Ensemble(lambda rng: Sequential(layer, Dense(4, 2), rng=rng), [0])
    assert repr(layer) in str(error.value)
    assert "train such networks one by one" in str(error.value)
