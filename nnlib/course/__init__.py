"""What a lesson needs beside the library: nnlib's own source, claims that can fail, exercises that answer."""

from nnlib.course.checking import check
from nnlib.course.claims import ClaimFails, claim
from nnlib.course.registry import exercise, exercises
from nnlib.course.seeds import shift_from_environment
from nnlib.course.source import show_source

__all__ = ["ClaimFails", "check", "claim", "exercise", "exercises", "show_source"]

shift_from_environment()
