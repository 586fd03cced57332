"""What the suites are run over: every daemon the registry finds, and how it is documented to differ.

Nothing is listed here but differences. A test that meets one is marked with it and must then fail
on that target (a strict xfail): a difference that has gone is noticed, as is one too many.
"""

from __future__ import annotations

import enum
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import registry
from bench.model import Daemon
from tests.mount.serving import Mounted

FOREVER_S = 1e8


class Difference(enum.StrEnum):
    """A behaviour a target is documented not to have."""

    WRITE = "anything can be written"
    BACKING = "what is written is in the backing"
    FALLOCATE = "fallocate reserves and punches"
    HOLES = "SEEK_HOLE finds a hole"
    TMPFILE = "O_TMPFILE makes a file without a name"
    STATFS = "figures of the file system are the backing's"
    LISTED_INO = "a listing has the inode numbers that stat has"
    DEVICES = "device nodes can be opened"
    PATHS = "an inode is an inode under whatever name, or none"
    CACHED_LINKS = "a cached number of links follows links made and removed"
    LONG_PATHS = "a name may lie deeper than PATH_MAX"
    RENAME_FLAGS = "RENAME_NOREPLACE and RENAME_EXCHANGE"
    ONE_TIME = "one of the two times can be set alone"
    PAGES_OF_APPENDERS = "a page written back by an appender goes to its place"
    TRUSTED = "trusted attributes are listed to root alone"
    ACLS = "an access control list is what the kernel goes by"
    DIRECT = "O_DIRECT means what it means natively"
    SEQUENCES = "any sequence of operations ends as it does natively"


_LIBFUSE_TMPFILE = "libfuse before 3.17 has no TMPFILE handler (its ChangeLog.rst, 3.17.0)"
_NODEV = "libfuse mounts with nodev unless told otherwise (lib/mount.c; fuse(8), 'dev')"
_NO_ACLS = "nobody asks the kernel for FUSE_POSIX_ACL (README.md, 'Known limits')"
_PYFUSE3 = "pyfuse3.Operations has no handler for it (pyfuse3 documentation, 'Request Handlers')"
_OVERLAY = "Documentation/filesystems/overlayfs.rst"

_BY_PATH = "it names every file by its path (libfuse's high-level API; src/bindfs.c, process_path)"
_BINDFS = "bindfs_oper has no handler for it (src/bindfs.c)"

DOCUMENTED: Mapping[str, Mapping[Difference, str]] = {
    "overlayfs": {
        Difference.WRITE: f"{_OVERLAY}, 'Multiple lower layers': without upperdir it is read-only",
    },
    "overlayfs-rw": {
        Difference.BACKING: f"{_OVERLAY}, 'Upper and Lower': changes go to the upper directory",
        Difference.STATFS: f"{_OVERLAY}, 'Upper and Lower': room is the upper directory's",
        Difference.LISTED_INO: f"{_OVERLAY}, 'Inode properties': layers on two file systems, no xino",
    },
    "plain": {
        Difference.FALLOCATE: _PYFUSE3,
        Difference.HOLES: _PYFUSE3,
        Difference.ACLS: _NO_ACLS,
        Difference.TMPFILE: _LIBFUSE_TMPFILE,
        Difference.DEVICES: _NODEV,
    },
    "bindfs": {
        Difference.FALLOCATE: _BINDFS,
        Difference.HOLES: _BINDFS,
        Difference.TMPFILE: _LIBFUSE_TMPFILE,
        Difference.DEVICES: _NODEV,
        Difference.PATHS: _BY_PATH,
        Difference.LONG_PATHS: _BY_PATH,
        Difference.RENAME_FLAGS: "refused with EINVAL without __NR_renameat2 (src/bindfs.c, "
        "bindfs_rename)",
        Difference.ONE_TIME: "a time alone is left out where libfuse was built without "
        "HAVE_UTIMENSAT (lib/fuse.c, fuse_lib_setattr)",
        Difference.PAGES_OF_APPENDERS: "O_APPEND reaches its own descriptor (src/bindfs.c, bindfs_open)",
        Difference.ACLS: "bindfs_init asks for no FUSE_CAP_POSIX_ACL (src/bindfs.c)",
        Difference.DIRECT: "O_DIRECT is cleared without --forward-odirect (bindfs(1))",
        Difference.TRUSTED: "it lists as root, unfiltered (src/bindfs.c, bindfs_listxattr)",
        Difference.SEQUENCES: f"modes lose all but 0777 (src/bindfs.c, bindfs_mkdir), and {_BY_PATH}",
    },
    "bindfs-cached": {
        Difference.CACHED_LINKS: f"{_BY_PATH}: each name has attributes of its own",
    },
    "fuse-overlayfs": {
        Difference.WRITE: "without upperdir it is read-only (fuse-overlayfs(1))",
    },
    "plain-c": {
        Difference.ACLS: _NO_ACLS,
        Difference.TMPFILE: _LIBFUSE_TMPFILE,
        Difference.DEVICES: _NODEV,
    },
}
"""By target; ``-cached``: by long timeouts alone. One in TWINS differs as its twin does."""

TWINS = {"passthrough": "plain", "passthrough-c": "plain-c"}


def documented(daemon: Daemon, cached: bool = False) -> Mapping[Difference, str]:
    """How a daemon is documented to differ, with the document; ``cached``: with long timeouts."""
    name = TWINS.get(daemon.name, daemon.name)
    more = DOCUMENTED.get(f"{name}-cached", {}) if cached else {}
    return {**DOCUMENTED.get(name, {}), **more}


@dataclass(frozen=True)
class Target:
    """A daemon, and how long the kernel may answer from its cache."""

    daemon: Daemon
    timeout_s: float = 0.0

    @property
    def id(self) -> str:
        """What a test's parameter is called."""
        return f"{self.daemon.name}-cached" if self.timeout_s else self.daemon.name

    def mount(self, folder: Path) -> Mounted:
        """Mount ``folder/backing`` on ``folder/mnt``, open to every user."""
        # Other servers let everybody in when root starts them.
        extra = ("--allow-other",) if self.daemon.has_counters else ()
        return Mounted(self.daemon, folder, extra, self.timeout_s)


def targets() -> list[Target]:
    """Every daemon that mounts here; FUSE ones also with caches that never run out."""
    found = []
    for daemon in registry.daemons().values():
        if daemon.argv is None or daemon.missing():
            continue
        found.append(Target(daemon))
        if daemon.is_fuse and daemon.timeouts.holds(FOREVER_S, FOREVER_S):
            found.append(Target(daemon, FOREVER_S))
    return found


def writable() -> list[Target]:
    """The targets that one can write through."""
    return [one for one in targets() if Difference.WRITE not in documented(one.daemon)]


def uncached() -> list[Target]:
    """Every one, read-only too, where the kernel asks each time."""
    return [one for one in targets() if not one.timeout_s]


@contextmanager
def open_folder(parent: Path | None = None) -> Iterator[Path]:
    """A temporary directory other users can enter, as those of pytest cannot be."""
    with tempfile.TemporaryDirectory(prefix="fuse-bench-", dir=parent) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def upper_like(daemon: Daemon, native: Path) -> Iterator[Path]:
    """Where a target writes elsewhere, ``native`` becomes such a file system: a tmpfs."""
    if Difference.BACKING not in documented(daemon):
        yield native
        return
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", native], check=True)
    try:
        yield native
    finally:
        subprocess.run(["umount", native], check=True)
