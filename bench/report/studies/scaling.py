"""Scaling: what a workload costs over client threads and over directory size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.report import units
from bench.report.rows import Line, Row, TargetInRow
from bench.stats.estimates import Estimate, paired_ratio, trial_medians
from bench.stats.frame import Run

Rounds = Mapping[tuple[str, str], Mapping[int, float]]
"""{(row's key, target): {round: seconds per operation}}."""


@dataclass(frozen=True)
class Axis:
    """Something that a run can have several numbers of."""

    name: str
    said: str
    several: str
    noun: str
    """One of it."""
    option: str
    workload: str
    """One that has the axis."""

    def of(self, row: Row) -> int:
        """Where a row stands on it; 0: it has no such axis."""
        return row.threads if self is THREADS else row.entries

    def beside(self, row: Row) -> tuple[object, ...]:
        """What else a chart over this axis holds fixed."""
        other = row.entries if self is THREADS else row.threads
        return row.name.partition("/")[0], row.cache, row.placement, row.timeouts, other


THREADS = Axis(
    "threads", "client threads", "numbers of client threads", "thread", "--threads", "getattr-storm"
)
ENTRIES = Axis("entries", "directory size", "directory sizes", "entry", "--entries", "list-stat")


@dataclass(frozen=True)
class Curve:
    """One target of a panel: its estimates by the number of threads or entries."""

    target: TargetInRow
    number: int
    """Number of the target in the run, which gives its look."""
    costs: Mapping[int, Estimate]
    gains: Mapping[int, Estimate]
    """Over threads: throughput over that with the fewest, paired by round; else empty."""


@dataclass(frozen=True)
class Panel:
    """One row's name over the axis: a curve for each target."""

    name: str
    unit: str
    curves: Sequence[Curve]

    @property
    def places(self) -> list[int]:
        """Every number of threads or entries."""
        return sorted({place for curve in self.curves for place in curve.costs})


@dataclass(frozen=True)
class Scaling:
    """One workload under one setting: a panel for each of its variants."""

    axis: Axis
    workload: str
    state: str
    """What is held fixed, in words."""
    key: str
    """Unique in the run, and good for a file name."""
    rows: Sequence[Row]
    panels: Sequence[Panel]

    @property
    def title(self) -> str:
        """``getattr-storm over client threads (warm, timeouts 0 s/0 s)``."""
        return f"{self.workload} over {self.axis.said} ({self.state})"

    @property
    def places(self) -> list[int]:
        """Every number of threads or entries of any panel."""
        return sorted({place for panel in self.panels for place in panel.places})

    @property
    def gains(self) -> bool:
        """Whether there is a throughput to tell of."""
        return any(curve.gains for panel in self.panels for curve in panel.curves)


def scalings(run: Run, rows: Sequence[Row]) -> list[Scaling]:
    """Everything that was measured at two or more points of an axis, threads first."""
    made = []
    for axis in (THREADS, ENTRIES):
        groups: dict[tuple[object, ...], list[Row]] = {}
        for row in rows:
            if axis.of(row):
                groups.setdefault(axis.beside(row), []).append(row)
        several = [own for own in groups.values() if len({axis.of(row) for row in own}) > 1]
        rounds = _rounds(run, axis, several)
        for own in several:
            if panels := _panels(axis, own, rounds):
                made.append(_scaling(axis, own, panels))
    return made


def _rounds(run: Run, axis: Axis, groups: Sequence[Sequence[Row]]) -> Rounds:
    """The trials that throughput is paired of; none where it would say nothing."""
    # A guest that counts instructions has one CPU: threads only take turns there.
    if axis is not THREADS or units.quantity() is not units.WALL:
        return {}
    keys = {row.key for group in groups for row in group}
    return trial_medians(run.samples[run.samples["group"].isin(keys)])


def _scaling(axis: Axis, rows: Sequence[Row], panels: Sequence[Panel]) -> Scaling:
    first = rows[0]
    fixed = {
        THREADS: units.times(first.entries, "entry") if first.entries else "",
        ENTRIES: units.times(first.threads, "thread") if first.threads > 1 else "",
    }[axis]
    workload = first.name.partition("/")[0]
    to = "-".join(f"{seconds:g}" for seconds in first.seconds)
    words = (first.cache, fixed, f"timeouts {first.timeouts}")
    parts = (workload, first.cache, fixed.replace(" ", "-"), f"to{to}", first.placement)
    key = "-".join(part for part in (axis.name, *parts) if part)
    return Scaling(axis, workload, ", ".join(filter(None, words)), key, rows, panels)


def _panels(axis: Axis, rows: Sequence[Row], rounds: Rounds) -> list[Panel]:
    """A panel for each name among the rows that a target has two points of."""
    made = []
    for name in sorted({row.name for row in rows}, key=_by_number):
        own = sorted((row for row in rows if row.name == name), key=axis.of)
        curves = tuple(_curves(axis, own, rounds))
        made += [Panel(name, own[0].unit, curves)] if curves else []
    return made


def _by_number(name: str) -> tuple[str, int, str]:
    """``list-stat/50`` before ``list-stat/100``."""
    head, _, variant = name.partition("/")
    return head, int(variant) if variant.isdigit() else 0, variant


def _curves(axis: Axis, rows: Sequence[Row], rounds: Rounds) -> Iterator[Curve]:
    """The targets with a cost at two points or more, in table order; rows in order of the axis."""
    found: dict[int, list[tuple[Row, Line]]] = {}
    for row in rows:
        for line in row.lines:
            if line.time.known:
                found.setdefault(line.number, []).append((row, line))
    for number, pairs in sorted(found.items()):
        target = pairs[0][1].target
        costs = {axis.of(row): line.time for row, line in pairs}
        own = {axis.of(row): rounds.get((row.key, target.name), {}) for row, _ in pairs}
        fewest, *more = own
        gains = {place: paired_ratio(own[fewest], own[place]) for place in more if rounds}
        if more:
            yield Curve(target, number, costs, gains)
