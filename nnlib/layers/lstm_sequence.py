"""The LSTM over a whole sequence, for speed; number by number the same as ``lstm_step`` of nnlib.layers.recurrent.

Three things make it fast.  Inside, a batch lies feature by feature, (4 H, N), so that a gate is one contiguous block.
All four gates of a step come from one tanh, since sigmoid(z) = (1 + tanh(z / 2)) / 2.  And what does not depend on the
step before, which is most of the way back, is computed for all steps at once.  The gates stand in the order o i f g
here: the three sigmoids are one slice, and the three that feed the cell are one.
"""

import numpy as np

from nnlib.reductions import ones

TO_INSIDE = (3, 0, 1, 2)  # i f g o at the door -> o i f g
TO_DOOR = (1, 2, 3, 0)


def lstm_forward(x, W_x, W_h, b, h, c, array):
    """All steps forward.

    x (T, N, D), W_x (D, 4 H), W_h (H, 4 H), b (4 H,), h and c (H, N) before the first step; ``array(name, shape)``
    lends memory.  Returns the states hs and cs (T + 1, H, N), the gates (T, 4 H, N) and tanh of the cells (T, H, N).
    """
    n_steps, n, n_in = x.shape
    n_hidden = len(W_h)
    from_x, from_h, bias = (array(name, (4 * n_hidden, k)) for name, k in (("W_x", n_in), ("W_h", n_hidden), ("b", 1)))
    for own, W in ((from_x, W_x), (from_h, W_h), (bias[:, 0], b)):
        halved(inside(W, own))
    gates = array("gates", (n_steps, 4 * n_hidden, n))
    np.matmul(from_x, x.transpose(0, 2, 1), out=gates)
    gates += bias
    hs, cs = (array(name, (n_steps + 1, n_hidden, n)) for name in ("hs", "cs"))
    squashed, product = array("squashed", (n_steps, n_hidden, n)), array("product", (4 * n_hidden, n))
    hs[0], cs[0] = h, c
    for t, z in enumerate(gates):
        z += np.dot(from_h, hs[t], out=product)
        o, i, f, g = sigmoids_and_tanh(z)
        np.add(f * cs[t], i * g, out=cs[t + 1])
        np.tanh(cs[t + 1], out=squashed[t])
        np.multiply(o, squashed[t], out=hs[t + 1])
    return hs, cs, gates, squashed


def lstm_backward(dhs, dh, dc, W_h, cs, gates, squashed, array, out):
    """All steps back.

    dhs (T, H, N): what arrives at each h from outside; dh, dc (H, N): what arrives at the last state besides; cs
    (T, H, N): the cells before each step.  Fills ``out`` (T, 4 H, N), the gradients of the pre-activations in the inner
    order; returns those of the state before the first step.
    """
    n_hidden = len(W_h)
    shown, o_slope, ifg_slopes = slopes(cs, gates, squashed, array("shown", squashed.shape), out)
    f = gates[:, 2 * n_hidden : 3 * n_hidden]
    back = inside(W_h, array("back", W_h.shape).T).T
    for t in reversed(range(len(dhs))):
        dh = dh + dhs[t]
        dc = dc + dh * shown[t]
        o_slope[t] *= dh
        ifg_slopes[t] *= dc
        dh, dc = np.dot(back, out[t]), dc * f[t]
    return dh, dc


def lstm_gradients(da, x, hs, W_x, dW_x, dW_h, db, array, input_gradient=True):
    """Fill dW_x, dW_h, db from da (T, 4 H, N), each by one product over all steps; return dx (T, N, D) or None."""
    n_steps, width, n = da.shape
    n_hidden = width // 4
    blocks = da.reshape(n_steps, 4, n_hidden, n)
    flat = array("flat", (4, n_hidden, n_steps, n))  # blocks in the door's order, steps and batch side by side
    for k, place in enumerate(TO_DOOR):
        np.copyto(flat[k], blocks[:, place].swapaxes(0, 1))
    flat = flat.reshape(width, n_steps * n)
    earlier = array("earlier", (n_hidden, n_steps, n))
    np.copyto(earlier, hs[:-1].swapaxes(0, 1))
    x, earlier = x.reshape(n_steps * n, -1), earlier.reshape(n_hidden, -1)
    for name, dW, states in (("dW_h", dW_h, earlier.T), ("dW_x", dW_x, x)):
        dW[...] = np.dot(flat, states, out=array(name, dW.T.shape)).T  # BLAS is faster with the long rows on the left
    np.dot(flat, ones(n_steps * n, flat.dtype), out=db)
    return np.matmul(flat.T, W_x.T).reshape(n_steps, n, -1) if input_gradient else None


def inside(W, out):
    """The four blocks of columns of W (..., 4 H) as rows of ``out`` (4 H, ...), in the inner order."""
    n_hidden = W.shape[-1] // 4
    for k, block in enumerate(TO_INSIDE):
        out[k * n_hidden : (k + 1) * n_hidden] = W[..., block * n_hidden : (block + 1) * n_hidden].T
    return out


def halved(W):
    """W (4 H, ...) with the rows of the three sigmoids halved, in place."""
    W[: 3 * len(W) // 4] *= 0.5
    return W


def sigmoids_and_tanh(z):
    """The gates o, i, f = sigmoid and g = tanh of the four blocks of z (4 H, N), in place; three come halved."""
    np.tanh(z, out=z)
    sigmoids = z[: 3 * len(z) // 4]
    sigmoids *= 0.5
    sigmoids += 0.5
    return z.reshape(4, -1, z.shape[1])


def slopes(cs, gates, squashed, shown, out):
    """What the way back multiplies its dh and dc with, for all steps at once.

    Into ``shown``: dc / dh = o (1 - tanh(c)^2).  Into the first block of ``out``: da_o / dh = o (1 - o) tanh(c); into
    the others: da_i / dc = i (1 - i) g, da_f / dc = f (1 - f) c_{t-1}, da_g / dc = (1 - g^2) i.
    """
    n_hidden = squashed.shape[1]
    o, i, _, g = gates.reshape(len(gates), 4, n_hidden, -1).swapaxes(0, 1)
    np.square(squashed, out=shown)
    np.subtract(1.0, shown, out=shown)
    shown *= o
    sigmoids, d_sigmoids = gates[:, : 3 * n_hidden], out[:, : 3 * n_hidden]
    np.subtract(1.0, sigmoids, out=d_sigmoids)
    d_sigmoids *= sigmoids
    blocks = out.reshape(len(out), 4, n_hidden, -1)
    do, di, df, dg = blocks.swapaxes(0, 1)
    np.square(g, out=dg)
    np.subtract(1.0, dg, out=dg)
    for slope, factor in ((do, squashed), (di, g), (df, cs), (dg, i)):
        slope *= factor
    return shown, do, blocks[:, 1:]
