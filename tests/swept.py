"""Functions to sweep, in a module of their own, so that other processes can import them."""

import os
import pathlib
import signal
import time

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


def latest_first(n):
    time.sleep(0.05 * (3 - n))
    return n


def counted(n, calls, seconds=0.0):
    """n squared; every call leaves a line in the file ``calls``, at its start."""
    with open(calls, "a") as file:
        file.write(f"{n}\n")
    time.sleep(seconds)
    return n * n


def calls_of(path):
    """Which points ``counted`` was called with, in order."""
    return [int(line) for line in pathlib.Path(path).read_text().split()]


def mended(n, marker):
    """Fails until the file ``marker`` is there."""
    if n % 2 and not os.path.exists(marker):
        raise RuntimeError("not yet")
    return n


def meeting(n, folder):
    """Whether two points are computed at once: each waits for the other's sign."""
    pathlib.Path(folder, f"here{n}").touch()
    deadline = time.monotonic() + 30
    while not pathlib.Path(folder, f"here{1 - n}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return {"met": pathlib.Path(folder, f"here{1 - n}").exists(), "pid": os.getpid()}
