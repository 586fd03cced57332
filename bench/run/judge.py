"""A trial's own verdict: its counts held against claims and expectations; its twin is not looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench import registry
from bench.model import (
    Attach,
    Bound,
    Cache,
    Daemon,
    DaemonOptions,
    Level,
    Opcode,
    Outcome,
    Workload,
)
from bench.mounts.mount import TrialError
from bench.plan.schedule import options
from bench.plan.series import Series, Trial
from bench.requests import proof
from bench.results.record import TrialLine
from bench.run.bench import Bench
from bench.run.record import timeouts_held


def judge(bench: Bench, trial: Trial, record: TrialLine, *, rings: bool = False) -> None:
    """Set the verdict; a claim that does not hold, or a cold that was not cold, fails the trial.

    ``rings``: the server takes requests off rings, where its own counters do not see them.
    """
    series = trial.series
    daemon = registry.daemon(series.daemon)
    workload = registry.workloads()[series.workload]
    requests, plain = record["requests"], record["expected"]
    unseen = _unseen(rings, requests)
    if requests is None or plain is None:
        record["expected"] = None
        return
    if daemon.foreign or not timeouts_held(series):
        plain = {}  # of a server that is not known, or answers for longer than it was told
    bounds = {Opcode[name]: Bound(*limits) for name, limits in plain.items()}
    counts = _best_counts(requests)
    claims = claims_of_workload(daemon, workload, series)
    of_files = workload.of_files if attaches_files(daemon, series) else {}
    verdict, reason, failed = proof.verdict(
        subject=workload.subject,
        claims=claims,
        counts=counts,
        level=series.level,
        asked=series.asked,
        available=bench.ability.level,
        why="; ".join(bench.ability.reasons),
        plain=bounds,
        allowed=_of_directories(of_files, bounds, requests["ops"]),
        unseen=unseen,
    )
    told = proof.telling(workload.subject, claims.get(series.level, ()), bounds)
    expected = {
        name: expected_at(Opcode[name], limits, claims[series.level], series.level, of_files)
        for name, limits in plain.items()
    }
    record |= {"verdict": verdict.value, "verdict_reason": reason, "expected": expected}
    record["claimed"] = {op.name: of_files.get(op, 0.0) for op in sorted(told)}
    trouble = reason if failed else ""
    if requests["agree"] is False:
        trouble = f"kernel and server counts differ: {requests['why']}"
    elif series.cache is not Cache.WARM and not trouble:
        trouble = _not_cold(record, counts)
    if trouble:
        record |= {"outcome": Outcome.FAILED.value, "reason": trouble}


def claims_of_workload(
    daemon: Daemon, workload: Workload, series: Series
) -> dict[Level, frozenset[Opcode]]:
    """What a daemon claims by level, without what this workload has it ask for all the same."""
    claims = claims_by_level(daemon, options(series), series.cache)
    if workload.introduces and series.cache is not Cache.WARM:
        claims = {level: claimed - {Opcode.LOOKUP} for level, claimed in claims.items()}
    if workload.fresh:
        claims[Level.ATTACH_GETATTR] = claims.get(Level.ATTACH_GETATTR, frozenset()) - {
            Opcode.GETATTR
        }
    if attaches_files(daemon, series):
        claims = {level: claimed & about_files(workload) for level, claimed in claims.items()}
    return claims


def attaches_files(daemon: Daemon, series: Series) -> bool:
    """Whether the server of a series attaches regular files and nothing else."""
    return daemon.files_only or series.serving.attach is Attach.FILES


def about_files(workload: Workload) -> frozenset[Opcode]:
    """What a server that attaches regular files alone can claim of a workload: data, and what the
    workload says is asked about files."""
    return frozenset({Opcode.READ, Opcode.WRITE, *workload.of_files})


def _of_directories(
    of_files: Mapping[Opcode, float], plain: Mapping[Opcode, Bound], ops: float
) -> dict[Opcode, float]:
    """Requests that may arrive although the files are attached; of a stranger any number may, and
    its twin's counts decide."""
    return {
        op: max(0.0, plain[op].high - share) * ops if op in plain else math.inf
        for op, share in of_files.items()
    }


def _unseen(rings: bool, requests: Mapping[str, Any] | None) -> frozenset[Opcode]:
    """Opcodes that reach the server unseen: over io_uring background requests pass fuse_send_one by
    (fuse_uring_queue_bq_req, fs/fuse/dev_uring.c), unless the server counts for itself."""
    counts_itself = requests is not None and requests["server"] is not None
    return frozenset() if not rings or counts_itself else frozenset({Opcode.READ, Opcode.WRITE})


def expected_at(
    opcode: Opcode,
    plain: list[float],
    claimed: frozenset[Opcode],
    level: Level,
    of_files: Mapping[Opcode, float],
) -> list[float]:
    """Bounds on a plain server, as far as the level, or what it attaches, leaves them standing."""
    if opcode in claimed and opcode in of_files:
        return [max(0, limit - of_files[opcode]) for limit in plain]
    if opcode in claimed:
        return [0, 0]
    # Without readdir passthrough some lookups stay in the kernel and some introduce: no lower bound.
    return [0, plain[1]] if level is Level.LOOKUP else plain


def claims_by_level(
    daemon: Daemon, chosen: DaemonOptions, cache: Cache
) -> dict[Level, frozenset[Opcode]]:
    """What a daemon claims at every level it speaks, at otherwise the same options."""
    return {level: daemon.claims(replace(chosen, level=level), cache) for level in daemon.levels}


def _best_counts(requests: Mapping[str, Any]) -> dict[Opcode, int]:
    """The kernel's counts, or the server's where there is no tracepoint."""
    raw = requests["kernel"] if requests["kernel"] is not None else requests["server"]
    if raw is None:
        raise TrialError(f"requests cannot be counted here: {requests['why']}")
    return {Opcode[name]: number for name, number in raw.items()}


def _not_cold(record: Mapping[str, Any], counts: Mapping[Opcode, int]) -> str:
    """A cold window must have sent what a first contact sends: the lower bounds expected."""
    ops = record["requests"]["ops"]
    for name, (low, _high) in record["expected"].items():
        actual = counts.get(Opcode[name], 0) / ops
        if actual < low * 0.999:
            return f"was not cold: {actual:.3g} {name} per {record['unit']}, at least {low:.3g} expected"
    return ""
