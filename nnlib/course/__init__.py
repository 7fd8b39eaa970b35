"""What a lesson needs beside the library: nnlib's own source, claims that can fail, exercises that answer."""

from nnlib.course.checking import Exercise, check, exercises, register
from nnlib.course.claims import ClaimFails, claim
from nnlib.course.source import show_source

__all__ = ["ClaimFails", "Exercise", "check", "claim", "exercises", "register", "show_source"]
