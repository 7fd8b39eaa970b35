"""Laws of the tape: its gradients are the derivatives, and they equal those of the layers."""

import numpy as np
import pytest

from nnlib.autodiff import Value, topological_order, trace

OPERATIONS = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x / y,
    "3 + x": lambda x, y: 3.0 + x,
    "3 - x": lambda x, y: 3.0 - x,
    "3 * x": lambda x, y: 3.0 * x,
    "3 / y": lambda x, y: 3.0 / y,
    "array - x": lambda x, y: np.full((3, 2), 0.5) - x,
    "array * x": lambda x, y: np.arange(6.0).reshape(3, 2) * x,
    "-x": lambda x, y: -x,
    "x ** 3": lambda x, y: x**3,
    "y ** -0.5": lambda x, y: y**-0.5,
    "exp": lambda x, y: x.exp(),
    "log": lambda x, y: y.log(),
    "tanh": lambda x, y: x.tanh(),
    "sigmoid": lambda x, y: x.sigmoid(),
    "relu": lambda x, y: x.relu(),
    "sum over an axis": lambda x, y: x * x.sum(axis=0) + x.sum(axis=1),
    "mean over an axis": lambda x, y: x * x.mean(axis=0) + x.mean(axis=1),
    "x used three times": lambda x, y: x * x + x / (x * x + 1.0),
    "a diamond": lambda x, y: (x * y).tanh() * (x - y).sigmoid() + x,
}
SHAPES = [((), ()), ((3, 2), (3, 2)), ((3, 2), (2,)), ((3, 2), (3, 1)), ((3, 2), ()), ((4, 3, 2), (3, 1))]


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def central(f, array, eps=1e-6):
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + eps
        above = f()
        array[place] = kept - eps
        below = f()
        array[place] = kept
        gradient[place] = (above - below) / (2 * eps)
    return gradient


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_backward_is_the_derivative_under_broadcasting(name, shapes, rng):
    if "axis" in name and len(shapes[0]) != 2:
        shapes = ((5, 3), (5, 3))
    if "array" in name and len(shapes[0]) == 3:
        shapes = ((4, 3, 2), (4, 3, 2))
    a = rng.uniform(0.2, 2.0, shapes[0]) * np.where(rng.random(shapes[0]) < 0.5, -1.0, 1.0)  # away from relu's kink
    b = rng.uniform(0.5, 2.0, shapes[1])
    a, b = np.array(a), np.array(b)
    weights = rng.normal(size=OPERATIONS[name](Value(a), Value(b)).data.shape)

    def loss():
        x, y = Value(a), Value(b)
        return x, y, (OPERATIONS[name](x, y) * weights).sum()

    x, y, total = loss()
    total.backward()
    for value, array in ((x, a), (y, b)):
        expected = central(lambda: float(loss()[2].data), array)
        assert value.grad.shape == array.shape
        np.testing.assert_allclose(value.grad, expected, rtol=1e-6, atol=1e-8)


def test_matrix_product(rng):
    a, b, weights = rng.normal(size=(5, 3)), rng.normal(size=(3, 2)), rng.normal(size=(5, 2))
    x, y = Value(a), Value(b)
    ((x @ y) * weights).sum().backward()
    np.testing.assert_allclose(x.grad, weights @ b.T)
    np.testing.assert_allclose(y.grad, a.T @ weights)


def test_an_array_may_stand_on_the_left(rng):
    a, W = rng.normal(size=(5, 3)), Value(rng.normal(size=(3, 2)))
    (a @ W).sum().backward()
    np.testing.assert_allclose(W.grad, np.repeat(a.sum(axis=0)[:, None], 2, axis=1))
    assert isinstance(a[0, 0] * Value(2.0), Value)


def test_gradients_equal_those_of_nnlib(rng):
    from nnlib.activations import relu, sigmoid, tanh
    from nnlib.layers import Activation, Dense
    from nnlib.losses import mean_squared_error, softmax_cross_entropy
    from nnlib.network import Sequential

    x, target, labels = rng.normal(size=(7, 3)), rng.normal(size=(7, 2)), rng.integers(0, 2, 7)
    for h in (sigmoid, tanh, relu):
        network = Sequential(
            Dense(3, 5), Activation(h), Dense(5, 4), Activation(h), Dense(4, 2), rng=rng, dtype=np.float64
        )
        dense = [layer for layer in network.layers if isinstance(layer, Dense)]
        for loss_name in ("squares", "cross-entropy"):
            parameters = [(Value(layer.W.value), Value(layer.b.value)) for layer in dense]
            a = Value(x)
            for W, b in parameters[:-1]:
                a = getattr(a @ W + b, h.name)()
            W, b = parameters[-1]
            logits = a @ W + b
            if loss_name == "squares":
                loss = ((logits - target) ** 2).mean()
                expected, gradient = mean_squared_error(network.forward(x), target)
            else:
                loss = (logits.exp().sum(axis=1).log() - (logits * np.eye(2)[labels]).sum(axis=1)).mean()
                expected, gradient = softmax_cross_entropy(network.forward(x), labels)
            loss.backward()
            network.backward(gradient)
            assert float(loss.data) == pytest.approx(expected, rel=1e-12)
            for (W, b), layer in zip(parameters, dense):
                np.testing.assert_allclose(W.grad, layer.W.grad, rtol=1e-9, atol=1e-14)
                np.testing.assert_allclose(b.grad, layer.b.grad, rtol=1e-9, atol=1e-14)


def test_the_two_two_two_network_has_the_printed_gradients():
    w = [Value(number) for number in (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)]
    b1, b2 = Value(0.35), Value(0.60)
    h1, h2 = (w[0] * 0.05 + w[1] * 0.10 + b1).sigmoid(), (w[2] * 0.05 + w[3] * 0.10 + b1).sigmoid()
    o1, o2 = (w[4] * h1 + w[5] * h2 + b2).sigmoid(), (w[6] * h1 + w[7] * h2 + b2).sigmoid()
    error = (0.01 - o1) ** 2 / 2 + (0.99 - o2) ** 2 / 2
    error.backward()
    assert f"{error.data:.10f}" == "0.2983711088"
    assert [f"{value.grad:.10f}" for value in w] == [
        "0.0004385677", "0.0008771355", "0.0004977127", "0.0009954255",
        "0.0821670406", "0.0826676278", "-0.0226025405", "-0.0227402422",
    ]  # fmt: skip
    assert (f"{b1.grad:.10f}", f"{b2.grad:.10f}") == ("0.0187256094", "0.1004003251")
    assert f"{h1.grad:.10f}" == "0.0363503064"


def test_backward_twice_gives_the_same_gradients():
    x = Value(3.0)
    y = x * x
    y.backward()
    y.backward()
    assert x.grad == 6.0


def test_backward_starts_at_one_number():
    with pytest.raises(ValueError, match=r"one number, not at \(3, 2\): take \.sum\(\)"):
        (Value(np.ones((3, 2))) * 2).backward()


def test_the_matrix_product_takes_matrices():
    with pytest.raises(ValueError, match=r"two matrices, got \(3,\) and \(3, 2\)"):
        Value(np.ones(3)) @ Value(np.ones((3, 2)))


def test_sigmoid_and_its_slope_hold_far_out():
    x = Value([-800.0, -30.0, 800.0])
    a = x.sigmoid()
    a.sum().backward()
    np.testing.assert_allclose(a.data, [0.0, 9.357622968839e-14, 1.0], rtol=1e-12)
    np.testing.assert_allclose(x.grad, [0.0, 9.357622968839e-14, 0.0], rtol=1e-12)


def test_a_deep_graph_needs_no_recursion():
    x = y = Value(1.0)
    for _ in range(5000):
        y = y + 1.0
    y.backward()
    assert x.grad == 1.0
    assert y.data == 5001.0


def test_trace_lists_parents_before_children():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    c = a * b
    d = c + a
    nodes, edges = trace(d)
    assert len(nodes) == 4
    assert set(nodes) == {a, b, c, d}
    assert nodes[-1] is d
    assert all(parent < child for parent, child in edges)
    named = sorted((nodes[p].name, nodes[q].name) for p, q in edges)
    assert named == [("*", "+"), ("a", "*"), ("a", "+"), ("b", "*")]
    assert topological_order(a) == [a]


def test_the_class_fits_on_one_cell():
    from nnlib.course import show_source

    lines = [line for line in str(show_source(Value, docstring=False)).split("\n") if line.strip()]
    assert len(lines) <= 64
    assert max(map(len, lines)) <= 104
