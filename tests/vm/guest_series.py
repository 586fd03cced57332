"""Guest tests of the series' own switches: listing buffers, what a reply may leave out, RCU mode.

At the end every test of coherency is made again with each switch the other way; see guest.py for how
such tests run.
"""

# Paths are system calls here, to be seen as such.
# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH108, PTH116, PTH118, PTH123

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import stat
import struct
import time
from collections.abc import Iterator

import guest
import guest_coherency
from guest import (
    ALL,
    BY_ENTRY,
    INODE,
    PARAMETERS,
    PATCHED,
    RW,
    TESTS,
    Lab,
    N,
    Requests,
    Test,
    directory,
    errno_as,
    errno_of,
    expect,
    expect_errno,
    expect_same,
    getdents,
    variants,
)
from server import GETATTR, OPEN, SETATTR, op

OWNER, OTHER, STRANGER = 1001, 1002, 65534
PAGE, CALLER = 4096, 32768
ENTRIES = 400
DIRENT, DIRENT_PLUS = 32, 160
"""Bytes of an entry with a name of five letters, in the replies to READDIR and READDIRPLUS."""
ENTRY2 = 1 << 60
RESOLVE_CACHED = 0x20
OPENAT2 = 437

_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def parameter(name: str, value: str) -> Iterator[None]:
    """Set a parameter of the module for the block."""
    path = f"{PARAMETERS}/{name}"
    with open(path) as file:
        usual = file.read().strip()
    with open(path, "w") as file:
        file.write(value)
    try:
        yield
    finally:
        with open(path, "w") as file:
            file.write(usual)


# -- the buffer of a listing


def _requests_of_a_listing(lab: Lab, opcode: str, plus: bool, room: int) -> int:
    with lab.mount(readdirplus=plus) as mnt:
        with Requests(mnt.connection) as seen, directory(lab.mountpoint) as fd:
            names = [name for name, _ in iter_entries(fd, room)]
        expect(len(names), ENTRIES, f"entries by {opcode}")
        expect(len(set(names)), ENTRIES, f"names by {opcode}")
        return seen[opcode]


def iter_entries(fd: int, room: int) -> Iterator[tuple[str, int]]:
    """Entries of a directory, read with a buffer of this size."""
    while some := getdents(fd, room):
        yield from some


@variants(*ALL)
def test_a_listing_asks_for_as_much_as_the_caller_has_room_for(lab: Lab) -> None:
    for index in range(ENTRIES):
        os.close(os.open(lab.below(f"f{index:04d}"), os.O_CREAT, 0o644))
    for setting, room, size in (
        ("page", CALLER, PAGE),
        ("caller", CALLER, CALLER),
        ("caller", 300, PAGE),  # never less than a page
        ("caller", 1 << 20, 1 << 17),  # never more than max_pages
    ):
        with parameter("readdir_buffer", setting):
            for opcode, plus, entry in (
                ("READDIR", False, DIRENT),
                ("READDIRPLUS", True, DIRENT_PLUS),
            ):
                wanted = -(-ENTRIES // (size // entry)) + 1
                if room < size:  # what does not fit is asked for again
                    wanted = -(-ENTRIES // (room // DIRENT)) + 1
                got = _requests_of_a_listing(lab, opcode, plus, room)
                expect(got, wanted, f"{opcode}, {setting}, room for {room}")


# -- what a reply may leave out, as the posted server does


@variants(*BY_ENTRY)
def test_an_entry_without_a_statx_mask_is_taken_for_a_whole_one(lab: Lab) -> None:
    path = lab.file("f")
    with lab.attached(statx_mask=0) as mnt:
        os.stat(path)
        with Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(path)
        expect(seen["GETATTR"], 0, "GETATTR")
        expect_same(lab, "f", "mask 0")
    with lab.attached(statx_mask=1, dir_mask=None, default_permissions=False):
        expect_errno(errno_of(lambda: os.stat(path)), errno.EIO, "a mask of the type alone")


@variants(*BY_ENTRY)
def test_an_id_for_reading_alone_attaches_nothing(lab: Lab) -> None:
    path = lab.file("f")
    with lab.attached(file_mask=RW, dir_mask=None, default_permissions=False) as mnt:
        os.stat(path)
        with Requests(mnt.connection) as seen:
            for _ in range(N):
                os.stat(path)
        assert seen["GETATTR"] >= N, seen
        with open(path, "rb") as file:
            expect(file.read(), b"content")


@variants(*PATCHED)
def test_the_bit_of_open_is_known_where_the_posted_series_has_it(lab: Lab) -> None:
    path = lab.below(lab.file("f").rsplit("/", 1)[1])
    with lab.mount(passthrough=True, ino=True) as mnt:
        got = mnt.backing_open(path=path, mask=op(GETATTR, SETATTR, OPEN) | RW)
        if lab.variant in BY_ENTRY:
            expect(got, 0, "GETATTR, SETATTR, OPEN, READ, WRITE")
        else:
            expect_errno(got, errno.EINVAL, "GETATTR, SETATTR, OPEN, READ, WRITE")


@variants(*ALL)
def test_long_entries_are_announced_by_a_flag_of_their_own(lab: Lab) -> None:
    with lab.mount(passthrough=True) as mnt:
        flags = mnt.ask(do="stats")["kernel_flags"]
        expect(bool(flags & ENTRY2), lab.variant in BY_ENTRY, "FUSE_ENTRY2 offered")


# -- RCU mode


def walk_in_rcu_mode(lab: Lab, name: str) -> int:
    """The errno of a path walk that fails with EAGAIN as soon as it would leave RCU mode.

    It begins beside the mount point: the guest's own root does not stay in it.
    """
    how = struct.pack("<QQQ", os.O_PATH | os.O_CLOEXEC, 0, RESOLVE_CACHED)
    beside, mountpoint = os.path.split(lab.mountpoint)
    with directory(beside) as start:
        path = os.path.join(mountpoint, name).encode()
        fd = _libc.syscall(OPENAT2, start, path, how, len(how))
        if fd < 0:
            return ctypes.get_errno()
        os.close(fd)
    return 0


def _walk_often(lab: Lab, name: str, who: int) -> int:
    """The errno of the first of N walks that leaves it."""

    def walk() -> None:
        for _ in range(N):
            if code := walk_in_rcu_mode(lab, name):
                raise OSError(code, os.strerror(code))

    return errno_as(who, walk)


@variants(*PATCHED)
def test_attached_directories_keep_a_path_walk_in_rcu_mode(lab: Lab) -> None:
    deep = "a/b/c/d/e"
    os.makedirs(lab.below(deep))
    path = lab.file(f"{deep}/f")
    lab.file(f"{deep}/g")
    with lab.attached(default_permissions=True) as mnt:
        for name in ("f", "g"):
            os.stat(lab.above(deep, name))
            os.stat(lab.above(deep, name))
        for who in (0, OWNER):
            with Requests(mnt.connection) as seen:
                expect(_walk_often(lab, f"{deep}/f", who), 0, f"walks by {who}")
            expect(dict(seen), {}, "requests")
        for name, value in (("iops_perm", "getattr"), ("iops_reval", "lookup")):
            if name == "iops_reval" and lab.variant != "lookup":
                continue
            with parameter(name, value):
                got = _walk_often(lab, f"{deep}/f", OWNER)
                expect_errno(got, errno.EAGAIN, f"{name}={value}")
        # A change underneath is seen by walks that stay in RCU mode until they meet it
        os.chmod(lab.below("a/b"), 0o700)
        expect_errno(errno_as(OWNER, lambda: os.stat(path)), errno.EACCES, "closed underneath")
        os.chmod(lab.below("a/b"), 0o755)
        expect(errno_as(OWNER, lambda: os.stat(path)), 0, "open again")


@variants("lookup")
def test_names_compared_in_rcu_mode_are_those_underneath(lab: Lab) -> None:
    os.makedirs(lab.below("d/e"))
    name = "d/f"
    path = lab.file(name)
    with lab.attached():
        os.stat(path)
        expect(walk_in_rcu_mode(lab, name), 0, "as found")
        os.rename(lab.below("d/f"), lab.below("d/g"))
        expect(walk_in_rcu_mode(lab, name), errno.EAGAIN, "another name")
        expect_errno(errno_of(lambda: os.stat(path)), errno.ENOENT, "another name")
        os.rename(lab.below("d/g"), lab.below("d/f"))
        os.stat(path)
        expect(walk_in_rcu_mode(lab, name), 0, "its name again")
        os.rename(lab.below("d/f"), lab.below("d/e/f"))
        expect_errno(errno_of(lambda: os.stat(path)), errno.ENOENT, "another directory")
        os.stat(lab.above("d/e/f"))
        os.link(lab.below("d/e/f"), lab.below("d/h"))
        expect(os.stat(lab.above("d/h")).st_nlink, 2, "a second name")
        os.unlink(lab.below("d/e/f"))
        expect_errno(errno_of(lambda: os.stat(lab.above("d/e/f"))), errno.ENOENT, "removed")
        expect(os.stat(lab.above("d/h")).st_nlink, 1, "the name that is left")


@variants("lookup")
def test_found_entries_with_a_timeout_are_late_by_no_more_than_that(lab: Lab) -> None:
    name = "f"
    path = lab.file(name)
    with (
        parameter("iops_reval", "timeout"),
        lab.attached(attr_timeout=1.0, entry_timeout=1.0) as mnt,
    ):
        os.stat(path)
        with Requests(mnt.connection) as seen:
            expect(walk_in_rcu_mode(lab, name), 0, "within the timeout")
            os.rename(lab.below("f"), lab.below("g"))
            expect(errno_of(lambda: os.stat(path)), 0, "late")
            time.sleep(1.2)
            expect_errno(errno_of(lambda: os.stat(path)), errno.ENOENT, "after the timeout")
            expect(os.stat(lab.above("g")).st_size, 7, "the new name")
        expect(seen["LOOKUP"], 0, "LOOKUP")


# -- what the VFS looks at without asking


@variants(*PATCHED)
def test_a_write_drops_set_id_bits_that_were_set_underneath(lab: Lab) -> None:
    path = lab.file("f")
    os.chmod(lab.below("f"), 0o777)
    for passthrough in (True, False):
        mask = RW | INODE if passthrough else INODE
        with lab.attached(file_mask=mask, open_passthrough=passthrough):
            os.stat(path)
            os.stat(path)
            fd = os.open(path, os.O_WRONLY)  # nobody looks at the file by its name after this
            os.chmod(lab.below("f"), 0o6777)
            expect(errno_as(STRANGER, lambda: os.write(fd, b"x")), 0, "write")  # noqa: B023
            os.close(fd)
            got = stat.S_IMODE(os.stat(lab.below("f")).st_mode)
            expect(oct(got), "0o777", f"mode underneath, passthrough {passthrough}")


@variants(*PATCHED)
def test_a_sticky_directory_goes_by_the_owner_underneath(lab: Lab) -> None:
    os.mkdir(lab.below("t"))
    os.chmod(lab.below("t"), 0o1777)
    for name in ("a", "b"):
        lab.file(f"t/{name}")
        os.chown(lab.below("t", name), OWNER, OWNER)
    with lab.attached(default_permissions=True):
        for name in ("a", "b"):
            for _ in range(2):
                os.stat(lab.above("t", name))
            os.chown(lab.below("t", name), OTHER, OTHER)
        got = errno_as(OWNER, lambda: os.unlink(lab.above("t/a")))
        expect_errno(got, errno.EPERM, "by the owner of before")
        expect(errno_as(OTHER, lambda: os.unlink(lab.above("t/a"))), 0, "by the owner of now")
        os.chmod(lab.below("t/b"), 0o444)
        got = errno_as(OTHER, lambda: os.utime(lab.above("t/b")))
        expect(got, 0, "touch by the owner of now, who may not write")


# -- everything that is to be coherent, with each switch the other way

OTHERWISE = (
    ("iops_refresh", "always", PATCHED),
    ("iops_perm", "getattr", PATCHED),
    ("iops_reval", "lookup", ("lookup",)),
)
AGAIN = (
    "test_names_that_change_underneath",
    "test_every_statx_field_after_every_change_on_either_side",
    "test_a_growing_and_a_shrinking_file_cut_the_page_cache",
    "test_permissions_of_directories_that_are_passed_through",
    "test_an_acl_underneath_denies_search",
    "test_a_sticky_directory_goes_by_the_owner_underneath",
    "test_a_write_drops_set_id_bits_that_were_set_underneath",
)


def _otherwise(test: Test, name: str, value: str) -> Test:
    @functools.wraps(test)
    def with_parameter(lab: Lab) -> None:
        with parameter(name, value):
            test(lab)

    with_parameter.__name__ = f"{test.__name__}_with_{name}_{value}"
    return with_parameter


def _made_again(test: Test) -> bool:
    return test.__module__ == guest_coherency.__name__ or test.__name__ in AGAIN


for made, names in [entry for entry in TESTS if _made_again(entry[0])]:
    for switch, setting, where in OTHERWISE:
        if both := tuple(variant for variant in names if variant in where):
            guest.TESTS.append((_otherwise(made, switch, setting), both))
