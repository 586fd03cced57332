"""Nothing beneath the mounts is left to be done once only, by whoever is measured first."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.mounts import backing
from bench.run.prepare import warmer
from workloads.tree import parse_tree

REFERENCED, LRU, ACTIVE = 1 << 2, 1 << 5, 1 << 6
"""Bits of /proc/kpageflags."""
PAGE = mmap.PAGESIZE


@pytest.fixture
def filled() -> Iterator[backing.Backing]:
    """A tree in memory, just built."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        spec = parse_tree("depth=1,branching=3,files_per_dir=5")
        yield backing.fill(Path(folder) / "backing", spec, lambda _done, _all: None)


def flags(path: Path) -> list[int]:
    """Flags of every 64th page of a file, whose frames are found by mapping it."""
    found = []
    with (
        path.open("r+b") as file,
        mmap.mmap(file.fileno(), 0) as mapped,
        Path("/proc/self/pagemap").open("rb") as frames,
        Path("/proc/kpageflags").open("rb") as kinds,
    ):
        first = ctypes.c_char.from_buffer(mapped)
        begin = ctypes.addressof(first) // PAGE
        for page in range(0, len(mapped) // PAGE, 64):
            mapped[page * PAGE]
            frames.seek((begin + page) * 8)
            frame = struct.unpack("Q", frames.read(8))[0] & ((1 << 55) - 1)
            kinds.seek(frame * 8)
            kind = struct.unpack("Q", kinds.read(8))[0]
            if kind & LRU:  # the first page of a large folio has the flags of all
                found.append(kind & (REFERENCED | ACTIVE))
        del first
    return found


def test_a_page_is_as_it_stays_before_anybody_reads_it(filled: backing.Backing) -> None:
    """Written once, its first reader would move it to the active list, its second would mark it."""
    paths = sorted((filled.path / "data").iterdir())
    before = [one for path in paths for one in flags(path)]
    warmer(filled)
    after = [one for path in paths for one in flags(path)]
    settled = REFERENCED | ACTIVE
    assert before.count(settled) < len(before) / 10
    assert after.count(settled) > 0.9 * len(after)  # the last few wait on their CPU's list


def test_a_listing_writes_no_access_time(filled: backing.Backing) -> None:
    """With relatime the first one after a change does."""
    folders = [filled.path / "tree", filled.path / "data", *(filled.path / "tree").iterdir()]
    warmer(filled)
    times = [folder.stat().st_atime_ns for folder in folders]
    for folder in folders:
        os.listdir(folder)  # noqa: PTH208
    assert [folder.stat().st_atime_ns for folder in folders] == times
