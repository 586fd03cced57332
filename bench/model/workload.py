"""What a workload is: how it is laid out, and what its windows do."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.model.words import Cache, Group, Level, Opcode, Order, Sync, XattrWay


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
    attr_timeout: float
    entry_timeout: float
    names: int
    """Different names a storm goes round, at most."""
    entries: int
    """Entries of the directories a ``sized`` workload lists; 0 for every other."""
    windows: int
    """How many windows the worker will ask for on this mount, the counted one included."""
    sync: Sync = Sync.AS_STAT
    buffer: int = 32768
    """Bytes of one getdents64 call."""
    backing: Path | None = None
    """What the target should show after a change; None where changes do not reach the backing."""
    xattr: str = XattrWay.ANSWER.value
    """What the server does with requests about extended attributes."""
    acls: bool = True
    """Whether the kernel asks the server for access control lists; on a mount made in a user namespace it
    says by itself that there are none (fs/fuse/acl.c, fuse_no_acl)."""
    rate: float = 0.0
    """Operations per second of one more window, an open loop; 0: none."""
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

    def paced(self, loops: int, rate: float) -> Window | None:
        """As ``window``, an operation beginning when it is due, ``rate`` a second; None: cannot."""

    def empty_loop_ns(self) -> float | None:
        """What the loop costs per operation with the operation left out; None: no such loop."""

    def close(self) -> None:
        """Give back descriptors; the mount must not stay busy."""


FOREVER_S = 3600.0
"""A timeout that never runs out: longer than any trial. Of workloads about first contact, too."""
TIMEOUT_MAX_S = 1e9
"""Cache timeouts are below it, in seconds: what our servers take (daemons/_native/server_options.c)."""


@dataclass(frozen=True)
class Timeouts:
    """Attribute and entry timeout in seconds."""

    attr: float
    entry: float


FOREVER = Timeouts(FOREVER_S, FOREVER_S)


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
    the daemon claims one of them, its twin without passthrough gets it, and it does not.
    ``expect(context)`` gives bounds on requests per operation for a **plain** server mounted with
    default_permissions, by opcode; what is not named is not checked. ``variants`` are ways of doing
    the same thing, each its own series.
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
    """Opens files at first contact, or asks what file system they are on, as fts does for find and du.
    A server that passes lookups through is introduced to a file before it is asked about it, by a
    LOOKUP: such a cold row does not claim that none arrives."""
    needs: tuple[str, ...] = ()
    """Programs that must be on PATH, for rows that run real programs."""
    group: Group = Group.ATTRIBUTES
    usual: tuple[str, ...] | None = None
    """Variants that a run measures which names no workload; None: all of them."""
    in_python: tuple[str, ...] = ()
    """Variants in which such a run measures servers in Python, too, and not their twins in C alone."""
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
    axes: tuple[str, ...] = ()
    """Names of the axes of rows (bench.axes.rows) that it obeys, beside those that say so themselves."""
    of_files: Mapping[Opcode, float] = field(default_factory=dict, hash=False)
    """Requests of one operation that are about regular files, of opcodes also asked about the
    directories above them; a server that attaches files alone takes these away, and no others."""
    touched_from: Level = Level.ATTACH_GETATTR
    """The lowest level whose code its system calls pass through. Below it the row is a control:
    nothing in it may differ."""
