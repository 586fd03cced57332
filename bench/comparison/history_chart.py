"""Charts of a history: a row over the runs, a line for each target, the kernel on the axis."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.comparison.history import Comparable, Course, Point
from bench.model import UserError
from bench.report import units
from bench.report.charts.figures import GRID, Sheet, legend_grid
from bench.report.charts.panels import style, tick

WIDTH_IN, PANEL_IN = 7.0, 2.4
LABELS_IN = 1.0
"""Below the panel: run and kernel of each point, turned."""
LABEL_LETTERS = 22
MOST_LABELS = 30


def draw(courses: Sequence[Course], directory: Path) -> Iterator[Path]:
    """Write an SVG and a PNG for each row; yields the files. Raises UserError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: cannot be made: {error.strerror}") from None
    rows: dict[tuple[Comparable, str, str], list[Course]] = {}
    for course in courses:
        rows.setdefault((course.ground, course.key.name, course.key.slug), []).append(course)
    for number, ((ground, name, slug), own) in enumerate(rows.items(), 1):
        units.measure_in(ground.clock)
        stem = directory / f"{number:02}-{re.sub(r'[^A-Za-z0-9.@=-]', '_', slug)}"
        _sheet(ground, name, own).save(stem, ("svg", "png"))
        yield from (stem.with_name(f"{stem.name}{suffix}") for suffix in (".svg", ".png"))


def _sheet(ground: Comparable, name: str, courses: Sequence[Course]) -> Sheet:
    _, legend = legend_grid([course.key.target for course in courses], WIDTH_IN)
    footer = [
        f"{ground.machine}; {ground.setting}",
        f"{units.quantity().said} per operation; bar: {units.quantity().interval} within the run",
    ]
    sheet = Sheet(name, footer, WIDTH_IN, PANEL_IN + LABELS_IN + legend)
    axes = sheet.panel(left=0.8, top=legend + 0.05, right=0.2, bottom=LABELS_IN)
    places = _places(courses)
    handles = []
    for number, course in enumerate(courses):
        handles.append(_line(axes, course, number, places))
    _axis(axes, list(places))
    sheet.legend(handles)
    return sheet


def _places(courses: Sequence[Course]) -> dict[tuple[str, str, str], int]:
    """Where each run on each kernel stands, in order of time: (started, run, kernel) -> x."""
    every = sorted({_name(point) for course in courses for point in course.points})
    return {name: place for place, name in enumerate(every)}


def _name(point: Point) -> tuple[str, str, str]:
    return point.started, point.run, point.release


def _line(
    axes: Axes, course: Course, number: int, places: Mapping[tuple[str, str, str], int]
) -> Line2D:
    """A target's line, with the interval of each point."""
    look = style(number)
    at = [places[_name(point)] for point in course.points]
    values = [point.estimate.value for point in course.points]
    for place, point in zip(at, course.points, strict=True):
        if point.estimate.has_interval:
            ends = [point.estimate.low, point.estimate.high]
            axes.plot([place, place], ends, "-", color=look.colour, linewidth=2)
    (line,) = axes.plot(at, values, **look.point, lw=0.8, ms=5, label=course.key.target)
    return line


def _axis(axes: Axes, names: Sequence[tuple[str, str, str]]) -> None:
    """Time upwards on a log axis; along it run and kernel, thinned out where they would crowd."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", which="minor", length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_xlim(-0.5, len(names) - 0.5)
    each = math.ceil(len(names) / MOST_LABELS)
    labels = [f"{run[:LABEL_LETTERS]}\n{release[:LABEL_LETTERS]}" for _, run, release in names]
    axes.set_xticks(range(0, len(names), each), labels[::each], rotation=40, ha="right", fontsize=6)
