"""Clients of a mount whose server lies: they use whatever it shows, and mind no error."""

# Names are system calls here.
# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH106, PTH108, PTH115, PTH116, PTH118
# ruff: noqa: PTH123, PTH211

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.vm.stress import PATIENCE_S

NAMES = [f"{top}{name}" for top in ("", "d/", "d/e/") for name in ("f", "g", "s", "d", "e", "n")]


def _open(root: str, random: Random, flags: int) -> int:
    return os.open(os.path.join(root, random.choice(NAMES)), flags | os.O_NONBLOCK, 0o644)


def use_file(root: str, random: Random) -> None:
    """Open, read, write, close."""
    fd = _open(
        root, random, random.choice([os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT | os.O_TRUNC])
    )
    try:
        os.fstat(fd)
        os.read(fd, 100)
        os.write(fd, b"x" * 50)
        os.ftruncate(fd, 10)
    finally:
        os.close(fd)


def use_directory(root: str, random: Random) -> None:
    with os.scandir(os.path.join(root, random.choice(["", "d", "d/e"]))) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                entry.stat(follow_symlinks=False)


def use_attributes(root: str, random: Random) -> None:
    path = os.path.join(root, random.choice(NAMES))
    for call in (
        lambda: os.stat(path), lambda: os.chmod(path, 0o644), lambda: os.chown(path, 0, 0),
        lambda: os.truncate(path, 5), lambda: os.utime(path), lambda: os.listxattr(path),
        lambda: os.setxattr(path, "user.a", b"1"), lambda: os.getxattr(path, "user.a"),
    ):  # fmt: skip
        with contextlib.suppress(OSError):
            call()


def use_names(root: str, random: Random) -> None:
    one, two = (os.path.join(root, random.choice(NAMES)) for _ in range(2))
    calls: list[Callable[[], object]] = [
        lambda: os.mkdir(one), lambda: os.unlink(one), lambda: os.rmdir(one), lambda: os.rename(one, two),
        lambda: os.link(one, two), lambda: os.symlink("f", one), lambda: os.mkfifo(one),
        lambda: os.readlink(one), lambda: os.statvfs(one),
    ]  # fmt: skip
    random.choice(calls)()


def forget(_root: str, random: Random) -> None:
    if random.random() < 0.1:
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("2")


USES = (use_file, use_directory, use_attributes, use_attributes, use_names, forget)


def client(root: str, seed: str, stop: str) -> int:
    """Use the mount in a process of its own, until told to stop."""
    pid = os.fork()
    if pid:
        return pid
    random = Random(seed)
    end = time.monotonic() + PATIENCE_S
    while not Path(stop).exists() and time.monotonic() < end:
        with contextlib.suppress(OSError):
            random.choice(USES)(root, random)
    os._exit(0)


def furnish(backing: str) -> None:
    os.makedirs(f"{backing}/d/e")
    for name in ("f", "g", "d/f", "d/g", "d/e/f"):
        with open(f"{backing}/{name}", "wb") as file:
            file.write(b"content" * 50)
    os.symlink("f", f"{backing}/s")
