"""Chapter 7's interactive figures: each frame a plain function of the settings."""

import functools
import math

import numpy as np

from nnlib.activations import relu, tanh
from nnlib.course.chapter_07.experiments import (
    SMOOTHED,
    cliff,
    descend,
    gradient_of,
    mini_batch_path,
    plane_of,
    train_on_all,
    trained,
    two_weights,
    walk_at_the_cliff,
)
from nnlib.course.ward import ILL, N_STEPS, SIGNS, chart
from nnlib.course.words import minus
from nnlib.data import circles
from nnlib.diagnostics import loss_along, sharpness
from nnlib.initializers import he_normal, xavier_normal
from nnlib.losses import softmax_cross_entropy
from nnlib.network import mlp
from nnlib.widgets import Field, Frame, Lines

CURVATURES, START = np.array([1.0, 10.0]), (10.0, 1.0)  # the valley of the chapter's first page


def valley_frame(learning_rate):
    """Twenty steps of descent in the valley theta_1^2 / 2 + 10 theta_2^2 / 2."""
    path = descend(CURVATURES, START, learning_rate, 20)
    losses = 0.5 * path**2 @ CURVATURES
    across, along = np.linspace(-3.0, 3.0, 41), np.linspace(-11.0, 11.0, 61)
    valley = 0.5 * (along[None] ** 2 * CURVATURES[0] + across[:, None] ** 2 * CURVATURES[1])
    shown = path[np.abs(path[:, 1]) < 3.0]
    picture = Field(
        np.sqrt(valley), x=(-11.0, 11.0), y=(-3.0, 3.0), overlay=[Lines(shown, colors=("accent",))],
        x_label="θ₁", y_label="θ₂", v_label="√loss", title="the path from above",
    )  # fmt: skip
    curve = Lines(
        losses, colors=("train",), x_label="step", y_label="loss", log=True, y_range=(1e-3, 1e5), title="the loss"
    )
    factors = 1.0 - learning_rate * CURVATURES
    text = (
        f"With learning rate {learning_rate:g}, each step multiplies θ₁ by {factors[0]:.3g} and θ₂ by "
        f"{factors[1]:.3g}. The loss goes from {losses[0]:g} to {losses[-1]:.3g} in 20 steps."
    )
    return Frame([picture, curve], text=minus(text))


def plane_frame(plane, reach):
    """The loss of a trained network on a plane through it, at equal scale in every plane."""
    run = trained()[0]
    grid = np.linspace(-reach, reach, 25)
    losses = loss_along(run.network, SMOOTHED, run.x, run.y, plane_of(plane), grid)
    middle = float(losses[12, 12])
    rises = [float(losses[:, 12][[0, -1]].mean()) - middle, float(losses[12][[0, -1]].mean()) - middle]
    text = (
        f"Through the trained network, along {plane}: {reach:g} away from it, the loss of {middle:.3f} is higher by "
        f"{rises[0]:.2g} on one axis and by {rises[1]:.2g} on the other."
    )
    picture = Field(
        losses.T, x=(-reach, reach), y=(-reach, reach), v_range=(0.5, 3.0), levels=(0.6, 0.8, 1.0, 1.5, 2.0, 2.5),
        x_label="distance in the first direction", y_label="distance in the second", v_label="loss (nats)",
        title=f"the loss along {plane}",
    )  # fmt: skip
    cut = Lines(
        losses[:, 12], losses[12], x=grid, labels=("first direction", "second direction"),
        x_label="distance", y_label="loss (nats)", y_range=(0.4, 3.0), title="cut along both axes",
    )  # fmt: skip
    return Frame([picture, cut], text=minus(text))


def path_frame(batch_size, order):
    """Four passes over 64 examples on the error surface of two weights, at rate 0.1."""
    x, y = two_weights()
    path = mini_batch_path(batch_size, order)
    best = np.linalg.lstsq(x, y, rcond=None)[0]

    def above(theta):
        return 0.5 * np.mean(((theta - best) @ x.T) ** 2, axis=-1)

    grid = np.stack(np.meshgrid(np.linspace(-2.5, 2.5, 41), np.linspace(-2.0, 2.0, 33)), axis=-1)
    picture = Field(
        np.sqrt(above(grid)), x=(-2.5, 2.5), y=(-2.0, 2.0), overlay=[Lines(path, colors=("accent",))],
        levels=(0.1, 0.5, 1.0, 2.0, 3.0), x_label="weight 1", y_label="weight 2", v_label="√(loss above the minimum)",
        title="the path from above",
    )  # fmt: skip
    curve = Lines(
        above(path), x=np.arange(len(path)) * batch_size, colors=("train",), x_label="examples seen", log=True,
        y_label="loss above the minimum", y_range=(1e-5, 1e1), title="the loss",
    )  # fmt: skip
    text = (
        f"Batches of {batch_size}, order {order}: {len(path) - 1} steps in 4 passes, and the loss ends "
        f"{above(path)[-1]:.2g} above its minimum."
    )
    return Frame([picture, curve], text=minus(text))


@functools.cache
def edge(learning_rate, seed=0):
    return train_on_all(learning_rate, 390, seed, every=15)


def edge_frame(learning_rate):
    """Full-batch descent on digits: the loss, and the top curvature beside the largest stable one, 2 / rate."""
    run = edge(learning_rate)
    limit = 2.0 / learning_rate
    curve = Lines(
        run.losses, colors=("train",), x_label="step", y_label="training loss (nats)", log=True, y_range=(0.5, 4.0),
        title="the loss",
    )  # fmt: skip
    top = Lines(
        run.top, np.full(len(run.top), limit), x=run.looked, labels=("top curvature", "2 / learning rate"),
        colors=("value", "muted"), dashes=(False, True), x_label="step", y_label="curvature", log=True,
        y_range=(0.2, 20.0), title="the steepest direction",
    )  # fmt: skip
    side = "above" if run.top[0] > limit else "below"
    text = (
        f"With learning rate {learning_rate:g}, curvatures up to {limit:.3g} are stable. The first network has "
        f"{run.top[0]:.2g}, {side} that; after 390 steps it is {run.top[-1]:.2g} and the loss {run.losses[-1]:.3f}."
    )
    return Frame([curve, top], text=minus(text))


STARTS = {"on the upper plateau": (1.6, 0.3), "on the lower plateau": (1.8, -0.5), "on the slope": (1.2, 0.6)}


def cliff_frame(start, clipped):
    """Descent near a cliff, with gradients as they are or at most 0.3 long."""
    places, losses = walk_at_the_cliff(STARTS[start], limit=0.3 if clipped else None)
    w, b = np.linspace(0.0, 2.5, 51), np.linspace(-1.2, 1.2, 49)
    ground = cliff(w[None] + 0.0 * b[:, None], b[:, None] + 0.0 * w[None])[0]
    inside = (np.abs(places[:, 0] - 1.25) <= 1.25) & (np.abs(places[:, 1]) <= 1.2)
    picture = Field(
        ground, x=(0.0, 2.5), y=(-1.2, 1.2), overlay=[Lines(places[inside], colors=("accent",))],
        x_label="weight w", y_label="bias b", v_label="loss", title="the path from above",
    )  # fmt: skip
    curve = Lines(losses, colors=("train",), x_label="step", y_label="loss", y_range=(0.0, 1.1), title="the loss")
    longest = np.linalg.norm(np.diff(places, axis=0), axis=1).max()
    text = (
        f"From {start.removeprefix('on ')}, {'gradients clipped to length 0.3' if clipped else 'gradients as they are'}"
        f": the longest step is {longest:.2g}, the last loss {losses[-1]:.2g}."
    )
    return Frame([picture, curve], text=minus(text))


# --- the dashboard ----------------------------------------------------------------------------------------------------


PATIENTS = dict(zip("ABCDEFGHIJKL", (list(ILL)[i] for i in (6, 1, 9, 3, 11, 7, 0, 10, 2, 8, 4, 5)), strict=True))
UNDECIDED = "… (look first)"
DIAGNOSES = (UNDECIDED, *ILL)


def verdict(patient, diagnosis):
    """What the dashboard says to a diagnosis."""
    c, truth = chart(PATIENTS[patient]), PATIENTS[patient]
    if diagnosis == UNDECIDED:
        return (
            f"Patient {patient} after {N_STEPS} steps: training loss {c.train[-1]:.2f}, held-out accuracy "
            f"{c.accuracy[-1]:.0%}. The dashed curve is a healthy training. What is wrong here?"
        )
    sign = SIGNS[diagnosis]
    there, said = sign.seen(c)
    if diagnosis == truth:
        return f"Right, patient {patient}: {diagnosis}. The sign: {said}. The mend: {sign.mend}."
    if there:
        return f"Not the cause in patient {patient}, though its sign is there: {said}. What came first?"
    return f"Not patient {patient}. If {diagnosis}, {sign.expected}; but {said}."


def dashboard_frame(patient, diagnosis):
    """The dashboard of one sick training and the answer to a diagnosis."""
    c, healthy = chart(PATIENTS[patient]), chart()
    layers = [f"layer {i}" for i in (1, 2, 3, 4)]
    look = {"x": c.steps, "x_label": "step"}
    panels = [
        Lines(
            *(np.clip(curve, 0.0, 4.0) for curve in (c.train, c.validation, healthy.train)),
            labels=("train", "validation", "healthy"), colors=("train", "validation", "muted"),
            dashes=(False, False, True), y_label="loss (nats)", y_range=(0.0, 4.0), title="loss", **look,
        ),
        Lines(
            *np.clip(c.gradients, 1e-7, 1e2), labels=layers, y_label="‖dL/dW‖", log=True, y_range=(1e-7, 1e2),
            title="gradient of each layer", **look,
        ),
        Lines(
            *np.clip(c.ratios, 1e-7, 1e1), labels=layers, y_label="‖step‖ / ‖W‖", log=True, y_range=(1e-7, 1e1),
            title="step of each layer, as a share of its weights", **look,
        ),
        Lines(
            *c.flat, labels=layers[:3], y_label="share", y_range=(0.0, 1.05),
            title="outputs where the slope is near 0", **look,
        ),
    ]  # fmt: skip
    return Frame(panels, text=minus(verdict(patient, diagnosis)))


# --- the playground ---------------------------------------------------------------------------------------------------

PLAY = {"x₁, x₂": 2, "x₁, x₂, x₁², x₂²": 4}  # features


@functools.cache
def played(f, learning_rate, penalty, n_in, batch_size, seed=0, n_epochs=60):
    """Losses before each epoch, largest weights, and steepness: eta times the top curvature, over 2.  A network of
    8 tanh or 4 ReLU units on two rings of radius 5 and 2.5, with an L2 penalty on the weights."""
    rng = np.random.default_rng([80, seed])
    x, y = circles(200, rng=rng)
    x = 5.0 * x.astype(float)
    x = np.hstack([x, x**2]) if n_in == 4 else x
    width, init = (4, he_normal) if f is relu else (8, xavier_normal)
    network = mlp((n_in, width, 2), f, init, rng, dtype=np.float64)
    weights = [layer.W.value for layer in network.layers[::2]]
    losses, largest, steepness = [], [], []
    with np.errstate(all="ignore"):
        for epoch in range(n_epochs + 1):
            losses.append(softmax_cross_entropy(network.forward(x), y)[0])
            largest.append(max(np.abs(w).max() for w in weights))
            if epoch % 4 == 0 and np.isfinite(losses[-1]):
                found = sharpness(network, softmax_cross_entropy, x, y, rng=np.random.default_rng(81), iterations=8)
                steepness.append(0.5 * learning_rate * found.largest)
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                batch = order[start : start + batch_size]
                if np.isfinite(network.theta).all():
                    gradient_of(network, softmax_cross_entropy, x[batch], y[batch])
                    for layer in network.layers[::2]:
                        layer.W.grad[...] += penalty * layer.W.value
                    network.theta -= learning_rate * network.grad
    return np.array(losses), np.array(largest), np.array(steepness)


def oscillation_frame(learning_rate, features, batch_size):
    """The loss of the playground's network epoch by epoch, and how steep its surface is for the rate."""
    losses, _, steepness = played(tanh, learning_rate, 0.0, PLAY[features], batch_size)
    wobble = float(np.std(np.diff(losses[30:])) / math.sqrt(2.0))  # of the epochs around their trend
    curve = Lines(
        np.clip(losses, 0.0, 2.0), colors=("train",), x_label="epoch", y_label="loss (nats)", y_range=(0.0, 2.0),
        title="the loss",
    )  # fmt: skip
    steep = Lines(
        np.clip(steepness, 1e-3, 1e3), x=4 * np.arange(len(steepness)), colors=("value",), x_label="epoch", log=True,
        y_label="rate × curvature / 2", y_range=(1e-3, 1e3), marks=[(None, 1.0, "stable below")],
        title="the steepest direction, for this rate",
    )  # fmt: skip
    text = (
        f"Learning rate {learning_rate:g}, inputs {features}, batches of {batch_size}: over the last 30 epochs the "
        f"loss wobbles by {wobble:.2g} from epoch to epoch; rate × curvature / 2 is above 1 at "
        f"{np.sum(steepness > 1)} of {len(steepness)} looks."
    )
    return Frame([curve, steep], text=minus(text))


def vanishing_frame(learning_rate, penalty):
    """The largest weight of the playground's network epoch by epoch, with and without an L2 penalty."""
    losses, largest, _ = played(relu, learning_rate, penalty, 4, 10)
    alive = bool(np.isfinite(losses[-1]))
    panels = [
        Lines(
            np.clip(losses, 0.0, 3.0), colors=("train",), x_label="epoch", y_label="loss (nats)", y_range=(0.0, 3.0),
            title="the loss",
        ),
        Lines(
            np.clip(largest, 1e-30, 1e6), colors=("value",), x_label="epoch", y_label="largest weight", log=True,
            y_range=(1e-30, 1e6), title="the largest weight",
        ),
    ]  # fmt: skip
    end = f"the largest weight is {largest[-1]:.1g} and the loss {losses[-1]:.2f}" if alive else "the numbers are NaN"
    text = f"Learning rate {learning_rate:g}, L2 penalty {penalty:g}: after 60 epochs {end}."
    return Frame(panels, text=minus(text))
