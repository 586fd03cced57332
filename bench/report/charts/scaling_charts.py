"""Scaling as charts: a panel for each row, cost over threads or entries, beneath it the throughput gained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from bench.report import units
from bench.report.charts.figures import GRID, MUTED, Sheet, legend_grid
from bench.report.charts.looks import look
from bench.report.charts.panels import (
    AXIS_IN,
    NO_FUSE,
    SPREAD_FOR_LOG,
    Label,
    curve,
    extent,
    tick,
)
from bench.report.studies.scaling import Panel, Scaling
from bench.stats.estimates import Estimate

WIDTH_IN = 7.4
LEFT_IN, RIGHT_IN, HEAD_IN = 0.85, 0.12, 0.26
COST_IN, GAIN_IN = 1.7, 1.2
MOST_ACROSS = 3
ASIDE = 0.012
"""Share of the axis between two curves."""
PROPORTION = "in proportion to the threads"
IDEAL: dict[str, Any] = {"color": MUTED, "linewidth": 1.1, "linestyle": (0, (4, 2))}


def chart(scaling: Scaling, footer: Sequence[str]) -> Sheet:
    """All panels of a workload, each with its costs and, over threads, with the throughput below."""
    keys = _keys(scaling)
    _, legend = legend_grid([str(key.get_label()) for key in keys], WIDTH_IN)
    heights = [COST_IN, *([GAIN_IN] if scaling.gains else [])]
    block = HEAD_IN + sum(heights) + AXIS_IN * len(heights)
    across = min(len(scaling.panels), MOST_ACROSS)
    body = legend + block * math.ceil(len(scaling.panels) / across)
    title = f"{scaling.title}: {units.quantity().noun} and its {units.quantity().interval}"
    sheet = Sheet(title, footer, WIDTH_IN, body, alt=f"{title}; the numbers are in a table below")
    width = WIDTH_IN / across
    for number, panel in enumerate(scaling.panels):
        column, line = number % across, number // across
        top = legend + block * line + HEAD_IN
        for height in heights:
            axes = sheet.panel(
                left=width * column + LEFT_IN,
                top=top,
                right=WIDTH_IN - width * (column + 1) + RIGHT_IN,
                bottom=body - top - height,
            )
            draw = _costs if height == COST_IN else _gains
            draw(axes, scaling, panel)
            top += height + AXIS_IN
    sheet.legend(keys)
    return sheet


def _keys(scaling: Scaling) -> list[Line2D]:
    """Every target of any panel once."""
    named = {one.number: one.target for panel in scaling.panels for one in panel.curves}
    keys = [
        Line2D(
            [], [], **look(target.name).point, label=target.name,
            linestyle=look(target.name).dashes if target.fuse else NO_FUSE,
        )
        for number, target in sorted(named.items())
    ]  # fmt: skip
    return [*keys, Line2D([], [], **IDEAL, label=PROPORTION)] if scaling.gains else keys


def _costs(axes: Axes, scaling: Scaling, panel: Panel) -> None:
    """Cost per operation, from zero, or on a log axis where the small ones would not be seen."""
    axes.set_title(panel.name, fontsize=8, loc="left", pad=4)
    _across(axes, scaling)
    known = [point for one in panel.curves for cost in one.costs.values() for point in extent(cost)]
    for number, one in enumerate(panel.curves):
        _curve(axes, panel, number, one.costs.items())
    if known and max(known) / min(known) > SPREAD_FOR_LOG:
        _log_upwards(axes, known, tick)
    else:
        axes.set_ylim(0, 1.08 * max(known, default=1.0))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_ylabel(f"{units.quantity().noun} per {panel.unit}", fontsize=8)


def _gains(axes: Axes, scaling: Scaling, panel: Panel) -> None:
    """Throughput by that with the fewest threads, beside what as many times the threads would give."""
    first, *_, last = panel.places
    _across(axes, scaling)
    ends = [point for one in panel.curves for gain in one.gains.values() for point in extent(gain)]
    axes.plot([first, last], [1, last / first], **IDEAL)
    for number, one in enumerate(panel.curves):
        start = min(one.costs), Estimate(1.0, math.nan, math.nan, 0)
        _curve(axes, panel, number, [start, *one.gains.items()])
    _log_upwards(axes, [1.0, last / first, *ends], "{:g}".format)
    axes.set_ylabel(f"throughput / {units.times(first, 'thread')}", fontsize=8)


def _curve(axes: Axes, panel: Panel, number: int, points: Iterable[tuple[int, Estimate]]) -> None:
    """The panel's n-th curve, a little aside so that no interval hides another."""
    one, (first, *_, last) = panel.curves[number], panel.places
    aside = (last / first) ** (ASIDE * (number - (len(panel.curves) - 1) / 2))
    shifted = ((place * aside, point) for place, point in points)
    curve(axes, shifted, look(one.target.name), one.target.name, fuse=one.target.fuse)


def _across(axes: Axes, scaling: Scaling) -> None:
    """A log axis with every number of threads or entries on it."""
    places = scaling.places
    axes.set_xscale("log")
    margin = (places[-1] / places[0]) ** 0.1
    axes.set_xlim(places[0] / margin, places[-1] * margin)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel(scaling.axis.said, fontsize=8)
    axes.grid(axis="y", color=GRID, linewidth=0.7)


def _log_upwards(axes: Axes, values: Sequence[float], label: Label) -> None:
    low, high = min(values) / 1.2, max(values) * 1.2
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 200 else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))
