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


def line(name: str, level: str, python: bool, finding: Finding, number: int = 0) -> Any:
    """A line of a row, as far as the claim looks at it; ``number`` is its place in the table."""
    target = TargetInRow(name, name, False, True, level, level, "", python)
    return SimpleNamespace(
        number=number,
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


def test_of_several_kernels_the_first_is_spoken_of() -> None:
    """In the order of the command line, whatever their names."""
    kernels = ("lab", "base", "page")
    names = [f"passthrough-c:lookup@{kernel}" for kernel in kernels]
    lines = [line(name, "lookup", False, Finding.FASTER, at) for at, name in enumerate(names)]
    rows: list[Any] = [SimpleNamespace(lines=lines)]
    assert claim(rows).startswith(
        "passthrough-c:lookup@lab takes less time than plain-c in 1 of 1 row"
    )
