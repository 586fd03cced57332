"""fusermount3, which mounts FUSE for users who may not: what libfuse's servers call by themselves."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

PROGRAM = "fusermount3"
LIMIT_S = 10.0
_MEANINGS = {
    "busy": errno.EBUSY,
    "not found": errno.EINVAL,
    "Invalid argument": errno.EINVAL,
    "No such file": errno.ENOENT,
    "Permission denied": errno.EACCES,
}
"""What it says, and the errno that mount(2) or umount(2) would have given."""


def mount(mountpoint: Path, options: str) -> int:
    """Mount FUSE on a folder of the user's; the descriptor of /dev/fuse to answer requests on.

    Raises OSError, with fusermount3's own words.
    """
    import socket  # which nobody else needs, and every guest would have to read at its start

    ours, theirs = socket.socketpair()
    with ours, theirs:
        environment = {**os.environ, "_FUSE_COMMFD": str(theirs.fileno())}
        command = ["-o", options, "--", str(mountpoint)]
        done = _run(command, environment=environment, passed=theirs.fileno())
        if done.returncode:
            raise OSError(_errno(done.stderr) or errno.EPERM, done.stderr.strip())
        _, (device, *_), _, _ = socket.recv_fds(ours, 1, 1)
    os.set_blocking(device, False)
    return device


def unmount(mountpoint: Path, *, lazy: bool = False) -> int:
    """Take a FUSE mount of the user's away; 0 or an errno."""
    try:
        done = _run(["-u", *(["-z"] if lazy else []), "--", str(mountpoint)])
    except OSError:
        return errno.EPERM  # as without it
    return (_errno(done.stderr) or errno.EPERM) if done.returncode else 0


def _run(
    arguments: list[str], *, environment: dict[str, str] | None = None, passed: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it; raises OSError where it is not installed or does not end."""
    try:
        return subprocess.run(
            [PROGRAM, *arguments],
            env={**(environment or os.environ), "LC_ALL": "C"},
            pass_fds=() if passed is None else (passed,),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(errno.ETIMEDOUT, f"{PROGRAM} did not end") from None


def _errno(words: str) -> int:
    return next((number for text, number in _MEANINGS.items() if text in words), 0)
