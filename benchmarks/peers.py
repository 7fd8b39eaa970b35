"""Contenders for the dense networks, one function a column: the same step in other libraries, each as it is fastest,
and the ceilings, which take 100 steps a call.

A contender is a function of a case of steps.py that is registered with :func:`column`.  It returns a call without
arguments that takes one step and returns the loss, or takes ``call.n_steps`` steps and returns their losses.  Those
that are ``alike`` start from the same weights as nnlib, so that :func:`check_losses` can compare theirs with its own.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable

import numpy as np
import plain
from steps import SETTINGS, first_weights

N_STEPS = 100  # of a ceiling's call
N_CHECKED, TOLERANCE = 20, 2e-4  # a learning rate that is a hundredth off differs by more


@dataclasses.dataclass(frozen=True)
class Column:
    """A contender: who makes its call, and whether it starts from nnlib's weights."""

    make: Callable
    ceiling: bool = False
    alike: bool = True


COLUMNS = {}


def column(name, **properties):
    """Register a contender under the name of its column."""

    def register(make):
        COLUMNS[name] = Column(make, **properties)
        return make

    return register


LEFT_OUT = {}  # name of a contender -> why it cannot be had here


def made(makers):
    """The calls of these contenders, {name: function without arguments that makes one}, but for those that a library
    or a compiler is missing for, of which a sentence tells."""
    calls = {}
    for name, make in makers.items():
        if name in LEFT_OUT:
            continue
        try:
            calls[name] = make()
        except ImportError as error:
            LEFT_OUT[name] = str(error)
            print(f"left out: {name}, since {error}", flush=True)
    return calls


def peers_of(case):
    """The makers of all columns for a case, and of those that start from nnlib's weights."""
    if case.sizes is None:
        return {}, {}
    makers = {name: functools.partial(entry.make, case) for name, entry in COLUMNS.items()}
    return makers, {name: make for name, make in makers.items() if COLUMNS[name].alike}


def check_losses(name, nnlib, others):
    """All these calls see the losses that nnlib sees, up to the rounding of float32; an error says which does not.

    Rounding grows from step to step, so the first ``N_CHECKED`` are compared.  Returns the largest differences, as
    shares of the largest loss of each step.
    """
    ours, largest = losses_of(nnlib), {}
    for rival, call in others.items():
        theirs = losses_of(call)
        largest[rival] = float(np.max(np.abs(theirs - ours).max(axis=1) / np.abs(ours).max(axis=1)))
        if not largest[rival] < TOLERANCE:
            raise AssertionError(f"{name}: {rival} does not take nnlib's steps: {theirs} instead of {ours}")
    return largest


def losses_of(call):
    """The losses of a contender's first steps, (N_CHECKED, 1) or (N_CHECKED, E)."""
    losses = []
    while len(losses) < N_CHECKED:
        some = np.asarray(call(), np.float64)
        losses.extend(some.reshape(getattr(call, "n_steps", 1), -1))
    return np.stack(losses[:N_CHECKED])


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


@column("torch.compile")
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


def jax_step(case):
    """The step as a function of (parameters, state, t), which is to be compiled, and the first of these."""
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

    parameters = [jnp.asarray(p) for p in first_weights(case.sizes)]
    return step, (parameters, first_state(case.optimizer, parameters, jnp.zeros_like), jnp.zeros(()))


@column("JAX jit")
def jax_jitted(case):
    import jax
    import jax.numpy as jnp

    step, carried = jax_step(case)
    step = jax.jit(step, donate_argnums=(0, 1, 2))
    x, y = jnp.asarray(case.x), jnp.asarray(case.y)

    def call():
        nonlocal carried
        *carried, L = step(*carried, x, y)
        return float(L)

    return call


@column("JAX scan", ceiling=True)
def jax_scanned(case):
    """All steps are one compiled graph: a call for a hundred of them."""
    import jax
    import jax.numpy as jnp

    step, carried = jax_step(case)

    def steps(carried, x, y):
        def body(carried, _):
            *carried, L = step(*carried, x, y)
            return tuple(carried), L

        return jax.lax.scan(body, carried, None, length=N_STEPS)

    steps = jax.jit(steps, donate_argnums=0)
    x, y = jnp.asarray(case.x), jnp.asarray(case.y)

    def call():
        nonlocal carried
        carried, losses = steps(carried, x, y)
        return np.asarray(losses)

    call.n_steps = N_STEPS
    return call


@column("plain C", ceiling=True)
def plain_c(case):
    return plain.trainer(case.sizes, case.activation, case.loss, case.optimizer, case.x, case.y, N_STEPS)


@column("scikit-learn", alike=False)
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


@column("autograd")
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
