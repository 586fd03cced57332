"""Which process serves a FUSE connection, among those a daemon's command has started; and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from bench.machine import procfs

DEVICE = "/dev/fuse"
ROUNDS = 100
"""Times a tree is looked through, 2 ms apart, before what is left of it is given up."""


def tree(root: int) -> list[int]:
    """``root`` and every descendant that is alive, parents first."""
    offspring: dict[int, list[int]] = {}
    for pid, parent in _parents():
        offspring.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:
        found += offspring.get(pid, [])
    return found


def serving(root: int, connection: int) -> int:
    """The first process of a tree that holds /dev/fuse of this connection, else ``root``.

    The number is in fdinfo (``fuse_connection``) of newer kernels, seen on 6.18; elsewhere any
    /dev/fuse will do, as the processes of one daemon serve one mount.
    """
    for pid in tree(root):
        for descriptor in _devices(pid):
            if _connection(pid, descriptor) in (connection, None):
                return pid
    return root


def kill_below(root: int) -> None:
    """Kill every descendant of ``root``, but not ``root``: where it adopts orphans, none escapes."""
    for _ in range(ROUNDS):
        below = tree(root)[1:]
        if not below:
            return
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def _parents() -> Iterator[tuple[int, int]]:
    """(pid, parent) of every process that has not ended."""
    for name in os.listdir("/proc"):  # noqa: PTH208 (a Path per process)
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state, parent = procfs.text("/proc", name, "stat").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                yield int(name), int(parent)


def _devices(pid: int) -> Iterator[str]:
    """Descriptors of a process that are open on /dev/fuse."""
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder), key=int):  # noqa: PTH208
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{name}") == DEVICE:  # noqa: PTH115
                    yield name


def _connection(pid: int, descriptor: str) -> int | None:
    """The connection a descriptor belongs to; None where the kernel does not tell."""
    with contextlib.suppress(OSError):
        for line in procfs.lines(procfs.text(f"/proc/{pid}/fdinfo/{descriptor}")):
            if line.startswith("fuse_connection:"):
                return int(line.split()[1])
    return None
