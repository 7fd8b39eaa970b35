"""Training: batches, steps and a record of what happened."""

import math
from dataclasses import dataclass, field, fields
from numbers import Integral

import numpy as np

from nnlib.callbacks import Callback, Progress
from nnlib.doors import checked_rng
from nnlib.flat import FlatEpochs, Unsupported
from nnlib.foreign import speaks_ours
from nnlib.metrics import accuracy, predicted_classes

FLAT = True  # whether fit takes its steps as lists of calls where it can; both ways agree to rounding


class Diverged(ArithmeticError):
    """The loss became NaN or infinite; ``history`` holds what was recorded until then."""

    def __init__(self, message, history):
        super().__init__(message)
        self.history = history


@dataclass
class History:
    """What a training recorded, a list entry per epoch (``batch_loss`` and ``learning_rate``: per step).

    ``train_loss`` is the mean over the epoch's batches, measured while the network was changing; ``validation_loss`` is
    measured after the epoch.  Accuracies are there when the targets are class numbers, (N,) or one for each output row.
    """

    train_loss: list = field(default_factory=list)
    validation_loss: list = field(default_factory=list)
    train_accuracy: list = field(default_factory=list)
    validation_accuracy: list = field(default_factory=list)
    batch_loss: list = field(default_factory=list)
    learning_rate: list = field(default_factory=list)
    flat = False  # whether the steps were taken as lists of calls, see nnlib.flat
    ordinary_because = ""  # where they were not

    def __repr__(self):
        text = f"History of {len(self.train_loss)} epochs, {len(self.batch_loss)} steps"
        if self.train_loss:
            text += f": training loss {self.train_loss[0]:.3g} -> {self.train_loss[-1]:.3g}"
        if self.validation_loss:
            text += f", validation loss {self.validation_loss[0]:.3g} -> {self.validation_loss[-1]:.3g}"
        return text

    def snapshot(self):
        """A copy of all lists."""
        return {name: list(getattr(self, name)) for name in self.lists()}

    def restore(self, snapshot):
        """Go back to a snapshot."""
        for name in self.lists():
            getattr(self, name)[:] = snapshot[name]

    def lists(self):
        """The names of what is recorded."""
        return [one.name for one in fields(self) if isinstance(getattr(self, one.name), list)]


@dataclass
class Run:
    """What callbacks see of a training.

    ``task`` is what it was asked to do, ``parts`` are the things that change on the way: with those in the state of a
    snapshot, with the generators and from ``first_epoch`` on it would go the same way again.
    """

    network: object
    optimizer: object
    history: History
    epochs: int
    has_validation: bool
    task: dict
    callbacks: list = field(default_factory=list)
    parts: dict = field(default_factory=dict)
    epoch: int = 0
    first_epoch: int = 0
    stopped: bool = False

    def __post_init__(self):
        self.parts = {"network": self.network, "optimizer": self.optimizer, "history": self.history, **self.parts}

    def start(self, callbacks, progress):
        """Call ``start`` of all callbacks."""
        self.callbacks = [*_callbacks(callbacks), *([Progress()] if progress else [])]
        self.callbacks.sort(key=lambda callback: callback.comes_last)
        for callback in self.callbacks:
            callback.start(self)
        self.after_each_step = [c.step for c in self.callbacks if type(c).step is not Callback.step]

    def epochs_to_come(self):
        """The numbers of the epochs, until a callback wishes to stop."""
        for epoch in range(self.first_epoch, self.epochs):
            if self.stopped:
                return
            self.epoch = epoch
            yield epoch

    def end_step(self):
        """Call ``step`` of the callbacks that have one."""
        for call in self.after_each_step:
            call(self)

    def end_epoch(self):
        """Call ``epoch`` of all callbacks, and note whether one wishes to stop."""
        for callback in self.callbacks:
            self.stopped |= bool(callback.epoch(self))

    def end(self):
        for callback in self.callbacks:
            callback.end(self)


@speaks_ours
def fit(
    network,
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
    rng,
    progress=True,
    stop_on_divergence=True,
):
    """Train a network: shuffle, cut into batches, forward, loss, backward, step.

    Parameters
    ----------
    network : Sequential
    loss : callable
        ``loss(output, target) -> (float, gradient)``.
    optimizer : Optimizer
    train, validation : (x, y)
        x (N, ...), y (N,) class numbers or (N, D) targets; of sequences y (N, T) class numbers or (N, T, D).
    epochs : int
        How often every example is seen.
    batch_size : int
        The last batch of an epoch may be smaller.
    penalty : callable, optional
        ``penalty(network) -> float`` adds its gradient to ``network.grad``; it does not enter the recorded losses.
    augment : callable, optional
        ``augment(x_batch) -> x_batch`` changes each batch of inputs before it is learned from, not the validation.
    callbacks : sequence of Callback
    rng : np.random.Generator
        Shuffles.
    progress : bool
        Show a line of progress where somebody watches.
    stop_on_divergence : bool
        Raise when a loss is NaN or infinite, before that step is taken.

    Returns
    -------
    History

    Raises
    ------
    TypeError, ValueError
        Before anything is computed, for what cannot be trained on; NaN among the examples, too, unless divergence is
        let pass.
    Diverged
        With the step, the learning rate and the gradient's norm.  The network keeps its last finite parameters; only
        where the last step of an epoch made them infinite, it is found after that step.
    """
    x, y, validation = at_the_door(
        network, loss, optimizer, train, validation, augment,
        epochs=epochs, batch_size=batch_size, rng=rng, finite=stop_on_divergence,
    )  # fmt: skip
    if penalty is not None and (not callable(penalty) or isinstance(penalty, type)):
        raise TypeError(f"a penalty is a function of the network such as L2(0.01), got {penalty!r}")
    history = History()
    task = {"loss": loss, "penalty": penalty, "augment": augment, "batch_size": batch_size, "rng": rng}
    task |= {"train": (x, y), "validation": validation}
    run = Run(network, optimizer, history, epochs, validation is not None, task)
    record = _Record(run, loss, y, stop_on_divergence)
    run.start(callbacks, progress)
    flat_epochs = _flat_epochs(run, x, y)
    try:
        for _ in run.epochs_to_come():
            order = rng.permutation(len(x))
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows, the record reports
                if flat_epochs is not None:  # the same steps, as a list of calls
                    flat_epochs.epoch(order, record, run.end_step)
                    order = order[:0]
                for start in range(0, len(order), batch_size):
                    batch = order[start : start + batch_size]
                    x_batch, y_batch = x[batch], y[batch]
                    if augment is not None:
                        x_batch = augment(x_batch)
                    output = network.forward(x_batch, training=True)
                    value, dout = loss(output, y_batch)
                    network.backward(dout, input_gradient=False)
                    if penalty is not None:
                        penalty(network)
                    record.step(value, output, y_batch)
                    optimizer.step(network.theta, network.grad)
                    run.end_step()
            record.epoch(validation)
            run.end_epoch()
    finally:
        run.end()
    return history


def _flat_epochs(run, x, y):
    """The steps as lists of calls, where each part of the training has that form; else None."""
    task = run.task
    try:
        if not FLAT or task["augment"] is not None:
            raise Unsupported("augmented batches have no flat form" if FLAT else "nnlib.training.FLAT is False")
        at_once = 1 if run.after_each_step else run.epochs * len(x) // (8 * task["batch_size"])
        settings = task["batch_size"], task["penalty"], at_once
        epochs = FlatEpochs(run.network, task["loss"], run.optimizer, x, y, *settings)
    except Unsupported as error:
        run.history.ordinary_because = str(error)
        return None
    run.history.flat = True
    return epochs


class _Record:
    """Writes the history of a training, and raises where its loss is NaN or infinite."""

    def __init__(self, run, loss, y, stop_on_divergence):
        self.run, self.loss, self.stop_on_divergence = run, loss, stop_on_divergence
        self.integers, self.n, self.n_labels = y.dtype.kind in "iu", len(y), y.size
        self.total, self.n_right = 0.0, 0  # of this epoch

    def step(self, value, output, y):
        """What the loss says of a batch, before the step that it causes."""
        history = self.run.history
        if self.stop_on_divergence and not math.isfinite(value):
            raise Diverged(_diverged_text(self.run, value), history)
        history.batch_loss.append(value)
        history.learning_rate.append(self.run.optimizer.learning_rate)
        self.total += value * len(y)
        self.classes = self.integers and (y.ndim == 1 or y.shape == output.shape[:-1])
        if self.classes:
            self.n_right += np.count_nonzero(predicted_classes(output) == y)

    def steps(self, values, rates, output, y):
        """What the losses say of several batches, whose steps have been taken."""
        history = self.run.history
        history.batch_loss += values
        history.learning_rate += rates
        self.total += sum(values) * (len(y) / len(values))
        self.classes = self.integers and (y.ndim == 1 or y.shape == output.shape[:-1])
        if self.classes:
            self.n_right += np.count_nonzero(predicted_classes(output) == y)

    def epoch(self, validation):
        """The means over the epoch, and the losses after it."""
        history, network = self.run.history, self.run.network
        history.train_loss.append(self.total / self.n)
        if self.classes:
            history.train_accuracy.append(self.n_right / self.n_labels)
        if validation is not None:
            output = network.predict(validation[0])
            history.validation_loss.append(self.loss(output, validation[1])[0])
            if self.classes:
                history.validation_accuracy.append(accuracy(output, validation[1]))
        if self.stop_on_divergence and not np.isfinite(network.theta).all():
            raise Diverged(_diverged_text(self.run, "infinite with the last parameters"), history)
        self.total, self.n_right = 0.0, 0


def at_the_door(network, loss, optimizer, train, validation, augment, *, epochs, batch_size, rng, finite=True):
    """x, y and the validation pair as arrays that the network can train on, or an error that says the mend.

    The door of ``fit`` and of ``fit_ensemble``: what is wrong is found before anything is computed.  With ``finite``
    NaN and infinite examples are wrong, too.
    """
    if not (hasattr(network, "theta") and hasattr(network, "predict")):
        raise TypeError(f"fit trains a Sequential(..., rng=rng), got {network!r}")
    if isinstance(optimizer, type) or not hasattr(optimizer, "learning_rate"):
        raise TypeError(f"an optimizer is made with a learning rate such as SGD(0.1), got {optimizer!r}")
    if not callable(loss) or not (augment is None or callable(augment)):
        name, wrong = ("augment", augment) if callable(loss) else ("loss", loss)
        raise TypeError(f"{name} is a function, got {wrong!r}")
    if not (isinstance(epochs, Integral) and isinstance(batch_size, Integral)):
        raise TypeError(f"epochs and batch_size are whole numbers, got {epochs=} and {batch_size=}")
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"fit takes at least one epoch and batches of at least one, got {epochs=} and {batch_size=}")
    checked_rng(rng)
    x, y = _examples("train", train, network.dtype, finite)
    if validation is not None:
        validation = _examples("validation", validation, network.dtype, finite)
        network.forward(validation[0][:1])  # a wrong shape is an error now, not after an epoch
    return x, y, validation


def _examples(name, pair, dtype, finite):
    """x and y of a pair, as arrays with one row per example, x of the network's dtype."""
    try:
        x, y = pair
    except (TypeError, ValueError):
        raise TypeError(f"{name} is a pair (x, y), got {type(pair).__name__}") from None
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim < 2 or not y.ndim or len(x) != len(y) or not len(x):
        raise ValueError(f"{name} takes x (N, ...) and y (N, ...) with N >= 1, got {x.shape} and {y.shape}")
    for letter, array in (("x", x), ("y", y)):
        if array.dtype.kind not in "iubf":
            mend = ": np.unique(y, return_inverse=True) numbers the classes" if letter == "y" else ""
            raise TypeError(f"{name} takes real numbers, got {letter} of dtype {array.dtype}{mend}")
    with np.errstate(over="ignore"):  # what is too large for float32 is found below
        x = x.astype(dtype, copy=False)
    for letter, array in (("x", x), ("y", y)):
        wrong = finite and array.dtype.kind == "f" and ~np.isfinite(array)
        if np.any(wrong):
            place = tuple(int(i[0]) for i in np.nonzero(wrong))
            raise ValueError(
                f"{name} takes finite numbers, got {array[place]} as {letter}{list(place)} in {array.dtype}, "
                f"{np.count_nonzero(wrong)} in all: leave such examples out, or fill the gaps"
            )
    return x, y


def _callbacks(callbacks):
    if isinstance(callbacks, Callback) or not np.iterable(callbacks):
        raise TypeError(f"callbacks is a sequence of callbacks, got {callbacks!r}: put it into a list")
    callbacks = list(callbacks)
    for callback in callbacks:
        if not isinstance(callback, Callback):
            mend = ": call it" if isinstance(callback, type) else ": derive its class from Callback"
            raise TypeError(f"a callback is an object of a Callback class, got {callback!r}{mend}")
    return callbacks


def _diverged_text(run, value):
    n_steps = len(run.history.batch_loss)
    recent = ", ".join(f"{loss:.3g}" for loss in run.history.batch_loss[-3:]) or "none"
    norm = float(np.linalg.norm(run.network.grad))
    return (
        f"the loss became {value} at step {n_steps} (epoch {run.epoch}): "
        f"learning rate {run.optimizer.learning_rate:g}, gradient norm {norm:.3g}, losses before: {recent}. "
        "Lower the learning rate, scale the inputs, or look for log(0) and division by zero"
    )
