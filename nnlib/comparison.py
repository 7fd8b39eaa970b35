"""Comparison: which of several networks learns better, asked so that the answer is fair.

Each arm has the initialization that fits it and its own tuned learning rate, all have the same budget, every seed draws
new weights and a new order of examples, and what is compared is measured on examples that no arm has learned from::

    arms = {
        "ReLU": Arm(lambda init, rng: mlp((64, 32, 10), relu, init, rng), init=he_normal),
        "tanh": Arm(lambda init, rng: mlp((64, 32, 10), tanh, init, rng), init=xavier_normal),
    }
    found = compare(arms, (0.03, 0.1, 0.3, 1.0), range(5), train=data.train, validation=data.validation,
                    loss=softmax_cross_entropy, epochs=10)
    found                  # a table
    found["tanh"].held_out # one number per seed
    found.draw(ax)

A call that could not be fair raises `Unfair`, with the mend.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib.network import Table
from nnlib.optimizers import SGD
from nnlib.training import Diverged, fit

FEWEST_SEEDS = 5
TUNING_SEEDS = 2
SMALLEST_GRID = 3  # learning rates: the best one and both its neighbors


class Unfair(ValueError):
    """A comparison that could favor one of its arms, or that could not tell chance from difference."""


@dataclass(frozen=True)
class Arm:
    """One side of a comparison.

    Parameters
    ----------
    build : callable
        ``build(init, rng) -> Sequential``
    init : callable
        The initializer that fits this arm: He's for ReLU, Xavier's for tanh, four times that for a sigmoid.
    optimizer : callable
        ``optimizer(learning_rate) -> Optimizer``
    batch_size : int, optional
        Its own, where batch sizes are what is compared.
    """

    build: Callable
    init: Callable | None = None
    optimizer: Callable = SGD
    batch_size: int | None = None


@dataclass(frozen=True)
class Result:
    """What came of one arm.

    Attributes
    ----------
    learning_rate : float
        The best of its grid over all seeds, with both neighbors in the grid.
    held_out, train_loss : ndarray (n_seeds,)
        At that rate, after the last epoch: the measure on the validation part, and the loss on the training part.
        A run that diverged has infinity, or minus infinity where larger is better.
    curves : ndarray (n_seeds, epochs)
        Mean training loss of each epoch of the arm.
    networks : list of Sequential
    by_rate : dict
        From each rate that was run with all seeds to its ``held_out``: the best one and its neighbors, at least.
    """

    learning_rate: float
    held_out: np.ndarray
    train_loss: np.ndarray
    curves: np.ndarray
    networks: list
    by_rate: dict


class Comparison:
    """The results of `compare`, by name of the arm; it prints as a table."""

    def __init__(self, results, label, larger_is_better):
        self.results, self.label, self.larger_is_better = results, label, larger_is_better

    def __getitem__(self, name):
        if name not in self.results:
            raise KeyError(f"no arm is called {name!r}; there are {', '.join(self.results)}")
        return self.results[name]

    def __iter__(self):
        return iter(self.results)

    @property
    def held_out(self):
        """From each arm to its numbers (n_seeds,)."""
        return {name: result.held_out for name, result in self.results.items()}

    def wins(self, one, other):
        """In how many pairs of a run of ``one`` and a run of ``other`` the first is better: a share, 1/2 is chance."""
        difference = np.subtract.outer(self[one].held_out, self[other].held_out)
        return float(np.mean(difference > 0 if self.larger_is_better else difference < 0))

    def draw(self, ax=None, **options):
        """One dot per seed and a bar at the mean for each arm: `nnlib.plotting.plot_runs`."""
        from nnlib.plotting import plot_runs  # Matplotlib, for those who draw

        return plot_runs(self.held_out, ax, x_label=self.label, **options)

    def __repr__(self):
        rows = [("arm", "rate", "lowest", "median", "highest", "medians at the neighbors")]
        for name, result in self.results.items():
            values, rate = result.held_out, result.learning_rate
            others = [f"{np.median(v):.3g} ({r:g})" for r, v in sorted(result.by_rate.items()) if r != rate]
            numbers = (f"{f(values):.3g}" for f in (np.min, np.median, np.max))
            rows.append((name, f"{rate:g}", *numbers, ", ".join(others)))
        return f"{self.label}, {len(values)} seeds\n{Table(rows)}"


def compare(
    arms,
    rates,
    seeds,
    *,
    train,
    validation,
    loss,
    epochs,
    batch_size=32,
    measure=None,
    larger_is_better=False,
    equal="examples",
    label=None,
):
    """Train every arm at its own best learning rate with every seed, and measure it on held-out examples.

    Each arm is tuned on two seeds that are not among ``seeds``; then all seeds are run at the best rate and both its
    neighbors, and on, until the best rate over all seeds has both.

    Parameters
    ----------
    arms : dict of str to Arm
    rates : sequence of float, or dict of str to sequence of float
        The grid, for all arms or for each; every arm finds its own best.
    seeds : sequence of int
        At least 5 different ones. Seed s gives arm a first weights and an order of examples from independent streams.
    train, validation : (x, y)
        To learn from, and to tune and compare on.
    loss : callable
    epochs, batch_size : int
        The same budget for all.
    equal : "examples" or "steps"
        What is the same for arms with a batch size of their own: the epochs, or the number of steps.
    measure : callable, optional
        ``measure(output, y) -> float`` on the validation part, `nnlib.metrics.accuracy` for example; without it the
        loss.
    larger_is_better : bool
        Of ``measure``.
    label : str, optional
        What is measured, for the table and the drawing.

    Returns
    -------
    Comparison

    Raises
    ------
    Unfair
        Fewer than two arms, fewer than 5 seeds, a seed twice, an arm without its initialization or whose network does
        not use it, networks that do not depend on the seed, examples that are both learned from and compared on, a grid
        of fewer than three rates, a best rate at the edge of its grid, and steps that are no whole number of epochs.
    """
    if equal not in ("examples", "steps"):
        raise ValueError(f'equal is "examples" or "steps", got {equal!r}')
    seeds = _checked_seeds(seeds)
    _check_arms(arms, seeds)
    if np.shares_memory(train[0], validation[0]):
        raise Unfair("train and validation share examples: compare on some that no arm has learned from")
    task = _Task(train, validation, loss, epochs, batch_size, measure, larger_is_better, equal)
    for name, arm in arms.items():
        task.budget(name, arm)
    grids = {name: _grid(name, rates) for name in arms}
    results = {name: _tuned(name, arm, grids[name], seeds, task) for name, arm in arms.items()}
    return Comparison(results, label or f"held-out {getattr(measure, '__name__', 'loss')}", larger_is_better)


def fit_or_diverge(network, loss, optimizer, train, *, epochs, batch_size, rng):
    """Train quietly: mean training loss of each epoch (epochs,), infinite from where the training diverged."""
    curve = np.full(epochs, np.inf)
    with np.errstate(all="ignore"):
        try:
            history = fit(
                network, loss, optimizer, train, epochs=epochs, batch_size=batch_size, rng=rng, progress=False
            )
        except Diverged as error:
            history = error.history
    curve[: len(history.train_loss)] = history.train_loss
    return curve


# --- what a fair call has ---------------------------------------------------------------------------------------------


def _checked_seeds(seeds):
    if isinstance(seeds, int) or not all(isinstance(s, int | np.integer) for s in seeds):
        raise TypeError(f"seeds are whole numbers, got {seeds!r}: seeds=range(5)")
    seeds = [int(s) for s in seeds]
    if len(seeds) < FEWEST_SEEDS:
        raise Unfair(
            f"{len(seeds)} seed{'s' * (len(seeds) != 1)} cannot tell a difference from chance: "
            f"give at least {FEWEST_SEEDS}, seeds=range({FEWEST_SEEDS})"
        )
    for s in seeds:
        if seeds.count(s) > 1:
            raise Unfair(f"seed {s} comes {seeds.count(s)} times: its runs would share one order and one first network")
    return seeds


def _check_arms(arms, seeds):
    if not isinstance(arms, dict) or len(arms) < 2:
        raise Unfair("a comparison has at least two arms by name: compare({'ReLU': Arm(...), 'tanh': Arm(...)}, ...)")
    for name, arm in arms.items():
        init = arm.init if isinstance(arm, Arm) else None
        if init is None:
            raise Unfair(
                f"arm {name!r} has no initialization of its own: Arm(build, init=...), with the one that fits it "
                "(he_normal for ReLU, xavier_normal for tanh, diagnostics.matched_to(f) for others)"
            )
        used = []

        def counting(rng, shape, init=init, used=used):
            used.append(shape)
            return init(rng, shape)

        one, other = (arm.build(counting, _streams(s)[0]) for s in seeds[:2])
        if not used:
            raise Unfair(f"arm {name!r} never uses its initialization: let build(init, rng) hand init to its layers")
        if one is other or np.array_equal(one.theta, other.theta):
            raise Unfair(f"arm {name!r} starts every seed from one network: let build(init, rng) draw from its rng")


def _grid(name, rates):
    if isinstance(rates, dict) and name not in rates:
        raise Unfair(f"arm {name!r} has no learning rates of its own; there are some for {', '.join(rates)}")
    grid = sorted({float(rate) for rate in (rates[name] if isinstance(rates, dict) else rates)})
    if len(grid) < SMALLEST_GRID:
        raise Unfair(f"arm {name!r} has a grid of {len(grid)}: give at least {SMALLEST_GRID} rates, to see the best")
    return grid


def _at_the_edge(name, grid, best):
    if 0 < best < len(grid) - 1:
        return
    edge, way, next_one = ("smallest", "smaller", grid[0] ** 2 / grid[1])
    if best:
        edge, way, next_one = ("largest", "larger", grid[-1] ** 2 / grid[-2])
    raise Unfair(
        f"arm {name!r} is best at the {edge} rate of its grid, {grid[best]:g} of "
        f"({', '.join(f'{rate:g}' for rate in grid)}): it may be better still at {way} ones, add {next_one:.2g}"
    )


# --- the runs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    train: tuple
    validation: tuple
    loss: Callable
    epochs: int
    batch_size: int
    measure: Callable | None
    larger_is_better: bool
    equal: str

    def budget(self, name, arm):
        """The epochs and the batch size of an arm."""
        n, size = len(self.train[0]), arm.batch_size or self.batch_size
        n_steps = self.epochs * math.ceil(n / self.batch_size)
        if self.equal == "examples" or size == self.batch_size:
            return {"epochs": self.epochs, "batch_size": size}
        epochs, rest = divmod(n_steps, math.ceil(n / size))
        if rest:
            raise Unfair(
                f"arm {name!r} makes {n_steps} steps in {n_steps / math.ceil(n / size):.3g} epochs: choose examples, "
                "epochs and batch sizes so that it is a whole number"
            )
        return {"epochs": epochs, "batch_size": size}

    def run(self, arm, rate, seed):
        """(held-out measure, training loss, curve, network) of one training."""
        weights, order = _streams(seed)
        network = arm.build(arm.init, weights)
        budget = self.budget("of a run", arm)
        curve = fit_or_diverge(network, self.loss, arm.optimizer(rate), self.train, rng=order, **budget)
        with np.errstate(all="ignore"):
            output = network.predict(self.validation[0])
            held_out = (self.measure or (lambda a, y: self.loss(a, y)[0]))(output, self.validation[1])
            train_loss = self.loss(network.predict(self.train[0]), self.train[1])[0]
        if not (np.isfinite(curve).all() and math.isfinite(held_out)):
            held_out, train_loss = -math.inf if self.larger_is_better else math.inf, math.inf
        return held_out, train_loss, curve, network

    def best(self, numbers):
        """The place of the best mean; numbers: a list of arrays (n_seeds,)."""
        means = np.array([np.mean(values) for values in numbers])
        return int(np.argmax(means) if self.larger_is_better else np.argmin(means))


def _streams(seed):
    """The generators of a run's first weights and of its order of examples: independent of each other."""
    return [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2)]


def _tuned(name, arm, grid, seeds, task):
    """The result of one arm: tuned on seeds of its own, then run with all seeds until the best rate is enclosed."""
    tuning = [2**32 + s for s in seeds[:TUNING_SEEDS]]
    first = [np.array([task.run(arm, rate, s)[0] for s in tuning]) for rate in grid]
    best = task.best(first)
    if not np.isfinite(first[best]).all():
        raise Unfair(f"arm {name!r} diverged at every rate of ({', '.join(f'{r:g}' for r in grid)}): add smaller ones")
    runs = {}
    while True:
        _at_the_edge(name, grid, best)
        for k in (best - 1, best, best + 1):
            if k not in runs:
                runs[k] = [task.run(arm, grid[k], s) for s in seeds]
        held_out = {k: np.array([run[0] for run in runs[k]]) for k in sorted(runs)}
        places = list(held_out)
        again = places[task.best(list(held_out.values()))]
        if again == best:
            break
        best = again
    _, train_loss, curves, networks = zip(*runs[best])
    by_rate = {grid[k]: values for k, values in held_out.items()}
    return Result(grid[best], held_out[best], np.array(train_loss), np.array(curves), list(networks), by_rate)
