"""What is done in a process of its own, where NumPy and pandas may be loaded."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.machine import isolate

if TYPE_CHECKING:
    from bench.commands.parser import Parser


def command_parser(
    commands: argparse._SubParsersAction[Parser], name: str, summary: str, epilog: str
) -> Parser:
    """A command with its examples that is done in bench.comparison."""
    command = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(command=analyse, analysis=name)
    return command


def analyse(_arguments: argparse.Namespace, argv: list[str]) -> int:
    """Run the command of this command line where NumPy may be loaded."""
    return _done([sys.executable, "-m", "bench.comparison", *argv])


def report(run: Path, *options: str, quiet_stdout: bool = False) -> int:
    """Run report.py in a process of its own, so that pandas is never in the runner."""
    stdout = subprocess.DEVNULL if quiet_stdout else None
    return _done([sys.executable, "-m", "report", str(run), *options], stdout)


def _done(argv: list[str], stdout: int | None = None) -> int:
    """The exit code of a command that does not outlive this process."""
    sys.stdout.flush()
    return subprocess.run(argv, stdout=stdout, preexec_fn=isolate.dies_with(os.getpid())).returncode
