"""Run the recorded experiments of the course whose source has changed, and keep their results beside it.

.venv/bin/python tools/experiments.py               what is missing or stale
.venv/bin/python tools/experiments.py --all         everything
.venv/bin/python tools/experiments.py 10.deep       these
.venv/bin/python tools/experiments.py --list        says what there is
"""

import argparse
import importlib
import pkgutil
import sys
import time

import nnlib.course
from nnlib.records import Recorded


def recorded():
    """Every recorded experiment of the course, by id."""
    found = {}
    for module in pkgutil.iter_modules(nnlib.course.__path__):
        if module.name.startswith("chapter_"):
            experiments = importlib.import_module(f"nnlib.course.{module.name}.experiments")
            for thing in vars(experiments).values():
                if isinstance(thing, Recorded) and found.setdefault(thing.id, thing) is not thing:
                    raise ValueError(f"two experiments are called {thing.id}")
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(arguments)
    found = recorded()
    unknown = [id for id in options.ids if id not in found]
    if unknown:
        sys.exit(f"error: no experiment is called {', '.join(unknown)}; there are {', '.join(sorted(found)) or 'none'}")
    if options.list:
        for id, experiment in sorted(found.items()):
            print(f"{id:24}{experiment.state():10}{len(experiment.arms)} arms, {len(experiment.seeds)} seeds")
        return 0
    chosen = [found[id] for id in options.ids] or [
        e for _, e in sorted(found.items()) if options.all or e.state() != "recorded"
    ]
    if not chosen:
        print(f"all {len(found)} recorded experiments are those of their source")
    for number, experiment in enumerate(chosen, 1):
        start = time.perf_counter()
        n, done = len(experiment.arms) * len(experiment.seeds), iter(range(1, 10**9))

        def step(arm, seed, n=n, done=done, number=number, id=experiment.id):
            print(f"[{number}/{len(chosen)}] {id}: run {next(done)} of {n}, {arm}, seed {seed}", flush=True)

        experiment.run(step)
        print(f"[{number}/{len(chosen)}] {experiment.id}: recorded in {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
