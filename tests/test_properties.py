"""Laws over random shapes and numbers: shape, dtype, broadcasting, symmetry, linearity, scale, order, definition.

Hypothesis draws the shapes and a seed, NumPy the numbers; every run draws the same (``derandomize``).
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import ACTIVATIONS, LAYERS, LOSSES, OPTIMIZERS

from nnlib import activations, initializers, losses, optimizers, schedules
from nnlib.autodiff import Value
from nnlib.gradcheck import directional_check, numerical_gradient, relative_error
from nnlib.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    AngularDense,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Embedding,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MaxPool2D,
    RMSNorm,
)
from nnlib.metrics import accuracy
from nnlib.network import Sequential

law = settings(max_examples=12)
rngs = st.integers(0, 2**32 - 1).map(np.random.default_rng)
sizes = st.integers(1, 7)
dtypes = st.sampled_from([np.float32, np.float64])
shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)
elementwise = pytest.mark.parametrize("f", [pytest.param(row.f, id=row.name) for row in ACTIVATIONS])


def made(layer, rng, dtype=np.float64):
    """The layer with memory, its parameters moved away from special values."""
    layer.initialize(rng, dtype)
    layer.theta += (0.3 * rng.normal(size=layer.theta.size)).astype(dtype)
    return layer


# --- activations ------------------------------------------------------------------------------------------------------


@elementwise
@given(rng=rngs, shape=shapes, dtype=dtypes)
@law
def test_an_activation_keeps_any_shape_and_dtype(f, rng, shape, dtype):
    z = np.asarray(3.0 * rng.normal(size=shape), dtype)
    for result in (f(z), f.derivative(z)):
        assert np.shape(result) == shape
        assert result.dtype == dtype


@elementwise
@given(rng=rngs, rows=sizes, columns=sizes, step=st.integers(1, 3), dtype=dtypes)
@law
def test_an_activation_sees_each_number_alone_wherever_it_lies_in_memory(f, rng, rows, columns, step, dtype):
    z = np.asarray(3.0 * rng.normal(size=(rows * step, columns)), dtype)[::step].T
    apart = np.array([[f(number) for number in row] for row in z])
    np.testing.assert_allclose(f(z), apart, rtol=2e-6 if dtype == np.float32 else 1e-14)
    slopes = np.array([[f.derivative(number) for number in row] for row in z])
    np.testing.assert_allclose(f.derivative(z), slopes, rtol=1e-5 if dtype == np.float32 else 1e-14, atol=1e-7)
    out = np.empty((columns * 2, rows), dtype)[::2]
    assert f(z, out=out) is out
    np.testing.assert_array_equal(out, f(z))


@given(rng=rngs, size=sizes, dtype=dtypes)
@law
def test_activations_have_their_symmetries(rng, size, dtype):
    z = (4.0 * rng.normal(size=size)).astype(dtype)
    atol = 2e-6 if dtype == np.float32 else 1e-13
    for row in ACTIVATIONS:
        f = row.f
        if row.center is not None:
            np.testing.assert_allclose(f(z) + f(-z), 2.0 * row.center, atol=atol, err_msg=row.name)
            np.testing.assert_allclose(f.derivative(z), f.derivative(-z), atol=atol, err_msg=row.name)
        if row.gated:  # z gate(z), and what the gate keeps back at z it lets through at -z
            np.testing.assert_allclose(f(z) - f(-z), z, atol=atol, rtol=1e-6, err_msg=row.name)
    for slope in (0.0, 0.3, 1.7):
        f = activations.leaky_relu(slope)
        np.testing.assert_allclose(f(3.0 * z), 3.0 * f(z), rtol=1e-6)


@pytest.mark.parametrize("f", [pytest.param(row.f, id=row.name) for row in ACTIVATIONS if row.monotone])
@given(rng=rngs, size=sizes, dtype=dtypes)
@law
def test_a_monotone_activation_never_falls(f, rng, size, dtype):
    z = np.sort(5.0 * rng.normal(size=size + 1)).astype(dtype)
    assert (np.diff(f(z)) >= 0.0).all()
    assert (f.derivative(z) >= 0.0).all()


@given(rng=rngs, shape=st.lists(sizes, min_size=1, max_size=3), data=st.data(), dtype=dtypes)
@law
def test_softmax_is_a_distribution_that_keeps_order_and_ignores_shifts(rng, shape, data, dtype):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    z = (5.0 * rng.normal(size=shape)).astype(dtype)
    p, log_p = activations.softmax(z, axis), activations.log_softmax(z, axis)
    near = {"rtol": 1e-4, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-15}
    assert p.dtype == log_p.dtype == dtype
    assert p.shape == log_p.shape == z.shape
    np.testing.assert_allclose(p.sum(axis=axis), 1.0, rtol=1e-5 if dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(np.exp(log_p), p, **near)
    np.testing.assert_allclose(activations.softmax(z + dtype(2.5), axis), p, **near)
    np.testing.assert_array_equal(np.argsort(z, axis), np.argsort(log_p, axis, kind="stable"))
    moved = np.moveaxis(activations.softmax(np.moveaxis(z, axis, -1)), -1, axis)
    np.testing.assert_allclose(moved, p, **near)
    out = np.empty_like(z)
    assert activations.softmax(z, axis, out=out) is out
    np.testing.assert_array_equal(out, p)
    assert activations.log_softmax(z, axis, out=out) is out
    np.testing.assert_array_equal(out, log_p)


@given(rng=rngs, n=sizes, k=sizes)
@law
def test_softmax_backward_is_linear_and_has_nothing_along_a_common_shift(rng, n, k):
    z, u, v = rng.normal(size=(3, n, k))
    for forward, back in (
        (activations.softmax, activations.softmax_backward),
        (activations.log_softmax, activations.log_softmax_backward),
    ):
        out = forward(z)
        np.testing.assert_allclose(back(u, out).sum(axis=1), 0.0, atol=1e-13)
        np.testing.assert_allclose(back(2.0 * u - v, out), 2.0 * back(u, out) - back(v, out), atol=1e-13)
    p = activations.softmax(z)
    jacobian = np.array([np.diag(row) - np.outer(row, row) for row in p])
    np.testing.assert_allclose(activations.softmax_backward(u, p), np.einsum("nij,nj->ni", jacobian, u), atol=1e-14)


# --- layers -----------------------------------------------------------------------------------------------------------


@given(rng=rngs, n=sizes, n_in=sizes, n_out=sizes, dtype=dtypes)
@law
def test_dense_is_its_definition_and_its_gradients_are_sums_over_the_batch(rng, n, n_in, n_out, dtype):
    layer = made(Dense(n_in, n_out), rng, dtype)
    W, b = layer.W.value.astype(np.float64), layer.b.value.astype(np.float64)
    x, dout = rng.normal(size=(n, n_in)), rng.normal(size=(n, n_out))
    near = {"rtol": 1e-3, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-13}
    out = layer.forward(x)
    dx = layer.backward(dout)
    for i, j in itertools.product(range(n), range(n_out)):
        np.testing.assert_allclose(out[i, j], sum(x[i, k] * W[k, j] for k in range(n_in)) + b[j], **near)
    for i, k in itertools.product(range(n), range(n_in)):
        np.testing.assert_allclose(dx[i, k], sum(dout[i, j] * W[k, j] for j in range(n_out)), **near)
    for k, j in itertools.product(range(n_in), range(n_out)):
        np.testing.assert_allclose(layer.W.grad[k, j], sum(x[i, k] * dout[i, j] for i in range(n)), **near)
    np.testing.assert_allclose(layer.b.grad, dout.sum(axis=0), **near)
    assert out.dtype == dx.dtype == dtype


# Whatever has no memory of a batch has a gradient that is the sum over its parts.
LEARNING = [pytest.param(row.make, row.shape, id=row.name) for row in LAYERS if row.make().parameters]


@pytest.mark.parametrize(("make", "shape"), LEARNING)
@given(rng=rngs, n=sizes, m=sizes)
@law
def test_the_gradient_of_a_batch_is_the_sum_over_its_parts_and_linear(make, shape, rng, n, m):
    layer = made(make(), rng)
    x = rng.normal(size=(n + m, *shape))
    dout = rng.normal(size=layer.forward(x).shape)
    layer.forward(x)
    dx, gradient = layer.backward(dout).copy(), layer.grad.copy()
    np.testing.assert_allclose(layer.backward(-3.0 * dout), -3.0 * dx, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(layer.grad, -3.0 * gradient, rtol=1e-10, atol=1e-12)
    total, parts = np.zeros_like(gradient), []
    for rows in (slice(None, n), slice(n, None)):
        layer.forward(x[rows])
        parts.append(layer.backward(dout[rows]).copy())
        total += layer.grad
    np.testing.assert_allclose(np.concatenate(parts), dx, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(total, gradient, rtol=1e-10, atol=1e-12)


# out(c x) = c out(x) for c > 0 where the biases are 0; then out . dout = x . dx = W . dW (Euler's theorem)
HOMOGENEOUS = [pytest.param(row.make, row.shape, id=row.name) for row in LAYERS if row.homogeneous]


@pytest.mark.parametrize(("make", "shape"), HOMOGENEOUS)
@given(rng=rngs, n=sizes)
@law
def test_a_homogeneous_layer_obeys_euler(make, shape, rng, n):
    layer = made(make(), rng)
    if hasattr(layer, "b"):
        layer.b.value[...] = 0.0
    x = rng.normal(size=(n, *shape))
    out = layer.forward(x).copy()
    dout = rng.normal(size=out.shape)
    dx = layer.backward(dout).copy()
    assert np.vdot(out, dout) == pytest.approx(np.vdot(x, dx), rel=1e-10, abs=1e-11)
    if hasattr(layer, "W"):
        assert np.vdot(out, dout) == pytest.approx(np.vdot(layer.W.value, layer.W.grad), rel=1e-10, abs=1e-11)
    np.testing.assert_allclose(layer.forward(2.5 * x), 2.5 * out, rtol=1e-12, atol=1e-14)  # sums may cancel


@given(
    rng=rngs,
    n=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    image=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dtype=dtypes,
)
@law
def test_conv2d_is_its_definition_loop_by_loop(rng, n, channels, image, window, stride, padding, dtype):
    if min(image[0] + 2 * padding - window[0], image[1] + 2 * padding - window[1]) < 0:
        with pytest.raises(ValueError, match="takes x of shape"):
            made(Conv2D(*channels, window, stride, padding), rng).forward(np.ones((n, channels[0], *image)))
        return
    layer = made(Conv2D(*channels, window, stride, padding), rng, dtype)
    x = rng.normal(size=(n, channels[0], *image))
    out = layer.forward(x)
    dout = rng.normal(size=out.shape)
    dx = layer.backward(dout)
    rows, columns = ((image[k] + 2 * padding - window[k]) // stride + 1 for k in (0, 1))
    assert out.shape == (n, channels[1], rows, columns)
    assert out.dtype == dx.dtype == dtype
    W, wanted = layer.W.value, np.zeros(out.shape)
    wanted_dx, wanted_dW = np.zeros(x.shape), np.zeros(W.shape)
    wanted += layer.b.value[:, None, None]
    for o, c, i, j, u, v in itertools.product(*map(range, (*channels[::-1], rows, columns, *window))):
        r, s = stride * i + u - padding, stride * j + v - padding
        if 0 <= r < image[0] and 0 <= s < image[1]:
            wanted[:, o, i, j] += W[o, c, u, v] * x[:, c, r, s]
            wanted_dx[:, c, r, s] += W[o, c, u, v] * dout[:, o, i, j]
            wanted_dW[o, c, u, v] += x[:, c, r, s] @ dout[:, o, i, j]
    near = {"rtol": 1e-3, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(out, wanted, **near)
    np.testing.assert_allclose(dx, wanted_dx, **near)
    np.testing.assert_allclose(layer.W.grad, wanted_dW, **near)
    np.testing.assert_allclose(layer.b.grad, dout.sum(axis=(0, 2, 3)), **near)


@given(rng=rngs, n=st.integers(1, 3), image=st.tuples(st.integers(3, 7), st.integers(3, 7)), size=st.integers(1, 3))
@law
def test_pooling_is_its_definition_loop_by_loop(rng, n, image, size):
    x = rng.integers(0, 4, (n, 2, *image)).astype(float)  # small whole numbers: many ties
    top, mean = made(MaxPool2D(size), rng), made(AveragePool2D(size), rng)
    rows, columns = image[0] // size, image[1] // size
    highest, middle = top.forward(x).copy(), mean.forward(x).copy()
    assert highest.shape == middle.shape == (n, 2, rows, columns)
    dout = rng.normal(size=highest.shape)
    dtop, dmean = np.zeros(x.shape), np.zeros(x.shape)
    for k, c, i, j in itertools.product(range(n), range(2), range(rows), range(columns)):
        window = (k, c, slice(size * i, size * i + size), slice(size * j, size * j + size))
        assert highest[k, c, i, j] == x[window].max()
        assert middle[k, c, i, j] == pytest.approx(x[window].mean(), rel=1e-14)
        dmean[window] += dout[k, c, i, j] / size**2
        first = np.unravel_index(np.argmax(x[window]), (size, size))
        dtop[window][first] += dout[k, c, i, j]
    np.testing.assert_allclose(top.backward(dout), dtop, rtol=1e-14)
    np.testing.assert_allclose(mean.backward(dout), dmean, rtol=1e-13)


# norm: what makes it for n channels, the axes of (N, C, H, W) that share a mean, after the channels are cut into pieces
NORMS = {
    "BatchNorm": (lambda: BatchNorm(4), lambda x: x.transpose(1, 0, 2, 3).reshape(4, -1)),
    "GroupNorm": (lambda: GroupNorm(2, 4), lambda x: x.reshape(2 * len(x), -1)),
    "GroupNorm, one group": (lambda: GroupNorm(1, 4), lambda x: x.reshape(len(x), -1)),
    "InstanceNorm": (lambda: InstanceNorm(4), lambda x: x.reshape(4 * len(x), -1)),
}


@pytest.mark.parametrize(("make", "together"), NORMS.values(), ids=NORMS)
@given(rng=rngs, n=st.integers(2, 5), height=st.integers(2, 4), width=sizes)
@law
def test_a_norm_gives_mean_0_and_variance_1_and_ignores_shift_and_scale(make, together, rng, n, height, width):
    layer = make().initialize(rng, np.float64)
    x = rng.normal(2.0, 3.0, (n, 4, height, width))
    out = layer.forward(x, training=True).copy()
    variance = together(x).var(axis=1)
    np.testing.assert_allclose(together(out).mean(axis=1), 0.0, atol=1e-10)
    np.testing.assert_allclose(together(out).var(axis=1), variance / (variance + 1e-5), rtol=1e-9)
    np.testing.assert_allclose(layer.forward(x + 7.0, training=True), out, atol=1e-9)
    dout = rng.normal(size=out.shape)
    layer.forward(x, training=True)
    dx = together(layer.backward(dout))
    centered = together(x) - together(x).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(dx.sum(axis=1), 0.0, atol=1e-10)  # a shift changes nothing
    # nor does a scale, but for eps
    left = (together(dout) * together(out)).sum(axis=1) * 1e-5 / (variance + 1e-5)
    np.testing.assert_allclose((dx * centered).sum(axis=1), left, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(layer.gamma.grad, (dout * out).sum(axis=(0, 2, 3)), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(layer.beta.grad, dout.sum(axis=(0, 2, 3)), rtol=1e-9, atol=1e-10)


@given(rng=rngs, n=sizes, steps=sizes, d=st.integers(2, 6))
@law
def test_layernorm_normalizes_the_last_axis_whatever_stands_before_it(rng, n, steps, d):
    for layer in (LayerNorm(d), RMSNorm(d)):
        layer.initialize(rng, np.float64)
        layer.theta += 0.3 * rng.normal(size=layer.theta.size)
        x, dout = rng.normal(1.0, 2.0, (2, n, steps, d))
        out = layer.forward(x).copy()
        dx, gradient = layer.backward(dout).copy(), layer.grad.copy()
        x_hat = (x - x.mean(axis=-1, keepdims=True) * isinstance(layer, LayerNorm)) * layer.gamma.value
        beta = layer.beta.value if isinstance(layer, LayerNorm) else 0.0
        root = np.sqrt(np.square(x_hat / layer.gamma.value).mean(axis=-1, keepdims=True) + 1e-5)
        np.testing.assert_allclose(out, x_hat / root + beta, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(layer.forward(x.reshape(-1, d)), out.reshape(-1, d), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(layer.backward(dout.reshape(-1, d)), dx.reshape(-1, d), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(layer.grad, gradient, rtol=1e-12, atol=1e-13)


@given(rng=rngs, n=sizes, d=st.integers(2, 6))
@law
def test_rmsnorm_has_mean_square_1_and_ignores_the_scale(rng, n, d):
    layer = RMSNorm(d).initialize(rng, np.float64)
    x = rng.normal(2.0, 3.0, (n, d))
    power = np.square(x).mean(axis=1)
    out = layer.forward(x).copy()
    np.testing.assert_allclose(np.square(out).mean(axis=1), power / (power + 1e-5), rtol=1e-10)
    np.testing.assert_allclose(out, x / np.sqrt(power + 1e-5)[:, None], rtol=1e-12)


@given(rng=rngs, n=st.integers(1, 6), d=st.integers(1, 5), shape=st.lists(sizes, max_size=2))
@law
def test_an_embedding_is_a_dense_layer_on_one_hot_rows(rng, n, d, shape):
    layer = made(Embedding(n, d), rng)
    tokens = rng.integers(0, n, (2, *shape))
    rows = losses.one_hot(tokens.reshape(-1), n)
    dout = rng.normal(size=(*tokens.shape, d))
    np.testing.assert_allclose(layer.forward(tokens).reshape(-1, d), rows @ layer.W.value, rtol=1e-14)
    layer.backward(dout)
    np.testing.assert_allclose(layer.W.grad, rows.T @ dout.reshape(-1, d), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
@given(rng=rngs, steps=st.integers(2, 6), n=st.integers(1, 4), cut=st.data(), dtype=dtypes)
@law
def test_a_recurrent_layer_carries_its_state_over_any_cut_in_both_directions(kind, rng, steps, n, cut, dtype):
    layer = made(kind(2, 3), rng, dtype)
    at = cut.draw(st.integers(1, steps - 1))
    x, dout = rng.normal(size=(n, steps, 2)), rng.normal(size=(n, steps, 3))
    near = {"rtol": 1e-3, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-12}
    whole = layer.forward(x).copy()
    dx = layer.backward(dout).copy()
    order = rng.permutation(n)
    np.testing.assert_allclose(layer.forward(x[order]), whole[order], **near)
    first = layer.forward(x[:, :at]).copy()
    state = layer.final
    second = layer.forward(x[:, at:], initial=state).copy()
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, **near)
    assert whole.dtype == dx.dtype == dtype
    np.testing.assert_allclose(
        layer.backward(dout[:, at:]), dx[:, at:], **near
    )  # the last part does not know of the first


@given(rng=rngs, widths=st.lists(st.integers(1, 6), min_size=2, max_size=4), n=sizes)
@law
def test_the_gradient_of_any_network_is_its_slope_along_any_direction(rng, widths, n):
    parts = [[Dense(a, b), Activation(activations.tanh)] for a, b in itertools.pairwise(widths)]
    network = Sequential(*itertools.chain(*parts), Dense(widths[-1], 3), rng=rng, dtype=np.float64)
    x, y = rng.normal(size=(n, widths[0])), rng.integers(0, 3, n)
    numeric, analytic = directional_check(network, losses.softmax_cross_entropy, x, y, rng=rng)
    assert analytic == pytest.approx(numeric, rel=1e-6, abs=1e-9)


# --- losses -----------------------------------------------------------------------------------------------------------

ON_ROWS = [row for row in LOSSES if row.k is None and row.group == 1]  # one target a row, any number of outputs


@pytest.mark.parametrize(("loss", "targets"), [pytest.param(row.loss, row.targets, id=row.name) for row in ON_ROWS])
@given(rng=rngs, n=sizes, k=sizes, dtype=dtypes)
@law
def test_a_loss_ignores_the_order_of_the_batch_and_copies_of_it(loss, targets, rng, n, k, dtype):
    output, target = rng.normal(size=(n, k)).astype(dtype), targets(rng, n, k)
    value, gradient = loss(output, target)
    near = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-13}
    assert isinstance(value, float)
    assert value >= -near["atol"]
    assert gradient.shape == output.shape
    assert gradient.dtype == dtype
    order = rng.permutation(n)
    shuffled, shuffled_gradient = loss(output[order], target[order])
    assert shuffled == pytest.approx(value, rel=near["rtol"], abs=near["atol"])
    np.testing.assert_allclose(shuffled_gradient, gradient[order], **near)
    thrice, thrice_gradient = loss(np.concatenate([output] * 3), np.concatenate([target] * 3))
    assert thrice == pytest.approx(value, rel=near["rtol"], abs=near["atol"])
    np.testing.assert_allclose(thrice_gradient[:n], gradient / 3.0, **near)


@pytest.mark.parametrize(
    ("loss", "targets"), [pytest.param(row.loss, row.targets, id=row.name) for row in ON_ROWS if row.shift]
)
@given(rng=rngs, n=sizes, k=sizes)
@law
def test_a_loss_on_logits_ignores_their_common_shift(loss, targets, rng, n, k):
    output, target = rng.normal(size=(n, k)), targets(rng, n, k)
    value, gradient = loss(output, target)
    assert loss(output + rng.normal(size=(n, 1)), target)[0] == pytest.approx(value, rel=1e-11, abs=1e-13)
    np.testing.assert_allclose(gradient.sum(axis=1), 0.0, atol=1e-14)


@given(rng=rngs, n=sizes, k=sizes, d=sizes, margin=st.integers(1, 5), ease=st.floats(0.0, 10.0))
@law
def test_a_margin_never_makes_the_loss_smaller_and_ease_lies_between(rng, n, k, d, margin, ease):
    layer = made(AngularDense(d, k), rng)
    output, target = layer.forward(rng.normal(size=(n, d))).copy(), rng.integers(0, k, n)
    assert (output.argmax(axis=1) < k).all(), "the predicted class stands in the first half"
    plain, _ = losses.softmax_cross_entropy(output[:, :k], target)
    harder, _ = losses.large_margin_softmax(output, target, margin=margin)
    eased, _ = losses.large_margin_softmax(output, target, margin=margin, ease=ease)
    assert plain - 1e-12 <= eased <= harder + 1e-12
    assert harder <= losses.large_margin_softmax(output, target, margin=margin + 1)[0] + 1e-12
    order = rng.permutation(n)
    assert losses.large_margin_softmax(output[order], target[order], margin=margin)[0] == pytest.approx(harder)


@given(rng=rngs, n=sizes, k=sizes, factor=st.floats(0.1, 10.0))
@law
def test_losses_of_regression_scale_as_their_units(rng, n, k, factor):
    output, target = rng.normal(size=(2, n, k))
    for loss, power in ((losses.mean_squared_error, 2), (losses.mean_absolute_error, 1)):
        (value, gradient), (scaled, scaled_gradient) = loss(output, target), loss(factor * output, factor * target)
        assert scaled == pytest.approx(factor**power * value, rel=1e-12)
        np.testing.assert_allclose(scaled_gradient, factor ** (power - 1) * gradient, rtol=1e-11)
    narrow, wide = losses.huber(output, target, delta=0.5)[0], losses.huber(delta=0.5 * factor)
    assert wide(factor * output, factor * target)[0] == pytest.approx(factor**2 * narrow, rel=1e-12)
    half_square = losses.huber(output, target, delta=100.0)
    assert half_square[0] == pytest.approx(losses.mean_squared_error(output, target)[0] / 2.0, rel=1e-12)


@given(rng=rngs, n=sizes, k=st.integers(2, 5), factor=st.floats(0.1, 10.0))
@law
def test_equal_class_weights_are_none_and_a_common_factor_cancels(rng, n, k, factor):
    output, target, weights = rng.normal(size=(n, k)), rng.integers(0, k, n), rng.random(k) + 0.1
    value, gradient = losses.softmax_cross_entropy(output, target, weights=np.full(k, factor))
    plain, plain_gradient = losses.softmax_cross_entropy(output, target)
    assert value == pytest.approx(plain, rel=1e-12)
    np.testing.assert_allclose(gradient, plain_gradient, rtol=1e-10, atol=1e-15)
    value, gradient = losses.softmax_cross_entropy(output, target, weights=weights)
    scaled, scaled_gradient = losses.softmax_cross_entropy(output, target, weights=factor * weights)
    assert scaled == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(scaled_gradient, gradient, rtol=1e-10, atol=1e-15)


# --- optimizers and schedules -----------------------------------------------------------------------------------------


def walk(make, theta, gradients):
    """Where an optimizer is after these gradients."""
    optimizer, theta = make(), theta.copy()
    for gradient in gradients:
        optimizer.step(theta, gradient)
    return theta


@pytest.mark.parametrize(
    "make", [pytest.param(row.tiny_eps, id=row.name) for row in OPTIMIZERS if row.step == "scaled"]
)
@given(rng=rngs, size=sizes, steps=sizes, power=st.integers(-40, 40))
@law
def test_an_adaptive_step_does_not_depend_on_the_scale_of_the_gradient(make, rng, size, steps, power):
    theta, gradients = rng.normal(size=size), rng.normal(size=(steps, size))
    scaled = walk(make, theta, 2.0**power * gradients)
    np.testing.assert_allclose(scaled, walk(make, theta, gradients), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [pytest.param(row.make, id=row.name) for row in OPTIMIZERS if row.step == "linear"])
@given(rng=rngs, size=sizes, steps=sizes, factor=st.floats(-3.0, 3.0))
@law
def test_a_linear_step_is_linear_in_the_gradients(make, rng, size, steps, factor):
    theta, (first, second) = rng.normal(size=size), rng.normal(size=(2, steps, size))
    moved = [walk(make, theta, g) - theta for g in (first, second, factor * first + second)]
    np.testing.assert_allclose(moved[2], factor * moved[0] + moved[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in OPTIMIZERS])
@given(rng=rngs, size=sizes, steps=sizes)
@law
def test_a_step_sees_each_number_alone_and_mirrors_the_gradient(row, rng, size, steps):
    make, theta, gradients = row.make, rng.normal(size=size), rng.normal(size=(steps, size))
    end, order = walk(make, theta, gradients), rng.permutation(size)
    np.testing.assert_array_equal(walk(make, theta[order], gradients[:, order]), end[order])
    np.testing.assert_allclose(walk(make, -theta, -gradients), -end, rtol=1e-13)
    if not row.sees_theta:
        np.testing.assert_allclose(walk(make, theta + 3.0, gradients), end + 3.0, rtol=1e-11, atol=1e-12)


@given(rng=rngs, size=sizes, steps=sizes)
@law
def test_optimizers_agree_where_they_meet(rng, size, steps):
    theta, gradients = rng.normal(size=size), rng.normal(size=(steps, size))
    sgd = walk(lambda: optimizers.SGD(0.1), theta, gradients)
    for same in (lambda: optimizers.Momentum(0.1, 0.0), lambda: optimizers.Nesterov(0.1, 0.0)):
        np.testing.assert_allclose(walk(same, theta, gradients), sgd, rtol=1e-13)
    adam = walk(optimizers.Adam, theta, gradients)
    np.testing.assert_allclose(walk(lambda: optimizers.AdamW(decay=0.0), theta, gradients), adam, rtol=1e-13)
    growing = gradients * 10.0 ** np.arange(steps)[:, None]
    np.testing.assert_allclose(
        walk(optimizers.AMSGrad, theta, growing), walk(optimizers.Adam, theta, growing), rtol=1e-9
    )


@given(rng=rngs, size=sizes, limit=st.floats(0.01, 10.0), dtype=dtypes)
@law
def test_clipping_shortens_to_the_limit_once(rng, size, limit, dtype):
    grad = rng.normal(size=size).astype(dtype)
    clipped, norm = grad.copy(), float(np.linalg.norm(grad))
    assert optimizers.clip_by_norm(clipped, limit) == pytest.approx(norm, rel=1e-5)
    assert np.linalg.norm(clipped) == pytest.approx(min(norm, limit), rel=1e-5)
    np.testing.assert_allclose(clipped * norm, grad * np.linalg.norm(clipped), rtol=1e-4, atol=1e-6)
    again = clipped.copy()
    optimizers.clip_by_norm(again, limit * (1.0 + 1e-6))
    np.testing.assert_array_equal(again, clipped)


@given(rate=st.floats(1e-4, 10.0), steps=st.integers(2, 50))
@law
def test_schedules_stay_between_their_ends(rate, steps):
    falling = (
        schedules.inverse_time(rate, 0.1),
        schedules.exponential(rate, 0.9),
        schedules.step_decay(rate, 0.5, every=3),
        schedules.cosine(rate, steps, final=rate / 10.0),
    )
    for schedule in falling:
        rates = [schedule(step) for step in range(steps + 3)]
        assert rates[0] == pytest.approx(rate, rel=1e-12)
        assert all(a >= b > 0.0 for a, b in itertools.pairwise(rates))
    assert rates[-1] == rates[-3] == pytest.approx(rate / 10.0)
    risen = [schedules.warmup(falling[1], steps)(step) for step in range(steps + 3)]
    np.testing.assert_allclose(risen, [falling[1](k) * min(1.0, (k + 1) / steps) for k in range(steps + 3)], rtol=1e-12)
    cycle = [schedules.one_cycle(rate, steps, rise=0.5)(step) for step in range(steps + 3)]
    top = int(np.argmax(cycle))
    assert all(a <= b for a, b in itertools.pairwise(cycle[: top + 1]))
    assert all(a >= b for a, b in itertools.pairwise(cycle[top:]))
    assert cycle[-1] == pytest.approx(rate / 25.0 / 1e4)
    assert 0.0 < min(cycle) <= max(cycle) <= rate * (1.0 + 1e-12)


# --- initializers, metrics, gradient checks, autodiff -----------------------------------------------------------------


@given(rng=rngs, n_in=sizes, n_out=sizes)
@law
def test_uniform_initializers_stay_within_their_bounds(rng, n_in, n_out):
    for shape, (fan_in, fan_out) in (
        ((n_in, n_out), (n_in, n_out)),
        ((3, n_in, n_out), (n_in, n_out)),
        ((n_out, n_in, 3, 2), (6 * n_in, 6 * n_out)),
    ):
        assert initializers.fans(shape) == (fan_in, fan_out)
        for init, variance in (
            (initializers.lecun_uniform, 1.0 / fan_in),
            (initializers.xavier_uniform, 2.0 / (fan_in + fan_out)),
            (initializers.he_uniform, 2.0 / fan_in),
        ):
            w = init(rng, shape)
            assert w.shape == shape
            assert np.abs(w).max() <= math.sqrt(3.0 * variance)


@given(rng=rngs, shape=st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple))
@law
def test_an_orthogonal_weight_of_any_shape_keeps_lengths(rng, shape):
    w = initializers.orthogonal(rng, shape)
    assert w.shape == shape
    matrix = w.reshape(shape[0], -1) if len(shape) == 4 else w.reshape(-1, shape[-1])
    small = matrix if len(matrix) <= len(matrix.T) else matrix.T
    np.testing.assert_allclose(small @ small.T, np.eye(len(small)), atol=1e-13)


@given(rng=rngs, n=sizes, k=st.integers(2, 5))
@law
def test_accuracy_counts_rows_in_any_form_and_order(rng, n, k):
    output, target = rng.normal(size=(n, k)), rng.integers(0, k, n)
    wanted = sum(int(np.argmax(row) == label) for row, label in zip(output, target)) / n
    order = rng.permutation(n)
    for same in (
        accuracy(output, target),
        accuracy(output, losses.one_hot(target, k)),
        accuracy(output, target[:, None]),
        accuracy(output.argmax(axis=1), target),
        accuracy(activations.softmax(output), target),
        accuracy(output[order], target[order]),
    ):
        assert same == pytest.approx(wanted, abs=1e-15)
    yes = (target == 0).astype(int)
    assert accuracy(output[:, 0], yes) == pytest.approx(np.mean((output[:, 0] > 0.0) == yes))


@given(rng=rngs, size=sizes, factor=st.floats(0.01, 100.0))
@law
def test_a_relative_error_is_symmetric_and_has_no_unit(rng, size, factor):
    a, b = rng.normal(size=(2, size))
    error = relative_error(a, b)
    assert error == relative_error(b, a)
    assert relative_error(factor * a, factor * b) == pytest.approx(error, rel=1e-12)
    assert relative_error(a, a) == 0.0
    assert relative_error(a, 1.01 * a) == pytest.approx(0.01 / 1.01, rel=1e-9)


@given(rng=rngs, shape=st.lists(sizes, min_size=1, max_size=3).map(tuple))
@law
def test_a_numerical_gradient_of_a_quadratic_is_exact(rng, shape):
    x, slope = rng.normal(size=shape), rng.normal(size=shape)
    kept = x.copy()
    numeric = numerical_gradient(lambda z: float((slope * z + 1.5 * z * z).sum()), x, eps=0.1)
    np.testing.assert_allclose(numeric, slope + 3.0 * x, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(x, kept)


BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / (b * b + 1.0),
    "constant -": lambda a, b: 2.0 - a * b,
    "constant /": lambda a, b: 3.0 / (a * a + b * b + 1.0),
}
UNARY = {
    "exp": lambda a: (-(a * a)).exp(),
    "log": lambda a: (a * a + 1.0).log(),
    "tanh": lambda a: a.tanh(),
    "sigmoid": lambda a: a.sigmoid(),
    "relu": lambda a: a.relu(),
    "power": lambda a: a**3,
    "sum": lambda a: a.sum(axis=-1),
    "mean": lambda a: a.mean(axis=0),
    "matmul": lambda a: (a @ np.linspace(-1.0, 1.0, 4 * a.data.shape[1]).reshape(a.data.shape[1], 4)).mean(),
}


@given(rng=rngs, rows=st.integers(1, 4), columns=st.integers(1, 4), data=st.data())
@settings(law, max_examples=60)
def test_autodiff_of_any_expression_is_its_numerical_gradient(rng, rows, columns, data):
    broadcast = data.draw(st.sampled_from([(rows, columns), (1, columns), (rows, 1), (columns,), ()]))
    steps = data.draw(st.lists(st.sampled_from([*BINARY, *UNARY]), min_size=1, max_size=5))
    x, other = rng.normal(size=(rows, columns)), rng.normal(size=broadcast)

    def expression(a, b):
        value = a
        for step in steps:
            value = BINARY[step](value, b) if step in BINARY else UNARY[step](value + 0.0 * a)
        return (value * value).mean() + value.sum()

    a, b = Value(x), Value(other)
    expression(a, b).backward()
    for value, numeric in (
        (a, numerical_gradient(lambda z: float(expression(Value(z), Value(other)).data), x)),
        (b, numerical_gradient(lambda z: float(expression(Value(x), Value(z)).data), other)),
    ):
        assert value.grad.shape == value.data.shape
        scale = max(1.0, np.abs(numeric).max())
        np.testing.assert_allclose(value.grad, numeric, rtol=1e-5, atol=1e-6 * scale)


@given(rng=rngs, n=sizes, k=sizes)
@law
def test_autodiff_agrees_with_the_kernels_of_a_layer_and_a_loss(rng, n, k):
    layer = made(Dense(4, k), rng)
    x, target = rng.normal(size=(n, 4)), rng.normal(size=(n, k))
    W, b = Value(layer.W.value), Value(layer.b.value)
    difference = (Value(x) @ W + b).tanh() - target
    loss = (difference * difference).mean()
    loss.backward()
    network = Activation(activations.tanh).initialize(rng, np.float64)
    value, dout = losses.mean_squared_error(network.forward(layer.forward(x)), target)
    layer.backward(network.backward(dout))
    assert value == pytest.approx(float(loss.data), rel=1e-12)
    np.testing.assert_allclose(layer.W.grad, W.grad, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(layer.b.grad, b.grad, rtol=1e-10, atol=1e-14)
