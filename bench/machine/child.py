"""A function run in a child, its answer read through a pipe: for system calls that may never return.

A process in the middle of a request to a FUSE server cannot even be killed until the request ends, so
whoever has to go on makes no such call itself.
"""

from __future__ import annotations

import os
import pickle
import select
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import IO, Protocol, TypeVar

from bench.machine import isolate

POLL_S = 0.25
END_S = 10.0
"""How long a child that was killed may take to end."""

_T = TypeVar("_T")


class Watcher(Protocol):
    """Who looks after a child while it is waited for."""

    def check(self, pid: int) -> None:
        """Called again and again; raises what ends the waiting."""

    def give_up(self, child: isolate.Child) -> None:
        """Called once when the waiting has ended early: the child is to be gone afterwards."""


class Deadline:
    """Gives a child so many seconds; raises TimeoutError."""

    def __init__(self, seconds: float, what: str) -> None:
        self._end = time.monotonic() + seconds
        self._text = f"{what} did not end within {seconds:.0f} s"

    def check(self, _pid: int) -> None:
        """Raise when time is up."""
        if time.monotonic() > self._end:
            raise TimeoutError(self._text)

    def give_up(self, child: isolate.Child) -> None:
        """Kill it; a child that waits for a server ends when that server's connection does."""
        child.kill()
        reap(child)


def ask(
    function: Callable[[], _T],
    watcher: Watcher,
    *,
    cpus: Iterable[int] = (),
    stderr: IO[bytes] | None = None,
) -> _T:
    """What ``function`` returns or raises, done in a child; what it changes otherwise is lost.

    Raises ChildProcessError when the child dies before it has answered, and what the watcher raises.
    """
    reading, writing = os.pipe()
    try:
        child = isolate.fork(lambda: _answer(function, writing), cpus=cpus, stderr=stderr)
    finally:
        os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        try:
            text = _read(pipe, child, watcher)
        except BaseException:
            watcher.give_up(child)
            raise
    status = child.wait()
    if not text:
        raise ChildProcessError(f"a child ended with status {status} before it had answered")
    answer, error = pickle.loads(text)
    if error is not None:
        raise error
    result: _T = answer
    return result


def reap(child: isolate.Child) -> bool:
    """Wait for a child that was killed, but not for ever; whether it is gone."""
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _read(pipe: IO[bytes], child: isolate.Child, watcher: Watcher) -> bytes:
    text = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], POLL_S)
        if ready:
            chunk = os.read(pipe.fileno(), 1 << 20)
            if not chunk:
                return text
            text += chunk
        watcher.check(child.pid)


def _answer(function: Callable[[], object], writing: int) -> int:
    """In the child."""
    answer: tuple[object, Exception | None]
    try:
        answer = (function(), None)
    except Exception as error:
        answer = (None, error)
    with os.fdopen(writing, "wb") as pipe:
        pickle.dump(answer, pipe)
    return 0
