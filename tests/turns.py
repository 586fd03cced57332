"""Who of the tests of one session may run beside others, and who runs alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(place: Path, *, alone: bool) -> Iterator[None]:
    """Alone, or with others; who waits to be alone lets nobody begin."""
    with (place / "gate").open("w") as gate, (place / "turn").open("w") as mine:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(mine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield
