"""What nnlib needs besides time: the import, memory that grows, memory within a step, and the peak of a training."""

import gc
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import tracemalloc

from steps import cases

HERE = pathlib.Path(__file__).parent
WARM_UP, N_STEPS = 20, 100

IMPORT = """
import time
import numpy
began = time.perf_counter()
import nnlib.activations, nnlib.layers, nnlib.losses, nnlib.network, nnlib.optimizers, nnlib.training
print(time.perf_counter() - began)
"""

PEAK = """
import sys
sys.path.insert(0, {here!r})
from steps import cases
case = next(case for case in cases() if case.name == {name!r})
step = case.{maker}
for _ in range({n_steps}):
    step()
with open("/proc/self/status") as file:
    print(next(line for line in file if line.startswith("VmHWM")).split()[1])
"""


def in_new_process(code):
    """The number that a new process prints."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:  # of compiled modules, which the first process fills
        environment["PYTHONPYCACHEPREFIX"] = folder
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
            )
    return float(done.stdout)


def import_milliseconds(rounds=5):
    """Median time that importing nnlib's training costs where NumPy is already there."""
    return 1e3 * statistics.median(in_new_process(IMPORT) for _ in range(rounds))


def memory_of_steps(case):
    """(bytes that a step leaves behind, bytes that it needs for a moment) after a warm-up."""
    step = case.nnlib()
    for _ in range(WARM_UP):
        step()
    tracemalloc.start()
    for _ in range(WARM_UP):
        step()
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(N_STEPS):
        step()
    _, peak = tracemalloc.get_traced_memory()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / N_STEPS, peak - before


def peak_kibibytes(name, maker, n_steps=50):
    """The largest resident memory of a process that takes these steps."""
    return in_new_process(PEAK.format(here=str(HERE), name=name, maker=maker, n_steps=n_steps))


def resources():
    """Rows: (what, value, unit)."""
    yield "import, beyond NumPy's own", import_milliseconds(), "ms"
    for case in cases():
        growth, transient = memory_of_steps(case)
        yield f"{case.name}: left behind by a step", growth, "bytes"
        yield f"{case.name}: needed for a moment", transient / 1024, "KiB"
    name = "784-256-128-10 Adam, batch 128"
    ours, theirs = (peak_kibibytes(name, maker) / 1024 for maker in ("nnlib()", "torch('fused')"))
    yield f"{name}: peak of the process", ours, "MiB"
    yield f"{name}: peak of PyTorch's process", theirs, "MiB"
    yield f"{name}: PyTorch's peak over nnlib's", theirs / ours, "times"
