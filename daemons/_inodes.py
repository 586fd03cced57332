"""The inodes the kernel knows: lookup counts, file handles and a bounded cache of descriptors.

A mirror cannot keep a descriptor for every inode: the open-file limit may be 20 000 and hard, while
a tree has millions of inodes. So an inode is remembered by its file handle (name_to_handle_at) and
reopened when needed; descriptors are O_PATH, the least recently used is closed first.

Memory per inode is one dictionary entry and one short bytes object, about 140 bytes: lookup counts
above 1 are kept apart, because most inodes have a count of exactly 1.

nodeid = st_ino, except for the root and for the two numbers that FUSE has taken (see nodeid_of).
So everything must lie on one file system; what lies on another one is refused with EXDEV. Numbers
are reused once a file is gone while the kernel may still hold the old inode; the file handle
tells the two apart, and goes into the generation number.

Where the file system has no file handles, descriptors are kept for good, up to the limit; beyond it
inodes are refused with EMFILE, and the reason is logged.
"""

from __future__ import annotations

import errno
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from zlib import crc32

from daemons import _syscalls

ROOT = 1
_HIGHEST = (1 << 64) - 1
_log = logging.getLogger("daemons")


def nodeid_of(ino: int) -> int:
    """The node number of an inode below the root.

    0 is "no such name" and 1 the root to the kernel, so the two inodes that may have these numbers
    are given the highest ones, which no file system reaches.
    """
    return ino if ino > ROOT else _HIGHEST - ino


class Inodes:
    """Lookup counts, handles and descriptors of one backing directory; methods raise OSError."""

    def __init__(
        self, root: Path, limit: int, on_gone: Callable[[list[int]], None] = lambda _nodeids: None
    ) -> None:
        """``limit`` bounds the cached descriptors; ``on_gone`` hears of inodes nobody knows now."""
        self.root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        self.device = os.fstat(self.root_fd).st_dev
        self.by_handle = _handles_work(self.root_fd)
        self.lookups = 0
        self.forgets = 0
        self.reopened = 0
        self.open_files: dict[int, int] = {}
        """Descriptors opened for clients -> inode, the last resort for a deleted open file."""
        self._limit = limit
        self._on_gone = on_gone
        self._fds: OrderedDict[int, int] = OrderedDict()
        self._handles: dict[int, bytes] = {}
        self._more: dict[int, int] = {}
        """Lookup count minus one, of inodes where it is not zero."""
        self._warned = False

    def __len__(self) -> int:
        return len(self._handles)

    def fd(self, nodeid: int) -> int:
        """An O_PATH descriptor of ``nodeid``, good until the next call but one; ESTALE if gone."""
        fd = self._fds.get(nodeid)
        if fd is not None:
            self._fds.move_to_end(nodeid)
            return fd
        if nodeid == ROOT:
            return self.root_fd
        return self._reopen(nodeid)

    def fd_or_minus_one(self, nodeid: int) -> int:
        """For C: the descriptor of ``nodeid``, -1 if there is none."""
        try:
            return self.fd(nodeid)
        except OSError:
            return -1

    def lookup(self, dir_fd: int, name: bytes) -> tuple[os.stat_result, int]:
        """Attributes and generation of a name; counts one lookup of its inode."""
        status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        nodeid = nodeid_of(status.st_ino)
        # As long as a descriptor is held its inode number cannot be reused: no handle to compare.
        handle = self._handles.get(nodeid)
        if handle is not None and nodeid in self._fds and status.st_dev == self.device:
            self.lookups += 1
            self._more[nodeid] = self._more.get(nodeid, 0) + 1
            return status, crc32(handle)
        return self._meet(dir_fd, name)

    def lookup_open(self, fd: int) -> tuple[os.stat_result, int]:
        """Look up a file just created and opened as ``fd``."""
        status = os.fstat(fd)
        if self.by_handle:
            handle = _syscalls.handle_at(fd, b"")
        else:
            handle = b""
            self._keep(nodeid_of(status.st_ino), _reopen_path(fd))
        self.count(nodeid_of(status.st_ino), handle)
        return status, crc32(handle)

    def identify(self, status: os.stat_result, dir_fd: int, name: bytes) -> bytes:
        """The handle of a listed name, without counting a lookup: count() does, once it is told."""
        nodeid = nodeid_of(status.st_ino)
        self._check(status)
        if nodeid in self._fds:
            return self._handles.get(nodeid, b"")
        if self.by_handle:
            return _syscalls.handle_at(dir_fd, name)
        self._keep(nodeid, os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=dir_fd))
        return b""

    def count(self, nodeid: int, handle: bytes) -> None:
        """Count one lookup of ``nodeid``, which is now known to be the inode of ``handle``."""
        self.lookups += 1
        known = self._handles.get(nodeid)
        if known is None:
            self._handles[nodeid] = handle
            return
        self._more[nodeid] = self._more.get(nodeid, 0) + 1
        if known != handle:
            # The number was reused. What was attached to it belongs to the file that is gone.
            self._handles[nodeid] = handle
            self._drop_fd(nodeid)
            self._on_gone([nodeid])

    def forget(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Take back lookups; an inode whose count reaches zero is dropped."""
        gone = []
        for nodeid, lookups in pairs:
            self.forgets += lookups
            if nodeid == ROOT:  # given back for a name beyond a mount point; we keep no count of it
                continue
            left = self._more.pop(nodeid, 0) + 1 - lookups
            if left > 1:
                self._more[nodeid] = left - 1
            elif left <= 0:
                if self._handles.pop(nodeid, None) is None or left < 0:
                    _log.error("inode %d: more lookups forgotten than given: %d", nodeid, lookups)
                self._drop_fd(nodeid)
                gone.append(nodeid)
        if gone:
            self._on_gone(gone)

    def _meet(self, dir_fd: int, name: bytes) -> tuple[os.stat_result, int]:
        """Open a name first, then ask the descriptor: all answers are about one inode."""
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=dir_fd)
        try:
            status = os.fstat(fd)
            self._check(status)
            handle = _syscalls.handle_at(fd, b"") if self.by_handle else b""
        except OSError:
            os.close(fd)
            raise
        self._keep(nodeid_of(status.st_ino), fd)
        self.count(nodeid_of(status.st_ino), handle)
        return status, crc32(handle)

    def _check(self, status: os.stat_result) -> None:
        # The two highest numbers stand for others, see nodeid_of().
        if status.st_dev != self.device or status.st_ino > _HIGHEST - 2:
            raise OSError(errno.EXDEV, "on another file system than the root")

    def _reopen(self, nodeid: int) -> int:
        handle = self._handles.get(nodeid)
        if not handle:
            raise OSError(errno.ESTALE, "inode not known")
        try:
            fd = _syscalls.open_by_handle(self.root_fd, handle, os.O_PATH)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            fd = self._reopen_deleted(nodeid)
        # A listing takes attributes and handle in two steps, between which a name can change hands.
        if nodeid_of(os.fstat(fd).st_ino) != nodeid:
            os.close(fd)
            raise OSError(errno.ESTALE, "inode replaced while it was listed")
        self.reopened += 1
        self._keep(nodeid, fd)
        return fd

    def _reopen_deleted(self, nodeid: int) -> int:
        """Some file systems find no deleted file by its handle; a client's open one still is it."""
        for fd, opened in self.open_files.items():
            if opened == nodeid:
                return _reopen_path(fd)
        raise OSError(errno.ESTALE, "inode is gone")

    def _keep(self, nodeid: int, fd: int) -> None:
        if not self.by_handle:
            self._keep_for_good(nodeid, fd)
            return
        self._drop_fd(nodeid)
        self._fds[nodeid] = fd
        if len(self._fds) > self._limit:
            os.close(self._fds.popitem(last=False)[1])

    def _keep_for_good(self, nodeid: int, fd: int) -> None:
        if nodeid in self._fds:
            os.close(fd)
        elif len(self._fds) < self._limit:
            self._fds[nodeid] = fd
        else:
            os.close(fd)
            if not self._warned:
                _log.error(
                    "the backing has no file handles, so every inode keeps a descriptor: "
                    "the limit of %d (--fd-cache) is reached, further inodes get EMFILE",
                    self._limit,
                )
            self._warned = True
            raise OSError(errno.EMFILE, "limit of descriptors reached")

    def _drop_fd(self, nodeid: int) -> None:
        fd = self._fds.pop(nodeid, None)
        if fd is not None:
            os.close(fd)


def _reopen_path(fd: int) -> int:
    return os.open(f"/proc/self/fd/{fd}", os.O_PATH)


def _handles_work(root_fd: int) -> bool:
    """Whether the root can be reopened by its handle: needs the file system and a capability."""
    try:
        os.close(_syscalls.open_by_handle(root_fd, _syscalls.handle_at(root_fd, b""), os.O_PATH))
    except OSError as error:
        _log.warning(
            "no reopening by file handle here (%s): every inode keeps a descriptor", error.strerror
        )
        return False
    return True
