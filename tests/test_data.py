"""Laws of the data: what is in the file, who wrote what, and what the toy sets promise."""

import hashlib
import json
import re

import contents
import numpy as np
import pytest

from nnlib.data import LOGIC, LOOKS, blobs, circles, digits, logic_table, moons, optdigits, spirals, xor

TOYS = {"moons": moons, "circles": circles, "spirals": spirals, "xor": xor, "blobs": blobs}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def data():
    return digits()


def nearest(train, points):
    """The place in ``train`` of the nearest neighbor of each point."""
    return np.argmin(np.sum(train * train, axis=1) - 2.0 * points @ train.T, axis=1)


def test_the_file_is_the_published_one():
    assert hashlib.sha256(optdigits.FILE.read_bytes()).hexdigest() == optdigits.SHA256
    assert optdigits.SHA256 in digits.__doc__
    assert "10.24432/C50P49" in digits.__doc__
    assert "CC BY 4.0" in digits.__doc__


def looks_at_the_test_writers(source):
    """Whether a program reads the test part of the digits: data.test, digits().test or test = data.test."""
    return bool(re.search(r"\b(data|digits\([^)]*\))\.test\b", source))


def test_the_ledger_knows_who_looks_at_the_test_writers():
    sources = {}
    for path in contents.toc_notebooks():
        cells = json.loads(path.read_text("utf8"))["cells"]
        code = [contents.source_of(cell) for cell in cells if cell["cell_type"] == "code"]
        folder = contents.ROOT / "nnlib" / "course" / f"chapter_{path.stem[:2]}"
        sources[f"chapters/{path.stem}"] = "\n".join([*code, *(file.read_text("utf8") for file in folder.glob("*.py"))])
    assert {name for name, source in sources.items() if looks_at_the_test_writers(source)} == set(LOOKS)
    assert all(LOOKS.values())  # each says what for
    assert len(LOOKS) <= 1  # once in the whole book


@pytest.mark.parametrize("source", ["x, y = data.test", "digits().test.x", "a = digits(images=True).test"])
def test_a_look_at_the_test_writers_is_seen(source):
    assert looks_at_the_test_writers(source)
    assert not looks_at_the_test_writers(source.replace("test", "validation"))


def test_class_counts_are_those_of_the_data_sets_own_documentation(data):
    training = np.concatenate([data.train.y, data.validation.y])
    assert np.bincount(training).tolist() == [376, 389, 380, 389, 387, 376, 377, 387, 380, 382]
    assert np.bincount(data.test.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_parts_have_the_documented_sizes_dtypes_and_range(data):
    for part, size in ((data.train, 2959), (data.validation, 864), (data.test, 1797)):
        assert part.x.shape == (size, 64)
        assert part.y.shape == (size,)
        assert part.x.dtype == np.float32
        assert part.y.dtype == np.int64
        assert (part.x.min(), part.x.max()) == (0.0, 1.0)
        assert set(part.y) == set(range(10))
    assert repr(data) == "Digits(train=2959, validation=864, test=1797 images of shape (64,))"


def test_a_part_is_a_tuple_and_has_names(data):
    x, y = data.validation
    assert x is data.validation.x
    assert y is data.validation.y


def test_images_are_the_same_pixels_with_a_channel(data):
    pictures = digits(images=True)
    assert pictures.test.x.shape == (1797, 1, 8, 8)
    np.testing.assert_array_equal(pictures.test.x.reshape(-1, 64), data.test.x)


def test_no_image_stands_in_two_parts(data):
    rows = [{row.tobytes() for row in part.x} for part in (data.train, data.validation, data.test)]
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    assert not rows[1] & rows[2]


def test_each_call_returns_arrays_of_its_own(data):
    digits().train.x[:] = -1.0
    assert digits().train.x.min() == 0.0


def test_nearest_neighbor_scores_as_published(data):
    x, y = np.concatenate([data.train.x, data.validation.x]), np.concatenate([data.train.y, data.validation.y])
    right = np.sum(y[nearest(x, data.test.x)] == data.test.y)
    assert right == 1761
    assert f"{right / 1797:.3%}" == "97.997%"


def test_the_split_is_by_writer_and_a_random_one_would_flatter(data, rng):
    train, validation = data.train, data.validation
    by_writer = np.mean(train.y[nearest(train.x, validation.x)] == validation.y)
    on_test = np.mean(train.y[nearest(train.x, data.test.x)] == data.test.y)
    x, y = np.concatenate([train.x, validation.x]), np.concatenate([train.y, validation.y])
    at_random = []
    for _ in range(10):
        order = rng.permutation(len(x))
        rest, held = order[864:], order[:864]
        at_random.append(np.mean(y[rest][nearest(x[rest], x[held])] == y[held]))
    assert f"{by_writer:.1%} {on_test:.1%}" == "97.8% 97.6%"
    assert np.mean(at_random) > by_writer + 0.003
    assert abs(by_writer - on_test) < 0.005


def test_the_cut_lies_on_a_seam_between_two_writers():
    """Neighbors of one class at the same relative place of the blocks are by one hand; hardly any link crosses."""
    with np.load(optdigits.FILE) as file:
        x, y = file["train_images"].reshape(-1, 64).astype(np.float32), file["train_labels"]
    block = np.repeat([0, 1, 2], optdigits.BLOCKS)
    place = np.concatenate([np.arange(size) for size in optdigits.BLOCKS])
    relative = (place + 0.5) / np.array(optdigits.BLOCKS)[block]
    distance = np.sum(x * x, axis=1)[:, None] + np.sum(x * x, axis=1) - 2.0 * x @ x.T
    distance[y[:, None] != y] = np.inf
    np.fill_diagonal(distance, np.inf)
    friends = np.argpartition(distance, 3, axis=1)[:, :3].ravel()
    each = np.repeat(np.arange(len(x)), 3)
    near = np.abs(relative[each] - relative[friends]) < 0.035  # a writer is 1/30 of each block
    assert near.mean() > 0.3  # by chance 0.07

    def links_across(shift):
        side = place >= (np.array(optdigits.TRAINING) + shift * np.array(optdigits.BLOCKS))[block]
        return np.sum(side[each[near]] != side[friends[near]])

    assert links_across(0.0) == 1
    assert links_across(0.015) > 25  # in the middle of the next writer
    assert links_across(-0.017) > 25


@pytest.mark.parametrize("name", TOYS)
@pytest.mark.parametrize("n", [12, 61, 200])
def test_toys_are_balanced_shuffled_and_typed(name, n, rng):
    x, y = TOYS[name](n, rng=rng)
    assert x.shape == (n, 2)
    assert y.shape == (n,)
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    assert np.ptp(np.bincount(y)) <= 1
    assert np.any(np.diff(y) < 0)  # not class after class


@pytest.mark.parametrize("name", TOYS)
def test_toys_depend_on_the_generator_alone(name):
    first, again, other = (TOYS[name](40, rng=np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_noise_the_points_lie_on_their_curves(rng):
    x, y = moons(90, rng=rng, noise=0.0)
    centers = np.where(y[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    np.testing.assert_allclose(np.linalg.norm(x - centers, axis=1), 1.0, rtol=1e-6)
    assert np.all(np.where(y == 0, x[:, 1] >= 0.0, x[:, 1] <= 0.5))
    x, y = circles(90, rng=rng, noise=0.0, factor=0.3)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), np.where(y == 0, 1.0, 0.3), rtol=1e-6)
    x, y = xor(90, rng=rng, noise=0.0)
    np.testing.assert_array_equal(y, x[:, 0] * x[:, 1] < 0.0)
    x, y = spirals(90, rng=rng, arms=4, noise=0.0, turns=0.75)
    turns = np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi) - 0.75 * np.linalg.norm(x, axis=1) - y / 4
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-5)
    x, y = blobs(90, rng=rng, spread=0.0, centers=[(1.0, 2.0), (3.0, -1.0)])
    np.testing.assert_array_equal(x, np.array([(1.0, 2.0), (3.0, -1.0)])[y])


def test_noise_is_a_standard_deviation(rng):
    x, _ = xor(4000, rng=rng, noise=0.2)
    assert np.std(x - np.sign(x), axis=0) == pytest.approx([0.2, 0.2], rel=0.05)


@pytest.mark.parametrize("name", TOYS)
def test_toys_say_what_they_want(name, rng):
    toy, noise = TOYS[name], "spread" if name == "blobs" else "noise"
    with pytest.raises(ValueError, match="whole number"):
        toy(0, rng=rng)
    with pytest.raises(ValueError, match="whole number"):
        toy(10.0, rng=rng)
    with pytest.raises(ValueError, match="noise must be a standard deviation"):
        toy(20, rng=rng, **{noise: -0.1})
    with pytest.raises(ValueError, match="noise must be a standard deviation"):
        toy(20, rng=rng, **{noise: float("nan")})
    with pytest.raises(TypeError, match=r"np\.random\.default_rng"):
        toy(20, rng=3)


def test_toys_refuse_odd_shapes_of_themselves(rng):
    with pytest.raises(ValueError, match="factor"):
        circles(20, rng=rng, factor=1.5)
    with pytest.raises(ValueError, match="number of classes"):
        spirals(20, rng=rng, arms=0)
    with pytest.raises(ValueError, match="centers"):
        blobs(20, rng=rng, centers=np.zeros((3, 4)))


def test_there_are_sixteen_logic_tables_and_their_names_are_true():
    assert sorted(LOGIC.values()) == [tuple(int(bit) for bit in f"{i:04b}") for i in range(16)]
    for name, outputs in LOGIC.items():
        text = name
        for word, operator in (("XNOR", "=="), ("XOR", "!="), ("NAND", "nand"), ("NOR", "nor")):
            text = text.replace(word, operator)
        for (x1, x2), output in zip(logic_table(name)[0].tolist(), outputs):
            truth = {
                "nand": not (x1 and x2), "nor": not (x1 or x2), "==": x1 == x2, "!=": x1 != x2,
                "AND": x1 and x2, "OR": x1 or x2,
            }.get(text)  # fmt: skip
            if truth is None:
                names = {"x1": bool(x1), "x2": bool(x2)}
                truth = eval(text.replace("TRUE", "True").replace("FALSE", "False").lower()
                             .replace("true", "True").replace("false", "False"), names)  # fmt: skip
            assert bool(truth) == bool(output), name


def test_logic_table_refuses_an_unknown_name():
    with pytest.raises(ValueError, match="there are: FALSE, AND"):
        logic_table("MAYBE")
