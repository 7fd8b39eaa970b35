"""Run the benchmarks: nnlib beside PyTorch and beside its own bounds, alternating in one process, on one thread.

    python benchmarks/run.py                 all tables, to the screen
    python benchmarks/run.py --only LSTM     rows whose name contains the word
    python benchmarks/run.py --write         also benchmarks/results.json and reference/performance.md

A ratio above 1 means that nnlib is faster.  Ratios are medians over pairs that ran next to each other, with quartiles:
absolute times of one run say little about another machine or hour.
"""

# ruff: noqa: E402 - the number of threads must stand before NumPy is imported
import os

for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"

import argparse
import json
import pathlib
import platform
import statistics

import numpy as np
from kernels import SHAPE, adam, kernels
from steps import cases
from timing import paired, ratio

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parent / "reference" / "performance.md"


def measure(name, contenders, rounds):
    """One row: the median of nnlib's time, and the ratio to each rival."""
    against = [rival for rival in contenders if rival != "nnlib"]
    seconds = paired(contenders, rounds=rounds)
    row = {"name": name, "microseconds": 1e6 * statistics.median(seconds["nnlib"]), "ratios": {}}
    for rival in against:
        row["ratios"][rival] = ratio(seconds, rival, "nnlib")
    show(row)
    return row


def show(row):
    ratios = "  ".join(f"{rival} {m:.2f} [{lo:.2f}, {hi:.2f}]" for rival, (lo, m, hi) in row["ratios"].items())
    print(f"{row['name']:44}{row['microseconds']:10.0f} µs   {ratios}", flush=True)


def machine():
    """What the numbers depend on."""
    import torch

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    try:
        from threadpoolctl import threadpool_info

        cores = sorted(
            {info.get("architecture") or "?" for info in threadpool_info() if "openblas" in info["filepath"]}
        )
    except ImportError:
        cores = []
    return {
        "processor": platform.processor() or platform.machine(),
        "BLAS": f"{blas['name']} {blas['version']}" + (f", kernels for {', '.join(cores)}" if cores else ""),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "PyTorch": torch.__version__,
        "threads": 1,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        raise SystemExit("the benchmarks compare with PyTorch: pip install torch==2.13.0") from None
    torch.set_num_threads(1)

    def wanted(name):
        return options.only.lower() in name.lower()

    rivals = ("default", "foreach", "fused")
    tables = {"training steps": [], "kernels": [], "optimizer": []}
    print("Training steps: forward, loss, backward, update; PyTorch eager with each of its optimizers")
    for case in cases():
        if wanted(case.name):
            contenders = {"nnlib": case.nnlib(), **{variant: case.torch(variant) for variant in rivals}}
            tables["training steps"].append(measure(case.name, contenders, options.rounds))
    print(f"\nKernels: forward and backward on {SHAPE} float32")
    for name, nnlib, make in kernels():
        if wanted(name):
            tables["kernels"].append(measure(name, {"nnlib": nnlib, "PyTorch": make()}, options.rounds))
    nnlib, make = adam()
    name = "Adam, a million parameters"
    if wanted(name):
        contenders = {"nnlib": nnlib, "default": make(foreach=False), "fused": make(fused=True)}
        print("\nOptimizer")
        tables["optimizer"].append(measure(name, contenders, options.rounds))
    if options.write:
        result = {"machine": machine(), "tables": tables}
        (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(result), encoding="utf-8")
        print(f"\nwritten: {HERE / 'results.json'} and {PAGE}")


def page(result):
    """The page reference/performance, from the results."""
    lines = [
        "# Performance",
        "",
        "How fast is plain NumPy? `make bench` runs nnlib beside PyTorch: the same data and the same mathematics,",
        "float32, one thread, alternating in one process. A number above 1 says how many times nnlib is faster; in",
        "brackets, the quartiles over the pairs of one run. Where it is below 1, PyTorch wins.",
        "",
    ]
    lines += [f"- {key}: {value}" for key, value in result["machine"].items()]
    for title, rows in result["tables"].items():
        if rows:
            rivals = list(rows[0]["ratios"])
            lines += ["", f"## {title.capitalize()}", ""]
            lines += ["| | µs | " + " | ".join(f"against {rival}" for rival in rivals) + " |"]
            lines += ["|:--|--:|" + "--:|" * len(rivals)]
            for row in rows:
                cells = [f"{m:.2f} [{lo:.2f}, {hi:.2f}]" for lo, m, hi in row["ratios"].values()]
                lines += [f"| {row['name']} | {row['microseconds']:.0f} | " + " | ".join(cells) + " |"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
