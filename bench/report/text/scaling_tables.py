"""Scaling as tables: on a page, as plain text of at most 72 columns, as lines of CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from bench.report import units, words
from bench.report.studies.scaling import Curve, Panel, Scaling
from bench.report.text.cells import Cell, CellGrid
from bench.stats.estimates import Estimate

NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def grid(scaling: Scaling) -> CellGrid:
    """A line for each row and target: its costs, then what throughput is to that with the fewest."""
    places, noun = scaling.places, units.quantity().noun
    first, *more = (units.times(place, scaling.axis.noun) for place in places)
    return CellGrid(
        scaling.title,
        [
            "row and target",
            *(f"{noun}, {at}" for at in (first, *more)),
            *(f"throughput, {at} / {first}" for at in more if scaling.gains),
        ],
        [_line(scaling, panel, curve) for panel in scaling.panels for curve in panel.curves],
    )


def _line(scaling: Scaling, panel: Panel, curve: Curve) -> list[Cell]:
    costs = [curve.costs.get(place, NOTHING) for place in scaling.places]
    gains = [curve.gains.get(place, NOTHING) for place in scaling.places[1:] if scaling.gains]
    return [
        Cell(f"{panel.name}, {curve.target.name}"),
        *(Cell(words.time_text(one) if one.known else "-", one.value) for one in costs),
        *(Cell(words.ratio_text(one, "") if one.known else "-", one.value) for one in gains),
    ]


def lines(made: Sequence[Scaling]) -> list[str]:
    """Every chart's numbers in words, a paragraph for each target of a panel."""
    said = []
    for scaling in made:
        table = grid(scaling)
        said += [*units.wrapped(table.label, 0), ""]
        for name, *cells in table.lines:
            told = [
                f"{head}: {cell.text}"
                for head, cell in zip(table.heads[1:], cells, strict=True)
                if cell.text != "-"
            ]
            said += [
                *units.wrapped(f"  {name.text}", 4),
                *units.wrapped(f"    {'; '.join(told)}", 4),
                "",
            ]
    return [units.ascii_only(line) for line in said]


def records(made: Sequence[Scaling]) -> Iterator[Mapping[str, object]]:
    """A line for every point of every curve."""
    for scaling in made:
        for panel in scaling.panels:
            for curve in panel.curves:
                for place, cost in curve.costs.items():
                    yield _record(scaling, panel, curve, place, cost)


def _record(
    scaling: Scaling, panel: Panel, curve: Curve, place: int, cost: Estimate
) -> Mapping[str, object]:
    gain = curve.gains.get(place, NOTHING)
    row = scaling.rows[0]
    return {
        "axis": scaling.axis.axis.name,
        "at": place,
        "row": panel.key.name,
        **panel.key.columns(),
        "timeouts": row.timeouts,
        "target": curve.target.name,
        "unit": panel.unit,
        "value": cost.value,
        "low": cost.low,
        "high": cost.high,
        "n": cost.n,
        "throughput_gain": gain.value,
        "throughput_gain_low": gain.low,
        "throughput_gain_high": gain.high,
    }
