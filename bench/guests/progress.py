"""Where a run in guests stands: boots done, and about how long the rest takes."""

from __future__ import annotations

import math
import time

from bench.run.view import View


class BootProgress:
    """Counts boots, ``jobs`` of which run at a time; the rest is taken to last as long as those done."""

    def __init__(self, view: View, total: int, jobs: int) -> None:
        self.view, self.total, self.jobs = view, total, jobs
        self.done = 0
        self.began = time.monotonic()

    def ended(self) -> None:
        """A boot has done its work."""
        self.done += 1
        if self.total > 1:
            self.view.say(f"{self.done} of {self.total} boots done{self._to_go()}")

    def _to_go(self) -> str:
        left = self.total - self.done
        if not left:
            return ""
        one = (time.monotonic() - self.began) / math.ceil(self.done / self.jobs)
        seconds = one * left / self.jobs
        return (
            f", about {seconds / 60:.0f} min to go"
            if seconds > 90
            else f", about {seconds:.0f} s to go"
        )
