"""The page reference/performance, from the results of a run."""

import itertools

HEAD = """# Performance

How fast is plain NumPy? Here nnlib runs beside PyTorch and others: the same data, the same mathematics, float32, one
processor core, in turn in one process. A number above 1 says how many times nnlib is faster, one below 1 how much of
its time the other needs. Below it stand the quartiles over the pairs of one run, and below a name nnlib's own time.
`make bench` measures all of it on your machine and writes this page anew.
"""

TEXTS = {
    "training steps": """A whole step: forward, loss, backward, update. PyTorch runs eagerly, with the fastest of its
three kinds of optimizer (default, foreach, fused). With torch.compile and with JAX the loss, the gradients and the
update are one compiled graph. *Products alone* is the time of the matrix products that no NumPy program can avoid, as a
share of nnlib's step: 0.90 means that only a tenth of the step is anything else.""",
    "layers": """Forward and backward of one layer on an array (512, 1024). NumPy reads and writes memory once for each
operation, where PyTorch does several in one pass; so the layers with many short operations (softmax, LayerNorm) lose,
and those that are one slow function (tanh) or many random numbers (dropout) win.""",
    "optimizer": """One step on one vector. NumPy needs ten passes over the memory, the fused kernel one. *Its memory
traffic* is the time of a plain copy of as many numbers.""",
    "ensemble": """The same small network with 64 seeds and learning rates, on one batch. `Ensemble` stacks them, so
that a step makes as many calls as for one network. The time is that of all 64.""",
}

REASONS = """## What limits what

- **Small networks** are calls, not arithmetic: about 33 calls of NumPy at 0.4 to 1 µs each make two thirds of a step of
  2-16-16-1, what the layers check at their doors most of the rest. PyTorch pays more for each call, and compiled graphs
  less, since a graph is one call.
- **Wide networks** are matrix products. NumPy's OpenBLAS and PyTorch's MKL reach the same rate on this machine, so no
  library can be much ahead; the share in the last column says how little there is left to save.
- **BLAS picks its kernels by the processor.** On some AMD processors with AVX-512, OpenBLAS takes those for AVX2, which
  can halve the speed of wide networks; `OPENBLAS_CORETYPE=SkylakeX python ...` then asks for the others. Never set it
  on a processor without AVX-512: the program would stop with an illegal instruction. What is in use stands in the list
  above.
- **Convolutions** are fast because of the order of their memory: rows of the image first, the batch last. Then the
  kernel's height costs no copy, and each row of the output is one product that fits into the cache.
- **Memory.** Layers keep their arrays from step to step, so a step allocates next to nothing. An array that came last
  time passes a layer's door without a look.
"""


def page(result):
    """The text of the page."""
    lines = [HEAD]
    lines += [f"- {key}: {value}" for key, value in result["machine"].items()]
    for title, rows in result["tables"].items():
        lines += ["", f"## {title.capitalize()}", "", TEXTS[title], "", *table(rows)]
    lines += ["", "## Memory and import", "", *memory(result["resources"])]
    return "\n".join([*lines, "", REASONS])


def memory(resources):
    yield f"To import what a training needs costs {resources['import']:.1f} ms beyond NumPy's own import."
    if "peak" in resources:
        name, ours, theirs = resources["peak"].values()
        yield f"A process that trains {name}, has a peak of {ours:.0f} MiB,"
        yield f"with PyTorch {theirs:.0f} MiB, {theirs / ours:.1f} times as much."
    yield "After a warm-up a step leaves nothing behind (the few bytes are Python's own) and needs little for a moment:"
    yield from ("", "| | left behind, bytes | needed for a moment, KiB |", "|:--|--:|--:|")
    for row in resources["steps"]:
        yield f"| {row['name']} | {row['left']:.1f} | {row['for_a_moment'] / 1024:.1f} |"


def table(rows):
    """One table for each run of rows with the same rivals."""
    for rivals, group in itertools.groupby(rows, key=lambda row: tuple(row["ratios"])):
        yield "| | " + " | ".join(rival.replace(".", ".<wbr>") for rival in rivals) + " |"
        yield "|:--|" + "--:|" * len(rivals)
        for row in group:
            cells = [cell(row["ratios"][rival], rival) for rival in rivals]
            yield f"| {row['name']}<br><small>{row['microseconds']:,.0f} µs</small> | " + " | ".join(cells) + " |"
        yield ""


def cell(quartiles, rival):
    digits = 1 if quartiles[1] >= 10 else 2
    low, middle, high = (f"{ratio:.{digits}f}" for ratio in quartiles)
    if quartiles[1] >= 1 and rival != "products alone":
        middle = f"**{middle}**"
    return f"{middle}<br><small>{low}&#8288;–&#8288;{high}</small>"  # kept on one line by word joiners
