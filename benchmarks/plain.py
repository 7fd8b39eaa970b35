"""Plain C: plain.c, compiled when it is first asked for, as a function of NumPy's arrays."""

import ctypes
import functools
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np
from steps import SETTINGS, first_weights

SOURCE = pathlib.Path(__file__).with_name("plain.c")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC")
OPTIMIZERS = ("sgd", "momentum", "adam")  # as in plain.c


class NoCompiler(ImportError):
    """There is no C compiler here."""


@functools.cache
def library():
    """plain.c as a loaded library."""
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        raise NoCompiler("there is no C compiler (gcc, clang or cc)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        target = pathlib.Path(folder) / "plain.so"
        subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(target), "-lm"], check=True)
        return ctypes.CDLL(str(target))


def trainer(sizes, activation, loss, optimizer, x, y, n_steps, *, rate=None, weights=None):
    """A call that takes ``n_steps`` steps and returns their losses (n_steps,)."""
    train = library().train
    settings = SETTINGS[optimizer]
    theta = np.concatenate([array.ravel() for array in weights or first_weights(sizes)]).astype(np.float32)
    x, y = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    work = np.empty(len(theta) + 2 * len(x) * sum(sizes), np.float32)
    losses = np.empty(n_steps, np.float32)
    numbers = (ctypes.c_int * len(sizes))(*sizes)
    rate = ctypes.c_float(settings["learning_rate"] if rate is None else rate)
    momentum = ctypes.c_float(settings.get("momentum", 0.0))
    switches = activation == "relu", loss == "softmax", OPTIMIZERS.index(optimizer)
    kept = x, y, theta, m, v, work, losses  # the addresses hold as long as these do
    addresses = [ctypes.c_void_p(array.ctypes.data) for array in kept]
    t = 0

    def call():
        nonlocal t
        train(len(sizes) - 1, numbers, len(kept[0]), *switches, rate, momentum, *addresses[:-1], t, n_steps,
              addresses[-1])  # fmt: skip
        t += n_steps
        return losses

    call.n_steps = n_steps
    return call
