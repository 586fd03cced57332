"""Targets and rows of every part of a run, and what the kernel at hand leaves of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench import registry
from bench.model import Cache, Daemon, Level, Target, XattrWay
from bench.plan import product
from bench.plan.product import PlannedRow, Skipped
from bench.plan.settings import Settings
from bench.plan.unprivileged import Withheld


def targets(settings: Settings) -> list[Target]:
    """Every daemon asked for and, unless ``only``, those it brings along, at every level and in
    every way asked for. In table order.
    """
    named, _skipped = product.targets(settings.each())
    return product.union(named)


def level_in_force(daemon: Daemon, kernel: Level, asked: Level) -> Level:
    """The highest level that the daemon speaks, the kernel gives and the run asked for."""
    possible = [level for level in daemon.levels if level.rank <= min(kernel.rank, asked.rank)]
    return max(possible, key=lambda level: level.rank, default=Level.NONE)


@dataclass(frozen=True)
class KernelGives:
    """What a plan stands on: the kernel's level, why it is no higher, and the caches to be had.

    ``refusals`` names cache states that cannot be had here, and why. ``kernel`` is the label of a
    guest's kernel where a run has several, and becomes part of the targets' names.
    """

    level: Level
    why: str = ""
    refusals: Mapping[Cache, str] = field(default_factory=dict)
    kernel: str = ""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Fixtures that the backing does not have, by name, and why."""
    withheld: Withheld = field(default_factory=Withheld)
    xattrs: bool = True
    """Whether extended attributes of attached inodes are passed through, if a server wants that."""


NO_XATTRS = (
    "this kernel passes no extended attributes through: a lab kernel with fuse.iops_xattr=Y does"
)

Grid = tuple[Settings, Sequence[PlannedRow], Sequence[Target]]


def table(settings: Settings, gives: KernelGives) -> tuple[list[Grid], list[Target], list[Skipped]]:
    """Rows and targets of every part, all targets that this kernel gives, and what is left out."""
    parts = settings.each()
    named, skipped = product.targets(parts)
    every = product.union(named)
    given = [
        target
        for target in every
        if _startable(target, gives, skipped) and _given(target, every, gives, skipped)
    ]
    grids: list[Grid] = [
        (
            part,
            product.rows(part, gives.refusals, skipped, gives.lacking),
            [one for one in own if one in given],
        )
        for part, own in zip(parts, named, strict=True)
    ]
    for part, rows, own in grids:
        skipped += [
            _left_out(row, display_name(target, gives), reason)
            for row, target in itertools.product(rows, own)
            if (reason := product.why_not(row, target, part, own))
        ]
    return grids, given, skipped


def _left_out(row: PlannedRow, name: str, reason: str) -> Skipped:
    """Told once of a target, or of each row."""
    return Skipped(name if reason in product.ONCE else f"{row.workload.name} on {name}", reason)


def _startable(target: Target, gives: KernelGives, skipped: list[Skipped]) -> bool:
    daemon = registry.daemon(target.daemon)
    reason = daemon.missing() or gives.withheld.of(daemon, target.asked)
    if reason:
        skipped.append(Skipped(display_name(target, gives), reason))
    return not reason


def together(grids: Sequence[Grid], number: int) -> dict[PlannedRow, list[Target]]:
    """The rows of a round, each with the targets that any part measures it on."""
    cells: dict[PlannedRow, list[Target]] = {}
    for part, rows, chosen in grids:
        if number < part.trials:
            for row in rows:
                able = [
                    target for target in chosen if not product.why_not(row, target, part, chosen)
                ]
                cells[row] = product.union([cells.get(row, []), able])
    return cells


def _given(
    target: Target, every: Sequence[Target], gives: KernelGives, skipped: list[Skipped]
) -> bool:
    if target.serving.xattr is XattrWay.PASSTHROUGH and not gives.xattrs:
        skipped.append(Skipped(display_name(target, gives), NO_XATTRS))
        return False
    reason = why_lower(registry.daemon(target.daemon), target.asked, gives)
    alone = len({one.asked for one in every if one.daemon == target.daemon}) == 1
    if not reason or alone:
        return True
    skipped.append(Skipped(display_name(target, gives), reason))
    return False


def why_lower(daemon: Daemon, asked: Level, gives: KernelGives) -> str:
    """Why a daemon works at a lower level than was asked for; empty when it does not."""
    if level_in_force(daemon, gives.level, asked) is asked:
        return ""
    if asked.rank > gives.level.rank:
        return f"this kernel gives {gives.level}: {gives.why}"
    return f"{daemon.name} passes nothing through above level {daemon.levels[-1]}"


def display_name(target: Target, gives: KernelGives) -> str:
    """A target's name in tables and files."""
    return f"{target.name}@{gives.kernel}" if gives.kernel else target.name
