"""Diagnostics: known numbers for networks that can be worked by hand, and a network that is left as it was."""

import math

import numpy as np
import pytest

from nnlib import activations, diagnostics
from nnlib.activations import gelu, relu, selu, tanh
from nnlib.diagnostics import (
    condition_numbers,
    dead_units,
    gain_of,
    gradient_profile,
    hessian_vector_product,
    lanczos,
    loss_along,
    matched_to,
    normalized,
    pre_activations,
    propagate,
    random_directions,
    scale_response,
    sharpness,
    signal_profile,
    silent_fraction,
    sparsity,
)
from nnlib.gradcheck import relative_error
from nnlib.initializers import he_normal, orthogonal, xavier_normal
from nnlib.layers import (
    LSTM,
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool2D,
    PReLU,
    Residual,
)
from nnlib.losses import mean_squared_error, softmax_cross_entropy
from nnlib.network import Sequential, mlp


def network_of(*layers, seed=0, dtype=np.float64):
    return Sequential(*layers, rng=np.random.default_rng(seed), dtype=dtype)


def tiny(dtype=np.float64):
    """3-4-3 tanh with 31 parameters, and a batch of 7 with classes."""
    rng = np.random.default_rng(1)
    network = network_of(Dense(3, 4), Activation(tanh), Dense(4, 3), dtype=dtype)
    network.theta += 0.1 * rng.normal(size=network.theta.size).astype(dtype)
    return network, rng.normal(size=(7, 3)), rng.integers(0, 3, 7)


def hessian_by_differences(network, loss, x, y, eps=1e-4):
    """Second differences of the loss itself: no gradient takes part."""
    theta = network.theta.copy()
    steps = eps * np.eye(theta.size)

    def value(at):
        network.theta[...] = at
        return loss(network.forward(x), y)[0]

    hessian = np.empty((theta.size, theta.size))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps):
            corners = value(theta + a + b) - value(theta + a - b) - value(theta - a + b) + value(theta - a - b)
            hessian[i, j] = corners / (4.0 * eps**2)
    network.theta[...] = theta
    return hessian


# --- curvature --------------------------------------------------------------------------------------------------------


def test_a_hessian_vector_product_is_that_of_the_explicit_hessian():
    network, x, y = tiny()
    hessian = hessian_by_differences(network, softmax_cross_entropy, x, y)
    for v in np.random.default_rng(2).normal(size=(3, network.theta.size)):
        product = hessian_vector_product(network, softmax_cross_entropy, x, y, v)
        assert relative_error(product, hessian @ v) < 1e-6
        longer = hessian_vector_product(network, softmax_cross_entropy, x, y, 1e6 * v)
        np.testing.assert_allclose(longer, 1e6 * product, rtol=1e-9, atol=1e-9)


def test_the_error_of_a_hessian_vector_product_falls_with_the_square_of_eps():
    network, x, y = tiny()
    v = np.random.default_rng(3).normal(size=network.theta.size)
    best = hessian_vector_product(network, softmax_cross_entropy, x, y, v)
    errors = [
        relative_error(hessian_vector_product(network, softmax_cross_entropy, x, y, v, eps=eps), best)
        for eps in (0.04, 0.02, 0.01)
    ]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.05)
    assert relative_error(hessian_vector_product(network, softmax_cross_entropy, x, y, v, eps=1e-13), best) > 1e-6


def test_in_float32_three_digits_of_a_hessian_vector_product_remain():
    network, x, y = tiny()
    v = np.random.default_rng(3).normal(size=network.theta.size)
    best = hessian_vector_product(network, softmax_cross_entropy, x, y, v)
    single, _, _ = tiny(np.float32)
    product = hessian_vector_product(single, softmax_cross_entropy, x, y, v)
    assert product.dtype == np.float32
    assert 1e-7 < relative_error(product, best) < 5e-3


def test_the_hessian_of_linear_regression_is_twice_the_second_moment_of_its_inputs():
    rng = np.random.default_rng(4)
    network, x, y = network_of(Dense(5, 1)), rng.normal(size=(20, 5)), rng.normal(size=(20, 1))
    with_bias = np.hstack([x, np.ones((20, 1))])  # b is the weight of an input that is always 1
    hessian = 2.0 / 20.0 * with_bias.T @ with_bias
    v = rng.normal(size=6)
    np.testing.assert_allclose(
        hessian_vector_product(network, mean_squared_error, x, y, v), hessian @ v, rtol=1e-8, atol=1e-10
    )
    spectrum = sharpness(network, mean_squared_error, x, y, rng=rng, iterations=50)
    np.testing.assert_allclose(spectrum.ritz_values, np.linalg.eigvalsh(hessian), rtol=1e-7)
    assert spectrum.largest == spectrum.ritz_values[-1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_default_step_is_the_documented_one(dtype):
    network, x, y = tiny(dtype)
    network.theta *= 3.0
    v = 7.0 * np.random.default_rng(3).normal(size=network.theta.size).astype(dtype)
    u = {np.float32: 2.0**-24, np.float64: 2.0**-53}[dtype]
    eps = np.float64(u ** (1 / 3) * (1.0 + np.linalg.norm(network.theta)) / np.linalg.norm(v))
    wanted = hessian_vector_product(network, softmax_cross_entropy, x, y, v, eps=eps)
    assert wanted.dtype == dtype
    product = hessian_vector_product(network, softmax_cross_entropy, x, y, v)
    assert relative_error(product, wanted) < {np.float32: 2e-4, np.float64: 1e-10}[dtype]
    other = hessian_vector_product(network, softmax_cross_entropy, x, y, v, eps=1.1 * eps)
    assert relative_error(other, wanted) > 4.0 * relative_error(product, wanted)


def test_no_direction_has_no_product():
    network, x, y = tiny()
    product = hessian_vector_product(network, softmax_cross_entropy, x, y, np.zeros(network.theta.size))
    np.testing.assert_array_equal(product, np.zeros(network.theta.size))


def test_sharpness_is_the_largest_eigenvalue_of_the_explicit_hessian():
    network, x, y = tiny()
    eigenvalues = np.linalg.eigvalsh(hessian_by_differences(network, softmax_cross_entropy, x, y))
    spectrum = sharpness(network, softmax_cross_entropy, x, y, rng=np.random.default_rng(5), iterations=12)
    assert spectrum.ritz_values.shape == spectrum.residuals.shape == (12,)
    assert spectrum.largest == pytest.approx(eigenvalues[-1], rel=1e-5)
    assert spectrum.ritz_values[0] == pytest.approx(eigenvalues[0], rel=1e-2)
    everything = sharpness(network, softmax_cross_entropy, x, y, rng=np.random.default_rng(5), iterations=99)
    n_found = len(everything.ritz_values)
    assert n_found <= len(eigenvalues)
    wanted = eigenvalues[np.abs(eigenvalues) > 1e-4]
    np.testing.assert_allclose(everything.ritz_values[-5:], wanted[-5:], rtol=1e-4)


def test_lanczos_finds_all_eigenvalues_and_no_copies_of_them():
    rng = np.random.default_rng(6)
    wanted = np.sort(np.concatenate([rng.normal(size=57), [1e3, 1e4, -50.0]]))  # outliers: what spoils orthogonality
    basis = orthogonal(rng, (60, 60))
    matrix = (basis * wanted) @ basis.T
    matrix = 0.5 * (matrix + matrix.T)
    spectrum = lanczos(lambda q: matrix @ q, 60, rng=rng, iterations=1000)
    np.testing.assert_allclose(spectrum.ritz_values, wanted, atol=1e-9)
    early = lanczos(lambda q: matrix @ q, 60, rng=rng, iterations=15)
    distance = np.abs(early.ritz_values[:, None] - wanted).min(axis=1)
    assert (distance <= early.residuals + 1e-9).all(), "each Ritz value is as near to an eigenvalue as promised"
    assert early.largest == pytest.approx(1e4, rel=1e-10)
    assert early.residuals.max() > 1e-2


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_lanczos_ends_where_its_vectors_span_all_that_can_be_reached(scale):
    rng = np.random.default_rng(7)
    direction = rng.normal(size=8)
    matrix = scale * (3.0 * np.eye(8) + np.outer(direction, direction))  # two eigenvalues: two dimensions are reached
    spectrum = lanczos(lambda q: matrix @ q, 8, rng=rng, iterations=8)
    np.testing.assert_allclose(spectrum.ritz_values, scale * np.array([3.0, 3.0 + direction @ direction]), rtol=1e-12)
    np.testing.assert_allclose(spectrum.residuals / scale, 0.0, atol=1e-10)


def test_lanczos_ends_where_what_is_left_is_no_more_than_rounding():
    eps = np.finfo(float).eps
    diagonal = np.ones(1000)
    diagonal[::2] += 100.0 * eps
    spectrum = lanczos(lambda q: diagonal * q, 1000, rng=np.random.default_rng(7), iterations=9)
    np.testing.assert_allclose(spectrum.ritz_values, [1.0], rtol=1e-12)
    nothing = lanczos(lambda q: 0.0 * q, 8, rng=np.random.default_rng(7), iterations=8)
    np.testing.assert_array_equal(nothing.ritz_values, [0.0])
    first = np.random.default_rng(7).normal(size=8)  # the vector that lanczos will draw
    first /= np.linalg.norm(first)
    second = first[::-1] * np.repeat([1.0, -1.0], 4)  # at right angles to it
    matrix = np.outer(first, second) + np.outer(second, first)  # its diagonal is 0 in the two
    spectrum = lanczos(lambda q: matrix @ q, 8, rng=np.random.default_rng(7), iterations=8)
    np.testing.assert_allclose(spectrum.ritz_values, [-1.0, 1.0], rtol=1e-12)


def test_the_vectors_of_lanczos_are_orthonormal_where_little_is_left_of_a_product():
    rng, given = np.random.default_rng(7), []
    direction = rng.normal(size=8)
    matrix = 3.0 * np.eye(8) + np.outer(direction, direction) + 1e-10 * np.diag(rng.normal(size=8))

    def product(q):
        given.append(q.copy())
        return matrix @ q

    spectrum = lanczos(product, 8, rng=rng, iterations=8)
    np.testing.assert_allclose(np.array(given) @ np.transpose(given), np.eye(8), atol=1e-12)
    np.testing.assert_allclose(spectrum.ritz_values, np.linalg.eigvalsh(matrix), rtol=1e-12)


def test_lanczos_of_a_number_and_of_a_network_with_the_usual_number_of_products():
    spectrum = lanczos(lambda q: -3.0 * q, 1, rng=np.random.default_rng(0), iterations=5)
    np.testing.assert_allclose(spectrum.ritz_values, [-3.0], rtol=1e-15)
    assert type(spectrum.largest) is float
    network, x, y = tiny()
    assert len(sharpness(network, softmax_cross_entropy, x, y, rng=np.random.default_rng(0)).ritz_values) == 20


def test_lanczos_leaves_the_products_alone():
    matrix, given = np.diag([1.0, 2.0, 5.0]), []

    def product(q):
        given.append((q, q.copy()))
        return matrix @ q

    answer = np.array([4.0, 5.0, 6.0])
    lanczos(product, 3, rng=np.random.default_rng(0), iterations=3)
    for q, kept in given:
        np.testing.assert_array_equal(q, kept)
    lanczos(lambda q: answer, 3, rng=np.random.default_rng(0), iterations=1)
    np.testing.assert_array_equal(answer, [4.0, 5.0, 6.0])


# --- layer by layer ---------------------------------------------------------------------------------------------------


HOW = ({}, {"training": False}, {"training": True})


def test_orthogonal_weights_keep_the_signal_and_the_gradient():
    rng = np.random.default_rng(8)
    network = network_of(*(Dense(6, 6, init=orthogonal) for _ in range(4)))
    x, target = rng.normal(1.0, 2.0, (9, 6)), rng.normal(size=(9, 6))
    profile = signal_profile(network, x)
    assert [row.name for row in profile] == ["input", "0 Dense", "1 Dense", "2 Dense", "3 Dense"]
    assert profile[0].mean == pytest.approx(x.mean())
    assert profile[0].variance == pytest.approx(x.var())
    assert len({round(row.mean, 6) for row in profile}) == 5
    for row in profile:
        assert row.mean**2 + row.variance == pytest.approx(np.mean(x**2), rel=1e-12)
        assert row.std == pytest.approx(math.sqrt(row.variance), rel=1e-14)
    _, dout = mean_squared_error(network.predict(x), target)
    rows = gradient_profile(network, mean_squared_error, x, target)
    assert [row.name for row in rows] == ["0 Dense", "1 Dense", "2 Dense", "3 Dense"]
    for row in rows:
        assert row.signal == pytest.approx(np.linalg.norm(dout), rel=1e-12)


def test_a_linear_network_of_scale_2_doubles_signal_and_gradient_at_every_layer():
    network = network_of(*(Dense(5, 5, init=orthogonal) for _ in range(3)))
    for layer in network.layers:
        layer.W.value[...] *= 2.0
    rng = np.random.default_rng(9)
    x, target = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    powers = [row.mean**2 + row.variance for row in signal_profile(network, x)]
    np.testing.assert_allclose(np.divide(powers[1:], powers[:-1]), 4.0, rtol=1e-12)
    norms = [row.signal for row in gradient_profile(network, mean_squared_error, x, target)]
    np.testing.assert_allclose(np.divide(norms[:-1], norms[1:]), 2.0, rtol=1e-12)


def test_the_gradient_profile_holds_the_norms_that_backward_gives():
    network, x, y = tiny()
    rows = gradient_profile(network, softmax_cross_entropy, x, y)
    _, dout = softmax_cross_entropy(network.forward(x), y)
    network.backward(dout)
    first, last = network.layers[0], network.layers[2]
    assert rows[0].parameters == pytest.approx(np.linalg.norm(network.grad[:16]), rel=1e-12)
    assert rows[1].parameters == 0.0
    assert rows[2].parameters == pytest.approx(math.hypot(*last.W.grad.ravel(), *last.b.grad), rel=1e-12)
    assert rows[2].signal == pytest.approx(np.linalg.norm(dout), rel=1e-12)
    assert rows[1].signal == pytest.approx(np.linalg.norm(dout @ last.W.value.T), rel=1e-12)
    behind = (dout @ last.W.value.T) * (1.0 - np.tanh(x @ first.W.value + first.b.value) ** 2)
    assert rows[0].signal == pytest.approx(np.linalg.norm(behind), rel=1e-12)


def test_dead_units_are_those_that_no_example_wakes():
    network = network_of(Dense(2, 4), Activation(relu), Dense(4, 3), Activation(relu), Dense(3, 1))
    first, second = network.layers[0], network.layers[2]
    first.W.value[...] = [[1.0, -1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    first.b.value[...] = [0.0, 0.0, -10.0, 0.0]  # alive, alive for other rows, asleep, exactly 0
    second.W.value[...] = 1.0
    second.b.value[...] = [-100.0, 0.0, 0.5]
    x = np.array([[3.0, 1.0], [-2.0, 1.0], [1.0, 1.0]])
    assert dead_units(network, x) == {"1 Activation": 0.5, "3 Activation": pytest.approx(1 / 3)}
    assert dead_units(network, x[:1])["1 Activation"] == 0.75
    assert dead_units(network, 10.0 * x)["1 Activation"] == 0.25
    shares = sparsity(network, x)
    assert list(shares) == ["input", "0 Dense", "1 Activation", "2 Dense", "3 Activation", "4 Dense"]
    assert shares["input"] == 0.0
    assert shares["1 Activation"] == pytest.approx((1 + 2 + 3 + 3) / 12)


def test_dead_units_of_images_are_channels_of_sequences_columns_and_inside_other_layers_too():
    rng = np.random.default_rng(10)
    images = network_of(Conv2D(1, 3, 2), Activation(relu), GlobalAveragePool2D(), Dense(3, 1))
    images.layers[0].b.value[1] = -1e3
    assert dead_units(images, rng.normal(size=(5, 1, 5, 6)) + 1.0) == {"1 Activation": pytest.approx(1 / 3)}
    sequences = network_of(LSTM(2, 4), Activation(relu))
    sequences.layers[0].W_x.value[:, 8:12] = 0.0
    sequences.layers[0].W_h.value[:, 8:12] = 0.0
    sequences.layers[0].b.value[8:12] = [5.0, -5.0, 5.0, 5.0]  # the cell's input: its sign is that of the output
    assert dead_units(sequences, rng.normal(size=(6, 3, 2))) == {"1 Activation": 0.25}
    inside = network_of(Dense(2, 2), Residual(Dense(2, 2), Activation(relu)))
    inside.layers[1].layers[0].b.value[...] = -1e3
    assert dead_units(inside, rng.normal(size=(6, 2))) == {"1 Residual.1 Activation": 1.0}


def test_condition_numbers_of_second_moments():
    rng = np.random.default_rng(11)
    network = network_of(Dense(3, 3, init=orthogonal), Dense(3, 2), Dense(2, 4))
    x = orthogonal(rng, (40, 3)) * [1.0, 2.0, 10.0]
    numbers = condition_numbers(network, x)
    assert numbers["input"] == pytest.approx(100.0, rel=1e-10)
    assert numbers["0 Dense"] == pytest.approx(100.0, rel=1e-10), "a rotation changes nothing"
    h = x @ network.layers[0].W.value @ network.layers[1].W.value
    eigenvalues = np.linalg.eigvalsh(h.T @ h / 40)
    assert numbers["1 Dense"] == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-8)
    assert numbers["2 Dense"] == math.inf, "four columns that depend on two numbers"
    assert condition_numbers(network, x[:2])["input"] == math.inf, "two rows do not fill three dimensions"
    assert condition_numbers(network_of(Dense(3, 1)), np.zeros((5, 3)))["input"] == math.inf


def test_whether_columns_depend_on_each_other_is_no_matter_of_scale():
    rng = np.random.default_rng(11)
    x = rng.normal(size=(20, 3))
    dependent = np.column_stack([x, x @ [1.0, 2.0, 3.0]])
    network = network_of(Dense(4, 1))
    for scale in (1e-12, 1.0, 1e12):
        assert condition_numbers(network, scale * dependent)["input"] == math.inf
        number = condition_numbers(network_of(Dense(3, 1)), scale * x)["input"]
        assert number < 100.0
        assert type(number) is float
    single = network_of(Dense(4, 1), dtype=np.float32)
    assert condition_numbers(single, dependent)["input"] == math.inf


def test_columns_as_small_as_the_rounding_of_a_long_one_count_as_dependent():
    x = np.zeros((1000, 2))
    x[0, 0], x[1, 1] = 1.0, 100.0 * np.finfo(float).eps
    network = network_of(Dense(2, 1))
    assert condition_numbers(network, x)["input"] == math.inf
    assert condition_numbers(network, x[:50])["input"] == pytest.approx(x[1, 1] ** -2, rel=1e-12)


def test_a_profile_in_float32_is_measured_in_float64_and_made_of_floats():
    rng = np.random.default_rng(11)
    x = (1e4 + rng.normal(size=(100_000, 2))).astype(np.float32)
    network = network_of(Dense(2, 2), Activation(relu), dtype=np.float32)
    row = signal_profile(network, x)[0]
    assert row.mean == pytest.approx(x.mean(dtype=np.float64), rel=1e-12)
    assert row.variance == pytest.approx(x.var(dtype=np.float64), rel=1e-12)
    rows = [*signal_profile(network, x[:9]), *gradient_profile(network, mean_squared_error, x[:9], x[:9])]
    shares = [*dead_units(network, x).values(), *sparsity(network, x).values()]
    numbers = [number for row in rows for number in row[1:]] + shares + [*condition_numbers(network, x).values()]
    assert {type(number) for number in numbers} == {float}


def test_the_training_pass_can_be_profiled_too():
    rng = np.random.default_rng(12)
    network, x = network_of(Dense(4, 6), BatchNorm(6), Dropout(0.5)), rng.normal(3.0, 2.0, (50, 4))
    calm, training = signal_profile(network, x), signal_profile(network, x, training=True)
    assert training[2].variance == pytest.approx(1.0, rel=1e-4)
    assert training[2].mean == pytest.approx(0.0, abs=1e-12)
    assert calm[2].variance != pytest.approx(1.0, rel=0.1)
    assert calm[3].variance == calm[2].variance
    assert training[3].variance > 1.5
    rows = [gradient_profile(network, mean_squared_error, x, np.zeros((50, 6)), **how) for how in HOW]
    assert rows[0] == rows[1] != rows[2]


def test_sparsity_and_condition_numbers_are_those_outside_training():
    network, x = network_of(Dropout(0.5), Dense(3, 2)), np.random.default_rng(12).normal(size=(20, 3))
    assert sparsity(network, x)["0 Dropout"] == 0.0
    numbers = condition_numbers(network, x)
    assert numbers["0 Dropout"] == numbers["input"]


# --- the loss along directions ----------------------------------------------------------------------------------------


def test_the_loss_along_directions_is_the_loss_there():
    network, x, y = tiny()
    rng = np.random.default_rng(13)
    d, e = rng.normal(size=(2, network.theta.size))
    a, b = np.array([-1.0, 0.0, 0.5]), np.array([0.0, 2.0])
    theta = network.theta.copy()
    curve = loss_along(network, softmax_cross_entropy, x, y, d, a)
    surface = loss_along(network, softmax_cross_entropy, x, y, [d, e], (a, b))
    square = loss_along(network, softmax_cross_entropy, x, y, (d, e), a)
    np.testing.assert_array_equal(loss_along(network, softmax_cross_entropy, x, y, (d, e), [a, b]), surface)
    assert curve.shape == (3,)
    assert surface.shape == (3, 2)
    assert square.shape == (3, 3)
    for i in range(3):
        for j in range(2):
            network.theta[...] = theta + a[i] * d + b[j] * e
            here = softmax_cross_entropy(network.forward(x), y)[0]
            assert surface[i, j] == pytest.approx(here, rel=1e-13)
    np.testing.assert_allclose(curve, surface[:, 0], rtol=1e-13)
    np.testing.assert_allclose(square[:, 1], curve, rtol=1e-13)
    np.testing.assert_array_equal(loss_along(network, softmax_cross_entropy, x, y, [d], a).shape, (3,))


def test_the_loss_of_linear_regression_is_a_parabola_along_any_direction():
    rng = np.random.default_rng(14)
    network, x, y = network_of(Dense(3, 1)), rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    d = random_directions(network, 1, rng=rng, normalize="unit")[0]
    losses = loss_along(network, mean_squared_error, x, y, d, np.linspace(-2, 2, 9))
    curvature = d @ hessian_vector_product(network, mean_squared_error, x, y, d)
    np.testing.assert_allclose(np.diff(losses, 2) / 0.25, curvature, rtol=1e-7)


def test_filter_normalization_gives_every_unit_s_direction_the_length_of_its_weights():
    rng = np.random.default_rng(15)
    network = network_of(Conv2D(2, 3, 2), BatchNorm(3), Activation(relu), Flatten(), Dense(12, 4))
    network.layers[4].W.value[:, 1] = 0.0
    directions = random_directions(network, 2, rng=rng)
    assert directions.shape == (2, network.theta.size)
    assert not np.array_equal(directions[0], directions[1])
    theta = network.theta.copy()
    for direction in directions:
        network.theta[...] = direction
        lengths = np.sqrt((network.layers[0].W.value ** 2).sum(axis=(1, 2, 3)))
        columns = np.linalg.norm(network.layers[4].W.value, axis=0)
        still = [network.layers[0].b, network.layers[1].gamma, network.layers[1].beta, network.layers[4].b]
        assert not any(p.value.any() for p in still)
        network.theta[...] = theta
        np.testing.assert_allclose(lengths, np.sqrt((network.layers[0].W.value ** 2).sum(axis=(1, 2, 3))), rtol=1e-12)
        np.testing.assert_allclose(columns, np.linalg.norm(network.layers[4].W.value, axis=0), rtol=1e-12, atol=0)
        assert columns[1] == 0.0
    np.testing.assert_array_equal(normalized(network, np.zeros(network.theta.size), "filter"), 0.0)
    np.testing.assert_allclose(normalized(network, 1e-3 * directions[0], "filter"), directions[0], rtol=1e-12)


def test_filter_normalization_sees_the_same_landscape_for_rescaled_weights_of_the_same_function():
    rng = np.random.default_rng(16)
    network = network_of(Dense(3, 5), Activation(relu), Dense(5, 2))
    x, y = rng.normal(size=(9, 3)), rng.integers(0, 2, 9)
    d, grid = rng.normal(size=network.theta.size), np.linspace(-1.0, 1.0, 5)
    curves = {}
    for scale in (1.0, 10.0):
        network.layers[0].W.value[...] *= scale
        network.layers[2].W.value[...] /= scale
        curves[scale] = {how: loss_along(network, softmax_cross_entropy, x, y, d, grid, normalize=how)
                         for how in ("filter", "unit", None)}  # fmt: skip
    np.testing.assert_allclose(curves[1.0]["filter"], curves[10.0]["filter"], rtol=1e-10)
    assert relative_error(curves[1.0]["unit"], curves[10.0]["unit"]) > 1e-3
    assert relative_error(curves[1.0][None], curves[1.0]["unit"]) > 1e-3


def test_unit_normalization_and_none():
    network, _, _ = tiny()
    direction = np.random.default_rng(17).normal(size=network.theta.size)
    kept = direction.copy()
    np.testing.assert_allclose(normalized(network, direction, "unit"), direction / np.linalg.norm(direction))
    plain = normalized(network, direction, None)
    plain[...] = 0.0
    np.testing.assert_array_equal(direction, kept)
    pair = random_directions(network, 2, rng=np.random.default_rng(18), normalize="unit")
    assert abs(pair[0] @ pair[1]) < 0.5
    single, _, _ = tiny(np.float32)
    assert random_directions(single, 1, rng=np.random.default_rng(18)).dtype == np.float32


def test_a_loss_that_overflows_far_out_is_infinite_there_and_nothing_else_happens():
    network, x, _ = tiny(np.float32)
    d = np.ones(network.theta.size)
    losses = loss_along(network, mean_squared_error, x, np.ones((7, 3)), d, [0.0, 1e25, 1.0])
    assert losses[1] == math.inf
    assert np.isfinite(losses[[0, 2]]).all()
    assert losses.dtype == np.float64


# --- everything is left as it was -------------------------------------------------------------------------------------


def restless():
    """A network with everything that can change: parameters, gradients, running averages, generators."""
    network = network_of(
        Dense(3, 5), BatchNorm(5), Activation(relu), Residual(Dense(5, 5), Dropout(0.3)), Dense(5, 2), dtype=np.float32
    )
    rng = np.random.default_rng(19)
    x, y = rng.normal(size=(12, 3)), rng.integers(0, 2, 12)
    _, dout = softmax_cross_entropy(network.forward(x, training=True), y)
    network.backward(dout)
    return network, x, y


# --- signals in layers of one kind -----------------------------------------------------------------------------------


def test_gains_are_known_where_they_are_known():
    assert math.isclose(gain_of(relu), 2.0, rel_tol=1e-6)
    assert math.isclose(gain_of(activations.identity), 1.0, rel_tol=1e-6)
    assert math.isclose(gain_of(selu), 1.0, rel_tol=1e-6)  # variance 1 and mean 0: the fixed point


def test_matched_weights_have_the_variance_that_keeps_the_signal():
    W = matched_to(relu)(np.random.default_rng(0), (200, 300))
    assert W.var() * 200 == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(("f", "power"), [(relu, 1.0), (activations.square, 2.0), (activations.step, 0.0)])
def test_the_scale_response_of_a_power_is_the_power(f, power):
    assert scale_response(f) == pytest.approx(power, abs=1e-6)


def test_the_scale_response_is_the_slope_of_the_variance_map():
    z = np.linspace(-10, 10, 20_001)
    for f in (gelu, tanh, selu):
        low, high = (np.sum(f(s * z) ** 2 * activations.normal_density(z)) for s in (0.999, 1.001))
        assert scale_response(f) == pytest.approx(math.log(high / low) / math.log(1.001**2 / 0.999**2), rel=1e-4)


def test_the_error_of_propagate_is_that_of_backpropagation():
    x = np.random.default_rng(1).normal(size=(5, 6))
    s = propagate(tanh, x, 1.0, n_layers=3, width=7, rng=np.random.default_rng(0))
    network = mlp((6, 7, 7, 7, 2), tanh, xavier_normal, np.random.default_rng(0), dtype=np.float64)
    rng, a = np.random.default_rng(0), x
    for layer, n_in in zip(network.layers[:6:2], (6, 7, 7)):
        layer.W.value[...] = rng.normal(0.0, math.sqrt(1.0 / n_in), (n_in, 7))
    for layer in network.layers[:6]:
        a = layer.forward(a)
    np.testing.assert_allclose(a, s.outputs[-1])
    da = rng.normal(size=a.shape)
    for layer in reversed(network.layers[:6]):
        da = layer.backward(da)
    assert math.isclose(s.error[0], math.sqrt(np.mean(da**2)), rel_tol=1e-9)
    np.testing.assert_allclose(s.std, [np.std(a) for a in s.outputs])
    np.testing.assert_allclose(s.mean, [np.mean(a) for a in s.outputs])


def test_silent_units_are_silent_for_every_example():
    z = np.array([[-1.0, 1.0, 0.0], [-2.0, -1.0, 0.0]])
    assert silent_fraction(z) == pytest.approx(2 / 3)


def test_pre_activations_are_those_before_each_activation():
    network = mlp((64, 5, 4, 10), PReLU, he_normal, np.random.default_rng(0), dtype=np.float64)
    x = np.random.default_rng(1).normal(size=(3, 64))
    first, second = pre_activations(network, x)
    np.testing.assert_array_equal(first, network.layers[0].forward(x))
    np.testing.assert_array_equal(second, network.layers[2].forward(network.layers[1].forward(first)))


LOOKS = {
    "signal_profile": lambda n, x, y: signal_profile(n, x, training=True),
    "gradient_profile": lambda n, x, y: gradient_profile(n, softmax_cross_entropy, x, y, training=True),
    "dead_units": lambda n, x, y: dead_units(n, x),
    "sparsity": lambda n, x, y: sparsity(n, x),
    "pre_activations": lambda n, x, y: pre_activations(n, x),
    "condition_numbers": lambda n, x, y: condition_numbers(n, x),
    "hessian_vector_product": lambda n, x, y: hessian_vector_product(
        n, softmax_cross_entropy, x, y, np.ones(n.theta.size)
    ),
    "sharpness": lambda n, x, y: sharpness(n, softmax_cross_entropy, x, y, rng=np.random.default_rng(0), iterations=3),
    "random_directions": lambda n, x, y: random_directions(n, 2, rng=np.random.default_rng(0)),
    "loss_along": lambda n, x, y: loss_along(n, softmax_cross_entropy, x, y, np.ones(n.theta.size), [-1.0, 2.0]),
}


def state(network):
    dropout = network.layers[3].layers[1]
    arrays = [network.theta, network.grad, *network.all_statistics()]
    return [array.tobytes() for array in arrays], dropout.rng.bit_generator.state


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_inside_leaves_the_network_as_it_was_to_the_last_bit(name):
    network, x, y = restless()
    before, kept_x = state(network), x.copy()
    first = LOOKS[name](network, x, y)
    assert state(network) == before
    np.testing.assert_array_equal(x, kept_x)
    np.testing.assert_equal(LOOKS[name](network, x, y), first)


class Interrupted:
    """A loss that is broken off at its n-th call."""

    def __init__(self, n):
        self.n_left = n

    def __call__(self, output, target):
        self.n_left -= 1
        if not self.n_left:
            raise KeyboardInterrupt
        return softmax_cross_entropy(output, target)


@pytest.mark.parametrize(
    "look",
    [
        lambda n, x, y: gradient_profile(n, Interrupted(1), x, y, training=True),
        lambda n, x, y: hessian_vector_product(n, Interrupted(2), x, y, np.ones(n.theta.size)),
        lambda n, x, y: sharpness(n, Interrupted(5), x, y, rng=np.random.default_rng(0), iterations=9),
        lambda n, x, y: loss_along(n, Interrupted(2), x, y, np.ones(n.theta.size), [1.0, 2.0]),
    ],
    ids=["gradient_profile", "hessian_vector_product", "sharpness", "loss_along"],
)
def test_an_interrupted_look_leaves_the_network_as_it_was(look):
    network, x, y = restless()
    before = state(network)
    with pytest.raises(KeyboardInterrupt):
        look(network, x, y)
    assert state(network) == before


# --- doors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda n, x, y: signal_profile(Dense(3, 4), x),
            TypeError,
            r"Sequential\(\.\.\., rng=rng\), got Dense\(3, 4\)",
        ),
        (
            lambda n, x, y: sparsity(Dense(3, 4).initialize(np.random.default_rng(0)), x),
            TypeError,
            r"takes a Sequential",
        ),
        (lambda n, x, y: signal_profile(Sequential(Dense(3, 4)), x), TypeError, "rng=rng"),
        (lambda n, x, y: signal_profile(n, x[:, :2]), ValueError, r"\(N, 3\), got \(7, 2\)"),
        (lambda n, x, y: dead_units(n, x), ValueError, r"Activation\(relu\)"),
        (
            lambda n, x, y: hessian_vector_product(n, softmax_cross_entropy, x, y, np.ones(3)),
            ValueError,
            r"vector like theta, \(31,\)",
        ),
        (
            lambda n, x, y: hessian_vector_product(n, softmax_cross_entropy, x, y, n.theta.astype(complex)),
            ValueError,
            "complex",
        ),
        (
            lambda n, x, y: hessian_vector_product(n, softmax_cross_entropy, x, y, n.theta, eps=0.0),
            ValueError,
            "positive number, got 0.0",
        ),
        (
            lambda n, x, y: hessian_vector_product(n, softmax_cross_entropy, x, y, n.theta, eps=math.inf),
            ValueError,
            "positive number, got inf",
        ),
        (lambda n, x, y: lanczos(lambda q: q, 0, rng=np.random.default_rng(0), iterations=1), ValueError, "one dimen"),
        (
            lambda n, x, y: lanczos(lambda q: np.append(q[1:], np.inf), 3, rng=np.random.default_rng(0), iterations=1),
            ArithmeticError,
            "not finite",
        ),
        (lambda n, x, y: lanczos(lambda q: q, 3, rng=np.random.default_rng(0), iterations=0), ValueError, "one iter"),
        (lambda n, x, y: lanczos(lambda q: q, 3, rng=7, iterations=1), TypeError, "default_rng"),
        (
            lambda n, x, y: lanczos(lambda q: q * np.nan, 3, rng=np.random.default_rng(0), iterations=2),
            ArithmeticError,
            "product 0 of lanczos is not finite",
        ),
        (lambda n, x, y: normalized(n, n.theta, "layer"), ValueError, '"filter", "unit" or None, got \'layer\''),
        (lambda n, x, y: normalized(n, 0.0 * n.theta, "unit"), ValueError, "length 0"),
        (lambda n, x, y: random_directions(n, 0, rng=np.random.default_rng(0)), ValueError, "one direction, got n=0"),
        (lambda n, x, y: random_directions(n, 1, rng=None), TypeError, "default_rng"),
        (
            lambda n, x, y: loss_along(n, softmax_cross_entropy, x, y, np.ones((3, 31)), [0.0]),
            ValueError,
            "one or two directions, got 3",
        ),
        (lambda n, x, y: loss_along(n, softmax_cross_entropy, x, y, n.theta, []), ValueError, r"1 direction take"),
        (
            lambda n, x, y: loss_along(n, softmax_cross_entropy, x, y, [n.theta, n.theta], ([0.0],)),
            ValueError,
            r"2 directions take a grid \(A,\) or a pair",
        ),
        (
            lambda n, x, y: loss_along(n, softmax_cross_entropy, x, y, n.theta, ([0.0], [1.0])),
            ValueError,
            "1 direction",
        ),
        (
            lambda n, x, y: loss_along(n, softmax_cross_entropy, x, y, [n.theta, n.theta], [[0.0, 1.0], []]),
            ValueError,
            r"shapes \[\(2,\), \(0,\)\]",
        ),
        (
            lambda n, x, y: loss_along(n, softmax_cross_entropy, x, y, n.theta, np.zeros((2, 2))),
            ValueError,
            r"shapes \[\(2, 2\)\]",
        ),
    ],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text):
    with pytest.raises(error, match=text):
        call(*tiny())


def test_everything_public_stands_in_the_list_of_looks():
    public = {
        name
        for name, thing in vars(diagnostics).items()
        if getattr(thing, "__module__", "") == diagnostics.__name__ and not name.startswith("_") and callable(thing)
    }
    no_look = {"Signal", "GradientNorms", "Spectrum", "Propagation", "lanczos", "normalized", "untouched"}
    of_an_activation = {"gain_of", "scale_response", "matched_to", "propagate", "silent_fraction"}
    assert public - no_look - of_an_activation == set(LOOKS)
