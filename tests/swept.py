"""Functions to sweep, in a module of their own, so that other processes can import them."""

import os
import pathlib
import signal
import sys

import numpy as np


def product(a, b):
    return a * b


def train(learning_rate, seed):
    """A descent with noise from the seed: the same bits wherever it is computed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=8).astype(np.float32)
    for _ in range(50):
        x -= learning_rate * (x + rng.normal(size=8, scale=0.1).astype(np.float32))
    return {"loss": np.float32(x @ x), "path": x, "finite": np.isfinite(x).all(), "pid": os.getpid()}


def fragile(n):
    if n == 2:
        raise ZeroDivisionError(f"no result at {n}")
    return n * n


def killed(n):
    if n == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    return n


def counted(n, calls):
    """n squared; every call leaves a line in the file ``calls``, at its start."""
    with open(calls, "a") as file:
        file.write(f"{n}\n")
    return n * n


def stuck(n, calls):
    """The same, but at point 20 it says so and then waits for what never comes."""
    square = counted(n, calls)
    if n == 20:
        print("stuck", flush=True)
        sys.stdin.read()
    return square


def calls_of(path):
    """Which points ``counted`` was called with, in order."""
    return [int(line) for line in pathlib.Path(path).read_text().split()]


def mended(n, marker):
    """Fails until the file ``marker`` is there."""
    if n % 2 and not os.path.exists(marker):
        raise RuntimeError("not yet")
    return n


def meeting(n):
    """Two points on a dask cluster, each of which ends only when the other has begun."""
    from distributed import Event

    Event(f"here {n}").set()
    met = Event(f"here {1 - n}").wait(timeout=600)  # only a sweep that computes one after the other waits so long
    return {"met": met, "pid": os.getpid()}
