"""Folders that are ours alone: nobody else can plant a link in them for root to write through.

A fixed name in a directory that everybody may write in (/dev/shm) can be made by anybody first. So a
folder is used only when it is ours and closed to others, and what lies in it is opened without following
symbolic links (openat2(2): RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH).
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import syscalls, userns
from bench.model import UserError

RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 0x04, 0x08  # include/uapi/linux/openat2.h
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# Both as this program was started: in a user namespace of its own everybody is root.
ROOT = os.geteuid() == 0 and os.access("/run", os.W_OK)
"""Whether what belongs to the machine (/run) is ours."""
USER = userns.outside(os.geteuid())


def named(name: str) -> str:
    """A name for a folder where everybody's are: root's as it is, any other user's with the user's number."""
    return name if ROOT else f"{name}-{USER}"


def place() -> Path:
    """Where what lives as long as a run is kept: /run, or the user's own place there, or /tmp."""
    if ROOT:
        return Path("/run")
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{USER}")
    return Path(runtime if os.access(runtime, os.W_OK) else "/tmp")


def make(folder: Path, mode: int = 0o700, *, parents: bool = False) -> None:
    """Have a folder that is ours and that nobody else can write in; raises UserError.

    One that is ours and open to others is closed to them; one that somebody else has made is refused.
    """
    try:
        if parents:
            folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder.mkdir(mode=mode, exist_ok=True)
        with opened(folder.parent) as parent:
            fd = open_beneath(parent, folder.name, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UserError(f"{folder}: {_words(error)}") from None
    try:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid():
            raise UserError(f"{folder}: belongs to another user (uid {status.st_uid}): not used")
        if status.st_mode & OTHERS_WRITE:
            os.fchmod(fd, mode)
    finally:
        os.close(fd)


def refuse_open(folder: Path, what: str) -> None:
    """Raise UserError where others could put links into a folder that somebody has named to us.

    An ordinary user's group is a matter of that user; root's files are nobody else's.
    """
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise UserError(
            f"{what}: belongs to another user (uid {status.st_uid}), who could put links in it"
        )
    if status.st_mode & (OTHERS_WRITE if ROOT else stat.S_IWOTH):
        raise UserError(f"{what}: others may write in it: make a folder of your own there")


def open_beneath(fd: int, path: str, flags: int, mode: int = 0) -> int:
    """Open a path below a directory, no component of which may be a symbolic link; raises OSError."""
    how = struct.pack("<QQQ", flags | os.O_CLOEXEC, mode, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH)
    try:
        return syscalls.openat2(fd, os.fsencode(path), how)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM) or "/" in path:
            raise
        # Linux before 5.6, or a container's filter: the same for a single name.
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=fd)


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A descriptor of a folder that the caller trusts."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def open_in(folder: Path, name: str, flags: int, mode: int = 0o600) -> int:
    """Open (or create) a file in a folder; ELOOP where the name is a symbolic link."""
    with opened(folder) as fd:
        return open_beneath(fd, name, flags, mode)


def _words(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "is a symbolic link or no folder: not used"
    return os.strerror(error.errno or 0)
