"""The registry: one row for each activation, layer, loss, optimizer, schedule and initializer of nnlib.

A new one is written in its own file of nnlib and gets one row in the file of its family here.  From the row follow

- the laws of test_laws.py and test_properties.py: gradient, known values, dtype, what is left alone, symmetries;
- the comparison with PyTorch in test_reference.py, where the row says what PyTorch calls it (``torch``): live where
  PyTorch is installed, with the vectors of tests/reference otherwise (tests/reference/make_vectors.py writes them);
- the layouts and the eight threads of test_layouts.py;
- the table of rounding errors, reference/accuracy.csv, where the row has its formula in mpmath (``exact``).

nnlib's own lists give the rest: the API pages and the mutants follow ``activations.ELEMENTWISE``, ``layers.__all__``
and the files of nnlib.  A law says which public name has no row.
"""

from registry.activations import ACTIVATIONS, FUNCTIONS, POINTS
from registry.initializers import INITIALIZERS
from registry.layers import LAYERS
from registry.losses import LOSSES
from registry.optimizers import OPTIMIZERS
from registry.others import OTHERS
from registry.schedules import SCHEDULES

FAMILIES = {
    "activations": (*ACTIVATIONS, *FUNCTIONS),
    "losses": LOSSES,
    "layers": LAYERS,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
    "initializers": INITIALIZERS,
}

# "family: name" -> what is computed twice; a family is a file in tests/reference
CASES = {f"{family}: {row.name}": row.case() for family, rows in FAMILIES.items() for row in rows if row.torch} | OTHERS

__all__ = [
    "ACTIVATIONS", "CASES", "FAMILIES", "FUNCTIONS", "INITIALIZERS", "LAYERS", "LOSSES", "OPTIMIZERS", "POINTS",
    "SCHEDULES",
]  # fmt: skip
