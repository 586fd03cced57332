"""What every table and chart is drawn from: one row per workload, one line in it per target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.frame import Run
from bench.guards import Flag, SeriesKey
from bench.model import Cache, Level, Outcome, Verdict
from bench.noise import load_noise_floor
from bench.report import units
from bench.report.judging import Table, flags_of, judge
from bench.stats import Estimate, centre, paired_ratio, percentiles, trial_medians
from bench.verdicts import Judgement

Record = Mapping[str, Any]

SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)
"""The percentiles of latency that are drawn; 1.0 is the slowest operation."""

WORST_FIRST = (
    Verdict.NOT_ENGAGED,
    Verdict.NOT_AVAILABLE,
    Verdict.ENGAGED,
    Verdict.NO_CLAIM,
    Verdict.BASELINE,
)


@dataclass(frozen=True)
class Target:
    """One target as run.json names it."""

    name: str
    daemon: str
    native: bool
    fuse: bool
    """Whether its operations can become requests; overlayfs and a bind mount make none."""
    asked: str
    level: str
    reason: str
    """Why the level in force is lower than the one asked for."""


@dataclass(frozen=True)
class Requests:
    """Requests per operation by opcode, counted and expected of a plain server."""

    per_op: Mapping[str, float]
    expected: Mapping[str, tuple[float, float]]
    outside: tuple[str, ...]
    """Opcodes whose count lies outside of what was expected."""
    note: str
    """Why nothing was counted, or that the two sources disagree."""

    @property
    def total(self) -> float:
        """All requests per operation."""
        return sum(self.per_op.values())


@dataclass(frozen=True)
class Line:
    """One target in a row: its time, its ratios, its requests, and what went wrong."""

    target: Target
    time: Estimate
    ratios: Mapping[str, Estimate]
    """By baseline; the target's own name is not in it."""
    requests: Requests | None
    verdict: str
    verdict_reason: str
    trouble: tuple[str, ...]
    """Trials that failed or were skipped, counted, with the reason."""
    latency: tuple[tuple[float, ...], ...]
    """The percentiles of SHARES in ns, for each trial that recorded a histogram."""
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    """What each ratio shows, by baseline; none of the floor, which is what others are held to."""
    flags: tuple[Flag, ...] = ()
    """What the guards saw in the series: outliers, drift, and what makes it implausible."""


@dataclass(frozen=True)
class Row:
    """One workload, variant, cache state, thread count and placement, over all targets."""

    key: str
    """Unique in the run, and good for a file name."""
    name: str
    op: str
    unit: str
    cache: str
    cache_how: str
    threads: int
    placement: str
    timeouts: str
    lines: tuple[Line, ...]

    @property
    def setting(self) -> str:
        """What the row was measured under, in words."""
        return (
            f"cache {self.cache}, {units.times(self.threads, 'thread')}, "
            f"attr/entry timeout {self.timeouts}"
        )


def targets(run: Run) -> tuple[Target, ...]:
    """The targets in table order; one that only a trial names comes last."""
    listed = [_target(entry) for entry in run.about.get("targets") or () if "name" in entry]
    names = {target.name for target in listed}
    stray = sorted({str(name) for name in run.trials["target"]} - names)
    return (*listed, *(_target({"name": name}) for name in stray))


def baselines(run: Run) -> tuple[str, ...]:
    """What ratios are taken against: the floor, then the server without passthrough.

    That is the twin of the one that passes through: a ratio of two servers' languages says nothing.
    """
    known = targets(run)
    native = [target.name for target in known if target.native]
    plain = [t.name for t in known if t.fuse and t.asked in ("", Level.NONE)]
    in_c = any(target.daemon == "passthrough-c" for target in known)
    twin = "plain-c" if in_c else "plain"
    plain.sort(key=lambda name: name.partition("@")[0] != twin)
    return (*native[:1], *plain[:1])


def rows(run: Run) -> list[Row]:
    """Every row of the run, in the order the run was asked for."""
    medians = trial_medians(run.samples)
    against = baselines(run)
    groups: dict[str, list[Record]] = {}
    for record in run.trials.to_dict("records"):
        groups.setdefault(str(record["group"]), []).append(
            {str(key): value for key, value in record.items()}
        )
    made = [_row(key, records, run, medians, against) for key, records in groups.items()]
    made = _judged(made, run, medians)
    return sorted(made, key=lambda row: _order(row, run))


def _judged(
    made: Sequence[Row], run: Run, medians: Mapping[SeriesKey, Mapping[int, float]]
) -> list[Row]:
    """The rows with a judgement beside every ratio and the guards' flags on every line."""
    lines = [(row.key, line) for row in made for line in row.lines]
    known = targets(run)
    noise = load_noise_floor(run.path.parent)
    table = Table(
        ratios={
            (key, line.target.name, name): ratio
            for key, line in lines
            for name, ratio in line.ratios.items()
            if not line.target.native
        },
        verdicts={(key, line.target.name): line.verdict for key, line in lines},
        floor=next((target.name for target in known if target.native), ""),
        twins=[(one.name, other.name) for one in known for other in known if _twins(one, other)],
        samples=run.samples,
        medians=medians,
        timed=units.quantity() is units.WALL,
        noise={key: one.floor for key, one in noise.items()},
    )
    flags = flags_of(table)
    judgements = judge(table, flags)

    def judged(key: str, line: Line) -> Line:
        name = line.target.name
        found = {
            base: judgements[key, name, base]
            for base in line.ratios
            if (key, name, base) in judgements
        }
        return replace(line, judgements=found, flags=tuple(flags.get((key, name), ())))

    return [replace(row, lines=tuple(judged(row.key, line) for line in row.lines)) for row in made]


def _twins(one: Target, other: Target) -> bool:
    """Whether the other is the same server with passthrough off."""
    return one.daemon != other.daemon == one.daemon.replace("passthrough", "plain")


def _order(row: Row, run: Run) -> tuple[object, ...]:
    asked = run.about.get("settings", {}).get("workloads")
    workload = row.name.partition("/")[0]
    place = asked.index(workload) if isinstance(asked, list) and workload in asked else 10**6
    caches = [cache.value for cache in Cache]
    cache = caches.index(row.cache) if row.cache in caches else len(caches)
    return place, row.name, cache, row.threads, row.placement


def _target(entry: Mapping[str, Any]) -> Target:
    name = str(entry["name"])
    kind = entry.get("kind", "native" if name == "native" else "fuse")
    level = str(entry.get("level") or "")
    return Target(
        name=name,
        daemon=str(entry.get("daemon") or name),
        native=kind == "native",
        fuse=kind == "fuse",
        asked=str(entry.get("level_asked") or level),
        level=level,
        reason=str(entry.get("level_reason") or ""),
    )


def _row(
    key: str,
    records: Sequence[Record],
    run: Run,
    medians: Mapping[SeriesKey, Mapping[int, float]],
    against: Sequence[str],
) -> Row:
    first = records[0]
    lines = []
    for target in targets(run):
        own = [record for record in records if record["target"] == target.name]
        series = {name: medians.get((key, name), {}) for name in (target.name, *against)}
        lines.append(_line(target, own, series, against))
    fuse = [record for record in records if record["requests"] is not None] or records
    return Row(
        key=key,
        name=str(first["row"]),
        op=_first(record["op"] for record in records),
        unit=str(first["unit"]),
        cache=str(first["cache"]),
        cache_how=_first(record["cache_how"] for record in fuse),
        threads=int(first["threads"]),
        placement=str(first["placement"]),
        timeouts=_timeouts(fuse),
        lines=tuple(lines),
    )


def _interval(estimate: Estimate) -> Estimate:
    """Of instructions the range over the boots: two boots agree to a fraction of a per cent."""
    if units.quantity() is not units.INSTRUCTIONS or len(estimate.points) < 2:
        return estimate
    return replace(estimate, low=min(estimate.points), high=max(estimate.points), note="")


def _line(
    target: Target,
    records: Sequence[Record],
    series: Mapping[str, Mapping[int, float]],
    against: Sequence[str],
) -> Line:
    own = series[target.name]
    good = [record for record in records if record["outcome"] == Outcome.OK]
    verdict = _verdict(good or records)
    return Line(
        target=target,
        time=_interval(centre(list(own.values()))),
        ratios={
            name: _interval(paired_ratio(own, series[name]))
            for name in against
            if name != target.name
        },
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


def _requests(good: Sequence[Record], verdict: str) -> Requests:
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
        return Requests({}, bounds, (), why)
    per_op = {opcode: count / ops for opcode, count in sorted(sums.items()) if count}
    disagree = any(entry.get("agree") is False for entry in counted)
    note = "kernel's and server's counts disagree" if disagree else ""
    return Requests(per_op, bounds, _outside(per_op, bounds, verdict), note)


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


def _timeouts(records: Sequence[Record]) -> str:
    pairs = dict.fromkeys(
        f"{units.seconds(record['attr_timeout'])}/{units.seconds(record['entry_timeout'])}"
        for record in records
    )
    return " or ".join(pairs)


def _first(texts: Iterable[object]) -> str:
    """The first text that says something."""
    return next((str(text) for text in texts if text), "")
