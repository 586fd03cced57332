"""System calls beside those of tests/mount/operations.py: what sequences ask of one file.

Like those, each takes a Side and plain values, and returns what can be compared or raises OSError.
"""

# ruff: noqa: PTH101, PTH104, PTH118, PTH123, PTH208
# Names are bytes and calls are system calls.

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
import struct
import subprocess

from tests.mount.operations import Path, Result, Side, facts

_libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = -100, 0x100, 0x1000
FORCE_SYNC, DONT_SYNC = 0x2000, 0x4000
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
IMMUTABLE, APPEND_ONLY = 0x10, 0x20
_STATX = struct.Struct("<IIQIIIHHQQQ")


def _statx(at: int, name: bytes, flags: int) -> Result:
    """Mode, owner, size and links, whatever else the mask of the answer offers."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.statx(at, name, flags, 0x7FF, buffer):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    mask, _, _, nlink, uid, gid, mode, _, _, size, _ = _STATX.unpack_from(buffer.raw)
    return (mask & 0x7FF, nlink, (uid, gid), oct(mode), size)


def look_closely(side: Side, path: Path, flags: int) -> Result:
    """statx(2) with a word about how fresh the answer is to be."""
    return _statx(AT_FDCWD, side.at(path), flags | AT_SYMLINK_NOFOLLOW)


def look_closely_open(side: Side, slot: int, flags: int) -> Result:
    return _statx(side.slots[slot], b"", flags | AT_EMPTY_PATH)


def look_from(side: Side, slot: int, name: bytes) -> Result:
    """A name in an open directory, wherever that is by now."""
    return facts(side, os.stat(name, dir_fd=side.slots[slot], follow_symlinks=False))


def open_from(side: Side, slot: int, name: bytes, flags: int) -> Result:
    fd = os.open(name, flags | os.O_NONBLOCK, dir_fd=side.slots[slot])
    try:
        return facts(side, os.fstat(fd))
    finally:
        os.close(fd)


def hold(side: Side, slot: int, path: Path) -> Result:
    """A descriptor without access (O_PATH), of a symbolic link too."""
    fd = os.open(side.at(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    if slot in side.slots:
        os.close(side.slots.pop(slot))
    side.slots[slot] = fd
    return facts(side, os.fstat(fd))


def open_again(side: Side, slot: int, flags: int) -> Result:
    """What a descriptor is of, opened anew: has it a name or not."""
    fd = os.open(f"/proc/self/fd/{side.slots[slot]}", flags | os.O_NONBLOCK)
    try:
        return facts(side, os.fstat(fd))
    finally:
        os.close(fd)


def list_open(side: Side, slot: int) -> Result:
    os.lseek(side.slots[slot], 0, os.SEEK_SET)
    return sorted(os.listdir(side.slots[slot]))


def list_slowly(side: Side, path: Path) -> Result:
    """A listing whose entries are then looked at, as ls -l does."""
    with os.scandir(side.at(path)) as entries:
        return sorted(
            (entry.name, oct(entry.stat(follow_symlinks=False).st_mode)) for entry in entries
        )


def figures(side: Side, path: Path) -> Result:
    """statfs(2): whether it answers."""
    return os.statvfs(side.at(path)).f_bsize


def execute(side: Side, path: Path) -> Result:
    """How a program ends, or why it cannot be started."""
    return subprocess.run([side.at(path)], check=False, capture_output=True).returncode


def read_whole(side: Side, path: Path) -> Result:
    fd = os.open(side.at(path), os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)


def write_whole(side: Side, path: Path, data: bytes, flags: int) -> Result:
    fd = os.open(side.at(path), os.O_WRONLY | os.O_NONBLOCK | flags, 0o666)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def exchange(side: Side, path: Path, data: bytes) -> Result:
    """Another file under the same name, as editors save."""
    new = side.at(path) + b"~"
    with open(new, "wb") as file:
        file.write(data)
    os.chmod(new, 0o644)
    os.chown(new, 1001, 1001)
    return os.rename(new, side.at(path))


def mark(side: Side, path: Path, flags: int) -> Result:
    """chattr(1)."""
    fd = os.open(side.at(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("<l", flags))
    finally:
        os.close(fd)


def unmark(side: Side) -> None:
    """Take such marks off again, so that the tree can be removed."""
    for where, folders, files in os.walk(side.root):
        for name in (*folders, *files):
            path = os.path.join(where, name)
            if stat.S_IFMT(os.lstat(path).st_mode) in (stat.S_IFREG, stat.S_IFDIR):
                _clear(path)


def _clear(path: bytes) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("<l", 0))
    except OSError:
        pass  # a file system without
    finally:
        os.close(fd)


def capability(effective: int = 1) -> bytes:
    """A security.capability with CAP_NET_RAW, revision 2."""
    return struct.pack("<IIIII", 0x02000000 | effective, 1 << 13, 0, 0, 0)


def acl(user: int, rights: int) -> bytes:
    """A POSIX ACL that gives one user rights of his own, and others r-x."""
    entries = ((1, 7, -1), (2, rights, user), (4, 5, -1), (16, 7, -1), (32, 5, -1))
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, perm, who & 0xFFFFFFFF) for tag, perm, who in entries
    )
