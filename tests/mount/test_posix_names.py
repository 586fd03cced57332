"""Names on every writable target: made, moved, linked, removed; long ones, odd ones, loops."""

# ruff: noqa: PTH102, PTH106, PTH115, PTH116, PTH123, PTH208, PTH211
# Names are bytes and calls are system calls.

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

import pytest

from daemons import _syscalls
from tests.mount.checks import failing_with, opened
from tests.mount.targets import Difference

RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
ODD_NAME = b"caf\xe9 \xff\n\x01"

pytestmark = pytest.mark.mount


def test_names_are_bytes(place: Path) -> None:
    """Names and targets of any encoding; 255 bytes are a name, 256 are too long."""
    root = os.fsencode(place)
    with open(root + b"/" + ODD_NAME, "wb"):
        pass
    os.symlink(ODD_NAME, root + b"/link")
    os.mkdir(root + b"/" + b"n" * 255)
    assert os.readlink(root + b"/link") == ODD_NAME
    assert sorted(os.listdir(root)) == sorted([ODD_NAME, b"link", b"n" * 255])
    for make in (os.mkdir, os.lstat):
        with failing_with(errno.ENAMETOOLONG):
            make(root + b"/" + b"n" * 256)


@pytest.mark.differs(Difference.BACKING)
def test_what_is_made_is_in_the_backing(place: Path, below: Path) -> None:
    """Names, content and links, byte for byte; what is removed is gone there."""
    (place / "file").write_bytes(b"content")
    (place / "gone").touch()
    (place / "dir").mkdir()
    os.symlink(ODD_NAME, os.fsencode(place / "dir") + b"/" + ODD_NAME)
    (place / "gone").unlink()
    assert sorted(os.listdir(below)) == ["dir", "file"]
    assert (below / "file").read_bytes() == b"content"
    assert os.readlink(os.fsencode(below / "dir") + b"/" + ODD_NAME) == ODD_NAME


@pytest.mark.differs(Difference.LONG_PATHS)
def test_a_long_path(place: Path) -> None:
    """Seventeen names of 255 bytes one below the other: a path stops at PATH_MAX, a tree does not."""
    with contextlib.ExitStack() as held:
        top = held.enter_context(opened(place))
        for _step in range(17):
            os.mkdir(b"n" * 255, dir_fd=top)
            top = os.open(b"n" * 255, os.O_RDONLY, dir_fd=top)
            held.callback(os.close, top)
    os.stat(b"/".join([os.fsencode(place), *[b"n" * 255] * 12]))
    with failing_with(errno.ENAMETOOLONG):
        os.stat(b"/".join([os.fsencode(place), *[b"n" * 255] * 17]))


def test_making_and_removing(place: Path) -> None:
    """mkdir, unlink and rmdir, and how each refuses."""
    (place / "dir" / "inner").mkdir(parents=True)
    (place / "file").write_text("x")
    os.mkfifo(place / "fifo")
    assert stat.S_ISFIFO((place / "fifo").lstat().st_mode)
    with failing_with(errno.EEXIST):
        (place / "dir").mkdir()
    with failing_with(errno.ENOTEMPTY):
        (place / "dir").rmdir()
    with failing_with(errno.EISDIR):
        (place / "dir").unlink()
    with failing_with(errno.ENOENT):
        (place / "missing").unlink()
    with failing_with(errno.ENOTDIR):
        (place / "file").rmdir()
    with failing_with(errno.ENOTDIR):
        (place / "file" / "below").touch()
    with failing_with(errno.EINVAL):
        os.rmdir(os.fspath(place / "dir") + "/.")
    (place / "dir" / "inner").rmdir()
    (place / "dir").rmdir()
    assert sorted(path.name for path in place.iterdir()) == ["fifo", "file"]


@pytest.mark.differs(Difference.CACHED_LINKS)
def test_hard_links(place: Path) -> None:
    """One inode under several names, of files, pipes and symbolic links; a directory has one."""
    (place / "dir").mkdir()
    (place / "file").write_text("x")
    os.link(place / "file", place / "dir" / "other")
    (place / "dir" / "other").write_text("changed")
    assert (place / "file").read_text() == "changed"
    assert (place / "file").stat().st_nlink == 2
    assert (place / "file").stat().st_ino == (place / "dir" / "other").stat().st_ino
    (place / "link").symlink_to("file")
    os.link(place / "link", place / "link2", follow_symlinks=False)
    assert os.readlink(place / "link2") == "file"
    assert (place / "link2").lstat().st_ino == (place / "link").lstat().st_ino
    with failing_with(errno.EEXIST):
        os.link(place / "file", place / "link")
    with failing_with(errno.EPERM):
        os.link(place / "dir", place / "dir2")
    (place / "dir" / "other").unlink()
    assert (place / "file").stat().st_nlink == 1


def test_symbolic_links(place: Path) -> None:
    """Relative, dangling and looping ones; a loop is ELOOP to all who follow it."""
    (place / "file").write_text("x")
    (place / "dir").mkdir()
    (place / "dir" / "up").symlink_to("../file")
    (place / "dangling").symlink_to("nowhere")
    (place / "self").symlink_to("self")
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")
    assert (place / "dir" / "up").read_text() == "x"
    assert (place / "self").lstat().st_size == 4
    for name in ("self", "one"):
        with failing_with(errno.ELOOP):
            (place / name).stat()
        with failing_with(errno.ELOOP):
            (place / name / "below").touch()
    with failing_with(errno.ELOOP):
        os.open(place / "dangling", os.O_RDONLY | os.O_NOFOLLOW)
    with failing_with(errno.EEXIST):
        os.open(place / "dangling", os.O_CREAT | os.O_EXCL)
    (place / "dangling").write_text("made")
    assert (place / "nowhere").read_text() == "made"
    with failing_with(errno.EINVAL):
        os.readlink(place / "file")


@pytest.mark.differs(Difference.RENAME_FLAGS)
def test_rename(place: Path) -> None:
    """Replacing, NOREPLACE, EXCHANGE, and a directory moved with what is open below it."""
    for name in ("a", "b", "c"):
        (place / name).write_text(name)
    (place / "dir").mkdir()
    (place / "dir" / "inner").write_text("inner")
    with opened(place) as top, (place / "dir" / "inner").open() as inner:
        (place / "a").rename(place / "b")
        with failing_with(errno.EEXIST):
            _syscalls.rename(top, b"b", top, b"c", RENAME_NOREPLACE)
        _syscalls.rename(top, b"b", top, b"d", RENAME_NOREPLACE)
        _syscalls.rename(top, b"d", top, b"c", RENAME_EXCHANGE)
        (place / "dir").rename(place / "moved")
        assert inner.read() == "inner"
    assert (place / "moved" / "inner").read_text() == "inner"
    assert ((place / "c").read_text(), (place / "d").read_text()) == ("a", "c")
    assert sorted(path.name for path in place.iterdir()) == ["c", "d", "moved"]


def test_rename_refused(place: Path) -> None:
    """A directory into itself, onto what is not empty or no directory; two links stay as they are."""
    for name in ("dir/inner", "full/inner", "empty"):
        (place / name).mkdir(parents=True)
    (place / "file").write_text("x")
    os.link(place / "file", place / "same")
    for old, new, number in (
        ("dir", "dir/inner/below", errno.EINVAL),
        ("dir", "full", errno.ENOTEMPTY),
        ("dir", "file", errno.ENOTDIR),
        ("file", "dir", errno.EISDIR),
        ("missing", "file", errno.ENOENT),
    ):
        with failing_with(number):
            (place / old).rename(place / new)
    (place / "file").rename(place / "same")
    assert (place / "file").stat().st_nlink == 2
    (place / "dir").rename(place / "empty")
    assert sorted(os.listdir(place)) == ["empty", "file", "full", "same"]
