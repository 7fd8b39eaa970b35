"""Chapter 7's experiments: descents on valleys and on digits, saddles, cliffs, and runs that went wrong."""

import dataclasses
import functools

import numpy as np

from nnlib.activations import relu, tanh
from nnlib.data import digits
from nnlib.diagnostics import hessian_vector_product, sharpness
from nnlib.initializers import he_normal, xavier_normal
from nnlib.losses import softmax_cross_entropy
from nnlib.network import mlp

SMOOTHED = softmax_cross_entropy(label_smoothing=0.1)  # its minimum lies at finite weights


def descend(curvatures, start, learning_rate, n_steps):
    """Gradient descent on sum curvature theta^2 / 2: theta at the start and after each step (n_steps + 1, D)."""
    path = [np.array(start, float)]
    for _ in range(n_steps):
        gradient = curvatures * path[-1]
        path.append(path[-1] - learning_rate * gradient)
    return np.array(path)


def some_digits(n, seed, dtype=np.float64):
    """n training digits of a random choice, x (n, 64) and labels (n,)."""
    x, y = digits().train
    chosen = np.random.default_rng([7, seed]).permutation(len(x))[:n]
    return x[chosen].astype(dtype), y[chosen]


def digit_network(seed, width=16):
    """A tanh network for digits in float64, 64 inputs and 10 outputs."""
    return mlp((64, width, 10), tanh, xavier_normal, np.random.default_rng([71, seed]), dtype=np.float64)


def gradient_of(network, loss, x, y):
    """The loss and its gradient (P,) at the network's parameters; a copy."""
    value, dout = loss(network.forward(x), y)
    network.backward(dout, input_gradient=False)
    return value, network.grad.copy()


@dataclasses.dataclass
class Descent:
    """A training on all examples at once: the loss before each step, and the top curvature at some of them."""

    network: object
    x: np.ndarray
    y: np.ndarray
    losses: np.ndarray
    looked: np.ndarray  # step numbers
    top: np.ndarray  # largest eigenvalue of the Hessian at these steps


def train_on_all(learning_rate, n_steps, seed, every=None, n=300):
    """Full-batch gradient descent of a digit network on n digits with smoothed labels."""
    x, y = some_digits(n, seed)
    network, losses, looked, top = digit_network(seed), [], [], []
    for step in range(n_steps + 1):
        value, gradient = gradient_of(network, SMOOTHED, x, y)
        losses.append(value)
        if every and step % every == 0:
            looked.append(step)
            top.append(top_curvature(network, x, y, seed))
        if step < n_steps:
            network.theta -= learning_rate * gradient
    return Descent(network, x, y, np.array(losses), np.array(looked), np.array(top))


def top_curvature(network, x, y, seed, iterations=15):
    found = sharpness(network, SMOOTHED, x, y, rng=np.random.default_rng([72, seed]), iterations=iterations)
    return found.largest


def distance_growth(run, direction, learning_rate, n_steps=40):
    """By what factor a step at this rate changes a tiny distance in a direction between two descents, on average."""
    network, theta = run.network, run.network.theta.copy()
    places = [theta.copy(), theta + 1e-6 * direction]
    for _ in range(n_steps):
        for place in places:
            network.theta[...] = place
            place -= learning_rate * gradient_of(network, SMOOTHED, run.x, run.y)[1]
    network.theta[...] = theta
    return float((np.linalg.norm(places[1] - places[0]) / 1e-6) ** (1 / n_steps))


def largest_stable_rate(run, direction, guess, n_halvings=8):
    """The rate between guess / 2 and 3/2 guess above which tiny distances grow, by bisection."""
    low, high = 0.5 * guess, 1.5 * guess
    for _ in range(n_halvings):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if distance_growth(run, direction, middle) > 1.0 else (middle, high)
    return 0.5 * (low + high)


# --- planes through a trained network ---------------------------------------------------------------------------------

PLANES = ("two weights", "two random directions", "the two steepest directions")


@functools.cache
def trained(seed=0):
    """A trained network, its digits, and the two eigenvectors of largest curvature with their eigenvalues."""
    run = train_on_all(0.5, 1000, seed)
    network, x, y = run.network, run.x, run.y

    def product(v):
        return hessian_vector_product(network, SMOOTHED, x, y, v)

    vectors, values = [], []
    for _ in range(2):  # power iteration; the second among the vectors at right angles to the first
        v = np.random.default_rng([78, seed]).normal(size=network.theta.size)
        for _ in range(100):
            for u in vectors:
                v -= (v @ u) * u
            v /= np.linalg.norm(v)
            direction, v = v, product(v)
        values.append(direction @ v)
        vectors.append(direction)
    return run, np.array(vectors), np.array(values)


def plane_of(name, seed=0):
    """Two orthonormal directions (2, P) of one of `PLANES`."""
    run, steepest, _ = trained(seed)
    if name == PLANES[2]:
        return steepest
    if name == PLANES[0]:
        weights = run.network.theta[: 64 * 16].argsort()[[0, -1]]  # the smallest and the largest of the first layer
        return np.eye(run.network.theta.size)[weights]
    drawn = np.random.default_rng([79, seed]).normal(size=(2, run.network.theta.size))
    return np.linalg.qr(drawn.T)[0].T


# --- noise ------------------------------------------------------------------------------------------------------------


def example_gradients(network, loss, x, y):
    """The gradient of each example alone (M, P)."""
    return np.array([gradient_of(network, loss, x[i : i + 1], y[i : i + 1])[1] for i in range(len(x))])


def measured_noise(gradients, batch_size, rng, n_batches=400):
    """Root mean squared distance of a batch's gradient from that of all examples; drawn without replacement."""
    whole = gradients.mean(axis=0)
    drawn = (rng.permutation(len(gradients))[:batch_size] for _ in range(n_batches))
    squares = [np.sum((gradients[batch].mean(axis=0) - whole) ** 2) for batch in drawn]
    return float(np.sqrt(np.mean(squares)))


def excess(schedule, batch_size, n_epochs, seed, n=200, n_in=5):
    """Least squares by mini-batches: the loss above its minimum after each epoch (n_epochs + 1,)."""
    rng = np.random.default_rng([74, seed])
    x = rng.normal(size=(n, n_in))
    y = x @ rng.normal(size=n_in) + rng.normal(size=n)
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    curvature, theta, step = x.T @ x / n, np.zeros(n_in), 0
    above = [0.5 * (theta - best) @ curvature @ (theta - best)]
    for _ in range(n_epochs):
        order = rng.permutation(n)
        for start in range(0, n, batch_size):
            batch = order[start : start + batch_size]
            error = x[batch] @ theta - y[batch]
            theta = theta - schedule(step) * (error @ x[batch]) / len(batch)
            step += 1
        above.append(0.5 * (theta - best) @ curvature @ (theta - best))
    return np.array(above)


def two_weights(seed=0, n=64):
    """Least squares with two weights, one input twice as large as the other: x (n, 2), y (n,)."""
    rng = np.random.default_rng([82, seed])
    x = rng.normal(size=(n, 2)) * [1.0, 2.0]
    return x, x @ [1.0, -0.5] + 0.5 * rng.normal(size=n)


def mini_batch_path(batch_size, seed, learning_rate=0.1, n_epochs=4):
    """Weights (n_steps + 1, 2) of SGD on `two_weights` from (-2, 1.5); the seed shuffles."""
    x, y = two_weights()
    rng, path = np.random.default_rng([83, seed]), [np.array([-2.0, 1.5])]
    for _ in range(n_epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            path.append(path[-1] - learning_rate * (x[batch] @ path[-1] - y[batch]) @ x[batch] / len(batch))
    return np.array(path)


def in_order(order, learning_rate, seed, n_epochs=5, batch_size=16):
    """Held-out accuracy of a network that meets its digits "shuffled" each epoch, or "sorted" by label."""
    rng = np.random.default_rng([75, seed])
    (x, y), (x_new, y_new) = some_digits(1024, seed, np.float32), digits().validation
    network = mlp((64, 32, 10), relu, he_normal, rng)
    for _ in range(n_epochs):
        places = rng.permutation(len(x)) if order == "shuffled" else np.argsort(y, kind="stable")
        for start in range(0, len(x), batch_size):
            batch = places[start : start + batch_size]
            network.theta -= (
                np.float32(learning_rate) * gradient_of(network, softmax_cross_entropy, x[batch], y[batch])[1]
            )
    return float(np.mean(network.predict(x_new).argmax(axis=1) == y_new))


# --- saddles and cliffs -----------------------------------------------------------------------------------------------


def at_the_saddle(seed, width=4, n=300):
    """A digit network with all weights 0 and the output biases that fit the class shares; and its digits."""
    x, y = some_digits(n, seed)
    network = digit_network(seed, width)
    network.theta[...] = 0.0
    shares = np.bincount(y, minlength=10) / n
    network.layers[-1].b.value[...] = np.log(0.9 * shares + 0.01)  # the optimum for labels smoothed by 0.1
    return network, x, y


def hessian(network, loss, x, y):
    """All second derivatives (P, P), one Hessian-vector product for each column."""
    columns = [hessian_vector_product(network, loss, x, y, e) for e in np.eye(network.theta.size)]
    return 0.5 * (np.array(columns) + np.array(columns).T)


def escape(seed, distance, learning_rate=0.5, n_steps=2000, batch_size=None):
    """Descent that begins so far from the saddle in a random direction: the loss before each step."""
    network, x, y = at_the_saddle(seed)
    rng = np.random.default_rng([76, seed])
    away = rng.normal(size=network.theta.size)
    network.theta += distance * away / np.linalg.norm(away)
    losses = []
    for _ in range(n_steps):
        value, gradient = gradient_of(network, SMOOTHED, x, y)
        losses.append(value)
        if batch_size:
            batch = rng.permutation(len(x))[:batch_size]
            gradient = gradient_of(network, SMOOTHED, x[batch], y[batch])[1]
        network.theta -= learning_rate * gradient
    return np.array(losses)


def cliff(w, b, n_steps=10):
    """h^2 of a recurrent unit h <- tanh(w h + b) from 0.1, and its slopes in w and b; also of arrays."""
    h, dh_dw, dh_db = 0.1, 0.0, 0.0
    for _ in range(n_steps):
        z, before = w * h + b, h
        h = np.tanh(z)
        slope = 1.0 - h**2
        dh_dw, dh_db = slope * (before + w * dh_dw), slope * (1.0 + w * dh_db)
    return h**2, 2.0 * h * dh_dw, 2.0 * h * dh_db


def walk_at_the_cliff(start, learning_rate=0.3, limit=None, n_steps=80):
    """Descent on `cliff` from (w, b): places (n_steps + 1, 2) and losses; limit: the longest gradient let through."""
    place, places, losses = np.array(start, float), [], []
    for _ in range(n_steps + 1):
        loss, *slopes = cliff(*place)
        places.append(place)
        losses.append(loss)
        gradient = np.array(slopes)
        length = np.linalg.norm(gradient)
        if limit is not None and length > limit:
            gradient = gradient * (limit / length)
        place = place - learning_rate * gradient
    return np.array(places), np.array(losses)
