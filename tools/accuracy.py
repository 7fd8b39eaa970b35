"""Rounding: how far every function of one number errs from mpmath, in units in the last place.

    python tools/accuracy.py            # measures every row that has its formula, and writes reference/accuracy.csv
    python tools/accuracy.py mish       # only the functions of this name; the rest of the table stays

A unit in the last place (ulp) is the distance from a number to the next that its dtype has.  Two errors are told: in
ulp of the exact value itself, and in ulp of max(1, |value|), which is what counts where a result is added to others.
"""

import csv
import functools
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests")) if path not in sys.path]

TABLE = ROOT / "reference" / "accuracy.csv"
HEADER = ("function", "of", "dtype", "ulp", "at", "ulp of 1", "at", "limit")
DTYPES = ("float32", "float64")
DIGITS = 400  # the slope of tanh at 300 is 1 - 0.99...: 260 nines
SIZES = (
    1e-30, 1e-8, 1e-4, 0.01, 0.1, 0.3, 0.5, 0.7, 1.0, 1.3, 1.5, 1.9, 2.0, 2.5, 2.9, 3.0, 3.5, 4.0, 4.6, 5.0, 5.5, 5.9,
    6.5, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0, 16.7, 18.0, 20.5, 25.0, 30.0, 37.0, 40.0, 60.0, 87.0, 100.0, 300.0, 700.0,
    1e4,
)  # fmt: skip


def points(dtype, kinks=()):
    """Where a function is measured: around 0, subnormal numbers, far tails, and beside its kinks, both signs."""
    tiny = np.finfo(dtype).smallest_subnormal
    sizes = np.concatenate([np.array([0.0, tiny, 1000 * tiny], dtype), np.array(SIZES, np.float32).astype(dtype)])
    beside = [np.nextafter(dtype(k), dtype(side)) for k in kinks for side in (-np.inf, np.inf)]
    at = np.unique(np.concatenate([sizes, -sizes, np.array(beside, dtype)]))
    return at[~np.isin(at, np.array(kinks, dtype))]  # at a kink the slope is a matter of taste


def errors(got, exact, m):
    """(in ulp of the exact value, in ulp of max(1, |value|)), for numbers of one dtype."""
    off = abs(m.mpf(float(got)) - exact)
    own, one = (float(np.spacing(got.dtype.type(size))) for size in (abs(float(exact)), max(1.0, abs(float(exact)))))
    return float(off / own), float(off / one)


def subjects():
    """(name, "value" or "slope", limits, kinks, compute(z array) -> array, exact(m, z)) of every row with a formula."""
    from registry import ACTIVATIONS, FUNCTIONS, LOSSES

    def slope(exact):
        return lambda m, z: m.diff(lambda x: exact(m, x), z)

    for row in ACTIVATIONS:
        yield row.name, "value", row.ulp, row.kinks, row.f, row.exact
        yield row.name, "slope", row.ulp, row.kinks, row.f.derivative, slope(row.exact)
    for row in FUNCTIONS:
        if row.exact is not None:
            yield row.name, "value", row.ulp, (), row.f, row.exact
            yield row.name, "slope", row.ulp, (), row.derivative, slope(row.exact)
    for row in LOSSES:
        for target in row.at if row.exact else ():

            def both(z, row=row, target=target):
                """Value and gradient for each number alone; classes have the output (z, 0), the others (z)."""
                of_classes = isinstance(target, int)
                results = []
                for number in z:
                    output = np.array([[number, 0.0]] if of_classes else [[number]], z.dtype)
                    value, gradient = row.loss(output, np.array([target] if of_classes else [[target]]))
                    results.append((value, gradient[0, 0]))
                return np.array(results, z.dtype).T

            def exact(m, z, row=row, target=target):
                return row.exact(m, z, target)

            name, kinks = f"{row.name.split(',')[0]}, target {target}", row.kinks(target) if row.kinks else ()
            yield name, "value", row.ulp, kinks, lambda z, both=both: both(z)[0], exact
            yield name, "slope", row.ulp, kinks, lambda z, both=both: both(z)[1], slope(exact)


def measure(only=""):
    """The rows of the table, or those of the functions whose names begin so."""
    import mpmath

    m, rows = mpmath.mp, []
    with m.workdps(DIGITS):
        for name, of, limits, kinks, compute, exact in subjects():
            if not name.startswith(only):
                continue
            exact = functools.cache(functools.partial(exact, m))  # most points are the same in both dtypes
            for dtype, limit in zip(DTYPES, limits):
                z = points(np.dtype(dtype).type, kinks)
                with np.errstate(all="ignore"):
                    got = compute(z)
                found = [(*errors(a, exact(m.mpf(float(x))), m), float(x)) for a, x in zip(got, z)]
                own, _, at = max(found)
                one, at_one = max((one, x) for _, one, x in found)
                rows.append((name, of, dtype, own, at, one, at_one, limit))
    return rows


def stored(path=TABLE):
    """{(function, of, dtype): error in ulp of the value} of the table as it stands."""
    with path.open(encoding="utf8", newline="") as file:
        return {tuple(row[:3]): float(row[3]) for row in list(csv.reader(file))[1:]}


def write(rows, only=""):
    """Put measured rows into the table, in the place of those of the same names."""
    with TABLE.open(encoding="utf8", newline="") as file:
        kept = [row for row in list(csv.reader(file))[1:] if only and not row[0].startswith(only)]
    new = [
        [name, of, dtype, f"{own:.3g}", f"{at:.4g}", f"{one:.2f}", f"{at_one:.4g}", str(limit)]
        for name, of, dtype, own, at, one, at_one, limit in rows
    ]
    with TABLE.open("w", encoding="utf8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *sorted(kept + new, key=lambda row: row[0])])


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    rows = measure(only)
    if not rows:
        sys.exit(f"error: no row of the registry that begins with {only!r} has its formula")
    write(rows, only)
    print(f"{len(rows)} rows measured for {TABLE.relative_to(ROOT)}")
    for dtype in DTYPES:
        worst = sorted((row for row in rows if row[2] == dtype), key=lambda row: -row[5])[:5]
        print(dtype, *(f"  {row[0]}, {row[1]}: {row[5]:.2f} ulp of 1 at {row[6]:.4g}" for row in worst), sep="\n")


if __name__ == "__main__":
    main()
