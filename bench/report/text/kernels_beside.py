"""Ratios of the same rows on several kernels side by side: ``[0.178, 0.192]`` of a cheap and a dear one.

A ratio is to the target's own server without passthrough on the same kernel, so that what a kernel
spends on every system call stands on both sides of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report import units
from bench.report.row import Line, Row

NAME = 18
"""Columns of a target's name."""


def lines(rows: Sequence[Row]) -> list[str]:
    """The table as lines of text; empty where no target was on two kernels."""
    told = [(row, found) for row in rows if (found := beside(row))]
    labels = list(
        dict.fromkeys(label for _, found in told for one in found.values() for label in one)
    )
    if len(labels) < 2:
        return []
    title = (
        f"Kernels side by side: {units.quantity().noun} of a target, by those of the same server "
        "without passthrough on the same kernel."
    )
    made = [*units.wrapped(title), "", _line("", labels)]
    for row, found in told:
        made += ["", *units.wrapped(row.name, 2), *_targets(found, labels)]
    return made


def _targets(found: dict[str, dict[str, Line]], labels: Sequence[str]) -> Iterator[str]:
    for base, on in found.items():
        ratios = [on[label].ratio if label in on else None for label in labels]
        cells = [units.ratio(one.value) if one and one.known else "-" for one in ratios]
        yield _line(base.removeprefix("passthrough-c:"), cells)


def beside(row: Row) -> dict[str, dict[str, Line]]:
    """The lines of each target that passes something through, by kernel, of those on two at least."""
    found: dict[str, dict[str, Line]] = {}
    for line in row.lines:
        target = line.target
        if target.passes and target.kernel and line.ratio and line.ratio.known:
            found.setdefault(target.base, {})[target.kernel] = line
    return {base: on for base, on in found.items() if len(on) > 1}


def _line(name: str, cells: Sequence[str]) -> str:
    return f"  {name:<{NAME}}{''.join(f'{cell:>10}' for cell in cells)}".rstrip()
