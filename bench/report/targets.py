"""The targets of a run, and what each is divided by: the same server without passthrough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    twin: str = ""
    """The daemon that is the same server without passthrough; empty where there is none."""

    @property
    def passes(self) -> bool:
        """Whether it was to pass anything through."""
        return self.asked not in ("", Level.NONE)

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
    listed = [_target(entry) for entry in run.about.get("targets") or () if "name" in entry]
    names = {target.name for target in listed}
    tried = {str(name) for name in run.trials["target"].unique()}
    refused = set(run.about.get("refused") or ()) - tried
    kept = [target for target in listed if target.name not in refused]
    return (*kept, *(_target({"name": name}) for name in sorted(tried - names)))


def baselines(run: Run) -> tuple[str, ...]:
    """What ratios are taken against: the floor, then the headline's, without their kernels.

    The headline divides by plain-c where the run has it: a server in Python spends several times
    as long on a request, and a ratio to it would flatter everything. Of its ways of serving the
    usual one counts. On several kernels a target is divided by the baseline of its own.
    """
    known = targets(run)
    native = [target.base for target in known if target.native]
    plain = [one for one in known if one.fuse and not one.passes]
    plain.sort(key=lambda one: (one.daemon != HEADLINE, one.python, one.base != one.daemon))
    return (*native[:1], *(one.base for one in plain[:1]))


def _target(entry: Mapping[str, Any]) -> TargetInRow:
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
        twin=_twin(entry),
        python=bool(entry.get("python", str(entry.get("daemon") or name) in PYTHON)),
    )


def _twin(entry: Mapping[str, Any]) -> str:
    """As run.json says; runs of older versions do not, but our servers are called alike."""
    daemon = str(entry.get("daemon") or entry["name"])
    if entry.get("twin"):
        return str(entry["twin"])
    return daemon.replace("passthrough", "plain") if "passthrough" in daemon else ""


def baseline_of(target: TargetInRow, known: Sequence[TargetInRow], against: Sequence[str]) -> str:
    """What a target is divided by first, without its kernel: its own server without passthrough.

    A server that is another's twin is divided by nothing but the floor, and one that has no twin in
    the run by the headline's baseline. Empty where there is none.
    """
    here = {other.base for other in known if other.kernel == target.kernel}
    if target.twin in here:
        return target.twin
    twins = {other.twin for other in known if other.kernel == target.kernel}
    return target.base if target.base in twins else against[-1] if against else ""


def beside(base: str, target: TargetInRow) -> str:
    """The target of that name on the same kernel."""
    return f"{base}@{target.kernel}" if target.kernel else base


def same_server(one: TargetInRow, other: TargetInRow) -> bool:
    """Whether the other is the same server with passthrough off."""
    return bool(one.twin) and one.daemon != other.daemon == one.twin


def first_kernels(target: TargetInRow, known: Sequence[TargetInRow]) -> dict[str, str]:
    """What else a target is divided by, itself on the run's first kernel: {label: name}."""
    first = next((other for other in known if other.base == target.base), target)
    return {} if first is target else {first.name: first.name}
