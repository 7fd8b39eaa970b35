"""diagnose: from wrong outputs to one sentence that names the likely mistake."""

import math

import numpy as np

ROUNDINGS = 64  # machine epsilons that a float32 result may be off, however small the tolerance


def diagnose(names, cases, got, want, tolerance, warning=""):
    """Say how the outputs differ from the wanted ones; the most telling explanation comes first.

    Parameters
    ----------
    names : list of str
        The function's parameters.
    cases : list of tuple
        The arguments of each call.
    got, want : list
        What each call returned, and what it should have: arrays, numbers, or tuples or dicts of them.
    tolerance : float
        Allowed error, relative to the largest wanted number.
    warning : str
        The first thing that NumPy warned of, if any.
    """
    for case, g, w in zip(cases, got, want):
        if g is None and w is not None:
            return "returned None: is the return missing?"
        if problem := _wrong_structure(g, w):
            return problem + f" (case {show_arguments(case, names)})"
    calls = [list(zip(case_parts(g), case_parts(w))) for g, w in zip(got, want)]
    n_outputs = len(calls[0])
    for k in range(n_outputs):
        pairs = [(np.asarray(call[k][0][1]), np.asarray(call[k][1][1])) for call in calls]
        if all(same(g, w, tolerance) for g, w in pairs):
            continue
        label = calls[0][k][1][0]
        prefix = f"{label}: " if label else ""
        return prefix + _diagnose_one(names, cases, pairs, tolerance, warning)
    return "the outputs differ from the wanted ones in type"


def _diagnose_one(names, cases, pairs, tolerance, warning):
    return (
        _wrong_shape(names, cases, pairs, tolerance)
        or _not_finite(names, cases, pairs, warning)
        or _whole_numbers(pairs)
        or _flipped_or_scaled(names, cases, pairs, tolerance)
        or _first_difference(names, cases, pairs, tolerance)
    )


def _wrong_structure(got, want):
    """A tuple where an array is wanted, or the other way round, or of another length."""
    if isinstance(want, (tuple, list)):
        if not isinstance(got, (tuple, list)):
            return f"returned one {_kind(got)}, wanted a tuple of {len(want)}"
        if len(got) != len(want):
            return f"returned a tuple of {len(got)}, wanted {len(want)}"
        nothing = [i + 1 for i, (g, w) in enumerate(zip(got, want)) if g is None and w is not None]
        return f"output {nothing[0]} of {len(want)} is None" if nothing else None
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return f"returned one {_kind(got)}, wanted a dict with {', '.join(map(str, want))}"
        if missing := [key for key in want if key not in got or (got[key] is None and want[key] is not None)]:
            return f"{missing[0]} is missing from the result"
        if extra := [key for key in got if key not in want]:
            return f"{extra[0]} is in the result, but not wanted"
        return None
    if isinstance(got, (tuple, dict)):
        return f"returned a {type(got).__name__} of {len(got)}, wanted one {_kind(want)}"
    if got is ...:
        return "returned ...: a part of the stub is still there"
    if _is_numeric(want) and not _is_numeric(got):
        return f"returned a {_kind(got)}, wanted {_kind(want)}"
    return None


def _wrong_shape(names, cases, pairs, tolerance):
    for case, (g, w) in zip(cases, pairs):
        if g.shape == w.shape:
            continue
        said = f"shape {g.shape}, wanted {w.shape}"
        if g.ndim == 2 and g.shape == w.shape[::-1] and _close(g.T, w, tolerance):
            said += ": it is transposed"
        elif g.size == w.size and _close(g.reshape(w.shape), w, tolerance):
            said += ": the numbers are right, the axes are not"
        elif w.ndim < g.ndim and w.size == 1:
            said += ": sum or average over all elements"
        elif g.ndim < w.ndim and g.ndim > 0 and g.shape == tuple(size for size in w.shape if size != 1):
            said += ": keepdims=True keeps the axis of size 1"
        return f"{said} (case {show_arguments(case, names)})"
    if all(g.ndim == 2 for g, w in pairs) and all(_close(g.T, w, tolerance) for g, w in pairs if g.T.shape == w.shape):
        return "the result is transposed" if any(g.T.shape == w.shape for g, w in pairs) else None
    return None


def _not_finite(names, cases, pairs, warning):
    for case, (g, w) in zip(cases, pairs):
        if g.dtype.kind not in "fc" or not _is_numeric(w):
            continue
        bad = ~np.isfinite(g) & np.isfinite(w)
        if bad.any():
            place = tuple(map(int, np.argwhere(bad)[0]))
            reason = f"; NumPy warns: {warning}" if warning else ""
            at = _at(names, case, place, w.shape)
            return (
                f"got {_number(g[place])}, wanted {_number(w[place])}{at}{reason} (case {show_arguments(case, names)})"
            )
    return None


def _whole_numbers(pairs):
    """Right but for the digits behind the point: the array that holds the result was one of whole numbers."""
    cut = [
        g.dtype.kind in "iu" and w.dtype.kind == "f" and any(np.array_equal(g, f(w)) for f in (np.trunc, np.rint))
        for g, w in pairs
    ]
    return "whole numbers cannot hold the result: start from an array of floats" if all(cut) else None


def _flipped_or_scaled(names, cases, pairs, tolerance):
    """One factor between got and wanted, the same in all cases or equal to a size of an argument in each."""
    if not all(g.dtype.kind in "iufc" and w.dtype.kind in "iufc" for g, w in pairs):
        return None
    factors = []
    for g, w in pairs:
        factor = _factor(g.astype(np.float64), w.astype(np.float64), max(tolerance, _roundoff(g, w)))
        if factor is None:
            return _shifted(pairs, tolerance)
        factors.append(factor)
    known = [f for f in factors if f == f]  # an all-zero case tells nothing about the factor
    if not known or all(_near(f, 1.0) for f in known):
        return None
    if all(_near(f, 0.0) for f in known):
        return "all zeros"
    flip = "the sign is flipped" if all(f < 0 for f in known) else ""
    if flip and all(_near(f, -1.0) for f in known):
        return flip
    sizes = [abs(f) for f in known]
    if all(_near(s, sizes[0]) for s in sizes) and (flip or known[0] > 0):
        scale = _times(sizes[0])
    elif rule := _size_rule(names, cases, factors):
        scale = rule
    else:
        return _shifted(pairs, tolerance)
    return f"{flip}, and the result is {scale}" if flip else scale


def _factor(g, w, tolerance):
    """f with g = f w, nan if w is all zeros and g, too; None if there is none."""
    if not (np.isfinite(g).all() and np.isfinite(w).all()):
        return None
    square = float(np.sum(w * w))
    if square == 0.0:
        return None if np.any(g != 0.0) else math.nan
    f = float(np.sum(g * w)) / square
    return f if np.max(np.abs(g - f * w)) <= 4 * tolerance * max(1e-300, abs(f)) * np.max(np.abs(w)) else None


def _size_rule(names, cases, factors):
    """The factor is the size of one argument's axis, in every case: a mean that became a sum, or the reverse."""
    first = [(i, axis) for i, value in enumerate(cases[0]) for axis in range(np.ndim(value))]
    for i, axis in first:
        if any(np.ndim(case[i]) <= axis for case in cases):
            continue
        for power, word in ((1, "large"), (-1, "small")):
            wanted = [np.shape(case[i])[axis] ** power for case in cases]
            if len(set(wanted)) > 1 and all(f != f or _near(abs(f), s) for f, s in zip(factors, wanted)):
                size = f"{names[i]}.shape[{axis}]"
                if axis == 0:
                    cause = "forgot the mean over the batch?" if power == 1 else "took the mean over the batch twice?"
                    return f"exactly N times too {word}, N = {size}: {cause}"
                return f"exactly K times too {word}, K = {size}: a sum and a mean over axis {axis} mixed up?"
    return None


def _shifted(pairs, tolerance):
    """The same number added everywhere."""
    shifts = []
    for g, w in pairs:
        if g.size < 2 or w.dtype.kind not in "iuf" or not (np.isfinite(g).all() and np.isfinite(w).all()):
            return None
        difference = g.astype(np.float64) - w.astype(np.float64)
        scale = max(tolerance, _roundoff(g, w)) * max(1.0, float(np.max(np.abs(w))))
        if np.ptp(difference) > 4 * scale:
            return None
        shifts.append(float(np.mean(difference)))
    if all(abs(s - shifts[0]) <= 1e-6 * max(1.0, abs(shifts[0])) for s in shifts):
        return f"every number is {_number(abs(shifts[0]))} too {'large' if shifts[0] > 0 else 'small'}"
    return None


def _first_difference(names, cases, pairs, tolerance):
    for number, (case, (g, w)) in enumerate(zip(cases, pairs), 1):
        if same(g, w, tolerance):
            continue
        wrong = _wrong(g, w, tolerance)
        place = tuple(map(int, np.argwhere(wrong)[0]))
        at = _at(names, case, place, w.shape)
        share = "" if w.size == 1 else f"; {int(wrong.sum())} of {w.size} numbers differ"
        return (
            f"wanted {_number(w[place])}, got {_number(g[place])}{at}{share} "
            f"(case {number} of {len(cases)}: {show_arguments(case, names)})"
        )
    return None


def other_dtype(names, cases, got, want):
    """What is to be said of results that are right but for their dtype, or None."""
    for case, g, w in zip(cases, got, want):
        for (label, one), (_, other) in zip(case_parts(g), case_parts(w)):
            a, b = _as_array(one), _as_array(other)
            if _same_dtype(a, b):
                continue
            said = f"{label}: " * bool(label) + f"dtype {a.dtype}, the solution has {b.dtype}"
            if b.dtype == np.float32 and a.dtype == np.float64:
                said += ", as what came in; an array or a NumPy number of float64 got into the formula"
            elif {a.dtype.kind, b.dtype.kind} & set("biu"):
                said += ", which .astype makes of it"
            return f"{said} (case {show_arguments(case, names)})"
    return None


def same(a, b, tolerance):
    """Equal in structure and shape, and in value within the tolerance, of whatever dtype."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key], tolerance) for key in a)
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(same(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(a, (tuple, list, dict)) or isinstance(b, (tuple, list, dict)) or a is None or b is None:
        return a is b
    a, b = _as_array(a), _as_array(b)
    return _close(a, b, tolerance)


def case_parts(result):
    """The arrays of a result with their labels."""
    if isinstance(result, dict):
        return [(str(key), result[key]) for key in sorted(result, key=str)]
    if isinstance(result, (tuple, list)):
        return [(f"output {i} of {len(result)}", value) for i, value in enumerate(result, 1)]
    return [("", result)]


def show_arguments(case, names=None):
    """The arguments of a case: small ones in full, large ones by their shape."""
    names = names or [f"argument {i}" for i in range(1, len(case) + 1)]
    return ", ".join(f"{name} {_show(value)}" for name, value in zip(names, case))


def _show(value):
    array = _as_array(value)
    if array.dtype.kind not in "biuf":
        return f"a {type(value).__name__}" if not isinstance(value, (str, tuple)) else f"= {value!r}"
    if array.ndim == 0:
        return f"= {_number(array)}"
    if array.size <= 4 and array.ndim == 1:
        return f"= [{', '.join(map(_number, array))}]"
    return f"of shape {array.shape}"


def _at(names, case, place, shape):
    """Where: the index, and the elements there of the arguments that have the same shape."""
    if not shape:
        return ""
    at = f" at [{', '.join(map(str, place))}]"
    alike = [
        (name, value) for name, value in zip(names, case) if isinstance(value, np.ndarray) and value.shape == shape
    ]
    return at + (", where " + ", ".join(f"{name} = {_number(value[place])}" for name, value in alike) if alike else "")


def _as_array(value):
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        return np.asarray(value, dtype=object)


def _is_numeric(value):
    return _as_array(value).dtype.kind in "biufc"


def _same_dtype(a, b):
    """Floats of an array must be of one size; of whole numbers and single numbers only the kind matters."""
    if a.dtype.kind == b.dtype.kind == "f":
        return a.dtype == b.dtype or a.ndim == 0
    kinds = {"u": "i"}
    return kinds.get(a.dtype.kind, a.dtype.kind) == kinds.get(b.dtype.kind, b.dtype.kind)


def _close(a, b, tolerance):
    return a.shape == b.shape and not _wrong(a, b, tolerance).any()


def _wrong(g, w, tolerance):
    """Where g is farther from w than the tolerance, as a boolean array."""
    if not (_is_numeric(g) and _is_numeric(w)):
        return np.asarray(g != w)
    g, w, roundoff = g.astype(np.complex128), w.astype(np.complex128), _roundoff(g, w) if tolerance else 0.0
    finite = np.isfinite(g) & np.isfinite(w)
    scale = np.max(np.abs(w[np.isfinite(w)]), initial=0.0) or 1.0
    with np.errstate(all="ignore"):
        far = np.abs(g - w) > max(tolerance, roundoff) * scale
        alike = (g == w) | (np.isnan(g) & np.isnan(w))
    return np.where(finite, far, ~alike)


def _roundoff(g, w):
    """Roundings of the coarser of two dtypes; float16, in which nobody here computes, gets no more than float32."""
    eps = [float(np.finfo(a.dtype).eps) for a in (g, w) if a.dtype.kind == "f"]
    return ROUNDINGS * min(max(eps, default=0.0), float(np.finfo(np.float32).eps))


def _near(a, b):
    return abs(a - b) <= 1e-5 * max(abs(b), 1e-12)


def _times(size):
    return f"{_number(size)} times too large" if size > 1.0 else f"{_number(1.0 / size)} times too small"


def _number(value):
    value = np.asarray(value)[()]
    if isinstance(value, (np.floating, float)):
        return f"{float(value):.6g}"
    return str(value)


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}"
    if isinstance(value, (int, float, np.number)):
        return "number"
    return type(value).__name__
