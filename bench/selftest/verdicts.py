"""How often do verdicts say faster or slower of simulated tables in which nothing differs?"""

from __future__ import annotations

import math

import numpy as np

from bench.selftest.check import Check, CheckRequest, CheckResult, held, share_text
from bench.selftest.simulate import AUTOCORRELATION, Array, ar1
from bench.stats.estimates import paired_ratio
from bench.stats.verdicts import judge_table

ROWS = 20
CASES = ((5, 0.0), (20, 0.0), (20, AUTOCORRELATION))
"""Rounds, and their autocorrelation."""
TABLES, QUICK_TABLES = 50, 10
NOISE = 0.03
"""Spread of a paired ratio, in logarithms."""
EFFECT = 1.10
"""A difference that one row of each table is then given, to show that verdicts are not just mute."""
BAR = 0.05


def run(request: CheckRequest) -> CheckResult:
    """Tables of twenty rows in which nothing differs, then one row does."""
    tables = QUICK_TABLES if request.quick else TABLES
    lines, figures, met = [], {}, True
    for rounds, autocorrelation in CASES:
        series = NOISE * ar1(autocorrelation, rounds, tables * ROWS)
        drawn = [series[at : at + ROWS] for at in range(0, len(series), ROWS)]
        said = sum(sum(called(table)) for table in drawn)
        found = sum(called(with_effect(table))[0] for table in drawn)
        name = f"{rounds} rounds, lag {autocorrelation:g}"
        figures[name] = {"said": said, "of": len(series), "found": found, "tables": tables}
        lines.append(
            f"{name}: {share_text(said, len(series))}; a difference of 10 % found in "
            f"{found} of {tables}"
        )
        met = met and said <= BAR * len(series)
    return CheckResult(held(met), tuple(lines), figures)


def with_effect(table: Array) -> Array:
    """A table of log ratios with a difference added to its first row."""
    return np.vstack([table[:1] + math.log(EFFECT), table[1:]])


def called(series: Array) -> list[bool]:
    """Which rows of a table of log ratios are called faster or slower."""
    table = {
        row: paired_ratio(dict(enumerate(np.exp(logs))), dict.fromkeys(range(logs.size), 1.0))
        for row, logs in enumerate(series)
    }
    return [judgement.decided for judgement in judge_table(table).values()]


CHECK = Check("verdicts", "simulated A/A tables: at most 5 % of rows called", run, order=3)
