"""Does a second run of the same settings contradict what the first one claimed?"""

from __future__ import annotations

from pathlib import Path

from bench.report import units
from bench.report.rows import rows
from bench.selftest.check import Check, CheckRequest, CheckResult, Held, held, skipped
from bench.stats.frame import load
from bench.stats.judging import RatioKey
from bench.stats.verdicts import Finding, Judgement


def run(request: CheckRequest) -> CheckResult:
    """Compare the verdicts of the two runs that were named."""
    if request.pair is None:
        return skipped("no two runs were named: --runs RUN1 RUN2")
    first, second = (verdicts(path) for path in request.pair)
    common = [key for key in first if key in second]
    if not common:
        return CheckResult(Held.NO, ("the two runs have no comparison in common",))
    both = [key for key in common if first[key].decided and second[key].decided]
    flips = [key for key in both if first[key].finding is not second[key].finding]
    once = sum(first[key].decided != second[key].decided for key in common)
    lines = [
        f"{len(common)} comparisons: {len(both)} called in both runs, {once} in one of them",
        f"{len(flips)} flipped",
        *(f"  {' / '.join(key)}"[:72] for key in flips),
    ]
    figures = {
        "comparisons": len(common),
        "called_twice": len(both),
        "called_once": once,
        "flipped": [list(key) for key in flips],
    }
    return CheckResult(held(not flips), tuple(lines), figures)


def verdicts(path: Path) -> dict[RatioKey, Judgement]:
    """Every judgement of a run that is about the numbers."""
    measured = load(path)
    units.measure_in(measured.about.get("clock"))
    return {
        (row.slug, line.target.name, baseline): judgement
        for row in rows(measured)
        for line in row.lines
        for baseline, judgement in line.judgements.items()
        if judgement.finding is not Finding.TOO_FEW
    }


CHECK = Check("no-flip", "two runs in a row: no called row flips its sign", run, order=5)
