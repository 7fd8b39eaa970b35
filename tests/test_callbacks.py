"""Callbacks: gradients are watched as they are, and a killed training goes on to the same bits."""

import functools
import json
import math
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import resumed

from nnlib import archive
from nnlib.activations import relu, sigmoid, tanh
from nnlib.augmentation import Augment
from nnlib.callbacks import Callback, EarlyStopping, GradientMonitor
from nnlib.checkpoint import Checkpoint, described, generators
from nnlib.ensemble import Ensemble, fit_ensemble
from nnlib.initializers import normal
from nnlib.layers import Activation, Dense, Dropout
from nnlib.losses import focal, mean_squared_error, softmax_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import SGD, Adam, Momentum
from nnlib.regularizers import L2, AfterStep, max_norm
from nnlib.schedules import exponential
from nnlib.training import Diverged, fit

HERE = pathlib.Path(__file__).parent


def small(seed=0, width=6, dtype=np.float32):
    return Sequential(
        Dense(4, width), Activation(tanh), Dropout(0.2), Dense(width, 3), rng=np.random.default_rng(seed), dtype=dtype
    )


def train(path=None, epochs=4, network=None, optimizer=None, callbacks=(), rng=None, **changed):
    """A short training with a checkpoint; what is changed is told by name."""
    network, settings = network or small(), {"loss": softmax_cross_entropy, "batch_size": 16, **changed}
    loss, data = settings.pop("loss"), settings.pop("data", resumed.data(2))
    if path is not None:
        callbacks = [path if isinstance(path, Checkpoint) else Checkpoint(path), *callbacks]
    history = fit(
        network, loss, optimizer or Adam(0.01), data, resumed.data(3), epochs=epochs, callbacks=callbacks,
        rng=rng or np.random.default_rng(5), **settings,
    )  # fmt: skip
    return network, history


def same(one, other):
    np.testing.assert_array_equal(one[0].theta, other[0].theta)
    assert one[1] == other[1]


# --- a killed training ------------------------------------------------------------------------------------------------


def in_a_process(*arguments):
    return subprocess.run(
        [sys.executable, HERE / "resumed.py", *map(str, arguments)], capture_output=True, text=True, cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of Unix")
@pytest.mark.parametrize("kind", resumed.KINDS)
def test_a_training_killed_in_mid_epoch_goes_on_to_the_same_bits(kind, tmp_path):
    whole = in_a_process(tmp_path / "whole.npz", kind, 9)
    assert whole.returncode == 0, whole.stderr
    path = tmp_path / "killed.npz"
    for epoch in (0, 2, 5):  # killed three times, the first time before anything was written
        killed = in_a_process(path, kind, 9, epoch)
        assert (killed.returncode, killed.stdout) == (-9, "")
        assert path.exists() == (epoch > 0)
        if path.exists():
            header, _ = archive.read(path, "nnlib checkpoint, version 1", "checkpoint")
            assert header["state"]["dict"]["n_epochs"] == epoch, "no more than the epoch being computed is lost"
    result = json.loads(in_a_process(path, kind, 9).stdout)
    assert result == json.loads(whole.stdout)
    assert json.loads(in_a_process(path, kind, 9).stdout) == result, "at its end it is there at once"


def test_a_finished_training_comes_back_at_once_and_a_larger_number_of_epochs_goes_on(tmp_path):
    path, called = tmp_path / "run.npz", []

    class Count(Callback):
        def step(self, run):
            called.append(run.epoch)

    whole = train(epochs=7, callbacks=[Count()])
    called.clear()
    first = train(path, epochs=3, callbacks=[Count()])
    assert set(called) == {0, 1, 2}
    called.clear()
    same(train(path, epochs=3, callbacks=[Count()]), first)
    assert called == []
    same(train(path, epochs=7, callbacks=[Count()]), whole)
    assert set(called) == {3, 4, 5, 6}
    with pytest.raises(ValueError, match="7 epochs far, and epochs=5"):
        train(path, epochs=5, callbacks=[Count()])


def test_writing_every_few_epochs_writes_the_last_one_too(tmp_path):
    path = tmp_path / "run.npz"

    class Look(Callback):
        comes_last = True

        def epoch(self, run):
            seen.append(path.exists() and archive.read(path, "nnlib checkpoint, version 1", "checkpoint")[0])

    for epochs, wanted in ((4, [0, 0, 3, 4]), (3, [0, 0, 3])):
        path.unlink(missing_ok=True)
        seen = []
        train(Checkpoint(path, every=3), epochs=epochs, callbacks=[Look()])
        assert [header and header["state"]["dict"]["n_epochs"] for header in seen] == wanted
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


def test_a_training_that_was_stopped_early_stays_stopped(tmp_path):
    def run():
        stopping = EarlyStopping(patience=1)
        return *train(tmp_path / "run.npz", epochs=60, callbacks=[stopping], optimizer=Adam(0.05)), stopping

    *first, stopping = run()
    assert stopping.stopped
    *again, stopping_again = run()
    same(again, first)
    assert (stopping_again.best_epoch, stopping_again.stopped) == (stopping.best_epoch, True)


def test_after_a_resumed_training_the_generator_goes_on_as_after_a_whole_one(tmp_path):
    draws = []
    for path, epochs in ((None, (6,)), (tmp_path / "run.npz", (2, 6, 6))):
        for n in epochs:
            rng = np.random.default_rng(8)
            train(path, epochs=n, rng=rng)
        draws.append(rng.random())
    assert draws[0] == draws[1]


def test_a_training_that_diverges_diverges_again_at_the_same_step(tmp_path):
    def blows_up(output, target):
        value, gradient = softmax_cross_entropy(output, target)
        return (math.inf if np.abs(output).max() > 50.0 else value), gradient

    ends = []
    for path in (None, tmp_path / "run.npz", tmp_path / "run.npz"):
        with pytest.raises(Diverged) as caught:
            train(path, loss=blows_up, optimizer=SGD(lambda step: 0.1 * 1.5**step), epochs=9)
        ends.append((str(caught.value), caught.value.history))
    assert ends[0] == ends[1] == ends[2]
    assert len(ends[0][1].train_loss) >= 2


def test_the_best_network_is_saved_beside(tmp_path):
    best, snapshots = tmp_path / "best.npz", []

    class Keep(Callback):
        def epoch(self, run):
            snapshots.append(run.network.theta.copy())

    _, history = train(Checkpoint(tmp_path / "run.npz", best=best), epochs=12, optimizer=Adam(0.1), callbacks=[Keep()])
    at = int(np.argmin(history.validation_loss))
    assert 0 < at < 11
    np.testing.assert_array_equal(Sequential.load(best).theta, snapshots[at])


# --- another training, a damaged file, a full disk --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (lambda: {"network": small(width=7)}, "with network .*Dense.4, 6.*this one has .*Dense.4, 7"),
        (lambda: {"network": small(dtype=np.float64)}, "in float32, this one has .* in float64"),
        (lambda: {"optimizer": Momentum(0.01)}, "with optimizer Adam.*this one has Momentum"),
        (lambda: {"optimizer": Adam(0.01, beta1=0.8)}, r"beta1=0\.9.*beta1=0\.8"),
        (lambda: {"optimizer": Adam(0.02)}, r"at step 0 its learning rate was 0\.01, now it is 0\.02"),
        (lambda: {"optimizer": Adam(exponential(0.01, 0.9))}, r"at step 4 .* was 0\.01, now it is 0\.0065"),
        (lambda: {"loss": mean_squared_error}, "with loss .*softmax_cross_entropy.*mean_squared_error"),
        (lambda: {"loss": focal(gamma=1.0)}, r"focal\(\)\(gamma=1\.0\)"),
        (lambda: {"batch_size": 17}, "with batch_size 16, this one has 17"),
        (lambda: {"penalty": L2(0.1)}, r"with penalty None, this one has L2\(strength=0\.1\)"),
        (lambda: {"augment": np.copy}, "with augment None, this one has numpy.*copy"),
        (lambda: {"data": resumed.data(2, 80)}, r"with train .*\(90, 4\).*\(80, 4\)"),
        (lambda: {"data": resumed.data(9)}, "with train .*checksum"),
        (lambda: {"callbacks": [EarlyStopping(2)]}, r"with callbacks \[\], this one has .*EarlyStopping\(patience=2"),
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_training_is_refused_and_nothing_is_changed(changed, text, tmp_path):
    path, network = tmp_path / "run.npz", small(1)
    train(path, epochs=2)
    call = {"network": network, **changed()}
    network, rng = call["network"], np.random.default_rng(5)
    theta, state, file = network.theta.copy(), rng.bit_generator.state, path.read_bytes()
    with pytest.raises(ValueError, match=text) as caught:
        train(path, epochs=4, rng=rng, **call)
    assert "another path" in str(caught.value)
    np.testing.assert_array_equal(network.theta, theta)
    assert rng.bit_generator.state == state
    assert path.read_bytes() == file


def rewritten(path, change):
    """The checkpoint with another state, its arrays as they were."""
    header, arrays = archive.read(path, "nnlib checkpoint, version 1", "checkpoint")
    state = archive.unpack(header["state"], arrays)
    change(header, state)
    arrays = {}
    header["state"] = archive.pack(state, arrays)
    archive.write(path, header, arrays)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda h, s: h.update(format="other"), "not of the format"),
        (lambda h, s: h.update(task=3), "does not say what training"),
        (lambda h, s: h["task"].pop("loss"), "does not say what training"),
        (lambda h, s: s.pop("parts"), "does not fit this training"),
        (lambda h, s: s["parts"].update(network=[np.zeros(3, np.float32), []]), "the snapshot has 3"),
        (lambda h, s: s["parts"].update(optimizer=7), "does not fit this training"),
        (lambda h, s: s["generators"].pop(), "does not fit this training"),
        (lambda h, s: s["generators"][0].update(bit_generator="MT19937"), "does not fit this training"),
        (lambda h, s: s.update(n_epochs="many"), "does not fit this training"),
        (lambda h, s: s.update(n_epochs=99), "99 epochs far"),
        (lambda h, s: s.update(rates={"0": [0.5]}), "at step 0 its learning rate was 0.5"),
        (lambda h, s: s["callbacks"].append(None), "does not fit this training"),
    ],
)
def test_a_checkpoint_with_a_foreign_state_is_refused_and_the_network_stays(change, text, tmp_path):
    path, network, rng = tmp_path / "run.npz", small(1), np.random.default_rng(5)
    train(path, epochs=2)
    rewritten(path, change)
    theta, state = network.theta.copy(), rng.bit_generator.state
    with pytest.raises(ValueError, match=text):
        train(path, network=network, rng=rng)
    np.testing.assert_array_equal(network.theta, theta)
    assert rng.bit_generator.state == state


def test_a_damaged_checkpoint_is_an_error_wherever_it_is_damaged(tmp_path):
    path = tmp_path / "run.npz"
    whole = train(path, epochs=2)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match="not a whole checkpoint file"):
            train(path, epochs=2)
    n_refused = 0
    for place in rng.integers(0, len(content), 150):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x11]) + content[place + 1 :])
        try:
            resumed_training = train(path, epochs=2)
        except ValueError:
            n_refused += 1
        else:
            same(resumed_training, whole)  # a byte without meaning: a date, padding
    assert n_refused > 120
    small().save(path)
    with pytest.raises(ValueError, match="not of the format 'nnlib checkpoint, version 1'"):
        train(path)


def test_a_full_disk_leaves_the_old_file_whole_and_the_training_goes_on(tmp_path, monkeypatch):
    path, savez, calls = tmp_path / "run.npz", np.savez, []
    whole = train(epochs=6)

    def full_in_between(file, **arrays):
        calls.append(1)
        if len(calls) in (3, 4):
            assert file.write(b"half")
            raise OSError(28, "No space left on device")
        savez(file, **arrays)

    seen = []

    class Look(Callback):
        comes_last = True

        def epoch(self, run):
            header, _ = archive.read(path, "nnlib checkpoint, version 1", "checkpoint")
            seen.append(header["state"]["dict"]["n_epochs"])

    monkeypatch.setattr(np, "savez", full_in_between)
    with pytest.warns(
        RuntimeWarning, match=r"epoch 3 was not written to .*No space left.*goes on, make room"
    ) as caught:
        same(train(path, epochs=6, callbacks=[Look()]), whole)
    assert len(caught) == 1, "said once"
    assert seen == [1, 2, 2, 2, 5, 6]
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
def test_a_disk_that_is_really_full_takes_no_network_either(tmp_path):
    code = """if True:
        import resource, signal, sys, numpy as np
        from nnlib.layers import Dense
        from nnlib.network import Sequential
        network = Sequential(Dense(4, 3), rng=np.random.default_rng(0))
        network.save(sys.argv[1])
        before = open(sys.argv[1], "rb").read()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
        try:
            network.save(sys.argv[1])
        except OSError as error:
            print(error.__notes__[0])
        assert open(sys.argv[1], "rb").read() == before
    """
    path = tmp_path / "network.npz"
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, cwd=HERE.parent)
    assert run.stdout == f"{path} was not written; a file that stood there is unchanged\n", run.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["network.npz"]


# --- what is kept, what is compared -----------------------------------------------------------------------------------


def test_an_archive_gives_back_what_was_packed():
    rng = np.random.default_rng(0)
    values = {
        "numbers": [1, -3, 2**100, 0.1, math.inf, True, None, "text"],
        "floats": [0.1 * i for i in range(30)],
        "mixed": [1, 0.5] * 10,
        "array": rng.normal(size=(2, 3)).astype(np.float32),
        "empty": np.zeros((0, 3)),
        "nested": {"list": [[], [np.arange(3)]], "scalar": np.float32(0.1)},
        "generator": np.random.Generator(np.random.MT19937(3)).bit_generator.state,
    }
    arrays = {}
    packed = json.loads(json.dumps(archive.pack(values, arrays)))
    back = archive.unpack(packed, arrays)
    assert repr(back) == repr(values)
    assert type(back["nested"]["scalar"]) is np.float32
    assert archive.pack((1, (2,)), {}) == [1, [2]]
    for wrong in (object(), {1: 2}, np.array(["a"]), 1j):
        with pytest.raises(TypeError, match="kept"):
            archive.pack(wrong, {})


def test_every_generator_is_found_once_wherever_it_is():
    rngs = [np.random.default_rng(i) for i in range(7)]
    network = Sequential(Dense(2, 2), Dropout(0.5), rng=np.random.default_rng(9))

    class Watcher(Callback):
        def __init__(self):
            self.own = [rngs[0]]

    def in_closure(x, rng=rngs[2]):
        return rngs_1.random() + rng.random()

    rngs_1 = rngs[1]
    partial = functools.partial(np.copy, rngs[3])
    augment = Augment(noise=0.1, rng=rngs[4])
    optimizer = AfterStep(SGD(0.1), lambda rate: rngs_1.random())
    found = generators([network, Watcher(), in_closure, partial, augment, optimizer, of_the_module, augment, None, 3])
    wanted = [network.layers[1].rng, rngs[0], rngs[2], rngs[1], rngs[3], rngs[4], GLOBAL]
    assert [id(rng) for rng in found] == [id(rng) for rng in wanted]


GLOBAL = np.random.default_rng(10)


def of_the_module(x):
    return GLOBAL.random()


def test_things_are_described_by_what_they_were_made_with():
    assert described(L2(0.1)) == "L2(strength=0.1)"
    assert described(softmax_cross_entropy) == "nnlib.losses.softmax_cross_entropy"
    assert "label_smoothing=0.1" in described(softmax_cross_entropy(label_smoothing=0.1))
    assert described(Adam(0.1)) == described(Adam(0.2)), "rates are compared step by step"
    assert described(Adam(beta2=0.9)) != described(Adam())
    network = small()
    bounded = AfterStep(SGD(0.1), lambda rate: max_norm(network, 3.0))
    assert described(bounded).startswith("AfterStep(optimizer=SGD(), action=test_callbacks.")
    assert described(np.ones(3)) != described(np.zeros(3))
    assert described(network.predict).endswith(".predict")
    assert described(np.float32(0.5)) == "float32 0.5"
    assert described([None, True, "a"]) == "(None, True, 'a')"
    assert "rotate=5.0" in described(Augment(rotate=5, rng=GLOBAL))


def test_a_projection_after_each_step_is_resumed_too(tmp_path):
    def run(path, epochs):
        network = small()
        optimizer = AfterStep(Momentum(0.1), lambda rate: max_norm(network, 0.5))
        return train(path, epochs=epochs, network=network, optimizer=optimizer)

    run(tmp_path / "run.npz", 2)
    same(run(tmp_path / "run.npz", 5), run(None, 5))


# --- gradients watched ------------------------------------------------------------------------------------------------


def test_the_monitor_records_the_gradient_the_optimizer_got_and_how_far_the_step_went():
    monitor, network = GradientMonitor(every=2), small(dtype=np.float64)
    seen = []

    class ByHand(SGD):
        def update(self, theta, grad, learning_rate):
            before = theta.copy()
            super().update(theta, grad, learning_rate)
            parts = np.split(np.stack([grad, theta - before, before]), np.cumsum([24, 6, 18]), axis=1)
            seen.append([np.linalg.norm(part, axis=1) for part in parts])

    train(network=network, optimizer=ByHand(0.1), epochs=3, callbacks=[monitor], penalty=L2(0.1))
    assert monitor.names == ["0 Dense.W", "0 Dense.b", "3 Dense.W", "3 Dense.b"]
    np.testing.assert_array_equal(monitor.steps, [0, 2, 4, 6, 8, 10, 12, 14, 16])  # 6 steps an epoch
    np.testing.assert_array_equal(monitor.epochs, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    wanted = np.array(seen)[monitor.steps]  # (steps, parameters, [gradient, move, size])
    np.testing.assert_allclose(monitor.norms, wanted[:, :, 0], rtol=1e-12)
    assert np.isnan(monitor.ratios[0, [1, 3]]).all(), "biases are 0 at first"
    known = ~np.isnan(monitor.ratios)
    np.testing.assert_allclose(monitor.ratios[known], (wanted[:, :, 1] / np.maximum(wanted[:, :, 2], 1e-300))[known])
    assert known.sum() == known.size - 2
    np.testing.assert_allclose(monitor.by_epoch(), monitor.norms.reshape(3, 3, 4).mean(axis=1))


def test_a_monitor_of_many_steps_looks_at_the_first_of_each_epoch_and_changes_nothing():
    monitor = GradientMonitor(every=100)
    same(train(epochs=3, callbacks=[monitor]), train(epochs=3))
    np.testing.assert_array_equal(monitor.steps, [0, 6, 12])
    monitor = GradientMonitor(every=1)
    train(epochs=2, callbacks=[monitor])
    np.testing.assert_array_equal(monitor.steps, np.arange(12))


def test_the_monitor_sees_each_model_of_an_ensemble():
    monitors, data = [], resumed.data(2)
    ensemble = Ensemble(lambda rng: Sequential(Dense(4, 5), Activation(relu), Dense(5, 3), rng=rng), [0, 1])
    alone = ensemble.network(1)
    for fitting, model in ((fit_ensemble, ensemble), (fit, alone)):
        monitors.append(GradientMonitor(every=4))
        fitting(
            model, softmax_cross_entropy, SGD(0.1), data, epochs=2, batch_size=16, rng=np.random.default_rng(1),
            callbacks=monitors[-1:],
        )  # fmt: skip
    many, one = monitors
    assert many.names == one.names
    assert many.norms.shape == (4, 4, 2)
    np.testing.assert_allclose(many.norms[:, :, 1], one.norms, rtol=1e-5)
    np.testing.assert_allclose(many.ratios[:, :, 1], one.ratios, rtol=1e-4)


def test_the_monitor_warns_once_where_gradients_vanish_or_explode():
    rng = np.random.default_rng(3)
    deep = [layer for _ in range(8) for layer in (Dense(4, 4, normal(0.5)), Activation(sigmoid))]
    network = Sequential(*deep, Dense(4, 3), rng=rng)
    with pytest.warns(RuntimeWarning, match=r"gradient of 0 Dense\.W vanishes: .* over epoch 0, the limits") as caught:
        train(network=network, epochs=3, callbacks=[GradientMonitor(every=2, limits=(1e-4, 1e4))])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match=r"gradient of .* explodes"):
        train(epochs=1, callbacks=[GradientMonitor(every=2, limits=(0.0, 1e-3))])
    train(epochs=1, callbacks=[GradientMonitor(every=2, limits=(0.0, 1e9))])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: GradientMonitor(1, limits=(2.0, 1.0)), ValueError, "lowest < highest"),
        (lambda: GradientMonitor(1, limits=3.0), ValueError, "lowest < highest"),
        (lambda: train(Checkpoint("run.npz", best="no/such/folder/b.npz")), FileNotFoundError, "make it first"),
        (lambda: train(callbacks=[print]), TypeError, "derive its class from Callback"),
        (lambda: train(callbacks=3), TypeError, "put it into a list"),
        (lambda: without_validation(Checkpoint("run.npz", best="best.npz")), ValueError, "validation="),
    ],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=text):
        call()
    assert not list(tmp_path.iterdir()), "nothing was written"


def without_validation(checkpoint):
    rng = np.random.default_rng(0)
    return fit(small(), softmax_cross_entropy, SGD(0.1), resumed.data(2), epochs=1, rng=rng, callbacks=[checkpoint])
