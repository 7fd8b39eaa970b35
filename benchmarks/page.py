"""The page reference/performance, from the results of a run."""

import itertools
import textwrap

import ensembles
import peers

CEILINGS = {name for name, entry in peers.COLUMNS.items() if entry.ceiling} | set(ensembles.CEILINGS)

HEAD = """# Performance

How fast is plain NumPy? Here nnlib runs beside PyTorch and others: the same data, the same mathematics, float32, one
processor core, in turn in one process. A number above 1 says how many times nnlib is faster, one below 1 how much of
its time the other needs. Below it stand the quartiles over the pairs of one run, and below a name nnlib's own time.
`make bench` measures all of it on your machine and writes this page anew. Contenders that start from the same weights
must first see the same losses.
"""

TEXTS = {
    "training steps": """A whole step: forward, loss, backward, update. PyTorch runs eagerly, with the fastest of its
three kinds of optimizer (default, foreach, fused). With torch.compile and with JAX the loss, the gradients and the
update are one compiled graph. *Products alone* is the time of the matrix products that no NumPy program can avoid, as a
share of nnlib's step: 0.90 means that only a tenth of the step is anything else.""",
    "flat steps": """The same steps as lists of NumPy calls, written down once from the kernels of the library (see
{doc}`compiler`), which is how `fit` takes them; the losses of several steps are computed together afterwards. The last
column is the ordinary step.""",
    "whole trainings": """Per step of a whole `fit`, with shuffling, batches, losses and accuracies kept, beside a loop
in PyTorch that does the same.""",
    "layers": """Forward and backward of one layer on an array (512, 1024). NumPy reads and writes memory once for each
operation, where PyTorch does several in one pass; so most layers are slower here, most of all
those of many short operations (LayerNorm), and those that are mainly one slow function (tanh) or many random numbers
(dropout) are faster.""",
    "optimizer": """One step on one vector. NumPy needs ten passes over the memory, the fused kernel one. *Its memory
traffic* is the time of a plain copy of as many numbers.""",
    "ensemble": """The same small network with 64 first weights and learning rates, on one batch. `Ensemble` stacks
them, so that a step makes as many calls as for one network. The time is that of all 64. The last columns are ceilings:
vmap within a graph of 100 steps, and C, one network after the other.""",
}

CEILING = """A library that is called once per step returns to Python each time. Beside it stand two programs that do
not: 100 steps of JAX as one graph (`jax.lax.scan`), and the same formulas in C without any library
(`benchmarks/plain.c`, gcc -O3 -march=native -ffast-math), which has no BLAS for wide networks. Measured in the same
run as the table above."""

REASONS = """## What limits what

- **Small networks** are calls, not arithmetic: what a step calls of NumPy and what its layers check at their doors.
  PyTorch pays more for each call, and compiled graphs less, since a graph is one call.
- **Wide networks** are matrix products, for which the libraries here call a BLAS of about the same speed. The share in
  the column *products alone* is what no NumPy program can save; of the rest a compiled graph saves the memory traffic
  between a product, its bias and its activation, and that of the optimizer.
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
        lines += ["", f"## {title.capitalize()}", "", TEXTS[title], ""]
        if title == "training steps":
            lines += [*table(rows, lambda rival: rival not in CEILINGS), *ceilings(result)]
        else:
            lines += table(rows)
    lines += ["", "## Memory and import", "", *memory(result["resources"])]
    return "\n".join([*lines, "", REASONS])


def ceilings(result):
    """The table of the ceilings, and why an ordinary step of NumPy is not there."""
    dense = [row for row in result["tables"]["training steps"] if CEILINGS & set(row["ratios"])]
    for name, why in result["left_out"].items():
        yield from (f"{name} is left out, since {why}.", "")
    if not dense:
        return
    yield from ("### Ceilings", "", CEILING, "")
    yield from table(dense, lambda rival: rival in CEILINGS or rival == "JAX jit")
    yield from textwrap.wrap(why_not_there(result, dense[0]), 118, break_on_hyphens=False)


def why_not_there(result, row):
    """The paragraph on calls, with the numbers of this run."""
    calls = result["resources"]["calls"]
    cheapest, dearest = min(calls, key=calls.get), max(calls, key=calls.get)
    ours = row["microseconds"]
    times = [f"{ratio[1] * ours:.1f} µs in {name}" for name, ratio in row["ratios"].items() if name in CEILINGS]
    text = (
        f"Why an ordinary step of NumPy cannot be there: the formulas of forward, loss, backward and update of "
        f"{row['name']} are about thirty operations on arrays, and in NumPy each is a call. On arrays of this size a "
        f"call takes from {calls[cheapest]:.1f} µs ({cheapest}) to {calls[dearest]:.1f} µs ({dearest}), most of it "
        f"before and after the arithmetic. The whole step takes {' and '.join(times)}."
    )
    many = result["tables"]["ensemble"][0]
    shares = {"nnlib": many["microseconds"] / ensembles.N_MODELS}
    shares |= {n: r[1] * shares["nnlib"] for n, r in many["ratios"].items() if n in CEILINGS}
    if len(shares) > 1:
        shares = ", ".join(f"{share:.1f} µs in {name}" for name, share in shares.items())
        text += (
            f" A call that serves {ensembles.N_MODELS} networks at once costs each of them little: there a network's "
            f"step takes {shares}."
        )
    return text


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


def table(rows, shown=lambda rival: True):
    """One table for each run of rows with the same rivals, of those that are to be shown."""
    for rivals, group in itertools.groupby(rows, key=lambda row: tuple(filter(shown, row["ratios"]))):
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
