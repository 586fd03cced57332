"""The command line: finds the command, turns signals and errors into exit codes."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from typing import NoReturn

from bench.commands import bisect, compare, completion, kernel, selftest, verify, worker
from bench.commands.clean import add_clean
from bench.commands.list import add_list
from bench.commands.parser import Parser
from bench.commands.probe import add_probe
from bench.commands.profile import add_profile
from bench.commands.run import CODES, RUN_EXAMPLES, add_run
from bench.commands.show import add_show
from bench.machine import plain, streams
from bench.model import Exit, UserError


def main(argv: list[str]) -> int:
    """Run one command; returns its exit code (bench.model.Exit)."""
    with streams.prepared():
        return streams.finish(_run(argv))


def _run(argv: list[str]) -> int:
    words = parser()
    if "_ARGCOMPLETE" in os.environ:
        completion.complete(words)
    arguments = words.parse_args(argv)
    # Told to end, or left by its terminal, a run ends as it does on Ctrl-C: in order.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        # What nohup(1) has told to be ignored stays so.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        return int(arguments.command(arguments, argv))
    except UserError as error:
        print(f"bench: {plain.text(str(error))}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return streams.PIPE  # whoever read our output (head, a pager) has gone
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT) or error.filename:
            raise
        return streams.refused(error)


def console() -> int:
    """The console command ``fuse-bench``."""
    return main(sys.argv[1:])


def interrupt(_number: int, _frame: object) -> NoReturn:
    """Signal handler: as Ctrl-C."""
    raise KeyboardInterrupt


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="bench",
        description="Measure metadata operations over plain FUSE, FUSE passthrough and native.",
        epilog=RUN_EXAMPLES + "\n" + CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    add_run(commands)
    add_list(commands)
    add_probe(commands)
    add_show(commands)
    add_profile(commands)
    add_clean(commands)
    kernel.add(commands)
    selftest.add(commands)
    compare.add(commands)
    verify.add(commands)
    bisect.add(commands)
    worker.add(commands)
    completion.add(commands)
    return top
