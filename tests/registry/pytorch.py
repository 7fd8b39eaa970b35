"""PyTorch's results: computed where it is installed, and stored in tests/reference for those who have none."""

import json
import pathlib
import warnings
import zlib

import numpy as np

PYTORCH = "2.13"  # the version whose numbers are stored
FOLDER = pathlib.Path(__file__).parents[1] / "reference"


def pytorch():
    """PyTorch, or None where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what an import of another library warns of is not ours
        try:
            import torch
        except ImportError:
            return None
    return torch


def seed_of(name):
    return zlib.crc32(name.encode())


def by_pytorch(torch, case, inputs):
    """PyTorch's results for a case, as arrays."""
    tensors = {key: torch.as_tensor(np.array(value)) for key, value in inputs.items()}
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)  # also of what its optimizers keep: NAdam's product of mu
    try:
        return {key: np.asarray(value) for key, value in case.theirs(torch, tensors).items()}
    finally:
        torch.set_default_dtype(torch.float32)


def theirs_of(torch, difference):
    torch.manual_seed(0)
    return np.atleast_1d(np.asarray(difference.theirs(torch), np.float64))


def in_groups(names):
    """The names of each file."""
    groups = {}
    for name in names:
        groups.setdefault(name.split(":")[0], []).append(name)
    return groups


def store(path, version, content):
    """Write {name: {key: array}} as one vector and its table of contents: a file of few numbers stays small."""
    table = {
        name: [[key, np.asarray(value).dtype.kind, np.shape(value)] for key, value in arrays.items()]
        for name, arrays in content.items()
    }
    flat = [np.ravel(value).astype(np.float64) for arrays in content.values() for value in arrays.values()]
    numbers = np.concatenate([np.zeros(0), *flat])
    np.savez_compressed(path, pytorch=version, table=json.dumps(table), numbers=numbers)


def load(path):
    """What ``store`` wrote: the version and {name: {key: array}}."""
    with np.load(path, allow_pickle=False) as file:
        version, table, numbers = str(file["pytorch"]), json.loads(str(file["table"])), file["numbers"]
    content, start = {}, 0
    for name, arrays in table.items():
        content[name] = {}
        for key, kind, shape in arrays:
            size = int(np.prod(shape))
            value = numbers[start : start + size].reshape(shape)
            content[name][key] = value.astype(np.int64) if kind in "iu" else value
            start += size
    return version, content
