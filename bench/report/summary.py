"""A run in a few sentences: how each target compares with the server it is to be judged by."""

from __future__ import annotations

from collections.abc import Sequence

from bench.frame import Run
from bench.model import Verdict
from bench.report import units, words
from bench.report.rows import Line, Row, Target, baselines, targets


def sentences(run: Run, rows: Sequence[Row]) -> list[str]:
    """One sentence for each target that is not a baseline; none where nothing can be compared."""
    against = baselines(run)
    compared = [target for target in targets(run) if target.base not in against]
    return [_sentence(target, against[-1], rows) for target in compared if against and rows]


def _sentence(target: Target, baseline: str, rows: Sequence[Row]) -> str:
    lines = [line for row in rows for line in row.lines if line.target == target]
    ratios = [line.ratios[baseline] for line in lines]
    sure = [ratio for ratio in ratios if ratio.has_interval]
    below = sum(ratio.high < 1 for ratio in sure)
    above = sum(ratio.low > 1 for ratio in sure)
    unsure = len(ratios) - len(sure)
    what = units.quantity()
    return (
        f"{target.name} / {words.against(baseline)}: of {units.times(len(lines), 'row')}, the "
        f"{what.interval} of the ratio of {what.noun} lies below 1 ({what.below}) in {below}, above 1 "
        f"({what.above}) in {above}, "
        f"holds 1 in {len(sure) - below - above}"
        f"{f'; {unsure} without interval' if unsure else ''}; "
        f"passthrough engaged in {_engaged(lines)}."
    )


def _engaged(lines: Sequence[Line]) -> int:
    return sum(line.verdict == Verdict.ENGAGED for line in lines)
