"""Where a run in guests stands: boots done, and about how long the rest takes."""

from __future__ import annotations

import time

from bench.run.view import View


class Progress:
    """Counts boots; the time to go is that of those done, shared out over those left."""

    def __init__(self, view: View, total: int) -> None:
        self.view, self.total = view, total
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
        seconds = (time.monotonic() - self.began) / self.done * left
        return (
            f", about {seconds / 60:.0f} min to go"
            if seconds > 90
            else f", about {seconds:.0f} s to go"
        )
