"""What PyTorch has, too, but no row holds: tokens, sequences of different lengths, clipping, a whole training."""

import numpy as np

from nnlib import activations as a
from nnlib import layers as l
from nnlib import losses, optimizers
from nnlib.network import Sequential
from registry.cases import Case, grid
from registry.layers import D, H, recurrent_case
from registry.losses import Row

OTHERS = {}


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

    OTHERS["layers: Embedding"] = Case(draw, ours, theirs)


_embedding()

for _kind in (l.RNN, l.LSTM, l.GRU):
    for _what, _settings, _lengths in (
        ("lengths", {}, True),
        ("last step, lengths", {"sequences": False}, True),
        ("truncated", {"truncate": 3}, False),
    ):
        OTHERS[f"layers: {_kind.__name__}, {_what}"] = recurrent_case(
            lambda kind=_kind, settings=_settings: kind(D, H, **settings), _lengths
        )

OTHERS["losses: binary_cross_entropy, far out"] = Row(
    "binary_cross_entropy, far out",
    losses.binary_cross_entropy,
    lambda rng, n, k: rng.integers(0, 2, (n, k)).astype(float),
    lambda F, output, target: F.binary_cross_entropy_with_logits(output, target),
    outputs=lambda rng, n, k: 300.0 * grid(rng, n, k),
).case()


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

    OTHERS["optimizers: clip_by_norm"] = Case(gradient, ours_by_norm, theirs_by_norm)
    OTHERS["optimizers: clip_by_value"] = Case(
        gradient,
        lambda i, dtype: {"gradient": optimizers.clip_by_value(i["gradient"].astype(dtype), 0.5)},
        theirs_by_value,
    )
    OTHERS["optimizers: ParameterAverage"] = Case(lambda rng: {"path": grid(rng, 5, 4)}, ours_average, theirs_average)


_clipping()


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

    OTHERS["training: four steps of a convolutional network"] = Case(
        draw, ours, theirs, rtol=1e-9, why="AdamW amplifies the rounding of small gradients", rtol32=1e-3
    )


_training()
