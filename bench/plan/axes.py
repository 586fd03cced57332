"""What the axes of a run come to: its targets, its rows, and what of the product cannot be had."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bench import registry
from bench.model import (
    TWIN,
    Cache,
    Clock,
    Context,
    Daemon,
    Level,
    ReaddirMode,
    Serving,
    Shape,
    Sync,
    Target,
    Timeouts,
    Workload,
    XattrWay,
)
from bench.plan import delay
from bench.plan.timeouts import OWN, parse_timeouts

if TYPE_CHECKING:
    from bench.plan.settings import Settings


LEAPS = (
    "a real program is loaded from the host, and while a guest waits for the host its instruction "
    "clock leaps: no number of it would mean anything"
)
NOT_QUICK = "real programs are not among the rows of --quick: name it with --workload"
UNTHREADED = "neither its threads nor clone_fd can be chosen: it is run as it is"


@dataclass(frozen=True)
class Skipped:
    """A row or target that was never planned, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class PlannedRow:
    """What a target is measured with: one row of the tables."""

    workload: Workload
    variant: str
    cache: Cache
    timeouts: Timeouts
    threads: int
    """Threads of the client."""
    entries: int
    """Directory size; 0: no axis of the workload."""


def targets(parts: Sequence[Settings]) -> tuple[list[list[Target]], list[Skipped]]:
    """The targets of every part, in table order, named alike in all of them; and what is left out.

    A target is called as its daemon, and further by what it differs in from others of it: its level
    where the parts together ask for several, and whatever is not the usual way of serving.
    """
    skipped: list[Skipped] = []
    asked = [list(_asked(part, skipped)) for part in parts]
    levels: dict[str, set[Level]] = {}
    for target in itertools.chain(*asked):
        levels.setdefault(target.daemon, set()).add(target.asked)
    named = [
        [replace(one, name=_name(one, len(levels[one.daemon]) > 1)) for one in part]
        for part in asked
    ]
    return named, skipped


def union(parts: Sequence[Sequence[Target]]) -> list[Target]:
    """Every target of several parts once, in table order."""
    return sorted(dict.fromkeys(itertools.chain(*parts)), key=_place)


def _place(target: Target) -> tuple[object, ...]:
    return registry.target_rank(target.daemon), target.asked.rank, not target.readdir


def _asked(settings: Settings, skipped: list[Skipped]) -> Iterator[Target]:
    names = list(settings.daemons)
    if not settings.only:
        names += [
            friend for name in settings.daemons for friend in registry.daemon(name).companions
        ]
    for name in sorted(set(names), key=registry.target_rank):
        yield from _of_daemon(registry.daemon(name), settings, skipped)


def _of_daemon(daemon: Daemon, settings: Settings, skipped: list[Skipped]) -> Iterator[Target]:
    asked = sorted((Level(level) for level in settings.levels), key=lambda level: level.rank)
    ways = _servings(daemon, settings, skipped)
    for level in asked if len(daemon.levels) > 1 else daemon.levels:
        listing = settings.readdir if level.rank >= Level.ATTACH_GETATTR.rank else (True,)
        for readdir, serving in itertools.product(listing, ways):
            yield Target(daemon.name, daemon.name, level, readdir, serving)


def _servings(daemon: Daemon, settings: Settings, skipped: list[Skipped]) -> list[Serving]:
    """The ways a daemon is to be run: of the axes asked for, those it has."""
    twins = (False, True) if settings.twins else (False,)
    if not daemon.is_fuse or not daemon.modes:
        return [Serving(twin=twin) for twin in twins]
    asked = [ReaddirMode(mode) for mode in settings.modes]
    if asked == [Serving().mode]:  # as good as nothing asked: each its usual one
        asked = [asked[0] if asked[0] in daemon.modes else daemon.modes[0]]
    for mode in asked:
        if mode not in daemon.modes:
            skipped.append(Skipped(daemon.name, f"{daemon.modes_why}: no mode {mode}"))
    modes = [mode for mode in asked if mode in daemon.modes]
    threads, clone_fd = settings.server_threads, settings.clone_fd
    if not daemon.threaded:
        if modes and (any(threads) or any(clone_fd)):
            skipped.append(Skipped(daemon.name, UNTHREADED))
        threads, clone_fd = (0,), (False,)
    delays = [(), *map(delay.parse, settings.delays)] if daemon.has_counters else [()]
    xattrs = (
        [XattrWay(way) for way in settings.xattrs] if daemon.has_counters else [XattrWay.ANSWER]
    )
    ways = itertools.product(modes, threads, clone_fd, twins, delays, xattrs)
    return [Serving(*way) for way in ways]


def _name(target: Target, with_level: bool) -> str:
    modes, serving = registry.daemon(target.daemon).modes, target.serving
    words = [target.daemon]
    words += [target.asked.value] if with_level else []
    words += ["no-readdir"] if not target.readdir else []
    words += [serving.mode.value] if modes and serving.mode is not modes[0] else []
    words += [f"{serving.threads}-threads"] if serving.threads else []
    words += ["clone-fd"] if serving.clone_fd else []
    words += [f"xattr-{serving.xattr}"] if serving.xattr is not XattrWay.ANSWER else []
    return ":".join(words + delay.words(serving.delay)) + (TWIN if serving.twin else "")


NOT_HELD = "the row is about timeouts, and the server gives its own"
READ_ONLY = "is read-only: it has none of the rows that change something"


def why_not(row: PlannedRow, target: Target) -> str:
    """Why a target does not have a row; empty where it does. A server may give timeouts of its own."""
    daemon = registry.daemon(target.daemon)
    if row.workload.changes and daemon.read_only:
        return READ_ONLY
    holds = daemon.timeouts.holds(row.timeouts.attr, row.timeouts.entry)
    return NOT_HELD if row.workload.timeouts_fixed and not holds else ""


def rows(
    settings: Settings,
    cache_refusals: Mapping[Cache, str],
    skipped: list[Skipped],
    lacking: Mapping[str, str] = MappingProxyType({}),
) -> list[PlannedRow]:
    """Every row of a part; what cannot be had goes to ``skipped``.

    ``lacking`` are the fixtures that the backing does not have, by name, with the reason.
    """
    found: list[PlannedRow] = []
    for workload, variant in registry.rows(settings.workloads):
        order = workload.order(variant)
        if order and settings.orders and order not in settings.orders:
            continue
        cache = Cache(settings.cache) if settings.cache else workload.caches[0]
        reason = _refusal(workload, cache, settings, cache_refusals)
        reason = reason or next(
            (lacking[one.name] for one in workload.fixtures(variant) if one.name in lacking), ""
        )
        if reason:
            skipped.append(Skipped(registry.row_name(workload, variant), reason))
            continue
        rows = [
            PlannedRow(workload, variant, cache, *axes)
            for axes in itertools.product(
                timeouts(workload, settings),
                settings.threads if _is_threaded(workload) else (1,),
                settings.entries if workload.sized else (0,),
            )
        ]
        found += [row for row in rows if _exists(row, settings, skipped)]
    return found


def _is_threaded(workload: Workload) -> bool:
    """Whether client threads are an axis: storms can be shared out, other shapes say so."""
    return workload.shape is Shape.REPEAT if workload.threaded is None else workload.threaded


def _exists(row: PlannedRow, settings: Settings, skipped: list[Skipped]) -> bool:
    """Whether there can be such a row: enough names and directories for its windows and threads."""
    reason = row.workload.lacks(_context(row, settings))
    if reason:
        name = registry.row_name(row.workload, row.variant)
        axes = [f"{row.threads} threads"] if row.threads > 1 else []
        axes += [f"{row.entries:,} entries"] if row.entries else []
        skipped.append(Skipped(", ".join([name, *axes]), reason))
    return not reason


def _context(row: PlannedRow, settings: Settings) -> Context:
    """What the body of a row will be given, as far as it is known before anything is there."""
    from workloads import tree

    return Context(
        root=Path(),
        tree=tree.parse_tree(settings.tree).as_mapping(),
        variant=row.variant,
        cache=row.cache,
        threads=row.threads,
        seed=0,
        sync=Sync(settings.sync),
        attr_timeout=row.timeouts.attr,
        entry_timeout=row.timeouts.entry,
        names=settings.names,
        entries=row.entries,
        windows=windows_of_a_mount(settings),
    )


def windows_of_a_mount(settings: Settings) -> int:
    """How many windows a worker asks for on one mount, the counted one included."""
    return settings.values + 1 + settings.attribution + settings.profile


def _refusal(
    workload: Workload, cache: Cache, settings: Settings, cache_refusals: Mapping[Cache, str]
) -> str:
    if settings.clock == Clock.INSTRUCTIONS and workload.needs:
        return LEAPS
    if settings.quick and workload.needs and not settings.workloads:
        return NOT_QUICK
    if missing := [program for program in workload.needs if shutil.which(program) is None]:
        return f"not installed: {', '.join(missing)}"
    if cache not in workload.caches:
        return f"has no cache state {cache.value} (it has {', '.join(workload.caches)})"
    return cache_refusals.get(cache, "")


def timeouts(workload: Workload, settings: Settings) -> list[Timeouts]:
    """The timeouts a workload's mounts are to have, each pair once."""
    if workload.timeouts and workload.timeouts_fixed:
        return [workload.timeouts]
    own = workload.timeouts or Timeouts(0.0, 0.0)
    own = Timeouts(
        own.attr if settings.attr_timeout is None else settings.attr_timeout,
        own.entry if settings.entry_timeout is None else settings.entry_timeout,
    )
    pairs = [own if text == OWN else parse_timeouts(text) for text in settings.timeouts]
    return list(dict.fromkeys(pairs))
