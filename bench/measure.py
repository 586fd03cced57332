"""Starts and resumes runs, on this machine's kernel or in guests: the one place that chooses between them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.machine.alone import on_this_machine
from bench.model import UserError
from bench.plan import foreign, schedule
from bench.plan.schedule import refuse_empty
from bench.plan.settings import Settings
from bench.results.store import RunDirectory
from bench.run import headers
from bench.run.local import go, not_done
from bench.run.phases import Phases
from bench.run.prepare import prepared
from bench.run.trials import RunResult, outcomes

if TYPE_CHECKING:
    from bench.run.view import View


def start(
    settings: Settings,
    output: Path | None,
    argv: list[str],
    view: View,
    *,
    jobs: int | None = None,
    conform: bool = False,
) -> RunResult:
    """Make a new run; raises UserError when nothing can be measured.

    ``jobs`` guests boot side by side (None: as many as make sense); ``conform`` compares targets with
    their backing in guests though it is known how they answer.
    """
    with on_this_machine(settings.clock):
        if not settings.kernels:
            return _start_here(settings, output, argv, view)
        from bench.guests import host

        output = output or headers.default_output()
        return host.start(settings, output, argv, view, jobs=jobs, conform=conform)


def resume(run: RunDirectory, view: View, *, jobs: int | None = None) -> RunResult:
    """Finish a run: do the trials of its plan that have no line yet. ``jobs`` as for start."""
    header = run.header()
    settings = foreign.introduce(Settings.from_json(settings_of(run, header)))
    problems = run.problems()
    for problem in problems:
        view.warn(problem)
    if mended := run.mend_series():
        view.say(f"{len(mended)} series files were not whole: made anew from trials.jsonl")
    if settings.kernels and header.get("finished") and not problems:
        return nothing_left(run, view)
    with on_this_machine(settings.clock):
        if not settings.kernels:
            return _resume_here(run, header, settings, view)
        from bench.guests import host

        return host.resume(run, settings, view, jobs=jobs)


def _start_here(settings: Settings, output: Path | None, argv: list[str], view: View) -> RunResult:
    clock = Phases()
    with prepared(settings, view, clock) as (bench, gives):
        planned = schedule.make(settings, gives)
        refuse_empty(planned)
        for item in planned.skipped:
            view.say(f"skipped {item.what}: {item.reason}")
        header = headers.make_header(settings, argv, headers.facts(bench, planned), planned.skipped)
        run = RunDirectory.create(output or headers.default_output(), header)
        return go(run, gives, planned, bench, view, clock)


def _resume_here(
    run: RunDirectory, header: Mapping[str, Any], settings: Settings, view: View
) -> RunResult:
    clock = Phases()
    with prepared(settings, view, clock) as (bench, gives):
        planned = schedule.make(settings, gives)
        headers.refuse_other_machine(header, headers.facts(bench, planned))
        left = len(not_done(planned.trials, run))
        if not left and header.get("finished"):
            return nothing_left(run, view)
        view.say(f"resuming {run.path.name}: {left} of {len(planned.trials)} trials to do")
        return go(run, gives, planned, bench, view, clock)


def settings_of(run: RunDirectory, header: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of a run to be resumed; raises UserError where they are none."""
    settings = header.get("settings")
    if not isinstance(settings, Mapping):
        raise UserError(f"{run.path}: cannot be resumed: its run.json has no settings")
    return settings


def nothing_left(run: RunDirectory, view: View) -> RunResult:
    """A run that is finished already ends as it did: with its report, and its exit code."""
    view.say(f"{run.path.name} is finished: nothing is left to do")
    return RunResult(run, outcomes(run))
