"""Regularizers: what keeps weights small; penalties, their proximal steps, and a bound on each unit's weights."""

import math

import numpy as np

from nnlib.optimizers import Wrapper
from nnlib.parameters import Parameter


def l2(W, strength, out=None):
    """value = strength / 2 * sum of W^2,  gradient = strength * W."""
    gradient = np.multiply(W, strength, out=out)
    return 0.5 * strength * float(np.vdot(W, W)), gradient


def l1(W, strength, out=None):
    """value = strength * sum of |W|,  gradient = strength * sign(W), with sign(0) = 0 as in PyTorch."""
    value = strength * float(np.abs(W, out=out).sum())
    gradient = np.sign(W, out=out)
    gradient *= strength
    return value, gradient


def prox_l1(W, threshold, out=None):
    """sign(W) max(|W| - threshold, 0), the soft threshold: every weight moves toward 0 and stays there when it arrives.

    It is the U that minimizes threshold * sum |U| + 1/2 sum (U - W)^2 (Parikh & Boyd 2014, section 6.5).  A gradient
    step on L1 jumps across 0; this one makes exact zeros.
    """
    nearest = np.clip(W, -threshold, threshold)
    return np.subtract(W, nearest, out=out)


class Penalty:
    """Adds its gradient to ``network.grad`` and returns its value: ``fit(..., penalty=L2(0.01))``.

    It speaks of parameters with ``decay=True`` alone: weights, but no biases, no scales of normalization layers and no
    slopes.  Call it after ``backward``, which overwrites gradients.  A layer in place of the network gives each layer a
    strength of its own: ``penalty=lambda network: L2(0.1)(network.layers[0]) + L2(0.01)(network.layers[2])``.
    """

    def __init__(self):
        self._scratch = np.empty(0)

    def __call__(self, network):
        total = 0.0
        for p in _decaying(network):
            value, gradient = self.terms(p.value, out=self.scratch(p.value))
            p.grad[...] += gradient
            total += value
        return total

    def terms(self, W, out=None):
        """The penalty's value for one array of weights, and its gradient."""
        raise NotImplementedError

    def proximal(self, network, learning_rate):
        """The step that replaces a gradient step on the penalty: theta <- argmin over u of
        learning_rate * penalty(u) + 1/2 ||u - theta||^2, in place, on the weights alone.
        """
        for p in _decaying(network):
            self.shrink(p.value, _strength("learning_rate", learning_rate))

    def shrink(self, W, learning_rate):
        raise NotImplementedError

    def scratch(self, like):
        """An array of that shape and dtype, from memory that is kept between the steps."""
        if self._scratch.size < like.size or self._scratch.dtype != like.dtype:
            self._scratch = np.empty(like.size, like.dtype)
        return self._scratch[: like.size].reshape(like.shape)


class L2(Penalty):
    """strength / 2 * sum of W^2, gradient strength * W.

    With plain SGD a step is theta <- (1 - learning_rate strength) theta - learning_rate grad: weight decay.  With
    momentum or Adam the two differ (see :class:`nnlib.optimizers.AdamW`).  ``weight_decay`` of PyTorch's optimizers is
    this strength (applied to biases, too); Keras' ``L2(l)`` is l * sum of W^2, so its l is strength / 2.

    Parameters
    ----------
    strength : float
        Nonnegative; on the scale of a loss that is a *mean* over the batch.
    """

    def __init__(self, strength):
        super().__init__()
        self.strength = _strength("strength", strength)

    def terms(self, W, out=None):
        return l2(W, self.strength, out)

    def shrink(self, W, learning_rate):
        """W <- W / (1 + learning_rate strength)."""
        W /= 1.0 + learning_rate * self.strength

    def __repr__(self):
        return f"L2({self.strength!r})"


class L1(Penalty):
    """strength * sum of |W|, gradient strength * sign(W), 0 at 0.

    The gradient makes weights small, ``proximal`` makes them exactly 0: take its step after each step on the loss alone
    (see :class:`AfterStep`), and leave the penalty out of ``fit``.

    Parameters
    ----------
    strength : float
        Nonnegative; on the scale of a loss that is a *mean* over the batch.
    """

    def __init__(self, strength):
        super().__init__()
        self.strength = _strength("strength", strength)

    def terms(self, W, out=None):
        return l1(W, self.strength, out)

    def shrink(self, W, learning_rate):
        """W <- prox_l1(W, learning_rate strength)."""
        prox_l1(W, learning_rate * self.strength, out=W)

    def __repr__(self):
        return f"L1({self.strength!r})"


class ElasticNet(Penalty):
    """l1 * sum of |W| + l2 / 2 * sum of W^2: the sum of both penalties (Zou & Hastie 2005, eq. 3, there without 1/2).

    scikit-learn's ``ElasticNet(alpha, l1_ratio)`` has l1 = alpha l1_ratio and l2 = alpha (1 - l1_ratio).

    Parameters
    ----------
    l1, l2 : float
        Nonnegative strengths.
    """

    def __init__(self, l1, l2):
        super().__init__()
        self.l1, self.l2 = _strength("l1", l1), _strength("l2", l2)

    def terms(self, W, out=None):
        value, gradient = l1(W, self.l1, out)
        gradient += self.l2 * W
        return value + 0.5 * self.l2 * float(np.vdot(W, W)), gradient

    def shrink(self, W, learning_rate):
        """W <- prox_l1(W, learning_rate l1) / (1 + learning_rate l2)   (Parikh & Boyd 2014, section 6.5)."""
        prox_l1(W, learning_rate * self.l1, out=W)
        W /= 1.0 + learning_rate * self.l2

    def __repr__(self):
        return f"ElasticNet({self.l1!r}, {self.l2!r})"


def max_norm(target, limit, axis=None):
    """W_j <- W_j min(1, limit / ||W_j||), W_j the incoming weights of unit j, in place (Srivastava et al. 2014, 5.1).

    Parameters
    ----------
    target : Parameter, layer or network
        A parameter is bounded whatever its ``decay``; of a layer or network those with ``decay=True`` are.
    limit : float
        Positive; 3 or 4 with dropout.
    axis : int or tuple of int, optional
        Over which axes of a *parameter* a norm is taken.  Without it: the columns of (n_in, n_out), so of Dense.W and
        of each W_x and W_h; axis 1 of Maxout's (pieces, n_in, n_out); all but the first of Conv2D's
        (C_out, C_in, H, W).  PyTorch's ``Embedding(max_norm=...)`` bounds rows: ``max_norm(embedding.W, 1.0, axis=1)``.

    Returns
    -------
    int
        How many units were longer than the limit.

    Raises
    ------
    ValueError
        For a limit that is not positive, and for a parameter whose units are not known: say ``axis``.
    """
    if not limit > 0.0:
        raise ValueError(f"max_norm takes a positive limit, got {limit!r}")
    if not isinstance(target, Parameter):
        if axis is not None:
            raise ValueError("axis goes with a single parameter: max_norm(network.layers[0].W, limit, axis=0)")
        return sum(max_norm(p, limit) for p in _decaying(target))
    if axis is None:
        if len(target.shape) not in INCOMING:
            raise ValueError(f"max_norm knows the units of 2, 3 or 4 axes, got {target!r}: say axis=...")
        axis = INCOMING[len(target.shape)]
    W = target.value
    norms = np.sqrt(np.square(W).sum(axis=axis, keepdims=True))
    too_long = (norms > limit) & (norms < np.inf)  # what has overflowed no factor brings back
    W *= np.divide(limit, norms, out=np.ones_like(norms), where=too_long)
    return int(np.count_nonzero(too_long))


INCOMING = {2: 0, 3: 1, 4: (1, 2, 3)}  # axes of a weight over which one unit's incoming weights lie


class AfterStep(Wrapper):
    """An optimizer whose every step is followed by ``action(learning_rate)``, for what must hold after each of them.

    ``AfterStep(SGD(0.1), lambda learning_rate: max_norm(network, 3.0))`` is projected gradient descent,
    ``AfterStep(SGD(0.1), lambda learning_rate: L1(0.01).proximal(network, learning_rate))`` is the proximal gradient
    method, which gives exact zeros (ISTA, Beck & Teboulle 2009).
    """

    def __init__(self, optimizer, action):
        super().__init__(optimizer)
        if not callable(action):
            raise TypeError(f"AfterStep takes a function of the learning rate, got {action!r}: put lambda before it")
        self.action = action

    def step(self, theta, grad):
        """The optimizer's step, then the action."""
        learning_rate = self.learning_rate
        self.optimizer.step(theta, grad)
        self.action(learning_rate)


def _decaying(network):
    """The parameters that penalties speak of."""
    parameters = getattr(network, "parameters", None)
    if parameters is None:
        raise TypeError(f"this takes a network or a layer, got {type(network).__name__}")
    return [p for p in parameters if p.decay]


def _strength(name, value):
    if not 0.0 <= value < math.inf:
        raise ValueError(f"{name} is a nonnegative number, got {value!r}")
    return float(value)
