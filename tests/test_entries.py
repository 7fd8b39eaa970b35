"""The library's entries: each activation, loss and initializer has one, and what it shows is what nnlib computes."""

import pathlib
import re
import sys

import numpy as np
import pytest
from registry import ACTIVATIONS, INITIALIZERS, LOSSES

from nnlib import activations

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "_ext"))

import entries  # noqa: E402

PAGES = {name: "\n".join(make()) for name, make in entries.PAGES.items()}
NAMES = {name: re.findall(r"^## (\w+)$", text, re.MULTILINE) for name, text in PAGES.items()}
ELEMENTWISE = pytest.mark.parametrize("name", activations.ELEMENTWISE)


def entry(page, name):
    return re.search(rf"^## {name}\n(.*?)(?=^\(|\Z)", PAGES[page], re.DOTALL | re.MULTILINE)[1]


def test_every_public_thing_has_one_entry():
    assert NAMES["activations"] == [*activations.ELEMENTWISE, "softmax", "log_softmax"]
    for page, rows in (("activations", ACTIVATIONS), ("losses", LOSSES), ("initializers", INITIALIZERS)):
        registered = {re.match(r"\w+", row.name)[0] for row in rows}
        assert registered <= set(NAMES[page]), f"{registered - set(NAMES[page])} would not be found on the page {page}"
        assert len(NAMES[page]) == len(set(NAMES[page]))


@pytest.mark.parametrize("page", entries.PAGES)
def test_every_entry_has_a_target_a_formula_and_a_picture_that_says_what_it_shows(page):
    for name in NAMES[page]:
        text = entry(page, name)
        assert f"({page[:-1].replace('losse', 'loss')}-{name})=" in PAGES[page]
        assert re.search(r"^(Formula|Values).*\n: `.+`$", text, re.MULTILINE), name
        assert re.search(r'role="img" aria-label="[^"]{20,}"', text), name
        assert page == "initializers" or "erivative\n: `" in text, name


def numbers_of(text):
    """The ends of an interval as it is displayed."""
    ends = re.match(r"[\[(](\S+), (\S+?)[\])]", text).groups()
    return [float(end.replace("−", "-").replace("∞", "inf")) for end in ends]


def check_interval(text, values):
    """All values lie in the displayed interval, and they come close to both of its ends."""
    low, high = numbers_of(text)
    slack = 1e-4 * max(1.0, *(abs(end) for end in (low, high) if np.isfinite(end)), 1.0)  # four digits are shown
    assert values.min() >= low - slack
    assert values.max() <= high + slack
    assert values.min() < low + 0.02 if np.isfinite(low) else values.min() < -50.0
    assert values.max() > high - 0.02 if np.isfinite(high) else values.max() > 50.0


@ELEMENTWISE
def test_the_displayed_ranges_are_those_of_the_kernel(name):
    f, rng = activations.ELEMENTWISE[name], np.random.default_rng()
    z = np.concatenate([rng.uniform(-6.0, 6.0, 20_000), rng.uniform(-2e4, 2e4, 20_000), [0.0]])
    value, slope = re.search(r"Range\n: (\S+ \S+), slope (\S+ [^,\s]+)", entry("activations", name)).groups()
    check_interval(value, f(z))
    check_interval(slope, f.derivative(z))


@pytest.mark.parametrize(
    ("name", "text"),
    [("sigmoid", "(0, 1), slope (0, 0.25]"), ("relu", "[0, ∞), slope [0, 1]"), ("softsign", "(−1, 1), slope (0, 1]"),
     ("gelu", "[−0.17, ∞), slope [−0.1289, 1.129]"), ("leaky_relu", "(−∞, ∞), slope [0.01, 1]")],
)  # fmt: skip
def test_ranges_that_one_knows(name, text):
    assert f"Range\n: {text}" in entry("activations", name)


def drawn(text, kind):
    points = re.search(rf'<polyline class="{kind}" points="([^"]*)"', text)[1]
    u, v = np.array([[float(c) for c in point.split(",")] for point in points.split()]).T
    return -4.0 + 8.0 * u / entries.WIDTH, 4.0 - 6.0 * v / entries.HEIGHT


@ELEMENTWISE
def test_the_drawn_derivative_is_the_slope_of_the_drawn_function(name):
    f = activations.ELEMENTWISE[name]
    z, a = drawn(entry("activations", name), "f")
    _, slope = drawn(entry("activations", name), "df")
    inside = np.abs(a) < 3.9
    np.testing.assert_allclose(a[inside], f(z)[inside], atol=0.1)
    smooth = np.abs(f.derivative(entries.Z + 1e-4) - f.derivative(entries.Z - 1e-4)) < 0.01  # not at a kink
    by_difference = (f(entries.Z + 1e-5) - f(entries.Z - 1e-5)) / 2e-5
    seen = smooth & (np.abs(by_difference) < 3.9) & (np.abs(by_difference) < 1e3)
    assert seen.sum() > 60
    np.testing.assert_allclose(slope[seen], by_difference[seen], atol=0.05)


@pytest.mark.parametrize("name", entries.all_losses())
def test_a_loss_is_drawn_with_its_derivative_and_is_never_negative(name):
    z = np.random.default_rng().uniform(-3.9, 3.9, 40)
    z = z[np.abs(z[:, None] - [[0.0, 1.0, -1.0]]).min(axis=1) > 1e-3]  # where kinks are
    values, slopes = entries.along(name, z)
    by_difference = (entries.along(name, z + 1e-6)[0] - entries.along(name, z - 1e-6)[0]) / 2e-6
    np.testing.assert_allclose(slopes, by_difference, atol=1e-6 * max(1.0, np.abs(slopes).max()))
    assert values.min() >= 0.0
    assert "[0, ∞)" in entry("losses", name)


@pytest.mark.parametrize("name", NAMES["initializers"])
def test_an_initializer_shows_the_standard_deviation_of_its_numbers(name):
    shown = float(re.search(r"standard deviation ([\d.]+), drawn", entry("initializers", name))[1])
    n_in, n_out = entries.SHAPE
    wanted = {"zeros": 0.0, "constant": 0.0, "normal": 0.05, "uniform": 0.2 / 12**0.5, "orthogonal": 256**-0.5}
    wanted |= {"sparse": (15 / 256) ** 0.5}
    wanted |= {f"lecun_{kind}": n_in**-0.5 for kind in ("normal", "uniform")}
    wanted |= {f"he_{kind}": (2.0 / n_in) ** 0.5 for kind in ("normal", "uniform")}
    wanted |= {f"xavier_{kind}": (2.0 / (n_in + n_out)) ** 0.5 for kind in ("normal", "uniform")}
    assert shown == pytest.approx(wanted[name], rel=0.02, abs=1e-4)


def test_a_paper_without_an_entry_in_the_bibliography_is_an_error():
    assert entries.sources("as in Maas et al. 2013 and (Glorot & Bengio 2010, eq. 12)") == [
        "maas2013rectifier",
        "glorot2010understanding",
    ]
    with pytest.raises(KeyError, match="no Nobody 1999"):
        entries.sources("as in Nobody et al. 1999")


def test_a_wrong_range_is_found():
    with pytest.raises(AssertionError):
        check_interval("(0, 1)", np.array([0.0, 0.5, 1.1]))
    with pytest.raises(AssertionError):
        check_interval("[0, ∞)", np.array([0.0, 0.5, 1.0]))
