"""The targets of a run, and which of them the others are divided by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.model import Level
from bench.stats.frame import Run

HEADLINE, TWIN = "plain-c", "plain"
"""The honest baseline, and the one that only its twin in Python is to be divided by."""
PYTHON = ("plain", "passthrough")


@dataclass(frozen=True)
class TargetInRow:
    """One target as run.json names it."""

    name: str
    daemon: str
    native: bool
    fuse: bool
    """Whether its operations can become requests; overlayfs and a bind mount make none."""
    asked: str
    level: str
    reason: str
    """Why the level in force is lower than the one asked for."""
    python: bool = False

    @property
    def base(self) -> str:
        """The name without its kernel."""
        return self.name.partition("@")[0]

    @property
    def kernel(self) -> str:
        """Label of its kernel where a run has several."""
        return self.name.partition("@")[2]


def targets(run: Run) -> tuple[TargetInRow, ...]:
    """The targets in table order; one that only a trial names comes last.

    One that was refused before it was measured has no place in a table (bench.report.about says why).
    """
    listed = [target_of(entry) for entry in run.about.get("targets") or () if "name" in entry]
    names = {target.name for target in listed}
    tried = {str(name) for name in run.trials["target"].unique()}
    refused = set(run.about.get("refused") or ()) - tried
    kept = [target for target in listed if target.name not in refused]
    return (*kept, *(target_of({"name": name}) for name in sorted(tried - names)))


def baselines(run: Run) -> tuple[str, ...]:
    """What ratios are taken against: the floor, then the headline's, without their kernels.

    The headline divides by plain-c where the run has it: a server in Python spends several times
    as long on a request, and a ratio to it would flatter everything. Of its ways of serving the
    usual one counts. On several kernels a target is divided by the baseline of its own.
    """
    known = targets(run)
    native = [target.base for target in known if target.native]
    plain = [one for one in known if one.fuse and one.asked in ("", Level.NONE)]
    plain.sort(key=lambda one: (one.daemon != HEADLINE, one.python, one.base != one.daemon))
    return (*native[:1], *(one.base for one in plain[:1]))


def is_twin(one: TargetInRow, other: TargetInRow) -> bool:
    """Whether the other is the same server with passthrough off."""
    return one.daemon != other.daemon == one.daemon.replace("passthrough", "plain")


def target_of(entry: Mapping[str, Any]) -> TargetInRow:
    """A target as an entry of run.json describes it, or as a name alone does."""
    name = str(entry["name"])
    kind = entry.get("kind", "native" if name == "native" else "fuse")
    level = str(entry.get("level") or "")
    return TargetInRow(
        name=name,
        daemon=str(entry.get("daemon") or name),
        native=kind == "native",
        fuse=kind == "fuse",
        asked=str(entry.get("level_asked") or level),
        level=level,
        reason=str(entry.get("level_reason") or ""),
        # Runs of older versions do not say it.
        python=bool(entry.get("python", str(entry.get("daemon") or name) in PYTHON)),
    )


def beside(base: str, target: TargetInRow) -> str:
    """The target of that name on the same kernel."""
    return f"{base}@{target.kernel}" if target.kernel else base
