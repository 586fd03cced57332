"""Projection as a chart: what was measured before, what was predicted, what was measured after."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.report import units
from bench.report.charts.figures import GRID, MUTED, Sheet, legend_grid
from bench.report.charts.panels import AXIS_IN, beside, log_ticks, tick
from bench.report.studies.predictions import Prediction, Projections
from bench.report.studies.projection_text import groups, heading

WIDTH_IN = 7.0
LINE_IN = 0.19
HEAD_IN = 0.3
MOST_LINES, FEWEST_LINES = 60, 8
"""Predictions on a sheet, so that it can be printed; and of one passthrough at its end."""
PREDICTED, MEASURED = "#d55e00", "#0072b2"


def charts(found: Projections, footer: Sequence[str], *, every: bool = True) -> list[Sheet]:
    """A line for each prediction, a panel for each passthrough and server; all on one axis.

    Without ``every``, a passthrough that was measured in all of its rows has none.
    """
    sheets: list[list[Sequence[Prediction]]] = [[]]
    left = MOST_LINES
    for made in groups(found):
        if not every and all(one.measured for one in made):
            continue
        while made:
            if left < min(len(made), FEWEST_LINES):
                sheets, left = [*sheets, []], MOST_LINES
            sheets[-1].append(made[:left])
            made, left = made[left:], left - len(made[:left])
    return [_sheet(found, parts, footer) for parts in sheets if parts]


def _sheet(
    found: Projections, parts: Sequence[Sequence[Prediction]], footer: Sequence[str]
) -> Sheet:
    """A panel for each part, which is of one passthrough and server."""
    keys = _keys()
    _, legend = legend_grid([str(key.get_label()) for key in keys], WIDTH_IN)
    heights = [HEAD_IN + LINE_IN * len(made) for made in parts]
    body = legend + sum(heights) + AXIS_IN
    kernel = f" on {found.kernel}" if found.kernel else ""
    title = f"projected {units.quantity().noun} per op of passthroughs{kernel}"
    sheet = Sheet(title, footer, WIDTH_IN, body)
    low, high = _span(found)
    top = legend
    for place, (made, height) in enumerate(zip(parts, heights, strict=True)):
        last = place == len(parts) - 1
        below = body - top - height
        axes = sheet.panel(left=3.1, top=top + 0.24, right=0.6, bottom=below)
        axes.set_title(heading(made), fontsize=8, loc="left", pad=3, x=-0.9)
        _panel(axes, found, made, (low, high))
        if last:
            axes.set_xlabel(f"{units.quantity().noun} per op (log axis)", fontsize=8)
        else:
            axes.tick_params(axis="x", labelbottom=False)
        top += height
    sheet.legend(keys)
    return sheet


def _keys() -> list[Line2D]:
    return [
        Line2D([], [], color=MUTED, marker="|", linestyle="none", markersize=8, label="before"),
        Line2D(
            [], [], color=PREDICTED, marker="D", linestyle="none", mfc="none", label="predicted"
        ),
        Line2D([], [], color=PREDICTED, linewidth=2.4, alpha=0.4, label="range of the back-test"),
        Line2D([], [], color=MEASURED, marker="o", linestyle="none", label="measured"),
    ]


def _span(found: Projections) -> tuple[float, float]:
    values = [value for one in found.predictions for value in _values(found, one)]
    return min(values) / 1.3, max(values) * 1.3


def _values(found: Projections, one: Prediction) -> list[float]:
    measured = one.measured.value if one.measured else math.nan
    values = [
        one.start,
        measured,
        *((one.predicted, *found.band(one.predicted)) if one.possible else ()),
    ]
    return [value for value in values if math.isfinite(value) and value > 0]


def _panel(
    axes: Axes, found: Projections, made: Sequence[Prediction], span: tuple[float, float]
) -> None:
    axes.set_xscale("log")
    log_ticks(axes, *span, tick)
    axes.set_ylim(len(made) - 0.5, -0.5)
    axes.set_yticks(range(len(made)), [_label(one) for one in made], fontsize=6.8)
    for place, one in enumerate(made):
        axes.axhline(place, color=GRID, linewidth=0.6)
        axes.plot([one.start], [place], "|", color=MUTED, markersize=8)
        if one.possible:
            low, high = found.band(one.predicted)
            if not one.what.exists and math.isfinite(low):
                axes.plot([low, high], [place] * 2, color=PREDICTED, linewidth=2.6, alpha=0.4)
            axes.plot([one.predicted], [place], "D", color=PREDICTED, mfc="none", markersize=4.5)
        if one.measured and one.measured.known:
            axes.plot([one.measured.value], [place], "o", color=MEASURED, markersize=4)
        said = f"{100 * one.error:+.0f} % {one.mark}".rstrip() if math.isfinite(one.error) else ""
        beside(axes, place, said if one.possible else "below floor", size=6.8)


def _label(one: Prediction) -> str:
    level = one.target.partition(":")[2].removesuffix(":no-readdir")
    return f"{one.row.name}{f' ({level})' if level else ''}"
