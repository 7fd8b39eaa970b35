"""Targets for each step of a sequence: losses, accuracy and training take (N, T, K) as a mean over all rows."""

import numpy as np
import pytest

from nnlib import losses
from nnlib.callbacks import EarlyStopping
from nnlib.layers import LSTM, Dense
from nnlib.losses import one_hot, softmax_cross_entropy
from nnlib.metrics import accuracy, predicted_classes
from nnlib.network import Sequential
from nnlib.optimizers import Adam, Clipped
from nnlib.training import fit

N, T, K = 3, 5, 4
rng = np.random.default_rng(31)
Z, LABELS = rng.normal(size=(N, T, K)), rng.integers(0, K, (N, T))
SHARES = rng.dirichlet(np.ones(K), size=(N, T))

CASES = {
    "cross-entropy": (softmax_cross_entropy, LABELS),
    "cross-entropy of distributions": (softmax_cross_entropy, SHARES),
    "cross-entropy, weights and smoothing": (
        softmax_cross_entropy(weights=[0.5, 1.0, 2.0, 0.0], label_smoothing=0.1),
        LABELS,
    ),
    "focal": (losses.focal, LABELS),
    "distillation": (losses.distillation(temperature=2.0), rng.normal(size=(N, T, K))),
    "binary": (losses.binary_cross_entropy, (LABELS[..., None] > np.arange(K)).astype(float)),
    "squares": (losses.mean_squared_error, SHARES),
    "absolute": (losses.mean_absolute_error, SHARES),
    "huber": (losses.huber(delta=0.5), SHARES),
    "hinge": (losses.hinge, np.where(SHARES > 0.3, 1.0, -1.0)),
}


@pytest.mark.parametrize(("loss", "target"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_over_sequences_is_the_mean_over_all_rows(loss, target, dtype):
    z = Z.astype(dtype)
    value, gradient = loss(z, target)
    flat_value, flat_gradient = loss(z.reshape(N * T, K), target.reshape(N * T, *target.shape[2:]))
    rtol = 1e-12 if dtype is np.float64 else 1e-5
    assert value == pytest.approx(flat_value, rel=rtol)
    assert gradient.shape == z.shape
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient.reshape(N * T, K), flat_gradient, rtol=rtol, atol=rtol / 100)


def test_large_margins_over_sequences():
    cosines = rng.uniform(-1.0, 1.0, size=(N, T, K))
    output = np.concatenate([cosines, -np.ones((N, T, K))], axis=-1)
    loss = losses.large_margin_softmax(margin=2)
    value, gradient = loss(output, LABELS)
    flat_value, flat_gradient = loss(output.reshape(-1, 2 * K), LABELS.ravel())
    assert value == pytest.approx(flat_value)
    np.testing.assert_allclose(gradient.reshape(-1, 2 * K), flat_gradient)


def test_accuracy_over_sequences():
    predicted = predicted_classes(Z)
    np.testing.assert_array_equal(predicted, Z.argmax(axis=2))
    share = np.mean(predicted == LABELS)
    assert accuracy(Z, LABELS) == share
    assert accuracy(Z, LABELS[..., None]) == share
    assert accuracy(Z, one_hot(LABELS, K)) == share
    np.testing.assert_array_equal(predicted_classes(Z[..., :1]), Z[..., 0] > 0.0)
    broken = Z.copy()
    broken[1, 2, 3] = np.nan
    assert predicted_classes(broken)[1, 2] == -1
    assert (predicted_classes(broken) == -1).sum() == 1


@pytest.mark.parametrize("labels", [LABELS[0], LABELS[:, :-1], LABELS.T])
def test_labels_of_another_shape_are_refused(labels):
    with pytest.raises(ValueError, match=r"logits of shape \(3, 5, 4\) take .*\(3, 5\)"):
        softmax_cross_entropy(Z, labels)
    with pytest.raises(ValueError, match=r"one target per output, got \(3, 5, 4\)"):
        accuracy(Z, labels)


def test_a_network_learns_to_name_every_step():
    x = rng.integers(0, 2, size=(64, 6, 1)) * 2.0 - 1.0
    y = np.zeros((64, 6), np.int64)
    y[:, 1:] = x[:, :-1, 0] > 0.0  # the class of a step is the sign of the step before
    network = Sequential(LSTM(1, 2), rng=np.random.default_rng(0))
    before = accuracy(network.predict(x), y)
    history = fit(
        network, softmax_cross_entropy, Clipped(Adam(0.1), norm=1.0), (x, y), (x, y), epochs=60,
        rng=np.random.default_rng(1), callbacks=[EarlyStopping(50)], progress=False,
    )  # fmt: skip
    assert before < 0.7
    assert history.validation_accuracy[history.validation_loss.index(min(history.validation_loss))] > 0.95
    assert accuracy(network.predict(x), y) > 0.95
    assert len(history.train_accuracy) == len(history.train_loss)
    assert 0.0 <= min(history.train_accuracy) <= max(history.train_accuracy) <= 1.0


def test_whole_numbers_that_are_no_classes_have_no_accuracy():
    x, y = rng.normal(size=(8, 3)), rng.integers(0, 2, (8, 2))
    network = Sequential(Dense(3, 2), rng=np.random.default_rng(0))
    history = fit(
        network, losses.binary_cross_entropy, Adam(0.01), (x, y), (x, y), epochs=1, rng=np.random.default_rng(1),
        progress=False,
    )  # fmt: skip
    assert history.train_accuracy == history.validation_accuracy == []
