"""Chapter 6's experiments: the passes and paths of the 2-2-2 network, its derivatives by differences, tuned arms."""

import functools
from dataclasses import replace
from itertools import pairwise

import numpy as np

from nnlib.activations import sigmoid, tanh
from nnlib.comparison import Arm
from nnlib.course.worked import two_two_two
from nnlib.gradcheck import numerical_gradient
from nnlib.initializers import xavier_normal
from nnlib.layers import Activation, Dense
from nnlib.losses import softmax_cross_entropy
from nnlib.metrics import accuracy
from nnlib.network import Sequential
from nnlib.optimizers import SGD


def loss_of(net):
    """L = sum (target - output)^2 / 2."""
    output = sigmoid(sigmoid(net.x @ net.W1 + net.b1) @ net.W2 + net.b2)
    return float(0.5 * np.sum((net.target - output) ** 2))


def passes(net):
    """Every number of a forward and a backward pass, by name."""
    z1 = net.x @ net.W1 + net.b1
    a1 = sigmoid(z1)
    z2 = a1 @ net.W2 + net.b2
    a2 = sigmoid(z2)
    halves = 0.5 * (net.target - a2) ** 2
    da2 = a2 - net.target
    slope2 = a2 * (1.0 - a2)
    dz2 = da2 * slope2
    da1 = dz2 @ net.W2.T
    slope1 = a1 * (1.0 - a1)
    dz1 = da1 * slope1
    return {
        "z1": z1, "a1": a1, "z2": z2, "a2": a2, "halves": halves, "L": float(halves.sum()),
        "da2": da2, "slope2": slope2, "dz2": dz2, "dW2": a1.T @ dz2, "db2": dz2.sum(axis=0),
        "da1": da1, "slope1": slope1, "dz1": dz1, "dW1": net.x.T @ dz1, "db1": dz1.sum(axis=0),
    }  # fmt: skip


def descend(learning_rate, n_steps=8, start=0.5):
    """Gradient descent on (6 w - 1)^2 / 2, whose slope is 6 (6 w - 1): the weights (n_steps + 1,)."""
    path = [start]
    for _ in range(n_steps):
        path.append(path[-1] - learning_rate * 6.0 * (6.0 * path[-1] - 1.0))
    return np.array(path)


BIASES = ("frozen", "tied", "untied")


@functools.cache
def continued(n_updates, biases="frozen", learning_rate=0.5):
    """The network after so many updates, and the losses before each of them (n_updates + 1,).

    biases: "frozen" leaves them alone, "tied" keeps one number per layer, "untied" trains one per unit.
    """
    net, losses = two_two_two(), []
    for _ in range(n_updates):
        p = passes(net)
        losses.append(p["L"])
        share = {"frozen": np.zeros_like, "tied": lambda db: np.full(2, db.sum()), "untied": np.copy}[biases]
        db1, db2 = share(p["db1"]), share(p["db2"])
        net = replace(
            net,
            W1=net.W1 - learning_rate * p["dW1"], b1=net.b1 - learning_rate * db1,
            W2=net.W2 - learning_rate * p["dW2"], b2=net.b2 - learning_rate * db2,
        )  # fmt: skip
    losses.append(loss_of(net))
    return net, np.array(losses)


def unpack(vector, sizes):
    """Weights (n_in, n_out) and biases (n_out,) of every layer, as windows into one vector (P,)."""
    weights, biases, start = [], [], 0
    for n_in, n_out in pairwise(sizes):
        weights.append(vector[start : start + n_in * n_out].reshape(n_in, n_out))
        biases.append(vector[start + n_in * n_out : start + (n_in + 1) * n_out])
        start += (n_in + 1) * n_out
    if start != len(vector):
        raise ValueError(f"layers of sizes {tuple(sizes)} have {start} parameters, got a vector of {len(vector)}")
    return weights, biases


def pack(weights, biases):
    """One vector (P,) from the weights and biases of every layer: the inverse of unpack."""
    return np.concatenate([part.ravel() for pair in zip(weights, biases, strict=True) for part in pair])


UNITS = {"h1": (1, 0), "h2": (1, 1), "o1": (2, 0), "o2": (2, 1)}


def loss_nudged(net, unit, nudge):
    """L with a number added to the pre-activation of one unit."""
    layer, i = UNITS[unit]
    z1 = net.x @ net.W1 + net.b1
    z1[0, i] += nudge * (layer == 1)
    z2 = sigmoid(z1) @ net.W2 + net.b2
    z2[0, i] += nudge * (layer == 2)
    return float(0.5 * np.sum((net.target - sigmoid(z2)) ** 2))


def loss_of_w5(w5, dtype=np.float64):
    """L of the 2-2-2 network as a function of w5 alone.  w5 (n,) -> (n,), computed in ``dtype``."""
    net = two_two_two()
    x, target, W1, W2, b1, b2 = (np.asarray(v, dtype) for v in (net.x, net.target, net.W1, net.W2, net.b1, net.b2))
    w5 = np.atleast_1d(np.asarray(w5, dtype))
    a1 = sigmoid(x @ W1 + b1)[0]
    o1 = sigmoid(a1[0] * w5 + a1[1] * W2[1, 0] + b2[0])
    o2 = sigmoid(a1 @ W2[:, 1] + b2[1])
    half = dtype(0.5)
    return half * (target[0, 0] - o1) ** 2 + half * (target[0, 1] - o2) ** 2


def difference(kind, eps, dtype=np.float64):
    """The forward or the central difference of L at w5 = 0.4.  eps (n,) -> (n,)"""
    w5, eps = dtype(0.4), np.atleast_1d(np.asarray(eps, dtype))
    back = {"central": eps, "forward": dtype(0.0) * eps}[kind]
    return (loss_of_w5(w5 + eps, dtype) - loss_of_w5(w5 - back, dtype)) / (eps + back)


def relative_errors(kind, eps, dtype=np.float64):
    """|difference - derivative| / |larger of both|, at w5 = 0.4.  eps (n,) -> (n,)"""
    exact = passes(two_two_two())["dW2"][0, 0]
    found = difference(kind, eps, dtype).astype(np.float64)
    return np.abs(found - exact) / np.maximum(np.abs(found), np.abs(exact))


EXPONENTS = tuple(0.5 - k / 2 for k in range(30))  # eps = 3.2, 1, 0.32 ... 1e-14


def reason(kind, precision, exponent):
    """What limits a difference with this step, from the errors at all steps."""
    errors = relative_errors(kind, 10.0 ** np.array(EXPONENTS), getattr(np, precision))
    best = EXPONENTS[int(errors.argmin())]
    if exponent > best:
        return "The curve bends between the two points: a smaller step would help."
    if exponent < best:
        return (
            "The two values of L agree in most of their digits, and rounding is divided by ε: a larger step would help."
        )
    return "Bend and rounding are both small: of the steps shown, this is the best."


STEPS = (
    "start", "forward: h1", "forward: h2", "forward: o1", "forward: o2", "the loss",
    "δ of o1", "δ of o2", "gradient of w5", "gradient of w6", "gradients of w7 and w8",
    "back to h1: two paths", "δ of h1", "back to h2, and its δ", "gradient of w1", "gradient of w2",
    "gradients of w3 and w4", "gradients of the biases", "update w5 to w8", "update w1 to w4",
)  # fmt: skip

WEIGHTS = {"w1": (1, 0, 0), "w2": (1, 1, 0), "w3": (1, 0, 1), "w4": (1, 1, 1),
           "w5": (2, 0, 0), "w6": (2, 1, 0), "w7": (2, 0, 1), "w8": (2, 1, 1)}  # layer, from, to  # fmt: skip


def paths(net, weight):
    """The factors along each path from the loss to a weight: {output: [(name, number), ...]}."""
    p, (layer, i, j) = passes(net), WEIGHTS[weight]

    def to_output(k):
        return [("output minus target", p["da2"][0, k]), (f"slope at o{k + 1}", p["slope2"][0, k])]

    if layer == 2:
        return {f"o{j + 1}": [*to_output(j), (f"out_h{i + 1}", p["a1"][0, i])]}
    back = [(f"slope at h{j + 1}", p["slope1"][0, j]), (f"i{i + 1}", net.x[0, i])]
    return {f"o{k + 1}": [*to_output(k), (f"w{5 + 2 * k + j}", net.W2[j, k]), *back] for k in range(2)}


def measured(net, weight, eps=1e-5):
    """The central difference of the loss by one weight."""
    layer, i, j = WEIGHTS[weight]
    step = np.zeros((2, 2))
    step[i, j] = eps
    W = getattr(net, f"W{layer}")
    above, below = (loss_of(replace(net, **{f"W{layer}": W + sign * step})) for sign in (1, -1))
    return (above - below) / (2 * eps)


class OnlyTheLastLayer(SGD):
    """SGD that leaves the first ``frozen`` parameters where they are."""

    def __init__(self, learning_rate, frozen):
        super().__init__(learning_rate)
        self.frozen = frozen

    def update(self, theta, grad, *numbers):
        grad[: self.frozen] = 0.0
        super().update(theta, grad, *numbers)


HIDDEN = 32


def two_layers(init, rng):
    """Sequential: 64 inputs, 32 tanh units, 10 logits."""
    return Sequential(Dense(64, HIDDEN, init=init), Activation(tanh), Dense(HIDDEN, 10, init=init), rng=rng)


ARMS = {
    "all layers learn": Arm(two_layers, xavier_normal),
    "hidden layer stays random": Arm(two_layers, xavier_normal, lambda r: OnlyTheLastLayer(r, 65 * HIDDEN)),
    "no hidden layer": Arm(lambda init, rng: Sequential(Dense(64, 10, init=init), rng=rng), xavier_normal),
}
RATES = dict(zip(ARMS, [0.0125 * 2.0 ** np.arange(8), 0.25 * 2.0 ** np.arange(8), 0.05 * 2.0 ** np.arange(8)]))


def remembered_slope(x, n_steps, every):
    """The slope of h <- tanh(1.1 h), done ``n_steps`` times, from every ``every``-th h; the others are made again.

    Returns (slope, the most numbers that are held at once, how often the step was computed).
    """
    kept, h = {}, x
    for step in range(n_steps):
        if step % every == 0:
            kept[step] = h
        h = np.tanh(1.1 * h)
    slope, held, made = 1.0, len(kept), n_steps
    for start in reversed(list(kept)):
        piece = [kept[start]]
        for _ in range(start + 1, min(start + every, n_steps)):
            piece.append(np.tanh(1.1 * piece[-1]))
            made += 1
        held = max(held, len(kept) + len(piece) - 1)
        for h in reversed(piece):
            slope *= 1.1 * (1.0 - np.tanh(1.1 * h) ** 2)
        del kept[start]
    return slope, held, made


def expanded_loss(x, y, W1, W2):
    """The double sum.   x (1 + D,), y (K,), W1 (1 + D, n_1), W2 (1 + n_1, K); the units 0 hold 1"""
    loss = 0.0
    for k in range(len(y)):
        z_k = W2[0, k]
        for j in range(1, len(W2)):
            z_k += W2[j, k] * sigmoid(sum(W1[i, j - 1] * x[i] for i in range(len(x))))
        loss += 0.5 * (y[k] - sigmoid(z_k)) ** 2
    return loss


def product(delta, W, zs, transposed=True):
    """delta of the first layer: that of the last times every later W^T, each followed by slopes."""
    for layer in reversed(range(1, len(W))):
        slopes = np.diag(tanh.derivative(zs[layer - 1][0]))
        delta = delta @ (W[layer].T if transposed else W[layer]) @ slopes
    return delta


def product_check(rng, width):
    """The first layer's gradients by three products, and by small steps, in a net of equal widths."""
    W, b = [rng.normal(size=(width, width)) / 2 for _ in range(3)], rng.normal(size=(3, width))
    x, label = rng.normal(size=(1, width)), np.array([2])

    def forward(W0):
        zs = [x @ W0 + b[0]]
        for layer in (1, 2):
            zs.append(tanh(zs[-1]) @ W[layer] + b[layer])
        return zs

    zs = forward(W[0])
    delta = softmax_cross_entropy(zs[-1], label)[1]
    deltas = {
        "as the formula says": product(delta, W, zs),
        "transposes forgotten": product(delta, W, zs, transposed=False),
        "slopes without the bias": product(delta, W, [z - b_l for z, b_l in zip(zs, b)]),
    }
    by_steps = numerical_gradient(lambda W0: softmax_cross_entropy(forward(W0)[-1], label)[0], W[0])
    return {name: x.T @ d for name, d in deltas.items()}, by_steps


def short_training(forward, backward, data, sizes, seed, optimizer, f_backward, n_steps=150, only_misread=False):
    """(loss of the first ten batches, of the last ten, validation accuracy) of a tanh network.

    The slopes of the backward pass are those of f_backward: tanh is right, the identity forgets them.
    """
    rng, losses = np.random.default_rng(seed), []
    theta = pack([xavier_normal(rng, s) for s in pairwise(sizes)], [np.zeros(n) for n in sizes[1:]])
    W, b = unpack(theta, sizes)  # windows: when theta changes, they change
    for batch in rng.integers(0, len(data.train.y), (n_steps, 32)):
        zs, activations = forward(data.train.x[batch], W, b, tanh)
        loss, delta = softmax_cross_entropy(zs[-1], data.train.y[batch])
        if only_misread:
            delta[zs[-1].argmax(axis=1) == data.train.y[batch]] = 0.0
        dW, db, _ = backward(delta, zs, activations, W, f_backward)
        optimizer.step(theta, pack(dW, db))
        losses.append(loss)
    logits = forward(data.validation.x, W, b, tanh)[0][-1]
    return np.mean(losses[:10]), np.mean(losses[-10:]), accuracy(logits, data.validation.y)
