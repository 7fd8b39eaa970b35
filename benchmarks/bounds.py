"""Bounds: the least that a step in NumPy costs, its matrix products, its calls or the memory it must read and write."""

import numpy as np


def products_of(case):
    """A call that does the matrix products of one step and nothing else, in the shapes and orders nnlib uses."""
    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.normal(size=shape).astype(np.float32)

    pairs = []
    for kind, *numbers in case.shapes:
        pairs += {"dense": dense, "convolution": convolution, "lstm": lstm}[kind](array, *numbers)
    calls = [(a, b, np.matmul(a, b)) for a, b in pairs]

    def call():
        for a, b, out in calls:
            np.matmul(a, b, out=out)

    return call


def dense(array, n, n_in, n_out, input_gradient):
    x, W, dout = array(n, n_in), array(n_in, n_out), array(n, n_out)
    return [(x, W), (x.T, dout)] + ([(dout, W.T)] if input_gradient else [])


def convolution(array, n, c_in, c_out, size, kernel, input_gradient):
    """A product for each row of the output; see nnlib.layers.convolution."""
    n_out = size - kernel + 1
    W, dout = array(c_out, kernel * c_in * kernel), array(n_out, c_out, n_out * n)
    columns = array(n_out, kernel * c_in * kernel, n_out * n)
    pairs = [(W, columns), (columns, dout.transpose(0, 2, 1))]
    return pairs + ([(array(c_in * kernel, c_out), dout)] * kernel if input_gradient else [])


def lstm(array, n_steps, n, n_in, n_hidden):
    """For each step one product on the way there and one back, the others for all steps at once."""
    gates, states, x = array(4 * n_hidden, n_steps * n), array(n_hidden, n_steps * n), array(n_steps * n, n_in)
    step = array(4 * n_hidden, n_hidden), array(n_hidden, n)
    back = array(n_hidden, 4 * n_hidden), array(4 * n_hidden, n)
    inputs = array(4 * n_hidden, n_in), x.reshape(n_steps, n, n_in).transpose(0, 2, 1)
    return [inputs, *[step] * n_steps, *[back] * n_steps, (gates, states.T), (gates, x)]


def adam_traffic(n_parameters):
    """A call that reads theta, grad and both averages and writes theta and the averages, as one copy a pair."""
    source, target = (np.ones(int(3.5 * n_parameters), np.float32) for _ in range(2))
    return lambda: np.copyto(target, source)


def calls():
    """Calls of NumPy on the arrays of a small network, 32 examples of 16 numbers, by the words of a page."""
    a, b, out = (np.ones((32, 16), np.float32) for _ in range(3))
    W, bias, product = np.ones((16, 16), np.float32), np.ones(16, np.float32), np.ones((32, 16), np.float32)
    half = np.array(0.5, np.float32)
    return {
        "a square": lambda: np.square(a, out),
        "a product with a number": lambda: np.multiply(a, half, out),
        "a product number by number": lambda: np.multiply(a, b, out),
        "a bias": lambda: np.add(a, bias, out),
        "a matrix product by ndarray.dot": lambda: a.dot(W, product),
        "a matrix product by np.matmul": lambda: np.matmul(a, W, out=product),
    }
