"""``python -m bench list``: what there is to measure, and to measure with."""

from __future__ import annotations

import argparse
import json

from bench.commands.parser import Parser
from bench.model import Exit


def add_list(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench list``."""
    command = commands.add_parser("list", help="daemons, workloads, matrices and trees there are")
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(command=command_list)


def command_list(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Daemons, workloads, matrices and trees, by name."""
    from bench import registry
    from bench.plan import matrix
    from workloads import tree

    found = {
        "daemons": {daemon.name: daemon.summary for daemon in registry.daemons().values()},
        "not available": {
            daemon.name: reason
            for daemon in registry.daemons().values()
            if (reason := daemon.missing())
        },
        "workloads": {
            registry.row_name(
                workload, variant
            ): f"{workload.summary} [{', '.join(workload.caches)}]"
            for workload in registry.workloads().values()
            for variant in workload.variants
        },
        "matrices": {file.stem: matrix.load(file).summary for file in matrix.files()},
        "trees": {
            name: f"{spec.file_count} files in {spec.dir_count} directories"
            for name, spec in tree.PRESETS.items()
        },
    }
    if arguments.json:
        print(json.dumps(found, indent=1))
        return Exit.MEASURED
    for title, names in found.items():
        print(title)
        for name, summary in names.items():
            print(f"  {name:<20} {summary}" if len(name) <= 20 else f"  {name}\n{'':<23}{summary}")
    return Exit.MEASURED
