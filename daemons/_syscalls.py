"""System calls Python has no function for, as functions that raise OSError.

All through ctypes.PyDLL: the server has one thread, so giving up the GIL around a call would only
cost time.
"""

from __future__ import annotations

import ctypes
import os
import struct

AT_EMPTY_PATH = 0x1000
UTIME_OMIT = (1 << 30) - 2

_libc = ctypes.PyDLL(None, use_errno=True)
_MAX_HANDLE = 128  # MAX_HANDLE_SZ
_handle = ctypes.create_string_buffer(8 + _MAX_HANDLE)
_handle_view = memoryview(_handle).cast("B")
_mount_id = ctypes.c_int()
# Addresses as numbers: converting the objects on every call costs more than the system call.
_handle_at, _mount_id_at = ctypes.addressof(_handle), ctypes.addressof(_mount_id)
_capacity = struct.pack("<I", _MAX_HANDLE)


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_int64), ("tv_nsec", ctypes.c_int64))


_name_to_handle_at = _libc.name_to_handle_at
_name_to_handle_at.argtypes = (
    ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int
)  # fmt: skip
_open_by_handle_at = _libc.open_by_handle_at
_open_by_handle_at.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
_renameat2 = _libc.renameat2
_renameat2.argtypes = (
    ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint
)  # fmt: skip
_fchownat = _libc.fchownat
_fchownat.argtypes = (
    ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int
)  # fmt: skip
_utimensat = _libc.utimensat
_utimensat.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)


def _timespec(ns: int | None) -> _Timespec:
    return _Timespec(0, UTIME_OMIT) if ns is None else _Timespec(*divmod(ns, 10**9))


def _failed() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def handle_at(dir_fd: int, name: bytes) -> bytes:
    """The struct file_handle of ``name`` in ``dir_fd``, or of ``dir_fd`` itself if it is empty.

    The bytes are what open_by_handle() takes; equal bytes are the same inode, generation included.
    A symbolic link is not followed.
    """
    _handle_view[:4] = _capacity
    if _name_to_handle_at(dir_fd, name, _handle_at, _mount_id_at, 0 if name else AT_EMPTY_PATH):
        raise _failed()
    return _handle_view[: 8 + _handle_view[0]].tobytes()


def open_by_handle(mount_fd: int, handle: bytes, flags: int) -> int:
    """Open the inode of ``handle``; ESTALE if it is gone, EPERM without CAP_DAC_READ_SEARCH."""
    fd: int = _open_by_handle_at(mount_fd, handle, flags)
    if fd < 0:
        raise _failed()
    return fd


def rename(old_dir: int, old: bytes, new_dir: int, new: bytes, flags: int) -> None:
    """renameat2(2), for RENAME_NOREPLACE and RENAME_EXCHANGE."""
    if _renameat2(old_dir, old, new_dir, new, flags):
        raise _failed()


def chown(fd: int, uid: int, gid: int) -> None:
    """Change the owner of what ``fd`` is open on (O_PATH and symbolic links too); -1 leaves one."""
    if _fchownat(fd, b"", uid & 0xFFFFFFFF, gid & 0xFFFFFFFF, AT_EMPTY_PATH):
        raise _failed()


def utime(fd: int, atime_ns: int | None, mtime_ns: int | None) -> None:
    """Set times of what ``fd`` is open on (O_PATH and symbolic links too); None leaves one."""
    times = (_Timespec * 2)(_timespec(atime_ns), _timespec(mtime_ns))
    if _utimensat(fd, b"", times, AT_EMPTY_PATH):
        raise _failed()


def is_fuse(path: bytes) -> bool:
    """Whether ``path`` is on a FUSE file system (f_type of statfs(2), FUSE_SUPER_MAGIC)."""
    status = ctypes.create_string_buffer(256)  # struct statfs is 120 bytes; f_type comes first
    if _libc.statfs(path, status):
        raise _failed()
    return int.from_bytes(status.raw[:8], "little") == 0x65735546
