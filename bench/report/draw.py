"""Draws all charts of a run, on as many processes as there are CPUs."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.frame import Run
from bench.report import breakeven_charts, projection_charts, scaling_charts
from bench.report.about import footer
from bench.report.attribution import Parts, parts_of
from bench.report.attribution_chart import attribution_chart
from bench.report.breakeven import studies
from bench.report.charts import Chart, charts
from bench.report.figures import Sheet
from bench.report.overview import overviews
from bench.report.projection import projections
from bench.report.rows import Row, baselines
from bench.report.scaling import scalings

OVERVIEW = "overview"
BREAKEVEN, PROJECTION, SCALING = "breakeven", "projection", "scaling"
WORTH_A_POOL = 8
"""Rows from which starting processes costs less than it saves."""


@dataclass(frozen=True)
class Job:
    """What one process draws: a row, where to, and in which formats."""

    row: Row
    parts: Sequence[Parts]
    baselines: Sequence[str]
    footer: Sequence[str]
    directory: Path
    formats: Sequence[str]


def draw(
    run: Run, rows: Sequence[Row], directory: Path, formats: Sequence[str]
) -> Mapping[str, str]:
    """Write every chart; returns {``overview`` or ``<row key>/<chart>``: SVG for the page}.

    ``breakeven...``, ``projection...`` and ``scaling...`` are there where the run has such rows.
    """
    (directory / "charts").mkdir(exist_ok=True)
    against = baselines(run)
    inlined: dict[str, str] = {}
    if against:
        for sheet in overviews(rows, against[-1], footer(run, rows)):
            name = numbered(OVERVIEW, len(inlined))
            inlined[name] = sheet.save(directory / name, formats)
    for name, sheet in _answers(run, rows):
        inlined[name] = sheet.save(directory / name, formats)
    jobs = [
        Job(
            row,
            parts_of(run, row),
            against,
            footer(run, [row]),
            directory / "charts",
            tuple(formats),
        )
        for row in rows
    ]
    for made in _each(jobs):
        inlined |= made
    return inlined


def numbered(name: str, number: int) -> str:
    """``overview``, ``overview-2``: the files of what takes several sheets."""
    return f"{name}-{number + 1}" if number else name


def _answers(run: Run, rows: Sequence[Row]) -> Iterator[tuple[str, Sheet]]:
    """Charts over several rows: break-even curves, the map of who wins, projections, scaling."""
    found = studies(run)
    told = footer(run, [row for row in rows if row.name.startswith("list-stat/")])
    if heat := breakeven_charts.who_wins(found, told):
        yield f"{BREAKEVEN}-map", heat
    for study in found:
        yield f"{BREAKEVEN}-{study.setting.key}", breakeven_charts.curves(study, told)
    for made in projections(run, rows):
        if made.predictions:
            suffix = f"-{made.kernel}" if made.kernel else ""
            sheets = projection_charts.charts(made, footer(run, rows))
            for number, sheet in enumerate(sheets):
                yield numbered(f"{PROJECTION}{suffix}", number), sheet
    for scaling in scalings(run, rows):
        told = footer(run, scaling.rows)
        yield f"{SCALING}-{scaling.key}", scaling_charts.chart(scaling, told)


def _each(jobs: Sequence[Job]) -> list[Mapping[str, str]]:
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers < 2 or len(jobs) < WORTH_A_POOL:
        return [_draw(job) for job in jobs]
    # What a process inherits stays: without this every collection would go over all the trials.
    with ProcessPoolExecutor(workers, initializer=gc.freeze) as pool:
        return list(pool.map(_draw, jobs, chunksize=2))


def _draw(job: Job) -> Mapping[str, str]:
    made = charts(job.row, job.baselines, job.footer)
    if any(one.shares for one in job.parts):
        made.append(Chart("attribution", attribution_chart(job.row, job.parts, job.footer)))
    return {
        f"{job.row.key}/{chart.name}": chart.sheet.save(
            job.directory / f"{job.row.key}-{chart.name}", job.formats
        )
        for chart in made
    }
