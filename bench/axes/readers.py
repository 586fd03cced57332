"""Readers of axis values: of a word on the command line, or of a value in a TOML file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from bench import registry
from bench.model import UserError

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

SWITCH: Mapping[str, tuple[bool, ...]] = {"on": (True,), "off": (False,), "both": (False, True)}


def text(value: Any) -> str:
    """A text, and nothing else."""
    if not isinstance(value, str):
        raise UserError(f"wanted a text, got {value!r}")
    return value


MOST = 10_000
"""Threads, rounds and windows that a run can be asked for."""
MOST_ENTRIES = 10**8


def number(value: Any, most: int = MOST) -> tuple[int]:
    """A whole number above 0."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:18])
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{value!r} is not a whole number above 0")
    if value > most:
        raise UserError(f"at most {most}")
    return (value,)


def number_or_0(value: Any) -> tuple[int]:
    """A whole number."""
    if value == "0" or (isinstance(value, int) and value == 0 and not isinstance(value, bool)):
        return (0,)
    return number(value)


def entries(value: Any) -> tuple[int]:
    """Entries of a directory."""
    return number(value, MOST_ENTRIES)


def one_of(names: Iterable[str]) -> Callable[[Any], str]:
    """One of a few words."""
    known = [str(name) for name in names]

    def read(value: Any) -> str:
        if value not in known:
            raise UserError(f"unknown {value!r}: {registry.nearest(str(value), known)}")
        return str(value)

    return read


def word_of(kind: type[Word]) -> Callable[[Any], tuple[Word]]:
    """One of the words of an enumeration."""
    read = one_of(kind)
    return lambda value: (kind(read(value)),)


def switch(words: Mapping[str, tuple[bool, ...]]) -> Callable[[Any], tuple[bool, ...]]:
    """``on``, ``off`` or ``both``; run.json has true and false."""
    read = one_of(words)
    return lambda value: (value,) if isinstance(value, bool) else words[read(value)]
