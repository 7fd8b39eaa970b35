"""The page *What a compiler does to a network* shows the calls of today."""

import pathlib
import re

import numpy as np

from nnlib.activations import tanh
from nnlib.flat import flat
from nnlib.layers import Activation, Dense
from nnlib.losses import binary_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import SGD


def test_the_page_shows_the_calls_of_today():
    page = (pathlib.Path(__file__).parents[1] / "reference" / "compiler.md").read_text("utf8")
    network = Sequential(
        Dense(2, 16), Activation(tanh), Dense(16, 16), Activation(tanh), Dense(16, 1), rng=np.random.default_rng(0)
    )
    listing = flat(network, binary_cross_entropy, SGD(0.01), 32).listing()
    shown = re.findall(r"^\|[^|]*\|[^|]*\| `([^`]+ = [^`]+)` \|", page, re.M)
    assert shown == [text for _, text in listing], "python benchmarks/compiler.py writes the page anew"
