"""The chart on one page: every row and target of a run, as a ratio to one baseline."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.report import units
from bench.report.charts import absent, beside, log_ticks, style
from bench.report.figures import MUTED, Sheet
from bench.report.rows import Row
from bench.stats import Estimate

WIDTH_IN = 7.4
LINE_IN = 0.25


def overview(rows: Sequence[Row], baseline: str, footer: Sequence[str]) -> Sheet:
    """All rows from top to bottom, a marker with its interval for each target but the baseline."""
    body = LINE_IN * max(len(rows), 1) + 0.75
    sheet = Sheet(f"time per operation, as a ratio to {baseline}", footer, WIDTH_IN, body)
    labels = [_label(row) for row in rows]
    longest = max((len(label) for label in labels), default=0)
    axes = sheet.panel(left=0.25 + 0.071 * longest, top=0.3, right=1.35, bottom=0.45)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), labels)
    _axis(axes, rows, baseline)
    for place, row in enumerate(rows):
        _row(axes, place, row, baseline)
    _legend(axes, rows, baseline)
    return sheet


def _label(row: Row) -> str:
    threads = f", {row.threads} threads" if row.threads > 1 else ""
    return f"{row.name} ({row.cache}{threads})"


def _ratios(rows: Sequence[Row], baseline: str) -> list[Estimate]:
    ratios = [line.ratios.get(baseline) for row in rows for line in row.lines]
    return [ratio for ratio in ratios if ratio is not None and ratio.known]


def _axis(axes: Axes, rows: Sequence[Row], baseline: str) -> None:
    known = _ratios(rows, baseline)
    ends = [1.0, *(ratio.value for ratio in known)]
    ends += [end for ratio in known if ratio.has_interval for end in (ratio.low, ratio.high)]
    low, high = min(ends) / 1.25, max(ends) * 1.25
    axes.set_xscale("log")
    log_ticks(axes, low, high)
    axes.axvline(1.0, color=MUTED, linewidth=1.1, linestyle=(0, (4, 2)))
    axes.set_xlabel(
        f"time / time of {baseline} (log axis; < 1, to the left, is faster); bar: 95 % interval",
        fontsize=8.5,
    )


def _row(axes: Axes, place: int, row: Row, baseline: str) -> None:
    lines = [(number, ln) for number, ln in enumerate(row.lines) if ln.target.name != baseline]
    said = []
    for offset, (number, line) in enumerate(lines):
        ratio = line.ratios.get(baseline)
        y = place + (offset - (len(lines) - 1) / 2) * 0.3
        colour, marker = style(number)
        if ratio is not None and ratio.known:
            if ratio.has_interval:
                ends = [ratio.low, ratio.high]
                axes.plot(ends, [y, y], "-", color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot([ratio.value], [y], marker, color=colour, markersize=5)
        if not line.target.native:
            said.append(units.ratio(ratio.value) if ratio and ratio.known else absent(line))
    beside(axes, place, ", ".join(said))


def _legend(axes: Axes, rows: Sequence[Row], baseline: str) -> None:
    if not rows:
        return
    handles, shown = [], []
    for number, line in enumerate(rows[0].lines):
        if line.target.name == baseline:
            continue
        colour, marker = style(number)
        handles.append(Line2D([], [], color=colour, marker=marker, label=line.target.name))
        shown += [] if line.target.native else [line.target.name]
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=6, frameon=False,
        fontsize=8.5, borderaxespad=0.2,
    )  # fmt: skip
    beside(axes, -0.5 - 0.14 / LINE_IN, f"{', '.join(shown)}\n/ {baseline}" if shown else "")
