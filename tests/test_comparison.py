"""Comparison: it finds the better arm at its own best rate, repeats to the bit, and refuses what would be unfair."""

import matplotlib
import numpy as np
import pytest

from nnlib import comparison, experiments
from nnlib.activations import relu, tanh
from nnlib.comparison import Arm, Unfair, compare, fit_or_diverge
from nnlib.data import moons
from nnlib.initializers import he_normal, xavier_normal
from nnlib.losses import softmax_cross_entropy
from nnlib.metrics import accuracy
from nnlib.network import mlp
from nnlib.optimizers import SGD, Momentum

matplotlib.use("agg")

TRAIN = moons(80, rng=np.random.default_rng(0))
VALIDATION = moons(200, rng=np.random.default_rng(1))
RATES = (1e-4, 0.03, 0.3, 30.0, 1e6)


def built(f, hidden=8):
    return lambda init, rng: mlp((2, hidden, 2), f, init, rng)


ARMS = {"ReLU": Arm(built(relu), he_normal), "tanh": Arm(built(tanh), xavier_normal)}
SETTING = {"train": TRAIN, "validation": VALIDATION, "loss": softmax_cross_entropy, "epochs": 3}


@pytest.fixture(scope="module")
def found():
    return compare(ARMS, RATES, range(5), **SETTING)


def test_each_arm_stands_at_a_rate_whose_neighbors_are_worse(found):
    for name in ARMS:
        result = found[name]
        grid = list(RATES)
        k = grid.index(result.learning_rate)
        assert {grid[k - 1], grid[k], grid[k + 1]} <= result.by_rate.keys()
        assert all(v.shape == (5,) for v in result.by_rate.values())
        means = {rate: values.mean() for rate, values in result.by_rate.items()}
        assert min(means, key=means.get) == result.learning_rate
        np.testing.assert_array_equal(result.by_rate[result.learning_rate], result.held_out)


def test_the_numbers_are_held_out_and_those_of_the_networks(found):
    for name in ARMS:
        for i, network in enumerate(found[name].networks):
            assert found[name].held_out[i] == softmax_cross_entropy(network.predict(VALIDATION[0]), VALIDATION[1])[0]
            assert found[name].train_loss[i] == softmax_cross_entropy(network.predict(TRAIN[0]), TRAIN[1])[0]
        assert found[name].curves.shape == (5, 3)


def test_a_comparison_repeats_to_the_bit_whatever_stands_beside_an_arm(found):
    others = {"tanh": ARMS["tanh"], "wide": Arm(built(relu, 16), he_normal)}
    again = compare(others, RATES, range(5), **SETTING)
    np.testing.assert_array_equal(again["tanh"].held_out, found["tanh"].held_out)
    assert len(set(again["tanh"].held_out.tolist())) == 5


def test_seeds_draw_new_weights_and_new_orders(monkeypatch):
    orders = []

    def watched(network, loss, optimizer, train, *, rng, **options):
        orders.append((network.theta.tobytes(), rng.bit_generator.state["state"]["state"]))
        return fit_or_diverge(network, loss, optimizer, train, rng=rng, **options)

    monkeypatch.setattr(comparison, "fit_or_diverge", watched)
    compare({"a": ARMS["tanh"], "b": ARMS["tanh"]}, (1e-4, 0.3, 1e6), range(5), **SETTING)
    starts, states = zip(*orders)
    assert len(set(starts)) == len(set(states)) == 5 + 2, "five seeds, and two apart to tune with"


def test_a_larger_measure_may_be_the_better_one():
    options = {**SETTING, "epochs": 6, "measure": accuracy, "larger_is_better": True}
    arms = {"learns": Arm(built(tanh), xavier_normal), "cannot": Arm(built(tanh, 1), xavier_normal, Momentum)}
    found = compare(arms, {"learns": (1e-5, 1.0, 1e5), "cannot": (1e-5, 0.1, 1e5)}, range(5), **options)
    assert found["learns"].held_out.min() > 0.7
    assert found.wins("learns", "cannot") + found.wins("cannot", "learns") <= 1.0
    assert repr(found).startswith("held-out accuracy, 5 seeds\narm ")


def test_it_prints_and_draws_every_seed(found):
    lines = repr(found).split("\n")
    assert lines[0] == "held-out loss, 5 seeds"
    assert [line.split()[0] for line in lines[1:]] == ["arm", "ReLU", "tanh"]
    assert f"{np.median(found['tanh'].held_out):.3g}" in lines[3]
    ax = found.draw()
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), found["ReLU"].held_out)
    assert ax.get_xlabel() == "held-out loss"
    with pytest.raises(KeyError, match="ReLU, tanh"):
        found["GELU"]


def test_wins_is_the_share_of_pairs():
    results = {
        name: comparison.Result(1.0, np.array(v), None, None, [], {}) for name, v in (("a", [1, 2]), ("b", [0, 3]))
    }
    assert comparison.Comparison(results, "loss", False).wins("a", "b") == 0.5
    assert comparison.Comparison(results, "loss", True).wins("b", "a") == 0.5


def ignoring_init(init, rng):
    return mlp((2, 8, 2), relu, he_normal, rng)


def ignoring_rng(init, rng):
    return mlp((2, 8, 2), relu, init, np.random.default_rng(0))


TANH = {"tanh": ARMS["tanh"]}


@pytest.mark.parametrize(
    ("arms", "rates", "seeds", "said"),
    [
        (TANH, RATES, range(5), "at least two arms"),
        (ARMS, RATES, range(4), r"4 seeds cannot tell a difference from chance: give at least 5, seeds=range\(5\)"),
        (ARMS, RATES, [0, 1, 2, 3, 4, 3], "seed 3 comes 2 times: its runs would share one order"),
        ({"x": Arm(built(relu)), **TANH}, RATES, range(5), r"'x' has no initialization of its own: Arm\(build, init="),
        ({"x": built(relu), **TANH}, RATES, range(5), "'x' has no initialization of its own"),
        ({"x": Arm(ignoring_init, he_normal), **TANH}, RATES, range(5), "'x' never uses its initialization"),
        ({"x": Arm(ignoring_rng, he_normal), **TANH}, RATES, range(5), "'x' starts every seed from one network"),
        (ARMS, (0.1, 0.3), range(5), "a grid of 2: give at least 3"),
        (ARMS, {"ReLU": RATES}, range(5), "'tanh' has no learning rates of its own; there are some for ReLU"),
        (ARMS, (1e-6, 1e-5, 1e-4), range(5), r"best at the largest rate of its grid, 0.0001 .* larger ones, add 0.001"),
        (ARMS, (0.3, 1e5, 1e6), range(5), "best at the smallest rate of its grid, 0.3 .* at smaller ones"),
    ],
)  # fmt: skip
def test_an_unfair_call_is_refused_with_the_mend(arms, rates, seeds, said):
    with pytest.raises(Unfair, match=said):
        compare(arms, rates, seeds, **SETTING)


def test_an_arm_that_diverges_at_every_rate_says_so():
    huge = Arm(
        lambda init, rng: mlp((2, 8, 2), relu, init, rng), lambda rng, shape: np.full(shape, 1e30) * rng.random()
    )
    with pytest.raises(Unfair, match="'huge' diverged at every rate"):
        compare({"huge": huge, **TANH}, RATES, range(5), **SETTING)


def test_examples_to_learn_from_are_not_those_to_compare_on():
    x, y = moons(90, rng=np.random.default_rng(0))
    with pytest.raises(Unfair, match="train and validation share examples"):
        compare(ARMS, RATES, range(5), **{**SETTING, "train": (x[:60], y[:60]), "validation": (x[30:], y[30:])})
    with pytest.raises(TypeError, match=r"seeds=range\(5\)"):
        compare(ARMS, RATES, 5, **SETTING)


def test_divergence_is_infinite_from_where_it_began():
    network = mlp((2, 8, 2), relu, he_normal, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    curve = fit_or_diverge(network, softmax_cross_entropy, SGD(1e30), TRAIN, epochs=4, batch_size=80, rng=rng)
    assert curve.shape == (4,)
    assert np.isinf(curve[-1])


def test_experiments_has_it_too():
    assert experiments.compare is compare


def test_arms_of_other_batch_sizes_have_equal_examples_or_equal_steps():
    arms = {"8": Arm(built(relu), he_normal, batch_size=8), "40": Arm(built(relu), he_normal, batch_size=40)}
    setting = SETTING | {"epochs": 2, "batch_size": 8}  # 80 examples: 20 steps
    found = compare(arms, RATES, range(5), **setting)
    assert {name: found[name].curves.shape for name in arms} == {"8": (5, 2), "40": (5, 2)}
    found = compare(arms, RATES, range(5), equal="steps", **setting)
    assert {name: found[name].curves.shape for name in arms} == {"8": (5, 2), "40": (5, 10)}
    network = arms["40"].build(he_normal, np.random.default_rng(np.random.SeedSequence(0).spawn(2)[0]))
    order = np.random.default_rng(np.random.SeedSequence(0).spawn(2)[1])
    rate = found["40"].learning_rate
    fit_or_diverge(network, softmax_cross_entropy, SGD(rate), TRAIN, epochs=10, batch_size=40, rng=order)
    np.testing.assert_array_equal(network.theta, found["40"].networks[0].theta)


def test_steps_that_are_no_whole_number_of_epochs_are_refused():
    arms = ARMS | {"50": Arm(built(relu), he_normal, batch_size=20)}
    with pytest.raises(Unfair, match=r"'50' makes 15 steps in 3\.75 epochs"):
        compare(arms, RATES, range(5), equal="steps", batch_size=16, **SETTING)
    with pytest.raises(ValueError, match='equal is "examples" or "steps"'):
        compare(ARMS, RATES, range(5), equal="time", **SETTING)
