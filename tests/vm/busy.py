"""What keeps a tree busy: workers that walk, list, rename, link, change, drop caches; one turn a call.

Through the mount and underneath, as the dice of their place say; an OSError ends the turn.
"""

# Names are system calls here.
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH116, PTH118, PTH123, PTH208, PTH211

from __future__ import annotations

import contextlib
import mmap
import os
import time
from collections.abc import Callable
from random import Random

DIRECTORIES = [f"{top}/{sub}" for top in "ab" for sub in "012"]
NAMES = [f"{index}" for index in range(8)]


class Place:
    """The tree as a worker sees it, with its own dice."""

    def __init__(self, above: str, below: str, seed: str) -> None:
        self.above, self.below = above, below
        self.random = Random(seed)

    def directory(self, side: str) -> str:
        return os.path.join(side, self.random.choice(DIRECTORIES))

    def file(self, side: str) -> str:
        return os.path.join(self.directory(side), self.random.choice(NAMES))

    def either(self) -> str:
        return self.random.choice([self.above, self.above, self.below])


def walk(place: Place) -> None:
    """As find does."""
    for root, _folders, files in os.walk(place.above):
        for name in files:
            with contextlib.suppress(OSError):
                os.stat(os.path.join(root, name))


def list_long(place: Place) -> None:
    """As ls -l does."""
    with os.scandir(place.directory(place.above)) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                entry.stat(follow_symlinks=False)
                os.listxattr(entry.path, follow_symlinks=False)


def look(place: Place) -> None:
    for _ in range(20):
        with contextlib.suppress(OSError):
            os.stat(place.file(place.above))


def rename(place: Place) -> None:
    """Files and directories, on either side."""
    side = place.either()
    if place.random.random() < 0.7:
        os.rename(place.file(side), place.file(side))
        return
    one, two = (place.directory(side) for _ in range(2))
    os.rename(one, two + "-moved")
    os.rename(two + "-moved", one)


def link(place: Place) -> None:
    side = place.either()
    os.link(place.file(side), place.file(side))


def change(place: Place) -> None:
    """Mode, owner, times and size."""
    path = place.file(place.either())
    os.chmod(path, place.random.choice([0o644, 0o600, 0o4755, 0o000]))
    os.chown(path, place.random.choice([0, 1001]), -1)
    os.utime(path)
    os.truncate(path, place.random.choice([0, 10, 5000]))
    os.setxattr(path, "user.a", b"1" * place.random.randint(0, 50))


def close_off(place: Place) -> None:
    os.chmod(place.directory(place.either()), place.random.choice([0o755, 0o700, 0o711]))


def make(place: Place) -> None:
    """New files under old names."""
    path = place.file(place.either())
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    kind = place.random.random()
    if kind < 0.7:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o644))
    elif kind < 0.85:
        os.symlink("0", path)
    else:
        os.mkdir(path)
        os.rmdir(path)


def data(place: Place) -> None:
    """Through descriptors and mappings, of files that others truncate and remove."""
    fd = os.open(place.file(place.either()), os.O_RDWR | os.O_NONBLOCK)
    try:
        os.pwrite(fd, b"x" * 5000, place.random.choice([0, 3000]))
        with contextlib.suppress(ValueError), mmap.mmap(fd, 5000) as memory:
            memory.flush()
        os.pread(fd, 9000, 0)
        os.fstat(fd)
        os.ftruncate(fd, place.random.choice([0, 100]))
        os.fsync(fd)
    finally:
        os.close(fd)


def drop(_place: Place) -> None:
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("2")
    time.sleep(0.1)


def hold(place: Place) -> None:
    """Descriptors that outlive names, and a working directory that may go."""
    fds = []
    try:
        os.chdir(place.directory(place.above))
        for _ in range(5):
            with contextlib.suppress(OSError):
                fds.append(os.open(place.file(place.above), os.O_PATH | os.O_NOFOLLOW))
        fds.append(os.open(".", os.O_RDONLY))
        for fd in fds:
            with contextlib.suppress(OSError):
                os.fstat(fd)
                os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK))
        with contextlib.suppress(OSError):
            os.listdir(".")
    finally:
        for fd in fds:
            os.close(fd)
        os.chdir("/")


WORKERS: tuple[Callable[[Place], None], ...] = (
    walk, list_long, look, rename, link, change, close_off, make, data, drop, hold,
)  # fmt: skip
