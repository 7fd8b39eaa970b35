"""Optimizers: each turns a gradient into a step, in place, on one flat vector; simple ones first."""

import numpy as np

from nnlib.schedules import as_schedule


class Optimizer:
    """Counts the steps and asks the schedule; ``update`` is the published formula and nothing else.

    Parameters
    ----------
    learning_rate : float or callable
        A number, or a schedule ``step -> learning rate`` (see :mod:`nnlib.schedules`).
    """

    state = ()  # names of the vectors that remember the past

    def __init__(self, learning_rate):
        self.schedule = as_schedule(learning_rate)
        self.n_steps = 0

    @property
    def learning_rate(self):
        """The learning rate of the next step."""
        return self.schedule(self.n_steps)

    def step(self, theta, grad):
        """Move ``theta`` in place, against ``grad``; both (P,) of one dtype.  The first step allocates the state."""
        if theta.shape != grad.shape or theta.dtype != grad.dtype:
            raise ValueError(
                "step takes two vectors of one shape and dtype, "
                f"got {theta.dtype} {theta.shape} and {grad.dtype} {grad.shape}"
            )
        if self.n_steps == 0:
            for name in (*self.state, "scratch"):
                setattr(self, name, np.zeros_like(theta))
        elif self.scratch.shape != theta.shape or self.scratch.dtype != theta.dtype:
            raise ValueError(
                f"this {type(self).__name__} has memory for {self.scratch.dtype} {self.scratch.shape}, "
                f"got {theta.dtype} {theta.shape}: make a new optimizer for another network"
            )
        learning_rate = self.learning_rate
        self.n_steps += 1
        self.update(theta, grad, learning_rate)

    def update(self, theta, grad, learning_rate):
        raise NotImplementedError

    def snapshot(self):
        """A copy of all that the optimizer remembers."""
        return self.n_steps, {name: getattr(self, name).copy() for name in self.state if self.n_steps}

    def restore(self, snapshot):
        """Go back to a snapshot."""
        self.n_steps, state = snapshot
        for name, vector in state.items():
            getattr(self, name)[...] = vector


class SGD(Optimizer):
    """theta <- theta - learning_rate grad   (Robbins & Monro 1951)."""

    def update(self, theta, grad, learning_rate):
        np.multiply(grad, learning_rate, out=self.scratch)
        theta -= self.scratch


class Momentum(Optimizer):
    """v <- momentum v + grad;  theta <- theta - learning_rate v   (Polyak 1964; as PyTorch's SGD).

    Parameters
    ----------
    momentum : float
        0.9 is usual: a steady gradient is then amplified 1 / (1 - 0.9) = 10 times.
    """

    state = ("velocity",)

    def __init__(self, learning_rate, momentum=0.9):
        super().__init__(learning_rate)
        self.momentum = _share("momentum", momentum)

    def update(self, theta, grad, learning_rate):
        v = self.velocity
        v *= self.momentum
        v += grad
        np.multiply(v, learning_rate, out=self.scratch)
        theta -= self.scratch


class Adam(Optimizer):
    """m <- beta1 m + (1 - beta1) grad;  v <- beta2 v + (1 - beta2) grad^2;
    theta <- theta - learning_rate m_hat / (sqrt(v_hat) + eps), m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t)
    (Kingma & Ba 2015, algorithm 1: eps outside the root, the power t counts steps from 1).
    """

    state = ("m", "v")

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(learning_rate)
        self.beta1, self.beta2 = _share("beta1", beta1), _share("beta2", beta2)
        self.eps = eps

    def update(self, theta, grad, learning_rate):
        m, v, scratch, t = self.m, self.v, self.scratch, self.n_steps
        m *= self.beta1
        np.multiply(grad, 1.0 - self.beta1, out=scratch)
        m += scratch
        v *= self.beta2
        np.square(grad, out=scratch)
        scratch *= 1.0 - self.beta2
        v += scratch
        np.multiply(v, 1.0 / (1.0 - self.beta2**t), out=scratch)  # v_hat
        np.sqrt(scratch, out=scratch)
        scratch += self.eps
        np.divide(m, scratch, out=scratch)
        scratch *= learning_rate / (1.0 - self.beta1**t)  # the correction of m_hat
        theta -= scratch


def _share(name, value):
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} lies in [0, 1), got {value!r}")
    return value
