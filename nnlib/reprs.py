"""Reprs: a thing shown as the call that makes it again, every argument by its name."""

import functools
import inspect


def call_text(name, settings):
    """``name(key=value, ...)``, a function as its name."""
    return f"{name}({', '.join(f'{key}={_text(value)}' for key, value in settings.items())})"


def keyword_repr(thing, **others):
    """The call that makes ``thing``: the arguments of its class with their values, its attributes of these names.

    ``others``: values that are kept elsewhere; ``...`` stands for one that nobody kept.
    """
    names = inspect.signature(type(thing)).parameters
    values = {name: others.get(name, getattr(thing, name, ...)) for name in names}
    return call_text(type(thing).__name__, values)


class Made:
    """A function that a function made, and the call that made it; a copy or pickle is made by the same call."""

    def __init__(self, function, make, bound):
        self.function, self.make, self.bound = function, make, bound
        functools.update_wrapper(self, function)

    def __call__(self, *arguments):
        return self.function(*arguments)

    def __repr__(self):
        return call_text(self.make.__name__, self.bound.arguments)

    def __reduce__(self):
        return _made_again, (self.make, self.bound.args, self.bound.kwargs)


def _made_again(make, arguments, keywords):
    return make(*arguments, **keywords)


def says_its_call(maker):
    """Let the functions that ``maker`` makes be :class:`Made`: ``cosine(0.1, 500)`` is then shown as it was called."""

    @functools.wraps(maker)
    def make(*arguments, **keywords):
        bound = inspect.signature(maker).bind(*arguments, **keywords)
        bound.apply_defaults()
        return Made(maker(*arguments, **keywords), make, bound)

    return make


def _text(value):
    if value is ...:
        return "..."
    return value.__name__ if inspect.isfunction(value) else repr(value)
