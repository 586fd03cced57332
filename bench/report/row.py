"""A row of a report and its lines, one for each target, as records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.axes.rowkey import RowKey
from bench.report import units
from bench.report.targets import TargetInRow
from bench.stats.estimates import (
    Estimate,
)
from bench.stats.guards import Flag
from bench.stats.verdicts import Judgement


@dataclass(frozen=True)
class RequestsPerOp:
    """Requests per operation by opcode, counted and expected of a plain server."""

    per_op: Mapping[str, float]
    expected: Mapping[str, tuple[float, float]]
    outside: tuple[str, ...]
    """Opcodes whose count lies outside of what was expected."""
    note: str
    """Why nothing was counted, or that the two sources disagree."""

    @property
    def total(self) -> float:
        """All requests per operation."""
        return sum(self.per_op.values())


@dataclass(frozen=True)
class Line:
    """One target in a row: its time, its ratios, its requests, and what went wrong."""

    target: TargetInRow
    number: int
    """Number of the target in the run: the same colour and marker in every chart."""
    time: Estimate
    ratios: Mapping[str, Estimate]
    """By baseline, that of the target's own kernel; a baseline has none to itself."""
    other_ratios: Mapping[str, Estimate]
    """Ratios that are no headline, by what they say of themselves: ``plain-c@base``."""
    requests: RequestsPerOp | None
    verdict: str
    verdict_reason: str
    trouble: tuple[str, ...]
    """Trials that failed or were skipped, counted, with the reason."""
    baseline: str
    """What it is divided by first: its own server without passthrough (bench.report.targets)."""
    latency: tuple[tuple[float, ...], ...]
    """The percentiles of SHARES in ns, for each trial that recorded a histogram."""
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    """What each ratio shows, by baseline; none of the floor, which is what others are held to."""
    flags: tuple[Flag, ...] = ()
    """What the guards saw in the series: outliers, drift, and what makes it implausible."""
    control: bool = False
    """Whether nothing in it may differ from its baseline (bench.report.controls)."""

    @property
    def ratio(self) -> Estimate | None:
        """To its baseline; None of a baseline."""
        return self.ratios.get(self.baseline)

    @property
    def judgement(self) -> Judgement | None:
        """What that ratio shows."""
        return self.judgements.get(self.baseline)


@dataclass(frozen=True)
class Row:
    """One workload at one setting, over all targets."""

    key: RowKey
    op: str
    unit: str
    cache_how: str
    own: tuple[str, ...]
    """Targets whose timeouts are the server's own, not those of the key."""
    lines: tuple[Line, ...]
    floor: float = 0.0
    """Relative difference that an A/A pair of this row shows by chance; 0 where that is not known."""

    @property
    def name(self) -> str:
        """``getattr-storm/fd (warm, timeouts 0)``: the one name of a row, wherever it is told."""
        return self.key.name

    @property
    def slug(self) -> str:
        """The name for files."""
        return self.key.slug

    @property
    def work(self) -> str:
        """Workload and variant."""
        return self.key.work

    @property
    def timeouts(self) -> str:
        """Attribute and entry timeout, and who has others."""
        return f"{self.pair}{self._but}"

    @property
    def pair(self) -> str:
        """Attribute and entry timeout that were asked for."""
        return "/".join(units.seconds(one) for one in self.seconds)

    @property
    def _but(self) -> str:
        return f" ({units.listing(self.own)}: the server's own)" if self.own else ""

    @property
    def seconds(self) -> tuple[float, float]:
        """The timeouts as numbers; NaN where they are not recorded."""
        asked = self.key.timeouts
        return (asked.attr, asked.entry) if asked else (math.nan, math.nan)

    @property
    def setting(self) -> str:
        """What the row was measured under, in words, all of it."""
        return f"{self.key.caption}{self._but}"
