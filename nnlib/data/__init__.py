"""Data: real digits and small synthetic sets, all from disk or a seeded generator, never from a network."""

from nnlib.data.logic import LOGIC, logic_table
from nnlib.data.optdigits import LOOKS, Digits, Part, digits
from nnlib.data.toys import blobs, circles, moons, spirals, xor

__all__ = ["LOGIC", "LOOKS", "Digits", "Part", "blobs", "circles", "digits", "logic_table", "moons", "spirals", "xor"]
