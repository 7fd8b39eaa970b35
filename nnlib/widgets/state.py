"""State: the frames of an interactive figure as one block of bytes and back, with equal arrays stored once."""

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nnlib.widgets.frames import Frame, pack, share_ranges, unpack

DTYPES = {"f4": "<f4", "u1": "<u1", "q1": "<u1", "q2": "<u2"}
LEVELS = {"q1": 254, "q2": 65534}  # steps from low to high; the code after the last one means NaN
RANGES = ("x_range", "y_range", "v_range", "w_range")


def encode(array, code, limits=None):
    """An array as bytes: float32, small integers (u1), or quantised between `limits` to 8 (q1) or 16 bits (q2)."""
    if code in LEVELS:
        lo, hi = limits
        steps = np.rint((np.clip(array, lo, hi) - lo) * (LEVELS[code] / (hi - lo)))
        array = np.where(np.isnan(array), LEVELS[code] + 1, steps)
    with np.errstate(over="ignore"):  # a diverged run may leave float32's range: infinity is what it means
        return np.ascontiguousarray(array.astype(DTYPES[code])).tobytes()


def decode(data, code, shape, limits=None):
    """The inverse of encode, up to rounding."""
    out = np.frombuffer(data, dtype=DTYPES[code]).reshape(shape)
    if code in LEVELS:
        lo, hi = limits
        out = np.where(out > LEVELS[code], np.nan, lo + out * ((hi - lo) / LEVELS[code]))
    return out


class Store:
    """Collects arrays into one block; an array that was there before costs nothing."""

    def __init__(self):
        self.block, self.table, self.known = bytearray(), [], {}
        self.specs, self.known_specs = [], {}

    def array(self, array, code, limits):
        data = encode(array, code, limits)
        row = [code, list(array.shape), *(limits if code in LEVELS else ())]
        key = (data, json.dumps(row))
        if key not in self.known:
            self.known[key] = len(self.table)
            self.table.append([len(self.block), *row])
            self.block += data
        return self.known[key]

    def panel(self, panel):
        """-> [spec number, array numbers ...]"""
        spec, arrays = pack(panel)
        text = json.dumps(spec, allow_nan=False)
        if text not in self.known_specs:
            self.known_specs[text] = len(self.specs)
            self.specs.append(spec)
        limits = getattr(panel, "v_range", None)
        return [self.known_specs[text], *(self.array(array, code, limits) for array, code in arrays)]


def pack_frames(frames):
    """frames: one per setting, all with the same kinds of panels -> (block, the other traits of the chart)."""
    columns = [share_ranges(column) for column in zip(*(frame.panels for frame in frames), strict=True)]
    store = Store()
    table = [[store.panel(panel) for panel in panels] for panels in zip(*columns, strict=True)]
    traits = {"arrays": store.table, "specs": store.specs, "frames": table, "texts": [frame.text for frame in frames]}
    return bytes(store.block), traits


@dataclass(frozen=True)
class SavedFigure:
    """An interactive figure as a page or a notebook has saved it."""

    title: str
    function: str  # "nnlib.course.chapter_04:gallery_frame"
    controls: list  # of {"name", "label", "values", "labels", "index"}
    traits: dict = field(repr=False)
    block: bytes = field(repr=False)

    def __iter__(self) -> Iterator:
        """(settings, panels, text) per setting; a panel is its spec with its arrays in their places."""
        names = [control["name"] for control in self.controls]
        settings = itertools.product(*(control["values"] for control in self.controls))
        arrays = {}
        for values, row, text in zip(settings, self.traits["frames"], self.traits["texts"], strict=True):
            panels = [
                unpack(self.traits["specs"][spec], [self._array(number, arrays) for number in numbers])
                for spec, *numbers in row
            ]
            yield dict(zip(names, values, strict=True)), panels, text

    def _array(self, number, cache):
        if number not in cache:
            start, code, shape, *limits = self.traits["arrays"][number]
            size = int(np.prod(shape)) * np.dtype(DTYPES[code]).itemsize
            cache[number] = decode(self.block[start : start + size], code, shape, limits)
        return cache[number]

    def differences(self, settings, panels, text, frame: Frame):
        """What in a saved frame is not what `frame`, computed anew for the same settings, would draw; [] if all is."""
        out = []
        if text != frame.text:
            out.append(f"text: saved {text!r}, computed {frame.text!r}")
        if len(panels) != len(frame.panels):
            return [*out, f"{len(panels)} panels saved, {len(frame.panels)} computed"]
        for i, (saved, panel) in enumerate(zip(panels, frame.panels, strict=True)):
            spec, arrays = pack(panel)
            limits = saved.get("v_range")
            rounded = [
                decode(encode(a, code, limits), code, a.shape, limits) if code in LEVELS else a.astype(DTYPES[code])
                for a, code in arrays
            ]
            slack = [abs(limits[1] - limits[0]) / LEVELS[code] if code in LEVELS else 0.0 for _, code in arrays]
            _compare(f"panel {i}", saved, spec, rounded, slack, out)
        return [f"{settings}: {line}" for line in out]


def _compare(place, saved, spec, arrays, slack, out):
    if isinstance(spec, dict) and set(spec) == {"$"}:
        wanted = arrays[spec["$"]]
        if not isinstance(saved, np.ndarray) or saved.shape != wanted.shape:
            out.append(f"{place}: saved {getattr(saved, 'shape', saved)}, computed shape {wanted.shape}")
        elif not np.allclose(saved, wanted, rtol=1e-4, atol=1e-6 + 1.01 * slack[spec["$"]], equal_nan=True):
            worst = np.nanmax(np.abs(saved.astype(float) - wanted.astype(float)))
            out.append(f"{place}: differs from what is computed by up to {worst:.3g}")
    elif isinstance(spec, dict):
        for key, value in spec.items():
            if key in RANGES and value is None:
                continue  # shared by all settings, filled in when the figure was made
            _compare(f"{place}.{key}", saved.get(key), value, arrays, slack, out)
    elif isinstance(spec, list) and isinstance(saved, list) and len(saved) == len(spec):
        for k, (one, other) in enumerate(zip(saved, spec, strict=True)):
            _compare(f"{place}[{k}]", one, other, arrays, slack, out)
    elif isinstance(spec, float) and isinstance(saved, (int, float)):
        if not np.isclose(saved, spec, rtol=1e-6, atol=1e-9):
            out.append(f"{place}: saved {saved!r}, computed {spec!r}")
    elif json.dumps(saved, default=str) != json.dumps(spec):
        out.append(f"{place}: saved {saved!r}, computed {spec!r}")


def figures_from_state(state):
    """Every interactive figure in a widget state (the JSON of a page or of a notebook's metadata), as SavedFigure.

    state: text, or the parsed document {"state": {model id: ...}}, or the inner dictionary.
    """
    if isinstance(state, (str, bytes)):
        state = json.loads(state)
    models = state.get("state", state)
    out = []
    for model in models.values():
        traits = model.get("state", {})
        if "frames" not in traits or "function" not in traits:
            continue
        block = b""
        for buffer in model.get("buffers", ()):
            if buffer["path"] == ["block"]:
                block = base64.b64decode(buffer["data"])
        out.append(SavedFigure(traits["title"], traits["function"], traits["controls"], traits, block))
    return out


def frames_from_state(state):
    """(settings, panels, text) for every frame of every figure in a widget state."""
    for figure in figures_from_state(state):
        yield from figure
