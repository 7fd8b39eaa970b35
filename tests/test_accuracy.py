"""Accuracy: every function of one number, beside mpmath, keeps the limit of its row and what the table says of it."""

import accuracy
import numpy as np
import pytest
from registry import ACTIVATIONS, FUNCTIONS, LOSSES

from nnlib import activations


@pytest.fixture(scope="module")
def measured():
    return accuracy.measure()


def test_every_function_keeps_its_limit(measured):
    above = [row for row in measured if not row[5] <= row[7]]
    assert not above


def test_the_table_says_what_is_measured(measured):
    """Twice as much and two more are allowed: other processors round exp, log and tanh in other ways."""
    table = accuracy.stored()
    assert table.keys() == {row[:3] for row in measured}, "run tools/accuracy.py"
    assert not [row for row in measured if not row[3] <= 2.0 * table[row[:3]] + 2.0]


def test_every_row_of_one_number_has_its_formula():
    assert all(row.exact for row in ACTIVATIONS)
    assert all(any(row.exact for row in FUNCTIONS if name in row.name) for name in ("softmax", "normal_cdf"))
    alone = {"mean_squared_error", "mean_absolute_error", "huber", "hinge", "binary_cross_entropy", "focal"}
    assert alone | {"softmax_cross_entropy"} <= {row.name.split(",")[0] for row in LOSSES if row.exact and row.at}


@pytest.mark.parametrize(("factor", "dtype"), [(1.0 + 1e-15, "float64"), (1.0 + 1e-6, "float32")])
def test_a_wrong_digit_is_found(monkeypatch, factor, dtype):
    def off(z):
        return (activations.tanh(z) * factor).astype(z.dtype)

    rows = [("tanh", "value", (4, 4), (), off, lambda m, z: m.tanh(z))]
    monkeypatch.setattr(accuracy, "subjects", lambda: rows)
    found = {row[2]: row[5] for row in accuracy.measure()}
    assert found[dtype] > 4.0


def test_an_error_is_counted_in_units_of_the_dtype():
    import mpmath

    m = mpmath.mp
    assert accuracy.errors(np.float32(1.0 + 2.0**-23), m.mpf(1), m) == (1.0, 1.0)
    assert accuracy.errors(np.float64(2.0**-10), m.mpf(2) ** -10 + m.mpf(2) ** -62, m) == (1.0, 2.0**-10)
