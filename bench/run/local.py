"""A whole run: probe, tree, plan, conformance, trials round by round, and what is written down."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench.model import Exit, UserError
from bench.plan import schedule
from bench.plan.grid import KernelGives
from bench.plan.schedule import Plan
from bench.plan.series import Trial
from bench.results.store import RunDirectory
from bench.run import headers
from bench.run.bench import Bench
from bench.run.checks import check_targets, sheet
from bench.run.phases import Phases
from bench.run.trials import RunResult, TrialLoop, outcomes, until_precise

if TYPE_CHECKING:
    from bench.run.view import View


def not_done(trials: tuple[Trial, ...], run: RunDirectory) -> tuple[Trial, ...]:
    """The trials that have no line in trials.jsonl."""
    done = {(record["series"], record["round"]) for record in run.trials()}
    return tuple(one for one in trials if (one.series.label, one.round) not in done)


def fill(loop: TrialLoop, gives: KernelGives) -> None:
    """Further rounds while another fits into the time; stops on time, never on what the numbers say."""
    settings = loop.bench.settings
    if not settings.fill_s:
        return
    for number in range(settings.trials, settings.most_trials):
        left = not_done(tuple(schedule.one_round(settings, gives, number)), loop.run)
        spent = sum(sum(line["phases"].values()) for line in loop.run.trials())
        if spent + spent / number > settings.fill_s:
            return
        loop.run_all(left)
        loop.repeat_disturbed(left)


def go(
    run: RunDirectory,
    gives: KernelGives,
    planned: Plan,
    bench: Bench,
    view: View,
    clock: Phases,
) -> RunResult:
    """Conformance, then every trial that has no line yet; the directory is right after each of them.

    Then what was disturbed, once more, and more rounds as long as there is time, or until the precision
    asked for is reached.
    """
    bench.logs = run.path / "logs"
    loop = TrialLoop(run, bench, view, clock, counts=outcomes(run))
    interrupted = False
    try:
        with clock("conformance"):
            loop.broken = check_targets(planned, bench, view)
        run.update_header(refused=loop.broken)
        if bench.settings.cost:
            with clock("cost"):
                sheet(run, planned, bench, view, loop.broken)
        loop.run_all(not_done(planned.trials, run))
        loop.repeat_disturbed(planned.trials)
        fill(loop, gives)
        if bench.settings.precision is not None:
            until_precise(bench.settings, run, view, partial(loop.extra_round, gives))
    except KeyboardInterrupt:
        interrupted = True
        view.warn(f"interrupted; finish it with: python -m bench run --resume {run.path}")
    finished = None if interrupted else headers.now()
    try:
        run.update_header(finished=finished, phases=clock.summary())
    except OSError as error:
        raise UserError(
            f"{run.path}: measured, but run.json cannot be written: {error.strerror}; make room, then "
            f"python -m bench run --resume {run.path}",
            Exit.PROOF_FAILED,
        ) from None
    return RunResult(run, loop.counts, interrupted)
