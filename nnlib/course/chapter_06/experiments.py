"""Chapter 6's experiments: the passes of the 2-2-2 network, its long training, and its derivatives by differences."""

import functools
from dataclasses import replace
from itertools import pairwise

import numpy as np

from nnlib.activations import sigmoid
from nnlib.course.worked import two_two_two


def error(net):
    """E = sum (target - output)^2 / 2."""
    output = sigmoid(sigmoid(net.x @ net.W1 + net.b1) @ net.W2 + net.b2)
    return float(0.5 * np.sum((net.target - output) ** 2))


def passes(net):
    """Every number of a forward and a backward pass, by name."""
    z1 = net.x @ net.W1 + net.b1
    a1 = sigmoid(z1)
    z2 = a1 @ net.W2 + net.b2
    a2 = sigmoid(z2)
    errors = 0.5 * (net.target - a2) ** 2
    da2 = a2 - net.target
    slope2 = a2 * (1.0 - a2)
    dz2 = da2 * slope2
    da1 = dz2 @ net.W2.T
    slope1 = a1 * (1.0 - a1)
    dz1 = da1 * slope1
    return {
        "z1": z1, "a1": a1, "z2": z2, "a2": a2, "errors": errors, "E": float(errors.sum()),
        "da2": da2, "slope2": slope2, "dz2": dz2, "dW2": a1.T @ dz2, "db2": dz2.sum(axis=0),
        "da1": da1, "slope1": slope1, "dz1": dz1, "dW1": net.x.T @ dz1, "db1": dz1.sum(axis=0),
    }  # fmt: skip


BIASES = ("frozen", "tied", "untied")


@functools.cache
def continued(n_updates, biases="frozen", learning_rate=0.5):
    """The network after so many updates, and the errors before each of them (n_updates + 1,).

    biases: "frozen" leaves them alone, "tied" keeps one number per layer, "untied" trains one per unit.
    """
    if biases not in BIASES:
        raise ValueError(f"biases are one of {BIASES}, got {biases!r}")
    net, errors = two_two_two(), []
    for _ in range(n_updates):
        p = passes(net)
        errors.append(p["E"])
        db1, db2 = p["db1"], p["db2"]
        if biases == "tied":
            db1, db2 = np.full(2, db1.sum()), np.full(2, db2.sum())
        if biases == "frozen":
            db1, db2 = np.zeros(2), np.zeros(2)
        net = replace(
            net,
            W1=net.W1 - learning_rate * p["dW1"], b1=net.b1 - learning_rate * db1,
            W2=net.W2 - learning_rate * p["dW2"], b2=net.b2 - learning_rate * db2,
        )  # fmt: skip
    errors.append(error(net))
    return net, np.array(errors)


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


def error_nudged(net, unit, nudge):
    """E with a number added to the pre-activation of one unit."""
    layer, i = UNITS[unit]
    z1 = net.x @ net.W1 + net.b1
    z1[0, i] += nudge * (layer == 1)
    z2 = sigmoid(z1) @ net.W2 + net.b2
    z2[0, i] += nudge * (layer == 2)
    return float(0.5 * np.sum((net.target - sigmoid(z2)) ** 2))


def error_of_w5(w5, dtype=np.float64):
    """E of the 2-2-2 network as a function of w5 alone.  w5 (n,) -> (n,), computed in ``dtype``."""
    net = two_two_two()
    x, target, W1, W2, b1, b2 = (np.asarray(v, dtype) for v in (net.x, net.target, net.W1, net.W2, net.b1, net.b2))
    w5 = np.atleast_1d(np.asarray(w5, dtype))
    a1 = sigmoid(x @ W1 + b1)[0]
    o1 = sigmoid(a1[0] * w5 + a1[1] * W2[1, 0] + b2[0])
    o2 = sigmoid(a1 @ W2[:, 1] + b2[1])
    half = dtype(0.5)
    return half * (target[0, 0] - o1) ** 2 + half * (target[0, 1] - o2) ** 2


def difference(kind, eps, dtype=np.float64):
    """The forward or the central difference of E at w5 = 0.4.  eps (n,) -> (n,)"""
    w5, eps = dtype(0.4), np.atleast_1d(np.asarray(eps, dtype))
    if kind == "central":
        return (error_of_w5(w5 + eps, dtype) - error_of_w5(w5 - eps, dtype)) / (dtype(2.0) * eps)
    return (error_of_w5(w5 + eps, dtype) - error_of_w5(w5, dtype)) / eps


def relative_errors(kind, eps, dtype=np.float64):
    """|difference - derivative| / |larger of both|, at w5 = 0.4.  eps (n,) -> (n,)"""
    exact = passes(two_two_two())["dW2"][0, 0]
    found = difference(kind, eps, dtype).astype(np.float64)
    return np.abs(found - exact) / np.maximum(np.abs(found), np.abs(exact))


EXPONENTS = tuple(0.5 - k / 2 for k in range(30))  # eps = 3.2, 1, 0.32 ... 1e-14
