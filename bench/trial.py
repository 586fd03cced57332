"""One trial from mount to unmount, turned into the one record that is written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from bench import conformance, disturbance, isolate, placement, proof, registry
from bench.backing import Backing
from bench.model import (
    Bound,
    Cache,
    Clock,
    Context,
    Daemon,
    DaemonOptions,
    Level,
    Opcode,
    Outcome,
    Series,
    Shape,
    Sync,
    Trial,
    Verdict,
)
from bench.mount import Mount, ServerEnd, TrialError, describe_exit, spawn
from bench.plan import Settings, options
from bench.probe import KernelAbility
from bench.worker import Job, serve

AS_ASKED, THE_SERVERS_OWN = "as asked", "the server's own"
"""Whose timeouts held during a trial."""
SPOT_CHECKS = 16
"""Entries compared with the backing after every trial's last window."""


@dataclass
class Bench:
    """What all trials of a run share: where things are, and who runs where."""

    settings: Settings
    backing: Path
    tree: Mapping[str, int | str]
    paths: Callable[[int, int], list[str]]
    """(count, seed) -> that many paths of files of the tree, for spot checks."""
    logs: Path
    cpus: placement.Plan
    """Who runs where, with one client thread."""
    ability: KernelAbility
    """What the kernel was found to pass through."""
    filled: Backing
    """The backing and what it lies on."""
    latency: str
    """What became of /dev/cpu_dma_latency, in words."""
    start_worker: Callable[[Job, Collection[int], IO[bytes]], isolate.Child]
    start_daemon: Callable[[list[str], Collection[int], IO[bytes]], isolate.Child] = spawn
    settle: Callable[[], None] = lambda: None
    """Called after every unmount, before the next mount."""
    tick: Callable[[], None] = lambda: None
    warm_backing: Callable[[], None] = lambda: None
    tuned: list[dict[str, Any]] = field(default_factory=list)
    """What was changed of the machine for the run (bench.tune)."""
    crowds: Mapping[int, placement.Plan] = field(default_factory=dict)
    """Who runs where with more client threads, by their number."""
    patience: float = 1.0
    """Factor on every timeout. Infinite where this clock says nothing of waiting: see bench.guest."""

    def cpus_for(self, threads: int) -> placement.Plan:
        """Who runs where with so many client threads."""
        return self.crowds.get(threads, self.cpus)

    @property
    def trial_timeout_s(self) -> float:
        """After this long a worker counts as hung."""
        return self.patience * (120.0 + 0.002 * int(self.tree["files"]))


class Phases:
    """Wall-clock seconds by phase of one trial."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began


def run(bench: Bench, trial: Trial) -> tuple[dict[str, Any], str]:
    """Do one trial; returns its record and the pyperf JSON of its values ("" when there are none).

    What goes wrong becomes a failed record; only KeyboardInterrupt and bugs pass through.
    """
    phases = Phases()
    record = header(bench, trial)
    pyperf_json = ""
    try:
        answer, pyperf_json, server = _measure(bench, trial, phases)
        record |= answer | {"server": server}
        _judge(bench, trial, record)
    except (TrialError, OSError) as error:
        record |= {"outcome": Outcome.FAILED.value, "reason": str(error)}
    if record["outcome"] != Outcome.OK:
        pyperf_json = ""
    record["phases"] = {name: round(taken, 4) for name, taken in phases.seconds.items()}
    return record, pyperf_json


def skipped(bench: Bench, trial: Trial, reason: str) -> dict[str, Any]:
    """The record of a trial that could not be tried."""
    return header(bench, trial) | {"outcome": Outcome.SKIPPED.value, "reason": reason}


def header(bench: Bench, trial: Trial) -> dict[str, Any]:
    """A trial's record before anything was done."""
    series = trial.series
    workload = registry.workloads()[series.workload]
    daemon = registry.daemon(series.daemon)
    cpus = bench.cpus_for(series.threads)
    return {
        "series": series.label,
        "target": series.target,
        "daemon": series.daemon,
        "kernel": series.kernel,
        "workload": series.workload,
        "variant": series.variant,
        "cache": series.cache.value,
        "threads": series.threads,
        "placement": series.placement.value,
        "level": series.level.value,
        "readdir": series.readdir,
        "readdir_mode": daemon.mode(series.serving),
        "server_threads": series.serving.threads,
        "clone_fd": series.serving.clone_fd,
        "delay_ns": {opcode.name: ns for opcode, ns in series.serving.delay},
        "entries": series.entries,
        "clock": bench.settings.clock,
        "attr_timeout": series.attr_timeout,
        "entry_timeout": series.entry_timeout,
        "timeouts": AS_ASKED if timeouts_held(series) else THE_SERVERS_OWN,
        "round": trial.round,
        "position": trial.position,
        "seed": trial.seed,
        "attempt": trial.attempt,
        "started": datetime.now(UTC).astimezone().isoformat(timespec="milliseconds"),
        "outcome": Outcome.OK.value,
        "reason": "",
        "op": workload.op,
        "unit": workload.unit,
        "loops": 0,
        "ops_per_loop": 0,
        "values": [],
        "empty_loop_ns": None,
        "requests": None,
        "expected": None,
        "verdict": Verdict.BASELINE.value,
        "verdict_reason": "",
        "histogram": None,
        "attribution": None,
        "cache_how": "",
        "cpus": {"client": sorted(cpus.client), "daemon": sorted(cpus.daemon)},
        "server": None,
        "noise": None,
        "disturbed": "",
        "phases": {},
    }


def timeouts_held(series: Series) -> bool:
    """Whether the server gives the timeouts the series names, or its own."""
    control = registry.daemon(series.daemon).timeouts
    return control.holds(series.attr_timeout, series.entry_timeout)


def _measure(
    bench: Bench, trial: Trial, phases: Phases
) -> tuple[dict[str, Any], str, dict[str, Any] | None]:
    """Count and time: on one mount, or on two where a window uses a mount up."""
    workload = registry.workloads()[trial.series.workload]
    daemon = registry.daemon(trial.series.daemon)
    if workload.shape is not Shape.ONCE:
        return _on_mount(bench, trial, phases, count=True, measure=True)
    counted: dict[str, Any] = {}
    if daemon.is_fuse:
        counted, _, _ = _on_mount(bench, trial, phases, count=True, measure=False)
    answer, pyperf_json, server = _on_mount(bench, trial, phases, count=False, measure=True)
    return counted | answer, pyperf_json, server


def _on_mount(
    bench: Bench, trial: Trial, phases: Phases, *, count: bool, measure: bool
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
        before = look(bench, mount, watched)
        with phases("worker"):
            answer, pyperf_json = run_worker(
                bench, _job(bench, trial, mount, count, measure), log, mount
            )
        if before is not None and (after := look(bench, mount, watched)) is not None:
            seen = disturbance.between(before, after, len(watched) or os.cpu_count() or 1)
            answer |= {"noise": seen, "disturbed": disturbance.causes(seen)}
        for name, seconds in answer.pop("phases", {}).items():
            phases.seconds[name] = phases.seconds.get(name, 0.0) + seconds
            phases.seconds["worker"] -= seconds
        with phases("check"):
            _spot_check(bench, trial, mount)
        with phases("unmount"):
            end = mount.down()
    except BaseException:
        mount.destroy()
        raise
    finally:
        if mount.options.counters is not None:
            mount.options.counters.unlink(missing_ok=True)
        bench.settle()
    return answer | {"cache_how": how}, pyperf_json, _server_record(end)


def _options(trial: Trial, daemon: Daemon) -> DaemonOptions:
    chosen = options(trial.series)
    if not daemon.has_counters:
        return chosen
    return replace(chosen, counters=isolate.runtime() / f"{trial.series.target}.counters")


def _job(bench: Bench, trial: Trial, mount: Mount, count: bool, measure: bool) -> Job:
    series, settings = trial.series, bench.settings
    context = Context(
        root=mount.root,
        tree=bench.tree,
        variant=series.variant,
        cache=series.cache,
        threads=series.threads,
        seed=trial.seed,
        sync=Sync(settings.sync),
        attr_timeout=series.attr_timeout,
        entry_timeout=series.entry_timeout,
        names=settings.names,
        entries=series.entries,
        windows=settings.values + 1 + settings.attribution,
        histogram=settings.histogram,
    )
    return Job(
        workload=series.workload,
        label=series.label,
        context=context,
        connection=mount.connection if mount.connection >= 0 else None,
        counters=mount.options.counters,
        count=count,
        measure=measure,
        attribution=settings.attribution and measure,
        values=settings.values,
        window_s=settings.window_s,
        clock=Clock(settings.clock),
        pipe=-1,
        result=-1,
    )


def look(bench: Bench, mount: Mount, watched: Collection[int]) -> disturbance.Reading | None:
    """What else goes on; None on the instruction clock, which nothing else can disturb."""
    if bench.settings.clock == Clock.INSTRUCTIONS:
        return None
    return disturbance.take(watched, mount.server or None)


def run_worker(bench: Bench, job: Job, log: Path, mount: Mount) -> tuple[dict[str, Any], str]:
    """Start the worker pinned as planned and wait for its answer, watching the daemon meanwhile.

    Raises TrialError when the worker reports an error, dies, or hangs, or the daemon dies.
    """
    result_read, result_write = os.pipe()
    pipe_read, pipe_write = os.pipe()
    job = replace(job, pipe=pipe_write, result=result_write)
    with log.open("ab") as stderr:
        process = bench.start_worker(job, bench.cpus_for(job.context.threads).client, stderr)
    os.close(result_write)
    os.close(pipe_write)
    with os.fdopen(result_read, "rb") as result, os.fdopen(pipe_read, "rb") as pipe:
        try:
            texts = drain([result, pipe], bench, mount)
        except BaseException:
            process.kill()
            mount.silence()  # or a worker in the middle of a request would not end
            process.wait()
            raise
    if (status := process.wait()) != 0:
        raise TrialError(f"the worker {describe_exit(status)}; see {log.name}")
    answer = json.loads(texts[0] or b"{}")
    if "error" in answer:
        mount.check_alive()
        raise TrialError(answer["error"])
    return answer, texts[1].decode()


def spawn_worker(job: Job, cpus: Collection[int], stderr: IO[bytes]) -> isolate.Child:
    """A worker as a new Python process."""
    process = isolate.start(
        [sys.executable, "-m", "bench.worker"],
        cpus=cpus,
        stdin=subprocess.PIPE,
        stdout=stderr,
        stderr=stderr,
        pass_fds=(job.pipe, job.result),
    )
    assert process.stdin is not None
    process.stdin.write(job.to_json().encode())
    process.stdin.close()
    return process


def fork_worker(job: Job, cpus: Collection[int], stderr: IO[bytes]) -> isolate.Child:
    """A worker as a child of this process: the same work, without starting Python again."""
    return isolate.fork(lambda: serve(job), cpus=cpus, stderr=stderr)


def drain(pipes: list[Any], bench: Bench, mount: Mount) -> list[bytes]:
    """Read all pipes to their end; raises TrialError if it takes too long or the daemon dies."""
    import selectors

    texts = [b""] * len(pipes)
    deadline = time.monotonic() + bench.trial_timeout_s
    with selectors.DefaultSelector() as selector:
        for number, pipe in enumerate(pipes):
            selector.register(pipe, selectors.EVENT_READ, number)
        while selector.get_map():
            for key, _ in selector.select(timeout=0.25):
                chunk = os.read(key.fd, 1 << 20)
                texts[key.data] += chunk
                if not chunk:
                    selector.unregister(key.fileobj)
            bench.tick()
            mount.check_alive()
            if time.monotonic() > deadline:
                raise TrialError(
                    f"{mount.daemon.name} did not answer for {bench.trial_timeout_s:.0f} s: killed"
                )
    return texts


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


def _spot_check(bench: Bench, trial: Trial, mount: Mount) -> None:
    if mount.process is None:
        return
    with placement.pinned(bench.cpus.daemon):
        found = conformance.spot_check(
            bench.backing,
            mount.root,
            bench.paths(SPOT_CHECKS, trial.seed),
            exempt=mount.daemon.exempt,
        )
    if found.differences:
        raise TrialError(f"wrong answer after the last window: {found.differences[0]}")


def _judge(bench: Bench, trial: Trial, record: dict[str, Any]) -> None:
    """Set the verdict; a claim that does not hold, or a cold that was not cold, fails the trial."""
    series = trial.series
    daemon = registry.daemon(series.daemon)
    workload = registry.workloads()[series.workload]
    requests, plain = record["requests"], record["expected"]
    if requests is None:
        record["expected"] = None
        return
    if daemon.foreign or not timeouts_held(series):
        plain = {}  # of a server that is not known, or answers for longer than it was told
    counts = _best_counts(requests)
    claims = claims_by_level(daemon, options(series), series.cache)
    if workload.introduces and series.cache is not Cache.WARM:
        claims = {level: claimed - {Opcode.LOOKUP} for level, claimed in claims.items()}
    verdict, reason, failed = proof.verdict(
        subject=workload.subject,
        claims=claims,
        counts=counts,
        level=series.level,
        asked=series.asked,
        available=bench.ability.level,
        why="; ".join(bench.ability.reasons),
        plain={Opcode[name]: Bound(*bounds) for name, bounds in plain.items()},
    )
    expected = {
        name: _expected(Opcode[name], bounds, claims[series.level], series.level)
        for name, bounds in plain.items()
    }
    record |= {"verdict": verdict.value, "verdict_reason": reason, "expected": expected}
    trouble = reason if failed else ""
    if requests["agree"] is False:
        trouble = f"kernel and server counts differ: {requests['why']}"
    elif series.cache is not Cache.WARM and not trouble:
        trouble = _not_cold(record, counts)
    if trouble:
        record |= {"outcome": Outcome.FAILED.value, "reason": trouble}


def _expected(
    opcode: Opcode, plain: list[float], claimed: frozenset[Opcode], level: Level
) -> list[float]:
    """Bounds on a plain server, as far as the level leaves them standing."""
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


def _server_record(end: ServerEnd | None) -> dict[str, Any] | None:
    return None if end is None else {"exit": end.exit, "rss_kib": end.rss_kib, "cpu_s": end.cpu_s}
