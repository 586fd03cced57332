"""The title of the overview: one target, the same whenever it is drawn."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from bench.report.charts.overview import claim
from bench.report.targets import TargetInRow
from bench.stats.estimates import Estimate
from bench.stats.verdicts import Finding

NAMES = (
    ("passthrough-c:lookup", "lookup", False),
    ("passthrough-c:lookup:no-readdir", "lookup", False),
    ("passthrough-c:attach-lookup", "attach-lookup", False),
    ("passthrough:lookup", "lookup", True),
)


def line(name: str, level: str, python: bool, finding: Finding) -> Any:
    """A line of a row, as far as the claim looks at it."""
    target = TargetInRow(name, name, False, True, level, level, "", python)
    return SimpleNamespace(
        target=target,
        ratio=Estimate(0.5, 0.4, 0.6, 5),
        baseline="plain-c",
        judgement=SimpleNamespace(finding=finding),
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_claim_is_of_the_usual_server_at_the_highest_level(seed: int) -> None:
    """In C, with its listings passed through, in whatever order targets are met."""
    rows: list[Any] = []
    for finding in (Finding.FASTER, Finding.FASTER, Finding.SLOWER):
        lines = [line(*one, finding) for one in NAMES]
        random.Random(seed).shuffle(lines)
        rows.append(SimpleNamespace(lines=lines))
    assert claim(rows) == "passthrough-c:lookup takes less time than plain-c in 2 of 3 rows"
