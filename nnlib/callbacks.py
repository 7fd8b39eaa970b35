"""Callbacks: what happens between the epochs of a training; each may end it by answering True."""

import os
import sys
import time


class Callback:
    """Called by ``fit``: at the start, after each epoch, at the end.  ``run`` holds network, history, epoch, epochs."""

    def start(self, run):
        pass

    def epoch(self, run):
        """After each epoch; True ends the training."""
        return False

    def end(self, run):
        pass


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


class Progress(Callback):
    """One line that grows while the training runs; silent where nobody watches (see :func:`watched`)."""

    def __init__(self, stream=None):
        self.stream = stream

    def start(self, run):
        self.out = self.stream or (sys.stderr if watched() else None)
        self.began = self.last = time.monotonic()

    def epoch(self, run):
        now = time.monotonic()
        if self.out and (now - self.last > 0.1 or run.epoch + 1 == run.epochs):
            self.last = now
            done = (run.epoch + 1) / run.epochs
            bar = "█" * round(20 * done) + "·" * (20 - round(20 * done))
            losses = f"loss {run.history.train_loss[-1]:.4g}"
            if run.has_validation:
                losses += f", validation {run.history.validation_loss[-1]:.4g}"
            left = (now - self.began) * (1 / done - 1)
            self.out.write(f"\r{bar} epoch {run.epoch + 1}/{run.epochs}  {losses}  {left:.0f} s left   ")
            self.out.flush()

    def end(self, run):
        if self.out:
            self.out.write("\n")
            self.out.flush()


def watched():
    """Whether somebody watches: a terminal, or a live notebook that says so with NNLIB_PROGRESS=1; 0 silences both."""
    wish = os.environ.get("NNLIB_PROGRESS")
    return sys.stderr.isatty() if wish is None else wish == "1"
