"""Ensemble: many networks of one shape trained in one go, by the kernels of one network with a leading axis E.

A NumPy call on a tiny network costs more in being called than in computing.  Here one call serves all E networks, so
that a sweep over learning rates, penalties or seeds costs a fraction of training the networks one after another.  Each
network gets the numbers that it would get alone from :func:`nnlib.training.fit`, up to rounding.
"""

import copy
import itertools
from dataclasses import dataclass

import numpy as np

from nnlib import losses
from nnlib.activations import as_float
from nnlib.doors import checked_rng
from nnlib.foreign import speaks_ours
from nnlib.layers import Activation, Dense, Dropout
from nnlib.layers.dropout import keep_mask
from nnlib.layers.layer import Layer
from nnlib.metrics import predicted_classes
from nnlib.network import Sequential
from nnlib.parameters import Parameter, bind
from nnlib.reductions import ones
from nnlib.regularizers import L1, L2, ElasticNet
from nnlib.schedules import as_schedule
from nnlib.training import History, Run, at_the_door

# --- kernels: those of nnlib.layers.dense with a leading axis ---------------------------------------------------------


def affine(x, W, b, out=None):
    """out = x @ W + b for each model.   x (E, N, D_in) or (N, D_in) for all, W (E, D_in, D_out), b (E, D_out)"""
    out = np.matmul(x, W, out=out)
    out += b[:, None, :]
    return out


def affine_backward(dout, x, W, dW, db, dx=None):
    """dW = x^T dout, db = sum of dout over the batch, dx = dout W^T, for each model.   Skips dx where ``dx`` is None.

    dout (E, N, D_out), x (E, N, D_in) or (N, D_in) for all, W, dW (E, D_in, D_out), db (E, D_out), dx (E, N, D_in)
    """
    np.matmul(x.swapaxes(-1, -2), dout, out=dW)
    np.matmul(ones(dout.shape[1], dout.dtype), dout, out=db)
    if dx is not None:
        product = np.multiply if W.shape[2] == 1 else np.matmul  # of a column and a row: the same, and faster
        product(dout, W.swapaxes(-1, -2), out=dx)
    return dx


class StackedDense(Layer):
    """out[e] = x[e] @ W[e] + b[e], or x @ W[e] + b[e] where all models see one batch.

    Parameters
    ----------
    dense : Dense
        Of one model.
    n_models : int

    Attributes
    ----------
    W : Parameter (E, n_in, n_out)
    b : Parameter (E, n_out)
    """

    def __init__(self, dense, n_models):
        self.n_models, self.n_in, self.n_out = n_models, dense.n_in, dense.n_out
        self.W, self.b = (Parameter((n_models, *p.shape), p.init, p.decay) for p in (dense.W, dense.b))

    def compute(self, x, training):
        out = self.array("out", (self.n_models, x.shape[-2], self.n_out))
        return affine(x, self.W.value, self.b.value, out=out)

    def pull_back(self, dout, input_gradient):
        dx = self.array("dx", (*dout.shape[:2], self.n_in)) if input_gradient else None
        return affine_backward(dout, self.x, self.W.value, self.W.grad, self.b.grad, dx)

    @property
    def settings(self):
        return {"n_models": self.n_models, "n_in": self.n_in, "n_out": self.n_out}


class StackedDropout(Dropout):
    """Dropout in which each model draws from the generator that it would use alone.

    Parameters
    ----------
    dropouts : sequence of Dropout
        One a model, of equal p.
    """

    def __init__(self, dropouts):
        super().__init__(dropouts[0].p)
        self.rngs = [copy.deepcopy(dropout.rng) for dropout in dropouts]

    def prepare(self, rng, dtype):
        Layer.prepare(self, rng, dtype)

    def compute(self, x, training):
        self.mask = None
        if not (training and self.p):
            return x
        self.mask = self.array("mask", x.shape)
        for rng, mask in zip(self.rngs, self.mask):
            keep_mask(rng, mask.shape, self.p, mask)
        return np.multiply(x, self.mask, out=self.array("out", x.shape))


# --- losses: the kernels of nnlib.losses, and a mean for each model ---------------------------------------------------


def for_each_model(loss):
    """``stacked(output (E, N, ...), target) -> values (E,), gradient`` of a loss; the target is that of all models.

    With ``own=True`` each model has a target of its own, (E, N, ...).  A loss that is no plain mean over the examples
    is called E times.
    """

    def stacked(output, target, own=False):
        output = as_float(output)
        try:
            kernel, targets = losses.parts(loss)
            y = targets(output if own else output[0], target)
        except losses.NoParts:
            values, gradients = zip(*(loss(z, y) for z, y in zip(output, target if own else itertools.repeat(target))))
            return np.array(values), np.stack(gradients)
        each, gradient = kernel(output, y)
        each = each.reshape(len(output), -1)
        gradient *= 1.0 / each.shape[1]
        return each.mean(axis=1), gradient

    return stacked


# --- the networks -----------------------------------------------------------------------------------------------------


class Ensemble:
    """E networks of one shape over one array of parameters.

    Parameters
    ----------
    make : callable
        ``make(rng) -> Sequential`` of Dense, Activation and Dropout layers, the same at each call but for its numbers.
    seeds : sequence of int or np.random.Generator
        One a model; equal seeds give equal networks.

    Attributes
    ----------
    theta, grad : ndarray (E, P)
        Row e is the vector of model e; the layers' arrays of shape (E, ...) are views of these.

    Raises
    ------
    TypeError, ValueError
        For other layers, for networks of different shapes, and for a ``make`` that gives one network twice.

    Examples
    --------
    Eight learning rates at once, and the best network:

    >>> import numpy as np
    >>> from nnlib.activations import tanh
    >>> from nnlib.data import xor
    >>> from nnlib.ensemble import Ensemble, fit_ensemble
    >>> from nnlib.layers import Activation, Dense
    >>> from nnlib.losses import binary_cross_entropy
    >>> from nnlib.network import Sequential
    >>> from nnlib.optimizers import Momentum
    >>> ensemble = Ensemble(lambda rng: Sequential(Dense(2, 16), Activation(tanh), Dense(16, 1), rng=rng), range(8))
    >>> optimizer = Momentum(ensemble.learning_rates(np.geomspace(1e-3, 10, 8)))
    >>> rng = np.random.default_rng(0)
    >>> x, y = xor(64, rng=rng)
    >>> data = x, y[:, None]
    >>> histories = fit_ensemble(ensemble, binary_cross_entropy, optimizer, data, epochs=20, rng=rng)
    >>> best = ensemble.network(np.argmin([history.train_loss[-1] for history in histories]))
    """

    def __init__(self, make, seeds):
        self._stack([make(np.random.default_rng(seed)) for seed in seeds])

    @classmethod
    def of(cls, networks):
        """An ensemble that starts from the parameters of these networks, which stay as they are."""
        ensemble = cls.__new__(cls)
        ensemble._stack(list(networks))
        return ensemble

    @classmethod
    def like(cls, network, rngs):
        """An ensemble of networks like this one, each with first values drawn anew from its generator or seed."""
        return cls(lambda rng: copy.deepcopy(network).initialize(rng, network.dtype), rngs)

    def _stack(self, networks):
        _alike(networks)
        self.template, self.n_models, self.dtype = networks[0], len(networks), networks[0].dtype
        self.theta = np.stack([network.theta for network in networks])
        self.grad = np.zeros_like(self.theta)
        self.layers = [_stacked(layers) for layers in zip(*(network.layers for network in networks))]
        bind(self.parameters, self.theta, self.grad)
        for layer in self.layers:
            layer.prepare(None, self.dtype)

    def __setstate__(self, state):
        vars(self).update(state)
        bind(self.parameters, self.theta, self.grad)

    @property
    def parameters(self):
        """The parameters of all layers, of shape (E, ...), in order of their definition."""
        return [p for layer in self.layers for p in layer.parameters]

    def __len__(self):
        return self.n_models

    def forward(self, x, training=False):
        """Outputs (E, N, K) for one batch x (N, D), or for a batch per model x (E, N, D).

        The array belongs to the ensemble until its next forward.
        """
        x = self._at_the_door(x)
        if x.ndim == 2 and not isinstance(self.layers[0], StackedDense):
            x = np.broadcast_to(x, (self.n_models, *x.shape))
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dout, input_gradient=True):
        """Fill ``grad`` (E, P) from dL_e/doutput_e (E, N, K); returns dL_e/dx (E, N, D) unless it is not wanted."""
        for layer in self.layers[:0:-1]:
            dout = layer.backward(dout)
        return self.layers[0].backward(dout, input_gradient)

    def predict(self, x, batch_size=512):
        """Outputs (E, N, K) for x (N, D), outside training, as an array of your own."""
        x = self._at_the_door(x)
        rows = range(0, x.shape[-2], batch_size)
        return np.concatenate([self.forward(x[..., i : i + batch_size, :]).copy() for i in rows], axis=1)

    def network(self, e):
        """Model e as an ordinary Sequential of its own: parameters copied, Dropout where its draws are now."""
        network = copy.deepcopy(self.template).initialize(np.random.default_rng(0), self.dtype)
        network.theta[...] = self.theta[e]
        for layer, stacked in zip(network.layers, self.layers):
            if isinstance(stacked, StackedDropout):
                layer.rng = copy.deepcopy(stacked.rngs[e])
        return network

    def windows(self):
        """E Sequentials that look at the rows of ``theta`` and ``grad``: what is written into one is written here."""
        networks = [copy.deepcopy(self.template) for _ in range(self.n_models)]
        for e, network in enumerate(networks):
            network.theta, network.grad = self.theta[e], self.grad[e]
            bind(network.parameters, network.theta, network.grad)
        return networks

    def learning_rates(self, rates):
        """A schedule for an optimizer, of one learning rate (or schedule) per model: step -> column (E, 1).

        ``Adam(ensemble.learning_rates([0.1, 0.01, cosine(0.1, 500)]))`` steps all models, each at its own rate.
        """
        rates = list(rates)
        if len(rates) != self.n_models:
            raise ValueError(f"{self.n_models} models take {self.n_models} learning rates, got {len(rates)}")
        schedules = [as_schedule(rate) for rate in rates]

        def columns(step):
            return np.array([[schedule(step)] for schedule in schedules], self.dtype)

        column = columns(0)
        return columns if any(map(callable, rates)) else lambda step: column

    def snapshot(self):
        """A copy of all parameters."""
        return self.theta.copy()

    def restore(self, snapshot):
        """Go back to a snapshot of this ensemble."""
        if snapshot.shape != self.theta.shape:
            raise ValueError(f"this ensemble has parameters of shape {self.theta.shape}, got {snapshot.shape}")
        self.theta[...] = snapshot

    def _at_the_door(self, x):
        x = np.asarray(x)
        if x.dtype.kind not in "iubf":
            raise TypeError(f"{self!r} takes real numbers, got dtype {x.dtype}")
        x = x.astype(self.dtype, copy=False)
        n_in = next((layer.n_in for layer in self.layers if isinstance(layer, StackedDense)), None)
        wanted = x.ndim == 2 or (x.ndim == 3 and len(x) == self.n_models)
        if not (wanted and x.size and n_in in (None, x.shape[-1])):
            n_in = "D" if n_in is None else n_in
            raise ValueError(
                f"{self!r} takes x of shape (N, {n_in}) or ({self.n_models}, N, {n_in}) with N >= 1, got {x.shape}"
            )
        return x

    def __repr__(self):
        return f"Ensemble of {self.n_models} × {self.template!r}"


def _alike(networks):
    """Networks that can be stacked, or an error."""
    if not networks:
        raise ValueError("an Ensemble takes at least one network: give a seed for each")
    for network in networks:
        if not isinstance(network, Sequential):
            raise TypeError(f"an Ensemble is made of Sequential networks, got {network!r}")
        if network.dtype is None:
            raise ValueError("an Ensemble takes networks with first values: make Sequential(..., rng=rng)")
    first = networks[0]
    for layer in first.layers:
        if type(layer) not in (Dense, Activation, Dropout):
            why = next((why for why, kinds in WHY_NOT.items() if type(layer).__name__ in kinds.split()), NO_AXIS)
            raise TypeError(
                f"an Ensemble stacks Dense, Activation and Dropout layers, got {layer!r}: {why}; "
                "train such networks one by one"
            )
    if len(set(map(id, networks))) < len(networks):
        raise ValueError("an Ensemble takes each network once: build the Sequential inside make(rng)")
    for network in networks:
        if repr(network) != repr(first) or network.dtype != first.dtype:
            raise ValueError(
                f"the networks of an Ensemble are alike, got {first.dtype} {first!r} and {network.dtype} {network!r}"
            )


NO_AXIS = "its kernel has no axis for models"
WHY_NOT = {
    "it mixes the examples of a batch and keeps averages of them, which models would share": "BatchNorm",
    "its images lie batch last": "Conv2D MaxPool2D AveragePool2D GlobalAveragePool2D",
    "it walks along time": "RNN LSTM GRU",
    "it looks up rows of one table": "Embedding",
    "it holds layers of its own": "Residual Sequential",
}


def _stacked(layers):
    """One layer for E equal layers."""
    first = layers[0]
    if isinstance(first, Dense):
        return StackedDense(first, len(layers))
    return StackedDropout(layers) if isinstance(first, Dropout) else Activation(first.function)


# --- training ---------------------------------------------------------------------------------------------------------


@dataclass
class MemberHistory(History):
    """The history of one model of an ensemble; ``diverged`` says when and how its loss became NaN or infinite, or is
    empty.  The lists of a model that diverged end there.
    """

    diverged: str = ""

    def __repr__(self):
        return super().__repr__() + (f"; {self.diverged}" if self.diverged else "")


@speaks_ours
def fit_ensemble(
    ensemble,
    loss,
    optimizer,
    train,
    validation=None,
    *,
    epochs,
    batch_size=32,
    penalty=None,
    augment=None,
    callbacks=(),
    rng=None,
    rngs=None,
    progress=True,
):
    """Train the networks of an ensemble all at once, on the same batches or each in an order of its own.

    Model e gets what ``fit(ensemble.network(e), ...)`` with a generator of equal state would give it, up to rounding.
    A model whose loss becomes NaN or infinite keeps the parameters it has then, and the others go on.

    Parameters
    ----------
    ensemble : Ensemble
    loss : callable
        As for :func:`nnlib.training.fit`: one of :mod:`nnlib.losses`.
    optimizer : Optimizer
        With one learning rate for all, or with one per model: ``Adam(ensemble.learning_rates([...]))``.
    train, validation : (x, y)
        x (N, D), y (N,) class numbers or (N, K) targets; y (E, N) or (E, N, K) gives each model targets of its own,
        as long as it cannot be read as the targets of all (E = N and no third axis: then it is).
    epochs, batch_size : int
    penalty : callable or sequence of E callables, optional
        As for ``fit``, for all models or one per model.
    augment : callable, optional
        ``augment(x_batch) -> x_batch``, as for ``fit``: all models learn from the same changed inputs, or, with
        ``rngs``, each from its own batch.
    callbacks : sequence of Callback
        They see the ensemble as ``run.network`` and, as ``run.history``, the medians over the models still running.
    rng : np.random.Generator
        Shuffles, for all models alike: they differ in nothing but their settings and first values.
    rngs : sequence of E np.random.Generator
        In place of ``rng``: each model has its own order of examples, so that its run is independent of the others.
    progress : bool
        Show a line of progress where somebody watches.

    Returns
    -------
    list of MemberHistory
        One a model.
    """
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"fit_ensemble takes an Ensemble, got {ensemble!r}: for one network use fit")
    generators = _generators(ensemble, rng, rngs)
    train, own = _examples_first(ensemble, train)
    validation, own_validation = (None, False) if validation is None else _examples_first(ensemble, validation)
    x, y, validation = at_the_door(
        ensemble, loss, optimizer, train, validation, augment, epochs=epochs, batch_size=batch_size, rng=generators[0]
    )
    classes = y.ndim == 1 + own and y.dtype.kind in "iu"
    record = _Record(ensemble, optimizer, for_each_model(loss), classes, own_validation)
    penalize = _for_all(ensemble, penalty)
    task = {"loss": loss, "penalty": penalty, "augment": augment, "batch_size": batch_size, "rng": generators}
    task |= {"train": (x, y), "validation": validation}
    run = Run(ensemble, optimizer, History(), epochs, validation is not None, task, parts={"record": record})
    run.start(callbacks, progress)
    models = np.arange(len(ensemble))[:, np.newaxis]
    try:
        for _ in run.epochs_to_come():
            orders = np.stack([generator.permutation(len(x)) for generator in generators])  # (1, N) or (E, N)
            order = orders[0] if rngs is None else orders
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what overflows is in the histories
                for start in range(0, len(x), batch_size):
                    batch = order[..., start : start + batch_size]
                    x_batch, y_batch = x[batch], y[batch, models] if own else y[batch]
                    if augment is not None:
                        x_batch = augment(x_batch) if rngs is None else np.stack([augment(part) for part in x_batch])
                    record.step(x_batch, y_batch, penalize, own or rngs is not None)
                    run.end_step()
                    if not record.running.any():
                        return record.histories()
                record.epoch(validation)
            record.medians(run.history)
            run.end_epoch()
    finally:
        run.end()
    return record.histories()


def _generators(ensemble, rng, rngs):
    """The generators that shuffle: one for all models, or one for each."""
    if (rng is None) == (rngs is None):
        raise TypeError("fit_ensemble takes rng, one order of examples for all models, or rngs, one for each")
    if rngs is None:
        return [checked_rng(rng)]
    generators = list(map(checked_rng, rngs))
    if len(generators) != len(ensemble) or len(set(map(id, generators))) < len(generators):
        raise ValueError(f"{len(ensemble)} models take {len(ensemble)} different generators, got {len(generators)}")
    return generators


def _examples_first(ensemble, pair):
    """The pair with examples along axis 0 of both, and whether y, then (N, E, ...), holds targets for each model."""
    try:
        x, y = pair
    except (TypeError, ValueError):
        return pair, False  # the door says what is wrong
    y, n = np.asarray(y), len(x)
    own = y.ndim > 1 and y.shape[:2] == (len(ensemble), n) and (n != len(ensemble) or y.ndim == 3)
    return (x, y.swapaxes(0, 1)) if own else (x, y), own


class _Record:
    """The steps of an ensemble, what they gave for each model, and which models still run."""

    def __init__(self, ensemble, optimizer, loss, classes, own_validation):
        self.ensemble, self.optimizer, self.loss, self.classes = ensemble, optimizer, loss, classes
        self.own_validation = own_validation  # whether the targets to validate on are (N, E, ...)
        self.running = np.ones(len(ensemble), bool)
        self.kept = ensemble.theta[~self.running]  # parameters of the models that were stopped
        self.stopped = {}  # model: number of its steps, number of its epochs, the reason
        self.rows = {name: [] for name in vars(History())}  # each a list of arrays (E,)
        self.totals, self.n_right, self.n_seen = 0.0, 0, 0  # of this epoch

    def step(self, x, y, penalize, own):
        """One batch: forward, loss, backward, and a step of the models whose loss is finite.

        ``own``: each model has its own examples or targets, y (E, n, ...).
        """
        ensemble, optimizer = self.ensemble, self.optimizer
        output = ensemble.forward(x, training=True)
        values, dout = self.loss(output, y, own)
        values = values.astype(np.float64)
        ensemble.backward(dout, input_gradient=False)
        if self.classes:
            self.n_right += _n_right(output, y)
        penalize()
        if not np.isfinite(values[self.running]).all():
            self.freeze(values)
        self.rows["batch_loss"].append(values)
        self.rows["learning_rate"].append(self.rates())
        self.totals += values * output.shape[1]
        self.n_seen += output.shape[1]
        optimizer.step(ensemble.theta, ensemble.grad)
        if self.stopped:
            ensemble.theta[~self.running] = self.kept

    def rates(self):
        """The learning rate of each model's next step (E,)."""
        return np.broadcast_to(np.ravel(self.optimizer.learning_rate), self.running.shape)

    def freeze(self, values):
        """Stop the models whose loss is NaN or infinite, before this step."""
        n_steps, n_epochs = len(self.rows["batch_loss"]), len(self.rows["train_loss"])
        for e in np.flatnonzero(self.running & ~np.isfinite(values)):
            norm = np.linalg.norm(self.ensemble.grad[e])
            text = f"the loss became {values[e]} at step {n_steps} (epoch {n_epochs}): "
            text += f"learning rate {self.rates()[e]:g}, gradient norm {norm:.3g}"
            self.stopped[int(e)] = n_steps, n_epochs, text
        self.running = self.running & np.isfinite(values)
        self.kept = self.ensemble.theta[~self.running]

    def epoch(self, validation):
        """The means over the epoch, and the losses after it."""
        self.rows["train_loss"].append(self.totals / self.n_seen)
        if self.classes:
            self.rows["train_accuracy"].append(self.n_right / self.n_seen)
        if validation is not None:
            x, y = validation
            output = self.ensemble.predict(x)
            y = y.swapaxes(0, 1) if self.own_validation else y
            self.rows["validation_loss"].append(self.loss(output, y, self.own_validation)[0])
            if self.classes:
                self.rows["validation_accuracy"].append(_n_right(output, y) / len(x))
        self.totals, self.n_right, self.n_seen = 0.0, 0, 0

    def medians(self, history):
        """Bring ``history`` up to date with the medians over the models that run."""
        for name, rows in self.rows.items():
            kept = getattr(history, name)
            if rows:
                kept += np.median(np.array(rows[len(kept) :])[:, self.running], axis=1).tolist()

    def snapshot(self):
        """What is recorded after an epoch, in arrays that later steps leave alone."""
        rows = {name: np.array(rows, float) for name, rows in self.rows.items()}
        stopped = {str(e): reason for e, reason in self.stopped.items()}
        return {"rows": rows, "stopped": stopped, "running": self.running, "kept": self.kept}

    def restore(self, snapshot):
        """Go back to a snapshot."""
        self.rows = {name: list(rows) for name, rows in snapshot["rows"].items()}
        self.stopped = {int(e): tuple(reason) for e, reason in snapshot["stopped"].items()}
        self.running, self.kept = snapshot["running"], snapshot["kept"]

    def histories(self):
        """A history per model; where one was stopped, its lists are cut there."""
        tables = {name: np.array(rows, float) for name, rows in self.rows.items() if rows}
        histories = []
        for e in range(len(self.ensemble)):
            n_steps, n_epochs, text = self.stopped.get(e, (None, None, ""))
            history = MemberHistory(diverged=text)
            for name, table in tables.items():
                end = n_steps if name in ("batch_loss", "learning_rate") else n_epochs
                setattr(history, name, table[:end, e].tolist())
            histories.append(history)
        return histories


def _n_right(output, labels):
    """How many rows each model gets right: outputs (E, N, K), class numbers (N,) or (E, N) -> (E,)"""
    predicted = predicted_classes(output.reshape(-1, output.shape[2])).reshape(output.shape[:2])
    return np.count_nonzero(predicted == labels, axis=1)


def _for_all(ensemble, penalty):
    """A function without arguments that adds the gradient of the penalty, or of one penalty per model."""
    if penalty is None:
        return lambda: None
    penalties = [penalty] * len(ensemble) if callable(penalty) else list(penalty)
    if len(penalties) != len(ensemble):
        raise ValueError(f"{len(ensemble)} models take one penalty or {len(ensemble)}, got {len(penalties)}")
    if not all(map(callable, penalties)):
        raise TypeError(f"a penalty is a function of the network such as L2(0.01), got {penalties!r}")
    strengths = [_strengths(penalty) for penalty in penalties]
    if None not in strengths:
        return _elastic(ensemble, *np.transpose(strengths))
    windows = ensemble.windows()

    def penalize():
        for penalty, window in zip(penalties, windows):
            penalty(window)

    return penalize


def _strengths(penalty):
    """(l1, l2) of a penalty whose gradient is l1 sign(theta) + l2 theta; None for any other."""
    if type(penalty) is L1:
        return penalty.strength, 0.0
    if type(penalty) is L2:
        return 0.0, penalty.strength
    return (penalty.l1, penalty.l2) if type(penalty) is ElasticNet else None


def _elastic(ensemble, l1, l2):
    """grad <- grad + l1 sign(theta) + l2 theta for the weights of all models at once; l1, l2 (E,)"""
    decays = np.concatenate([np.full(p.size // len(ensemble), p.decay) for p in ensemble.parameters])  # (P,)
    l1, l2 = ((column[:, None] * decays).astype(ensemble.dtype) for column in (l1, l2))
    theta, grad, scratch = ensemble.theta, ensemble.grad, np.empty_like(ensemble.theta)
    has_l1, has_l2 = l1.any(), l2.any()

    def penalize():
        if has_l1:
            np.sign(theta, out=scratch)
            np.multiply(scratch, l1, out=scratch)
            np.add(grad, scratch, out=grad)
        if has_l2:
            np.multiply(theta, l2, out=scratch)
            np.add(grad, scratch, out=grad)

    return penalize
