"""``python -m bench selftest``: makes the fresh A/A run if asked to, then has the checks run.

The checks read runs with pandas and so live in a process of their own (bench.selftest).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands.words import SUMMARY
from bench.model import Clock, Exit, UserError

if TYPE_CHECKING:
    from bench.commands.parser import Parser
    from bench.plan.settings import Settings

LOCAL = Path("results/local")
EXAMPLES = """examples:
  python -m bench selftest
      the simulated checks and the cross-check with perf and fio: two minutes
  python -m bench selftest --quick
      the same with fewer replicates, deterministic: seconds, for a CI job
  python -m bench selftest --aa
      and every workload on the same target under two names: ten minutes. Stores
      the noise floor, which reports of this machine go by, in results/local
  python -m bench selftest --aa --kernel lab
      the same in guests on the instruction clock: what one boot of each row
      shows by chance, by which the ranges of every such run are widened
  python -m bench selftest --power
      how small a difference does a default run find? Known ones are put on an
      A/A run of 24 rounds
  python -m bench selftest --effect 900
      and is a server that is 1, 2, 5, 10 or 50 us slower found to be?
  python -m bench selftest --from results/epyc-6.18/aa --save results/epyc-6.18
      look at recorded runs again
  python -m bench selftest --only no-flip --runs RUN1 RUN2
      two full runs in a row: did a verdict flip?
exit codes:
  0 every bar that was tried is met   2 usage   3 the A/A run measured nothing
  4 a bar was missed
"""
AA: dict[str, Any] = {
    "daemons": ("native", "overlayfs", "plain-c"),
    "only": True,
    "twins": True,
    "trials": 20,
    "values": 3,
    "window_s": 0.02,
}
COUNTED_AA: dict[str, Any] = {
    "daemons": ("native", "overlayfs", "plain-c", "passthrough-c"),
    "clock": Clock.INSTRUCTIONS,
    "trials": 4,
}
"""In guests: two boots give the floor of each row, by which the other two are judged."""
POWER: dict[str, Any] = {"daemons": ("native", "plain-c", "passthrough-c"), "trials": 24}
"""As a default run, of targets that differ from it in language alone: windows and values are its own."""
QUICK_AA: dict[str, Any] = {
    "daemons": ("native", "plain-c"),
    "workloads": ("getattr-storm/fd", "readdir"),
    "tree": "tiny",
    "trials": 5,
    "window_s": 0.01,
    "quick": True,
}
QUICK_ROWS = ("daemons", "workloads")
"""What a quick run in guests takes of it."""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = commands.add_parser(
        "selftest",
        help=SUMMARY["selftest"],
        description="Check the suite's own statistics against bars, on simulated, recorded and "
        "fresh data.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(command)
    command.set_defaults(command=command_selftest)


def add_options(command: argparse.ArgumentParser) -> None:
    """The options; the process that runs the checks reads the same ones."""
    command.add_argument(
        "--quick", action="store_true", help="fewer replicates, same seeds: seconds, not minutes"
    )
    _fresh_runs(command)
    command.add_argument(
        "--from",
        dest="recorded",
        action="append",
        metavar="RUN",
        help="look for A/A comparisons in this recorded run; repeatable",
    )
    command.add_argument(
        "--runs", nargs=2, metavar=("RUN1", "RUN2"), help="two runs that must not contradict"
    )
    command.add_argument(
        "--only", action="append", metavar="CHECK", help="this check alone; repeatable"
    )
    command.add_argument(
        "--save", type=Path, metavar="DIR", help="keep selftest.json there (--aa: results/local)"
    )
    command.add_argument("--json", action="store_true", help="as one JSON object")


def _fresh_runs(command: argparse.ArgumentParser) -> None:
    """Runs that a check makes for itself, and where."""
    command.add_argument(
        "--aa", action="store_true", help="make a fresh run of every target under two names"
    )
    command.add_argument(
        "--power",
        action="store_true",
        help="an A/A run as a default run measures, and what it finds of known differences",
    )
    command.add_argument(
        "--effect",
        type=float,
        metavar="SECONDS",
        help="make runs of a server that is slower by known times, as many as fit",
    )
    command.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="of that run (default: 20; 5 with --quick; 4 boots with --kernel)",
    )
    command.add_argument(
        "--kernel", metavar="NAME", help="in guests of this kernel, on the instruction clock"
    )
    command.add_argument(
        "--backing", metavar="DIR", help="directory beneath its mounts (default: a tmpfs)"
    )


def command_selftest(arguments: argparse.Namespace, argv: list[str]) -> int:
    """Measure if there is something to measure, then check; the exit code is the checks'."""
    asked = argv[1:]
    if arguments.power:
        arguments.aa = True
        asked += ["--only", "power"]
    if arguments.aa:
        asked += ["--from", str(fresh_run(arguments, argv))]
        # A quick run's noise is that of a few short trials, not the machine's.
        if not (arguments.save or arguments.quick or arguments.power):
            asked += ["--save", str(LOCAL)]
    elif arguments.rounds or arguments.backing or arguments.kernel:
        raise UserError("--rounds, --backing and --kernel are of a fresh run: give --aa as well")
    if arguments.effect:
        asked += [word for path in delayed_runs(arguments) for word in ("--from", str(path))]
    return subprocess.run([sys.executable, "-m", "bench.selftest", *asked]).returncode


def fresh_run(arguments: argparse.Namespace, argv: list[str]) -> Path:
    """The directory of an A/A run made now."""
    from bench.measure import start
    from bench.run.view import View

    view = View(quiet=arguments.json, as_json=False)
    command = ["python", "-m", "bench", *argv]
    result = start(settings(arguments), None, command, view)
    if result.exit is Exit.NOTHING:
        raise UserError("the A/A run measured nothing: the reasons are above", Exit.NOTHING)
    return result.run.path


def delayed_runs(arguments: argparse.Namespace) -> list[Path]:
    """The directories of runs with delays, made now."""
    from bench.run import delayed
    from bench.run.view import View

    view = View(quiet=arguments.json)
    folder = LOCAL / f"effect-{datetime.now():%Y%m%d-%H%M%S}"
    return delayed.measure(folder, arguments.effect, view.say)


def settings(arguments: argparse.Namespace) -> Settings:
    """Settings of the A/A run: every workload that is no program, cheap targets, each under two names."""
    from bench import registry
    from bench.plan.settings import Settings, drawn_seed, guest

    rows = [
        registry.row_name(workload, variant)
        for workload, variant in registry.rows(())
        if not workload.needs
    ]
    asked = {"workloads": tuple(rows)} | AA | (QUICK_AA if arguments.quick else {})
    if arguments.power and not arguments.quick:
        asked = {**asked, **POWER, "values": Settings().values, "window_s": Settings().window_s}
    if arguments.kernel:
        if arguments.backing:
            raise UserError("--backing is this machine's: leave it out with --kernel")
        asked |= {**guest(Clock.INSTRUCTIONS), **COUNTED_AA, "kernels": (arguments.kernel,)}
        asked |= {key: QUICK_AA[key] for key in QUICK_ROWS if arguments.quick}
    if arguments.rounds is not None:
        asked["trials"] = arguments.rounds
    if asked["trials"] < 1:
        raise UserError(f"--rounds {asked['trials']}: at least 1 is needed")
    return Settings(seed=drawn_seed(), backing=arguments.backing or "", **asked)
