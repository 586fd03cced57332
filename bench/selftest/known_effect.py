"""Is a known effect found? Our C mirror holds every GETATTR back for D, and is measured like any other.

Each repeat is a run of its own: rounds of the server held back for 500 us (bench.run.delayed.BASE_NS says
why) and for that and every D, one fresh mount each, in shuffled order. The difference of two trial
medians of a round should be D x requests per operation.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.report import units
from bench.run.delayed import (
    BASE_NS,
    DAEMON,
    OPCODE,
    ROW,
    DelayedTarget,
    Repeat,
    cut,
    held_back,
    pairs_of,
    read,
)
from bench.selftest.check import Check, CheckRequest, CheckResult, held, share_text, skipped
from bench.stats.estimates import Estimate, paired_difference

WANTED = 0.95
"""Share of the intervals that have to hold the effect."""
RESOLVING_S = 60.0
"""Wall time of the trials of both servers, mounting included, in which a difference is to be resolved."""


@dataclass(frozen=True)
class EffectComparison:
    """A delay in one repeat: the difference that was to be found, and the one that was; seconds."""

    delay_ns: int
    expected: float
    found: Estimate

    @property
    def holds(self) -> bool:
        """Whether the interval holds the effect."""
        return self.found.has_interval and self.found.low <= self.expected <= self.found.high


@dataclass(frozen=True)
class Resolution:
    """In how many spans of ``span_s`` of measuring the delay's interval leaves 0 out."""

    delay_ns: int
    resolved: int
    spans: int
    span_s: float


@dataclass(frozen=True)
class FoundEffect:
    """What the check found; ``met`` if enough intervals hold."""

    comparisons: tuple[EffectComparison, ...]
    resolutions: tuple[Resolution, ...]
    cooling: tuple[Estimate, ...]
    """By repeat, seconds: what BASE_NS adds to the server as it is, beyond itself."""
    rounds: int

    @property
    def holding(self) -> int:
        """Intervals that hold the effect."""
        return sum(one.holds for one in self.comparisons)

    @property
    def met(self) -> bool:
        """Whether the instrument finds what is there."""
        return bool(self.comparisons) and self.holding >= WANTED * len(self.comparisons)

    @property
    def smallest_ns(self) -> int | None:
        """The smallest delay that was resolved in every span, and every larger one as well."""
        smallest = None
        for one in sorted(self.resolutions, key=lambda one: -one.delay_ns):
            if one.resolved < one.spans:
                break
            smallest = one.delay_ns
        return smallest


def analyse(repeats: Sequence[Repeat]) -> FoundEffect:
    """What the intervals of all repeats come to."""
    comparisons = [
        _comparison(arm, held_back(repeat, BASE_NS))
        for repeat in repeats
        for arm in repeat.values()
        if arm.delay_ns > BASE_NS
    ]
    delays_ns = sorted({one.delay_ns for one in comparisons})
    comparisons.sort(key=lambda one: one.delay_ns)
    return FoundEffect(
        tuple(comparisons),
        tuple(_resolution(repeats, delay_ns) for delay_ns in delays_ns),
        tuple(_cooling(repeat) for repeat in repeats),
        max((one.found.n for one in comparisons), default=0),
    )


def _comparison(arm: DelayedTarget, base: DelayedTarget) -> EffectComparison:
    extra_ns = arm.delay_ns - base.delay_ns
    expected = extra_ns * 1e-9 * arm.requests_per_op
    return EffectComparison(extra_ns, expected, paired_difference(arm.seconds, base.seconds))


def _cooling(repeat: Repeat) -> Estimate:
    base = held_back(repeat, BASE_NS)
    found = paired_difference(base.seconds, repeat[DAEMON].seconds)
    known = BASE_NS * 1e-9 * base.requests_per_op
    return Estimate(found.value - known, found.low - known, found.high - known, found.n)


def _resolution(repeats: Sequence[Repeat], delay_ns: int) -> Resolution:
    spans = cut(pairs_of(repeats, BASE_NS + delay_ns, BASE_NS), RESOLVING_S)
    found = [paired_difference(over, under) for over, under, _ in spans]
    resolved = sum(one.has_interval and one.low > 0 for one in found)
    return Resolution(delay_ns, resolved, len(spans), max(took_s for *_, took_s in spans))


def lines(found: FoundEffect) -> list[str]:
    """The result for people."""
    smallest = found.smallest_ns
    base = units.duration(BASE_NS * 1e-9)
    cooling = statistics.median(one.value for one in found.cooling)
    repeats, rounds = units.times(len(found.cooling), "repeat"), units.times(found.rounds, "round")
    return [
        f"{DAEMON} holds every {OPCODE.name} of {ROW} back for {base},",
        f"and for {base} and D; {repeats} of up to {rounds}",
        f"{'D':>8} {'expected':>9} {'found':>9} {'+-':>9} {'holds':>7}  resolved in",
        *(_row(found, one) for one in found.resolutions),
        f"{share_text(found.holding, len(found.comparisons))} intervals hold the effect",
        f"smallest D resolved within {RESOLVING_S:.0f} s of measuring: "
        + (units.duration(smallest * 1e-9) if smallest else "none of these"),
        f"no known effect: {base} take {_signed(cooling)} more than themselves from",
        "a server that did not wait, as caches cool meanwhile",
    ]


def _row(found: FoundEffect, resolution: Resolution) -> str:
    own = [one for one in found.comparisons if one.delay_ns == resolution.delay_ns]
    known = [one.found for one in own if one.found.has_interval]
    value = statistics.median(one.value for one in known) if known else math.nan
    half = statistics.median((one.high - one.low) / 2 for one in known) if known else math.nan
    expected = statistics.median(one.expected for one in own)
    cells = [_signed(value) for value in (expected, value, half)]
    holds = f"{sum(one.holds for one in own)}/{len(own)}"
    spans = f"{resolution.resolved}/{resolution.spans} spans of {resolution.span_s:.0f} s"
    name = units.duration(resolution.delay_ns * 1e-9)
    return f"{name:>8} {cells[0]:>9} {cells[1]:>9} {cells[2]:>9} {holds:>7}  {spans}"


def _signed(value: float) -> str:
    return f"-{units.duration(-value)}" if value < 0 else units.duration(value)


def figures(found: FoundEffect, repeats: Sequence[Repeat]) -> dict[str, Any]:
    """The result for programs, with the raw rounds that it can be computed from again."""
    return {
        "holding": found.holding,
        "smallest_resolved_ns": found.smallest_ns,
        "comparisons": [
            {
                "delay_ns": one.delay_ns,
                "expected_s": one.expected,
                "found_s": one.found.value,
                "interval_s": [one.found.low, one.found.high],
                "holds": one.holds,
            }
            for one in found.comparisons
        ],
        "resolutions": [vars(one) for one in found.resolutions],
        "repeats": [{name: vars(arm) for name, arm in repeat.items()} for repeat in repeats],
    }


def run(request: CheckRequest) -> CheckResult:
    """Judge the runs that have delays, of those that were named."""
    recorded = [read(path) for path in request.recorded]
    repeats = [one for one in recorded if DAEMON in one and _has_base(one)]
    if not repeats:
        return skipped("no run has a server that is held back: --effect SECONDS makes some")
    found = analyse(repeats)
    return CheckResult(held(found.met), tuple(lines(found)), figures(found, repeats))


def _has_base(repeat: Repeat) -> bool:
    delays_ns = {arm.delay_ns for arm in repeat.values()}
    return BASE_NS in delays_ns and max(delays_ns) > BASE_NS


CHECK = Check("known-effect", "95 % of the intervals hold an effect that is known", run, order=7)
