"""What a lesson needs beside the library: nnlib's own source on the page, and exercises that answer."""

from nnlib.course.checking import Exercise, check, exercises, register
from nnlib.course.source import show_source

__all__ = ["Exercise", "check", "exercises", "register", "show_source"]
