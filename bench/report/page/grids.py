"""The tables of a page that go over several rows: overview, break-even, projections, cost sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from bench.report import costs, units, words
from bench.report.row import Line, Row
from bench.report.studies.breakeven import Study
from bench.report.studies.predictions import Prediction, Projections
from bench.report.studies.projection_text import costs_of, groups, heading
from bench.report.targets import TargetInRow, baselines, targets
from bench.report.text import cells
from bench.report.text.cells import Cell, CellGrid
from bench.stats.frame import Run
from bench.stats.verdicts import Finding

PREDICTED = (
    "row", "before", "predicted", "range", "measured", "on", "error", "costs from",
)  # fmt: skip


def overview(run: Run, rows: Sequence[Row]) -> Iterator[CellGrid]:
    """A line for each row, a column for each target: times, then ratios to each baseline."""
    known = targets(run)
    noun = units.quantity().noun

    def grid(label: str, shown: Sequence[TargetInRow], cell: Callable[[Line], Cell]) -> CellGrid:
        heads = ["row", *(target.name for target in shown)]
        return CellGrid(label, heads, [_row(row, shown, cell) for row in rows])

    yield grid(f"{noun} per operation", known, _own)
    for name in baselines(run):
        shown = [one for one in known if not one.native and one.base != name]
        yield grid(f"{noun} / {noun} of {words.against(name)}", shown, _ratio(name))


def verdicts(rows: Sequence[Row]) -> CellGrid:
    """A line for each row and target: the ratio to its baseline, what that shows, and the proof."""
    heads = ["row", "target", "ratio", "to", "shows", "requests per op", "proof"]
    lines = [
        [
            Cell(row.name, link=row.slug),
            Cell(line.target.name),
            Cell(words.ratio_text(line.ratio, line.baseline), line.ratio.value),
            Cell(line.baseline),
            _shows(line),
            Cell(_requests(line), cells.requests_value(line)),
            Cell(line.verdict or "-"),
        ]
        for row in rows
        for line in row.lines
        if line.ratio is not None and not line.target.native
    ]
    return CellGrid("every row and target", heads, lines)


def _shows(line: Line) -> Cell:
    judged = line.judgement
    if judged is None:
        return Cell("-")
    marks = {Finding.FASTER: "less", Finding.SLOWER: "more"}
    return Cell(words.shown(judged.finding), mark=marks.get(judged.finding, ""))


def _requests(line: Line) -> str:
    count = cells.requests_value(line)
    return units.per_op(count) if math.isfinite(count) else "not counted"


def _row(row: Row, shown: Sequence[TargetInRow], cell: Callable[[Line], Cell]) -> list[Cell]:
    lines = {line.target: line for line in row.lines}
    return [
        Cell(row.name, link=row.slug),
        *(cell(lines[one]) if one in lines else Cell("", math.nan) for one in shown),
    ]


def _own(line: Line) -> Cell:
    return Cell(words.time_text(line.time), line.time.value)


def _ratio(name: str) -> Callable[[Line], Cell]:
    return lambda line: Cell(words.ratio_cell(line, name), cells.ratio_value(line, name))


def breakeven(study: Study) -> CellGrid:
    """Every target's cost per listed entry, by the share of the entries that is then stat'ed."""
    shares = study.fractions
    noun = units.quantity().noun
    return CellGrid(
        f"list-stat, {study.said}",
        ["target", *(f"{noun} per entry, {100 * share:g} % stat'ed" for share in shares)],
        [
            [Cell(name), *(_time(study, name, share) for share in shares)]
            for name in study.shown
        ],
    )  # fmt: skip


def _time(study: Study, name: str, share: float) -> Cell:
    cost = study.cost(name, share)
    return Cell(words.time_text(cost) if cost.known else "-", cost.value)


def predictions(found: Projections) -> Iterator[CellGrid]:
    """A table for each passthrough that something was predicted of, and each server it was from."""
    for made in groups(found):
        yield CellGrid(heading(made), PREDICTED, [_prediction(found, one) for one in made])


def _prediction(found: Projections, one: Prediction) -> list[Cell]:
    low, high = found.band(one.predicted) if not one.what.exists else (math.nan, math.nan)
    band = f"{units.duration(low)} to {units.duration(high)}" if math.isfinite(low) else "-"
    measured = one.measured.value if one.measured else math.nan
    error = f"{100 * one.error:+.0f} %" if math.isfinite(one.error) else "-"
    return [
        Cell(one.row.name, link=one.row.slug),
        Cell(units.duration(one.start), one.start),
        Cell(units.duration(one.predicted) if one.possible else "below native", one.predicted),
        Cell(band, low),
        Cell(units.duration(measured), measured),
        Cell(one.target or "-"),
        Cell(f"{error} ({one.mark})" if one.mark else error, one.error),
        Cell("; ".join(one.costs)),
    ]


def request_costs(found: Projections) -> Iterator[CellGrid]:
    """A table for each server: what its requests were taken to cost, and from which rows."""
    noun = units.quantity().noun
    heads = ("opcode", f"{noun} per request", f"{noun} in the kernel instead", "by row")
    for base in dict.fromkeys(base for base, _, _ in found.costs):
        lines = [[Cell(text) for text in cost] for cost in costs_of(found, base)]
        yield CellGrid(f"Cost of a request to {base}", heads, lines)


def sheet(run: Run) -> CellGrid:
    """The cost sheet."""
    return CellGrid("Cost sheet", costs.HEADS, [_cost(cost) for cost in costs.costs(run)])


def _cost(cost: costs.InodeCost) -> list[Cell]:
    name, *told = costs.cells(cost)
    numbers = (math.nan if one is None else one for one in costs.figures(cost))
    return [Cell(name), *(Cell(*pair) for pair in zip(told, numbers, strict=True))]
