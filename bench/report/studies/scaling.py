"""Scaling: what a workload costs over client threads and over directory size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.axes import rows
from bench.axes.axis import RowAxis
from bench.axes.rowkey import RowKey
from bench.report import units
from bench.report.row import Line, Row
from bench.report.targets import TargetInRow
from bench.stats.estimates import Estimate, paired_ratio, trial_medians
from bench.stats.frame import Run

Rounds = Mapping[tuple[str, str], Mapping[int, float]]
"""{(row's key, target): {round: seconds per operation}}."""


@dataclass(frozen=True, eq=False)
class NumberAxis:
    """An axis of numbers, to draw something along."""

    axis: RowAxis[int]
    said: str
    several: str
    noun: str
    """One of it."""
    workload: str
    """One that has the axis."""

    def of(self, row: Row) -> int:
        """Where a row stands on it; 0: it has no such axis."""
        return row.key[self.axis]

    def beside(self, row: Row) -> RowKey:
        """What else a chart over this axis holds fixed."""
        return row.key.family.without(self.axis)


THREADS = NumberAxis(
    rows.THREADS, "client threads", "numbers of client threads", "thread", "getattr-storm"
)
ENTRIES = NumberAxis(rows.ENTRIES, "directory size", "directory sizes", "entry", "list-stat")


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

    key: RowKey
    """Without the axis."""
    unit: str
    curves: Sequence[Curve]

    @property
    def name(self) -> str:
        """Workload and variant."""
        return self.key.work

    @property
    def places(self) -> list[int]:
        """Every number of threads or entries."""
        return sorted({place for curve in self.curves for place in curve.costs})


@dataclass(frozen=True)
class Scaling:
    """One workload under one setting: a panel for each of its variants."""

    axis: NumberAxis
    fixed: RowKey
    """What is held fixed."""
    rows: Sequence[Row]
    panels: Sequence[Panel]

    @property
    def title(self) -> str:
        """``getattr-storm over client threads (warm, timeouts 0)``."""
        return f"{self.fixed.workload} over {self.axis.said} ({self.fixed.state})"

    @property
    def slug(self) -> str:
        """Unique in the run, and good for a file name."""
        return f"{self.axis.axis.name}-{self.fixed.slug}"

    @property
    def places(self) -> list[int]:
        """Every number of threads or entries of any panel."""
        return sorted({place for panel in self.panels for place in panel.places})

    @property
    def gains(self) -> bool:
        """Whether there is a throughput to tell of."""
        return any(curve.gains for panel in self.panels for curve in panel.curves)


def scalings(run: Run, measured: Sequence[Row]) -> list[Scaling]:
    """Everything that was measured at two or more points of an axis, threads first."""
    made = []
    for axis in (THREADS, ENTRIES):
        groups: dict[RowKey, list[Row]] = {}
        for row in measured:
            if axis.of(row):
                groups.setdefault(axis.beside(row), []).append(row)
        several = [own for own in groups.values() if len({axis.of(row) for row in own}) > 1]
        rounds = _rounds(run, axis, several)
        for own in several:
            if panels := _panels(axis, own, rounds):
                made.append(Scaling(axis, axis.beside(own[0]), own, panels))
    return made


def _rounds(run: Run, axis: NumberAxis, groups: Sequence[Sequence[Row]]) -> Rounds:
    """The trials that throughput is paired of; none where it would say nothing."""
    # A guest that counts instructions has one CPU: threads only take turns there.
    if axis is not THREADS or units.quantity() is not units.WALL:
        return {}
    keys = {row.slug for group in groups for row in group}
    return trial_medians(run.samples[run.samples["group"].isin(keys)])


def _panels(axis: NumberAxis, rows: Sequence[Row], rounds: Rounds) -> list[Panel]:
    """A panel for each name among the rows that a target has two points of."""
    made = []
    for key in sorted({row.key.without(axis.axis) for row in rows}, key=lambda key: key.order):
        own = sorted((row for row in rows if row.key.without(axis.axis) == key), key=axis.of)
        curves = tuple(_curves(axis, own, rounds))
        made += [Panel(key, own[0].unit, curves)] if curves else []
    return made


def _curves(axis: NumberAxis, rows: Sequence[Row], rounds: Rounds) -> Iterator[Curve]:
    """The targets with a cost at two points or more, in table order; rows in order of the axis."""
    found: dict[int, list[tuple[Row, Line]]] = {}
    for row in rows:
        for line in row.lines:
            if line.time.known:
                found.setdefault(line.number, []).append((row, line))
    for number, pairs in sorted(found.items()):
        target = pairs[0][1].target
        costs = {axis.of(row): line.time for row, line in pairs}
        own = {axis.of(row): rounds.get((row.slug, target.name), {}) for row, _ in pairs}
        fewest, *more = own
        gains = {place: paired_ratio(own[fewest], own[place]) for place in more if rounds}
        if more:
            yield Curve(target, number, costs, gains)
