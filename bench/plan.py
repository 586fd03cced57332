"""Which trials a run makes, and in which order: pure functions of the settings and the seed."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from bench import registry
from bench.model import (
    Cache,
    Clock,
    Daemon,
    DaemonOptions,
    Level,
    Placement,
    ReaddirMode,
    Series,
    Serving,
    Shape,
    Sync,
    Target,
    Trial,
    UserError,
    Workload,
)

GUEST: dict[str, Any] = {"tree": "tiny", "values": 3, "names": 100, "conformance": 400}
"""What differs by default in a guest: emulated, everything takes ten to thirty times as long."""


LEAPS = (
    "a real program is loaded from the host, and while a guest waits for the host its instruction "
    "clock leaps: no number of it would mean anything"
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
    names: int = 1000
    """Different names a storm goes round, at most."""
    conformance: int = 20_000
    """Entries compared with the backing, at most; of a larger tree a seeded sample, said so."""
    cache: str | None = None
    placement: str = Placement.SAME.value
    attr_timeout: float | None = None
    entry_timeout: float | None = None
    levels: tuple[str, ...] = (Level.ATTACH_LOOKUP.value,)
    readdir: tuple[bool, ...] = (True,)
    threads: tuple[int, ...] = (1,)
    entries: tuple[int, ...] = (1000,)
    """Directory sizes of workloads that have them as an axis."""
    modes: tuple[str, ...] = (ReaddirMode.READDIRPLUS.value,)
    """Listing requests of servers that can be run with several."""
    server_threads: tuple[int, ...] = (0,)
    clone_fd: tuple[bool, ...] = (False,)
    sync: str = Sync.AS_STAT.value
    histogram: bool = False
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
    targets: tuple[Target, ...]


def targets(settings: Settings) -> list[Target]:
    """Every daemon asked for and, unless ``only``, those it brings along, at every level asked for.

    In table order. A daemon that speaks one level, or is asked for one, is one target of its name.
    """
    names = list(settings.daemons)
    if not settings.only:
        names += [
            friend for name in settings.daemons for friend in registry.daemon(name).companions
        ]
    daemons = [registry.daemon(name) for name in sorted(set(names), key=registry.target_rank)]
    return [target for daemon in daemons for target in _targets_of(daemon, settings)]


def _targets_of(daemon: Daemon, settings: Settings) -> list[Target]:
    asked = [Level(level) for level in settings.levels]
    single = len(daemon.levels) == 1
    levels = [daemon.levels[0]] if single else sorted(asked, key=lambda level: level.rank)
    ways = _servings(daemon, settings)
    found = []
    for level in levels:
        listing = settings.readdir if level.rank >= Level.ATTACH_GETATTR.rank else (True,)
        for readdir, serving in itertools.product(listing, ways):
            parts = [daemon.name]
            parts += [level.value] if len(levels) > 1 else []
            parts += ["no-readdir"] if not readdir else []
            parts += _serving_words(serving)
            found.append(Target(":".join(parts), daemon.name, level, readdir, serving))
    return found


def _servings(daemon: Daemon, settings: Settings) -> list[Serving]:
    """The ways a daemon is to be run: of the axes asked for, those it has."""
    asked = [ReaddirMode(mode) for mode in settings.modes]
    modes = [mode for mode in asked if mode in daemon.modes] or [daemon.modes[0]]
    threads = settings.server_threads if daemon.threaded else (0,)
    clone_fd = settings.clone_fd if daemon.threaded else (False,)
    return [Serving(*axes) for axes in itertools.product(modes, threads, clone_fd)]


def _serving_words(serving: Serving) -> list[str]:
    """What of a target's name tells it from the usual way of its daemon."""
    usual = Serving()
    words = [serving.mode.value] if serving.mode is not usual.mode else []
    words += [f"{serving.threads}-threads"] if serving.threads else []
    return words + (["clone-fd"] if serving.clone_fd else [])


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
    """Lay out targets x workloads x rounds.

    In a round every workload comes once, in shuffled order; its targets follow one another, in
    shuffled order too, so that what is compared is measured side by side. The seed decides both.
    Of several levels asked for, those this kernel does not give are left out with the reason; one
    level alone is lowered to what there is.
    """
    skipped: list[Skipped] = []
    rows, chosen = _table(settings, ground, skipped)
    trials: list[Trial] = []
    for number in range(settings.trials):
        trials += _round(settings, ground, rows, chosen, number)
    return Plan(tuple(trials), tuple(skipped), tuple(chosen))


def one_round(settings: Settings, ground: Ground, number: int) -> list[Trial]:
    """The trials of round ``number``, which may lie beyond the rounds of the plan."""
    return _round(settings, ground, *_table(settings, ground, []), number)


def _table(
    settings: Settings, ground: Ground, skipped: list[Skipped]
) -> tuple[list[Row], list[Target]]:
    """Rows and targets; what is left out is added to ``skipped``."""
    rows = [
        row for row in _rows(settings, ground.refusals, skipped) if _programs_there(row[0], skipped)
    ]
    chosen = [target for target in targets(settings) if _given(target, settings, ground, skipped)]
    return rows, chosen


def _given(target: Target, settings: Settings, ground: Ground, skipped: list[Skipped]) -> bool:
    given = level_in_force(registry.daemon(target.daemon), ground.level, target.asked)
    if given is target.asked or len(settings.levels) == 1:
        return True
    reason = f"this kernel gives {ground.level}"
    skipped.append(Skipped(display_name(target, ground), f"{reason}: {ground.why}"))
    return False


def display_name(target: Target, ground: Ground) -> str:
    """A target's name in tables and files."""
    return f"{target.name}@{ground.kernel}" if ground.kernel else target.name


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


def options(series: Series) -> DaemonOptions:
    """What the daemon of a series is asked for (without its counters file)."""
    return DaemonOptions(
        series.attr_timeout,
        series.entry_timeout,
        series.level,
        series.readdir,
        serving=series.serving,
    )


Row = tuple[Workload, str, Cache, int, int]
"""Workload, variant, cache state, client threads, directory size (0: no axis of the workload)."""


def _rows(
    settings: Settings, cache_refusals: Mapping[Cache, str], skipped: list[Skipped]
) -> list[Row]:
    rows: list[Row] = []
    for workload, variant in registry.rows(settings.workloads):
        cache = Cache(settings.cache) if settings.cache else workload.caches[0]
        name = registry.row_name(workload, variant)
        if settings.clock == Clock.INSTRUCTIONS and workload.needs:
            skipped.append(Skipped(name, LEAPS))
        elif cache not in workload.caches:
            able = ", ".join(workload.caches)
            skipped.append(Skipped(name, f"has no cache state {cache.value} (it has {able})"))
        elif cache in cache_refusals:
            skipped.append(Skipped(name, cache_refusals[cache]))
        else:
            sizes = settings.entries if workload.sized else (0,)
            rows += [
                (workload, variant, cache, count, size)
                for count in _threads(workload, settings)
                for size in sizes
            ]
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
    settings: Settings, ground: Ground, rows: Sequence[Row], chosen: Sequence[Target], number: int
) -> list[Trial]:
    chance = random.Random(f"{settings.seed}/{number}")
    trials: list[Trial] = []
    for row in chance.sample(rows, len(rows)):
        seed = chance.getrandbits(31)  # one for all targets: they visit the same names
        for target in chance.sample(chosen, len(chosen)):
            series = _series(settings, ground, row, target)
            trials.append(Trial(series, number, len(trials), seed))
    return trials


def _series(settings: Settings, ground: Ground, row: Row, target: Target) -> Series:
    workload, variant, cache, threads, entries = row
    attr, entry = timeouts(workload, settings)
    return Series(
        target=display_name(target, ground),
        daemon=target.daemon,
        workload=workload.name,
        variant=variant,
        cache=cache,
        attr_timeout=attr,
        entry_timeout=entry,
        threads=threads,
        placement=Placement(settings.placement),
        level=level_in_force(registry.daemon(target.daemon), ground.level, target.asked),
        asked=target.asked,
        readdir=target.readdir,
        kernel=ground.kernel,
        serving=target.serving,
        entries=entries,
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
