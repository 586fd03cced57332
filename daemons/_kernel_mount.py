"""Holds one mount that needs no server, an overlay or a bind mount, under the process contract.

    python _kernel_mount.py bind|overlay|overlay-rw BACKING MOUNTPOINT

Stays in the foreground until the mount is gone (umount) or it is told to end (SIGTERM, SIGINT,
SIGHUP), and leaves nothing mounted. Exit codes: 0 so, 1 refused by the kernel, 2 wrong arguments.

Run as a file, with few modules of the standard library: every trial waits for it to start.
"""

# ruff: noqa: PTH101, PTH102, PTH103, PTH106, PTH116, PTH118, PTH120, PTH123
# Importing pathlib would double the time it takes to start.

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable

MS_BIND = 0x1000
MNT_DETACH = 2
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FS_NAME = b"fuse-passthrough-bench"
EMPTY = ".fuse-passthrough-bench-empty-layer"

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """Why there is no mount, in one line."""


def main(arguments: list[str]) -> int:
    """Mount, wait, unmount. Returns the exit code."""
    if len(arguments) != 3 or arguments[0] not in KINDS:
        print(f"usage: {'|'.join(KINDS)} BACKING MOUNTPOINT", file=sys.stderr)
        return 2
    kind, backing, mountpoint = arguments
    wakeup = awaken_on_signals()
    with open("/proc/self/mountinfo", "rb", buffering=0) as table:
        try:
            beneath = mounts_on(table.fileno(), mountpoint)
            clean_up = KINDS[kind](os.fsencode(backing), os.fsencode(mountpoint))
        except (Refused, OSError) as error:
            print(f"{kind}: {error}", file=sys.stderr)
            return 1
        try:
            ours = mounts_on(table.fileno(), mountpoint) - beneath
            if ours:  # or else someone was quick to unmount it
                wait(table.fileno(), ours.pop(), wakeup)
        finally:
            clean_up()
    return 0


def awaken_on_signals() -> int:
    """A descriptor that becomes readable when one of ENDING arrives; none of them ends us."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing)
    for number in ENDING:
        signal.signal(number, lambda _number, _frame: None)
    return reading


def bind(backing: bytes, mountpoint: bytes) -> Callable[[], None]:
    """A bind mount of the backing itself."""
    mount(backing, mountpoint, b"", MS_BIND, b"")
    return lambda: detach(mountpoint)


def overlay(backing: bytes, mountpoint: bytes) -> Callable[[], None]:
    """A read-only stack: the backing over an empty directory, as one layer alone is refused.

    The empty one lies beside the backing: with all layers on one file system overlayfs keeps the
    inode numbers of directories too.
    """
    parent = os.path.dirname(os.path.realpath(backing))
    if os.stat(parent).st_dev != os.stat(backing).st_dev:
        raise Refused(
            f"{os.fsdecode(backing)} is the root of its file system: the second layer must lie "
            "beside it, so give a directory below it"
        )
    empty = os.path.join(parent, os.fsencode(EMPTY))
    os.makedirs(empty, mode=0o755, exist_ok=True)
    try:
        mount_overlay(mountpoint, b"lowerdir=" + escaped(backing) + b":" + escaped(empty))
    except Refused:
        os.rmdir(empty)
        raise

    def clean_up() -> None:
        detach(mountpoint)
        try:
            os.rmdir(empty)
        except OSError:
            return  # another stack over the same backing, maybe of another run, has taken it down

    return clean_up


def overlay_rw(backing: bytes, mountpoint: bytes) -> Callable[[], None]:
    """A read-write stack, what is written going to a tmpfs of its own.

    The stack keeps the tmpfs; its mount, needed to name the two directories, is gone at once.
    """
    upper = os.path.realpath(mountpoint) + b".upper"
    os.mkdir(upper)
    try:
        mount(FS_NAME, upper, b"tmpfs", 0, b"mode=0755")
        try:
            for name in (b"upper", b"work"):
                os.mkdir(os.path.join(upper, name), 0o755)
            copy_mode(backing, os.path.join(upper, b"upper"))
            layers = (
                (b"lowerdir", backing),
                (b"upperdir", upper + b"/upper"),
                (b"workdir", upper + b"/work"),
            )
            mount_overlay(mountpoint, b",".join(key + b"=" + escaped(path) for key, path in layers))
        finally:
            detach(upper)
    finally:
        os.rmdir(upper)
    return lambda: detach(mountpoint)


def copy_mode(source: bytes, target: bytes) -> None:
    """The root of a stack shows the attributes of its upper directory."""
    status = os.stat(source)
    os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, status.st_mode & 0o7777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def mount_overlay(mountpoint: bytes, options: bytes) -> None:
    """Mount an overlay; Refused names what the kernel log tells more about."""
    try:
        mount(FS_NAME, mountpoint, b"overlay", 0, options)
    except OSError as error:
        raise Refused(
            f"overlayfs refused {os.fsdecode(options)}: {error.strerror}; "
            "the backing's file system may not do as a layer (see dmesg)"
        ) from None


def escaped(path: bytes) -> bytes:
    """A path as overlayfs' option parser wants it."""
    for special in (b"\\", b":", b","):
        path = path.replace(special, b"\\" + special)
    return path


def mount(source: bytes, target: bytes, fstype: bytes, flags: int, options: bytes) -> None:
    """mount(2); raises OSError."""
    if _libc.mount(source, target, fstype, ctypes.c_ulong(flags), options) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(target))


def detach(mountpoint: bytes) -> None:
    """Take the topmost mount away, busy or not; it may be gone already."""
    _libc.umount2(mountpoint, MNT_DETACH)


def mounts_on(table: int, mountpoint: str) -> set[bytes]:
    """The numbers of the mounts on a path, as in the first column of mountinfo.

    By the table alone: a look at the mount itself makes it busy, and another's umount fail.
    """
    path = os.path.realpath(os.fsencode(mountpoint))
    lines = (line.split(b" ", 5) for line in lines_of(table))
    return {fields[0] for fields in lines if unescaped(fields[4]) == path}


def unescaped(field: bytes) -> bytes:
    """A path of mountinfo, where blanks and backslashes are octal numbers."""
    head, *parts = field.split(b"\\")
    return head + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in parts)


def wait(table: int, wanted: bytes, wakeup: int) -> None:
    """Until the mount is gone or a signal has come. The kernel says when the table changes."""
    poller = select.poll()
    poller.register(table, select.POLLPRI)
    poller.register(wakeup, select.POLLIN)
    while any(line.split(b" ", 1)[0] == wanted for line in lines_of(table)):
        if any(descriptor == wakeup for descriptor, _event in poller.poll()):
            return


def lines_of(table: int) -> list[bytes]:
    """The table of mounts as it is now."""
    os.lseek(table, 0, os.SEEK_SET)
    text = b""
    while chunk := os.read(table, 1 << 16):
        text += chunk
    return text.split(b"\n")[:-1]


KINDS = {"bind": bind, "overlay": overlay, "overlay-rw": overlay_rw}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
