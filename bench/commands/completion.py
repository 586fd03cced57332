"""``python -m bench completion``: the shell script that completes this command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench.commands.words import SUMMARY
from bench.model import Exit

if TYPE_CHECKING:
    from bench.commands.parser import Parser

PROGRAM = "fuse-bench"
"""The console command: a shell completes programs, not ``python -m bench``."""
EXAMPLES = f"""examples:
  eval "$({PROGRAM} completion bash)"        in ~/.bashrc
  eval "$({PROGRAM} completion zsh)"         in ~/.zshrc, after compinit
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """``bench completion``."""
    command = commands.add_parser(
        "completion",
        help=SUMMARY["completion"],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("shell", choices=("bash", "zsh"))
    command.set_defaults(command=command_completion)


def command_completion(arguments: argparse.Namespace, _argv: list[str]) -> int:
    """Print the script; the words themselves are asked of the parsers at each completion."""
    from argcomplete.shell_integration import shellcode

    print(shellcode([PROGRAM], shell=arguments.shell))
    return Exit.MEASURED


def complete(parser: Parser) -> None:
    """Answer the shell and exit, if it is the shell that asks (argcomplete's protocol)."""
    import argcomplete

    _name_values(parser)
    argcomplete.autocomplete(parser)


def _name_values(parser: argparse.ArgumentParser) -> None:
    """Options that take a name of `bench list` complete to those names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _name_values(command)
        elif completer := _COMPLETERS.get(next(iter(action.option_strings), "")):
            action.completer = completer  # type: ignore[attr-defined]


def _daemons(**_asked: object) -> list[str]:
    from bench import registry

    return list(registry.daemons())


def _workloads(**_asked: object) -> list[str]:
    from bench import registry

    rows = [registry.row_name(workload, variant) for workload, variant in registry.rows(())]
    return [*registry.workloads(), *rows]


def _matrices(**_asked: object) -> list[str]:
    from bench.plan import matrix

    return [file.stem for file in matrix.files()]


def _trees(**_asked: object) -> list[str]:
    from workloads import tree

    return list(tree.PRESETS)


_COMPLETERS = {
    "--daemon": _daemons,
    "--workload": _workloads,
    "--matrix": _matrices,
    "--tree": _trees,
}
