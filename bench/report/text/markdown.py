"""table.md: the same rows for a web page or a forge, with every request told by opcode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report import units, words
from bench.report.about import facts
from bench.report.row import Row
from bench.report.targets import baselines
from bench.report.text import cells
from bench.stats.frame import Run


def table(run: Run, rows: Sequence[Row]) -> str:
    """The whole document."""
    against = baselines(run)
    lines = [
        f"# FUSE metadata operations: {_cell(run.name)}",
        "",
        *(f"- {fact.name}: {_cell(fact.text)}" for fact in facts(run, rows)),
        "",
        "A ratio is the time per operation of the target divided by that of the baseline in the "
        "heading, of the same round; below 1 the target is faster.",
        "",
        *(line for row in rows for line in _row(row, against)),
    ]
    return "\n".join(lines)


def _row(row: Row, against: Sequence[str]) -> Iterator[str]:
    yield f"## {_cell(row.name)}"
    yield ""
    yield f"{_cell(row.op or row.name)}; {_cell(row.setting)}"
    yield ""
    heads = cells.heads(row, against)
    yield _line(heads)
    yield _line(["---"] * len(heads))
    for line in row.lines:
        yield _line([cell.text for cell in cells.cells(line, against)])
    yield ""
    if others := words.other_ratios(row, against):
        yield from (*(f"- {_cell(text)}" for text in others), "")


def _line(parts: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in parts)} |"


def _cell(text: str) -> str:
    """``text`` without what would end a cell."""
    return units.ascii_only(text).replace("|", "\\|").replace("\n", " ")
