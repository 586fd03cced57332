"""Handlers of open directories: listings, with the attributes of every name."""

# ruff: noqa: ARG002, PTH208
# ARG002: pyfuse3 fixes the handlers' parameters. PTH: everything here is a descriptor or bytes.

from __future__ import annotations

import contextlib
import os
import stat
from zlib import crc32

import pyfuse3
from pyfuse3 import (
    EntryAttributes,
    FileHandleT,
    FileNameT,
    InodeT,
    ModeT,
    ReaddirToken,
    RequestContext,
)

from daemons._handlers import Handlers, fails_with_errno
from daemons._inodes import ROOT, Inodes


class Directories(Handlers):
    """Request handlers of open directories."""

    def __init__(self, inodes: Inodes, attr_timeout: float, entry_timeout: float) -> None:
        super().__init__(inodes, attr_timeout, entry_timeout)
        self._listings: dict[int, list[bytes]] = {}

    @fails_with_errno
    async def opendir(self, inode: InodeT, ctx: RequestContext) -> FileHandleT:
        """A descriptor of the directory; the shim registers it for readdir passthrough."""
        fd = os.open(b".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._inodes.fd(inode))
        return FileHandleT(fd)

    @fails_with_errno
    async def readdir(self, fh: FileHandleT, start_id: int, token: ReaddirToken) -> None:
        """As many entries as fit (+1 lookup each, except of "." and "..").

        The names are read once, when the listing starts or is rewound: an offset is an index into
        them, so it stays good for seekdir, and a scan is linear. Attributes are read as entries
        are replied, so that none is older than its reply; the one that no longer fits is read
        again with the next request. An entry that cannot be looked at (a dead mount, a bad block) is
        shown by its name alone: one bad entry must not take the others with it.
        """
        names = self._listings.get(fh)
        if names is None or start_id == 0:
            names = self._listings[fh] = [b".", b"..", *map(os.fsencode, os.listdir(fh))]
        kinds: dict[bytes, int] = {}
        for index in range(start_id, len(names)):
            name = names[index]
            kind = 0
            try:
                status = os.stat(name, dir_fd=fh, follow_symlinks=False)
                kind = stat.S_IFMT(status.st_mode)
                fits = self._reply_listed(token, fh, name, status, index + 1)
            except FileNotFoundError:
                continue  # removed since the names were read
            except OSError:
                kinds = kinds or ({} if kind else _types_listed(fh))
                fits = self._reply_name(token, name, kind or kinds.get(name, 0), index + 1)
            if not fits:
                break

    @fails_with_errno
    async def releasedir(self, fh: FileHandleT) -> None:
        """Drops the names and the descriptor."""
        self._listings.pop(fh, None)
        os.close(fh)

    @fails_with_errno
    async def fsyncdir(self, fh: FileHandleT, datasync: bool) -> None:
        """The directory on stable storage; EIO."""
        os.fsync(fh)

    def _reply_listed(
        self, token: ReaddirToken, fh: int, name: bytes, status: os.stat_result, next_id: int
    ) -> bool:
        """Add one entry to a listing; False if it does not fit, and then it was not counted.

        OSError if its inode cannot be lent (it is on another file system, no descriptor is left);
        nothing is added then.
        """
        if name in (b".", b".."):
            # The kernel keeps neither: it counts no lookup for them, so neither do we.
            return pyfuse3.readdir_reply(token, FileNameT(name), self._attributes(status), next_id)
        inodes = self._inodes
        handle = inodes.identify(status, fh, name)
        entry = self._entry(status, crc32(handle))
        if not pyfuse3.readdir_reply(token, FileNameT(name), entry, next_id):
            return False
        inodes.count(entry.st_ino, handle)
        return True

    def _reply_name(self, token: ReaddirToken, name: bytes, kind: int, next_id: int) -> bool:
        """Show a name and its type without lending it an inode.

        With inode 0 the kernel would attach nothing either, but readdir(3) hides such entries. The
        root's number is one the kernel refuses for a child: it shows the name and gives the lookup
        back at once.
        """
        entry = EntryAttributes()
        entry.st_mode = ModeT(kind)
        entry.st_ino = InodeT(ROOT)
        fits = pyfuse3.readdir_reply(token, FileNameT(name), entry, next_id)
        self._inodes.lookups += fits
        return fits


def _types_listed(fd: int) -> dict[bytes, int]:
    """The types of all names as the listing has them, without looking at what is there."""
    with os.scandir(fd) as entries:
        return {os.fsencode(entry.name): _type_of(entry) for entry in entries}


def _type_of(entry: os.DirEntry[str]) -> int:
    """The type of a listed name; 0 if the listing does not say."""
    with contextlib.suppress(OSError):
        if entry.is_dir(follow_symlinks=False):
            return stat.S_IFDIR
        if entry.is_file(follow_symlinks=False):
            return stat.S_IFREG
        if entry.is_symlink():
            return stat.S_IFLNK
    return 0
