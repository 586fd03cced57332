"""Which trials a run makes, and in which order: pure functions of the settings and the seed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from bench import registry
from bench.model import (
    Cache,
    Daemon,
    DaemonOptions,
    Level,
    Placement,
    Series,
    Shape,
    Sync,
    Trial,
    UserError,
    Workload,
)


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run measures; kept in run.json, so that --resume can go on.

    Times are seconds. ``attr_timeout`` and ``entry_timeout`` None leave the choice to each
    workload, which is 0 unless the workload is about something else. ``cache`` None leaves each
    workload its own first state.
    """

    daemons: tuple[str, ...] = ("passthrough",)
    only: bool = False
    workloads: tuple[str, ...] = ()
    tree: str = "small"
    backing: str = ""
    trials: int = 5
    values: int = 5
    window_s: float = 0.03
    cache: str | None = None
    placement: str = Placement.SAME.value
    attr_timeout: float | None = None
    entry_timeout: float | None = None
    level: str = Level.ATTACH_LOOKUP.value
    readdir: bool = True
    threads: tuple[int, ...] = (1,)
    sync: str = Sync.AS_STAT.value
    histogram: bool = False
    seed: int = 0
    quick: bool = False

    def to_json(self) -> dict[str, Any]:
        """A plain object."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Settings:
        """The inverse of to_json; raises UserError for a key this version does not know."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(raw) - known):
            raise UserError(
                f"run.json has settings this version does not know: {', '.join(unknown)}"
            )
        tuples = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
        return cls(**{**raw, **tuples})


@dataclass(frozen=True)
class Skipped:
    """A row that was never planned, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The trials in the order they are to run, and what was left out."""

    trials: tuple[Trial, ...]
    skipped: tuple[Skipped, ...]
    targets: tuple[str, ...]


def targets(settings: Settings) -> list[Daemon]:
    """The daemons asked for and, unless ``only``, those they bring along; in table order."""
    names = list(settings.daemons)
    if not settings.only:
        names += [
            friend for name in settings.daemons for friend in registry.daemon(name).companions
        ]
    return [registry.daemon(name) for name in sorted(set(names), key=registry.target_rank)]


def level_in_force(daemon: Daemon, kernel: Level, asked: Level) -> Level:
    """The highest level that the daemon speaks, the kernel gives and the run asked for."""
    possible = [level for level in daemon.levels if level.rank <= min(kernel.rank, asked.rank)]
    return max(possible, key=lambda level: level.rank, default=Level.NONE)


def make(settings: Settings, kernel: Level, cache_refusals: Mapping[Cache, str]) -> Plan:
    """Lay out targets x workloads x rounds.

    In a round every workload comes once, in shuffled order; its targets follow one another, in
    shuffled order too, so that what is compared is measured side by side. The seed decides both.
    ``cache_refusals`` names cache states that cannot be had here, and why.
    """
    skipped: list[Skipped] = []
    rows = [
        row for row in _rows(settings, cache_refusals, skipped) if _programs_there(row[0], skipped)
    ]
    daemons = targets(settings)
    trials: list[Trial] = []
    for number in range(settings.trials):
        trials += _round(settings, kernel, rows, daemons, number)
    return Plan(tuple(trials), tuple(skipped), tuple(daemon.name for daemon in daemons))


def timeouts(workload: Workload, settings: Settings) -> tuple[float, float]:
    """(attr, entry) timeout of a workload's mounts in seconds."""
    own = workload.timeouts
    attr, entry = (own.attr, own.entry) if own else (0.0, 0.0)
    if own and workload.timeouts_fixed:
        return attr, entry
    asked_attr, asked_entry = settings.attr_timeout, settings.entry_timeout
    return (
        attr if asked_attr is None else asked_attr,
        entry if asked_entry is None else asked_entry,
    )


def options(series: Series, readdir: bool) -> DaemonOptions:
    """What the daemon of a series is asked for (without its counters file)."""
    return DaemonOptions(series.attr_timeout, series.entry_timeout, series.level, readdir)


Row = tuple[Workload, str, Cache, int]


def _rows(
    settings: Settings, cache_refusals: Mapping[Cache, str], skipped: list[Skipped]
) -> list[Row]:
    rows: list[Row] = []
    for workload, variant in registry.rows(settings.workloads):
        cache = Cache(settings.cache) if settings.cache else workload.caches[0]
        name = registry.row_name(workload, variant)
        if cache not in workload.caches:
            able = ", ".join(workload.caches)
            skipped.append(Skipped(name, f"has no cache state {cache.value} (it has {able})"))
        elif cache in cache_refusals:
            skipped.append(Skipped(name, cache_refusals[cache]))
        else:
            rows += [(workload, variant, cache, count) for count in _threads(workload, settings)]
    return rows


def _threads(workload: Workload, settings: Settings) -> Sequence[int]:
    """Only storms can be shared out over threads."""
    return settings.threads if workload.shape is Shape.REPEAT else (1,)


def _programs_there(workload: Workload, skipped: list[Skipped]) -> bool:
    missing = [program for program in workload.needs if shutil.which(program) is None]
    if missing:
        skipped.append(Skipped(workload.name, f"not installed: {', '.join(missing)}"))
    return not missing


def _round(
    settings: Settings, kernel: Level, rows: Sequence[Row], daemons: Sequence[Daemon], number: int
) -> list[Trial]:
    chance = random.Random(f"{settings.seed}/{number}")
    trials: list[Trial] = []
    for row in chance.sample(rows, len(rows)):
        seed = chance.getrandbits(31)  # one for all targets: they visit the same names
        for daemon in chance.sample(daemons, len(daemons)):
            series = _series(settings, kernel, row, daemon)
            trials.append(Trial(series, number, len(trials), seed))
    return trials


def _series(settings: Settings, kernel: Level, row: Row, daemon: Daemon) -> Series:
    workload, variant, cache, threads = row
    attr, entry = timeouts(workload, settings)
    return Series(
        target=daemon.name,
        workload=workload.name,
        variant=variant,
        cache=cache,
        attr_timeout=attr,
        entry_timeout=entry,
        threads=threads,
        placement=Placement(settings.placement),
        level=level_in_force(daemon, kernel, Level(settings.level)),
    )
