"""What a run ends with on a terminal: at most 30 lines, and where everything else is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.model import Verdict
from bench.report import about, units, words
from bench.report.posting import finding_of
from bench.report.row import Line, Row
from bench.report.studies.answer import OPPONENTS, usual, wins
from bench.report.targets import TargetInRow, targets
from bench.report.text import lab_kernel
from bench.stats.frame import Run
from bench.stats.verdicts import Finding

WIDTH = 79
LINES = 30
STRONGEST, WORST = 3, 2
FILES = (("page", "index.html"), ("mail", "mail.txt"), ("table", "table.txt"))


def summary(run: Run, rows: Sequence[Row], output: Path) -> str:
    """The lines, the paths last."""
    lines = [
        *_few(
            _wrapped(f"{about.kernel(run)}, {units.times(len(rows), 'row')}, run {run.path.name}"),
            1,
        ),
        *(line for said in engaged(run, rows) for line in _few(_wrapped(said), 4)),
        *_listed(findings(rows)),
        *_wins(run),
        *_listed(slower(rows)),
        *_flagged(rows),
        *(line[:WIDTH] for line in lab_kernel.lines(run, rows)),
    ]
    paths = [f"{name + ':':7}{output / file}" for name, file in FILES if (output / file).exists()]
    lines = _few(lines, LINES - len(paths))
    return units.ascii_only("\n".join([*lines, *paths]) + "\n")


def _wrapped(text: str, indent: int = 2) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def _listed(texts: Iterable[str]) -> list[str]:
    """A heading and what it is of, each in two lines at most."""
    return [line for text in texts for line in _few(_wrapped(text, 4), 2)]


def _few(lines: Sequence[str], most: int) -> list[str]:
    """The first of them, and that there are more."""
    return list(lines) if len(lines) <= most else [*lines[: most - 1], "  and more: see the page"]


def _through(run: Run) -> list[TargetInRow]:
    return [one for one in targets(run) if one.passes]


def engaged(run: Run, rows: Sequence[Row]) -> list[str]:
    """In how many rows each target's requests went away, and what it was not given, as sentences."""
    said, through = [], _through(run)
    for target in through:
        own = [(row, line) for row in rows for line in row.lines if line.target == target]
        works = [row.work for row, line in own if line.verdict == Verdict.ENGAGED]
        names = f" ({', '.join(works)})" if 0 < len(works) < 3 else ""
        said.append(f"{target.name} in {len(works)} of {units.times(len(own), 'row')}{names}")
    lower = sorted({(one.asked, one.level) for one in through if one.asked != one.level})
    told = [f"engaged: {'; '.join(said)}"] if said else []
    return told + [
        f"not engaged: what {asked} passes through beyond {given}: this kernel gives {given}"
        for asked, given in lower[:1]
    ]


def _compared(rows: Sequence[Row]) -> list[tuple[Row, Line]]:
    """Every passthrough with a ratio to its own server without."""
    return [
        (row, line)
        for row in rows
        for line in row.lines
        if line.target.passes and line.ratio is not None and line.ratio.known
    ]


def _found(rows: Sequence[Row], finding: Finding) -> list[tuple[Row, Line]]:
    """The ratios that show it, the largest first; of a workload the largest alone, C before Python."""
    shown = [
        (row, line)
        for row, line in _compared(rows)
        if finding_of(line.ratio or line.time, line.judgement) is finding
    ]
    sign = 1 if finding is Finding.FASTER else -1
    shown.sort(key=lambda pair: (pair[1].target.python, sign * _ratio(pair[1])))
    first: dict[str, tuple[Row, Line]] = {}
    for row, line in shown:
        first.setdefault(row.key.workload, (row, line))
    return list(first.values())


def _ratio(line: Line) -> float:
    return line.ratio.value if line.ratio else 1.0


def _said(row: Row, line: Line) -> str:
    assert line.ratio is not None
    ratio = words.ratio_text(line.ratio, line.baseline)
    return f"  {row.name}: {words.pair_name(line)} {ratio}"


def findings(rows: Sequence[Row]) -> Iterator[str]:
    """The strongest of what engaged."""
    found = [pair for pair in _found(rows, Finding.FASTER) if pair[1].verdict == Verdict.ENGAGED][
        :STRONGEST
    ]
    if not found:
        yield f"no row in which passthrough engaged was shown to need {units.quantity().less}"
        return
    yield f"{units.quantity().below}, most of all:"
    for row, line in found:
        yield _said(row, line)


def slower(rows: Sequence[Row]) -> Iterator[str]:
    """What gets slower, the worst of each workload."""
    what = units.quantity()
    verb = "needs" if what is units.INSTRUCTIONS else "gets"
    found = _found(rows, Finding.SLOWER)
    if not found:
        yield f"{verb} {what.above}: no row was shown to"
        return
    yield f"{verb} {what.above}: rows of {units.times(len(found), 'workload')}, the worst:"
    for row, line in found[:WORST]:
        yield _said(row, line)


def _wins(run: Run) -> Iterator[str]:
    """Break-even of the usual setting, a line for each level."""
    told = usual(wins(run))
    if not told:
        return
    first = told[0].study
    shown = [one for one in told if one.study is first][:STRONGEST]
    said = f"cheaper than READDIRPLUS while the share stat'ed is ({first.said}):"
    yield from _few(_wrapped(said), 2)
    for one in shown:
        shares = [f"{one.against[m].share} ({OPPONENTS[m]})" for m in OPPONENTS if m in one.against]
        yield from _few(_wrapped(f"  {one.way.name}: {', '.join(shares)}", 4), 1)


def _flagged(rows: Sequence[Row]) -> Iterator[str]:
    """What cannot be right, what was lost, and what was noisy, as counts."""
    lines = [(row, line) for row in rows for line in row.lines]
    wrong = [
        f"{row.name}, {line.target.name}"
        for row, line in lines
        if any(flag.implausible for flag in line.flags)
    ]
    lost = sum(bool(line.trouble) for _, line in lines)
    noisy = sum(
        line.judgement.finding in (Finding.NOISY, Finding.TOO_FEW)
        for _, line in _compared(rows)
        if line.judgement
    )
    counts = [
        (len(wrong), f"implausible (first: {wrong[0] if wrong else ''})"),
        (lost, "with a trial that was lost"),
        (noisy, "too noisy to say"),
    ]
    said = [f"{count} {what}" for count, what in counts if count]
    yield from _few(_wrapped(f"flagged: {'; '.join(said) if said else 'nothing'}"), 2)
