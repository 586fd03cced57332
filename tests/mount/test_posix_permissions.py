"""Permissions as several users on every writable target (default_permissions, allow_other)."""

# Calls are system calls.

from __future__ import annotations

import errno
import os
import stat
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mount.checks import failing_with
from tests.mount.operations import acting_as
from tests.mount.targets import Difference

pytestmark = pytest.mark.mount

OWNER, FRIEND, STRANGER = 1001, 1002, 1003


@pytest.fixture
def owned(place: Path) -> Path:
    """A file of OWNER's, in the group FRIEND, in a directory of the same."""
    folder = place / "owned"
    folder.mkdir()
    (folder / "file").write_text("x")
    for path in (folder, folder / "file"):
        os.chown(path, OWNER, FRIEND)
    folder.chmod(0o750)
    (folder / "file").chmod(0o640)
    return folder / "file"


def test_owner_group_and_others(owned: Path) -> None:
    """Who may read, write, search and create is what the mode bits say."""
    with acting_as(OWNER, 0o022):
        owned.write_text("owner")
        (owned.parent / "made").touch()
    with acting_as(FRIEND, 0o022):
        assert owned.read_text() == "owner"
        with failing_with(errno.EACCES):
            owned.write_text("friend")
        with failing_with(errno.EACCES):
            (owned.parent / "new").touch()
    with acting_as(STRANGER, 0o022), failing_with(errno.EACCES):
        owned.read_text()
    assert (owned.parent / "made").stat().st_uid == OWNER


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o040, 0o004, 0o060, 0o606, 0o770])
@pytest.mark.parametrize("user", [OWNER, FRIEND, STRANGER])
def test_access_agrees_with_native(owned: Path, twin: Path, mode: int, user: int) -> None:
    """access(2) and open(2), every mode asked, against the same file natively."""
    native = twin / "file"
    native.touch()
    os.chown(native, OWNER, FRIEND)
    owned.parent.chmod(0o777)
    for path in (owned, native):
        path.chmod(mode)
    with acting_as(user, 0):
        for asked in range(8):
            got, wanted = (os.access(path, asked, effective_ids=True) for path in (owned, native))
            assert got == wanted, asked


def test_only_the_owner_changes_attributes(owned: Path) -> None:
    """chmod, chown and utimensat of a stranger are EPERM; an owner may not give a file away."""
    owned.parent.chmod(0o777)
    changes: list[Callable[[], None]] = [
        lambda: owned.chmod(0o777), lambda: os.chown(owned, STRANGER, -1), lambda: os.utime(owned, ns=(1, 1)),
    ]  # fmt: skip
    for change in changes:
        with acting_as(STRANGER, 0), failing_with(errno.EPERM):
            change()
    with acting_as(OWNER, 0):
        owned.chmod(0o600)
        with failing_with(errno.EPERM):
            os.chown(owned, STRANGER, -1)


def test_a_sticky_directory(place: Path) -> None:
    """Everybody makes files in it, only their owner takes them away or renames them."""
    place.chmod(0o1777)
    with acting_as(OWNER, 0):
        (place / "file").touch()
    with acting_as(STRANGER, 0):
        with failing_with(errno.EPERM):
            (place / "file").unlink()
        with failing_with(errno.EPERM):
            (place / "file").rename(place / "other")
    with acting_as(OWNER, 0):
        (place / "file").unlink()


def test_new_inodes_belong_to_the_caller(place: Path) -> None:
    """uid, gid and umask of whoever asked; in a set-gid directory the group is inherited."""
    for name, mode in (("free", 0o777), ("group", 0o2777)):
        (place / name).mkdir()
        (place / name).chmod(mode)
    os.chown(place / "group", 0, 77)
    script = """
        umask 027
        for d in free group; do
            echo > $d/file; mkdir $d/dir; ln -s x $d/link; mkfifo $d/fifo
        done
    """
    subprocess.run(
        ["sh", "-c", script], cwd=place, user=1234, group=5678, extra_groups=[], check=True
    )
    for folder, gid in (("free", 5678), ("group", 77)):
        for name in ("file", "dir", "link", "fifo"):
            status = (place / folder / name).lstat()
            assert (status.st_uid, status.st_gid) == (1234, gid), (folder, name)
    assert stat.S_IMODE((place / "free" / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((place / "group" / "dir").stat().st_mode) == 0o2750


def acl(*entries: tuple[int, int, int]) -> bytes:
    """The value of system.posix_acl_access: (tag, permissions, id) of each entry (acl(5))."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.differs(Difference.ACLS)
def test_an_acl_that_lets_a_stranger_in_does(owned: Path) -> None:
    """An entry for one user: it is what the kernel goes by, and not the mode alone."""
    nobody = 0xFFFFFFFF
    owner, user, group, mask, other = 0x01, 0x02, 0x04, 0x10, 0x20
    owned.parent.chmod(0o755)
    owned.chmod(0o600)
    try:
        os.setxattr(
            owned,
            "system.posix_acl_access",
            acl((owner, 6, nobody), (user, 4, STRANGER), (group, 0, nobody), (mask, 4, nobody),
                (other, 0, nobody)),
        )  # fmt: skip
    except OSError as error:
        assert error.errno == errno.EOPNOTSUPP
        pytest.skip("the backing has no ACLs")
    with acting_as(STRANGER, 0):
        owned.read_bytes()
