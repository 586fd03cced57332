"""What the axes of a run come to: its targets, its rows, and what of the product cannot be had."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bench import registry
from bench.axes.axis import RowAxis
from bench.axes.rowkey import RowKey
from bench.axes.rows import AXES, CACHE, CLOCK, ORDER, PLACEMENT, TIMEOUTS
from bench.axes.targets import LEVEL, READDIR, SERVING
from bench.model import (
    TWIN,
    Attach,
    Cache,
    Clock,
    Context,
    Daemon,
    Level,
    Serving,
    Target,
    Timeouts,
    Workload,
    XattrWay,
)

if TYPE_CHECKING:
    from bench.plan.settings import Settings


LEAPS = (
    "a real program is loaded from the host, and while a guest waits for the host its instruction "
    "clock leaps: no number of it would mean anything"
)
NOT_QUICK = "real programs are not among the rows of --quick: name it with --workload"


@dataclass(frozen=True)
class Skipped:
    """A row or target that was never planned, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class PlannedRow:
    """What a target is measured with: one row of the tables."""

    workload: Workload
    key: RowKey


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
    asked = sorted(LEVEL.of(settings.axes), key=lambda level: level.rank)
    ways = _servings(daemon, settings, skipped)
    for level in asked if len(daemon.levels) > 1 else daemon.levels:
        able = level.rank >= Level.ATTACH_GETATTR.rank
        listing = READDIR.of(settings.axes) if able else (True,)
        for readdir, serving in _listings(listing, ways):
            if why := _cannot(level, serving):
                skipped.append(Skipped(daemon.name, why))
            else:
                yield Target(daemon.name, daemon.name, level, readdir, serving)


def _listings(asked: Sequence[bool], ways: Sequence[Serving]) -> Iterable[tuple[bool, Serving]]:
    """With readdir passthrough or without; who attaches files alone lists directories itself."""
    found = itertools.product(asked, ways)
    return dict.fromkeys((on and way.attach is not Attach.FILES, way) for on, way in found)


def _cannot(level: Level, serving: Serving) -> str:
    """Why a server cannot be run so; empty when it can."""
    if serving.attach is Attach.FILES and level is Level.LOOKUP:
        return "level lookup looks up in attached directories: not with --attach files"
    if serving.xattr is XattrWay.PASSTHROUGH and level.rank < Level.ATTACH_GETATTR.rank:
        return f"level {level} attaches nothing: not with --xattr passthrough"
    return ""


def _servings(daemon: Daemon, settings: Settings, skipped: list[Skipped]) -> list[Serving]:
    """The ways a daemon is to be run: of the axes asked for, those it has."""
    twins = (False, True) if settings.twins else (False,)
    if not daemon.is_fuse or not daemon.modes:
        return [Serving(twin=twin) for twin in twins]
    offers = [axis.offered(daemon, settings.axes) for axis in SERVING]
    if all(values for values, _ in offers):
        whys = dict.fromkeys(why for _, reasons in offers for why in reasons)
    else:  # told is why there is nothing to run it as, and no more
        whys = dict.fromkeys(why for values, reasons in offers if not values for why in reasons)
    skipped += [Skipped(daemon.name, why) for why in whys]
    names = [axis.field for axis in SERVING]
    return [
        Serving(**dict(zip(names, way, strict=True)), twin=twin)
        for *way, twin in itertools.product(*(values for values, _ in offers), twins)
    ]


def _name(target: Target, with_level: bool) -> str:
    daemon = registry.daemon(target.daemon)
    words = [target.daemon]
    words += [target.asked.value] if with_level else []
    words += ["no-readdir"] if not target.readdir else []
    words += [axis.word(daemon, target.serving) for axis in SERVING]
    return ":".join(filter(None, words)) + (TWIN if target.serving.twin else "")


NOT_HELD = "the row is about timeouts, and the server gives its own"
READ_ONLY = "is read-only: it has none of the rows that change something"


IN_C = (
    "a run that names no workload measures servers in Python in few rows, and their twins in C in all: "
    "--workload NAME measures both"
)
ONCE = (READ_ONLY, IN_C)
"""Reasons told once of a target, whatever the rows are."""


def why_not(row: PlannedRow, target: Target, part: Settings, beside: Sequence[Target]) -> str:
    """Why a target does not have a row of a part; empty where it does. ``beside``: the part's targets.

    A server may give timeouts of its own.
    """
    daemon = registry.daemon(target.daemon)
    in_c = any(one.daemon == f"{target.daemon}-c" for one in beside)
    in_python = part.workloads or row.key.variant in row.workload.in_python
    if daemon.python and in_c and not in_python:
        return IN_C
    if row.workload.changes and daemon.read_only:
        return READ_ONLY
    asked = row.key.timeouts
    holds = asked is None or daemon.timeouts.holds(asked.attr, asked.entry)
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
        orders = ORDER.of(settings.axes)
        if order and orders and order not in orders:
            continue
        places = {axis: _planned(axis, workload, settings) for axis in AXES}
        lost = next(
            (lacking[one.name] for one in workload.fixtures(variant) if one.name in lacking), ""
        )
        refused = {
            cache: reason
            for cache in places[CACHE]
            if (reason := _refusal(workload, cache, settings, cache_refusals) or lost)
        }
        name = registry.row_name(workload, variant)
        skipped += [Skipped(name, reason) for reason in dict.fromkeys(refused.values())]
        places[CACHE] = [cache for cache in places[CACHE] if cache not in refused]
        rows = [
            PlannedRow(workload, RowKey(workload.name, variant, key))
            for key in itertools.product(*places.values())
        ]
        found += [row for row in rows if _exists(row, settings, skipped)]
    return found


def _planned(axis: RowAxis[Any], workload: Workload, settings: Settings) -> Sequence[Any]:
    """Where on an axis the rows of a workload are to be."""
    whole_run = {PLACEMENT: settings.placement, CLOCK: settings.clock}
    if axis in whole_run:
        return (whole_run[axis],)
    if axis is TIMEOUTS:
        return timeouts(workload, settings)
    return axis.planned(settings.axes, workload) or workload.caches[:1]


def _exists(row: PlannedRow, settings: Settings, skipped: list[Skipped]) -> bool:
    """Whether there can be such a row: enough names and directories for its windows and threads."""
    reason = row.workload.lacks(_context(row, settings))
    if reason:
        skipped.append(Skipped(row.key.name, reason))
    return not reason


def _context(row: PlannedRow, settings: Settings) -> Context:
    """What the body of a row will be given, as far as it is known before anything is there."""
    from workloads import tree

    return Context(
        root=Path(),
        tree=tree.parse_tree(settings.tree).as_mapping(),
        variant=row.key.variant,
        seed=0,
        names=settings.names,
        windows=windows_of_a_mount(settings),
        **row.key.given(Context),
    )


def windows_of_a_mount(settings: Settings) -> int:
    """How many windows a worker asks for on one mount, the counted one included."""
    return settings.values + 1 + settings.attribution + settings.profile


def _refusal(
    workload: Workload, cache: Cache, settings: Settings, cache_refusals: Mapping[Cache, str]
) -> str:
    if settings.clock is Clock.INSTRUCTIONS and workload.needs:
        return LEAPS
    if settings.quick and workload.needs and not settings.workloads:
        return NOT_QUICK
    if missing := [program for program in workload.needs if shutil.which(program) is None]:
        return f"not installed: {', '.join(missing)}"
    if cache not in workload.caches:
        return f"has no cache state {cache} (it has {', '.join(workload.caches)})"
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
    return list(dict.fromkeys(pair or own for pair in TIMEOUTS.of(settings.axes)))
