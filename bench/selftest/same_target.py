"""How often do verdicts call a target faster or slower than itself, on measured data?

An A/A run measures every target under two names (Settings.twins). A run without twins serves as
well where it has rounds enough: even rounds against the odd ones that follow, which are further apart in
time than twins and so the sterner test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.model import TWIN, Clock
from bench.selftest.check import Check, CheckRequest, CheckResult, held, share_text, skipped
from bench.stats.estimates import Estimate, paired_ratio, trial_medians
from bench.stats.frame import load
from bench.stats.guards import SeriesKey
from bench.stats.noise_floor import Noise
from bench.stats.verdicts import judge_table, percent

BLOCK = 5
"""Rounds of one comparison, fewer than a default run's. A longer run gives several."""
BAR = 0.05
COMPARISONS = 200
"""Fewer say little: of 40, no false call at all still leaves 9 % possible."""
QUANTILE = 0.95
Medians = Mapping[SeriesKey, Mapping[int, float]]
Table = dict[SeriesKey, Estimate]


def run(request: CheckRequest) -> CheckResult:
    """Compare every target with itself in every run that was named."""
    if not request.recorded:
        return skipped("no run was named: --aa makes one, --from RUN takes recorded ones")
    timed = [path for path in request.recorded if load(path).about["clock"] == Clock.WALL]
    if not timed:
        return skipped("every run that was named is on the instruction clock")
    tables = [table for path in timed for table in tables_of(path)]
    total = sum(len(table) for table in tables)
    if not total:
        needed = 2 * BLOCK
        return skipped(f"too few rounds: {BLOCK} of twins or {needed} of a run without are needed")
    said = sum(one.decided for table in tables for one in judge_table(table).values())
    outside = sum(not one.low <= 1 <= one.high for table in tables for one in table.values())
    noise = noise_of(tables)
    few = f"fewer than {COMPARISONS} comparisons: this shows little"
    lines = (
        *([few] if total < COMPARISONS else []),
        f"{share_text(said, total)} called faster or slower",
        f"{share_text(outside, total)} intervals leave 1 out",
        *noise_lines(noise),
    )
    figures = {
        "comparisons": total,
        "called": said,
        "outside": outside,
        "noise": {row: vars(one) for row, one in noise.items()},
    }
    return CheckResult(held(said <= BAR * total), lines, figures)


def tables_of(path: Path) -> list[Table]:
    """The A/A tables of a run, one for each block of rounds; rows without an interval left out."""
    tables: list[Table] = []
    for key, (over, under) in pairs(trial_medians(load(path).samples)):
        rounds = sorted(over.keys() & under.keys())
        for block, start in enumerate(range(0, len(rounds) - BLOCK + 1, BLOCK)):
            chosen = rounds[start : start + BLOCK]
            ratio = paired_ratio({at: over[at] for at in chosen}, under)
            if ratio.has_interval:
                tables += [{} for _ in range(block + 1 - len(tables))]
                tables[block][key] = ratio
    return tables


Sides = tuple[Mapping[int, float], Mapping[int, float]]


def pairs(medians: Medians) -> Iterator[tuple[SeriesKey, Sides]]:
    """Every target and its twin, else its even rounds and the odd ones after them."""
    twins = any(target.endswith(TWIN) for _, target in medians)
    for (group, target), rounds in medians.items():
        twin = medians.get((group, target + TWIN))
        if twin:
            yield (group, target), (rounds, twin)
        elif not twins:
            even = {at // 2: taken for at, taken in rounds.items() if at % 2 == 0}
            odd = {at // 2: taken for at, taken in rounds.items() if at % 2}
            yield (group, target), (even, odd)


def noise_of(tables: Sequence[Table]) -> dict[str, Noise]:
    """What each row showed by chance, over targets and blocks."""
    seen: dict[str, list[Estimate]] = {}
    for table in tables:
        for (group, _), ratio in table.items():
            seen.setdefault(group, []).append(ratio)
    return {
        group: Noise(
            floor=_most([abs(math.log(ratio.value)) for ratio in ratios]),
            detectable=_most([math.log(ratio.high / ratio.low) / 2 for ratio in ratios]),
            rounds=BLOCK,
        )
        for group, ratios in sorted(seen.items())
    }


def _most(logs: Sequence[float]) -> float:
    return round(math.expm1(float(np.quantile(logs, QUANTILE))), 6)


def noise_lines(noise: Mapping[str, Noise]) -> Iterator[str]:
    """The rows as a table."""
    yield f"{f'noise of {BLOCK} rounds':<48}{'floor':>10}{'detectable':>12}"
    for group, one in noise.items():
        name = group if len(group) <= 46 else f"{group[:43]}..."
        yield f"  {name:<46}{percent(one.floor):>10}{percent(one.detectable):>12}"


CHECK = Check("same-target", "A/A: at most 5 % called faster or slower", run, order=4)
