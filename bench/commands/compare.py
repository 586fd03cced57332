"""``python -m bench compare | history``: the words of commands that only read runs.

What they compute needs NumPy and SciPy, and is done in a process of its own (bench.comparison).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ci import told
from bench.commands.parser import percent
from bench.commands.readers import command_parser
from bench.commands.words import SUMMARY
from bench.results.store import RESULTS

if TYPE_CHECKING:
    from bench.commands.parser import Parser


SPECS = """a run is a directory or a name under results/; of it
  RUN@KERNEL           is one kernel, where it had several (paired by boot)
  RUN:TARGET           is one target (two of one run are paired by round)
  RUN/series/X.json    is one series; a pyperf file outside of a run will do
"""
COMPARE_EXAMPLES = f"""examples:
  python -m bench compare local/before local/after --threshold 2
  python -m bench compare RUN@base RUN@patched
  python -m bench compare RUN:plain-c RUN:passthrough-c
  python -m bench compare before after --allow-different suite --json
  python -m bench compare BASE PATCHED --mail
  python -m bench compare before after --ktap --junit compare.xml     (docs/ci.md)

{SPECS}
exit codes:
  0 no row is slower by more than the threshold: every interval leaves it out
  1 a regression beyond it was shown   2 usage, or the two are unlike
  3 undecided: a row may be slower by more (or nothing could be compared)
"""
HISTORY_EXAMPLES = """examples:
  python -m bench history --workload readdir --target plain-c
  python -m bench history --machine epyc --output charts/
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add both commands."""
    _add_compare(commands)
    _add_history(commands)


def _add_compare(commands: argparse._SubParsersAction[Parser]) -> None:
    command = command_parser(commands, "compare", SUMMARY["compare"], COMPARE_EXAMPLES)
    command.add_argument("base", metavar="BASE", help="what ratios divide by")
    command.add_argument("patched", nargs="+", metavar="PATCHED", help="each gets a table")
    command.add_argument(
        "--threshold",
        type=percent,
        default=1.0,
        metavar="PERCENT",
        help="exit 1 when a row is slower by more than this (default: 1)",
    )
    command.add_argument(
        "--allow-different",
        action="append",
        metavar="WHAT",
        help="compare though this differs; repeatable; a refusal names the word",
    )
    command.add_argument(
        "--force", action="store_true", help="compare whatever differs, but for the clock"
    )
    shape = command.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="as one JSON list, a table an object")
    shape.add_argument("--markdown", action="store_true", help="as Markdown")
    shape.add_argument(
        "--mail", action="store_true", help="a posting of at most 45 lines: patched against base"
    )
    told.add_options(shape, command)


def _add_history(commands: argparse._SubParsersAction[Parser]) -> None:
    command = command_parser(commands, "history", SUMMARY["history"], HISTORY_EXAMPLES)
    command.add_argument(
        "--workload", metavar="W", help="workload, or workload/variant (default: all)"
    )
    command.add_argument("--target", metavar="T", help="default: all")
    command.add_argument(
        "--machine", metavar="M", help="part of a machine's name, as runs have it (default: all)"
    )
    command.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help="where runs are"
    )
    command.add_argument("--output", type=Path, metavar="DIR", help="draw SVG and PNG charts there")
    command.add_argument("--json", action="store_true", help="every point, as one JSON list")
