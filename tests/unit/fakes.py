"""A run that nobody measured: writes run.json and trials.jsonl of schema 1, seeded, on knobs."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOW_REASON = "the kernel refused a backing for an inode (EINVAL); needs the iops patches"

WORKLOADS: tuple[tuple[str, str, str, str, float, float, str], ...] = (
    # workload, variant, cache, unit, seconds on native, requests per op, opcode
    ("getattr-storm", "path", "warm", "op", 1.1e-6, 3.0, "GETATTR"),
    ("getattr-storm", "at", "warm", "op", 420e-9, 1.0, "GETATTR"),
    ("getattr-storm", "fd", "warm", "op", 210e-9, 1.0, "GETATTR"),
    ("getattr-cached", "", "warm", "op", 400e-9, 0.0, "GETATTR"),
    ("stat-expired", "", "warm", "op", 900e-9, 2.0, "GETATTR"),
    ("readdir", "", "warm", "entry", 290e-9, 0.02, "READDIR"),
    ("readdir", "", "cold-fuse", "entry", 320e-9, 0.02, "READDIR"),
    ("readdirplus", "", "warm", "entry", 800e-9, 0.03, "READDIRPLUS"),
    ("lookup-cold", "", "cold-fuse", "op", 1.5e-6, 1.0, "LOOKUP"),
    ("lookup-negative", "", "warm", "op", 500e-9, 1.0, "LOOKUP"),
    ("ls-then-stat", "", "cold-fuse", "op", 900e-9, 0.03, "READDIRPLUS"),
    ("stat-then-ls", "", "cold-fuse", "entry", 500e-9, 0.03, "READDIRPLUS"),
    ("walk-find", "", "cold-fuse", "entry", 700e-9, 0.04, "READDIRPLUS"),
    ("walk-du", "", "cold-fuse", "entry", 1.4e-6, 0.9, "LOOKUP"),
    ("open-close", "", "warm", "op", 1.3e-6, 3.0, "OPEN"),
    ("read-random", "", "warm", "op", 600e-9, 1.0, "READ"),
    ("macro-ls", "", "cold-fuse", "run", 0.11, 600.0, "READDIRPLUS"),
    ("macro-du", "", "cold-fuse", "run", 0.08, 9000.0, "LOOKUP"),
    ("macro-find", "", "cold-fuse", "run", 0.07, 9000.0, "LOOKUP"),
    ("macro-git", "", "warm", "run", 0.2, 12000.0, "LOOKUP"),
)
HISTOGRAMS = ("getattr-storm", "lookup-cold")
PER_REQUEST = {"native": 0.0, "plain-c": 4e-6, "plain": 28e-6, "passthrough": 28e-6}
SLOWER_KERNEL = 1.5
"""How much longer everything takes on a kernel called ``slow``."""


@dataclass(frozen=True)
class Knobs:
    """What a fake run differs in."""

    schema: int = 1
    trials: int = 5
    values: int = 5
    noise: float = 0.04
    seed: int = 1
    effect: float | None = None
    """passthrough / plain to be found again; None: by requests saved."""
    targets: tuple[str, ...] = ("native", "plain", "passthrough")
    names: Mapping[str, str] = field(default_factory=dict)
    """Other names for targets and workloads."""
    troubles: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of the run."""
    constant: bool = False
    """Every value of a series is the same number."""
    rows: int = len(WORKLOADS)
    spoil: Mapping[str, Any] = field(default_factory=dict)
    """Keys of every trial of the first workload that are written over."""


def make_run(parent: Path, **knobs: Any) -> Path:
    """Write a run into ``parent`` and return its directory."""
    knob = Knobs(**knobs)
    path = parent / "2026-06-01-fake"
    path.mkdir(parents=True, exist_ok=True)
    (path / "run.json").write_text(json.dumps(_about(path.name, knob), indent=1))
    lines = [json.dumps(trial) for trial in _trials(knob)]
    (path / "trials.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return path


def _about(name: str, knob: Knobs) -> dict[str, Any]:
    return {
        "schema": knob.schema,
        "run": name,
        "started": "2026-06-01T10:00:00+00:00",
        "finished": "2026-06-01T10:05:00+00:00",
        "argv": ["python", "-m", "bench", "run", "--daemon", "passthrough", "--tree", "small"],
        "settings": {
            "workloads": list(dict.fromkeys(_name(row[0], knob) for row in WORKLOADS)),
            "trials": knob.trials,
            **knob.settings,
        },
        "targets": [_target(target, knob) for target in knob.targets],
        "tree": {"name": "small", "files": 10_000, "dirs": 111, "depth": 3, "branching": 10,
                 "files_per_dir": 90, "name_length": 16, "file_size": 0, "seed": 7, "hash": "ab12"},
        "backing": {"path": "backing", "filesystem": "tmpfs", "options": "rw,relatime"},
        "kernel_level": {"level": "rw", "readdir": False, "reasons": [LOW_REASON]},
        "environment": {"kernel_release": "6.18.5-fake", "cpu_model": "Fake CPU", "cpu_count": 2,
                        "governor": "none", "fuse_protocol": "7.45", "mitigations": "auto"},
        "cpu_dma_latency": "held at 0 us",
        "placement": {"mode": "same", "client": [1], "daemon": [1], "runner": [0], "note": ""},
        "skipped": [{"what": "cold-all", "reason": "the backing is tmpfs, never cold"}],
        "phases": {"tree": 0.4, "probe": 0.8, "conformance": 2.0, "trials": 240.0,
                   "orchestration": 6.0, "total": 250.0},
    }  # fmt: skip


def _target(target: str, knob: Knobs) -> dict[str, Any]:
    base = target.partition("@")[0]
    through = base == "passthrough"
    return {
        "name": _name(target, knob),
        "daemon": base,
        "summary": f"the {target} target",
        "kind": "native" if base == "native" else "fuse",
        "python": base in ("plain", "passthrough"),
        "level_asked": "attach-lookup" if through else "none",
        "level": "rw" if through else "none",
        "level_reason": LOW_REASON if through else "",
    }


def _trials(knob: Knobs) -> Iterator[dict[str, Any]]:
    chance = random.Random(knob.seed)
    for number in range(knob.trials):
        for index, row in enumerate(WORKLOADS[: knob.rows]):
            shared = chance.gauss(0, knob.noise)  # a slow minute hits every target of a round
            for position, target in enumerate(knob.targets):
                seconds = _seconds(target, row, knob) * math.exp(shared)
                trial = _trial(target, row, knob, number, position)
                trial["values"] = [
                    _seconds(target, row, knob)
                    if knob.constant
                    else seconds * math.exp(chance.gauss(0, knob.noise / 4))
                    for _ in range(knob.values)
                ]
                yield _troubled(trial, row, target, number, knob) | (
                    knob.spoil if not index else {}
                )


def _seconds(target: str, row: tuple[str, str, str, str, float, float, str], knob: Knobs) -> float:
    target, _, kernel = target.partition("@")
    if kernel == "slow":
        return SLOWER_KERNEL * _seconds(target, row, knob)
    if target == "passthrough" and knob.effect is not None:
        return knob.effect * _seconds("plain", row, knob)
    *_, native, requests, opcode = row
    if target == "passthrough" and opcode == "READ":
        requests = 0.0
    return native * (1.0 if target == "native" else 1.1) + requests * PER_REQUEST[target]


def _trial(
    target: str,
    row: tuple[str, str, str, str, float, float, str],
    knob: Knobs,
    number: int,
    position: int,
) -> dict[str, Any]:
    workload, variant, cache, unit, native, requests, opcode = row
    named, aimed = _name(workload, knob), _name(target, knob)
    parts = (named, variant, cache, "t1", aimed)
    fuse = not target.startswith("native")
    timeout = 1.0 if workload == "getattr-cached" else 0.0
    return {
        "series": "--".join(part for part in parts if part),
        "target": aimed, "workload": named, "variant": variant, "cache": cache, "threads": 1,
        "placement": "same", "level": "rw" if target == "passthrough" else "none",
        "attr_timeout": timeout, "entry_timeout": timeout,
        "round": number, "position": position, "seed": knob.seed,
        "started": "2026-06-01T10:01:00+00:00", "outcome": "ok", "reason": "",
        "op": f"one {unit} of {workload}", "unit": unit, "loops": 8, "ops_per_loop": 1000,
        "empty_loop_ns": 2.5 if unit != "run" else None,
        "requests": _requests(target, requests, opcode) if fuse else None,
        "expected": {opcode: [requests * 0.9, requests * 1.1]} if fuse else None,
        "histogram": _histogram(target, native, number) if workload in HISTOGRAMS else None,
        "cache_how": "walked once" if cache == "warm" else "fresh mount, counts agree",
        "cpus": {"client": [1], "daemon": [1]},
        "server": {"exit": 0, "rss_kib": 40_000, "cpu_s": 1.5} if fuse else None,
        "phases": {"mount": 0.1, "check": 0.1, "count": 0.1, "measure": 0.5, "unmount": 0.1},
        **_verdict(target, opcode),
    }  # fmt: skip


def _requests(target: str, requests: float, opcode: str) -> dict[str, Any]:
    done = 0 if target == "passthrough" and opcode == "READ" else round(requests * 1000)
    counts = {opcode: done} | ({"FLUSH": done, "RELEASE": done} if opcode == "OPEN" else {})
    return {"ops": 1000, "kernel": counts, "server": counts, "agree": True, "why": ""}


def _verdict(target: str, opcode: str) -> dict[str, str]:
    if target != "passthrough":
        return {"verdict": "baseline", "verdict_reason": ""}
    if opcode == "READ":
        return {"verdict": "engaged", "verdict_reason": ""}
    if opcode == "OPEN":
        return {"verdict": "no claim", "verdict_reason": ""}
    return {"verdict": "not available here", "verdict_reason": LOW_REASON}


def _histogram(target: str, native: float, number: int) -> dict[str, int]:
    middle = native * 1e9 + (0 if target == "native" else 28_000)
    bounds = [middle * factor for factor in (0.9, 1.0, 1.1, 1.5, 3, 10)]
    counts = (2_000, 5_000, 2_000 + 10 * number, 900, 90, 10)
    return {str(round(bound)): count for bound, count in zip(bounds, counts, strict=True)}


def _troubled(
    trial: dict[str, Any],
    row: tuple[str, str, str, str, float, float, str],
    target: str,
    number: int,
    knob: Knobs,
) -> dict[str, Any]:
    """Some trials of a default fake run did not end well."""
    lost = {"values": [], "requests": None, "histogram": None}
    if knob.troubles and row[0] == "macro-git" and target == "passthrough":
        return trial | lost | {"outcome": "skipped", "reason": "git is not installed"}
    if knob.troubles and row[0] == "walk-du" and target == "plain" and number == 1:
        return trial | lost | {"outcome": "failed", "reason": "daemon exited with 1"}
    return trial


def _name(name: str, knob: Knobs) -> str:
    return knob.names.get(name, name)
