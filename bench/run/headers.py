"""run.json: what is known of a run before its first trial, and where it is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import registry
from bench.axes.targets import SERVING
from bench.machine import environment, knobs
from bench.model import Daemon, Target, UserError
from bench.plan.grid import KernelGives, why_lower
from bench.plan.product import Skipped
from bench.plan.schedule import Plan
from bench.plan.settings import Settings
from bench.probe import words
from bench.run.bench import Bench


def facts(bench: Bench, planned: Plan) -> dict[str, Any]:
    """What run.json says of the kernel and machine the trials run on, and of their targets."""
    ability = bench.ability
    return {
        "targets": [target_record(target, planned, bench) for target in planned.targets],
        "controls": controls(planned),
        "tree": bench.filled.spec.as_mapping(),
        "backing": bench.filled.describe(),
        "kernel_level": {
            "level": ability.level.value,
            "readdir": ability.readdir,
            "reasons": list(ability.reasons),
        },
        "environment": {
            **environment.collect(bench.filled.path),
            "fuse": dict(ability.facts),
        },
        "cpu_dma_latency": bench.latency,
        "knobs": knobs.as_json(knobs.states()),
        "tuned": bench.tuned,
        "programs": environment.program_versions(
            program
            for series in {one.series.workload for one in planned.trials}
            for program in registry.workloads()[series].needs
        ),
        "placement": bench.cpus.as_json()
        | {"threads": {str(n): cpus.as_json() for n, cpus in bench.crowds.items()}},
    }


def controls(planned: Plan) -> list[str]:
    """The rows whose code no level in force touches: fixed before the first trial."""
    series = [one.series for one in planned.trials]
    highest = max((one.level.rank for one in series), default=0)
    known = registry.workloads()
    rows = {one.row: known[one.workload].touched_from.rank for one in series}
    return sorted(row for row, rank in rows.items() if rank > highest)


def make_header(
    settings: Settings, argv: list[str], found: dict[str, Any], skipped: tuple[Skipped, ...]
) -> dict[str, Any]:
    """run.json as it stands before the first trial."""
    return {
        "started": now(),
        "finished": None,
        "argv": argv,
        "settings": settings.to_json(),
        "clock": settings.clock,
        **found,
        "skipped": [asdict(item) for item in skipped],
        "phases": {},
    }


def target_record(target: Target, planned: Plan, bench: Bench) -> dict[str, Any]:
    """One entry of run.json's ``targets``."""
    daemon = registry.daemon(target.daemon)
    series = next(one.series for one in planned.trials if one.series.way == target.way)
    gives = KernelGives(bench.ability.level, "; ".join(bench.ability.reasons))
    return {
        "name": series.target,
        "daemon": daemon.name,
        "kernel": series.kernel,
        "summary": daemon.summary,
        "kind": kind(daemon),
        "exempt": sorted(daemon.exempt),
        "python": daemon.python,
        "twin": daemon.twin,
        "level_asked": target.asked.value,
        "level": series.level.value,
        "level_reason": why_lower(daemon, target.asked, gives),
        "readdir": series.readdir,
        **{axis.column: axis.record(daemon, series.serving) for axis in SERVING},
    }


def kind(daemon: Daemon) -> str:
    """What stands behind a target."""
    if daemon.argv is None:
        return "native"
    return "fuse" if daemon.is_fuse else "kernel"


def refuse_other_machine(old: Mapping[str, Any], new: dict[str, Any]) -> None:
    """A run is finished where it was begun; raises UserError naming what differs."""
    checks: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "kernel": lambda header: header["environment"].get("kernel_release"),
        "CPU": lambda header: header["environment"].get("cpu_model"),
        "passthrough level": lambda header: header["kernel_level"]["level"],
        "tree": lambda header: header["tree"]["hash"],
        "backing file system": lambda header: header["backing"]["filesystem"],
        "cpu_dma_latency": lambda header: header["cpu_dma_latency"],
        "who mounts": lambda header: words.mounted(header["environment"].get("fuse")),
    }

    def differs(pick: Callable[[Mapping[str, Any]], Any]) -> bool:
        try:
            return bool(pick(old) != pick(new))
        except (KeyError, TypeError, AttributeError):  # a run.json that says nothing of it
            return True

    different = [name for name, pick in checks.items() if differs(pick)]
    if different:
        raise UserError(
            f"cannot resume here: {', '.join(different)} differ from the run's; start a new run"
        )


def default_output() -> Path:
    """results/local/<date>-<time> below the current directory; a second within the second waits."""
    while True:
        name = datetime.now(UTC).astimezone().strftime("%Y%m%d-%H%M%S")
        path = Path("results/local") / name
        if not path.exists():
            return path
        time.sleep(0.1)


def now() -> str:
    """The time with its zone, as ISO 8601."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
