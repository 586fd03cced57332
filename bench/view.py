"""What a person sees while a run goes on: one bar on a terminal, plain lines elsewhere.

All of it goes to stderr; stdout is for results. No thread refreshes the bar: the runner forks
and measures, so it redraws only when it is told to tick.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from bench.model import Outcome, Trial

REDRAW_S = 0.5
"""The bar costs CPU time beside a measurement: it is redrawn no more often than this."""


class View:
    """The run's face. ``as_json`` puts every trial's record on stdout as one line."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, quiet=quiet)
        self.as_json = as_json
        self._progress: Progress | None = None
        self._drawn = 0.0

    def say(self, text: str) -> None:
        """One line of news."""
        self.console.print(text, markup=False, soft_wrap=True)

    def status(self, text: str) -> None:
        """What is being done now, where there is no bar."""
        self.say(text)

    def warn(self, text: str) -> None:
        """One line that must not be overlooked."""
        self.console.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)

    def tick(self) -> None:
        """Redraw the bar if it is time to."""
        if self._progress is not None and time.monotonic() - self._drawn > REDRAW_S:
            self._progress.refresh()
            self._drawn = time.monotonic()

    def ended(self, record: dict[str, Any]) -> None:
        """A trial is on disk: say what went wrong with it, and print it for --json."""
        if record["outcome"] != Outcome.OK:
            name = f"{record['series']}, round {record['round'] + 1}"
            self.warn(f"{name}: {record['outcome']}: {record['reason']}")
        if self.as_json:
            print(json.dumps(record, separators=(",", ":")), file=sys.stdout, flush=True)

    @contextmanager
    def building(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """A bar for the tree builder: yields progress(done, total) in files."""
        with self._bar() as bar:
            task: list[TaskID] = []

            def progress(done: int, total: int) -> None:
                if not task:
                    task.append(bar.add_task(f"building tree {name}", total=total))
                bar.update(task[0], completed=done)
                self.tick()

            yield progress

    @contextmanager
    def trials(self, total: int) -> Iterator[TrialProgress]:
        """A bar for the trials of a run."""
        with self._bar() as bar:
            yield TrialProgress(self, bar, bar.add_task("", total=total), total)

    @contextmanager
    def _bar(self) -> Iterator[Progress]:
        columns = (
            BarColumn(20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        interactive = self.console.is_terminal
        with Progress(
            *columns,
            console=self.console,
            auto_refresh=False,
            transient=True,
            disable=not interactive,
        ) as bar:
            self._progress = bar
            try:
                yield bar
            finally:
                self._progress = None


class TrialProgress:
    """Where a run stands; without a terminal, a line per round."""

    def __init__(self, view: View, bar: Progress, task: TaskID, total: int) -> None:
        self.view, self.bar, self.task, self.total = view, bar, task, total
        self.done = 0
        self.began = time.monotonic()
        self.round = -1

    def begin(self, trial: Trial) -> None:
        """A trial starts."""
        series = trial.series
        self.bar.update(
            self.task, description=f"round {trial.round + 1} {series.row} on {series.target}"
        )
        self.view.tick()
        if not self.view.console.is_terminal and trial.round != self.round:
            self.round = trial.round
            self.view.say(
                f"round {trial.round + 1}: {self.done} of {self.total} trials done{self._eta()}"
            )

    def end(self, record: dict[str, Any]) -> None:
        """A trial is on disk."""
        self.done += 1
        self.bar.update(self.task, advance=1)
        self.view.tick()
        self.view.ended(record)

    def _eta(self) -> str:
        if not self.done:
            return ""
        left = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        return f", about {left:.0f} s to go"
