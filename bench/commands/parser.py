"""The parser every command shares, and readers of single arguments."""

from __future__ import annotations

import argparse
import difflib
import math
import sys
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one lower-case line and name the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and exit with Exit.USAGE."""
        from bench.model import Exit  # `bench --help` does without: 20 ms of dataclasses

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


def percent(text: str) -> float:
    """``2%`` or ``2`` as 2, 0 or more."""
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage, 0 or more")
    return number


def positive(text: str) -> int:
    """A whole number above 0."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def seconds(text: str) -> float:
    """A time in seconds, 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds, 0 or more")
    return number


def timeout(text: str) -> float:
    """A cache timeout in seconds, as servers take it."""
    from bench.model import TIMEOUT_MAX_S

    number = seconds(text)
    if number >= TIMEOUT_MAX_S:
        raise argparse.ArgumentTypeError(f"{text!r} is more than servers take: below 1e9 seconds")
    return number


def given(text: str) -> str:
    """A word that is one: an empty one is a variable of the shell's that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: is a variable not set?")
    return text


def folder(text: str) -> Path:
    """A path that is one."""
    return Path(given(text))


def share(text: str) -> float:
    """``2%`` or ``2`` as 0.02, above 0: a width that more rounds can reach."""
    number = percent(text)
    if not 0 < number < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage above 0 and below 100")
    return number / 100
