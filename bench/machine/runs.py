"""Which runs are alive: each holds a lock for as long as it lives, whatever number its process has.

A process number says nothing to another PID namespace (a container's), and is given again. The lock,
``NAME.lock`` in isolate.RUNTIME, is an flock of the runner alone; NAME is in the environment of every
process the run has started.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from bench.machine import own
from bench.model import UserError

RUNTIME_NAME = "fuse-passthrough-bench"
RUNTIME = own.place() / own.named(RUNTIME_NAME)
"""Holds one folder and one lock per run."""
SUFFIX = ".lock"

MARKER = "FUSE_BENCH_RUN"
"""Environment variable that every process of a run carries: the run's name; ``bench clean`` looks for it."""
PLACE = "FUSE_BENCH_RUN_PLACE"
"""Another one: where the run's lock is. Who cleans may have a RUNTIME of another user's, or session's."""

_held: dict[str, int] = {}
_holding = threading.Lock()


def name() -> str:
    """The name of this process as a run: its number, and the namespace that the number is of."""
    return f"{os.getpid()}-{Path('/proc/self/ns/pid').stat().st_ino}"


def mark() -> dict[str, str]:
    """What a process that this run starts carries in its environment; the run's lock is held from now on.

    Nothing where no lock can be had: a mark without a lock would say that its run is gone.
    """
    with contextlib.suppress(UserError):
        hold()
        return {MARKER: name(), PLACE: str(RUNTIME)}
    return {}


def hold() -> None:
    """Hold this run's lock until the process ends; raises UserError where RUNTIME is not ours."""
    with _holding:
        _hold(name())


def _hold(mine: str) -> None:
    while mine not in _held:
        own.make(RUNTIME, 0o755)
        try:
            fd = own.open_in(RUNTIME, mine + SUFFIX, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:  # the last run before has just removed the folder
            continue
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink == 0:  # bench clean was quicker
            os.close(fd)
            continue
        _held[mine] = fd
        atexit.register(release)


def release() -> None:
    """Give this run's lock up, and its file."""
    for mine, fd in _held.items():
        with contextlib.suppress(OSError):
            (RUNTIME / (mine + SUFFIX)).unlink()
        os.close(fd)
    _held.clear()
    with contextlib.suppress(OSError):  # another run has its own beside
        RUNTIME.rmdir()


def forget() -> None:
    """In a child that was forked: the lock is the runner's alone."""
    for fd in _held.values():
        os.close(fd)
    _held.clear()


def names(runtime: Path = RUNTIME) -> list[str]:
    """The runs that have left a folder or a lock, alive or not."""
    with contextlib.suppress(OSError):
        return sorted({path.name.removesuffix(SUFFIX) for path in runtime.iterdir()})
    return []


@contextlib.contextmanager
def dead(run: str, runtime: Path = RUNTIME) -> Iterator[bool]:
    """Whether the run of this name is gone, and stays so meanwhile."""
    try:
        fd = os.open(runtime / (run + SUFFIX), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    except OSError:
        yield False  # nobody can tell
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)
