"""Chapter 9, Initialization: ``ch.name`` finds what its four files hold."""

from nnlib.course.chapter import finder

__getattr__, __dir__ = finder(__name__)
