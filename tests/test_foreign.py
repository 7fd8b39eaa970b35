"""Words of other libraries are answered with ours, and what was made says the call that makes it again."""

import re

import numpy as np
import pytest
from registry import OPTIMIZERS

import nnlib.callbacks
import nnlib.layers
import nnlib.optimizers
from nnlib import foreign, initializers, schedules
from nnlib.callbacks import Callback, EarlyStopping, GradientMonitor
from nnlib.checkpoint import Checkpoint
from nnlib.ensemble import fit_ensemble
from nnlib.layers import LSTM, BatchNorm, Conv2D, Dense, Dropout
from nnlib.optimizers import SGD, Adam, AdamW, Clipped, Momentum, RMSProp
from nnlib.training import fit

WRONG = [
    (lambda: SGD(0.1, momentum=0.9), "SGD has no momentum: Momentum(0.1, momentum=0.9) has one"),
    (lambda: SGD(lr=0.1), "SGD has no lr: it is called learning_rate"),
    (lambda: Adam(lr=0.1), "Adam has no lr: it is called learning_rate"),
    (lambda: Adam(betas=(0.9, 0.999)), "Adam has no betas: give beta1=0.9, beta2=0.999"),
    (lambda: Adam(weight_decay=0.1), "or give fit(..., penalty=L2(0.01))"),
    (lambda: AdamW(weight_decay=0.1), "AdamW has no weight_decay: it is called decay"),
    (lambda: Momentum(0.1, nesterov=True), "Nesterov(0.1, momentum=0.9) is an optimizer"),
    (lambda: RMSProp(0.1, alpha=0.9), "RMSProp has no alpha: it is called beta"),
    (lambda: Adam(0.1, clipnorm=1.0), "Adam has no clipnorm: wrap the optimizer, Clipped(Adam(0.01), norm=1.0)"),
    (lambda: Clipped(SGD(0.1), max_norm=1.0), "Clipped(Adam(0.01), norm=1.0)"),
    (lambda: EarlyStopping(3, restore_best_weights=True), "EarlyStopping has no restore_best_weights: it is called"),
    (lambda: fit(None, validation_data=(0, 0)), "fit has no validation_data: give validation=(x, y)"),
    (lambda: fit(None, n_epochs=3), "fit has no n_epochs: it is called epochs"),
    (lambda: fit_ensemble(None, verbose=0), "fit_ensemble has no verbose: give progress=True or False"),
    (lambda: Checkpoint(filepath="a"), "Checkpoint has no filepath: it is called path"),
    (lambda: Dense(units=3), "Dense has no units: it is called n_out, and n_in stands before it"),
    (lambda: Dense(in_features=2, n_out=3), "Dense has no in_features: it is called n_in"),
    (lambda: Dense(2, 3, activation="relu"), "Dense has no activation: it is a layer of its own, Activation(relu)"),
    (lambda: Conv2D(1, filters=8, size=3), "Conv2D has no filters: it is called c_out"),
    (lambda: Conv2D(1, 8, kernel_size=3), "Conv2D has no kernel_size: it is called size"),
    (lambda: Dropout(rate=0.5), "Dropout has no rate: it is called p"),
    (lambda: LSTM(2, 3, batch_first=True), "LSTM has no batch_first: examples lie along axis 0 everywhere"),
    (lambda: BatchNorm(num_features=3), "BatchNorm has no num_features: it is called n"),
]


@pytest.mark.parametrize(("call", "text"), WRONG)
def test_a_foreign_word_is_answered_with_ours(call, text):
    with pytest.raises(TypeError, match=re.escape(text)):
        call()


@pytest.mark.parametrize(
    ("place", "name", "text"),
    [
        (nnlib.layers, "Linear", "nnlib.layers has no Linear: it is Dense(n_in, n_out)"),
        (nnlib.layers, "Conv2d", "it is Conv2D(c_in, c_out, size)"),
        (nnlib.layers, "BatchNorm1d", "it is BatchNorm(n)"),
        (nnlib.layers, "BatchNorm2d", "it is BatchNorm(n)"),
        (nnlib.layers, "BatchNormalization", "it is BatchNorm(n)"),
        (nnlib.layers, "ReLU", "it is Activation(relu)"),
        (nnlib.layers, "Sequential", "it is nnlib.network.Sequential"),
        (nnlib, "nn", "nnlib has no nn: it is nnlib.layers"),
        (nnlib, "optim", "it is nnlib.optimizers"),
        (nnlib, "keras", "nnlib has no 'keras'; it has activations"),
        (nnlib.layers, "Dens", "nnlib.layers has no Dens"),
    ],
)
def test_a_foreign_name_is_answered_with_ours(place, name, text):
    with pytest.raises(AttributeError, match=re.escape(text)):
        getattr(place, name)


def test_what_the_table_of_names_offers_exists_and_is_not_foreign():
    for name, ours in foreign.NAMES.items():
        assert not hasattr(nnlib.layers, name), name
        offered = re.match(r"(\w+)\(", ours)
        if offered and offered[1] not in ("fit", "Sequential"):
            assert offered[1] in nnlib.layers.__all__, ours


@pytest.mark.parametrize("call", [lambda: SGD(0.1, mass=2.0), lambda: SGD(), lambda: SGD(0.1, 0.2)])
def test_what_nobody_says_is_pythons_own_error(call):
    with pytest.raises(TypeError, match=r"__init__\(\)"):
        call()


@pytest.mark.parametrize("optimizer", [row.make() for row in OPTIMIZERS], ids=lambda o: type(o).__name__)
def test_the_repr_of_an_optimizer_makes_it_again(optimizer):
    again = eval(repr(optimizer), vars(nnlib.optimizers))
    assert repr(again) == repr(optimizer)
    assert "(learning_rate=" in repr(again)
    rng = np.random.default_rng(0)
    a = b = np.ones(4)
    a, b, grad = a.copy(), b.copy(), rng.normal(size=4)
    optimizer.step(a, grad.copy())
    again.step(b, grad.copy())
    np.testing.assert_array_equal(a, b)


def test_a_scheduled_and_clipped_optimizer_says_so():
    clipped = Clipped(Adam(schedules.warmup(schedules.cosine(0.1, steps=500), 10)), norm=1.0)
    text = repr(clipped)
    assert text == (
        "Clipped(optimizer=Adam(learning_rate=warmup(schedule=cosine(learning_rate=0.1, steps=500, final=0.0), "
        "steps=10), beta1=0.9, beta2=0.999, eps=1e-08), norm=1.0, value=None)"
    )
    again = eval(text, vars(nnlib.optimizers) | vars(schedules))
    assert [again.schedule(step) for step in range(20)] == [clipped.schedule(step) for step in range(20)]


def test_what_a_function_made_says_its_call():
    made = initializers.normal(0.1)
    assert repr(made) == "normal(std=0.1)"
    assert made(np.random.default_rng(0), (2, 3)).shape == (2, 3)
    assert repr(schedules.step_decay(0.1, every=2, factor=0.5)) == "step_decay(learning_rate=0.1, factor=0.5, every=2)"
    with pytest.raises(TypeError, match="every"):
        schedules.step_decay(0.1, 0.5)


def test_callbacks_say_their_call():
    assert repr(EarlyStopping(3)) == "EarlyStopping(patience=3, min_delta=0.0, restore_best=True)"
    assert repr(GradientMonitor(2)) == "GradientMonitor(every=2, limits=None)"

    class Own(Callback):
        def __init__(self, secret):
            pass

    assert repr(Own(1)) == "Own(secret=...)"


def test_the_table_names_no_word_of_ours():
    for name, kind in {**vars(nnlib.optimizers), **vars(nnlib.callbacks), **vars(nnlib.layers)}.items():
        if isinstance(kind, type) and kind.__module__.startswith("nnlib"):
            code = getattr(kind.__init__, "__code__", None)
            ours = code.co_varnames[1 : code.co_argcount] if code else ()
            assert not [word for word in ours if foreign.mend(name, word)], name
