"""What the groups of pyfuse3 request handlers share: the reply of attributes, errors, descriptors.

What every handler keeps: names and targets are bytes, whatever their encoding; an OSError becomes
the reply's errno; a handler that returns an entry has counted one lookup of its inode, any other
leaves the counts alone. File handles are descriptors, which the shim relies on.
"""

# ruff: noqa: PTH101
# Everything here is a descriptor.

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import pyfuse3
from pyfuse3 import EntryAttributes, FUSEError, InodeT, ModeT, RequestContext

from daemons import _syscalls
from daemons._inodes import ROOT, Inodes, nodeid_of

_P = ParamSpec("_P")
_R = TypeVar("_R")


def fails_with_errno(
    handler: Callable[_P, Coroutine[Any, Any, _R]],
) -> Callable[_P, Coroutine[Any, Any, _R]]:
    """Turn an OSError of a handler into the reply's errno; the hottest do it themselves."""

    @functools.wraps(handler)
    async def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return await handler(*args, **kwargs)
        except OSError as error:
            raise FUSEError(error.errno or errno.EIO) from None

    return wrapper


class Handlers(pyfuse3.Operations):
    """Request handlers over one backing directory: what all groups of them use."""

    supports_dot_lookup = False
    enable_writeback_cache = False
    """The kernel drops passthrough without a word where both are asked for."""
    enable_acl = False

    def __init__(self, inodes: Inodes, attr_timeout: float, entry_timeout: float) -> None:
        super().__init__()
        self._inodes = inodes
        self._attr_timeout = attr_timeout
        self._entry_timeout = entry_timeout
        self._owner = (os.geteuid(), os.getegid())

    def _attributes(self, status: os.stat_result) -> EntryAttributes:
        reply = EntryAttributes()
        reply.attr_timeout = self._attr_timeout
        reply.st_ino = InodeT(status.st_ino)
        reply.st_mode = ModeT(status.st_mode)
        reply.st_nlink = status.st_nlink
        reply.st_uid = status.st_uid
        reply.st_gid = status.st_gid
        reply.st_rdev = status.st_rdev
        reply.st_size = status.st_size
        reply.st_blocks = status.st_blocks
        reply.st_blksize = status.st_blksize
        reply.st_atime_ns = status.st_atime_ns
        reply.st_mtime_ns = status.st_mtime_ns
        reply.st_ctime_ns = status.st_ctime_ns
        return reply

    def _attributes_of(self, inode: InodeT, status: os.stat_result) -> EntryAttributes:
        """Attributes of a known inode. pyfuse3 has one number for node and inode: see nodeid_of()."""
        reply = self._attributes(status)
        if status.st_ino <= ROOT:
            reply.st_ino = inode
        return reply

    def _entry(self, status: os.stat_result, generation: int) -> EntryAttributes:
        reply = self._attributes_of(InodeT(nodeid_of(status.st_ino)), status)
        reply.generation = generation
        reply.entry_timeout = self._entry_timeout
        return reply

    def _made(self, dir_fd: int, name: bytes, mode: int, ctx: RequestContext) -> EntryAttributes:
        status, generation = self._inodes.lookup(dir_fd, name)
        fd = self._inodes.fd(nodeid_of(status.st_ino))
        if self._give(fd, dir_fd, mode, ctx):
            status = os.fstat(fd)
        return self._entry(status, generation)

    def _give(self, fd: int, dir_fd: int, mode: int, ctx: RequestContext) -> bool:
        """Give a new inode to the caller. Returns whether anything had to change.

        After the fact and not by becoming the caller: the kernel has checked the caller's rights
        (default_permissions), supplementary groups included, which we would not have. In a set-gid
        directory the group is inherited and stays.
        """
        if (ctx.uid, ctx.gid) == self._owner:
            return False
        inherited = os.fstat(dir_fd).st_mode & stat.S_ISGID
        _syscalls.chown(fd, ctx.uid, -1 if inherited else ctx.gid)
        if mode & (stat.S_ISUID | stat.S_ISGID):
            os.chmod(path_of(fd), stat.S_IMODE(mode))  # the change of owner cleared them
        return True


def path_of(fd: int) -> str:
    """A name for what ``fd`` is open on, for calls that take no O_PATH descriptor."""
    return f"/proc/self/fd/{fd}"
