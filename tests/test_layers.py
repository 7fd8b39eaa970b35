"""Layers one by one: what each promises beyond the laws."""

import json
import pickle

import numpy as np
import pytest

import nnlib.layers
from nnlib.activations import relu
from nnlib.initializers import normal
from nnlib.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    CReLU,
    Dense,
    DropConnect,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    GlobalAveragePool2D,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Maxout,
    MaxPool2D,
    NTKDense,
    PReLU,
    Residual,
    RMSNorm,
    RReLU,
    normalization,
)
from nnlib.layers.convolution import convolve
from nnlib.layers.dropout import keep_mask
from nnlib.layers.normalization import sum_over
from nnlib.losses import softmax_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import SGD
from nnlib.training import fit


def alone(layer, seed=0):
    return layer.initialize(np.random.default_rng(seed), np.float64)


# --- normalization ----------------------------------------------------------------------------------------------------


def test_batchnorm_gives_each_feature_mean_0_and_variance_1_in_training():
    x = np.random.default_rng(1).normal(3.0, 5.0, (40, 6))
    out = alone(BatchNorm(6)).forward(x, training=True)
    np.testing.assert_allclose(out.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(out.var(axis=0), 1.0, rtol=1e-5)


def test_batchnorm_keeps_running_averages_as_pytorch_does():
    rng, layer = np.random.default_rng(2), alone(BatchNorm(3, momentum=0.25))
    mean, var = np.zeros(3), np.ones(3)
    for n in (5, 8):
        x = rng.normal(2.0, 3.0, (n, 3))
        layer.forward(x, training=True)
        mean = 0.75 * mean + 0.25 * x.mean(axis=0)
        var = 0.75 * var + 0.25 * x.var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-13)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-13)
    x = rng.normal(size=(1, 3))
    np.testing.assert_allclose(layer.forward(x), (x - mean) / np.sqrt(var + 1e-5), rtol=1e-13)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-13)


def test_batchnorm_trains_on_two_values():
    out = alone(BatchNorm(2)).forward(np.array([[1.0, 5.0], [3.0, 5.0]]), training=True)
    np.testing.assert_allclose(out, [[-1.0, 0.0], [1.0, 0.0]], rtol=1e-5)


def test_batchnorm_forgets_the_scale_of_the_weights_before_it():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(12, 4)), rng.integers(0, 3, 12)
    networks = [Sequential(Dense(4, 3), BatchNorm(3), rng=np.random.default_rng(0), dtype=np.float64) for _ in range(2)]
    networks[1].layers[0].W.value[...] *= 10.0
    outputs = [network.forward(x, training=True) for network in networks]
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4)
    for network, output in zip(networks, outputs):
        network.backward(softmax_cross_entropy(output, y)[1])
    np.testing.assert_allclose(networks[0].layers[0].W.grad, 10.0 * networks[1].layers[0].W.grad, rtol=1e-3, atol=1e-7)


def test_layernorm_rmsnorm_groupnorm_and_instancenorm_agree_where_they_meet():
    x = np.random.default_rng(4).normal(1.0, 2.0, (5, 4, 3, 2))
    layer, one_group = alone(LayerNorm(24)).forward(x.reshape(5, 24)), alone(GroupNorm(1, 4)).forward(x)
    np.testing.assert_allclose(layer, one_group.reshape(5, 24), rtol=1e-12)
    np.testing.assert_allclose(layer.mean(axis=1), 0.0, atol=1e-12)
    instance = alone(InstanceNorm(4)).forward(x)
    np.testing.assert_allclose(instance, alone(GroupNorm(4, 4)).forward(x), rtol=1e-12)
    np.testing.assert_allclose(instance.var(axis=(2, 3)), 1.0, rtol=1e-3)
    centered = x[:, :, 0, 0] - x[:, :, 0, 0].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(alone(RMSNorm(4)).forward(centered), alone(LayerNorm(4)).forward(centered), rtol=1e-12)


def test_statistics_are_rolled_back_and_saved_with_the_parameters(tmp_path):
    rng = np.random.default_rng(5)
    network = Sequential(Dense(4, 6), Residual(BatchNorm(6), Activation(relu)), Dense(6, 2), rng=rng)
    x, y = rng.normal(size=(30, 4)), rng.integers(0, 2, 30)
    before = network.predict(x)
    at_first = network.snapshot()
    fit(network, softmax_cross_entropy, SGD(0.1), (x, y), epochs=2, rng=rng)
    after = network.predict(x)
    network.save(tmp_path / "network.npz")
    np.testing.assert_array_equal(Sequential.load(tmp_path / "network.npz").predict(x), after)
    network.restore(at_first)
    np.testing.assert_array_equal(network.predict(x), before)


# --- convolution ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 0), (2, 2), (3, 1)])
def test_conv2d_is_its_definition(stride, padding):
    rng = np.random.default_rng(6)
    layer = alone(Conv2D(3, 4, (2, 3), stride, padding))
    layer.b.value[...] = rng.normal(size=4)
    x = rng.normal(size=(5, 3, 6, 7))
    wanted = convolve(x, layer.W.value, layer.b.value, stride, padding)
    np.testing.assert_allclose(layer.forward(x), wanted, rtol=1e-12, atol=1e-13)


def test_convolution_worked_by_hand():
    layer = alone(Conv2D(1, 1, 2))
    layer.W.value[...] = [[1.0, 2.0], [3.0, 4.0]]
    layer.b.value[...] = 0.5
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    np.testing.assert_allclose(layer.forward(x)[0, 0], [[27.5, 37.5], [57.5, 67.5]])


def test_convolution_moves_with_its_image():
    rng, layer = np.random.default_rng(7), alone(Conv2D(2, 3, 3))
    x = rng.normal(size=(1, 2, 8, 8))
    shifted = np.roll(x, 1, axis=3)
    np.testing.assert_allclose(layer.forward(shifted)[..., 1:].copy(), layer.forward(x)[..., :-1], rtol=1e-12)


def test_pooling_worked_by_hand():
    x = np.array([[[[1.0, 2.0, 9.0], [4.0, 4.0, 9.0], [9.0, 9.0, 9.0]]]])
    top = alone(MaxPool2D(2))
    np.testing.assert_array_equal(top.forward(x), [[[[4.0]]]])
    np.testing.assert_array_equal(top.backward([[[[1.0]]]])[0, 0], [[0, 0, 0], [1, 0, 0], [0, 0, 0]])
    mean = alone(AveragePool2D(2))
    np.testing.assert_array_equal(mean.forward(x), [[[[2.75]]]])
    np.testing.assert_array_equal(mean.backward([[[[1.0]]]])[0, 0], [[0.25, 0.25, 0], [0.25, 0.25, 0], [0, 0, 0]])
    np.testing.assert_allclose(alone(GlobalAveragePool2D()).forward(x), [[56.0 / 9.0]])


def test_a_small_convolutional_network_learns():
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, 200)
    x = 0.3 * rng.normal(size=(200, 1, 6, 6))
    x[np.arange(200), 0, :, rng.integers(0, 6, 200)] += (y == 0)[:, None]  # an upright line, or a lying one
    x[np.arange(200), 0, rng.integers(0, 6, 200), :] += (y == 1)[:, None]
    network = Sequential(Conv2D(1, 6, 3), Activation(relu), MaxPool2D(2), Flatten(), Dense(24, 2), rng=rng)
    history = fit(network, softmax_cross_entropy, SGD(0.2), (x, y), epochs=30, rng=rng)
    assert history.train_accuracy[-1] > 0.95


def test_a_window_fits_where_the_padding_reaches():
    layer = alone(Conv2D(2, 1, (5, 3), padding=1))
    assert layer.forward(np.ones((1, 2, 3, 1))).shape == (1, 1, 1, 1)
    for shape in ((1, 2, 2, 1), (1, 2, 2, 9), (1, 2, 3)):
        with pytest.raises(ValueError, match="H >= 3 and W >= 1"):
            layer.forward(np.ones(shape))
    layer = alone(Conv2D(2, 1, (3, 5), padding=1))
    assert layer.forward(np.ones((1, 2, 1, 3))).shape == (1, 1, 1, 1)
    for shape in ((1, 2, 1, 2), (1, 2, 9, 2)):
        with pytest.raises(ValueError, match="H >= 1 and W >= 3"):
            layer.forward(np.ones(shape))


@pytest.mark.parametrize("shape", [(2, 2, 2, 3), (2, 2, 3, 2), (2, 4, 5, 5)])
@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
def test_what_no_window_saw_gets_no_gradient_whatever_lay_there(kind, shape):
    layer, x = alone(kind(2)), np.random.default_rng(12).normal(size=shape)
    for _ in range(2):
        dx = layer.backward(np.ones(layer.forward(x).shape))
        n_seen = 2 * (shape[2] // 2), 2 * (shape[3] // 2)
        assert not dx[:, :, n_seen[0] :].any()
        assert not dx[:, :, :, n_seen[1] :].any()
        assert dx.sum() == pytest.approx(dx.size // (shape[2] * shape[3]) * n_seen[0] * n_seen[1] / 4)
        for array in layer._arrays.values():
            array[...] = 7


def test_the_windows_of_a_convolution_are_read_only():
    layer = alone(Conv2D(1, 1, 2))
    layer.forward(np.ones((1, 1, 3, 3)))
    assert not layer.columns.flags.writeable


def test_windows_are_2_wide_unless_told_otherwise():
    for kind in (MaxPool2D, AveragePool2D):
        assert alone(kind()).forward(np.ones((1, 1, 6, 6))).shape == (1, 1, 3, 3)
        with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
            alone(kind()).forward(np.ones((3, 6, 6)))


def test_convolve_has_stride_1_and_no_padding_unless_told_otherwise():
    x, W = np.random.default_rng(11).normal(size=(2, 1, 1, 3, 3))
    np.testing.assert_allclose(convolve(x, W, np.zeros(1)), [[[[np.vdot(x, W)]]]])
    assert convolve(x, W[..., :2, :2], np.zeros(1)).shape == (1, 1, 2, 2)


# layer: what comes out of one example, where it is known
SHAPES = {
    "Conv2D": (
        lambda: Conv2D(3, 4, (2, 3)),
        {(3, 6, 5): (4, 5, 3), (3, None, 5): (4, None, 3), (None,) * 3: (4, None, None)},
    ),
    "Conv2D, stride": (lambda: Conv2D(2, 3, 3, stride=2, padding=1), {(2, 6, 5): (3, 3, 3), (2, 1, 1): (3, 1, 1)}),
    "MaxPool2D": (lambda: MaxPool2D(2), {(3, 5, 6): (3, 2, 3), (None, 2, None): (None, 1, None)}),
    "AveragePool2D": (lambda: AveragePool2D(3), {(3, 7, 6): (3, 2, 2)}),
    "GlobalAveragePool2D": (lambda: GlobalAveragePool2D(), {(3, 4, 5): (3,), (None, None, None): (None,)}),
    "BatchNorm": (lambda: BatchNorm(6), {(6,): (6,), (None,): (None,), (6, None, 2): (6, None, 2)}),
    "LayerNorm": (lambda: LayerNorm(6), {(6,): (6,), (5, 6): (5, 6), (None, None): (None, None), (2, 5, 6): (2, 5, 6)}),
    "RMSNorm": (lambda: RMSNorm(6), {(6,): (6,), (5, 6): (5, 6)}),
    "GroupNorm": (lambda: GroupNorm(2, 4), {(4,): (4,), (4, 3, 5): (4, 3, 5)}),
    "InstanceNorm": (lambda: InstanceNorm(4), {(4, 1, 2): (4, 1, 2), (4, None, 1): (4, None, 1)}),
}


@pytest.mark.parametrize(("make", "shapes"), SHAPES.values(), ids=SHAPES)
def test_a_layer_says_what_comes_out_of_one_example(make, shapes):
    layer = make()
    for shape, out in shapes.items():
        assert layer.out_shape(shape) == out
        if None not in shape:
            assert alone(make()).forward(np.ones((2, *shape))).shape[1:] == out


# --- widths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer",
    [Activation(relu), Dropout(0.1), PReLU(), PReLU(3), RReLU(), CReLU(), GaussianNoise(0.1), BatchNorm(3),
     LayerNorm(3), RMSNorm(3), GroupNorm(3, 3)],
    ids=repr,
)  # fmt: skip
def test_dense_layers_must_fit_each_other_with_other_layers_between(layer):
    width = layer.initialize(np.random.default_rng(0)).forward(np.ones((2, 3))).shape[1]
    assert layer.out_shape((3,)) == (width,)
    Sequential(Dense(2, 3), layer, Dense(width, 1))
    with pytest.raises(
        ValueError, match=rf"gives x of shape \(N, .*{width}\), but Dense\(4, 1\) takes \(N, 4\): write"
    ):
        Sequential(Dense(2, 3), layer, Dense(4, 1))


# --- shapes -----------------------------------------------------------------------------------------------------------

IMAGE = (1, 8, 8)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: [Conv2D(1, 8, 3), Conv2D(4, 8, 3)], r"\(N, 8, \?, \?\), but Conv2D\(4, 8.* write c_in=8$"),
        (lambda: [Conv2D(1, 8, 3), Activation(relu), MaxPool2D(2), BatchNorm(4)], r"takes \(N, 4\) or .* write n=8$"),
        (lambda: [Conv2D(1, 8, 3), InstanceNorm(4)], "write n=8"),
        (lambda: [Dense(4, 6), BatchNorm(5), Activation(relu)], "write n=6"),
        (lambda: [Dense(4, 6), LayerNorm(5)], "write n=6"),
        (lambda: [Conv2D(1, 8, 3), Flatten(), Dense(30, 2)], r"\(N, 8·\?\), .*: n_in is a multiple of 8$"),
        (lambda: [Conv2D(1, 8, 3), Flatten(), CReLU(), Dense(24, 2)], "n_in is a multiple of 16"),
        (lambda: [GlobalAveragePool2D(), MaxPool2D(2)], r"it stands before Flatten"),
        (lambda: [Conv2D(1, 8, 3), GlobalAveragePool2D(), Dense(6, 2)], "write n_in=8"),
        (lambda: [Embedding(10, 4), LSTM(3, 5)], "write n_in=4"),
        (lambda: [LSTM(3, 5, sequences=False), LSTM(5, 5)], r"\(N, 5\), but LSTM.* takes \(N, T, 5\)"),
        (lambda: [Sequential(Dense(2, 3), Dense(3, 4)), Dense(5, 2)], "write n_in=4"),
        (lambda: [Dense(2, 3), Residual(Dense(4, 4))], r"but Dense\(4, 4\) takes \(N, 4\): write n_in=3"),
    ],
)  # fmt: skip
def test_layers_that_do_not_fit_are_refused_when_the_network_is_built(make, text):
    with pytest.raises(ValueError, match=text):
        Sequential(*make())


def test_the_size_behind_flatten_is_told_as_soon_as_the_image_is_known():
    def layers(n_in):
        return Conv2D(1, 8, 3), MaxPool2D(2), Flatten(), Dense(n_in, 10)

    Sequential(*layers(72), input_shape=IMAGE)
    for n_in in (80, 8):
        with pytest.raises(ValueError, match=r"Flatten\(\) gives x of shape \(N, 72\), .* write n_in=72"):
            Sequential(*layers(n_in), input_shape=IMAGE)
        network = Sequential(*layers(n_in), rng=np.random.default_rng(0))
        with pytest.raises(ValueError, match="write n_in=72"):
            network.forward(np.ones((5, *IMAGE)))
    with pytest.raises(ValueError, match="padding makes it larger"):
        Sequential(*layers(8), input_shape=(1, 2, 8))


@pytest.mark.parametrize(
    "make",
    [
        lambda: [Dense(3, 4), LSTM(4, 5), Dense(5, 2)],  # of each step
        lambda: [Embedding(10, 4), Flatten(), Dense(20, 2)],
        lambda: [Activation(relu), Conv2D(3, 4, 3)],
        lambda: [Residual(Conv2D(3, 3, 3, padding=1)), Flatten(), Dense(75, 2)],
        lambda: [CReLU(), Flatten(), Dense(7, 2)],
        lambda: [GRU(3, 4, sequences=False), BatchNorm(4), Dense(4, 1)],
    ],
)
def test_what_may_fit_is_not_refused_when_the_network_is_built(make):
    Sequential(*make())


def test_a_residual_gives_back_the_shape_it_takes():
    for branch in (Dense(3, 2),), (Dense(4, 4), CReLU()), (Conv2D(2, 3, 3, padding=1),), (LSTM(4, 5),):
        with pytest.raises(ValueError, match="gives back the shape it takes"):
            Residual(*branch)
    strides = Residual(Conv2D(2, 2, 3))  # what this does shows with the first image
    with pytest.raises(ValueError, match=r"\(N, 2, 5, 5\) -> \(N, 2, 3, 3\)"):
        strides.out_shape((2, 5, 5))
    with pytest.raises(ValueError, match=r"\(N, 2, 5, 5\) -> \(N, 2, 3, 3\)"):
        alone(strides).forward(np.ones((4, 2, 5, 5)))


@pytest.mark.parametrize(
    "make",
    [lambda: Dense(3, 2), lambda: NTKDense(3, 2), lambda: DropConnect(3, 2, 0.5), lambda: Maxout(3, 2, 2), PReLU,
     lambda: PReLU(3), RReLU, CReLU, lambda: Dropout(0.5), lambda: GaussianNoise(0.1), lambda: Activation(relu)],
)  # fmt: skip
@pytest.mark.parametrize("training", [False, True])
def test_axes_between_batch_and_features_are_as_many_examples(make, training):
    """(N, T, D) computes what (N T, D) computes."""
    rng = np.random.default_rng(14)
    x = rng.normal(size=(3, 4, 5, 3))
    results = []
    for given in (x, x.reshape(60, 3), x.swapaxes(0, 1).copy().swapaxes(0, 1)):
        layer = alone(make())
        out = layer.forward(given, training).copy()
        assert out.shape[1:] == layer.out_shape(given.shape[1:])
        dout = np.cos(np.arange(out.size)).reshape(out.shape)
        results.append((out.ravel(), layer.backward(dout).copy().ravel(), layer.grad.copy()))
    for result in results[1:]:
        for one, other in zip(results[0], result):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_one_example_without_its_batch_is_told_so():
    for layer, shape in ((Dense(4, 2), (4,)), (Conv2D(1, 2, 3), IMAGE), (LSTM(3, 2), (5, 3)), (BatchNorm(3), (3,))):
        with pytest.raises(ValueError, match=rf"one example is x.reshape\(1, {str(shape)[1:].rstrip(',)')}"):
            alone(layer).forward(np.ones(shape))


def test_an_error_of_shapes_crosses_to_another_process():
    with pytest.raises(ValueError) as caught:
        Dense(2, 3).out_shape((4,))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is ValueError
    assert str(copy) == str(caught.value) == "Dense(2, 3) takes x of shape (N, 2), got (N, 4)"


@pytest.mark.parametrize(
    "text",
    ["Dense(2, 3)", "DropConnect(2, 3, p=0.5)", "Dropout(p=0.5)", "GaussianNoise(std=0.1)", "Maxout(2, 3, pieces=4)",
     "PReLU(1, slope=0.25)", "BatchNorm(3, momentum=0.1, eps=1e-05)", "GroupNorm(groups=2, n=4, eps=1e-05)",
     "Conv2D(1, 8, size=3, stride=1, padding=1)", "Conv2D(1, 8, size=[3, 5], stride=1, padding=0)", "MaxPool2D(size=2)",
     "LSTM(2, 3, sequences=True, truncate=None, forget_bias=1.0)", "Embedding(5, 2)", "Activation(relu)",
     "Residual(Dense(2, 2), Activation(relu))", "AngularDense(2, 3)"],
)  # fmt: skip
def test_a_layer_is_written_as_the_call_that_makes_it(text):
    made = eval(text, {**vars(nnlib.layers), "relu": relu})
    assert repr(made) == text


# --- memory -----------------------------------------------------------------------------------------------------------


def test_all_shapes_of_a_name_lie_in_one_block_that_is_made_anew_only_for_more():
    layer = alone(Dense(2, 2))
    kept = layer.array("a", (5, 3))
    assert kept.dtype == np.float64
    for shape in ((5, 3), (2, 3), (3, 5), (1, 7), (5, 3)):
        view = layer.array("a", shape)
        assert view.shape == shape
        assert view.flags.c_contiguous
        assert np.shares_memory(view, kept)
    assert not np.shares_memory(layer.array("b", (5, 3)), kept)
    larger = layer.array("a", (6, 3))
    assert not np.shares_memory(larger, kept)
    assert np.shares_memory(layer.array("a", (5, 3)), larger)
    assert layer._blocks["a", None].size == 18


def test_an_array_has_the_dtype_that_is_asked_for():
    layer = alone(Dense(2, 2))
    truth = layer.array("a", (5, 3), bool)
    assert truth.dtype == bool
    assert layer.array("a", (5, 3)).dtype == np.float64
    assert np.shares_memory(layer.array("a", (5, 3), bool), truth)


def test_the_same_shape_again_gets_the_same_array():
    layer = alone(Dense(2, 2))
    fewer = [layer.array("a", (n, 3)) for n in (5, 2)][1]
    assert layer.array("a", (2, 3)) is fewer  # the layer behind it knows it
    assert layer.array("a", (3, 3)) is not fewer


def test_what_came_through_the_door_before_comes_through_again_as_long_as_the_dtype_stays():
    layer, x = alone(Dense(2, 3)), np.ones((4, 2))
    layer.forward(x)
    assert layer.at_the_door(x) is x
    with pytest.raises(ValueError, match=r"\(N, 2\), got \(4, 1\)"):
        layer.forward(x[:, :1])
    assert layer.backward(np.ones((4, 3))).shape == (4, 2)  # what was refused changes nothing
    layer.initialize(np.random.default_rng(0), np.float32)
    assert layer.at_the_door(x).dtype == np.float32
    assert layer.forward(x).dtype == np.float32
    empty = np.empty((0, 2), np.float32)
    for _ in range(2):  # what was refused is refused again
        with pytest.raises(ValueError, match="at least one example"):
            layer.at_the_door(empty)


def test_activations_of_batches_of_changing_size_and_order_are_right():
    layer, rng = alone(Activation(relu)), np.random.default_rng(4)
    wide, turned = rng.normal(size=(6, 3)), rng.normal(size=(3, 6)).T
    for x in (wide, wide[:2], wide[:2], wide, turned, wide, turned[:, :2], turned, turned):
        np.testing.assert_array_equal(layer.forward(x), np.maximum(x, 0.0))
        np.testing.assert_array_equal(layer.backward(x), np.maximum(x, 0.0))


def test_an_array_like_another_lies_like_it_in_memory():
    layer, x = alone(Dense(2, 2)), np.ones((5, 4, 3))
    turned, swapped = np.ones((3, 4, 5)).transpose(2, 1, 0), np.ones((3, 5, 4)).transpose(1, 2, 0)
    for given in (x, x[:2], turned, swapped, turned, x):
        like = layer.array_like("a", given)
        assert like.shape == given.shape
        assert like.strides == given.strides
        assert np.shares_memory(like, layer.array("a", (60,)))
    assert layer.array_like("a", x) is layer.array_like("a", x)
    assert layer.array_like("a", turned[:, :, :2]).shape == (5, 4, 2)


@pytest.mark.parametrize(
    ("layer", "x", "long"),
    [
        (LayerNorm(512), np.ones((3, 512)), True),
        (LayerNorm(511), np.ones((3, 511)), False),
        (BatchNorm(2), np.ones((2, 2, 16, 32)), True),
        (BatchNorm(600), np.ones((4, 600)), True),
        (GroupNorm(2, 600), np.ones((2, 600, 2, 2)), False),
    ],
)
def test_along_long_rows_numpy_broadcasts_without_its_buffers(layer, x, long, monkeypatch):
    seen, before = [], np.getbufsize()
    layer.initialize(np.random.default_rng(0))

    def looks(*arguments, **settings):
        seen.append(np.getbufsize())
        return sum_over(*arguments, **settings)

    monkeypatch.setattr(normalization, "sum_over", looks)
    out = layer.forward(x, training=True)
    n_forward = len(seen)
    layer.backward(out)
    assert n_forward > 0
    assert set(seen) == {512 if long else before}
    assert np.getbufsize() == before
    with pytest.raises(ValueError, match="takes x of shape"):
        layer.forward(np.ones((3, 700)))
    assert np.getbufsize() == before


# --- noise, shape, scale ----------------------------------------------------------------------------------------------


def test_gaussian_noise_has_its_standard_deviation_in_training_alone():
    layer = alone(GaussianNoise(0.3))
    x = np.zeros((400, 300))
    assert layer.forward(x, training=True).std() == pytest.approx(0.3, rel=0.01)
    np.testing.assert_array_equal(layer.forward(x), x)


def test_a_unit_is_kept_from_its_threshold_on():
    class Draws:
        @staticmethod
        def random_raw(n):
            return np.full(n, 0xFFFF_C000_BFFF_0000, np.uint64)  # four draws: 0, 0xBFFF, 0xC000, 0xFFFF

    generator = type("", (), {"bit_generator": Draws})
    for p, words in ((0.75, [0, 0, 4, 4, 0, 0, 4]), (0.0, [1] * 7)):  # 0.75 of 65536 is 0xC000
        mask = np.empty(7)
        np.testing.assert_array_equal(keep_mask(generator, (7,), p, mask), words)


@pytest.mark.parametrize("make", [lambda: Dropout(0.0), lambda: GaussianNoise(0.0), lambda: DropConnect(2, 2, 0.0)])
def test_without_noise_nothing_is_drawn(make):
    layer, x = alone(make()), np.ones((3, 2))
    state = layer.rng.bit_generator.state
    np.testing.assert_array_equal(layer.forward(x, training=True).copy(), layer.forward(x))
    assert layer.rng.bit_generator.state == state


def test_prelu_has_one_slope_or_one_for_each_unit():
    dout = np.array([[1.0, 10.0], [100.0, 1000.0]])
    for n, slopes in ((1, [-1111.0]), (2, [-101.0, -1010.0])):
        layer = alone(PReLU(n))
        np.testing.assert_array_equal(layer.slope.value, 0.25)
        layer.forward(-np.ones((2, 2)))
        layer.backward(dout)
        np.testing.assert_array_equal(layer.slope.grad, slopes)
    with pytest.raises(ValueError, match=r"\(N, 2\), got \(1, 3\)"):
        alone(PReLU(2)).forward(np.ones((1, 3)))


def test_crelu_halves_each_feature_at_the_kink_too():
    layer = alone(CReLU())
    np.testing.assert_array_equal(layer.forward([[[-2.0, 0.0, 3.0]] * 2]), [[[0, 0, 3, 2, 0, 0]] * 2])
    np.testing.assert_array_equal(layer.backward([[[1.0] * 6] * 2]), [[[-1, 0, 1]] * 2])


@pytest.mark.parametrize(
    ("n_in", "shape", "mend"),
    [
        (4, (7, 2, 2), "Flatten"),
        (4, (7, 2, 3), ""),
        (4, (7, 5), ""),
        (4, (4,), "reshape"),
        (1, (5,), ""),
        (4, (5,), ""),
    ],
)
def test_the_mend_is_one_that_helps(n_in, shape, mend):
    with pytest.raises(ValueError, match="takes x of shape") as caught:
        alone(Dense(n_in, 2)).forward(np.ones(shape))
    assert [word for word in ("Flatten", "reshape") if word in str(caught.value)] == [mend][: bool(mend)]


def test_settings_given_as_numpy_numbers_are_saved_as_plain_ones():
    one, half = np.int64(2), np.float32(0.5)
    for layer in (
        Dense(one, one), Maxout(one, one, one), PReLU(one, half), RReLU(half, half), Dropout(half), GaussianNoise(half),
        DropConnect(one, one, half), BatchNorm(one, half, half), LayerNorm(one, half), RMSNorm(one, half),
        GroupNorm(one, one, half), InstanceNorm(one, half), Conv2D(one, one, one, one, one), MaxPool2D(one),
        LSTM(one, one, bool(one), one, half), Embedding(one, one),
    ):  # fmt: skip
        json.dumps(layer.settings)


def test_dropconnect_silences_connections_and_keeps_the_mean():
    layer = alone(DropConnect(50, 40, 0.3, init=normal(1.0)))
    x = np.ones((1, 50))
    plain = layer.forward(x).copy()
    mean = np.mean([layer.forward(x, training=True).copy() for _ in range(3000)], axis=0)
    assert np.mean(layer.mask == 0.0) == pytest.approx(0.3, abs=0.03)
    np.testing.assert_allclose(mean, plain, atol=0.5)


def test_a_residual_of_zero_weights_is_the_identity():
    layer = alone(Residual(Dense(4, 4, init=normal(1e-300))))
    x = np.random.default_rng(9).normal(size=(3, 4))
    np.testing.assert_array_equal(layer.forward(x), x)


def test_a_residual_passes_on_whether_it_trains():
    layer, x = alone(Residual(Dropout(0.5))), np.ones((20, 5))
    np.testing.assert_array_equal(layer.forward(x), 2.0)
    assert set(np.unique(layer.forward(x, training=True))) == {1.0, 3.0}


def test_ntk_dense_is_dense_with_its_scale_outside():
    ntk, dense = alone(NTKDense(9, 4)), alone(Dense(9, 4))
    dense.theta[...] = ntk.theta
    dense.W.value[...] /= 3.0
    x = np.random.default_rng(10).normal(size=(5, 9))
    np.testing.assert_allclose(ntk.forward(x), dense.forward(x), rtol=1e-13)
    assert alone(NTKDense(300, 200)).W.value.std() == pytest.approx(1.0, abs=0.01)


# layer, just inside its door; what just outside is refused with
DOORS = {
    "Dense, inputs": (lambda n: Dense(n, 2), 1, 0),
    "Dense, outputs": (lambda n: Dense(2, n), 1, 0),
    "Maxout, inputs": (lambda n: Maxout(n, 2, 2), 1, 0),
    "Maxout, outputs": (lambda n: Maxout(2, n, 2), 1, 0),
    "Maxout, pieces": (lambda n: Maxout(2, 2, n), 1, 0),
    "Dropout, none": (lambda p: Dropout(p), 0.0, -1e-9),
    "Dropout, nearly all": (lambda p: Dropout(p), 1.0 - 1e-5, 1.0),
    "DropConnect, none": (lambda p: DropConnect(2, 2, p), 0.0, -1e-9),
    "DropConnect, nearly all": (lambda p: DropConnect(2, 2, p), 1.0 - 1e-5, 1.0),
    "GaussianNoise": (lambda std: GaussianNoise(std), 0.0, -1e-9),
    "RReLU, low": (lambda low: RReLU(low, 0.5), 0.0, -1e-9),
    "RReLU, high": (lambda high: RReLU(0.5, high), 0.5, 0.5 - 1e-9),
    "BatchNorm": (lambda n: BatchNorm(n), 1, 0),
    "BatchNorm, momentum": (lambda m: BatchNorm(2, momentum=m), 1.0, 1.0 + 1e-9),
    "BatchNorm, no momentum": (lambda m: BatchNorm(2, momentum=m), 1e-9, 0.0),
    "RMSNorm": (lambda n: RMSNorm(n), 1, 0),
    "GroupNorm, groups": (lambda n: GroupNorm(n, 4), 1, 0),
    "GroupNorm, channels": (lambda n: GroupNorm(2, n), 2, 3),
    "Conv2D, in": (lambda n: Conv2D(n, 2, 2), 1, 0),
    "Conv2D, out": (lambda n: Conv2D(2, n, 2), 1, 0),
    "Conv2D, size": (lambda n: Conv2D(2, 2, n), 1, 0),
    "Conv2D, height": (lambda n: Conv2D(2, 2, (n, 2)), 1, 0),
    "Conv2D, width": (lambda n: Conv2D(2, 2, (2, n)), 1, 0),
    "Conv2D, stride": (lambda n: Conv2D(2, 2, 2, stride=n), 1, 0),
    "Conv2D, padding": (lambda n: Conv2D(2, 2, 2, padding=n), 0, -1),
    "MaxPool2D": (lambda n: MaxPool2D(n), 1, 0),
    "AveragePool2D": (lambda n: AveragePool2D(n), 1, 0),
    "Embedding, rows": (lambda n: Embedding(n, 2), 1, 0),
    "Embedding, columns": (lambda n: Embedding(2, n), 1, 0),
    "RNN, inputs": (lambda n: RNN(n, 2), 1, 0),
    "RNN, hidden": (lambda n: RNN(2, n), 1, 0),
    "LSTM, truncate": (lambda n: LSTM(2, 2, truncate=n), 1, 0),
}


@pytest.mark.parametrize(("make", "inside", "outside"), DOORS.values(), ids=DOORS)
def test_a_door_opens_at_the_last_number_that_means_something(make, inside, outside):
    assert alone(make(inside)).theta.dtype == np.float64
    with pytest.raises(ValueError):
        make(outside)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: BatchNorm(0), ValueError, "at least one feature"),
        (lambda: BatchNorm(3, momentum=0.0), ValueError, r"momentum lies in \(0, 1\]"),
        (lambda: RMSNorm(0), ValueError, "at least one feature"),
        (lambda: GroupNorm(4, 6), ValueError, "evenly"),
        (lambda: alone(BatchNorm(3)).forward(np.ones((1, 3)), training=True), ValueError, "at least two values"),
        (lambda: alone(BatchNorm(3)).forward(np.ones((2, 3, 5))), ValueError, r"\(N, 3\) or \(N, 3, H, W\)"),
        (lambda: alone(BatchNorm(3)).forward(np.ones((2, 4))), ValueError, r"H, W\), got \(2, 4\)$"),
        (lambda: alone(BatchNorm(3)).forward(np.ones((2, 4, 6, 6))), ValueError, r"got \(2, 4, 6, 6\)$"),
        (lambda: alone(BatchNorm(3)).forward(np.ones((2, 5, 3))), ValueError, r"LayerNorm\(3\)"),
        (lambda: alone(LayerNorm(3)).forward(np.ones((2, 4))), ValueError, r"\(N, ..., 3\), got \(2, 4\)$"),
        (lambda: alone(LayerNorm(3)).forward(np.ones((2, 3, 5, 5))), ValueError, r"take GroupNorm\(1, 3\)"),
        (lambda: alone(RMSNorm(3)).forward(np.ones((2, 3, 5, 5))), ValueError, r"take GroupNorm\(1, 3\)"),
        (lambda: alone(InstanceNorm(3)).forward(np.ones((2, 3))), ValueError, r"\(N, 3, H, W\)"),
        (lambda: alone(InstanceNorm(3)).forward(np.ones((2, 3, 5))), ValueError, "H W >= 2"),
        (lambda: alone(InstanceNorm(3)).forward(np.ones((2, 3, 1, 1))), ValueError, "H W >= 2"),
        (lambda: Conv2D(1, 0, 3), ValueError, "positive sizes"),
        (lambda: Conv2D(1, 1, 3, padding=-1), ValueError, "padding >= 0"),
        (lambda: alone(Conv2D(2, 1, 3)).forward(np.ones((1, 1, 5, 5))), ValueError, r"\(N, 2, H, W\)"),
        (lambda: alone(Conv2D(1, 1, 3)).forward(np.ones((1, 1, 2, 5))), ValueError, "H >= 3.*padding"),
        (
            lambda: alone(Conv2D(1, 1, 3)).forward(np.ones((1, 3, 5, 5))),
            ValueError,
            r"\(N, 1, H, W\) .*got \(1, 3, 5, 5\)$",
        ),
        (lambda: alone(Conv2D(1, 1, 3)).forward(np.ones((2, 8, 8))), ValueError, "its one channel"),
        (lambda: alone(Conv2D(1, 1, 3)).forward(np.ones((2, 64))), ValueError, "before Flatten"),
        (lambda: MaxPool2D(0), ValueError, "positive size"),
        (lambda: alone(MaxPool2D(3)).forward(np.ones((1, 1, 2, 5))), ValueError, "at least 3"),
        (lambda: alone(GlobalAveragePool2D()).forward(np.ones((1, 5))), ValueError, r"\(N, C, H, W\)"),
        (lambda: Residual(), TypeError, "layers of its branch"),
        (lambda: Residual(Dense(2, 2), "relu"), TypeError, "layers of its branch"),
        (lambda: alone(Residual(Dense(3, 2))).forward(np.ones((1, 3))), ValueError, "shape it takes"),
        (lambda: GaussianNoise(-1.0), ValueError, ">= 0"),
        (lambda: DropConnect(2, 2, 1.0), ValueError, "0 <= p < 1"),
    ],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text):
    with pytest.raises(error, match=text):
        call()
