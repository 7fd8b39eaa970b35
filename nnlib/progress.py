"""Progress: one line that grows while a person waits, and nothing where nobody does."""

import os
import sys
import time

PATIENCE = 1.0  # seconds that a person waits without being told
PAUSE = 0.1  # seconds between two looks of the line


def watched():
    """Whether somebody watches: at a terminal or in JupyterLab; NNLIB_PROGRESS=1 or 0 says so for any place."""
    wish = os.environ.get("NNLIB_PROGRESS")
    if wish is not None:
        return wish == "1"
    return sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ  # a kernel that builds or tests the book has no name


class Line:
    """``███·· epoch 3/5  loss 0.2  4 s left``: shown after PATIENCE, on a stream of its own at once.

    Parameters
    ----------
    unit : str
        What is counted.
    total : int
    done : int
        How many were done before.
    stream : file, optional
        Where it is written whether or not somebody watches.
    wish : bool
        False: show nothing.
    stays : bool
        Whether the line is left standing at the end.
    """

    def __init__(self, unit, total, done=0, *, stream=None, wish=True, stays=True):
        self.unit, self.total, self.first, self.stays = unit, total, done, stays
        self.out = stream or (sys.stderr if wish and watched() else None)
        self.began = time.monotonic()
        self.next = self.began + (PATIENCE if stream is None else 0.0)
        self.width = 0

    def show(self, done, text=""):
        """Say that ``done`` of them are done, and ``text``."""
        if self.out is None or ((now := time.monotonic()) < self.next and (done < self.total or not self.width)):
            return
        self.next = now + PAUSE
        share = done / self.total
        left = (now - self.began) * (self.total - done) / max(done - self.first, 1)
        bar = "█" * round(20 * share) + "·" * (20 - round(20 * share))
        line = f"{bar} {self.unit} {done}/{self.total}  {text + '  ' if text else ''}{left:.0f} s left"
        self.out.write("\r" + line.ljust(self.width))
        self.out.flush()
        self.width = len(line)

    def end(self):
        """Go to a new line, or leave none."""
        if self.width:
            self.out.write("\n" if self.stays else "\r" + " " * self.width + "\r")
            self.out.flush()
