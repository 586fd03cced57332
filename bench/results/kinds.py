"""What a value in a file may be, checked before anything computes with it: others have written it.

A kind reads one JSON value and gives it back, or raises Wrong with the reason. Lists and objects are
in bench.results.objects.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

LARGEST = 2**53
"""Every whole number up to this is itself as a float, too."""
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Control characters but for tab and newline, and what UTF-8 or XML cannot hold."""
NOT_IN_NAMES = {*"/\n\t"}
NAMES_OF_TYPES = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a text",
    list: "a list", dict: "an object", type(None): "null",
}  # fmt: skip


class Wrong(ValueError):
    """A value that cannot be what its place is for; the message is a clause that says why."""


class Kind(Protocol):
    """What a value may be."""

    @property
    def said(self) -> str:
        """The kind in words, for a table of keys."""

    def read(self, value: object, left_out: list[str] | None) -> Any:
        """The value, or raise Wrong.

        ``left_out`` None refuses a value of which any part is wrong; a list takes a sentence about
        each part that was left out instead.
        """


def shown(value: object) -> str:
    """A value that is wrong, in a few words: its kind, and itself where it is short."""
    name = NAMES_OF_TYPES.get(type(value), "something")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e16:
        return f"{value!r}"
    if isinstance(value, str) and len(value) <= 20:
        return ascii(value)
    return name


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds."""

    low: int = 0
    high: int = LARGEST
    said: str = "whole number"

    def read(self, value: object, _left_out: list[str] | None) -> int:
        """An int that is no bool."""
        if type(value) is not int or not self.low <= value <= self.high:
            raise Wrong(f"{shown(value)} is no whole number from {self.low} to {self.high}")
        return value


@dataclass(frozen=True)
class Number:
    """A number within bounds, or NaN, which stands for one that is not known."""

    low: float = 0.0
    high: float = 1e18
    said: str = "number"

    def read(self, value: object, _left_out: list[str] | None) -> float:
        """An int or float as it stands in the file."""
        if (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and (self.low <= value <= self.high or value != value)
        ):
            return value
        raise Wrong(f"{shown(value)} is no number from {self.low:g} to {self.high:g}")


@dataclass(frozen=True)
class Values:
    """What windows took: numbers, of which those that are no time are for a reader to count."""

    most: int = 10_000_000
    said: str = "list of numbers"

    def read(self, value: object, _left_out: list[str] | None) -> list[float]:
        """The numbers; NaN for null, which is how a number that is none is written."""
        if not isinstance(value, list) or len(value) > self.most:
            raise Wrong(f"{shown(value)} is no list of numbers")
        kinds = set(map(type, value))
        if kinds <= {float}:
            return value
        for one in value:
            if type(one) not in (int, float, type(None)) or (
                type(one) is int and abs(one) > LARGEST
            ):
                raise Wrong(f"{shown(one)} among them is no number")
        return [math.nan if one is None else one for one in value]


@dataclass(frozen=True)
class Text:
    """A text; what cannot be printed in it, a terminal's colours or half a character, becomes ``?``."""

    longest: int = 100_000
    said: str = "text"

    def read(self, value: object, _left_out: list[str] | None) -> str:
        """A str that can be written again."""
        if not isinstance(value, str):
            raise Wrong(f"{shown(value)} is no text")
        if len(value) > self.longest:
            raise Wrong(f"a text of {len(value)} characters")
        return UNPRINTABLE.sub("?", value)


@dataclass(frozen=True)
class Name:
    """A text that becomes part of file names and headings."""

    longest: int = 120
    said: str = "name"

    def read(self, value: object, _left_out: list[str] | None) -> str:
        """A str of one line, without what a path or a terminal takes for something else."""
        if not isinstance(value, str):
            raise Wrong(f"{shown(value)} is no name")
        if len(value) > self.longest:
            raise Wrong(f"a name of {len(value)} characters")
        if UNPRINTABLE.search(value) or NOT_IN_NAMES & {*value}:
            raise Wrong(f"{ascii(value)[:40]} is no name")
        return value


@dataclass(frozen=True)
class Word:
    """One of the words of an enumeration of bench.model."""

    words: type[StrEnum]
    other: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """All of them."""
        return ", ".join(f"`{word}`" for word in self.words)

    def read(self, value: object, _left_out: list[str] | None) -> str:
        """The word as it stands in the file."""
        if not isinstance(value, str) or value not in (*self.words, *self.other):
            raise Wrong(f"{shown(value)} is none of {', '.join(self.words)}")
        return value


@dataclass(frozen=True)
class TrueOrFalse:
    """True or false."""

    said: str = "true or false"

    def read(self, value: object, _left_out: list[str] | None) -> bool:
        """A bool."""
        if not isinstance(value, bool):
            raise Wrong(f"{shown(value)} is neither true nor false")
        return value
