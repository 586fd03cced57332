"""``bench run --scheduler``: a run that the workers of a Dask scheduler do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench.commands.readers import report
from bench.commands.worker import add_tls, tls_of
from bench.model import Exit

if TYPE_CHECKING:
    from bench.plan.settings import Settings
    from bench.results.store import RunDirectory
    from bench.run.trials import RunResult
    from bench.run.view import View


def add_options(group: argparse._ArgumentGroup) -> None:
    """``--scheduler``, and the files of its TLS."""
    group.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="of Dask: its workers (`bench worker`) make the boots of --clock instructions; on the "
        "wall clock each does the whole run by itself",
    )
    add_tls(group)


def started(
    settings: Settings, arguments: argparse.Namespace, command: list[str], view: View
) -> RunResult:
    """A new run in guests of other machines."""
    from bench.fleet.start import start

    return start(
        settings,
        arguments.output,
        command,
        view,
        arguments.scheduler,
        tls_of(arguments),
        jobs=arguments.jobs,
        conform=arguments.conform,
    )


def resumed(left: RunDirectory, arguments: argparse.Namespace, view: View) -> RunResult:
    """The rest of a run in guests of other machines."""
    from bench.fleet.start import resume

    return resume(left, view, arguments.scheduler, tls_of(arguments), jobs=arguments.jobs)


def on_every_machine(
    settings: Settings, arguments: argparse.Namespace, argv: list[str], view: View
) -> int:
    """A fleet run and its report."""
    from bench.fleet import machines

    output, code = machines.start(
        settings,
        arguments.output,
        ["python", "-m", "bench", *argv],
        view,
        arguments.scheduler,
        tls_of(arguments),
    )
    if not arguments.no_report:
        shown = "--print" if arguments.table else "--summary"
        code = code or Exit(report(output, shown, quiet_stdout=arguments.json))
    if not arguments.quiet:
        view.say(f"fleet run: {output}")
    return code
