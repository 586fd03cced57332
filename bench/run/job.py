"""What the runner asks of one worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.model import Clock, Context


@dataclass(frozen=True)
class Job:
    """What the runner asks of one worker.

    ``connection`` is the one to count (None: nothing to count); ``count``, ``measure`` and
    ``attribution`` say which phases to do; ``values`` timed windows of about ``window_s`` seconds each.
    """

    workload: str
    label: str
    context: Context
    connection: int | None
    counters: Path | None
    count: bool
    measure: bool
    attribution: bool
    profile: int | None
    """Number of the window to be profiled; None: none is."""
    values: int
    window_s: float
    clock: Clock
    pipe: int
    result: int
