"""Run the benchmarks: nnlib beside PyTorch and other peers and beside its own bounds, in turn, in one process, on one
processor core.

    python benchmarks/run.py                 all tables, to the screen
    python benchmarks/run.py --only LSTM     rows whose name contains the word
    python benchmarks/run.py --write         also benchmarks/results.json and reference/performance.md
    python benchmarks/run.py --gate          is nnlib still as fast beside PyTorch as results.json says?

A ratio above 1 means that nnlib is faster.  Ratios are medians over pairs that ran next to each other, with quartiles:
absolute times of one run say little about another machine or hour.
"""

# ruff: noqa: E402 - the number of threads must stand before NumPy is imported
import os

for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"
if hasattr(os, "sched_setaffinity"):  # JAX has no such variable: one core for everybody
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import platform
import statistics

import compiler
import numpy as np
from bounds import adam_traffic, products_of
from ensembles import CEILINGS, N_MODELS, one_by_one, stacked, vmapped
from kernels import N_PARAMETERS, adam, kernels
from page import page
from peers import LEFT_OUT, check_losses, made, peers_of
from resources import resources
from steps import cases
from timing import paired, ratio

HERE = pathlib.Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent / "reference" / "performance.md"
EAGER = ("default", "foreach", "fused")
# Of the recorded ratio, below which the gate closes: two runs of one program differ by a fifth, and without AVX-512 an
# operation such as tanh has less than half of its lead.
SLACK, SLACK_ELSEWHERE = 0.75, 0.4


def measure(name, contenders, rounds):
    """One row: the median of nnlib's time, and the ratio of each rival's time to it."""
    seconds = paired(contenders, rounds=rounds)
    row = {"name": name, "microseconds": 1e6 * statistics.median(seconds["nnlib"]), "ratios": {}}
    for rival in contenders:
        if rival != "nnlib":
            row["ratios"][rival] = ratio(seconds, rival, "nnlib")
    eager = {rival: row["ratios"][rival] for rival in EAGER if rival in row["ratios"]}
    if eager:  # PyTorch is its fastest optimizer
        fastest = min(eager, key=lambda rival: eager[rival][1])
        row["fastest"] = fastest
        row["ratios"] = {"PyTorch": eager[fastest], **{k: v for k, v in row["ratios"].items() if k not in EAGER}}
    print(shown(row), flush=True)
    return row


def shown(row):
    ratios = "  ".join(f"{rival} {m:.2f} [{lo:.2f}, {hi:.2f}]" for rival, (lo, m, hi) in row["ratios"].items())
    return f"{row['name']:40}{row['microseconds']:9.1f} µs   {ratios}"


# --- the tables: each yields (name of a row, a function that makes its contenders) ------------------------------------


def training_steps(with_peers=True):
    for case in cases():

        def contenders(case=case):
            rivals = {variant: case.torch(variant) for variant in EAGER}
            if with_peers:
                makers, alike = peers_of(case)
                check_losses(case.name, case.nnlib(), made(alike))
                rivals |= made(makers) | {"products alone": products_of(case)}
            return {"nnlib": case.nnlib(), **rivals}

        yield case.name, contenders


def flat_steps(with_peers=True):
    for case in cases():
        if case.sizes is None:
            continue

        def contenders(case=case):
            rivals = {variant: case.torch(variant) for variant in EAGER}
            if with_peers:
                makers, alike = peers_of(case)
                chosen = [name for name in ("torch.compile", "JAX jit", "JAX scan", "plain C") if name in alike]
                check_losses(case.name, case.flat(), made({name: alike[name] for name in chosen}))
                rivals |= made({name: makers[name] for name in chosen}) | {"ordinary step": case.nnlib()}
            return {"nnlib": case.flat(), **rivals}

        yield f"{case.name}, flat", contenders


def trainings():
    for case in cases():
        if case.sizes is not None and len(case.x) <= 200:

            def contenders(case=case):
                return {"nnlib": case.nnlib_training(), **{v: case.torch_training(v) for v in EAGER}}

            yield f"fit, {case.name}", contenders


def layers():
    for name, nnlib, make in kernels():
        yield name, lambda nnlib=nnlib, make=make: {"nnlib": nnlib, "PyTorch": make()}


def optimizers():
    def contenders():
        nnlib, make = adam()
        rivals = {name: make(**flags) for name, flags in (("PyTorch default", {"foreach": False}),
                  ("PyTorch foreach", {"foreach": True}), ("PyTorch fused", {"fused": True}))}  # fmt: skip
        return {"nnlib": nnlib, **rivals, "its memory traffic": adam_traffic(N_PARAMETERS)}

    yield f"Adam, {N_PARAMETERS:,} parameters", contenders


def ensembles(with_peers=True):
    name = f"{N_MODELS} networks 2-16-16-1, batch 32"

    def contenders():
        makers = {"one by one": one_by_one, "torch.func.vmap": vmapped, **(CEILINGS if with_peers else {})}
        check_losses(name, stacked(), made(makers))
        return {"nnlib": stacked(), **made(makers)}

    yield name, contenders


TABLES = {
    "training steps": training_steps,
    "flat steps": flat_steps,
    "whole trainings": trainings,
    "layers": layers,
    "optimizer": optimizers,
    "ensemble": ensembles,
}


def machine():
    """What the numbers depend on."""
    from threadpoolctl import threadpool_info

    cores = sorted({info.get("architecture") or "?" for info in threadpool_info() if "openblas" in info["filepath"]})
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    versions = {}
    for name in ("torch", "jax", "scikit-learn", "autograd"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "processor": f"{_processor()}, one core used",
        "BLAS of NumPy": f"{blas['name']} {blas['version']}, kernels for {', '.join(cores) or 'an unknown core'}",
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        **versions,
        "date": datetime.date.today().isoformat(),
    }


def _processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    about = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    wide = "with AVX-512" if "avx512f" in about.get("flags", "") else "without AVX-512"
    return f"{about.get('model name', platform.machine()).strip()} {wide}"


# --- the gate ---------------------------------------------------------------------------------------------------------


def gate(rounds):
    """Compare with the recorded ratios to PyTorch; a row that falls behind gets a second try.  True: all well."""
    result, here = json.loads(RESULTS.read_text(encoding="utf-8")), machine()
    recorded = {row["name"]: row["ratios"] for rows in result["tables"].values() for row in rows}
    slack = SLACK
    if any(result["machine"][key] != here[key] for key in ("processor", "BLAS of NumPy")):
        slack = SLACK_ELSEWHERE
        print(
            f"recorded on another machine ({result['machine']['processor']}): only large losses are found; make bench"
        )
    slow = []
    steps = [*training_steps(with_peers=False), *flat_steps(with_peers=False), *trainings()]
    for name, contenders in [*steps, *layers(), *optimizers(), *ensembles(with_peers=False)]:
        for _ in range(2):
            ratios = measure(name, contenders(), rounds)["ratios"]
            behind = {
                rival: (m, recorded[name][rival][1])
                for rival, (_, m, _) in ratios.items()
                if m < slack * recorded[name][rival][1]
            }
            if not behind:
                break
        slow += [f"{name}: {now:.2f} times {rival}, recorded {then:.2f}" for rival, (now, then) in behind.items()]
    print("\n".join(["", "slower than recorded, twice:", *slow] if slow else ["", "as fast as recorded"]))
    return not slow


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--gate", action="store_true")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        raise SystemExit("the benchmarks compare with PyTorch: pip install -r benchmarks/requirements.txt") from None
    torch.set_num_threads(1)
    if options.gate:
        raise SystemExit(0 if gate(options.rounds) else 1)
    if options.write and options.only:
        raise SystemExit("--write records a whole run: leave --only away")
    tables = {}
    for title, table in TABLES.items():
        tables[title] = []
        for name, contenders in table():
            if options.only.lower() in name.lower():
                tables[title].append(measure(name, contenders(), options.rounds))
    found = {} if options.only else resources()
    if options.write:
        result = {"machine": machine(), "tables": tables, "resources": found, "left_out": LEFT_OUT}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(result), encoding="utf-8")
        compiler.write()
        print(f"written: {RESULTS}, {PAGE} and {compiler.PAGE}")


if __name__ == "__main__":
    main()
