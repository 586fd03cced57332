"""Guest tests: an attached inode answers as its backing file does, whoever changed that and how.

Each asks the same of a native file beside it first. What tests/vm/sequences.py found, kept as a
test of its own; see guest.py for how such tests run.
"""

# Paths are system calls here, to be seen as such.
# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH116, PTH123, PTH208, SIM115

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from guest import (
    ALL,
    BY_ENTRY,
    PATCHED,
    Lab,
    Requests,
    errno_as,
    errno_of,
    expect,
    expect_errno,
    statx,
    variants,
)
from server import Mount, Options, umount

OWNER, STRANGER = 1001, 65534
FS_IOC_SETFLAGS, APPEND_ONLY = 0x40086602, 0x20
LEASE_BREAK_TIME = "/proc/sys/fs/lease-break-time"
FORCE_SYNC, DONT_SYNC = 0x2000, 0x4000
HOUR_S = 3600.0

_libc = ctypes.CDLL(None, use_errno=True)


def answer_as(uid: int, call: Callable[[], Any]) -> Any:
    """What another user gets: a value, or the name of an errno."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.write(theirs, json.dumps(_answer(call)).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def _answer(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def name_of(code: int) -> str:
    return errno.errorcode[code] if code else "ok"


def beside(lab: Lab, content: bytes = b"content") -> str:
    """A native file that is to show what is right; made anew."""
    path = lab.below() + ".native"
    with contextlib.suppress(FileNotFoundError):
        mark(path, 0)
        os.unlink(path)
    with open(path, "wb") as file:
        file.write(content)
    return path


def mark(path: str, flags: int) -> None:
    """chattr(1)."""
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("<l", flags))
    finally:
        os.close(fd)


def mode_of(path: str) -> str:
    return oct(os.stat(path).st_mode)


# -- append-only files


def _truncations(path: str) -> dict[str, Callable[[], Any]]:
    def by_descriptor() -> None:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)

    return {
        "truncate": lambda: os.truncate(path, 0),
        "extend": lambda: os.truncate(path, 100),
        "ftruncate of an appender": by_descriptor,
        "open for truncation": lambda: os.close(
            os.open(path, os.O_WRONLY | os.O_APPEND | os.O_TRUNC)
        ),
    }


@variants(*BY_ENTRY)
def test_an_append_only_file_is_not_truncated(lab: Lab) -> None:
    native, path = beside(lab), lab.file("f")
    for file in (native, lab.below("f")):
        os.chown(file, OWNER, OWNER)
        mark(file, APPEND_ONLY)
    try:
        with lab.attached():
            os.stat(path)
            for what, call in _truncations(path).items():
                for uid in (0, OWNER):
                    right = errno_as(uid, _truncations(native)[what])
                    expect_errno(right, errno.EPERM, f"{what} by {uid}, natively")
                    expect_errno(errno_as(uid, call), right, f"{what} by {uid}")
            expect(os.stat(path).st_size, 7, "size")
    finally:
        mark(native, 0)
        mark(lab.below("f"), 0)


# -- privileges that go with a change


@variants(*BY_ENTRY)
def test_chown_by_root_drops_a_setgid_bit_set_underneath(lab: Lab) -> None:
    with lab.attached():
        for mode in (0o6755, 0o2755, 0o4755, 0o2745, 0o6711):
            native, path = beside(lab), lab.file("f")
            for file in (native, lab.below("f")):
                os.chmod(file, 0o755)
            os.stat(path)
            for file in (native, lab.below("f")):
                os.chmod(file, mode)
            for file in (native, path):
                os.chown(file, OWNER, OWNER)
            expect(mode_of(path), mode_of(native), f"chown of {mode:o}")
            expect(mode_of(lab.below("f")), mode_of(native), f"chown of {mode:o}, underneath")


CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


@variants(*BY_ENTRY)
def test_file_capabilities_go_with_chown_and_truncate(lab: Lab) -> None:
    for xattrs in (True, False):
        with lab.attached(xattrs=xattrs):
            for what, change in (
                ("chown", lambda file: os.chown(file, OWNER, OWNER)),
                ("truncate", lambda file: os.truncate(file, 3)),
            ):
                native, path = beside(lab), lab.file("f")
                with open(path, "rb"):  # the server knows it, and may say ENOSYS once for all
                    errno_of(lambda: os.getxattr(path, "user.a"))  # noqa: B023
                for file in (native, lab.below("f")):
                    os.setxattr(file, "security.capability", CAPABILITY)
                for file in (native, path):
                    change(file)
                expect(os.listxattr(native), [], f"{what}, natively")
                served = "" if xattrs else ", a server without xattrs"
                expect(os.listxattr(lab.below("f")), [], f"{what}{served}")


# -- permissions


@variants(*PATCHED)
def test_a_directory_closed_underneath_is_closed_whatever_the_timeouts(lab: Lab) -> None:
    """A directory is closed, also where nobody has asked for its attributes since it was looked up."""
    os.mkdir(lab.below("d"))
    path = lab.file("d/f")
    calls = {
        "stat": lambda: os.stat(path),
        "open": lambda: os.close(os.open(path, os.O_RDONLY)),
        "listing": lambda: os.listdir(lab.above("d")),
    }
    for timeout_s in (0.0, HOUR_S):
        for asked in (False, True):
            os.chmod(lab.below("d"), 0o755)
            with lab.attached(
                default_permissions=True, attr_timeout=timeout_s, entry_timeout=timeout_s
            ):
                if asked or lab.variant not in BY_ENTRY:
                    for name in ("", "d", "d/f"):
                        _attach(lab.above(name))
                what = f"timeouts {timeout_s}, {'asked' if asked else 'not asked'} before"
                for name in ("stat", "open"):  # opendir(3) asks for the directory's attributes
                    expect(errno_as(STRANGER, calls[name]), 0, f"{name}, {what}")
                os.chmod(lab.below("d"), 0o700)
                for name, call in (*calls.items(), *calls.items()):
                    expect_errno(errno_as(STRANGER, call), errno.EACCES, f"{name}, {what}")
                expect(mode_of(lab.above("d")), "0o40700", f"the mode shown, {what}")


def _attach(path: str) -> None:
    """Have the server asked for attributes that are still valid: its reply may be what attaches."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.statx(-100, path.encode(), FORCE_SYNC, 0x7FF, buffer):
        raise OSError(ctypes.get_errno(), "statx", path)


# -- names


@variants("lookup")
def test_a_name_that_came_back_is_no_stale_handle(lab: Lab) -> None:
    calls: dict[str, Callable[[str], Any]] = {
        "read": lambda path: open(path, "rb").read(),
        "open for writing": lambda path: os.close(os.open(path, os.O_RDWR)),
        "exec": lambda path: subprocess.run([path], check=True),
        "link": lambda path: os.link(path, path + ".link"),
        "setxattr": lambda path: os.setxattr(path, "user.a", b"1"),
        "statvfs": lambda path: os.statvfs(path).f_bsize and None,
        "chmod": lambda path: os.chmod(path, 0o700),
        "unlink": os.unlink,
    }
    with lab.attached():
        for what, call in calls.items():
            path = lab.file("f", b"#!/bin/true\n")
            os.chmod(lab.below("f"), 0o755)
            os.stat(path)
            os.rename(lab.below("f"), lab.below("g"))
            os.stat(lab.above("g"))
            os.rename(lab.below("g"), lab.below("f"))
            for turn in ("first", "second"):
                if what in ("link", "unlink") and turn == "second":
                    continue
                expect(name_of(errno_of(lambda: call(path))), "ok", f"{what}, {turn} time")  # noqa: B023
            with contextlib.suppress(FileNotFoundError):
                os.unlink(lab.below("f"))


@variants("lookup")
def test_another_name_of_a_file_stands_in_for_one_that_is_gone(lab: Lab) -> None:
    path = lab.file("f")
    with lab.attached():
        os.stat(path)
        os.rename(lab.below("f"), lab.below("g"))
        expect(open(lab.above("g"), "rb").read(), b"content", "under the new name")
        os.mkdir(lab.below("d"))
        os.stat(lab.above("d"))
        os.rename(lab.below("g"), lab.below("d/h"))
        expect(open(lab.above("d/h"), "rb").read(), b"content", "in another directory")


# -- ids that a mount maps

OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH, AT_EMPTY_PATH = 1, 4, 0x1000
MOUNT_ATTR_IDMAP = 0x00100000
CLONE_NEWUSER = 0x10000000
INSIDE = 2001  # what a mapped mount calls OWNER


def _syscall(number: int, *arguments: Any) -> int:
    got = int(_libc.syscall(number, *arguments))
    if got < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return got


@contextlib.contextmanager
def _mapping() -> Iterator[int]:
    """A user namespace that is only there for its maps: root is root, OWNER is INSIDE."""
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _libc.unshare(CLONE_NEWUSER)
        os.write(ready[1], b"1")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    for kind in ("uid", "gid"):
        with open(f"/proc/{pid}/{kind}_map", "w") as file:
            file.write(f"0 0 1\n{OWNER} {INSIDE} 1\n")
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)
        os.write(go[1], b"1")
        os.waitpid(pid, 0)
        for end in (*ready, *go):
            os.close(end)


@contextlib.contextmanager
def mapped(source: str, target: str) -> Iterator[None]:
    """The tree of a mount once more, with ids mapped."""
    os.makedirs(target, exist_ok=True)  # noqa: PTH103
    tree = _syscall(OPEN_TREE, -100, source.encode(), OPEN_TREE_CLONE | os.O_CLOEXEC)
    try:
        with _mapping() as namespace:
            attr = struct.pack("<QQQQ", MOUNT_ATTR_IDMAP, 0, 0, namespace)
            _syscall(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, attr, len(attr))
        _syscall(MOVE_MOUNT, tree, b"", -100, target.encode(), MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)
    try:
        yield
    finally:
        umount(target)


def _private_tree(lab: Lab) -> None:
    os.mkdir(lab.below("d"), 0o700)
    lab.file("d/f")
    lab.file("f")
    for name in ("d", "d/f", "f"):
        os.chown(lab.below(name), OWNER, OWNER)
    os.chmod(lab.below("f"), 0o600)


@variants(*ALL)
def test_a_mount_that_maps_ids_lets_the_owner_in(lab: Lab) -> None:
    _private_tree(lab)
    native, above = lab.below() + ".mapped", lab.above() + ".mapped"
    calls: dict[str, Callable[[str], Any]] = {
        "stat": lambda root: os.stat(f"{root}/f").st_uid,
        "listing": lambda root: os.listdir(f"{root}/d"),
        "search": lambda root: os.stat(f"{root}/d/f").st_uid,
        "chmod": lambda root: os.chmod(f"{root}/f", 0o640),
        "truncate": lambda root: os.truncate(f"{root}/d/f", 3),
        "touch": lambda root: os.utime(f"{root}/d"),
        "read": lambda root: open(f"{root}/f").read(),
        "chown to itself": lambda root: os.chown(f"{root}/f", INSIDE, INSIDE),
    }
    options: dict[str, Any] = {"idmap": True, "default_permissions": True}
    mount = lab.mount(**options) if lab.variant == "mainline" else lab.attached(**options)
    with mount, mapped(lab.backing, native), mapped(lab.mountpoint, above):
        for uid in (0, INSIDE, OWNER, STRANGER):
            for what, call in calls.items():
                right = answer_as(uid, lambda: call(native))  # noqa: B023
                got = answer_as(uid, lambda: call(above))  # noqa: B023
                expect(got, right, f"{what} by {uid}")
        expect(os.stat(lab.above("f")).st_uid, OWNER, "owner, not mapped")


# -- leases


@variants(*BY_ENTRY)
def test_truncate_breaks_a_lease(lab: Lab) -> None:
    native, path = beside(lab), lab.file("f")
    with open(LEASE_BREAK_TIME) as file:
        usual = file.read()
    with open(LEASE_BREAK_TIME, "w") as file:
        file.write("1")
    handler = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        with lab.attached():
            os.stat(path)
            for what, named, held in (("natively", native, native), ("", path, lab.below("f"))):
                fd = os.open(held, os.O_RDONLY)
                fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
                os.truncate(named, 3)
                expect(fcntl.fcntl(fd, fcntl.F_GETLEASE), fcntl.F_UNLCK, f"lease {what}")
                expect(os.fstat(fd).st_size, 3, f"size {what}")
                os.close(fd)
    finally:
        signal.signal(signal.SIGIO, handler)
        with open(LEASE_BREAK_TIME, "w") as file:
            file.write(usual)


# -- extended attributes


@variants("lookup")
def test_trusted_names_are_listed_to_root_alone(lab: Lab) -> None:
    path = lab.file("f")
    for name in ("trusted.a", "user.a"):
        os.setxattr(lab.below("f"), name, b"1")
    with lab.attached():
        for uid in (0, STRANGER):
            right = answer_as(uid, lambda: sorted(os.listxattr(lab.below("f"))))
            expect(answer_as(uid, lambda: sorted(os.listxattr(path))), right, f"names for {uid}")
            right = answer_as(uid, lambda: len(os.getxattr(lab.below("f"), "trusted.a")))
            got = answer_as(uid, lambda: len(os.getxattr(path, "trusted.a")))
            expect(got, right, f"value for {uid}")
        expect(answer_as(STRANGER, lambda: os.listxattr(path)), ["user.a"], "a stranger's names")


# -- how fresh statx() is to be


@variants(*PATCHED)
def test_a_forced_statx_reaches_the_file_system_underneath(lab: Lab) -> None:
    """The backing is itself on FUSE, with attributes it may keep: who asks is seen there."""
    lower = lab.below() + ".lower"
    os.mkdir(lower)
    with open(f"{lower}/f", "wb") as file:
        file.write(b"content")
    options = Options(lower, entry_timeout=HOUR_S, attr_timeout=HOUR_S)
    with (
        Mount(lab.backing, options) as below,
        lab.attached(dir_mask=None, default_permissions=False),
    ):
        path = lab.above("f")
        statx(path)
        statx(path)
        with Requests(below.connection) as seen:
            statx(path)
        expect(seen["GETATTR"], 0, "GETATTR of the lower one, usually")
        for flags, wanted in ((FORCE_SYNC, 3), (DONT_SYNC, 0), (0, 0)):
            with Requests(below.connection) as seen:
                for _ in range(3):
                    _statx_with(path, flags)
            expect(seen["GETATTR"], wanted, f"GETATTR of the lower one, flags {flags:#x}")
        os.truncate(f"{lower}/f", 3)
        expect(_statx_with(path, FORCE_SYNC), 3, "size, forced")


def _statx_with(path: str, flags: int) -> int:
    """The size that statx(2) tells."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.statx(-100, path.encode(), flags, 0x7FF, buffer):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    size: int = struct.unpack_from("<Q", buffer.raw, 40)[0]
    return size
