"""Layers: a row each, with the shape of one example and PyTorch's module."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nnlib import activations as a
from nnlib import layers as l
from nnlib.network import Sequential
from registry.cases import Case, grid, whole_numbers


@dataclass(frozen=True)
class Row:
    """One layer.

    Parameters
    ----------
    make : callable
        ``make()`` gives a new one.
    shape : tuple
        Of one example.
    torch : callable
        ``torch(nn)``: PyTorch's module; none where PyTorch has none.
    parameters : dict
        Ours -> (the name in PyTorch's module, how ours is turned into it).
    passes : tuple
        A batch for each in the comparison with PyTorch: in training or not.
    draw : callable
        ``draw(rng, *shape)``: the batch of that comparison.
    special : callable
        ``special()``: the comparison, where a module and its parameters do not say all of it.
    homogeneous : bool
        Whether out(c x) = c out(x) for c > 0 where the biases are 0.
    """

    name: str
    make: Callable
    shape: tuple
    torch: Callable | None = None
    parameters: dict = field(default_factory=dict)
    passes: tuple = (True,)
    draw: Callable = grid
    special: Callable | None = None
    homogeneous: bool = False

    def case(self):
        if self.special:
            return self.special()

        def draw(rng):
            ours = self.make().initialize(np.random.default_rng(0), np.float64)
            inputs = {key: grid(rng, *getattr(ours, key).shape) for key in self.parameters}
            for k, _ in enumerate(self.passes):
                inputs[f"x{k}"] = x = self.draw(rng, 5, *self.shape)
                inputs[f"dout{k}"] = grid(rng, *ours.forward(x).shape)
            return inputs

        def ours(i, dtype):
            made = self.make().initialize(np.random.default_rng(0), dtype)
            for key in self.parameters:
                getattr(made, key).value[...] = i[key]
            results = {}
            for k, training in enumerate(self.passes):
                results[f"out{k}"] = made.forward(i[f"x{k}"], training).copy()
                results[f"dx{k}"] = made.backward(i[f"dout{k}"]).copy()
                for key in self.parameters:
                    results[f"d{key}{k}"] = getattr(made, key).grad.copy()
            return {**results, **made.statistics}

        def theirs(torch, i):
            made = self.torch(torch.nn).double()
            for key, (their_key, turn) in self.parameters.items():
                parameter = made.get_parameter(their_key)
                parameter.data[...] = turn(i[key]).reshape(parameter.shape)
            results = {}
            for k, training in enumerate(self.passes):
                made.train(training)
                made.zero_grad()
                x = i[f"x{k}"].clone().requires_grad_()
                out = made(x)
                out.backward(i[f"dout{k}"])
                results[f"out{k}"], results[f"dx{k}"] = out.detach(), x.grad
                for key, (their_key, turn) in self.parameters.items():
                    results[f"d{key}{k}"] = turn(made.get_parameter(their_key).grad.clone()).reshape(i[key].shape)
            for key in ("running_mean", "running_var"):
                if getattr(made, key, None) is not None:
                    results[key] = getattr(made, key).clone()
            return results

        return Case(draw, ours, theirs)


def same(w):
    return w


def transposed(w):
    return w.T


SCALE = {"gamma": ("weight", same)}
SCALE_AND_SHIFT = {"gamma": ("weight", same), "beta": ("bias", same)}
WEIGHT_AND_BIAS = {"W": ("weight", same), "b": ("bias", same)}
SLOPE = {"slope": ("weight", same)}
THEN_OUTSIDE = (True, True, False)  # training changes the running averages, prediction uses them

# --- recurrent layers -------------------------------------------------------------------------------------------------
#
# PyTorch's weight_ih is W_x transposed, weight_hh is W_h transposed, the gates in one order (i f g o; r z n, z here u).
# b = bias_ih + bias_hh, except in the last third of the GRU's: there b = bias_ih, and bias_hh is b_n.

N, T, D, H = 3, 4, 2, 3


def recurrent_case(make, lengths=False):
    """A recurrent layer from given states, forward and back, beside PyTorch's."""
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

    return Case(draw, ours, theirs)


# --- the rows ---------------------------------------------------------------------------------------------------------

LAYERS = [
    Row(
        "Dense",
        lambda: l.Dense(6, 5),
        (6,),
        lambda nn: nn.Linear(6, 5),
        {"W": ("weight", transposed), "b": ("bias", same)},
        homogeneous=True,
    ),
    Row("AngularDense", lambda: l.AngularDense(6, 5), (6,)),
    Row("NTKDense", lambda: l.NTKDense(6, 5), (6,)),
    Row("DropConnect", lambda: l.DropConnect(6, 5, 0.4), (6,)),
    Row("PReLU, one slope", lambda: l.PReLU(), (6,), lambda nn: nn.PReLU(), SLOPE, homogeneous=True),
    Row(
        "PReLU, a slope per unit",
        lambda: l.PReLU(6, slope=0.4),
        (6,),
        lambda nn: nn.PReLU(6),
        SLOPE,
        homogeneous=True,
    ),
    Row("RReLU", lambda: l.RReLU(), (6,), lambda nn: nn.RReLU(), passes=(False,), homogeneous=True),
    Row("CReLU", lambda: l.CReLU(), (6,), homogeneous=True),
    Row("Maxout", lambda: l.Maxout(6, 5, pieces=3), (6,), homogeneous=True),
    Row("Dropout", lambda: l.Dropout(0.4), (6,), lambda nn: nn.Dropout(), passes=(False,), homogeneous=True),
    Row("GaussianNoise", lambda: l.GaussianNoise(0.3), (6,), homogeneous=True),
    Row("Flatten", lambda: l.Flatten(), (4, 6, 5), lambda nn: nn.Flatten(), homogeneous=True),
    Row("Residual", lambda: l.Residual(l.Dense(6, 4), l.Activation(a.tanh), l.Dense(4, 6)), (6,)),
    Row(
        "BatchNorm",
        lambda: l.BatchNorm(6),
        (6,),
        lambda nn: nn.BatchNorm1d(6),
        SCALE_AND_SHIFT,
        passes=THEN_OUTSIDE,
    ),
    Row(
        "BatchNorm, momentum and eps",
        lambda: l.BatchNorm(3, momentum=0.3, eps=0.02),
        (3,),
        lambda nn: nn.BatchNorm1d(3, momentum=0.3, eps=0.02),
        SCALE_AND_SHIFT,
        passes=THEN_OUTSIDE,
    ),
    Row(
        "BatchNorm, images",
        lambda: l.BatchNorm(4),
        (4, 6, 5),
        lambda nn: nn.BatchNorm2d(4),
        SCALE_AND_SHIFT,
        passes=THEN_OUTSIDE,
    ),
    Row("LayerNorm", lambda: l.LayerNorm(6), (6,), lambda nn: nn.LayerNorm(6), SCALE_AND_SHIFT),
    Row("LayerNorm, steps", lambda: l.LayerNorm(6), (4, 6), lambda nn: nn.LayerNorm(6), SCALE_AND_SHIFT),
    Row("RMSNorm", lambda: l.RMSNorm(6), (6,), lambda nn: nn.RMSNorm(6, eps=1e-5), SCALE),
    Row("RMSNorm, steps", lambda: l.RMSNorm(6), (4, 6), lambda nn: nn.RMSNorm(6, eps=1e-5), SCALE),
    Row("GroupNorm", lambda: l.GroupNorm(2, 6), (6,), lambda nn: nn.GroupNorm(2, 6), SCALE_AND_SHIFT),
    Row(
        "GroupNorm, images",
        lambda: l.GroupNorm(2, 4, eps=0.02),
        (4, 3, 5),
        lambda nn: nn.GroupNorm(2, 4, eps=0.02),
        SCALE_AND_SHIFT,
    ),
    Row("GroupNorm, one group", lambda: l.GroupNorm(1, 3), (3, 4, 2), lambda nn: nn.GroupNorm(1, 3), SCALE_AND_SHIFT),
    Row(
        "InstanceNorm",
        lambda: l.InstanceNorm(4),
        (4, 3, 5),
        lambda nn: nn.InstanceNorm2d(4, affine=True),
        SCALE_AND_SHIFT,
    ),
    *(
        Row(
            f"Conv2D, stride {stride}, padding {padding}",
            lambda stride=stride, padding=padding: l.Conv2D(2, 3, (3, 2), stride, padding),
            (2, 6, 5),
            lambda nn, stride=stride, padding=padding: nn.Conv2d(2, 3, (3, 2), stride, padding),
            WEIGHT_AND_BIAS,
            homogeneous=True,
        )
        for stride, padding in ((1, 0), (2, 0), (1, 2), (2, 1), (3, 1))
    ),
    Row(
        "MaxPool2D",
        lambda: l.MaxPool2D(2),
        (3, 5, 6),
        lambda nn: nn.MaxPool2d(2),
        draw=whole_numbers,
        homogeneous=True,
    ),
    Row(
        "MaxPool2D, size 3",
        lambda: l.MaxPool2D(3),
        (2, 7, 6),
        lambda nn: nn.MaxPool2d(3),
        draw=whole_numbers,
        homogeneous=True,
    ),
    Row("AveragePool2D", lambda: l.AveragePool2D(2), (3, 5, 4), lambda nn: nn.AvgPool2d(2), homogeneous=True),
    Row("AveragePool2D, size 3", lambda: l.AveragePool2D(3), (3, 7, 6), lambda nn: nn.AvgPool2d(3), homogeneous=True),
    Row(
        "GlobalAveragePool2D",
        lambda: l.GlobalAveragePool2D(),
        (3, 4, 5),
        lambda nn: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        homogeneous=True,
    ),
    Row("Sequential", lambda: Sequential(l.Dense(6, 4), l.Activation(a.tanh), l.Dense(4, 3)), (6,)),
    *(Row(f"Activation({f!r})", lambda f=f: l.Activation(f), (6,)) for f in a.ELEMENTWISE.values()),
    *(
        Row(
            f"{kind.__name__}{what}",
            lambda kind=kind, settings=settings: kind(3, 4, **settings),
            (5, 3),
            lambda nn, kind=kind: getattr(nn, kind.__name__),
            special=lambda kind=kind, settings=settings: recurrent_case(lambda: kind(D, H, **settings)),
        )
        for kind in (l.RNN, l.LSTM, l.GRU)
        for what, settings in (("", {}), (", last step", {"sequences": False}))
    ),
    Row("Sequential, stacked", lambda: Sequential(l.LSTM(3, 4), l.GRU(4, 2, sequences=False)), (5, 3)),
]
