"""Checkpoint: what a training has reached, on disk, and how the same call goes on from there."""

import functools
import inspect
import types
import warnings

import numpy as np

from nnlib import archive
from nnlib.callbacks import Callback, Progress

FORMAT = "nnlib checkpoint, version 1"


class Checkpoint(Callback):
    """Write all that a training has reached to a file; the same call finds it there and goes on, to the same bits.

    ``fit(..., callbacks=[Checkpoint("run.npz")])`` writes after each epoch.  Killed and called again, it goes on after
    the last epoch in the file; called again after its end, it gives network and history back at once.  A larger
    ``epochs`` trains on.

    In the file are parameters and statistics, the optimizer's memory and step, the history, what other callbacks
    remember, and the states of all random generators: the one that shuffles, those of layers, and those that a penalty,
    an augmentation or a callback holds as an attribute, in its closure or by a global name.  Nothing in it is executed.

    Parameters
    ----------
    path : str or Path
        An .npz file in a folder that exists.
    every : int
        Write after every so many epochs, and after the last.
    best : str or Path, optional
        Save the network with the smallest validation loss so far here, as ``Sequential.load`` reads it.

    Raises
    ------
    ValueError
        At the start, for a file that is damaged, or that belongs to another training: another network, optimizer,
        learning rate, loss, penalty, augmentation, batch size, other data or callbacks.  Functions are known by their
        names and what they were made with, not by their bodies.

    Warns
    -----
    RuntimeWarning
        When the disk does not take a state.  The training goes on and tries again after the next epoch; the file keeps
        the last state that it took.

    Notes
    -----
    The same bits need the same machine, NumPy and number of BLAS threads, as two whole runs do.
    """

    comes_last = True

    def __init__(self, path, every=1, best=None):
        if every != int(every) or every < 1:
            raise ValueError(f"Checkpoint writes after every so many epochs, a whole number >= 1, got {every!r}")
        from pathlib import Path  # here: it takes as long as half of nnlib

        self.path, self.every, self.best = Path(path), int(every), None if best is None else Path(best)

    def start(self, run):
        for path in (self.path, self.best):
            if path is not None and not path.parent.is_dir():
                raise FileNotFoundError(f"{path.parent} is no folder: make it first")
        if self.best is not None and not (run.has_validation and hasattr(run.network, "save")):
            raise ValueError("Checkpoint(best=...) takes one network and its validation: give fit(..., validation=)")
        self.problem = None
        self.others = [c for c in run.callbacks if not isinstance(c, Checkpoint | Progress)]
        self.generators = generators([run.network, run.optimizer, *run.task.values(), *self.others])
        self.task = {
            "network": f"{run.network!r} in {run.network.dtype}",
            "optimizer": described(run.optimizer),
            **{name: described(thing) for name, thing in run.task.items()},
            "callbacks": [described(callback) for callback in self.others],
        }
        if self.path.exists():
            self.resume(run)

    def epoch(self, run):
        n_epochs = run.epoch + 1
        if self.best is not None:
            losses = run.history.validation_loss
            if losses[-1] < min([*losses[:-1], float("inf")]):
                self.attempt(run.network.save, self.best, n_epochs)
        if n_epochs % self.every == 0 or n_epochs == run.epochs or run.stopped:
            self.attempt(functools.partial(self.write, run), self.path, n_epochs)
        return False

    def attempt(self, write, path, n_epochs):
        """Write, or warn and leave it for the next time."""
        try:
            write(path)
        except OSError as error:
            if self.problem is None:
                warnings.warn(
                    f"epoch {n_epochs} was not written to {path} ({error}): the training goes on, make room",
                    RuntimeWarning,
                    stacklevel=6,
                )
            self.problem = error
        else:
            self.problem = None

    def write(self, run, path):
        arrays = {}
        state = {
            "n_epochs": run.epoch + 1,
            "stopped": run.stopped,
            "rates": _rates(run.optimizer),
            "parts": {name: part.snapshot() for name, part in run.parts.items()},
            "callbacks": [callback.snapshot() for callback in self.others],
            "generators": [generator.bit_generator.state for generator in self.generators],
        }
        archive.write(path, {"format": FORMAT, "task": self.task, "state": archive.pack(state, arrays)}, arrays)

    def resume(self, run):
        """Bring the training to where the file left it, or leave it as it is and say why not."""
        header, arrays = archive.read(self.path, FORMAT, "checkpoint")
        mend = "take another path, or delete the file to begin anew"
        there = header.get("task")
        if not isinstance(there, dict) or there.keys() != self.task.keys():
            raise ValueError(f"{self.path} does not say what training it holds: {mend}")
        for name, here in self.task.items():
            if there[name] != here:
                raise ValueError(f"{self.path} holds a training with {name} {there[name]}, this one has {here}: {mend}")
        before = {name: part.snapshot() for name, part in run.parts.items()}
        states = [generator.bit_generator.state for generator in self.generators]
        try:
            state = archive.unpack(header["state"], arrays)
            n_epochs, stopped = int(state["n_epochs"]), bool(state["stopped"])
            for step, here in _rates(run.optimizer, state["rates"]).items():
                if here != (there := state["rates"][step]):
                    raise ValueError(f"at step {step} its learning rate was {_text(there)}, now it is {_text(here)}")
            for name, part in run.parts.items():
                part.restore(state["parts"][name])
            for callback, kept in zip(self.others, state["callbacks"], strict=True):
                callback.restore(kept)
            for generator, kept in zip(self.generators, state["generators"], strict=True):
                generator.bit_generator.state = kept
            if n_epochs > run.epochs:
                raise ValueError(f"it has come {n_epochs} epochs far, and epochs={run.epochs}: ask for as many")
        except archive.DAMAGE as error:
            for name, part in run.parts.items():
                part.restore(before[name])
            for generator, kept in zip(self.generators, states):
                generator.bit_generator.state = kept
            raise ValueError(f"{self.path} does not fit this training, {error}: {mend}") from error
        run.first_epoch, run.stopped = n_epochs, stopped


def _rates(optimizer, known=None):
    """The learning rates at some of the steps so far, {step: [rate, ...]}, or at the steps of ``known``."""
    schedule, n = optimizer.schedule, optimizer.n_steps
    steps = sorted({0, n // 3, n // 2, max(n - 1, 0)}) if known is None else map(int, known)
    return {str(step): np.ravel(schedule(step)).astype(float).tolist() for step in steps}


def _text(values):
    return ", ".join(f"{value:g}" for value in values)


def described(thing):
    """What something is, in words and numbers that can be compared: its kind and what it was made with."""
    if thing is None or isinstance(thing, bool | int | float | str):
        return repr(thing)
    if isinstance(thing, np.ndarray):
        import zlib

        return f"{thing.dtype} {thing.shape} with checksum {zlib.crc32(np.ascontiguousarray(thing)):08x}"
    if isinstance(thing, np.generic | np.random.Generator):
        return type(thing).__name__ + (f" {thing}" if isinstance(thing, np.generic) else "")
    if isinstance(thing, list | tuple):
        return f"({', '.join(map(described, thing))})"
    if isinstance(thing, dict):
        return f"({', '.join(f'{name}={described(value)}' for name, value in thing.items())})"
    if isinstance(thing, functools.partial):
        return described(thing.func) + described([*thing.args]) + described(thing.keywords)
    if isinstance(thing, types.MethodType):
        return f"{described(thing.__self__)}.{thing.__name__}"
    if hasattr(thing, "__qualname__"):
        return f"{thing.__module__}.{thing.__qualname__}"
    names = inspect.signature(type(thing)).parameters if callable(type(thing)) else ()
    made_with = {
        name: vars(thing)[name] for name in names if name != "learning_rate" and name in getattr(thing, "__dict__", ())
    }
    return type(thing).__qualname__ + described(made_with)


VERBS = ("forward", "step", "epoch", "__call__")  # by which a training calls what it is given


def generators(things):
    """All random generators in these things, each once and in a fixed order: attributes, closures, global names."""
    found, seen, waiting = [], set(), list(things)[::-1]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        inside = ()
        if isinstance(thing, np.random.Generator):
            found.append(thing)
        elif isinstance(thing, list | tuple):
            inside = thing
        elif isinstance(thing, dict):
            inside = thing.values()
        elif isinstance(thing, functools.partial):
            inside = (thing.func, *thing.args, *thing.keywords.values())
        elif isinstance(thing, types.MethodType):
            inside = (thing.__self__, thing.__func__)
        elif isinstance(thing, types.FunctionType):
            names = inspect.getclosurevars(thing)  # also of attributes that are called as a global is: no harm
            own = [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
            inside = (*own, *names.nonlocals.values(), *names.globals.values())
        elif not isinstance(thing, type | types.ModuleType) and any(hasattr(thing, verb) for verb in VERBS):
            inside = getattr(thing, "__dict__", {}).values()
        waiting.extend(reversed(list(inside)))
    return found
