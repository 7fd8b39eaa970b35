"""Chapter 2, Neurons: ``ch.name`` finds what its four files hold."""

from nnlib.course.chapter import finder

__getattr__, __dir__ = finder(__name__)
