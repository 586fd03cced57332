"""Which trials a run makes, and in which order: pure functions of the settings and the seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from bench import axes, registry
from bench.axes import Row, Skipped
from bench.model import (
    Cache,
    Clock,
    Daemon,
    DaemonOptions,
    Level,
    Placement,
    ReaddirMode,
    Series,
    Sync,
    Target,
    Trial,
    UserError,
)

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
    """``NAME[:LEVEL]=COMMAND`` of daemons that have no file (bench.foreign)."""
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
    timeouts: tuple[str, ...] = (axes.OWN,)
    """Cache timeouts every row is made with: ``own`` (each workload's), or as axes.parse_timeouts."""
    levels: tuple[str, ...] = (Level.ATTACH_LOOKUP.value,)
    readdir: tuple[bool, ...] = (True,)
    threads: tuple[int, ...] = (1,)
    entries: tuple[int, ...] = (1000,)
    """Directory sizes of workloads that have them as an axis."""
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
    precision: float | None = None
    """Relative half width that every interval of a ratio shall have; None: ``trials`` rounds."""
    max_time_s: float = 3600.0
    """After this long no round is added for the sake of precision."""
    tune: bool = False
    """Whether the machine's knobs are set for the run (bench.tune)."""
    cost: bool = False
    """Whether to make the cost sheet, ahead of the trials."""
    seed: int = 0
    quick: bool = False
    kernels: tuple[str, ...] = ()
    """``[label=]image[,parameter...]`` to boot; none: the kernel the runner runs on."""
    clock: str = Clock.WALL.value
    memory_mb: int = 2048
    """Of a guest."""
    backing_fs: str = "tmpfs"
    """Of a guest's backing; any but tmpfs lies on a virtio disk (bench.disk)."""
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
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(raw) - known):
            raise UserError(
                f"run.json has settings this version does not know: {', '.join(unknown)}"
            )
        parts = tuple(_with_tuples(part) for part in raw.get("parts", ()))
        return cls(**{**_with_tuples(raw), "parts": parts})

    def each(self) -> tuple[Settings, ...]:
        """The settings of every part, itself where there are none; rounds at most its own."""
        made = [replace(self, **{"parts": (), "only": True, **part}) for part in self.parts]
        return tuple(replace(one, trials=min(one.trials, self.trials)) for one in made) or (self,)


def _with_tuples(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def guest(clock: str) -> dict[str, Any]:
    """Settings by default of a guest on that clock."""
    return GUEST | ({"values": COUNTED_VALUES} if clock == Clock.INSTRUCTIONS else {})


@dataclass(frozen=True)
class Plan:
    """The trials in the order they are to run, and what was left out."""

    trials: tuple[Trial, ...]
    skipped: tuple[Skipped, ...]
    targets: tuple[Target, ...]


def targets(settings: Settings) -> list[Target]:
    """Every daemon asked for and, unless ``only``, those it brings along, at every level and in
    every way asked for. In table order.
    """
    named, _skipped = axes.targets(settings.each())
    return axes.union(named)


def level_in_force(daemon: Daemon, kernel: Level, asked: Level) -> Level:
    """The highest level that the daemon speaks, the kernel gives and the run asked for."""
    possible = [level for level in daemon.levels if level.rank <= min(kernel.rank, asked.rank)]
    return max(possible, key=lambda level: level.rank, default=Level.NONE)


@dataclass(frozen=True)
class Ground:
    """What a plan stands on: the kernel's level, why it is no higher, and the caches to be had.

    ``refusals`` names cache states that cannot be had here, and why. ``kernel`` is the label of a
    guest's kernel where a run has several, and becomes part of the targets' names.
    """

    level: Level
    why: str = ""
    refusals: Mapping[Cache, str] = field(default_factory=dict)
    kernel: str = ""


def make(settings: Settings, ground: Ground) -> Plan:
    """Lay out targets x rows x rounds, over all parts.

    In a round every row comes once, in shuffled order; its targets follow one another, in shuffled
    order too, so that what is compared is measured side by side. The seed decides both. Of several
    levels asked for, those this kernel does not give are left out with the reason; one level alone
    is lowered to what there is.
    """
    grids, given, skipped = _table(settings, ground)
    trials: list[Trial] = []
    for number in range(settings.trials):
        trials += _round(settings, ground, _together(grids, number), number)
    used = {one.series.way for one in trials}
    chosen = tuple(target for target in given if target.way in used)
    return Plan(tuple(trials), tuple(dict.fromkeys(skipped)), chosen)


def one_round(settings: Settings, ground: Ground, number: int) -> list[Trial]:
    """Round ``number`` of every part's rows, which may lie beyond the rounds of the plan."""
    grids, _, _ = _table(settings, ground)
    longer = [(replace(part, trials=number + 1), rows, own) for part, rows, own in grids]
    return _round(settings, ground, _together(longer, number), number)


Grid = tuple[Settings, Sequence[Row], Sequence[Target]]


def _table(settings: Settings, ground: Ground) -> tuple[list[Grid], list[Target], list[Skipped]]:
    """Rows and targets of every part, all targets that this kernel gives, and what is left out."""
    parts = settings.each()
    named, skipped = axes.targets(parts)
    every = axes.union(named)
    given = [
        target
        for target in every
        if _startable(target, ground, skipped) and _given(target, every, ground, skipped)
    ]
    grids: list[Grid] = [
        (part, axes.rows(part, ground.refusals, skipped), [one for one in own if one in given])
        for part, own in zip(parts, named, strict=True)
    ]
    for _, rows, own in grids:
        skipped += [
            Skipped(f"{row.workload.name} on {display_name(target, ground)}", axes.NOT_HELD)
            for row, target in itertools.product(rows, own)
            if not axes.held(row, target)
        ]
    return grids, given, skipped


def _startable(target: Target, ground: Ground, skipped: list[Skipped]) -> bool:
    reason = registry.daemon(target.daemon).missing()
    if reason:
        skipped.append(Skipped(display_name(target, ground), reason))
    return not reason


def _together(grids: Sequence[Grid], number: int) -> dict[Row, list[Target]]:
    """The rows of a round, each with the targets that any part measures it on."""
    cells: dict[Row, list[Target]] = {}
    for part, rows, chosen in grids:
        if number < part.trials:
            for row in rows:
                able = [target for target in chosen if axes.held(row, target)]
                cells[row] = axes.union([cells.get(row, []), able])
    return cells


def _given(target: Target, every: Sequence[Target], ground: Ground, skipped: list[Skipped]) -> bool:
    reason = why_lower(registry.daemon(target.daemon), target.asked, ground)
    alone = len({one.asked for one in every if one.daemon == target.daemon}) == 1
    if not reason or alone:
        return True
    skipped.append(Skipped(display_name(target, ground), reason))
    return False


def why_lower(daemon: Daemon, asked: Level, ground: Ground) -> str:
    """Why a daemon works at a lower level than was asked for; empty when it does not."""
    if level_in_force(daemon, ground.level, asked) is asked:
        return ""
    if asked.rank > ground.level.rank:
        return f"this kernel gives {ground.level}: {ground.why}"
    return f"{daemon.name} passes nothing through above level {daemon.levels[-1]}"


def display_name(target: Target, ground: Ground) -> str:
    """A target's name in tables and files."""
    return f"{target.name}@{ground.kernel}" if ground.kernel else target.name


def options(series: Series) -> DaemonOptions:
    """What the daemon of a series is asked for (without its counters file)."""
    return DaemonOptions(
        series.attr_timeout,
        series.entry_timeout,
        series.level,
        series.readdir,
        serving=series.serving,
    )


def _round(
    settings: Settings, ground: Ground, cells: Mapping[Row, Sequence[Target]], number: int
) -> list[Trial]:
    # Counting instructions, a second boot is there to show how far the first can be trusted: it
    # does the same. In wall time rounds must not share an order, nor what their names bring along.
    draw = 0 if settings.clock == Clock.INSTRUCTIONS else number
    chance = random.Random(f"{settings.seed}/{draw}")
    trials: list[Trial] = []
    for row in chance.sample(list(cells), len(cells)):
        seed = chance.getrandbits(31)  # one for all targets: they visit the same names
        for target in chance.sample(cells[row], len(cells[row])):
            series = _series(settings, ground, row, target)
            trials.append(Trial(series, number, len(trials), seed))
    return trials


def _series(settings: Settings, ground: Ground, row: Row, target: Target) -> Series:
    return Series(
        target=display_name(target, ground),
        daemon=target.daemon,
        workload=row.workload.name,
        variant=row.variant,
        cache=row.cache,
        attr_timeout=row.timeouts.attr,
        entry_timeout=row.timeouts.entry,
        threads=row.threads,
        placement=Placement(settings.placement),
        level=level_in_force(registry.daemon(target.daemon), ground.level, target.asked),
        asked=target.asked,
        readdir=target.readdir,
        kernel=ground.kernel,
        serving=target.serving,
        entries=row.entries,
    )


def repeats(trials: Sequence[Trial], records: Iterable[Mapping[str, Any]]) -> tuple[Trial, ...]:
    """What to measure again at the end: every comparison of a round in which a trial was disturbed.

    All of its targets, side by side: a repeat beside old measurements of the others would pair what
    was not measured together. Nothing when more than half of the trials were disturbed (the machine
    is not quiet, and would disturb the repeats too), and nothing twice.
    """
    known = {(one.series.label, one.round): one for one in trials}
    lines = [line for line in records if (line["series"], line["round"]) in known]
    first = [line for line in lines if not line["attempt"]]
    disturbed = [line for line in first if line["disturbed"]]
    if 2 * len(disturbed) > len(first):
        return ()
    done = {(line["series"], line["round"]) for line in lines if line["attempt"]}
    blocks = {
        (known[line["series"], line["round"]].series.comparison, line["round"])
        for line in disturbed
    }
    return tuple(
        replace(one, attempt=1)
        for one in trials
        if (one.series.comparison, one.round) in blocks
        and (one.series.label, one.round) not in done
    )
