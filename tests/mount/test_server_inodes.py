"""The inodes our servers keep: lookups given back, descriptors bounded, numbers reused."""

# ruff: noqa: PTH208
# Descriptors are counted by their names in /proc.

from __future__ import annotations

import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest
from conftest import Serve
from serving import Mounted, drop_inodes, ours

from bench.model import Daemon, Opcode
from tests.mount.checks import failing_with, fields, raw_listing

each_daemon = pytest.mark.parametrize("daemon", ours(), ids=lambda daemon: daemon.name)
pytestmark = [pytest.mark.mount, each_daemon]


def test_lookups_are_given_back(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Looked up, listed, created or linked: when the kernel has forgotten all, no count is left."""
    for number in range(300):
        (backing / f"file{number}").touch()
    mounted = serve(daemon, "--fd-cache", "16")
    for number in range(300):
        (mounted.root / f"file{number}").stat()
    assert len(raw_listing(mounted.root)) == 302
    subprocess.run(["ls", "-lR", mounted.root], check=True, stdout=subprocess.DEVNULL)
    (mounted.root / "made").write_text("x")
    (mounted.root / "dir").mkdir()
    os.link(mounted.root / "made", mounted.root / "dir" / "linked")
    (mounted.root / "file0").unlink()
    figures = settle(mounted)
    assert figures["lookups"] == figures["forgets"]
    assert figures["inodes"] == 0
    assert "forgotten" not in mounted.errors


def settle(mounted: Mounted) -> dict[str, object]:
    """Drop inodes until the server hears of no more, then stop it."""
    while True:
        before = mounted.counters().extra["forget_lookups"]
        drop_inodes()
        for _request in range(100):  # forgets are queued beside these
            os.statvfs(mounted.root)
        if mounted.counters().extra["forget_lookups"] == before:
            return dict(mounted.stop())


def test_forgets_equal_lookups_exactly(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A prime number of names, each looked up once: that number of lookups comes back."""
    for number in range(1009):
        (backing / f"file{number}").touch()
    mounted = serve(daemon, "--entry-timeout", "1000")
    for number in range(1009):
        (mounted.root / f"file{number}").stat()
    assert mounted.counters().requests[Opcode.LOOKUP] == 1009
    mounted.drop_until("forget_lookups", 1009)


def test_descriptors_are_bounded(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """Many more inodes than --fd-cache: all answer rightly, and few descriptors are open."""
    for number in range(500):
        (backing / f"file{number}").write_bytes(b"x" * number)
    # With entries cached the second round is GETATTR alone: only the handle finds the inode.
    mounted = serve(daemon, "--fd-cache", "16", "--entry-timeout", "1000")
    os.statvfs(mounted.root)  # once it answers, its event loop has opened all it needs
    base = len(os.listdir(f"/proc/{mounted.process.pid}/fd"))
    for _round in range(2):
        for number in range(500):
            assert (mounted.root / f"file{number}").stat().st_size == number
    assert len(os.listdir(f"/proc/{mounted.process.pid}/fd")) <= base + 16
    figures = mounted.stop()
    assert figures["reopened"]
    assert figures["inodes"] == 500


@pytest.mark.parametrize("evict", [False, True], ids=["", "evicted"])
def test_a_deleted_open_file_goes_on_working(
    daemon: Daemon, backing: Path, serve: Serve, evict: bool
) -> None:
    """fstat, read, write, truncate and chmod after unlink, also when its descriptor was evicted."""
    for number in range(100):
        (backing / f"other{number}").write_text("x")
    mounted = serve(daemon, "--fd-cache", "16")
    with (mounted.root / "file").open("w+b", buffering=0) as file:
        file.write(b"before")
        (mounted.root / "file").unlink()
        if evict:
            for number in range(100):
                (mounted.root / f"other{number}").stat()
        file.write(b" after")
        file.seek(0)
        assert file.read() == b"before after"
        os.fchmod(file.fileno(), 0o600)
        file.truncate(3)
        status = os.fstat(file.fileno())
    assert (status.st_nlink, status.st_size, stat.S_IMODE(status.st_mode)) == (0, 3, 0o600)


def test_a_reused_inode_number_is_a_new_inode(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """The client's hold on a file deleted behind its back never becomes a hold on another file."""
    for number in range(64):
        (backing / f"other{number}").touch()
    (backing / "old").write_text("old")
    number = (backing / "old").stat().st_ino
    mounted = serve(daemon, "--fd-cache", "16")
    held = os.open(mounted.root / "old", os.O_PATH)
    for other in range(64):  # evict its descriptor, which would pin the number
        (mounted.root / f"other{other}").stat()
    (backing / "old").unlink()
    (backing / "new").mkdir()
    if (backing / "new").stat().st_ino != number:
        pytest.skip("needs a file system that reuses inode numbers at once")
    assert fields(mounted.root / "new") == fields(backing / "new")
    with pytest.raises(OSError):
        os.fstat(held)
    os.close(held)


def test_a_number_reused_again_and_again(daemon: Daemon, backing: Path, serve: Serve) -> None:
    """A client that holds the old inode hears that it is gone; the kernel declares none bad (EIO).

    More times than the C server has node numbers for it: what is shown is right all the same.
    pyfuse3 has one number for node and inode, so there the kernel does (README.md, Known limits).
    """
    for number in range(64):
        (backing / f"other{number}").touch()
    mounted = serve(daemon, "--fd-cache", "16", "--entry-timeout", "1000")
    held = []
    numbers = set()
    for turn in range(300):
        name = f"turn{turn}"
        (backing / name).write_bytes(bytes(turn))
        numbers.add((backing / name).stat().st_ino)
        assert fields(mounted.root / name) == fields(backing / name)
        held.append(os.open(mounted.root / name, os.O_PATH))
        for other in range(64):  # evict its descriptor, which would pin the number
            (mounted.root / f"other{other}").lstat()
        (backing / name).unlink()
    if len(numbers) > 20:
        pytest.skip("needs a file system that reuses inode numbers at once")
    told = [error_of(descriptor) for descriptor in held]
    bad = set() if daemon.name.endswith("-c") else {errno.EIO}
    assert set(told[:200]) - {errno.ESTALE} == bad
    for descriptor in held:
        os.close(descriptor)
    figures = settle(mounted)
    assert figures["lookups"] == figures["forgets"]
    assert figures["inodes"] == 0


def error_of(descriptor: int) -> int:
    """The errno of fstat(2), 0 if it went well."""
    try:
        os.fstat(descriptor)
    except OSError as error:
        return error.errno or 0
    return 0


def test_another_file_system_below_is_not_entered(
    daemon: Daemon, backing: Path, serve: Serve
) -> None:
    """Inode numbers of another file system would collide: its name is listed, the way in is EXDEV."""
    (backing / "below").mkdir()
    (backing / "file").touch()
    subprocess.run(["mount", "-t", "tmpfs", "below", backing / "below"], check=True)
    try:
        mounted = serve(daemon)
        assert sorted(raw_listing(mounted.root)) == [b".", b"..", b"below", b"file"]
        with failing_with(errno.EXDEV):
            (mounted.root / "below").stat()
        figures = settle(mounted)
        assert figures["lookups"] == figures["forgets"]
    finally:
        subprocess.run(["umount", backing / "below"], check=True)


def test_without_file_handles_descriptors_run_out_clearly(
    daemon: Daemon, backing: Path, serve: Serve
) -> None:
    """ramfs has no handles: inodes are served up to --fd-cache, then EMFILE and one clear line."""
    subprocess.run(["mount", "-t", "ramfs", "ramfs", backing], check=True)
    try:
        for number in range(30):
            (backing / f"file{number}").touch()
        mounted = serve(daemon, "--fd-cache", "20")
        for number in range(20):
            (mounted.root / f"file{number}").stat()
            (mounted.root / f"file{number}").stat()
        with failing_with(errno.EMFILE):
            (mounted.root / "file20").stat()
        assert "limit of 20 (--fd-cache)" in mounted.errors
        mounted.stop()
    finally:
        subprocess.run(["umount", backing], check=True)
