"""A row as a table with a column for everything that is known of it; for pages and forges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report import units, words
from bench.report.row import Line, Row


@dataclass(frozen=True)
class Cell:
    """What a cell says, and the number it is sorted by: NaN for one that is missing."""

    text: str
    value: float | None = None
    """None for words."""
    link: str = ""
    """The part of a page that says more."""
    mark: str = ""
    """``less`` or ``more`` where it says that, for its colour."""

    @property
    def sort(self) -> str | None:
        """The number as an attribute of a page; empty, and so last, where there is none."""
        if self.value is None:
            return None
        return f"{self.value:.9g}" if math.isfinite(self.value) else ""


def heads(row: Row, against: Sequence[str]) -> list[str]:
    """The columns of a row's table."""
    return [
        "target",
        f"{units.quantity().noun} per {row.unit}",
        *(f"target / {words.against(name)}" for name in against),
        *(["shows, against its own server without passthrough"] if against else []),
        "requests per op",
        "expected of a plain server",
        "passthrough",
        "noted",
    ]


def cells(line: Line, against: Sequence[str]) -> list[Cell]:
    """One target's line, as ``heads`` names it."""
    mark = " ! not as expected" if line.requests and line.requests.outside else ""
    noted = [*line.trouble, *(f"{flag.word}: {flag.said}" for flag in line.flags)]
    return [
        Cell(line.target.name),
        Cell(f"{words.time_text(line.time)}, n={line.time.n}", line.time.value),
        *(Cell(words.ratio_cell(line, name), ratio_value(line, name)) for name in against),
        *([Cell(words.finding_text(line) or "-")] if against else []),
        Cell(words.requests_text(line) + mark, requests_value(line)),
        Cell(words.expected_text(line) or "-"),
        Cell(words.verdict_text(line)),
        Cell("; ".join(noted) or "-"),
    ]


def ratio_value(line: Line, baseline: str) -> float:
    """A ratio as a number; that of a baseline to itself is 1, NaN where there is none."""
    if line.target.base == baseline:
        return 1.0
    return line.ratios[baseline].value if baseline in line.ratios else math.nan


def requests_value(line: Line) -> float:
    """All requests per op; NaN where they were not counted, 0 where there is no FUSE."""
    if line.requests is None:
        return 0.0
    uncounted = line.requests.note and not line.requests.per_op
    return math.nan if uncounted else line.requests.total


@dataclass(frozen=True)
class CellGrid:
    """A table: what it is called, its column heads, its lines; the first cell of each names it."""

    label: str
    heads: Sequence[str]
    lines: Sequence[Sequence[Cell]]
