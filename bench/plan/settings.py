"""Everything that decides what a run measures; kept in run.json."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from bench.axes import OPTIONS
from bench.model import Clock, Placement, UserError
from bench.plan.checked import checked

GUEST: dict[str, Any] = {"tree": "tiny", "values": 3, "names": 100, "conformance": 400}
"""What differs by default in a guest: emulated, everything takes ten to thirty times as long."""
COUNTED_VALUES = 5
"""Windows on the instruction clock. One in ten (22 of 225) meets other work of the kernel and does more by
0.1 to 2.8 % (read-random on plain-c): of three, two may; the median of five leaves it out."""

FILL_S = 270.0
"""Seconds that the trials of a default run may take: with all else it ends within six minutes."""
MOST_ROUNDS = 12
"""More narrow an interval less than they cost."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run measures; kept in run.json, so that --resume can go on.

    Times are seconds. ``attr_timeout`` and ``entry_timeout`` None leave the choice to each
    workload, which is 0 unless the workload is about something else. run.json has the axes beside
    the other keys, as a matrix has.
    """

    daemons: tuple[str, ...] = ("passthrough",)
    named: bool = True
    """Whether somebody has asked for these daemons; the usual ones, which nobody has named, may lack."""
    foreign: tuple[str, ...] = ()
    """``NAME[:LEVEL]=COMMAND`` of daemons that have no file (bench.plan.foreign)."""
    libfuse_examples: str = ""
    """Folder of libfuse's built examples, where they are not on PATH."""
    only: bool = False
    workloads: tuple[str, ...] = ()
    tree: str = "small"
    backing: str = ""
    trials: int = 6
    """Rounds; with fewer than 6 the sign-flip test cannot decide (bench.stats.verdicts)."""
    values: int = 5
    window_s: float = 0.03
    names: int = 1000
    """Different names a storm goes round, at most."""
    conformance: int = 20_000
    """Entries compared with the backing, at most; of a larger tree a seeded sample, said so."""
    placement: Placement = Placement.SAME
    attr_timeout: float | None = None
    entry_timeout: float | None = None
    axes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """What was asked for of each axis (bench.axes), by its name; of the others their defaults."""
    buffer: int = 32768
    """Bytes of one getdents64 call; 32 KiB is what glibc asks for."""
    rate: float = 0.0
    """Operations per second of one more window of every storm, an open loop; 0: none."""
    histogram: bool = False
    attribution: bool = False
    """Whether every trial is to say, in a pass of its own, where an operation's time goes."""
    profile: bool = False
    """Whether every trial is to say, in a window of its own, which functions its instructions go to."""
    precision: float | None = None
    """Relative half width that every interval of a ratio shall have; None: ``trials`` rounds."""
    max_time_s: float = 3600.0
    """After this long no round is added for the sake of precision."""
    fill_s: float = 0.0
    """Further rounds are made as long as all trials take no more than this; 0: none."""
    most_trials: int = MOST_ROUNDS
    """Rounds after which no more are made for want of something better to do."""
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
    clock: Clock = Clock.WALL
    memory_mb: int = 2048
    """Memory of a guest, in MiB."""
    shards: int = 1
    """Boots that share a round's rows among them, in guests (bench.plan.shards)."""
    backing_fs: str = "tmpfs"
    """File system of a guest's backing; any but tmpfs lies on a virtio disk (bench.kernels.disk)."""
    matrix: str = ""
    """Name of the matrix that the parts are of."""
    headline: tuple[str, ...] = ()
    """Rows by name, those that stand for the run in a mail, the first of them first."""
    parts: tuple[Mapping[str, Any], ...] = ()
    """Each a set of axes in the place of these; the run is the union of all. None: these alone."""
    twins: bool = False
    """Whether every target is measured under two names: an A/A run, which has to find nothing."""

    def __post_init__(self) -> None:
        """Fill in the axes of which nothing was asked."""
        known = {axis.name: axis.of(self.axes) for axis in OPTIONS}
        if unknown := sorted(self.axes.keys() - known.keys()):
            raise TypeError(f"no such axis: {', '.join(unknown)}")
        object.__setattr__(self, "axes", known)

    def to_json(self) -> dict[str, Any]:
        """A plain object."""
        flat = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "axes"}
        parts = [_axes_json(part) for part in self.parts]
        return flat | {"parts": parts} | {a.name: a.to_json(a.of(self.axes)) for a in OPTIONS}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Settings:
        """The inverse of to_json; raises UserError for a key this version does not know."""
        plain = _read(raw, "settings")
        parts = tuple(_read(part, "settings of a part") for part in plain.get("parts", ()))
        return cls.of({**plain, "parts": parts})

    @classmethod
    def of(cls, flat: Mapping[str, Any]) -> Settings:
        """Settings of keys among which the axes stand by their names, as in a matrix."""
        return cls(**_gathered(flat))

    def each(self) -> tuple[Settings, ...]:
        """The settings of every part, itself where there are none; rounds at most its own."""
        own = {"parts": (), "only": True}
        made = [replace(self, **_gathered({**self.axes, **own, **part})) for part in self.parts]
        return tuple(replace(one, trials=min(one.trials, self.trials)) for one in made) or (self,)


def _gathered(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of Settings, of keys among which the axes stand by their names."""
    axes = {axis.name: flat[axis.name] for axis in OPTIONS if axis.name in flat}
    return {**{key: value for key, value in flat.items() if key not in axes}, "axes": axes}


def _read(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Settings out of a file, the axes' as values; None (of older runs) is what was not asked for."""
    axes = {axis.name: axis for axis in OPTIONS}
    found = checked(Settings, {key: raw[key] for key in raw if key not in axes}, where)
    for name in axes.keys() & raw.keys():
        if raw[name] is not None and raw[name] not in ([], ()):
            try:
                found[name] = axes[name].values(raw[name])
            except UserError as error:
                raise UserError(f"{where} cannot be read: {name}: {error}") from None
    if "placement" in found:
        found["placement"] = Placement(found["placement"])
    if "clock" in found:
        found["clock"] = Clock(found["clock"])
    return found


def _axes_json(part: Mapping[str, Any]) -> dict[str, Any]:
    written = {axis.name: axis.to_json(part[axis.name]) for axis in OPTIONS if axis.name in part}
    return {**part, **written}


def guest(clock: Clock) -> dict[str, Any]:
    """Settings by default of a guest on that clock."""
    return GUEST | ({"values": COUNTED_VALUES} if clock == Clock.INSTRUCTIONS else {})


def drawn_seed() -> int:
    """A seed nobody chose; it is recorded."""
    return random.SystemRandom().getrandbits(31)
