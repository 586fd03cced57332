"""Wall-clock seconds by phase, of a trial or of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Phases:
    """Wall-clock seconds by phase; what none accounts for is orchestration."""

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
        """Account seconds to a phase; negative ones are another's, who says so itself."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def rounded(self) -> dict[str, float]:
        """Seconds per phase."""
        return {name: round(taken, 4) for name, taken in self.seconds.items()}

    def summary(self) -> dict[str, float]:
        """Seconds per phase, with ``orchestration`` and ``total``."""
        total = time.monotonic() - self.began
        accounted = sum(self.seconds.values())
        phases = {**self.seconds, "orchestration": total - accounted, "total": total}
        return {name: round(seconds, 3) for name, seconds in phases.items()}
