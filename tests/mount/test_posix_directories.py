"""Listings on every target: long ones, and places in them while names come and go."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mount.checks import opened, raw_listing
from tests.mount.targets import Difference, Target, open_folder

pytestmark = pytest.mark.mount


@pytest.fixture(scope="module")
def hundred_thousand() -> Iterator[Path]:
    """A backing with one directory of 100 000 names, made once."""
    with open_folder() as folder:
        (folder / "backing" / "long").mkdir(parents=True)
        for number in range(100_000):
            os.mknod(folder / "backing" / "long" / f"entry{number:06}")
        yield folder


def test_a_hundred_thousand_names_once_each(shown: Target, hundred_thousand: Path) -> None:
    """A long listing is complete, without repeats, dots first or last."""
    mounted = shown.mount(hundred_thousand)
    try:
        names = raw_listing(mounted.root / "long")
        mounted.stop()
    finally:
        mounted.end()
    assert len(names) == 100_002
    assert set(names) == {b".", b"..", *(b"entry%06d" % number for number in range(100_000))}


def entries(folder: int) -> list[tuple[bytes, int]]:
    """Names from where the descriptor is on, each with the place after it (getdents64)."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(1 << 16)
    found = []
    while (size := libc.getdents64(folder, buffer, len(buffer))) > 0:
        at = 0
        while at < size:
            name = ctypes.string_at(ctypes.addressof(buffer) + at + 19)
            found.append((name, int.from_bytes(buffer[at + 8 : at + 16], "little")))
            at += int.from_bytes(buffer[at + 16 : at + 18], "little")
    return found


@pytest.mark.parametrize("count", [3, 500, 2500])
def test_a_place_stays_good_while_names_come_and_go(place: Path, count: int) -> None:
    """seekdir to where telldir was; a rewind shows what is there now."""
    for number in range(count):
        (place / f"entry{number}").touch()
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    everything = entries(folder)
    middle = len(everything) // 2
    gone = next(name for name, _place in everything if name.startswith(b"entry"))
    (place / os.fsdecode(gone)).unlink()
    (place / "new").touch()
    os.lseek(folder, everything[middle][1], os.SEEK_SET)
    rest = [name for name, _place in entries(folder) if name != b"new"]
    wanted = [name for name, _place in everything[middle + 1 :] if name != gone]
    assert rest == wanted
    os.lseek(folder, 0, os.SEEK_SET)
    again = {name for name, _place in entries(folder)}
    os.close(folder)
    assert again == {name for name, _place in everything} - {gone} | {b"new"}


def test_a_directory_emptied_as_it_is_read(place: Path) -> None:
    """Every name is listed once, though each is removed when it was seen; then rmdir succeeds."""
    (place / "dir").mkdir()
    for number in range(1009):
        (place / "dir" / f"entry{number}").touch()
    seen = []
    with os.scandir(place / "dir") as listing:
        for entry in listing:
            seen.append(entry.name)
            Path(entry.path).unlink()
    assert len(seen) == len(set(seen)) == 1009
    (place / "dir").rmdir()


@pytest.mark.differs(Difference.LISTED_INO)
def test_listed_inode_numbers_are_those_of_stat(place: Path) -> None:
    """d_ino and st_ino, and the kind that is listed."""
    (place / "dir").mkdir()
    (place / "file").touch()
    (place / "link").symlink_to("file")
    with os.scandir(place) as listing:
        for entry in listing:
            assert entry.inode() == entry.stat(follow_symlinks=False).st_ino, entry.name
            assert (entry.is_dir(), entry.is_symlink()) == (
                entry.name == "dir",
                entry.name == "link",
            )


@pytest.mark.differs(Difference.PATHS)
def test_a_removed_directory_that_is_open(place: Path) -> None:
    """Nothing can be made in it, and it has no link."""
    (place / "dir").mkdir()
    with opened(place / "dir") as folder:
        (place / "dir").rmdir()
        with pytest.raises(FileNotFoundError):
            os.mkdir("new", dir_fd=folder)
        assert os.fstat(folder).st_nlink == 0
