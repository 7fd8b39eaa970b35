"""A chapter's own code: four files of the same names, and one alias in its notebook, ``ch``, that finds all of it."""

import importlib
import types

FILES = ("experiments", "drawings", "frames", "exercises")


def finder(package):
    """``__getattr__`` and ``__dir__`` for the package of a chapter: ``ch.name`` is what one of its files calls so.

    The files are imported when a name is first looked up.
    """

    def module(file):
        return importlib.import_module(f"{package}.{file}")

    def find(name):
        if name in FILES:
            return module(name)
        if not name.startswith("_"):
            for file in FILES:
                found = vars(module(file)).get(name)
                if found is not None and not isinstance(found, types.ModuleType):
                    return found
        raise AttributeError(f"{package} has no {name!r} in {', '.join(f'{file}.py' for file in FILES)}")

    def names():
        return sorted({name for file in FILES for name in vars(module(file)) if not name.startswith("_")})

    return find, names
