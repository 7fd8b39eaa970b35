"""What nnlib needs besides time: the import, memory that grows, memory within a step, and the peak of a training."""

import gc
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import timeit
import tracemalloc

from bounds import calls
from steps import cases

HERE = pathlib.Path(__file__).parent
WARM_UP, N_STEPS = 20, 100
PEAK_OF = "784-256-128-10 Adam, batch 128"

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


def peak_mebibytes(name, maker, n_steps=50):
    """The largest resident memory of a process that takes these steps; Linux alone says it."""
    return in_new_process(PEAK.format(here=str(HERE), name=name, maker=maker, n_steps=n_steps)) / 1024


def call_microseconds(n=2000):
    """The least time that some calls of NumPy take on small arrays."""
    return {name: 1e6 * min(timeit.repeat(call, number=n, repeat=15)) / n for name, call in calls().items()}


def resources():
    """What a whole run records beside the times."""
    result = {"import": import_milliseconds(), "steps": []}
    print(f"import, beyond NumPy's own {result['import']:.1f} ms", flush=True)
    result["calls"] = call_microseconds()
    print("calls of NumPy: " + ", ".join(f"{name} {us:.2f} µs" for name, us in result["calls"].items()), flush=True)
    for case in cases():
        growth, transient = memory_of_steps(case)
        result["steps"].append({"name": case.name, "left": growth, "for_a_moment": transient})
        print(f"{case.name:40} leaves {growth:5.1f} bytes behind, needs {transient / 1024:6.1f} KiB for a moment")
    if pathlib.Path("/proc/self/status").exists():
        ours, theirs = (peak_mebibytes(PEAK_OF, maker) for maker in ("nnlib()", "torch('fused')"))
        result["peak"] = {"name": PEAK_OF, "nnlib": ours, "PyTorch": theirs}
        print(f"{PEAK_OF:40} peak {ours:.1f} MiB, PyTorch {theirs:.1f} MiB, {theirs / ours:.1f} times as much")
    return result
