"""The ward: trainings on digits in which one thing is wrong, what a dashboard shows, and the signs."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib.activations import relu, sigmoid, softmax, softmax_backward, tanh
from nnlib.data import digits
from nnlib.initializers import he_normal, normal, xavier_normal
from nnlib.losses import softmax_cross_entropy
from nnlib.network import mlp

N_STEPS, EVERY = 400, 5
HEALTHY = {
    "f": relu, "init": he_normal, "rate": 0.1, "n": 1024, "batch_size": 32, "labels": "right", "order": "shuffled",
    "bias": 0.0, "decay": 0.0, "frozen": None, "twice": False,
}  # fmt: skip
ILL = {
    "the learning rate is too large": {"rate": 2.0},
    "the learning rate is too small": {"rate": 3e-4},
    "the first weights are too small": {"init": normal(0.003)},
    "the first weights are too large": {"f": tanh, "init": normal(2.0)},
    "sigmoid units pass too little back": {"f": sigmoid, "init": xavier_normal},
    "units are dead": {"bias": -4.0},
    "the labels are shuffled": {"labels": "shuffled"},
    "the examples come sorted by label": {"order": "sorted"},
    "there are too few examples": {"n": 40},
    "one layer is never updated": {"frozen": 2},
    "softmax is applied twice": {"twice": True},
    "weight decay is too strong": {"decay": 0.3},
}


@dataclass
class Chart:
    """What the dashboard shows of one training, every few steps: arrays (T,) or, one row a layer, (4, T) and (3, T)."""

    steps: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    accuracy: np.ndarray  # on the digits held out
    gradients: np.ndarray  # ||dL/dW|| of each layer
    ratios: np.ndarray  # ||step|| / ||W|| of each layer
    sizes: np.ndarray  # ||W|| of each layer
    flat: np.ndarray  # share of the outputs of each hidden layer where the activation's slope is below 0.05


def softmax_twice(z, labels):
    """The bug: probabilities handed to a loss that takes logits."""
    p = softmax(z)
    value, dp = softmax_cross_entropy(p, labels)
    return value, softmax_backward(dp, p)


@functools.cache
def chart(illness=None, seed=0):
    """The `Chart` of a 64-32-32-32-10 network that learns digits, healthy or with one thing wrong."""
    made = HEALTHY | ILL.get(illness, {})
    rng = np.random.default_rng([77, seed])
    (x, y), (x_new, y_new) = digits().train, digits().validation
    chosen = rng.permutation(len(x))[: made["n"]]
    x, y = x[chosen], y[chosen]
    y = rng.permutation(y) if made["labels"] == "shuffled" else y
    network = mlp((64, 32, 32, 32, 10), made["f"], made["init"], rng, dtype=np.float64)
    dense, between = network.layers[::2], network.layers[1::2]
    for layer in dense[:-1]:
        layer.b.value[...] = made["bias"]
    loss = softmax_twice if made["twice"] else softmax_cross_entropy
    rows, places, recent = [], [], []
    for step in range(N_STEPS + 1):
        if len(places) < made["batch_size"]:
            places = list(rng.permutation(len(x)) if made["order"] == "shuffled" else np.argsort(y, kind="stable"))
        batch, places = places[: made["batch_size"]], places[made["batch_size"] :]
        with np.errstate(all="ignore"):
            value, dout = loss(network.forward(x[batch]), y[batch])
            network.backward(dout, input_gradient=False)
            recent.append(value)
            moved = [made["rate"] * (layer.W.grad + made["decay"] * layer.W.value) for layer in dense]
            if made["frozen"] is not None:
                moved[made["frozen"]] *= 0.0
            if step % EVERY == 0:
                output = network.predict(x_new)
                flat = [np.mean(part.function.derivative(part.x) < 0.05) for part in between]
                sizes = [np.linalg.norm(layer.W.value) for layer in dense]
                rows.append([
                    step, np.mean(recent), loss(output, y_new)[0], np.mean(output.argmax(axis=1) == y_new),
                    [np.linalg.norm(layer.W.grad) for layer in dense],
                    [np.linalg.norm(m) / size for m, size in zip(moved, sizes)], sizes, flat,
                ])  # fmt: skip
                recent = []
            for layer, m in zip(dense, moved):
                layer.W.value[...] -= m
                layer.b.value[...] -= made["rate"] * layer.b.grad * np.any(m)
    return Chart(*(np.array(column).T for column in zip(*rows)))


# --- what to look for -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sign:
    """What a diagnosis would show, what a chart shows instead (with a number), whether it is there, and the mend."""

    expected: str
    seen: Callable  # chart -> (whether, sentence)
    mend: str


def _thrown(c):
    largest = float(c.ratios[:, :10].max())
    return largest > 0.2, f"the largest early step changes a layer by {largest:.2g} of its size"


def _small(c):
    largest, gradient = float(c.ratios.max()), float(c.gradients[0].mean())
    return 0.0 < largest < 1e-3 and gradient > 0.1, f"the largest step changes a layer by {largest:.1g} of its size"


def _first(c):
    first = float(c.gradients[:3, 0].max())
    return 0.0 < first < 5e-3, f"the largest first gradient of a hidden layer is {first:.2g}"


def _saturated(c):
    share = float(c.flat[:, 0].min())
    return 0.7 < share < 0.98, f"the layers begin with {share:.0%} or more of their outputs where the slope is near 0"


def _vanishing(c):
    share = float(c.gradients[0, 0] / c.gradients[-1, 0]) if c.gradients[-1, 0] else math.nan
    known = math.isfinite(share) and c.gradients[0, 0] > 1e-3
    said = "no weight of the last layer has a gradient" if math.isnan(share) else ""
    said = said or f"the first layer's first gradient is {share:.2g} times the last layer's"
    return known and share < 0.1 and c.flat.max() < 0.05, said


def _dead(c):
    share = float(c.flat[:, 0].max())
    return share == 1.0, f"the fullest layer begins with {share:.0%} of its outputs where the slope is 0"


def _unlearnable(c):
    gradient, best = float(c.gradients[0].mean()), float(c.accuracy.mean())
    moving = gradient > 0.1 and float(c.ratios[0].mean()) > 1e-3 and c.sizes[0, -1] > 0.9 * c.sizes[0, 0]
    same = best < 0.2 and c.ratios[:, :10].max() < 0.1
    return moving and same, f"the first gradient stays at {gradient:.2g} on average and {best:.0%} is the mean accuracy"


def _sorted(c):
    jumps = int(np.sum(np.diff(c.train) > 0.5))
    return jumps >= 5, f"the training loss jumps up by more than 0.5 {jumps} times"


def _overfit(c):
    gap = float(c.validation[-1] - c.train[-1])
    return gap > 0.4 and c.train[-1] < 0.1, (
        f"at the end training stands at {c.train[-1]:.2f} and validation at {c.validation[-1]:.2f}"
    )


def _frozen(c):
    still = (c.ratios.max(axis=1) == 0.0) & (c.gradients.max(axis=1) > 0.0)
    return bool(still.any()), f"{'one layer has' if still.any() else 'no layer has'} a gradient and no steps"


def _twice(c):
    best, lowest = float(c.accuracy[-1]), float(c.train.min())
    return best > 0.4 and lowest > 1.4612, f"the lowest training loss is {lowest:.2f}, the last accuracy {best:.0%}"


def _decay(c):
    share = float((c.sizes[:, -1] / c.sizes[:, 0]).min())
    return share < 0.5, f"the layer that shrank most has {share:.2g} of its first size"


SIGNS = dict(
    zip(
        ILL,
        (
            Sign("the first steps would change a layer by a large part of its size", _thrown, "divide the rate by 10"),
            Sign("gradients would be ordinary and steps tiny", _small, "multiply the rate by 10, until it breaks"),
            Sign("hidden gradients would be tiny from the first step on", _first, "He's or Xavier's weights"),
            Sign("most outputs would begin where the slope is near 0", _saturated, "He's or Xavier's weights"),
            Sign(
                "gradients would shrink toward the first layer while no unit is saturated",
                _vanishing,
                "ReLU or tanh, or four times larger weights",
            ),
            Sign("a whole layer would have slope 0, and no gradient at all", _dead, "biases of 0, a smaller rate"),
            Sign(
                "gradients and steps would be ordinary while accuracy stays at chance",
                _unlearnable,
                "look at ten examples with their labels",
            ),
            Sign("the training loss would jump whenever a new class begins", _sorted, "shuffle every epoch"),
            Sign("training would go to 0 and validation not", _overfit, "more examples, or chapter 13"),
            Sign("one layer's steps would be exactly 0 although it has gradients", _frozen, "give it to the optimizer"),
            Sign(
                "accuracy would rise while the loss cannot fall below log(e + 9) − 1 = 1.46",
                _twice,
                "hand logits to the loss",
            ),
            Sign("the weights would shrink", _decay, "a smaller penalty"),
        ),
        strict=True,
    )
)
