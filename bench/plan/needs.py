"""What the workloads of a run need beside the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import registry
from bench.model import Fixture
from bench.plan.settings import Settings

if TYPE_CHECKING:
    pass


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
        for size in part.entries
    }
    return tuple(sorted(sizes))
