"""The shim as Python sees it: loading it ahead of pyfuse3, and its few calls.

Loading must come before pyfuse3 is imported, so this module imports neither pyfuse3 nor trio.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.model import Level, Opcode

LIBRARY = Path(__file__).parent / "_native" / "shim.so"

_FdOf = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_uint64)


class _Options(ctypes.Structure):
    """struct shim_options of shim.h."""

    _fields_ = (
        ("level", ctypes.c_int32),
        ("readdir", ctypes.c_int32),
        ("files_only", ctypes.c_int32),
        ("xattrs", ctypes.c_int32),
        ("fh_is_fd", ctypes.c_int32),
        ("fd_of_owned", ctypes.c_int32),
        ("fd_of", _FdOf),
        ("counters", ctypes.c_char_p),
    )


class Shim:
    """The loaded library; make one before the first import of pyfuse3.

    RTLD_GLOBAL is what makes pyfuse3 resolve ``fuse_session_mount`` to the shim. PyDLL keeps the
    GIL: the server has one thread, and nothing here blocks.
    """

    def __init__(self) -> None:
        self._library = ctypes.PyDLL(str(LIBRARY), mode=ctypes.RTLD_GLOBAL)
        self._library.shim_forgotten.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
        self._library.shim_forgotten.restype = None
        self._callback: object = None

    def configure(
        self,
        level: Level,
        readdir: bool,
        counters: Path | None,
        fd_of: Callable[[int], int],
        files_only: bool = False,
        xattrs: bool = False,
    ) -> None:
        """Call before mounting; OSError if the counters file cannot be made.

        ``fd_of`` gives the descriptor of an inode or -1; it is asked once per attached inode, and
        must not raise. With ``files_only`` directories and other types are not attached; with
        ``xattrs`` those that are have their extended attributes passed through, where the kernel can.
        """
        self._callback = _FdOf(fd_of)  # ctypes keeps no reference for C
        options = _Options(
            level=level.rank,
            readdir=readdir,
            files_only=files_only,
            xattrs=xattrs,
            fh_is_fd=True,
            fd_of=self._callback,
            counters=os.fsencode(counters) if counters else None,
        )
        status = self._library.shim_configure(ctypes.byref(options))
        if status:
            raise OSError(-status, os.strerror(-status), str(counters))

    def delay(self, opcode: Opcode, delay_ns: int) -> None:
        """Hold every request of an opcode back; call before mounting. OSError if it is too long."""
        if status := self._library.shim_delay(opcode, ctypes.c_uint64(delay_ns)):
            raise OSError(-status, os.strerror(-status), f"--delay {opcode.name}={delay_ns}")

    def forgotten(self, nodeids: Sequence[int]) -> None:
        """Tell that the lookup counts of these inodes are 0, so that their backing ids close."""
        numbers = array("Q", nodeids)
        self._library.shim_forgotten(numbers.buffer_info()[0], len(numbers))
