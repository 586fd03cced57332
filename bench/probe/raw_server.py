"""The smallest FUSE server that can show what a kernel does: a read-only mirror in one thread.

It exists for probing and for testing the request counter, not for measuring: it is Python. By
default its mount is detached (see bench.machine.syscalls), so even a killed process leaves nothing.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.machine import fusermount, syscalls
from bench.model import Level, Opcode
from bench.probe import abi

DEVICE = "/dev/fuse"
_BUFFER = 64 * 1024
"""Bytes; more than the largest request we can get, 8192 being the least the kernel accepts."""
_NO_REPLY = (Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT)


@dataclass(frozen=True)
class RawOptions:
    """How a raw server answers. ``wanted`` are INIT flags, of which only the offered are set.

    ``attach`` says which interface is used to hand backing ids to the kernel: none; rw, in the
    OPEN reply; attach-getattr, in the first GETATTR reply; attach-lookup, in the long LOOKUP
    reply. ``readdir`` passes directories through at OPENDIR, ``xattrs`` extended attributes of what
    is attached. Timeouts are whole seconds.
    """

    wanted: int = abi.FUSE_PASSTHROUGH
    max_stack_depth: int = 1
    attach: Level = Level.NONE
    readdir: bool = False
    xattrs: bool = False
    attr_timeout: int = 0
    entry_timeout: int = 3600
    default_permissions: bool = False
    mountpoint: Path | None = None
    """A directory to appear on; None mounts detached, reachable through ``root`` alone."""
    fusermount: bool = False
    """Whether fusermount3 is to mount, which needs a mountpoint."""


class RawServer:
    """Mirror of the directory ``backing`` (a descriptor), serving while the context is open.

    ``root`` is the descriptor of the mount to use as ``dir_fd``; ``device`` the /dev/fuse
    descriptor; ``init`` what the kernel said; ``counts`` the requests received, by opcode
    number, INIT included; ``refused`` the replies the kernel would not take, as (opcode, errno).

    Entering raises OSError: ENOENT or ENODEV (no /dev/fuse, no fuse module), EPERM or EACCES (not
    root), ENOSYS (before Linux 5.2). On every way out nothing stays mounted or open.
    """

    def __init__(self, backing: int, options: RawOptions | None = None) -> None:
        self.options = options or RawOptions()
        self.counts: Counter[int] = Counter()
        self.refused: list[tuple[int, int]] = []
        self.device = self.root = -1
        self._backing = backing
        self._wake: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._attached = False
        self._paths = {abi.ROOT_ID: "."}
        self._ids: dict[int, int] = {}
        self._files: dict[int, int] = {}
        self._listings: dict[int, list[tuple[bytes, int, int]]] = {}
        self._handlers: dict[int, Callable[[int, bytes], bytes]] = {
            Opcode.LOOKUP: self._lookup,
            Opcode.GETATTR: self._getattr,
            Opcode.OPEN: self._open,
            Opcode.READ: self._read,
            Opcode.RELEASE: self._release,
            Opcode.FLUSH: lambda _node, _body: b"",
            Opcode.OPENDIR: self._opendir,
            Opcode.READDIR: self._readdir,
            Opcode.READDIRPLUS: self._readdirplus,
            Opcode.RELEASEDIR: self._releasedir,
            Opcode.STATFS: self._statfs,
            Opcode.DESTROY: lambda _node, _body: b"",
        }

    def __enter__(self) -> RawServer:
        try:
            self._mount()
            self.init = self._handshake()
            self._wake = os.pipe2(os.O_CLOEXEC)
            self._thread = threading.Thread(target=self._serve, name="rawfuse", daemon=True)
            self._thread.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, abort the connection, unmount. Safe to call twice."""
        if self._wake is not None:
            os.write(self._wake[1], b"x")
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for backing_id in self._ids.values():
            abi.backing_close(self.device, backing_id)
        # The device goes first: that aborts the connection, so no unmount can wait for a server.
        held = [*self._files.values(), *(self._wake or ()), self.device, self.root]
        for fd in held:
            if fd >= 0:
                os.close(fd)
        self._ids, self._files, self._wake = {}, {}, None
        self.device = self.root = -1
        if self._attached and self.options.mountpoint is not None:
            if self.options.fusermount:
                fusermount.unmount(self.options.mountpoint, lazy=True)
            else:
                syscalls.unmount_lazily(self.options.mountpoint)
            self._attached = False

    def _mount(self) -> None:
        if self.options.fusermount:
            self._have_it_mounted()
            return
        self.device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        options = {
            "source": "rawfuse",
            "subtype": "rawfuse",
            "fd": str(self.device),
            "rootmode": "40000",
            "user_id": "0",
            "group_id": "0",
        }
        if self.options.default_permissions:
            options["default_permissions"] = ""
        self.root = syscalls.detached_mount("fuse", options)
        if self.options.mountpoint is not None:
            syscalls.attach_mount(self.root, self.options.mountpoint)
            self._attached = True

    def _have_it_mounted(self) -> None:
        where = self.options.mountpoint
        assert where is not None
        more = ",default_permissions" if self.options.default_permissions else ""
        self.device = fusermount.mount(where, f"fsname=rawfuse,subtype=rawfuse{more}")
        self._attached = True
        self.root = os.open(where, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def _handshake(self) -> abi.Init:
        opcode, unique, _node, body = self._receive()
        if opcode != Opcode.INIT:
            raise OSError(errno.EPROTO, f"first request is {abi.opcode_name(opcode)}, not INIT")
        init = abi.parse_init(body)
        wanted, depth = self.options.wanted, self.options.max_stack_depth
        self._send(opcode, unique, 0, abi.init_reply(init, wanted, depth))
        return init

    def _serve(self) -> None:
        assert self._wake is not None
        poll = select.poll()
        poll.register(self.device, select.POLLIN)
        poll.register(self._wake[0], select.POLLIN)
        while True:
            if any(fd != self.device for fd, _events in poll.poll()):
                return
            try:
                self._answer_one()
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno == errno.ENODEV:  # unmounted under us
                    return
                if error.errno not in (errno.EINTR, errno.ENOENT):
                    raise

    def _answer_one(self) -> None:
        opcode, unique, node, body = self._receive()
        if opcode in _NO_REPLY:
            return
        handler = self._handlers.get(opcode)
        try:
            if handler is None:
                raise OSError(errno.ENOSYS, "not served")
            reply, error = handler(node, body), 0
        except OSError as problem:
            reply, error = b"", problem.errno or errno.EIO
        self._send(opcode, unique, error, reply)

    def _receive(self) -> tuple[int, int, int, bytes]:
        request = os.read(self.device, _BUFFER)
        _length, opcode, unique, node, *_caller = abi.IN_HEADER.unpack_from(request)
        self.counts[opcode] += 1
        return opcode, unique, node, request[abi.IN_HEADER.size :]

    def _send(self, opcode: int, unique: int, error: int, body: bytes) -> None:
        head = abi.OUT_HEADER.pack(abi.OUT_HEADER.size + len(body), -error, unique)
        try:
            os.write(self.device, head + body)
        except OSError as problem:
            self.refused.append((opcode, problem.errno or 0))
            # The request is still waiting: the kernel took nothing of a reply it refused as
            # malformed, except that it has already ended the request with EIO for its client.
            if problem.errno not in (errno.EINVAL, errno.ENOENT):
                raise

    def _path(self, node: int) -> str:
        try:
            return self._paths[node]
        except KeyError:
            raise OSError(errno.ESTALE, f"node {node} was never looked up") from None

    def _stat(self, path: str) -> os.stat_result:
        return os.stat(path, dir_fd=self._backing, follow_symlinks=False)

    def _remember(self, parent: int, name: str) -> tuple[int, os.stat_result]:
        path = f"{self._path(parent)}/{name}"
        st = self._stat(path)
        self._paths[st.st_ino] = path
        return st.st_ino, st

    def _backing_id(self, node: int, ops_mask: int) -> int:
        if node not in self._ids:
            fd = os.open(self._path(node), os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._backing)
            try:
                self._ids[node] = abi.backing_open(self.device, fd, ops_mask)
            finally:
                os.close(fd)
        return self._ids[node]

    def _xattr_ops(self) -> int:
        return abi.OPS_XATTRS if self.options.xattrs else 0

    def _lookup(self, parent: int, body: bytes) -> bytes:
        node, st = self._remember(parent, os.fsdecode(body.rstrip(b"\0")))
        timeouts = self.options.entry_timeout, self.options.attr_timeout
        if self.options.attach is not Level.ATTACH_LOOKUP:
            return abi.entry_reply(st, node, *timeouts)
        backing_id = 0
        if stat.S_ISREG(st.st_mode):  # the series' server registers regular files only
            mask = abi.OPS_GETATTR | abi.OPS_SETATTR | abi.OPS_READ_WRITE | self._xattr_ops()
            backing_id = self._backing_id(node, mask)
        return abi.long_entry_reply(st, node, *timeouts, backing_id)

    def _getattr(self, node: int, _body: bytes) -> bytes:
        st = self._stat(self._path(node))
        backing_id = 0
        if self.options.attach is Level.ATTACH_GETATTR:
            mask = abi.OPS_GETATTR | abi.OPS_STATX | self._xattr_ops()
            backing_id = self._backing_id(node, mask)
        return abi.attr_reply(st, st.st_ino, self.options.attr_timeout, backing_id)

    def _open(self, node: int, _body: bytes) -> bytes:
        fd = os.open(self._path(node), os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._backing)
        self._files[fd] = fd
        if self.options.attach is not Level.RW:
            return abi.OPEN_OUT.pack(fd, 0, 0)
        backing_id = self._backing_id(node, 0)
        return abi.OPEN_OUT.pack(fd, abi.FOPEN_PASSTHROUGH, backing_id)

    def _read(self, _node: int, body: bytes) -> bytes:
        handle, offset, size = _handle_offset_size(body)
        return os.pread(handle, size, offset)

    def _release(self, _node: int, body: bytes) -> bytes:
        os.close(self._files.pop(int.from_bytes(body[:8], "little")))
        return b""

    def _opendir(self, node: int, _body: bytes) -> bytes:
        path = self._path(node)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._backing)
        try:
            with os.scandir(fd) as entries:
                listing = [
                    (os.fsencode(e.name), e.inode(), _dtype(e.stat(follow_symlinks=False)))
                    for e in entries
                ]
        finally:
            os.close(fd)
        handle = max(self._listings, default=0) + 1
        self._listings[handle] = listing
        if not self.options.readdir:
            return abi.OPEN_OUT.pack(handle, 0, 0)
        backing_id = self._backing_id(node, abi.OPS_READDIR)
        return abi.OPEN_OUT.pack(handle, abi.FOPEN_PASSTHROUGH, backing_id)

    def _readdir(self, _node: int, body: bytes) -> bytes:
        return self._list(body, lambda _name: b"")

    def _readdirplus(self, node: int, body: bytes) -> bytes:
        def entry(name: bytes) -> bytes:
            child, st = self._remember(node, os.fsdecode(name))
            timeouts = self.options.entry_timeout, self.options.attr_timeout
            return abi.entry_reply(st, child, *timeouts)

        return self._list(body, entry)

    def _list(self, body: bytes, prefix: Callable[[bytes], bytes]) -> bytes:
        handle, offset, size = _handle_offset_size(body)
        reply = b""
        for index, (name, ino, kind) in enumerate(self._listings[handle][offset:], offset + 1):
            one = prefix(name) + abi.dirent(ino, index, kind, name)
            if len(reply) + len(one) > size:
                break
            reply += one
        return reply

    def _releasedir(self, _node: int, body: bytes) -> bytes:
        self._listings.pop(int.from_bytes(body[:8], "little"), None)
        return b""

    def _statfs(self, _node: int, _body: bytes) -> bytes:
        s = os.fstatvfs(self._backing)
        figures = s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree
        return abi.STATFS_OUT.pack(*figures, s.f_bsize, s.f_namemax, s.f_frsize, 0)


def _handle_offset_size(body: bytes) -> tuple[int, int, int]:
    # struct fuse_read_in begins: u64 fh, u64 offset, u32 size.
    return (
        int.from_bytes(body[:8], "little"),
        int.from_bytes(body[8:16], "little"),
        int.from_bytes(body[16:20], "little"),
    )


def _dtype(st: os.stat_result) -> int:
    return stat.S_IFMT(st.st_mode) >> 12
