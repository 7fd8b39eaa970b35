"""Chapter 4's still figures, and the recorded results as they need them."""

from nnlib.comparison import Unfair


def by_setting(recorded, measure="wrong"):
    """{name: {scale: {rate: (n_seeds,)}}} of a record whose arms are "name, scale, rate"."""
    found = {}
    for arm, row in recorded.results.items():
        name, scale, rate = arm.rsplit(", ", 2)
        found.setdefault(name, {}).setdefault(float(scale), {})[float(rate)] = row[measure]
    return found


def best_rate(by_rate):
    """The rate of {rate: (n_seeds,)} with the lowest mean; an error where it stands at an end of the grid."""
    rates = sorted(by_rate)
    best = min(rates, key=lambda rate: by_rate[rate].mean())
    if best in (rates[0], rates[-1]):
        raise Unfair(f"the best rate, {best:g}, stands at the edge of {rates}: add more")
    return best
