"""Commands that a run directory or a bundle brings along: shown, and run only when allowed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.model import UserError

if TYPE_CHECKING:
    from bench.commands.parser import Parser
    from bench.plan.settings import Settings

OPTION = "--allow-commands"


def add(command: Parser | argparse._ArgumentGroup) -> None:
    """The option that allows them unasked."""
    command.add_argument(
        OPTION,
        action="store_true",
        help="run the commands of servers that it names, as root, without asking",
    )


def ask(
    settings: Settings,
    where: str,
    *,
    allowed: bool,
    terminal: Callable[[], bool] = lambda: sys.stdin.isatty() and sys.stderr.isatty(),
    answer: Callable[[], str] = input,
) -> None:
    """Show what others' settings would have this machine run; raises UserError unless it may."""
    named = [text for text in _daemons(settings) if "=" in text]
    commands = [printable(text) for text in (*settings.foreign, *named)]
    if settings.libfuse_examples:
        commands.append(f"programs in {printable(settings.libfuse_examples)}")
    if not commands:
        return
    for command in commands:
        print(f"{where} runs, as root: {command}", file=sys.stderr)
    if allowed:
        return
    if not terminal():
        raise UserError(f"{where} brings commands along: {OPTION} runs them")
    print("run them? [y/N] ", end="", file=sys.stderr, flush=True)
    if answer().strip().lower() not in ("y", "yes"):
        raise UserError(f"{where}: its commands were not allowed")


def _daemons(settings: Settings) -> list[str]:
    """Daemons by name or by text, of the settings and of their parts."""
    parts = [name for part in settings.parts for name in part.get("daemons") or ()]
    return [*settings.daemons, *parts]


def printable(text: str) -> str:
    """Text of others as a terminal may show it: nothing of control, nothing left out."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
