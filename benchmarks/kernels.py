"""Kernels: forward and backward of one layer on (512, 1024) float32, in nnlib and in PyTorch; and Adam on a million."""

import numpy as np

from nnlib import activations, layers
from nnlib.optimizers import Adam

SHAPE = (512, 1024)
N_PARAMETERS = 1_000_000


class Softmax(layers.Layer):
    """softmax as a layer, for the table alone."""

    def compute(self, x, training):
        return activations.softmax(x, out=self.array("p", x.shape))

    def pull_back(self, dout, input_gradient):
        return activations.softmax_backward(dout, self.out, out=self.array("dx", dout.shape))


def ours(layer, x, dout):
    layer.initialize(np.random.default_rng(0), np.float32)

    def call():
        layer.forward(x, training=True)
        layer.backward(dout)

    return call


def theirs(function, x, dout, *parameters):
    import torch

    x, dout = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(dout)

    def call():
        torch.autograd.grad(function(x), (x, *parameters), dout)

    return call


def kernels():
    """(name, nnlib's call, a function that makes PyTorch's call)."""
    rng = np.random.default_rng(0)
    x, dout = (rng.normal(size=SHAPE).astype(np.float32) for _ in range(2))
    n = SHAPE[1]

    def elementwise(name, function):
        return name, ours(layers.Activation(activations.ELEMENTWISE[function]), x, dout)

    def torch_function(name, **settings):
        def make():
            import torch.nn.functional as F

            return theirs(lambda t: getattr(F, name)(t, **settings), x, dout)

        return make

    def torch_norm(kind):
        def make():
            import torch
            import torch.nn.functional as F

            gamma, beta = torch.ones(n, requires_grad=True), torch.zeros(n, requires_grad=True)
            mean, var = torch.zeros(n), torch.ones(n)
            if kind == "batch":
                return theirs(lambda t: F.batch_norm(t, mean, var, gamma, beta, True), x, dout, gamma, beta)
            return theirs(lambda t: F.layer_norm(t, (n,), gamma, beta), x, dout, gamma, beta)

        return make

    yield "dropout", ours(layers.Dropout(0.5), x, dout), torch_function("dropout", p=0.5)
    for name, function, torch_name, settings in (
        ("tanh", "tanh", "tanh", {}),
        ("GELU, tanh form", "gelu_tanh", "gelu", {"approximate": "tanh"}),
        ("ReLU", "relu", "relu", {}),
        ("sigmoid", "sigmoid", "sigmoid", {}),
        ("SiLU", "swish", "silu", {}),
        ("ELU", "elu", "elu", {}),
        ("GELU, exact", "gelu", "gelu", {}),
    ):
        yield *elementwise(name, function), torch_function(torch_name, **settings)
    yield "softmax", ours(Softmax(), x, dout), torch_function("softmax", dim=-1)
    yield "BatchNorm", ours(layers.BatchNorm(n), x, dout), torch_norm("batch")
    yield "LayerNorm", ours(layers.LayerNorm(n), x, dout), torch_norm("layer")


def adam():
    """nnlib's Adam on a million parameters, and a function that makes PyTorch's."""
    rng = np.random.default_rng(0)
    theta, grad = (rng.normal(size=N_PARAMETERS).astype(np.float32) for _ in range(2))
    optimizer = Adam(1e-4)

    def torch_adam(**flags):
        import torch

        parameter = torch.from_numpy(theta.copy()).requires_grad_()
        parameter.grad = torch.from_numpy(grad)
        return torch.optim.Adam([parameter], 1e-4, **flags).step

    return lambda: optimizer.step(theta, grad), torch_adam
