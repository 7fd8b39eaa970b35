"""nnlib: neural networks in plain NumPy, written to be read.

The modules stand on floors, with NumPy below them, and import only downward: ``nnlib.FLOORS`` says which is where.
``import nnlib`` costs a few milliseconds beyond NumPy: a module is imported when its name is first used.

The names that most programs need can be had from here, in one line::

    from nnlib import Adam, Conv2D, Dense, Sequential, fit, softmax_cross_entropy

``nnlib.NAMES`` says which they are and which module each belongs to.
"""

import importlib

__version__ = "0.1.0"

# The one list of modules. Within a floor modules may import each other, a module of a higher one never.
FLOORS = {
    5: "widgets course experiments comparison records",
    4: "plotting ensemble",
    3: "network training checkpoint diagnostics flat",
    2: "layers optimizers regularizers callbacks",
    1: "activations reductions initializers parameters losses schedules metrics data preprocessing augmentation "
    "gradcheck perceptron autodiff archive progress doors reprs foreign trace",
}
_MODULES = tuple(name for floor in sorted(FLOORS) for name in FLOORS[floor].split())

# What most programs need, by the module that has it.
NAMES = {
    "activations": "relu leaky_relu elu gelu sigmoid tanh softmax",
    "callbacks": "EarlyStopping",
    "data": "digits",
    "ensemble": "Ensemble fit_ensemble",
    "initializers": "he_normal xavier_normal",
    "layers": "Dense Activation Dropout Flatten Residual BatchNorm LayerNorm Conv2D MaxPool2D AveragePool2D "
    "GlobalAveragePool2D Embedding RNN LSTM GRU",
    "losses": "mean_squared_error binary_cross_entropy softmax_cross_entropy",
    "metrics": "accuracy",
    "network": "Sequential mlp",
    "optimizers": "SGD Momentum Adam AdamW Clipped",
    "training": "fit",
}
_HOME = {name: module for module, names in NAMES.items() for name in names.split()}

__all__ = ["FLOORS", "NAMES", "__version__", *_MODULES, *_HOME]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"nnlib.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"nnlib.{name}")
    from nnlib.foreign import no_attribute

    raise no_attribute("nnlib", name, (*_MODULES, *_HOME))


def __dir__():
    return sorted(__all__)
