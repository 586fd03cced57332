"""Tests that run in the guest: one boot, one variant, one JSON line per test.

    python3 guest.py VARIANT RESULTS [NAME...]

Whether an operation stayed in the kernel is judged by the tracepoint
fuse:fuse_request_send, never by what was configured.  A test is a function with
`VARIANTS` it is for; it gets a `Lab`, and an exception is its failure.
"""

# Paths are system calls here, to be seen as such; actions share a signature.
# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH106, PTH108, PTH115, PTH116, PTH118, PTH123, PTH208, PTH211
# ruff: noqa: ARG001, SIM115, SIM117

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from server import (
    FOPEN_CACHE_DIR,
    GETATTR,
    LOOKUP,
    OPENDIR,
    PASSTHROUGH,
    PASSTHROUGH_INO,
    READ,
    READDIR,
    SETATTR,
    STATX,
    WRITE,
    Mount,
    Options,
    mount,
    op,
    umount,
)  # fmt: skip

ALL = ("mainline", "attach-getattr", "attach-lookup", "lookup")
PATCHED = ALL[1:]
BY_ENTRY = ALL[2:]  # variants with the long entry

RW = op(READ, WRITE)
INODE = op(GETATTR, STATX)
N = 101  # prime, so that it cannot come out by accident
TRACING = "/sys/kernel/tracing"
PARAMETERS = "/sys/module/fuse/parameters"
TEST_TIMEOUT_S = 600
SCRATCH = "/run/fuse-lab"  # a tmpfs of its own


class Requests(dict[str, int]):
    """Requests of one connection by opcode; complete when the block ended."""

    def __init__(self, connection: int) -> None:
        super().__init__()
        self.connection = connection

    def __missing__(self, key: str) -> int:
        return 0

    def __enter__(self) -> Requests:
        self._dir = f"{TRACING}/instances/lab"
        os.makedirs(self._dir, exist_ok=True)
        _write(f"{self._dir}/buffer_size_kb", "16384")
        _write(f"{self._dir}/trace", "")
        _write(f"{self._dir}/events/fuse/fuse_request_send/enable", "1")
        return self

    def __exit__(self, *exc: object) -> None:
        _write(f"{self._dir}/events/fuse/fuse_request_send/enable", "0")
        text = _read(f"{self._dir}/trace")
        match = re.search(r"entries-in-buffer/entries-written: (\d+)/(\d+)", text)
        assert match and match[1] == match[2], "trace buffer overflowed"
        wanted = f"connection {self.connection} "
        for found in re.finditer(r"(connection \d+ )req \d+ opcode \d+ \(FUSE_(\w+)\)", text):
            if found[1] == wanted:
                self[found[2]] = self[found[2]] + 1


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


class Lab:
    """What a test works with: a fresh backing directory and a mountpoint."""

    def __init__(self, variant: str, scratch: str) -> None:
        self.variant = variant
        self.backing = os.path.join(scratch, "backing")
        self.mountpoint = os.path.join(scratch, "mnt")
        os.makedirs(self.backing)
        os.makedirs(self.mountpoint)

    def below(self, *names: str) -> str:
        return os.path.join(self.backing, *names)

    def above(self, *names: str) -> str:
        return os.path.join(self.mountpoint, *names)

    def file(self, name: str, content: bytes = b"content") -> str:
        """Make a file underneath, return its path in the mount."""
        with open(self.below(name), "wb") as file:
            file.write(content)
        return self.above(name)

    def mount(self, **options: Any) -> Mount:
        options.setdefault("entry_timeout", 1000.0)
        return Mount(self.mountpoint, Options(self.backing, **options))

    def attached(self, more: int = 0, **options: Any) -> Mount:
        """A mount on which the variant's way of attaching is used for all; ``more`` goes into each mask."""
        dir_ops = op(READDIR)
        if self.variant == "lookup":
            dir_ops |= op(LOOKUP, OPENDIR)
            options.setdefault("default_permissions", True)
        extra = more | (op(SETATTR) if self.variant in BY_ENTRY else 0)
        settings: dict[str, Any] = {
            "passthrough": True,
            "ino": True,
            "entry2": self.variant in BY_ENTRY,
            "attach_in_getattr": True,
            "open_passthrough": True,
            "opendir_passthrough": True,
            "file_mask": RW | INODE | extra,
            "dir_mask": INODE | extra | dir_ops,
            "other_mask": INODE | extra,
        }
        settings.update(options)
        return self.mount(**settings)


@contextlib.contextmanager
def switched_off(name: str) -> Iterator[None]:
    """Turn one operation's switch off for the block."""
    path = f"{PARAMETERS}/iops_{name}"
    _write(path, "N")
    try:
        assert _read(path) == "N\n"
        yield
    finally:
        _write(path, "Y")


def drop_caches() -> None:
    """Evict inodes and dentries that nobody holds."""
    os.sync()
    _write("/proc/sys/vm/drop_caches", "3")


def wait_until_forgotten(mnt: Mount) -> None:
    """Wait until the kernel gave back every lookup but the root's; 10 s at most."""
    deadline = time.monotonic() + 10
    while len(mnt.ask(do="stats")["nodes"]) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    expect(mnt.ask(do="stats")["nodes"], {"1": 1}, "nodes the server is left with")


def errno_of(call: Callable[[], Any]) -> int:
    """The errno a call fails with, 0 if it does not."""
    try:
        call()
    except OSError as error:
        return error.errno or -1
    return 0


def errno_as(uid: int, call: Callable[[], Any]) -> int:
    """The errno of a call made by another user, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            code = errno_of(call)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def expect(got: Any, wanted: Any, what: str = "") -> None:
    assert got == wanted, f"{what or 'value'}: got {got!r}, wanted {wanted!r}"


def expect_errno(got: int, wanted: int, what: str = "") -> None:
    name = errno.errorcode.get(got, str(got)) if got else "success"
    assert got == wanted, f"{what}: got {name}, wanted {errno.errorcode[wanted]}"


# -- statx(2), every field of it

_libc = ctypes.CDLL(None, use_errno=True)
_STATX = struct.Struct("<IIQIIIHHQQQQ" + "qIi" * 4 + "IIIIQII")
STATX_FIELDS = (
    "mask", "blksize", "attributes", "nlink", "uid", "gid", "mode", "_0", "ino",
    "size", "blocks", "attributes_mask", "atime", "atime_ns", "_1", "btime",
    "btime_ns", "_2", "ctime", "ctime_ns", "_3", "mtime", "mtime_ns", "_4",
    "rdev_major", "rdev_minor", "dev_major", "dev_minor", "mnt_id", "_5", "_6",
)  # fmt: skip
# of the mount, not of the file
NOT_COMPARED = {"dev_major", "dev_minor", "mnt_id", "_5", "_6"}
STATX_ATTR_MOUNT_ROOT = 0x2000


def statx(path: str, mask: int = 0xFFF) -> dict[str, int]:
    buffer = ctypes.create_string_buffer(256)
    at_fdcwd, nofollow, number = -100, 0x100, 332
    if _libc.syscall(number, at_fdcwd, path.encode(), nofollow, mask, buffer):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    fields = dict(zip(STATX_FIELDS, _STATX.unpack_from(buffer.raw), strict=False))
    fields["attributes"] &= ~STATX_ATTR_MOUNT_ROOT
    return fields


def differing(above: str, below: str) -> dict[str, tuple[int, int]]:
    """statx fields that differ: name -> (through the mount, underneath)."""
    one, two = statx(above), statx(below)
    return {
        name: (one[name], two[name])
        for name in STATX_FIELDS
        if name not in NOT_COMPARED and one[name] != two[name]
    }


def expect_same(lab: Lab, name: str, what: str) -> None:
    os.lstat(lab.above(name))  # the reply that attaches has no birth time yet
    differences = differing(lab.above(name), lab.below(name))
    assert not differences, f"{what}: {name}: {differences}"


# -- getdents64(2) with positions, which no Python call has


def getdents(fd: int, size: int = 4096) -> list[tuple[str, int]]:
    """(name, position after it) of the entries one call returns."""
    buffer = ctypes.create_string_buffer(size)
    got = _libc.syscall(217, fd, buffer, size)
    if got < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    entries, at = [], 0
    while at < got:
        _ino, position, length = struct.unpack_from("<QqH", buffer.raw, at)
        name = buffer.raw[at + 19 : at + length].split(b"\0", 1)[0]
        entries.append((name.decode(), position))
        at += length
    return entries


def read_all(fd: int, size: int = 4096) -> list[tuple[str, int]]:
    entries: list[tuple[str, int]] = []
    while True:
        some = getdents(fd, size)
        if not some:
            return entries
        entries += some


def end_of(fd: int) -> int:
    """Where SEEK_END of a directory leads, or minus the errno."""
    try:
        return os.lseek(fd, 0, os.SEEK_END)
    except OSError as error:
        return -(error.errno or 0)


@contextlib.contextmanager
def directory(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def ext4(lab: Lab) -> Iterator[None]:
    """Put the backing directory on ext4, whose positions are hashes."""
    image = lab.below() + ".img"
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(
        ["mkfs.ext4", "-q", "-F", "-O", "dir_index", image], check=True
    )  # fmt: skip
    subprocess.run(["mount", "-o", "loop", image, lab.backing], check=True)
    try:
        yield
    finally:
        umount(lab.backing)


# -- tests

Test = Callable[[Lab], None]
TESTS: list[tuple[Test, tuple[str, ...]]] = []


def variants(*names: str) -> Callable[[Test], Test]:
    def register(test: Test) -> Test:
        TESTS.append((test, names))
        return test

    return register


@variants(*ALL)
def test_plain_mirror_is_asked_for_every_getattr(lab: Lab) -> None:
    path = lab.file("f")
    with lab.mount() as mnt:
        os.stat(path)
        with Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(path)
        assert seen["GETATTR"] >= N, seen
        with Requests(mnt.connection) as seen:
            os.listdir(lab.mountpoint)
        assert seen["READDIR"] >= 1, seen


@variants("mainline")
def test_mainline_offers_nothing_new(lab: Lab) -> None:
    lab.file("f")
    with lab.mount(passthrough=True) as mnt:
        flags = mnt.ask(do="stats")["kernel_flags"]
        expect(bool(flags & PASSTHROUGH), True, "FUSE_PASSTHROUGH offered")
        expect(bool(flags & PASSTHROUGH_INO), False, "FUSE_PASSTHROUGH_INO offered")
        expect(mnt.backing_open(path=lab.below("f")), 0, "mask 0")
        for mask in (RW, op(GETATTR), op(READDIR)):
            got = mnt.backing_open(path=lab.below("f"), mask=mask)
            expect_errno(got, errno.EINVAL, f"mask {mask:#x}")
        got = mnt.backing_open(path=lab.backing, mask=op(READDIR))
        expect_errno(got, errno.EINVAL, "directory with READDIR")


@variants("mainline")
def test_mainline_ignores_an_id_in_getattr_and_passthrough_of_opendir(lab: Lab) -> None:
    path = lab.file("f")
    with lab.mount(passthrough=True) as mnt:
        mnt.set(opendir_flags=1 << 7)
        with Requests(mnt.connection) as seen:
            expect(os.listdir(lab.mountpoint), ["f"])
        assert seen["READDIR"] >= 1, seen
        mnt.set(attach_in_getattr=True, file_mask=0)
        with Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(path)
        assert seen["GETATTR"] >= N, seen


@variants("mainline", "attach-getattr")
def test_a_long_entry_is_refused_where_it_was_not_negotiated(lab: Lab) -> None:
    path = lab.file("f")
    with lab.mount(passthrough=True, ino=True, entry2=True) as mnt:
        expect_errno(errno_of(lambda: os.stat(path)), errno.EIO, "stat")
        violations = mnt.ask(do="stats")["violations"]
        expect(violations, ["reply refused: EINVAL"])
        mnt.violations_expected = True


@variants(*ALL)
def test_read_and_write_pass_through(lab: Lab) -> None:
    path = lab.file("f", b"old")
    with lab.mount(passthrough=True, open_passthrough=True) as mnt:
        with Requests(mnt.connection) as seen, open(path, "r+b", buffering=0) as file:
            expect(file.read(), b"old")
            file.write(b"new")
        expect((seen["READ"], seen["WRITE"]), (0, 0), "READ, WRITE")
        expect(open(lab.below("f"), "rb").read(), b"oldnew")


# -- BACKING_OPEN: each error, and which one comes first


@variants(*PATCHED)
def test_backing_open_errors(lab: Lab) -> None:
    lab.file("f")
    os.mkfifo(lab.below("fifo"))
    f, fifo, d = lab.below("f"), lab.below("fifo"), lab.backing
    no_fd, unknown = 1000, 1 << 62

    with lab.mount() as mnt:
        expect_errno(mnt.backing_open(path=f), errno.EPERM, "not negotiated")
        expect_errno(mnt.backing_open(fd=no_fd, mask=unknown), errno.EPERM, "EPERM first")

    with lab.mount(passthrough=True) as mnt:
        ask = mnt.backing_open
        expect_errno(ask(fd=no_fd, flags=1), errno.EINVAL, "flags")
        expect_errno(ask(fd=no_fd, mask=unknown), errno.EINVAL, "unknown bit")
        expect_errno(ask(fd=no_fd, mask=op(GETATTR)), errno.EINVAL, "without INO")
        expect_errno(ask(path=f, mask=op(GETATTR)), errno.EINVAL, "without INO")
        expect(ask(path=d, mask=op(READDIR)), 0, "READDIR needs no INO")
        expect(ask(path=f, mask=RW), 0, "READ and WRITE")

    with lab.mount(passthrough=True, ino=True) as mnt:
        ask = mnt.backing_open
        expect_errno(ask(fd=no_fd), errno.EBADF, "bad fd")
        expect_errno(ask(fd=no_fd, mask=op(READDIR)), errno.EBADF, "bad fd, READDIR")
        expect_errno(ask(path=d), errno.EISDIR, "directory, mask 0")
        expect_errno(ask(path=d, mask=RW), errno.EISDIR, "directory, RW")
        expect_errno(ask(path=fifo), errno.EINVAL, "fifo, mask 0")
        expect_errno(ask(path=fifo, mask=RW), errno.EINVAL, "fifo, RW")
        expect_errno(ask(path=f, mask=op(READDIR)), errno.ENOTDIR, "file, READDIR")
        expect_errno(ask(path=f, mask=op(GETATTR, READDIR)), errno.ENOTDIR, "file, both")
        for path in (f, fifo, d):
            expect(ask(path=path, mask=INODE), 0, f"GETATTR of {path}")
        with_setattr = ask(path=f, mask=op(GETATTR, SETATTR))
        expect(with_setattr == 0, lab.variant in BY_ENTRY, "SETATTR known")
        with_lookup = ask(path=d, mask=op(GETATTR, LOOKUP))
        expect_errno(with_lookup, errno.EINVAL, "LOOKUP without default_permissions")


@variants(*PATCHED)
def test_backing_open_refuses_a_stack_that_is_too_deep(lab: Lab) -> None:
    for name in ("lower", "upper", "work", "merged"):
        os.mkdir(lab.below(name))
    lab.file("lower/f")
    data = ",".join(
        f"{key}={lab.below(name)}"
        for key, name in (("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work"))
    )
    mount("overlay", lab.below("merged"), "overlay", data)
    try:
        with lab.mount(passthrough=True, ino=True) as mnt:
            for mask in (0, RW, op(GETATTR)):
                got = mnt.backing_open(path=lab.below("merged/f"), mask=mask)
                expect_errno(got, errno.ELOOP, f"overlayfs, mask {mask:#x}")
    finally:
        umount(lab.below("merged"))


@variants("lookup")
def test_backing_open_errors_of_directory_operations(lab: Lab) -> None:
    lab.file("f")
    with lab.mount(passthrough=True, ino=True, default_permissions=True) as mnt:
        ask = mnt.backing_open
        d = lab.backing
        expect_errno(ask(path=d, mask=op(LOOKUP)), errno.EINVAL, "without GETATTR")
        expect_errno(ask(path=d, mask=op(OPENDIR)), errno.EINVAL, "without READDIR")
        got = ask(path=lab.below("f"), mask=op(GETATTR, LOOKUP))
        expect_errno(got, errno.ENOTDIR, "LOOKUP in a file")
        expect(ask(path=d, mask=op(GETATTR, LOOKUP, OPENDIR, READDIR)), 0, "all of them")


# -- readdir


def _make_files(lab: Lab, count: int, where: str = "") -> list[str]:
    names = [f"file-{index:05d}-{'x' * (index % 40)}" for index in range(count)]
    for name in names:
        os.close(os.open(lab.below(where, name), os.O_CREAT, 0o644))
    return names


def _check_readdir(lab: Lab) -> None:
    names = sorted(_make_files(lab, 1009))
    with lab.mount(passthrough=True, opendir_passthrough=True, readdirplus=True) as mnt:
        with Requests(mnt.connection) as seen:
            expect(sorted(os.listdir(lab.mountpoint)), names, "listing")
        expect((seen["READDIR"], seen["READDIRPLUS"]), (0, 0), "READDIR, READDIRPLUS")
        expect((seen["OPENDIR"], seen["RELEASEDIR"]), (1, 1), "OPENDIR, RELEASEDIR")

        with directory(lab.mountpoint) as above, directory(lab.backing) as below:
            native = read_all(below)
            expect(read_all(above), native, "entries and positions")
            # seekdir to every 97th position, backwards
            for index in range(len(native) - 2, 0, -97):
                os.lseek(above, native[index][1], os.SEEK_SET)
                expect(getdents(above)[0], native[index + 1], f"after {index}")
            # each file system has an end of its own, and some have none
            expect(end_of(above), end_of(below), "SEEK_END")
            # past the end, and back
            os.lseek(above, native[-1][1], os.SEEK_SET)
            expect(getdents(above), [], "at the end")
            os.lseek(above, 0, os.SEEK_SET)
            expect(read_all(above, 300), native, "small buffers")


@variants(*PATCHED)
def test_readdir_of_tmpfs_passes_through_with_its_positions(lab: Lab) -> None:
    _check_readdir(lab)


@variants(*PATCHED)
def test_readdir_of_ext4_passes_through_with_its_positions(lab: Lab) -> None:
    with ext4(lab):
        shutil.rmtree(lab.below("lost+found"))
        _check_readdir(lab)


@variants(*PATCHED)
def test_readdir_by_concurrent_readers(lab: Lab) -> None:
    names = _make_files(lab, 499)
    wanted = sorted([*names, ".", ".."])
    with lab.mount(passthrough=True, opendir_passthrough=True) as mnt:
        with Requests(mnt.connection) as seen:
            with directory(lab.mountpoint) as one, directory(lab.mountpoint) as two:
                first, second = [], []
                while True:
                    some, more = getdents(one, 512), getdents(two, 700)
                    if not some and not more:
                        break
                    first += some
                    second += more
            expect(sorted(name for name, _ in first), wanted, "first reader")
            expect(sorted(name for name, _ in second), wanted, "second reader")

            with directory(lab.mountpoint) as shared:
                together: list[str] = []
                threads = [
                    threading.Thread(
                        target=lambda: together.extend(n for n, _ in read_all(shared, 512))
                    )
                    for _ in range(4)
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            expect(sorted(together), wanted, "four threads, one descriptor")
        expect(seen["READDIR"], 0, "READDIR")


@variants(*PATCHED)
def test_rewinddir_sees_new_and_removed_files(lab: Lab) -> None:
    lab.file("a")
    with lab.mount(passthrough=True, opendir_passthrough=True), directory(lab.mountpoint) as fd:
        lab.file("b")  # before the first read: the position is 0 already
        os.lseek(fd, 0, os.SEEK_SET)
        names = sorted(name for name, _ in read_all(fd))
        expect(names, [".", "..", "a", "b"], "after the first rewind")
        os.unlink(lab.below("a"))
        lab.file("c")
        os.lseek(fd, 0, os.SEEK_SET)
        names = sorted(name for name, _ in read_all(fd))
        expect(names, [".", "..", "b", "c"], "after the second")


@variants(*PATCHED)
def test_wrong_replies_to_opendir_fail_the_open(lab: Lab) -> None:
    def listing() -> list[str]:
        return os.listdir(lab.mountpoint)

    with lab.mount(passthrough=True, opendir_passthrough=True) as mnt:
        mnt.set(opendir_flags=FOPEN_CACHE_DIR)
        expect_errno(errno_of(listing), errno.EIO, "with FOPEN_CACHE_DIR")
        mnt.set(opendir_flags=0, wrong_id=9999)
        expect_errno(errno_of(listing), errno.EIO, "unknown id")
        mnt.set(wrong_id=0)
        expect(listing(), [], "right again")
    with lab.mount(
        passthrough=True, ino=True, opendir_passthrough=True, dir_mask=op(GETATTR),
        entry2=lab.variant in BY_ENTRY,
    ):  # fmt: skip
        expect_errno(errno_of(listing), errno.EIO, "id without READDIR")


@variants(*PATCHED)
def test_switch_readdir(lab: Lab) -> None:
    _make_files(lab, 11)
    with lab.mount(passthrough=True, opendir_passthrough=True) as mnt:
        with switched_off("readdir"), Requests(mnt.connection) as seen:
            expect(len(os.listdir(lab.mountpoint)), 11)
        assert seen["READDIR"] >= 1, seen
        with Requests(mnt.connection) as seen:
            expect(len(os.listdir(lab.mountpoint)), 11)
        expect(seen["READDIR"], 0, "READDIR")


# -- getattr


@variants("attach-getattr")
def test_attach_getattr_is_asked_once_until_the_inode_is_evicted(lab: Lab) -> None:
    paths = [lab.file(f"f{index}") for index in range(7)]
    with lab.attached() as mnt:
        for what in ("at first", "after drop_caches"):
            with Requests(mnt.connection) as seen:
                for _ in range(N):
                    for path in paths:
                        os.stat(path)
            expect(seen["GETATTR"], len(paths), f"GETATTR {what}")
            drop_caches()
        os.stat(paths[0])
        with switched_off("getattr"), Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(paths[0])
        assert seen["GETATTR"] >= N, f"switched off: {seen}"
        with Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(paths[0])
        expect(dict(seen), {}, "warm storm")


@variants(*BY_ENTRY)
def test_attach_lookup_is_never_asked(lab: Lab) -> None:
    os.mkdir(lab.below("d"))
    paths = [lab.file(f"d/f{index}") for index in range(7)]
    with lab.attached() as mnt:
        for what in ("at first", "after drop_caches"):
            with Requests(mnt.connection) as seen:
                for _ in range(N):
                    for path in paths:
                        os.stat(path)
            expect(seen["GETATTR"], 0, f"GETATTR {what}")
            drop_caches()
        os.stat(paths[0])
        with switched_off("getattr"), Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(paths[0])
        assert seen["GETATTR"] >= N, f"switched off: {seen}"


@variants(*PATCHED)
def test_fstat_of_an_open_file_and_of_every_type(lab: Lab) -> None:
    lab.file("file")
    os.mkdir(lab.below("dir"))
    os.symlink("file", lab.below("symlink"))
    os.mkfifo(lab.below("fifo"))
    os.mknod(lab.below("null"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    with lab.attached() as mnt:
        for name in os.listdir(lab.backing):
            os.lstat(lab.above(name))
        fd = os.open(lab.above("file"), os.O_RDONLY)
        with Requests(mnt.connection) as seen:
            for _ in range(N):
                os.fstat(fd)
                for name in os.listdir(lab.backing):
                    os.lstat(lab.above(name))
        os.close(fd)
        expect(seen["GETATTR"], 0, "GETATTR")
        for name in os.listdir(lab.backing):
            expect_same(lab, name, "type")


@variants(*PATCHED)
def test_default_permissions_walks_without_getattr(lab: Lab) -> None:
    os.makedirs(lab.below("a/b/c"))
    path = lab.file("a/b/c/f")
    with lab.attached(default_permissions=True) as mnt:
        os.stat(path)
        with Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(path)
        expect(seen["GETATTR"], 0, "GETATTR")
        os.chmod(lab.below("a"), 0o700)
        got = errno_as(65534, lambda: os.stat(path))
        expect_errno(got, errno.EACCES, "closed underneath, at once")


@variants(*PATCHED)
def test_wrong_ids_and_inode_numbers_fail_with_eio(lab: Lab) -> None:
    path = lab.file("f")
    for wrong in ({"wrong_id": 9999}, {"wrong_ino": 1000000}):
        with lab.attached(default_permissions=False, dir_mask=None, **wrong):
            # of the root directory nothing is attached
            expect_errno(errno_of(lambda: os.stat(path)), errno.EIO, str(wrong))


@variants(*PATCHED)
def test_a_cached_open_and_an_attached_inode_exclude_each_other(lab: Lab) -> None:
    path = lab.file("f")
    with lab.attached(
        file_mask=None, dir_mask=None, open_passthrough=False, entry_timeout=0.0,
        default_permissions=False,
    ) as mnt:  # fmt: skip
        cached = os.open(path, os.O_RDONLY)
        mnt.set(file_mask=RW | INODE)
        with Requests(mnt.connection) as seen:
            for _ in range(3):
                os.stat(path)
        expect(seen["GETATTR"], 3, "GETATTR, refused while open")
        os.close(cached)
        time.sleep(0.2)  # RELEASE is sent later, and the mode left with it
        os.stat(path)
        os.stat(path)
        with Requests(mnt.connection) as seen:
            os.stat(path)
        expect(seen["GETATTR"], 0, "GETATTR, attached after close")
        got = errno_of(lambda: os.open(path, os.O_RDONLY))
        expect_errno(got, errno.EIO, "cached open of an attached inode")


@variants(*PATCHED)
def test_without_read_and_write_bits_cached_io_goes_on(lab: Lab) -> None:
    path = lab.file("f", b"one")
    with lab.attached(file_mask=INODE, open_passthrough=False) as mnt:
        os.stat(path)
        with open(path, "rb") as file:
            expect(file.read(), b"one")
        with open(lab.below("f"), "wb") as file:
            file.write(b"twotwo")
        expect(os.stat(path).st_size, 6)
        with open(path, "rb") as file:
            expect(file.read(), b"twotwo", "page cache follows")
        with Requests(mnt.connection) as seen:
            os.stat(path)
        expect(seen["GETATTR"], 0, "GETATTR")


@variants(*PATCHED)
def test_a_growing_and_a_shrinking_file_cut_the_page_cache(lab: Lab) -> None:
    path = lab.file("f", b"a" * 10000)
    with lab.attached(file_mask=INODE, open_passthrough=False):
        with open(path, "rb", buffering=0) as file:
            expect(len(file.read()), 10000)
            os.truncate(lab.below("f"), 5000)
            os.fstat(file.fileno())
            os.truncate(lab.below("f"), 10000)
            os.fstat(file.fileno())
            expect(os.pread(file.fileno(), 10000, 0), b"a" * 5000 + bytes(5000))


# -- coherence of every attribute, whoever changes it


def _changes(lab: Lab) -> list[tuple[str, Callable[[str], None]]]:
    def append(path: str) -> None:
        with open(path, "ab") as file:
            file.write(b"more")

    def mmap_write(path: str) -> None:
        import mmap

        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 4) as area:
            area[:4] = b"MMAP"

    return [
        ("append", append),
        ("truncate", lambda path: os.truncate(path, 3)),
        ("extend", lambda path: os.truncate(path, 100000)),
        ("chmod", lambda path: os.chmod(path, 0o4711)),
        ("chown", lambda path: os.chown(path, 12, 34)),
        ("utime", lambda path: os.utime(path, ns=(10**18 + 1, 10**18 + 2))),
        ("touch", lambda path: os.utime(path)),
        ("mmap", mmap_write),
        ("link", lambda path: os.link(path, path + ".2")),
        ("unlink of one", lambda path: os.unlink(path + ".2")),
        ("open for truncation", lambda path: open(path, "wb").close()),
    ]


@variants(*PATCHED)
def test_every_statx_field_after_every_change_on_either_side(lab: Lab) -> None:
    lab.file("f", b"0123456789")
    for atomic in (False, True):
        with lab.attached(atomic_o_trunc=atomic) as mnt:
            for what, change in _changes(lab):
                for side in (lab.above, lab.below):
                    expect_same(lab, "f", f"before {what}")
                    change(side("f"))
                    expect_same(lab, "f", f"after {what} in {side('')}")
                    if what == "link":
                        os.unlink(side("f") + ".2")
                    if what == "unlink of one":
                        break
                if what == "link":
                    os.link(lab.below("f"), lab.below("f.2"))
            with Requests(mnt.connection) as seen:
                statx(lab.above("f"))
            expect((seen["GETATTR"], seen["STATX"]), (0, 0), "GETATTR, STATX")


@variants(*PATCHED)
def test_directory_attributes_follow_their_entries(lab: Lab) -> None:
    os.mkdir(lab.below("d"))
    with lab.attached() as mnt:
        for side in (lab.above, lab.below):
            os.mkdir(side("d/sub"))
            expect_same(lab, "d", "after mkdir")
            os.close(os.open(side("d/f"), os.O_CREAT | os.O_WRONLY, 0o644))
            expect_same(lab, "d", "after create")
            expect_same(lab, "d/f", "created")
            os.rename(side("d/f"), side("d/sub/g"))
            expect_same(lab, "d", "after rename")
            expect_same(lab, "d/sub", "after rename")
            # A positive entry of a mount may be stale for its timeout
            if side == lab.below:
                mnt.set(entry_timeout=0.0)
                drop_caches()
            expect_same(lab, "d/sub/g", "renamed")
            os.unlink(side("d/sub/g"))
            os.rmdir(side("d/sub"))
            expect_same(lab, "d", "after rmdir")
            expect(os.listdir(lab.above("d")), [], "empty")


@variants(*PATCHED)
def test_an_unlinked_file_that_is_open(lab: Lab) -> None:
    path = lab.file("f")
    with lab.attached() as mnt:
        os.stat(path)
        with open(path, "r+b", buffering=0) as file:
            os.unlink(path)
            expect_errno(errno_of(lambda: os.stat(path)), errno.ENOENT, "stat")
            st = os.fstat(file.fileno())
            expect((st.st_nlink, st.st_size), (0, 7), "nlink, size")
            file.write(b"longer than before")
            expect(os.fstat(file.fileno()).st_size, 18, "size")
            os.ftruncate(file.fileno(), 2)
            expect(os.fstat(file.fileno()).st_size, 2, "size")
        path = lab.file("g")
        with open(path, "rb") as file:
            os.unlink(lab.below("g"))
            expect(os.fstat(file.fileno()).st_nlink, 0, "removed underneath")
        mnt.set(entry_timeout=0.0)


@variants(*PATCHED)
def test_hard_links_show_one_inode(lab: Lab) -> None:
    lab.file("a")
    os.link(lab.below("a"), lab.below("b"))
    with lab.attached() as mnt:
        one, two = os.stat(lab.above("a")), os.stat(lab.above("b"))
        expect((one.st_ino, one.st_nlink), (two.st_ino, 2), "ino, nlink")
        os.chmod(lab.above("a"), 0o611)
        expect(stat.S_IMODE(os.stat(lab.above("b")).st_mode), 0o611, "mode")
        os.link(lab.above("a"), lab.above("c"))
        expect(os.stat(lab.above("b")).st_nlink, 3, "nlink")
        os.unlink(lab.above("a"))
        for name in ("b", "c"):
            expect_same(lab, name, "the remaining names")
        with Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(lab.above("b"))
        expect(seen["GETATTR"], 0, "GETATTR")


@variants(*PATCHED)
def test_attached_inode_answers_stat_without_its_server(lab: Lab) -> None:
    path = lab.file("f")
    with lab.attached(default_permissions=False, dir_mask=None) as mnt:
        os.stat(path)
        os.stat(path)
        with open(lab.below("f"), "ab") as file:
            file.write(b"!")
        os.kill(mnt._pid, signal.SIGSTOP)
        ours, theirs = os.pipe()
        child = os.fork()  # which would wait for the server for ever
        if child == 0:
            os.write(theirs, b"%d" % os.stat(path).st_size)
            os._exit(0)
        answered, _, _ = select.select([ours], [], [], 5)
        os.kill(mnt._pid, signal.SIGCONT)
        os.waitpid(child, 0)
        assert answered, "no answer while the server was stopped"
        expect(os.read(ours, 10), b"8", "size")
        os.close(ours)
        os.close(theirs)


@variants(*PATCHED)
def test_no_backing_file_outlives_the_mount(lab: Lab) -> None:
    with ext4(lab):  # unmounted at the end, EBUSY if something is still held
        _make_files(lab, 50)
        os.mkdir(lab.below("d"))
        lab.file("d/f")
        with lab.attached() as mnt:
            for _ in range(2):  # evicted by drop_caches, and by unmounting
                drop_caches()
                wait_until_forgotten(mnt)  # the server closes ids by that
                for name in os.listdir(lab.mountpoint):
                    os.stat(lab.above(name))
                os.stat(lab.above("d/f"))
                open(lab.above("d/f")).close()


# -- setattr


@variants(*BY_ENTRY)
def test_setattr_passes_through(lab: Lab) -> None:
    path = lab.file("f", b"x" * 1000)
    with lab.attached() as mnt:
        os.stat(path)
        with Requests(mnt.connection) as seen:
            for index in range(N):
                os.chmod(path, 0o600 + index % 8)
                os.chown(path, index, index)
                os.truncate(path, index)
                os.utime(path, ns=(index, index))
                os.utime(path)
        expect((seen["SETATTR"], seen["GETATTR"]), (0, 0), "SETATTR, GETATTR")
        expect_same(lab, "f", "after all")
        with switched_off("setattr"), Requests(mnt.connection) as seen:
            for index in range(N):
                os.chmod(path, 0o600 + index % 8)
        expect(seen["SETATTR"], N, "SETATTR, switched off")
        expect_same(lab, "f", "by the server")


@variants(*BY_ENTRY)
def test_setattr_checks_the_rights_of_the_caller(lab: Lab) -> None:
    path = lab.file("f")
    nobody = 65534
    for default_permissions in (False, True):
        if lab.variant == "lookup" and not default_permissions:
            continue
        lab.file("f")
        os.chown(lab.below("f"), 0, 0)
        os.chmod(lab.below("f"), 0o644)
        with lab.attached(default_permissions=default_permissions) as mnt:
            os.stat(path)
            with Requests(mnt.connection) as seen:
                for what, call in (
                    ("chmod", lambda: os.chmod(path, 0o777)),
                    ("chown", lambda: os.chown(path, nobody, nobody)),
                    ("utime", lambda: os.utime(path, ns=(1, 1))),
                ):
                    expect_errno(errno_as(nobody, call), errno.EPERM, what)
                for what, call in (
                    ("touch", lambda: os.utime(path)),
                    ("truncate", lambda: os.truncate(path, 0)),
                ):
                    expect_errno(errno_as(nobody, call), errno.EACCES, what)
                expect(os.stat(path).st_size, 7, "size")
                os.chown(path, nobody, nobody)
                expect(errno_as(nobody, lambda: os.chmod(path, 0o600)), 0, "owner's chmod")
                expect(errno_as(nobody, lambda: os.truncate(path, 1)), 0, "owner's truncate")
                got = errno_as(nobody, lambda: os.chown(path, 0, 0))
                expect_errno(got, errno.EPERM, "giving it away")
            expect(seen["SETATTR"], 0, "SETATTR")
            expect_same(lab, "f", "after all")


@variants(*BY_ENTRY)
def test_setattr_drops_suid_and_sgid(lab: Lab) -> None:
    path = lab.file("f")
    nobody = 65534
    with lab.attached() as mnt:
        os.chmod(path, 0o6777)
        with Requests(mnt.connection) as seen:
            expect(errno_as(nobody, lambda: os.truncate(path, 3)), 0, "truncate")
            expect(stat.S_IMODE(os.stat(path).st_mode), 0o777, "mode after truncate")
            # set underneath, so that the mode of the FUSE inode is out of date
            os.chmod(lab.below("f"), 0o6777)
            expect(errno_as(nobody, lambda: os.truncate(path, 2)), 0, "truncate")
            expect(stat.S_IMODE(os.stat(path).st_mode), 0o777, "mode, changed underneath")
            os.chmod(path, 0o6755)
            os.chown(path, nobody, nobody)
            expect(stat.S_IMODE(os.stat(path).st_mode), 0o755, "mode after chown")
            os.chmod(path, 0o2755)
            os.chown(path, nobody, 0)
            expect(errno_as(nobody, lambda: os.chmod(path, 0o2755)), 0, "chmod")
            expect(stat.S_IMODE(os.stat(path).st_mode), 0o755, "not in the group")
        expect(seen["SETATTR"], 0, "SETATTR")


@variants(*BY_ENTRY)
def test_setattr_of_directories_and_of_open_files(lab: Lab) -> None:
    os.mkdir(lab.below("d"))
    path = lab.file("f")
    with lab.attached() as mnt:
        os.stat(lab.above("d"))
        fd = os.open(path, os.O_RDWR)
        with Requests(mnt.connection) as seen:
            os.chmod(lab.above("d"), 0o1777)
            os.chown(lab.above("d"), 7, 8)
            os.ftruncate(fd, 4096)
            os.fchmod(fd, 0o640)
            os.utime(fd, ns=(5, 6))
        os.close(fd)
        expect(seen["SETATTR"], 0, "SETATTR")
        expect_same(lab, "d", "directory")
        expect_same(lab, "f", "file")


@variants("attach-lookup")
def test_created_entries_are_attached_too(lab: Lab) -> None:
    with lab.attached() as mnt:
        with Requests(mnt.connection) as seen:
            os.close(os.open(lab.above("file"), os.O_CREAT | os.O_RDWR, 0o644))
            os.mkdir(lab.above("dir"))
            os.symlink("file", lab.above("symlink"))
            os.mkfifo(lab.above("fifo"))
            os.link(lab.above("file"), lab.above("link"))
            for name in ("file", "dir", "symlink", "fifo", "link"):
                for _ in range(N):
                    os.lstat(lab.above(name))
        expect(seen["GETATTR"], 0, "GETATTR")
        for name in ("file", "dir", "symlink", "fifo", "link"):
            expect_same(lab, name, "created")


@variants("attach-lookup")
def test_readdirplus_attaches_nothing_but_the_next_lookup_does(lab: Lab) -> None:
    path = lab.file("f")
    with lab.attached(readdirplus=True, opendir_passthrough=False, entry_timeout=0.0) as mnt:
        expect(os.listdir(lab.mountpoint), ["f"])
        with Requests(mnt.connection) as seen:
            os.stat(path)
            for _ in range(N):
                os.stat(path)
        expect(seen["GETATTR"], 0, "GETATTR after a lookup")


# -- lookup and opendir (experimental)


@variants("lookup")
def test_cold_ls_l_of_1000_entries_sends_nothing(lab: Lab) -> None:
    os.mkdir(lab.below("d"))
    _make_files(lab, 1000, "d")
    with lab.attached() as mnt:
        os.stat(lab.mountpoint)
        command = ["ls", "-l", lab.above("d")]
        with Requests(mnt.connection) as seen:
            lines = subprocess.run(command, check=True, capture_output=True).stdout
        expect(len(lines.splitlines()), 1001, "lines")
        expect(dict(seen), {}, "requests")
        expect(mnt.ask(do="stats")["nodes"], {"1": 1}, "nodes the server knows")

        drop_caches()
        with switched_off("lookup"), Requests(mnt.connection) as seen:
            subprocess.run(command, check=True, capture_output=True)
        assert seen["LOOKUP"] >= 1000, f"LOOKUP switched off: {seen}"
        with switched_off("opendir"), Requests(mnt.connection) as seen:
            subprocess.run(command, check=True, capture_output=True)
        expect(seen["OPENDIR"], 1, "OPENDIR switched off")
        drop_caches()
        with Requests(mnt.connection) as seen:
            subprocess.run(command, check=True, capture_output=True)
        expect((seen["LOOKUP"], seen["OPENDIR"]), (0, 0), "LOOKUP, OPENDIR, on again")


@variants("lookup")
def test_a_server_is_introduced_before_it_is_asked(lab: Lab) -> None:
    os.makedirs(lab.below("a/b/c"))
    path = lab.file("a/b/c/f", b"deep")
    os.symlink("f", lab.below("a/b/c/s"))
    with lab.attached() as mnt:
        with Requests(mnt.connection) as seen:
            os.stat(path)
        expect(dict(seen), {}, "stat")
        with Requests(mnt.connection) as seen, open(path, "rb") as file:
            expect(file.read(), b"deep")
        expect((seen["LOOKUP"], seen["OPEN"]), (4, 1), "LOOKUP of a, b, c, f; OPEN")
        with Requests(mnt.connection) as seen, open(path, "rb") as file:
            expect(file.read(), b"deep")
        expect((seen["LOOKUP"], seen["OPEN"]), (0, 1), "the second time")
        with Requests(mnt.connection) as seen:
            expect(os.readlink(lab.above("a/b/c/s")), "f")
        expect((seen["LOOKUP"], seen["READLINK"]), (1, 1), "READLINK")
        drop_caches()
        wait_until_forgotten(mnt)
    # and Mount checks that no FORGET came for what was never looked up


@variants("lookup")
def test_changes_in_directories_the_server_never_met(lab: Lab) -> None:
    os.makedirs(lab.below("a/b"))
    os.makedirs(lab.below("c/d"))
    lab.file("a/b/f")
    with lab.attached():
        os.stat(lab.above("a/b/f"))
        os.rename(lab.above("a/b/f"), lab.above("c/d/g"))
        expect_same(lab, "c/d/g", "renamed")
        os.link(lab.above("c/d/g"), lab.above("a/h"))
        expect_same(lab, "a/h", "linked")
        os.unlink(lab.above("c/d/g"))
        expect_same(lab, "a/h", "unlinked the other")
        os.mkdir(lab.above("c/d/e"))
        os.rmdir(lab.above("c/d/e"))
        with open(lab.above("c/d/new"), "wb") as file:
            file.write(b"new")
        expect_same(lab, "c/d/new", "created")
        os.setxattr(lab.above("a/h"), "user.x", b"1")
        expect(os.getxattr(lab.below("a/h"), "user.x"), b"1")
        os.chmod(lab.above("a/h"), 0o604)
        expect_same(lab, "a/h", "chmod")


@variants("lookup")
def test_xattrs_of_a_node_the_server_never_met(lab: Lab) -> None:
    path = lab.file("f")
    os.setxattr(lab.below("f"), "user.colour", b"blue")
    with lab.attached() as mnt:
        with Requests(mnt.connection) as seen:
            expect(os.getxattr(path, "user.colour"), b"blue")
            expect(os.listxattr(path), os.listxattr(lab.below("f")))
            got = errno_of(lambda: os.getxattr(path, "user.nothing"))
            expect_errno(got, errno.ENODATA, "no such attribute")
            got = errno_of(lambda: os.getxattr(path, "system.posix_acl_access"))
            expect_errno(got, errno.ENODATA, "no ACL")
        expect(dict(seen), {}, "requests")


@variants("lookup")
def test_names_that_change_underneath(lab: Lab) -> None:
    path = lab.file("f", b"first")
    other = lab.above("g")
    with lab.attached() as mnt:
        with Requests(mnt.connection) as seen:
            os.stat(path)
            expect_errno(errno_of(lambda: os.stat(other)), errno.ENOENT, "negative")
            os.rename(lab.below("f"), lab.below("g"))
            expect(os.stat(other).st_size, 5, "renamed")
            expect_errno(errno_of(lambda: os.stat(path)), errno.ENOENT, "old name")
            lab.file("f", b"second")
            expect(os.stat(path).st_size, 6, "new file, old name")
            lab.file("replacement", b"replaced")
            os.rename(lab.below("replacement"), lab.below("f"))
            expect(os.stat(path).st_size, 8, "another file, same name")
            os.unlink(lab.below("g"))
            expect_errno(errno_of(lambda: os.stat(other)), errno.ENOENT, "removed")
            os.mkdir(lab.below("g"))
            expect(stat.S_ISDIR(os.stat(other).st_mode), True, "a directory now")
        expect(seen["LOOKUP"], 0, "LOOKUP")
        # introduced by a name that is gone
        lab.file("h")
        fd = os.open(lab.above("h"), os.O_PATH)
        os.unlink(lab.below("h"))
        expect(os.fstat(fd).st_nlink, 0, "fstat of a path descriptor")
        got = errno_of(lambda: os.open(f"/proc/self/fd/{fd}", os.O_RDONLY))
        expect_errno(got, errno.ESTALE, "open of it")
        os.close(fd)


@variants("lookup")
def test_inode_numbers_that_are_used_again(lab: Lab) -> None:
    with ext4(lab):  # which gives a number away again at once
        with lab.attached() as mnt:
            numbers = set()
            for index in range(N):
                path = lab.file("f", b"x" * index)
                st = os.stat(path)
                numbers.add(st.st_ino)
                expect(st.st_size, index, "size")
                expect_same(lab, "f", f"round {index}")
                if index % 3 == 0:
                    expect(open(path, "rb").read(), b"x" * index)
                os.unlink(lab.below("f"))
                if index % 5 == 0:
                    os.mkdir(lab.below("f"))
                    expect_same(lab, "f", "as a directory")
                    os.rmdir(lab.below("f"))
            assert len(numbers) < N, "no number was used twice, nothing was tested"
            del mnt


@variants("lookup")
def test_mount_points_underneath_are_left_to_the_server(lab: Lab) -> None:
    os.mkdir(lab.below("m"))
    mount("lab", lab.below("m"), "tmpfs", "")
    try:
        lab.file("m/inside")
        with lab.attached(dir_mask=op(GETATTR, STATX, READDIR, LOOKUP, OPENDIR)) as mnt:
            with Requests(mnt.connection) as seen:
                # tmpfs roots have inode number 1, which is FUSE's root: refused
                # by the server's own rule, but never shown as the covered one
                errno_of(lambda: os.stat(lab.above("m")))
            assert seen["LOOKUP"] >= 1, f"the server was not asked: {seen}"
    finally:
        umount(lab.below("m"))


@variants("lookup")
def test_permissions_of_directories_that_are_passed_through(lab: Lab) -> None:
    nobody = 65534
    os.makedirs(lab.below("closed/sub"))
    lab.file("closed/sub/f")
    os.mkdir(lab.below("blind"))
    lab.file("blind/f")
    with lab.attached() as mnt:
        with Requests(mnt.connection) as seen:
            os.stat(lab.above("closed/sub/f"))  # in the cache, by root
            os.chmod(lab.below("closed"), 0o700)
            for call in (
                lambda: os.stat(lab.above("closed/sub/f")),
                lambda: os.stat(lab.above("closed/other")),
                lambda: os.listdir(lab.above("closed")),
            ):
                expect_errno(errno_as(nobody, call), errno.EACCES, "closed")
            os.chmod(lab.below("blind"), 0o711)
            call = lambda: os.listdir(lab.above("blind"))  # noqa: E731
            expect_errno(errno_as(nobody, call), errno.EACCES, "listing")
            expect(errno_as(nobody, lambda: os.stat(lab.above("blind/f"))), 0, "search")
            os.chmod(lab.below("blind"), 0o744)
            call = lambda: os.stat(lab.above("blind/f"))  # noqa: E731
            expect_errno(errno_as(nobody, call), errno.EACCES, "no search")
            expect(errno_as(nobody, lambda: os.listdir(lab.above("blind"))), 0, "listing")
        expect((seen["LOOKUP"], seen["GETATTR"]), (0, 0), "LOOKUP, GETATTR")


@variants("lookup")
def test_an_acl_underneath_denies_search(lab: Lab) -> None:
    nobody = 65534
    os.mkdir(lab.below("d"), 0o755)
    lab.file("d/f")
    # user::rwx user:nobody:--- group::r-x mask::r-x other::r-x
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *entry)
        for entry in (
            (1, 7, 0xFFFFFFFF), (2, 0, nobody), (4, 5, 0xFFFFFFFF),
            (16, 5, 0xFFFFFFFF), (32, 5, 0xFFFFFFFF),
        )
    )  # fmt: skip
    os.setxattr(lab.below("d"), "system.posix_acl_access", acl)
    with lab.attached():
        got = errno_as(nobody, lambda: os.stat(lab.below("d/f")))
        expect_errno(got, errno.EACCES, "natively")
        got = errno_as(nobody, lambda: os.stat(lab.above("d/f")))
        expect_errno(got, errno.EACCES, "through the mount")


@variants("lookup")
def test_hard_links_found_in_two_directories_are_one_inode(lab: Lab) -> None:
    os.mkdir(lab.below("a"))
    os.mkdir(lab.below("b"))
    lab.file("a/f")
    os.link(lab.below("a/f"), lab.below("b/g"))
    with lab.attached() as mnt:
        with Requests(mnt.connection) as seen:
            one, two = os.stat(lab.above("a/f")), os.stat(lab.above("b/g"))
            expect((one.st_ino, one.st_nlink), (two.st_ino, 2))
        expect(seen["LOOKUP"], 0, "LOOKUP")
        with open(lab.above("a/f"), "r+b") as file:
            file.write(b"through a")
        with open(lab.above("b/g"), "rb") as file:
            expect(file.read(), b"through a")
        os.unlink(lab.above("a/f"))
        expect_same(lab, "b/g", "the other name")


@variants("lookup")
def test_fsync_and_ioctl_of_a_directory_the_server_did_not_open(lab: Lab) -> None:
    os.mkdir(lab.below("d"))
    with lab.attached() as mnt:
        with Requests(mnt.connection) as seen, directory(lab.above("d")) as fd:
            os.fsync(fd)
            expect([name for name, _ in read_all(fd)], [".", ".."])
        expect(dict(seen), {}, "requests")


@variants("lookup")
def test_walkers_and_movers_at_the_same_time(lab: Lab) -> None:
    """Not a proof of anything but that nothing breaks or leaks."""
    for top in ("x", "y"):
        for sub in range(5):
            os.makedirs(lab.below(top, str(sub)))
            for index in range(10):
                lab.file(f"{top}/{sub}/{index}")
    stop = time.monotonic() + 6
    harmless = (errno.ENOENT, errno.ESTALE, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY)
    failures: list[str] = []

    def repeat(action: Callable[[int], None]) -> None:
        count = 0
        while time.monotonic() < stop:
            count += 1
            try:
                action(count)
            except OSError as error:
                if error.errno not in harmless:
                    failures.append(f"{action.__name__}: {error}")
                    return

    def walk(count: int) -> None:
        for root, _dirs, files in os.walk(lab.mountpoint):
            for name in files:
                os.stat(os.path.join(root, name))

    def read(count: int) -> None:
        with open(lab.above("x", str(count % 5), str(count % 10)), "rb") as file:
            file.read()

    def move(count: int) -> None:
        side = lab.above if count % 2 else lab.below
        here, there = ("x", "y") if count % 4 < 2 else ("y", "x")
        name = str(count % 5)
        os.rename(side(here, name), side(there, name + "-moved"))
        os.rename(side(there, name + "-moved"), side(here, name))

    def drop(count: int) -> None:
        _write("/proc/sys/vm/drop_caches", "2")
        time.sleep(0.05)

    with lab.attached():
        threads = [threading.Thread(target=repeat, args=(a,)) for a in (walk, read, move, drop)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expect(failures, [])


# -- the runner


KMEMLEAK = "/sys/kernel/debug/kmemleak"


def leaks() -> list[str]:
    """Reports of kmemleak that name fuse, if this kernel has it turned on."""
    if errno_of(lambda: _write(KMEMLEAK, "scan")):
        return []
    time.sleep(6)  # an object must be unreferenced for 5 s to be reported
    _write(KMEMLEAK, "scan")
    reports = re.split(r"^(?=unreferenced object)", _read(KMEMLEAK), flags=re.MULTILINE)
    return [report for report in reports if "fuse" in report]


class Timeout(Exception):
    """A test took longer than TEST_TIMEOUT_S."""


def _alarm(number: int, frame: object) -> None:
    raise Timeout(f"no end after {TEST_TIMEOUT_S} s")


def run(test: Test, variant: str) -> str | None:
    """Run one test in a scratch directory of its own, return its failure."""
    with tempfile.TemporaryDirectory(dir=SCRATCH, ignore_cleanup_errors=True) as scratch:
        os.chmod(scratch, 0o755)
        signal.alarm(TEST_TIMEOUT_S)
        try:
            test(Lab(variant, scratch))
        except Exception as error:
            trace = traceback.format_exc(limit=-6)
            return f"{type(error).__name__}: {error}\n{trace}"
        finally:
            signal.alarm(0)
    return None


def main(variant: str, results: str, *names: str) -> int:
    signal.signal(signal.SIGALRM, _alarm)
    os.makedirs(SCRATCH)
    mount("lab", SCRATCH, "tmpfs", "size=512m,mode=755")
    offered = _read(f"{PARAMETERS}/iops").strip()
    tests = [t for t, wanted in TESTS if variant in wanted]
    tests = [t for t in tests if not names or t.__name__ in names]
    with open(results, "w", buffering=1) as out:

        def emit(**line: Any) -> None:
            out.write(json.dumps(line) + "\n")

        emit(variant=offered, release=os.uname().release, tests=len(tests))
        if offered != variant:
            return 1
        for test in tests:
            begin = time.monotonic()
            failure = run(test, variant)
            seconds = round(time.monotonic() - begin, 2)
            outcome = "failed" if failure else "passed"
            print(f"{outcome} {test.__name__} {seconds} s", flush=True)
            if failure:
                print(failure, flush=True)
            emit(test=test.__name__, outcome=outcome, detail=failure, seconds=seconds)
        emit(done=len(tests), leaks=leaks())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
