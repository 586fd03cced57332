"""``python -m bench probe``: what this kernel passes through, and the machine's knobs."""

from __future__ import annotations

import argparse
import json

from bench.commands.parser import Parser
from bench.commands.words import SUMMARY
from bench.model import Exit


def add_probe(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench probe``."""
    command = commands.add_parser("probe", help=SUMMARY["probe"])
    command.add_argument(
        "--tune",
        action="store_true",
        help="the machine's knobs instead: what each is, what it should be, and the command",
    )
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(command=command_probe)


def command_probe(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """What the kernel passes through; Exit.NOTHING when FUSE cannot be used at all."""
    from bench.machine import knobs
    from bench.probe import probe
    from bench.probe.words import human

    if arguments.tune:
        found = knobs.states()
        print(json.dumps(knobs.as_json(found), indent=1) if arguments.json else knobs.human(found))
        return Exit.MEASURED
    ability = probe.probe_in_child()
    print(json.dumps(ability.as_json(), indent=1) if arguments.json else human(ability))
    return ability.exit_code
