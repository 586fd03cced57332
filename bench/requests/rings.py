"""Whether a server may take requests over io_uring, where not all of them pass the tracepoint."""

from __future__ import annotations

from pathlib import Path

ENABLED = Path("/sys/module/fuse/parameters/enable_uring")
RING = "anon_inode:[io_uring]"


def uses_rings(server: int, enabled: Path = ENABLED, proc: Path = Path("/proc")) -> bool:
    """Whether the kernel offers FUSE over io_uring and the process ``server`` holds a ring open.

    A ring may serve other ends, so this says that requests may go unseen, not that they do.
    """
    try:
        if not server or enabled.read_text().strip() != "Y":
            return False
        return any(_link(held) == RING for held in (proc / str(server) / "fd").iterdir())
    except OSError:
        return False


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # closed since it was listed
        return ""
