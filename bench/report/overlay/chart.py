"""Several runs over one another as a chart and a page: a dot and interval for each run and target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.report import units, words
from bench.report.charts.figures import GRID, Sheet, legend_grid
from bench.report.charts.inline import share
from bench.report.charts.overview import ratio_axis
from bench.report.charts.panels import AXIS_IN, style
from bench.report.overlay.over import claims
from bench.report.overlay.overlay import Overlay, SharedRow
from bench.report.page.page import render
from bench.report.text.cells import Cell, CellGrid, ratio_value
from bench.stats.estimates import Estimate

WIDTH_IN = 7.4
MARKER_IN, HEAD_IN = 0.13, 0.2
ALL = "all together (line: where another is expected)"
DIAMOND: dict[str, Any] = {"marker": "D", "color": "black", "linestyle": "none", "markersize": 4}


def chart(made: Overlay) -> Sheet:
    """Rows from top to bottom, under each its targets, and for each of them a marker per source."""
    names = [source.name for source in made.sources]
    _, legend = legend_grid([*names, ALL], WIDTH_IN)
    each = max(MARKER_IN * (len(names) + 1), HEAD_IN)
    slots: list[SharedRow | str] = []
    for one in made.shared:
        head = one.row.name
        slots += [one] if head in slots else [head, one]
    body = each * len(slots) + legend + AXIS_IN
    footer = [f"{source.name}: {source.said}; tree {source.tree}" for source in made.sources]
    sheet = Sheet(made.title, [*footer, *made.apart], WIDTH_IN, body)
    axes = sheet.panel(left=2.9, top=legend, right=0.25, bottom=AXIS_IN)
    axes.set_ylim(len(slots) - 0.5, -0.5)
    axes.set_yticks(range(len(slots)), [_label(slot) for slot in slots])
    ratio_axis(
        axes, [ratio for one in made.shared for ratio in _ratios(one, made.baseline)], made.baseline
    )
    for place, slot in enumerate(slots):
        if isinstance(slot, str):
            axes.axhspan(place - 0.5, place + 0.5, color=GRID, alpha=0.35, linewidth=0)
        else:
            _target(axes, place, slot, made.baseline)
    together = _together(axes, made, slots)
    sheet.legend([*(_key(number, name) for number, name in enumerate(names)), *together])
    return sheet


def _together(axes: Axes, made: Overlay, slots: Sequence[SharedRow | str]) -> list[Line2D]:
    """The diamond of a forest plot below each target's sources, and its key; nothing without one."""
    found = {(claim.row.row.name, claim.row.target): claim.over for claim in claims(made)}
    for place, slot in enumerate(slots):
        over = None if isinstance(slot, str) else found.get((slot.row.name, slot.target))
        if over:
            y, mean = place + 0.38, over.mean
            if math.isfinite(over.low):
                axes.plot([over.low, over.high], [y, y], "-", color="black", linewidth=0.8)
            xs, ys = (mean.low, mean.value, mean.high, mean.value), (y, y - 0.07, y, y + 0.07)
            axes.fill(xs, ys, color="black")
    return [Line2D([], [], **DIAMOND, label=ALL)] if found else []


def _label(slot: SharedRow | str) -> str:
    return slot if isinstance(slot, str) else slot.target


def _key(number: int, name: str) -> Line2D:
    return Line2D([], [], **style(number).point, label=name)


def _ratios(one: SharedRow, baseline: str) -> list[Estimate]:
    found = [line.ratios[baseline] for line in one.lines if line and baseline in line.ratios]
    return [ratio for ratio in found if ratio.known]


def _target(axes: Axes, place: int, one: SharedRow, baseline: str) -> None:
    for number, line in enumerate(one.lines):
        ratio = line.ratios.get(baseline) if line else None
        if ratio is None or not ratio.known:
            continue
        look = style(number)
        y = place - 0.1 + (number - (len(one.lines) - 1) / 2) * 0.7 / max(len(one.lines), 2)
        if ratio.has_interval:
            axes.plot([ratio.low, ratio.high], [y, y], "-", color=look.colour, linewidth=2.2)
        axes.plot([ratio.value], [y], **look.point, linestyle="none", markersize=5)


def page(made: Overlay, drawn: str) -> str:
    """overlay.html: the chart and the table, self-contained."""
    shared = share({"overlay": drawn})
    return render(
        "overlay.html.j2",
        shared,
        made=made,
        chart=Markup(shared.charts["overlay"]),
        quantity=units.quantity(),
        grid=CellGrid(
            "Rows in common",
            ["row", "target", *(source.name for source in made.sources)],
            [_cells(one, made.baseline) for one in made.shared],
        ),
    )


def _cells(one: SharedRow, baseline: str) -> list[Cell]:
    return [
        Cell(one.row.name),
        Cell(one.target),
        *(
            Cell(words.ratio_cell(line, baseline), ratio_value(line, baseline))
            if line
            else Cell("not measured", math.nan)
            for line in one.lines
        ),
    ]
