"""Diagnostics: what a look inside a network shows; its signals and gradients layer by layer, and the shape of its loss.

Every function leaves the network as it was, to the last bit: parameters, gradients, running averages and the state of
its random generators.  Only the batch that the layers remember is another: go forward again before you go backward.
"""

import contextlib
import math
from typing import NamedTuple

import numpy as np

from nnlib.activations import normal_density
from nnlib.doors import checked_rng
from nnlib.gradcheck import _generators
from nnlib.layers import Activation, PReLU, RReLU
from nnlib.network import Sequential
from nnlib.parameters import named_parameters
from nnlib.preprocessing import condition_number
from nnlib.regularizers import INCOMING


@contextlib.contextmanager
def untouched(network):
    """Bring back parameters, gradients, running averages and generators at the end of the block, whatever ends it."""
    if not isinstance(network, Sequential) or network.dtype is None:
        raise TypeError(f"this takes a Sequential(..., rng=rng), got {network!r}")
    arrays = [network.theta, network.grad, *network.all_statistics()]
    kept = [array.copy() for array in arrays]
    generators = _generators(network)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # far from the minimum a loss may well be infinite
            yield
    finally:
        for array, values in zip(arrays, kept):
            array[...] = values
        for generator, state in generators:
            generator.bit_generator.state = state


# --- layer by layer ---------------------------------------------------------------------------------------------------


class Signal(NamedTuple):
    """The numbers that a layer gives, over all units and examples."""

    name: str
    mean: float
    variance: float
    std: float


def signal_profile(network, x, training=False):
    """Mean, variance and standard deviation of the input and of each layer's output, on the way forward.

    Parameters
    ----------
    network : Sequential
    x : ndarray (N, ...)
    training : bool
        The training pass: batch statistics, dropout.

    Returns
    -------
    list of Signal
        "input" first, then "0 Dense", "1 Activation" ...
    """

    def row(name, a):
        variance = float(a.var(dtype=np.float64))
        return Signal(name, float(a.mean(dtype=np.float64)), variance, math.sqrt(variance))

    return _at_each_output(network, x, row, training)


class GradientNorms(NamedTuple):
    """Euclidean norms of gradients at a layer: dL/doutput, and dL/dparameters over all parameters of the layer."""

    name: str
    signal: float
    parameters: float


def gradient_profile(network, loss, x, target, training=False):
    """How large the gradient is at each layer, on the way back: where it vanishes or explodes.

    Returns
    -------
    list of GradientNorms
        In the order of the layers; ``parameters`` is 0 where a layer has none.
    """
    rows = []
    with untouched(network):
        _, dout = loss(network.forward(x, training), target)
        for i, layer in reversed(list(enumerate(network.layers))):
            signal = _norm(dout)
            dout = layer.backward(dout, input_gradient=i > 0)
            parameters = math.hypot(*(_norm(p.grad) for p in layer.parameters))
            rows.append(GradientNorms(_name(i, layer), signal, parameters))
    return rows[::-1]


def dead_units(network, x):
    """The share of the units of each ReLU that give 0 for all of x: no gradient passes them.

    A unit is a column of (N, D), a channel of (N, C, H, W), a column of (N, T, D).  A unit that is dead for a few
    examples may well live for others: give a whole training set.

    Returns
    -------
    dict of str to float
        By name, "1 Activation" or, inside other layers, "2 Residual.1 Activation".

    Raises
    ------
    ValueError
        Where the network has no ReLU.
    """
    with untouched(network):
        network.forward(x)
        found = {
            name: float(np.mean((_by_unit(layer.x) <= 0.0).all(axis=0)))
            for name, layer in _walk(network)
            if isinstance(layer, Activation) and layer.function.name == "relu"
        }
    if not found:
        raise ValueError(f"dead_units looks at Activation(relu), this network has none: {network!r}")
    return found


def sparsity(network, x):
    """The share of exact zeros in the output of each layer, by name, "input" first."""
    return dict(_at_each_output(network, x, lambda name, a: (name, float(np.mean(a == 0.0)))))


def condition_numbers(network, x):
    """The condition number of the second moments M = h^T h / N of the input and of each layer's output h.

    M decides how evenly gradient descent on the next layer's weights proceeds in all directions (LeCun et al. 1991); it
    is not centered, so a common mean makes the number large.  inf where h has linearly dependent columns or fewer rows
    than columns.

    Returns
    -------
    dict of str to float
        By name, "input" first: largest over smallest eigenvalue.
    """
    return dict(_at_each_output(network, x, lambda name, h: (name, condition_number(_by_unit(h)))))


def _at_each_output(network, x, measure, training=False):
    """measure(name, array) of the input and of each layer's output: ("input", x), ("0 Dense", ...) ..."""
    with untouched(network):
        x = network.at_the_door(x)
        measured = [measure("input", x)]
        for i, layer in enumerate(network.layers):
            x = layer.forward(x, training)
            measured.append(measure(_name(i, layer), x))
    return measured


def _walk(layer, path=""):
    """All layers inside a layer, with their names."""
    for i, child in enumerate(layer.children):
        name = path + _name(i, child)
        yield name, child
        yield from _walk(child, name + ".")


def _name(i, layer):
    return f"{i} {type(layer).__name__}"


def _by_unit(a):
    """An array as (numbers of a unit, units)."""
    return np.moveaxis(a, -1 if a.ndim == 3 else 1, -1).reshape(-1, a.shape[-1 if a.ndim == 3 else 1])


def _norm(a):
    return float(np.linalg.norm(np.ravel(a).astype(np.float64)))


# --- signals in layers of one kind ------------------------------------------------------------------------------------


def pre_activations(network, x):
    """Pre-activations z (N, n) of every activation layer of a network, for a batch x; copies."""
    z, found = network.at_the_door(x), []
    with untouched(network):
        for layer in network.layers:
            if isinstance(layer, Activation | PReLU | RReLU):
                found.append(z.copy())
            z = layer.forward(z)
    return found


def silent_fraction(z):
    """Share of the units with z <= 0 for every example.  z (N, n).  Behind a ReLU such a unit is dead."""
    return float(np.mean(np.all(z <= 0, axis=0)))


def gain_of(f, n=200_001):
    """1 / E f(z)^2 for z ~ N(0, 1): with weights of variance gain / n_in, z keeps variance 1 from layer to layer."""
    z = np.linspace(-10.0, 10.0, n)
    return 1.0 / float(np.sum(f(z) ** 2 * normal_density(z)) * (z[1] - z[0]))


def scale_response(f, n=200_001):
    """E[z f(z) f'(z)] / E[f(z)^2] for z ~ N(0, 1): by what power of a small change of its input's variance the variance
    (mean square) of a layer's output changes.  Above 1 an error of scale grows from layer to layer, below 1 it heals.
    """
    z = np.linspace(-10.0, 10.0, n)
    density, a = normal_density(z), f(z)
    return float((z * a * f.derivative(z, a)) @ density / (a * a @ density))


def matched_to(f):
    """Initializer with the variance ``gain_of(f) / n_in``: for ReLU, He's."""
    gain = gain_of(f)

    def init(rng, shape):
        return rng.normal(0.0, math.sqrt(gain / shape[0]), shape)

    return init


class Propagation(NamedTuple):
    """What happens to a batch on its way through equal layers: entry 0 is the input, entry l the output of layer l."""

    mean: np.ndarray
    std: np.ndarray
    error: np.ndarray  # root mean square of dL/da, 1 at the last layer
    outputs: list


def propagate(f, x, gain, *, n_layers, width, rng):
    """Send a batch through ``n_layers`` layers z = a W, a = f(z) with W ~ N(0, gain / n_in), and a random error back.

    Parameters
    ----------
    f : Elementwise
    x : ndarray (N, D)
    gain : float
        `gain_of` the activation keeps the signal's size.
    n_layers, width : int
    rng : np.random.Generator
        Draws the weights, then the error, N(0, 1) at the last layer's outputs.

    Returns
    -------
    Propagation
        Infinite or NaN where the signal overflowed.
    """
    a, steps, outputs = x, [], [x]
    with np.errstate(all="ignore"):
        for _ in range(n_layers):
            W = rng.normal(0.0, math.sqrt(gain / a.shape[1]), (a.shape[1], width))
            z = a @ W
            a = f(z)
            steps.append((W, f.derivative(z, a)))
            outputs.append(a)
        error, da = [1.0], rng.normal(size=a.shape)
        for W, slope in reversed(steps):
            da = (da * slope) @ W.T
            error.append(float(np.sqrt(np.mean(da**2))))
        means = np.array([np.mean(a) for a in outputs])
        stds = np.array([np.std(a) for a in outputs])
    return Propagation(means, stds, np.array(error[::-1]), outputs)


# --- curvature --------------------------------------------------------------------------------------------------------


def hessian_vector_product(network, loss, x, target, v, eps=None):
    """H v ~ (g(theta + eps v) - g(theta - eps v)) / (2 eps), H the matrix of second derivatives of the loss, g its
    gradient: two gradients, whatever the number of parameters.

    The error is O(eps^2) from the loss's higher derivatives and O(u / eps) from rounding, u = 1.1e-16 in float64.  Both
    are small at eps = u^(1/3) (1 + |theta|) / |v|, the default: about 9 digits remain in float64, 3 in float32 (so use
    float64).  Pearlmutter 1994 gives a product without this error, at the price of a second derivative for each layer.
    Where a ReLU switches between the two points, the jump of its slope enters as curvature.

    Parameters
    ----------
    network : Sequential
    loss : callable
        ``loss(output, target) -> (float, gradient)``; a penalty does not enter.
    x, target : ndarray
        The batch whose mean loss is meant; the pass is that outside training, without dropout.
    v : ndarray (P,)
    eps : float, optional

    Returns
    -------
    ndarray (P,) of the network's dtype
    """
    with untouched(network):
        theta = network.theta.copy()
        v = _direction(network, v)
        length = _norm(v)
        if length == 0.0:
            return np.zeros_like(theta)
        if eps is None:
            eps = (0.5 * np.finfo(theta.dtype).eps) ** (1 / 3) * (1.0 + _norm(theta)) / length
        if not (eps > 0.0 and math.isfinite(eps)):
            raise ValueError(f"eps is a positive number, got {eps!r}")
        eps = float(eps)
        above = _gradient_at(network, theta + eps * v, loss, x, target).copy()
        below = _gradient_at(network, theta - eps * v, loss, x, target)
        return (above - below) * (0.5 / eps)


def _gradient_at(network, theta, loss, x, target):
    network.theta[...] = theta
    _, dout = loss(network.forward(x), target)
    network.backward(dout, input_gradient=False)
    return network.grad


class Spectrum(NamedTuple):
    """Estimates of eigenvalues.

    ``ritz_values`` in ascending order; within ``residuals[i]`` of ``ritz_values[i]`` there is an eigenvalue.
    """

    largest: float
    ritz_values: np.ndarray
    residuals: np.ndarray


def lanczos(product, size, *, rng, iterations):
    """Eigenvalues of a symmetric matrix A that is known by its products alone   (Lanczos 1950).

    q_1, q_2, ... are A's powers on a random vector, made orthonormal.  In them A is tridiagonal,

        A q_k = beta_{k-1} q_{k-1} + alpha_k q_k + beta_k q_{k+1},

    and the eigenvalues of that small matrix, the Ritz values, come near those of A, the outermost first.  In exact
    arithmetic three terms keep q_{k+1} orthogonal to all before; rounding does not, and found eigenvalues would appear
    again as copies.  So each q is made orthogonal to all before it, twice (full reorthogonalization).

    Parameters
    ----------
    product : callable
        ``product(q) -> A q`` for q (size,) of float64.
    size : int
    rng : np.random.Generator
        Draws the first vector.
    iterations : int
        Number of products; more than ``size`` are not made.

    Returns
    -------
    Spectrum
        With one Ritz value for each product.
    """
    if iterations < 1 or size < 1:
        raise ValueError(f"lanczos takes at least one iteration and one dimension, got {iterations=} and {size=}")
    checked_rng(rng)
    iterations = min(iterations, size)
    q = rng.normal(size=size)
    basis, alpha, beta = np.empty((iterations, size)), [], []
    for k in range(iterations):
        basis[k] = q / np.linalg.norm(q)
        q = np.array(product(basis[k]), np.float64)
        if not np.isfinite(q).all():
            raise ArithmeticError(f"product {k} of lanczos is not finite: does the loss have finite gradients here?")
        alpha.append(basis[k] @ q)
        for _ in range(2):
            q -= basis[: k + 1].T @ (basis[: k + 1] @ q)
        beta.append(np.linalg.norm(q))
        if beta[-1] <= size * np.finfo(float).eps * max(map(abs, alpha + beta)):
            break  # the vectors so far span all that the first one can reach
    lower = np.diag(alpha) + np.diag(beta[:-1], -1)
    ritz_values, vectors = np.linalg.eigh(lower)  # reads the lower triangle alone
    return Spectrum(float(ritz_values[-1]), ritz_values, beta[-1] * np.abs(vectors[-1]))


def sharpness(network, loss, x, target, *, rng, iterations=20):
    """The largest eigenvalue of the loss's Hessian, by :func:`lanczos` on :func:`hessian_vector_product`.

    Gradient descent on a quadratic loss is stable for learning rates below 2 / largest.  20 iterations give the largest
    eigenvalue of most networks to a few digits, ``residuals[-1]`` says how many; the smallest Ritz value shows whether
    the loss curves downward in some direction.

    Returns
    -------
    Spectrum
        ``largest``, ``ritz_values`` (ascending) and ``residuals``.
    """
    with untouched(network):
        return lanczos(
            lambda q: hessian_vector_product(network, loss, x, target, q),
            network.theta.size,
            rng=rng,
            iterations=iterations,
        )


# --- the loss along directions ----------------------------------------------------------------------------------------


def normalized(network, direction, how):
    """A direction (P,) of a length that means the same for other networks.

    Parameters
    ----------
    network : Sequential
    direction : ndarray (P,)
    how : str or None
        "filter": d_j <- d_j |w_j| / |d_j| for the incoming weights w_j of each unit or filter j, so that rescaled
        weights that compute the same function show the same landscape (Li et al. 2018, section 4); biases and the
        parameters of normalization layers stand still, as in the authors' code.
        "unit": d <- d / |d|.
        None: as it is.

    Returns
    -------
    ndarray (P,), new
    """
    direction = _direction(network, direction).copy()
    if how is None:
        return direction
    if how == "unit":
        length = _norm(direction)
        if length == 0.0:
            raise ValueError("a direction of length 0 cannot be given length 1")
        direction *= 1.0 / length
        return direction
    if how != "filter":
        raise ValueError(f'a direction is normalized by "filter", "unit" or None, got {how!r}')
    start = 0
    for _, p in named_parameters(network):
        d = direction[start : start + p.size].reshape(p.shape)
        start += p.size
        if p.decay:
            axis = INCOMING.get(d.ndim)
            lengths = np.sqrt(np.sum(np.square(d), axis=axis, keepdims=True))
            wanted = np.sqrt(np.sum(np.square(p.value), axis=axis, keepdims=True))
            d *= np.divide(wanted, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
        else:
            d[...] = 0.0
    return direction


def random_directions(network, n, *, rng, normalize="filter"):
    """n directions (n, P) of normal numbers, for :func:`loss_along`.

    In so many dimensions two random directions are almost orthogonal.  ``normalize``: see :func:`normalized`.
    """
    if n < 1:
        raise ValueError(f"random_directions gives at least one direction, got {n=}")
    checked_rng(rng)
    return np.stack([normalized(network, rng.normal(size=network.theta.size), normalize) for _ in range(n)])


def loss_along(network, loss, x, target, directions, grid, *, normalize=None):
    """L(theta + a d), or L(theta + a d + b e), for all a (and b) of a grid.

    Parameters
    ----------
    network : Sequential
    loss : callable
    x, target : ndarray
    directions : ndarray (P,), or one or two of them
        E.g. of :func:`random_directions`, a gradient, or ``other_theta - network.theta`` to walk from one network to
        another.
    grid : ndarray (A,), or a pair of ndarrays (A,) and (B,)
        Values of a, and of b; one array serves both directions.
    normalize : "filter", "unit" or None
        Of the directions, see :func:`normalized`.

    Returns
    -------
    ndarray (A,) or (A, B) of float64
        Losses; entry [i, j] belongs to a_i and b_j.  Infinite or NaN where the loss is.
    """
    directions = [directions] if np.ndim(directions) == 1 else list(directions)
    if len(directions) not in (1, 2):
        raise ValueError(f"loss_along takes one or two directions, got {len(directions)}")
    axes = _axes(grid, len(directions))
    with untouched(network):
        directions = [normalized(network, d, normalize) for d in directions]
        theta = network.theta.copy()
        losses = np.empty([len(axis) for axis in axes])
        for index in np.ndindex(*losses.shape):
            network.theta[...] = theta
            for direction, axis, i in zip(directions, axes, index):
                network.theta += axis[i] * direction
            losses[index] = loss(network.forward(x), target)[0]
    return losses


def _axes(grid, n):
    """n arrays of coefficients, as Python floats so that they do not change the dtype."""
    pair = isinstance(grid, tuple | list) and len(grid) and np.ndim(grid[0]) == 1
    axes = [np.asarray(axis, float) for axis in (grid if pair else [grid] * n)]
    if len(axes) != n or not all(axis.ndim == 1 and axis.size for axis in axes):
        raise ValueError(
            f"{n} direction{'s' * (n > 1)} take a grid (A,)"
            + (" or a pair of grids (A,) and (B,)" if n > 1 else "")
            + f", got shapes {[axis.shape for axis in axes]}"
        )
    return [axis.tolist() for axis in axes]


def _direction(network, v):
    """v as a vector like theta."""
    v = np.asarray(v)
    if v.shape != network.theta.shape or v.dtype.kind not in "iuf":
        raise ValueError(f"a direction is a vector like theta, {network.theta.shape}, got {v.dtype} {v.shape}")
    return v.astype(network.dtype, copy=False)
