"""A mirror on raw /dev/fuse that speaks every passthrough level, for tests.

Standard library only, one thread, one process: what it sends is written out
here to the byte, so that a test can also make it wrong.  It is not a daemon to
measure: a request costs tens of microseconds of Python.

Node IDs are inode numbers, apart from root.  The server keeps account of what
the kernel may know, and notes each request for a node it was never asked to
look up, and each FORGET it does not owe: see `Server.violations`.
"""

# Paths are system calls here, to be seen as such; requests share a signature.
# ruff: noqa: PTH101, PTH116, ARG002

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import socket
import stat
import struct
import sys
import traceback
from dataclasses import dataclass, field
from typing import Any

ROOT_ID = 1

(LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK) = range(1, 7)
(MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, OPEN, READ, WRITE) = range(8, 17)
(STATFS, RELEASE) = (17, 18)
(FSYNC, SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR, FLUSH) = range(20, 26)
(INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR) = range(26, 31)
(ACCESS, CREATE, INTERRUPT) = range(34, 37)
(DESTROY, BATCH_FORGET, READDIRPLUS, RENAME2, STATX) = (38, 42, 44, 45, 52)

OP_NAMES = {
    value: name
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int) and name != "ROOT_ID"
}


def op(*opcodes: int) -> int:
    """The ops_mask of these opcodes."""
    return sum(1 << (opcode - 1) for opcode in opcodes)


# INIT flags
ASYNC_READ, ATOMIC_O_TRUNC, BIG_WRITES = 1 << 0, 1 << 3, 1 << 5
AUTO_INVAL_DATA, DO_READDIRPLUS = 1 << 12, 1 << 13
PARALLEL_DIROPS, POSIX_ACL, INIT_EXT = 1 << 18, 1 << 20, 1 << 30
PASSTHROUGH, ALLOW_IDMAP, PASSTHROUGH_INO = 1 << 37, 1 << 40, 1 << 43

FOPEN_KEEP_CACHE, FOPEN_CACHE_DIR, FOPEN_PASSTHROUGH = 1 << 1, 1 << 3, 1 << 7

BACKING_OPEN, BACKING_CLOSE = 0x4010E501, 0x4004E502

IN_HEADER = struct.Struct("<IIQQIIIHH")
OUT_HEADER = struct.Struct("<IiQ")
ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
ENTRY = struct.Struct("<QQQQII")
ENTRY2 = struct.Struct("<QQQQIIiIQ")
STATX_OUT = struct.Struct("<IIQIIIHHQQQQ" + "qIi" * 4 + "IIII112x")
ATTR_OUT = struct.Struct("<QIi")
OPEN_OUT = struct.Struct("<QIi")
SETATTR_IN = struct.Struct("<IIQQQQQQIIIIIIII")
DIRENT = struct.Struct("<QQII")

assert (ATTR.size, ENTRY.size + ATTR.size) == (88, 128)
assert ENTRY2.size + STATX_OUT.size == 312

STATX_BASIC_STATS = 0x7FF
ATTR_FLAGS_NONE = 0


@dataclass
class Options:
    """What the server is to do; the defaults are a plain mirror."""

    backing: str
    passthrough: bool = False  # negotiate it at all
    ino: bool = False  # negotiate FUSE_PASSTHROUGH_INO
    entry2: bool = False  # the kernel attaches at lookup
    file_mask: int | None = None  # None: do not attach
    dir_mask: int | None = None
    other_mask: int | None = None  # symlinks, devices, sockets
    attach_in_getattr: bool = False
    open_passthrough: bool = False  # FOPEN_PASSTHROUGH for files
    opendir_passthrough: bool = False  # FOPEN_PASSTHROUGH for directories
    opendir_flags: int = 0
    entry_timeout: float = 0.0
    attr_timeout: float = 0.0
    default_permissions: bool = False
    readdirplus: bool = False
    atomic_o_trunc: bool = False
    idmap: bool = False  # negotiate FUSE_ALLOW_IDMAP
    posix_acl: bool = False  # negotiate FUSE_POSIX_ACL
    xattrs: bool = True  # False: ENOSYS
    stack_depth: int = 1  # what may lie underneath: 2 admits a mount with passthrough
    statx_mask: int = STATX_BASIC_STATS  # in long entries
    generation: int = 0
    wrong_id: int = 0  # sent instead of the right one
    wrong_ino: int = 0  # added to the inode number


@dataclass
class Node:
    """A file the kernel may name: `fd` is O_PATH, `nlookup` its claim on it."""

    fd: int
    nlookup: int = 0
    backing_id: int = 0


class FuseError(Exception):
    """Becomes the errno of a reply."""


def _split_time(value_ns: int) -> tuple[int, int]:
    return value_ns // 10**9, value_ns % 10**9


def _timeout(seconds: float) -> tuple[int, int]:
    return int(seconds), int(seconds % 1 * 10**9)


@dataclass
class Server:
    """Serves one connection until it is unmounted."""

    fuse_fd: int
    options: Options
    nodes: dict[int, Node] = field(default_factory=dict)
    files: dict[int, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    kernel_flags: int = 0
    next_fh: int = 1

    def __post_init__(self) -> None:
        fd = os.open(self.options.backing, os.O_PATH | os.O_DIRECTORY)
        self.nodes[ROOT_ID] = Node(fd, nlookup=1)

    # -- ids

    def backing_open(self, fd: int, ops_mask: int = 0, flags: int = 0) -> int:
        """Register `fd`; raises OSError with the kernel's errno."""
        arg = bytearray(struct.pack("<iIQ", fd, flags, ops_mask))
        return int(fcntl.ioctl(self.fuse_fd, BACKING_OPEN, arg, True))

    def backing_close(self, backing_id: int) -> None:
        fcntl.ioctl(self.fuse_fd, BACKING_CLOSE, struct.pack("<i", backing_id))

    def _mask(self, mode: int) -> int | None:
        if stat.S_ISREG(mode):
            return self.options.file_mask
        if stat.S_ISDIR(mode):
            return self.options.dir_mask
        return self.options.other_mask

    def _attach_id(self, node: Node, mode: int) -> int:
        mask = self._mask(mode)
        if mask is None:
            return 0
        if not node.backing_id:
            node.backing_id = self.backing_open(node.fd, mask)
        return self.options.wrong_id or node.backing_id

    # -- replies

    def _attr(self, st: os.stat_result) -> bytes:
        atime, mtime, ctime = map(_split_time, (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns))
        return ATTR.pack(
            st.st_ino + self.options.wrong_ino, st.st_size, st.st_blocks,
            atime[0], mtime[0], ctime[0], atime[1], mtime[1], ctime[1],
            st.st_mode, st.st_nlink, st.st_uid, st.st_gid,
            _encode_dev(st.st_rdev), st.st_blksize, ATTR_FLAGS_NONE,
        )  # fmt: skip

    def _statx(self, st: os.stat_result) -> bytes:
        atime, mtime, ctime = map(_split_time, (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns))
        return STATX_OUT.pack(
            self.options.statx_mask, st.st_blksize, 0, st.st_nlink, st.st_uid,
            st.st_gid, st.st_mode, 0, st.st_ino + self.options.wrong_ino,
            st.st_size, st.st_blocks, 0,
            *atime, 0, 0, 0, 0, *ctime, 0, *mtime, 0,
            os.major(st.st_rdev), os.minor(st.st_rdev),
            os.major(st.st_dev), os.minor(st.st_dev),
        )  # fmt: skip

    def _entry(self, fd: int, short: bool = False) -> bytes:
        """Reply with an entry: takes over `fd`, counts a lookup."""
        st = os.fstat(fd)
        root = self.nodes[ROOT_ID]
        nodeid = st.st_ino
        if os.path.samestat(st, os.fstat(root.fd)):
            nodeid = ROOT_ID
        if nodeid in self.nodes:
            os.close(fd)
        else:
            self.nodes[nodeid] = Node(fd)
        node = self.nodes[nodeid]
        node.nlookup += 1
        entry = _timeout(self.options.entry_timeout)
        attr = _timeout(self.options.attr_timeout)
        head = (nodeid, self.options.generation, entry[0], attr[0])
        if short or not self.options.entry2:
            return ENTRY.pack(*head, entry[1], attr[1]) + self._attr(st)
        backing_id = self._attach_id(node, st.st_mode)
        return ENTRY2.pack(*head, entry[1], attr[1], backing_id, 0, 0) + self._statx(st)

    def _attr_out(self, nodeid: int) -> bytes:
        node = self._node(nodeid)
        st = os.fstat(node.fd)
        backing_id = 0
        if self.options.attach_in_getattr:
            backing_id = self._attach_id(node, st.st_mode)
        seconds, nsec = _timeout(self.options.attr_timeout)
        return ATTR_OUT.pack(seconds, nsec, backing_id) + self._attr(st)

    def _open_out(self, handle: Any, flags: int = 0, backing_id: int = 0) -> bytes:
        fh, self.next_fh = self.next_fh, self.next_fh + 1
        self.files[fh] = handle
        return OPEN_OUT.pack(fh, flags, backing_id)

    def _node(self, nodeid: int) -> Node:
        return self.nodes[nodeid]

    def _child(self, nodeid: int, name: bytes) -> int:
        return os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self._node(nodeid).fd)

    def _path(self, nodeid: int) -> str:
        return f"/proc/self/fd/{self._node(nodeid).fd}"

    # -- requests; each gets the header and the body, and returns the reply

    def do_init(self, head: tuple[int, ...], body: bytes) -> bytes:
        _major, _minor, readahead, flags, flags2 = struct.unpack_from("<IIIII", body)
        self.kernel_flags = flags | flags2 << 32
        options = self.options
        want = ASYNC_READ | BIG_WRITES | PARALLEL_DIROPS | AUTO_INVAL_DATA | INIT_EXT
        if options.readdirplus:
            want |= DO_READDIRPLUS
        if options.atomic_o_trunc:
            want |= ATOMIC_O_TRUNC
        if options.passthrough:
            want |= PASSTHROUGH
        if options.ino:
            want |= PASSTHROUGH_INO
        if options.idmap:
            want |= ALLOW_IDMAP
        if options.posix_acl:
            want |= POSIX_ACL
        want &= self.kernel_flags
        return struct.pack(
            "<IIIIHHIIHHIIH22x", 7, 41, readahead, want & 0xFFFFFFFF, 16, 12,
            131072, 1, 0, 0, want >> 32, options.stack_depth, 0,
        )  # fmt: skip

    def do_lookup(self, head: tuple[int, ...], body: bytes) -> bytes:
        return self._entry(self._child(head[3], body.rstrip(b"\0")))

    def _forget(self, nodeid: int, count: int) -> None:
        node = self.nodes.get(nodeid)
        if node is None or node.nlookup < count:
            have = node.nlookup if node else "none"
            self.violations.append(f"FORGET {nodeid} by {count}, counted {have}")
            return
        node.nlookup -= count
        if node.nlookup == 0:
            if node.backing_id:
                self.backing_close(node.backing_id)
            os.close(node.fd)
            del self.nodes[nodeid]

    def do_forget(self, head: tuple[int, ...], body: bytes) -> None:
        self._forget(head[3], struct.unpack_from("<Q", body)[0])

    def do_batch_forget(self, head: tuple[int, ...], body: bytes) -> None:
        (count,) = struct.unpack_from("<I", body)
        for index in range(count):
            self._forget(*struct.unpack_from("<QQ", body, 8 + 16 * index))

    def do_getattr(self, head: tuple[int, ...], body: bytes) -> bytes:
        return self._attr_out(head[3])

    def do_setattr(self, head: tuple[int, ...], body: bytes) -> bytes:
        (valid, _, _fh, size, _, atime, mtime, _, atimensec, mtimensec, _,
         mode, _, uid, gid, _) = SETATTR_IN.unpack_from(body)  # fmt: skip
        path = self._path(head[3])
        if valid & 1:
            os.chmod(path, mode & 0o7777)
        if valid & 6:
            os.chown(path, uid if valid & 2 else -1, gid if valid & 4 else -1)
        if valid & 8:
            os.truncate(path, size)
        if valid & (16 | 32):
            st = os.stat(path)
            atime_ns = atime * 10**9 + atimensec
            mtime_ns = mtime * 10**9 + mtimensec
            now = _now_ns()
            os.utime(
                path,
                ns=(
                    (now if valid & 128 else atime_ns) if valid & 16 else st.st_atime_ns,
                    (now if valid & 256 else mtime_ns) if valid & 32 else st.st_mtime_ns,
                ),
            )
        return self._attr_out(head[3])

    def do_readlink(self, head: tuple[int, ...], body: bytes) -> bytes:
        return os.readlink(b"", dir_fd=self._node(head[3]).fd)

    def _made(self, head: tuple[int, ...], name: bytes) -> bytes:
        parent = self._node(head[3]).fd
        os.chown(name, head[4], head[5], dir_fd=parent, follow_symlinks=False)
        return self._entry(self._child(head[3], name))

    def do_mknod(self, head: tuple[int, ...], body: bytes) -> bytes:
        mode, rdev = struct.unpack_from("<II", body)
        name = body[16:].rstrip(b"\0")
        os.mknod(name, mode, _decode_dev(rdev), dir_fd=self._node(head[3]).fd)
        return self._made(head, name)

    def do_mkdir(self, head: tuple[int, ...], body: bytes) -> bytes:
        (mode,) = struct.unpack_from("<I", body)
        name = body[8:].rstrip(b"\0")
        os.mkdir(name, mode, dir_fd=self._node(head[3]).fd)
        return self._made(head, name)

    def do_symlink(self, head: tuple[int, ...], body: bytes) -> bytes:
        name, target = body.split(b"\0")[:2]
        os.symlink(target, name, dir_fd=self._node(head[3]).fd)
        return self._made(head, name)

    def do_unlink(self, head: tuple[int, ...], body: bytes) -> bytes:
        os.unlink(body.rstrip(b"\0"), dir_fd=self._node(head[3]).fd)
        return b""

    def do_rmdir(self, head: tuple[int, ...], body: bytes) -> bytes:
        os.rmdir(body.rstrip(b"\0"), dir_fd=self._node(head[3]).fd)
        return b""

    def _rename(self, head: tuple[int, ...], newdir: int, names: bytes) -> bytes:
        old, new = names.split(b"\0")[:2]
        os.rename(
            old, new,
            src_dir_fd=self._node(head[3]).fd, dst_dir_fd=self._node(newdir).fd,
        )  # fmt: skip
        return b""

    def do_rename(self, head: tuple[int, ...], body: bytes) -> bytes:
        return self._rename(head, struct.unpack_from("<Q", body)[0], body[8:])

    def do_rename2(self, head: tuple[int, ...], body: bytes) -> bytes:
        newdir, flags = struct.unpack_from("<QI", body)
        if flags:
            raise OSError(errno.EINVAL, "flags")
        return self._rename(head, newdir, body[16:])

    def do_link(self, head: tuple[int, ...], body: bytes) -> bytes:
        (old,) = struct.unpack_from("<Q", body)
        name = body[8:].rstrip(b"\0")
        os.link(
            self._path(old), name, dst_dir_fd=self._node(head[3]).fd,
            follow_symlinks=True,
        )  # fmt: skip
        return self._entry(self._child(head[3], name))

    def _open_reply(self, nodeid: int, flags: int) -> bytes:
        flags &= ~(os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        fd = os.open(self._path(nodeid), flags)
        if not self.options.open_passthrough:
            return self._open_out(fd)
        node = self._node(nodeid)
        if not node.backing_id:
            mask = self.options.file_mask
            node.backing_id = self.backing_open(node.fd, mask or 0)
        return self._open_out(fd, FOPEN_PASSTHROUGH, node.backing_id)

    def do_open(self, head: tuple[int, ...], body: bytes) -> bytes:
        return self._open_reply(head[3], struct.unpack_from("<I", body)[0])

    def do_create(self, head: tuple[int, ...], body: bytes) -> bytes:
        flags, mode = struct.unpack_from("<II", body)
        name = body[16:].rstrip(b"\0")
        parent = self._node(head[3]).fd
        os.close(os.open(name, flags | os.O_CREAT, mode & 0o7777, dir_fd=parent))
        os.chown(name, head[4], head[5], dir_fd=parent)
        fd = self._child(head[3], name)
        nodeid = os.fstat(fd).st_ino
        entry = self._entry(fd)
        return entry + self._open_reply(nodeid, flags & ~os.O_TRUNC)

    def do_read(self, head: tuple[int, ...], body: bytes) -> bytes:
        fh, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(self.files[fh], size, offset)

    def do_write(self, head: tuple[int, ...], body: bytes) -> bytes:
        fh, offset, size = struct.unpack_from("<QQI", body)
        done = os.pwrite(self.files[fh], body[40 : 40 + size], offset)
        return struct.pack("<II", done, 0)

    def do_release(self, head: tuple[int, ...], body: bytes) -> bytes:
        handle = self.files.pop(struct.unpack_from("<Q", body)[0])
        if isinstance(handle, int):
            os.close(handle)
        return b""

    do_releasedir = do_release

    def do_opendir(self, head: tuple[int, ...], body: bytes) -> bytes:
        node = self._node(head[3])
        fd = os.open(self._path(head[3]), os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(fd) as entries:
                listing = [(e.name, e.inode(), _dtype(e)) for e in entries]
        finally:
            os.close(fd)
        if not self.options.opendir_passthrough:
            return self._open_out(listing, self.options.opendir_flags)
        if not node.backing_id:
            mask = self.options.dir_mask
            node.backing_id = self.backing_open(node.fd, op(READDIR) if mask is None else mask)
        return self._open_out(
            listing, FOPEN_PASSTHROUGH | self.options.opendir_flags,
            self.options.wrong_id or node.backing_id,
        )  # fmt: skip

    def _listing(self, head: tuple[int, ...], body: bytes, plus: bool) -> bytes:
        fh, offset, size = struct.unpack_from("<QQI", body)
        out = b""
        for index, (name, ino, dtype) in enumerate(self.files[fh]):
            if index < offset:
                continue
            raw = os.fsencode(name)
            dirent = DIRENT.pack(ino, index + 1, len(raw), dtype) + raw
            dirent += bytes(-len(dirent) % 8)
            if len(out) + len(dirent) + (128 if plus else 0) > size:
                break
            if plus:
                try:
                    out += self._entry(self._child(head[3], raw), short=True)
                except FileNotFoundError:
                    continue
            out += dirent
        return out

    def do_readdir(self, head: tuple[int, ...], body: bytes) -> bytes:
        return self._listing(head, body, plus=False)

    def do_readdirplus(self, head: tuple[int, ...], body: bytes) -> bytes:
        return self._listing(head, body, plus=True)

    def do_statfs(self, head: tuple[int, ...], body: bytes) -> bytes:
        st = os.statvfs(self._path(head[3]))
        return struct.pack(
            "<QQQQQIIII24x", st.f_blocks, st.f_bfree, st.f_bavail, st.f_files,
            st.f_ffree, st.f_bsize, st.f_namemax, st.f_frsize, 0,
        )  # fmt: skip

    def do_setxattr(self, head: tuple[int, ...], body: bytes) -> bytes:
        size, flags = struct.unpack_from("<II", body)
        name, rest = body[8:].split(b"\0", 1)
        os.setxattr(self._path(head[3]), name, rest[:size], flags)
        return b""

    def _sized(self, value: bytes, size: int) -> bytes:
        if not size:
            return struct.pack("<II", len(value), 0)
        if len(value) > size:
            raise OSError(errno.ERANGE, "size")
        return value

    def do_getxattr(self, head: tuple[int, ...], body: bytes) -> bytes:
        (size,) = struct.unpack_from("<I", body)
        name = body[8:].rstrip(b"\0")
        return self._sized(os.getxattr(self._path(head[3]), name), size)

    def do_listxattr(self, head: tuple[int, ...], body: bytes) -> bytes:
        (size,) = struct.unpack_from("<I", body)
        names = os.listxattr(self._path(head[3]))
        return self._sized(b"".join(os.fsencode(n) + b"\0" for n in names), size)

    def do_removexattr(self, head: tuple[int, ...], body: bytes) -> bytes:
        os.removexattr(self._path(head[3]), body.rstrip(b"\0"))
        return b""

    def do_fsync(self, head: tuple[int, ...], body: bytes) -> bytes:
        os.fsync(self.files[struct.unpack_from("<Q", body)[0]])
        return b""

    def do_flush(self, head: tuple[int, ...], body: bytes) -> bytes:
        return b""

    do_fsyncdir = do_destroy = do_flush

    # -- the loop

    def handle(self, request: bytes) -> bytes | None:
        """The reply to one request, None if it has none."""
        head = IN_HEADER.unpack_from(request)
        opcode, unique, nodeid = head[1], head[2], head[3]
        name = OP_NAMES.get(opcode, str(opcode))
        self.counts[name] = self.counts.get(name, 0) + 1
        free = (INIT, DESTROY, FORGET, BATCH_FORGET, INTERRUPT)
        if opcode not in free and nodeid not in self.nodes:
            self.violations.append(f"{name} for node {nodeid}, never looked up")
        method = getattr(self, f"do_{name.lower()}", None)
        if opcode == INTERRUPT:
            return None
        try:
            if method is None or (name.endswith("XATTR") and not self.options.xattrs):
                raise OSError(errno.ENOSYS, name)
            body: bytes | None = method(head, request[IN_HEADER.size :])
        except KeyError:
            return OUT_HEADER.pack(OUT_HEADER.size, -errno.ESTALE, unique)
        except OSError as error:
            code = error.errno or errno.EIO
            return OUT_HEADER.pack(OUT_HEADER.size, -code, unique)
        if body is None:
            return None
        return OUT_HEADER.pack(OUT_HEADER.size + len(body), 0, unique) + body

    def command(self, line: dict[str, Any]) -> Any:
        """A command of the test that owns this server."""
        if line["do"] == "stats":
            return {
                "counts": self.counts,
                "violations": self.violations,
                "nodes": {str(k): v.nlookup for k, v in self.nodes.items()},
                "kernel_flags": self.kernel_flags,
            }
        if line["do"] == "set":
            for key, value in line["options"].items():
                setattr(self.options, key, value)
            return None
        if line["do"] == "backing_open":
            path = line.get("path")
            fd = line.get("fd", -1)
            if path is not None:
                fd = os.open(path, line.get("open_flags", os.O_PATH))
            try:
                backing_id = self.backing_open(fd, line.get("mask", 0), line.get("flags", 0))
                self.backing_close(backing_id)
                return 0
            except OSError as error:
                return error.errno
            finally:
                if path is not None:
                    os.close(fd)
        raise ValueError(line["do"])

    def serve(self, control: socket.socket) -> None:
        poll = select.poll()
        poll.register(self.fuse_fd, select.POLLIN)
        poll.register(control, select.POLLIN)
        while True:
            for fd, event in poll.poll():
                if fd == control.fileno():
                    line = control.recv(65536)
                    if not line:
                        return
                    answer = self.command(json.loads(line))
                    control.send(json.dumps(answer).encode())
                elif event & select.POLLERR or not self._serve_one():
                    poll.unregister(self.fuse_fd)

    def _serve_one(self) -> bool:
        try:
            request = os.read(self.fuse_fd, 1 << 18)
        except OSError as error:
            # ENODEV is the end: unmounted
            return error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN)
        reply = self.handle(request)
        if reply is None:
            return True
        try:
            os.write(self.fuse_fd, reply)
        except FileNotFoundError:
            pass  # interrupted meanwhile
        except OSError as error:
            self.violations.append(f"reply refused: {errno.errorcode[error.errno or 0]}")
            unique = IN_HEADER.unpack_from(request)[2]
            with contextlib.suppress(OSError):
                os.write(self.fuse_fd, OUT_HEADER.pack(16, -errno.EIO, unique))
        return True


def _now_ns() -> int:
    import time

    return time.time_ns()


def _encode_dev(dev: int) -> int:
    major, minor = os.major(dev), os.minor(dev)
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def _decode_dev(rdev: int) -> int:
    return os.makedev((rdev >> 8) & 0xFFF, (rdev & 0xFF) | ((rdev >> 12) & 0xFFF00))


def _dtype(entry: os.DirEntry[str]) -> int:
    return stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) >> 12


_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, fstype: str, data: str, flags: int = 0) -> None:
    """mount(2); raises OSError."""
    if _libc.mount(source.encode(), target.encode(), fstype.encode(), flags, data.encode()):
        code = ctypes.get_errno()
        raise OSError(code, f"mount {target}: {os.strerror(code)}")


def umount(target: str, flags: int = 0) -> None:
    """umount2(2); raises OSError."""
    if _libc.umount2(target.encode(), flags):
        code = ctypes.get_errno()
        raise OSError(code, f"umount {target}: {os.strerror(code)}")


class Mount:
    """A server in a process of its own, mounted; a context manager.

    Leaving it unmounts, which must succeed, and fails if the server noted a
    violation, unless `violations_expected`.
    """

    def __init__(self, mountpoint: str, options: Options) -> None:
        self.path = mountpoint
        self.options = options
        self.violations_expected = False
        self._pid = 0

    def __enter__(self) -> Mount:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fuse_fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        data = f"fd={fuse_fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        if self.options.default_permissions:
            data += ",default_permissions"
        mount("lab", self.path, "fuse", data)
        self._pid = os.fork()
        if self._pid == 0:
            self._control.close()
            try:
                Server(fuse_fd, self.options).serve(theirs)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        theirs.close()
        os.close(fuse_fd)
        self.connection = os.stat(self.path).st_dev
        return self

    def ask(self, **command: Any) -> Any:
        """Send a command to the server, return its answer."""
        self._control.send(json.dumps(command).encode())
        return json.loads(self._control.recv(1 << 20))

    def set(self, **options: Any) -> None:
        """Change options of the running server."""
        self.ask(do="set", options=options)

    def backing_open(self, **what: Any) -> int:
        """The errno of BACKING_OPEN, 0 if it gave an id (closed again)."""
        return int(self.ask(do="backing_open", **what))

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        try:
            umount(self.path, 0 if kind is None else 2)
            violations = self.ask(do="stats")["violations"]
        finally:
            self._control.close()
            _, status = os.waitpid(self._pid, 0)
        if kind is None:
            assert status == 0, f"server exited with {status}"
            if not self.violations_expected:
                assert not violations, violations


if __name__ == "__main__":
    sys.exit("not a program: see guest.py")
