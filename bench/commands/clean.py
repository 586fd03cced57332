"""``python -m bench clean``: remove what a killed run left."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.parser import Parser
from bench.commands.words import SUMMARY
from bench.model import Exit, UserError
from bench.mounts.mount import printable
from bench.results.store import RESULTS


def add_clean(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench clean``."""
    command = commands.add_parser(
        "clean",
        help=SUMMARY["clean"],
        description="Kill processes of runs whose runner is gone, unmount what they mounted, "
        "remove half-written files. Finished results and complete trees stay (but see --trees).",
    )
    command.add_argument("--dry-run", action="store_true", help="say what would be done")
    command.add_argument(
        "--trees", action="store_true", help="remove the generated trees of the default backing too"
    )
    command.add_argument(
        "--backing", type=Path, metavar="DIR", help="backing directory to look at (default: as run)"
    )
    command.set_defaults(command=command_clean)


def command_clean(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Remove what a killed run left."""
    from bench.mounts import backing
    from bench.run import cleanup

    if arguments.backing and not arguments.trees:
        raise UserError("--backing says where --trees looks: give both")
    said = list(cleanup.clean(RESULTS, dry_run=arguments.dry_run))
    if arguments.trees:
        directory = arguments.backing or backing.default_directory()
        said += cleanup.remove_trees(directory, dry_run=arguments.dry_run)
    for line in said:
        print(printable(line))
    failed = any(line.startswith("cannot ") or "does not end" in line for line in said)
    return Exit.NOTHING if failed else Exit.MEASURED
