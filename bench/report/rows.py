"""What every table and chart is drawn from: one row per workload, one line in it per target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.axes.rowkey import RowKey
from bench.model import Outcome, Verdict
from bench.report import units
from bench.report.controls import controls
from bench.report.row import Line, RequestsPerOp, Row
from bench.report.targets import (
    TargetInRow,
    baseline_of,
    baselines,
    beside,
    first_kernels,
    same_server,
    targets,
)
from bench.results.record import AS_ASKED
from bench.stats.estimates import (
    Estimate,
    centre,
    over_boots,
    paired_ratio,
    percentiles,
    trial_medians,
)
from bench.stats.frame import Run, records
from bench.stats.guards import SeriesKey
from bench.stats.judging import Table, flags_of, judge
from bench.stats.noise_floor import of_boots

Record = Mapping[str, Any]

SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)
"""The percentiles of latency that are drawn; 1.0 is the slowest operation."""


WORST_FIRST = (
    Verdict.NOT_ENGAGED,
    Verdict.NOT_AVAILABLE,
    Verdict.UNCOUNTED,
    Verdict.NO_TWIN,
    Verdict.ENGAGED,
    Verdict.NOTHING,
    Verdict.NO_CLAIM,
    Verdict.BASELINE,
)


def rows(run: Run) -> list[Row]:
    """Every row of the run, in the order the run was asked for."""
    medians = trial_medians(run.samples)
    against, known = baselines(run), targets(run)
    groups: dict[RowKey, list[Record]] = {}
    for record in records(run.trials):
        groups.setdefault(record["key"], []).append(record)
    # Not every part of a matrix measures every target; elsewhere one that is missing is trouble.
    parts = (run.about.get("settings") or {}).get("parts")
    expected = frozenset() if parts else _expected(run, known)
    made = [
        _row(key, own, known, expected, medians, against, _floor(run, key))
        for key, own in groups.items()
    ]
    made = _judged(made, run, medians)
    return sorted(made, key=lambda row: _order(row, _asked(run)))


def _expected(run: Run, known: Sequence[TargetInRow]) -> frozenset[str]:
    """Targets that every row has; one that the plan left out of some is told as skipped, once."""
    skipped = {str(one["what"]) for one in run.about.get("skipped") or ()}
    return frozenset(one.name for one in known if not {one.name, one.base} & skipped)


def _judged(
    made: Sequence[Row], run: Run, medians: Mapping[SeriesKey, Mapping[int, float]]
) -> list[Row]:
    """The rows with a judgement beside every ratio and the guards' flags on every line."""
    table = _table(made, run, medians)
    flags = flags_of(table)
    judgements = judge(table, flags)

    def judged(key: str, line: Line) -> Line:
        name = line.target.name
        found = {
            base: judgements[key, name, base]
            for base in line.ratios
            if (key, name, base) in judgements
        }
        return replace(
            line,
            judgements=found,
            flags=tuple(flags.get((key, name), ())),
            control=(key, name) in table.controls,
        )

    return [replace(row, lines=tuple(judged(row.slug, line) for line in row.lines)) for row in made]


def _table(
    made: Sequence[Row], run: Run, medians: Mapping[SeriesKey, Mapping[int, float]]
) -> Table:
    """The rows as what is judged together."""
    lines = [(row.slug, line) for row in made for line in row.lines]
    known, against = targets(run), baselines(run)
    twins = [(one.name, other.base) for one in known for other in known if same_server(one, other)]
    return Table(
        ratios={
            (key, line.target.name, name): ratio
            for key, line in lines
            for name, ratio in line.ratios.items()
            if not line.target.native
        },
        verdicts={(key, line.target.name): line.verdict for key, line in lines},
        floor=next((target.base for target in known if target.native), ""),
        twins=twins,
        trials=run.trials,
        samples=run.samples,
        medians=medians,
        timed=units.quantity() is units.WALL,
        controls=_controls(made, run, against[-1], twins) if against else set(),
        in_kernel={one.base for one in known if not one.fuse and not one.native},
        noise=run.noise,
    )


def _controls(
    made: Sequence[Row], run: Run, baseline: str, twins: Sequence[tuple[str, str]]
) -> set[SeriesKey]:
    """The series in which nothing may differ from the baseline, which is their twin."""
    counts = {
        (row.slug, row.work): {
            line.target.name: line.requests.per_op
            for line in row.lines
            if line.requests is not None and line.time.known
        }
        for row in made
    }
    found = controls(run.about, counts, baseline)
    return {key for key in found if (key[1], baseline) in twins}


def _asked(run: Run) -> list[str]:
    """Workloads as the command line, or the parts of a matrix, list them."""
    settings = run.about.get("settings") or {}
    lists = [settings.get("workloads"), *(p.get("workloads") for p in settings.get("parts") or ())]
    return [str(name) for one in lists if isinstance(one, list) for name in one]


def _order(row: Row, asked: Sequence[str]) -> tuple[object, ...]:
    names = [name for name in (row.work, row.key.workload) if name in asked]
    return min((asked.index(name) for name in names), default=10**6), row.key.order


def _row(
    key: RowKey,
    records: Sequence[Record],
    known: Sequence[TargetInRow],
    expected: Collection[str],
    medians: Mapping[SeriesKey, Mapping[int, float]],
    against: Sequence[str],
    floor: float,
) -> Row:
    first = records[0]
    series = {target.name: medians.get((key.slug, target.name), {}) for target in known}
    own = {target.name: [r for r in records if r["target"] == target.name] for target in known}
    lines = [
        _line(target, number, own[target.name], series, against, known, floor)
        for number, target in enumerate(known)
        if target.name in expected or own[target.name]
    ]
    fuse = [record for record in records if record["requests"] is not None] or records
    return Row(
        key=key,
        op=_first(record["op"] for record in records),
        unit=str(first["unit"]),
        cache_how=_first(record["cache_how"] for record in fuse),
        own=_own_timeouts(fuse),
        lines=tuple(lines),
        floor=floor,
    )


def _floor(run: Run, key: RowKey) -> float:
    """What an A/A run showed of a row by chance: in as many rounds as the run's, or in one boot."""
    if units.quantity() is units.INSTRUCTIONS:
        return of_boots(run.noise, key.slug)
    noise = run.noise.get(key.slug)
    rounds = len(set(run.trials["round"])) if noise else 0
    return noise.at(rounds) if noise else 0.0


def interval(estimate: Estimate, floor: float = 0.0) -> Estimate:
    """An estimate as tables show it: for instructions its range over the boots, which agree closely.

    ``floor`` is what one boot of an A/A pair of the row shows, by which a ratio's range is widened.
    """
    return over_boots(estimate, floor) if units.quantity() is units.INSTRUCTIONS else estimate


def _line(
    target: TargetInRow,
    number: int,
    records: Sequence[Record],
    series: Mapping[str, Mapping[int, float]],
    against: Sequence[str],
    known: Sequence[TargetInRow],
    floor: float,
) -> Line:
    own = series[target.name]
    baseline = baseline_of(target, known, against)
    # A passthrough in Python is not held against a server in C, nor the other way round.
    names = dict.fromkeys((*against[:-1], baseline) if target.twin else (*against, baseline))
    good = [record for record in records if record["outcome"] == Outcome.OK]
    verdict = _verdict(good or records)
    return Line(
        target=target,
        number=number,
        time=interval(centre(list(own.values()))),
        ratios={
            name: interval(paired_ratio(own, series.get(beside(name, target), {})), floor)
            for name in names
            if name not in ("", target.base)
        },
        other_ratios={
            label: interval(paired_ratio(own, series[other]), floor)
            for label, other in first_kernels(target, known).items()
        },
        baseline=baseline,
        requests=_requests(good, verdict) if target.fuse else None,
        verdict=verdict,
        verdict_reason=_first(
            record["verdict_reason"] for record in records if record["verdict"] == verdict
        ),
        trouble=_trouble(records),
        latency=tuple(
            percentiles({float(bound): int(n) for bound, n in record["histogram"].items()}, SHARES)
            for record in good
            if isinstance(record["histogram"], dict) and record["histogram"]
        ),
    )


def _verdict(records: Sequence[Record]) -> str:
    given = {str(record["verdict"]) for record in records}
    return next((verdict.value for verdict in WORST_FIRST if verdict in given), "")


def _requests(good: Sequence[Record], verdict: str) -> RequestsPerOp:
    """Requests per operation summed over the counting passes of a series."""
    counted = [record["requests"] for record in good if isinstance(record["requests"], dict)]
    sums: Counter[str] = Counter()
    ops = 0.0
    for entry in counted:
        source = entry.get("kernel") if entry.get("kernel") is not None else entry.get("server")
        if source is not None and entry.get("ops"):
            sums.update({str(opcode): int(count) for opcode, count in source.items()})
            ops += float(entry["ops"])
    expected: Record = next((record["expected"] for record in good if record["expected"]), {})
    bounds = {str(opcode): (float(low), float(high)) for opcode, (low, high) in expected.items()}
    if not ops:
        why = _first(entry.get("why") or "" for entry in counted) or "not counted"
        return RequestsPerOp({}, bounds, (), why)
    per_op = {opcode: count / ops for opcode, count in sorted(sums.items()) if count}
    disagree = any(entry.get("agree") is False for entry in counted)
    note = "kernel's and server's counts disagree" if disagree else ""
    return RequestsPerOp(per_op, bounds, _outside(per_op, bounds, verdict), note)


def requests_per_op(trials: Sequence[Record]) -> float | None:
    """All requests per operation of a series; None where none were counted."""
    good = [one for one in trials if one["outcome"] == Outcome.OK]
    if not any(isinstance(one["requests"], dict) for one in good):
        return None
    found = _requests(good, "")
    return None if found.note and not found.per_op else found.total


def _outside(
    per_op: Mapping[str, float], bounds: Mapping[str, tuple[float, float]], verdict: str
) -> tuple[str, ...]:
    """Opcodes counted outside of their bounds; fewer is the point where passthrough engaged."""
    slack = 1e-9
    return tuple(
        opcode
        for opcode, (low, high) in sorted(bounds.items())
        if per_op.get(opcode, 0.0) > high + slack
        or (per_op.get(opcode, 0.0) < low - slack and verdict != Verdict.ENGAGED)
    )


def _trouble(records: Sequence[Record]) -> tuple[str, ...]:
    """Failed and skipped trials in words; a target without any trial is trouble, too."""
    if not records:
        return ("no trial in this run",)
    counts = Counter(
        (str(record["outcome"]), str(record["reason"]) or "no reason recorded")
        for record in records
        if record["outcome"] != Outcome.OK
    )
    return tuple(
        f"{count} of {units.times(len(records), 'trial')} {outcome}: {reason}"
        for (outcome, reason), count in sorted(counts.items())
    )


def _own_timeouts(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(str(record["target"]) for record in records if record["timeouts"] != AS_ASKED)
    )


def _first(texts: Iterable[object]) -> str:
    """The first text that says something."""
    return next((str(text) for text in texts if text), "")
