"""The three standard streams of a command, whatever they are: closed, full, a pipe nobody reads.

What goes wrong with stderr changes nothing: what is measured is measured. What goes wrong with stdout is
told once, on stderr. Nothing but text goes out: control characters would be commands to a terminal.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from bench.machine import plain

PIPE = 141
"""What a shell says of a program that SIGPIPE ended."""


@contextmanager
def prepared() -> Iterator[None]:
    """Have all three streams meanwhile; none raises over a name that is not UTF-8.

    A closed one is /dev/null: else the next file that is opened would take its number, and what a
    child prints would land in it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = PlainText(_text(before[0], 1)), Silent(_text(before[1], 2))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def finish(code: int) -> int:
    """Write out what stdout still holds; the exit code, which a stdout that is full makes 3 from 0."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere()
        return code or PIPE
    except OSError as error:
        return refused(error, code)
    return code


def refused(error: OSError, code: int = 0) -> int:
    """Say that what was to be printed cannot be; the exit code, 3 in the place of 0."""
    _to_nowhere()
    print(f"bench: cannot write: {error.strerror}", file=sys.stderr)
    from bench.model import Exit  # `bench --help` does without: 20 ms of dataclasses

    return code or Exit.NOTHING


def _to_nowhere() -> None:
    """Python would complain once more at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _text(stream: TextIO | None, number: int) -> TextIO:
    if stream is None:
        stream = os.fdopen(number, "w", encoding="utf-8", closefd=False)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


class PlainText(io.TextIOBase):
    """A stream that is given text alone: no control character but newline and tab."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str, /) -> int:
        """Write it, with what is not printable replaced."""
        self._stream.write(plain.text(text))
        return len(text)

    def flush(self) -> None:
        """As of the stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """As of the stream."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """As of the stream."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As of the stream."""
        return self._stream.encoding or "utf-8"


class Silent(io.TextIOBase):
    """A stream that does not complain when nobody can read it. Its writers colour what they write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str, /) -> int:
        """Write it if that is possible."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            return len(text)
        return len(text)

    def flush(self) -> None:
        """As of the stream, if that is possible."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        """As of the stream."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """As of the stream."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As of the stream."""
        return self._stream.encoding or "utf-8"
