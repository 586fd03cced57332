"""table.md: the same rows for a web page or a forge, with every request told by opcode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.frame import Run
from bench.report import units, words
from bench.report.about import facts
from bench.report.rows import Line, Row, baselines


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
    yield f"## {_cell(row.name)}, {_cell(row.state)}"
    yield ""
    yield f"{_cell(row.op or row.name)}; {_cell(row.setting)}"
    yield ""
    heads = [
        "target",
        f"{units.quantity().noun} per {row.unit}",
        *(f"target / {words.against(name)}" for name in against),
    ]
    heads += ["requests per op", "expected of a plain server", "passthrough", "trouble"]
    yield _line(heads)
    yield _line(["---"] * len(heads))
    for line in row.lines:
        yield _line(_cells(line, against))
    yield ""
    for text in words.asides(row):
        yield f"- {_cell(text)}"
    if any(line.asides for line in row.lines):
        yield ""


def _cells(line: Line, against: Sequence[str]) -> list[str]:
    mark = " **!**" if line.requests and line.requests.outside else ""
    return [
        line.target.name,
        f"{words.time_text(line.time)}, n={line.time.n}",
        *(words.ratio_cell(line, baseline) for baseline in against),
        words.requests_text(line) + mark,
        words.expected_text(line) or "-",
        words.verdict_text(line),
        "; ".join(line.trouble) or "-",
    ]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    """``text`` without what would end a cell."""
    return units.ascii_only(text).replace("|", "\\|").replace("\n", " ")
