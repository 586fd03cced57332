"""What the workloads of a run need beside the tree."""

from __future__ import annotations

from bench import registry
from bench.axes.rows import ENTRIES
from bench.plan.settings import Settings


def wants_git(settings: Settings) -> bool:
    """Whether a workload of the run needs the generated repository."""
    wanted = [row for part in settings.each() for row in registry.rows(part.workloads)]
    return any("git" in workload.needs for workload, _ in wanted)


def wanted_sizes(settings: Settings) -> tuple[int, ...]:
    """Directory sizes of the run, of those parts whose workloads have them as an axis."""
    sizes = {
        size
        for part in settings.each()
        if any(workload.sized for workload, _ in registry.rows(part.workloads))
        for size in ENTRIES.of(part.axes)
    }
    return tuple(sorted(sizes))
