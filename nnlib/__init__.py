"""nnlib: neural networks in plain NumPy, written to be read.

The modules stand on floors and import only downward::

    5  widgets  course  experiments  comparison  records
    4  plotting  ensemble
    3  network  training  checkpoint  diagnostics
    2  layers  optimizers  regularizers  callbacks
    1  activations  reductions  initializers  parameters  losses  schedules  metrics
       data  preprocessing  augmentation  gradcheck  perceptron  autodiff
       archive  progress  doors  reprs  foreign
    0  numpy

``import nnlib`` costs a few milliseconds beyond NumPy: a module is imported when its name is first used.
"""

import importlib

__version__ = "0.1.0"

_MODULES = (
    "activations", "reductions", "initializers", "parameters", "losses", "schedules", "metrics", "data", "gradcheck",
    "callbacks", "archive", "perceptron", "autodiff", "layers", "optimizers", "network", "plotting", "training",
    "widgets", "course", "ensemble", "diagnostics", "regularizers", "preprocessing", "augmentation", "experiments",
    "comparison", "records", "checkpoint", "progress", "doors", "reprs", "foreign",
)  # fmt: skip

__all__ = ["__version__", *_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"nnlib.{name}")
    raise AttributeError(f"nnlib has no module {name!r}; it has {', '.join(_MODULES)}")


def __dir__():
    return __all__
