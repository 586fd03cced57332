"""A trial's record before anything was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from bench import registry
from bench.axes.targets import SERVING
from bench.model import Outcome, Verdict
from bench.plan.series import Series, Trial
from bench.results.record import AS_ASKED, THE_SERVERS_OWN, TrialLine
from bench.run.bench import Bench

NOTHING_YET = {
    "outcome": Outcome.OK.value,
    "reason": "",
    "loops": 0,
    "ops_per_loop": 0,
    "empty_loop_ns": None,
    "requests": None,
    "expected": None,
    "claimed": None,
    "verdict": Verdict.BASELINE.value,
    "verdict_reason": "",
    "histogram": None,
    "open_loop": None,
    "attribution": None,
    "profile": None,
    "cache_how": "",
    "server": None,
    "noise": None,
    "disturbed": "",
}
"""Keys of a record that a trial fills in as it goes on."""


def skipped(bench: Bench, trial: Trial, reason: str) -> TrialLine:
    """The record of a trial that could not be tried."""
    return {**header(bench, trial), "outcome": Outcome.SKIPPED.value, "reason": reason}


def header(bench: Bench, trial: Trial) -> TrialLine:
    """A trial's record before anything was done."""
    series = trial.series
    workload = registry.workloads()[series.workload]
    daemon = registry.daemon(series.daemon)
    cpus = bench.cpus_for(series.threads)
    made = {
        "series": series.label,
        "target": series.target,
        "daemon": series.daemon,
        "kernel": series.kernel,
        "workload": series.workload,
        "variant": series.variant,
        **series.key.columns(),
        "level": series.level.value,
        "readdir": series.readdir,
        **{axis.column: axis.record(daemon, series.serving) for axis in SERVING},
        "timeouts": AS_ASKED if timeouts_held(series) else THE_SERVERS_OWN,
        "round": trial.round,
        "position": trial.position,
        "seed": trial.seed,
        "attempt": trial.attempt,
        "started": datetime.now(UTC).astimezone().isoformat(timespec="milliseconds"),
        **NOTHING_YET,
        "op": workload.op,
        "unit": workload.unit,
        "values": [],
        "cpus": {"client": sorted(cpus.client), "daemon": sorted(cpus.daemon)},
        "phases": {},
    }
    return cast(TrialLine, made)


def timeouts_held(series: Series) -> bool:
    """Whether the server gives the timeouts the series names, or its own."""
    control = registry.daemon(series.daemon).timeouts
    return control.holds(series.timeouts.attr, series.timeouts.entry)
