"""Recurrent layers: one cell, used again at every step of a sequence x (T, N, D), time first.

Each cell stands as two plain functions, one step forward and one step back; :class:`Recurrent` walks along time.
"""

import numpy as np

from nnlib.activations import sigmoid
from nnlib.initializers import normal, orthogonal, xavier_uniform, zeros
from nnlib.layers.layer import Layer, whole
from nnlib.layers.lstm_sequence import lstm_backward, lstm_forward, lstm_gradients
from nnlib.parameters import Parameter

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
    """The way back of :func:`lstm_step`: dc collects what comes through h_t and what c_{t+1} passes on by its f."""
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
    """The way back of :func:`gru_step`."""
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


class Recurrent(Layer):
    """Walks along x (T, N, D); gives h (T, N, H), or the last h (N, H) with ``sequences=False``.

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
        self.x = None
        width = self.gates * self.n_hidden
        self.W_x = Parameter((n_in, width), init)
        self.W_h = Parameter((n_hidden, width), init_h)
        self.b = Parameter((width,), zeros, decay=False)
        self.caches = None

    def forward(self, x, training=False, initial=None, lengths=None):
        """h for every step (or the last).

        Parameters
        ----------
        x : ndarray (T, N, D)
        initial : tuple of ndarray (N, H), optional
            State before the first step; zeros where it is left out.
        lengths : ndarray (N,) of int, optional
            Steps that count for each sequence; afterwards its state stands still and its output is 0.
        """
        self.x = x = self.sequence_at_the_door(x)
        n_steps, n, _ = x.shape
        state = self.initial_state(n) if initial is None else self.checked_state(initial, n)
        self.live = self.live_steps(lengths, n_steps, n)
        a = (x.reshape(-1, self.n_in) @ self.W_x.value + self.b.value).reshape(n_steps, n, -1)
        out = np.empty((n_steps, n, self.n_hidden), self.dtype)
        self.caches = []
        for t in range(n_steps):
            before = state
            state, cache = self.step(a[t], state)
            self.caches.append(cache)
            if self.live is None:
                out[t] = state[0]
            else:
                state = tuple(np.where(self.live[t], new, old) for new, old in zip(state, before))
                out[t] = np.where(self.live[t], state[0], 0.0)
        self.final = state
        self.out_shape = out.shape if self.sequences else out.shape[1:]
        return out if self.sequences else state[0]

    def backward(self, dout, input_gradient=True):
        dout = self.gradient_at_the_door(dout, None if self.caches is None else self.out_shape)
        n_steps, n, _ = self.x.shape
        for p in self.own_parameters():
            p.grad[...] = 0.0
        da = np.empty((n_steps, n, self.gates * self.n_hidden), self.dtype)
        dstate = self.initial_state(n)
        if not self.sequences:
            dstate = (dstate[0] + dout, *dstate[1:])
        for t in reversed(range(n_steps)):
            dh = dstate[0]
            if self.sequences:
                dh = dh + (dout[t] if self.live is None else np.where(self.live[t], dout[t], 0.0))
            arriving = (dh, *dstate[1:])
            if self.live is not None:  # where time stands still the state passes unchanged, and so does its gradient
                arriving = tuple(np.where(self.live[t], d, 0.0) for d in arriving)
            da[t], dstate_before = self.step_backward(arriving, self.caches[t])
            if self.live is not None:
                dstate_before = tuple(
                    np.where(self.live[t], new, old) for new, old in zip(dstate_before, (dh, *dstate[1:]))
                )
            dstate = dstate_before
            if self.truncate and t % self.truncate == 0 and t:
                dstate = self.initial_state(n)
        self.dinitial = dstate
        flat = da.reshape(n_steps * n, -1)
        np.matmul(self.x.reshape(-1, self.n_in).T, flat, out=self.W_x.grad)
        np.sum(flat, axis=0, out=self.b.grad)
        return (flat @ self.W_x.value.T).reshape(self.x.shape) if input_gradient else None

    def sequence_at_the_door(self, x):
        x = self.at_the_door(x)
        if x.ndim != 3 or x.shape[2] != self.n_in:
            raise ValueError(f"{self!r} takes x of shape (T, N, {self.n_in}), time first, got {x.shape}")
        return x

    def own_parameters(self):
        """Those whose gradients are sums over time."""
        return (self.W_h,)

    def initial_state(self, n):
        return tuple(np.zeros((n, self.n_hidden), self.dtype) for _ in range(self.n_states))

    def checked_state(self, state, n):
        state = tuple(np.asarray(s, self.dtype) for s in state)
        if [s.shape for s in state] != [(n, self.n_hidden)] * self.n_states:
            raise ValueError(
                f"{self!r} starts from {self.n_states} array(s) of shape ({n}, {self.n_hidden}), "
                f"got {[s.shape for s in state]}"
            )
        return state

    def live_steps(self, lengths, n_steps, n):
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
    """A cell c that is added to, and gates that decide what is kept, taken in and shown: see :func:`lstm_step`.

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

    def forward(self, x, training=False, initial=None, lengths=None):
        self.memory = None
        if lengths is not None:  # where sequences end at different steps, the plain walk
            return super().forward(x, training, initial, lengths)
        self.x = x = self.sequence_at_the_door(x)
        h, c = self.initial_state(x.shape[1]) if initial is None else self.checked_state(initial, x.shape[1])
        self.memory = lstm_forward(x, self.W_x.value, self.W_h.value, self.b.value, h.T, c.T, self.array)
        hs, cs = self.memory[:2]
        self.final = hs[-1].T.copy(), cs[-1].T.copy()
        out = np.ascontiguousarray(hs[1:].transpose(0, 2, 1)) if self.sequences else self.final[0]
        self.out_shape = out.shape
        return out

    def backward(self, dout, input_gradient=True):
        if self.x is None or self.memory is None:
            return super().backward(dout, input_gradient)
        dout = self.gradient_at_the_door(dout, self.out_shape)
        n_steps, n, _ = self.x.shape
        dh, dc = (zero.T for zero in self.initial_state(n))
        if self.sequences:
            dhs = dout.transpose(0, 2, 1)
        else:
            dhs, dh = np.broadcast_to(np.zeros((), self.dtype), (n_steps, self.n_hidden, n)), dout.T
        da, dh, dc = lstm_backward(dhs, dh, dc, self.W_h.value, self.memory, self.array, self.truncate)
        self.dinitial = dh.T.copy(), dc.T.copy()
        return lstm_gradients(
            da,
            self.x,
            self.memory[0],
            self.W_x.value,
            self.W_x.grad,
            self.W_h.grad,
            self.b.grad,
            self.array,
            input_gradient,
        )

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
    """Two gates and no separate cell: see :func:`gru_step`; blocks in PyTorch's order r, z (here u), n.

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

    def own_parameters(self):
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
        self.x = None

    def at_the_door(self, x, n_in=None):
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

    def forward(self, x, training=False):
        self.x = self.at_the_door(x)
        return self.W.value[self.x]

    def backward(self, dout, input_gradient=True):
        """Fill the rows' gradients; whole numbers have none, so zeros come back."""
        dout = self.gradient_at_the_door(dout, None if self.x is None else (*self.x.shape, self.n_out))
        self.W.grad[...] = 0.0
        np.add.at(self.W.grad, self.x, dout)
        return np.zeros(self.x.shape, self.dtype) if input_gradient else None

    @property
    def settings(self):
        return {"n": self.n, "n_out": self.n_out}
