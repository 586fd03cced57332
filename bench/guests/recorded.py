"""How long trials and boots took on this machine, as the host saw them: for forecasts and the order of boots.

Kept in the cache of kernels, under a hash of what they depend on. Never a result: they hold whatever
else the machine did.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from statistics import mean

from bench.guests import conformed, remembered
from bench.guests.pool import width
from bench.guests.session import Boot, GuestRun
from bench.machine import environment
from bench.plan.forecast import BOOT, CHECK, Known, bare
from bench.plan.settings import Settings

SETTINGS = (
    "clock", "values", "window_s", "tree", "backing_fs", "profile", "attribution", "histogram", "rate",
)  # fmt: skip


class Stopwatch:
    """Seconds of the trials of one boot, from begin to end as they were heard of."""

    def __init__(self) -> None:
        self.trials: dict[str, list[float]] = defaultdict(list)

    def add(self, series: str, seconds: float) -> None:
        """A trial has ended."""
        self.trials[bare(series)].append(seconds)

    def kept(self, run: GuestRun, boot: Boot, elapsed_s: float) -> None:
        """Remember the times of a boot that went to its end on this machine."""
        if run.elsewhere:
            return
        found = {name: mean(seconds) for name, seconds in self.trials.items()}
        rest = elapsed_s - sum(map(math.fsum, self.trials.values()))
        if self.trials:
            found[BOOT] = rest
        elif targets := conformed.targets(run.settings, run.label_in_tables(boot.guest)):
            booted = seconds_of(run.settings).get(BOOT, 0.0)
            found[CHECK] = max(0.0, rest - booted) / len(targets)
        remember(run.settings, found)


def remember(settings: Settings, found: dict[str, float]) -> None:
    """Keep times; what was known counts as much as what is new."""
    known = seconds_of(settings)
    mixed = {name: round((known.get(name, new) + new) / 2, 3) for name, new in found.items()}
    remembered.keep(_file(settings), known | mixed)


def seconds_of(settings: Settings) -> dict[str, float]:
    """What is remembered, by label of the series without its kernel; nothing where nothing is."""
    return {
        name: float(seconds)
        for name, seconds in remembered.read(_file(settings)).items()
        if isinstance(seconds, int | float) and 0 <= seconds < math.inf
    }


def known(settings: Settings, jobs: int | None) -> Known:
    """What the forecast of a run in guests goes by."""
    if not settings.kernels:
        return Known()
    return Known(seconds_of(settings), width(settings, jobs), len(settings.kernels))


def _file(settings: Settings) -> Path:
    depends_on = {name: str(getattr(settings, name)) for name in SETTINGS}
    return remembered.file_of("durations", {**depends_on, "machine": environment.machine_id()})
