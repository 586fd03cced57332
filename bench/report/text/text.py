"""table.txt: every row of a run in plain ASCII of at most 72 columns, fit for a mail."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from bench.model import Verdict
from bench.report import costs, units, words
from bench.report.about import facts
from bench.report.row import Line, Row
from bench.report.summary import sentences
from bench.report.targets import baselines
from bench.report.text.sections import sections
from bench.stats.frame import Run

WIDTH = 72
NAME, TIME, SPREAD, RATIO, REQUESTS = 11, 7, 4, words.RATIO_WIDTH, 7
"""Columns of a line; with one blank between them, and two ratios, they are 72 wide."""


def table(run: Run, rows: Sequence[Row]) -> str:
    """The whole text."""
    against = baselines(run)
    notes = Notes()
    body = [line for row in rows for line in (*_row(row, against, notes), "")]
    lines = [
        "FUSE metadata operations",
        "",
        *_facts(run, rows),
        "",
        *_legend(against),
        "",
        *(line for sentence in sentences(run, rows) for line in (*_wrap(sentence, 0), "")),
        _heading(against),
        "-" * WIDTH,
        *(body or ["no trial was recorded", ""]),
        *notes.lines(),
        "",
        *costs.lines(run),
        *("", *sections(run, rows)),
    ]
    # A part that is empty leaves the blank lines around it behind.
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return units.ascii_only(text.rstrip() + "\n")


class Notes:
    """Footnotes, each told once however many rows refer to it."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> str:
        """The mark that stands for this text."""
        if text not in self._texts:
            self._texts.append(text)
        return f"[{self._texts.index(text) + 1}]"

    def lines(self) -> list[str]:
        """All of them, for the end of the table."""
        marked = [f"[{number}] {text}" for number, text in enumerate(self._texts, 1)]
        return [line for text in marked for line in _wrap(text, 4)]


def _facts(run: Run, rows: Sequence[Row]) -> list[str]:
    named = [f"{fact.name + ':':13}{fact.text}" for fact in facts(run, rows)]
    return [line for text in named for line in _wrap(text, 13)]


def _legend(against: Sequence[str]) -> list[str]:
    ratios = [
        f"'/ {words.against(name)}' is {units.quantity().noun} per op divided by {name}'s"
        for name in against
    ]
    said = (
        f"{units.quantity().column} is {units.quantity().said} per operation, "
        f"+- half its {units.quantity().interval}; "
        f"{' and '.join(ratios) or 'no baseline was measured, so no ratio is given'}"
        f"{_told() if ratios else ''}; "
        "req/op is FUSE requests per operation, counted outside the timed windows, "
        "! where they are not what is expected of a plain server."
    )
    return textwrap.wrap(said, WIDTH)


def _told() -> str:
    what = units.quantity()
    return f" of the same round, with its {what.ratios}: < 1 is {what.below}"


def _heading(against: Sequence[str]) -> str:
    ratios = [f"/ {words.against(name)}"[:RATIO] for name in against]
    return _cells("target", units.quantity().column, "+-", ratios, "req/op")


def _row(row: Row, against: Sequence[str], notes: Notes) -> Iterator[str]:
    op = f": {row.op}" if row.op else ""
    yield from _wrap(f"{row.name}{op}", 2)
    yield from _wrap(f"  {row.setting}, n={_rounds(row)}{words.floor_text(row)}", 4)
    for line in row.lines:
        yield from _line(line, against)
    for remark in _remarks(row, against, notes):
        yield from _wrap(f"  {remark}", 4)


def _rounds(row: Row) -> str:
    counts = sorted({line.time.n for line in row.lines})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _line(line: Line, against: Sequence[str]) -> Iterator[str]:
    name = line.target.name
    if len(name) > NAME:
        yield from _wrap(name, 2)
        name = ""
    time = line.time
    spread = words.spread(time)
    ratios = [
        "" if line.target.native else words.ratio_cell(line, baseline) for baseline in against
    ]
    yield _cells(name, units.duration(time.value), spread, ratios, _count(line))


def _count(line: Line) -> str:
    requests = line.requests
    if requests is None or (requests.note and not requests.per_op):
        return "-"
    return units.per_op(requests.total) + ("!" if requests.outside else " ")


def _remarks(row: Row, against: Sequence[str], notes: Notes) -> Iterator[str]:
    """What does not fit into columns: expectation, verdicts, what is shown, trouble."""
    expected = next(
        (ln.requests.expected for ln in row.lines if ln.requests and ln.requests.expected), {}
    )
    if expected:
        bounds = [f"{op} {units.bound(*limits)}" for op, limits in expected.items()]
        yield f"expected req/op of a plain server: {', '.join(bounds)}"
    yield from words.other_ratios(row, against)
    for line in row.lines:
        name, requests = line.target.name, line.requests
        if said := _shown(line, against, notes):
            yield f"{name}: {said}"
        yield from (
            f"{name}: {flag.word}: {flag.said}" for flag in line.flags if not flag.implausible
        )
        if requests and requests.outside:
            found = [f"{op} {units.per_op(requests.per_op.get(op, 0))}" for op in requests.outside]
            yield f"! {name}: {', '.join(found)} per op is not as expected"
        if requests and requests.note and line.time.known:
            yield f"{name}: requests: {requests.note}"
        yield from (f"{name}: {text}" for text in line.trouble)


def _shown(line: Line, against: Sequence[str], notes: Notes) -> str:
    """Whether passthrough did the work, and what the ratio to the last baseline shows."""
    parts = []
    if line.verdict not in ("", Verdict.BASELINE):
        why = f" {notes.mark(line.verdict_reason)}" if line.verdict_reason else ""
        parts.append(f"{line.verdict}{why}")
    if against and line.target.base not in against:
        parts.append(words.finding_text(line))
    return "; ".join(part for part in parts if part)


def _cells(name: str, time: str, spread: str, ratios: Sequence[str], requests: str) -> str:
    ratio_cells = "".join(f" {ratio:<{RATIO}}" for ratio in ratios)
    head = f"{name:<{NAME}} {time:>{TIME}} {spread:>{SPREAD}}"
    return f"{head}{ratio_cells} {requests:>{REQUESTS}}".rstrip()


def _wrap(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)
