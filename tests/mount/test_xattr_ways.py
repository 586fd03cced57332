"""``--xattr`` of our servers: what requests about extended attributes get, and how often they come."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from conftest import Serve
from serving import ours, run_daemon

from bench.model import Daemon, Opcode
from tests.mount.checks import failing_with

each_daemon = pytest.mark.parametrize("daemon", ours(), ids=lambda daemon: daemon.name)
pytestmark = [pytest.mark.mount, each_daemon]

ASKED = 7
NAME = "user.one"
"""A name of the user's: for security names the kernel asks twice when it gets EOPNOTSUPP (vfs_getxattr in
fs/xattr.c)."""


@pytest.mark.parametrize(
    ("way", "number", "requests"),
    [
        ("answer", errno.ENODATA, ASKED),
        ("off", errno.EOPNOTSUPP, ASKED),
        ("enosys", errno.EOPNOTSUPP, 1),
    ],
)
def test_a_way_decides_the_answer_and_the_requests(
    daemon: Daemon, backing: Path, serve: Serve, way: str, number: int, requests: int
) -> None:
    """The kernel remembers ENOSYS for the mount, and no other answer."""
    (backing / "file").touch()
    mounted = serve(daemon, "--xattr", way)
    for _ in range(ASKED):
        with failing_with(number):
            os.getxattr(mounted.root / "file", NAME)
    assert mounted.counters().requests.get(Opcode.GETXATTR, 0) == requests


@pytest.mark.parametrize("way", ["off", "enosys"])
def test_without_attributes_none_is_listed_set_or_removed(
    daemon: Daemon, backing: Path, serve: Serve, way: str
) -> None:
    """All four requests alike."""
    (backing / "file").touch()
    file = serve(daemon, "--xattr", way).root / "file"
    for _ in range(2):
        with failing_with(errno.EOPNOTSUPP):
            os.listxattr(file)
        with failing_with(errno.EOPNOTSUPP):
            os.setxattr(file, "user.one", b"1")
        with failing_with(errno.EOPNOTSUPP):
            os.removexattr(file, "user.one")


def test_another_way_is_refused(daemon: Daemon, tmp_path: Path, backing: Path) -> None:
    """Exit 2, the option named."""
    done = run_daemon(daemon, backing, tmp_path, "--xattr", "maybe")
    assert done.returncode == 2
    assert "--xattr" in done.stderr
