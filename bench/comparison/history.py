"""A workload over all runs of a machine: one point per run and kernel, with its interval."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.comparison.header import kernel_labels, part_of
from bench.comparison.shapes import Line, wrapped
from bench.comparison.sides import MatchKey, Side, SideRow, of_kernel, whole
from bench.comparison.unlike import timeouts
from bench.model import UserError
from bench.report import units
from bench.stats.estimates import Estimate
from bench.stats.frame import Run, load

BARS = (
    "\N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}"
    "\N{LOWER HALF BLOCK}\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}"
    "\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
)
PLAIN_BARS = "_.:-=+*#"
"""For a terminal that has no block characters."""
NAME, SPARK = 24, 20


@dataclass(frozen=True)
class Selection:
    """What to show; None is all."""

    workload: str | None
    target: str | None
    machine: str | None


@dataclass(frozen=True)
class Comparable:
    """What points have to share to stand in one line: another tree is another line."""

    machine: str
    clock: str
    setting: str


@dataclass(frozen=True)
class Point:
    """One run on one kernel."""

    run: str
    started: str
    release: str
    estimate: Estimate


@dataclass(frozen=True)
class Course:
    """One target of one row over the runs, oldest first."""

    ground: Comparable
    key: MatchKey
    points: tuple[Point, ...]


def collect(results: Path, asked: Selection) -> tuple[list[Course], list[str]]:
    """Every course of the runs ``results``/<machine>/<run>, and a line about each unreadable one.

    A run that ended before its first trial, as one does whose guests did not start, has no point.
    """
    found: dict[tuple[Comparable, MatchKey], list[Point]] = {}
    problems = []
    for file in sorted(results.glob("*/*/run.json")):
        if not file.with_name("trials.jsonl").exists():
            continue
        try:
            run = load(file.parent)
        except UserError as error:
            problems.append(str(error))
            continue
        if asked.machine and asked.machine not in f"{_machine_id(run)} {file.parent}":
            continue
        for key, ground, point in _points(run, asked):
            found.setdefault((ground, key), []).append(point)
    courses = [
        Course(ground, key, tuple(sorted(points, key=_when)))
        for (ground, key), points in found.items()
    ]
    return sorted(courses, key=_order), problems


def _points(run: Run, asked: Selection) -> Iterator[tuple[MatchKey, Comparable, Point]]:
    started = str(run.about.get("started", ""))
    for part in _kernels(run):
        for key, row in part.rows.items():
            if not row.medians or not _wanted(key, asked):
                continue
            yield key, _ground(part, row), Point(run.name, started, part.release, part.middle(row))


def _kernels(run: Run) -> list[Side]:
    """The run, or one side for each of its kernels."""
    labels = kernel_labels(run.about)
    if len(labels) < 2:
        return [whole(run.name, run)]
    return [of_kernel(run.name, run, f"@{label}") for label in labels]


def _wanted(key: MatchKey, asked: Selection) -> bool:
    if asked.target not in (None, key.target):
        return False
    if asked.workload is None:
        return True
    return key.row is not None and asked.workload in (key.row.workload, key.row.work)


def _ground(part: Side, row: SideRow) -> Comparable:
    about = part.about
    machine, tree = part_of(about, "environment"), part_of(about, "tree")
    cpus = machine.get("cpu_count")
    backing = part_of(about, "backing").get("filesystem")
    setting = f"tree {tree.get('name')} ({tree.get('hash')}) on {backing}, attr/entry timeout "
    return Comparable(
        f"{machine.get('cpu_model') or 'unknown machine'}, {cpus or '?'} CPUs",
        part.clock,
        setting + timeouts(row),
    )


def _machine_id(run: Run) -> str:
    environment = part_of(run.about, "environment")
    return f"{environment.get('machine')} {environment.get('cpu_model')}"


def _when(point: Point) -> tuple[float, str]:
    try:
        return datetime.fromisoformat(point.started).timestamp(), point.run
    except ValueError:
        return math.inf, point.run


def _order(course: Course) -> tuple[object, ...]:
    ground = course.ground
    row = course.key.row.order if course.key.row else ()
    return ground.machine, ground.clock, row, ground.setting, course.key.target


def text(courses: Sequence[Course], *, points: bool) -> Iterator[Line]:
    """A sparkline for each course and, asked for, every point."""
    machine = heading = ""
    for course in courses:
        ground = course.ground
        units.measure_in(ground.clock)
        if machine != f"{ground.machine}, {units.quantity().said}":
            machine = f"{ground.machine}, {units.quantity().said}"
            yield from wrapped(machine, 2)
        title = f"  {course.key.name}; {ground.setting}"
        if title != heading:
            heading = title
            yield from wrapped(title, 4)
        yield from _course(course)
        if points:
            yield from (line for point in course.points for line in _point(point))


def _course(course: Course) -> Iterator[Line]:
    first, last = (course.points[at].estimate.value for at in (0, -1))
    name = course.key.target
    if len(name) > NAME:
        yield f"    {name}", ""
        name = ""
    said = units.duration(first)
    if len(course.points) > 1:
        said += f" to {units.duration(last)} ({100 * (last / first - 1):+.1f} %)"
    yield f"    {name:{NAME}} {sparkline(course.points)} {said}", ""


def sparkline(points: Sequence[Point]) -> str:
    """The last runs as bars between the lowest and the highest of them."""
    bars = BARS if (sys.stdout.encoding or "").lower().startswith("utf") else PLAIN_BARS
    values = [point.estimate.value for point in points][-SPARK:]
    low, high = min(values), max(values)
    if high <= low:
        return bars[3] * len(values)
    return "".join(bars[round((value - low) / (high - low) * (len(bars) - 1))] for value in values)


def _point(point: Point) -> Iterator[Line]:
    estimate = point.estimate
    interval = estimate.note
    if estimate.has_interval:
        interval = f"[{units.duration(estimate.low)}, {units.duration(estimate.high)}]"
    value = units.duration(estimate.value)
    yield from wrapped(f"      {value:>8} {interval:<20} {point.run}, Linux {point.release}", 38)


def as_json(course: Course) -> dict[str, Any]:
    """A course with every point; an interval that is not known is null."""
    return {
        "machine": course.ground.machine,
        "clock": course.ground.clock,
        "setting": course.ground.setting,
        "row": course.key.name,
        "group": course.key.slug,
        "target": course.key.target,
        "points": [_point_json(point) for point in course.points],
    }


def _point_json(point: Point) -> dict[str, Any]:
    numbers = {name: getattr(point.estimate, name) for name in ("value", "low", "high")}
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    names = {"run": point.run, "started": point.started, "kernel": point.release}
    return {**names, **known, "n": point.estimate.n, "note": point.estimate.note}
