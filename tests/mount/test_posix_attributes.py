"""Attributes on every target: what stat and statx say, and what chmod, chown and utimensat change."""

# Calls are system calls.

from __future__ import annotations

import ctypes
import os
import stat
from pathlib import Path

import pytest

from bench.model import Exemption
from daemons import _syscalls
from tests.mount.checks import fields
from tests.mount.serving import Mounted
from tests.mount.targets import Difference, Target

STATX_BASIC_STATS = 0x7FF
AT_SYMLINK_NOFOLLOW = 0x100
# Where struct statx (include/uapi/linux/stat.h) has what two file systems must agree on.
STATX = {
    "nlink": slice(16, 20), "uid": slice(20, 24), "gid": slice(24, 28), "mode": slice(28, 30),
    "size": slice(40, 48), "mtime": slice(112, 124), "rdev": slice(128, 136),
}  # fmt: skip

EXEMPT = {Exemption.DIRECTORY_INO: "st_ino", Exemption.DIRECTORY_ATIME: "st_atime_ns"}

pytestmark = pytest.mark.mount


def statx(path: Path) -> bytes:
    """struct statx as statx(2) fills it."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(256)
    name = os.fsencode(path)
    if libc.statx(-100, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, buffer):
        raise OSError(ctypes.get_errno(), "statx")
    return buffer.raw


def furnish(folder: Path) -> list[str]:
    """One of each kind of inode; their names."""
    (folder / "file").write_bytes(b"x" * 12345)
    os.utime(folder / "file", ns=(1_000_000_007, 2_000_000_011))
    os.link(folder / "file", folder / "hard")
    (folder / "dir").mkdir()
    (folder / "link").symlink_to("nowhere")
    os.mkfifo(folder / "fifo")
    os.mknod(folder / "char", stat.S_IFCHR | 0o600, os.makedev(259, 0x1234))
    return ["file", "hard", "dir", "link", "fifo", "char"]


def test_attributes_are_those_of_the_backing(shown: Target, tmp_path: Path) -> None:
    """Every kind of inode, field by field, nanoseconds too."""
    (tmp_path / "backing" / "top").mkdir(parents=True)
    names = furnish(tmp_path / "backing" / "top")
    exempt = {EXEMPT[one] for one in shown.daemon.exempt}
    mounted = shown.mount(tmp_path)
    try:
        for name in names:
            got, wanted = (fields(root / "top" / name) for root in (mounted.root, mounted.backing))
            if stat.S_ISDIR(wanted["st_mode"]):
                got, wanted = (
                    {k: v for k, v in one.items() if k not in exempt} for one in (got, wanted)
                )
            assert got == wanted, name
        mounted.stop()
    finally:
        mounted.end()


@pytest.mark.differs(Difference.CACHED_LINKS)
def test_statx_fields_are_native(place: Path, twin: Path) -> None:
    """Inodes made alike in both have the same nlink, owner, mode, size, rdev, set times; the basic mask."""
    furnish(twin)
    for name in furnish(place):
        got, wanted = statx(place / name), statx(twin / name)
        mask = int.from_bytes(got[:4], "little")
        assert mask & STATX_BASIC_STATS == STATX_BASIC_STATS, name
        for field, at in STATX.items():
            if field != "mtime" or name in ("file", "hard"):
                assert got[at] == wanted[at], (name, field)


@pytest.mark.differs(Difference.ONE_TIME)
def test_setattr(place: Path) -> None:
    """chmod, chown, utime and truncate, by path and by descriptor, one time at a time."""
    path = place / "file"
    path.write_bytes(b"0123456789")
    path.chmod(0o4751)
    os.chown(path, 12, -1)
    os.chown(path, -1, 34)
    os.utime(path, ns=(1_234_567_891, 1_987_654_321))
    with path.open() as file:
        _syscalls.utime(file.fileno(), 5_000_000_001, None)
    os.truncate(path, 4)
    got = path.stat()
    assert (got.st_uid, got.st_gid, got.st_size) == (12, 34, 4)
    assert got.st_atime_ns == 5_000_000_001
    with path.open("r+b") as file:
        file.truncate(2)
        os.fchmod(file.fileno(), 0o600)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"01", 0o600)


@pytest.mark.differs(Difference.BACKING)
def test_what_is_set_is_in_the_backing(place: Path, below: Path) -> None:
    """Mode, owner, times and size arrive there."""
    (place / "file").write_bytes(b"0123456789")
    os.truncate(place / "file", 4)
    os.chown(place / "file", 12, 34)
    (place / "file").chmod(0o2751)
    os.utime(place / "file", ns=(1_234_567_891, 1_987_654_321))
    assert fields(place / "file") == fields(below / "file")
    assert stat.S_IMODE((below / "file").stat().st_mode) == 0o2751


@pytest.mark.parametrize(
    ("atime_ns", "mtime_ns"),
    [
        (0, 1),
        (999_999_999, 1_000_000_001),
        (-1, -1_500_000_000),
        (2**33 * 10**9 + 7, 2**31 * 10**9),
    ],
)
def test_times_to_the_nanosecond(place: Path, atime_ns: int, mtime_ns: int) -> None:
    """Files, directories and symbolic links; before 1970 and after 2038."""
    (place / f"file{mtime_ns}").touch()
    (place / f"dir{mtime_ns}").mkdir()
    (place / f"link{mtime_ns}").symlink_to("x")
    for kind in ("file", "dir", "link"):
        path = place / f"{kind}{mtime_ns}"
        os.utime(path, ns=(atime_ns, mtime_ns), follow_symlinks=False)
        got = path.lstat()
        assert (got.st_atime_ns, got.st_mtime_ns) == (atime_ns, mtime_ns), kind


def test_changes_move_mtime_and_ctime(place: Path) -> None:
    """A write moves the file's, a new name its directory's, a chmod ctime alone."""
    (place / "file").touch()
    os.utime(place / "file", ns=(7, 7))
    os.utime(place, ns=(7, 7))
    before = (place / "file").stat()
    (place / "file").chmod(0o600)
    assert (place / "file").stat().st_mtime_ns == 7
    assert (place / "file").stat().st_ctime_ns >= before.st_ctime_ns
    (place / "file").write_text("x")
    assert (place / "file").stat().st_mtime_ns > 7
    (place / "new").touch()
    assert place.stat().st_mtime_ns > 7


def test_set_id_bits(place: Path) -> None:
    """A chown clears them, a chmod afterwards sets them again, a stranger's write clears them."""
    path = place / "file"
    path.write_text("x")
    path.chmod(0o6777)
    os.chown(path, 12, 34)
    assert stat.S_IMODE(path.stat().st_mode) == 0o777
    path.chmod(0o6777)
    assert stat.S_IMODE(path.stat().st_mode) == 0o6777
    os.seteuid(1234)
    try:
        with path.open("r+b") as file:
            file.write(b"y")
    finally:
        os.seteuid(0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o777


@pytest.mark.differs(Difference.STATFS)
def test_statfs(served: Mounted) -> None:
    """Sizes and limits are the backing's."""
    got, wanted = os.statvfs(served.root), os.statvfs(served.backing)
    names = ("f_bsize", "f_frsize", "f_blocks", "f_files", "f_namemax")
    assert [getattr(got, name) for name in names] == [getattr(wanted, name) for name in names]
