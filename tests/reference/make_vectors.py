"""Write PyTorch's results for every case of the registry beside this file.

    pip install torch==2.13.0
    python tests/reference/make_vectors.py

The inputs stand in the files, too, so that test_reference.py needs neither PyTorch nor the same random numbers.
"""

import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from registry import CASES  # noqa: E402
from registry import pytorch as r  # noqa: E402
from registry.differences import DIFFERENCES  # noqa: E402


def main():
    torch = r.pytorch()
    if torch is None or not torch.__version__.startswith(r.PYTORCH):
        sys.exit(f"error: the vectors come from PyTorch {r.PYTORCH}: pip install torch=={r.PYTORCH}.0")
    torch.set_num_threads(1)
    for group, names in r.in_groups(CASES).items():
        content = {}
        for name in names:
            inputs = CASES[name].draw(np.random.default_rng(r.seed_of(name)))
            content[f"{name} | inputs"] = inputs
            content[f"{name} | results"] = r.by_pytorch(torch, CASES[name], inputs)
        write(f"{group}.npz", torch.__version__, content)
    differences = {name: {"theirs": r.theirs_of(torch, difference)} for name, difference in DIFFERENCES.items()}
    write("differences.npz", torch.__version__, differences)


def write(name, version, content):
    r.store(r.FOLDER / name, version, content)
    print(f"{name:20} {(r.FOLDER / name).stat().st_size / 1000:7.1f} kB")


if __name__ == "__main__":
    main()
