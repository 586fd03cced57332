"""A full mirror of a directory as pyfuse3 request handlers; plain and passthrough both serve it.

Nothing here knows of passthrough: that is the shim's business, so that the two differ in nothing
else. Handlers never wait for anything but the system call they make, so one task serves all.
"""

# ruff: noqa: ARG002, PTH101
# ARG002: pyfuse3 fixes the handlers' parameters. PTH: everything here is a descriptor or bytes.

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

import pyfuse3
from pyfuse3 import (
    EntryAttributes,
    FileHandleT,
    FileInfo,
    FileNameT,
    FlagT,
    FUSEError,
    InodeT,
    ModeT,
    RequestContext,
    SetattrFields,
    StatvfsData,
    XAttrNameT,
)

from daemons import _syscalls
from daemons._direct import DirectFiles
from daemons._directories import Directories
from daemons._handlers import fails_with_errno, path_of
from daemons._inodes import Inodes

# Flags of a client's open that must not reach ours: creation is a request of its own, and the kernel
# has resolved the name already. An appender's offset comes from the kernel; with O_APPEND on ours, a
# page of a mapping that the kernel writes back by this descriptor would end up at the end of the file,
# and pyfuse3 does not tell the two. O_DIRECT does reach ours: so it means to the backing what it means
# when reads and writes are passed through, alignment and refusals included.
_NOT_OURS = os.O_CREAT | os.O_EXCL | os.O_NOCTTY | os.O_NOFOLLOW | os.O_APPEND


class Mirror(Directories):
    """All request handlers."""

    def __init__(
        self, inodes: Inodes, attr_timeout: float, entry_timeout: float, no_xattrs: int = 0
    ) -> None:
        """``no_xattrs`` is the errno that requests about extended attributes get, 0 an answer."""
        super().__init__(inodes, attr_timeout, entry_timeout)
        self._no_xattrs = no_xattrs
        self._direct = DirectFiles()

    # Inodes

    async def lookup(
        self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext
    ) -> EntryAttributes:
        """An entry (+1 lookup); ENOENT, ENAMETOOLONG, EXDEV beyond a mount point of the backing."""
        inodes = self._inodes
        try:
            return self._entry(*inodes.lookup(inodes.fd(parent_inode), name))
        except OSError as error:
            raise FUSEError(error.errno or errno.EIO) from None

    async def forget(self, inode_list: Sequence[tuple[InodeT, int]]) -> None:
        """Takes back lookups; never fails. FORGET and BATCH_FORGET both end here."""
        self._inodes.forget(inode_list)

    async def getattr(self, inode: InodeT, ctx: RequestContext) -> EntryAttributes:
        """Attributes; ESTALE if the inode is gone for good."""
        try:
            return self._attributes_of(inode, os.fstat(self._inodes.fd(inode)))
        except OSError as error:
            raise FUSEError(error.errno or errno.EIO) from None

    @fails_with_errno
    async def setattr(
        self,
        inode: InodeT,
        attr: EntryAttributes,
        fields: SetattrFields,
        fh: FileHandleT | None,
        ctx: RequestContext,
    ) -> EntryAttributes:
        """Attributes as they are afterwards. Owner first: changing it clears set-id bits."""
        fd = self._inodes.fd(inode) if fh is None else fh
        if fields.update_uid or fields.update_gid:
            _syscalls.chown(
                fd,
                attr.st_uid if fields.update_uid else -1,
                attr.st_gid if fields.update_gid else -1,
            )
        if fields.update_mode:
            os.chmod(path_of(fd), stat.S_IMODE(attr.st_mode))
        if fields.update_size and fh is not None:
            os.ftruncate(fh, attr.st_size)
        elif fields.update_size:
            os.truncate(path_of(fd), attr.st_size)
        if fields.update_atime or fields.update_mtime:
            _syscalls.utime(
                fd,
                attr.st_atime_ns if fields.update_atime else None,
                attr.st_mtime_ns if fields.update_mtime else None,
            )
        return self._attributes_of(inode, os.fstat(fd))

    @fails_with_errno
    async def readlink(self, inode: InodeT, ctx: RequestContext) -> FileNameT:
        """The target, byte for byte; EINVAL if it is no link."""
        return FileNameT(os.readlink(b"", dir_fd=self._inodes.fd(inode)))

    @fails_with_errno
    async def access(self, inode: InodeT, mode: ModeT, ctx: RequestContext) -> bool:
        """Whether the caller may; only asked when mounted without default_permissions."""
        status = os.fstat(self._inodes.fd(inode))
        if ctx.uid == 0:
            executable = stat.S_ISDIR(status.st_mode) or status.st_mode & 0o111
            return not mode & os.X_OK or bool(executable)
        if ctx.uid == status.st_uid:
            granted = status.st_mode >> 6
        elif ctx.gid == status.st_gid or status.st_gid in pyfuse3.get_sup_groups(ctx.pid):
            granted = status.st_mode >> 3
        else:
            granted = status.st_mode
        return mode & ~granted & 7 == 0

    # Names

    @fails_with_errno
    async def mknod(
        self, parent_inode: InodeT, name: FileNameT, mode: ModeT, rdev: int, ctx: RequestContext
    ) -> EntryAttributes:
        """A new entry (+1 lookup) owned by the caller; EEXIST, ENOSPC, ..."""
        dir_fd = self._inodes.fd(parent_inode)
        os.mknod(name, mode, rdev, dir_fd=dir_fd)
        return self._made(dir_fd, name, mode, ctx)

    @fails_with_errno
    async def mkdir(
        self, parent_inode: InodeT, name: FileNameT, mode: ModeT, ctx: RequestContext
    ) -> EntryAttributes:
        """A new entry (+1 lookup) owned by the caller; EEXIST, EMLINK, ..."""
        dir_fd = self._inodes.fd(parent_inode)
        os.mkdir(name, stat.S_IMODE(mode), dir_fd=dir_fd)
        return self._made(dir_fd, name, 0, ctx)

    @fails_with_errno
    async def symlink(
        self, parent_inode: InodeT, name: FileNameT, target: FileNameT, ctx: RequestContext
    ) -> EntryAttributes:
        """A new entry (+1 lookup) owned by the caller; EEXIST, ..."""
        dir_fd = self._inodes.fd(parent_inode)
        os.symlink(target, name, dir_fd=dir_fd)
        return self._made(dir_fd, name, 0, ctx)

    @fails_with_errno
    async def link(
        self, inode: InodeT, new_parent_inode: InodeT, new_name: FileNameT, ctx: RequestContext
    ) -> EntryAttributes:
        """A new name for ``inode`` (+1 lookup); EEXIST, EMLINK, EPERM for a directory."""
        path = path_of(self._inodes.fd(inode)).encode()
        dir_fd = self._inodes.fd(new_parent_inode)
        # Following is what makes /proc/self/fd stand for the inode, a symbolic link's own included.
        os.link(path, new_name, dst_dir_fd=dir_fd, follow_symlinks=True)
        return self._entry(*self._inodes.lookup(dir_fd, new_name))

    @fails_with_errno
    async def unlink(self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext) -> None:
        """Removes a name; the inode lives on while the kernel knows it. EISDIR, ENOENT."""
        os.unlink(name, dir_fd=self._inodes.fd(parent_inode))

    @fails_with_errno
    async def rmdir(self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext) -> None:
        """Removes an empty directory; ENOTEMPTY, ENOTDIR, ENOENT."""
        os.rmdir(name, dir_fd=self._inodes.fd(parent_inode))

    @fails_with_errno
    async def rename(
        self,
        parent_inode_old: InodeT,
        name_old: FileNameT,
        parent_inode_new: InodeT,
        name_new: FileNameT,
        flags: FlagT,
        ctx: RequestContext,
    ) -> None:
        """renameat2 with its flags: EEXIST for NOREPLACE, ENOENT for EXCHANGE, EINVAL."""
        old_dir = self._inodes.fd(parent_inode_old)
        new_dir = self._inodes.fd(parent_inode_new)
        _syscalls.rename(old_dir, name_old, new_dir, name_new, flags)

    # Files

    @fails_with_errno
    async def open(self, inode: InodeT, flags: FlagT, ctx: RequestContext) -> FileInfo:
        """A descriptor opened like the client's; EMFILE where clients hold too many open."""
        fd = os.open(path_of(self._inodes.fd(inode)), flags & ~_NOT_OURS)
        return self._opened(fd, inode, flags)

    @fails_with_errno
    async def create(
        self,
        parent_inode: InodeT,
        name: FileNameT,
        mode: ModeT,
        flags: FlagT,
        ctx: RequestContext,
    ) -> tuple[FileInfo, EntryAttributes]:
        """An open file and its entry (+1 lookup), owned by the caller if it is new; EEXIST."""
        dir_fd = self._inodes.fd(parent_inode)
        ours = flags & ~_NOT_OURS | os.O_CREAT | os.O_NOFOLLOW
        try:
            fd = os.open(name, ours | os.O_EXCL, stat.S_IMODE(mode), dir_fd=dir_fd)
            new = True
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
            # Someone was quicker: then it is theirs, and must not change hands.
            fd = os.open(name, ours & ~os.O_CREAT, dir_fd=dir_fd)
            new = False
        try:
            if new:
                self._give(fd, dir_fd, mode, ctx)
            entry = self._entry(*self._inodes.lookup_open(fd))
        except OSError:
            os.close(fd)
            raise
        return self._opened(fd, entry.st_ino, flags), entry

    async def read(self, fh: FileHandleT, off: int, size: int) -> bytes:
        """At most ``size`` bytes, fewer at the end of the file only."""
        try:
            if fh in self._direct:
                return self._direct.read(fh, size, off)
            return os.pread(fh, size, off)
        except OSError as error:
            raise FUSEError(error.errno or errno.EIO) from None

    @fails_with_errno
    async def write(self, fh: FileHandleT, off: int, buf: bytes) -> int:
        """How much was written; ENOSPC, EDQUOT, EFBIG; EINVAL with O_DIRECT."""
        if fh in self._direct:
            return self._direct.write(fh, buf, off)
        return os.pwrite(fh, buf, off)

    @fails_with_errno
    async def flush(self, fh: FileHandleT) -> None:
        """One client descriptor was closed: let the backing report what close() would."""
        os.close(os.dup(fh))

    @fails_with_errno
    async def release(self, fh: FileHandleT) -> None:
        """The last client descriptor is gone; its errors reach nobody."""
        self._inodes.open_files.pop(fh, None)
        self._direct.closed(fh)
        os.close(fh)

    @fails_with_errno
    async def fsync(self, fh: FileHandleT, datasync: bool) -> None:
        """Data (and attributes) on stable storage; EIO."""
        if datasync:
            os.fdatasync(fh)
        else:
            os.fsync(fh)

    # The rest

    @fails_with_errno
    async def statfs(self, ctx: RequestContext) -> StatvfsData:
        """The figures of the backing file system."""
        status = os.statvfs(self._inodes.root_fd)
        reply = StatvfsData()
        reply.f_bsize = status.f_bsize
        reply.f_frsize = status.f_frsize
        reply.f_blocks = status.f_blocks
        reply.f_bfree = status.f_bfree
        reply.f_bavail = status.f_bavail
        reply.f_files = status.f_files
        reply.f_ffree = status.f_ffree
        reply.f_favail = status.f_favail
        reply.f_namemax = status.f_namemax
        return reply

    @fails_with_errno
    async def setxattr(
        self, inode: InodeT, name: XAttrNameT, value: bytes, ctx: RequestContext
    ) -> None:
        """Sets an attribute (pyfuse3 has seen to CREATE and REPLACE); ENOTSUP, ENOSPC."""
        os.setxattr(self._with_xattrs(inode), name, value)

    @fails_with_errno
    async def getxattr(self, inode: InodeT, name: XAttrNameT, ctx: RequestContext) -> bytes:
        """The value; ENODATA if there is none, ENOTSUP."""
        return os.getxattr(self._with_xattrs(inode), name)

    @fails_with_errno
    async def listxattr(self, inode: InodeT, ctx: RequestContext) -> Sequence[XAttrNameT]:
        """The names of all attributes; trusted ones to root alone, as file systems do (xattr(7))."""
        names = map(os.fsencode, os.listxattr(self._with_xattrs(inode)))
        return [XAttrNameT(name) for name in names if ctx.uid == 0 or name[:8] != b"trusted."]

    @fails_with_errno
    async def removexattr(self, inode: InodeT, name: XAttrNameT, ctx: RequestContext) -> None:
        """Removes an attribute; ENODATA if there is none."""
        os.removexattr(self._with_xattrs(inode), name)

    def _with_xattrs(self, inode: InodeT) -> str:
        """A name for an inode whose extended attributes are asked for; raises OSError where none are
        to be had: ENOSYS is remembered by the kernel, ENOTSUP is not.
        """
        if self._no_xattrs:
            raise OSError(self._no_xattrs, os.strerror(self._no_xattrs))
        return path_of(self._inodes.fd(inode))

    def _opened(self, fd: int, nodeid: int, flags: int) -> FileInfo:
        self._inodes.open_files[fd] = nodeid
        if flags & os.O_DIRECT:
            self._direct.opened(fd)
        # Not keep_cache: a file changed in the backing must be seen when it is opened again.
        return FileInfo(fh=FileHandleT(fd), keep_cache=False)
