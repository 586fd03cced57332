"""What a daemon is: a process contract, and what it says of itself."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.model.words import Attach, Cache, Level, Opcode, ReaddirMode, XattrWay

Delay = tuple[tuple[Opcode, int], ...]
"""Opcodes whose every request a server holds back, and for how many nanoseconds."""


NOT_KNOWN = "not known"
"""How a server lists that others supply and nobody has described."""


@dataclass(frozen=True)
class Serving:
    """How a server goes about its work, apart from passthrough: the axes a server can be run at.

    ``threads`` is how many it answers with, 0 as many as it has CPUs; ``clone_fd`` gives each a
    /dev/fuse descriptor of its own (FUSE_DEV_IOC_CLONE). ``delay`` is a known cost, to be found by
    measuring; only servers with our shim (``Daemon.has_counters``) can have it.
    """

    mode: ReaddirMode = ReaddirMode.READDIRPLUS
    threads: int = 0
    clone_fd: bool = False
    twin: bool = False
    """The second of two that are alike, in a run that has to find no difference."""
    delay: Delay = ()
    xattr: XattrWay = XattrWay.ANSWER
    attach: Attach = Attach.ALL


AS_USUAL = Serving()
"""How a server is run when nothing else is asked for."""


@dataclass(frozen=True)
class DaemonOptions:
    """What the runner asks of a daemon for one mount.

    ``attr_timeout`` and ``entry_timeout`` are seconds. ``level`` is what the kernel was found to
    give, never more. ``counters`` names the file the shim maps its request counters into
    (None: the daemon has none). ``readdir`` asks for readdir passthrough on top of the level.
    """

    attr_timeout: float = 0.0
    entry_timeout: float = 0.0
    level: Level = Level.NONE
    readdir: bool = True
    counters: Path | None = None
    serving: Serving = Serving()


class Exemption(enum.StrEnum):
    """What a target may answer differently from its backing, because it is documented to."""

    DIRECTORY_INO = "directory-ino"
    """st_ino of directories: overlayfs numbers them itself where its layers are on different file
    systems (Documentation/filesystems/overlayfs.rst, "Inode properties")."""
    DIRECTORY_ATIME = "directory-atime"
    """Access time of directories: fuse-overlayfs reads a directory to count its links before it
    answers for it (fuse-overlayfs(1), static_nlink), and its answer shows that reading."""


class TimeoutControl(enum.StrEnum):
    """Which attribute and entry timeouts a server can be told to give.

    Told others, it gives its own, which are not known here: a row must not claim ours.
    """

    EACH = "each"
    ONE = "one"
    """One setting serves for both."""
    ZERO = "zero"
    """Both can be switched off, and nothing else."""
    NONE = "none"

    def holds(self, attr: float, entry: float) -> bool:
        """Whether a server of this kind gives these timeouts, in seconds."""
        return {
            TimeoutControl.EACH: True,
            TimeoutControl.ONE: attr == entry,
            TimeoutControl.ZERO: attr == entry == 0,
            TimeoutControl.NONE: False,
        }[self]


@dataclass(frozen=True)
class Daemon:
    """One target: a FUSE server (a process contract) or, with ``argv`` None, the native directory.

    The contract: ``argv(backing, mountpoint, options)`` gives a command that stays in the
    foreground, mounts ``backing`` on ``mountpoint``, logs to stderr, exits 0 on unmount or
    SIGTERM, and, where ``has_counters``, maps its counters into ``options.counters`` and prints
    them as one JSON line on stdout at the end.

    ``levels`` are the passthrough levels it can work at, lowest first; ``claims(options, cache)``
    gives the opcodes that must not reach the server in a window at these options.
    """

    name: str
    summary: str
    argv: Callable[[Path, Path, DaemonOptions], list[str]] | None
    levels: tuple[Level, ...] = (Level.NONE,)
    claims: Callable[[DaemonOptions, Cache], frozenset[Opcode]] = lambda _options, _cache: (
        frozenset()
    )
    has_counters: bool = False
    python: bool = False
    """Whether the server is written in Python: its requests cost several times what others' do."""
    companions: tuple[str, ...] = ()
    """Targets that a run brings along as comparison unless --only is given."""
    read_only: bool = False
    """Nothing can be changed through it."""
    copies_up: bool = False
    """What is changed through it does not reach the backing."""
    in_kernel: bool = False
    """Mounts something other than FUSE (overlayfs, a bind mount): there are no requests to count."""
    exempt: frozenset[Exemption] = frozenset()
    modes: tuple[ReaddirMode, ...] = (ReaddirMode.READDIRPLUS,)
    """The listing requests it can be run with, its usual ones first; none: not known."""
    modes_why: str = "its listing requests cannot be chosen"
    """Why it has no others."""
    threaded: bool = False
    """Whether the number of its threads, and clone_fd, can be chosen."""
    timeouts: TimeoutControl = TimeoutControl.EACH
    foreground: bool = True
    """Whether the command is the server. Where that is not known it runs under bench/keeper.py,
    which stays in the foreground in the place of what the command leaves in the background."""
    missing: Callable[[], str] = lambda: ""
    """What keeps it from being started here, and what supplies it; empty when nothing does."""
    foreign: bool = False
    """Made of a command line: nothing is known of what it answers."""
    twin: str = ""
    """The daemon that is the same server without passthrough; none: plain-c stands in for it."""
    files_only: bool = False
    """Attaches regular files and nothing else: what is asked about directories still arrives."""

    @property
    def is_fuse(self) -> bool:
        """Whether its operations can become requests to a server."""
        return self.argv is not None and not self.in_kernel

    def mode(self, serving: Serving) -> str:
        """The listing requests of a mount in a word, for records."""
        return serving.mode.value if self.modes else NOT_KNOWN
