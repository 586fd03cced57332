"""``python -m bench profile``: where the instructions of a row go, or what makes two targets differ."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.parser import positive
from bench.commands.words import SUMMARY
from bench.model import Exit, UserError
from bench.results.store import RESULTS

if TYPE_CHECKING:
    from bench.commands.parser import Parser
    from bench.profile.select import Found

EXAMPLES = """examples:
  python -m bench profile RUN getattr-storm/path plain-c
      whose instructions, of which subsystem, in which function
  python -m bench profile RUN getattr-storm/path native passthrough-c:attach-lookup
      the functions that account for the difference, largest first
  python -m bench profile RUN readdir plain-c --svg flame.svg
      a flame graph; --folded for the usual tools, --speedscope for speedscope.app

ROW and TARGET may be any part of a name that only one has. RUN needs profiles:
  python -m bench run --kernel lab --clock instructions --profile

A function is what the symbol table has: what the compiler inlined is part of its
caller. A library of others is one name, in brackets.
"""


def add_profile(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench profile``."""
    command = commands.add_parser(
        "profile",
        help=SUMMARY["profile"],
        description="Which functions the instructions of a row go to, or two targets apart.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("run", metavar="RUN", help="run directory, or a name under results/")
    command.add_argument("row", metavar="ROW", help="part of a row's name")
    command.add_argument("target", metavar="TARGET", help="part of a target's name")
    command.add_argument(
        "other", nargs="?", metavar="TARGET", help="show what this one has more and less"
    )
    command.add_argument(
        "--top", type=positive, default=20, metavar="N", help="lines of each table (default: 20)"
    )
    command.add_argument("--folded", type=Path, metavar="FILE", help="write folded stacks")
    command.add_argument("--svg", type=Path, metavar="FILE", help="write a flame graph")
    command.add_argument("--speedscope", type=Path, metavar="FILE", help="write a speedscope file")
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(command=command_profile)


def command_profile(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Find the profiles, print one or their difference, write what was asked for."""
    from bench.profile import select
    from bench.results.store import RunDirectory, find_run

    run = RunDirectory.open(find_run(arguments.run, RESULTS))
    records = list(run.trials())
    wanted = [name for name in (arguments.target, arguments.other) if name is not None]
    found = [select.find(run.path, records, arguments.row, name) for name in wanted]
    _write_files(arguments, found)
    print("\n".join(_as_json(found) if arguments.json else _as_text(found, arguments.top)))
    return Exit.MEASURED


def _as_text(found: list[Found], top: int) -> list[str]:
    from bench.profile import difference, text

    if len(found) == 1:
        one = found[0]
        lines = text.profile_lines(one.profile, f"{one.row} on {one.target}", top)
        requests = text.request_lines(one.requests)
        return [*lines, "", *requests] if requests else lines
    old, new = found
    return text.difference_lines(
        difference.between(old.profile, new.profile),
        old.target,
        new.target,
        f"{new.row}: {new.target} less {old.target}",
        top,
    )


def _as_json(found: list[Found]) -> list[str]:
    from bench.profile import difference

    content: dict[str, object] = {
        "row": found[0].row,
        "targets": [
            {
                "target": one.target,
                "instructions_per_op": one.profile.per_op,
                "context": one.profile.by_context(),
                "subsystem": one.profile.by_subsystem(),
                "function": one.profile.by_function(),
                "requests": [asdict(cost) for cost in one.requests],
            }
            for one in found
        ],
    }
    if len(found) > 1:
        content["difference"] = asdict(difference.between(found[0].profile, found[1].profile))
    return [json.dumps(content, indent=1)]


def _write_files(arguments: argparse.Namespace, found: list[Found]) -> None:
    from bench.profile import flame, fold, speedscope

    last = found[-1]
    title = f"{last.row} on {last.target}"
    if arguments.folded is not None:
        _write(arguments.folded, fold.to_text(last.profile.folded))
    if arguments.svg is not None:
        _write(arguments.svg, flame.svg(last.profile, title))
    if arguments.speedscope is not None:
        _write(arguments.speedscope, speedscope.document(last.profile, title))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
