"""Latencies of an open loop as plain text: what an operation takes from when it was due.

A closed loop begins an operation when the last is done, and so waits with its load for a slow answer;
what comes from outside does not. Both stand side by side where a run recorded both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.model import Outcome
from bench.report import units
from bench.stats.estimates import percentiles
from bench.stats.frame import Run, records

SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)
HEADS = ("p50", "p90", "p99", "p99.9", "slowest")


def lines(run: Run) -> list[str]:
    """A paragraph for each trial that recorded one; none where no rate was asked for."""
    said = [line for trial in records(run.trials) for line in _trial(trial)]
    if not said:
        return []
    head = "Open loop: latency from when an operation was due; closed loop beneath, where recorded"
    return [units.ascii_only(line) for line in (*units.wrapped(head), "", *said)]


def _trial(trial: Mapping[str, Any]) -> Iterator[str]:
    loop = trial["open_loop"]
    if not isinstance(loop, dict) or trial["outcome"] != Outcome.OK:
        return
    name = f"{trial['row']} on {trial['target']}, round {trial['round']}"
    kept = f"{loop['asked']:,.0f} a second asked for, {loop['kept']:,.0f} kept"
    yield from units.wrapped(f"{name}: {kept}", 2)
    yield from _told("open", loop["histogram"])
    if isinstance(trial["histogram"], dict) and trial["histogram"]:
        yield from _told("closed", trial["histogram"])
    yield ""


def _told(kind: str, histogram: Mapping[str, int]) -> Sequence[str]:
    found = percentiles({float(bound): int(count) for bound, count in histogram.items()}, SHARES)
    told = ", ".join(
        f"{head} {units.duration(ns / 1e9)}" for head, ns in zip(HEADS, found, strict=True)
    )
    return units.wrapped(f"  {kind}: {told}", 4)
