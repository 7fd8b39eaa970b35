"""Foreign words: keywords of PyTorch, Keras and scikit-learn, each with what nnlib says instead."""

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
