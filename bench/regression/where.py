"""Which functions account for the difference between two kernels, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.model import UserError
from bench.profile import difference, select, store
from bench.profile.difference import Difference
from bench.profile.text import accounted_for
from bench.results.store import RunDirectory


def differences(
    run: Path, records: Iterable[Mapping[str, Any]], base: str, patched: str
) -> dict[tuple[str, str], Difference]:
    """By (row, target without kernel): the difference, where both kernels have a profile."""
    kept: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for record in select.profiled(records):
        row = record["workload"] + (f"/{record['variant']}" if record["variant"] else "")
        target = record["target"].partition("@")[0]
        kept.setdefault((row, target, record["kernel"]), record["profile"])
    found = {}
    for row, target in {key[:2] for key in kept}:
        old, new = kept.get((row, target, base)), kept.get((row, target, patched))
        if old and new:
            try:
                found[row, target] = difference.between(store.read(run, old), store.read(run, new))
            except UserError:
                continue
    return found


def largest(run: Path, base: str, patched: str) -> str:
    """The functions behind the largest increase of a run; "" where it has no profiles."""
    try:
        found = differences(run, RunDirectory.open(run).trials(), base, patched)
    except UserError:
        return ""
    grown = max(found.values(), key=lambda one: one.new / one.old, default=None)
    return accounted_for(grown) if grown else ""


def as_object(found: Difference, most: int = 20) -> list[dict[str, Any]]:
    """The functions for programs, largest differences first."""
    return [
        {"function": line.name, "subsystem": line.subsystem, "change": line.change}
        for line in found.functions[:most]
        if line.change
    ]
