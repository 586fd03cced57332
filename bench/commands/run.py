"""``python -m bench run``: its words turned into settings, the run, its report."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench.commands import run_fleet, run_options, strangers
from bench.commands.readers import report
from bench.commands.run_settings import refuse, settings_from
from bench.commands.words import CODES, RUN_EXAMPLES, SUMMARY
from bench.model import Clock, Exit, Outcome
from bench.results.store import RESULTS

if TYPE_CHECKING:
    from pathlib import Path

    from bench.commands.parser import Parser
    from bench.results.store import RunDirectory
    from bench.run.trials import RunResult
    from bench.run.view import View


def add_run(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench run``."""
    command = commands.add_parser(
        "run",
        help=SUMMARY["run"],
        description="Measure workloads on targets, side by side, and write a report.",
        epilog=RUN_EXAMPLES + "\n" + CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run_options.add(command)
    command.set_defaults(command=command_run)


def command_run(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Measure, then report; the exit code is the worse of the two."""
    if arguments.dry_run and not arguments.resume:
        from bench.guests import kernels, recorded
        from bench.plan import dry_run

        settings = settings_from(arguments)
        kernels.images_of(settings)
        known = recorded.known(settings, arguments.jobs)
        return dry_run.show(settings, known, as_json=arguments.json)
    from bench.run.view import View

    view = View(quiet=arguments.quiet, as_json=arguments.json)
    if arguments.scheduler and not arguments.resume:
        settings = settings_from(arguments)
        if settings.clock != Clock.INSTRUCTIONS:
            return run_fleet.on_every_machine(settings, arguments, argv, view)
    result = resumed(arguments, view) if arguments.resume else started(arguments, argv, view)
    tell_not_measured(result.run, view)
    code: int = result.exit
    if result.counts.get(Outcome.OK) and not arguments.no_report:
        code = code or drawn(result.run, view, as_json=arguments.json, table=arguments.table)
    if not arguments.quiet:
        view.say(f"run: {result.run.path}")
    return code


def started(arguments: argparse.Namespace, argv: list[str], view: View) -> RunResult:
    """A new run, measured."""
    refuse_bad_output(arguments.output)
    settings, command = settings_from(arguments), ["python", "-m", "bench", *argv]
    if arguments.scheduler:
        return run_fleet.started(settings, arguments, command, view)
    from bench.measure import start

    return start(
        settings,
        arguments.output,
        command,
        view,
        jobs=arguments.jobs,
        conform=arguments.conform,
    )


def refuse_bad_output(output: Path | None) -> None:
    """Raises UserError for what cannot become a run's folder."""
    from bench.machine import own
    from bench.results.store import refuse_output

    if output is not None:
        refuse_output(output)
        if output.is_dir():
            own.refuse_open(output, f"--output {output}")


def resumed(arguments: argparse.Namespace, view: View) -> RunResult:
    """A run that was begun before, finished."""
    from bench.measure import resume
    from bench.plan.settings import Settings
    from bench.results.store import RunDirectory, find_run

    refuse_with_resume(arguments)
    left = RunDirectory.open(find_run(arguments.resume, RESULTS))
    settings = Settings.from_json(left.header()["settings"])
    strangers.ask(settings, str(left.path), allowed=arguments.allow_commands)
    if arguments.scheduler:
        return run_fleet.resumed(left, arguments, view)
    return resume(left, view, jobs=arguments.jobs)


def tell_not_measured(run: RunDirectory, view: View) -> None:
    """Warn of every daemon that was asked for and not, or not wholly, measured."""
    from bench.run.named import not_measured

    nothing, some = not_measured(run)
    for name, reason in (nothing | some).items():
        view.warn(f"{name}: {'nothing' if name in nothing else 'not all'} was measured: {reason}")


def drawn(run: RunDirectory, view: View, *, as_json: bool, table: bool) -> int:
    """Draw the report and say what was found; returns an exit code, with a warning where it was not drawn."""
    from bench.mounts.mount import describe_exit

    shown = ("--print", "--summary") if table else ("--summary",)
    reported = report(run.path, *shown, quiet_stdout=as_json)
    if not reported:
        return Exit.MEASURED
    view.warn(
        f"measured, but the report was not drawn ({describe_exit(reported)}): "
        f"python report.py {run.path} draws it again"
    )
    return Exit.PROOF_FAILED


def refuse_with_resume(arguments: argparse.Namespace) -> None:
    """A resumed run keeps its settings; raises UserError for options that would change them."""
    free = {"command", "resume", "no_report", "json", "quiet", "jobs", "allow_commands", "table"}
    free |= {"scheduler", "tls_ca", "tls_cert", "tls_key"}
    others = [name for name in vars(arguments) if name not in free]
    refuse(arguments, others, "--resume keeps the run's own settings")
