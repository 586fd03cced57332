"""``python -m bench.comparison``: compare, history and verify, told apart from the runner."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from bench.ci import told
from bench.commands import compare as compare_words
from bench.commands import verify as verify_words
from bench.commands.parser import Parser
from bench.comparison import as_tests, history, mail, shapes, unlike, verify
from bench.comparison.compare import compare
from bench.comparison.sides import refuse_empty, side
from bench.model import Exit, UserError

REGRESSION = 1
"""Exit code for a regression, as comparison tools have it."""


def main(argv: list[str]) -> int:
    """Do what the command line says; the exit code is that of the command."""
    parser = Parser(prog="bench")
    known = parser.add_subparsers(required=True, parser_class=Parser)
    compare_words.add(known)
    verify_words.add(known)
    arguments = parser.parse_args(argv)
    commands = {"compare": command_compare, "history": command_history, "verify": command_verify}
    try:
        return commands[arguments.analysis](arguments)
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.code
    except BrokenPipeError:  # | head: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.MEASURED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def command_compare(arguments: argparse.Namespace) -> int:
    """A table for each PATCHED; REGRESSION where one holds a regression."""
    sides = [side(spec) for spec in (arguments.base, *arguments.patched)]
    refuse_empty(sides)
    base, *others = sides
    allowed = allowed_by(arguments)
    made = [compare(base, patched, arguments.threshold, allowed) for patched in others]
    tests = told.wanted(arguments)
    if tests.wanted:
        tests.tell([as_tests.table(one) for one in made])
    if tests.ktap:
        pass
    elif arguments.json:
        print(json.dumps([shapes.as_json(one) for one in made], indent=1))
    elif arguments.mail:
        print("\n".join(mail.of_sides(one) for one in made), end="")
    elif arguments.markdown:
        print("\n".join(shapes.markdown(one) for one in made), end="")
    else:
        say(line for one in made for line in (*shapes.text(one), ("", "")))
    if any(one.regressions for one in made):
        return REGRESSION
    sure = all(one.judged and not one.undecided for one in made)
    return Exit.MEASURED if sure else Exit.NOTHING


def allowed_by(arguments: argparse.Namespace) -> frozenset[str]:
    """The words of what may differ; raises UserError for one there is not."""
    if arguments.force:
        return frozenset(unlike.WORDS)
    given = frozenset(arguments.allow_different or ())
    known = [word for word in unlike.WORDS if word != unlike.CLOCK]
    for word in sorted(given - set(known)):
        raise UserError(f"--allow-different {word}: wanted one of {', '.join(known)}")
    return given


def command_history(arguments: argparse.Namespace) -> int:
    """Sparklines, points or charts over all runs."""
    asked = history.Selection(arguments.workload, arguments.target, arguments.machine)
    lines, problems = history.collect(arguments.results, asked)
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    if not lines:
        raise UserError(f"no run under {arguments.results}/ has what was asked for", Exit.NOTHING)
    if arguments.json:
        print(json.dumps([history.as_json(line) for line in lines], indent=1))
    else:
        say(history.text(lines, points=arguments.workload is not None))
    if arguments.output:
        from bench.comparison.history_chart import draw

        for file in draw(lines, arguments.output):
            print(file, file=sys.stderr)
    return Exit.MEASURED


def command_verify(arguments: argparse.Namespace) -> int:
    """Verify a published run, unpacked in a directory, by a run of this machine."""
    made = verify.verify(Path(arguments.bundle), Path(arguments.run), arguments.margin / 100)
    if arguments.json:
        print(json.dumps(verify.as_json(made), indent=1))
    else:
        say(verify.text(made))
    return verify.CODES[made.answer]


def say(lines: Iterable[shapes.Line]) -> None:
    """Print lines with their styles; colour only on a terminal."""
    console = Console(highlight=False, soft_wrap=True)
    for line, style in lines:
        console.print(line, style=style or None, markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
