"""Augmentation: more images of the same class, by moves that keep the label: shift, turn, zoom, mirror, crop, noise.

Images are (N, H, W) or (N, C, H, W), of floating point or whole numbers.  Every function returns a new array of the
same dtype; all channels of an image move together.  Which moves keep a label is for you to say: a mirrored 6 is no
digit, and a 6 upside down is a 9.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nnlib.doors import checked_rng


def sample(images, rows, columns, fill=0.0):
    """Read each image at any places, between pixels by bilinear interpolation, and ``fill`` outside.

    Parameters
    ----------
    images : array (N, H, W) or (N, C, H, W)
        Whole numbers are rounded to the nearest; they are exact up to 2^53.
    rows, columns : arrays that broadcast to (N, H', W')
        Where to read, in pixels: (0, 0) is the middle of the pixel at the top left.
    fill : float

    Returns
    -------
    ndarray (N, H', W') or (N, C, H', W')
    """
    images = _images(images)
    n, height, width = len(images), *images.shape[-2:]
    try:
        shape = np.broadcast_shapes((n, 1, 1), np.shape(rows), np.shape(columns))
    except ValueError:
        shape = ()
    if len(shape) != 3 or shape[0] != n:
        raise ValueError(
            f"rows and columns broadcast to ({n}, H', W') for {n} images, got {np.shape(rows)} and {np.shape(columns)}"
        )
    if np.isnan(rows).any() or np.isnan(columns).any():
        raise ValueError("rows and columns are places in pixels, got NaN")
    whole = images.dtype.kind != "f"
    dtype = np.float64 if whole else images.dtype
    stack = images.reshape(n, -1, height, width)
    framed = np.full((*stack.shape[:2], height + 2, width + 2), _fill(fill, images.dtype), dtype)
    framed[:, :, 1:-1, 1:-1] = stack
    rows, columns = np.clip(rows, -1, height) + 1, np.clip(columns, -1, width) + 1  # beyond the frame: as on it
    top, left = np.minimum(rows.astype(np.intp), height), np.minimum(columns.astype(np.intp), width)
    down, right = (rows - top).astype(dtype), (columns - left).astype(dtype)  # in 0..1
    down, right = np.broadcast_to(down, shape)[:, None], np.broadcast_to(right, shape)[:, None]
    first = np.arange(n * stack.shape[1]).reshape(*stack.shape[:2], 1, 1) * framed[0, 0].size
    place = first + np.broadcast_to(top * (width + 2) + left, shape)[:, None]
    flat = framed.reshape(-1)
    above = (1 - right) * flat[place] + right * flat[place + 1]
    place += width + 2
    below = (1 - right) * flat[place] + right * flat[place + 1]
    out = (1 - down) * above + down * below
    if whole:
        np.rint(out, out=out)
    return out.astype(images.dtype, copy=False).reshape(*images.shape[:-2], *shape[1:])


def move(images, *, degrees=0.0, factor=1.0, down=0.0, right=0.0, fill=0.0):
    """Turn each image by ``degrees`` counterclockwise and scale it by ``factor``, both about its middle, then shift it:
    one interpolation for all three, so that one image is blurred once.  Each setting is a number or an array (N,).

    Raises
    ------
    ValueError
        For a factor that is not positive, and settings that are neither one number nor one per image.
    """
    images = _images(images)
    n, height, width = len(images), *images.shape[-2:]
    degrees, factor = _per_image("degrees", degrees, n), _per_image("factor", factor, n)
    down, right = _per_image("down", down, n), _per_image("right", right, n)
    if not (factor > 0.0).all():
        raise ValueError(f"factor is positive, got {factor.min()}")
    angle = np.deg2rad(np.remainder(degrees, 360.0))
    cos, sin = np.round(np.cos(angle), 15), np.round(np.sin(angle), 15)  # a quarter turn is exact
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    out = np.empty_like(images)
    step = max(1, SLICE // images[0].size)
    for i in range(0, n, step):  # a few images at a time: what is computed on the way stays in the cache
        k = slice(i, i + step)
        y = np.arange(height)[:, None] - middle_row - down[k]  # the way back: where does this pixel come from?
        x = np.arange(width) - middle_column - right[k]
        rows = (cos[k] * y + sin[k] * x) / factor[k] + middle_row
        columns = (cos[k] * x - sin[k] * y) / factor[k] + middle_column
        out[k] = sample(images[k], rows, columns, fill)
    return out


SLICE = 16_384  # pixels


def shift(images, down, right, fill=0.0):
    """Moved by pixels, each number the same for all images or an array (N,); whole pixels are exact."""
    return move(images, down=down, right=right, fill=fill)


def rotate(images, degrees, fill=0.0):
    """Turned counterclockwise about the middle; a quarter turn of a square is ``np.rot90``, exactly."""
    return move(images, degrees=degrees, fill=fill)


def scale(images, factor, fill=0.0):
    """Larger (factor > 1) or smaller about the middle, in a frame of the same size."""
    return move(images, factor=factor, fill=fill)


def flip(images, which=None, vertical=False):
    """Mirrored left to right, or upside down where ``vertical``; ``which`` (N,) of bool says which images, or all."""
    images = _images(images)
    mirrored = images[..., ::-1, :] if vertical else images[..., ::-1]
    if which is None:
        return mirrored.copy()
    which = np.asarray(which)
    if which.dtype != bool or which.shape != (len(images),):
        raise ValueError(f"which is an array ({len(images)},) of bool, got {which.dtype} {which.shape}")
    out = images.copy()
    out[which] = mirrored[which]
    return out


def crop(images, size, top=None, left=None):
    """A window of each image; ``top`` and ``left`` are whole numbers or arrays (N,), the middle without them.

    Parameters
    ----------
    size : int or (int, int)
        Height and width of the window.
    """
    images = _images(images)
    windows = _windows(images, size)
    n_rows, n_columns = windows.shape[2:4]
    top = _place("top", (n_rows - 1) // 2 if top is None else top, n_rows, len(images))
    left = _place("left", (n_columns - 1) // 2 if left is None else left, n_columns, len(images))
    out = windows[np.arange(len(images)), :, top, left]
    return out.reshape(*images.shape[:-2], *out.shape[2:])


def all_crops(images, size, flips=False):
    """Every window of that size, (H - h + 1)(W - w + 1) of them, row by row; with ``flips`` then their mirror images.

    24 x 24 from 27 x 27 are 16 windows, 32 with flips.  To train on them: ``x = crops.reshape(-1, *crops.shape[2:])``
    and ``y = np.tile(y, len(crops))``; to predict: the mean of the predictions over the first axis.

    Returns
    -------
    ndarray (K, N, h, w) or (K, N, C, h, w)
    """
    images = _images(images)
    windows = np.moveaxis(_windows(images, size), (2, 3), (0, 1))
    out = windows.reshape(-1, *images.shape[:-2], *windows.shape[-2:])
    return np.concatenate([out, out[..., ::-1]] if flips else [out])


def noise(images, std, rng):
    """images + std * normal numbers, for images of floating point: brightness may leave its range."""
    images = _images(images)
    if images.dtype.kind != "f":
        raise TypeError(f"noise takes images of floating point, got {images.dtype}: images / 255 lies in 0..1")
    if not 0.0 <= std < np.inf:
        raise ValueError(f"noise takes a standard deviation >= 0, got {std!r}")
    dtype = np.float64 if images.dtype == np.float64 else np.float32
    noise = float(std) * checked_rng(rng).standard_normal(images.shape, dtype)
    return images + noise.astype(images.dtype, copy=False)


# --- drawn at random, for each image on its own -----------------------------------------------------------------------


def random_shift(images, most, rng, fill=0.0):
    """Shifted by up to ``most`` whole pixels in both directions, all equally likely."""
    images = _images(images)
    if most != int(most) or most < 0:
        raise ValueError(f"most is a number of whole pixels, got {most!r}")
    most = int(most)
    height, width = images.shape[-2:]
    frame = np.full((*images.shape[:-2], height + 2 * most, width + 2 * most), _fill(fill, images.dtype), images.dtype)
    frame[..., most : most + height, most : most + width] = images
    return random_crop(frame, (height, width), rng)  # a window of the framed image: the image, shifted


def random_rotate(images, most, rng, fill=0.0):
    """Turned by an angle between -most and most degrees."""
    images = _images(images)
    return rotate(images, checked_rng(rng).uniform(-most, most, len(images)), fill)


def random_scale(images, low, high, rng, fill=0.0):
    """Scaled by a factor between low and high."""
    images = _images(images)
    return scale(images, checked_rng(rng).uniform(low, high, len(images)), fill)


def random_flip(images, rng, p=0.5, vertical=False):
    """Mirrored with probability p."""
    images = _images(images)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p is a probability, got {p!r}")
    return flip(images, checked_rng(rng).random(len(images)) < p, vertical)


def random_crop(images, size, rng):
    """A window at a random place."""
    images = _images(images)
    n_rows, n_columns = _windows(images, size).shape[2:4]
    rng = checked_rng(rng)
    return crop(images, size, rng.integers(n_rows, size=len(images)), rng.integers(n_columns, size=len(images)))


class Augment:
    """Several random moves at once, each image of a batch on its own: ``x_batch = augment(x_batch)``, in training only.

    Turning, scaling and shifting are one interpolation; then come flip, crop and noise.  Labels stay as they are.

    Parameters
    ----------
    shift : int
        Up to so many whole pixels in both directions.
    rotate : float
        Up to so many degrees either way.
    scale : (low, high)
        A factor in between.
    flip : float
        Probability of a mirror image, left to right.
    crop : int or (int, int), optional
        Size of a window at a random place; ``crop(images, size)`` takes the middle one for validation.
    noise : float
        Standard deviation.
    fill : float
        What stands outside the image.
    shape : tuple, optional
        (H, W) or (C, H, W), for batches of rows (N, H * W): they are taken for images of that shape, and come back as
        rows.
    rng : np.random.Generator
    """

    def __init__(
        self, *, shift=0, rotate=0.0, scale=(1.0, 1.0), flip=0.0, crop=None, noise=0.0, fill=0.0, shape=None, rng
    ):
        if shift != int(shift) or shift < 0:
            raise ValueError(f"shift is a number of whole pixels, got {shift!r}")
        if not (rotate >= 0.0 and noise >= 0.0):
            raise ValueError(f"rotate and noise are nonnegative, got {rotate=} and {noise=}")
        if np.shape(scale) != (2,) or not 0.0 < scale[0] <= scale[1]:
            raise ValueError(f"scale is a pair (low, high) with 0 < low <= high, got {scale!r}")
        if not 0.0 <= flip <= 1.0:
            raise ValueError(f"flip is a probability, got {flip!r}")
        if shape is not None and len(shape) not in (2, 3):
            raise ValueError(f"shape is (H, W) or (C, H, W), got {shape!r}")
        self.shift, self.rotate, self.scale, self.flip = int(shift), float(rotate), tuple(scale), float(flip)
        self.crop, self.noise, self.fill, self.shape = crop, float(noise), fill, shape
        self.rng = checked_rng(rng)

    def __call__(self, x):
        """A new batch, of the same dtype."""
        images = x if self.shape is None else self.rows_as_images(x)
        images = self.moved(_images(images))
        if self.flip:
            images = random_flip(images, self.rng, self.flip)
        if self.crop is not None:
            images = random_crop(images, self.crop, self.rng)
        if self.noise:
            images = noise(images, self.noise, self.rng)
        return images if self.shape is None else images.reshape(len(images), -1)

    def moved(self, images):
        """Turned, scaled and shifted in one go."""
        n, rng = len(images), self.rng
        if not self.rotate and self.scale == (1.0, 1.0):
            return random_shift(images, self.shift, rng, self.fill)
        down, right = rng.integers(-self.shift, self.shift, (2, n), endpoint=True)
        degrees, factor = rng.uniform(-self.rotate, self.rotate, n), rng.uniform(*self.scale, n)
        return move(images, degrees=degrees, factor=factor, down=down, right=right, fill=self.fill)

    def rows_as_images(self, x):
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != np.prod(self.shape):
            raise ValueError(
                f"Augment(shape={self.shape}) takes rows (N, {np.prod(self.shape)}), got {x.shape}: "
                "images need no shape=..."
            )
        return x.reshape(len(x), *self.shape)

    def __repr__(self):
        names = ("shift", "rotate", "scale", "flip", "crop", "noise")
        settings = [(name, getattr(self, name)) for name in names]
        return (
            f"Augment({', '.join(f'{name}={value}' for name, value in settings if value not in (0, None, (1.0, 1.0)))})"
        )


def _images(images):
    """images as an array (N, H, W) or (N, C, H, W) of numbers."""
    images = np.asarray(images)
    if images.dtype.kind not in "iuf":
        raise TypeError(f"images are whole numbers or floating point, got dtype {images.dtype}")
    if images.ndim not in (3, 4) or not images.size:
        mend = ": one image is image[None]" if images.ndim == 2 else ""
        raise ValueError(f"images are (N, H, W) or (N, C, H, W) with N >= 1, got {images.shape}{mend}")
    return images


def _fill(fill, dtype):
    """fill as a value that images of that dtype can hold."""
    if dtype.kind != "f" and not (np.iinfo(dtype).min <= fill <= np.iinfo(dtype).max and fill == int(fill)):
        raise ValueError(f"fill={fill!r} is no {dtype}, the dtype of the images")
    return fill


def _per_image(name, value, n):
    """value as an array (n, 1, 1) of float64."""
    value = np.asarray(value, np.float64)
    if value.shape not in ((), (n,)) or not np.isfinite(value).all():
        raise ValueError(f"{name} is one finite number, or one for each of {n} images, got shape {value.shape}")
    return np.broadcast_to(value, (n,)).reshape(n, 1, 1)


def _place(name, value, n_places, n):
    """value as whole numbers (n,) from 0 to n_places - 1."""
    value = np.asarray(value)
    if value.dtype.kind not in "iu" or value.shape not in ((), (n,)):
        raise ValueError(f"{name} is a whole number, or one for each of {n} images, got {value.dtype} {value.shape}")
    if value.min() < 0 or value.max() >= n_places:
        raise ValueError(f"{name} lies in 0..{n_places - 1} for this size, got {value.min()} to {value.max()}")
    return np.broadcast_to(value, (n,))


def _windows(images, size):
    """All windows of images, as a view (N, C, rows, columns, h, w)."""
    height, width = (size, size) if np.ndim(size) == 0 else size
    if not (0 < height <= images.shape[-2] and 0 < width <= images.shape[-1]):
        raise ValueError(f"a window of {height} x {width} does not fit into images {images.shape}")
    return sliding_window_view(images.reshape(len(images), -1, *images.shape[-2:]), (height, width), axis=(2, 3))
