"""The words of the project as types: what a daemon, a workload, a trial and its proof are.

Everything here is a frozen value without behaviour that touches the machine; daemons and
workloads import this module and nothing else of ``bench``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SCHEMA = 1
"""Number of the layout of run.json, trials.jsonl and series/*.json; see results/README.md."""
TWIN = ":twin"
"""Ends the second name of a target in an A/A run."""


LIBFUSE_EXAMPLES = "FUSE_BENCH_LIBFUSE_EXAMPLES"
"""Environment variable with the folder of libfuse's built examples; --libfuse-examples sets it."""


class Exit(enum.IntEnum):
    """Exit codes of ``python -m bench`` and ``report.py``; documented in the README."""

    MEASURED = 0
    BUG = 1
    USAGE = 2
    NOTHING = 3
    """Nothing could be measured here; the reasons were printed."""
    PROOF_FAILED = 4
    """Measured, but at least one trial failed or a proof did not hold."""
    INTERRUPTED = 130


class UserError(Exception):
    """Something a person can put right: one clear line, no traceback, and an exit code."""

    def __init__(self, message: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.code = code


class Opcode(enum.IntEnum):
    """FUSE request numbers (include/uapi/linux/fuse.h, enum fuse_opcode)."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    READLINK = 5
    SYMLINK = 6
    MKNOD = 8
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    LINK = 13
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    SETXATTR = 21
    GETXATTR = 22
    LISTXATTR = 23
    REMOVEXATTR = 24
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    FSYNCDIR = 30
    GETLK = 31
    SETLK = 32
    SETLKW = 33
    ACCESS = 34
    CREATE = 35
    INTERRUPT = 36
    BMAP = 37
    DESTROY = 38
    IOCTL = 39
    POLL = 40
    NOTIFY_REPLY = 41
    BATCH_FORGET = 42
    FALLOCATE = 43
    READDIRPLUS = 44
    RENAME2 = 45
    LSEEK = 46
    COPY_FILE_RANGE = 47
    SETUPMAPPING = 48
    REMOVEMAPPING = 49
    SYNCFS = 50
    TMPFILE = 51
    STATX = 52
    COPY_FILE_RANGE_64 = 53


class Level(enum.StrEnum):
    """How much a kernel passes through, lowest first; ``bench probe`` finds it by trying."""

    NONE = "none"
    RW = "rw"
    ATTACH_GETATTR = "attach-getattr"
    ATTACH_LOOKUP = "attach-lookup"
    LOOKUP = "lookup"
    """Experimental: LOOKUP and OPENDIR of attached directories too (kernel/patches/0006)."""

    @property
    def rank(self) -> int:
        """0 for none, rising with what the kernel answers by itself."""
        return list(Level).index(self)


class Cache(enum.StrEnum):
    """What is already cached when a window opens."""

    WARM = "warm"
    COLD_FUSE = "cold-fuse"
    """A fresh mount; the backing file system is warm."""
    COLD_ALL = "cold-all"
    """A fresh mount after drop_caches=3 (root; not for memory-backed file systems)."""


class Placement(enum.StrEnum):
    """Which CPUs the client and the daemon run on."""

    SAME = "same"
    SPLIT = "split"
    FREE = "free"


class Outcome(enum.StrEnum):
    """How a trial ended."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


class Verdict(enum.StrEnum):
    """Whether passthrough did the work that a row of a table is about."""

    BASELINE = "baseline"
    """This target claims no passthrough."""
    ENGAGED = "engaged"
    NOT_ENGAGED = "not engaged"
    NOT_AVAILABLE = "not available here"
    """The kernel (or the server) cannot pass this operation through; the reason is given."""
    NO_CLAIM = "no claim"
    """No level of passthrough touches what this workload does: a control row."""


class XattrWay(enum.StrEnum):
    """What a server of ours says to requests about extended attributes."""

    ANSWER = "answer"
    """What the backing says."""
    ENOSYS = "enosys"
    """ENOSYS: the kernel remembers it for the mount and asks no more."""
    OFF = "off"
    """EOPNOTSUPP: the kernel asks again each time."""


class Order(enum.StrEnum):
    """When a listed entry is stat'ed."""

    ALTERNATE = "alternate"
    """Each buffer's entries before the next buffer is read, as ``ls`` does."""
    AFTER = "after"
    """When the whole directory has been listed, as fts does (``find``, ``du``)."""


class Group(enum.StrEnum):
    """What people look for a workload by; ``bench list`` shows them so."""

    ATTRIBUTES = "attributes"
    LISTINGS = "listings"
    XATTRS = "extended attributes"
    CHANGES = "changes"
    FILES = "files"
    CONTENTION = "contention"
    PROGRAMS = "real programs"


class ReaddirMode(enum.StrEnum):
    """Which listing requests a server has the kernel send (FUSE_DO_READDIRPLUS, FUSE_READDIRPLUS_AUTO)."""

    READDIRPLUS = "readdirplus"
    READDIR = "readdir"
    AUTO = "auto"
    """READDIRPLUS for the first buffer of a directory, READDIR where nobody looked names up since."""


Delay = tuple[tuple[Opcode, int], ...]
"""Opcodes whose every request a server holds back, and for how many nanoseconds."""


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

    @property
    def is_fuse(self) -> bool:
        """Whether its operations can become requests to a server."""
        return self.argv is not None and not self.in_kernel

    def mode(self, serving: Serving) -> str:
        """The listing requests of a mount in a word, for records."""
        return serving.mode.value if self.modes else "not known"


class Sync(enum.StrEnum):
    """The AT_STATX_* synchronisation flag; it decides whether FUSE asks its server."""

    AS_STAT = "as-stat"
    FORCE = "force"
    DONT = "dont"


@dataclass(frozen=True)
class Context:
    """What a workload's body is given, in the worker process.

    ``root`` is the target's directory, laid out like the backing: ``tree/`` (names), ``data/``
    (files with content, for reads) and ``git/`` (a generated repository). ``tree`` is the spec the
    backing was built from, so that names are known without listing anything.
    """

    root: Path
    tree: Mapping[str, int | str]
    variant: str
    cache: Cache
    threads: int
    seed: int
    sync: Sync
    attr_timeout: float
    entry_timeout: float
    names: int
    """Different names a storm goes round, at most."""
    entries: int
    """Entries of the directories a ``sized`` workload lists; 0 for every other."""
    windows: int
    """How many windows the worker will ask for on this mount, the counted one included."""
    buffer: int = 32768
    """Bytes of one getdents64 call."""
    backing: Path | None = None
    """What the target should show after a change; None where changes do not reach the backing."""
    xattr: str = XattrWay.ANSWER.value
    """What the server does with requests about extended attributes."""
    histogram: bool = False
    """Whether windows are to record per-op latency (a pass of its own, never the timed one)."""


@dataclass(frozen=True)
class Window:
    """One timed window: operations done and nanoseconds they took, wall clock.

    ``histogram`` maps the upper bound of a latency bucket in ns to its count.
    """

    ops: int
    ns: int
    histogram: Mapping[int, int] | None = None


class Shape(enum.StrEnum):
    """How often a workload's window can be had on one mount."""

    REPEAT = "repeat"
    """Any number of windows of any number of loops: a warm storm."""
    SLICES = "slices"
    """Every window consumes a slice of what a mount has only once: names it has never seen."""
    ONCE = "once"
    """One window consumes the mount; counting and timing each get a fresh one."""


class Body(Protocol):
    """A workload made ready on one target; lives in the worker process."""

    ops_per_loop: int
    """Operations one loop of a window does, the same for every window."""
    most_windows: int | None
    """Windows a mount is good for, the counted one included; None: as many as are asked for."""

    def warm(self) -> None:
        """Touch everything a warm window touches, untimed; called once if the cache is warm."""

    def before(self) -> None:
        """What must happen ahead of every window; neither timed nor counted."""

    def window(self, loops: int, *, sampled: bool = False) -> Window:
        """Do ``loops`` x ``ops_per_loop`` operations; raises OSError for the first that fails.

        ``sampled`` records the latency of every operation, which costs clock readings: such a
        window is never a timed one. Shape SLICES and ONCE: ``loops`` is 1, ``sampled`` False.
        """

    def empty_loop_ns(self) -> float | None:
        """What the loop costs per operation with the operation left out; None: no such loop."""

    def close(self) -> None:
        """Give back descriptors; the mount must not stay busy."""


@dataclass(frozen=True)
class Timeouts:
    """Attribute and entry timeout in seconds."""

    attr: float
    entry: float


@dataclass(frozen=True)
class Bound:
    """How many requests of one opcode an operation is expected to make: ``low`` to ``high``."""

    low: float
    high: float


class Lacking(Exception):
    """Why a fixture cannot be made here, in a few words; the rows that need it are left out."""


@dataclass(frozen=True)
class Fixture:
    """What a workload needs in the backing beside the tree: made once, found again by its name.

    ``build(folder)`` fills the empty directory ``folder``, which targets show under ``name``; it
    raises Lacking where that cannot be done. Another ``version`` has it made anew.
    """

    name: str
    build: Callable[[Path], None]
    version: int = 1


@dataclass(frozen=True)
class Workload:
    """One workload; ``prepare(context)`` runs in the worker and lays everything out.

    ``op`` says in words what one operation is, ``unit`` names it in the singular (op, entry, run).
    ``subject`` holds the opcodes passthrough could take away from it: the row is *engaged* when
    the daemon claims one of them and none arrives. ``expect(context)`` gives bounds on
    requests per operation for a **plain** server mounted with default_permissions, by opcode;
    what is not named is not checked. ``variants`` are ways of doing the same thing, each its own series.
    """

    name: str
    summary: str
    op: str
    unit: str
    prepare: Callable[[Context], Body]
    subject: frozenset[Opcode]
    shape: Shape = Shape.REPEAT
    caches: tuple[Cache, ...] = (Cache.WARM,)
    variants: tuple[str, ...] = ("",)
    expect: Callable[[Context], Mapping[Opcode, Bound]] = lambda _context: {}
    timeouts: Timeouts | None = None
    """Timeouts this workload is about; a run's own setting wins unless ``timeouts_fixed``."""
    timeouts_fixed: bool = False
    introduces: bool = False
    """Opens files at first contact. A server that passes lookups through is introduced to a file
    before it is asked to open it, by a LOOKUP: such a cold row does not claim that none arrives."""
    needs: tuple[str, ...] = ()
    """Programs that must be on PATH, for rows that run real programs."""
    group: Group = Group.ATTRIBUTES
    usual: tuple[str, ...] | None = None
    """Variants that a run measures which names no workload; None: all of them."""
    fixtures: Callable[[str], tuple[Fixture, ...]] = lambda _variant: ()
    """What a variant needs in the backing."""
    lacks: Callable[[Context], str] = lambda _context: ""
    """Why there is no such row at these settings, empty where there is. The context's root is not
    there: nothing may be looked at."""
    threaded: bool | None = None
    """Whether the number of client threads is an axis of it; None: where its shape is REPEAT."""
    order: Callable[[str], Order | None] = lambda _variant: None
    """When a variant has what it lists stat'ed; None: it does not list and stat."""
    changes: bool = False
    """Whether it changes anything: a target that is read-only cannot have it."""
    fresh: bool = False
    """Whether it looks at inodes that it has just made: what attaches an inode at its first GETATTR
    has that one arrive, in a warm window too."""
    about: str = ""
    """Which requests it makes on a plain server and which passthrough takes them away, in a line."""
    sized: bool = False
    """Whether directory size is an axis of it: it lists flat directories made for each size."""


class Clock(enum.StrEnum):
    """What a window is measured in."""

    WALL = "wall"
    """Nanoseconds of CLOCK_MONOTONIC."""
    INSTRUCTIONS = "instructions"
    """Executed instructions: a guest's time under qemu's icount. Never mixed with wall time."""

    @property
    def unit_ns(self) -> float:
        """Nanoseconds of the window's clock in one unit of a value: a second, or an instruction at
        ``-icount shift=1`` (bench.kernels.vm)."""
        return 1e9 if self is Clock.WALL else 2.0


Way = tuple[str, Level, bool, Serving]
"""Daemon, level asked of it, whether listings are to be passed through, how it serves."""


@dataclass(frozen=True)
class Target:
    """A daemon as a run uses it: the level asked of it and whether readdir is to be passed through.

    ``name`` is the daemon's where there is one such target of it, else ``daemon:level`` and so on.
    """

    name: str
    daemon: str
    asked: Level
    readdir: bool = True
    serving: Serving = Serving()

    @property
    def way(self) -> Way:
        """What makes the target, apart from its name."""
        return self.daemon, self.asked, self.readdir, self.serving


@dataclass(frozen=True)
class Series:
    """Trials that differ only in repetition: one line in a chart. ``label`` is unique in a run.

    ``target`` is the target's name, with ``@kernel`` where a run has several kernels.
    """

    target: str
    daemon: str
    workload: str
    variant: str
    cache: Cache
    attr_timeout: float
    entry_timeout: float
    threads: int
    placement: Placement
    level: Level
    """The level in force on this kernel, not the one asked for."""
    asked: Level
    readdir: bool
    kernel: str = ""
    """Label of the kernel it ran on; empty for the one the runner runs on."""
    serving: Serving = Serving()
    entries: int = 0
    """Directory size, for workloads that have that axis; else 0."""

    @property
    def way(self) -> Way:
        """What makes its target, apart from the name."""
        return self.daemon, self.asked, self.readdir, self.serving

    @property
    def row(self) -> str:
        """Workload and variant as tables name them, e.g. ``getattr-storm/fd``."""
        return f"{self.workload}/{self.variant}" if self.variant else self.workload

    @property
    def label(self) -> str:
        """File name (without suffix) of the series, and name of its pyperf benchmark."""
        return f"{self.comparison}--{self.target}"

    @property
    def comparison(self) -> str:
        """What series that are compared with one another share: the label without the target."""
        parts = [
            self.workload,
            self.variant,
            self.cache.value,
            f"t{self.threads}",
            f"to{self.attr_timeout:g}-{self.entry_timeout:g}",
            f"n{self.entries}" if self.entries else "",
        ]
        return "--".join(part for part in parts if part)


@dataclass(frozen=True)
class Trial:
    """One line of the plan: which series, which round, and when in the round it comes.

    ``attempt`` is 1 for what is measured again because something else disturbed the first.
    """

    series: Series
    round: int
    position: int
    seed: int
    attempt: int = 0


@dataclass(frozen=True)
class Requests:
    """Requests by opcode over ``ops`` operations of a counting pass.

    ``kernel`` comes from the fuse:fuse_request_send tracepoint, ``server`` from the shim's own
    counters; either is None where that source does not exist (the reason is in ``why``).
    """

    ops: int
    kernel: Mapping[Opcode, int] | None
    server: Mapping[Opcode, int] | None
    why: str = ""
