"""What the lab kernel showed for a run's rows, from the published run, in two lines.

For a run on a kernel that passes nothing beyond reads and writes through: what it would be about.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.machine import suite
from bench.model import Level
from bench.report import units
from bench.report.row import Row
from bench.report.targets import HEADLINE, targets
from bench.stats.frame import Run

COMMAND = "python -m bench run --daemon passthrough --kernel lab --clock instructions"
LEVEL = Level.ATTACH_LOOKUP.value
"""What is posted: the level of the series, without experiments."""
TARGET = f"passthrough-c:{LEVEL}"


def lines(run: Run, rows: Sequence[Row]) -> list[str]:
    """Two lines; none where a target went beyond reads and writes, or none was asked to."""
    asked = [one for one in targets(run) if one.asked not in ("", Level.NONE, Level.RW)]
    beyond = [one for one in asked if one.level not in ("", Level.NONE, Level.RW)]
    if not asked or beyond:
        return []
    found = published()
    ratios = [found[key] for row in rows if (key := _key_of(row)) in found]
    command = f"  {COMMAND}"
    if not ratios:
        return [
            f"This kernel passes reads and writes through at most; on the lab kernel {LEVEL}:",
            command,
        ]
    middle, best, worst = (
        units.ratio(one) for one in (statistics.median(ratios), min(ratios), max(ratios))
    )
    rows_said = f"{len(ratios)} of these rows, instructions"
    return [
        f"lab kernel, {rows_said}: x {middle} in the middle, {best} to {worst}; to run it:",
        command,
    ]


def _key_of(row: Row) -> tuple[str, ...]:
    return (
        row.work,
        str(row.key.cache),
        row.timeouts.partition(" (")[0].replace("not recorded", ""),
    )


def published() -> Mapping[tuple[str, ...], float]:
    """Ratios to plain-c of the level that is posted, of the largest published run of the lab kernel."""
    files = sorted(suite.ROOT.glob("results/lab-*/*/report/rows.csv"))
    return max((_ratios(file) for file in files), key=len, default={})


def _ratios(file: Path) -> dict[tuple[str, ...], float]:
    """By workload, cache and timeouts."""
    found: dict[tuple[str, ...], float] = {}
    with file.open(encoding="utf-8", newline="") as opened:
        for line in csv.DictReader(opened):
            ratio = line.get(f"ratio_to_{HEADLINE}") or ""
            counted = line.get("clock") == "instructions" or line["row"].endswith("instructions)")
            if line["target"] == TARGET and ratio and counted:
                found[_work(line), line["cache"], line["timeouts"].partition(" (")[0]] = float(
                    ratio
                )
    return found


def _work(line: Mapping[str, str]) -> str:
    """Workload and variant; older tables have both in the row's name."""
    if "workload" not in line:
        return line["row"]
    return "/".join(filter(None, (line["workload"], line["variant"])))
