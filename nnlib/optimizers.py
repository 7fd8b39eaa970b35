"""Optimizers: each turns a gradient into a step, in place, on one flat vector; simple ones first."""

import math

import numpy as np

from nnlib.foreign import SpeaksOurs
from nnlib.reprs import keyword_repr
from nnlib.schedules import as_schedule


class Optimizer(SpeaksOurs):
    """Counts the steps and asks the schedule; ``update`` is the published formula and nothing else.

    Parameters
    ----------
    learning_rate : float or callable
        A number, or a schedule ``step -> learning rate`` (see :mod:`nnlib.schedules`).
    """

    state = ()  # names of the vectors that remember the past

    def __init__(self, learning_rate):
        self.schedule, self.learning_rate_given = as_schedule(learning_rate), learning_rate
        self.n_steps = 0
        self.scratch = self.theta = self.grad = None

    @property
    def learning_rate(self):
        """The learning rate of the next step."""
        return self.schedule(self.n_steps)

    def step(self, theta, grad):
        """Move ``theta`` in place, against ``grad``; both (P,) of one dtype.  The first step allocates the state."""
        if theta is not self.theta or grad is not self.grad:
            self.admit(theta, grad)
        learning_rate = self.learning_rate
        self.n_steps += 1
        self.update(theta, grad, *self.numbers(learning_rate))

    def admit(self, theta, grad):
        """Check two vectors that were not here at the last step, and allocate what goes with them."""
        if theta.shape != grad.shape or theta.dtype != grad.dtype:
            raise ValueError(
                "step takes two vectors of one shape and dtype, "
                f"got {theta.dtype} {theta.shape} and {grad.dtype} {grad.shape}"
            )
        if self.n_steps == 0:
            for name in self.state:
                setattr(self, name, np.zeros_like(theta))
            self.scratch = np.empty_like(theta)
        elif self.scratch is None:  # restored before its first step
            self.scratch = np.empty_like(theta)
        elif self.scratch.shape != theta.shape or self.scratch.dtype != theta.dtype:
            raise ValueError(
                f"this {type(self).__name__} has memory for {self.scratch.dtype} {self.scratch.shape}, "
                f"got {theta.dtype} {theta.shape}: make a new optimizer for another network"
            )
        self.theta, self.grad = theta, grad

    def numbers(self, learning_rate):
        """What changes with the step, counted from 1, beside the vectors: the numbers that ``update`` takes."""
        return (learning_rate,)

    def update(self, theta, grad, learning_rate):
        raise NotImplementedError

    def __repr__(self):
        return keyword_repr(self, learning_rate=self.learning_rate_given)

    def divided_step(self, theta, direction, squares, eps, learning_rate):
        """theta <- theta - learning_rate direction / (sqrt(squares) + eps), each number with a divisor of its own."""
        scratch = np.sqrt(squares, out=self.scratch)
        scratch += eps
        np.divide(direction, scratch, out=scratch)
        scratch *= learning_rate
        theta -= scratch

    def snapshot(self):
        """A copy of all that the optimizer remembers."""
        return self.n_steps, {name: getattr(self, name).copy() for name in self.state if self.n_steps}

    def restore(self, snapshot):
        """Go back to a snapshot, or on from that of another optimizer of this kind."""
        self.n_steps, state = snapshot
        self.theta = self.grad = None  # the next vectors are checked anew
        for name, vector in state.items():
            own = getattr(self, name, None)
            if own is not None and own.shape == vector.shape and own.dtype == vector.dtype:
                own[...] = vector  # where it lies, since others may look there
            else:
                setattr(self, name, vector.copy())


def total_weight(beta, t):
    """1 + beta + ... + beta^(t-1) = (1 - beta^t) / (1 - beta), the weight of all t gradients in a decayed sum."""
    return (1.0 - beta**t) / (1.0 - beta)


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


class Nesterov(Momentum):
    """v <- momentum v + grad;  theta <- theta - learning_rate (grad + momentum v)
    (Nesterov 1983 as rewritten by Sutskever et al. 2013, in the variables of PyTorch's ``nesterov=True``: theta here is
    the point that looks ahead, so the gradient is taken where theta is).
    """

    def update(self, theta, grad, learning_rate):
        v, scratch = self.velocity, self.scratch
        v *= self.momentum
        v += grad
        np.multiply(v, self.momentum, out=scratch)
        scratch += grad
        scratch *= learning_rate
        theta -= scratch


class AdaGrad(Optimizer):
    """s <- s + grad^2;  theta <- theta - learning_rate grad / (sqrt(s) + eps)
    (Duchi et al. 2011, section 1; eps outside the root, as PyTorch).
    """

    state = ("squares",)

    def __init__(self, learning_rate, eps=1e-10):
        super().__init__(learning_rate)
        self.eps = _eps(eps)

    def update(self, theta, grad, learning_rate):
        self.squares += np.square(grad, out=self.scratch)
        self.divided_step(theta, grad, self.squares, self.eps, learning_rate)


class RMSProp(Optimizer):
    """s <- beta s + (1 - beta) grad^2;  theta <- theta - learning_rate grad / (sqrt(s) + eps)
    (Tieleman & Hinton 2012, lecture 6e; eps outside the root, as PyTorch; beta 0.9 is Hinton's, PyTorch's is 0.99).
    """

    state = ("squares",)

    def __init__(self, learning_rate, beta=0.9, eps=1e-8):
        super().__init__(learning_rate)
        self.beta, self.eps = _share("beta", beta), _eps(eps)

    def update(self, theta, grad, learning_rate):
        s, scratch = self.squares, self.scratch
        s *= self.beta
        np.square(grad, out=scratch)
        scratch *= 1.0 - self.beta
        s += scratch
        self.divided_step(theta, grad, s, self.eps, learning_rate)


class AdaDelta(Optimizer):
    """s <- beta s + (1 - beta) grad^2;  d = sqrt(u + eps) / sqrt(s + eps) grad;  u <- beta u + (1 - beta) d^2;
    theta <- theta - learning_rate d   (Zeiler 2012, algorithm 1: eps inside both roots; its learning rate is 1).
    """

    state = ("squares", "updates")

    def __init__(self, learning_rate=1.0, beta=0.9, eps=1e-6):
        super().__init__(learning_rate)
        self.beta, self.eps = _share("beta", beta), _eps(eps)

    def update(self, theta, grad, learning_rate):
        s, u, scratch = self.squares, self.updates, self.scratch
        s *= self.beta
        np.square(grad, out=scratch)
        scratch *= 1.0 - self.beta
        s += scratch
        np.add(u, self.eps, out=scratch)
        scratch /= s + self.eps
        np.sqrt(scratch, out=scratch)
        scratch *= grad  # d
        u *= self.beta
        u += (1.0 - self.beta) * np.square(scratch)
        scratch *= learning_rate
        theta -= scratch


class Adam(Optimizer):
    """m <- beta1 m + (1 - beta1) grad;  v <- beta2 v + (1 - beta2) grad^2;
    theta <- theta - learning_rate m_hat / (sqrt(v_hat) + eps), m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t)
    (Kingma & Ba 2015, algorithm 1: eps outside the root, the power t counts steps from 1).

    Both averages are kept as plain sums, M <- beta1 M + grad and V <- beta2 V + grad^2, which saves three passes over
    the parameters: m_hat is M divided by the sum of its weights, 1 + beta1 + ... + beta1^(t-1), and v_hat likewise.
    The root of the second sum stands outside: m_hat / (sqrt(v_hat) + eps) = m_hat root / (sqrt(V) + eps root).
    """

    state = ("gradient_sum", "square_sum")

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(learning_rate)
        self.beta1, self.beta2 = _share("beta1", beta1), _share("beta2", beta2)
        self.eps = _eps(eps)

    def numbers(self, learning_rate):
        root = math.sqrt(total_weight(self.beta2, self.n_steps))
        return self.eps * root, learning_rate / total_weight(self.beta1, self.n_steps) * root

    def update(self, theta, grad, eps, rate):
        M, V = self.gradient_sum, self.square_sum
        M *= self.beta1
        M += grad
        V *= self.beta2
        V += np.square(grad, out=self.scratch)
        self.divided_step(theta, M, V, eps, rate)


class AMSGrad(Adam):
    """Adam with the largest v so far in place of v, so that no step grows because v forgets
    (Reddi et al. 2018, algorithm 2; with Adam's bias corrections, as PyTorch's ``amsgrad=True``).
    """

    state = (*Adam.state, "largest_square_sum")

    def update(self, theta, grad, eps, rate):
        M, V, largest = self.gradient_sum, self.square_sum, self.largest_square_sum
        M *= self.beta1
        M += grad
        V *= self.beta2
        V += np.square(grad, out=self.scratch)
        np.maximum(largest, V, out=largest)
        self.divided_step(theta, M, largest, eps, rate)


class AdamW(Adam):
    """theta <- (1 - learning_rate decay) theta, then Adam's step: the decay is not divided by sqrt(v)
    (Loshchilov & Hutter 2019, algorithm 2; as PyTorch, the decay is multiplied by the learning rate).

    Parameters
    ----------
    decay : float
        It shrinks every parameter of the vector, biases too, as PyTorch's does.
    """

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.01):
        super().__init__(learning_rate, beta1, beta2, eps)
        self.decay = _share("decay", decay)

    def numbers(self, learning_rate):
        return 1.0 - learning_rate * self.decay, *super().numbers(learning_rate)

    def update(self, theta, grad, kept, eps, rate):
        theta *= kept
        super().update(theta, grad, eps, rate)


class NAdam(Adam):
    """Adam with Nesterov's look-ahead: m_hat = mu_{t+1} m / (1 - mu_1..mu_{t+1}) + (1 - mu_t) grad / (1 - mu_1..mu_t),
    mu_t = beta1 (1 - 0.96^{0.004 t} / 2)   (Dozat 2016, algorithm 2, with the schedule of its section 2; as PyTorch).
    """

    def __init__(self, learning_rate=0.002, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(learning_rate, beta1, beta2, eps)
        self.mu_product = 1.0

    def numbers(self, learning_rate):
        t = self.n_steps
        mu, mu_next = (self.beta1 * (1.0 - 0.5 * 0.96 ** (0.004 * n)) for n in (t, t + 1))
        self.mu_product *= mu
        ahead = (1.0 - self.beta1) * mu_next / (1.0 - self.mu_product * mu_next)
        root = math.sqrt(total_weight(self.beta2, t))
        return ahead, (1.0 - mu) / (1.0 - self.mu_product), self.eps * root, learning_rate * root

    def update(self, theta, grad, ahead, now, eps, rate):
        M, V = self.gradient_sum, self.square_sum
        M *= self.beta1
        M += grad
        V *= self.beta2
        V += np.square(grad, out=self.scratch)
        m_hat = M * ahead
        m_hat += grad * now
        self.divided_step(theta, m_hat, V, eps, rate)

    def snapshot(self):
        return self.mu_product, super().snapshot()

    def restore(self, snapshot):
        self.mu_product, rest = snapshot
        super().restore(rest)


def clip_by_norm(grad, limit):
    """grad <- grad min(1, limit / ||grad||), in place; returns ||grad|| as it was.

    The direction stays (Pascanu et al. 2013, algorithm 1).  A NaN or infinite norm leaves grad alone.
    PyTorch divides by ||grad|| + 1e-6 and so stays a little below the limit.
    """
    _limit(limit)
    norm = float(np.sqrt(np.vdot(grad, grad)))
    if limit < norm < np.inf:
        grad *= limit / norm
    return norm


def clip_by_value(grad, limit):
    """grad <- min(max(grad, -limit), limit), in place and number by number: the direction may turn."""
    _limit(limit)
    return np.clip(grad, -limit, limit, out=grad)


class Wrapper(SpeaksOurs):
    """An optimizer around an optimizer, which keeps the learning rate, the steps and the memory.

    Parameters
    ----------
    optimizer : Optimizer or Wrapper
    """

    def __init__(self, optimizer):
        if isinstance(optimizer, type) or not hasattr(optimizer, "learning_rate"):
            raise TypeError(f"{type(self).__name__} takes an optimizer such as SGD(0.1), got {optimizer!r}")
        self.optimizer = optimizer

    @property
    def learning_rate(self):
        """The learning rate of the next step."""
        return self.optimizer.learning_rate

    @property
    def schedule(self):
        """The learning rate as a function of the step."""
        return self.optimizer.schedule

    @property
    def n_steps(self):
        """How many steps were taken."""
        return self.optimizer.n_steps

    def step(self, theta, grad):
        """The optimizer's step."""
        self.optimizer.step(theta, grad)

    def snapshot(self):
        """A copy of all that the optimizer remembers."""
        return self.optimizer.snapshot()

    def restore(self, snapshot):
        """Go back to a snapshot."""
        self.optimizer.restore(snapshot)

    def __repr__(self):
        return keyword_repr(self)


class Clipped(Wrapper):
    """An optimizer that clips the gradient before its step: ``Clipped(Adam(0.01), norm=1.0)``.

    Parameters
    ----------
    optimizer : Optimizer
        The one that steps.
    norm : float
        As :func:`clip_by_norm`; in an ensemble each member's gradient has a norm of its own.
    value : float
        As :func:`clip_by_value`.  Give one of the two.

    Notes
    -----
    The gradient is clipped in place, so callbacks see it as the inner optimizer got it.
    """

    def __init__(self, optimizer, norm=None, value=None):
        super().__init__(optimizer)
        if (norm is None) == (value is None):
            raise TypeError(f"Clipped takes one limit, norm=1.0 or value=0.5, got {norm=} and {value=}")
        _limit(value if norm is None else norm)
        self.norm, self.value = norm, value

    def step(self, theta, grad):
        """Clip, then step."""
        self.clip(grad)
        self.optimizer.step(theta, grad)

    def clip(self, grad):
        """Clip ``grad`` (P,), or each row of (E, P), in place."""
        if self.norm is None:
            clip_by_value(grad, self.value)
        else:
            for row in grad.reshape(-1, grad.shape[-1]):
                clip_by_norm(row, self.norm)


class ParameterAverage:
    """A mean of the parameters on their way, kept beside them: mean <- beta mean + (1 - beta) theta.

    ``value()`` corrects the start from 0 by 1 / (1 - beta^t); ``beta=None`` is the plain mean of all that was added
    (Polyak & Juditsky 1992), PyTorch's ``AveragedModel``.  With beta PyTorch's starts from the first theta instead.
    """

    def __init__(self, beta=None):
        self.beta = None if beta is None else _share("beta", beta)
        self.n_added = 0

    def add(self, theta):
        """Take one more theta (P,) into the mean."""
        if self.n_added == 0:
            self.mean = np.zeros_like(theta)
        self.n_added += 1
        beta = 1.0 - 1.0 / self.n_added if self.beta is None else self.beta
        self.mean += (1.0 - beta) * (theta - self.mean)

    def value(self):
        """The mean, as an array of your own."""
        if self.n_added == 0:
            raise RuntimeError("nothing was added yet: call add(network.theta) after a step")
        return self.mean / (1.0 if self.beta is None else 1.0 - self.beta**self.n_added)


def _eps(value):
    if not 0.0 <= value < math.inf:
        raise ValueError(f"eps is a nonnegative number, got {value!r}")
    return value


def _limit(value):
    if not value > 0.0:
        raise ValueError(f"a gradient is clipped at a positive limit, got {value!r}")


def _share(name, value):
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} lies in [0, 1), got {value!r}")
    return value
