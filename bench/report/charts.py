"""The charts of one row: time per operation, ratios, requests per operation, latency."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from bench.model import Level
from bench.report import units, words
from bench.report.figures import COLOURS, GRID, INK, MARKERS, MUTED, Sheet
from bench.report.rows import SHARES, Line, Row
from bench.stats import Estimate

WIDTH_IN = 5.0
LINE_IN = 0.36
"""Height of one target's line."""
AXIS_IN = 0.44
"""Below a panel: tick labels and axis label."""
SPREAD_FOR_LOG = 20.0
"""Largest over smallest value from which a linear axis would hide the small ones."""

Label = Callable[[float], str]
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
OPCODE_COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999",
)  # fmt: skip
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "||||", "----", "oooo")


@dataclass(frozen=True)
class Chart:
    """A chart that has been laid out: its name among the row's, and its sheet."""

    name: str
    sheet: Sheet


def charts(row: Row, baselines: Sequence[str], footer: Sequence[str]) -> list[Chart]:
    """Every chart that the row has data for."""
    made = [
        Chart("time", time_chart(row, footer)),
        Chart("ratio", ratio_chart(row, baselines, footer)),
        Chart("requests", requests_chart(row, footer)),
    ]
    if any(line.latency for line in row.lines):
        made.append(Chart("latency", latency_chart(row, footer)))
    return made


def title(row: Row, what: str) -> str:
    """``getattr-storm/path (cold-fuse): time per op``."""
    threads = f", {row.threads} threads" if row.threads > 1 else ""
    return f"{row.name} ({row.cache}{threads}): {what}"


def time_chart(row: Row, footer: Sequence[str]) -> Sheet:
    """Time per operation of every target: interval, median, and each trial as a point."""
    body = LINE_IN * len(row.lines) + AXIS_IN
    sheet = Sheet(title(row, f"time per {row.unit}"), footer, WIDTH_IN, body)
    axes = _lines_panel(sheet, row.lines, top=0.0, height=body)
    estimates = [line.time for line in row.lines]
    extent = [point for estimate in estimates for point in _extent(estimate)]
    said = _scale(axes, extent, _tick)
    axes.set_xlabel(f"time per {row.unit}{said}; bar: 95 % interval; dots: trials", fontsize=8)
    for place, line in enumerate(row.lines):
        _dot(axes, place, line.time, place)
        beside(axes, place, words.time_text(line.time) if line.time.known else absent(line))
    return sheet


def ratio_chart(row: Row, baselines: Sequence[str], footer: Sequence[str]) -> Sheet:
    """Ratios to each baseline, a panel for each; one dot per round."""
    each = LINE_IN * max(len(row.lines) - 1, 1) + AXIS_IN
    panels = max(len(baselines), 1)
    sheet = Sheet(title(row, "ratio of times"), footer, WIDTH_IN, each * panels)
    for number, baseline in enumerate(baselines):
        lines = [line for line in row.lines if line.target.name != baseline]
        axes = _lines_panel(sheet, lines, top=each * number, height=each)
        ratios = [line.ratios[baseline] for line in lines]
        said = _scale(axes, [1.0, *(point for r in ratios for point in _extent(r))])
        axes.set_xlabel(f"time / time of {baseline}{said}; < 1 is faster", fontsize=8)
        axes.axvline(1.0, color=MUTED, linewidth=1.0, linestyle=(0, (4, 2)))
        for place, line in enumerate(lines):
            ratio = line.ratios[baseline]
            _dot(axes, place, ratio, row.lines.index(line))
            beside(axes, place, words.ratio_text(ratio, baseline))
    return sheet


def requests_chart(row: Row, footer: Sequence[str]) -> Sheet:
    """Requests per operation stacked by opcode, with what a plain server is expected to get."""
    lines = [line for line in row.lines if line.requests]
    opcodes = _opcodes(lines)
    legend = 0.2 * math.ceil(len(opcodes) / 4) if opcodes else 0.0
    body = LINE_IN * max(len(lines), 1) + AXIS_IN + legend
    sheet = Sheet(title(row, f"FUSE requests per {row.unit}"), footer, WIDTH_IN, body)
    axes = _lines_panel(sheet, lines, top=legend, height=body - legend)
    for place, line in enumerate(lines):
        _stack(axes, place, line, opcodes)
    tops = [_expected_total(line)[1] for line in lines] + [
        line.requests.total for line in lines if line.requests
    ]
    axes.set_xlim(0, max([1.05 * top for top in tops if top > 0], default=1.0))
    axes.set_xlabel(
        f"requests per {row.unit}; bracket: {_expected_names(lines)} expected", fontsize=8
    )
    if opcodes:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, fontsize=7.5,
            borderaxespad=0.1, handlelength=1.4, columnspacing=1.2, labelspacing=0.2,
        )  # fmt: skip
    return sheet


def latency_chart(row: Row, footer: Sequence[str]) -> Sheet:
    """Latency percentiles of the sampled pass: the median over trials, and each trial as a dot."""
    body = 2.3
    sheet = Sheet(title(row, f"latency of one {row.unit} (log axis)"), footer, WIDTH_IN, body)
    axes = sheet.panel(left=0.75, top=0.25, right=0.2, bottom=AXIS_IN)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    places = list(range(len(SHARES)))
    for number, line in enumerate(row.lines):
        if not line.latency:
            continue
        colour, marker = style(number)
        columns = list(zip(*line.latency, strict=True))
        for place, column in zip(places, columns, strict=True):
            axes.plot([place] * len(column), column, ".", color=colour, alpha=0.35, markersize=4)
        middle = [sorted(column)[len(column) // 2] for column in columns]
        axes.plot(
            places, middle, color=colour, marker=marker, markersize=5.5, linewidth=1.3,
            label=line.target.name,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ns, _: _tick(ns / 1e9)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(places, [_share(share) for share in SHARES])
    axes.set_xlabel("share of operations that were at most this slow; dots: trials", fontsize=8)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, fontsize=8,
        borderaxespad=0.1,
    )  # fmt: skip
    return sheet


def _tick(seconds: float) -> str:
    """A time on an axis: without digits that only the position would bear out."""
    if seconds <= 0:
        return "0"
    size, unit = units.scale_of(seconds)
    return f"{seconds / size:g} {unit}"


def style(number: int) -> tuple[str, str]:
    """Colour and marker of the n-th target, the same in every chart of a run."""
    return COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]


def _share(share: float) -> str:
    return "slowest" if share >= 1 else f"{100 * share:g} %"


def _lines_panel(sheet: Sheet, lines: Sequence[Line], top: float, height: float) -> Axes:
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
    axes.set_yticks(range(len(lines)), names)
    return axes


def _name(name: str) -> str:
    """A target's name in at most two lines."""
    if len(name) <= 16:
        return name
    middle = len(name) // 2
    cuts = [at + 1 for at, letter in enumerate(name) if letter in "-_ ."] or [middle]
    cut = min(cuts, key=lambda at: abs(at - middle))
    return f"{name[:cut]}\n{name[cut:]}"


def _extent(estimate: Estimate) -> list[float]:
    """Everything of an estimate that has to fit onto an axis."""
    ends = [estimate.low, estimate.high] if estimate.has_interval else []
    return [value for value in (estimate.value, *ends, *estimate.points) if math.isfinite(value)]


def _scale(axes: Axes, values: Sequence[float], label: Label = "{:g}".format) -> str:
    """Linear from zero if that shows every value, else logarithmic; says so if it is."""
    positive = [value for value in values if value > 0]
    if not positive:
        axes.set_xticks([])
        return ""
    low, high = min(positive), max(positive)
    if high / low <= SPREAD_FOR_LOG:
        axes.set_xlim(0, high * 1.06)
        axes.locator_params(axis="x", nbins=5)
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
    axes.xaxis.set_minor_locator(NullLocator() if decades > 4 else LogLocator(subs="all"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _dot(axes: Axes, place: float, estimate: Estimate, number: int) -> None:
    """Median and interval on a line, the trials as small dots beneath."""
    if not estimate.known:
        return
    colour, marker = style(number)
    below = [place + 0.24] * len(estimate.points)
    axes.plot(estimate.points, below, ".", color=colour, alpha=0.45, markersize=4.5)
    if estimate.has_interval:
        ends = [estimate.low, estimate.high]
        axes.plot(ends, [place, place], "-", color=colour, linewidth=2.6, solid_capstyle="butt")
    axes.plot([estimate.value], [place], marker, color=colour, markersize=6.5)


def beside(axes: Axes, place: float, text: str) -> None:
    """A text in the column at the right of a panel."""
    axes.annotate(
        text.replace("+-", PLUS_MINUS),
        (1.0, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=INK,
        annotation_clip=False,
    )


def absent(line: Line) -> str:
    """Why a line has no value, short enough for the column; the footer has it in full."""
    trouble = line.trouble[0].partition(":")[0] if line.trouble else "no value"
    return trouble.replace(" trials", "").replace(" trial", "")


def _expected_names(lines: Sequence[Line]) -> str:
    named = sorted({op for line in lines if line.requests for op in line.requests.expected})
    return ", ".join(named) or "nothing"


def _opcodes(lines: Sequence[Line]) -> list[str]:
    """Opcodes in stacking order: those with an expectation first, so that its bracket fits."""
    counted = {op for line in lines if line.requests for op in line.requests.per_op}
    expected = {op for line in lines if line.requests for op in line.requests.expected}
    return sorted(counted, key=lambda op: (op not in expected, op))


def _expected_total(line: Line) -> tuple[float, float]:
    bounds = line.requests.expected.values() if line.requests else ()
    return sum(low for low, _ in bounds), sum(high for _, high in bounds)


def _stack(axes: Axes, place: int, line: Line, opcodes: Sequence[str]) -> None:
    """One target's requests as a stacked bar with the expected range above it."""
    requests = line.requests
    if requests is None:
        return
    left = 0.0
    for number, opcode in enumerate(opcodes):
        count = requests.per_op.get(opcode, 0.0)
        axes.barh(
            place, count, left=left, height=0.5, label=opcode if place == 0 else None,
            color=OPCODE_COLOURS[number % len(OPCODE_COLOURS)], edgecolor="white",
            hatch=HATCHES[number % len(HATCHES)], linewidth=0.5,
        )  # fmt: skip
        left += count
    low, high = _expected_total(line)
    if requests.expected and line.target.level in ("", Level.NONE):
        axes.plot([low, high], [place - 0.36] * 2, "|-", color=INK, linewidth=1.1, markersize=6)
    beside(axes, place, _request_value(line))


def _request_value(line: Line) -> str:
    requests = line.requests
    if requests is None or (not requests.per_op and requests.note):
        return "not counted"
    mark = " ! not as expected" if requests.outside else ""
    return f"{units.per_op(requests.total)}{mark}"
