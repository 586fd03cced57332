"""The directory beneath the mounts: chosen, checked, filled once, reused by every run with the same spec."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import mountinfo, own
from bench.model import Cache, UserError

MEMORY_BACKED = frozenset({"tmpfs", "ramfs", "rootfs"})
GIT_DIRECTORIES = 20
GIT_FILES = 1000
FIXED_DATE = 1_700_000_000
"""mtime of every file of the repository: older than its index, so that git trusts the index."""


@dataclass(frozen=True)
class Backing:
    """A filled backing directory. ``path`` holds tree/, data/ and, where they are needed, git/ and dirs/."""

    path: Path
    spec: Any
    filesystem: str
    options: str

    def describe(self) -> dict[str, Any]:
        """For run.json."""
        return {"path": str(self.path), "filesystem": self.filesystem, "options": self.options}

    def cache_refusals(self) -> dict[Cache, str]:
        """Cache states this backing cannot be brought into, and why."""
        if self.filesystem in MEMORY_BACKED:
            return {
                Cache.COLD_ALL: f"the backing is {self.filesystem}, which drop_caches does not make "
                "cold: use --backing on a disk file system, or in a guest --backing-fs"
            }
        return {}


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
    """/dev/shm where it is a tmpfs (the least noise beneath the mount), else /var/tmp."""
    entry = mountinfo.find(Path("/dev/shm"))
    memory = entry is not None and entry.fstype == "tmpfs" and os.access("/dev/shm", os.W_OK)
    return Path("/dev/shm" if memory else "/var/tmp") / "fuse-passthrough-bench"


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
            f"another run is measuring on {directory}: wait for it, or use another --backing"
        ) from None
    finally:
        os.close(descriptor)


def fill(
    directory: Path, spec: Any, progress: Callable[[int, int], None], *, git: bool = True
) -> Backing:
    """Build (or reuse) the tree of ``spec`` and its companions below ``directory``.

    ``git`` says whether the generated repository will be needed.

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
    if git:
        make_git(path)
    return Backing(path, spec, entry.fstype, ",".join((*entry.options, *entry.super_options)))


def fill_flat(filled: Backing, entries: int, progress: Callable[[int, int], None]) -> None:
    """Build (or reuse) the flat directories of one size beside the tree; raises UserError as ``fill``."""
    from workloads import flat

    flat.build_in(filled.path, entries, progress)


def make_git(path: Path) -> None:
    """A repository of GIT_FILES files with a clean index, for ``git status``; once per tree."""
    done = path / "git.complete"
    if done.exists() or shutil.which("git") is None:
        return
    repository = path / "git"
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir()
    for number in range(GIT_FILES):
        folder = repository / f"dir{number % GIT_DIRECTORIES:02}"
        folder.mkdir(exist_ok=True)
        file = folder / f"file{number:04}.txt"
        file.write_text(f"file {number} of a generated repository\n" * 8)
        os.utime(file, (FIXED_DATE, FIXED_DATE))
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "generated"]):
        run_git(repository, *arguments)
    done.touch()


def run_git(repository: Path, *arguments: str) -> None:
    """Run git on the generated repository, deaf to the user's configuration; raises UserError."""
    who = {"NAME": "bench", "EMAIL": "bench@invalid", "DATE": f"{FIXED_DATE} +0000"}
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in who.items()
        },
    }
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise UserError(f"git {arguments[0]} failed in {repository}: {done.stderr.strip()}")
