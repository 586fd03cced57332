"""The system calls the suite needs and Python's standard library lacks: mounting, perf events.

Detached mounts (fsopen, fsconfig, fsmount; Linux 5.2, include/uapi/linux/mount.h) exist only as a
descriptor. Nothing appears in the mount table, and a killed process leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from functools import cache

MNT_DETACH = 2
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 0, 1, 6
FSOPEN_CLOEXEC = FSMOUNT_CLOEXEC = 1
MOVE_MOUNT_F_EMPTY_PATH = 4
AT_FDCWD = -100
CONNECTIONS = "/sys/fs/fuse/connections"

# include/uapi/asm-generic/unistd.h; numbers from 424 on are the same on every architecture.
MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT, OPENAT2 = 429, 430, 431, 432, 437
PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "loongarch64": 241}
PERF_FLAG_FD_CLOEXEC = 8


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
    return libc


def _syscall(name: str, number: int, *arguments: int | bytes | None) -> int:
    converted = [
        ctypes.c_char_p(value) if isinstance(value, bytes | None) else ctypes.c_long(value)
        for value in arguments
    ]
    result = int(_libc().syscall(ctypes.c_long(number), *converted))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def detached_mount(fstype: str, options: Mapping[str, str] | None = None) -> int:
    """Mount a file system nowhere; the O_PATH descriptor of its root, for use as ``dir_fd``.

    Closing the descriptor unmounts it, and so does the death of the process. Raises OSError:
    ENODEV (no such file system), EPERM (not root), ENOSYS (kernel older than 5.2), EINVAL.
    """
    context = _syscall("fsopen", FSOPEN, fstype.encode(), FSOPEN_CLOEXEC)
    try:
        for key, value in (options or {}).items():
            # An empty value makes the option a flag, which takes no string.
            kind = FSCONFIG_SET_STRING if value else FSCONFIG_SET_FLAG
            text = value.encode() if value else None
            _syscall(f"fsconfig {key}", FSCONFIG, context, kind, key.encode(), text, 0)
        _syscall("fsconfig create", FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0)
        return _syscall("fsmount", FSMOUNT, context, FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)


def fusectl() -> int:
    """The folder of FUSE connections: a mount of our own, or, where that takes root, the machine's.

    An ordinary user finds those of its own mounts there. Raises OSError; no mount at all shows as an
    empty folder.
    """
    try:
        return detached_mount("fusectl")
    except PermissionError:
        return os.open(CONNECTIONS, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def attach_mount(mount_fd: int, mountpoint: str | os.PathLike[str]) -> None:
    """Put a detached mount on a path, where it stays until unmounted. Raises OSError."""
    _syscall(
        "move_mount",
        MOVE_MOUNT,
        mount_fd,
        b"",
        AT_FDCWD,
        os.fsencode(mountpoint),
        MOVE_MOUNT_F_EMPTY_PATH,
    )


def openat2(dir_fd: int, path: bytes, how: bytes) -> int:
    """openat2(2); ``how`` is struct open_how. Raises OSError: ELOOP, EXDEV, ENOSYS, ..."""
    return _syscall("openat2", OPENAT2, dir_fd, path, how, len(how))


def unmount_lazily(mountpoint: str | os.PathLike[str]) -> None:
    """umount2(MNT_DETACH): takes the mount out of the tree at once, busy or not. Raises OSError."""
    if _libc().umount2(os.fsencode(mountpoint), MNT_DETACH) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"umount2: {os.strerror(error)}", os.fspath(mountpoint))


def perf_event_open(attributes: bytes, pid: int, cpu: int) -> int:
    """A perf event without group (perf_event_open(2)); ``attributes`` is struct perf_event_attr.

    Raises OSError: EACCES or EPERM (kernel.perf_event_paranoid, seccomp), EMFILE, ENOENT, ENOSYS.
    """
    number = PERF_EVENT_OPEN.get(os.uname().machine)
    if number is None:
        raise OSError(38, f"perf_event_open: number not known for {os.uname().machine}")
    return _syscall("perf_event_open", number, attributes, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC)
