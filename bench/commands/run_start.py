"""What ``bench run`` does: a run here or on other machines, a new one or the rest of one, its report."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench.commands import strangers
from bench.commands.readers import report
from bench.commands.run_settings import refuse
from bench.commands.worker import tls_of
from bench.model import Exit, Outcome
from bench.plan.settings import Settings
from bench.results.store import RESULTS, RunDirectory, find_run

if TYPE_CHECKING:
    from bench.run.trials import RunResult
    from bench.run.view import View


def started(
    settings: Settings, command: list[str], arguments: argparse.Namespace, view: View
) -> RunResult:
    """A new run, here or by Dask's workers."""
    if arguments.scheduler:
        from bench.fleet.start import start as start_there

        return start_there(
            settings,
            arguments.output,
            command,
            view,
            arguments.scheduler,
            tls_of(arguments),
            jobs=arguments.jobs,
            conform=arguments.conform,
        )
    from bench.measure import start

    return start(
        settings,
        arguments.output,
        command,
        view,
        jobs=arguments.jobs,
        conform=arguments.conform,
    )


def resumed(arguments: argparse.Namespace, view: View) -> RunResult:
    """The rest of a run, here or by Dask's workers."""
    refuse_with_resume(arguments)
    left = RunDirectory.open(find_run(arguments.resume, RESULTS))
    settings = Settings.from_json(left.header()["settings"])
    strangers.ask(settings, str(left.path), allowed=arguments.allow_commands)
    if arguments.scheduler:
        from bench.fleet.start import resume as resume_there

        return resume_there(left, view, arguments.scheduler, tls_of(arguments), jobs=arguments.jobs)
    from bench.measure import resume

    return resume(left, view, jobs=arguments.jobs)


def on_every_machine(
    settings: Settings, command: list[str], arguments: argparse.Namespace, view: View
) -> int:
    """A fleet run and its report."""
    from bench.fleet import machines

    output, code = machines.start(
        settings, arguments.output, command, view, arguments.scheduler, tls_of(arguments)
    )
    if not arguments.no_report:
        code = code or Exit(report(output, "--print", quiet_stdout=arguments.json))
    if not arguments.quiet:
        view.say(f"fleet run: {output}")
    return code


def told(result: RunResult, arguments: argparse.Namespace, view: View) -> int:
    """Say what was not measured, and draw the report."""
    from bench.mounts.mount import describe_exit
    from bench.run.named import not_measured

    code = result.exit
    nothing, some = not_measured(result.run)
    for name, reason in (nothing | some).items():
        view.warn(f"{name}: {'nothing' if name in nothing else 'not all'} was measured: {reason}")
    if result.counts.get(Outcome.OK) and not arguments.no_report:
        reported = report(result.run.path, "--print", quiet_stdout=arguments.json)
        if reported:
            view.warn(
                f"measured, but the report was not drawn ({describe_exit(reported)}): "
                f"python report.py {result.run.path} draws it again"
            )
            code = code or Exit.PROOF_FAILED
    if not arguments.quiet:
        view.say(f"run: {result.run.path}")
    return code


def refuse_with_resume(arguments: argparse.Namespace) -> None:
    """A resumed run keeps its settings; raises UserError for options that would change them."""
    free = {"command", "resume", "no_report", "json", "quiet", "jobs", "allow_commands"}
    free |= {"scheduler", "tls_ca", "tls_cert", "tls_key"}
    others = [name for name in vars(arguments) if name not in free]
    refuse(arguments, others, "--resume keeps the run's own settings")
