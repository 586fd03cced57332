"""Trials done one after another, each on disk before the next begins; repeats, and further rounds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.model import Exit, Outcome, UserError
from bench.plan import schedule
from bench.plan.grid import KernelGives
from bench.plan.series import Trial
from bench.plan.settings import Settings
from bench.results.record import TrialLine
from bench.results.store import RunDirectory
from bench.run import trial
from bench.run.bench import Bench
from bench.run.named import not_measured
from bench.run.phases import Phases
from bench.run.record import skipped

if TYPE_CHECKING:
    from bench.run.view import View


@dataclass
class RunResult:
    """What a run came to: its directory, and how many trials ended how."""

    run: RunDirectory
    counts: dict[str, int]
    interrupted: bool = False

    @property
    def exit(self) -> Exit:
        """The process's exit code."""
        if self.interrupted:
            return Exit.INTERRUPTED
        nothing, some = not_measured(self.run)
        if nothing or not self.counts.get(Outcome.OK):
            return Exit.NOTHING
        return Exit.PROOF_FAILED if some or self.counts.get(Outcome.FAILED) else Exit.MEASURED


def outcomes(run: RunDirectory) -> Counter[str]:
    """How the trials ended that have a line already."""
    return Counter(line["outcome"] for line in run.trials())


@dataclass
class TrialLoop:
    """Trials as they are done: one after another, each on disk before the next begins."""

    run: RunDirectory
    bench: Bench
    view: View
    clock: Phases
    broken: dict[str, str] = field(default_factory=dict)
    """Targets whose answers differ from the backing, and how."""
    counts: Counter[str] = field(default_factory=Counter)

    def run_all(self, trials: Sequence[Trial]) -> None:
        """Do these trials in this order, those of refused targets excepted."""
        trials = [one for one in trials if one.series.target not in self.broken]
        with self.view.trials(len(trials)) as progress:
            for one in trials:
                progress.begin(one)
                with self.clock("trials"):
                    record, pyperf_json = do(self.bench, one)
                keep(self.run, record, pyperf_json)
                self.counts[record["outcome"]] += 1
                progress.end(record)

    def extra_round(self, gives: KernelGives, number: int, wide: Collection[str]) -> bool:
        """One more round of these comparisons; whether there was anything to do."""
        more = schedule.one_round(self.bench.settings, gives, number)
        more = [one for one in more if one.series.key.label in wide]
        self.run_all(more)
        self.repeat_disturbed(more)
        return bool(more)

    def repeat_disturbed(self, trials: Sequence[Trial]) -> None:
        """Do once more what was disturbed among these trials, with all it is compared with."""
        if self.bench.settings.quick:
            return
        ours = {(one.series.label, one.round) for one in trials}
        records = [
            line
            for line in self.run.trials()
            if (line["series"], line["round"]) in ours and line["outcome"] == Outcome.OK
        ]
        if not any(line["disturbed"] for line in records):
            return
        more = schedule.repeats(trials, records)
        count = sum(bool(line["disturbed"]) for line in records)
        said = f"{count} of {len(records)} trials were disturbed by something else"
        if more:
            self.view.say(f"{said}: {len(more)} trials are made again")
            self.run_all(more)
        else:
            self.view.warn(f"{said}: this machine is not quiet, nothing is made again")


def until_precise(
    settings: Settings, run: RunDirectory, view: View, another: Callable[[int, list[str]], bool]
) -> None:
    """More rounds, until the intervals of every comparison are narrow enough.

    ``another`` makes round ``number`` of the comparisons named, and says whether there was any.
    Stops on width or on time, never on what the numbers say: a verdict that may stop a run makes itself.
    """
    assert settings.precision is not None
    began = time.monotonic()
    while wide := too_wide(run, settings.precision):
        if time.monotonic() - began > settings.max_time_s:
            view.warn(
                f"after {settings.max_time_s:.0f} s {len(wide)} comparisons are still wider than "
                f"+-{settings.precision:.1%}: give it more --max-time, or a quieter machine"
            )
            return
        number = 1 + max((line["round"] for line in run.trials()), default=-1)
        view.say(f"round {number + 1}: {len(wide)} comparisons are not yet precise enough")
        if not another(number, wide):
            return


def too_wide(run: RunDirectory, precision: float) -> list[str]:
    """Comparisons with a ratio whose interval is wider; by a process of its own, as it takes NumPy."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.report.precision", str(run.path), repr(precision)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return list(json.loads(done.stdout))


def do(bench: Bench, one: Trial) -> tuple[TrialLine, str]:
    """One trial, or the record that says why it was not tried."""
    if not bench.backing.is_dir():
        return skipped(bench, one, f"the backing directory {bench.backing} has vanished"), ""
    return trial.run(bench, one)


def keep(run: RunDirectory, record: TrialLine, pyperf_json: str) -> None:
    """Write a trial down; the line first, as it is the truth the pyperf file follows."""
    try:
        run.append_trial(record)
        if pyperf_json:
            run.add_pyperf_run(record["series"], pyperf_json)
    except OSError as error:
        raise UserError(
            f"cannot write results to {run.path}: {error.strerror}; what was written before is whole",
            Exit.PROOF_FAILED,
        ) from None
    except ValueError as error:  # pyperf refuses to mix runs of different machines
        raise UserError(f"{run.path}: {record['series']} was begun elsewhere: {error}") from None
