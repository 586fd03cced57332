"""The chart on one page: every row and target of a run, as a ratio to one baseline."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.axes.rows import CLOCK
from bench.model import Level
from bench.report import units, words
from bench.report.charts.figures import GRID, MUTED, Sheet, legend_grid
from bench.report.charts.looks import look
from bench.report.charts.panels import AXIS_IN, absent, beside, log_ticks, look_of
from bench.report.row import Line, Row
from bench.stats.estimates import Estimate
from bench.stats.verdicts import Finding

WIDTH_IN = 7.4
MARKER_IN = 0.1
"""Height of one marker; a row is as high as its markers and one more."""
MOST_IN = 13.0
"""Height of the rows on one sheet: what is higher cannot be read on a page of paper."""


def sheets(rows: Sequence[Row]) -> int:
    """How many sheets it takes to print all rows; at least one."""
    return max(math.ceil(_total(rows) / MOST_IN), 1)


def _total(rows: Sequence[Row]) -> float:
    return MARKER_IN * sum(_height(row) for row in rows)


def overviews(
    rows: Sequence[Row], baseline: str, footer: Sequence[str], title: str = ""
) -> list[Sheet]:
    """All rows from top to bottom, on as many sheets as it takes; by default their claim is the title."""
    total, count = _total(rows), sheets(rows)
    parts: list[list[Row]] = [[] for _ in range(count)]
    used = 0.0
    for row in rows:
        parts[min(int(used / total * count), count - 1)].append(row)
        used += MARKER_IN * _height(row)
    title = (
        title or claim(rows) or f"{units.quantity().noun} per operation, by {_of(rows, baseline)}"
    )
    return [
        _sheet(
            f"{title}, {number} of {count}" if count > 1 else title, part, rows, baseline, footer
        )
        for number, part in enumerate(parts, 1)
    ]


def claim(rows: Sequence[Row]) -> str:
    """``passthrough-c:lookup takes fewer instructions than plain-c in 143 of 151 rows``, of the target
    whose level is the highest, in C where there is one; empty where nothing is passed through."""
    passing = [
        line
        for row in rows
        for line in _shown(row)
        if line.target.level not in ("", Level.NONE) and line.ratio
    ]
    if not passing:
        return ""
    # Of one level the usual server, whose name has the least in it; of several kernels the first.
    first = max(
        passing,
        key=lambda line: (
            not line.target.python,
            Level(line.target.level).rank,
            -len(line.target.base),
            -line.number,
        ),
    )
    name = first.target.name
    lines = [line for row in rows for line in row.lines if line.target.name == name and line.ratio]
    less = sum(bool(one.judgement and one.judgement.finding is Finding.FASTER) for one in lines)
    return (
        f"{name} takes {units.quantity().less} than {first.baseline} in {less} of "
        f"{units.times(len(lines), 'row')}"
    )


def _sheet(
    title: str, rows: Sequence[Row], every: Sequence[Row], baseline: str, footer: Sequence[str]
) -> Sheet:
    """A marker with its interval for each target but the baseline; axis and legend are of every row."""
    known = {line.number: line for row in every for line in _shown(row)}
    shown = [line for _, line in sorted(known.items())]
    _, legend = legend_grid([_named(line, baseline) for line in shown], WIDTH_IN)
    ends = list(itertools.accumulate((_height(row) for row in rows), initial=0))
    body = MARKER_IN * max(ends[-1], 2) + legend + AXIS_IN
    sheet = Sheet(title, footer, WIDTH_IN, body)
    labels = [_label(row) for row in rows]
    longest = max((len(part) for label in labels for part in label.split("\n")), default=0)
    axes = sheet.panel(left=0.25 + 0.071 * longest, top=legend, right=1.0, bottom=AXIS_IN)
    axes.set_ylim(max(ends[-1], 2), 0)
    axes.set_yticks([(top + end) / 2 for top, end in itertools.pairwise(ends)], labels)
    ratio_axis(axes, _ratios(every), baseline)
    for place, (row, top) in enumerate(zip(rows, ends, strict=False)):
        if place % 2:
            axes.axhspan(top, ends[place + 1], color=GRID, alpha=0.35, linewidth=0)
        _row(axes, top, row)
    beside(axes, -1.0, f"/ {baseline}", size=7.0)
    sheet.legend([_key(line, baseline) for line in shown])
    return sheet


def _height(row: Row) -> int:
    """Height of a row, in markers."""
    return len(_shown(row)) + 1


def _shown(row: Row) -> list[Line]:
    """The lines that have a ratio to the baseline, or to a twin of their own."""
    return [line for line in row.lines if _ratio(line) is not None]


def _ratio(line: Line) -> Estimate | None:
    """To its own server without passthrough; a server in Python is not held against one in C."""
    return line.ratio if line.baseline not in ("", line.target.base) else None


def _of(rows: Sequence[Row], baseline: str) -> str:
    """What the ratios are to, in words."""
    others = {line.baseline for row in rows for line in _shown(row)}
    own = "; each passthrough to its own server without" if others - {baseline} else ""
    return f"{words.against(baseline)}{own}"


def _named(line: Line, baseline: str) -> str:
    """A target, and what it is divided by where that is not what the others are."""
    name = line.target.name
    return name if line.baseline == baseline else f"{name} / {line.baseline}"


def _key(line: Line, baseline: str) -> Line2D:
    return Line2D([], [], **look(line.target.name).point, label=_named(line, baseline))


def _label(row: Row) -> str:
    """In two lines: side by side, name and state would take half of a phone's width."""
    return f"{row.work}\n({row.key.without(CLOCK).state})"


def _ratios(rows: Sequence[Row]) -> list[Estimate]:
    ratios = [_ratio(line) for row in rows for line in row.lines]
    return [ratio for ratio in ratios if ratio is not None and ratio.known]


def ratio_axis(axes: Axes, known: Sequence[Estimate], baseline: str) -> None:
    """A log axis with room for all of these ratios, and a dashed line at 1."""
    ends = [1.0, *(ratio.value for ratio in known)]
    ends += [end for ratio in known if ratio.has_interval for end in (ratio.low, ratio.high)]
    low, high = min(ends) / 1.25, max(ends) * 1.25
    axes.set_xscale("log")
    log_ticks(axes, low, high)
    axes.axvline(1.0, color=MUTED, linewidth=1.1, linestyle=(0, (4, 2)))
    axes.set_xlabel(
        f"{units.ratio_of(baseline)} (log axis; < 1 is {units.quantity().below}); hollow: not engaged",
        fontsize=8,
        loc="right",
    )


def _row(axes: Axes, top: float, row: Row) -> None:
    for y, line in enumerate(_shown(row), 1):
        ratio = _ratio(line)
        if ratio is None:
            continue
        own = look_of(line)
        if ratio.has_interval:
            ends = [ratio.low, ratio.high]
            axes.plot(
                ends, [top + y] * 2, "-", color=own.colour, linewidth=2.2, solid_capstyle="butt"
            )
        if ratio.known:
            axes.plot([ratio.value], [top + y], **own.point, linestyle="none", markersize=5)
        said = units.ratio(ratio.value) if ratio.known else absent(line)
        if not line.target.native:
            beside(axes, top + y, said, size=7.0)
