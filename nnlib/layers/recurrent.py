"""Recurrent layers: one cell, used again at every step of sequences x (N, T, D).

Each cell stands as two plain functions, one step forward and one step back; two more walk along time.  Inside, time
comes first, (T, N, D), so that the numbers of a step lie side by side.
"""

import itertools

import numpy as np

from nnlib.activations import sigmoid
from nnlib.initializers import normal, orthogonal, xavier_uniform, zeros
from nnlib.layers.layer import Layer, axes, fits, whole
from nnlib.layers.lstm_sequence import lstm_backward, lstm_forward, lstm_gradients
from nnlib.parameters import Parameter
from nnlib.reductions import sum_rows

__all__ = ["GRU", "LSTM", "RNN", "Embedding"]

# --- the cells: a = x_t @ W_x + b comes in ready, for all steps at once -----------------------------------------------


def rnn_step(a, h, W_h):
    """h_t = tanh(a + h_{t-1} @ W_h)   (Elman 1990).   a (N, H), h (N, H), W_h (H, H) -> h_t, and what backward needs"""
    h_next = np.tanh(a + h @ W_h)
    return h_next, (h, h_next)


def rnn_step_backward(dh, cache, W_h, dW_h):
    """da = dh (1 - h_t^2);  dW_h += h_{t-1}^T da;  dh_{t-1} = da W_h^T."""
    h, h_next = cache
    da = dh * (1.0 - h_next * h_next)
    dW_h += h.T @ da
    return da, da @ W_h.T


def lstm_step(a, h, c, W_h):
    """i, f, o = sigmoid, g = tanh of the four blocks of a + h_{t-1} @ W_h;  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t)
    (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000; blocks in PyTorch's order i f g o).

    a (N, 4 H), h and c (N, H), W_h (H, 4 H) -> h_t, c_t, and what backward needs
    """
    n_hidden = h.shape[1]
    z = a + h @ W_h
    i, f, g, o = (z[:, k * n_hidden : (k + 1) * n_hidden] for k in range(4))
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c_next = f * c + i * g
    squashed = np.tanh(c_next)
    return o * squashed, c_next, (h, c, i, f, g, o, squashed)


def lstm_step_backward(dh, dc, cache, W_h, dW_h):
    """The way back of ``lstm_step``: dc collects what comes through h_t and what c_{t+1} passes on by its f."""
    h, c, i, f, g, o, squashed = cache
    dc = dc + dh * o * (1.0 - squashed * squashed)
    da = np.concatenate(
        [
            dc * g * i * (1.0 - i),
            dc * c * f * (1.0 - f),
            dc * i * (1.0 - g * g),
            dh * squashed * o * (1.0 - o),
        ],
        axis=1,
    )
    dW_h += h.T @ da
    return da, da @ W_h.T, dc * f


def gru_step(a, h, W_h, b_n):
    """r, u = sigmoid of the first two blocks of a + h_{t-1} @ W_h;  n = tanh(a_n + r (h_{t-1} @ W_hn + b_n));
    h_t = (1 - u) n + u h_{t-1}   (Cho et al. 2014, with the reset gate after the product, as PyTorch and cuDNN).

    a (N, 3 H), h (N, H), W_h (H, 3 H), b_n (H,) -> h_t, and what backward needs
    """
    n_hidden = h.shape[1]
    z = h @ W_h
    r = sigmoid(a[:, :n_hidden] + z[:, :n_hidden])
    u = sigmoid(a[:, n_hidden : 2 * n_hidden] + z[:, n_hidden : 2 * n_hidden])
    memory = z[:, 2 * n_hidden :] + b_n
    n = np.tanh(a[:, 2 * n_hidden :] + r * memory)
    return (1.0 - u) * n + u * h, (h, r, u, n, memory)


def gru_step_backward(dh, cache, W_h, dW_h, db_n):
    """The way back of ``gru_step``."""
    h, r, u, n, memory = cache
    da_n = dh * (1.0 - u) * (1.0 - n * n)
    dmemory = da_n * r
    da_r = da_n * memory * r * (1.0 - r)
    da_u = dh * (h - n) * u * (1.0 - u)
    dz = np.concatenate([da_r, da_u, dmemory], axis=1)
    dW_h += h.T @ dz
    db_n += dmemory.sum(axis=0)
    return np.concatenate([da_r, da_u, da_n], axis=1), dz @ W_h.T + dh * u


# --- the walk along time ----------------------------------------------------------------------------------------------


def walk(step, a, state, out):
    """All steps forward: state_t = step(a_t, state_{t-1}).   Fills ``out`` (T, N, H) with h from a (T, N, gates H);
    returns the last state, and what each step keeps for the way back."""
    caches = []
    for t, a_t in enumerate(a):
        state, cache = step(a_t, state)
        out[t] = state[0]
        caches.append(cache)
    return state, caches


def walk_back(step_backward, dhs, dstate, caches, out):
    """All steps back: at h_t arrives dhs_t (T, N, H), from outside, and what the step after it hands back.   Fills
    ``out`` (T, N, gates H) with da; returns the gradient of the state before the first step."""
    for t in reversed(range(len(dhs))):
        out[t], dstate = step_backward((dstate[0] + dhs[t], *dstate[1:]), caches[t])
    return dstate


def masked(step):
    """A step that takes (a_t, live) instead of a_t: where ``live`` (N, 1) is False, time stands still and the state
    passes unchanged."""

    def masked_step(a_and_live, state):
        a, live = a_and_live
        after, cache = step(a, state)
        return where(live, after, state), (live, cache)

    return masked_step


def masked_backward(step_backward):
    """The way back of :func:`masked`: what passed unchanged has a gradient that does."""

    def masked_step_backward(dstate, live_and_cache):
        live, cache = live_and_cache
        da, dbefore = step_backward(where(live, dstate, itertools.repeat(0.0)), cache)
        return da, where(live, dbefore, dstate)

    return masked_step_backward


def where(live, state, other):
    """``state`` where ``live``, and else ``other``, array by array."""
    return tuple(np.where(live, s, o) for s, o in zip(state, other))


def pieces(n_steps, length):
    """The steps in pieces of ``length``, as slices, the last piece first."""
    return [slice(start, start + length) for start in reversed(range(0, n_steps, length))]


class Recurrent(Layer):
    """Walks along x (N, T, D); gives h (N, T, H), or the last h (N, H) with ``sequences=False``.

    PyTorch's layers do so with ``batch_first=True``.

    Parameters
    ----------
    n_in, n_hidden : int
    sequences : bool
        Whether every step's h comes out, or only the last.
    truncate : int, optional
        Cut the way back after so many steps (truncated backpropagation through time, Williams & Peng 1990); the way
        forward is never cut.

    Attributes
    ----------
    W_x : Parameter (D, gates H)
    W_h : Parameter (H, gates H)
    b : Parameter (gates H,)
        PyTorch's ``bias_ih + bias_hh``; in the last third of a GRU's ``bias_ih`` alone (see ``b_n``).
    final : tuple of ndarray (N, H)
        State after the last step: (h,) or, for an LSTM, (h, c).
    dinitial : tuple of ndarray (N, H)
        Gradient with respect to the initial state, after ``backward``.
    """

    gates = 1
    n_states = 1

    def __init__(self, n_in, n_hidden, sequences=True, truncate=None, init=xavier_uniform, init_h=orthogonal):
        if n_in < 1 or n_hidden < 1 or (truncate is not None and truncate < 1):
            raise ValueError(f"{type(self).__name__} takes positive sizes, got {n_in=}, {n_hidden=}, {truncate=}")
        self.n_in, self.n_hidden = whole(n_in), whole(n_hidden)
        self.sequences, self.truncate = bool(sequences), None if truncate is None else whole(truncate)
        width = self.gates * self.n_hidden
        self.W_x = Parameter((n_in, width), init)
        self.W_h = Parameter((n_hidden, width), init_h)
        self.b = Parameter((width,), zeros, decay=False)

    def out_shape(self, shape):
        sequence, wanted = axes(shape, 2), f"(N, T, {self.n_in})"
        if sequence is None:
            raise self.refusal(wanted, shape)
        if not fits(sequence[1], self.n_in):
            raise self.refusal(wanted, shape, n_in=sequence[1])
        return (sequence[0], self.n_hidden) if self.sequences else (self.n_hidden,)

    def forward(self, x, training=False, initial=None, lengths=None):
        """h for every step (or the last).

        Parameters
        ----------
        x : ndarray (N, T, D)
        initial : tuple of ndarray (N, H), optional
            State before the first step; zeros where it is left out.
        lengths : ndarray (N,) of int, optional
            Steps that count for each sequence; afterwards its state stands still and its output is 0.
        """
        self.initial, self.lengths = initial, lengths
        return super().forward(x, training)

    def compute(self, x, training):
        state = self.zero_state(len(x)) if self.initial is None else self.checked_state(self.initial, len(x))
        self.live = self.live_steps(self.lengths, *x.shape[:2])
        self.steps = self.time_first("steps", x)
        hs, self.final = self.along_time(self.steps, state)
        if not self.sequences:
            return self.final[0]
        return hs if self.live is None else np.where(self.live.swapaxes(0, 1), hs, 0.0)

    def pull_back(self, dout, input_gradient):
        n, n_steps, _ = self.x.shape
        dstate = self.zero_state(n)
        if self.sequences:
            dhs = self.time_first("dhs", dout)
            dhs = dhs if self.live is None else np.where(self.live, dhs, 0.0)
        else:
            dhs, dstate = np.broadcast_to(dstate[0], (n_steps, *dout.shape)), (dout, *dstate[1:])
        dx = self.back_along_time(dhs, dstate, input_gradient)
        return None if dx is None else dx.swapaxes(0, 1)

    # --- what a faster way replaces: time first ---

    def along_time(self, x, state):
        """h (N, T, H), where somebody wants it, and the last state, from x (T, N, D)."""
        hs = np.empty((*x.shape[:2], self.n_hidden), self.dtype)
        a = self.from_input(x)
        step, a = (self.step, a) if self.live is None else (masked(self.step), zip(a, self.live))
        final, self.caches = walk(step, a, state, out=hs)
        return hs.swapaxes(0, 1), final

    def back_along_time(self, dhs, dstate, input_gradient):
        """Fill the gradients from dhs (T, N, H) and that of the last state; dx (T, N, D) or None."""
        for p in self.summed_over_time():
            p.grad[...] = 0.0
        step_backward = self.step_backward if self.live is None else masked_backward(self.step_backward)
        da = np.empty((*dhs.shape[:2], self.gates * self.n_hidden), self.dtype)
        for piece in pieces(len(dhs), self.truncate or len(dhs)):
            self.dinitial = walk_back(step_backward, dhs[piece], dstate, self.caches[piece], out=da[piece])
            dstate = self.zero_state(dhs.shape[1])  # nothing is handed on to the piece before
        return self.from_input_backward(da, input_gradient)

    def from_input(self, x):
        """a = x @ W_x + b, for all steps at once.   x (T, N, D) -> (T, N, gates H)"""
        return (x.reshape(-1, self.n_in) @ self.W_x.value + self.b.value).reshape(*x.shape[:2], -1)

    def from_input_backward(self, da, input_gradient):
        """dW_x = x^T da, db = sum of da, both over all steps and the batch; dx = da W_x^T."""
        x, rows = self.steps.reshape(-1, self.n_in), da.reshape(-1, self.gates * self.n_hidden)
        np.matmul(x.T, rows, out=self.W_x.grad)
        sum_rows(rows, out=self.b.grad)
        return (rows @ self.W_x.value.T).reshape(self.steps.shape) if input_gradient else None

    def time_first(self, name, x):
        """(N, T, D) -> (T, N, D), contiguous: a copy, of that name, only where x lies otherwise in memory."""
        x = x.swapaxes(0, 1)
        if not x.flags.c_contiguous:
            own = self.array(name, x.shape)
            np.copyto(own, x)
            return own
        return x

    def summed_over_time(self):
        """The parameters whose gradients each step back adds to."""
        return (self.W_h,)

    def zero_state(self, n):
        return tuple(np.zeros((n, self.n_hidden), self.dtype) for _ in range(self.n_states))

    def checked_state(self, state, n):
        state = tuple(np.asarray(s, self.dtype) for s in state)
        if [s.shape for s in state] != [(n, self.n_hidden)] * self.n_states:
            raise ValueError(
                f"{self!r} starts from {self.n_states} array(s) of shape ({n}, {self.n_hidden}), "
                f"got {[s.shape for s in state]}"
            )
        return state

    def live_steps(self, lengths, n, n_steps):
        """(T, N, 1), True where a step counts."""
        if lengths is None:
            return None
        lengths = np.asarray(lengths)
        if lengths.shape != (n,) or lengths.dtype.kind not in "iu" or lengths.min() < 1 or lengths.max() > n_steps:
            raise ValueError(f"lengths are {n} whole numbers from 1 to {n_steps}, got {lengths}")
        return (np.arange(n_steps)[:, None] < lengths)[:, :, None]

    @property
    def settings(self):
        return {
            "n_in": self.n_in,
            "n_hidden": self.n_hidden,
            "sequences": self.sequences,
            "truncate": self.truncate,
        }


class RNN(Recurrent):
    """h_t = tanh(x_t @ W_x + h_{t-1} @ W_h + b)   (Elman 1990)."""

    def step(self, a, state):
        h, cache = rnn_step(a, state[0], self.W_h.value)
        return (h,), cache

    def step_backward(self, dstate, cache):
        da, dh = rnn_step_backward(dstate[0], cache, self.W_h.value, self.W_h.grad)
        return da, (dh,)


class LSTM(Recurrent):
    """A cell c that is added to, and gates that decide what is kept, taken in and shown: see ``lstm_step``.

    Parameters
    ----------
    forget_bias : float
        First value of the forget gate's bias: 1 keeps the gate open at first (Jozefowicz et al. 2015); PyTorch draws it
        around 0, like all its first values.
    """

    gates, n_states = 4, 2

    def __init__(self, n_in, n_hidden, sequences=True, truncate=None, forget_bias=1.0, **inits):
        super().__init__(n_in, n_hidden, sequences, truncate, **inits)
        self.forget_bias = float(forget_bias)
        self.b.init = self.first_bias

    def first_bias(self, rng, shape):
        b = np.zeros(shape)
        b[self.n_hidden : 2 * self.n_hidden] = self.forget_bias
        return b

    def along_time(self, x, state):
        if self.live is not None:  # where sequences end at different steps, the plain walk
            return super().along_time(x, state)
        h, c = state
        hs, *self.memory = lstm_forward(x, self.W_x.value, self.W_h.value, self.b.value, h.T, c.T, self.array)
        self.hs, cs = hs, self.memory[0]
        out = np.ascontiguousarray(hs[1:].swapaxes(1, 2)).swapaxes(0, 1) if self.sequences else None
        return out, (hs[-1].T.copy(), cs[-1].T.copy())

    def back_along_time(self, dhs, dstate, input_gradient):
        if self.live is not None:
            return super().back_along_time(dhs, dstate, input_gradient)
        cs, gates, squashed = self.memory
        da = self.array("da", gates.shape)
        for piece in pieces(len(dhs), self.truncate or len(dhs)):
            dh, dc = lstm_backward(
                dhs[piece].transpose(0, 2, 1), *(d.T for d in dstate), self.W_h.value,
                cs[:-1][piece], gates[piece], squashed[piece], self.array, out=da[piece],
            )  # fmt: skip
            self.dinitial = dh.T.copy(), dc.T.copy()
            dstate = self.zero_state(dhs.shape[1])
        return lstm_gradients(
            da, self.steps, self.hs, self.W_x.value, self.W_x.grad, self.W_h.grad, self.b.grad, self.array,
            input_gradient,
        )  # fmt: skip

    def step(self, a, state):
        h, c, cache = lstm_step(a, *state, self.W_h.value)
        return (h, c), cache

    def step_backward(self, dstate, cache):
        da, dh, dc = lstm_step_backward(*dstate, cache, self.W_h.value, self.W_h.grad)
        return da, (dh, dc)

    @property
    def settings(self):
        return {**super().settings, "forget_bias": self.forget_bias}


class GRU(Recurrent):
    """Two gates and no separate cell: see ``gru_step``; blocks in PyTorch's order r, z (here u), n.

    Attributes
    ----------
    b_n : Parameter (H,)
        The bias inside the reset product, the last third of PyTorch's ``bias_hh``.
    """

    gates = 3

    def __init__(self, n_in, n_hidden, sequences=True, truncate=None, **inits):
        super().__init__(n_in, n_hidden, sequences, truncate, **inits)
        self.b_n = Parameter((self.n_hidden,), zeros, decay=False)

    def step(self, a, state):
        h, cache = gru_step(a, state[0], self.W_h.value, self.b_n.value)
        return (h,), cache

    def step_backward(self, dstate, cache):
        da, dh = gru_step_backward(dstate[0], cache, self.W_h.value, self.W_h.grad, self.b_n.grad)
        return da, (dh,)

    def summed_over_time(self):
        return self.W_h, self.b_n


class Embedding(Layer):
    """A row of W for each number: out[..., :] = W[x[...]].   x (...) of whole numbers below n -> (..., D)

    Attributes
    ----------
    W : Parameter (n, D)
        Normal numbers of variance 1 at first, as in PyTorch.
    """

    def __init__(self, n, n_out, init=None):
        if n < 1 or n_out < 1:
            raise ValueError(f"Embedding takes positive sizes, got {n} and {n_out}")
        self.n, self.n_out = whole(n), whole(n_out)
        self.W = Parameter((n, n_out), init or normal(1.0))

    def out_shape(self, shape):
        return *shape, self.n_out

    def at_the_door(self, x):
        if self.dtype is None:
            return super().at_the_door(x)  # raises with the mend
        x = np.asarray(x)
        if x.dtype.kind == "f" and np.array_equal(x, np.round(x)):
            x = x.astype(np.int64)  # a network casts what goes into it
        if x.dtype.kind not in "iu" or not x.size or x.min() < 0 or x.max() >= self.n:
            raise (TypeError if x.dtype.kind not in "iuf" else ValueError)(
                f"{self!r} takes whole numbers from 0 to {self.n - 1}, at least one, got {x.dtype} of shape {x.shape}"
            )
        return x

    def compute(self, x, training):
        return self.W.value[x]

    def pull_back(self, dout, input_gradient):
        """Fill the rows' gradients; whole numbers have none, so zeros come back."""
        self.W.grad[...] = 0.0
        np.add.at(self.W.grad, self.x, dout)
        return np.zeros(self.x.shape, self.dtype) if input_gradient else None

    @property
    def settings(self):
        return {"n": self.n, "n_out": self.n_out}
