"""The command line: finds the command, turns signals and errors into exit codes."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import signal
import sys
from typing import NoReturn

from bench.commands.parser import Parser
from bench.commands.words import CODES, COMMANDS, RUN_EXAMPLES
from bench.machine import plain, streams

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def main(argv: list[str], *, last: bool = False) -> int:
    """Run one command; returns its exit code (bench.model.Exit).

    ``last``: the process ends with it. Told to end when all is done, it has its exit code already.
    """
    with streams.prepared():
        code = _run(argv)
        if last:
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)
        return streams.finish(code)


def _run(argv: list[str]) -> int:
    # Told to end, or left by its terminal, a run ends as it does on Ctrl-C: in order.
    for number in ENDING:
        # What nohup(1) has told to be ignored stays so.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        return _command(argv)
    except KeyboardInterrupt:
        from bench.model import Exit

        print("bench: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED


def _command(argv: list[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:
        from bench.commands import completion

        completion.complete(parser())
    words = parser(next((word for word in argv if not word.startswith("-")), ""))
    arguments = words.parse_args(argv)
    from bench.model import UserError  # `bench --help` does without: 20 ms of dataclasses

    try:
        return int(arguments.command(arguments, argv))
    except UserError as error:
        print(f"bench: {plain.text(str(error))}", file=sys.stderr)
        return error.code
    except BrokenPipeError:
        return streams.PIPE  # whoever read our output (head, a pager) has gone
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT) or error.filename:
            raise
        return streams.refused(error)


def console() -> int:
    """The console command ``fuse-bench``."""
    return main(sys.argv[1:], last=True)


def interrupt(_number: int, _frame: object) -> NoReturn:
    """Signal handler: as Ctrl-C."""
    raise KeyboardInterrupt


def parser(wanted: str | None = None) -> Parser:
    """The command line: all of it, or what ``wanted`` takes, with the other commands by name alone.

    A command's options are what takes time to load: `bench --help` needs none.
    """
    top = Parser(
        prog="bench",
        description="Measure metadata operations over plain FUSE, FUSE passthrough and native.",
        epilog=RUN_EXAMPLES + "\n" + CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for module, add, names in COMMANDS:
        if wanted is None or wanted in names:
            getattr(importlib.import_module(f"bench.commands.{module}"), add)(commands)
        else:
            for name, summary in names.items():
                commands.add_parser(name, help=summary)
    return top
