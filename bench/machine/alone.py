"""One run on the wall clock has the machine to itself; runs on the instruction clock may share it.

A lock file for the whole machine, held as long as the run lives: exclusively by a run whose figures
are times, shared by runs that count instructions and do not care what runs beside them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import own
from bench.model import Clock, Exit, UserError

VARIABLE = "FUSE_BENCH_LOCK"
"""Environment variable that names another lock file, for tests that measure nothing."""


def place() -> Path:
    """Where the lock is: for root one for the machine, else one for the user."""
    if VARIABLE in os.environ:
        return Path(os.environ[VARIABLE])
    return own.place() / own.named("fuse-passthrough-bench.lock")


@contextmanager
def on_this_machine(clock: str) -> Iterator[None]:
    """Hold the lock; raises UserError (exit 3) when a run that cannot share the machine goes on."""
    how = fcntl.LOCK_SH if clock == Clock.INSTRUCTIONS else fcntl.LOCK_EX
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(place(), flags, 0o600)
    except OSError:
        yield  # nowhere to put a lock: the backing's own still keeps two runs apart
        return
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(
            "another run is measuring on this machine, and times would be those of both: wait for it",
            Exit.NOTHING,
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)
