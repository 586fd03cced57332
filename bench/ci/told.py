"""The options --ktap and --junit, and what is done about them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.ci.results import ComparisonCases


@dataclass(frozen=True)
class Wanted:
    """What was asked for."""

    ktap: bool = False
    junit: Path | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything was."""
        return self.ktap or self.junit is not None

    def tell(self, tables: Sequence[ComparisonCases]) -> None:
        """Write what was asked for; raises UserError for a file that cannot be written."""
        if self.junit is not None:
            from bench.ci import junit

            junit.write(tables, self.junit)
        if self.ktap:
            from bench.ci import ktap

            print("\n".join(ktap.lines(tables)))


PLAIN = Wanted()
"""Neither."""


def add_options(shape: argparse._ActionsContainer, command: argparse.ArgumentParser) -> None:
    """``--ktap`` among the shapes that exclude one another, ``--junit`` beside them."""
    shape.add_argument("--ktap", action="store_true", help="as KTAP, the kernel's test protocol")
    command.add_argument(
        "--junit", type=Path, metavar="FILE", help="write a JUnit file, too: a test case a target"
    )


def wanted(arguments: argparse.Namespace) -> Wanted:
    """What the command line asks for."""
    return Wanted(arguments.ktap, arguments.junit)
