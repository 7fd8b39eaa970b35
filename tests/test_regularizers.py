"""Laws of the regularizers: the gradient is the derivative of the value, biases are left alone, shrinking is exact."""

import math

import numpy as np
import pytest

from nnlib.activations import tanh
from nnlib.gradcheck import numerical_gradient_in_place, relative_error
from nnlib.layers import LSTM, Activation, BatchNorm, Conv2D, Dense, Embedding, Flatten, Maxout, PReLU
from nnlib.losses import mean_squared_error
from nnlib.network import Sequential
from nnlib.optimizers import SGD, Adam
from nnlib.regularizers import L1, L2, AfterStep, ElasticNet, Penalty, l1, l2, max_norm, prox_l1
from nnlib.training import fit

# penalty: what makes it, and its value for weights w, written once more
PENALTIES = {
    "L2": (lambda: L2(0.3), lambda w: 0.15 * sum(v * v for v in w)),
    "L1": (lambda: L1(0.2), lambda w: 0.2 * sum(map(abs, w))),
    "ElasticNet": (lambda: ElasticNet(0.2, 0.3), lambda w: sum(0.2 * abs(v) + 0.15 * v * v for v in w)),
}
penalties = pytest.mark.parametrize(("make", "by_hand"), PENALTIES.values(), ids=PENALTIES)


def network_of_everything(dtype=np.float64):
    """Weights of 2, 3 and 4 axes, and parameters that penalties leave alone."""
    rng = np.random.default_rng(0)
    layers = Conv2D(2, 3, (2, 3)), BatchNorm(3), Flatten(), Dense(24, 5), PReLU(5), Maxout(5, 4, pieces=3)
    network = Sequential(*layers, rng=rng, dtype=dtype)
    network.theta += 0.1 * rng.normal(size=network.theta.size)
    return network


def decays(network):
    """For each number of theta, whether penalties apply to it."""
    return np.concatenate([np.full(p.size, p.decay) for p in network.parameters])


# --- penalties --------------------------------------------------------------------------------------------------------


@penalties
def test_the_value_of_a_penalty_is_its_formula_over_the_weights(make, by_hand):
    penalty = make()
    network = network_of_everything()
    value = penalty(network)
    assert type(value) is float
    assert value == pytest.approx(by_hand(network.theta[decays(network)].tolist()), rel=1e-12)


@penalties
def test_the_gradient_of_a_penalty_is_the_derivative_of_its_value(make, by_hand):
    penalty = make()
    network = network_of_everything()
    network.grad[...] = 0.0
    penalty(network)
    gradient = network.grad.copy()
    numeric = numerical_gradient_in_place(lambda: penalty(network), network.theta, 1e-6, np.arange(network.theta.size))
    assert relative_error(gradient, numeric) < 1e-7


@penalties
def test_a_penalty_adds_to_the_gradient_and_leaves_biases_and_scales_alone(make, by_hand):
    penalty = make()
    network = network_of_everything()
    network.grad[...] = 7.0
    theta = network.theta.copy()
    penalty(network)
    untouched = ~decays(network)
    assert untouched.sum() == 3 + 3 + 3 + 5 + 5 + 12  # b, gamma, beta, b, slopes, b
    np.testing.assert_array_equal(network.grad[untouched], 7.0)
    assert (network.grad[~untouched] != 7.0).all()
    np.testing.assert_array_equal(network.theta, theta)


@penalties
def test_a_penalty_keeps_float32_and_agrees_with_float64(make, by_hand):
    penalty = make()
    single, double = network_of_everything(np.float32), network_of_everything()
    double.theta[...] = single.theta
    for network in (single, double, single):  # the scratch memory follows the dtype
        network.grad[...] = 0.0
        value = penalty(network)
        assert type(value) is float
        exact = by_hand(double.theta[decays(double)].tolist())
        assert value == pytest.approx(exact, rel=1e-12 if network is double else 1e-5)
    assert single.grad.dtype == np.float32
    np.testing.assert_allclose(single.grad, double.grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kernel", [l1, l2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_fills_out_and_keeps_its_argument(kernel, dtype):
    W = np.random.default_rng(1).normal(size=(2, 6, 5)).astype(dtype)
    kept, out = W.copy(), np.full_like(W, np.nan)
    value, gradient = kernel(W, 0.3, out=out)
    assert type(value) is float
    assert gradient is out
    assert gradient.dtype == dtype
    plain_value, plain = kernel(W, 0.3)
    assert value == plain_value
    np.testing.assert_array_equal(plain, gradient)
    np.testing.assert_array_equal(W, kept)


def test_the_slope_of_l1_is_the_sign_and_0_at_0():
    value, gradient = l1(np.array([-2.0, 0.0, 0.5]), 0.1)
    assert value == pytest.approx(0.25)
    np.testing.assert_array_equal(gradient, [-0.1, 0.0, 0.1])


def test_an_elastic_net_is_the_sum_of_l1_and_l2():
    one, two = network_of_everything(), network_of_everything()
    one.grad[...] = two.grad[...] = 0.0
    assert ElasticNet(0.2, 0.3)(one) == pytest.approx(L1(0.2)(two) + L2(0.3)(two), rel=1e-13)
    np.testing.assert_allclose(one.grad, two.grad, rtol=1e-13)


def test_a_layer_may_have_a_strength_of_its_own():
    network = Sequential(Dense(3, 4), Activation(tanh), Dense(4, 2), rng=np.random.default_rng(2), dtype=np.float64)
    network.grad[...] = 0.0
    first, _, last = network.layers
    assert L2(0.1)(first) + L2(0.4)(last) > 0.0
    np.testing.assert_allclose(first.W.grad, 0.1 * first.W.value, rtol=1e-15)
    np.testing.assert_allclose(last.W.grad, 0.4 * last.W.value, rtol=1e-15)


def test_l2_in_plain_sgd_is_weight_decay():
    def train(penalty, after):
        network = Sequential(Dense(4, 3), rng=np.random.default_rng(3), dtype=np.float64)
        data = np.random.default_rng(4)
        x, y = data.normal(size=(20, 4)), data.normal(size=(20, 3))
        for _ in range(5):
            _, dout = mean_squared_error(network.forward(x), y)
            network.backward(dout)
            penalty(network)
            after(network)
            network.theta -= 0.1 * network.grad
        return network.theta

    def decay(network):
        network.layers[0].W.value[...] *= 1.0 - 0.1 * 0.5

    by_penalty, by_decay = train(L2(0.5), lambda network: None), train(lambda network: 0.0, decay)
    np.testing.assert_allclose(by_penalty, by_decay, rtol=1e-12)


def test_a_linear_network_with_l2_learns_the_ridge_solution():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(40, 1))
    x, y = x - x.mean(axis=0), y - y.mean()
    network = Sequential(Dense(6, 1), rng=rng, dtype=np.float64)
    fit(network, mean_squared_error, SGD(0.2), (x, y), epochs=600, batch_size=40, penalty=L2(0.7), rng=rng)
    W, b = network.layers[0].W.value, network.layers[0].b.value
    ridge = np.linalg.solve(x.T @ x * 2 / 40 + 0.7 * np.eye(6), x.T @ y * 2 / 40)  # the mean of squares, not half of it
    np.testing.assert_allclose(W, ridge, rtol=1e-9)
    np.testing.assert_allclose(b, 0.0, atol=1e-12)
    # the ridge solution is the best one in the ball of its own norm: loss gradient and weights point oppositely (KKT)
    slope = 2 / 40 * x.T @ (x @ W - y)
    np.testing.assert_allclose(slope, -0.7 * W, rtol=1e-8)


def test_a_penalty_keeps_its_memory_between_the_steps():
    penalty, W = L2(0.1), np.ones((4, 3))
    first = penalty.scratch(W)
    assert first.shape == (4, 3)
    assert np.shares_memory(penalty.scratch(W), first)
    assert np.shares_memory(penalty.scratch(W[:2]), first)
    assert penalty.scratch(np.ones((5, 3))).shape == (5, 3)


def test_a_penalty_without_weights_is_zero():
    layer = BatchNorm(4).initialize(np.random.default_rng(0))
    assert L2(1.0)(layer) == L1(1.0)(layer) == ElasticNet(1.0, 1.0)(layer) == 0.0


# --- proximal steps ---------------------------------------------------------------------------------------------------


@penalties
def test_a_proximal_step_minimizes_penalty_plus_half_the_squared_distance(make, by_hand):
    penalty = make()
    network = network_of_everything()
    start, weights = network.theta.copy(), decays(network)
    penalty.proximal(network, 0.25)
    np.testing.assert_array_equal(network.theta[~weights], start[~weights])
    best = network.theta.copy()

    def objective(theta):
        network.theta[...] = theta
        return 0.25 * penalty(network) + 0.5 * float(np.sum((theta - start) ** 2))

    at_best, rng = objective(best), np.random.default_rng(6)
    assert at_best < objective(start)
    for size in (1e-5, 1e-3, 0.1):
        for _ in range(20):
            assert objective(best + size * weights * rng.normal(size=best.size)) > at_best
    for weight in np.eye(best.size)[weights]:  # nor is it better to move one of them alone
        assert min(objective(best - 1e-3 * weight), objective(best + 1e-3 * weight)) > at_best


def test_the_soft_threshold_has_its_known_values():
    W = np.array([-2.0, -0.5, -0.1, 0.0, 0.1, 0.5, 3.0])
    np.testing.assert_allclose(prox_l1(W, 0.5), [-1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 2.5], rtol=1e-15)
    out = np.empty_like(W)
    assert prox_l1(W, 0.5, out=out) is out
    assert prox_l1(W.astype(np.float32), 0.5).dtype == np.float32
    np.testing.assert_array_equal(prox_l1(W, 0.0), W)


def test_proximal_steps_make_exact_zeros_where_gradient_steps_make_none():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(120, 40))
    true = np.zeros((40, 1))
    true[:4] = [[2.0], [-3.0], [1.5], [1.0]]
    y = x @ true + 0.1 * rng.normal(size=(120, 1))

    def zeros(penalty, wrap):
        network = Sequential(Dense(40, 1), rng=np.random.default_rng(8), dtype=np.float64)
        fit(network, mean_squared_error, wrap(network, SGD(0.1)), (x, y), epochs=300, batch_size=120, penalty=penalty,
            rng=np.random.default_rng(0))  # fmt: skip
        W = network.layers[0].W.value
        assert (W[:4] != 0.0).all()
        return int((W[4:] == 0.0).sum())

    def shrink(network, optimizer):
        return AfterStep(optimizer, lambda learning_rate: L1(0.2).proximal(network, learning_rate))

    assert zeros(None, shrink) >= 34  # of 36 irrelevant weights
    assert zeros(L1(0.2), lambda network, optimizer: optimizer) == 0
    assert zeros(L2(0.2), lambda network, optimizer: optimizer) == 0


# --- max-norm ---------------------------------------------------------------------------------------------------------


def test_max_norm_shortens_the_columns_that_are_too_long_and_no_others():
    dense = Dense(3, 4).initialize(np.random.default_rng(9), np.float64)
    dense.W.value[...] = np.array([[3.0, 0.3, 0.0, -6.0], [4.0, 0.4, 0.0, 8.0], [0.0, 0.0, 0.0, 0.0]])
    dense.b.value[...] = 100.0
    before = dense.W.value.copy()
    assert max_norm(dense.W, 2.0) == 2
    np.testing.assert_allclose(dense.W.value[:, 0], [1.2, 1.6, 0.0], rtol=1e-15)
    np.testing.assert_allclose(dense.W.value[:, 3], [-1.2, 1.6, 0.0], rtol=1e-15)
    np.testing.assert_array_equal(dense.W.value[:, 1:3], before[:, 1:3])
    np.testing.assert_array_equal(dense.b.value, 100.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_max_norm_bounds_every_unit_of_a_network_and_leaves_biases_alone(dtype):
    network = network_of_everything(dtype)
    conv, _, _, dense, _, maxout = network.layers
    untouched = network.theta[~decays(network)].copy()
    n_units = max_norm(network, 0.5)
    assert n_units == 3 + 5 + 12
    for W, axes in ((conv.W.value, (1, 2, 3)), (dense.W.value, 0), (maxout.W.value, 1)):
        np.testing.assert_allclose(np.sqrt((W.astype(float) ** 2).sum(axis=axes)), 0.5, rtol=1e-6)
    np.testing.assert_array_equal(network.theta[~decays(network)], untouched)
    assert network.theta.dtype == dtype
    after = network.theta.copy()
    assert max_norm(network, 0.6) == 0
    np.testing.assert_array_equal(network.theta, after)


def test_a_unit_at_the_limit_is_not_too_long():
    dense = Dense(2, 2).initialize(np.random.default_rng(13), np.float64)
    dense.W.value[...] = [[3.0, 6.0], [4.0, 8.0]]
    assert max_norm(dense.W, 5.0) == 1
    np.testing.assert_allclose(dense.W.value, [[3.0, 3.0], [4.0, 4.0]], rtol=1e-15)


def test_max_norm_takes_columns_of_recurrent_weights_and_rows_on_request():
    rng = np.random.default_rng(10)
    lstm = LSTM(3, 4).initialize(rng)
    max_norm(lstm, 0.1)
    np.testing.assert_allclose(np.linalg.norm(lstm.W_x.value, axis=0), 0.1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(lstm.W_h.value, axis=0), 0.1, rtol=1e-5)
    embedding = Embedding(7, 3).initialize(rng)
    embedding.W.value[...] *= 100.0
    assert max_norm(embedding.W, 1.0, axis=1) == 7
    np.testing.assert_allclose(np.linalg.norm(embedding.W.value, axis=1), 1.0, rtol=1e-6)


def test_max_norm_leaves_what_has_overflowed_to_fit():
    dense = Dense(2, 3).initialize(np.random.default_rng(11), np.float64)
    dense.W.value[...] = np.array([[np.nan, np.inf, 3.0], [1.0, 1.0, 4.0]])
    assert max_norm(dense.W, 1.0) == 1
    np.testing.assert_allclose(dense.W.value, [[np.nan, np.inf, 0.6], [1.0, 1.0, 0.8]])


def test_after_each_step_of_fit_the_bound_holds():
    rng = np.random.default_rng(12)
    network = Sequential(Dense(4, 6), Activation(tanh), Dense(6, 1), rng=rng)
    largest = []

    def bound(learning_rate):
        max_norm(network, 0.8)
        largest.append(max(float(np.linalg.norm(network.layers[k].W.value, axis=0).max()) for k in (0, 2)))

    optimizer = AfterStep(Adam(0.5), bound)
    x, y = rng.normal(size=(30, 4)), 50.0 * rng.normal(size=(30, 1))
    history = fit(network, mean_squared_error, optimizer, (x, y), epochs=4, batch_size=10, rng=rng)
    assert len(largest) == optimizer.n_steps == 12
    assert max(largest) == pytest.approx(0.8, rel=1e-6)
    assert history.learning_rate == [0.5] * 12


def test_after_step_hands_on_the_rate_of_the_step_and_its_memory():
    rates = []
    optimizer = AfterStep(SGD(lambda step: 1.0 / (1 + step)), rates.append)
    theta = np.ones(2)
    for _ in range(3):
        optimizer.step(theta, np.zeros(2))
    assert rates == [1.0, 0.5, 1 / 3]
    kept = optimizer.snapshot()
    optimizer.step(theta, np.zeros(2))
    optimizer.restore(kept)
    assert optimizer.learning_rate == 0.25


# --- doors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: L2(-0.1), ValueError, "nonnegative"),
        (lambda: L1(math.nan), ValueError, "nonnegative"),
        (lambda: ElasticNet(0.1, math.inf), ValueError, "l2 is a nonnegative"),
        (lambda: L2(0.1)(np.ones(3)), TypeError, "a network or a layer, got ndarray"),
        (lambda: L2(0.1)(Dense(2, 3)), RuntimeError, "no memory yet"),
        (lambda: L1(0.1).proximal(network_of_everything(), -1.0), ValueError, "learning_rate is a nonnegative"),
        (lambda: max_norm(network_of_everything(), 0.0), ValueError, "positive limit"),
        (lambda: max_norm(network_of_everything(), math.nan), ValueError, "positive limit"),
        (lambda: max_norm(network_of_everything(), 1.0, axis=0), ValueError, "single parameter"),
        (lambda: max_norm(Dense(2, 3).b, 1.0), ValueError, "say axis"),
        (lambda: max_norm([1.0], 1.0), TypeError, "a network or a layer"),
        (lambda: AfterStep(SGD(0.1), 3.0), TypeError, "a function of the learning rate"),
        (lambda: Penalty().terms(np.ones(2)), NotImplementedError, "^$"),
        (lambda: Penalty().shrink(np.ones(2), 0.1), NotImplementedError, "^$"),
    ],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_penalty_shows_its_strengths():
    assert repr([L2(0.1), L1(1), ElasticNet(0.5, 2)]) == "[L2(0.1), L1(1.0), ElasticNet(0.5, 2.0)]"
