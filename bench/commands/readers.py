"""What is done in a process of its own, where NumPy and pandas may be loaded."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
    return subprocess.run([sys.executable, "-m", "bench.comparison", *argv]).returncode


def report(run: Path, *options: str, quiet_stdout: bool = False) -> int:
    """Run report.py in a process of its own, so that pandas is never in the runner."""
    stdout = subprocess.DEVNULL if quiet_stdout else None
    return subprocess.run(
        [sys.executable, "-m", "report", str(run), *options], stdout=stdout
    ).returncode
