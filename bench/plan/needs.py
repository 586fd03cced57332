"""What the workloads of a run need beside the tree."""

from __future__ import annotations

from bench import registry
from bench.axes.rows import ENTRIES
from bench.model import Fixture
from bench.plan.settings import Settings


def wanted_fixtures(settings: Settings) -> tuple[Fixture, ...]:
    """What the workloads of the run need in the backing, each once."""
    wanted = [row for part in settings.each() for row in registry.rows(part.workloads)]
    return tuple(
        dict.fromkeys(one for workload, variant in wanted for one in workload.fixtures(variant))
    )


def wanted_sizes(settings: Settings) -> tuple[int, ...]:
    """Directory sizes of the run, of those parts whose workloads have them as an axis."""
    sizes = {
        size
        for part in settings.each()
        if any(workload.sized for workload, _ in registry.rows(part.workloads))
        for size in ENTRIES.of(part.axes)
    }
    return tuple(sorted(sizes))
