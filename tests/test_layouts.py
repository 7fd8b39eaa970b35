"""Layouts and threads: no row of the registry minds how its numbers lie in memory, or who else computes meanwhile."""

import concurrent.futures
import threading

import numpy as np
import pytest
from registry import ACTIVATIONS, FUNCTIONS, INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES

THREADS = 8


# --- what each row computes: (arrays, a computation of them that gives the same at each call) -------------------------


def of_activation(row, dtype, seed=0):
    z = np.random.default_rng([seed, 0]).normal(size=(6, 4)).astype(dtype)
    return [z, np.asarray(row.f(z))], lambda z, a: [row.f(z), row.f.derivative(z), row.f.derivative(z, a)]


def of_function(row, dtype, seed=0):
    z = np.random.default_rng([seed, 1]).normal(size=(6, 4, 2)).astype(dtype)
    if not hasattr(row, "axis"):
        return [z], lambda z: [row.f(z), row.derivative(z)]
    axis = row.axis
    return [z, np.ones_like(z)], lambda z, dout: [row.forward(z, axis), row.backward(dout, row.forward(z, axis), axis)]


def of_loss(row, dtype, seed=0):
    rng, k = np.random.default_rng([seed, 2]), row.k or 3
    output, target = row.outputs(rng, row.n, k).astype(dtype), row.targets(rng, row.n, k)
    if target is None:
        return [output], lambda output: row.loss(output)
    return [output, target], lambda output, target: row.loss(output, target)


def of_layer(row, dtype, seed=0):
    """Forward and back, in training and not, in a new layer at each call."""
    rng = np.random.default_rng([seed, 3])
    x = rng.normal(size=(5, *row.shape)).astype(dtype)
    dout = rng.normal(size=row.make().initialize(rng, dtype).forward(x).shape).astype(dtype)

    def compute(x, dout):
        layer = row.make().initialize(np.random.default_rng([seed, 4]), dtype)
        results = []
        for training in (True, False):
            results += [layer.forward(x, training).copy(), layer.backward(dout).copy(), layer.grad.copy()]
        return [*results, *layer.statistics.values()]

    return [x, dout], compute


def of_optimizer(row, dtype, seed=0):
    theta, gradients = np.random.default_rng([seed, 5]).normal(size=(2, 3, 7)).astype(dtype)

    def compute(theta, gradients):
        optimizer, theta = row.make(), theta[0].copy()
        for gradient in gradients:
            optimizer.step(theta, gradient)
        return [theta]

    return [theta, gradients], compute


def of_initializer(row, dtype, seed=0):
    return [], lambda: [row.init(np.random.default_rng([seed, 6]), (300, 200))]  # of which the registry speaks


def of_schedule(row, dtype, seed=0):
    return [], lambda: [[row.schedule(step) for step in range(30)]]


FAMILIES = {
    of_activation: ACTIVATIONS,
    of_function: FUNCTIONS,
    of_loss: LOSSES,
    of_layer: LAYERS,
    of_optimizer: OPTIMIZERS,
    of_initializer: INITIALIZERS,
    of_schedule: SCHEDULES,
}
EVERY = [pytest.param(of, row, id=f"{of.__name__}: {row.name}") for of, rows in FAMILIES.items() for row in rows]
WITH_ARRAYS = [case for case in EVERY if case.values[0] not in (of_initializer, of_schedule)]


# --- layouts ----------------------------------------------------------------------------------------------------------


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array):
    """Every second number along every axis of a larger array."""
    every_second = (slice(None, None, 2),) * array.ndim
    larger = np.full([2 * n for n in array.shape], -1 if array.dtype.kind in "iu" else np.nan, array.dtype)
    larger[every_second] = array
    return larger[every_second]


def backward_in_memory(array):
    return np.flip(np.flip(array).copy())


LAYOUTS = {
    "read-only": read_only,
    "strided": strided,
    "Fortran order": np.asfortranarray,
    "from behind": backward_in_memory,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("of", "row"), WITH_ARRAYS)
def test_the_layout_of_arrays_changes_nothing(of, row, layout):
    for dtype in (np.float32, np.float64):
        arrays, compute = of(row, dtype)
        wanted, laid_out = compute(*arrays), [layout(array) for array in arrays]
        near = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-13}
        for got, value in zip(compute(*laid_out), wanted, strict=True):
            np.testing.assert_allclose(got, value, **near)
            assert np.asarray(got).dtype == np.asarray(value).dtype
        for array, kept in zip(laid_out, arrays):
            np.testing.assert_array_equal(array, kept)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ACTIVATIONS])
def test_an_activation_takes_nothing_and_a_single_number(row):
    for shape in ((0,), (3, 0), (0, 4), ()):
        z = np.full(shape, 0.5, np.float32)
        for result in (row.f(z), row.f.derivative(z)):
            assert np.shape(result) == shape
            assert result.dtype == np.float32
    np.testing.assert_allclose(row.f(np.float64(0.5)), row.f(np.array([0.5]))[0], rtol=1e-14)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in LOSSES])
def test_a_loss_refuses_an_empty_batch(row):
    (output, *target), compute = of_loss(row, np.float64)
    with pytest.raises(ValueError, match=r"takes|empty"):
        compute(output[:0], *(array[:0] for array in target))


# --- threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "row"), EVERY)
def test_eight_threads_get_the_bits_that_one_gets_alone(of, row):
    """Each has its own numbers and its own layer or optimizer: what they could share is hidden in the kernels."""
    tasks = [of(row, np.float32, seed) for seed in range(THREADS)]
    wanted = [[np.array(value) for value in compute(*arrays)] for arrays, compute in tasks]
    together = threading.Barrier(THREADS)

    def run(task):
        arrays, compute = task
        together.wait()
        return [[np.array(value) for value in compute(*arrays)] for _ in range(3)]

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for repeats, values in zip(pool.map(run, tasks), wanted):
            for results in repeats:
                for got, value in zip(results, values, strict=True):
                    np.testing.assert_array_equal(got, value)


# --- the laws see what they look for ----------------------------------------------------------------------------------


def test_memory_that_threads_share_is_found():
    scratch, written = np.empty((6, 4), np.float32), threading.Barrier(THREADS)

    def kernel(z):
        scratch[...] = z
        if threading.current_thread() is not threading.main_thread():
            written.wait()
        return scratch.copy()

    def of(row, dtype, seed=0):
        arrays, _ = of_activation(ACTIVATIONS[0], dtype, seed)
        return arrays[:1], lambda z: [kernel(z)]

    with pytest.raises(AssertionError):
        test_eight_threads_get_the_bits_that_one_gets_alone(of, None)


@pytest.mark.parametrize(
    ("kernel", "layout"),
    [
        (lambda z: z.ravel("K") * np.arange(24, dtype=z.dtype), np.asfortranarray),
        (lambda z: np.ndarray(z.shape, z.dtype, np.ascontiguousarray(z.base if z.base is not None else z)), strided),
        (lambda z: np.multiply(z, 2.0, out=z), strided),
    ],
)
def test_a_kernel_that_minds_the_layout_is_found(kernel, layout):
    def of(row, dtype):
        arrays, _ = of_activation(ACTIVATIONS[0], dtype)
        return arrays[:1], lambda z: [kernel(z)]

    with pytest.raises(AssertionError):
        test_the_layout_of_arrays_changes_nothing(of, None, layout)
