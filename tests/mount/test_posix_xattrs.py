"""Extended attributes on every writable target, in the namespaces the file system has."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.mount.checks import failing_with
from tests.mount.operations import acting_as
from tests.mount.targets import Difference

pytestmark = pytest.mark.mount


@pytest.fixture
def file(place: Path) -> Path:
    """A file that may have user attributes."""
    path = place / "file"
    path.touch()
    path.chmod(0o666)
    try:
        os.setxattr(path, "user.probe", b"")
    except OSError as error:
        pytest.skip(f"needs user xattrs on the file system: {error.strerror}")
    os.removexattr(path, "user.probe")
    return path


def test_set_get_list_remove(file: Path) -> None:
    """Any bytes, the empty value too, and a size asked for ahead."""
    os.setxattr(file, "user.one", b"\0\xff")
    os.setxattr(file, "user.empty", b"")
    os.setxattr(file, b"user.caf\xe9", b"x" * 3000)
    assert os.getxattr(file, "user.one") == b"\0\xff"
    assert os.getxattr(file, "user.empty") == b""
    assert os.getxattr(file, b"user.caf\xe9") == b"x" * 3000
    listed = sorted(os.fsencode(name) for name in os.listxattr(file))
    assert listed == [b"user.caf\xe9", b"user.empty", b"user.one"]
    os.removexattr(file, "user.one")
    with failing_with(errno.ENODATA):
        os.getxattr(file, "user.one")
    with failing_with(errno.ENODATA):
        os.removexattr(file, "user.one")


def test_create_and_replace(file: Path) -> None:
    """XATTR_CREATE refuses what is there, XATTR_REPLACE what is not."""
    os.setxattr(file, "user.one", b"1", os.XATTR_CREATE)
    with failing_with(errno.EEXIST):
        os.setxattr(file, "user.one", b"2", os.XATTR_CREATE)
    with failing_with(errno.ENODATA):
        os.setxattr(file, "user.two", b"", os.XATTR_REPLACE)
    os.setxattr(file, "user.one", b"3", os.XATTR_REPLACE)
    assert os.getxattr(file, "user.one") == b"3"


def test_directories_and_links(file: Path) -> None:
    """A directory has user attributes, a symbolic link only trusted ones."""
    os.setxattr(file.parent, "user.one", b"1")
    assert os.getxattr(file.parent, "user.one") == b"1"
    link = file.parent / "link"
    link.symlink_to("file")
    with failing_with(errno.EPERM):
        os.setxattr(link, "user.one", b"1", follow_symlinks=False)
    os.setxattr(link, "trusted.one", b"1", follow_symlinks=False)
    assert os.listxattr(link, follow_symlinks=False) == ["trusted.one"]
    assert os.listxattr(file) == []


@pytest.mark.differs(Difference.TRUSTED)
def test_trusted_attributes_are_roots_alone(file: Path) -> None:
    """Another user neither reads nor sets them, and does not see them listed."""
    os.setxattr(file, "trusted.one", b"1")
    os.setxattr(file, "user.one", b"1")
    assert sorted(os.listxattr(file)) == ["trusted.one", "user.one"]
    with acting_as(1234, 0o022):
        assert os.listxattr(file) == ["user.one"]
        with failing_with(errno.ENODATA):
            os.getxattr(file, "trusted.one")
        with failing_with(errno.EPERM):
            os.setxattr(file, "trusted.one", b"2")


def test_names_refused(file: Path) -> None:
    """No namespace, an unknown one, too long a name."""
    for name, number in (("one", errno.EOPNOTSUPP), ("none.one", errno.EOPNOTSUPP),
                         ("user." + "n" * 251, errno.ERANGE)):  # fmt: skip
        with failing_with(number):
            os.setxattr(file, name, b"")
