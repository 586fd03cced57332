"""Pieces that charts share: a panel of lines, its scale, a dot with its interval, a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation, Transform

from bench.model import Verdict
from bench.report import units
from bench.report.charts.figures import COLOURS, INK, MARKERS, Sheet
from bench.report.charts.looks import Look, look
from bench.report.row import Line
from bench.stats.estimates import Estimate

AXIS_IN = 0.44
"""Below a panel: tick labels and axis label."""
PAD_PT, LABEL_PT = 3.5, 15.5
"""From a panel to its names, and down to its axis label."""
SPREAD_FOR_LOG = 20.0
"""Largest over smallest value from which a linear axis would hide the small ones."""
NO_FUSE: tuple[float, Sequence[float]] = (0, (2, 2))
"""Dotted: the curve of a target that makes no requests."""
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"

Label = Callable[[float], str]


def lines_panel(sheet: Sheet, lines: Sequence[Line], top: float, height: float) -> Axes:
    """A panel with one horizontal line per target, the first on top, values at its right."""
    names = [_name(line.target.name) for line in lines]
    longest = max((len(part) for name in names for part in name.split("\n")), default=0)
    axes = sheet.panel(
        left=0.2 + 0.073 * longest,
        top=top,
        right=1.5,
        bottom=sheet.body_in - top - height + AXIS_IN,
    )
    axes.set_ylim(max(len(lines), 1) - 0.5, -0.5)
    # Names as texts, and the label where it is known to belong: a tick is five artists, and to find
    # out where ticks end matplotlib lays every one of their texts out again.
    axes.yaxis.set_visible(False)
    left = beyond(axes, axes.get_yaxis_transform(), -PAD_PT)
    for place, name in enumerate(names):
        axes.text(0, place, name, size=8, ha="right", va="center_baseline", transform=left)
    axes.xaxis.set_label_coords(0.5, 0.0, beyond(axes, axes.transAxes, 0, LABEL_PT))
    return axes


def beyond(axes: Axes, place: Transform, right_pt: float, down_pt: float = 0.0) -> Transform:
    """A place some points away from another, whatever the size of the axes."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return place + ScaledTranslation(right_pt / 72, -down_pt / 72, figure.dpi_scale_trans)


def look_of(line: Line) -> Look:
    """A line's look: hollow where it was to pass something through, and nothing engaged."""
    return look(line.target.name, engaged=not line.target.passes or line.verdict == Verdict.ENGAGED)


def style(number: int) -> Look:
    """The n-th look, for what has no colour of its own, as runs over one another."""
    again = number // len(MARKERS)
    colour = COLOURS[number % len(COLOURS)]
    dashes: Literal["-", "-."] = "-." if number // len(COLOURS) % 2 else "-"
    return Look(colour, MARKERS[number % len(MARKERS)], again % 2 == 1, dashes)


def scale(axes: Axes, values: Sequence[float], label: Label = "{:g}".format) -> str:
    """Linear from zero if that shows every value, else logarithmic; says so if it is."""
    positive = [value for value in values if value > 0]
    if not positive:
        axes.set_xticks([])
        return ""
    low, high = min(positive), max(positive)
    if high / low <= SPREAD_FOR_LOG:
        axes.set_xlim(0, high * 1.06)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))
        return ""
    axes.set_xscale("log")
    log_ticks(axes, low / 1.3, high * 1.3, label)
    return " (log axis)"


def log_ticks(axes: Axes, low: float, high: float, label: Label = "{:g}".format) -> None:
    """A log axis from low to high with plain labels, at 1, 2 and 5 unless they would crowd."""
    decades = math.log10(high / low)
    steps = (1.0, 2.0, 5.0) if decades < 1.2 else (1.0, 3.0) if decades < 2.3 else (1.0,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator([t for t in ticks if low <= t <= high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))
    axes.xaxis.set_minor_locator(NullLocator())


def dot(axes: Axes, place: float, estimate: Estimate, shown: Look) -> None:
    """Median and interval on a line, the trials as small dots beneath."""
    if not estimate.known:
        return
    colour = shown.colour
    below = [place + 0.24] * len(estimate.points)
    axes.plot(estimate.points, below, ".", color=colour, alpha=0.45, markersize=4.5)
    if estimate.has_interval:
        ends = [estimate.low, estimate.high]
        axes.plot(ends, [place, place], "-", color=colour, linewidth=2.6, solid_capstyle="butt")
    axes.plot([estimate.value], [place], **shown.point, linestyle="none", markersize=6.5)


def curve(
    axes: Axes,
    points: Iterable[tuple[float, Estimate]],
    shown: Look,
    name: str,
    *,
    fuse: bool,
    depth: int = 0,
) -> Line2D:
    """A target's estimates over an axis with their intervals; a dotted line: no FUSE in between."""
    known = {place: point for place, point in points if point.known}
    for place, point in known.items():
        if point.has_interval:
            axes.plot([place] * 2, [point.low, point.high], "-", color=shown.colour, linewidth=1.8)
    (line,) = axes.plot(
        list(known),
        [point.value for point in known.values()],
        **shown.point,
        markersize=5,
        linewidth=1.3,
        linestyle=shown.dashes if fuse else NO_FUSE,
        label=name,
        zorder=3 - depth / 100,
    )
    return line


def beside(axes: Axes, place: float, text: str, size: float = 7.5) -> None:
    """A text in the column at the right of a panel."""
    right = beyond(axes, axes.get_yaxis_transform(), 6)
    said = text.replace("+-", PLUS_MINUS)
    axes.text(1.0, place, said, va="center", fontsize=size, color=INK, transform=right)


def absent(line: Line) -> str:
    """Why a line has no value, short enough for the column; the footer has it in full."""
    trouble = line.trouble[0].partition(":")[0] if line.trouble else "no value"
    return trouble.replace(" trials", "").replace(" trial", "")


def tick(seconds: float) -> str:
    """A time on an axis: without digits that only the position would bear out."""
    if seconds <= 0:
        return "0"
    size, unit = units.scale_of(seconds)
    return f"{seconds / size:g} {unit}"


def _name(name: str) -> str:
    """A target's name in at most two lines."""
    if len(name) <= 16:
        return name
    middle = len(name) // 2
    cuts = [at + 1 for at, letter in enumerate(name) if letter in "-_ .:"] or [middle]
    cut = min(cuts, key=lambda at: abs(at - middle))
    return f"{name[:cut]}\n{name[cut:]}"


def extent(estimate: Estimate) -> list[float]:
    """Everything of an estimate that has to fit onto an axis."""
    ends = [estimate.low, estimate.high] if estimate.has_interval else []
    return [value for value in (estimate.value, *ends, *estimate.points) if math.isfinite(value)]
