"""Archive: arrays and a header in one .npz file, written whole or not at all, read without executing anything.

json, pathlib and zipfile are imported where they are used: together they take longer than all of nnlib's training.
"""

import contextlib
import os

import numpy as np


@contextlib.contextmanager
def whole(path):
    """A file to write into, which stands at ``path`` (in a folder that exists) once all of it is on the disk.

    Raises
    ------
    OSError
        Where the disk does not take it; an older file is then as it was.
    """
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        error.add_note(f"{path} was not written; a file that stood there is unchanged")
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)


def write(path, header, arrays):
    """Write a header (what JSON can say) and a dict of arrays; an older file is replaced only by a whole new one.

    Raises
    ------
    OSError
        Where the disk does not take it; the older file is then as it was.
    """
    import json
    import pathlib

    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is no folder: make it first")
    with whole(path) as file:
        np.savez(file, header=np.array(json.dumps(header)), **arrays)


def read(path, form, kind):
    """The header and the arrays that ``write`` wrote, the header's "format" being ``form``; ``kind`` is for messages.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is damaged, cut short, compressed, of another format, or holds what must be executed.
    """
    import json
    import pathlib
    import zipfile

    path = pathlib.Path(path)
    try:
        with open(path, "rb") as file:
            with zipfile.ZipFile(file) as members:
                if sum(member.file_size for member in members.infolist()) > path.stat().st_size:
                    raise ValueError("it claims to hold more than its own size")
            file.seek(0)
            with np.load(file, allow_pickle=False) as content:
                arrays = {name: content[name] for name in content.files}
        header = json.loads(str(arrays.pop("header")))
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file may break anything that reads it, down to the parser of its header
        raise ValueError(f"{path} is not a whole {kind} file: {error}") from error
    if not isinstance(header, dict) or header.get("format") != form:
        raise ValueError(f"{path} is not of the format {form!r}")
    return header, arrays


# What building something from a malicious description may raise.
DAMAGE = (
    ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError, MemoryError
)  # fmt: skip


# --- nested values ----------------------------------------------------------------------------------------------------


def pack(value, arrays):
    """A value of dicts, lists, tuples, numbers, text, None and arrays, in the words of JSON; arrays go into ``arrays``.

    Tuples come back as lists; everything else comes back as it was, to the last bit.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            raise TypeError(f"the keys of a kept dict are text, got {list(value)!r}")
        return {"dict": {key: pack(v, arrays) for key, v in value.items()}}
    if isinstance(value, list | tuple) and len(value) > FEW and set(map(type, value)) == {float}:
        return {"floats": _put(np.array(value), arrays)}
    if isinstance(value, list | tuple):
        return [pack(v, arrays) for v in value]
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return {"scalar" if isinstance(value, np.generic) else "array": _put(np.array(value), arrays)}
    raise TypeError(f"numbers, text, None, lists, dicts and arrays of numbers can be kept, got {value!r}")


FEW = 8  # numbers that JSON holds as well as an array


def unpack(packed, arrays):
    """The value that ``pack`` packed."""
    if isinstance(packed, list):
        return [unpack(v, arrays) for v in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "dict":
        return {key: unpack(v, arrays) for key, v in content.items()}
    array = arrays[content]
    return {"array": lambda: array, "scalar": lambda: array[()], "floats": array.tolist}[kind]()


def _put(array, arrays):
    name = f"array_{len(arrays)}"
    arrays[name] = array
    return name
