"""Every table of a run as CSV: one line per row and target, numbers in full and without units.

Times are in seconds per operation, or instructions per operation on the instruction clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from bench.report import costs, units, words
from bench.report.attribution import BOTH, CLIENT, QUEUE, SERVER, Parts, parts_of
from bench.report.row import Line, Row
from bench.report.studies.breakeven import Study, studies
from bench.report.studies.crossing import crossings
from bench.report.studies.predictions import MARKS, Prediction, Projections
from bench.report.studies.projection import projections
from bench.report.studies.scaling import scalings
from bench.report.targets import baselines
from bench.report.text import scaling_tables
from bench.report.text.cells import ratio_value, requests_value
from bench.stats.estimates import Estimate
from bench.stats.frame import Run

Record = Mapping[str, object]
NUMBER = "%.9g"


def tables(run: Run, rows: Sequence[Row]) -> dict[str, str]:
    """{file name: CSV}, of those tables only that the run has lines for."""
    found = {
        "rows.csv": _rows(run, rows),
        "costs.csv": _costs(run),
        "breakeven.csv": _breakeven(run),
        "projections.csv": _projections(run, rows),
        "attribution.csv": _attribution(run, rows),
        "scaling.csv": scaling_tables.records(scalings(run, rows)),
    }
    made = {name: list(records) for name, records in found.items()}
    return {name: table(records) for name, records in made.items() if records}


def table(records: Sequence[Record]) -> str:
    """Lines as CSV, numbers in nine digits."""
    return pd.DataFrame(records).to_csv(index=False, float_format=NUMBER, lineterminator="\n")


def _rows(run: Run, rows: Sequence[Row]) -> Iterator[Record]:
    against = baselines(run)
    for row in rows:
        for line in row.lines:
            yield {
                **_named(row),
                "target": line.target.name,
                "level": line.target.level,
                "unit": row.unit,
                **estimate("", line.time),
                "n": line.time.n,
                "aa": row.floor or math.nan,
                **_ratios(line, against),
                "requests_per_op": requests_value(line),
                "requests": words.requests_text(line),
                "verdict": line.verdict,
                "verdict_reason": line.verdict_reason,
                "noted": "; ".join([*line.trouble, *(f"{f.word}: {f.said}" for f in line.flags)]),
            }


def _named(row: Row) -> Record:
    """The row's name, and a column for everything it is made of."""
    return {
        "row": row.name,
        "workload": row.key.workload,
        "variant": row.key.variant,
        **row.key.columns(),
        "timeouts": row.timeouts,
    }


def estimate(name: str, given: Estimate) -> Record:
    """Three columns: ``value``, ``low`` and ``high``, or ``name``, ``name_low`` and ``name_high``."""
    start = f"{name}_" if name else ""
    return {
        name or "value": given.value,
        f"{start}low": given.low,
        f"{start}high": given.high,
    }


def _ratios(line: Line, against: Sequence[str]) -> Record:
    """Each ratio with its interval, and what it shows."""
    found: dict[str, object] = {}
    for base in dict.fromkeys((*against, *line.ratios)):
        own = ratio_value(line, base)
        ratio = line.ratios.get(base, Estimate(own, math.nan, math.nan, line.time.n))
        judged = line.judgements.get(base)
        found |= estimate(f"ratio_to_{base}", ratio)
        found[f"finding_to_{base}"] = words.shown(judged.finding) if judged else ""
        found[f"reason_to_{base}"] = judged.reason if judged else ""
    return found


def _costs(run: Run) -> Iterator[Record]:
    cpu = "kinstructions" if units.quantity() is units.INSTRUCTIONS else "us"
    heads = [
        *(f"{part}_bytes" for part in (*costs.PARTS, "other", "rss")), "fds", "backing_ids",
        *(f"{who}_{cpu}" for who in ("client", "server", "kernel")),
    ]  # fmt: skip
    for cost in costs.costs(run):
        figures = dict(zip(heads, costs.figures(cost), strict=True))
        yield {"target": cost.target, "inodes": cost.inodes, **figures}


def _breakeven(run: Run) -> Iterator[Record]:
    """A line for each crossing; infinite where one always, minus infinite where it never pays."""
    for study in studies(run):
        for met in crossings(study):
            yield {
                **study.key.columns(),
                "order": study.order.value,
                "challenger": met.challenger,
                "opponent": met.opponent,
                "less": "below" if met.rising else "above",
                "fraction": met.value,
                "low": met.low,
                "high": met.high,
                "n": met.n,
                "note": met.note,
                **_ends(study, met.challenger, met.opponent),
            }


def _ends(study: Study, challenger: str, opponent: str) -> Record:
    """The ratio where the smallest and where the largest share is stat'ed."""
    first, last = (
        study.ratio(challenger, opponent, share)
        for share in (study.fractions[0], study.fractions[-1])
    )
    return {**estimate("ratio_fewest", first), **estimate("ratio_all", last)}


def _projections(run: Run, rows: Sequence[Row]) -> Iterator[Record]:
    for found in projections(run, rows):
        for one in found.predictions:
            yield {"kernel": found.kernel, **_prediction(found, one)}


def _prediction(found: Projections, one: Prediction) -> Record:
    low, high = found.band(one.predicted)
    measured = one.measured or Estimate(math.nan, math.nan, math.nan, 0)
    return {
        "passthrough": one.what.name,
        "back_test": one.what.exists,
        **_named(one.row),
        "base": one.base,
        "before": one.start,
        "predicted": one.predicted,
        "range_low": low,
        "range_high": high,
        "native": one.floor,
        "target": one.target,
        **estimate("measured", measured),
        "error": one.error,
        "saving_error": one.saving_error,
        "outside": MARKS.get(one.mark, ""),
        "costs_from": "; ".join(one.costs),
    }


def _attribution(run: Run, rows: Sequence[Row]) -> Iterator[Record]:
    """A line for the whole operation of each target, then one for each opcode."""
    for row, own in zip(rows, parts_of(run, rows), strict=True):
        for parts in own:
            named = {
                **_named(row),
                "target": parts.target,
            }
            yield {**named, **_whole(parts)}
            for request in parts.requests:
                told = {"opcode": request.opcode, "per_op": request.per_op}
                yield {**named, **told, **_shares(request.shares)}


def _whole(parts: Parts) -> Record:
    total = parts.total if parts.shares else math.nan
    told = {"opcode": "", "per_op": 1.0, **_shares(parts.shares)}
    return {**told, "sum": total, "timed": parts.timed, "why": parts.why}


def _shares(shares: Mapping[str, float]) -> Record:
    names = {CLIENT: "client", QUEUE: "queue", SERVER: "server", BOTH: "server_and_queue"}
    return {column: shares.get(name, math.nan) for name, column in names.items()}
