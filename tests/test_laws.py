"""Laws: what must hold for every layer, activation, loss, initializer, schedule and optimizer of the registry."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
from registry import ACTIVATIONS, INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, POINTS, SCHEDULES

import nnlib.layers
from nnlib import activations, initializers, losses, optimizers, schedules
from nnlib.gradcheck import check_gradients, numerical_gradient, relative_error
from nnlib.losses import mean_squared_error
from nnlib.network import Sequential
from nnlib.parameters import Parameter

DTYPES = [np.float32, np.float64]
GRADIENTS = (2.0, -1.0, 0.5)


def each(names, rows, *fields):
    """A test for each row of the registry, given these fields of it."""
    cases = [pytest.param(*(getattr(row, field) for field in fields), id=row.name) for row in rows]
    return pytest.mark.parametrize(names, cases)


layers = each(("make", "shape"), LAYERS, "make", "shape")
elementwise = each("f", ACTIVATIONS, "f")


def away_from_kinks(rng, shape, kinks=(-3.0, 0.0, 3.0), distance=1e-3):
    """Normal numbers, none of them within ``distance`` of a kink."""
    z = 2.0 * rng.normal(size=shape)
    for kink in kinks:
        near = np.abs(z - kink) < distance
        z[near] = kink + 2.0 * distance
    return z


# --- layers -----------------------------------------------------------------------------------------------------------


@layers
@pytest.mark.parametrize("training", [False, True])
def test_backward_is_the_derivative_of_forward(make, shape, training):
    rng = np.random.default_rng(1)
    layer = make().initialize(rng, np.float64)
    layer.theta += 0.1 * rng.normal(size=layer.theta.size)  # biases are 0 at first, and 0 is special
    x = away_from_kinks(rng, (7, *shape))
    target = rng.normal(size=layer.forward(x, training).shape)
    report = check_gradients(layer, mean_squared_error, x, target, rng=rng, training=training)
    assert report.passed, report
    assert len(report.rows) == len(layer.parameters) + 1


@layers
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_layer_keeps_its_dtype_in_both_directions(make, shape, dtype):
    rng = np.random.default_rng(2)
    layer = make().initialize(rng, dtype)
    x = rng.normal(size=(5, *shape))
    for given in (x, x.astype(np.float32)):
        out = layer.forward(given, training=True)
        assert out.dtype == dtype
        for other in DTYPES:
            assert layer.backward(np.ones(out.shape, other)).dtype == dtype
    assert layer.theta.dtype == layer.grad.dtype == dtype


@layers
@pytest.mark.parametrize("training", [False, True])
def test_forward_and_backward_leave_their_arguments_alone(make, shape, training):
    rng = np.random.default_rng(3)
    layer = make().initialize(rng, np.float64)
    x = rng.normal(size=(5, *shape))
    kept = x.copy()
    out = layer.forward(x, training)
    dout = rng.normal(size=out.shape)
    dout_kept = dout.copy()
    layer.backward(dout)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(dout, dout_kept)


@layers
def test_backward_overwrites_gradients_and_repeats_itself(make, shape):
    rng = np.random.default_rng(4)
    layer = make().initialize(rng, np.float64)
    out = layer.forward(rng.normal(size=(5, *shape)), training=True)
    dout = rng.normal(size=out.shape)
    layer.grad[...] = np.nan
    first, gradient = layer.backward(dout).copy(), layer.grad.copy()
    np.testing.assert_array_equal(layer.backward(dout), first)
    np.testing.assert_array_equal(layer.grad, gradient)
    assert np.isfinite(gradient).all()


@layers
@pytest.mark.parametrize("training", [False, True])
def test_parameters_learn_the_same_where_nobody_wants_the_gradient_of_the_input(make, shape, training):
    rng = np.random.default_rng(19)
    layer = make().initialize(rng, np.float64)
    dout = rng.normal(size=layer.forward(rng.normal(size=(5, *shape)), training).shape)
    layer.backward(dout)
    gradient = layer.grad.copy()
    layer.grad[...] = np.nan
    nothing = layer.backward(dout, input_gradient=False)
    np.testing.assert_array_equal(layer.grad, gradient)
    assert nothing is None or not layer.parameters, "work that nobody reads"


# by name: those that let the examples of a batch see each other in training, and those that draw anew for each batch
MIXING = {"BatchNorm", "BatchNorm, images", "BatchNorm, momentum and eps"}
DRAWING = {"Dropout", "DropConnect", "GaussianNoise", "RReLU"}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.name)
def test_a_batch_cut_anywhere_gives_the_same_outputs_and_the_same_summed_gradient(row, training):
    """So fit and predict may cut where they like: no layer takes another axis for that of the examples."""
    rng = np.random.default_rng(5)
    layer = row.make().initialize(rng, np.float64)
    layer.theta += 0.1 * rng.normal(size=layer.theta.size)
    n = max(4, row.shape[0] if len(row.shape) == 2 else 0)  # as many as steps: one taken for the other would fit
    x = row.draw(rng, n, *row.shape)
    together = layer.forward(x, training).copy()
    dout = rng.normal(size=together.shape)
    dx, gradient = layer.backward(dout).copy(), layer.grad.copy()
    differences, at_least = [], 2 if row.name in MIXING else 1
    for cut in range(at_least, n - at_least + 1):
        summed = np.zeros_like(gradient)
        for part in (slice(cut), slice(cut, n)):
            differences.append(np.abs(layer.forward(x[part], training) - together[part]).max())
            differences.append(np.abs(layer.backward(dout[part]) - dx[part]).max())
            summed += layer.grad
        differences.append(np.abs(summed - gradient).max(initial=0.0))
    same = max(differences) < 1e-11
    if training and row.name in MIXING | DRAWING:
        assert not same, "it keeps the law: take its name out of the list"
    else:
        assert same, max(differences)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@layers
def test_a_copy_is_a_layer_of_its_own(make, shape, copied):
    layer = make().initialize(np.random.default_rng(0), np.float64)
    x = np.random.default_rng(1).normal(size=(4, *shape))
    other = copied(layer)
    np.testing.assert_array_equal(other.forward(x), layer.forward(x))
    before = layer.forward(x).copy()
    other.theta += 1.0
    np.testing.assert_array_equal(layer.forward(x), before)
    assert not other.theta.size or all(np.shares_memory(p.value, other.theta) for p in other.parameters)


@layers
def test_batches_of_changing_size_use_the_same_memory_and_give_the_same_numbers(make, shape):
    rng = np.random.default_rng(6)
    layer, fresh = (make().initialize(np.random.default_rng(0), np.float64) for _ in range(2))
    big, small = rng.normal(size=(8, *shape)), rng.normal(size=(3, *shape))
    layer.forward(big)
    np.testing.assert_array_equal(layer.forward(small), fresh.forward(small))
    layer.forward(big)


@layers
@pytest.mark.parametrize(
    ("n", "dtype", "error"),
    [(0, float, ValueError), (0, np.float32, ValueError), (2, str, TypeError), (2, complex, TypeError)],
)
def test_a_layer_refuses_what_it_cannot_compute(make, shape, n, dtype, error):
    layer = make().initialize(np.random.default_rng(0))
    with pytest.raises(error, match="takes"):
        layer.forward(np.zeros((n, *shape), dtype))


@layers
def test_backward_refuses_a_gradient_of_another_shape_and_a_missing_forward(make, shape):
    layer = make().initialize(np.random.default_rng(0))
    with pytest.raises(RuntimeError, match="forward"):
        layer.backward(np.ones((2, *shape)))
    layer.forward(np.ones((2, *shape)))
    with pytest.raises(ValueError, match="as forward returned"):
        layer.backward(np.ones((5, 1)))


@each("make", LAYERS, "make")
def test_penalties_reach_weights_and_nothing_else(make):
    layer = make()
    for one in (layer, *layer.children):
        for name, p in vars(one).items():
            if isinstance(p, Parameter):
                assert p.decay == name.startswith("W"), name


@layers
def test_settings_are_plain_and_build_the_same_layer(make, shape):
    layer = make()
    if not layer.children:
        json.dumps({name: value for name, value in layer.settings.items() if name != "function"})
        assert repr(type(layer)(**layer.settings)) == repr(layer)


@layers
def test_a_layer_without_memory_says_how_to_get_it(make, shape):
    with pytest.raises(RuntimeError, match="initialize"):
        make().forward(np.ones((2, *shape)))


@layers
def test_a_saved_layer_comes_back_with_the_same_output(make, shape, tmp_path):
    rng = np.random.default_rng(7)
    network = Sequential(make(), rng=rng)
    network.save(tmp_path / "network.npz")
    x = rng.normal(size=(4, *shape))
    np.testing.assert_array_equal(Sequential.load(tmp_path / "network.npz").predict(x), network.predict(x))


def public(module):
    """The names that a module defines and does not hide."""
    own = {name for name, thing in vars(module).items() if getattr(thing, "__module__", "") == module.__name__}
    return {name for name in own if not name.startswith("_")}


def test_every_layer_stands_in_the_registry():
    tested = {type(row.make()).__name__ for row in LAYERS}
    missing = set(nnlib.layers.__all__) - {"Layer", "Embedding"} - tested  # Embedding: see test_recurrent.py
    assert not missing, f"tests/registry/layers.py wants a row for {sorted(missing)}"


def test_every_activation_stands_in_the_registry():
    named = {name for name, thing in vars(activations).items() if isinstance(thing, activations.Elementwise)}
    named = {name for name in named if not name.startswith("_")}
    assert named <= set(activations.ELEMENTWISE), "ELEMENTWISE wants it"
    missing = set(activations.ELEMENTWISE) ^ {row.f.name for row in ACTIVATIONS}
    assert not missing, f"tests/registry/activations.py wants a row for {sorted(missing)}"


def test_every_initializer_stands_in_the_registry():
    missing = (public(initializers) - {"fans"}) ^ {row.name.split("(")[0] for row in INITIALIZERS}
    assert not missing, f"tests/registry/initializers.py wants a row for {sorted(missing)}"


def test_every_schedule_stands_in_the_registry():
    missing = public(schedules) - {"as_schedule"} - {row.name.split(",")[0].split(" ")[0] for row in SCHEDULES}
    assert not missing, f"tests/registry/schedules.py wants a row for {sorted(missing)}"


def test_every_loss_stands_in_the_registry():
    parts = {"one_hot", "large_margin_psi", "total_weight", "parts", "NoParts", "mean_over_batch"}
    parts |= {kernel.__name__ for kernel, _ in losses.PARTS.values()}
    missing = (public(losses) - parts) ^ {row.name.split(",")[0] for row in LOSSES}
    assert not missing, f"tests/registry/losses.py wants a row for {sorted(missing)}"


# --- activations ------------------------------------------------------------------------------------------------------


@each(("f", "values"), ACTIVATIONS, "f", "values")
def test_an_activation_has_its_known_values(f, values):
    np.testing.assert_allclose(f(np.array(POINTS)), values, rtol=0, atol=5e-10)


@each(("f", "kinks"), ACTIVATIONS, "f", "kinks")
def test_the_derivative_of_an_activation_is_its_slope(f, kinks):
    rng = np.random.default_rng(8)
    z = away_from_kinks(rng, (6, 5, 3), kinks)
    slope = (f(z + 1e-6) - f(z - 1e-6)) / 2e-6
    assert relative_error(f.derivative(z), slope) < 1e-8
    np.testing.assert_array_equal(f.derivative(z), f.derivative(z, f(z)))


@each(("f", "kinks"), (row for row in ACTIVATIONS if row.kinks), "f", "kinks")
def test_at_a_kink_the_slope_is_that_of_the_side_the_docstring_names(f, kinks):
    for kink in kinks:
        beside = np.nextafter(float(kink), np.inf if kink > 0 else -np.inf)
        at, there = f.derivative(np.array([kink, beside], float))
        assert at == pytest.approx(there, abs=1e-12)


@elementwise
def test_an_activation_stays_finite_and_silent_far_out(f):
    far = np.array([-1e4, -709.8, -89.0, 89.0, 709.8, 1e4])
    for dtype in DTYPES:
        z = far.astype(dtype)
        assert np.isfinite(f(z)).all()
        assert np.isfinite(f.derivative(z)).all()


@elementwise
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (2, 6, 5, 3)])
def test_an_activation_keeps_shape_and_dtype_and_its_argument(f, dtype, shape):
    z = np.asarray(np.random.default_rng(9).normal(size=shape), dtype)
    kept = z.copy()
    for result in (f(z), f.derivative(z)):
        assert result.shape == shape
        assert result.dtype == dtype
    np.testing.assert_array_equal(z, kept)


@elementwise
def test_float32_agrees_with_float64(f):
    z = np.linspace(-8.0, 8.0, 1001)
    np.testing.assert_allclose(f(z.astype(np.float32)), f(z), rtol=3e-6, atol=1e-6)
    jumps = (-3, 0, 3)
    z = z[np.min(np.abs(z[:, None] - np.array(jumps)), axis=1) > 1e-3]
    np.testing.assert_allclose(f.derivative(z.astype(np.float32)), f.derivative(z), rtol=3e-6, atol=2e-6)


@elementwise
def test_out_is_filled_and_returned_even_where_it_is_the_argument(f):
    z = np.random.default_rng(10).normal(size=(4, 5))
    a, slope = f(z), f.derivative(z)
    out = np.full_like(z, np.nan)
    assert f(z, out=out) is out
    np.testing.assert_array_equal(out, a)
    in_place = z.copy()
    assert f(in_place, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, a)
    in_place = z.copy()
    f.derivative(in_place, out=in_place)
    np.testing.assert_array_equal(in_place, slope)
    assert f.derivative(z, out=out) is out
    np.testing.assert_array_equal(out, slope)
    in_place = a.copy()
    f.derivative(z, in_place, out=in_place)
    np.testing.assert_array_equal(in_place, slope)


@elementwise
def test_nan_goes_through(f):
    result = f(np.array([np.nan, 1.0]))
    assert np.isnan(result[0]) or f is activations.step  # NaN >= 0 is False
    assert np.isfinite(result[1])


def test_whole_numbers_become_float64_and_text_is_refused():
    assert activations.relu(np.array([-1, 2])).dtype == np.float64
    assert activations.relu(np.array([-1, 2], np.float16)).dtype == np.float32
    for dtype in DTYPES:
        assert activations.as_float(z := np.ones(2, dtype)) is z
    with pytest.raises(TypeError, match="real numbers"):
        activations.relu(np.array(["a"]))
    with pytest.raises(TypeError, match="real numbers"):
        activations.sigmoid(1j)


@pytest.mark.parametrize(("f", "back"), [
    (activations.softmax, activations.softmax_backward),
    (activations.log_softmax, activations.log_softmax_backward),
])  # fmt: skip
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax_backward_is_its_derivative_along_any_axis(f, back, axis):
    rng = np.random.default_rng(11)
    z, weights = rng.normal(size=(4, 6, 5)), rng.normal(size=(4, 6, 5))
    numeric = numerical_gradient(lambda v: float((weights * f(v, axis)).sum()), z)
    assert relative_error(back(weights, f(z, axis), axis), numeric) < 1e-8


def test_softmax_is_a_distribution_that_ignores_a_shift_and_leaves_its_argument():
    z = np.array([[1e4, 0.0, -1e4], [-3.0, 0.5, 1.0]])
    kept = z.copy()
    p = activations.softmax(z)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(activations.softmax(z + 7.0), p, rtol=1e-12)
    np.testing.assert_array_equal(z, kept)
    assert np.isfinite(activations.log_softmax(z)).all()
    np.testing.assert_allclose(np.exp(activations.log_softmax(z)), p, atol=1e-15)


def test_softmax_runs_along_the_last_axis_unless_told_otherwise():
    z, dout = np.random.default_rng(20).normal(size=(2, 3, 4, 5))
    for f, back in (
        (activations.softmax, activations.softmax_backward),
        (activations.log_softmax, activations.log_softmax_backward),
    ):
        out = f(z)
        np.testing.assert_array_equal(out, f(z, 2))
        np.testing.assert_array_equal(back(dout, out), back(dout, out, 2))


def test_a_derivative_takes_the_value_that_is_known_already():
    for name, slope in (("sigmoid", 0.25 * 0.75), ("tanh", 1.0 - 0.25**2)):
        assert activations.by_name(name).derivative(np.zeros(1), np.full(1, 0.25)) == slope


def test_an_activation_is_found_by_its_name():
    assert activations.by_name("relu") is activations.relu
    assert repr(activations.by_name("leaky_relu", 0.3)) == "leaky_relu(0.3)"
    with pytest.raises(ValueError, match="no activation is called 'relux'"):
        activations.by_name("relux")
    with pytest.raises(ValueError, match="takes no setting"):
        activations.by_name("relu", 0.1)


def test_the_normal_distribution_is_accurate_into_its_far_tail():
    x = np.linspace(-36.0, 9.0, 4001)
    exact = np.array([0.5 * math.erfc(-v / math.sqrt(2.0)) for v in x])
    np.testing.assert_allclose(activations.normal_cdf(x), exact, rtol=1e-12)
    out = np.empty(3)
    assert activations.normal_cdf([-1.0, 0.0, 1.0], out=out) is out
    np.testing.assert_allclose(out, [0.1586552539, 0.5, 0.8413447461], atol=1e-10)


# --- losses -----------------------------------------------------------------------------------------------------------


every_loss = pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in LOSSES])


def drawn(row, seed):
    """Outputs and targets for a loss."""
    rng = np.random.default_rng(seed)
    return row.outputs(rng, row.n, row.k or 3), row.targets(rng, row.n, row.k or 3)


@every_loss
def test_the_gradient_of_a_loss_is_its_derivative(row):
    output, target = drawn(row, 12)
    kept = output.copy()
    value, gradient = row.loss(output, target)
    np.testing.assert_array_equal(output, kept)
    assert value > 0.0
    assert relative_error(gradient, numerical_gradient(lambda z: row.loss(z, target)[0], output)) < 1e-8


@every_loss
def test_a_loss_is_the_mean_over_the_batch(row):
    output, target = drawn(row, 13)
    value, gradient = row.loss(output, target)
    targets = None if target is None else np.concatenate([target, target])
    twice, gradient_twice = row.loss(np.concatenate([output, output]), targets)
    assert twice == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(gradient_twice[: row.n], gradient / 2, rtol=1e-12)


@every_loss
def test_a_loss_keeps_float32_and_survives_huge_outputs(row):
    output, target = drawn(row, 14)
    output = output.astype(np.float32)
    value, gradient = row.loss(output, target)
    assert type(value) is float
    assert gradient.dtype == np.float32
    value, gradient = row.loss(1e4 * output, target)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


# --- initializers and schedules ---------------------------------------------------------------------------------------


@each(("init", "variance"), INITIALIZERS, "init", "variance")
def test_an_initializer_has_its_variance(init, variance):
    w = init(np.random.default_rng(15), (300, 200))
    assert w.shape == (300, 200)
    assert w.dtype == np.float64
    assert w.var() == pytest.approx(variance, rel=0.03, abs=1e-30)
    np.testing.assert_array_equal(w, init(np.random.default_rng(15), (300, 200)))


def test_orthogonal_columns_or_rows_are_orthonormal():
    rng = np.random.default_rng(16)
    tall, wide = initializers.orthogonal(rng, (7, 4)), initializers.orthogonal(rng, (4, 7))
    np.testing.assert_allclose(tall.T @ tall, np.eye(4), atol=1e-14)
    np.testing.assert_allclose(wide @ wide.T, np.eye(4), atol=1e-14)
    corners = [initializers.orthogonal(rng, (2, 2))[0, 0] for _ in range(400)]
    assert abs(np.mean(corners)) < 0.2  # every direction is equally likely, and so is its opposite


def test_fans_of_dense_stacked_and_convolution_weights():
    assert initializers.fans((3, 5)) == (3, 5)
    assert initializers.fans((4, 3, 5)) == (3, 5)
    assert initializers.fans((8, 3, 5, 2)) == (30, 80)
    with pytest.raises(ValueError, match="2, 3 or 4 axes"):
        initializers.he_normal(np.random.default_rng(0), (3,))


@each(("schedule", "first", "tenth"), SCHEDULES, "schedule", "first", "tenth")
def test_a_schedule_has_its_two_ends(schedule, first, tenth):
    assert schedule(0) == pytest.approx(first, rel=1e-12)
    assert schedule(10) == pytest.approx(tenth, rel=1e-12)


# --- optimizers -------------------------------------------------------------------------------------------------------

every_optimizer = each("make", OPTIMIZERS, "make")


@each(("make", "by_hand"), (row for row in OPTIMIZERS if row.by_hand), "make", "by_hand")
def test_an_optimizer_follows_its_published_formula(make, by_hand):
    for gradients in (GRADIENTS, (0.0, 3.0, 0.0, -1.0), (1e-3, 1e3)):
        optimizer, theta = make(), np.array([1.0, 1.0])
        for gradient in gradients:
            optimizer.step(theta, np.array([gradient, -gradient]))
        wanted = [by_hand(1.0, gradients), by_hand(1.0, [-g for g in gradients])]
        np.testing.assert_allclose(theta, wanted, rtol=1e-13)


@every_optimizer
def test_an_optimizer_keeps_float32_and_leaves_the_gradient_alone(make):
    theta, grad = np.ones(5, np.float32), np.linspace(-1, 1, 5, dtype=np.float32)
    optimizer, kept = make(), grad.copy()
    for _ in range(3):
        optimizer.step(theta, grad)
    np.testing.assert_array_equal(grad, kept)
    assert theta.dtype == np.float32
    assert all(getattr(optimizer, name).dtype == np.float32 for name in optimizer.state)


@every_optimizer
def test_an_optimizer_walks_downhill(make):
    theta, optimizer = np.array([3.0, -2.0]), make()
    for _ in range(400):
        optimizer.step(theta, theta.copy())  # the gradient of |theta|^2 / 2
    assert np.linalg.norm(theta) < 0.9 * math.hypot(3.0, 2.0)


@every_optimizer
def test_an_optimizer_goes_back_to_its_snapshot(make):
    optimizer, theta = make(), np.ones(3)
    optimizer.step(theta, np.arange(3.0))
    kept, at = optimizer.snapshot(), theta.copy()
    optimizer.step(theta, np.ones(3))
    after, theta[...] = theta.copy(), at
    optimizer.restore(kept)
    optimizer.step(theta, np.ones(3))
    np.testing.assert_array_equal(theta, after)


@every_optimizer
def test_a_new_optimizer_goes_on_from_the_snapshot_of_another(make):
    first, second, theta = make(), make(), np.ones(3)
    first.step(theta, np.arange(3.0))
    kept, other = first.snapshot(), theta.copy()
    second.restore(kept)
    for gradient in (np.ones(3), np.array([3.0, -1.0, 0.0])):
        first.step(theta, gradient)
        second.step(other, gradient)
    np.testing.assert_array_equal(other, theta)


def test_every_optimizer_stands_in_the_registry():
    kinds = {
        name
        for name, thing in vars(optimizers).items()
        if isinstance(thing, type) and issubclass(thing, optimizers.Optimizer) and thing is not optimizers.Optimizer
    }
    missing = kinds ^ {row.name for row in OPTIMIZERS if row.by_hand}
    assert not missing, f"tests/registry/optimizers.py wants a row for {sorted(missing)}"
