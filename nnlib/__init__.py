"""nnlib: neural networks in plain NumPy, written to be read.

The modules stand on floors, with NumPy below them, and import only downward: ``nnlib.FLOORS`` says which is where.
``import nnlib`` costs a few milliseconds beyond NumPy: a module is imported when its name is first used.
"""

import importlib

__version__ = "0.1.0"

# The one list of modules. Within a floor modules may import each other, a module of a higher one never.
FLOORS = {
    5: "widgets course experiments comparison records",
    4: "plotting ensemble",
    3: "network training checkpoint diagnostics",
    2: "layers optimizers regularizers callbacks",
    1: "activations reductions initializers parameters losses schedules metrics data preprocessing augmentation "
    "gradcheck perceptron autodiff archive progress doors reprs foreign trace",
}
_MODULES = tuple(name for floor in sorted(FLOORS) for name in FLOORS[floor].split())

__all__ = ["FLOORS", "__version__", *_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"nnlib.{name}")
    from nnlib.foreign import no_attribute

    raise no_attribute("nnlib", name, _MODULES)


def __dir__():
    return __all__
