"""Draws all charts of a run, in processes beside the one that reads it and writes its tables."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.axes.rowkey import RowKey
from bench.report import units
from bench.report.about import footer
from bench.report.attribution import Parts, parts_of
from bench.report.charts import answer_chart, breakeven_charts, projection_charts, scaling_charts
from bench.report.charts.attribution_chart import attribution_chart
from bench.report.charts.charts import Chart, charts
from bench.report.charts.figures import Sheet
from bench.report.charts.overview import claim, overviews, sheets
from bench.report.headlines import headline
from bench.report.row import Row
from bench.report.studies.breakeven import WORKLOAD, Study, setting, studies
from bench.report.studies.projection import projections
from bench.report.studies.scaling import scalings
from bench.report.targets import baselines
from bench.stats.frame import Run

OVERVIEW = "overview"
ANSWER, BREAKEVEN, PROJECTION, SCALING = "answer", "breakeven", "projection", "scaling"
PICTURES = (ANSWER, OVERVIEW, f"{BREAKEVEN}-map")
MOST_SHEETS, MOST_CURVES = 3, 4
"""Sheets of the overview, and break-even curves, unless all were asked for."""
WORTH_A_POOL = 200_000
"""Bytes of trials.jsonl from which starting processes costs less than it saves."""

Svgs = Mapping[str, str]


@dataclass(frozen=True)
class ChartOrder:
    """What all charts of a run are drawn to: where, in which formats, and what its values are."""

    directory: Path
    formats: Sequence[str]
    clock: Any
    baselines: Sequence[str]
    every: bool = True
    """Whether everything there is to draw was asked for."""


@dataclass(frozen=True)
class Drawing:
    """Charts that are being drawn."""

    parts: Sequence[Future[Svgs]]

    def charts(self) -> Svgs:
        """All of them, once they are files: {``overview`` or ``<row key>/<chart>``: SVG for the page}.

        ``breakeven...``, ``projection...`` and ``scaling...`` are there where the run has such rows.
        """
        return {name: svg for part in self.parts for name, svg in part.result().items()}


class Here(Executor):
    """Draws in this process, at once."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The outcome of a call."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def artists(run: Path) -> Iterator[Executor]:
    """Who draws the charts of a run directory: processes, if there is work for them.

    They are started before the run is read, and so hold none of it. Where something goes wrong, or
    on Ctrl-C, they end at once.
    """
    trials = run / "trials.jsonl"
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cpus < 2 or not trials.exists() or trials.stat().st_size < WORTH_A_POOL:
        yield Here()
        return
    pool = ProcessPoolExecutor(cpus, initializer=_begin)
    try:
        pool.submit(int)
        yield pool
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    # Ctrl-C is for the process that started this one, which then ends this one in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What was inherited stays: no collection need go over it.
    gc.freeze()


def _end_with_parent() -> None:
    """A parent that was killed cannot end its pool, which would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def draw(run: Run, rows: Sequence[Row], directory: Path, formats: Sequence[str]) -> Svgs:
    """Write every chart in this process; returns what ``Drawing.charts`` does."""
    return begin(run, rows, directory, formats, Here()).charts()


def begin(
    run: Run,
    rows: Sequence[Row],
    directory: Path,
    formats: Sequence[str],
    artists: Executor,
    *,
    every: bool = True,
) -> Drawing:
    """Have the charts written that answer something; with ``every`` all there are, those of each row too."""
    against = baselines(run)
    order = ChartOrder(directory, tuple(formats), run.about.get("clock"), against, every)
    if every:
        (directory / "charts").mkdir(exist_ok=True)
    first = [artists.submit(_overview, order, *_shown(run, rows, every))] if against else []
    each = [
        artists.submit(_row, order, row, parts, footer(run, [row]))
        for row, parts in (zip(rows, parts_of(run, rows), strict=True) if every else ())
    ]
    # Those over several rows know rows by identity, which no other process shares.
    answers = Here().submit(_save, order, _answers(run, rows, every))
    return Drawing([*first, answers, *each])


def _shown(run: Run, rows: Sequence[Row], every: bool) -> tuple[Sequence[Row], Sequence[str], str]:
    """Rows of the overview, its footer, its title: the headline's rows alone where the others would
    take more sheets than anybody leafs through."""
    if every or sheets(rows) <= MOST_SHEETS:
        return rows, footer(run, rows), ""
    by_key = {row.key: row for row in rows}
    chosen = [by_key[key] for key in _headline(run, rows)]
    said = claim(rows)
    title = f"{said}; here {len(chosen)} headline rows" if said else ""
    return chosen, footer(run, chosen), title


def _headline(run: Run, rows: Sequence[Row]) -> Sequence[RowKey]:
    return headline(run.about, [row.key for row in rows]).keys


def _overview(order: ChartOrder, rows: Sequence[Row], footer: Sequence[str], title: str) -> Svgs:
    units.measure_in(order.clock)
    drawn = overviews(rows, order.baselines[-1], footer, title)
    return _save(order, ((numbered(OVERVIEW, n), sheet) for n, sheet in enumerate(drawn)))


def _row(order: ChartOrder, row: Row, parts: Sequence[Parts], footer: Sequence[str]) -> Svgs:
    units.measure_in(order.clock)
    made = charts(row, order.baselines, footer)
    if any(one.shares for one in parts):
        made.append(Chart("attribution", attribution_chart(row, parts, footer)))
    return {
        f"{row.slug}/{chart.name}": chart.sheet.save(
            order.directory / "charts" / f"{row.slug}-{chart.name}", order.formats
        )
        for chart in made
    }


def _save(order: ChartOrder, sheets: Iterable[tuple[str, Sheet]]) -> Svgs:
    return {
        name: sheet.save(order.directory / name, _formats(name, order)) for name, sheet in sheets
    }


def _formats(name: str, order: ChartOrder) -> Sequence[str]:
    """Pictures of pixels are for readmes and mails, which show the first of a kind alone."""
    if order.every or name in PICTURES:
        return order.formats
    return [one for one in order.formats if one != "png"]


def numbered(name: str, number: int) -> str:
    """``overview``, ``overview-2``: the files of what takes several sheets."""
    return f"{name}-{number + 1}" if number else name


def _answers(run: Run, rows: Sequence[Row], every: bool) -> Iterator[tuple[str, Sheet]]:
    """Charts over several rows: break-even curves, the map of who wins, projections, scaling.

    Curves of settings that no headline row is of, and what was measured drawn as predicted, too, with
    ``every`` alone.
    """
    if first := answer_chart.chart(run):
        yield ANSWER, first
    found = studies(run)
    told = footer(run, [row for row in rows if row.key.workload == WORKLOAD])
    if heat := breakeven_charts.who_wins(found, told):
        yield f"{BREAKEVEN}-map", heat
    for study in found if every else _foremost(run, rows, found):
        yield f"{BREAKEVEN}-{study.key.slug}", breakeven_charts.curves(study, told)
    for made in projections(run, rows):
        if made.predictions:
            suffix = f"-{made.kernel}" if made.kernel else ""
            sheets = projection_charts.charts(made, footer(run, rows), every=every)
            for number, sheet in enumerate(sheets):
                yield numbered(f"{PROJECTION}{suffix}", number), sheet
    for scaling in scalings(run, rows):
        told = footer(run, scaling.rows)
        yield f"{SCALING}-{scaling.slug}", scaling_charts.chart(scaling, told)


def _foremost(run: Run, rows: Sequence[Row], found: Sequence[Study]) -> Sequence[Study]:
    """The studies that headline rows are of; all where they are few, the first few where none is."""
    if len(found) <= MOST_CURVES:
        return found
    first = {setting(key) for key in _headline(run, rows)}
    return [study for study in found if study.key in first] or found[:MOST_CURVES]
