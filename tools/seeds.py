"""Do the claims of the chapters hold for seeds that their authors never saw? Runs each chapter again with other seeds.

    .venv/bin/python tools/seeds.py                     20 seeds, all chapters: minutes a chapter
    .venv/bin/python tools/seeds.py --seeds 3 chapters/04_activations.ipynb

All randomness of a chapter follows from NNLIB_SEED. What each claim said and how often it held goes into
reference/claims.csv, from which the page *Claims tested* is made. A claim that holds for fewer than 95 % is an error.
"""

import argparse
import concurrent.futures
import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import contents

ROOT = contents.ROOT
TABLE = ROOT / "reference" / "claims.csv"
COLUMNS = ["id", "document", "section", "sentence", "held", "runs", "random"]
SHARE = 0.95


def claims_of(path, number):
    """What the claims of a notebook say when it runs with NNLIB_SEED = number, and its error, or "" where it ran."""
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "claims"
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = {**os.environ, **threads, "NNLIB_SEED": str(number), "NNLIB_CLAIMS": str(record)}
        code = "import pathlib, sys, notebooks; notebooks.execute(pathlib.Path(sys.argv[1]))"
        path_entries = [str(ROOT), str(ROOT / "tools"), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(path_entries)
        done = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, capture_output=True, text=True)
        lines = record.read_text("utf8").splitlines() if record.exists() else []
    error = "" if done.returncode == 0 else _error(done.stderr)
    return [json.loads(line) for line in lines], error


def _error(text):
    """The cell that failed and how, out of a traceback with colors."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).strip().splitlines()
    return "\n".join(plain[-12:])


def document_of(path):
    return pathlib.Path(os.path.relpath(path.with_suffix(""), ROOT)).as_posix()


def sections(path):
    """{id of a claim: number of the section whose cell makes it}"""
    from nnlib.course.claims import claimed

    headings, found = contents.headings(path), {}
    for position, cell in enumerate(json.loads(path.read_text("utf8"))["cells"]):
        if cell["cell_type"] == "code":
            numbers = [h.number for h in headings if h.cell < position and h.number]
            for id in claimed(contents.source_of(cell)):
                found[id] = numbers[-1] if numbers else ""
    return found


def rows_of(path, runs):
    """A row for each claim, from the runs {seed: rows}; the sentence is that of the seed 0, which the book shows."""
    where, document = sections(path), document_of(path)
    others = [rows for number, rows in runs.items() if number]
    for row in runs[0]:
        same = [other for rows in others for other in rows if other["id"] == row["id"]]
        yield {
            "id": row["id"],
            "document": document,
            "section": where.get(row["id"], ""),
            "sentence": row["sentence"],
            "held": sum(other["holds"] for other in same),
            "runs": len(others),
            "random": "yes" if any(other["results"] != row["results"] for other in same) else "no",
        }


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(arguments)
    paths = [path.resolve() for path in options.paths] or contents.toc_notebooks()
    jobs = {(path, number): None for path in paths for number in range(options.seeds + 1)}
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        futures = {pool.submit(claims_of, *job): job for job in jobs}
        for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
            path, number = futures[future]
            jobs[path, number], error = future.result()
            print(f"[{done}/{len(jobs)}] {path.name}, seed {number}{': FAILED' if error else ''}", flush=True)
            if error:
                wrong.append(f"{path.name}, seed {number}: a cell failed\n{error}")
    kept = contents.read_table("reference/claims.csv") if TABLE.exists() else []
    ran = set(map(document_of, paths))
    rows = [row for row in kept if row["document"] not in ran]
    for path in paths:
        rows += rows_of(path, {number: jobs[path, number] for number in range(options.seeds + 1)})
    rows.sort(key=lambda row: row["document"])
    with open(TABLE, "w", encoding="utf8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        if row["document"] in ran and int(row["held"]) < SHARE * int(row["runs"]):
            wrong.append(f"claim {row['id']} held for {row['held']} of {row['runs']} seeds: {row['sentence']}")
    print("\n".join(wrong) or f"all {len(rows)} claims held for at least {SHARE:.0%} of the seeds")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
