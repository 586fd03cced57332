"""One trial from mount to unmount, turned into the one record that is written down."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench import registry
from bench.machine import disturbance, isolate, userns
from bench.model import Cache, Clock, Context, Daemon, DaemonOptions, Outcome, Shape
from bench.mounts.mount import Mount, ServerEnd, TrialError
from bench.plan.product import windows_of_a_mount
from bench.plan.schedule import options
from bench.plan.series import Trial
from bench.profile import inside
from bench.requests.rings import uses_rings
from bench.results.kinds import Wrong
from bench.results.record import TrialLine, checked
from bench.run import conformance, watch
from bench.run.bench import Bench
from bench.run.job import Job
from bench.run.judge import judge
from bench.run.phases import Phases
from bench.run.record import header
from bench.run.workers import run_worker

SPOT_CHECKS = 16
"""Entries compared with the backing after every trial's last window."""


@dataclass(frozen=True)
class Windows:
    """What is done on one mount."""

    count: bool = True
    measure: bool = True
    profile: bool = False


def run(bench: Bench, trial: Trial) -> tuple[TrialLine, str]:
    """Do one trial; returns its record and the pyperf JSON of its values ("" when there are none).

    What goes wrong becomes a failed record; only KeyboardInterrupt and bugs pass through.
    """
    phases = Phases()
    record = header(bench, trial)
    pyperf_json = ""
    try:
        answer, pyperf_json, server = _measure(bench, trial, phases)
        rings = bool(answer.pop("rings", False))
        record = checked({**record, **answer, "server": server})
        judge(bench, trial, record, rings=rings)
    except (TrialError, OSError, Wrong) as error:
        record |= {"outcome": Outcome.FAILED.value, "reason": str(error)}
    if record["outcome"] != Outcome.OK:
        pyperf_json = ""
    record["phases"] = phases.rounded()
    return record, pyperf_json


def _measure(
    bench: Bench, trial: Trial, phases: Phases
) -> tuple[dict[str, Any], str, dict[str, Any] | None]:
    """Count, time and profile: on one mount, or on one for each where a window uses a mount up."""
    workload = registry.workloads()[trial.series.workload]
    daemon = registry.daemon(trial.series.daemon)
    if workload.shape is not Shape.ONCE:
        return _on_mount(bench, trial, phases, Windows(profile=bench.settings.profile))
    counted: dict[str, Any] = {}
    if daemon.is_fuse:
        counted, _, _ = _on_mount(bench, trial, phases, Windows(measure=False))
    if bench.settings.profile:
        only = Windows(count=False, measure=False, profile=True)
        counted |= _on_mount(bench, trial, phases, only)[0]
    answer, pyperf_json, server = _on_mount(bench, trial, phases, Windows(count=False))
    return counted | answer, pyperf_json, server


def _on_mount(
    bench: Bench, trial: Trial, phases: Phases, windows: Windows
) -> tuple[dict[str, Any], str, dict[str, Any] | None]:
    series = trial.series
    daemon = registry.daemon(series.daemon)
    log = bench.logs / f"{trial.round:02}-{series.label}.log"
    cpus = bench.cpus_for(series.threads)
    watched = {*cpus.client, *cpus.daemon}
    with phases("cache"):
        how = make_cache_state(bench, series.cache)
    mountpoint = isolate.runtime() / series.target
    mount = Mount(daemon, bench.backing, mountpoint, _options(trial, daemon))
    mount.start, mount.patience = bench.start_daemon, bench.patience
    try:
        with phases("mount"):
            mount.up(cpus.daemon, log, bench.tick)
        rings = uses_rings(mount.server)
        before = look(bench, mount, watched)
        with phases("worker"):
            answer, pyperf_json = run_worker(bench, _job(bench, trial, mount, windows), log, mount)
        if "profile" in answer and mount.server:
            answer["profile"]["maps"]["server"] = inside.executable(mount.server)
        if before is not None and (after := look(bench, mount, watched)) is not None:
            seen = disturbance.between(before, after, len(watched) or os.cpu_count() or 1)
            answer |= {"noise": seen, "disturbed": disturbance.causes(seen)}
        for name, seconds in answer.pop("phases", {}).items():
            phases.add(name, seconds)
            phases.add("worker", -seconds)
        with phases("check"):
            _spot_check(bench, trial, mount, log)
        with phases("unmount"):
            end = mount.down()
    except BaseException:
        mount.destroy()
        raise
    finally:
        if mount.options.counters is not None:
            mount.options.counters.unlink(missing_ok=True)
        bench.settle()
    return answer | {"cache_how": how, "rings": rings}, pyperf_json, _server_record(end)


def _options(trial: Trial, daemon: Daemon) -> DaemonOptions:
    chosen = options(trial.series)
    if not daemon.has_counters:
        return chosen
    return replace(chosen, counters=isolate.runtime() / f"{trial.series.target}.counters")


def _job(bench: Bench, trial: Trial, mount: Mount, windows: Windows) -> Job:
    series, settings = trial.series, bench.settings
    context = Context(
        root=mount.root,
        tree=bench.tree,
        variant=series.variant,
        seed=trial.seed,
        names=settings.names,
        windows=windows_of_a_mount(settings),
        buffer=settings.buffer,
        backing=None if registry.daemon(series.daemon).copies_up else bench.backing,
        xattr=series.serving.xattr.value,
        acls=userns.initial(),
        rate=settings.rate,
        histogram=settings.histogram,
        **series.key.given(Context),
    )
    return Job(
        workload=series.workload,
        label=series.label,
        context=context,
        connection=mount.connection if mount.connection >= 0 else None,
        counters=mount.options.counters,
        count=windows.count,
        measure=windows.measure,
        attribution=settings.attribution and windows.measure,
        profile=inside.number_of(series.label, trial.attempt) if windows.profile else None,
        values=settings.values,
        window_s=settings.window_s,
        clock=settings.clock,
        pipe=-1,
        result=-1,
    )


def look(bench: Bench, mount: Mount, watched: Collection[int]) -> disturbance.Reading | None:
    """What else goes on; None on the instruction clock, which nothing else can disturb."""
    if bench.settings.clock is Clock.INSTRUCTIONS:
        return None
    return disturbance.take(watched, mount.server or None)


def make_cache_state(bench: Bench, cache: Cache) -> str:
    """Bring the caches beneath the mount into the state asked for; says in words how."""
    if cache is Cache.COLD_ALL:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
        return "fresh mount after sync and drop_caches=3"
    bench.warm_backing()
    if cache is Cache.COLD_FUSE:
        return "fresh mount, backing walked before"
    return "every name visited on this mount before counting and timing"


def _spot_check(bench: Bench, trial: Trial, mount: Mount, log: Path) -> None:
    if mount.process is None:
        return
    check = partial(
        conformance.spot_check,
        bench.backing,
        mount.root,
        bench.paths(SPOT_CHECKS, trial.seed),
        exempt=mount.daemon.exempt,
    )
    found = watch.look(bench, mount, log, "spot check", check)
    if found.differences:
        raise TrialError(f"wrong answer after the last window: {found.differences[0]}")


def _server_record(end: ServerEnd | None) -> dict[str, Any] | None:
    return None if end is None else {"exit": end.exit, "rss_kib": end.rss_kib, "cpu_s": end.cpu_s}
