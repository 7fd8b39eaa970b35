"""The sixteen Boolean functions of two inputs, as data sets of four points."""

import numpy as np

# Outputs for the inputs (0, 0), (0, 1), (1, 0), (1, 1), in the order of the binary numbers they spell.
LOGIC = {
    "FALSE": (0, 0, 0, 0),
    "AND": (0, 0, 0, 1),
    "x1 AND NOT x2": (0, 0, 1, 0),
    "x1": (0, 0, 1, 1),
    "x2 AND NOT x1": (0, 1, 0, 0),
    "x2": (0, 1, 0, 1),
    "XOR": (0, 1, 1, 0),
    "OR": (0, 1, 1, 1),
    "NOR": (1, 0, 0, 0),
    "XNOR": (1, 0, 0, 1),
    "NOT x2": (1, 0, 1, 0),
    "x1 OR NOT x2": (1, 0, 1, 1),
    "NOT x1": (1, 1, 0, 0),
    "x2 OR NOT x1": (1, 1, 0, 1),
    "NAND": (1, 1, 1, 0),
    "TRUE": (1, 1, 1, 1),
}


def logic_table(name):
    """Return the truth table of one of the 16 functions in ``LOGIC``: x (4, 2) float32, y (4,) int64.

    The rows are (0, 0), (0, 1), (1, 0), (1, 1).

    Raises
    ------
    ValueError
        If there is no function of that name.
    """
    if name not in LOGIC:
        raise ValueError(f"no Boolean function {name!r}; there are: {', '.join(LOGIC)}")
    x = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], dtype=np.float32)
    return x, np.array(LOGIC[name], dtype=np.int64)
