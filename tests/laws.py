"""The registry: one line here brings a new piece of nnlib under all laws of test_laws.py."""

import math

import by_hand
import numpy as np

from nnlib import activations as a
from nnlib import initializers, losses, optimizers, schedules
from nnlib import layers as l
from nnlib.network import Sequential

# layer: what makes it, and the shape of one example
LAYERS = {
    "Dense": (lambda: l.Dense(6, 5), (6,)),
    "AngularDense": (lambda: l.AngularDense(6, 5), (6,)),
    "NTKDense": (lambda: l.NTKDense(6, 5), (6,)),
    "DropConnect": (lambda: l.DropConnect(6, 5, 0.4), (6,)),
    "PReLU, one slope": (lambda: l.PReLU(), (6,)),
    "PReLU, a slope per unit": (lambda: l.PReLU(6, slope=0.4), (6,)),
    "RReLU": (lambda: l.RReLU(), (6,)),
    "CReLU": (lambda: l.CReLU(), (6,)),
    "Maxout": (lambda: l.Maxout(6, 5, pieces=3), (6,)),
    "Dropout": (lambda: l.Dropout(0.4), (6,)),
    "GaussianNoise": (lambda: l.GaussianNoise(0.3), (6,)),
    "Flatten": (lambda: l.Flatten(), (4, 6, 5)),
    "Residual": (lambda: l.Residual(l.Dense(6, 4), l.Activation(a.tanh), l.Dense(4, 6)), (6,)),
    "BatchNorm": (lambda: l.BatchNorm(6), (6,)),
    "BatchNorm, images": (lambda: l.BatchNorm(4), (4, 6, 5)),
    "LayerNorm": (lambda: l.LayerNorm(6), (6,)),
    "LayerNorm, steps": (lambda: l.LayerNorm(6), (4, 6)),
    "RMSNorm": (lambda: l.RMSNorm(6), (6,)),
    "RMSNorm, steps": (lambda: l.RMSNorm(6), (4, 6)),
    "GroupNorm": (lambda: l.GroupNorm(2, 6), (6,)),
    "GroupNorm, images": (lambda: l.GroupNorm(2, 4), (4, 3, 5)),
    "InstanceNorm": (lambda: l.InstanceNorm(4), (4, 3, 5)),
    "Conv2D": (lambda: l.Conv2D(3, 4, (2, 3)), (3, 6, 5)),
    "Conv2D, stride and padding": (lambda: l.Conv2D(2, 3, 3, stride=2, padding=1), (2, 6, 5)),
    "MaxPool2D": (lambda: l.MaxPool2D(2), (3, 5, 6)),
    "AveragePool2D": (lambda: l.AveragePool2D(3), (3, 7, 6)),
    "GlobalAveragePool2D": (lambda: l.GlobalAveragePool2D(), (3, 4, 5)),
    "Sequential": (lambda: Sequential(l.Dense(6, 4), l.Activation(a.tanh), l.Dense(4, 3)), (6,)),
    **{f"Activation({f!r})": (lambda f=f: l.Activation(f), (6,)) for f in a.ELEMENTWISE.values()},
}

# layer for sequences: what makes it, and the shape of a batch of 7
SEQUENCE_LAYERS = {
    "RNN": (lambda: l.RNN(3, 4), (7, 5, 3)),
    "RNN, last step": (lambda: l.RNN(3, 4, sequences=False), (7, 5, 3)),
    "LSTM": (lambda: l.LSTM(3, 4), (7, 5, 3)),
    "LSTM, last step": (lambda: l.LSTM(3, 4, sequences=False), (7, 5, 3)),
    "GRU": (lambda: l.GRU(3, 4), (7, 5, 3)),
    "GRU, last step": (lambda: l.GRU(3, 4, sequences=False), (7, 5, 3)),
    "Sequential, stacked": (lambda: Sequential(l.LSTM(3, 4), l.GRU(4, 2, sequences=False)), (7, 5, 3)),
}

# activation: (its value at these points, where it has a kink or a jump)
POINTS = (-2.0, -0.5, 0.0, 1.0, 3.0)
ACTIVATIONS = {
    a.identity: (POINTS, ()),
    a.step: ((0, 0, 1, 1, 1), (0,)),
    a.sigmoid: ((0.1192029220, 0.3775406688, 0.5, 0.7310585786, 0.9525741268), ()),
    a.tanh: ((-0.9640275801, -0.4621171573, 0.0, 0.7615941560, 0.9950547537), ()),
    a.relu: ((0, 0, 0, 1, 3), (0,)),
    a.leaky_relu(): ((-0.02, -0.005, 0, 1, 3), (0,)),
    a.leaky_relu(1.5): ((-3.0, -0.75, 0, 1, 3), (0,)),
    a.elu(): ((math.expm1(-2), math.expm1(-0.5), 0, 1, 3), ()),
    a.elu(0.3): ((0.3 * math.expm1(-2), 0.3 * math.expm1(-0.5), 0, 1, 3), (0,)),
    a.selu: (
        (1.7580993408 * math.expm1(-2), 1.7580993408 * math.expm1(-0.5), 0, 1.0507009874, 3 * 1.0507009874),
        (0,),
    ),
    a.celu(): ((math.expm1(-2), math.expm1(-0.5), 0, 1, 3), ()),
    a.celu(2.0): ((2 * math.expm1(-1), 2 * math.expm1(-0.25), 0, 1, 3), ()),
    a.softplus: ((0.1269280110, 0.4740769842, math.log(2), 1.3132616875, 3.0485873516), ()),
    a.softsign: ((-2 / 3, -1 / 3, 0, 0.5, 0.75), ()),
    a.swish(): ((-0.2384058440, -0.1887703344, 0, 0.7310585786, 2.8577223804), ()),
    a.swish(0.0): ((-1.0, -0.25, 0, 0.5, 1.5), ()),
    a.gelu: ((-0.0455002639, -0.1542687694, 0, 0.8413447461, 2.9959503059), ()),
    a.gelu_tanh: ((-0.0454023059, -0.1542859902, 0, 0.8411919906, 2.9963626079), ()),
    a.gelu_sigmoid: ((-0.0643413769, -0.1496115634, 0, 0.8457957659, 2.9819286903), ()),
    a.mish: ((-0.2525014827, -0.2207437747, 0, 0.8650983883, 2.9865350050), ()),
    a.hard_sigmoid: ((1 / 6, 5 / 12, 0.5, 2 / 3, 1), (-3, 3)),
    a.hard_swish: ((-1 / 3, -5 / 24, 0, 2 / 3, 3), (-3, 3)),
    a.sine: (tuple(map(math.sin, POINTS)), ()),
    a.square: ((4, 0.25, 0, 1, 9), ()),
}

# loss: (targets for an output of shape (7, 3), given rng)
LOSSES = {
    "mean_squared_error": (losses.mean_squared_error, lambda rng: rng.normal(size=(7, 3))),
    "mean_absolute_error": (losses.mean_absolute_error, lambda rng: rng.normal(size=(7, 3))),
    "huber": (losses.huber(delta=0.7), lambda rng: rng.normal(size=(7, 3))),
    "hinge": (losses.hinge, lambda rng: rng.choice([-1.0, 1.0], (7, 3))),
    "binary_cross_entropy": (losses.binary_cross_entropy, lambda rng: rng.random((7, 3))),
    "softmax_cross_entropy, class numbers": (losses.softmax_cross_entropy, lambda rng: rng.integers(0, 3, 7)),
    "softmax_cross_entropy, distributions": (losses.softmax_cross_entropy, lambda rng: rng.dirichlet(np.ones(3), 7)),
    "softmax_cross_entropy, class weights": (
        losses.softmax_cross_entropy(weights=[0.2, 1.0, 3.0]),
        lambda rng: rng.integers(0, 3, 7),
    ),
    "softmax_cross_entropy, smoothed": (
        losses.softmax_cross_entropy(label_smoothing=0.2),
        lambda rng: rng.integers(0, 3, 7),
    ),
    "softmax_cross_entropy, smoothed and weighted": (
        losses.softmax_cross_entropy(weights=[0.2, 1.0, 3.0], label_smoothing=0.2),
        lambda rng: rng.integers(0, 3, 7),
    ),
    "focal": (losses.focal, lambda rng: rng.integers(0, 3, 7)),
    "focal, gamma 0.5": (losses.focal(gamma=0.5), lambda rng: rng.integers(0, 3, 7)),
    "focal, gamma 0": (losses.focal(gamma=0.0), lambda rng: rng.integers(0, 3, 7)),
    "distillation": (losses.distillation(temperature=3.0), lambda rng: 2.0 * rng.normal(size=(7, 3))),
}

# loss on the output of AngularDense: (targets for 7 rows and 3 classes, given rng)
ANGULAR_LOSSES = {
    f"large_margin_softmax, margin {margin}, ease {ease}": (
        losses.large_margin_softmax(margin=margin, ease=ease),
        lambda rng: rng.integers(0, 3, 7),
    )
    for margin, ease in ((1, 0.0), (2, 0.0), (3, 5.0), (4, 0.0))
}

# loss on groups of rows: (rows of its output, targets)
GROUP_LOSSES = {
    "contrastive": (losses.contrastive(margin=2.5), 8, lambda rng: rng.integers(0, 2, 4)),
    "triplet": (losses.triplet(margin=0.5), 12, lambda rng: None),
}

# initializer: the variance it gives a weight of shape (300, 200)
INITIALIZERS = {
    "zeros": (initializers.zeros, 0.0),
    "constant(2)": (initializers.constant(2), 0.0),
    "normal(0.3)": (initializers.normal(0.3), 0.09),
    "uniform(-1, 2)": (initializers.uniform(-1, 2), 0.75),
    "lecun_normal": (initializers.lecun_normal, 1 / 300),
    "lecun_uniform": (initializers.lecun_uniform, 1 / 300),
    "xavier_normal": (initializers.xavier_normal, 2 / 500),
    "xavier_uniform": (initializers.xavier_uniform, 2 / 500),
    "he_normal": (initializers.he_normal, 2 / 300),
    "he_uniform": (initializers.he_uniform, 2 / 300),
    "orthogonal": (initializers.orthogonal, 1 / 300),
}

# schedule: (its value at step 0, at step 10)
SCHEDULES = {
    "constant": (schedules.constant(0.5), 0.5, 0.5),
    "inverse_time": (schedules.inverse_time(0.5, 0.1), 0.5, 0.25),
    "exponential": (schedules.exponential(0.5, 0.9), 0.5, 0.5 * 0.9**10),
    "step_decay": (schedules.step_decay(0.5, 0.1, every=5), 0.5, 0.005),
    "cosine": (schedules.cosine(0.5, 20), 0.5, 0.25),
    "warmup": (schedules.warmup(0.5, 5), 0.1, 0.5),
    "warmup of a schedule": (schedules.warmup(schedules.exponential(0.5, 0.9), 20), 0.025, 0.5 * 0.9**10 * 11 / 20),
    "one_cycle": (schedules.one_cycle(1.0, 40), 0.04, 0.04 + 0.48 * (1 - math.cos(math.pi * 10 / 11))),
    "one_cycle, its end": (schedules.one_cycle(1.0, 11, rise=0.5, start=2.0, final=10.0), 0.5, 0.05),
    "one_cycle, down from the first step": (schedules.one_cycle(1.0, 10, rise=0.1, final=10.0), 1.0, 0.004),
    "one_cycle, up to the last step": (schedules.one_cycle(1.0, 11, rise=1.0), 0.04, 1.0),
    "cosine, after its end": (schedules.cosine(0.5, 5, final=0.1), 0.5, 0.1),
}

# optimizer: what makes it, and theta after three steps from 1.0 with the gradients 2, -1, 0.5, each step by its formula
GRADIENTS = (2.0, -1.0, 0.5)
OPTIMIZERS = {
    "SGD": (lambda: optimizers.SGD(0.1), by_hand.sgd),
    "Momentum": (lambda: optimizers.Momentum(0.1, 0.5), by_hand.momentum),
    "Nesterov": (lambda: optimizers.Nesterov(0.1, 0.5), by_hand.nesterov),
    "AdaGrad": (lambda: optimizers.AdaGrad(0.1), by_hand.adagrad),
    "RMSProp": (lambda: optimizers.RMSProp(0.1), by_hand.rmsprop),
    "AdaDelta": (lambda: optimizers.AdaDelta(), by_hand.adadelta),
    "Adam": (lambda: optimizers.Adam(0.1), by_hand.adam),
    "AMSGrad": (lambda: optimizers.AMSGrad(0.1), by_hand.amsgrad),
    "AdamW": (lambda: optimizers.AdamW(0.1, decay=0.2), by_hand.adamw),
    "NAdam": (lambda: optimizers.NAdam(0.1), by_hand.nadam),
}
