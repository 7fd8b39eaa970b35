"""Timing: several contenders in turn, in one process, so that a machine whose speed drifts slows all of them alike."""

import gc
import statistics
import time


def paired(contenders, rounds=9, block=0.05):
    """Time a call of each contender, A B C, A B C, ...

    Parameters
    ----------
    contenders : dict of str to callable
        A call that takes several steps says how many: ``call.n_steps``.
    rounds : int
    block : float
        Seconds that one contender runs at a stretch, at least once.

    Returns
    -------
    dict of str to list of float
        Seconds per step, one number a round.
    """
    counts = {}
    for name, call in contenders.items():
        call()  # caches, compilers, workspaces
        began = time.perf_counter()
        call()
        counts[name] = max(1, round(block / max(time.perf_counter() - began, 1e-7)))
    seconds = {name: [] for name in contenders}
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, call in contenders.items():
                call()
                began = time.perf_counter()
                for _ in range(counts[name]):
                    call()
                seconds[name].append((time.perf_counter() - began) / (counts[name] * getattr(call, "n_steps", 1)))
    finally:
        if was_enabled:
            gc.enable()
    return seconds


def ratio(seconds, slow, fast):
    """Lower quartile, median and upper quartile of slow / fast, pair by pair: above 1, ``fast`` wins."""
    pairs = [a / b for a, b in zip(seconds[slow], seconds[fast])]
    low, middle, high = statistics.quantiles(pairs, n=4) if len(pairs) > 1 else pairs * 3
    return low, middle, high
