"""Recurrent layers: their definitions step by step, time that stands still, and ways back that are cut."""

import itertools
import math

import numpy as np
import pytest

from nnlib.gradcheck import numerical_gradient, relative_error
from nnlib.initializers import constant
from nnlib.layers import GRU, LSTM, RNN, Dense, Embedding
from nnlib.losses import mean_squared_error
from nnlib.network import Sequential
from nnlib.optimizers import Adam
from nnlib.training import fit

KINDS = [RNN, LSTM, GRU]
N, T, D, H = 3, 6, 2, 4
kinds = pytest.mark.parametrize("kind", KINDS)


def made(kind, seed=0, **settings):
    layer = kind(D, H, **settings).initialize(np.random.default_rng(seed), np.float64)
    layer.theta += 0.3 * np.random.default_rng(seed + 1).normal(size=layer.theta.size)
    return layer


def sequence(seed=2):
    return np.random.default_rng(seed).normal(size=(N, T, D))


def s(z):
    return 1.0 / (1.0 + math.exp(-z))


def unit_by_unit(layer, x):
    """The textbook's formulas for one sequence, written with numbers instead of arrays."""
    W_x, W_h, b = layer.W_x.value, layer.W_h.value, layer.b.value
    h, c = [0.0] * H, [0.0] * H
    for x_t in x:

        def block(k, j, x_t=x_t, h=tuple(h)):
            column = k * H + j
            return (
                sum(x_t[d] * W_x[d, column] for d in range(D)),
                sum(h[i] * W_h[i, column] for i in range(H)),
                b[column],
            )

        if isinstance(layer, RNN):
            h = [math.tanh(sum(block(0, j))) for j in range(H)]
        elif isinstance(layer, LSTM):
            i, f, o = ([s(sum(block(k, j))) for j in range(H)] for k in (0, 1, 3))
            g = [math.tanh(sum(block(2, j))) for j in range(H)]
            c = [f[j] * c[j] + i[j] * g[j] for j in range(H)]
            h = [o[j] * math.tanh(c[j]) for j in range(H)]
        else:
            r, u = ([s(sum(block(k, j))) for j in range(H)] for k in (0, 1))
            n = []
            for j in range(H):
                from_x, from_h, bias = block(2, j)
                n.append(math.tanh(from_x + bias + r[j] * (from_h + layer.b_n.value[j])))
            h = [(1 - u[j]) * n[j] + u[j] * h[j] for j in range(H)]
    return h


@kinds
def test_a_recurrent_layer_is_its_definition(kind):
    layer, x = made(kind), sequence()
    out = layer.forward(x)
    assert out.shape == (N, T, H)
    for n in range(N):
        np.testing.assert_allclose(out[n, -1], unit_by_unit(layer, x[n]), rtol=1e-12)


@kinds
def test_a_sequence_cut_in_two_is_the_same_sequence_when_the_state_is_carried_over(kind):
    layer, x = made(kind), sequence()
    whole = layer.forward(x).copy()
    first = layer.forward(x[:, :4]).copy()
    second = layer.forward(x[:, 4:], initial=layer.final)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-12)


@kinds
def test_fit_and_predict_cut_examples_and_never_time(kind):
    rng = np.random.default_rng(12)
    n = n_steps = 32  # as many examples as steps: a layer that took one for the other would not notice
    x = rng.normal(size=(n, n_steps, 1))
    y = x[:, -2] - 0.5 * x[:, -1]
    for sequences in (True, False):
        network = Sequential(kind(1, 8, sequences=sequences), rng=rng, dtype=np.float64)
        whole = network.predict(x)
        for batch_size in (1, 5, 8, 31):
            np.testing.assert_allclose(network.predict(x, batch_size=batch_size), whole, rtol=1e-12, atol=1e-14)
    network = Sequential(kind(1, 8, sequences=False), Dense(8, 1), rng=np.random.default_rng(13))
    history = fit(network, mean_squared_error, Adam(0.02), (x, y), epochs=60, batch_size=8, rng=rng, progress=False)
    assert history.train_loss[-1] < 0.05 * y.var()  # the last steps of other sequences tell nothing of y


@kinds
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("truncate", [None, 2])
def test_the_gradient_of_a_batch_is_the_sum_of_its_parts_wherever_it_is_cut(kind, sequences, truncate):
    layer, x = made(kind, sequences=sequences, truncate=truncate), sequence()
    dout = np.random.default_rng(14).normal(size=layer.forward(x).shape)
    dx = layer.backward(dout).copy()
    gradient = layer.grad.copy()
    for cut in range(1, N):
        parts = np.zeros_like(gradient)
        for part in (slice(cut), slice(cut, N)):
            layer.forward(x[part])
            np.testing.assert_allclose(layer.backward(dout[part]), dx[part], rtol=1e-11, atol=1e-14)
            parts += layer.grad
        np.testing.assert_allclose(parts, gradient, rtol=1e-11, atol=1e-13)


@kinds
def test_the_gradient_of_the_initial_state(kind):
    layer, x = made(kind), sequence()
    rng = np.random.default_rng(3)
    states = [rng.normal(size=(N, H)) for _ in range(layer.n_states)]
    weights = rng.normal(size=(N, T, H))
    layer.forward(x, initial=states)
    layer.backward(weights)
    for k, dstate in enumerate(layer.dinitial):

        def loss(changed, k=k):
            return float((weights * layer.forward(x, initial=[*states[:k], changed, *states[k + 1 :]])).sum())

        assert relative_error(dstate, numerical_gradient(loss, states[k])) < 1e-7


@kinds
@pytest.mark.parametrize("sequences", [True, False])
def test_padded_steps_change_nothing(kind, sequences):
    layer, x = made(kind, sequences=sequences), sequence()
    lengths = np.array([6, 2, 4])
    out = layer.forward(x, lengths=lengths).copy()
    rng = np.random.default_rng(4)
    dout = rng.normal(size=out.shape)
    dx = layer.backward(dout).copy()
    gradient = layer.grad.copy()
    total = np.zeros_like(gradient)
    for n, length in enumerate(lengths):
        alone = layer.forward(x[n : n + 1, :length])
        if sequences:
            np.testing.assert_allclose(out[n, :length], alone[0], rtol=1e-12)
            np.testing.assert_array_equal(out[n, length:], 0.0)
        else:
            np.testing.assert_allclose(out[n], alone[0], rtol=1e-12)
        dalone = layer.backward(dout[n : n + 1, :length] if sequences else dout[n : n + 1])
        np.testing.assert_allclose(dx[n, :length], dalone[0], rtol=1e-10, atol=1e-14)
        np.testing.assert_array_equal(dx[n, length:], 0.0)
        total += layer.grad
    np.testing.assert_allclose(gradient, total, rtol=1e-10, atol=1e-13)


@kinds
def test_truncation_cuts_the_way_back_and_not_the_way_forward(kind):
    whole, cut, x = made(kind), made(kind, truncate=2), sequence()
    np.testing.assert_array_equal(cut.forward(x), whole.forward(x))
    dout = np.zeros((N, T, H))
    dout[:, -1] = 1.0
    dx = cut.backward(dout)
    np.testing.assert_array_equal(dx[:, :4], 0.0)
    assert np.abs(dx[:, 4:]).min() > 0.0
    np.testing.assert_allclose(dx[:, 4:], whole.backward(dout)[:, 4:], rtol=1e-12)


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("truncate", [None, 2])
def test_the_fast_lstm_is_the_plain_one(sequences, truncate):
    layer, x = made(LSTM, sequences=sequences, truncate=truncate), sequence()
    rng = np.random.default_rng(11)
    initial = rng.normal(size=(N, H)), rng.normal(size=(N, H))
    results = []
    for lengths in (None, np.full(N, T)):  # equal lengths make the plain walk
        out = layer.forward(x, initial=initial, lengths=lengths).copy()
        dx = layer.backward(np.cos(out)).copy()
        results.append((out, dx, layer.grad.copy(), *layer.final, *layer.dinitial))
    for fast, plain in zip(*results):
        np.testing.assert_allclose(fast, plain, rtol=1e-11, atol=1e-14)


def test_an_open_forget_gate_carries_the_gradient_and_a_shut_one_does_not():
    def share(bias):
        layer = LSTM(1, 1, forget_bias=bias).initialize(np.random.default_rng(0), np.float64)
        layer.W_x.value[...] = layer.W_h.value[...] = 0.0
        layer.b.value[3] = 100.0  # what the cell holds is shown
        layer.forward(np.zeros((1, 50, 1)), initial=(np.zeros((1, 1)), np.full((1, 1), 1e-9)))
        dout = np.zeros((1, 50, 1))
        dout[:, -1] = 1.0
        layer.backward(dout)
        return layer.dinitial[1].item()

    for bias in (-1.0, 0.0, 3.0):
        assert share(bias) == pytest.approx(s(bias) ** 50, rel=1e-6)


def test_parameters_and_first_values():
    layer = LSTM(D, H).initialize(np.random.default_rng(5))
    np.testing.assert_array_equal(layer.b.value, np.repeat([0.0, 1.0, 0.0, 0.0], H).astype(np.float32))
    assert layer.W_x.shape == (D, 4 * H)
    assert layer.theta.size == 4 * (D * H + H * H + H)
    assert GRU(D, H).initialize(np.random.default_rng(5)).theta.size == 3 * (D * H + H * H + H) + H


def test_stacked_layers_are_saved_and_loaded(tmp_path):
    network = Sequential(Embedding(9, D), LSTM(D, H), GRU(H, 3), RNN(3, 2, False), rng=np.random.default_rng(6))
    tokens = np.random.default_rng(7).integers(0, 9, (N, T))
    network.save(tmp_path / "network.npz")
    np.testing.assert_array_equal(Sequential.load(tmp_path / "network.npz").forward(tokens), network.forward(tokens))


@kinds
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("lengths", [None, [6, 2, 4]])
def test_the_weights_learn_the_same_where_nobody_wants_the_gradient_of_the_input(kind, sequences, lengths):
    layer = made(kind, sequences=sequences)
    dout = np.random.default_rng(10).normal(size=layer.forward(sequence(), lengths=lengths).shape)
    layer.backward(dout)
    gradient = layer.grad.copy()
    layer.grad[...] = np.nan
    assert layer.backward(dout, input_gradient=False) is None
    np.testing.assert_array_equal(layer.grad, gradient)


@kinds
@pytest.mark.parametrize("sequences", [True, False])
def test_states_and_their_gradients_stay_when_the_layer_goes_on(kind, sequences):
    layer, x = made(kind, sequences=sequences), sequence()
    layer.backward(np.ones_like(layer.forward(x)))
    kept = [(state, state.copy()) for state in (*layer.final, *layer.dinitial)]
    layer.backward(-np.ones_like(layer.forward(-x, initial=layer.final)))
    for state, copy in kept:
        np.testing.assert_array_equal(state, copy)


@kinds
def test_backward_needs_a_forward(kind):
    layer = made(kind)
    with pytest.raises(RuntimeError, match="needs the batch of a forward"):
        layer.backward(np.ones((N, T, H)))
    layer.forward(sequence())
    with pytest.raises(ValueError, match="as forward returned"):
        layer.backward(np.ones((N, T, H + 1)))
    assert made(kind).forward(sequence(), training=True).shape == (N, T, H)


def test_an_embedding_starts_from_standard_normal_numbers_unless_told_otherwise():
    W = Embedding(200, 100).initialize(np.random.default_rng(11)).W.value
    assert W.std() == pytest.approx(1.0, abs=0.01)
    assert (Embedding(3, 2, init=constant(0.5)).initialize(np.random.default_rng(0)).W.value == 0.5).all()


def test_an_embedding_adds_up_the_gradients_of_a_number_that_occurs_twice():
    layer = Embedding(5, 2).initialize(np.random.default_rng(8), np.float64)
    tokens = np.array([[1, 3], [1, 4]])
    np.testing.assert_array_equal(layer.forward(tokens)[1, 0], layer.W.value[1])
    dout = np.arange(8.0).reshape(2, 2, 2)
    layer.grad[...] = np.nan
    np.testing.assert_array_equal(layer.backward(dout), np.zeros((2, 2)))
    assert layer.backward(dout, input_gradient=False) is None
    np.testing.assert_array_equal(layer.W.grad, [[0, 0], [4, 6], [0, 0], [2, 3], [6, 7]])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: RNN(0, 3), ValueError, "positive sizes"),
        (lambda: LSTM(2, 3, truncate=0), ValueError, "positive sizes"),
        (lambda: made(RNN).forward(np.ones((T, D))), ValueError, r"\(N, T, 2\), got \(N, 2\)"),
        (lambda: made(RNN).forward(np.ones((N, T, D + 1))), ValueError, r"\(N, T, 2\), got \(3, 6, 3\)"),
        (lambda: made(LSTM).forward(sequence(), initial=(np.ones((N, H)),)), ValueError, "starts from 2"),
        (lambda: made(GRU).forward(sequence(), lengths=[1, 2]), ValueError, "3 whole numbers from 1 to 6"),
        (lambda: made(GRU).forward(sequence(), lengths=[1.0, 2.0, 3.0]), ValueError, "3 whole numbers from 1 to 6"),
        (lambda: made(GRU).forward(sequence(), lengths=[0, 2, 3]), ValueError, "3 whole numbers from 1 to 6"),
        (lambda: made(GRU).forward(sequence(), lengths=[1, 2, 7]), ValueError, "3 whole numbers from 1 to 6"),
        (lambda: Embedding(0, 3), ValueError, "positive sizes"),
        (lambda: Embedding(5, 2).forward([1]), RuntimeError, "initialize"),
        (lambda: Embedding(5, 2).initialize(np.random.default_rng(0)).forward([5, 0]), ValueError, "from 0 to 4"),
        (lambda: Embedding(5, 2).initialize(np.random.default_rng(0)).forward([3, -1]), ValueError, "from 0 to 4"),
        (lambda: Embedding(5, 2).initialize(np.random.default_rng(0)).forward([]), ValueError, "at least one"),
        (lambda: Embedding(5, 2).initialize(np.random.default_rng(0)).backward([[1.0, 2.0]]), RuntimeError, "forward"),
        (lambda: Embedding(5, 2).initialize(np.random.default_rng(0)).forward([0.5]), ValueError, "whole numbers"),
        (lambda: Embedding(5, 2).initialize(np.random.default_rng(0)).forward(["a"]), TypeError, "whole numbers"),
    ],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text):
    with pytest.raises(error, match=text):
        call()


@kinds
def test_a_recurrent_layer_says_what_comes_out_for_one_sequence(kind):
    for sequences, shapes in ((True, [(5, H), (None, H)]), (False, [(H,), (H,)])):
        layer = kind(D, H, sequences=sequences)
        assert [layer.out_shape(shape) for shape in ((5, D), (None, None))] == shapes
        for wrong in ((D,), (5, D + 1), (5, D, 1), ()):
            with pytest.raises(ValueError, match=r"takes x of shape \(N, T, 2\)"):
                layer.out_shape(wrong)


def test_every_kind_keeps_float32():
    for kind, sequences in itertools.product(KINDS, (True, False)):
        layer = kind(D, H, sequences=sequences).initialize(np.random.default_rng(9))
        out = layer.forward(sequence())
        assert out.dtype == layer.backward(np.ones_like(out)).dtype == np.float32
