"""A row as a table with a column for everything that is known of it; for pages and forges."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import units, words
from bench.report.rows import Line, Row


def heads(row: Row, against: Sequence[str]) -> list[str]:
    """The columns of a row's table."""
    return [
        "target",
        f"{units.quantity().noun} per {row.unit}",
        *(f"target / {words.against(name)}" for name in against),
        *([f"shows, against {words.against(against[-1])}"] if against else []),
        "requests per op",
        "expected of a plain server",
        "passthrough",
        "noted",
    ]


def cells(line: Line, against: Sequence[str]) -> list[str]:
    """One target's line, as ``heads`` names it."""
    mark = " ! not as expected" if line.requests and line.requests.outside else ""
    noted = [*line.trouble, *(f"{flag.word}: {flag.said}" for flag in line.flags)]
    return [
        line.target.name,
        f"{words.time_text(line.time)}, n={line.time.n}",
        *(words.ratio_cell(line, baseline) for baseline in against),
        *([words.finding_text(line, against[-1]) or "-"] if against else []),
        words.requests_text(line) + mark,
        words.expected_text(line) or "-",
        words.verdict_text(line),
        "; ".join(noted) or "-",
    ]
