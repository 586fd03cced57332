"""Guest tests of extended attributes and ACLs that are passed through: fuse.iops_xattr, off by default.

Each is asked of a native file beside it first; see guest.py for how such tests run.
"""

# Paths are system calls here, to be seen as such.
# ruff: noqa: PTH101, PTH102, PTH108, PTH116, PTH123, PTH211

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from guest import (
    ALL,
    BY_ENTRY,
    INODE,
    PATCHED,
    RW,
    Lab,
    N,
    Requests,
    drop_caches,
    errno_of,
    expect,
    expect_errno,
    switched_off,
    variants,
)
from guest_coherency import CAPABILITY, HOUR_S, _answer, _attach, answer_as, mark, mode_of
from guest_series import OTHER, OWNER, STRANGER, parameter
from server import (
    GETXATTR,
    LISTXATTR,
    REMOVEXATTR,
    SETXATTR,
    Mount,
    mount,
    op,
    umount,
)

BITS = (GETXATTR, LISTXATTR, SETXATTR, REMOVEXATTR)
XATTRS = op(*BITS)
NAMES = ("GETXATTR", "LISTXATTR", "SETXATTR", "REMOVEXATTR")
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
LABEL = "security.selinux"
IMMUTABLE, APPEND_ONLY = 0x10, 0x20
ALL_ENTRIES = 0xFFFFFFFF
MS_REMOUNT, MS_BIND, MS_RDONLY = 0x20, 0x1000, 0x1

_libc = ctypes.CDLL(None, use_errno=True)


def acl_of(*entries: tuple[int, int, int]) -> bytes:
    """An ACL as setxattr(2) takes it: (tag, permissions, id) each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def acl_for(user: int, permissions: int) -> bytes:
    """Mode 0640, and more for one user."""
    return acl_of(
        (1, 6, ALL_ENTRIES), (2, permissions, user), (4, 4, ALL_ENTRIES), (16, permissions, ALL_ENTRIES),
        (32, 0, ALL_ENTRIES),
    )  # fmt: skip


@contextlib.contextmanager
def passed(lab: Lab, **options: Any) -> Iterator[Mount]:
    """A mount with the switch on and the bits in every mask."""
    with parameter("iops_xattr", "Y"), lab.attached(more=XATTRS, **options) as mnt:
        yield mnt


def asked(seen: Requests) -> dict[str, int]:
    """Requests about extended attributes."""
    return {name: seen[name] for name in NAMES if seen[name]}


def attach(lab: Lab, *names: str) -> None:
    """Have the inodes attached, by whatever the variant takes for it."""
    for name in names:
        mode = os.lstat(lab.above(name)).st_mode
        if lab.variant == "attach-getattr" and not stat.S_ISLNK(mode):
            _attach(lab.above(name))  # whatever is valid still


# -- what a server can ask for


@variants(*ALL)
def test_bits_of_xattrs_are_unknown_unless_switched_on(lab: Lab) -> None:
    lab.file("f")
    os.mkfifo(lab.below("fifo"))
    no_fd, patched = 1000, lab.variant != "mainline"
    with lab.mount(passthrough=True, ino=patched) as mnt:
        for bit in BITS:
            got = mnt.backing_open(path=lab.below("f"), mask=op(bit))
            expect_errno(got, errno.EINVAL, f"opcode {bit}, off")
        got = mnt.backing_open(fd=no_fd, mask=XATTRS)
        expect_errno(got, errno.EINVAL, "off, before the file is looked at")
        if patched:
            expect(mnt.backing_open(path=lab.below("f"), mask=RW | INODE), 0, "an old mask, off")
        with parameter("iops_xattr", "Y"):
            for name in ("f", "fifo", "."):
                got = mnt.backing_open(path=lab.below(name), mask=INODE | XATTRS)
                expect(got, 0 if patched else errno.EINVAL, f"all bits for {name}, on")
            got = mnt.backing_open(fd=no_fd, mask=XATTRS)
            expect(got, errno.EBADF if patched else errno.EINVAL, "bad fd, on")
            got = mnt.backing_open(path=lab.below("f"), mask=XATTRS | 1 << 62)
            expect_errno(got, errno.EINVAL, "an unknown bit, on")
            if patched:
                expect(mnt.backing_open(path=lab.below("f"), mask=RW | INODE), 0, "an old mask, on")
    with parameter("iops_xattr", "Y"), lab.mount(passthrough=True) as mnt:
        got = mnt.backing_open(path=lab.below("f"), mask=XATTRS)
        expect_errno(got, errno.EINVAL, "without FUSE_PASSTHROUGH_INO")


@variants(*PATCHED)
def test_old_masks_have_their_requests_whatever_the_switch(lab: Lab) -> None:
    path = lab.file("f")
    for value in ("N", "Y"):
        with parameter("iops_xattr", value), lab.attached() as mnt:
            with open(
                path, "rb"
            ):  # a server that was never introduced is not asked for them either
                attach(lab, "f")
            with Requests(mnt.connection) as seen:
                os.setxattr(path, "user.a", b"1")
                expect(os.getxattr(path, "user.a"), b"1")
                expect(os.listxattr(path), ["user.a"])
                os.removexattr(path, "user.a")
            expect(asked(seen), dict.fromkeys(NAMES, 1), f"requests, switch {value}")


# -- what is passed through


def _one_of_each(path: str, name: str) -> None:
    os.setxattr(path, name, b"first", follow_symlinks=False)
    expect(os.getxattr(path, name, follow_symlinks=False), b"first", name)
    expect(os.listxattr(path, follow_symlinks=False), [name], "names")
    os.setxattr(path, name, b"", os.XATTR_REPLACE, follow_symlinks=False)
    expect(os.getxattr(path, name, follow_symlinks=False), b"", "an empty value")
    got = errno_of(lambda: os.setxattr(path, name, b"x", os.XATTR_CREATE, follow_symlinks=False))
    expect_errno(got, errno.EEXIST, "made again")
    os.removexattr(path, name, follow_symlinks=False)
    got = errno_of(lambda: os.removexattr(path, name, follow_symlinks=False))
    expect_errno(got, errno.ENODATA, "removed again")
    got = errno_of(lambda: os.getxattr(path, name, follow_symlinks=False))
    expect_errno(got, errno.ENODATA, "read after it was removed")


@variants(*PATCHED)
def test_xattrs_pass_through(lab: Lab) -> None:
    lab.file("f")
    os.mkdir(lab.below("d"))
    os.symlink("f", lab.below("s"))
    os.mkfifo(lab.below("p"))
    found = {"f": "user.a", "d": "user.a", "s": "trusted.a", "p": "trusted.a"}
    with passed(lab) as mnt:
        attach(lab, "", *found)
        with Requests(mnt.connection) as seen:
            for name, attribute in found.items():
                _one_of_each(lab.above(name), attribute)
        expect(asked(seen), {}, "requests")
        os.setxattr(lab.above("f"), "user.a", b"through the mount")
        expect(os.getxattr(lab.below("f"), "user.a"), b"through the mount", "underneath")
        os.setxattr(lab.below("f"), "user.a", b"underneath")
        expect(os.getxattr(lab.above("f"), "user.a"), b"underneath", "seen at once")
        os.setxattr(lab.below("f"), "user.b", b"")
        expect(sorted(os.listxattr(lab.above("f"))), ["user.a", "user.b"], "names seen at once")
        os.removexattr(lab.below("f"), "user.a")
        got = errno_of(lambda: os.getxattr(lab.above("f"), "user.a"))
        expect_errno(got, errno.ENODATA, "removed underneath")
        os.removexattr(lab.below("f"), "user.b")
        with open(lab.above("f"), "rb"):
            pass
        with Requests(mnt.connection) as seen, parameter("iops_xattr", "N"):
            _one_of_each(lab.above("f"), "user.a")
        for name in NAMES:
            assert seen[name] >= 1, f"switched off: {dict(seen)}"
        with Requests(mnt.connection) as seen:
            _one_of_each(lab.above("f"), "user.a")
        expect(asked(seen), {}, "on again")


@variants(*PATCHED)
def test_each_operation_has_a_bit_of_its_own(lab: Lab) -> None:
    path = lab.file("f")
    calls: dict[str, Callable[[], Any]] = {
        "SETXATTR": lambda: os.setxattr(path, "user.a", b"1"),
        "GETXATTR": lambda: os.getxattr(path, "user.a"),
        "LISTXATTR": lambda: os.listxattr(path),
        "REMOVEXATTR": lambda: os.removexattr(path, "user.a"),
    }
    for bit, name in zip(BITS, NAMES, strict=True):
        with parameter("iops_xattr", "Y"), lab.attached(more=op(bit)) as mnt:
            with open(path, "rb"):
                attach(lab, "f")
            with Requests(mnt.connection) as seen:
                for call in calls.values():
                    call()
            wanted = {other: 1 for other in NAMES if other != name}
            expect(asked(seen), wanted, f"requests with {name} passed through")


@variants("lookup")
def test_a_server_is_not_introduced_for_xattrs(lab: Lab) -> None:
    os.mkdir(lab.below("d"))
    path = lab.file("d/f")
    with passed(lab) as mnt:
        os.stat(lab.mountpoint)
        with Requests(mnt.connection) as seen:
            _one_of_each(path, "user.a")
            os.setxattr(path, ACCESS, acl_for(STRANGER, 6))
            os.removexattr(path, ACCESS)
        expect(dict(seen), {}, "requests")


# -- ls


def _as_ls_does(lab: Lab, names: list[str]) -> None:
    for name in names:
        path = lab.above("d", name)
        os.lstat(path)
        for attribute in (LABEL, ACCESS):
            errno_of(lambda: os.getxattr(path, attribute, follow_symlinks=False))  # noqa: B023


@variants(*PATCHED)
def test_ls_l_asks_nobody_for_labels_and_acls(lab: Lab) -> None:
    os.mkdir(lab.below("d"))
    names = [f"f{index:03d}" for index in range(N)]
    for name in names:
        lab.file(f"d/{name}")
    os.setxattr(lab.below("d", names[0]), ACCESS, acl_for(STRANGER, 6))
    for answers in (True, False):
        with passed(lab, xattrs=answers) as mnt:
            attach(lab, "", "d", *(f"d/{name}" for name in names))
            with Requests(mnt.connection) as seen:
                _as_ls_does(lab, names)
                said = subprocess.run(
                    ["ls", "-l", lab.above("d")], check=True, capture_output=True, text=True
                ).stdout.splitlines()
                subprocess.run(["ls", "-lR", lab.mountpoint], check=True, capture_output=True)
            expect(asked(seen), {}, f"requests, the server answers: {answers}")
            marked = [line.split()[-1] for line in said if line[10:11] == "+"]
            expect(marked, names[:1], "files with an ACL")
    # Without the bits: two for each where the server answers, one in all where it says ENOSYS
    for answers, wanted in ((True, 2 * N), (False, 1)):
        with parameter("iops_xattr", "Y"), lab.attached(xattrs=answers) as mnt:
            for name in names:
                with open(lab.above("d", name), "rb"):
                    attach(lab, f"d/{name}")
            with Requests(mnt.connection) as seen:
                _as_ls_does(lab, names)
            got = seen["GETXATTR"]
            # EOPNOTSUPP for a label is asked about twice
            assert wanted <= got <= 2 * wanted, f"{got} GETXATTR, wanted {wanted}: {answers}"


@variants("attach-getattr", "attach-lookup")
def test_a_server_that_said_enosys_before_is_not_asked(lab: Lab) -> None:
    # At lookup what is found has the mask of its directory: none of it is the server's.
    path = lab.file("f")
    with parameter("iops_xattr", "Y"), lab.attached(more=XATTRS, xattrs=False) as mnt:
        mnt.set(file_mask=RW | INODE)
        other = lab.file("other")
        with open(other, "rb"):
            attach(lab, "other")
        for call in (
            lambda: os.getxattr(other, "user.a"),
            lambda: os.listxattr(other),
            lambda: os.setxattr(other, "user.a", b"1"),
            lambda: os.removexattr(other, "user.a"),
        ):
            expect_errno(errno_of(call), errno.EOPNOTSUPP, "of an inode that is the server's")
        mnt.set(file_mask=RW | INODE | XATTRS)
        with open(path, "rb"):
            attach(lab, "f")
        with Requests(mnt.connection) as seen:
            _one_of_each(path, "user.a")
        expect(asked(seen), {}, "requests")


# -- rights

KINDS: dict[str, tuple[int, int, int]] = {
    "private": (0o600, OWNER, 0),
    "readable": (0o644, OWNER, 0),
    "of another": (0o666, OTHER, 0),
    "immutable": (0o666, OWNER, IMMUTABLE),
    "append-only": (0o666, OWNER, APPEND_ONLY),
}
"""Mode, owner, marks."""
ATTRIBUTES: dict[str, bytes] = {
    "user.a": b"1",
    "trusted.a": b"1",
    "security.a": b"1",
    "security.capability": CAPABILITY,
    ACCESS: acl_for(OTHER, 4),
    "user.": b"1",
    "unknown.a": b"1",
}
DECIDED_BY_THE_FILE = ("user.a", "security.capability", ACCESS)
"""Attributes that a file's owner, mode or marks have a say in: asked of every kind, the others of one."""


def _made(path: str, kind: str, attribute: str, there: bool) -> None:
    """A file again as it was, under the name that the kernel knows."""
    mode, owner, marks = KINDS[kind]
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    mark(path, 0)
    for name in os.listxattr(path):
        os.removexattr(path, name)
    os.chown(path, owner, owner)
    os.chmod(path, mode)
    if there:
        errno_of(lambda: os.setxattr(path, attribute, ATTRIBUTES[attribute]))
    if marks:
        mark(path, marks)


def _calls(attribute: str) -> dict[str, Callable[[str], Any]]:
    return {
        "get": lambda path: os.getxattr(path, attribute).hex(),
        "list": lambda path: sorted(os.listxattr(path)),
        "set": lambda path: os.setxattr(path, attribute, ATTRIBUTES[attribute]),
        "remove": lambda path: os.removexattr(path, attribute),
    }


@variants(*PATCHED)
def test_rights_to_xattrs_are_those_of_a_native_file(lab: Lab) -> None:
    native = lab.below() + ".native"
    # Level lookup needs default_permissions; without, nobody but us checks anything
    for checks in (True, False) if lab.variant == "attach-lookup" else (True,):
        with passed(lab, default_permissions=checks):
            try:
                for kind in KINDS:
                    names = ATTRIBUTES if kind == "readable" else DECIDED_BY_THE_FILE
                    for attribute, there in itertools.product(names, (True, False)):
                        _same_rights(lab, native, (kind, attribute, there))
            finally:
                for path in (native, lab.below("f")):
                    mark(path, 0)  # or it could not be removed


def _same_rights(lab: Lab, native: str, case: tuple[str, str, bool]) -> None:
    kind, attribute, there = case
    below, above = lab.below("f"), lab.above("f")
    for what, call in _calls(attribute).items():
        if what == "list" and attribute not in ("user.a", "trusted.a"):
            continue
        for uid in (0, OWNER, STRANGER):
            for path in (native, below):
                _made(path, *case)
            attach(lab, "f")
            both = lambda: [_answer(lambda: call(path)) for path in (native, above)]  # noqa: B023, E731
            right, got = both() if uid == 0 else answer_as(uid, both)
            where = f"{what} {attribute} of a file that is {kind}, there: {there}, by {uid}"
            expect(got, right, where)
            left, wanted = (
                {name: os.getxattr(path, name) for name in os.listxattr(path)}
                for path in (below, native)
            )
            expect(left, wanted, f"underneath after {where}")
            expect(mode_of(above), mode_of(native), f"mode after {where}")


@variants(*PATCHED)
def test_a_sticky_directory_keeps_its_xattrs_to_its_owner(lab: Lab) -> None:
    native = lab.below() + ".native"
    for path in (native, lab.below("t")):
        os.mkdir(path)
        os.chown(path, OWNER, OWNER)
        os.chmod(path, 0o1777)
    with passed(lab, default_permissions=True):
        attach(lab, "t")
        for owner in (OWNER, OTHER):
            for path in (native, lab.below("t")):
                os.chown(path, owner, owner)
            for uid in (0, OWNER, OTHER, STRANGER):
                right = answer_as(uid, lambda: os.setxattr(native, "user.a", b"1"))
                got = answer_as(uid, lambda: os.setxattr(lab.above("t"), "user.a", b"1"))
                expect(got, right, f"set by {uid}, owner {owner}")


@variants(*PATCHED)
def test_an_acl_underneath_decides_who_reads_a_user_xattr(lab: Lab) -> None:
    path, below = lab.file("f"), lab.below("f")
    os.chmod(below, 0o644)
    os.setxattr(below, "user.a", b"1")
    deny = acl_of(
        (1, 6, ALL_ENTRIES), (2, 0, STRANGER), (4, 4, ALL_ENTRIES), (16, 4, ALL_ENTRIES),
        (32, 4, ALL_ENTRIES),
    )  # fmt: skip
    os.setxattr(below, ACCESS, deny)
    with passed(lab):
        attach(lab, "f")
        for uid in (0, OWNER, STRANGER):
            right = answer_as(uid, lambda: os.getxattr(below, "user.a").hex())
            got = answer_as(uid, lambda: os.getxattr(path, "user.a").hex())
            expect(got, right, f"read by {uid}")


@variants(*PATCHED)
def test_hidden_names_take_no_room_in_a_list(lab: Lab) -> None:
    path, below = lab.file("f"), lab.below("f")
    for index in range(20):
        os.setxattr(below, f"trusted.hidden{index}", b"1")
    os.setxattr(below, "user.a", b"1")
    length = len("user.a") + 1

    def listed(of: str, size: int) -> list[Any]:
        buffer = ctypes.create_string_buffer(max(size, 1))
        got = _libc.listxattr(of.encode(), buffer if size else None, size)
        return [
            got,
            ctypes.get_errno() if got < 0 else 0,
            buffer.raw[: max(got, 0)].hex() if size else "",
        ]

    with passed(lab) as mnt:
        attach(lab, "f")
        with Requests(mnt.connection) as seen:
            for uid in (0, STRANGER):
                for size in (0, 1, length - 1, length, length + 1, 4096):
                    right = answer_as(uid, lambda: listed(below, size))  # noqa: B023
                    got = answer_as(uid, lambda: listed(path, size))  # noqa: B023
                    expect(sorted(got[2]), sorted(right[2]), f"names for {uid}, room for {size}")
                    expect(got[:2], right[:2], f"length for {uid}, room for {size}")
        expect(asked(seen), {}, "requests")


@variants(*PATCHED)
def test_a_read_only_mount_underneath_keeps_its_xattrs(lab: Lab) -> None:
    path = lab.file("f")
    os.setxattr(lab.below("f"), "user.a", b"1")
    mount(lab.backing, lab.backing, "", "", MS_BIND)
    try:
        with passed(lab):
            attach(lab, "f")
            mount("", lab.backing, "", "", MS_REMOUNT | MS_BIND | MS_RDONLY)
            expect(os.getxattr(path, "user.a"), b"1")
            for what, call in (
                ("set", lambda: os.setxattr(path, "user.a", b"2")),
                ("remove", lambda: os.removexattr(path, "user.a")),
                ("ACL", lambda: os.setxattr(path, ACCESS, acl_for(OTHER, 4))),
            ):
                expect_errno(errno_of(call), errno.EROFS, what)
    finally:
        umount(lab.backing)


# -- what is left to the server


@variants(*PATCHED)
def test_xattrs_go_to_the_server_where_ids_may_be_mapped(lab: Lab) -> None:
    path = lab.file("f")
    with passed(lab, idmap=True, default_permissions=True) as mnt:
        with open(path, "rb"):
            attach(lab, "f")
        with Requests(mnt.connection) as seen:
            os.setxattr(path, "user.a", b"1")
            os.getxattr(path, "user.a")
            os.listxattr(path)
            os.removexattr(path, "user.a")
        expect(asked(seen), dict.fromkeys(NAMES, 1), "requests")


@variants(*PATCHED)
def test_acls_of_a_server_that_has_them_checked_are_its_own(lab: Lab) -> None:
    path = lab.file("f")
    with passed(lab, posix_acl=True) as mnt:
        with open(path, "rb"):
            attach(lab, "f")
        with Requests(mnt.connection) as seen:
            os.setxattr(path, "user.a", b"1")
            os.getxattr(path, "user.a")
        expect((seen["SETXATTR"], seen["REMOVEXATTR"]), (0, 0), "of another name")
        with Requests(mnt.connection) as seen:
            os.setxattr(path, ACCESS, acl_for(STRANGER, 4))
        expect(seen["SETXATTR"], 1, "SETXATTR of an ACL")


# -- ACLs


@variants(*PATCHED)
def test_acls_pass_through(lab: Lab) -> None:
    native, path = lab.below() + ".native", lab.above("d")
    for made in (native, lab.below("d")):
        os.mkdir(made)
        os.chown(made, OWNER, OTHER)  # whose group the owner is not in
        os.chmod(made, 0o2750)
    acl = acl_for(STRANGER, 5)
    with passed(lab, attr_timeout=HOUR_S) as mnt:
        attach(lab, "", "d")
        with Requests(mnt.connection) as seen:
            for name in (ACCESS, DEFAULT):
                got = errno_of(lambda: os.getxattr(path, name))  # noqa: B023
                expect_errno(got, errno.ENODATA, f"{name}, none")
                for uid in (STRANGER, OWNER):
                    right = answer_as(uid, lambda: os.setxattr(native, name, acl))  # noqa: B023
                    got = answer_as(uid, lambda: os.setxattr(path, name, acl))  # noqa: B023
                    expect(got, right, f"{name} set by {uid}")
                    expect(mode_of(path), mode_of(native), f"mode after {name} by {uid}")
                expect(os.getxattr(path, name), os.getxattr(native, name), name)
                expect(answer_as(STRANGER, lambda: len(os.getxattr(path, name))), len(acl), name)  # noqa: B023
            expect(sorted(os.listxattr(path)), sorted(os.listxattr(native)), "names")
            bad = acl_of((1, 6, ALL_ENTRIES))
            expect_errno(errno_of(lambda: os.setxattr(path, ACCESS, bad)), errno.EINVAL, "no ACL")
            for name in (ACCESS, DEFAULT):
                for made in (native, path):
                    os.removexattr(made, name)
                expect(mode_of(path), mode_of(native), f"mode after {name} was removed")
            expect(os.listxattr(lab.below("d")), [], "names underneath")
        expect(asked(seen), {}, "requests")


# -- what the kernel asks for by itself


@variants(*BY_ENTRY)
def test_chown_and_truncate_send_nothing_at_all(lab: Lab) -> None:
    native = lab.below() + ".native"
    for what, change in (
        ("chown", lambda file: os.chown(file, OWNER, OWNER)),
        ("truncate", lambda file: os.truncate(file, 3)),
    ):
        for capable in (False, True):
            with open(native, "wb") as file:
                file.write(b"content")
            path = lab.file("f")
            if capable:
                for made in (native, lab.below("f")):
                    os.setxattr(made, "security.capability", CAPABILITY)
            with passed(lab) as mnt:
                with open(path, "rb"):
                    attach(lab, "f")
                with Requests(mnt.connection) as seen:
                    change(path)
                change(native)
                expect(dict(seen), {}, f"requests of {what}, capabilities: {capable}")
                expect(os.listxattr(lab.below("f")), os.listxattr(native), f"left by {what}")
            os.unlink(lab.below("f"))
    path = lab.file("f")
    with parameter("iops_xattr", "Y"), lab.attached() as mnt:
        with open(path, "rb"):
            attach(lab, "f")
        with Requests(mnt.connection) as seen:
            os.truncate(path, 3)
        expect(asked(seen), {"GETXATTR": 1}, "requests of truncate without the bits")


@variants(*PATCHED)
def test_a_write_takes_file_capabilities_away_without_a_request(lab: Lab) -> None:
    native, path = lab.below() + ".native", lab.file("f")
    with open(native, "wb"):
        pass
    for made in (native, lab.below("f")):
        os.chmod(made, 0o666)
        os.setxattr(made, "security.capability", CAPABILITY)
    with passed(lab) as mnt:
        attach(lab, "f")

        def write(file: str) -> int:
            with open(file, "r+b", buffering=0) as opened:
                return int(opened.write(b"x") or 0)

        with Requests(mnt.connection) as seen:
            expect(answer_as(STRANGER, lambda: write(path)), 1, "written")
        expect(asked(seen), {}, "requests")
        expect(seen["WRITE"], 0, "WRITE")
        expect(answer_as(STRANGER, lambda: write(native)), 1, "written natively")
        expect(os.listxattr(lab.below("f")), os.listxattr(native), "capabilities")


@variants(*PATCHED)
def test_a_changed_xattr_changes_the_attributes_that_the_kernel_keeps(lab: Lab) -> None:
    """Attributes of either side: those read underneath, and the server's, valid for long."""
    path = lab.file("f")
    os.chmod(lab.below("f"), 0o640)
    with passed(lab, attr_timeout=HOUR_S):
        for asked_for in ("the kernel", "the server"):
            with switched_off("getattr") if asked_for == "the server" else contextlib.nullcontext():
                attach(lab, "f", "f")
                before = os.stat(path).st_ctime_ns
                os.setxattr(path, "user.a", asked_for.encode())
                after = os.stat(path).st_ctime_ns
                expect(after, os.stat(lab.below("f")).st_ctime_ns, f"ctime, by {asked_for}")
                assert after > before, f"ctime did not change: {after}"
                os.setxattr(path, ACCESS, acl_for(STRANGER, 6))
                expect(stat.S_IMODE(os.stat(path).st_mode), 0o660, f"mode, by {asked_for}")
                os.removexattr(path, ACCESS)
                os.chmod(lab.below("f"), 0o640)
                drop_caches()
