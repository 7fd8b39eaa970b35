"""Peers of the dense networks: the same step in torch.compile, JAX, scikit-learn and autograd, each as it is fastest.

Each function takes a case of steps.py and returns a call that takes one step, or None where the library is missing or
has no such network.
"""

import itertools
import warnings

import numpy as np
from steps import SETTINGS

PEERS = ("torch.compile", "JAX jit", "scikit-learn", "autograd")


def peer(name, case):
    """The step of that peer for a case, or None."""
    make = {
        "torch.compile": torch_compiled,
        "JAX jit": jax_jitted,
        "scikit-learn": scikit_learn,
        "autograd": autograd_step,
    }[name]
    if case.sizes is None:
        return None
    try:
        return make(case)
    except ImportError:
        return None


def first_weights(sizes):
    """He's normal numbers and zeros: [W, b, W, b, ...]."""
    rng = np.random.default_rng(0)
    pairs = itertools.pairwise(sizes)
    weights = [(rng.normal(size=(a, b)) * np.sqrt(2.0 / a), np.zeros(b)) for a, b in pairs]
    return [array.astype(np.float32) for pair in weights for array in pair]


def logits(parameters, x, activation):
    """The network as a formula; every library's arrays know @ and +."""
    *hidden, (W, b) = zip(parameters[::2], parameters[1::2])
    for V, c in hidden:
        x = activation(x @ V + c)
    return x @ W + b


def updated(optimizer, parameters, gradients, state, t):
    """Parameters and state after one step, as formulas."""
    rate = SETTINGS[optimizer]["learning_rate"]
    if optimizer == "sgd":
        return [p - rate * g for p, g in zip(parameters, gradients)], state
    if optimizer == "momentum":
        state = [SETTINGS[optimizer]["momentum"] * v + g for v, g in zip(state, gradients)]
        return [p - rate * v for p, v in zip(parameters, state)], state
    half = len(parameters)
    m = [0.9 * m + 0.1 * g for m, g in zip(state[:half], gradients)]
    v = [0.999 * v + 0.001 * g * g for v, g in zip(state[half:], gradients)]
    step, root = rate / (1.0 - 0.9**t), 1.0 - 0.999**t
    return [p - step * a / ((b / root) ** 0.5 + 1e-8) for p, a, b in zip(parameters, m, v)], m + v


def first_state(optimizer, parameters, zeros_like):
    copies = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer]
    return [zeros_like(p) for _ in range(copies) for p in parameters]


def torch_compiled(case):
    """Loss, gradients and update in one compiled graph: much faster than compiling the model alone."""
    import torch
    import torch.nn.functional as F

    activation = {"tanh": torch.tanh, "relu": torch.relu}[case.activation]
    x, y = torch.from_numpy(case.x), torch.from_numpy(case.y)
    loss = F.binary_cross_entropy_with_logits if case.loss == "binary" else F.cross_entropy

    def value(parameters, x, y):
        return loss(logits(parameters, x, activation), y)

    @torch.compile(fullgraph=True)
    def step(parameters, state, t, x, y):
        gradients, L = torch.func.grad_and_value(value)(parameters, x, y)
        return *updated(case.optimizer, parameters, gradients, state, t), L

    parameters = [torch.from_numpy(p) for p in first_weights(case.sizes)]
    state = first_state(case.optimizer, parameters, torch.zeros_like)
    t = torch.zeros(())

    def call():
        nonlocal parameters, state
        t.add_(1.0)
        with torch.no_grad():
            parameters, state, L = step(parameters, state, t, x, y)
        return L.item()

    return call


def jax_jitted(case):
    import jax
    import jax.numpy as jnp

    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[case.activation]

    def value(parameters, x, y):
        z = logits(parameters, x, activation)
        if case.loss == "binary":
            return jnp.mean(jax.nn.softplus(z) - z * y)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1))

    def step(parameters, state, t, x, y):
        L, gradients = jax.value_and_grad(value)(parameters, x, y)
        return *updated(case.optimizer, parameters, gradients, state, t + 1.0), t + 1.0, L

    step = jax.jit(step, donate_argnums=(0, 1, 2))
    x, y = jnp.asarray(case.x), jnp.asarray(case.y)
    parameters = [jnp.asarray(p) for p in first_weights(case.sizes)]
    state, t = first_state(case.optimizer, parameters, jnp.zeros_like), jnp.zeros(())

    def call():
        nonlocal parameters, state, t
        parameters, state, t, L = step(parameters, state, t, x, y)
        return float(L)

    return call


def scikit_learn(case):
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden_layer_sizes=case.sizes[1:-1],
        activation=case.activation,
        solver="adam" if case.optimizer == "adam" else "sgd",
        learning_rate_init=SETTINGS[case.optimizer]["learning_rate"],
        momentum=SETTINGS[case.optimizer].get("momentum", 0.0),
        nesterovs_momentum=False,
        alpha=0.0,
        batch_size=len(case.x),
        shuffle=False,
    )
    y = case.y.ravel().astype(int)
    classes = np.arange(2 if case.loss == "binary" else case.sizes[-1])

    def call():
        model.partial_fit(case.x, y, classes=classes)
        return model.loss_

    return call


def autograd_step(case):
    import autograd.numpy as anp
    from autograd import value_and_grad

    activation = {"tanh": anp.tanh, "relu": lambda z: anp.maximum(z, 0.0)}[case.activation]
    rows = np.arange(len(case.x))

    def value(parameters):
        z = logits(parameters, case.x, activation)
        if case.loss == "binary":
            return anp.mean(anp.logaddexp(0.0, z) - z * case.y)
        z = z - anp.max(z, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - z[rows, case.y])

    gradient = value_and_grad(value)
    parameters = first_weights(case.sizes)
    state, t = first_state(case.optimizer, parameters, np.zeros_like), 0

    def call():
        nonlocal parameters, state, t
        t += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            L, gradients = gradient(parameters)
        parameters, state = updated(case.optimizer, parameters, gradients, state, t)
        return float(L)

    return call
