"""The chart of where an operation's time goes: one stacked bar for each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bench.report import units
from bench.report.attribution import BOTH, CLIENT, QUEUE, SERVER, SHARES, Parts
from bench.report.charts.charts import LINE_IN, WIDTH_IN, title
from bench.report.charts.figures import INK, Sheet, legend_grid
from bench.report.charts.panels import AXIS_IN, beside, lines_panel, tick
from bench.report.row import Row

LOOKS = {
    CLIENT: ("#56b4e9", ""),
    QUEUE: ("#e69f00", "////"),
    SERVER: ("#0072b2", "\\\\\\\\"),
    BOTH: ("#999999", "xxxx"),
}
"""Colour, and a hatch for who sees none."""


def attribution_chart(row: Row, parts: Sequence[Parts], footer: Sequence[str]) -> Sheet:
    """Time per operation of every target that has been told apart, stacked from zero."""
    told = {one.target: one for one in parts if one.shares}
    lines = [line for line in row.lines if line.target.name in told]
    names = [name for name in SHARES if any(name in one.shares for one in told.values())]
    _, legend = legend_grid(names, WIDTH_IN)
    body = LINE_IN * max(len(lines), 1) + AXIS_IN + legend
    noun = units.quantity().noun
    sheet = Sheet(title(row, f"where the {noun} goes"), footer, WIDTH_IN, body)
    axes = lines_panel(sheet, lines, top=legend, height=body - legend)
    for place, line in enumerate(lines):
        _stack(axes, place, told[line.target.name])
    longest = max((max(one.total, one.timed) for one in told.values()), default=1.0)
    axes.set_xlim(0, 1.06 * longest)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _: tick(value))
    axes.set_xlabel(
        f"{noun} per {row.unit} in the middle trial; line: its timed windows", fontsize=8
    )
    sheet.legend([Patch(label=name, **_fill(name)) for name in names])
    return sheet


def _stack(axes: Axes, place: int, parts: Parts) -> None:
    left = 0.0
    for name in SHARES:
        share = parts.shares.get(name, 0.0)
        axes.barh(place, share, left=left, height=0.5, **_fill(name))
        left += share
    axes.plot([parts.timed] * 2, [place - 0.36, place + 0.36], "-", color=INK, linewidth=1.1)
    beside(axes, place, units.duration(parts.total))


def _fill(name: str) -> dict[str, Any]:
    colour, hatch = LOOKS[name]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.5}
