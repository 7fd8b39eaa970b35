"""What nnlib and PyTorch both compute: one line here brings a kernel under test_reference.py and into its vectors.

A case draws its inputs and computes the same named results from them twice.  The arrays of a layer are compared in
nnlib's own layout: ``turn`` brings each parameter into PyTorch's, and its gradient back.
"""

import inspect
import json
import pathlib
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnlib import activations as a
from nnlib import initializers, losses, optimizers, schedules
from nnlib import layers as l
from nnlib.network import Sequential

PYTORCH = "2.13"  # the version whose numbers are stored


@dataclass(frozen=True)
class Case:
    """One computation, done twice.

    Parameters
    ----------
    draw : callable
        ``draw(rng)`` gives the inputs, a dict of arrays.
    ours : callable
        ``ours(inputs, dtype)`` gives nnlib's results, a dict of arrays.
    theirs : callable
        ``theirs(torch, inputs)`` gives PyTorch's under the same names; the inputs are tensors, float64 or int64.
    rtol, atol : float
        How far the two may be apart in float64: rounding, unless ``why`` gives another reason.
    rtol32 : float
        How far nnlib in float32 may be from PyTorch in float64.
    """

    draw: Callable
    ours: Callable
    theirs: Callable
    rtol: float = 1e-10
    atol: float = 1e-12
    why: str = ""
    rtol32: float = 2e-5


CASES = {}  # "group: name" -> Case; a group is a file in tests/reference


def grid(rng, *shape):
    """Normal numbers, rounded to 64ths: they are the same in float32 and take little room in a file."""
    return np.round(64.0 * rng.normal(size=shape)) / 64.0


def between(rng, *shape):
    """As :func:`grid`, but halfway between the 64ths: never on a kink."""
    return (np.floor(64.0 * rng.normal(size=shape)) + 0.5) / 64.0


def slope_of(torch, function, z):
    """function(z) and its derivative, number by number, by PyTorch's autograd."""
    z = z.clone().requires_grad_()
    value = function(z)
    if value.requires_grad:
        value.sum().backward()
    return {"value": value.detach(), "slope": torch.zeros_like(z) if z.grad is None else z.grad}


# --- activations: values and derivatives, at their kinks and far out --------------------------------------------------

FAR = np.array([1e-30, 1e-8, 1e-3, 3.0, 5.9, 8.0, 20.5, 40.0, 100.0, 700.0])


def activation(f, theirs, **tolerance):
    CASES[f"activations: {f!r}"] = Case(
        draw=lambda rng: {"z": np.concatenate([3.0 * grid(rng, 20), [0.0], FAR, -FAR])},
        ours=lambda i, dtype: {"value": f(i["z"].astype(dtype)), "slope": f.derivative(i["z"].astype(dtype))},
        theirs=lambda torch, i: slope_of(torch, lambda z: theirs(torch, z), i["z"]),
        **tolerance,
    )


cancels = {"atol": 1e-13, "why": "PyTorch takes 1 + erf and 1 + tanh, which cancel far to the left"}
activation(a.identity, lambda torch, z: torch.nn.Identity()(z))
activation(a.step, lambda torch, z: torch.heaviside(z.detach(), z.new_ones(())))
activation(a.sigmoid, lambda torch, z: torch.sigmoid(z), atol=0.0)
activation(a.tanh, lambda torch, z: torch.tanh(z))
activation(a.softsign, lambda torch, z: torch.nn.functional.softsign(z), atol=0.0)
activation(
    a.hard_sigmoid,
    lambda torch, z: torch.nn.functional.hardsigmoid(z),
    rtol=1e-7,
    why="PyTorch's 1/6 in the derivative is that of float32",
)
activation(a.relu, lambda torch, z: torch.relu(z), atol=0.0)
activation(a.leaky_relu(), lambda torch, z: torch.nn.functional.leaky_relu(z), atol=0.0)
activation(a.leaky_relu(1.5), lambda torch, z: torch.nn.functional.leaky_relu(z, 1.5), atol=0.0)
activation(a.elu(), lambda torch, z: torch.nn.functional.elu(z))
activation(a.elu(0.3), lambda torch, z: torch.nn.functional.elu(z, 0.3))
activation(a.selu, lambda torch, z: torch.selu(z))
activation(a.celu(), lambda torch, z: torch.celu(z))
activation(a.celu(2.5), lambda torch, z: torch.celu(z, 2.5))
activation(a.softplus, lambda torch, z: torch.nn.functional.softplus(z, threshold=705.0), atol=0.0)
activation(a.swish(), lambda torch, z: torch.nn.functional.silu(z))
activation(a.swish(0.4), lambda torch, z: z * torch.sigmoid(0.4 * z))
activation(a.gelu, lambda torch, z: torch.nn.functional.gelu(z), **cancels)
activation(a.gelu_tanh, lambda torch, z: torch.nn.functional.gelu(z, approximate="tanh"), **cancels)
activation(a.gelu_sigmoid, lambda torch, z: z * torch.sigmoid(1.702 * z))
activation(a.mish, lambda torch, z: torch.nn.functional.mish(z))
activation(a.hard_swish, lambda torch, z: torch.nn.functional.hardswish(z))
activation(a.sine, lambda torch, z: torch.sin(z))
activation(a.square, lambda torch, z: torch.square(z), atol=0.0)

CASES["activations: normal_cdf and normal_density"] = Case(
    draw=lambda rng: {"z": np.concatenate([3.0 * grid(rng, 20), [0.0], FAR[:-2], -FAR[:-3]])},
    ours=lambda i, dtype: {
        "value": a.normal_cdf(i["z"].astype(dtype)),
        "slope": a.normal_density(i["z"].astype(dtype)),
    },
    theirs=lambda torch, i: slope_of(torch, lambda z: 0.5 * torch.special.erfc(z * -(0.5**0.5)), i["z"]),
    atol=0.0,
)


def softmax(name, axis, forward, backward):
    def ours(i, dtype):
        out = forward(i["z"].astype(dtype), axis=axis)
        return {"out": out, "dz": backward(i["dout"].astype(dtype), out, axis=axis)}

    def theirs(torch, i):
        z = i["z"].clone().requires_grad_()
        out = getattr(torch, name)(z, dim=axis)
        out.backward(i["dout"])
        return {"out": out.detach(), "dz": z.grad}

    def draw(rng):
        z = 4.0 * grid(rng, 3, 4, 2)
        z[0, 0] = 900.0  # exp overflows
        return {"z": z, "dout": grid(rng, 3, 4, 2)}

    CASES[f"activations: {name}, axis {axis}"] = Case(draw, ours, theirs)


for _axis in (-1, 0, 1):
    softmax("softmax", _axis, a.softmax, a.softmax_backward)
    softmax("log_softmax", _axis, a.log_softmax, a.log_softmax_backward)


# --- losses: value and gradient ---------------------------------------------------------------------------------------


def loss(name, ours, theirs, draw):
    def both(torch, i):
        output = i["output"].clone().requires_grad_()
        value = theirs(torch.nn.functional, output, i.get("target"))
        value.backward()
        return {"value": value.detach(), "gradient": output.grad}

    CASES[f"losses: {name}"] = Case(
        draw=draw,
        ours=lambda i, dtype: dict(zip(("value", "gradient"), ours(i["output"].astype(dtype), i.get("target")))),
        theirs=both,
    )


def outputs(rng, targets, *shape):
    return {"output": 2.0 * between(rng, *shape), **({} if targets is None else {"target": targets})}


def classes(rng, n=7, k=4):
    return outputs(rng, rng.integers(0, k, n), n, k)


def distributions(rng, n=7, k=4):
    return outputs(rng, np.round(64.0 * rng.dirichlet(np.ones(k), n)) / 64.0, n, k)


CLASS_WEIGHTS = [0.2, 1.0, 3.0, 0.5]

loss(
    "mean_squared_error",
    losses.mean_squared_error,
    lambda F, output, target: F.mse_loss(output, target),
    lambda rng: outputs(rng, grid(rng, 5, 3), 5, 3),
)
loss(
    "mean_absolute_error",
    losses.mean_absolute_error,
    lambda F, output, target: F.l1_loss(output, target),
    lambda rng: {"output": np.round(grid(rng, 5, 3)), "target": np.round(grid(rng, 5, 3))},  # often equal
)
for _delta in (1.0, 0.3):
    loss(
        f"huber, delta {_delta}",
        losses.huber(delta=_delta),
        lambda F, output, target, delta=_delta: F.huber_loss(output, target, delta=delta),
        lambda rng: outputs(rng, grid(rng, 5, 3), 5, 3),
    )
loss(
    "hinge",
    losses.hinge,
    lambda F, output, target: F.hinge_embedding_loss(output * target, -output.new_ones(output.shape)),
    lambda rng: outputs(rng, rng.choice([-1.0, 1.0], 9), 9),
)
loss(
    "binary_cross_entropy",
    losses.binary_cross_entropy,
    lambda F, output, target: F.binary_cross_entropy_with_logits(output, target),
    lambda rng: outputs(rng, np.round(64.0 * rng.random((5, 3))) / 64.0, 5, 3),
)
loss(
    "binary_cross_entropy, far out",
    losses.binary_cross_entropy,
    lambda F, output, target: F.binary_cross_entropy_with_logits(output, target),
    lambda rng: {"output": 300.0 * grid(rng, 9), "target": rng.integers(0, 2, 9).astype(float)},
)
loss(
    "softmax_cross_entropy, class numbers",
    losses.softmax_cross_entropy,
    lambda F, output, target: F.cross_entropy(output, target),
    classes,
)
loss(
    "softmax_cross_entropy, distributions",
    losses.softmax_cross_entropy,
    lambda F, output, target: F.cross_entropy(output, target),
    distributions,
)
loss(
    "softmax_cross_entropy, class weights",
    losses.softmax_cross_entropy(weights=CLASS_WEIGHTS),
    lambda F, output, target: F.cross_entropy(output, target, output.new_tensor(CLASS_WEIGHTS)),
    classes,
)
loss(
    "softmax_cross_entropy, label smoothing",
    losses.softmax_cross_entropy(label_smoothing=0.2),
    lambda F, output, target: F.cross_entropy(output, target, label_smoothing=0.2),
    classes,
)
loss(
    "softmax_cross_entropy, smoothed distributions",
    losses.softmax_cross_entropy(label_smoothing=0.2),
    lambda F, output, target: F.cross_entropy(output, target, label_smoothing=0.2),
    distributions,
)
loss(
    "softmax_cross_entropy, class weights and label smoothing",
    losses.softmax_cross_entropy(weights=CLASS_WEIGHTS, label_smoothing=0.2),
    lambda F, output, target: F.cross_entropy(output, target, output.new_tensor(CLASS_WEIGHTS), label_smoothing=0.2),
    classes,
)


def focal(F, output, target, gamma):
    """PyTorch has none: eq. 4 of Lin et al. 2017, differentiated by autograd."""
    log_p = -F.cross_entropy(output, target, reduction="none")
    return -((1.0 - log_p.exp()) ** gamma * log_p).mean()


for _gamma in (0.0, 0.5, 1.0, 1.5, 2.0, 3.5):
    loss(
        f"focal, gamma {_gamma}",
        losses.focal(gamma=_gamma),
        lambda F, output, target, gamma=_gamma: focal(F, output, target, gamma),
        classes,
    )
loss(
    "distillation",
    losses.distillation(temperature=3.0),
    lambda F, output, target: (
        9.0
        * F.kl_div((output / 3.0).log_softmax(1), (target / 3.0).log_softmax(1), reduction="batchmean", log_target=True)
    ),
    lambda rng: outputs(rng, 2.0 * grid(rng, 5, 4), 5, 4),
)


def contrastive(output, same, margin):
    """PyTorch has none: eq. 4 of Hadsell et al. 2006, differentiated by autograd."""
    d = (output[0::2] - output[1::2]).norm(dim=1)
    return (same * d**2 + (1 - same) * (margin - d).clamp(min=0.0) ** 2).mean() / 2.0


loss(
    "contrastive",
    losses.contrastive(margin=3.0),
    lambda F, output, target: contrastive(output, target, 3.0),
    lambda rng: outputs(rng, np.arange(8) % 2, 16, 2),
)
loss(
    "triplet",
    losses.triplet(margin=0.7),
    lambda F, output, target: F.triplet_margin_with_distance_loss(
        output[0::3], output[1::3], output[2::3], distance_function=lambda u, v: ((u - v) ** 2).sum(1), margin=0.7
    ),
    lambda rng: {"output": rng.normal(size=(15, 2))},
)


# --- layers: forward, gradients of the input and of every parameter, statistics ---------------------------------------


def same(w):
    return w


def transposed(w):
    return w.T


SCALE_AND_SHIFT = {"gamma": ("weight", same), "beta": ("bias", same)}
WEIGHT_AND_BIAS = {"W": ("weight", same), "b": ("bias", same)}


def layer(name, make, module, shape, parameters=None, passes=(True,), draw_x=grid):
    """``module(torch)`` is PyTorch's layer; ``parameters``: ours -> (PyTorch's name, how ours is turned into it);
    ``passes``: a batch of ``shape`` for each, in training or not.
    """
    parameters = parameters or {}

    def draw(rng):
        ours = make().initialize(np.random.default_rng(0), np.float64)
        inputs = {key: grid(rng, *getattr(ours, key).shape) for key in parameters}
        for k, _ in enumerate(passes):
            inputs[f"x{k}"] = x = draw_x(rng, *shape)
            inputs[f"dout{k}"] = grid(rng, *ours.forward(x).shape)
        return inputs

    def ours(i, dtype):
        made = make().initialize(np.random.default_rng(0), dtype)
        for key in parameters:
            getattr(made, key).value[...] = i[key]
        results = {}
        for k, training in enumerate(passes):
            results[f"out{k}"] = made.forward(i[f"x{k}"], training).copy()
            results[f"dx{k}"] = made.backward(i[f"dout{k}"]).copy()
            for key in parameters:
                results[f"d{key}{k}"] = getattr(made, key).grad.copy()
        return {**results, **made.statistics}

    def theirs(torch, i):
        made = module(torch).double()
        for key, (their_key, turn) in parameters.items():
            parameter = made.get_parameter(their_key)
            parameter.data[...] = turn(i[key]).reshape(parameter.shape)
        results = {}
        for k, training in enumerate(passes):
            made.train(training)
            made.zero_grad()
            x = i[f"x{k}"].clone().requires_grad_()
            out = made(x)
            out.backward(i[f"dout{k}"])
            results[f"out{k}"], results[f"dx{k}"] = out.detach(), x.grad
            for key, (their_key, turn) in parameters.items():
                results[f"d{key}{k}"] = turn(made.get_parameter(their_key).grad.clone()).reshape(i[key].shape)
        for key in ("running_mean", "running_var"):
            if getattr(made, key, None) is not None:
                results[key] = getattr(made, key).clone()
        return results

    CASES[f"layers: {name}"] = Case(draw, ours, theirs)


layer(
    "Dense",
    lambda: l.Dense(4, 3),
    lambda torch: torch.nn.Linear(4, 3),
    (5, 4),
    {"W": ("weight", transposed), "b": ("bias", same)},
)
layer("PReLU, one slope", lambda: l.PReLU(), lambda torch: torch.nn.PReLU(), (5, 4), {"slope": ("weight", same)})
layer(
    "PReLU, a slope per unit", lambda: l.PReLU(4), lambda torch: torch.nn.PReLU(4), (5, 4), {"slope": ("weight", same)}
)
layer("RReLU, outside training", lambda: l.RReLU(), lambda torch: torch.nn.RReLU(), (5, 4), passes=(False,))
layer("Dropout, outside training", lambda: l.Dropout(0.5), lambda torch: torch.nn.Dropout(), (5, 4), passes=(False,))
layer("Flatten", lambda: l.Flatten(), lambda torch: torch.nn.Flatten(), (2, 3, 4, 2))
_then_outside = (True, True, False)
layer(
    "BatchNorm",
    lambda: l.BatchNorm(3),
    lambda torch: torch.nn.BatchNorm1d(3),
    (6, 3),
    SCALE_AND_SHIFT,
    passes=_then_outside,
)
layer(
    "BatchNorm, momentum and eps",
    lambda: l.BatchNorm(3, momentum=0.3, eps=0.02),
    lambda torch: torch.nn.BatchNorm1d(3, momentum=0.3, eps=0.02),
    (5, 3),
    SCALE_AND_SHIFT,
    passes=_then_outside,
)
layer(
    "BatchNorm, images",
    lambda: l.BatchNorm(2),
    lambda torch: torch.nn.BatchNorm2d(2),
    (3, 2, 4, 3),
    SCALE_AND_SHIFT,
    passes=_then_outside,
)
layer("LayerNorm", lambda: l.LayerNorm(5), lambda torch: torch.nn.LayerNorm(5), (4, 5), SCALE_AND_SHIFT)
layer("LayerNorm, steps", lambda: l.LayerNorm(5), lambda torch: torch.nn.LayerNorm(5), (2, 3, 5), SCALE_AND_SHIFT)
layer(
    "RMSNorm",
    lambda: l.RMSNorm(5),
    lambda torch: torch.nn.RMSNorm(5, eps=1e-5),
    (4, 5),
    {"gamma": ("weight", same)},
)
layer(
    "RMSNorm, steps",
    lambda: l.RMSNorm(5),
    lambda torch: torch.nn.RMSNorm(5, eps=1e-5),
    (2, 3, 5),
    {"gamma": ("weight", same)},
)
layer("GroupNorm", lambda: l.GroupNorm(2, 6), lambda torch: torch.nn.GroupNorm(2, 6), (4, 6), SCALE_AND_SHIFT)
layer(
    "GroupNorm, images",
    lambda: l.GroupNorm(2, 4, eps=0.02),
    lambda torch: torch.nn.GroupNorm(2, 4, eps=0.02),
    (2, 4, 3, 2),
    SCALE_AND_SHIFT,
)
layer(
    "GroupNorm, one group",
    lambda: l.GroupNorm(1, 3),
    lambda torch: torch.nn.GroupNorm(1, 3),
    (2, 3, 4, 2),
    SCALE_AND_SHIFT,
)
layer(
    "InstanceNorm",
    lambda: l.InstanceNorm(3),
    lambda torch: torch.nn.InstanceNorm2d(3, affine=True),
    (2, 3, 4, 2),
    SCALE_AND_SHIFT,
)
for _stride, _padding in ((1, 0), (2, 0), (1, 2), (2, 1), (3, 1)):
    layer(
        f"Conv2D, stride {_stride}, padding {_padding}",
        lambda s=_stride, p=_padding: l.Conv2D(2, 3, (3, 2), s, p),
        lambda torch, s=_stride, p=_padding: torch.nn.Conv2d(2, 3, (3, 2), s, p),
        (2, 2, 6, 5),
        WEIGHT_AND_BIAS,
    )


def whole_numbers(rng, *shape):
    return rng.integers(0, 3, shape).astype(float)


layer("MaxPool2D", lambda: l.MaxPool2D(2), lambda torch: torch.nn.MaxPool2d(2), (2, 3, 5, 4))
layer(
    "MaxPool2D, ties", lambda: l.MaxPool2D(2), lambda torch: torch.nn.MaxPool2d(2), (2, 3, 6, 4), draw_x=whole_numbers
)
layer(
    "MaxPool2D, size 3, ties",
    lambda: l.MaxPool2D(3),
    lambda torch: torch.nn.MaxPool2d(3),
    (1, 2, 7, 6),
    draw_x=whole_numbers,
)
layer("AveragePool2D", lambda: l.AveragePool2D(2), lambda torch: torch.nn.AvgPool2d(2), (2, 3, 5, 4))
layer("AveragePool2D, size 3", lambda: l.AveragePool2D(3), lambda torch: torch.nn.AvgPool2d(3), (1, 2, 7, 6))
layer(
    "GlobalAveragePool2D",
    lambda: l.GlobalAveragePool2D(),
    lambda torch: torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()),
    (2, 3, 5, 4),
)


def _embedding():
    def ours(i, dtype):
        made = l.Embedding(6, 3).initialize(np.random.default_rng(0), dtype)
        made.W.value[...] = i["W"]
        out = made.forward(i["x"]).copy()
        made.backward(i["dout"])
        return {"out": out, "dW": made.W.grad}

    def theirs(torch, i):
        made = torch.nn.Embedding(6, 3, _weight=i["W"].clone())
        out = made(i["x"])
        out.backward(i["dout"])
        return {"out": out.detach(), "dW": made.weight.grad}

    def draw(rng):
        return {"x": rng.integers(0, 6, (4, 5)), "W": grid(rng, 6, 3), "dout": grid(rng, 4, 5, 3)}

    CASES["layers: Embedding"] = Case(draw, ours, theirs)


_embedding()


# --- recurrent layers -------------------------------------------------------------------------------------------------
#
# PyTorch's weight_ih is W_x transposed, weight_hh is W_h transposed, the gates in one order (i f g o; r z n, z here u).
# b = bias_ih + bias_hh, except in the last third of the GRU's: there b = bias_ih, and bias_hh is b_n.

N, T, D, H = 3, 4, 2, 3


def recurrent(name, make, lengths=False):
    layer = make()
    kind, gates = type(layer).__name__, layer.gates

    def draw(rng):
        return {
            "x": grid(rng, N, T, D),
            "W_x": grid(rng, D, gates * H),
            "W_h": grid(rng, H, gates * H),
            "b_i": grid(rng, gates * H),
            "b_h": grid(rng, gates * H),
            **{f"initial{k}": grid(rng, N, H) for k in range(layer.n_states)},
            "dout": grid(rng, *((N, T, H) if layer.sequences else (N, H))),
            **({"lengths": rng.permutation([T, 1, T - 1])} if lengths else {}),
        }

    def ours(i, dtype):
        made = make().initialize(np.random.default_rng(0), dtype)
        b = i["b_i"] + i["b_h"]
        if kind == "GRU":
            b[2 * H :] = i["b_i"][2 * H :]
            made.b_n.value[...] = i["b_h"][2 * H :]
        for key, value in (("W_x", i["W_x"]), ("W_h", i["W_h"]), ("b", b)):
            getattr(made, key).value[...] = value
        initial = [i[f"initial{k}"] for k in range(made.n_states)]
        out = made.forward(i["x"], initial=initial, lengths=i.get("lengths")).copy()
        dx = made.backward(i["dout"]).copy()
        return {
            "out": out,
            "dx": dx,
            "dW_x": made.W_x.grad,
            "dW_h": made.W_h.grad,
            "db": made.b.grad,
            **({"db_n": made.b_n.grad} if kind == "GRU" else {}),
            **{f"final{k}": state for k, state in enumerate(made.final)},
            **{f"dinitial{k}": gradient for k, gradient in enumerate(made.dinitial)},
        }

    def theirs(torch, i):
        rnn = torch.nn.utils.rnn
        made = getattr(torch.nn, kind)(D, H, batch_first=True).double()
        made.weight_ih_l0.data[...], made.weight_hh_l0.data[...] = i["W_x"].T, i["W_h"].T
        made.bias_ih_l0.data[...], made.bias_hh_l0.data[...] = i["b_i"], i["b_h"]
        x = i["x"].clone().requires_grad_()
        initial = [i[f"initial{k}"].clone().requires_grad_() for k in range(layer.n_states)]
        state, pieces = tuple(h[None] for h in initial), []
        for piece in x.split(layer.truncate or T, dim=1):  # cut off from what was before
            if pieces:
                state = tuple(h.detach() for h in state)
            given = (
                rnn.pack_padded_sequence(piece, i["lengths"], batch_first=True, enforce_sorted=False)
                if lengths
                else piece
            )
            out, state = made(given, state if layer.n_states > 1 else state[0])
            state = state if layer.n_states > 1 else (state,)
            pieces.append(rnn.pad_packed_sequence(out, batch_first=True, total_length=T)[0] if lengths else out)
        out = torch.cat(pieces, dim=1) if layer.sequences else state[0][0]
        out.backward(i["dout"])
        return {
            "out": out.detach(),
            "dx": x.grad,
            "dW_x": made.weight_ih_l0.grad.T,
            "dW_h": made.weight_hh_l0.grad.T,
            "db": made.bias_ih_l0.grad,
            **({"db_n": made.bias_hh_l0.grad[2 * H :]} if kind == "GRU" else {}),
            **{f"final{k}": h[0].detach() for k, h in enumerate(state)},
            **{f"dinitial{k}": torch.zeros(N, H) if h.grad is None else h.grad for k, h in enumerate(initial)},
        }

    CASES[f"recurrent: {name}"] = Case(draw, ours, theirs)


for _kind in (l.RNN, l.LSTM, l.GRU):
    _name = _kind.__name__
    recurrent(_name, lambda kind=_kind: kind(D, H))
    recurrent(f"{_name}, last step", lambda kind=_kind: kind(D, H, sequences=False))
    recurrent(f"{_name}, lengths", lambda kind=_kind: kind(D, H), lengths=True)
    recurrent(f"{_name}, last step, lengths", lambda kind=_kind: kind(D, H, sequences=False), lengths=True)
    recurrent(f"{_name}, truncated", lambda kind=_kind: kind(D, H, truncate=3))


# --- optimizers: theta after each step --------------------------------------------------------------------------------


def optimizer(name, make, theirs):
    def draw(rng):
        gradients = grid(rng, 4, 6) * np.array([1.0, 1.0, 1e-4, 1e4, 1.0, 1.0])  # of different sizes
        gradients[1, 4], gradients[:, 5] = 0.0, 0.0
        return {"theta": grid(rng, 6), "gradients": gradients}

    def ours(i, dtype):
        made, theta, path = make(), i["theta"].astype(dtype), []
        for gradient in i["gradients"].astype(dtype):
            made.step(theta, gradient)
            path.append(theta.copy())
        return {"path": np.array(path)}

    def run(torch, i):
        theta, path = i["theta"].clone().requires_grad_(), []
        made = theirs(torch.optim, [theta])
        for gradient in i["gradients"]:
            theta.grad = gradient.clone()
            made.step()
            path.append(theta.detach().clone())
        return {"path": torch.stack(path)}

    CASES[f"optimizers: {name}"] = Case(draw, ours, run)


optimizer("SGD", lambda: optimizers.SGD(0.1), lambda optim, p: optim.SGD(p, 0.1))
optimizer("Momentum", lambda: optimizers.Momentum(0.1), lambda optim, p: optim.SGD(p, 0.1, momentum=0.9))
optimizer(
    "Nesterov", lambda: optimizers.Nesterov(0.1, 0.8), lambda optim, p: optim.SGD(p, 0.1, momentum=0.8, nesterov=True)
)
optimizer("AdaGrad", lambda: optimizers.AdaGrad(0.1), lambda optim, p: optim.Adagrad(p, 0.1))
optimizer("AdaGrad, eps", lambda: optimizers.AdaGrad(0.1, eps=0.03), lambda optim, p: optim.Adagrad(p, 0.1, eps=0.03))
optimizer("RMSProp", lambda: optimizers.RMSProp(0.1), lambda optim, p: optim.RMSprop(p, 0.1, alpha=0.9))
optimizer(
    "RMSProp, beta and eps",
    lambda: optimizers.RMSProp(0.1, beta=0.99, eps=0.03),
    lambda optim, p: optim.RMSprop(p, 0.1, eps=0.03),
)
optimizer("AdaDelta", lambda: optimizers.AdaDelta(), lambda optim, p: optim.Adadelta(p))
optimizer(
    "AdaDelta, settings",
    lambda: optimizers.AdaDelta(0.5, beta=0.7, eps=0.03),
    lambda optim, p: optim.Adadelta(p, 0.5, rho=0.7, eps=0.03),
)
for _name, _their_name, _more in (("Adam", "Adam", {}), ("AMSGrad", "Adam", {"amsgrad": True}),
                                  ("AdamW", "AdamW", {}), ("NAdam", "NAdam", {})):  # fmt: skip
    optimizer(
        _name,
        lambda kind=_name: getattr(optimizers, kind)(),
        lambda optim, p, kind=_their_name, more=_more: getattr(optim, kind)(p, **more),
    )
    optimizer(
        f"{_name}, settings",
        lambda kind=_name: getattr(optimizers, kind)(0.1, beta1=0.7, beta2=0.8, eps=0.03),
        lambda optim, p, kind=_their_name, more=_more: getattr(optim, kind)(p, 0.1, betas=(0.7, 0.8), eps=0.03, **more),
    )
optimizer(
    "AdamW, decay", lambda: optimizers.AdamW(0.1, decay=0.3), lambda optim, p: optim.AdamW(p, 0.1, weight_decay=0.3)
)


def _clipping():
    def theirs_by_norm(torch, i):
        results = {}
        for k, limit in enumerate((0.5, 100.0)):
            parameter = torch.nn.Parameter(torch.zeros(6, dtype=torch.float64))
            parameter.grad = i["gradient"].clone()
            norm = torch.nn.utils.clip_grad_norm_([parameter], limit)
            shortened = 1.0 + 1e-6 / norm if norm > limit else 1.0  # PyTorch divides by the norm plus 1e-6
            results |= {f"norm{k}": norm, f"gradient{k}": parameter.grad * shortened}
        return results

    def ours_by_norm(i, dtype):
        results = {}
        for k, limit in enumerate((0.5, 100.0)):
            gradient = i["gradient"].astype(dtype)
            results |= {f"norm{k}": optimizers.clip_by_norm(gradient, limit), f"gradient{k}": gradient}
        return results

    def theirs_by_value(torch, i):
        parameter = torch.nn.Parameter(torch.zeros(6, dtype=torch.float64))
        parameter.grad = i["gradient"].clone()
        torch.nn.utils.clip_grad_value_([parameter], 0.5)
        return {"gradient": parameter.grad}

    def theirs_average(torch, i):
        model = torch.nn.ParameterList([torch.nn.Parameter(i["path"][0].clone())])
        average = torch.optim.swa_utils.AveragedModel(model)
        for theta in i["path"]:
            model[0].data[...] = theta
            average.update_parameters(model)
        return {"mean": average.module[0].detach()}

    def ours_average(i, dtype):
        average = optimizers.ParameterAverage()
        for theta in i["path"].astype(dtype):
            average.add(theta)
        return {"mean": average.value()}

    def gradient(rng):
        return {"gradient": grid(rng, 6)}

    CASES["optimizers: clip_by_norm"] = Case(gradient, ours_by_norm, theirs_by_norm)
    CASES["optimizers: clip_by_value"] = Case(
        gradient,
        lambda i, dtype: {"gradient": optimizers.clip_by_value(i["gradient"].astype(dtype), 0.5)},
        theirs_by_value,
    )
    CASES["optimizers: ParameterAverage"] = Case(lambda rng: {"path": grid(rng, 5, 4)}, ours_average, theirs_average)


_clipping()


# --- schedules: the learning rate of each step ------------------------------------------------------------------------


def schedule(name, ours, theirs, steps):
    def run(torch, i):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.5)
        made, rates = theirs(torch.optim.lr_scheduler, optimizer), []
        for k in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if k < steps - 1:
                made.step()
        return {"rates": torch.tensor(rates, dtype=torch.float64)}

    CASES[f"schedules: {name}"] = Case(
        draw=lambda rng: {},
        ours=lambda i, dtype: {"rates": np.array([ours(step) for step in range(steps)])},
        theirs=run,
    )


schedule("constant", schedules.constant(0.5), lambda s, o: s.ConstantLR(o, factor=1.0), 10)
schedule("exponential", schedules.exponential(0.5, 0.8), lambda s, o: s.ExponentialLR(o, 0.8), 20)
schedule("step_decay", schedules.step_decay(0.5, 0.3, every=4), lambda s, o: s.StepLR(o, 4, 0.3), 20)
schedule("cosine", schedules.cosine(0.5, 20), lambda s, o: s.CosineAnnealingLR(o, 20), 21)
schedule("cosine, final", schedules.cosine(0.5, 7, final=0.2), lambda s, o: s.CosineAnnealingLR(o, 7, 0.2), 8)
schedule("inverse_time", schedules.inverse_time(0.5, 0.2), lambda s, o: s.LambdaLR(o, lambda t: 1 / (1 + 0.2 * t)), 9)
schedule("warmup", schedules.warmup(0.5, 5), lambda s, o: s.LinearLR(o, 1 / 5, total_iters=4), 12)
schedule(
    "warmup of a schedule",
    schedules.warmup(schedules.exponential(0.5, 0.8), 5),
    lambda s, o: s.ChainedScheduler([s.LinearLR(o, 1 / 5, total_iters=4), s.ExponentialLR(o, 0.8)]),
    12,
)
schedule(
    "one_cycle",
    schedules.one_cycle(0.5, 20),
    lambda s, o: s.OneCycleLR(o, 0.5, total_steps=20, cycle_momentum=False),
    20,
)
schedule(
    "one_cycle, settings",
    schedules.one_cycle(0.5, 17, rise=0.45, start=3.0, final=20.0),
    lambda s, o: s.OneCycleLR(
        o, 0.5, total_steps=17, pct_start=0.45, div_factor=3.0, final_div_factor=20.0, cycle_momentum=False
    ),
    17,
)


# --- initializers: how the first values are spread --------------------------------------------------------------------


def spread(w, bounded):
    """Mean and standard deviation in units of the largest scale, fourth moment, and the bound of uniform numbers."""
    std = (w**2).mean() ** 0.5
    return {"std": std, "kurtosis": (w**4).mean() / std**4, **({"bound": abs(w).max()} if bounded else {})}


def initializer(name, init, theirs, shape, turn=same, bounded=False):
    def run(torch, i):
        w = torch.empty(turn(np.empty(shape)).shape, dtype=torch.float64)
        theirs(torch.nn.init, w, torch.Generator().manual_seed(int(i["seed"])))
        return spread(w, bounded)

    CASES[f"initializers: {name}, {'×'.join(map(str, shape))}"] = Case(
        draw=lambda rng: {"seed": rng.integers(2**31)},
        ours=lambda i, dtype: spread(init(np.random.default_rng(int(i["seed"])), shape), bounded),
        theirs=run,
        rtol=0.03,
        why="60,000 random numbers from another generator",
    )


def _initializers():
    uniform = {"bounded": True}
    for shape, turn in (((300, 200), transposed), ((40, 60, 5, 5), same)):
        for name, init, theirs, more in (
            ("normal(0.3)", initializers.normal(0.3), lambda i, w, g: i.normal_(w, std=0.3, generator=g), {}),
            ("uniform(-1, 2)", initializers.uniform(-1, 2), lambda i, w, g: i.uniform_(w, -1, 2, g), uniform),
            (
                "lecun_normal",
                initializers.lecun_normal,
                lambda i, w, g: i.kaiming_normal_(w, nonlinearity="linear", generator=g),
                {},
            ),
            (
                "lecun_uniform",
                initializers.lecun_uniform,
                lambda i, w, g: i.kaiming_uniform_(w, nonlinearity="linear", generator=g),
                uniform,
            ),
            ("xavier_normal", initializers.xavier_normal, lambda i, w, g: i.xavier_normal_(w, generator=g), {}),
            (
                "xavier_uniform",
                initializers.xavier_uniform,
                lambda i, w, g: i.xavier_uniform_(w, generator=g),
                uniform,
            ),
            (
                "he_normal",
                initializers.he_normal,
                lambda i, w, g: i.kaiming_normal_(w, nonlinearity="relu", generator=g),
                {},
            ),
            (
                "he_uniform",
                initializers.he_uniform,
                lambda i, w, g: i.kaiming_uniform_(w, nonlinearity="relu", generator=g),
                uniform,
            ),
            ("orthogonal", initializers.orthogonal, lambda i, w, g: i.orthogonal_(w, generator=g), {}),
        ):
            initializer(name, init, theirs, shape, turn, **more)


_initializers()


# --- a whole training: layers, loss and optimizer together ------------------------------------------------------------


def _training():
    order = ["0.weight", "0.bias", "2.weight", "2.bias", "5.weight", "5.bias"]

    def network(dtype):
        return Sequential(
            l.Conv2D(1, 2, 3, padding=1),
            l.Activation(a.gelu),
            l.BatchNorm(2),
            l.MaxPool2D(2),
            l.Flatten(),
            l.Dense(12, 4),
            rng=np.random.default_rng(0),
            dtype=dtype,
        )

    def draw(rng):
        return {
            "theta": 0.5 * grid(rng, network(np.float64).theta.size),
            "x": grid(rng, 4, 5, 1, 6, 4),
            "y": rng.integers(0, 4, (4, 5)),
        }

    def ours(i, dtype):
        made, rule = network(dtype), optimizers.AdamW(0.01)
        made.theta[...] = i["theta"]
        values, norms = [], []
        for x, y in zip(i["x"], i["y"]):
            value, dout = losses.softmax_cross_entropy(made.forward(x, training=True), y, label_smoothing=0.1)
            made.backward(dout)
            norms.append(optimizers.clip_by_norm(made.grad, 1e9))
            rule.step(made.theta, made.grad)
            values.append(value)
        return {"values": values, "norms": norms, "theta": made.theta, "after": made.predict(i["x"][0])}

    def theirs(torch, i):
        nn = torch.nn
        made = nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1), nn.GELU(), nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 4)
        ).double()
        sizes = [made.get_parameter(name).numel() for name in order]
        for name, values in zip(order, i["theta"].split(sizes)):
            parameter = made.get_parameter(name)
            turned = values.reshape(12, 4).T if name == "5.weight" else values.reshape(parameter.shape)
            parameter.data[...] = turned
        rule, values, norms = torch.optim.AdamW(made.parameters(), 0.01), [], []
        for x, y in zip(i["x"], i["y"]):
            rule.zero_grad()
            value = nn.functional.cross_entropy(made(x), y, label_smoothing=0.1)
            value.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(made.parameters(), 1e9))
            rule.step()
            values.append(value.detach())
        parts = [made.get_parameter(name).detach() for name in order]
        theta = torch.cat([(p.T if name == "5.weight" else p).reshape(-1) for name, p in zip(order, parts)])
        made.eval()
        return {
            "values": torch.stack(values),
            "norms": torch.stack(norms),
            "theta": theta,
            "after": made(i["x"][0]).detach(),
        }

    CASES["training: four steps of a convolutional network"] = Case(
        draw, ours, theirs, rtol=1e-9, why="AdamW amplifies the rounding of small gradients", rtol32=1e-3
    )


_training()


# --- where nnlib differs, on purpose ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """A convention that is not PyTorch's: both sides as arrays, and the words of nnlib's docstring that say so."""

    ours: Callable  # () -> array
    theirs: Callable  # torch -> array
    where: object  # whose docstring
    words: str


def default(function, name):
    return inspect.signature(function).parameters[name].default


DIFFERENCES = {
    "RMSProp forgets in 10 steps, PyTorch's in 100": Difference(
        lambda: default(optimizers.RMSProp, "beta"),
        lambda torch: default(torch.optim.RMSprop, "alpha"),
        optimizers.RMSProp,
        "PyTorch's is 0.99",
    ),
    "momentum is 0.9 unless said otherwise, PyTorch's SGD has none": Difference(
        lambda: default(optimizers.Momentum, "momentum"),
        lambda torch: default(torch.optim.SGD, "momentum"),
        optimizers.Momentum,
        "0.9 is usual",
    ),
    "LSTM opens its forget gate at first": Difference(
        lambda: l.LSTM(3, 400).initialize(np.random.default_rng(0)).b.value[400:800].mean(),
        lambda torch: sum(
            b.detach()[400:800].mean() for n, b in torch.nn.LSTM(3, 400).named_parameters() if "bias" in n
        ),
        l.LSTM,
        "PyTorch draws it around 0",
    ),
    "Dense starts from He's normal numbers and b = 0, PyTorch from uniform ones of a third of 2 / n_in": Difference(
        lambda: [300 * p.value.var() for p in l.Dense(300, 300).initialize(np.random.default_rng(0)).parameters],
        lambda torch: [300 * p.detach().var() for p in torch.nn.Linear(300, 300).parameters()],
        l.Dense,
        "PyTorch's ``Linear`` draws both",
    ),
    "RMSNorm's eps is that of the other norms, PyTorch's is the rounding of the dtype": Difference(
        lambda: l.RMSNorm(2).initialize(np.random.default_rng(0), np.float64).forward([[1e-3, 1e-3]]),
        lambda torch: torch.nn.RMSNorm(2).double()(torch.full((1, 2), 1e-3, dtype=torch.float64)).detach(),
        l.RMSNorm,
        "PyTorch's default is the rounding error of the dtype",
    ),
    "InstanceNorm always has gamma and beta": Difference(
        lambda: len(l.InstanceNorm(3).parameters),
        lambda torch: len(list(torch.nn.InstanceNorm2d(3).parameters())),
        l.InstanceNorm,
        "only with ``affine=True``",
    ),
    "triplet takes squared distances": Difference(
        lambda: losses.triplet(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))[0],
        lambda torch: torch.nn.functional.triplet_margin_loss(
            *torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]], [[0.0, 1.0]]])
        ),
        losses.triplet,
        "takes plain ones",
    ),
    "clip_by_norm reaches the limit, PyTorch stops 1e-6 / norm short of it": Difference(
        lambda: _clipped(),
        lambda torch: _clipped(torch),
        optimizers.clip_by_norm,
        "PyTorch divides by ||grad|| + 1e-6",
    ),
    "softplus is never cut off, PyTorch's is z above 20": Difference(
        lambda: a.softplus(np.array([20.5])) - 20.5,
        lambda torch: torch.nn.functional.softplus(torch.tensor([20.5], dtype=torch.float64)) - 20.5,
        a._softplus,
        "PyTorch takes z beyond 20",
    ),
    "cosine stays at its end, PyTorch's goes up again": Difference(
        lambda: schedules.cosine(0.5, 4)(6),
        lambda torch: _rate_after(torch, lambda s, o: s.CosineAnnealingLR(o, 4), 6),
        schedules.cosine,
        "stays there; PyTorch's ``CosineAnnealingLR`` goes up again",
    ),
    "warmup starts at 1 / steps, PyTorch's LinearLR at a third": Difference(
        lambda: schedules.warmup(0.5, 5)(0),
        lambda torch: _rate_after(torch, lambda s, o: s.LinearLR(o, total_iters=4), 0),
        schedules.warmup,
        "``LinearLR`` with start_factor 1 / steps",
    ),
    "an exponential average is corrected for its start from 0, PyTorch's starts from the first theta": Difference(
        lambda: _averaged(),
        lambda torch: _averaged(torch),
        optimizers.ParameterAverage,
        "PyTorch's starts from the first theta instead",
    ),
}


def _clipped(torch=None):
    if torch is None:
        grad = np.array([1e-6, 0.0])
        optimizers.clip_by_norm(grad, 1e-7)
        return grad
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    parameter.grad = torch.tensor([1e-6, 0.0], dtype=torch.float64)
    torch.nn.utils.clip_grad_norm_([parameter], 1e-7)
    return parameter.grad


def _rate_after(torch, make, steps):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.5)
    made = make(torch.optim.lr_scheduler, optimizer)
    for _ in range(steps):
        optimizer.step()
        made.step()
    return optimizer.param_groups[0]["lr"]


def _averaged(torch=None):
    path = (1.0, 3.0, 5.0)
    if torch is None:
        average = optimizers.ParameterAverage(beta=0.5)
        for theta in path:
            average.add(np.array([theta]))
        return average.value()
    model = torch.nn.ParameterList([torch.nn.Parameter(torch.zeros(1))])
    swa = torch.optim.swa_utils
    average = swa.AveragedModel(model, multi_avg_fn=swa.get_ema_multi_avg_fn(0.5))
    for theta in path:
        model[0].data[...] = theta
        average.update_parameters(model)
    return average.module[0].detach()


# --- drawn, computed, stored ------------------------------------------------------------------------------------------

FOLDER = pathlib.Path(__file__).parent / "reference"


def pytorch():
    """PyTorch, or None where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what an import of another library warns of is not ours
        try:
            import torch
        except ImportError:
            return None
    return torch


def seed_of(name):
    return zlib.crc32(name.encode())


def by_pytorch(torch, case, inputs):
    """PyTorch's results for a case, as arrays."""
    tensors = {key: torch.as_tensor(np.array(value)) for key, value in inputs.items()}
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)  # also of what its optimizers keep: NAdam's product of mu
    try:
        return {key: np.asarray(value) for key, value in case.theirs(torch, tensors).items()}
    finally:
        torch.set_default_dtype(torch.float32)


def theirs_of(torch, difference):
    torch.manual_seed(0)
    return np.atleast_1d(np.asarray(difference.theirs(torch), np.float64))


def in_groups(names):
    """The names of each file."""
    groups = {}
    for name in names:
        groups.setdefault(name.split(":")[0], []).append(name)
    return groups


def store(path, version, content):
    """Write {name: {key: array}} as one vector and its table of contents: a file of few numbers stays small."""
    table = {
        name: [[key, np.asarray(value).dtype.kind, np.shape(value)] for key, value in arrays.items()]
        for name, arrays in content.items()
    }
    flat = [np.ravel(value).astype(np.float64) for arrays in content.values() for value in arrays.values()]
    numbers = np.concatenate([np.zeros(0), *flat])
    np.savez_compressed(path, pytorch=version, table=json.dumps(table), numbers=numbers)


def load(path):
    """What ``store`` wrote: the version and {name: {key: array}}."""
    with np.load(path, allow_pickle=False) as file:
        version, table, numbers = str(file["pytorch"]), json.loads(str(file["table"])), file["numbers"]
    content, start = {}, 0
    for name, arrays in table.items():
        content[name] = {}
        for key, kind, shape in arrays:
            size = int(np.prod(shape))
            value = numbers[start : start + size].reshape(shape)
            content[name][key] = value.astype(np.int64) if kind in "iu" else value
            start += size
    return version, content
