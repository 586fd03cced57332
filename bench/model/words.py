"""The words of the project as enumerations; exit codes and errors of people."""

from __future__ import annotations

import enum

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
    """The daemon claims nothing of what this row is about."""
    NOTHING = "nothing to pass through"
    """The twin without passthrough gets none of the requests claimed either: a cache answers."""
    UNCOUNTED = "cannot be counted"
    """Requests of this server pass the tracepoint by, and it has no counters of its own."""
    NO_TWIN = "no twin"
    """Nothing arrived, and nothing says that anything would have without passthrough."""


class XattrWay(enum.StrEnum):
    """What a server of ours says to requests about extended attributes."""

    ANSWER = "answer"
    """What the backing says."""
    ENOSYS = "enosys"
    """ENOSYS: the kernel remembers it for the mount and asks no more."""
    OFF = "off"
    """EOPNOTSUPP: the kernel asks again each time."""
    PASSTHROUGH = "passthrough"
    """What the backing says, by the kernel itself of attached inodes."""

    @property
    def has_any(self) -> bool:
        """Whether a client gets attributes at all."""
        return self in (XattrWay.ANSWER, XattrWay.PASSTHROUGH)


class Attach(enum.StrEnum):
    """Which inodes a server of ours attaches, at a level that attaches any."""

    ALL = "all"
    """Files, directories, and the root through a GETATTR reply."""
    FILES = "files"
    """Regular files alone, as the server posted with the 2026 series does: no listing is passed through."""


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


class Sync(enum.StrEnum):
    """The AT_STATX_* synchronisation flag; it decides whether FUSE asks its server."""

    AS_STAT = "as-stat"
    FORCE = "force"
    DONT = "dont"


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
