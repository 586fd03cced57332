"""``python -m bench show``: what a run holds, and its table."""

from __future__ import annotations

import argparse
import json
import sys

from bench.commands.parser import Parser
from bench.commands.readers import report
from bench.commands.words import SUMMARY
from bench.model import Exit
from bench.results.store import RESULTS


def add_show(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench show``."""
    command = commands.add_parser("show", help=SUMMARY["show"])
    command.add_argument(
        "run", nargs="?", metavar="RUN", help="run directory (default: the newest)"
    )
    command.add_argument(
        "--json", action="store_true", help="run.json and trial counts as one JSON object"
    )
    command.set_defaults(command=command_show)


def command_show(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """A run's state, then its table."""
    from collections import Counter

    from bench.results.store import RunDirectory, find_run

    run = RunDirectory(find_run(arguments.run, RESULTS))
    about = run.about()
    counts = dict(Counter(line["outcome"] for line in run.trials()))
    if arguments.json:
        told = {"path": str(run.path), "run": about, "outcomes": counts, "problems": run.problems()}
        print(json.dumps(told, indent=1))
        return Exit.MEASURED
    print(f"run       {run.path}")
    finished = about.get("finished") or "no: --resume finishes it"
    print(f"started   {about.get('started') or 'not recorded'}, finished {finished}")
    print(f"command   {' '.join(about.get('argv') or ['not recorded'])}")
    print(
        f"trials    {', '.join(f'{number} {outcome}' for outcome, number in counts.items()) or 'none'}"
    )
    sys.stdout.flush()
    return report(run.path, "--format", "text", "--print")
