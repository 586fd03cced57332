"""The command line: words in, exit code out; what is done is done elsewhere."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from bench import bisect_cli, compare_cli, kernel_cli, selftest_cli, verify_cli
from bench.model import Exit, UserError
from bench.run_cli import CODES, RESULTS, RUN_EXAMPLES, add_run, report


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one lower-case line and name the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and exit with Exit.USAGE."""
        print(f"{self.prog}: {message}{self._nearest(message)} (see --help)", file=sys.stderr)
        sys.exit(Exit.USAGE)

    def _nearest(self, message: str) -> str:
        prefix, _, word = message.partition("unrecognized arguments: ")
        if prefix or not word:
            return ""
        close = difflib.get_close_matches(word.split()[0].partition("=")[0], self.options(), n=1)
        return f"; did you mean {close[0]}?" if close else ""

    def options(self) -> list[str]:
        """Every option of this command and of those below it."""
        known: list[str] = []
        for action in self._actions:
            known += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                known += [
                    option for command in action.choices.values() for option in command.options()
                ]
        return known


def main(argv: list[str]) -> int:
    """Run one command; returns its exit code (bench.model.Exit)."""
    arguments = parser().parse_args(argv)
    # Told to end, or left by its terminal, a run ends as it does on Ctrl-C: in order.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
    try:
        return int(arguments.command(arguments, argv))
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (head, a pager) has gone. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


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
    add_clean(commands)
    kernel_cli.add(commands)
    selftest_cli.add(commands)
    compare_cli.add(commands)
    verify_cli.add(commands)
    bisect_cli.add(commands)
    return top


def add_list(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench list``."""
    command = commands.add_parser("list", help="daemons, workloads, matrices and trees there are")
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(command=command_list)


def add_probe(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench probe``."""
    command = commands.add_parser("probe", help="what this kernel passes through, found by trying")
    command.add_argument(
        "--tune",
        action="store_true",
        help="the machine's knobs instead: what each is, what it should be, and the command",
    )
    command.add_argument("--json", action="store_true", help="as one JSON object")
    command.set_defaults(command=command_probe)


def add_show(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench show``."""
    command = commands.add_parser("show", help="what a run holds, and its table")
    command.add_argument(
        "run", nargs="?", metavar="RUN", help="run directory (default: the newest)"
    )
    command.add_argument(
        "--json", action="store_true", help="run.json and trial counts as one JSON object"
    )
    command.set_defaults(command=command_show)


def add_clean(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench clean``."""
    command = commands.add_parser(
        "clean",
        help="unmount and remove what a killed run left",
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


def command_list(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Daemons, workloads, matrices and trees, by name."""
    from bench import matrix, registry
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


def command_probe(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """What the kernel passes through; Exit.NOTHING when FUSE cannot be used at all."""
    from bench import knobs, probe

    if arguments.tune:
        found = knobs.states()
        print(json.dumps(knobs.as_json(found), indent=1) if arguments.json else knobs.human(found))
        return Exit.MEASURED
    ability = probe.probe()
    print(json.dumps(ability.as_json(), indent=1) if arguments.json else probe.human(ability))
    return ability.exit_code


def command_show(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """A run's state, then its table."""
    from collections import Counter

    from bench.store import RunDirectory, find_run

    run = RunDirectory.open(find_run(arguments.run, RESULTS))
    header = run.header()
    counts = dict(Counter(str(record.get("outcome")) for record in run.trials()))
    if arguments.json:
        print(json.dumps({"path": str(run.path), "run": header, "outcomes": counts}, indent=1))
        return Exit.MEASURED
    print(f"run       {run.path}")
    print(
        f"started   {header['started']}, finished {header['finished'] or 'no: --resume finishes it'}"
    )
    print(f"command   {' '.join(header['argv'])}")
    print(
        f"trials    {', '.join(f'{number} {outcome}' for outcome, number in counts.items()) or 'none'}"
    )
    sys.stdout.flush()
    return report(run.path, "--format", "text", "--print")


def command_clean(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Remove what a killed run left."""
    from bench import backing, cleanup

    directory = arguments.backing or backing.default_directory()
    for line in cleanup.clean(RESULTS, directory, dry_run=arguments.dry_run, trees=arguments.trees):
        print(line)
    return Exit.MEASURED
