"""Callbacks: what happens between the epochs of a training; each may end it by answering True."""

import warnings

import numpy as np

from nnlib.foreign import SpeaksOurs
from nnlib.parameters import named_parameters
from nnlib.progress import Line
from nnlib.reprs import keyword_repr


class Callback(SpeaksOurs):
    """Called by ``fit``: at the start, after each step and epoch, at the end.  ``run`` holds network, history, epoch.

    What a callback remembers survives a :class:`~nnlib.checkpoint.Checkpoint` if ``snapshot`` returns it, made of
    dicts, lists, numbers, text and arrays, and ``restore`` takes it back.
    """

    comes_last = False  # whether it is called after the others

    def start(self, run):
        pass

    def step(self, run):
        """After each step of the optimizer; ``run.network.grad`` is the gradient that it got."""

    def epoch(self, run):
        """After each epoch; True ends the training."""
        return False

    def end(self, run):
        pass

    def snapshot(self):
        return None

    def restore(self, snapshot):
        pass

    def __repr__(self):
        return keyword_repr(self)


class EarlyStopping(Callback):
    """End the training when the validation loss has not improved for ``patience`` epochs.

    Parameters
    ----------
    patience : int
        Epochs without a new best that are put up with.
    min_delta : float
        An improvement smaller than this does not count.
    restore_best : bool
        Go back to the parameters of the best epoch at the end, whatever ended the training.

    Attributes
    ----------
    best_epoch : int
        Counted from 0.
    best_loss : float
    stopped : bool
        Whether patience ran out.
    """

    def __init__(self, patience, min_delta=0.0, restore_best=True):
        if patience < 1:
            raise ValueError(f"patience is at least 1 epoch, got {patience!r}")
        self.patience, self.min_delta, self.restore_best = patience, min_delta, restore_best

    def start(self, run):
        if not run.has_validation:
            raise ValueError("EarlyStopping watches the validation loss: give fit(..., validation=(x, y))")
        self.best_loss, self.best_epoch, self.best, self.stopped = float("inf"), None, None, False

    def epoch(self, run):
        loss = run.history.validation_loss[-1]
        if loss < self.best_loss - self.min_delta:
            self.best_loss, self.best_epoch, self.best = loss, run.epoch, run.network.snapshot()
        self.stopped = self.best_epoch is not None and run.epoch - self.best_epoch >= self.patience
        return self.stopped

    def end(self, run):
        if self.restore_best and self.best is not None:
            run.network.restore(self.best)

    def snapshot(self):
        return self.best_loss, self.best_epoch, self.best, self.stopped

    def restore(self, snapshot):
        self.best_loss, self.best_epoch, self.best, self.stopped = snapshot


class GradientMonitor(Callback):
    """Record how large each parameter's gradient is and how far each step moves it, while a network learns.

    Parameters
    ----------
    every : int
        Look at every so many steps of an epoch, its first one always.
    limits : (float, float), optional
        Warn, once, when the gradient of weights has a norm below the first or above the second number on average over
        an epoch: it vanishes or explodes.

    Attributes
    ----------
    names : list of str
        "0 Dense.W", "0 Dense.b" ... in the order of ``theta``.
    steps, epochs : ndarray (S,) of int
        Which steps were looked at, counted from 0, and their epochs.
    norms : ndarray (S, L) or, for an ensemble, (S, L, E)
        ||gradient|| of each parameter as the optimizer got it, with the penalty's part.
    ratios : ndarray of the same shape
        ||theta after - theta before|| / ||theta before||; NaN where a parameter was 0, as biases are at first.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlib.callbacks import GradientMonitor
    >>> from nnlib.layers import Dense
    >>> from nnlib.losses import mean_squared_error
    >>> from nnlib.network import Sequential
    >>> from nnlib.optimizers import SGD
    >>> from nnlib.training import fit
    >>> rng = np.random.default_rng(0)
    >>> network = Sequential(Dense(2, 1), rng=rng)
    >>> data = rng.normal(size=(20, 2)), np.ones((20, 1))
    >>> monitor = GradientMonitor(every=10)
    >>> history = fit(network, mean_squared_error, SGD(0.1), data, epochs=1, batch_size=1, callbacks=[monitor], rng=rng)
    >>> monitor.steps.tolist()
    [0, 10]
    """

    def __init__(self, every, limits=None):
        if every != int(every) or every < 1:
            raise ValueError(f"GradientMonitor looks at every so many steps, a whole number >= 1, got {every!r}")
        if limits is not None and not (np.shape(limits) == (2,) and 0.0 <= limits[0] < limits[1]):
            raise ValueError(f"limits are (lowest, highest) with 0 <= lowest < highest, got {limits!r}")
        self.every, self.limits = int(every), limits

    def start(self, run):
        parameters = list(named_parameters(getattr(run.network, "template", run.network)))  # of one model
        stops = np.cumsum([p.size for _, p in parameters])
        self.names = [name for name, _ in parameters]
        self.slices = [slice(stop - p.size, stop) for stop, (_, p) in zip(stops, parameters)]
        self.weights = [i for i, (_, p) in enumerate(parameters) if p.decay]
        self.rows, self.n_steps, self.n_in_epoch, self.warned = [], 0, 0, False
        self.before = run.network.theta.copy()

    def step(self, run):
        theta, grad = run.network.theta, run.network.grad
        if self.before is not None:
            moved = theta - self.before
            norms, moves, sizes = (
                np.array([np.linalg.norm(a[..., part].astype(np.float64), axis=-1) for part in self.slices])
                for a in (grad, moved, self.before)
            )
            ratios = np.divide(moves, sizes, out=np.full_like(moves, np.nan), where=sizes > 0.0)
            self.rows.append((self.n_steps, run.epoch, norms, ratios))
        self.n_steps += 1
        self.n_in_epoch += 1
        self.before = theta.copy() if self.n_in_epoch % self.every == 0 else None

    def epoch(self, run):
        self.n_in_epoch, self.before = 0, run.network.theta.copy()
        if self.limits is not None and not self.warned:
            norms = self.norms[self.epochs == run.epoch].mean(axis=0)
            for i in self.weights:
                low, high = np.min(norms[i]), np.max(norms[i])
                if low < self.limits[0] or high > self.limits[1]:
                    self.warned = True
                    what = f"vanishes: {low:.3g}" if low < self.limits[0] else f"explodes: {high:.3g}"
                    warnings.warn(
                        f"the gradient of {self.names[i]} {what} on average over epoch {run.epoch}, "
                        f"the limits are {self.limits[0]:g} and {self.limits[1]:g}",
                        RuntimeWarning,
                        stacklevel=5,
                    )
                    break
        return False

    @property
    def steps(self):
        return np.array([row[0] for row in self.rows], int)

    @property
    def epochs(self):
        return np.array([row[1] for row in self.rows], int)

    @property
    def norms(self):
        return np.array([row[2] for row in self.rows])

    @property
    def ratios(self):
        return np.array([row[3] for row in self.rows])

    def by_epoch(self):
        """Mean norms of each epoch: (number of epochs, L)."""
        return np.array([self.norms[self.epochs == epoch].mean(axis=0) for epoch in np.unique(self.epochs)])

    def snapshot(self):
        return self.steps, self.epochs, self.norms, self.ratios, self.n_steps, self.before, self.warned

    def restore(self, snapshot):
        *columns, self.n_steps, self.before, self.warned = snapshot
        self.rows = [(int(step), int(epoch), *arrays) for step, epoch, *arrays in zip(*columns)]


class Progress(Callback):
    """One line that grows while the training runs; silent where nobody watches (see :mod:`nnlib.progress`)."""

    def __init__(self, stream=None):
        self.stream = stream

    def start(self, run):
        self.line = Line("epoch", run.epochs, run.first_epoch, stream=self.stream)

    def epoch(self, run):
        text = f"loss {run.history.train_loss[-1]:.4g}"
        if run.has_validation:
            text += f", validation {run.history.validation_loss[-1]:.4g}"
        self.line.show(run.epoch + 1, text)

    def end(self, run):
        self.line.end()
