"""Runs first in every Python that starts with this folder on its path, kernels and workers, too: the network is off.

Python imports the first sitecustomize that it finds. Some systems bring one of their own, which runs here in its turn.
"""

import importlib.machinery
import importlib.util
import pathlib
import sys

import no_network

no_network.install()

HERE = pathlib.Path(__file__).parent
hidden = importlib.machinery.PathFinder.find_spec("sitecustomize", [p for p in sys.path if pathlib.Path(p) != HERE])
if hidden is not None:
    hidden.loader.exec_module(importlib.util.module_from_spec(hidden))
