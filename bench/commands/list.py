"""``python -m bench list``: what there is to measure, and to measure with."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from bench.commands.parser import Parser
from bench.commands.words import SUMMARY
from bench.model import Exit, Group


def add_list(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench list``."""
    command = commands.add_parser("list", help=SUMMARY["list"])
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
        "workloads": {name: said for rows in groups().values() for name, said in rows.items()},
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
        if title == "workloads":
            print("workloads (* in a run that names none)")
            for group, rows in groups().items():
                print(f" {group}")
                show(rows)
        else:
            print(title)
            show(names)
    return Exit.MEASURED


def groups() -> dict[str, dict[str, str]]:
    """Every row by what it is about: what it does, and the cache states it has."""
    from bench import registry

    found: dict[str, dict[str, str]] = {group.value: {} for group in Group}
    for workload, variant in registry.every_row():
        caches = ", ".join(workload.caches)
        usual = " *" if registry.is_usual(workload, variant) else ""
        name = registry.row_name(workload, variant)
        found[workload.group.value][name] = f"{workload.summary} [{caches}]{usual}"
    return found


def show(names: Mapping[str, str]) -> None:
    """Each name with what is said of it."""
    for name, summary in names.items():
        print(f"  {name:<20} {summary}" if len(name) <= 20 else f"  {name}\n{'':<23}{summary}")
