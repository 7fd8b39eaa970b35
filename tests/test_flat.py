"""Flat steps are the ordinary ones: the same parameters, history, draws, stops and errors, whatever the parts."""

import numpy as np
import pytest

from nnlib import activations, losses, optimizers, training
from nnlib import flat as flat_module
from nnlib.activations import elu, gelu, relu, sigmoid, swish, tanh
from nnlib.callbacks import Callback, EarlyStopping
from nnlib.flat import Unsupported, flat
from nnlib.layers import Activation, BatchNorm, Dense, Dropout, Flatten, GaussianNoise, NTKDense
from nnlib.losses import binary_cross_entropy, huber, mean_squared_error, softmax_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import SGD, Adam, AdamW, AMSGrad, Clipped, Momentum, NAdam, Nesterov
from nnlib.regularizers import L1, L2, AfterStep
from nnlib.schedules import cosine, warmup
from nnlib.trace import CannotTrace, Tape
from nnlib.training import Diverged, fit

N, D = 107, 5  # not a multiple of the batch size
BATCH = 16
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}  # relative, on theta


def numbers(k):
    return lambda rng: rng.normal(size=(N, k))


def questions(k):
    return lambda rng: rng.integers(0, 2, (N, k)).astype(float)


def labels(k):
    return lambda rng: rng.integers(0, k, N)


def shares(k):
    return lambda rng: rng.dirichlet(np.ones(k), N)


def hidden(*between, n_out, width=7):
    return lambda: [Dense(D, width), *(layer() for layer in between), Dense(width, n_out)]


def acting(f):
    return lambda: Activation(f)


# a row for each network of the course and for each part: layers, loss, optimizer, targets, settings of fit
ROWS = {
    "2-16-16-1": (
        lambda: [Dense(D, 16), Activation(tanh), Dense(16, 16), Activation(tanh), Dense(16, 1)],
        binary_cross_entropy, lambda: SGD(0.3), questions(1), {},
    ),
    "64-32-10": (
        hidden(acting(relu), n_out=10, width=32), softmax_cross_entropy, lambda: Momentum(0.1), labels(10), {},
    ),
    "784-256-128-10": (
        lambda: [Dense(D, 25), Activation(relu), Dense(25, 12), Activation(relu), Dense(12, 10)],
        softmax_cross_entropy, lambda: Adam(0.01), labels(10), {},
    ),
    "logistic regression": (lambda: [Dense(D, 1)], binary_cross_entropy, lambda: SGD(0.5), questions(1), {}),
    "softmax regression": (lambda: [Dense(D, 3)], softmax_cross_entropy, lambda: SGD(0.5), labels(3), {}),
    **{
        f"Activation({f!r})": (hidden(acting(f), n_out=2), mean_squared_error, lambda: SGD(0.01), numbers(2), {})
        for f in activations.ELEMENTWISE.values()
    },
    "two functions": (
        lambda: [Dense(D, 6), Activation(tanh), Dense(6, 4), Activation(elu(0.5)), Dense(4, 5), Activation(elu(0.5)),
                 Dense(5, 2)],
        mean_squared_error, lambda: SGD(0.05), numbers(2), {},
    ),
    "an activation of an activation": (
        hidden(acting(tanh), acting(tanh), acting(swish()), n_out=2),
        mean_squared_error, lambda: SGD(0.1), numbers(2), {},
    ),
    "an activation at the end": (
        lambda: [Dense(D, 4), Activation(relu), Dense(4, 2), Activation(sigmoid)],
        mean_squared_error, lambda: SGD(0.1), numbers(2), {},
    ),
    "linear layers alone": (hidden(n_out=3), softmax_cross_entropy, lambda: SGD(0.1), labels(3), {}),
    "Dropout": (
        hidden(acting(relu), lambda: Dropout(0.4), n_out=3), softmax_cross_entropy, lambda: SGD(0.1), labels(3), {},
    ),
    "Dropout on the inputs": (
        lambda: [Dropout(0.2), Dense(D, 4), Activation(tanh), Dense(4, 1)],
        binary_cross_entropy, lambda: SGD(0.1), questions(1), {},
    ),
    "Dropout of 0": (
        hidden(acting(relu), lambda: Dropout(0.0), n_out=2), mean_squared_error, lambda: SGD(0.1), numbers(2), {},
    ),
    "GaussianNoise": (
        lambda: [GaussianNoise(0.3), Dense(D, 4), Activation(tanh), GaussianNoise(0.1), Dense(4, 2)],
        mean_squared_error, lambda: SGD(0.1), numbers(2), {},
    ),
    "many questions": (hidden(acting(tanh), n_out=3), binary_cross_entropy, lambda: SGD(0.3), questions(3), {}),
    "mean_squared_error, one output": (
        hidden(acting(tanh), n_out=1), mean_squared_error, lambda: SGD(0.1), numbers(1), {},
    ),
    "softmax_cross_entropy, distributions": (
        hidden(acting(tanh), n_out=3), softmax_cross_entropy, lambda: SGD(0.3), shares(3), {},
    ),
    "softmax_cross_entropy, smoothed": (
        hidden(acting(tanh), n_out=3), softmax_cross_entropy(label_smoothing=0.2), lambda: SGD(0.3), labels(3), {},
    ),
    **{
        type(make()).__name__: (hidden(acting(tanh), n_out=2), mean_squared_error, make, numbers(2), {})
        for make in (
            lambda: Nesterov(0.05), lambda: AdamW(0.01, decay=0.1), lambda: AMSGrad(0.01), lambda: NAdam(0.01),
            lambda: optimizers.AdaGrad(0.1), lambda: optimizers.RMSProp(0.01), lambda: optimizers.AdaDelta(),
        )
    },
    "Clipped by norm": (
        hidden(acting(tanh), n_out=2), mean_squared_error, lambda: Clipped(Momentum(0.1), norm=0.3), numbers(2), {},
    ),
    "Clipped twice": (
        hidden(acting(tanh), n_out=2), mean_squared_error,
        lambda: Clipped(Clipped(Adam(0.01), value=0.01), norm=0.02), numbers(2), {},
    ),
    "a schedule": (
        hidden(acting(tanh), n_out=2), mean_squared_error, lambda: Adam(warmup(cosine(0.05, 30), 5)), numbers(2), {},
    ),
    "L2": (hidden(acting(tanh), n_out=2), mean_squared_error, lambda: SGD(0.1), numbers(2), {"penalty": L2(0.1)}),
    "L1": (hidden(acting(tanh), n_out=2), mean_squared_error, lambda: SGD(0.1), numbers(2), {"penalty": L1(0.01)}),
}  # fmt: skip


def trained(way, row, dtype, monkeypatch, **settings):
    """Network, history and error of a training, with flat steps or with ordinary ones."""
    layers, loss, optimizer, targets, own = row
    monkeypatch.setattr(training, "FLAT", way == "flat")
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(N, D)), targets(rng)
    network = Sequential(*layers(), rng=np.random.default_rng(4), dtype=dtype)
    settings = {"epochs": 8, "batch_size": BATCH, "progress": False, **own, **settings}
    history, error = None, None
    try:
        history = fit(network, loss, optimizer(), (x, y), (x[:9], y[:9]), rng=np.random.default_rng(5), **settings)
    except Diverged as diverged:
        history, error = diverged.history, str(diverged)
    return network, history, error


def agree(a, b, tolerance):
    assert np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_flat_steps_are_ordinary_steps(row, dtype, monkeypatch):
    network, history, _ = trained("flat", row, dtype, monkeypatch)
    wanted, wanted_history, _ = trained("ordinary", row, dtype, monkeypatch)
    assert history.flat, history.ordinary_because
    assert not wanted_history.flat
    assert len(history.batch_loss) == 8 * 7 >= 50
    agree(network.theta, wanted.theta, TOLERANCE[dtype])
    agree(network.grad, wanted.grad, 10 * TOLERANCE[dtype])
    for name in ("batch_loss", "train_loss", "validation_loss"):
        agree(np.array(getattr(history, name)), np.array(getattr(wanted_history, name)), TOLERANCE[dtype])
    assert history.learning_rate == wanted_history.learning_rate
    assert history.train_accuracy == wanted_history.train_accuracy
    assert history.validation_accuracy == wanted_history.validation_accuracy


@pytest.mark.parametrize(
    ("layers", "loss", "optimizer", "named"),
    [
        ([Dense(D, 4), BatchNorm(4), Dense(4, 2)], mean_squared_error, SGD(0.1), "BatchNorm(4"),
        ([NTKDense(D, 2)], mean_squared_error, SGD(0.1), "NTKDense(5, 2)"),
        ([Flatten(), Dense(D, 2)], mean_squared_error, SGD(0.1), "Flatten()"),
        ([Activation(relu), Dense(D, 2)], mean_squared_error, SGD(0.1), "begins with a Dense layer"),
        ([Dropout(0.5)], mean_squared_error, SGD(0.1), "no Dense layer"),
        ([Dense(D, 2)], huber, SGD(0.1), "huber"),
        ([Dense(D, 2)], huber(delta=2.0), SGD(0.1), "huber"),
        ([Dense(D, 2)], softmax_cross_entropy(weights=[1.0, 2.0]), SGD(0.1), "softmax_cross_entropy"),
        ([Dense(D, 2)], lambda output, target: mean_squared_error(output, target), SGD(0.1), "lambda"),
        ([Dense(D, 2)], mean_squared_error, AfterStep(SGD(0.1), lambda rate: None), "AfterStep"),
    ],
)
def test_what_has_no_flat_form_is_named(layers, loss, optimizer, named):
    network = Sequential(*layers, rng=np.random.default_rng(0))
    with pytest.raises(Unsupported) as error:
        flat(network, loss, optimizer, 8)
    assert named in str(error.value)


def test_fit_goes_the_ordinary_way_where_there_is_no_flat_one(monkeypatch):
    row = (lambda: [Dense(D, 4), BatchNorm(4), Dense(4, 2)], mean_squared_error, lambda: SGD(0.1), numbers(2), {})
    _, history, _ = trained("flat", row, np.float32, monkeypatch)
    assert not history.flat
    assert "BatchNorm(4" in history.ordinary_because
    _, history, _ = trained("flat", ROWS["Dropout"], np.float32, monkeypatch, augment=lambda x: 1.1 * x)
    assert "augmented" in history.ordinary_because


DIVERGES = (hidden(acting(relu), n_out=2), mean_squared_error, lambda: Momentum(60.0), numbers(2), {})


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("each_step", [False, True])
def test_a_loss_that_is_no_number_stops_at_the_same_step(dtype, each_step, monkeypatch):
    callbacks = [Steps()] if each_step else []
    network, history, error = trained("flat", DIVERGES, dtype, monkeypatch, callbacks=callbacks)
    wanted, wanted_history, wanted_error = trained("ordinary", DIVERGES, dtype, monkeypatch)
    assert error.split(":")[0] == wanted_error.split(":")[0]  # the step, the epoch
    assert len(history.batch_loss) == len(wanted_history.batch_loss) > 0
    assert np.isfinite(network.theta).all()
    agree(np.log(np.abs(network.theta)), np.log(np.abs(wanted.theta)), 1e-3)


def test_divergence_can_be_let_pass(monkeypatch):
    network, history, error = trained("flat", DIVERGES, np.float32, monkeypatch, stop_on_divergence=False)
    assert error is None
    assert len(history.batch_loss) == 56
    assert not np.isfinite(network.theta).all()


class Steps(Callback):
    """Remembers theta and the history's length after each step."""

    def start(self, run):
        self.thetas, self.lengths = [], []

    def step(self, run):
        self.thetas.append(run.network.theta.copy())
        self.lengths.append(len(run.history.batch_loss))


def test_callbacks_see_each_step(monkeypatch):
    row, seen = ROWS["Dropout"], {}
    for way in ("flat", "ordinary"):
        callback = Steps()
        _, history, _ = trained(way, row, np.float64, monkeypatch, callbacks=[callback])
        assert history.flat == (way == "flat")
        assert callback.lengths == list(range(1, 57))
        seen[way] = np.array(callback.thetas)
    np.testing.assert_allclose(seen["flat"], seen["ordinary"], rtol=1e-10, atol=1e-13)


def test_many_batches_at_once_are_one_by_one(monkeypatch):
    row = ROWS["Dropout"]
    at_once, _, _ = trained("flat", row, np.float32, monkeypatch)
    one_by_one, _, _ = trained("flat", row, np.float32, monkeypatch, callbacks=[Steps()])
    np.testing.assert_array_equal(at_once.theta, one_by_one.theta)


def test_early_stopping_rolls_back_to_the_best_epoch(monkeypatch):
    results = [
        trained(way, ROWS["64-32-10"], np.float64, monkeypatch, callbacks=[EarlyStopping(2)], epochs=40)
        for way in ("flat", "ordinary")
    ]
    (network, history, _), (wanted, wanted_history, _) = results
    assert len(history.train_loss) == len(wanted_history.train_loss) < 40
    agree(network.theta, wanted.theta, 1e-8)


class GoBack(Callback):
    """After its third epoch a training goes back to the start: network and optimizer."""

    def start(self, run):
        self.kept = run.network.snapshot(), run.optimizer.snapshot()

    def epoch(self, run):
        if run.epoch in (0, 2):
            if run.epoch == 0:
                self.later = run.network.snapshot(), run.optimizer.snapshot()
            network, optimizer = self.kept if run.epoch == 2 else self.later
            run.network.restore(network)
            run.optimizer.restore(optimizer)


@pytest.mark.parametrize("name", ["784-256-128-10", "64-32-10", "NAdam"])
def test_an_optimizer_that_goes_back_is_followed(name, monkeypatch):
    (network, _, _), (wanted, _, _) = (
        trained(way, ROWS[name], np.float64, monkeypatch, callbacks=[GoBack()]) for way in ("flat", "ordinary")
    )
    agree(network.theta, wanted.theta, 1e-9)


@pytest.mark.parametrize(
    ("loss", "targets", "error", "text"),
    [
        (softmax_cross_entropy, lambda y: np.where(np.arange(N) == 100, 3, 0), ValueError, "from 0 to 1, got 0 to 3"),
        (binary_cross_entropy, lambda y: np.full((N, 2), 1.5), ValueError, "targets from 0 to 1"),
        (mean_squared_error, lambda y: np.zeros(N), ValueError, "one shape"),
        (softmax_cross_entropy, lambda y: np.zeros(N), TypeError, "integers"),
    ],
)
def test_bad_targets_are_the_same_errors(loss, targets, error, text, monkeypatch):
    x = np.random.default_rng(0).normal(size=(N, D))
    for way in (True, False):
        monkeypatch.setattr(training, "FLAT", way)
        network = Sequential(Dense(D, 2), rng=np.random.default_rng(0))
        with pytest.raises(error, match=text):
            fit(network, loss, SGD(0.1), (x, targets(None)), epochs=1, rng=np.random.default_rng(0), progress=False)


def test_a_step_alone():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, D)).astype(np.float32), rng.integers(0, 3, 8)
    network, other = (Sequential(Dense(D, 3), rng=np.random.default_rng(1)) for _ in range(2))
    step, optimizer = flat(network, softmax_cross_entropy, SGD(0.1), 8), SGD(0.1)
    wanted = []
    for _ in range(5):
        value, dout = softmax_cross_entropy(other.forward(x, training=True), y)
        other.backward(dout, input_gradient=False)
        optimizer.step(other.theta, other.grad)
        wanted.append(value)
    found = [step(x, y), *step.again(4)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    agree(network.theta, other.theta, 1e-6)


class OfUnitLength(SGD):
    """Steps along grad / |grad|: the length is a number of the whole gradient."""

    def update(self, theta, grad, learning_rate):
        length = np.sqrt(np.square(grad).sum(keepdims=True))
        np.divide(grad, length, out=self.scratch)
        self.scratch *= learning_rate
        theta -= self.scratch


@pytest.mark.parametrize(("make", "n_blocks"), [(lambda: Adam(0.01), 4), (lambda: OfUnitLength(0.1), 1)])
def test_vectors_are_taken_in_blocks_where_each_number_stands_for_itself(make, n_blocks, monkeypatch):
    monkeypatch.setattr(flat_module, "BLOCK", 16)
    row = hidden(acting(tanh), n_out=1), mean_squared_error, make, numbers(1), {}  # 50 parameters
    network, history, _ = trained("flat", row, np.float64, monkeypatch)
    ordinary, _, _ = trained("ordinary", row, np.float64, monkeypatch)
    assert history.flat
    agree(network.theta, ordinary.theta, 1e-10)
    step = flat(network, mean_squared_error, make(), BATCH)
    assert len(step.blocks) == n_blocks
    assert sum("square_sum[16:32] = " in text for _, text in step.listing()) == (2 if n_blocks > 1 else 0)


# ---- one definition: what is broken in nnlib's own kernels is broken in the flat steps ------------------------------


def slower(theta, grad, *numbers):
    theta -= grad * 1e-3


BROKEN = {
    "tanh": (activations.tanh, "f", lambda z, out: np.tanh(0.9 * z, out=out)),
    "the slope of tanh": (activations.tanh, "df", lambda z, a, out: np.subtract(1.0, a, out=out)),
    "the cross-entropy": (losses, "PARTS", None),
    "Adam": (Adam, "update", lambda self, *arguments: slower(*arguments)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_kernel_breaks_the_flat_steps_alike(what, monkeypatch):
    row = (
        hidden(lambda: Activation(activations.tanh), n_out=3),
        softmax_cross_entropy,
        lambda: Adam(0.01),
        labels(3),
        {},
    )
    right, _, _ = trained("flat", row, np.float64, monkeypatch)
    place, name, broken = BROKEN[what]
    if place is losses:
        targets = losses.PARTS[softmax_cross_entropy][1]
        kernel = losses.softmax_cross_entropies

        def half(z, y, mass=None):
            each, gradient = kernel(z, y)
            return each, 0.5 * gradient + 0.01

        monkeypatch.setitem(losses.PARTS, softmax_cross_entropy, (half, targets))
        monkeypatch.setattr(losses, "softmax_cross_entropies", half)
    elif place is Adam:
        monkeypatch.setattr(Adam, name, broken)
    else:
        monkeypatch.setitem(vars(place), name, broken)
    flat_network, history, _ = trained("flat", row, np.float64, monkeypatch)
    ordinary, _, _ = trained("ordinary", row, np.float64, monkeypatch)
    assert history.flat
    assert np.abs(flat_network.theta - right.theta).max() > 1e-3
    agree(flat_network.theta, ordinary.theta, 1e-10)


def test_the_listing_names_the_calls_in_their_order():
    network = Sequential(Dense(2, 4), Activation(tanh), Dense(4, 1), rng=np.random.default_rng(0))
    listing = list(flat(network, binary_cross_entropy, SGD(0.1), 8).listing())
    assert [part for part, _ in listing] == sorted(
        (part for part, _ in listing), key=["forward", "loss", "backward", "update"].index
    )
    assert listing[:3] == [
        ("forward", "z1 = dot(W1, x)"),
        ("forward", "a1 = tanh(z1)"),
        ("forward", "z2 = dot(a1, W2)"),
    ]
    assert ("backward", "dW1 = dot(x, dz1)") in listing
    assert listing[-1] == ("update", "theta = subtract(theta, scratch)")


def test_a_kernel_that_looks_at_numbers_stays_one_call():
    network = Sequential(Dense(2, 4), Activation(gelu), Dense(4, 1), rng=np.random.default_rng(0))
    texts = [text for _, text in flat(network, mean_squared_error, SGD(0.1), 8).listing()]
    assert any("_gelu_derivative(" in text for text in texts)


@pytest.mark.parametrize("make", [lambda: SGD(0.1), lambda: Adam(0.01), lambda: SGD(cosine(0.1, 30))])
def test_the_optimizer_has_counted_every_step(make, monkeypatch):
    counts = []
    for way in ("flat", "ordinary"):
        optimizer = make()
        row = hidden(acting(tanh), n_out=1), mean_squared_error, lambda optimizer=optimizer: optimizer, numbers(1), {}
        trained(way, row, np.float64, monkeypatch)
        counts.append(optimizer.n_steps)
    assert counts == [8 * 7, 8 * 7]  # epochs, batches


LISTED = """\
forward   z1 = dot(W1, x)
forward   a1 = tanh(z1)
forward   mask1 = _draw_mask(mask1)
forward   a1' = multiply(a1, mask1)
forward   z2 = dot(a1', W2)
loss      t1 = subtract(z2, y)
loss      t2 = square(t1)
loss      dz2 = multiply(2, t1)
loss      dz2 = multiply(dz2, 0.125)
loss      sum = dot(t2, t3)
backward  slopes = square(a1)
backward  slopes = subtract(1, slopes)
backward  dW2 = dot(a1', dz2)
backward  dz1 = dot(W2, dz2)
backward  dz1 = multiply(dz1, mask1)
backward  dz1 = multiply(dz1, slope1)
backward  dW1 = dot(x, dz1)
update    velocity = multiply(velocity, 0.9)
update    velocity = add(velocity, grad)
update    scratch = multiply(velocity, number0)
update    theta = subtract(theta, scratch)"""


def test_the_whole_listing_of_a_network():
    network = Sequential(Dense(2, 4), Activation(tanh), Dropout(0.5), Dense(4, 1), rng=np.random.default_rng(0))
    step = flat(network, mean_squared_error, Momentum(0.1), 8)
    assert str(step) == LISTED
    assert step.memory.x.shape == (1, 8, 3)  # memory for one batch, where nobody asks for more


def test_reductions_are_named():
    network = Sequential(Dense(2, 4), Activation(relu), Dense(4, 3), rng=np.random.default_rng(0))
    listing = str(flat(network, softmax_cross_entropy, SGD(0.1), 8)).splitlines()
    assert "forward   a1 = maximum(z1, 0)" in listing
    assert "loss      t1 = maximum.reduce(z2)" in listing
    assert "loss      t8 = vecdot(y, t2)" in listing


# ---- what a tape writes down ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "shapes"),
    [
        (np.dot, [(2, 3), (3, 4)]),
        (np.dot, [(2, 3), (3,)]),
        (np.dot, [(4, 2, 3), (3,)]),
        (np.dot, [(2, 3), (5, 3, 4)]),
        (lambda a, b: a.dot(b), [(2, 3), (3, 4)]),
        (np.vecdot, [(4, 2, 3), (2, 3)]),
        (np.vecdot, [(3,), (3,)]),
        (lambda a: a.sum(), [(2, 3)]),
        (lambda a: a.sum(axis=1), [(2, 3)]),
        (lambda a: a.sum(axis=1, keepdims=True), [(2, 3)]),
        (lambda a: a.max(axis=0), [(2, 3)]),
        (lambda a: a.max(axis=-1, keepdims=True), [(2, 3)]),
        (lambda a: np.add.reduce(a), [(2, 3)]),
        (lambda a: 2 * a + 1.5, [(2, 3)]),
    ],
)
def test_what_is_written_down_computes_the_same(kernel, shapes):
    rng = np.random.default_rng(0)
    arrays = [np.zeros(shape) for shape in shapes]
    tape = Tape(np.float64)
    out = kernel(*map(tape.symbol, arrays)).array
    for array in arrays:
        array[...] = rng.normal(size=array.shape)
    for call in tape.take():
        call.run()
    wanted = np.asarray(kernel(*arrays))
    assert out.shape == wanted.shape
    np.testing.assert_allclose(out, wanted, rtol=1e-14)


def test_what_depends_on_numbers_is_not_written_down():
    a = Tape(np.float64).symbol(np.zeros((2, 3)))
    with pytest.raises(CannotTrace, match="where"):
        np.add(a, a, where=np.ones((2, 3), bool))
    with pytest.raises(AttributeError):
        a.__no_such_thing__
