"""Words and numbers: how figures and messages say them."""

import math
import re

import numpy as np


def minus(text):
    """Hyphens that are minus signs as minus signs."""
    return re.sub(r"(?<![A-Za-z])-|(?<=\de)-", "−", text)


def number(value):
    """Two digits without exponent: −0.13, 0.0052, 970,000."""
    if not math.isfinite(value) or abs(value) > 1e6:
        return "more than a million"
    if abs(value) < 5e-7:
        return "0"
    value = float(f"{value:.2g}")
    text = f"{value:,.0f}" if abs(value) >= 10 else np.format_float_positional(value, trim="-")
    return text.replace("-", "−")


def size(value):
    """A size in words where it vanished or overflowed, else with two digits."""
    if value == 0:
        return "exactly 0"
    return "less than a millionth" if value < 1e-6 else number(value)


def magnitude(value):
    """A relative error in words: percent where it is large, else the nearest power of ten."""
    if value >= 0.01:
        return f"{value:.0%}"
    return f"{10.0 ** round(math.log10(value)):.0e}".replace("e-0", "e-").replace("e+00", "")


def terms(*pairs):
    """A sum as people write it, from pairs (factor, name): 1 x₁ − 2 x₂ + 0.5."""
    text = ""
    for value, name in pairs:
        sign = "−" if value < 0 else "+"
        text += f" {sign} {abs(value):g}{name}" if text else f"{'−' if value < 0 else ''}{abs(value):g}{name}"
    return text
