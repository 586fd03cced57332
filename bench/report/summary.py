"""A run in a few sentences: how each target compares with the server it is to be judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.model import Verdict
from bench.report import units, words
from bench.report.row import Line, Row
from bench.report.targets import TargetInRow, baseline_of, baselines, targets
from bench.stats.frame import Run
from bench.stats.verdicts import Finding


def sentences(run: Run, rows: Sequence[Row]) -> list[str]:
    """One sentence for each target that is not a baseline; none where nothing can be compared."""
    against = baselines(run)
    known = targets(run)
    compared = [target for target in known if target.base not in against] if against else []
    pairs = [(target, baseline_of(target, known, against)) for target in compared]
    return [
        _sentence(target, baseline, rows)
        for target, baseline in pairs
        if baseline and rows and baseline != target.base
    ]


def _sentence(target: TargetInRow, baseline: str, rows: Sequence[Row]) -> str:
    lines = [line for row in rows for line in row.lines if line.target == target]
    found = Counter(
        line.judgements[baseline].finding for line in lines if baseline in line.judgements
    )
    told = [f"{words.shown(finding)} in {found[finding]}" for finding in Finding if found[finding]]
    return (
        f"{target.name} / {words.against(baseline)}, {units.quantity().noun}, "
        f"{units.times(len(lines), 'row')}: {', '.join(told) or 'nothing could be judged'}; "
        f"passthrough engaged in {_engaged(lines)}."
    )


def _engaged(lines: Sequence[Line]) -> int:
    return sum(line.verdict == Verdict.ENGAGED for line in lines)
