"""The charts of one row: time per operation, ratios, requests per operation, latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from bench.model import Level, Opcode
from bench.report import units, words
from bench.report.charts.figures import GRID, INK, MUTED, Sheet, legend_grid
from bench.report.charts.panels import (
    AXIS_IN,
    absent,
    beside,
    dot,
    extent,
    lines_panel,
    look_of,
    scale,
    tick,
)
from bench.report.row import Line, Row
from bench.report.rows import SHARES

WIDTH_IN = 5.0
LINE_IN = 0.36
"""Height of one target's line."""
OPCODE_COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999",
)  # fmt: skip
HATCHES = ("", "////", "\\\\\\\\", "xxxx", "||||", "----", "++++", "//")
"""Hatches made of lines alone: one of dots takes 165 kB of an SVG."""
USUAL = (
    "READDIRPLUS", "READDIR", "GETATTR", "LOOKUP", "OPENDIR", "RELEASEDIR", "OPEN", "READ",
    "FLUSH", "RELEASE",
)  # fmt: skip
"""What metadata workloads are made of: of those that come together none shares a colour."""
OPCODES = (*USUAL, *(opcode.name for opcode in Opcode if opcode.name not in USUAL))


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
    return f"{row.name}: {what}"


def time_chart(row: Row, footer: Sequence[str]) -> Sheet:
    """Time per operation of every target: interval, median, and each trial as a point."""
    body = LINE_IN * len(row.lines) + AXIS_IN
    sheet = Sheet(title(row, f"{units.quantity().noun} per {row.unit}"), footer, WIDTH_IN, body)
    axes = lines_panel(sheet, row.lines, top=0.0, height=body)
    estimates = [line.time for line in row.lines]
    said = scale(axes, [point for e in estimates for point in extent(e)], tick)
    axes.set_xlabel(
        f"{units.quantity().noun} per {row.unit}{said}; bar: {units.quantity().interval}; dots: trials",
        fontsize=8,
    )
    for place, line in enumerate(row.lines):
        dot(axes, place, line.time, look_of(line))
        beside(axes, place, words.time_text(line.time) if line.time.known else absent(line))
    return sheet


def ratio_chart(row: Row, baselines: Sequence[str], footer: Sequence[str]) -> Sheet:
    """Ratios to each baseline, a panel for each; one dot per round."""
    each = LINE_IN * max(len(row.lines) - 1, 1) + AXIS_IN
    panels = max(len(baselines), 1)
    sheet = Sheet(title(row, f"ratio of {units.quantity().noun}"), footer, WIDTH_IN, each * panels)
    for number, baseline in enumerate(baselines):
        lines = [line for line in row.lines if baseline in line.ratios]
        axes = lines_panel(sheet, lines, top=each * number, height=each)
        ratios = [line.ratios[baseline] for line in lines]
        said = scale(axes, [1.0, *(point for r in ratios for point in extent(r))])
        axes.set_xlabel(
            f"{units.ratio_of(baseline)}{said}; < 1 is {units.quantity().below}", fontsize=8
        )
        axes.axvline(1.0, color=MUTED, linewidth=1.0, linestyle=(0, (4, 2)))
        for place, line in enumerate(lines):
            ratio = line.ratios[baseline]
            dot(axes, place, ratio, look_of(line))
            beside(axes, place, words.ratio_text(ratio, baseline))
    return sheet


def requests_chart(row: Row, footer: Sequence[str]) -> Sheet:
    """Requests per operation stacked by opcode, with what a plain server is expected to get."""
    lines = [line for line in row.lines if line.requests]
    opcodes = _opcodes(lines)
    _, legend = legend_grid(opcodes, WIDTH_IN)
    body = LINE_IN * max(len(lines), 1) + AXIS_IN + legend
    sheet = Sheet(title(row, f"FUSE requests per {row.unit}"), footer, WIDTH_IN, body)
    axes = lines_panel(sheet, lines, top=legend, height=body - legend)
    for place, line in enumerate(lines):
        _stack(axes, place, line, opcodes)
    tops = [_expected_total(line)[1] for line in lines] + [
        line.requests.total for line in lines if line.requests
    ]
    axes.set_xlim(0, max([1.05 * top for top in tops if top > 0], default=1.0))
    axes.set_xlabel(
        f"requests per {row.unit}; bracket: {_expected_names(lines)} expected", fontsize=8
    )
    sheet.legend([Patch(label=op, **opcode_look(op)) for op in opcodes])
    return sheet


def latency_chart(row: Row, footer: Sequence[str]) -> Sheet:
    """Latency percentiles of the sampled pass: the median over trials, and each trial as a dot."""
    names = [line.target.name for line in row.lines if line.latency]
    _, legend = legend_grid(names, WIDTH_IN)
    body = 2.1 + legend
    sheet = Sheet(title(row, f"latency of one {row.unit} (log axis)"), footer, WIDTH_IN, body)
    axes = sheet.panel(left=0.75, top=legend, right=0.2, bottom=AXIS_IN)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    places = list(range(len(SHARES)))
    for line in row.lines:
        if not line.latency:
            continue
        look = look_of(line)
        columns = list(zip(*line.latency, strict=True))
        for place, column in zip(places, columns, strict=True):
            axes.plot(
                [place] * len(column), column, ".", color=look.colour, alpha=0.35, markersize=4
            )
        middle = [sorted(column)[len(column) // 2] for column in columns]
        axes.plot(
            places, middle, **look.point, linestyle=look.dashes, markersize=5.5, linewidth=1.3,
            label=line.target.name,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ns, _: tick(ns / 1e9)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xticks(places, [_share(share) for share in SHARES])
    axes.set_xlabel("share of operations that were at most this slow; dots: trials", fontsize=8)
    sheet.legend(axes.get_legend_handles_labels()[0])
    return sheet


def _share(share: float) -> str:
    return "slowest" if share >= 1 else f"{100 * share:g} %"


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


def opcode_look(opcode: str) -> dict[str, Any]:
    """How an opcode's part of a bar looks in every chart: a colour, and a hatch for who sees none."""
    number = OPCODES.index(opcode) if opcode in OPCODES else len(OPCODES)
    again = number // len(OPCODE_COLOURS)  # a colour's next opcode has another hatch
    return {
        "facecolor": OPCODE_COLOURS[number % len(OPCODE_COLOURS)],
        "hatch": HATCHES[(number + again) % len(HATCHES)],
        "edgecolor": "white",
        "linewidth": 0.5,
    }


def _stack(axes: Axes, place: int, line: Line, opcodes: Sequence[str]) -> None:
    """One target's requests as a stacked bar with the expected range above it."""
    requests = line.requests
    if requests is None:
        return
    left = 0.0
    for opcode in opcodes:
        count = requests.per_op.get(opcode, 0.0)
        axes.barh(place, count, left=left, height=0.5, **opcode_look(opcode))
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
