"""Foreign words: names and keywords of PyTorch, Keras and scikit-learn, each with what nnlib says instead."""

import functools
import inspect

LEARNING_RATE = "it is called learning_rate"
PENALTY = "AdamW(learning_rate, decay=0.01) has one, or give fit(..., penalty=L2(0.01))"
CLIPPED_NORM = "wrap the optimizer, Clipped(Adam(0.01), norm=1.0)"
CLIPPED_VALUE = "wrap the optimizer, Clipped(Adam(0.01), value=0.5)"
SEED = "give rng=np.random.default_rng(seed)"

#: keyword -> what to write instead, or a dict of it by the names of classes and functions, "" for all others.
MENDS = {
    # optimizers
    "lr": LEARNING_RATE,
    "eta": LEARNING_RATE,
    "learning_rate_init": LEARNING_RATE,
    "momentum": {
        "SGD": "Momentum(0.1, momentum=0.9) has one",
        "RMSProp": "RMSProp is without; Adam(0.001) has both kinds of memory",
    },
    "nesterov": "Nesterov(0.1, momentum=0.9) is an optimizer of its own",
    "amsgrad": "AMSGrad(0.001) is an optimizer of its own",
    "weight_decay": {"AdamW": "it is called decay", "": PENALTY},
    "betas": "give beta1=0.9, beta2=0.999",
    "beta_1": "it is called beta1",
    "beta_2": "it is called beta2",
    "rho": "it is called beta",
    "alpha": {"RMSProp": "it is called beta"},
    "epsilon": "it is called eps",
    "clipnorm": CLIPPED_NORM,
    "global_clipnorm": CLIPPED_NORM,
    "max_norm": CLIPPED_NORM,
    "clipvalue": CLIPPED_VALUE,
    "clip_value": CLIPPED_VALUE,
    # layers
    "units": "it is called n_out, and n_in stands before it",
    "in_features": "it is called n_in",
    "out_features": "it is called n_out",
    "filters": "it is called c_out, and c_in stands before it",
    "in_channels": "it is called c_in",
    "out_channels": "it is called c_out",
    "kernel_size": "it is called size",
    "pool_size": "it is called size",
    "strides": "it is called stride",
    "num_features": "it is called n",
    "num_channels": "it is called n",
    "num_groups": "it is called groups",
    "normalized_shape": "it is called n",
    "rate": "it is called p",
    "input_size": "it is called n_in",
    "hidden_size": "it is called n_hidden",
    "return_sequences": "it is called sequences",
    "num_embeddings": "it is called n",
    "embedding_dim": "it is called n_out",
    "output_dim": "it is called n_out",
    "negative_slope": "it is called slope",
    "stddev": "it is called std",
    "activation": "it is a layer of its own, Activation(relu)",
    "kernel_initializer": "it is called init",
    "input_dim": "give the size of the input to the first layer",
    "batch_first": "examples lie along axis 0 everywhere",
    "bias": "every layer that has a bias keeps it",
    "use_bias": "every layer that has a bias keeps it",
    "inplace": "every layer owns its arrays",
    "device": "nnlib computes on the processor",
    # training
    "validation_data": "give validation=(x, y)",
    "validation_split": "cut with preprocessing.split, then give validation=(x, y)",
    "n_epochs": "it is called epochs",
    "max_iter": "it is called epochs",
    "verbose": "give progress=True or False",
    "shuffle": "it always shuffles, by rng",
    "random_state": SEED,
    "seed": SEED,
    "metrics": "the accuracy is recorded where targets are class numbers",
    "regularizer": "it is called penalty",
    # callbacks
    "restore_best_weights": "it is called restore_best",
    "monitor": "it watches the validation loss",
    "filepath": "it is called path",
    "save_best_only": "give best=path",
}


#: name of a class or module -> what nnlib has instead
NAMES = {
    "Linear": "Dense(n_in, n_out)",
    "LazyLinear": "Dense(n_in, n_out)",
    "Conv2d": "Conv2D(c_in, c_out, size)",
    "Convolution2D": "Conv2D(c_in, c_out, size)",
    "MaxPool2d": "MaxPool2D(size)",
    "MaxPooling2D": "MaxPool2D(size)",
    "AvgPool2d": "AveragePool2D(size)",
    "AveragePooling2D": "AveragePool2D(size)",
    "AdaptiveAvgPool2d": "GlobalAveragePool2D()",
    "GlobalAveragePooling2D": "GlobalAveragePool2D()",
    "BatchNorm1d": "BatchNorm(n), for features and images alike",
    "BatchNorm2d": "BatchNorm(n), for features and images alike",
    "BatchNormalization": "BatchNorm(n), for features and images alike",
    "LayerNormalization": "LayerNorm(n)",
    "GroupNormalization": "GroupNorm(groups, n)",
    "InstanceNorm2d": "InstanceNorm(n)",
    "Dropout2d": "Dropout(p), which silences single numbers",
    "SimpleRNN": "RNN(n_in, n_hidden)",
    "ReLU": "Activation(relu), with relu of nnlib.activations",
    "LeakyReLU": "Activation(leaky_relu(0.01)), of nnlib.activations",
    "ELU": "Activation(elu()), of nnlib.activations",
    "SELU": "Activation(selu), of nnlib.activations",
    "GELU": "Activation(gelu), of nnlib.activations",
    "SiLU": "Activation(swish()), of nnlib.activations",
    "Sigmoid": "Activation(sigmoid), of nnlib.activations",
    "Tanh": "Activation(tanh), of nnlib.activations",
    "Softplus": "Activation(softplus), of nnlib.activations",
    "Softmax": "no layer: softmax_cross_entropy takes logits, and nnlib.activations.softmax makes them probabilities",
    "Sequential": "nnlib.network.Sequential(*layers, rng=rng)",
    "nn": "nnlib.layers, for layers, and nnlib.losses",
    "functional": "nnlib.activations and nnlib.losses",
    "optim": "nnlib.optimizers",
    "Module": "a Layer, nnlib.layers.Layer",
    "CrossEntropyLoss": "nnlib.losses.softmax_cross_entropy",
    "BCEWithLogitsLoss": "nnlib.losses.binary_cross_entropy",
    "MSELoss": "nnlib.losses.mean_squared_error",
    "DataLoader": "fit(..., batch_size=32, rng=rng) of nnlib.training, which shuffles",
    "MLPClassifier": "Sequential(Dense(n_in, n_hidden), Activation(relu), Dense(n_hidden, n_out), rng=rng)",
}


def no_attribute(place, name, own=()):
    """The error for a name that ``place`` has not: with ours where it is somebody else's, or what it has."""
    if name in NAMES:
        return AttributeError(f"{place} has no {name}: it is {NAMES[name]}")
    if own:
        return AttributeError(f"{place} has no {name!r}; it has {', '.join(own)}")
    return AttributeError(f"{place} has no {name}")


def mend(name, keyword):
    """What to write instead of ``keyword`` in a call of ``name``; None where nobody else has that word either."""
    known = MENDS.get(keyword)
    return known.get(name, known.get("")) if isinstance(known, dict) else known


def refuse(name, keywords):
    """Raise for the first of these unknown keywords that another library has."""
    for keyword in keywords:
        if found := mend(name, keyword):
            raise TypeError(f"{name} has no {keyword}: {found}")


class SpeaksOurs:
    """A class that answers foreign keywords with ours."""

    def __new__(cls, *arguments, **keywords):
        if keywords:
            refuse(cls.__name__, keywords.keys() - inspect.signature(cls).parameters.keys())
        return super().__new__(cls)


def speaks_ours(function):
    """A function that answers foreign keywords with ours."""
    known = inspect.signature(function).parameters.keys()

    @functools.wraps(function)
    def called(*arguments, **keywords):
        refuse(function.__name__, keywords.keys() - known)
        return function(*arguments, **keywords)

    return called
