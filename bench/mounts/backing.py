"""The directory beneath the mounts: chosen, checked, filled once, reused by every run with the same spec."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.machine import mountinfo, own
from bench.model import Cache, Exit, Fixture, Lacking, UserError

MEMORY_BACKED = frozenset({"tmpfs", "ramfs", "rootfs"})


@dataclass(frozen=True)
class Backing:
    """A filled backing directory. ``path`` holds tree/, data/, fixtures and, where they are needed, dirs/."""

    path: Path
    spec: Any
    filesystem: str
    options: str
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Fixtures that could not be made here, by name, and why."""

    def describe(self) -> dict[str, Any]:
        """For run.json."""
        return {"path": str(self.path), "filesystem": self.filesystem, "options": self.options}

    def cache_refusals(self) -> dict[Cache, str]:
        """Cache states this backing cannot be brought into here, and why."""
        if not os.access(DROP_CACHES, os.W_OK):
            return {Cache.COLD_ALL: f"needs root: {DROP_CACHES} is not to be written"}
        if self.filesystem in MEMORY_BACKED:
            return {
                Cache.COLD_ALL: f"the backing is {self.filesystem}, which drop_caches does not make "
                "cold: use --backing on a disk file system, or in a guest --backing-fs"
            }
        return {}


DROP_CACHES = "/proc/sys/vm/drop_caches"
TOUCHES = 3
"""Reads after which one more changes nothing about a page."""
LOCK = ".lock"
PSEUDO = frozenset(
    {"proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "debugfs", "tracefs", "securityfs",
     "bpf", "fusectl", "configfs", "mqueue", "pstore", "hugetlbfs", "efivarfs", "autofs"}
)  # fmt: skip
"""File systems of the kernel's own, where nobody's files are."""
SYSTEMS = frozenset(
    map(Path, ("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt",
               "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/tmp",
               "/dev/shm"))
)  # fmt: skip
"""Folders that are nobody's to build a tree in; what lies in them may be."""


def refuse_place(directory: Path) -> None:
    """Raise UserError for a directory no tree may be built in or removed from, before it is touched."""
    real = Path(os.path.realpath(directory))
    if real in SYSTEMS or real == Path.home():
        raise UserError(f"--backing {directory}: name a folder of its own, below {real}")
    entry = mountinfo.deepest(mountinfo.table(), real)
    if entry is not None and entry.fstype in PSEUDO:
        raise UserError(
            f"--backing {directory}: lies on {entry.fstype}, where no files can be made"
        )


def default_directory() -> Path:
    """/dev/shm where it is a tmpfs (the least noise beneath the mount), else /var/tmp; each user's own."""
    entry = mountinfo.find(Path("/dev/shm"))
    memory = entry is not None and entry.fstype == "tmpfs" and os.access("/dev/shm", os.W_OK)
    return Path("/dev/shm" if memory else "/var/tmp") / own.named("fuse-passthrough-bench")


def check_directory(directory: Path) -> mountinfo.MountEntry:
    """Refuse what cannot be a backing; raises UserError. Makes the directory if its parent exists."""
    refuse_place(directory)
    if directory == default_directory():
        own.make(directory)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        raise UserError(f"--backing {directory}: {directory.parent} does not exist") from None
    except OSError as error:
        raise UserError(f"--backing {directory}: {error.strerror}") from None
    if not directory.is_dir():
        raise UserError(f"--backing {directory}: not a directory")
    own.refuse_open(directory, f"--backing {directory}")
    entry = mountinfo.covering(directory)
    if entry is None:
        raise UserError(f"--backing {directory}: no mount covers it")
    if entry.is_fuse:
        raise UserError(
            f"--backing {directory} lies on a FUSE mount ({entry.fstype}): "
            "measuring FUSE over FUSE says nothing; choose a native file system"
        )
    return entry


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory for this run; raises UserError when another run measures on it."""
    try:
        descriptor = own.open_in(directory, LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise UserError(f"--backing {directory}: {LOCK}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(
            f"another run is measuring on {directory}: wait for it, or use another --backing",
            Exit.NOTHING,
        ) from None
    finally:
        os.close(descriptor)


def fill(directory: Path, spec: Any, progress: Callable[[int, int], None]) -> Backing:
    """Build (or reuse) the tree of ``spec`` below ``directory``.

    Raises UserError when there is no room or the place holds something that is not ours.
    """
    from workloads import tree

    entry = check_directory(directory)
    path = directory / spec.hash
    own.make(path, 0o755)
    for name in ("tree", "data", "dirs", "git"):
        if (path / name).is_symlink():
            raise UserError(f"{path / name}: a symbolic link, not what this suite has built")
    tree.build(spec, path, progress=progress)
    return Backing(path, spec, entry.fstype, ",".join((*entry.options, *entry.super_options)))


def touch(filled: Backing) -> None:
    """List every directory and read every data file, as often as leaves nothing to be done once only.

    A directory's first listing since it changed writes its access time, a page's second access
    moves it to the active list and its third marks it again: whoever came first on a block of
    read-random paid 580 instructions more, a tenth of the operation, and no other target did.
    """
    from workloads._native import opdriver

    opdriver.walk(os.fsencode(filled.path), stat=True)
    buffer = bytearray(1 << 20)
    for path in (filled.path / "data").glob("*"):
        with path.open("rb", buffering=0) as file:
            for _ in range(TOUCHES):
                file.seek(0)
                while file.readinto(buffer):
                    pass


def furnish(filled: Backing, fixtures: Iterable[Fixture]) -> Backing:
    """Have every fixture beside the tree, made anew where another version of it is there.

    What a fixture lacks here is noted, and is no error: the rows that need it are left out. Raises
    UserError when the disk is full.
    """
    lacking: dict[str, str] = {}
    for fixture in fixtures:
        try:
            _furnish(filled.path, fixture)
        except Lacking as reason:
            lacking[fixture.name] = str(reason)
        except OSError as error:
            raise UserError(f"{filled.path / fixture.name}: {error.strerror}") from error
    return replace(filled, lacking=lacking)


def _furnish(path: Path, fixture: Fixture) -> None:
    folder, done = path / fixture.name, path / f"{fixture.name}.complete"
    version = f"{fixture.version}\n"
    if done.exists() and done.read_text() == version:
        return
    done.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fixture.build(folder)
    done.write_text(version)


def fill_flat(filled: Backing, entries: int, progress: Callable[[int, int], None]) -> None:
    """Build (or reuse) the flat directories of one size beside the tree; raises UserError as ``fill``."""
    from workloads import flat

    flat.build_in(filled.path, entries, progress)
