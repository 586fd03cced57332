"""Wall-clock seconds by phase, of a trial or of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class Phases:
    """Wall-clock seconds by phase of one trial."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began


class Timer:
    """Wall-clock seconds of the run's phases; what no phase accounts for is orchestration."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.add(phase, time.monotonic() - began)

    def add(self, phase: str, seconds: float) -> None:
        """Account seconds to a phase."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def summary(self) -> dict[str, float]:
        """Seconds per phase, with ``orchestration`` and ``total``."""
        total = time.monotonic() - self.began
        accounted = sum(self.seconds.values())
        phases = {**self.seconds, "orchestration": total - accounted, "total": total}
        return {name: round(seconds, 3) for name, seconds in phases.items()}
