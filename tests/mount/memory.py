"""A limit on the memory of processes: who asks for more than is left from then on is killed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

ROOTS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)
"""Version 1 and version 2 (Documentation/admin-guide/cgroup-v2.rst)."""
LIMIT_BYTES = 6 << 20


def missing() -> str:
    """Why there can be no limit here; empty where there can."""
    for root, file in ROOTS:
        trial = root / f"bench-campaign-{os.getpid()}-trial"
        with contextlib.suppress(OSError):
            trial.mkdir()
            found = (trial / file).exists()
            trial.rmdir()
            if found:
                return ""
    return "no control group of memory can be made"


class Limit:
    """A control group of its own, while processes are in it."""

    def __init__(self) -> None:
        known = (one for one in ROOTS if (one[0] / "cgroup.procs").exists())
        self._root, self._file = next(known, ROOTS[1])
        self._group = self._root / f"bench-campaign-{os.getpid()}"

    def put_on(self, pids: Sequence[int]) -> None:
        """Limit these processes and what they start; what they have is not counted."""
        if self._root == ROOTS[1][0]:
            (self._root / "cgroup.subtree_control").write_text("+memory")
        self._group.mkdir(exist_ok=True)
        (self._group / self._file).write_text(str(LIMIT_BYTES))
        for pid in pids:
            with contextlib.suppress(OSError):
                (self._group / "cgroup.procs").write_text(str(pid))

    def take_off(self) -> None:
        """Let go of whoever is left, and of the group."""
        for _ in range(100):
            if not self._group.exists():
                return
            for pid in (self._group / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (self._root / "cgroup.procs").write_text(pid)
            with contextlib.suppress(OSError):
                self._group.rmdir()
            time.sleep(0.05)
