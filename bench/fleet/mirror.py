"""A boot's shared folder, kept at the client as a worker far away tells of it.

The listener of a run (bench.guests.listener) reads it as if the guest were here. When a worker dies
Dask has another begin the boot anew: what was done before is not taken twice.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.fleet.message import BootReport, News
from bench.guests.protocol import EVENTS


class EventMirror:
    """The events of one boot, in the order told, each trial's end once."""

    def __init__(self, share: Path) -> None:
        self.share = share
        self._lock = threading.Lock()
        self._attempt = ""
        self._heard = 0
        self._ended: set[tuple[str, int]] = set()
        self._before: set[tuple[str, int]] = set()
        """Trials that an earlier attempt ended."""

    def news(self, told: News) -> None:
        """Take lines in that are next; others wait for the report, which has them all."""
        with self._lock:
            if told.attempt != self._attempt and told.begin == 0:
                self._anew(told.attempt)
            if told.attempt == self._attempt and told.begin == self._heard:
                self._take(told.lines)

    def report(self, told: BootReport) -> None:
        """Take in what news did not bring, and the logs."""
        with self._lock:
            if told.attempt != self._attempt:
                self._anew(told.attempt)
            self._take(told.lines[self._heard :])
        (self.share / "guest.console").write_text(told.console)
        for name, text in told.logs.items():
            if "/" not in name and name.endswith(".log"):
                (self.share / name).write_text(text)

    def _anew(self, attempt: str) -> None:
        self._attempt, self._heard = attempt, 0
        self._before = set(self._ended)

    def _take(self, lines: Iterable[str]) -> None:
        with (self.share / EVENTS).open("a") as file:
            for line in lines:
                self._heard += 1
                if self._wanted(line):
                    file.write(line + "\n")

    def _wanted(self, line: str) -> bool:
        """Whether a line tells of something new: not of a trial that an earlier attempt has ended."""
        try:
            event: dict[str, Any] = json.loads(line)
            if event["event"] not in ("begin", "end"):
                return True
            trial = (str(event["record"]["series"]), int(event["record"].get("attempt") or 0))
            if event["event"] == "end" and trial not in self._before:
                self._ended.add(trial)
        except (ValueError, TypeError, KeyError, AttributeError):
            return False
        return trial not in self._before
