"""Clipped: the gradient is bounded before the inner optimizer sees it, alone, in an ensemble and across a kill."""

import numpy as np
import pytest

from nnlib.activations import tanh
from nnlib.callbacks import Callback
from nnlib.checkpoint import Checkpoint
from nnlib.ensemble import Ensemble, fit_ensemble
from nnlib.layers import Activation, Dense
from nnlib.losses import mean_squared_error
from nnlib.network import Sequential
from nnlib.optimizers import SGD, Adam, Clipped, Momentum, clip_by_norm
from nnlib.regularizers import AfterStep
from nnlib.schedules import cosine
from nnlib.training import fit


def small(rng):
    return Sequential(Dense(3, 5), Activation(tanh), Dense(5, 2), rng=rng, dtype=np.float64)


def examples(scale=100.0):
    rng = np.random.default_rng(3)
    return rng.normal(size=(24, 3)), scale * rng.normal(size=(24, 2))


class Norms(Callback):
    def __init__(self):
        self.norms = []

    def step(self, run):
        self.norms.append(np.linalg.norm(run.network.grad, axis=-1))


def test_a_step_by_hand():
    theta, grad = np.zeros(2), np.array([3.0, 4.0])
    Clipped(SGD(0.5), norm=1.0).step(theta, grad)
    np.testing.assert_allclose(theta, [-0.3, -0.4])
    theta, grad = np.zeros(2), np.array([3.0, -0.25])
    Clipped(SGD(1.0), value=0.5).step(theta, grad)
    np.testing.assert_array_equal(theta, [-0.5, 0.25])


def test_it_is_clipping_by_hand_before_each_step():
    clipped, inner, rng = Clipped(Adam(0.1), norm=0.7), Adam(0.1), np.random.default_rng(0)
    a, b = np.ones(6), np.ones(6)
    for _ in range(5):
        grad = rng.normal(size=6) * 10.0 ** rng.integers(-2, 3)
        ours = grad.copy()
        clip_by_norm(grad, 0.7)
        clipped.step(a, ours)
        inner.step(b, grad)
        np.testing.assert_array_equal(a, b)
    assert clipped.n_steps == 5


def test_training_sees_no_longer_gradient():
    norms = Norms()
    rng = np.random.default_rng(1)
    network = small(rng)
    history = fit(
        network, mean_squared_error, Clipped(SGD(cosine(0.1, 9)), norm=0.5), examples(), epochs=3, batch_size=8,
        rng=rng, callbacks=[norms], progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(norms.norms, 0.5)
    assert history.learning_rate == [cosine(0.1, 9)(step) for step in range(9)]


def test_each_member_of_an_ensemble_is_clipped_alone():
    x, y = examples(1.0)
    ensemble = Ensemble(small, range(3))
    ensemble.theta[0] *= 20.0  # its gradient is long, those of the others are short
    alone = [ensemble.network(e) for e in range(3)]
    norms = Norms()
    settings = {"epochs": 2, "batch_size": 8, "progress": False}
    rates = ensemble.learning_rates([0.1, 0.2, 0.3])
    fit_ensemble(
        ensemble, mean_squared_error, Clipped(SGD(rates), norm=2.0), (x, y), rng=np.random.default_rng(2),
        callbacks=[norms], **settings,
    )  # fmt: skip
    for e, network in enumerate(alone):
        rate = 0.1 * (e + 1)
        fit(network, mean_squared_error, Clipped(SGD(rate), norm=2.0), (x, y), rng=np.random.default_rng(2), **settings)
        np.testing.assert_allclose(ensemble.theta[e], network.theta, rtol=1e-9, atol=1e-12)
    norms = np.array(norms.norms)
    assert (norms <= 2.0 + 1e-12).all()
    assert np.isclose(norms[:, 0], 2.0).any()
    assert (norms[:, 1:] < 2.0 - 1e-3).any()


@pytest.mark.parametrize("wrap", [lambda o: o, lambda o: AfterStep(o, print_nothing)], ids=["alone", "in a wrapper"])
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path, wrap):
    def train(epochs, path):
        rng = np.random.default_rng(4)
        network = small(rng)
        optimizer = wrap(Clipped(Momentum(cosine(0.1, 12)), norm=0.5))
        fit(
            network, mean_squared_error, optimizer, examples(), epochs=epochs, batch_size=8, rng=rng,
            callbacks=[Checkpoint(path)], progress=False,
        )  # fmt: skip
        return network.theta

    whole = train(4, tmp_path / "whole.npz")
    train(2, tmp_path / "killed.npz")
    np.testing.assert_array_equal(train(4, tmp_path / "killed.npz"), whole)


def print_nothing(learning_rate):
    pass


def test_another_limit_is_another_training(tmp_path):
    def train(norm):
        rng = np.random.default_rng(4)
        fit(
            small(rng), mean_squared_error, Clipped(SGD(0.1), norm=norm), examples(), epochs=1, rng=rng,
            callbacks=[Checkpoint(tmp_path / "run.npz")], progress=False,
        )  # fmt: skip

    train(0.5)
    with pytest.raises(ValueError, match=r"optimizer Clipped.*norm=0.5.*norm=0.6"):
        train(0.6)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Clipped(SGD, norm=1.0), TypeError, "takes an optimizer such as SGD"),
        (lambda: Clipped(0.1, norm=1.0), TypeError, "takes an optimizer such as SGD"),
        (lambda: Clipped(SGD(0.1)), TypeError, "one limit, norm=1.0 or value=0.5, got norm=None and value=None"),
        (lambda: Clipped(SGD(0.1), norm=1.0, value=1.0), TypeError, "one limit"),
        (lambda: Clipped(SGD(0.1), norm=0.0), ValueError, "positive limit, got 0"),
        (lambda: Clipped(SGD(0.1), value=float("nan")), ValueError, "positive limit, got nan"),
    ],
)
def test_wrong_limits_say_the_mend(call, error, text):
    with pytest.raises(error, match=text):
        call()
