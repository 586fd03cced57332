"""What the mount suites look with: attributes, listings, and the errno of a failure."""

# Names may be bytes, and calls are system calls.

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FIELDS = [
    name
    for name in dir(os.stat_result)
    if name.startswith("st_") and name not in ("st_dev", "st_atime", "st_mtime", "st_ctime")
]


def fields(path: Path | bytes) -> dict[str, object]:
    """Everything lstat says but the device and the floating-point times."""
    status = os.lstat(path)
    return {name: getattr(status, name) for name in FIELDS}


@contextlib.contextmanager
def failing_with(number: int) -> Iterator[None]:
    """The block must raise OSError with this errno."""
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == number, errno.errorcode.get(caught.value.errno or 0)


def raw_listing(folder: Path) -> list[bytes]:
    """Names as getdents gives them, dots included; os.listdir would hide them."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
    libc.readdir.argtypes = libc.closedir.argtypes = (ctypes.c_void_p,)
    stream = libc.opendir(os.fsencode(folder))
    names = []
    while entry := libc.readdir(stream):
        names.append(ctypes.string_at(entry + 19))
    libc.closedir(stream)
    return names


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A descriptor of a directory, closed whatever happens: a mount must not stay busy."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
