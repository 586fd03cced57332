"""About how long a run will take: boots, longest first, from recorded times where there are any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.plan import shards
from bench.plan.durations import BOOT_S, CHECK_S, trial_seconds
from bench.plan.schedule import Plan
from bench.plan.series import Series
from bench.plan.settings import Settings

BOOT, CHECK = "boot", "check"
"""Names of what is recorded beside trials: a boot without its trials; one target compared, in a boot."""


@dataclass(frozen=True)
class Known:
    """What a forecast goes by beside the plan."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """Recorded on this machine, by label of the series without its kernel; BOOT; CHECK."""
    jobs: int = 1
    """Boots at a time."""
    checks: int = 0
    """Boots that compare targets with their backing before the first trial."""

    def trial(self, series: Series, settings: Settings) -> float:
        """About how long a trial of the series takes."""
        found = self.seconds.get(bare(series.label))
        return trial_seconds(series, settings) if found is None else found


def bare(label: str) -> str:
    """A series without the kernel it ran on."""
    return label.partition("@")[0]


def total(settings: Settings, planned: Plan, known: Known) -> float:
    """Seconds that a run takes until its last trial has ended."""
    if not settings.kernels:
        return sum(known.trial(one.series, settings) for one in planned.trials)
    each = list(boots(settings, planned, known).values()) * len(settings.kernels)
    one_check = known.seconds.get(BOOT, BOOT_S) + len(planned.targets) * known.seconds.get(
        CHECK, CHECK_S
    )
    return makespan([one_check] * known.checks, known.jobs) + makespan(each, known.jobs)


def boots(settings: Settings, planned: Plan, known: Known) -> dict[tuple[int, int], float]:
    """{(round, shard): seconds} of one kernel's boots."""
    found: dict[tuple[int, int], float] = {}
    by_round = defaultdict(list)
    for one in planned.trials:
        by_round[one.round].append(one)
    for number, whole in by_round.items():
        for which, part in enumerate(shards.divided(whole, settings)):
            own = sum(known.trial(one.series, settings) for one in part)
            found[number, which] = known.seconds.get(BOOT, BOOT_S) + own
    return found


def makespan(seconds: list[float], jobs: int) -> float:
    """When the last of these has ended, ``jobs`` at a time, the longest first."""
    loads = [0.0] * max(1, jobs)
    for one in sorted(seconds, reverse=True):
        loads[loads.index(min(loads))] += one
    return max(loads)
