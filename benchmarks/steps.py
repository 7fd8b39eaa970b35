"""Training steps: the same network, data and mathematics in nnlib and in PyTorch; forward, loss, backward, update.

Each contender is a function without arguments that takes one step and returns the loss as a Python float.
"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from nnlib.activations import relu, tanh
from nnlib.flat import AT_ONCE, NUMBERS_AT_ONCE, flat
from nnlib.layers import LSTM, Activation, Conv2D, Dense, Flatten, MaxPool2D
from nnlib.losses import binary_cross_entropy, softmax_cross_entropy
from nnlib.network import Sequential
from nnlib.optimizers import SGD, Adam, Momentum
from nnlib.training import fit


def nnlib_step(network, loss, optimizer, x, y):
    """One step of nnlib."""

    def step():
        value, dout = loss(network.forward(x, training=True), y)
        network.backward(dout, input_gradient=False)
        optimizer.step(network.theta, network.grad)
        return value

    return step


def torch_step(model, loss, optimizer, x, y):
    """One step of PyTorch, eager."""

    def step():
        optimizer.zero_grad(set_to_none=True)
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def dense(sizes, function):
    """The layers of a multi-layer perceptron."""
    pairs = list(itertools.pairwise(sizes))
    layers = [layer for a, b in pairs for layer in (Dense(a, b), Activation(function))]
    return layers[:-1]


N_BATCHES, N_EPOCHS = 20, 10  # of a whole training

SETTINGS = {
    "sgd": {"learning_rate": 0.01},
    "momentum": {"learning_rate": 0.01, "momentum": 0.9},
    "adam": {"learning_rate": 0.001},
}


def first_weights(sizes):
    """He's normal numbers and zeros, with which all dense contenders start: [W, b, W, b, ...]."""
    rng = np.random.default_rng(0)
    pairs = itertools.pairwise(sizes)
    weights = [(rng.normal(size=(a, b)) * np.sqrt(2.0 / a), np.zeros(b)) for a, b in pairs]
    return [array.astype(np.float32) for pair in weights for array in pair]


@dataclasses.dataclass
class Case:
    """A row of the table: its name, its data, and how the libraries build the same network.

    ``shapes`` say which matrix products cannot be avoided (see bounds.py); ``sizes`` and ``activation`` are there where
    the network is dense.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    layers: Callable
    kind: Callable
    loss: str
    optimizer: str
    shapes: list
    sizes: tuple | None = None
    activation: str = ""

    def parts(self):
        """nnlib's network, loss and optimizer."""
        network = Sequential(*self.layers(), rng=np.random.default_rng(0))
        if self.sizes:
            network.theta[...] = np.concatenate([array.ravel() for array in first_weights(self.sizes)])
        optimizer = {"sgd": SGD, "momentum": Momentum, "adam": Adam}[self.optimizer](**SETTINGS[self.optimizer])
        return network, binary_cross_entropy if self.loss == "binary" else softmax_cross_entropy, optimizer

    def nnlib(self):
        return nnlib_step(*self.parts(), self.x, self.y)

    def flat(self):
        """The steps as lists of calls, as many at once as ``fit`` takes; their losses afterwards."""
        n = max(1, min(AT_ONCE, NUMBERS_AT_ONCE // (self.x.size + 2 * len(self.x) * self.sizes[-1])))
        network, loss, optimizer = self.parts()
        steps = flat(network, loss, optimizer, len(self.x), n)
        target = steps.targets(np.empty((len(self.x), self.sizes[-1]), np.float32), self.y)
        steps.put(np.concatenate([self.x] * n), np.concatenate([target] * n))

        def call():
            return steps.run(n)[0] if n > 1 else steps.again(1)

        call.n_steps = n
        return call

    def torch_parts(self, variant):
        import torch

        torch.manual_seed(0)
        model = self.kind(torch.nn)
        flags = {"default": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}[variant]
        make = torch.optim.Adam if self.optimizer == "adam" else torch.optim.SGD
        settings = dict(SETTINGS[self.optimizer])
        optimizer = make(model.parameters(), settings.pop("learning_rate"), **settings, **flags)
        return model, torch.nn.BCEWithLogitsLoss() if self.loss == "binary" else torch.nn.CrossEntropyLoss(), optimizer

    def torch(self, variant="default"):
        import torch

        return torch_step(*self.torch_parts(variant), torch.from_numpy(self.x), torch.from_numpy(self.y))

    # --- a whole training: shuffling, batches, losses and accuracies kept ---

    def many(self):
        """Examples for N_BATCHES batches."""
        rng = np.random.default_rng(1)
        x = rng.normal(size=(N_BATCHES * len(self.x), *self.x.shape[1:])).astype(np.float32)
        return x, self.y[rng.integers(0, len(self.y), len(x))]

    def nnlib_training(self):
        network, loss, optimizer = self.parts()
        data, rng = self.many(), np.random.default_rng(2)

        def call():
            return fit(
                network, loss, optimizer, data, epochs=N_EPOCHS, batch_size=len(self.x), rng=rng, progress=False
            ).batch_loss

        call.n_steps = N_EPOCHS * N_BATCHES
        return call

    def torch_training(self, variant="default"):
        import torch

        model, loss, optimizer = self.torch_parts(variant)
        x, y = map(torch.from_numpy, self.many())
        classes = self.loss != "binary"

        def call():
            losses, accuracies = [], []
            for _ in range(N_EPOCHS):
                right = 0
                for rows in torch.randperm(len(x)).split(len(self.x)):
                    x_batch, y_batch = x[rows], y[rows]
                    optimizer.zero_grad(set_to_none=True)
                    output = model(x_batch)
                    value = loss(output, y_batch)
                    value.backward()
                    optimizer.step()
                    losses.append(value.item())
                    if classes:
                        right += (output.argmax(dim=1) == y_batch).sum().item()
                accuracies.append(right / len(x))
            return losses

        call.n_steps = N_EPOCHS * N_BATCHES
        return call


def torch_dense(sizes, function):
    """The same layers for PyTorch."""

    def build(nn):
        pairs = list(itertools.pairwise(sizes))
        layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), getattr(nn, function)())]
        return nn.Sequential(*layers[:-1])

    return build


def lenet(channels):
    """Two convolutions of 5 x 5, each with pooling, and a classifier: for images of 28 x 28."""
    a, b = channels
    return [
        Conv2D(1, a, 5), Activation(relu), MaxPool2D(2), Conv2D(a, b, 5), Activation(relu), MaxPool2D(2), Flatten(),
        Dense(b * 16, 10),
    ]  # fmt: skip


def torch_lenet(channels):
    def build(nn):
        a, b = channels
        return nn.Sequential(
            nn.Conv2d(1, a, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(a, b, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(b * 16, 10),
        )  # fmt: skip

    return build


def torch_lstm(n_in, n_hidden):
    def build(nn):
        class Last(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm, self.out = nn.LSTM(n_in, n_hidden, batch_first=True), nn.Linear(n_hidden, 10)

            def forward(self, x):
                return self.out(self.lstm(x)[0][:, -1])

        return Last()

    return build


def cases():
    """All rows, on random data."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def labels(n):
        return rng.integers(0, 10, n)

    def perceptron(name, sizes, function, n, loss, optimizer):
        x, y = normal(n, sizes[0]), labels(n)
        if loss == "binary":
            y = rng.integers(0, 2, (n, 1)).astype(np.float32)
        kind = torch_dense(sizes, {"tanh": "Tanh", "relu": "ReLU"}[function.name])
        shapes = [("dense", n, a, b, i > 0) for i, (a, b) in enumerate(itertools.pairwise(sizes))]
        return Case(
            f"{name}, batch {n}", x, y, lambda: dense(sizes, function), kind, loss, optimizer,
            shapes, sizes, function.name,
        )  # fmt: skip

    for n in (32, 200):
        yield perceptron("2-16-16-1 tanh", (2, 16, 16, 1), tanh, n, "binary", "sgd")
    yield perceptron("64-32-10", (64, 32, 10), relu, 32, "softmax", "momentum")
    for n in (32, 128, 512):
        yield perceptron("784-256-128-10 Adam", (784, 256, 128, 10), relu, n, "softmax", "adam")
    for channels in ((8, 16), (32, 64)):
        name = f"LeNet {channels[0]} and {channels[1]} channels, batch 64"
        x, y, kind = normal(64, 1, 28, 28), labels(64), torch_lenet(channels)
        a, b = channels
        shapes = [
            ("convolution", 64, 1, a, 28, 5, False),
            ("convolution", 64, a, b, 12, 5, True),
            ("dense", 64, 16 * b, 10, True),
        ]
        yield Case(name, x, y, lambda c=channels: lenet(c), kind, "softmax", "adam", shapes)
    for n in (64, 128):
        name, kind = f"LSTM {n} units, 50 steps, batch 32", torch_lstm(n, n)
        shapes = [("lstm", 50, 32, n, n), ("dense", 32, n, 10, True)]
        yield Case(name, normal(32, 50, n), labels(32), lambda n=n: last_step(n), kind, "softmax", "adam", shapes)


def last_step(n):
    """An LSTM of n inputs and n units, and a classifier on its last state."""
    return [LSTM(n, n, sequences=False), Dense(n, 10)]
