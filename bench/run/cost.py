"""The cost sheet: what every inode a mount has in its cache costs kernel and server, and CPU time.

One pass per target, on a mount of its own, apart from all timed windows: every file of the tree is
stat'ed once by path, with timeouts that never run out; memory, descriptors, backing ids and CPU
time are read before and after. A posting owes these figures beside its gains
(Documentation/process/submitting-patches.rst, "Describe your changes").
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.machine import isolate, slabs
from bench.model import FOREVER_S, Exit, UserError
from bench.mounts.mount import Mount, TrialError, cpu_times, server_usage
from bench.plan.series import Series
from bench.requests import counters
from bench.results.cost_line import CostLine, checked_cost
from bench.results.kinds import Wrong
from bench.run import side_mounts
from bench.run.bench import Bench
from bench.run.worker import by_name

NO_SLABINFO = "no /proc/slabinfo: it needs a kernel with CONFIG_SLUB_DEBUG"


@dataclass(frozen=True)
class Holding:
    """What a server and the kernel hold at one moment; None where there is no server or no source."""

    slabs: dict[str, int] | None
    rss_kib: int | None
    fds: int | None
    cpu_s: tuple[float, float] | None
    """User and system seconds of the server so far."""

    @classmethod
    def now(cls, server: int | None) -> Holding:
        """Memory, descriptors and CPU time of the server with this pid, now."""
        caches = slabs.read()
        if server is None:
            return cls(caches, None, None, None)
        rss_kib, _ = server_usage(server)
        return cls(
            caches, rss_kib, len(list(Path(f"/proc/{server}/fd").iterdir())), cpu_times(server)
        )


def measure(bench: Bench, series: Series) -> CostLine:
    """The costs.jsonl record of one target; what goes wrong becomes its ``reason``."""
    record: dict[str, Any] = {
        "target": series.target,
        "daemon": series.daemon,
        "kernel": series.kernel,
        "level": series.level.value,
        "reason": "",
    }
    try:
        with side_mounts.mounted(bench, series, "cost", FOREVER_S, count=True) as mount:
            return checked_cost(record | _visit(bench, mount))
    except (TrialError, OSError, Wrong) as error:
        return checked_cost(record | {"reason": str(error)})


def _visit(bench: Bench, mount: Mount) -> dict[str, Any]:
    server = (mount.server or None) if mount.daemon.is_fuse else None
    start_clean(bench)
    counted = counters.read(mount.options.counters) if mount.options.counters else None
    before = Holding.now(server)
    client = visit_all(bench, mount)
    after = Holding.now(server)
    inodes = int(client["ops"])
    record: dict[str, Any] = {
        "inodes": inodes,
        "client": {"user_s": client["user_s"], "system_s": client["system_s"]},
        "wall_s": client["wall_s"],
        "slabs": None,
        "server": None,
        "backing_ids": None,
        "requests": None,
        "why": "",
    }
    if before.slabs is not None and after.slabs is not None:
        record["slabs"] = slabs.growth(before.slabs, after.slabs)
    else:
        record["why"] = NO_SLABINFO
    if counted is not None and mount.options.counters is not None:
        since = counters.read(mount.options.counters).since(counted)
        record["requests"] = by_name(since.requests)
        record["backing_ids"] = since.extra["ids_open"]
    return record | {"server": _server(before, after)}


def _server(before: Holding, after: Holding) -> dict[str, Any] | None:
    if before.cpu_s is None or after.cpu_s is None:
        return None
    assert before.rss_kib is not None and after.rss_kib is not None
    assert before.fds is not None and after.fds is not None
    return {
        "user_s": round(after.cpu_s[0] - before.cpu_s[0], 3),
        "system_s": round(after.cpu_s[1] - before.cpu_s[1], 3),
        "rss_kib": after.rss_kib - before.rss_kib,
        "rss_kib_before": before.rss_kib,
        "fds": after.fds - before.fds,
    }


def start_clean(bench: Bench) -> None:
    """Let go of inodes and dentries of earlier mounts, so that they do not make room for new ones."""
    try:
        Path("/proc/sys/vm/drop_caches").write_text("2")
    except OSError as error:
        raise UserError(
            f"cannot drop caches: {error.strerror}; run as root", Exit.NOTHING
        ) from None
    bench.warm_backing()


def visit_all(bench: Bench, mount: Mount) -> dict[str, float]:
    """stat every file of the tree once, in a process of its own, pinned as clients are.

    Returns its ops, wall, user and system seconds. Raises TrialError when it fails or the server dies.
    """
    reading, writing = os.pipe()
    log = bench.logs / f"cost-{mount.daemon.name}.log"
    with os.fdopen(reading, "rb") as pipe, log.open("ab") as stderr:
        with os.fdopen(writing, "wb") as result:
            child = isolate.fork(
                lambda: client(bench, mount.root, result), cpus=bench.cpus.client, stderr=stderr
            )
        _wait(child, bench, mount)
        answer = json.loads(pipe.read() or b"{}")
    if "error" in answer or "ops" not in answer:
        raise TrialError(answer.get("error") or "the cost pass's client died")
    return dict(answer)


def _wait(child: isolate.Child, bench: Bench, mount: Mount) -> None:
    waited_s = 0.0
    while True:
        try:
            child.wait(0.25)
            return
        except subprocess.TimeoutExpired:
            waited_s += 0.25
        try:
            bench.tick()
            mount.check_alive()
            if waited_s > bench.trial_timeout_s:
                raise TrialError(f"the cost pass did not end within {waited_s:.0f} s")
        except BaseException:
            child.kill()
            mount.silence()
            child.wait()
            raise


def client(bench: Bench, root: Path, result: IO[bytes]) -> int:
    """In the child: every file once, by path. Names are laid out before the clock starts."""
    from workloads._native.opdriver import Driver

    answer: dict[str, float | str]
    try:
        names = bench.filled.spec.packed("f", 0, bench.filled.spec.file_count)
        with Driver("statx-path", root, names, once=True, order="sequential") as driver:
            before = resource.getrusage(resource.RUSAGE_SELF)
            done = driver.run(driver.size)
            after = resource.getrusage(resource.RUSAGE_SELF)
        answer = {
            "ops": done.ops,
            "wall_s": done.ns / 1e9,
            "user_s": round(after.ru_utime - before.ru_utime, 6),
            "system_s": round(after.ru_stime - before.ru_stime, 6),
        }
    except OSError as error:
        name = os.fsdecode(error.filename) if error.filename else "stat"
        answer = {"error": f"{name}: {error.strerror}"}
    result.write(json.dumps(answer).encode())
    result.flush()
    return 0
