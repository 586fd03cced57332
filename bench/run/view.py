"""What a person sees while a run goes on: one bar on a terminal, plain lines elsewhere.

All of it goes to stderr; stdout is for results. No thread refreshes the bar: the runner forks
and measures, so it redraws only when it is told to tick.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from bench.axes.rowkey import RowKey
from bench.model import Clock, Outcome
from bench.plan.series import Trial
from bench.results.record import TrialLine

REDRAW_S = 0.5
"""The bar costs CPU time beside a measurement: it is redrawn no more often than this."""


class View:
    """The run's face. ``as_json`` puts every trial's record on stdout as one line."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, quiet=quiet)
        self.as_json = as_json
        self.medians = Medians()
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

    def ended(self, record: TrialLine) -> None:
        """A trial is on disk: say what went wrong with it, and print it for --json."""
        self.medians.add(record)
        if record["outcome"] != Outcome.OK:
            row = RowKey.from_record(record).name
            name = f"{row} on {record['target']}, round {record['round'] + 1}"
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
        with Bar(
            self.medians,
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


class Bar(Progress):
    """A progress bar with the running medians of what was measured last below it."""

    def __init__(self, medians: Medians, *columns: ProgressColumn, **options: Any) -> None:
        self._medians = medians
        super().__init__(*columns, **options)

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bar, then the medians (rich calls this at every refresh)."""
        yield from super().get_renderables()
        if self._medians.series:
            yield self._medians.table()


class Medians:
    """What the trials have come to so far, for the comparison that was measured last."""

    def __init__(self) -> None:
        self.series: dict[str, dict[str, list[float]]] = {}
        self._latest = ""
        self._clock = ""

    def add(self, record: TrialLine) -> None:
        """Take a finished trial in."""
        if record["outcome"] != Outcome.OK or not record["values"]:
            return
        self._latest = RowKey.from_record(record).name
        self._clock = record["clock"]
        targets = self.series.setdefault(self._latest, {})
        targets.setdefault(record["target"], []).append(statistics.median(record["values"]))

    def table(self) -> Table:
        """Target, median of trial medians, their range, trials; not yet a result."""
        table = Table(title=self._latest, title_justify="left", box=None, padding=(0, 2))
        for head in ("target", "median/op", "range", "trials"):
            table.add_column(head, justify="left" if head == "target" else "right")
        for target, medians in self.series[self._latest].items():
            low, middle, high = (
                scaled(value, self._clock)
                for value in (min(medians), statistics.median(medians), max(medians))
            )
            table.add_row(target, middle, f"{low} .. {high}", str(len(medians)))
        return table


def scaled(value: float, clock: str) -> str:
    """A value per operation with its unit, in three digits."""
    if clock == Clock.INSTRUCTIONS:
        return f"{value:.4g} insn"
    scales = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
    size, unit = next((scale for scale in scales if value >= scale[0]), scales[-1])
    return f"{value / size:.3g} {unit}"


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

    def end(self, record: TrialLine) -> None:
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
