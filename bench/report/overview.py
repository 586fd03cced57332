"""The chart on one page: every row and target of a run, as a ratio to one baseline."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.report import units, words
from bench.report.figures import GRID, MUTED, Sheet, legend_grid
from bench.report.panels import AXIS_IN, absent, beside, log_ticks, style
from bench.report.rows import Line, Row
from bench.stats import Estimate

WIDTH_IN = 7.4
MARKER_IN = 0.125
"""Height of one marker; a row is as high as its markers."""


def overview(rows: Sequence[Row], baseline: str, footer: Sequence[str]) -> Sheet:
    """All rows from top to bottom, a marker with its interval for each target but the baseline."""
    every = {line.number: line for row in rows for line in _shown(row, baseline)}
    shown = [line for _, line in sorted(every.items())]
    _, legend = legend_grid([line.target.name for line in shown], WIDTH_IN)
    each = MARKER_IN * max([len(_shown(row, baseline)) for row in rows] + [2])
    body = each * max(len(rows), 1) + legend + AXIS_IN
    sheet = Sheet(
        f"{units.quantity().noun} per operation, as a ratio to {words.against(baseline)}",
        footer,
        WIDTH_IN,
        body,
    )
    labels = [_label(row) for row in rows]
    longest = max((len(label) for label in labels), default=0)
    axes = sheet.panel(left=0.25 + 0.071 * longest, top=legend, right=1.0, bottom=AXIS_IN)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), labels)
    ratio_axis(axes, _ratios(rows, baseline), baseline)
    for place, row in enumerate(rows):
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color=GRID, alpha=0.35, linewidth=0)
        _row(axes, place, row, baseline)
    beside(axes, -0.5 - 0.1 / each, f"/ {baseline}", size=7.0)
    sheet.legend([_key(line) for line in shown])
    return sheet


def _shown(row: Row, baseline: str) -> list[Line]:
    """The lines that have a ratio to the baseline."""
    return [line for line in row.lines if line.target.base != baseline]


def _key(line: Line) -> Line2D:
    return Line2D([], [], **style(line.number).point, label=line.target.name)


def _label(row: Row) -> str:
    return f"{row.name} ({row.state})"


def _ratios(rows: Sequence[Row], baseline: str) -> list[Estimate]:
    ratios = [line.ratios.get(baseline) for row in rows for line in row.lines]
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
        f"{units.ratio_of(baseline)} (log axis; < 1, to the left, is {units.quantity().below}); "
        f"bar: {units.quantity().interval}",
        fontsize=8,
        loc="right",
    )


def _row(axes: Axes, place: int, row: Row, baseline: str) -> None:
    lines = _shown(row, baseline)
    for offset, line in enumerate(lines):
        ratio = line.ratios[baseline]
        y = place + (offset - (len(lines) - 1) / 2) * 0.8 / max(len(lines), 2)
        look = style(line.number)
        if ratio.has_interval:
            ends = [ratio.low, ratio.high]
            axes.plot(ends, [y, y], "-", color=look.colour, linewidth=2.2, solid_capstyle="butt")
        if ratio.known:
            axes.plot([ratio.value], [y], **look.point, linestyle="none", markersize=5)
        said = units.ratio(ratio.value) if ratio.known else absent(line)
        if not line.target.native:
            beside(axes, y, said, size=7.0)
