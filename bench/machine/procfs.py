"""Texts of the kernel's, whatever bytes are in them: a process or a mount may be called anything.

Path.read_text() ends in an error over a name that is not UTF-8, and makes a carriage return in one a line
of its own, as str.splitlines() does with eight more characters.
"""

from __future__ import annotations

import os
from pathlib import Path


def text(*path: str | os.PathLike[str]) -> str:
    """A file of /proc or /sys; bytes that are no text are replaced. Raises OSError."""
    return Path(*path).read_bytes().decode(errors="replace")


def lines(whole: str) -> list[str]:
    """The lines of a text as the kernel ends them: by a newline and by nothing else."""
    return whole.removesuffix("\n").split("\n") if whole else []
