"""Everything that decides what a run measures; kept in run.json."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench.model import Clock, Level, Placement, ReaddirMode, Sync, XattrWay
from bench.plan.checked import checked
from bench.plan.timeouts import OWN

GUEST: dict[str, Any] = {"tree": "tiny", "values": 3, "names": 100, "conformance": 400}
"""What differs by default in a guest: emulated, everything takes ten to thirty times as long."""
COUNTED_VALUES = 5
"""Windows on the instruction clock. One in ten (22 of 225) meets other work of the kernel and does more by
0.1 to 2.8 % (read-random on plain-c): of three, two may; the median of five leaves it out."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run measures; kept in run.json, so that --resume can go on.

    Times are seconds. ``attr_timeout`` and ``entry_timeout`` None leave the choice to each
    workload, which is 0 unless the workload is about something else. ``cache`` None leaves each
    workload its own first state.
    """

    daemons: tuple[str, ...] = ("passthrough",)
    foreign: tuple[str, ...] = ()
    """``NAME[:LEVEL]=COMMAND`` of daemons that have no file (bench.plan.foreign)."""
    libfuse_examples: str = ""
    """Folder of libfuse's built examples, where they are not on PATH."""
    only: bool = False
    workloads: tuple[str, ...] = ()
    tree: str = "small"
    backing: str = ""
    trials: int = 5
    values: int = 5
    window_s: float = 0.03
    names: int = 1000
    """Different names a storm goes round, at most."""
    conformance: int = 20_000
    """Entries compared with the backing, at most; of a larger tree a seeded sample, said so."""
    cache: str | None = None
    placement: str = Placement.SAME.value
    attr_timeout: float | None = None
    entry_timeout: float | None = None
    timeouts: tuple[str, ...] = (OWN,)
    """Cache timeouts every row is made with: ``own`` (each workload's), or as axes.parse_timeouts."""
    levels: tuple[str, ...] = (Level.ATTACH_LOOKUP.value,)
    readdir: tuple[bool, ...] = (True,)
    threads: tuple[int, ...] = (1,)
    entries: tuple[int, ...] = (1000,)
    """Directory sizes of workloads that have them as an axis."""
    orders: tuple[str, ...] = ()
    """When workloads that list and stat do so; none: in all orders that they are named in."""
    buffer: int = 32768
    """Bytes of one getdents64 call; 32 KiB is what glibc asks for."""
    xattrs: tuple[str, ...] = (XattrWay.ANSWER.value,)
    """What servers of ours do with requests about extended attributes."""
    rate: float = 0.0
    """Operations per second of one more window of every storm, an open loop; 0: none."""
    modes: tuple[str, ...] = (ReaddirMode.READDIRPLUS.value,)
    """Listing requests of servers that can be run with several."""
    server_threads: tuple[int, ...] = (0,)
    clone_fd: tuple[bool, ...] = (False,)
    delays: tuple[str, ...] = ()
    """``OPCODE=TIME``: each is one more target of every daemon that can hold requests back."""
    sync: str = Sync.AS_STAT.value
    histogram: bool = False
    attribution: bool = False
    """Whether every trial is to say, in a pass of its own, where an operation's time goes."""
    profile: bool = False
    """Whether every trial is to say, in a window of its own, which functions its instructions go to."""
    precision: float | None = None
    """Relative half width that every interval of a ratio shall have; None: ``trials`` rounds."""
    max_time_s: float = 3600.0
    """After this long no round is added for the sake of precision."""
    tune: bool = False
    """Whether the machine's knobs are set for the run (bench.machine.tune)."""
    cost: bool = False
    """Whether to make the cost sheet, ahead of the trials."""
    seed: int = 0
    quick: bool = False
    stall_s: float = 30.0
    """After so long without an operation answered a server, or its client, is given up."""
    kernels: tuple[str, ...] = ()
    """``[label=]image[,parameter...]`` to boot; none: the kernel the runner runs on."""
    clock: str = Clock.WALL.value
    memory_mb: int = 2048
    """Memory of a guest, in MiB."""
    shards: int = 1
    """Boots that share a round's rows among them, in guests (bench.plan.shards)."""
    backing_fs: str = "tmpfs"
    """File system of a guest's backing; any but tmpfs lies on a virtio disk (bench.kernels.disk)."""
    matrix: str = ""
    """Name of the matrix that the parts are of."""
    parts: tuple[Mapping[str, Any], ...] = ()
    """Each a set of axes in the place of these; the run is the union of all. None: these alone."""
    twins: bool = False
    """Whether every target is measured under two names: an A/A run, which has to find nothing."""

    def to_json(self) -> dict[str, Any]:
        """A plain object."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Settings:
        """The inverse of to_json; raises UserError for a key this version does not know."""
        found = checked(cls, raw, "settings")
        parts = [checked(cls, part, "settings of a part") for part in found.get("parts", ())]
        return cls(**{**found, "parts": tuple(parts)})

    def each(self) -> tuple[Settings, ...]:
        """The settings of every part, itself where there are none; rounds at most its own."""
        made = [replace(self, **{"parts": (), "only": True, **part}) for part in self.parts]
        return tuple(replace(one, trials=min(one.trials, self.trials)) for one in made) or (self,)


def guest(clock: str) -> dict[str, Any]:
    """Settings by default of a guest on that clock."""
    return GUEST | ({"values": COUNTED_VALUES} if clock == Clock.INSTRUCTIONS else {})


def drawn_seed() -> int:
    """A seed nobody chose; it is recorded."""
    return random.SystemRandom().getrandbits(31)
