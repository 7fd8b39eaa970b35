"""Laws of augmentation: whole pixels are exact, turns compose, dtype and labels stay, every draw is a legal one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.augmentation import (
    Augment,
    all_crops,
    crop,
    flip,
    move,
    noise,
    random_crop,
    random_flip,
    random_rotate,
    random_scale,
    random_shift,
    rotate,
    sample,
    scale,
    shift,
)
from nnlib.data import digits

SHAPES = [(3, 6, 5), (2, 3, 5, 7)]
DTYPES = [np.float32, np.float64, np.uint8]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
dtypes = pytest.mark.parametrize("dtype", DTYPES)

# move: what does it, with its random numbers drawn from rng
MOVES = {
    "shift": lambda x, rng: shift(x, 1.5, -0.5),
    "rotate": lambda x, rng: rotate(x, 20.0),
    "scale": lambda x, rng: scale(x, 1.3),
    "flip": lambda x, rng: flip(x),
    "crop": lambda x, rng: crop(x, (4, 3)),
    "all_crops": lambda x, rng: all_crops(x, 4),
    "random_shift": lambda x, rng: random_shift(x, 2, rng),
    "random_rotate": lambda x, rng: random_rotate(x, 15.0, rng),
    "random_scale": lambda x, rng: random_scale(x, 0.8, 1.2, rng),
    "random_flip": lambda x, rng: random_flip(x, rng),
    "random_crop": lambda x, rng: random_crop(x, 4, rng),
    "Augment": lambda x, rng: Augment(shift=1, rotate=5, scale=(0.9, 1.1), flip=0.5, crop=4, rng=rng)(x),
    "Augment of nothing": lambda x, rng: Augment(rng=rng)(x),
}
FLOATING = {"noise": lambda x, rng: noise(x, 0.1, rng), "Augment, noise": lambda x, rng: Augment(noise=0.1, rng=rng)(x)}
moves = pytest.mark.parametrize("act", [*MOVES.values(), *FLOATING.values()], ids=[*MOVES, *FLOATING])


def images(shape, dtype=np.float64, seed=0):
    x = np.random.default_rng(seed).random(shape)
    return (255 * x).astype(dtype) if dtype == np.uint8 else x.astype(dtype)


def blob(height=31, width=31, row=9.0, column=19.0, spread=4.0):
    """One smooth image (1, H, W), bright at a place."""
    y, x = np.mgrid[:height, :width]
    return np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * spread**2))[None]


def brightest(image):
    return np.unravel_index(image[0].argmax(), image[0].shape)


# --- laws of all ------------------------------------------------------------------------------------------------------


@moves
@shapes
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_move_gives_new_images_of_the_same_dtype(act, shape, dtype):
    x = images(shape, dtype)
    kept = x.copy()
    out = act(x, np.random.default_rng(1))
    assert out.dtype == dtype
    assert out.ndim == x.ndim + (act is MOVES["all_crops"])
    assert not np.shares_memory(out, x)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("act", MOVES.values(), ids=MOVES)
def test_whole_numbers_are_rounded(act):
    whole = images((3, 6, 5), np.uint8)
    out = act(whole, np.random.default_rng(2))
    assert out.dtype == np.uint8
    exact = act(whole.astype(np.float64), np.random.default_rng(2))
    np.testing.assert_array_equal(out, np.rint(exact))


@moves
def test_all_channels_move_together_and_like_images_without_channels(act):
    x = images((3, 1, 6, 5))
    three = act(np.repeat(x, 2, axis=1), np.random.default_rng(3))
    alone = act(x[:, 0], np.random.default_rng(3))
    if act in FLOATING.values():  # noise is drawn for each number
        return
    for channel in (0, 1):
        np.testing.assert_array_equal(three[..., channel, :, :], alone)


@moves
def test_the_same_seed_gives_the_same_images(act):
    x = images((3, 6, 5))
    np.testing.assert_array_equal(act(x, np.random.default_rng(4)), act(x, np.random.default_rng(4)))


@moves
def test_a_move_refuses_what_is_no_batch_of_images(act):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"\(N, H, W\) or \(N, C, H, W\).*image\[None\]"):
        act(np.ones((6, 5)), rng)
    with pytest.raises(ValueError, match=r"N >= 1, got \(0, 6, 5\)$"):
        act(np.ones((0, 6, 5)), rng)
    with pytest.raises(TypeError, match="dtype bool"):
        act(np.ones((2, 6, 5), bool), rng)


def test_outside_an_image_is_0_unless_told_otherwise():
    x = 1.0 + images((2, 9, 3))
    shrink = Augment(scale=(0.1, 0.1), rng=np.random.default_rng(0))
    for out in (sample(x, [[-3.0]], [[0.0]]), move(x, down=9), shift(x, 9, 0), rotate(x, 90), scale(x, 0.1), shrink(x)):
        np.testing.assert_array_equal(out[:, 0, 0], 0.0)


# --- shift ------------------------------------------------------------------------------------------------------------


@shapes
@dtypes
@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (0, -2), (3, 1), (-6, 0), (100, -100)])
def test_a_shift_by_whole_pixels_is_exact(shape, dtype, down, right):
    x = images(shape, dtype)
    height, width = shape[-2:]
    expected = np.full_like(x, 7)
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                expected[..., i, j] = x[..., i - down, j - right]
    np.testing.assert_array_equal(shift(x, down, right, fill=7), expected)


def test_a_shift_by_half_a_pixel_is_the_mean_of_neighbors():
    x = images((2, 4, 5))
    np.testing.assert_allclose(shift(x, 0, 0.5)[:, :, 1:], (x[:, :, :-1] + x[:, :, 1:]) / 2, rtol=1e-14)
    np.testing.assert_allclose(shift(x, -0.25, 0)[:, :-1], 0.75 * x[:, :-1] + 0.25 * x[:, 1:], rtol=1e-14)
    np.testing.assert_allclose(shift(x, 0, 0.5, fill=3.0)[:, :, 0], (3.0 + x[:, :, 0]) / 2, rtol=1e-14)


def test_whole_numbers_are_filled_up_to_the_largest():
    x = images((2, 6, 5), np.uint8)
    np.testing.assert_array_equal(shift(x, 6, 0, fill=255), 255)
    np.testing.assert_array_equal(shift(x.astype(np.int8), 6, 0, fill=-128), -128)


def test_an_image_larger_than_a_slice_is_moved():
    x = images((2, 130, 130), np.float32)
    np.testing.assert_array_equal(shift(x, 1, 0)[:, 1:], x[:, :-1])


def test_each_image_has_its_own_shift():
    x = images((3, 2, 6, 5))
    out = shift(x, [0, 1, -2], np.array([1, 0, 0]))
    for k, (down, right) in enumerate([(0, 1), (1, 0), (-2, 0)]):
        np.testing.assert_array_equal(out[k], shift(x[k : k + 1], down, right)[0])


@given(st.integers(1, 40), st.floats(-8, 8), st.floats(-8, 8))
def test_a_batch_of_any_size_is_moved_image_by_image(n, down, right):
    x = images((n, 30, 25), np.float32)  # 40 images of 750 pixels are more than one slice
    out = shift(x, down, right)
    for k in (0, n // 2, n - 1):
        np.testing.assert_array_equal(out[k], shift(x[k : k + 1], down, right)[0])


# --- rotate and scale -------------------------------------------------------------------------------------------------


@shapes
@dtypes
@pytest.mark.parametrize("degrees", [0, 360, -720, 36000])
def test_a_full_turn_is_the_identity(shape, dtype, degrees):
    x = images(shape, dtype)
    np.testing.assert_array_equal(rotate(x, degrees), x)


@dtypes
@pytest.mark.parametrize("size", [4, 7])
@pytest.mark.parametrize("quarters", [1, 2, 3, -1, 5])
def test_a_quarter_turn_is_rot90(dtype, size, quarters):
    x = images((2, 3, size, size), dtype)
    np.testing.assert_array_equal(rotate(x, 90 * quarters), np.rot90(x, quarters, axes=(-2, -1)))


def test_half_a_turn_of_a_rectangle_reverses_it():
    x = images((2, 4, 7))
    np.testing.assert_array_equal(rotate(x, 180), x[:, ::-1, ::-1])


def test_a_turn_is_counterclockwise_and_turns_add_up():
    x = blob(row=15.0, column=25.0)  # right of the middle
    assert brightest(rotate(x, 45.0)) == (8, 22)  # 10 / sqrt(2) up, as much to the right
    inner = (slice(None), slice(8, -8), slice(8, -8))
    smooth = blob(row=17.0, column=13.0, spread=5.0)
    np.testing.assert_allclose(rotate(rotate(smooth, 25.0), 35.0)[inner], rotate(smooth, 60.0)[inner], atol=0.02)
    assert np.abs(rotate(smooth, 60.0)[inner] - rotate(smooth, 50.0)[inner]).max() > 0.03


def test_a_scale_moves_away_from_the_middle_and_back():
    x = blob(row=15.0, column=21.0)
    assert brightest(scale(x, 1.5)) == (15, 24)
    assert brightest(scale(x, 0.5)) == (15, 18)
    np.testing.assert_array_equal(scale(x, 1.0), x)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(scale(scale(x, 2.0), 0.5)[inner], x[inner], atol=0.01)
    doubled = scale(images((1, 5, 5)), 2.0)
    np.testing.assert_allclose(doubled[0, ::2, ::2], images((1, 5, 5))[0, 1:4, 1:4], rtol=1e-14)


def test_one_move_is_turn_and_scale_and_then_shift():
    x = blob(row=17.0, column=13.0, spread=5.0)
    steps = shift(scale(rotate(x, 30.0), 1.2), 2, -3)
    together = move(x, degrees=30.0, factor=1.2, down=2, right=-3)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(together[inner], steps[inner], atol=0.02)
    np.testing.assert_array_equal(move(x), x)


def test_sample_reads_between_pixels_and_fills_outside():
    x = images((2, 3, 4, 5))
    rows, columns = np.array([[0.25, 3.0, 9.0]]), np.array([[1.0, 4.0, 2.0]])
    out = sample(x, rows, columns, fill=-1.0)
    assert out.shape == (2, 3, 1, 3)
    np.testing.assert_allclose(out[..., 0, 0], 0.75 * x[..., 0, 1] + 0.25 * x[..., 1, 1], rtol=1e-14)
    np.testing.assert_array_equal(out[..., 0, 1], x[..., 3, 4])
    np.testing.assert_array_equal(out[..., 0, 2], -1.0)
    np.testing.assert_array_equal(sample(x[:, 0], 2, np.zeros((2, 1, 1))), x[:, 0, 2:3, :1])
    np.testing.assert_array_equal(sample(x, 2, np.arange(5)[::-1]), x[..., 2:3, ::-1])


@pytest.mark.parametrize("outside", [1.0, 1.25, 1.5, 2.0, 7.75])
def test_a_pixel_or_more_outside_is_nothing_but_fill(outside):
    x = images((2, 3, 4, 5))
    for row, column in [(-outside, 2), (3 + outside, 2), (1, -outside), (1, 4 + outside), (-outside, -outside)]:
        np.testing.assert_array_equal(sample(x, row, column, fill=3.0), 3.0)


# --- flip and crop ----------------------------------------------------------------------------------------------------


@shapes
@dtypes
@pytest.mark.parametrize("vertical", [False, True])
def test_two_flips_are_the_identity_and_one_is_none(shape, dtype, vertical):
    x = images(shape, dtype)
    once = flip(x, vertical=vertical)
    np.testing.assert_array_equal(once, np.flip(x, axis=-2 if vertical else -1))
    np.testing.assert_array_equal(flip(once, vertical=vertical), x)


def test_only_the_named_images_are_flipped():
    x = images((3, 2, 4, 5))
    out = flip(x, np.array([False, True, False]))
    np.testing.assert_array_equal(out[[0, 2]], x[[0, 2]])
    np.testing.assert_array_equal(out[1], x[1, ..., ::-1])


@shapes
def test_a_crop_is_the_window_that_was_asked_for(shape):
    x = images(shape)
    np.testing.assert_array_equal(crop(x, (4, 3), top=1, left=2), x[..., 1:5, 2:5])
    np.testing.assert_array_equal(crop(x, shape[-2:]), x)
    tops = np.arange(len(x)) % 2
    out = crop(x, (4, 3), top=tops, left=0)
    for k, top in enumerate(tops):
        np.testing.assert_array_equal(out[k], x[k, ..., top : top + 4, :3])


@shapes
def test_a_window_may_be_one_pixel_high_or_wide(shape):
    x = images(shape)
    np.testing.assert_array_equal(crop(x, (1, 3), top=2, left=1), x[..., 2:3, 1:4])
    np.testing.assert_array_equal(crop(x, (3, 1), top=2, left=1), x[..., 2:5, 1:2])


def test_a_crop_without_a_place_is_the_middle():
    np.testing.assert_array_equal(crop(images((1, 8, 9)), (4, 3)), images((1, 8, 9))[:, 2:6, 3:6])
    np.testing.assert_array_equal(crop(images((1, 27, 27)), 24), images((1, 27, 27))[:, 1:25, 1:25])


def test_27_pixels_have_16_windows_of_24_and_32_with_flips():
    x = images((2, 1, 27, 27), np.float32)
    windows = all_crops(x, 24)
    assert windows.shape == (16, 2, 1, 24, 24)
    for k, window in enumerate(windows):
        top, left = divmod(k, 4)
        np.testing.assert_array_equal(window, x[..., top : top + 24, left : left + 24])
    both = all_crops(x, 24, flips=True)
    assert both.shape == (32, 2, 1, 24, 24)
    np.testing.assert_array_equal(both[:16], windows)
    np.testing.assert_array_equal(both[16:], windows[..., ::-1])
    assert len(np.unique(both[:, 0].reshape(32, -1), axis=0)) == 32
    assert all_crops(images((2, 5, 9)), (4, 6)).shape == (8, 2, 4, 6)
    whole = all_crops(x, 27)
    np.testing.assert_array_equal(whole, x[None])
    assert not np.shares_memory(whole, x)


def test_labels_go_with_all_crops_by_tile():
    x, y = images((5, 6, 6)), np.arange(5)
    windows = all_crops(x, 4, flips=True)
    rows, labels = windows.reshape(-1, *windows.shape[2:]), np.tile(y, len(windows))
    for row, label in zip(rows, labels):
        assert (sorted(row.ravel()) == np.sort(all_crops(x[label : label + 1], 4).reshape(9, -1), axis=1)).all(1).any()


# --- drawn at random --------------------------------------------------------------------------------------------------


def test_noise_has_its_deviation_and_mean_0():
    x = np.zeros((100, 30, 25), np.float32)
    out = noise(x, 0.3, np.random.default_rng(5))
    assert out.std() == pytest.approx(0.3, rel=0.01)
    assert out.mean() == pytest.approx(0.0, abs=0.005)
    np.testing.assert_array_equal(noise(x, 0.0, np.random.default_rng(5)), x)


@pytest.mark.parametrize(
    ("dtype", "drawn"), [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)]
)
def test_noise_is_added_in_the_precision_of_the_images(dtype, drawn):
    x = images((3, 6, 5), dtype)
    numbers = 0.3 * np.random.default_rng(5).standard_normal(x.shape, drawn)
    for std in (0.3, np.float64(0.3)):
        np.testing.assert_array_equal(noise(x, std, np.random.default_rng(5)), x + numbers.astype(dtype))


def test_every_whole_shift_within_reach_comes_equally_often():
    x = np.zeros((5000, 7, 7))
    x[:, 3, 3] = 1.0
    places = np.argwhere(random_shift(x, 2, np.random.default_rng(6)))[:, 1:] - 3
    found, counts = np.unique(places, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, [(i, j) for i in range(-2, 3) for j in range(-2, 3)])
    assert counts.sum() == 5000
    assert np.abs(counts - 200).max() < 5 * math.sqrt(200)
    np.testing.assert_array_equal(random_shift(x[:3], 0, np.random.default_rng(6)), x[:3])
    assert (random_shift(x[:50], 3, np.random.default_rng(6), fill=9.0) == 9.0).any()


def test_turns_and_scales_are_drawn_between_their_bounds():
    x = np.repeat(blob(row=15.0, column=25.0), 400, axis=0)
    turned = random_rotate(x, 30.0, np.random.default_rng(7))
    rows, columns = np.unravel_index(turned.reshape(400, -1).argmax(axis=1), (31, 31))
    angles = np.degrees(np.arctan2(15 - rows, columns - 15))
    assert -34.0 < angles.min() < -24.0
    assert 24.0 < angles.max() < 34.0
    assert abs(angles.mean()) < 3.0
    sized = random_scale(x, 0.5, 1.4, np.random.default_rng(8))
    reach = np.unravel_index(sized.reshape(400, -1).argmax(axis=1), (31, 31))[1] - 15
    assert reach.min() == 5
    assert reach.max() == 14
    assert reach.mean() == pytest.approx(9.5, abs=0.5)


def test_flips_come_with_their_probability():
    x = images((2000, 2, 3))
    out = random_flip(x, np.random.default_rng(9), p=0.2)
    flipped = (out == x[..., ::-1]).all(axis=(1, 2))
    assert flipped.mean() == pytest.approx(0.2, abs=0.03)
    np.testing.assert_array_equal(out[~flipped], x[~flipped])
    upside_down = random_flip(x, np.random.default_rng(9), p=1.0, vertical=True)
    np.testing.assert_array_equal(upside_down, x[:, ::-1])


def test_every_window_comes_equally_often():
    x = np.repeat(np.arange(30.0).reshape(1, 5, 6), 1200, axis=0)
    corners, counts = np.unique(random_crop(x, 3, np.random.default_rng(10))[:, 0, 0], return_counts=True)
    np.testing.assert_array_equal(corners, [0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15])
    assert np.abs(counts - 100).max() < 5 * 10


# --- all at once ------------------------------------------------------------------------------------------------------


def test_augment_is_its_moves_in_order():
    x = images((6, 3, 8, 8))
    augment = Augment(
        shift=2, rotate=10, scale=(0.8, 1.1), flip=0.5, crop=6, noise=0.1, fill=2.0, rng=np.random.default_rng(11)
    )
    rng = np.random.default_rng(11)
    down, right = rng.integers(-2, 2, (2, 6), endpoint=True)
    degrees, factor = rng.uniform(-10, 10, 6), rng.uniform(0.8, 1.1, 6)
    expected = move(x, degrees=degrees, factor=factor, down=down, right=right, fill=2.0)
    expected = noise(random_crop(random_flip(expected, rng), 6, rng), 0.1, rng)
    np.testing.assert_array_equal(augment(x), expected)
    assert repr(augment) == "Augment(shift=2, rotate=10.0, scale=(0.8, 1.1), flip=0.5, crop=6, noise=0.1)"


def test_augment_makes_each_move_alone_exactly():
    x = images((6, 3, 8, 8))
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(Augment(scale=(1.5, 1.5), rng=rng)(x), scale(x, 1.5))
    np.testing.assert_array_equal(Augment(flip=1.0, rng=rng)(x), flip(x))
    degrees = np.random.default_rng(1).uniform(-30, 30, 6)
    np.testing.assert_array_equal(Augment(rotate=30, rng=np.random.default_rng(1))(x), rotate(x, degrees))
    only_shift = Augment(shift=3, fill=1.0, rng=np.random.default_rng(1))(x)
    np.testing.assert_array_equal(only_shift, random_shift(x, 3, np.random.default_rng(1), fill=1.0))


def test_augment_shows_its_settings_as_numbers_of_floating_point():
    rng = np.random.default_rng(0)
    assert repr(Augment(rotate=5, flip=1, noise=2, rng=rng)) == "Augment(rotate=5.0, flip=1.0, noise=2.0)"
    assert repr(Augment(rng=rng)) == "Augment()"


def test_augment_draws_anew_for_every_batch_and_image():
    x = np.repeat(images((1, 8, 8)), 4, axis=0)
    augment = Augment(shift=3, rng=np.random.default_rng(12))
    first, second = augment(x), augment(x)
    assert not np.array_equal(first, second)
    assert any(not np.array_equal(first[0], image) for image in first[1:])


def test_rows_of_pixels_come_back_as_rows():
    x, y = digits().train
    rows, labels = x[:50], y[:50].copy()
    augment = Augment(shift=1, rotate=10, shape=(8, 8), rng=np.random.default_rng(13))
    out = augment(rows)
    expected = Augment(shift=1, rotate=10, rng=np.random.default_rng(13))(rows.reshape(50, 1, 8, 8))
    assert out.shape == (50, 64)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, expected.reshape(50, 64))
    np.testing.assert_array_equal(labels, y[:50])
    assert Augment(crop=6, shape=(1, 8, 8), rng=np.random.default_rng(0))(rows).shape == (50, 36)
    for wrong in (rows.reshape(50, 8, 8), rows[:, :63], rows[:, :, None]):
        with pytest.raises(ValueError, match=r"takes rows \(N, 64\), got \(50, "):
            augment(wrong)


# --- doors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x, rng: shift(x, [1, 2], 0), ValueError, "down is one finite number, or one for each of 3"),
        (lambda x, rng: rotate(x, math.nan), ValueError, "degrees is one finite number"),
        (lambda x, rng: rotate(x, [0.0, math.nan, 0.0]), ValueError, "degrees is one finite number"),
        (lambda x, rng: scale(x, 0.0), ValueError, "factor is positive"),
        (lambda x, rng: scale(x, [1.0, -1.0, 1.0]), ValueError, "factor is positive, got -1.0"),
        (lambda x, rng: flip(x, [1, 0, 1]), ValueError, r"an array \(3,\) of bool"),
        (lambda x, rng: flip(x, np.array([True])), ValueError, r"an array \(3,\) of bool"),
        (lambda x, rng: crop(x, 7), ValueError, "7 x 7 does not fit"),
        (lambda x, rng: crop(x, (0, 2)), ValueError, "0 x 2 does not fit"),
        (lambda x, rng: crop(x, (2, 0)), ValueError, "2 x 0 does not fit"),
        (lambda x, rng: crop(x, (4, 6)), ValueError, "4 x 6 does not fit"),
        (lambda x, rng: crop(x, 4, top=3), ValueError, "top lies in 0..2 for this size, got 3 to 3"),
        (lambda x, rng: crop(x, 4, left=-1), ValueError, "left lies in 0..1"),
        (lambda x, rng: crop(x, 4, top=[0, 3, 1]), ValueError, "top lies in 0..2 for this size, got 0 to 3"),
        (lambda x, rng: crop(x, 4, left=[0, -1, 1]), ValueError, "left lies in 0..1 for this size, got -1 to 1"),
        (lambda x, rng: crop(x, 4, top=0.5), ValueError, "top is a whole number"),
        (lambda x, rng: crop(x, 4, top=[0, 1]), ValueError, "one for each of 3"),
        (lambda x, rng: all_crops(x, 9), ValueError, "does not fit"),
        (lambda x, rng: noise(x, -0.1, rng), ValueError, "deviation >= 0"),
        (lambda x, rng: noise(x.astype(np.uint8), 0.1, rng), TypeError, "images / 255"),
        (lambda x, rng: noise(x, 0.1, 7), TypeError, "default_rng"),
        (lambda x, rng: random_flip(x, None), TypeError, "default_rng"),
        (lambda x, rng: sample(x, np.zeros((2, 4, 4)), 0), ValueError, "for 3 images"),
        (lambda x, rng: sample(x, np.zeros((1, 3, 4, 4)), 0), ValueError, "for 3 images"),
        (lambda x, rng: sample(x[:1], np.zeros((2, 4, 4)), 0), ValueError, "for 1 images"),
        (lambda x, rng: random_shift(x, -1, rng), ValueError, "most is a number of whole pixels"),
        (lambda x, rng: random_shift(x, 0.5, rng), ValueError, "most is a number of whole pixels"),
        (lambda x, rng: shift(x.astype(np.uint8), 1, 0, fill=-1), ValueError, "fill=-1 is no uint8"),
        (lambda x, rng: random_shift(x.astype(np.uint8), 1, rng, fill=0.5), ValueError, "fill=0.5 is no uint8"),
        (lambda x, rng: Augment(shift=0.5, rng=rng), ValueError, "whole pixels"),
        (lambda x, rng: Augment(shift=-1, rng=rng), ValueError, "whole pixels"),
        (lambda x, rng: Augment(rotate=-1, rng=rng), ValueError, "nonnegative"),
        (lambda x, rng: Augment(noise=-1, rng=rng), ValueError, "nonnegative"),
        (lambda x, rng: Augment(scale=1.1, rng=rng), ValueError, "a pair"),
        (lambda x, rng: Augment(scale=(1.1, 0.9), rng=rng), ValueError, "a pair"),
        (lambda x, rng: Augment(scale=(0.0, 1.0), rng=rng), ValueError, "0 < low"),
        (lambda x, rng: Augment(flip=1.05, rng=rng), ValueError, "a probability"),
        (lambda x, rng: Augment(flip=1.5, rng=rng), ValueError, "a probability"),
        (lambda x, rng: Augment(shape=(64,), rng=rng), ValueError, r"\(H, W\) or \(C, H, W\)"),
        (lambda x, rng: Augment(rng=np.random), TypeError, "default_rng"),
        (lambda x, rng: Augment(crop=9, rng=rng)(x), ValueError, "does not fit"),
    ],
)
def test_a_wrong_call_says_what_was_wanted(call, error, text):
    with pytest.raises(error, match=text):
        call(images((3, 6, 5)), np.random.default_rng(0))


def test_whole_pixels_may_come_as_a_float():
    x = np.random.default_rng(3).normal(size=(4, 5, 5))
    shifted = [random_shift(x, most, np.random.default_rng(1)) for most in (2, 2.0)]
    np.testing.assert_array_equal(*shifted)


def test_images_are_flipped_always_or_never_where_told_so():
    x, rng = images((3, 6, 5)), np.random.default_rng(2)
    np.testing.assert_array_equal(random_flip(x, rng, p=0.0), x)
    np.testing.assert_array_equal(random_flip(x, rng, p=1.0), x[..., ::-1])
