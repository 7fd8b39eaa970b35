"""Laws of chapter 6: the 2-2-2 network to the printed digits, the frames of its figures, and what they say."""

import re
from dataclasses import replace
from decimal import Decimal, localcontext

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nnlib.autodiff import Value
from nnlib.course import chapter_06 as ch
from nnlib.gradcheck import numerical_gradient, relative_error
from nnlib.initializers import xavier_normal
from nnlib.losses import softmax_cross_entropy
from nnlib.training import fit
from nnlib.widgets import Frame, Lines, Network

NET = ch.two_two_two()
PASSES = ch.passes(NET)

# Every number of the worked example: where it stands among the passes, and its ten decimals.
PRINTED = {
    "z1": (0.3775, 0.3925),
    "a1": (0.5932699921, 0.5968843783),
    "z2": (1.1059059671, 1.2249214041),
    "a2": (0.7513650696, 0.7729284653),
    "halves": (0.2748110832, 0.0235600256),
    "L": (0.2983711088,),
    "da2": (0.7413650696, -0.2170715347),
    "slope2": (0.1868156018, 0.1755100528),
    "dz2": (0.1384985616, -0.0380982365),
    "dW2": (0.0821670406, -0.0226025405, 0.0826676278, -0.0227402422),
    "da1": (0.0363503064, 0.0413703226),
    "slope1": (0.2413007086, 0.2406134172),
    "dz1": (0.0087713547, 0.0099542547),
    "dW1": (0.0004385677, 0.0004977127, 0.0008771355, 0.0009954255),
}


def numbers_in(text):
    return [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text.replace("−", "-"))]


# --- the 2-2-2 network ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRINTED)
def test_every_number_of_the_worked_example_to_ten_decimals(name):
    np.testing.assert_allclose(np.ravel(PASSES[name]), PRINTED[name], rtol=0, atol=5.001e-11)


@pytest.mark.parametrize(("parameter", "gradient"), [("W1", "dW1"), ("b1", "db1"), ("W2", "dW2"), ("b2", "db2")])
@pytest.mark.parametrize("n_updates", [0, 100])
def test_the_gradients_are_the_derivatives_of_the_loss(parameter, gradient, n_updates):
    net = ch.continued(n_updates)[0]
    measured = numerical_gradient(lambda p: ch.loss_of(replace(net, **{parameter: p})), getattr(net, parameter))
    assert relative_error(measured, ch.passes(net)[gradient]) < 1e-6


def test_the_tape_gives_the_same_gradients():
    W1, b1, W2, b2 = map(Value, (NET.W1, NET.b1, NET.W2, NET.b2))
    E = (((NET.x @ W1 + b1).sigmoid() @ W2 + b2).sigmoid() - NET.target) ** 2 * 0.5
    E.sum().backward()
    for value, name in ((W1, "dW1"), (b1, "db1"), (W2, "dW2"), (b2, "db2")):
        np.testing.assert_allclose(value.grad, PASSES[name], rtol=1e-12)


def test_the_gradient_of_w1_takes_the_old_weights():
    new_W2 = NET.W2 - 0.5 * PASSES["dW2"]
    slip = NET.x.T @ (PASSES["dz2"] @ new_W2.T * PASSES["slope1"])
    assert f"{PASSES['dW1'][0, 0]:.12f}" == "0.000438567734"
    assert f"{slip[0, 0]:.12f}" == "0.000364722878"


def test_the_run_with_frozen_biases_agrees_with_forty_digits():
    with localcontext() as context:
        context.prec = 40
        x, t = [Decimal(v) for v in (".05", ".10")], [Decimal(v) for v in (".01", ".99")]
        w = [Decimal(v) for v in [".15", ".20", ".25", ".30", ".40", ".45", ".50", ".55"]]

        def sigmoid(z):
            return 1 / (1 + (-z).exp())

        for _ in range(101):
            h = [sigmoid(w[2 * j] * x[0] + w[2 * j + 1] * x[1] + Decimal(".35")) for j in range(2)]
            o = [sigmoid(w[4 + 2 * k] * h[0] + w[5 + 2 * k] * h[1] + Decimal(".6")) for k in range(2)]
            E = sum((t[k] - o[k]) ** 2 / 2 for k in range(2))
            d = [(o[k] - t[k]) * o[k] * (1 - o[k]) for k in range(2)]
            g = [(d[0] * w[4 + j] + d[1] * w[6 + j]) * h[j] * (1 - h[j]) for j in range(2)]
            gradient = [g[j] * x[i] for j in range(2) for i in range(2)] + [
                d[k] * h[j] for k in range(2) for j in range(2)
            ]
            w = [a - slope / 2 for a, slope in zip(w, gradient)]
    np.testing.assert_allclose(ch.continued(100)[1][-1], float(E), rtol=1e-12)
    assert f"{E:.10f}" == "0.0200468282"


def test_training_the_biases_pays_and_frozen_ones_stay():
    errors = {biases: ch.continued(1000, biases)[1][-1] for biases in ch.BIASES}
    assert errors["untied"] < errors["tied"] < 0.5 * errors["frozen"]
    known = {"frozen": 0.0011143495, "tied": 0.0003460750, "untied": 0.0002707046}
    for biases, loss in known.items():
        np.testing.assert_allclose(errors[biases], loss, rtol=0, atol=5.001e-11)
    np.testing.assert_array_equal(ch.continued(1000, "frozen")[0].b1, NET.b1)
    assert np.ptp(ch.continued(1000, "tied")[0].b2) == 0 < np.ptp(ch.continued(1000, "untied")[0].b2)


def test_pack_and_unpack_are_inverses_and_unpack_gives_windows():
    sizes = (3, 5, 2)
    vector = np.arange(3 * 5 + 5 + 5 * 2 + 2.0)
    weights, biases = ch.unpack(vector, sizes)
    assert [W.shape for W in weights] == [(3, 5), (5, 2)]
    np.testing.assert_array_equal(ch.pack(weights, biases), vector)
    biases[1][...] = -1.0
    np.testing.assert_array_equal(vector[-2:], -1.0)
    with pytest.raises(ValueError, match="32 parameters"):
        ch.unpack(vector[:-1], sizes)


# --- the figures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ch.UNITS)
def test_the_nudge_figure_measures_what_it_says(unit):
    layer, i = ch.UNITS[unit]
    delta = PASSES[f"dz{layer}"][0, i]
    small = (ch.loss_nudged(NET, unit, 1e-5) - ch.loss_nudged(NET, unit, -1e-5)) / 2e-5
    assert abs(small - delta) < 1e-6 * abs(delta)
    for nudge in np.arange(-8, 9) / 4:
        frame = ch.nudge_frame(unit=unit, nudge=float(nudge))
        picture, curve = frame.panels
        assert isinstance(picture, Network)
        assert isinstance(curve, Lines)
        if nudge:
            change = ch.loss_nudged(NET, unit, nudge) - PASSES["L"]
            assert min(abs(n - change) for n in numbers_in(frame.text)) < 6e-6
            assert min(abs(n - delta * nudge) for n in numbers_in(frame.text)) < 6e-6


@pytest.mark.parametrize("updates", [0, 1, 10, 100, 1000, 10000])
def test_every_step_says_its_numbers_with_ten_decimals(updates):
    p = ch.passes(ch.continued(updates)[0])
    texts = [ch.step_frame(step=step, updates=updates).text for step in range(20)]
    said = {  # step: the numbers that its sentence must contain
        1: (p["z1"][0, 0], p["a1"][0, 0]), 2: (p["z1"][0, 1], p["a1"][0, 1]),
        3: (p["z2"][0, 0], p["a2"][0, 0]), 4: (p["z2"][0, 1], p["a2"][0, 1]), 5: (*p["halves"][0], p["L"]),
        6: (p["da2"][0, 0], p["slope2"][0, 0], p["dz2"][0, 0]), 7: (p["da2"][0, 1], p["slope2"][0, 1], p["dz2"][0, 1]),
        8: (p["dW2"][0, 0],), 9: (p["dW2"][1, 0],), 10: tuple(p["dW2"][:, 1]),
        11: (p["da1"][0, 0],), 12: (p["slope1"][0, 0], p["dz1"][0, 0]),
        13: (p["da1"][0, 1], p["slope1"][0, 1], p["dz1"][0, 1]),
        14: (p["dW1"][0, 0],), 15: (p["dW1"][1, 0],), 16: tuple(p["dW1"][:, 1]),
        17: (p["db1"].sum(), p["db2"].sum()),
        18: tuple((ch.continued(updates)[0].W2 - 0.5 * p["dW2"]).ravel()),
        19: tuple((ch.continued(updates)[0].W1 - 0.5 * p["dW1"]).ravel()),
    }  # fmt: skip
    for step, numbers in said.items():
        for number in numbers:
            assert f"{number:.10f}".replace("-", "−") in texts[step], (step, number)
    assert len(set(texts)) == 20


def test_the_paths_of_the_steps():
    to_w5 = set(ch.step_frame(step=8, updates=0).panels[0].highlight)
    to_w1 = set(ch.step_frame(step=14, updates=0).panels[0].highlight)
    assert {place for place in to_w5 if len(place) == 3} == {(2, 0, 0), (1, 0, 0)}  # L, o1, w5
    assert {place for place in to_w1 if len(place) == 3} == {(2, 0, 0), (2, 1, 0), (1, 0, 0), (1, 0, 1), (0, 0, 0)}


@pytest.mark.parametrize("kind", ["forward", "central"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_difference_figure_says_the_order_of_its_error(kind, precision):
    for exponent in ch.EXPONENTS:
        frame = ch.difference_frame(kind=kind, precision=precision, exponent=exponent)
        assert isinstance(frame, Frame)
        error = ch.relative_errors(kind, 10.0**exponent, getattr(np, precision))[0]
        number, percent = re.search(r"about ([0-9.e−]+?)(%?)\. ", frame.text).groups()
        said = float(number.replace("−", "-")) / (100 if percent else 1)
        assert 0.3 < said / max(error, 1e-14) < 3.2


def test_the_error_of_a_difference_is_a_v():
    eps = 10.0 ** np.arange(-13.0, 0.0)
    forward, central = (ch.relative_errors(kind, eps) for kind in ("forward", "central"))
    assert 1e-9 < eps[forward.argmin()] < 1e-6 < eps[central.argmin()] < 1e-3
    assert central.min() < 0.1 * forward.min()
    single = ch.relative_errors("central", 10.0 ** np.arange(-6.0, 0.0), np.float32)
    assert single.min() > 1e-7  # no step makes a float32 check pass comfortably


@pytest.mark.parametrize("weight", ch.WEIGHTS)
@pytest.mark.parametrize("updates", [0, 100, 10000])
def test_the_path_figure_multiplies_along_paths_and_adds_over_them(weight, updates):
    net = ch.continued(updates)[0]
    layer, i, j = ch.WEIGHTS[weight]
    exact = ch.passes(net)[f"dW{layer}"][i, j]
    frame = ch.path_frame(weight=weight, updates=updates)
    picture, bars = frame.panels
    *shares, numeric = bars.heights
    n_paths = 3 - layer
    assert len(shares) == (3 if n_paths == 2 else 1)
    np.testing.assert_allclose(sum(shares[:n_paths]), exact, rtol=1e-12)
    assert abs(shares[-1] - exact) < 1e-12 * abs(exact)
    np.testing.assert_allclose(numeric, exact, rtol=1e-5, atol=1e-12)
    assert frame.text.count("Through") == n_paths == sum(place in ((2, 0), (2, 1)) for place in picture.highlight)
    for share in shares:
        assert f"{share:.10f}".replace("-", "−") in frame.text
    for factors in ch.paths(net, weight).values():
        assert all(f"{number:.6g}".replace("-", "−") in frame.text for _, number in factors)


def test_the_paths_follow_the_lines_of_the_network():
    edges = ch.step_frame(step=0, updates=0).panels[0].edge_text
    W = {name: edges[layer - 1][i][j].split() for name, (layer, i, j) in ch.WEIGHTS.items()}
    assert all(text[0] == name for name, text in W.items())
    for name, (layer, i, j) in ch.WEIGHTS.items():
        assert float(W[name][1]) == (NET.W1, NET.W2)[layer - 1][i, j]


# --- the experiments --------------------------------------------------------------------------------------------------


def test_the_last_layer_alone_learns():
    rng = np.random.default_rng(1)
    network = ch.two_layers(xavier_normal, rng)
    first = network.theta.copy()
    x, y = rng.normal(size=(64, 64)).astype(np.float32), rng.integers(0, 10, 64)
    optimizer = ch.ARMS["hidden layer stays random"].optimizer(0.5)
    fit(network, softmax_cross_entropy, optimizer, (x, y), epochs=2, rng=rng, progress=False)
    frozen = 65 * ch.HIDDEN
    np.testing.assert_array_equal(network.theta[:frozen], first[:frozen])
    assert (network.theta[frozen:] != first[frozen:]).any()
    assert first.size == frozen + 10 * ch.HIDDEN + 10


@pytest.mark.parametrize("every", [1, 3, 8, 64])
def test_what_is_made_again_gives_the_same_slope(every):
    slope, held, made = ch.remembered_slope(0.3, 64, every)

    def chain(x):
        for _ in range(64):
            x = np.tanh(1.1 * x)
        return float(x[0])

    assert relative_error(numerical_gradient(chain, np.array([0.3]), eps=1e-5), slope) < 1e-6
    assert held <= -(-64 // every) + every
    assert made < 2 * 64
    assert (held, made) == (64, 64) or every > 1


def test_only_the_product_of_the_formula_is_a_gradient():
    for seed in range(5):
        tried, by_steps = ch.product_check(np.random.default_rng(seed), width=4)
        off = {name: relative_error(found, by_steps) for name, found in tried.items()}
        assert off["as the formula says"] < 1e-6 < 1e-3 < min(list(off.values())[1:])


def test_descent_multiplies_the_distance():
    np.testing.assert_allclose(ch.descend(0.05, n_steps=3) - 1 / 6, (-0.8) ** np.arange(4) / 3)


# --- the drawings -----------------------------------------------------------------------------------------------------


def test_the_drawings_hold_what_they_are_given():
    axes = ch.draw_descents({0.01: ch.descend(0.01), 0.06: ch.descend(0.06)}, plt.subplots(2)[1])
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == ["learning rate 0.01", "learning rate 0.06"]
    np.testing.assert_array_equal(axes[1].lines[1].get_xdata(), ch.descend(0.06))
    ax = ch.draw_biases({kind: ch.continued(100, kind)[1] for kind in ch.BIASES}, plt.subplots()[1])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(ch.BIASES)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), ch.continued(100, "frozen")[1][1:])
    deltas = [np.arange(6.0).reshape(3, 2) - 2, np.ones((3, 4))]
    axes = ch.draw_deltas(deltas, [7, 1, 3], [False, False, True], plt.subplots(2)[1])
    np.testing.assert_array_equal(axes[0].images[0].get_array(), deltas[0].T)
    assert [label.get_text() for label in axes[1].get_xticklabels()] == ["7\n", "1\n", "3\n✗"]
    ax = ch.draw_errors({"right": 1e-12, "wrong": 0.5}, plt.subplots()[1])
    assert [bar.get_width() for bar in ax.patches] == [0.5, 1e-9]
    assert ch.draw_skip_graph().texts
    plt.close("all")


def test_what_the_figures_call_a_thing_is_that_thing():
    curve = ch.nudge_frame(unit="o1", nudge=1.0).panels[1]
    named = dict(zip(curve.labels, curve.series))
    at = np.flatnonzero(np.isclose(curve.x, 1.0))[0]
    assert named["measured"][at] == pytest.approx(ch.loss_nudged(NET, "o1", 1.0) - PASSES["L"])
    assert named["δ times the nudge"][at] == pytest.approx(PASSES["dz2"][0, 0])
    assert dict(zip(curve.labels, curve.dashes)) == {"measured": False, "δ times the nudge": True}
    v = ch.difference_frame(kind="forward", precision="float64", exponent=-3.0).panels[1]
    lowest = {label: series.min() for label, series in zip(v.labels, v.series)}
    assert lowest["central"] < 0.1 * lowest["forward"]
    bars = ch.path_frame(weight="w1", updates=0).panels[1]
    shares = dict(zip(bars.names, bars.heights))
    for k, name in enumerate(("via o1", "via o2")):
        share = PASSES["dz2"][0, k] * NET.W2[0, k] * PASSES["slope1"][0, 0] * NET.x[0, 0]
        assert shares[name] == pytest.approx(share)


def test_the_reason_for_an_error_is_the_curve_above_the_best_step_and_rounding_below():
    for kind in ("forward", "central"):
        assert "bends" in ch.reason(kind, "float64", -1.0)
        assert "rounding" in ch.reason(kind, "float64", -13.0)
    with pytest.raises(KeyError):
        ch.difference("centre", 1e-3)


def test_backward_steps_point_backward_and_only_they():
    assert [ch.step_frame(step=s, updates=0).panels[0].backward for s in (3, 6, 17, 18)] == [False, True, True, False]


def test_the_drawings_mark_what_they_say():
    ax = ch.draw_errors({"right": 1e-12}, plt.subplots()[1])
    assert [line.get_xdata()[0] for line in ax.lines] == [1e-6]
    assert "6" in [text.get_text() for text in ch.draw_skip_graph().texts]
    image = ch.draw_deltas([np.array([[1.0, -1.0]])], [3], [False], [plt.subplots()[1]])[0].images[0]
    positive, negative = (image.cmap(image.norm(value)) for value in (1.0, -1.0))
    assert positive[2] > positive[0]  # blue
    assert negative[0] > negative[2]  # red
    ax = ch.draw_descents({0.06: ch.descend(0.06)}, [plt.subplots()[1]])[0]
    low, high = ax.get_ylim()
    assert low <= ax.lines[1].get_ydata().min()
    assert ax.lines[1].get_ydata().max() <= high
    plt.close("all")
