"""nnlib beside PyTorch: the same numbers for every kernel that both have, and a test for each convention that differs.

The stored vectors of tests/reference are compared always; where PyTorch is installed, the two also run on fresh random
numbers.  With NNLIB_LIVE=1 a missing PyTorch is an error instead of a skip.
"""

import os
import re

import numpy as np
import pytest
from registry import CASES, FAMILIES
from registry import pytorch as r
from registry.differences import DIFFERENCES

import nnlib.layers
from nnlib import activations, initializers, losses, optimizers, schedules

TORCH = r.pytorch()
HOW = f"live comparison needs PyTorch: pip install torch=={r.PYTORCH}.0"
SEED = int(np.random.SeedSequence().entropy) % 2**32  # shown where a live comparison fails
live = pytest.mark.skipif(TORCH is None and os.environ.get("NNLIB_LIVE") != "1", reason=HOW)
cases = pytest.mark.parametrize("name", CASES)
differences = pytest.mark.parametrize("name", DIFFERENCES)


def stored():
    """The versions and the contents of all files of vectors."""
    versions, content = set(), {}
    for path in sorted(r.FOLDER.glob("*.npz")):
        version, arrays = r.load(path)
        versions.add(version)
        content |= arrays
    return versions, content


VERSIONS, STORED = stored()


def compare(ours, theirs, rtol, atol, note=""):
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert np.shape(ours[key]) == np.shape(value), key
        np.testing.assert_allclose(ours[key], value, rtol=rtol, atol=atol, err_msg=f"{key} {note}")


@cases
def test_nnlib_gives_the_stored_numbers_of_pytorch(name):
    case = CASES[name]
    compare(case.ours(STORED[f"{name} | inputs"], np.float64), STORED[f"{name} | results"], case.rtol, case.atol)


@cases
def test_float32_gives_them_to_its_own_precision(name):
    case = CASES[name]
    ours = case.ours(STORED[f"{name} | inputs"], np.float32)
    for key, value in STORED[f"{name} | results"].items():
        scale = max(1.0, np.abs(value).max(initial=0.0))
        np.testing.assert_allclose(ours[key], value, max(case.rtol, case.rtol32), 1e-6 * scale, err_msg=key)


@live
@cases
def test_nnlib_gives_the_numbers_of_pytorch_on_fresh_inputs(name):
    assert TORCH is not None, HOW
    case = CASES[name]
    inputs = case.draw(np.random.default_rng([SEED, r.seed_of(name)]))
    ours, theirs = case.ours(inputs, np.float64), r.by_pytorch(TORCH, case, inputs)
    compare(ours, theirs, case.rtol, case.atol, f"with SEED {SEED}")


@live
@cases
def test_the_stored_numbers_are_still_those_of_pytorch(name):
    assert TORCH is not None, HOW
    case = CASES[name]
    theirs = r.by_pytorch(TORCH, case, STORED[f"{name} | inputs"])
    compare(theirs, STORED[f"{name} | results"], max(case.rtol, 1e-12), max(case.atol, 1e-13))


# --- conventions that differ ------------------------------------------------------------------------------------------


def differs(ours, theirs):
    ours, theirs = np.atleast_1d(ours), np.atleast_1d(theirs)
    return ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=1e-9, atol=0.0)


@differences
def test_a_difference_is_one_and_the_docstring_says_so(name):
    difference = DIFFERENCES[name]
    assert differs(difference.ours(), STORED[name]["theirs"]), "the two agree: it is no difference any more"
    assert difference.words in " ".join(difference.where.__doc__.split())


@live
@differences
def test_pytorch_still_has_its_convention(name):
    assert TORCH is not None, HOW
    theirs = r.theirs_of(TORCH, DIFFERENCES[name])
    assert differs(DIFFERENCES[name].ours(), theirs)
    if "uniform" not in name and "gate" not in name:  # first values are random
        np.testing.assert_allclose(theirs, STORED[name]["theirs"], rtol=1e-6)


# --- nothing is left out ----------------------------------------------------------------------------------------------


def test_every_case_has_its_vectors_and_every_vector_its_case():
    wanted = {f"{name} | {part}" for name in CASES for part in ("inputs", "results")} | set(DIFFERENCES)
    assert set(STORED) == wanted, "run tests/reference/make_vectors.py"
    assert all(STORED[f"{name} | results"] for name in CASES)
    assert all(version.startswith(r.PYTORCH) for version in VERSIONS)
    assert len(VERSIONS) == 1


def test_the_vectors_are_those_of_the_registry():
    for name, case in CASES.items():
        drawn = case.draw(np.random.default_rng(r.seed_of(name)))
        assert drawn.keys() == STORED[f"{name} | inputs"].keys(), "run tests/reference/make_vectors.py"
        for key, value in drawn.items():
            np.testing.assert_allclose(STORED[f"{name} | inputs"][key], value, rtol=1e-12, err_msg=f"{name}: {key}")


def test_the_vectors_are_small():
    assert sum(path.stat().st_size for path in r.FOLDER.glob("*.npz")) < 400_000  # bytes


# Public names that are no kernels of their own.
PARTS = {
    "Layer", "Activation", "Optimizer", "Elementwise", "as_float", "as_schedule", "by_name", "fans", "one_hot",
    "large_margin_psi", "lowest_products", "Wrapper", "Clipped", "total_weight", "mean_over_batch", "parts", "NoParts",
    "squared_errors", "binary_cross_entropies", "softmax_cross_entropies",
}  # fmt: skip


@pytest.mark.parametrize("module", [activations, initializers, losses, nnlib.layers, optimizers, schedules])
def test_every_public_kernel_is_compared_or_its_row_says_that_pytorch_has_none(module):
    public = {name for name, f in vars(module).items() if getattr(f, "__module__", "").startswith(module.__name__)}
    public |= set(activations.ELEMENTWISE) if module is activations else set()
    public = {name for name in public if not name.startswith("_")} - PARTS
    public = {name.removesuffix("_backward") for name in public}
    alone = {row.name for rows in FAMILIES.values() for row in rows if not row.torch}
    missing = {name for name in public if not any(re.search(rf"\b{name}\b", case) for case in (*CASES, *alone))}
    assert public
    assert not missing, f"tests/registry wants a row for {sorted(missing)}"


def test_a_wrong_number_is_found():
    name = "layers: Dense"
    inputs, results = STORED[f"{name} | inputs"], STORED[f"{name} | results"]
    ours = CASES[name].ours(inputs, np.float64)
    ours["dW0"][1, 2] += 1e-9
    with pytest.raises(AssertionError, match="dW0"):
        compare(ours, results, CASES[name].rtol, CASES[name].atol)
