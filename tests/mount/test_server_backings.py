"""What a backing can hold that our servers must live with: dead mounts, any inode number."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Serve
from serving import Mounted, drop_inodes, ours

from bench import registry
from bench.model import Daemon
from tests.mount.checks import raw_listing
from tests.mount.test_server_inodes import settle

each_daemon = pytest.mark.parametrize("daemon", ours(), ids=lambda daemon: daemon.name)
pytestmark = [pytest.mark.mount, each_daemon]


@pytest.fixture
def dead_mount(tmp_path: Path, backing: Path) -> Iterator[Path]:
    """A directory of the backing whose server was killed: whoever looks at it gets ENOTCONN."""
    folder = tmp_path / "other"
    (folder / "backing").mkdir(parents=True)
    (backing / "dead").mkdir()
    mounted = Mounted(registry.daemon("plain-c"), folder)
    subprocess.run(["mount", "--bind", mounted.root, backing / "dead"], check=True)
    mounted.process.send_signal(signal.SIGKILL)
    mounted.process.wait()
    yield backing / "dead"
    subprocess.run(["umount", backing / "dead"], check=True)
    mounted.end()


def test_one_bad_entry_takes_no_other_with_it(
    daemon: Daemon, backing: Path, dead_mount: Path, serve: Serve
) -> None:
    """A dead mount among files is listed as it is natively, with its type, and no lookup is lost."""
    for number in range(7):
        (backing / f"file{number}").touch()
    mounted = serve(daemon)
    assert sorted(raw_listing(mounted.root)) == sorted(raw_listing(backing))
    kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in os.scandir(mounted.root)}
    assert kinds[dead_mount.name]
    with pytest.raises(OSError):
        (mounted.root / dead_mount.name).stat()
    figures = settle(mounted)
    assert figures["lookups"] == figures["forgets"]
    assert "forgotten" not in mounted.errors


@pytest.fixture
def numbered_one(backing: Path) -> Iterator[Path]:
    """A tmpfs whose root, number 1, shows up within the backing: the number FUSE has for the root."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", backing], check=True)
    served = backing / "served"
    (served / "one").mkdir(parents=True)
    subprocess.run(["mount", "--bind", backing, served / "one"], check=True)
    (backing / "file").write_text("found")
    subprocess.run(["mount", "--rbind", served, backing], check=True)
    assert (backing / "one").stat().st_ino == 1
    yield backing / "one"
    subprocess.run(["umount", "-R", backing], check=True)
    subprocess.run(["umount", "-R", backing], check=True)


def test_an_inode_numbered_one(daemon: Daemon, numbered_one: Path, serve: Serve) -> None:
    """Inode 1 of the backing is not the root: found, listed, walked through, forgotten and found again."""
    mounted = serve(daemon)
    there = mounted.root / numbered_one.name
    for _again in range(2):
        assert {b"one"} <= set(raw_listing(mounted.root))
        assert (there / "file").read_text() == "found"
        assert there.stat().st_ino != mounted.root.stat().st_ino
        assert sorted(raw_listing(there)) == sorted(raw_listing(numbered_one))
        drop_inodes()
    if daemon.python:
        assert there.stat().st_ino == 2**64 - 2  # as README says
    else:
        assert there.stat().st_ino == 1
    figures = settle(mounted)
    assert figures["lookups"] == figures["forgets"]
