"""The table of wrong calls: each gives its error and the words of the mend, none a wrong number, none loses anything.

What one layer, transform or picture refuses at its own door stands in that module's tests; here stand the kinds of
mistakes that meet a whole course, over all modules.
"""

import json
import math
import zipfile

import numpy as np
import pytest
import swept

from nnlib import activations, augmentation, initializers, layers, losses, preprocessing, regularizers, schedules
from nnlib.activations import relu, softmax, tanh
from nnlib.autodiff import Value
from nnlib.callbacks import EarlyStopping, GradientMonitor
from nnlib.checkpoint import Checkpoint
from nnlib.diagnostics import dead_units, loss_along, sharpness
from nnlib.ensemble import Ensemble, fit_ensemble
from nnlib.experiments import Interrupted, NotSaved, sweep
from nnlib.gradcheck import check_gradients, numerical_gradient
from nnlib.layers import (
    LSTM,
    Activation,
    AngularDense,
    BatchNorm,
    Conv2D,
    CReLU,
    Dense,
    Dropout,
    Embedding,
    Maxout,
    RReLU,
)  # fmt: skip
from nnlib.losses import binary_cross_entropy, mean_squared_error, one_hot, softmax_cross_entropy
from nnlib.metrics import accuracy
from nnlib.network import FORMAT, Sequential
from nnlib.optimizers import SGD, Adam, Momentum, ParameterAverage, RMSProp, clip_by_norm, clip_by_value
from nnlib.perceptron import Perceptron
from nnlib.training import Diverged, fit

NAN, INF = math.nan, math.inf


def rng():
    return np.random.default_rng(0)


def small(dtype=np.float32):
    return Sequential(Dense(4, 6), Activation(tanh), Dense(6, 3), rng=rng(), dtype=dtype)


def alone(layer):
    return layer.initialize(rng())


def points(n=30, classes=3):
    return rng().normal(size=(n, 4)), np.arange(n) % classes


X, Y = points()


def train(fitting=fit, **changed):
    """One epoch of a network, or of an ensemble of two, with one thing changed."""
    call = {"network": small() if fitting is fit else Ensemble.of([small(), small()]), "loss": softmax_cross_entropy}
    call |= {"optimizer": SGD(0.1), "train": points(), "validation": None, "epochs": 1, "rng": rng(), **changed}
    first = [call.pop(name) for name in ("network", "loss", "optimizer", "train", "validation")]
    return fitting(*first, **call)


def with_nan(x):
    x = np.array(x, float)
    x[3, 1] = NAN
    return x


# --- calls ------------------------------------------------------------------------------------------------------------

SHAPES = [
    (
        lambda: Sequential(Dense(2, 3), Activation(relu), Dense(4, 1)),
        ValueError,
        r"gives x of shape \(N, …, 3\)",
    ),
    (lambda: Sequential(Dense(2, 3), CReLU(), Dense(3, 1)), ValueError, r"\(N, …, 6\), but .* write n_in=6"),
    (lambda: small().forward(np.ones((10, 2, 2))), ValueError, r"put Flatten\(\) before it"),
    (lambda: small().forward(np.ones(4)), ValueError, r"x\.reshape\(1, 4\)"),
    (lambda: small().predict(np.ones((2, 5))), ValueError, r"\(N, 4\), got \(2, 5\)"),
    (lambda: small().predict(np.ones((2, 4)), batch_size=0), ValueError, "batches of at least one, got batch_size=0"),
    (lambda: small().restore((np.zeros(3), [])), ValueError, "51 parameters, the snapshot has 3"),
    (lambda: small().restore((np.zeros(51), [np.ones(3)])), ValueError, "other statistics"),
    (lambda: alone(Conv2D(2, 1, 3)).forward(np.ones((1, 5, 5, 2))), ValueError, r"\(N, 2, H, W\)"),
    (lambda: alone(LSTM(3, 4)).forward(np.ones((5, 3))), ValueError, r"\(N, T, 3\)"),
    (lambda: alone(BatchNorm(3)).forward(np.ones((1, 3)), training=True), ValueError, "at least two values"),
    (lambda: SGD(0.1).step(np.ones(3), np.ones(2)), ValueError, "one shape and dtype"),
    (lambda: mean_squared_error(np.ones((3, 1)), np.ones(3)), ValueError, r"target\.reshape\(-1, 1\)"),
    (lambda: softmax_cross_entropy(np.ones(3), [0]), ValueError, r"\(N, K\)"),
    (lambda: softmax_cross_entropy(np.ones((2, 3)), [0]), ValueError, r"numbers of shape \(2,\), got \(1,\)"),
    (lambda: softmax_cross_entropy(np.ones((1, 2)), [0], weights=[1, 2, 3]), ValueError, "2 classes need 2 weights"),
    (lambda: softmax_cross_entropy(np.ones((1, 2)), [[1, 0]], weights=[1, 2]), ValueError, "go with class numbers"),
    (lambda: losses.distillation(np.ones((2, 3)), np.ones((2, 2)), temperature=1.0), ValueError, "one shape"),
    (lambda: losses.contrastive(np.ones((3, 2)), [1]), ValueError, "groups of 2"),
    (lambda: losses.contrastive(np.ones((4, 2)), [1]), ValueError, "2 targets 0 or 1"),
    (lambda: losses.triplet(np.ones((4, 2))), ValueError, "groups of 3"),
    (lambda: losses.triplet(np.ones((3, 2, 2))), ValueError, "groups of 3"),
    (lambda: losses.large_margin_softmax(np.ones((2, 3)), [0, 1], margin=2), ValueError, r"let AngularDense\(n_in"),
    (lambda: losses.large_margin_softmax(np.ones((2, 4)), [0, 1], margin=2), ValueError, r"let AngularDense\(n_in"),
    (lambda: losses.large_margin_softmax([[1, -1, -2, -2]], [0, 1], margin=2), ValueError, r"numbers of shape \(1,\)"),
    (lambda: accuracy(np.ones((3, 2)), [0, 1]), ValueError, r"one target per output, got \(3, 2\) outputs and \(2,\)"),
    (lambda: accuracy(np.ones((3, 2)), np.eye(3)), ValueError, r"one-hot rows .* \(3, 2\), got \(3, 3\)"),
    (lambda: accuracy(np.ones((2, 3)), np.ones((2, 3, 1))), ValueError, r"got \(2, 3\) outputs and \(2, 3, 1\)"),
    (lambda: accuracy(np.ones((2, 3, 4)), [0, 1]), ValueError, r"one target per output, got \(2, 3, 4\)"),
    (lambda: initializers.orthogonal(rng(), (3,)), ValueError, "2, 3 or 4 axes"),
    (lambda: augmentation.flip(np.ones((8, 8))), ValueError, r"one image is image\[None\]"),
    (lambda: loss_along(small(), softmax_cross_entropy, X, Y, np.ones(3), [0.0]), ValueError, r"theta, \(51,\)"),
    (lambda: Value([1.0, 2.0]).backward(), ValueError, r"take \.sum\(\)"),
    (lambda: train(train=(X[:, :3], Y)), ValueError, r"x of shape \(N, 4\), got \(30, 3\)"),
    (lambda: train(loss=mean_squared_error), ValueError, r"one shape, got \(30, 3\) and \(30,\)"),
    (lambda: train(augment=lambda x: x[:1]), ValueError, r"numbers of shape \(1,\)"),
]

DTYPES = [
    (lambda: Sequential(Dense(2, 3), rng=rng(), dtype=int), TypeError, "float32 or float64, got dtype int64"),
    (lambda: small().predict([["a"] * 4]), TypeError, "real numbers, got dtype <U1"),
    (lambda: small().predict(np.ones((1, 4), complex)), TypeError, "real numbers, got dtype complex128"),
    (lambda: small().predict(None), TypeError, "real numbers, got dtype object"),
    (lambda: relu(np.array(["a"])), TypeError, "real numbers"),
    (lambda: SGD(0.1).step(np.ones(3), np.ones(3, np.float32)), ValueError, "one shape and dtype"),
    (lambda: softmax_cross_entropy(np.ones((2, 3)), [0.0, 1.0]), TypeError, "class numbers are integers"),
    (lambda: softmax_cross_entropy(np.ones((1, 3)), [True]), TypeError, "class numbers are integers"),
    (lambda: mean_squared_error([1.0], [None]), TypeError, "targets that are real numbers, got dtype object"),
    (lambda: mean_squared_error([1.0], [1j]), TypeError, "targets that are real numbers, got dtype complex128"),
    (lambda: one_hot(np.int64(1), 3), TypeError, r"of shape \(N,\)"),
    (lambda: accuracy(["a"], ["a"]), TypeError, "predictions are real numbers, got dtype <U1"),
    (lambda: accuracy(np.ones((2, 3)), [0.0, 0.5]), TypeError, "class numbers are whole numbers"),
    (lambda: accuracy(np.ones((2, 3)), ["0", "1"]), TypeError, "class numbers are whole numbers, got <U1"),
    (lambda: check_gradients(small(), softmax_cross_entropy, X, Y, rng=rng()), TypeError, r"dtype=np\.float64"),
    (lambda: numerical_gradient(np.sum, np.ones(3, np.float32)), TypeError, "float64, got float32"),
    (lambda: alone(Embedding(5, 2)).forward([0.5]), ValueError, "whole numbers"),
    (lambda: augmentation.noise(np.ones((1, 2, 2), int), 0.1, rng()), TypeError, "images / 255"),
    (lambda: preprocessing.Standardize().fit([["a"]]), TypeError, "real numbers"),
    (lambda: sweep(swept.product, {"a": [object()], "b": [2]}, path="s.jsonl"), TypeError, "put names into the grid"),
]

LABELS = [
    (lambda: softmax_cross_entropy(np.ones((2, 3)), [0, 3]), ValueError, "from 0 to 2, got 0 to 3"),
    (lambda: softmax_cross_entropy(np.ones((2, 3)), [0, -1]), ValueError, "from 0 to 2, got -1"),
    (lambda: losses.focal(np.ones((2, 3)), [0, 3]), ValueError, "from 0 to 2"),
    (lambda: losses.large_margin_softmax([[1, -1, -2, -2]], [2], margin=2), ValueError, "from 0 to 1, got 2 to 2"),
    (lambda: binary_cross_entropy(np.ones(3), np.array([0, 1, 2])), ValueError, "from 0 to 1, got 0 to 2"),
    (lambda: binary_cross_entropy(np.ones(3), np.array([0, 1, -0.01])), ValueError, "from 0 to 1, got -0.01 to 1"),
    (lambda: binary_cross_entropy(np.ones(3), np.array([0, 1, 1.01])), ValueError, "from 0 to 1, got 0 to 1.01"),
    (lambda: losses.hinge(np.ones(3), np.array([0, 1, 1])), ValueError, r"2 \* y - 1"),
    (lambda: losses.contrastive(np.ones((4, 2)), [1, 2]), ValueError, "0 or 1"),
    (lambda: accuracy(np.ones((2, 3)), [0, 3]), ValueError, "from 0 to 2, got 0 to 3"),
    (lambda: accuracy(np.ones((2, 3)), [-1, 0]), ValueError, "from 0 to 2, got -1 to 0"),
    (lambda: accuracy(np.ones((2, 1)), [1, 2]), ValueError, "from 0 to 1, got 1 to 2"),
    (lambda: accuracy(np.ones(2), [1, 2]), ValueError, "from 0 to 1, got 1 to 2"),
    (lambda: accuracy(np.ones((2, 3), int), [1, 3]), ValueError, "from 0 to 2, got 1 to 3"),
    (lambda: Perceptron(4).fit(X, Y, epochs=1, rng=rng()), ValueError, "labels 0 or 1"),
    (lambda: alone(Embedding(5, 2)).forward([5, 0]), ValueError, "from 0 to 4"),
    (lambda: train(train=(X, Y + 1)), ValueError, "from 0 to 2, got 1 to 3"),
    (lambda: train(fit_ensemble, train=(X, Y - 1)), ValueError, "from 0 to 2, got -1 to 1"),
]

EMPTY = [
    (lambda: small().predict(np.ones((0, 4))), ValueError, r"at least one example, got x of shape \(0, 4\)"),
    (lambda: mean_squared_error(np.ones((0, 1)), np.ones((0, 1))), ValueError, "at least one example"),
    (lambda: softmax_cross_entropy(np.ones((0, 3)), []), ValueError, r"\(N, K\), N and K >= 1, got \(0, 3\)"),
    (lambda: losses.triplet(np.ones((0, 2))), ValueError, "groups of 3"),
    (lambda: accuracy(np.ones((0, 2)), []), ValueError, "at least one example"),
    (lambda: preprocessing.Standardize().fit(X[:0]), ValueError, "at least one example"),
    (lambda: preprocessing.PCA(2).fit(X[:1]), ValueError, "at least two examples"),
    (lambda: augmentation.flip(np.ones((0, 3, 3))), ValueError, "N >= 1, got"),
    (lambda: Sequential(), ValueError, "at least one layer"),
    (lambda: Ensemble(lambda rng: small(), []), ValueError, "a seed for each"),
    (lambda: sweep(swept.product, {"a": [], "b": [1]}), ValueError, "at least one point"),
    (lambda: ParameterAverage().value(), RuntimeError, r"call add\(network\.theta\)"),
]

NOT_FINITE = [
    (lambda: binary_cross_entropy(np.ones(3), np.array([0, 1, NAN])), ValueError, "from 0 to 1"),
    (lambda: losses.hinge([1.0], [NAN]), ValueError, "targets -1 and"),
    (lambda: losses.contrastive(np.ones((2, 2)), [NAN]), ValueError, "0 or 1"),
    (lambda: preprocessing.Standardize().fit(with_nan(X)), ValueError, "finite numbers, got 1 that are NaN"),
    (lambda: preprocessing.PCA(2).fit(with_nan(X)), ValueError, "finite numbers, got 1 that are NaN"),
    (lambda: augmentation.rotate(np.ones((2, 3, 3)), NAN), ValueError, "one finite number"),
    (lambda: augmentation.sample(np.ones((1, 3, 3)), [[[NAN, 0.0]]], 1.0), ValueError, "places in pixels, got NaN"),
    (lambda: augmentation.sample(np.ones((1, 3, 3)), 1.0, [[[NAN, 0.0]]]), ValueError, "places in pixels, got NaN"),
    (lambda: augmentation.shift(np.ones((1, 3, 3), int), 1, 0, fill=NAN), ValueError, "fill=nan is no int64"),
    (lambda: augmentation.shift(np.ones((1, 3, 3), int), 1, 0, fill=INF), ValueError, "fill=inf is no int64"),
    (lambda: augmentation.noise(np.ones((1, 2, 2)), INF, rng()), ValueError, "standard deviation >= 0, got inf"),
    (lambda: augmentation.random_flip(np.ones((1, 2, 2)), rng(), p=1.01), ValueError, "p is a probability, got 1.01"),
    (lambda: sharpness(small(), softmax_cross_entropy, with_nan(X), Y, rng=rng()), ArithmeticError, "not finite"),
    (lambda: SGD(NAN), ValueError, "positive number, got nan"),
    (lambda: Adam(eps=NAN), ValueError, "eps is a nonnegative number, got nan"),
    (lambda: clip_by_norm(np.ones(2), NAN), ValueError, "positive limit, got nan"),
    (lambda: initializers.constant(INF), ValueError, "finite number, got inf"),
    (lambda: Dropout(NAN), ValueError, "0 <= p < 1, got nan"),
    (lambda: losses.huber(delta=INF), ValueError, "positive delta, got inf"),
    (lambda: losses.triplet(margin=NAN), ValueError, "margin >= 0, got nan"),
]

SETTINGS = [
    (lambda: Dense(2.5, 3), TypeError, r"whole numbers, got 2\.5"),
    (lambda: Conv2D(1, 1, 2.5), TypeError, r"whole numbers, got 2\.5"),
    (lambda: Conv2D(1, 1, 3, stride=1.5), TypeError, r"whole numbers, got 1\.5"),
    (lambda: layers.MaxPool2D(2.5), TypeError, r"whole numbers, got 2\.5"),
    (lambda: layers.Maxout(2, 3, 1.5), TypeError, r"whole numbers, got 1\.5"),
    (lambda: LSTM(3, 4, truncate=2.5), TypeError, r"whole numbers, got 2\.5"),
    (lambda: layers.GroupNorm(1.5, 3), TypeError, r"whole numbers, got 1\.5"),
    (lambda: BatchNorm(3, eps=-1.0), ValueError, "eps is a small positive number"),
    (lambda: layers.RMSNorm(3, eps=NAN), ValueError, "eps is a small positive number"),
    (lambda: layers.LayerNorm(3, eps=np.inf), ValueError, "eps is a small positive number"),
    (lambda: layers.BatchNorm(3, eps=0.0), ValueError, "eps is a small positive number"),
    (lambda: activations.leaky_relu(NAN), ValueError, "leaky_relu takes a finite number"),
    (lambda: activations.elu(NAN), ValueError, "elu takes a finite number"),
    (lambda: activations.swish(np.inf), ValueError, "swish takes a finite number"),
    (lambda: activations.celu(0.0), ValueError, "celu takes a positive alpha"),
    (lambda: activations.celu(np.inf), ValueError, "celu takes a positive alpha"),
    (lambda: softmax_cross_entropy(np.ones((1, 2)), [0], label_smoothing=1.5), ValueError, r"\[0, 1\], got 1\.5"),
    (lambda: softmax_cross_entropy(np.ones((1, 2)), [0], label_smoothing=1.01), ValueError, r"\[0, 1\], got 1\.01"),
    (lambda: softmax_cross_entropy(np.ones((1, 2)), [0], weights=[1, np.inf]), ValueError, "finite and not negative"),
    (lambda: softmax_cross_entropy(np.ones((1, 2)), [0], weights=[-1, 2]), ValueError, "finite and not negative"),
    (lambda: softmax_cross_entropy(np.ones((1, 2)), [0], weights=[1, NAN]), ValueError, "finite and not negative"),
    (lambda: softmax_cross_entropy(np.ones((1, 2)), [0], weights=[0, 1]), ValueError, "no mean over nothing"),
    (lambda: Sequential(relu), TypeError, r"wrap it, Activation\(relu\)"),
    (lambda: Sequential(CReLU), TypeError, r"call it, CReLU\(\.\.\.\)"),
    (lambda: Sequential("Dense"), TypeError, "takes layers, got 'Dense'"),
    (lambda: (lambda d: Sequential(d, d))(Dense(2, 2)), ValueError, "each layer once"),
    (lambda: Sequential(Dense(2, 3), rng=7), TypeError, r"np\.random\.default_rng\(seed\)"),
    (lambda: Dense(0, 3), ValueError, "at least one input"),
    (lambda: AngularDense(0, 3), ValueError, "at least one input"),
    (lambda: AngularDense(3, 0), ValueError, "one class"),
    (lambda: Maxout(2, 3, 0), ValueError, "positive sizes"),
    (lambda: Activation("relu"), TypeError, "takes an Elementwise"),
    (lambda: Activation(np.tanh), TypeError, "call it with its parameter"),
    (lambda: Dropout(1.0), ValueError, "0 <= p < 1"),
    (lambda: RReLU(0.5, 0.1), ValueError, "low <= high"),
    (lambda: SGD(0.0), ValueError, "positive number, got 0"),
    (lambda: SGD("fast"), TypeError, "a number or a function of the step, got 'fast'"),
    (lambda: SGD(None), TypeError, "a number or a function of the step, got None"),
    (lambda: SGD(float), TypeError, "a number or a function of the step, got <class 'float'>"),
    (lambda: Momentum(0.1, 1.0), ValueError, r"momentum lies in \[0, 1\)"),
    (lambda: Adam(beta2=-0.1), ValueError, "beta2 lies"),
    (lambda: RMSProp(0.1, eps=-1e-8), ValueError, "eps is a nonnegative"),
    (lambda: RMSProp(0.1, eps=np.inf), ValueError, "eps is a nonnegative"),
    (lambda: clip_by_norm(np.ones(2), 0.0), ValueError, "positive limit, got 0"),
    (lambda: clip_by_value(np.ones(2), -1.0), ValueError, "positive limit, got -1"),
    (lambda: schedules.constant(INF), ValueError, "learning_rate is a positive"),
    (lambda: schedules.inverse_time(0.1, 0.0), ValueError, "decay is a positive"),
    (lambda: schedules.exponential(0.1, -1.0), ValueError, "decay is a positive"),
    (lambda: schedules.step_decay(0.1, 0.0, 3), ValueError, "factor is a positive"),
    (lambda: schedules.cosine(0.1, 0), ValueError, "steps is a positive"),
    (lambda: schedules.warmup(0.1, 0), ValueError, "steps is a positive"),
    (lambda: schedules.one_cycle(0.1, 10, start=-1.0), ValueError, "start is a positive"),
    (lambda: schedules.one_cycle(0.1, 10, rise=1.01), ValueError, "share of the steps"),
    (lambda: schedules.one_cycle(0.1, 10, rise=1.5), ValueError, "share of the steps"),
    (lambda: initializers.normal(-1.0), ValueError, "standard deviation >= 0, got -1"),
    (lambda: initializers.uniform(1.0, -1.0), ValueError, "low <= high, got 1.0 and -1.0"),
    (lambda: initializers.uniform(-np.inf, 1.0), ValueError, "low <= high, got -inf and 1.0"),
    (lambda: initializers.uniform(0.0, np.inf), ValueError, "low <= high, got 0.0 and inf"),
    (lambda: initializers.normal(np.inf), ValueError, "standard deviation >= 0, got inf"),
    (lambda: losses.huber(delta=0.0), ValueError, "positive delta"),
    (lambda: losses.focal(gamma=-1.0), ValueError, "gamma >= 0"),
    (lambda: losses.distillation(temperature=0.0), ValueError, "positive temperature"),
    (lambda: losses.distillation(temperature=np.inf), ValueError, "positive temperature"),
    (lambda: losses.contrastive(margin=-1.0), ValueError, "positive margin, got -1"),
    (lambda: losses.contrastive(margin=0.0), ValueError, "positive margin, got 0"),
    (lambda: losses.contrastive(margin=np.inf), ValueError, "positive margin, got inf"),
    (lambda: losses.triplet(margin=-0.1), ValueError, "triplet takes a margin >= 0"),
    (lambda: losses.triplet(margin=np.inf), ValueError, "triplet takes a margin >= 0"),
    (lambda: losses.large_margin_softmax(margin=0), ValueError, "whole margin >= 1, got 0"),
    (lambda: losses.large_margin_softmax(margin=1.5), ValueError, "whole margin >= 1, got 1.5"),
    (lambda: losses.large_margin_softmax(margin=2, ease=-1.0), ValueError, "ease >= 0"),
    (lambda: losses.large_margin_softmax(margin=2, ease=np.inf), ValueError, "ease >= 0"),
    (lambda: losses.large_margin_softmax(np.full((2, 3), -1.0), [0, 1], margin=2), ValueError, "AngularDense"),
    (lambda: losses.large_margin_softmax(np.full((2, 1), -1.0), [0, 0], margin=2), ValueError, "AngularDense"),
    (lambda: losses.large_margin_softmax([[1.0, 2.0, -1.0, 0.0]], [0], margin=2), ValueError, "AngularDense"),
    (lambda: regularizers.L2(-0.1), ValueError, "nonnegative"),
    (lambda: EarlyStopping(0), ValueError, "at least 1 epoch"),
    (lambda: GradientMonitor(0), ValueError, "whole number >= 1, got 0"),
    (lambda: Checkpoint("run.npz", every=0.5), ValueError, r"whole number >= 1, got 0\.5"),
    (lambda: softmax([1.0, 2.0], axis=5), np.exceptions.AxisError, "axis 5 is out of bounds"),
    (lambda: sweep(swept.product, {"a": 0.1, "b": [1]}), TypeError, r"a=0.1: \[0.1\]"),
    (lambda: sweep(swept.product, {"a": [1], "B": [2]}), TypeError, "does not take the point"),
]

TOO_EARLY = [
    (lambda: preprocessing.Standardize().transform(X), RuntimeError, r"not fitted yet: call fit\(x_train\) first"),
    (lambda: preprocessing.Standardize().inverse(X), RuntimeError, r"not fitted yet: call fit\(x_train\) first"),
    (lambda: preprocessing.PCA(2).transform(X), RuntimeError, r"not fitted yet: call fit\(x_train\) first"),
    (lambda: preprocessing.Whiten("zca").transform(X), RuntimeError, r"not fitted yet: call fit\(x_train\) first"),
    (
        lambda: preprocessing.Pipeline(preprocessing.Standardize(), preprocessing.PCA(2)).transform(X),
        RuntimeError,
        r"not fitted yet: call fit\(x_train\) first",
    ),
    (lambda: preprocessing.Standardize().fit(X).transform(X[:, :2]), ValueError, r"fitted to x of shape \(N, 4\)"),
    (lambda: Sequential(Dense(2, 3)).predict(np.ones((1, 2))), RuntimeError, "rng=rng"),
    (lambda: Sequential(Dense(2, 3)).save("network.npz"), RuntimeError, "no memory yet: make it with"),
    (lambda: Sequential(Dense(2, 3)).snapshot(), RuntimeError, "no memory yet: make it with"),
    (lambda: small().backward(np.ones((2, 3))), RuntimeError, "needs the batch of a forward before it"),
    (lambda: dead_units(small(), X), ValueError, r"Activation\(relu\)"),
    (lambda: train(callbacks=[EarlyStopping(1)]), ValueError, r"validation=\(x, y\)"),
    (lambda: train(network=Sequential(Dense(4, 3))), TypeError, r"Sequential\(\.\.\., rng=rng\)"),
]

# What both fit and fit_ensemble refuse, before anything is computed: what is changed, the error, its words.
DOOR = [
    ({"train": (np.ones((3, 4)), np.ones(2))}, ValueError, r"\(3, 4\) and \(2,\)"),
    ({"train": (np.ones((0, 4)), np.ones(0))}, ValueError, "N >= 1"),
    ({"train": (np.ones(3), np.ones(3))}, ValueError, r"x \(N, \.\.\.\)"),
    ({"train": (X, None)}, ValueError, r"and \(\)"),
    ({"train": 3}, TypeError, r"train is a pair \(x, y\), got int"),
    ({"train": {"x": X}}, TypeError, r"train is a pair \(x, y\), got dict"),
    ({"train": (X.astype(str), Y)}, TypeError, "real numbers, got x of dtype <U"),
    ({"train": (X.astype(complex), Y)}, TypeError, "real numbers, got x of dtype complex128"),
    ({"train": (X.astype(object), Y)}, TypeError, "real numbers, got x of dtype object"),
    ({"train": (X, Y.astype(str))}, TypeError, r"np\.unique\(y, return_inverse=True\)"),
    ({"train": (with_nan(X), Y)}, ValueError, r"got nan as x\[3, 1\] in float32, 1 in all: leave such examples out"),
    ({"train": (1e300 * X, Y)}, ValueError, r"got .*inf as x\[0, 0\] in float32, 120 in all"),
    ({"train": (X, with_nan(X)), "loss": mean_squared_error}, ValueError, r"got nan as y\[3, 1\]"),
    ({"validation": (np.ones((3, 4)), np.ones(2))}, ValueError, "validation takes"),
    ({"validation": (with_nan(X), Y)}, ValueError, "validation takes finite numbers"),
    ({"validation": (X[:, :3], Y)}, ValueError, r"\(N, 4\).* got \(1, 3\)"),
    ({"epochs": 0}, ValueError, "at least one epoch"),
    ({"epochs": 1.5}, TypeError, "whole numbers, got epochs=1.5"),
    ({"batch_size": 0}, ValueError, "batches of at least one"),
    ({"batch_size": 2.5}, TypeError, "whole numbers, got .*batch_size=2.5"),
    ({"rng": 3}, TypeError, r"np\.random\.default_rng\(seed\)"),
    ({"rng": np.random}, TypeError, r"np\.random\.default_rng\(seed\)"),
    ({"optimizer": SGD}, TypeError, r"such as SGD\(0\.1\)"),
    ({"optimizer": 0.1}, TypeError, r"such as SGD\(0\.1\), got 0\.1"),
    ({"loss": "mse"}, TypeError, "loss is a function, got 'mse'"),
    ({"augment": 3}, TypeError, "augment is a function, got 3"),
    ({"penalty": 0.1}, TypeError, r"function of the network such as L2\(0\.01\)|not iterable"),
    ({"callbacks": EarlyStopping(2)}, TypeError, "put it into a list"),
    ({"callbacks": [EarlyStopping]}, TypeError, "call it"),
]

NETWORKS = [
    (lambda: train(network=None), TypeError, r"fit trains a Sequential\(\.\.\., rng=rng\), got None"),
    (lambda: train(network=alone(Dense(4, 3))), TypeError, r"fit trains a Sequential"),
    (lambda: train(penalty=regularizers.L2), TypeError, r"such as L2\(0\.01\)"),
    (lambda: train(fit_ensemble, network=small()), TypeError, "for one network use fit"),
    (lambda: train(fit_ensemble, penalty=[regularizers.L2(0.1)]), ValueError, "2 models take one penalty or 2, got 1"),
    (lambda: train(fit_ensemble, penalty=[regularizers.L2(0.1), None]), TypeError, "function of the network"),
]

TABLE = {
    "shapes": SHAPES, "dtypes": DTYPES, "labels out of range": LABELS, "empty batches": EMPTY, "NaN": NOT_FINITE,
    "settings": SETTINGS, "unfitted": TOO_EARLY, "networks": NETWORKS,
}  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [pytest.param(*row, id=f"{kind} {i}") for kind, rows in TABLE.items() for i, row in enumerate(rows)],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=text):
        call()
    assert not list(tmp_path.iterdir()), "nothing was written"


@pytest.mark.parametrize("fitting", [fit, fit_ensemble])
@pytest.mark.parametrize(("change", "error", "text"), DOOR)
def test_fit_refuses_what_it_cannot_train_on_and_changes_nothing(fitting, change, error, text):
    network = small() if fitting is fit else Ensemble.of([small(), small()])
    theta = network.theta.copy()
    with pytest.raises(error, match=text):
        train(fitting, **{"network": network, **change})
    np.testing.assert_array_equal(network.theta, theta)


# --- NaN is handed on where it is no mistake of the call --------------------------------------------------------------


def test_nan_goes_through_what_computes_and_is_never_a_right_answer():
    x = with_nan(X)
    with np.errstate(invalid="ignore"):
        rows = np.isnan(small().predict(x)).any(axis=1)
        np.testing.assert_array_equal(np.flatnonzero(rows), [3])
        assert math.isnan(softmax_cross_entropy(small().predict(x), Y)[0])
        assert math.isnan(mean_squared_error([1.0, NAN], [1.0, 1.0])[0])
    scaled = preprocessing.Standardize().fit(X).transform(x)
    np.testing.assert_array_equal(np.argwhere(np.isnan(scaled)), [[3, 1]])
    assert accuracy([[NAN, 1.0], [2.0, 1.0], [0.0, NAN]], [0, 0, 1]) == 1 / 3
    assert accuracy([NAN, 1.0], [0, 1]) == 0.5
    assert accuracy([[NAN], [-1.0]], [[0], [0]]) == 0.5


# --- files: a network, a checkpoint, a sweep --------------------------------------------------------------------------

DENSE = {"type": "Dense", "settings": {"n_in": 2, "n_out": 1}}
HEADER = {"format": FORMAT, "dtype": "float32", "layers": [DENSE]}
THREE = np.zeros(3, np.float32)


def described(*layers, **changed):
    return {**HEADER, "layers": list(layers), **changed}


def activation(name):
    return {"type": "Activation", "settings": {"function": {"elementwise": name, "settings": []}}}


# What stands in the file, and the words of the error: {"header": ..., "theta": ...} or bytes.
NETWORK_FILES = {
    "empty": (b"", "not a whole network file"),
    "text": (b"hello", "not a whole network file"),
    "a zip of nothing": (b"PK\x05\x06" + bytes(18), "not a whole network file"),
    "a header that is no JSON": ({"header": "{", "theta": THREE}, "not a whole network file"),
    "no header": ({"theta": THREE}, "not a whole network file"),
    "a pickled object": ({"header": HEADER, "theta": np.array([object()])}, "not a whole network file"),
    "a pickled header": ({"header": np.array([object()]), "theta": THREE}, "not a whole network file"),
    "another program's": ({"weights": np.ones((3, 2))}, "not a whole network file"),
    "another format": ({"header": {"format": "other"}, "theta": THREE}, "not of the format 'nnlib network, version 1'"),
    "a later version": (
        {"header": {**HEADER, "format": "nnlib network, version 2"}, "theta": THREE},
        "not of the format 'nnlib network, version 1'",
    ),
    "a list for a header": ({"header": [1], "theta": THREE}, "not of the format"),
    "no parameters": ({"header": HEADER}, "no network that can be built"),
    "no layers": ({"header": described(), "theta": THREE}, "at least one layer"),
    "layers that are a number": ({"header": {**HEADER, "layers": 7}, "theta": THREE}, "no network that can be built"),
    "a layer of nothing": ({"header": described({}), "theta": THREE}, "no network that can be built"),
    "a layer that is a function": (
        {"header": described({"type": "__import__", "settings": {"name": "os"}}), "theta": THREE},
        "no layer is called '__import__'",
    ),
    "a layer that is a module": (
        {"header": described({"type": "dense", "settings": {}}), "theta": THREE},
        "no layer is called 'dense'",
    ),
    "settings the layer lacks": (
        {"header": described({"type": "Dense", "settings": {"size": 3}}), "theta": THREE},
        "no network that can be built",
    ),
    "endless settings": (
        {"header": described({"type": "Dense", "settings": {"n_in": 1e999, "n_out": 1}}), "theta": THREE},
        "no network that can be built",
    ),
    "an activation that is none": (
        {"header": described(activation("eval")), "theta": THREE[:0]},
        "no activation is called 'eval'",
    ),
    "more layers than memory": (
        {"header": described({"type": "Dense", "settings": {"n_in": 10**9, "n_out": 10**9}}), "theta": THREE},
        r"its layers need float32 \(1000000001000000000,\)",
    ),
    "layers in layers in layers": (
        {"header": json.dumps(described("deep")).replace('"deep"', "[" * 50_000 + "]" * 50_000), "theta": THREE},
        r"not a whole network file|no network that can be built",  # how deep json reads is a matter of the Python
    ),
    "too few parameters": ({"header": HEADER, "theta": THREE[:2]}, r"its layers need float32 \(3,\)"),
    "parameters of another dtype": ({"header": HEADER, "theta": np.zeros(3)}, r"has float64 .* need float32 \(3,\)"),
    "a dtype that is none": ({"header": {**HEADER, "dtype": "text"}, "theta": THREE}, "no network that can be built"),
    "statistics of another shape": (
        {
            "header": described({"type": "BatchNorm", "settings": {"n": 2}}),
            "theta": np.zeros(4, np.float32),
            "statistics_0": np.zeros(2),
        },
        "other statistics than its layers need",
    ),
}


def written(path, content):
    """A file of bytes, or an .npz of a header and arrays."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content = dict(content)
        if isinstance(content.get("header"), dict | list):
            content["header"] = np.array(json.dumps(content["header"]))
        np.savez(path, **content)
    return path


@pytest.mark.parametrize(("content", "text"), NETWORK_FILES.values(), ids=NETWORK_FILES)
def test_a_file_that_is_no_network_is_an_error_and_executes_nothing(content, text, tmp_path):
    path = written(tmp_path / "network.npz", content)
    with pytest.raises(ValueError, match=text):
        Sequential.load(path)


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.7, 0.999])
def test_a_file_that_was_cut_short_is_an_error(kept, tmp_path):
    path = tmp_path / "network.npz"
    small().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match="not a whole network file"):
        Sequential.load(path)


def test_a_file_in_which_a_byte_is_wrong_is_an_error_or_the_same_network(tmp_path):
    path, network = tmp_path / "network.npz", small()
    network.save(path)
    whole, n_refused = path.read_bytes(), 0
    for place in rng().integers(0, len(whole), 200):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        try:
            theta = Sequential.load(path).theta
        except ValueError:
            n_refused += 1
        else:
            np.testing.assert_array_equal(theta, network.theta)  # a byte without meaning: a date, padding
    assert n_refused > 150


def test_a_file_that_unpacks_to_more_than_its_size_is_refused(tmp_path):
    path = tmp_path / "network.npz"
    np.savez_compressed(path, header=np.array(json.dumps(HEADER)), theta=np.zeros(10**7, np.float32))
    assert path.stat().st_size < 10**5
    with pytest.raises(ValueError, match="claims to hold more than its own size"):
        Sequential.load(path)


def test_an_array_that_claims_to_be_endless_is_refused(tmp_path):
    path = tmp_path / "network.npz"
    written(path, {"header": HEADER, "theta": THREE})
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["theta.npy"] = members["theta.npy"].replace(b"(3,), }" + b" " * 9, b"(99999999999,), }")
    assert b"99999999999" in members["theta.npy"]
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(ValueError, match="not a whole network file"):
        Sequential.load(path)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda folder: Sequential.load(folder / "nothing.npz"), FileNotFoundError, r"nothing\.npz"),
        (lambda folder: Sequential.load(folder), ValueError, "not a whole network file"),
        (lambda folder: small().save(folder / "no" / "network.npz"), FileNotFoundError, "no folder: make it first"),
        (
            lambda folder: train(callbacks=[Checkpoint(folder / "no" / "run.npz")]),
            FileNotFoundError,
            "no folder: make it first",
        ),
        (
            lambda folder: sweep(swept.fragile, {"n": [1]}, path=folder / "no" / "sweep.jsonl"),
            FileNotFoundError,
            "no folder: make it first",
        ),
        (
            lambda folder: train(callbacks=[Checkpoint(written(folder / "run.npz", b"text"))]),
            ValueError,
            "not a whole checkpoint file",
        ),
        (
            lambda folder: train(callbacks=[Checkpoint(written(folder / "run.npz", NETWORK_FILES["no layers"][0]))]),
            ValueError,
            "not of the format 'nnlib checkpoint, version 1'",
        ),
        (
            lambda folder: sweep(swept.fragile, {"n": [1]}, path=written(folder / "sweep.jsonl", b"text\n")),
            ValueError,
            "was not written by a sweep",
        ),
    ],
)
def test_a_path_that_leads_nowhere_or_to_something_else_is_an_error(call, error, text, tmp_path):
    with pytest.raises(error, match=text):
        call(tmp_path)


# --- what goes wrong on the way: nothing that was computed is lost ----------------------------------------------------


def test_a_training_that_diverges_says_where_and_keeps_its_history_and_its_last_finite_parameters():
    network = small()
    with pytest.raises(Diverged, match=r"at step \d+ \(epoch \d\): learning rate 1e\+38.*Lower the learning") as caught:
        train(network=network, optimizer=SGD(1e38), epochs=3, batch_size=10)
    assert np.isfinite(network.theta).all()
    history = caught.value.history
    assert len(history.batch_loss) >= 1
    assert np.isfinite(history.batch_loss).all()


def test_a_training_whose_last_step_diverges_does_not_end_as_if_it_had_not():
    network = Sequential(Dense(4, 3), rng=rng())
    with np.errstate(all="ignore"), pytest.raises(Diverged, match="infinite with the last parameters") as caught:
        train(network=network, loss=mean_squared_error, train=(1e18 * X, 1e18 * X[:, :3]), optimizer=SGD(1e10))
    assert len(caught.value.history.train_loss) == 1


def test_of_an_ensemble_only_the_model_that_diverges_stops():
    ensemble = Ensemble.of([small(), small()])
    rates = ensemble.learning_rates([1e38, 0.1])
    bad, good = train(fit_ensemble, network=ensemble, optimizer=SGD(rates), epochs=3, batch_size=10)
    assert "learning rate 1e+38" in bad.diverged
    assert len(good.train_loss) == 3
    assert np.isfinite(ensemble.theta).all()


def test_a_full_disk_keeps_the_results_of_a_sweep_and_the_state_of_a_training(tmp_path, monkeypatch):
    def full(*arguments, **arrays):
        raise OSError(28, "No space left on device")

    path = tmp_path / "sweep.jsonl"
    sweep(swept.fragile, {"n": [0, 1]}, path=path)
    network = small()
    network.save(tmp_path / "network.npz")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        network.save(tmp_path / "network.npz")
    assert "a file that stood there is unchanged" in caught.value.__notes__[0]
    with pytest.warns(RuntimeWarning, match="goes on, make room"):
        history = train(callbacks=[Checkpoint(tmp_path / "run.npz")])
    assert len(history.train_loss) == 1
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    with pytest.warns(NotSaved, match="make room and call") as warned:
        result = sweep(swept.fragile, {"n": [3, 4]}, path=swept_anew(tmp_path, monkeypatch, full))
    assert result.values == warned[0].message.result.values == [9, 16]


def swept_anew(folder, monkeypatch, full):
    """A file with its first line, after which the disk is full."""
    path = folder / "other.jsonl"
    monkeypatch.undo()
    sweep(swept.fragile, {"n": [3, 4]}, path=path)
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n")
    monkeypatch.setattr("os.fsync", full)
    return path


def interrupted(n):
    if n == 2:
        raise KeyboardInterrupt
    return n


def test_an_interrupted_sweep_keeps_what_was_computed(tmp_path):
    with pytest.raises(Interrupted, match="after 2 of 4 points, which are in this error's `result`") as caught:
        sweep(interrupted, {"n": [0, 1, 2, 3]}, path=tmp_path / "sweep.jsonl")
    assert caught.value.result.values == [0, 1, None, None]
    lines = (tmp_path / "sweep.jsonl").read_text().splitlines()
    assert len(lines) == 3, "both are on disk"


def test_an_interrupted_training_goes_on_where_it_was(tmp_path):
    def run(path, at=None):
        network, calls = small(), []

        def augment(x):
            calls.append(1)
            if len(calls) == at:
                raise KeyboardInterrupt
            return x

        history = train(network=network, augment=augment, epochs=4, batch_size=10, callbacks=[Checkpoint(path)])
        return network.theta, history, len(calls)

    whole = run(tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run.npz", at=8)  # in the third epoch of three steps each
    theta, history, n_calls = run(tmp_path / "run.npz")
    np.testing.assert_array_equal(theta, whole[0])
    assert history == whole[1]
    assert n_calls == 6, "two epochs were there"


def test_the_table_is_long_and_without_repetition():
    rows = [(call.__code__.co_code, call.__code__.co_consts, call.__code__.co_names, text) for kind in TABLE.values()
            for call, _, text in kind]  # fmt: skip
    assert len(set(map(repr, rows))) == len(rows)
    assert len(rows) + 2 * len(DOOR) + len(NETWORK_FILES) >= 60
    assert all(len(kind) >= 6 for kind in TABLE.values())
