"""Flat: training steps as a list of NumPy calls on arrays that stay, for networks of dense layers.

A step of a small network costs more in Python between NumPy's calls than in them.  :func:`flat` looks at a network, its
loss and its optimizer once and writes down the calls that a step comes to: forward, loss, backward, update.  The
formulas stay where they are, in nnlib's kernels; :mod:`nnlib.trace` writes down what they ask for.  Three things
make the list short: the batch lies last and below the inputs of each dense layer lies a row of ones, so that a bias
needs no call; the slopes of equal activations are computed at once; and the losses of many steps are computed together,
afterwards.
"""

import copy
import inspect
from numbers import Real

import numpy as np

from nnlib import losses
from nnlib.layers import Activation, Dense, Dropout, GaussianNoise
from nnlib.layers.dropout import keep_mask
from nnlib.network import Sequential
from nnlib.optimizers import Clipped, Optimizer
from nnlib.trace import CannotTrace, Tape, address, elsewhere, needed_for

AT_ONCE = 64  # batches at the most in one list, and
NUMBERS_AT_ONCE = 1 << 16  # inputs, targets and outputs of them together
BLOCK = 1 << 15  # parameters that an optimizer takes at once: its vectors then stay in the cache from call to call


class Unsupported(TypeError):
    """The network, its loss or its optimizer has a part that has no flat form; ``fit`` goes the ordinary way then."""


def flat(network, loss, optimizer, batch_size, n_batches=1, penalty=None):
    """The training step of a network as a list of calls.

    ``network.theta``, ``network.grad`` and what the optimizer remembers are read and written where they lie, so that
    between two steps everything is as after ordinary ones::

        step = flat(network, loss, SGD(0.1), batch_size=32)
        step(x, y)       # one step; the loss before it
        step.again(100)  # 100 more on the same batch; their losses (100,)
        print(step)      # the calls

    Parameters
    ----------
    network : Sequential
        Of Dense, Activation, Dropout and GaussianNoise layers.
    loss : callable
        ``binary_cross_entropy``, ``mean_squared_error`` or ``softmax_cross_entropy``.
    optimizer : Optimizer or Clipped
    batch_size : int
    n_batches : int
        For how many batches in a row there is memory: see :meth:`Flat.run`.
    penalty : callable, optional
        As for ``fit``.

    Raises
    ------
    Unsupported
        With the name of what has no flat form.
    """
    if type(network) is not Sequential or isinstance(network.layers[0], Activation):
        raise Unsupported(f"a flat step is that of a Sequential that begins with a Dense layer, got {network!r}")
    for layer in network.layers:
        if type(layer) not in (Dense, Activation, Dropout, GaussianNoise):
            raise Unsupported(f"{layer!r} has no flat form")
    if not any(isinstance(layer, Dense) for layer in network.layers):
        raise Unsupported(f"{network!r} has no Dense layer and nothing to learn")
    return Flat(network, loss, optimizer, batch_size, n_batches, penalty)


class Memory:
    """The arrays of a step, batch last: for each value between two layers one (width, N), and below it a row of ones.

    Inputs, targets and outputs have such an array for each of several batches.
    """

    def __init__(self, layers, dtype, batch_size, n_batches):
        self.dtype, self.batch_size = dtype, batch_size
        widths = [next(layer.n_in for layer in layers if isinstance(layer, Dense))]
        for layer in layers:
            widths.append(layer.n_out if isinstance(layer, Dense) else widths[-1])
        self.x = np.ones((n_batches, batch_size, widths[0] + 1), dtype)  # examples first, as they come
        self.y, self.output = (np.zeros((n_batches, widths[-1], batch_size), dtype) for _ in range(2))
        self.with_ones = [self.x[0].T, *([None] * (len(widths) - 1))]
        self.slopes, self.slope_blocks = {}, []
        for places in _alike(layers):
            z, a, slope = (self.rows([widths[i] for i in places]) for _ in range(3))
            if self.with_ones[places[0]] is not None:  # an activation of an activation
                z = self.with_ones[places[0]], [self.with_ones[places[0]]]
            self.slope_blocks.append((layers[places[0]].function, z[0], a[0], slope[0]))
            for i, z_i, a_i, slope_i in zip(places, z[1], a[1], slope[1]):
                self.with_ones[i], self.with_ones[i + 1], self.slopes[i] = z_i, a_i, slope_i[:-1]
        for i, width in enumerate(widths):
            if self.with_ones[i] is None:
                (self.with_ones[i],) = self.rows([width])[1]
        self.values = [block[:-1] for block in self.with_ones]
        self.ends_dense = isinstance(layers[-1], Dense)
        if self.ends_dense:
            self.values[-1] = self.output[0]
        self.errors = [np.empty_like(value) for value in self.values]  # dL/dvalue
        self.masks = {i: np.empty_like(self.values[i]) for i, layer in enumerate(layers) if isinstance(layer, Dropout)}

    def rows(self, widths):
        """Arrays (width + 1, N) of ones, one below the other in one block: the block and its parts."""
        block = np.ones((sum(widths) + len(widths), self.batch_size), self.dtype)
        return block, np.split(block, np.cumsum(np.add(widths, 1))[:-1])


def _alike(layers):
    """Places of activations in groups of one function, such that no value belongs to two groups."""
    groups = []
    for i, layer in enumerate(layers):
        if isinstance(layer, Activation):
            follows = isinstance(layers[i - 1], Activation)
            if groups and layers[groups[-1][0]].function is layer.function and not follows:
                groups[-1].append(i)
            else:
                groups.append([i])
    return groups


class Flat:
    """Training steps on batches of one size: see :func:`flat`."""

    def __init__(self, network, loss, optimizer, batch_size, n_batches, penalty):
        self.network, self.optimizer, self.n_batches = network, optimizer, n_batches
        self.memory = memory = Memory(network.layers, network.dtype, batch_size, n_batches)
        try:
            self.kernel, self.targets = losses.parts(loss)
        except losses.NoParts as error:
            raise Unsupported(str(error)) from error
        self.tape = Tape(network.dtype)
        self.forward = self.written(self.write_forward)
        self.loss = self.written(self.write_loss)
        self.gradient = needed_for([memory.errors[-1]], self.loss)
        self.backward = self.written(lambda: self.write_backward(penalty))
        self.write_update()
        self.to_loss_and_gradient = [call.run for call in self.forward + self.loss + self.backward]
        first, calls = (memory.x[0], memory.y[0], memory.output[0]), self.forward + self.gradient + self.backward
        self.to_gradient = list(map(elsewhere(calls, first), zip(memory.x, memory.y, memory.output)))

    # --- the calls ----------------------------------------------------------------------------------------------------

    def written(self, write):
        """The calls that ``write`` puts on the tape."""
        write()
        return self.tape.take()

    def dot(self, a, b, out):
        """out = a @ b; a product with a vector, which costs less, where the output has one row or one column."""
        if len(out) == 1:
            self.tape.record(b.T.dot, (a, b), out, a[0], out[0])
        elif out.shape[1] == 1:
            self.tape.record(a.dot, (a, b), out, b[:, 0], out[:, 0])
        else:
            self.tape.record(a.dot, (a, b), out, b, out)

    def multiply(self, a, b, out):
        self.tape.record(np.multiply, (a, b), out, a, b, out)

    def trace(self, kernel, *arrays):
        """The calls of a kernel that writes into the last array; a kernel that looks at numbers is one call."""
        n_before = len(self.tape.calls)
        try:
            kernel(*map(self.tape.symbol, arrays))
        except CannotTrace:
            del self.tape.calls[n_before:]
            self.tape.record(kernel, arrays[:-1], arrays[-1], *arrays)

    def write_forward(self):
        for i, layer in enumerate(self.network.layers):
            x, out = self.memory.values[i : i + 2]
            if isinstance(layer, Dense):
                self.dot(_with_bias(self.network.theta, layer).T, self.memory.with_ones[i], out)
            elif isinstance(layer, Activation):
                self.trace(layer.function.f, x, out)
            elif isinstance(layer, Dropout):
                mask = self.memory.masks[i]
                self.tape.record(_draw_mask, (), mask, layer, mask.T)
                self.multiply(x, mask, out)
            else:
                self.tape.record(_add_noise, (x,), out, layer, x.T, out.T)

    def write_loss(self):
        """The losses of the examples, the gradient of their mean, and their sum."""
        memory, symbol = self.memory, self.tape.symbol
        one_output = memory.output.shape[1] == 1  # then vectors, which cost less
        z, y = (symbol(a[0, 0] if one_output else a[0].T) for a in (memory.output, memory.y))
        if not memory.ends_dense:
            np.copyto(symbol(memory.output[0]), symbol(memory.values[-1]))
        each, gradient = self.kernel(z, y)
        gradient *= 1.0 / each.size
        memory.errors[-1] = gradient.array[np.newaxis] if one_output else gradient.array.T
        each = each.array if each.array.flags.c_contiguous else each.array.T  # in any order
        self.value = np.zeros((1, 1), self.tape.dtype)
        self.ones = np.ones((1, each.size), self.tape.dtype)  # as nnlib.reductions.total
        self.dot(self.ones, each.reshape(-1, 1), self.value)

    def write_backward(self, penalty):
        memory = self.memory
        for function, z, a, slope in memory.slope_blocks:
            self.trace(function.df, z, a, slope)
        for i, layer in reversed(list(enumerate(self.network.layers))):
            dout = memory.errors[i + 1]
            if isinstance(layer, Dense):
                self.dot(memory.with_ones[i], dout.T, _with_bias(self.network.grad, layer))
                if i:
                    self.dot(layer.W.value, dout, memory.errors[i])
                continue
            memory.errors[i] = dout
            if i and not isinstance(layer, GaussianNoise):
                self.multiply(dout, memory.masks[i] if isinstance(layer, Dropout) else memory.slopes[i], dout)
        if penalty is not None:
            self.tape.record(penalty, (), self.network.grad, self.network)

    def write_update(self):
        """The calls of the optimizer, and the numbers in them that change with the step."""
        theta, grad, optimizer = self.network.theta, self.network.grad, self.optimizer
        while isinstance(optimizer, Clipped):
            self.tape.record(optimizer.clip, (), grad, grad)
            optimizer = optimizer.optimizer
        if not isinstance(optimizer, Optimizer):
            raise Unsupported(f"{optimizer!r} has no flat form")
        if optimizer.theta is not theta or optimizer.grad is not grad:
            optimizer.admit(theta, grad)
        n_numbers = len(inspect.signature(optimizer.update).parameters) - 2
        self.numbers = [np.zeros((), self.tape.dtype) for _ in range(n_numbers)]
        clip, self.blocks = self.tape.take(), [slice(0, len(theta))]
        self.update = self.written(lambda: self.write_blocks(optimizer))
        if len(theta) > BLOCK and all(isinstance(call.run.func, np.ufunc) for call in self.update):  # number by number
            self.blocks = [slice(i, i + BLOCK) for i in range(0, len(theta), BLOCK)]
            self.update = self.written(lambda: self.write_blocks(optimizer))
        self.inner, self.scratch, self.update = optimizer, optimizer.scratch, clip + self.update
        steady = isinstance(optimizer.learning_rate_given, Real) and type(optimizer).numbers is Optimizer.numbers
        self.steady_schedule = optimizer.schedule if steady else None
        self.to_update = [call.run for call in self.update]

    def write_blocks(self, optimizer):
        """The calls of the optimizer's formula, on each block of its vectors."""
        twin, symbol = copy.copy(optimizer), self.tape.symbol
        for block in self.blocks:
            theta, grad = self.network.theta[block], self.network.grad[block]
            for name in optimizer.state:
                setattr(twin, name, symbol(getattr(optimizer, name)[block]))
            twin.scratch = symbol(optimizer.scratch[: len(theta)])
            try:
                twin.update(*map(symbol, (theta, grad, *self.numbers)))
            except CannotTrace as error:
                raise Unsupported(f"{optimizer!r} has no flat form: {error}") from error

    # --- the steps ----------------------------------------------------------------------------------------------------

    def put(self, x, y):
        """Take n batches x (n N, D), one after the other, n up to ``n_batches``, with targets as outputs (n N, K)."""
        memory = self.memory
        n = len(x) // memory.batch_size
        memory.x[:n, :, :-1] = x.reshape(n, memory.batch_size, -1)
        memory.y[:n] = y.reshape(n, memory.batch_size, -1).swapaxes(1, 2)

    def __call__(self, x, y):
        """One step on a batch x (N, D) with its targets; the loss before the step."""
        self.put(x, self.targets(np.empty((len(x), self.memory.y.shape[1]), self.tape.dtype), y))
        return self.again(1)[0]

    def again(self, n):
        """n steps on the first batch; the loss before each (n,)."""
        losses = np.empty(n)
        for k in range(n):
            losses[k] = self.fill_gradient()
            self.step()
        return losses

    def fill_gradient(self):
        """Forward and backward on the first batch: fills ``network.grad``; returns the loss."""
        for call in self.to_loss_and_gradient:
            call()
        return self.value.item() / self.ones.size

    def step(self):
        """The optimizer's step with ``network.grad``."""
        self.count()
        for call in self.to_update:
            call()

    def count(self):
        """Count a step and set the numbers that change with it; returns the learning rate."""
        optimizer = self.inner
        if optimizer.scratch is not self.scratch or optimizer.theta is not self.network.theta:  # restored
            self.write_update()
        rate = optimizer.learning_rate
        optimizer.n_steps += 1
        for number, value in zip(self.numbers, optimizer.numbers(rate)):
            number[...] = value
        return rate

    def run(self, n):
        """A step on each of the first n batches: the losses before them and their learning rates, two lists."""
        steady = self.inner.schedule is self.steady_schedule  # no number changes with the step
        rates = [self.count()] * n if steady else []
        for calls in self.to_gradient[:n]:
            for call in calls:
                call()
            if not steady:
                rates.append(self.count())
            for call in self.to_update:
                call()
        self.inner.n_steps += n - 1 if steady else 0
        each, _ = self.kernel(self.outputs(n), self.memory.y[:n].swapaxes(1, 2).reshape(-1, self.memory.y.shape[1]))
        return [self.ones[0].dot(row).item() / row.size for row in each.reshape(n, -1)], rates

    def outputs(self, n):
        """What the network gave for the first n batches, before their steps (n N, K)."""
        return self.memory.output[:n].swapaxes(1, 2).reshape(-1, self.memory.output.shape[1])

    def listing(self):
        """The calls of a step in words: (part, "a1 = tanh(z1)"), in their order.

        z and a are pre-activations and activations, numbered as the dense layers; each has its row of ones below it.
        """
        parts = {"forward": self.forward, "loss": self.loss, "backward": self.backward, "update": self.update}
        names = self._names()
        for part, calls in parts.items():
            for call in calls:
                yield part, f"{_name(call.writes, names)} = {_in_words(call.run, names)}"

    def _names(self):
        """Arrays with their names, larger ones after the smaller ones that lie in them."""
        memory, network = self.memory, self.network
        names, k = [(memory.x[0], "x"), (memory.y[0], "y"), (self.value, "sum")], 0
        for i, layer in enumerate(network.layers):
            k += isinstance(layer, Dense)
            kind = {Dense: f"z{k}", Activation: f"a{k}"}.get(type(layer), f"a{k}'")
            names += [(memory.with_ones[i + 1], kind), (memory.values[i + 1], kind), (memory.errors[i + 1], f"d{kind}")]
            names += [(memory.masks[i], f"mask{k}")] if i in memory.masks else []
            names += [(memory.slopes[i], f"slope{k}")] if i in memory.slopes else []
            if isinstance(layer, Dense):
                names += [(layer.W.value, f"W{k}"), (layer.W.grad, f"dW{k}")]
        for _, z, a, slope in memory.slope_blocks:
            names += [(z, "z"), (a, "a"), (slope, "slopes")]
        vectors = [(getattr(self.inner, name), name) for name in (*self.inner.state, "scratch")]
        vectors += [(network.theta, "theta"), (network.grad, "grad")]
        blocks = [(a[b], f"{name}[{b.start}:{b.stop}]") for b in self.blocks[1:] for a, name in vectors]
        rates = [(number, f"number{i}") for i, number in enumerate(self.numbers)]
        return [*names, *rates, *vectors, *blocks]

    def __repr__(self):
        return "\n".join(f"{part:10}{text}" for part, text in self.listing())


def _name(a, names):
    """What an array is called: by the one that begins where it does, of its size if there are several; t1, t2 ..."""
    if not isinstance(a, np.ndarray):
        return getattr(a, "__name__", repr(a))
    there = [(array.size != a.size, name) for array, name in names if address(array) == address(a)]
    if there:
        return min(there, key=lambda pair: pair[0])[1]
    if not a.ndim:
        return f"{a.item():.6g}"
    names.append((a, f"t{1 + sum(name[0] == 't' and name[1:].isdecimal() for _, name in names)}"))
    return names[-1][1]


def _in_words(run, names):
    function, arguments = run.func, [a for a in run.args if isinstance(a, np.ndarray)]
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ndarray):
        arguments = [owner, *arguments]
    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(owner, np.ufunc):
        name = f"{owner.__name__}.reduce"
    inputs = arguments if "out" in run.keywords or len(arguments) == 1 else arguments[:-1]
    return f"{name}({', '.join(_name(a, names) for a in inputs)})"


class FlatEpochs:
    """The steps of ``fit`` as lists of calls: many batches at once, and a shorter list for the last, smaller batch.

    Parameters are those of ``fit``.  ``at_once``: so many batches at the most are in one list; with 1 each step is
    recorded before the next, as callbacks want.
    """

    def __init__(self, network, loss, optimizer, x, y, batch_size, penalty, at_once=AT_ONCE):
        self.network, self.optimizer, self.x, self.labels = network, optimizer, x, y
        self.batch_size = batch_size = min(batch_size, len(x))
        n_whole, n_left = divmod(len(x), batch_size)
        network.look_at_the_shape(x[:batch_size])
        n_out = [layer.n_out for layer in network.layers if isinstance(layer, Dense)][-1:] or [0]
        room = NUMBERS_AT_ONCE // (batch_size * (x[0].size + 2 * n_out[0]))
        self.at_once = max(1, min(at_once, n_whole, AT_ONCE, room))
        self.whole = flat(network, loss, optimizer, batch_size, self.at_once, penalty)
        self.last = flat(network, loss, optimizer, n_left, 1, penalty) if n_left else None
        self.y = self.whole.targets(np.empty((len(x), n_out[0]), network.dtype), y)

    def epoch(self, order, record, end_step):
        """A step on each batch of examples in this order."""
        for rows in np.split(order, range(0, len(order), self.batch_size * self.at_once))[1:]:
            n_last_here = len(rows) % self.batch_size
            self.several(self.whole, rows[: len(rows) - n_last_here], record, end_step)
            self.several(self.last, rows[len(rows) - n_last_here :], record, end_step)

    def several(self, steps, rows, record, end_step):
        n = len(rows) // (steps.memory.batch_size if steps else 1)
        if not n:
            return
        if n > 1:
            steps.put(self.x[rows], self.y[rows])
            before = self.snapshot()
            losses, rates = steps.run(n)
            if np.isfinite(losses).all() or not record.stop_on_divergence:
                record.steps(losses, rates, steps.outputs(n), self.labels[rows])
                return
            self.restore(before)  # and once more, to the step at which it goes wrong
        for batch in np.split(rows, n):
            steps.put(self.x[batch], self.y[batch])
            loss = steps.fill_gradient()
            record.step(loss, steps.outputs(1), self.labels[batch])
            steps.step()
            end_step()

    def snapshot(self):
        """All that steps change."""
        states = [layer.rng.bit_generator.state for layer in self.network.layers if hasattr(layer, "rng")]
        return self.network.theta.copy(), self.optimizer.snapshot(), states

    def restore(self, snapshot):
        theta, optimizer, states = snapshot
        self.network.theta[...] = theta
        self.optimizer.restore(optimizer)
        for layer, state in zip((layer for layer in self.network.layers if hasattr(layer, "rng")), states):
            layer.rng.bit_generator.state = state


def _with_bias(vector, layer):
    """[W; b] (n_in + 1, n_out) of a dense layer in theta or grad, where the two lie end to end."""
    start = (address(layer.W.value) - address(layer.W.value.base)) // vector.itemsize
    return vector[start : start + (layer.n_in + 1) * layer.n_out].reshape(layer.n_in + 1, layer.n_out)


def _draw_mask(layer, out):
    keep_mask(layer.rng, out.shape, layer.p, out)


def _add_noise(layer, x, out):
    noise = layer.rng.standard_normal(x.shape, dtype=out.dtype)
    noise *= layer.std
    np.add(x, noise, out)
