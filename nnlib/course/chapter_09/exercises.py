"""Chapter 9's exercises."""

import math

import numpy as np

from nnlib.course.registry import exercise


@exercise("09.leaky_gain", cases=lambda rng: [(0.0,), (0.01,), (1.0,), (-1.0,), (float(rng.uniform(0.1, 0.9)),)])
def leaky_gain(slope):
    """1 / E f(z)^2 of a leaky ReLU: half of the power passes whole, half of it times slope^2."""
    return 2.0 / (1.0 + slope**2)


leaky_gain.mistake("this is the root, a gain of standard deviations: the gain here is one of variances")(
    lambda slope: math.sqrt(2.0 / (1.0 + slope**2))
)
leaky_gain.mistake("the slope acts on the signal, so its square acts on the mean square")(
    lambda slope: 2.0 / (1.0 + slope) if slope != -1.0 else math.inf
)
leaky_gain.mistake("this is E f(z)^2 itself: the gain is its inverse")(lambda slope: (1.0 + slope**2) / 2.0)
leaky_gain.cheat("this is ReLU's gain, right for slope 0 alone")(lambda slope: 2.0)
leaky_gain.other_way(lambda slope: 1.0 / (0.5 + 0.5 * slope * slope))
leaky_gain.other_way(lambda slope: 4.0 / (2.0 + 2.0 * abs(slope) ** 2))


@exercise(
    "09.uniform_limit",
    cases=lambda rng: [(64, 2.0), (3, 1.0), (int(rng.integers(10, 500)), float(rng.uniform(0.5, 4.0)))],
)
def uniform_limit(n_in, gain):
    """The r for which a uniform number on (-r, r) has variance gain / n_in."""
    return math.sqrt(3.0 * gain / n_in)


uniform_limit.mistake("r is not the standard deviation: a uniform number on (-r, r) has variance r^2 / 3")(
    lambda n_in, gain: math.sqrt(gain / n_in)
)
uniform_limit.mistake("(high - low)^2 / 12 is the variance, and high - low is 2 r here")(
    lambda n_in, gain: math.sqrt(12.0 * gain / n_in)
)
uniform_limit.mistake("this is r^2: the root is missing")(lambda n_in, gain: 3.0 * gain / n_in)
uniform_limit.cheat("this is He's limit and ignores the gain")(lambda n_in, gain: math.sqrt(6.0 / n_in))
uniform_limit.other_way(lambda n_in, gain: math.sqrt(3.0) * math.sqrt(gain) / math.sqrt(n_in))
uniform_limit.other_way(lambda n_in, gain: (n_in / (3.0 * gain)) ** -0.5)


@exercise(
    "09.relu_sizes",
    cases=lambda rng: [
        (1.0, [64, 100, 100], [0.02, 0.01], 0.0),
        (0.5, [3, 5, 2, 7], [1.0, 0.1, 2.0], 0.25),
        (float(rng.uniform(1, 2)), [10, 20, 30], list(rng.uniform(0.01, 0.3, 2)), 0.1),
    ],
)
def relu_sizes(mean_square_in, widths, weight_variances, bias_variance):
    """Mean squares of the outputs of ReLU layers, by the law of variance with biases: q = n_in s^2 E a^2 + bias."""
    found, signal = [], mean_square_in
    for n_in, variance in zip(widths, weight_variances):
        signal = 0.5 * (n_in * variance * signal + bias_variance)
        found.append(signal)
    return np.array(found)


def _relu_sizes(half_of, fan=0, bias=1.0):
    def sizes(mean_square_in, widths, weight_variances, bias_variance):
        found, signal = [], mean_square_in
        for n, variance in zip(widths[fan:], weight_variances):
            signal = half_of * (n * variance * signal + bias * bias_variance)
            found.append(signal)
        return np.array(found)

    return sizes


relu_sizes.mistake("a ReLU passes half of the mean square: these are the pre-activations of a linear network")(
    _relu_sizes(1.0)
)
relu_sizes.mistake("a unit sums its n_in inputs: this counts the outputs of the layer")(_relu_sizes(0.5, fan=1))
relu_sizes.mistake("independent biases add their variance to that of z, before the ReLU halves it")(
    _relu_sizes(0.5, bias=0.0)
)


@relu_sizes.other_way
def _(mean_square_in, widths, weight_variances, bias_variance):
    q = [mean_square_in * 2.0]
    for n_in, variance in zip(widths, weight_variances):
        q.append(n_in * variance * q[-1] / 2.0 + bias_variance)
    return np.array(q[1:]) / 2.0


relu_sizes.other_way(lambda m, widths, variances, b: np.array(list(_relu_sizes(0.5)(m, widths, variances, b))))


@exercise(
    "09.gain_behind_dropout",
    cases=lambda rng: [(1.0,), (0.5,), (0.8,), (float(rng.uniform(0.1, 0.9)),)],
)
def gain_behind_dropout(keep):
    """Inverted dropout on the inputs, a m / keep with m in {0, 1}, raises their mean square by 1 / keep: with ReLU the
    gain falls from 2 to 2 keep.
    """
    return 2.0 * keep


gain_behind_dropout.mistake(
    "dropout divides by the share that is kept: E (a m / keep)^2 = E a^2 / keep is more than E a^2"
)(lambda keep: 2.0 / keep)
gain_behind_dropout.mistake("m / keep has the second moment keep / keep^2 = 1 / keep: only one power of keep is left")(
    lambda keep: 2.0 * keep**2
)
gain_behind_dropout.cheat("the mean of the inputs stays, but the gain depends on their mean square")(lambda keep: 2.0)
gain_behind_dropout.other_way(lambda keep: 2.0 / (keep / keep**2))
gain_behind_dropout.other_way(lambda keep: keep + keep)


@exercise(
    "09.branch_scale",
    cases=lambda rng: [(1, 2.0), (10, 2.0), (50, math.e), (int(rng.integers(2, 40)), float(rng.uniform(1.5, 9.0)))],
)
def branch_scale(n_blocks, growth):
    """The factor c before each branch of x + c F(x), F keeping the mean square and uncorrelated with x, for which
    ``n_blocks`` blocks multiply the mean square by ``growth``: (1 + c^2)^n = growth.
    """
    return math.sqrt(growth ** (1.0 / n_blocks) - 1.0)


branch_scale.mistake("this is c^2: the branch's factor acts on the signal, its square on the mean square")(
    lambda n_blocks, growth: growth ** (1.0 / n_blocks) - 1.0
)
branch_scale.mistake("block after block multiplies: (1 + c^2)^n, not 1 + n c^2")(
    lambda n_blocks, growth: math.sqrt((growth - 1.0) / n_blocks) if n_blocks > 1 else math.nan
)
branch_scale.cheat("this is 1 / sqrt(n), near the answer for the growth e alone")(
    lambda n_blocks, growth: 1.0 / math.sqrt(n_blocks)
)
branch_scale.other_way(lambda n_blocks, growth: math.sqrt(math.expm1(math.log(growth) / n_blocks)))
branch_scale.other_way(lambda n_blocks, growth: math.sqrt(math.exp(math.log(growth) / n_blocks) - 1.0))


@exercise(
    "09.output_bias",
    cases=lambda rng: [
        (np.array([0, 0, 0, 1]), 2),
        (rng.permutation(np.repeat([0, 1, 2], [7, 2, 1])), 3),
        (rng.permutation(np.repeat([0, 1, 2, 3], [3, 8, 5, 1])), 4),
    ],
)
def output_bias(labels, n_classes):
    """Biases of a softmax layer whose first output is the frequency of each class: their logarithms, of mean 0."""
    b = np.log(np.bincount(labels, minlength=n_classes) / len(labels))
    return b - b.mean()


output_bias.mistake("softmax takes logits: these are the frequencies, not their logarithms")(
    lambda labels, n_classes: np.bincount(labels, minlength=n_classes) / len(labels)
)
output_bias.mistake("the logarithms are right; subtract their mean, as the task asks")(
    lambda labels, n_classes: np.log(np.bincount(labels, minlength=n_classes) / len(labels))
)
output_bias.mistake("the frequent class needs the larger bias: here the sign is turned")(
    lambda labels, n_classes: -output_bias(labels, n_classes)
)
output_bias.cheat("all classes alike: the loss begins at log K")(lambda labels, n_classes: np.zeros(n_classes))


@output_bias.other_way
def _(labels, n_classes):
    counts = np.array([(labels == k).sum() for k in range(n_classes)], float)
    return np.log(counts) - np.log(counts).mean()


output_bias.other_way(
    lambda labels, n_classes: np.log(
        np.bincount(labels, minlength=n_classes) / np.exp(np.log(np.bincount(labels, minlength=n_classes)).mean())
    )
)


@exercise(
    "09.rates_like_ntk",
    cases=lambda rng: [
        ([64, 100, 10], 1.0),
        ([3, 5, 2, 7], 0.25),
        (list(map(int, rng.integers(2, 200, 4))), float(rng.uniform(0.1, 2.0))),
    ],
)
def rates_like_ntk(widths, rate):
    """(rates of the weights, rates of the biases) of standard layers that then move as NTK layers do at ``rate``."""
    return np.array([rate / n_in for n_in in widths[:-1]]), np.full(len(widths) - 1, rate)


rates_like_ntk.mistake("the scale acts twice, in the gradient and in the weight that the layer uses: 1 / n_in")(
    lambda widths, rate: (rate / np.sqrt(widths[:-1]), np.full(len(widths) - 1, rate))
)
rates_like_ntk.mistake("the biases are not scaled in an NTK layer: they keep the rate")(
    lambda widths, rate: (rate / np.array(widths[:-1]), rate / np.array(widths[:-1]))
)
rates_like_ntk.mistake("the scale of a layer comes from its inputs, not from its outputs")(
    lambda widths, rate: (rate / np.array(widths[1:]), np.full(len(widths) - 1, rate))
)
rates_like_ntk.other_way(lambda widths, rate: (rate / np.asarray(widths[:-1], float), rate * np.ones(len(widths) - 1)))
rates_like_ntk.other_way(
    lambda widths, rate: (rate * np.sqrt(1.0 / np.asarray(widths[:-1])) ** 2, np.repeat(rate, len(widths) - 1))
)
