"""Break-even as charts: cost per entry against the share stat'ed, and a map of who wins where."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from bench.axes.rowkey import RowKey
from bench.axes.rows import CLOCK, ENTRIES
from bench.report import units
from bench.report.charts.figures import GRID, INK, MUTED, Sheet, legend_grid
from bench.report.charts.looks import look
from bench.report.charts.panels import AXIS_IN, curve, tick
from bench.report.studies.breakeven import SAID, Study, preferred
from bench.report.studies.crossing import Crossing, crossing
from bench.report.traits import Traits
from bench.stats.estimates import Estimate

WIDTH_IN = 7.0
CURVES_IN = 3.2
CELL_IN, HEAD_IN = 0.3, 0.72
ACROSS = 2
CLIP = 4.0
"""Ratio beyond which a cell of the map is as dark as it gets."""
LESS, MORE, UNSURE = "#0072b2", "#d55e00", "#ececec"
ON_DARK, ON_LIGHT = "#fefefe", "#101214"
"""Numbers in cells: not the page's ink and paper, as cells keep their colours in the dark."""
SCALE = LinearSegmentedColormap.from_list("less-more", [LESS, "#ffffff", MORE])


def curves(study: Study, footer: Sequence[str]) -> Sheet:
    """Every target's cost per listed entry; dashed, where a passed-through listing stops to pay."""
    names = study.shown
    _, legend = legend_grid(names, WIDTH_IN)
    title = f"list-stat: {units.quantity().noun} per listed entry ({study.said})"
    sheet = Sheet(title, footer, WIDTH_IN, CURVES_IN + legend)
    axes = sheet.panel(left=0.75, top=legend, right=0.25, bottom=AXIS_IN)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    numbers = {name: number for number, name in enumerate(study.traits)}
    handles = [_curve(axes, study, name, numbers[name]) for name in names]
    axes.set_xlim(-1.5, 101.5)
    axes.set_ylim(bottom=0)
    axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    _mark_break_even(axes, study)
    axes.set_xlabel(
        f"per cent of the listed entries that are then stat'ed; bars: {units.quantity().interval}",
        fontsize=8,
    )
    sheet.legend(handles)
    return sheet


def _curve(axes: Axes, study: Study, name: str, number: int) -> Line2D:
    costs = [(100 * share, study.cost(name, share)) for share in sorted(study.curves[name])]
    fuse = study.traits[name].kind == "fuse"
    # Plain servers above what runs along with them.
    return curve(axes, costs, look(name), name, fuse=fuse, depth=number)


def _mark_break_even(axes: Axes, study: Study) -> None:
    """A dashed line where the first challenger meets READDIRPLUS, and the adaptive choice."""
    for adaptive in (False, True):
        pair = rivals(study, lookup=False, adaptive=adaptive)
        met = crossing(study, pair[0].name, pair[1].name) if pair else None
        if pair is not None and met is not None and met.crosses:
            _mark(axes, pair, met, 0.12 * adaptive)


def _mark(axes: Axes, pair: tuple[Traits, Traits], met: Crossing, down: float) -> None:
    """One of them, its words below those of the other."""
    axes.axvline(100 * met.value, color=MUTED, linewidth=1.1, linestyle=(0, (4, 2)))
    if met.has_interval:
        ends = [100 * min(max(end, 0.0), 1.0) for end in (met.low, met.high)]
        axes.axvspan(*ends, color=GRID, alpha=0.6, linewidth=0)
    axes.annotate(
        f" {pair[0].name} = {pair[1].name} \n at {met.cheaper(met.value)} ",
        (100 * met.value, 1.0 - down), xycoords=axes.get_xaxis_transform(), va="top", fontsize=7,
        ha="left" if met.value < 0.6 else "right", color=MUTED,
    )  # fmt: skip


def rivals(study: Study, *, lookup: bool, adaptive: bool) -> tuple[Traits, Traits] | None:
    """The challenger with or without LOOKUP passthrough, and a plain server that has READDIRPLUS."""
    challenger = preferred([way for way in study.challengers if way.lookup == lookup])
    if challenger is None:
        return None
    beside = [
        way
        for way in study.opponents
        if way.plain and way.usual != adaptive and way.kernel == challenger.kernel
    ]
    opponent = preferred(beside)
    return (challenger, opponent) if opponent else None


@dataclass(frozen=True)
class _Panel:
    """One block of the map: all sizes of one cache state and timeouts, for one pair."""

    head: str
    pair: tuple[Traits, Traits]
    studies: tuple[Study, ...]

    @functools.cached_property
    def ratios(self) -> Mapping[tuple[int, float], Estimate]:
        """By number of the study and share of every study; an unknown one where that was not measured."""
        shares = {share for study in self.studies for share in study.fractions}
        return {
            (place, share): study.ratio(self.pair[0].name, self.pair[1].name, share)
            for place, study in enumerate(self.studies)
            for share in sorted(shares)
        }


def who_wins(studies: Sequence[Study], footer: Sequence[str]) -> Sheet | None:
    """Size by share: passed-through listing over READDIRPLUS; None where no pair was measured."""
    panels = _panels(studies)
    if not panels:
        return None
    handles = [
        Patch(color=LESS, label=f"passthrough {units.quantity().below}"),
        Patch(color=MORE, label=f"READDIRPLUS {units.quantity().below}"),
        Patch(color=UNSURE, label="~ interval holds 1"),
    ]
    _, legend = legend_grid([str(handle.get_label()) for handle in handles], WIDTH_IN)
    lines = [panels[start : start + ACROSS] for start in range(0, len(panels), ACROSS)]
    heights = [HEAD_IN + CELL_IN * max(len(panel.studies) for panel in line) for line in lines]
    body = legend + sum(heights)
    sheet = Sheet(_won(panels), footer, WIDTH_IN, body)
    top, width = legend, WIDTH_IN / ACROSS
    for line, height in zip(lines, heights, strict=True):
        for column, panel in enumerate(line):
            axes = sheet.panel(
                left=width * column + 0.95,
                top=top + 0.36,
                right=WIDTH_IN - width * (column + 1) + 0.12,
                bottom=body - top - 0.36 - CELL_IN * len(panel.studies),
            )
            _map(axes, panel)
        top += height
    sheet.legend(handles)
    return sheet


def _won(panels: Sequence[_Panel]) -> str:
    """``listing passed through takes fewer instructions in 250 of 310 cells``."""
    known = [ratio for panel in panels for ratio in panel.ratios.values() if ratio.known]
    less = sum((ratio.high if ratio.has_interval else ratio.value) < 1 for ratio in known)
    return (
        f"A listing that is passed through takes {units.quantity().less} in {less} of "
        f"{units.times(len(known), 'cell')}"
    )


def _panels(studies: Sequence[Study]) -> list[_Panel]:
    blocks: dict[RowKey, list[Study]] = {}
    for study in studies:
        blocks.setdefault(study.key.without(ENTRIES), []).append(study)
    panels = []
    for block, members in blocks.items():
        for lookup, adaptive in itertools.product((False, True), repeat=2):
            found: dict[tuple[Traits, Traits], list[Study]] = {}
            for study in members:
                if pair := rivals(study, lookup=lookup, adaptive=adaptive):
                    found.setdefault(pair, []).append(study)
            for pair, own in found.items():
                state = block.without(CLOCK).state
                head = f"{state}, {SAID[members[0].order]}:\n{pair[0].name} / {pair[1].name}"
                panels.append(_Panel(head, pair, tuple(own)))
    return panels


def _map(axes: Axes, panel: _Panel) -> None:
    shares = sorted({share for study in panel.studies for share in study.fractions})
    axes.set_title(panel.head, fontsize=7.2, loc="left", pad=3, color=INK, x=-0.34)
    axes.grid(visible=False)
    cells = [
        _cell(axes, shares.index(share), place, ratio)
        for (place, share), ratio in panel.ratios.items()
    ]
    # One collection: a thousand single ones take seconds.
    axes.add_collection(
        PolyCollection([corners for corners, _ in cells], facecolors=[c for _, c in cells])
    )
    axes.set_xlim(-0.5, len(shares) - 0.5)
    axes.set_ylim(len(panel.studies) - 0.5, -0.5)
    axes.set_xticks(range(len(shares)), [f"{100 * share:g} %" for share in shares])
    axes.set_yticks(
        range(len(panel.studies)), [f"{s.key.entries:,} entries" for s in panel.studies]
    )


def _cell(
    axes: Axes, column: int, place: int, ratio: Estimate
) -> tuple[list[tuple[float, float]], object]:
    """Writes the ratio; where its cell is, and in which colour."""
    unsure = ratio.has_interval and ratio.low <= 1 <= ratio.high
    said = units.two(ratio.value) if ratio.known else "-"
    colour: object = UNSURE
    if ratio.known and not unsure:
        strength = math.log(min(max(ratio.value, 1 / CLIP), CLIP)) / math.log(CLIP)
        colour = SCALE(0.5 + strength / 2)
    dark = ratio.known and not unsure and abs(math.log(ratio.value)) > math.log(CLIP) * 0.6
    axes.text(
        column, place, f"~ {said}" if unsure else said, ha="center", va="center", fontsize=7.2,
        color=ON_DARK if dark else ON_LIGHT,
    )  # fmt: skip
    left, right, top, end = column - 0.49, column + 0.49, place - 0.47, place + 0.47
    return [(left, top), (right, top), (right, end), (left, end)], colour
