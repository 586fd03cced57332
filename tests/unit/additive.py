"""Runs nobody measured whose costs add up exactly: what break-even and projection must find again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REQUEST = {"GETATTR": 12e-6, "LOOKUP": 15e-6, "READDIRPLUS": 60e-6, "OPEN": 11e-6,
           "RELEASE": 11e-6, "FLUSH": 11e-6, "OPENDIR": 11e-6, "RELEASEDIR": 11e-6}  # fmt: skip
"""Seconds of a request that reaches the server."""
KERNEL = {"GETATTR": 0.4e-6, "LOOKUP": 5e-6, "READDIRPLUS": 4e-6}
"""Seconds the kernel spends that answers in its place."""
WALKED, CROSSED = 0.3e-6, 0.2e-6
"""Seconds of a known name natively, and what it is more on overlayfs: together a LOOKUP in the kernel."""
DIRECTORY = {"OPENDIR": 0.1, "RELEASEDIR": 0.1}


@dataclass(frozen=True)
class Target:
    """One target: its entry in run.json, as far as the report reads it."""

    name: str
    kind: str = "fuse"
    level: str = "none"
    asked: str = ""
    readdir: bool = True
    mode: str = "readdirplus"

    def entry(self) -> dict[str, Any]:
        """For run.json."""
        return {
            "name": self.name, "daemon": self.name.partition(":")[0], "kind": self.kind,
            "level": self.level, "level_asked": self.asked or self.level,
            "level_reason": "", "readdir": self.readdir, "readdir_mode": self.mode,
        }  # fmt: skip


NATIVE = Target("native", "native")
OVERLAY = Target("overlayfs", "kernel")
PLAIN = Target("plain-c")
GETATTR = Target("passthrough-c:attach-lookup:no-readdir", level="attach-lookup", readdir=False)
LISTING = Target("passthrough-c:attach-lookup", level="attach-lookup")
LOOKUP = Target("passthrough-c:lookup", level="lookup")


@dataclass(frozen=True)
class Cell:
    """One row on one target: seconds per op, requests per op, and where it stands."""

    target: Target
    workload: str
    seconds: float
    requests: Mapping[str, float] = field(default_factory=dict)
    variant: str = ""
    cache: str = "warm"
    entries: int = 0
    engaged: bool = False
    timeouts: tuple[float, float] = (3600.0, 3600.0)
    """Timeouts of attributes and of entries, in seconds."""
    threads: int = 1


def write(parent: Path, cells: Sequence[Cell], *, rounds: int = 5, clock: str = "wall") -> Path:
    """A run of these cells; every round is slower than the one before, for all targets alike."""
    path = parent / "additive"
    path.mkdir(parents=True, exist_ok=True)
    targets = {cell.target.name: cell.target for cell in cells}
    about = {
        "schema": 1,
        "run": "additive",
        "started": "2026-06-01T10:00:00+00:00",
        "clock": clock,
        "targets": [target.entry() for target in targets.values()],
    }
    (path / "run.json").write_text(json.dumps(about))
    scale = 1e9 if clock == "instructions" else 1.0
    lines = [json.dumps(_trial(cell, number, scale)) for number in range(rounds) for cell in cells]
    (path / "trials.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return path


def _trial(cell: Cell, number: int, scale: float) -> dict[str, Any]:
    axes = f"n{cell.entries}-t{cell.threads}"
    timeouts = "to{:g}-{:g}".format(*cell.timeouts)
    parts = (cell.workload, cell.variant, cell.cache, timeouts, axes, cell.target.name)
    counts = {opcode: round(count * 1000) for opcode, count in cell.requests.items()}
    fuse = cell.target.kind == "fuse"
    return {
        "series": "--".join(part for part in parts if part), "target": cell.target.name,
        "workload": cell.workload, "variant": cell.variant, "cache": cell.cache,
        "threads": cell.threads, "placement": "same", "entries": cell.entries,
        "attr_timeout": cell.timeouts[0], "entry_timeout": cell.timeouts[1], "round": number,
        "outcome": "ok", "unit": "op", "loops": 1,
        "ops_per_loop": 1000, "values": [scale * cell.seconds * (1 + number / 100)] * 3,
        "requests": {"ops": 1000, "kernel": counts, "agree": True} if fuse else None,
        "verdict": "engaged" if cell.engaged else "baseline", "verdict_reason": "",
    }  # fmt: skip


def curve(
    target: Target,
    start: float,
    slope: float,
    *,
    entries: int = 1000,
    engaged: bool = False,
    order: str = "",
) -> list[Cell]:
    """list-stat at every fraction: ``start`` us per entry, and ``slope`` more when all are stat'ed."""
    return [
        Cell(
            target, "list-stat", (start + slope * percentage / 100) * 1e-6,
            {} if engaged or target.kind != "fuse" else {"READDIRPLUS": 0.02},
            variant=f"{order}{percentage}", cache="cold-fuse", entries=entries, engaged=engaged,
        )
        for percentage in (0, 1, 10, 50, 100)
    ]  # fmt: skip


ZERO, FOREVER, ENTRIES_ZERO = (0.0, 0.0), (3600.0, 3600.0), (3600.0, 0.0)
ROWS: Mapping[tuple[str, str, str, tuple[float, float]], tuple[float, Mapping[str, float]]] = {
    ("getattr-storm", "fd", "warm", ZERO): (1e-6, {"GETATTR": 1}),
    ("getattr-storm", "fd", "warm", FOREVER): (1e-6, {}),
    ("getattr-storm", "at", "warm", ZERO): (2e-6, {"GETATTR": 2, "LOOKUP": 1}),
    ("getattr-storm", "at", "warm", FOREVER): (2e-6, {}),
    ("getattr-storm", "path", "warm", ZERO): (2e-6 + 3 * WALKED, {"GETATTR": 5, "LOOKUP": 4}),
    ("getattr-storm", "at", "warm", ENTRIES_ZERO): (2e-6, {"LOOKUP": 1}),
    ("getattr-storm", "path", "warm", ENTRIES_ZERO): (2e-6 + 3 * WALKED, {"LOOKUP": 4}),
    ("lookup-negative", "", "warm", FOREVER): (1e-6, {"LOOKUP": 1}),
    ("lookup-cold", "", "cold-fuse", FOREVER): (2e-6, {"LOOKUP": 1}),
    ("open-close", "", "warm", FOREVER): (3e-6, {"OPEN": 1, "RELEASE": 1, "FLUSH": 1}),
    ("readdir", "", "warm", FOREVER): (0.5e-6, {"READDIRPLUS": 0.2, **DIRECTORY}),
    ("readdirplus", "", "warm", ZERO): (
        2e-6,
        {"READDIRPLUS": 0.2, "GETATTR": 2, "LOOKUP": 1, **DIRECTORY},
    ),
    ("walk-find", "", "cold-fuse", FOREVER): (0.6e-6, {"READDIRPLUS": 0.2, **DIRECTORY}),
    ("walk-du", "", "cold-fuse", FOREVER): (2e-6, {"READDIRPLUS": 0.2, **DIRECTORY}),
}
"""Seconds on the native directory and requests of a plain server, by row, cache and timeouts."""


def rows(targets: Sequence[Target], *, without: Sequence[str] = ()) -> list[Cell]:
    """Every row on every target, at exactly the cost that adds up."""
    return [
        _cell(target, key, native, requests)
        for key, (native, requests) in ROWS.items()
        if key[0] not in without
        for target in targets
    ]


def _cell(
    target: Target,
    key: tuple[str, str, str, tuple[float, float]],
    native: float,
    plain: Mapping[str, float],
) -> Cell:
    workload, variant, cache, timeouts = key
    if target.level == "lookup" and (twin := ROWS.get((workload, variant, cache, ZERO))):
        native, plain = twin  # it keeps neither entries nor attributes
    left = dict(plain) if target.kind == "fuse" else {}
    gone: set[str] = set()
    if target.level != "none":
        gone |= {"GETATTR"} | ({"READDIRPLUS"} if target.readdir else set())
        gone |= {"LOOKUP", "OPENDIR", "RELEASEDIR"} if target.level == "lookup" else set()
        left = {opcode: count for opcode, count in left.items() if opcode not in gone}
        if workload == "walk-du" and target.readdir and target.level != "lookup":
            left["LOOKUP"] = 1.0
    passed = {opcode: plain[opcode] for opcode in gone & plain.keys()}
    if workload == "walk-du" and target.level == "lookup":
        passed["LOOKUP"] = 1.0
    known = cache == "warm" and workload != "lookup-negative"
    kernel = {**KERNEL, "LOOKUP": WALKED + CROSSED} if known else KERNEL
    if target.kind == "kernel":
        # One stat is one getattr, however many names it has; a name is no more than crossed.
        once = {"GETATTR": 1.0} if workload == "getattr-storm" else {}
        passed = {**plain, **once}
        kernel = {**KERNEL, "LOOKUP": CROSSED} if known else KERNEL
    seconds = native + sum(REQUEST[opcode] * count for opcode, count in left.items())
    seconds += sum(kernel.get(opcode, 0.0) * count for opcode, count in passed.items())
    engaged = bool(gone & plain.keys())
    return Cell(target, workload, seconds, left, variant, cache, engaged=engaged, timeouts=timeouts)
