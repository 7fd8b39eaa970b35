"""The page reference/compiler: the calls of a flat step beside their formulas, each with its time."""

import pathlib

import numpy as np
from steps import cases
from timing import paired

from nnlib.flat import flat

PAGE = pathlib.Path(__file__).parents[1] / "reference" / "compiler.md"

# The first call of each group of calls carries its formula; X, Z and A have a column for each example.
FORMULAS = {
    "z1": r"$Z_1 = W_1^\top X + b_1$",
    "a1": r"$A_1 = \tanh Z_1$",
    "z2": r"$Z_2 = W_2^\top A_1 + b_2$",
    "a2": r"$A_2 = \tanh Z_2$",
    "z3": r"$z = W_3^\top A_2 + b_3$",
    "t1": r"$\ell = \log(1 + e^{z}) - z y$",
    "t5": r"$dz = (\sigma(z) - y) / N$",
    "sum": r"$N L = \sum \ell$",
    "slopes": r"$\tanh' = 1 - A^2$, of both layers",
    "dW3": r"$dW_3, db_3 = A_2\, dz^\top, \sum dz$",
    "dz2": r"$dZ_2 = W_3\, dz \odot \tanh'$",
    "dW2": r"$dW_2, db_2$",
    "dz1": r"$dZ_1 = W_2\, dZ_2 \odot \tanh'$",
    "dW1": r"$dW_1, db_1$",
    "scratch": r"$\theta \leftarrow \theta - \eta\, g$",
}

HEAD = """# What a compiler does to a network

A training step of a small network costs more *between* the operations than in them: each layer checks what comes in,
looks for its arrays, and calls NumPy, which looks at what it was given, too. {mod}`nnlib.flat` looks at the network
2-16-16-1 once and writes down the calls that a step comes to, on arrays that stay. It writes no formula a second
time: each kernel of the library is run once with stand-ins for its arrays ({mod}`nnlib.trace`), which write down what
is asked of them. `print(nnlib.flat.flat(network, loss, optimizer, batch_size))` shows the list for a network of
yours.

The whole step, for a batch of 32, on one core of a processor with AVX-512:
"""

TAIL = """
Three things make the list shorter than the kernels one after the other:

- **The batch lies last, and below the inputs of each layer lies a row of ones.** In `theta` the bias lies behind its
  weights, so `[W; b]` is one matrix: the product brings the bias along, and `dW` its gradient.
- **Slopes of equal activations are one call**, since their arrays lie one below the other.
- **Losses can wait.** The gradient does not need the value of the loss: in a list of many steps the calls that only
  the value needs are left out, the outputs stay, and all values are computed together at the end.

What it does not do is the rest of what compilers do. `torch.compile` and JAX's `jit` *fuse*: they write one loop that
takes each number through a whole chain such as tanh, its slope and the product, where NumPy reads and writes memory
once for each call. They also generate machine code for exactly these shapes. `lax.scan` puts the loop over the steps
into the graph as well, so that a hundred steps are one call from Python. The list here is a loop over calls that
exist already; {doc}`performance` has all of them side by side.

A list of calls has no `if`: a kernel that looks at numbers before it decides, such as that of GELU's slope, cannot be
written down and stays one call. A layer, a loss or an optimizer that has no such form makes `fit` take its ordinary
steps; `history.flat` tells which way it went, and `history.ordinary_because` why.
"""


def calls():
    """(part, call in words, seconds) of each call of the step."""
    case = next(cases())
    network, loss, optimizer = case.parts()
    step = flat(network, loss, optimizer, len(case.x))
    step(case.x, case.y)
    listing = list(step.listing())
    everything = [call.run for call in (*step.forward, *step.loss, *step.backward, *step.update)]
    contenders = {str(i): _many(run) for i, run in enumerate(everything)}
    seconds = paired(contenders, rounds=7, block=0.01)
    return [(*line, float(np.median(seconds[str(i)]))) for i, line in enumerate(listing)]


def _many(run, n=100):
    def call():
        for _ in range(n):
            run()

    call.n_steps = n
    return call


def page(found):
    lines = [HEAD, "| part | formula | call | µs |", "|:--|:--|:--|--:|"]
    for i, (part, text, seconds) in enumerate(found):
        first = all(text.split(" = ")[0] != other.split(" = ")[0] for _, other, _ in found[:i])
        formula = FORMULAS.get(text.split(" = ")[0], "") if first else ""
        begins = i == 0 or found[i - 1][0] != part
        lines.append(f"| {part if begins else ''} | {formula} | `{text}` | {1e6 * seconds:.2f} |")
    total = 1e6 * sum(seconds for *_, seconds in found)
    lines.append(f"| | **{len(found)} calls** | | {total:.1f} |")
    return "\n".join([*lines, TAIL])


def write():
    PAGE.write_text(page(calls()), "utf-8")


if __name__ == "__main__":
    write()
