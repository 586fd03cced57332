"""What a value in a file may be, checked before anything computes with it: others have written it.

A kind reads one JSON value and gives it back, or raises Wrong with the reason. ``Key`` is one key of
an object; a TypedDict whose types are ``Annotated`` with keys is a table that files are read through.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, Protocol, get_type_hints

from bench.machine import plain

REQUIRED = object()
"""The default of a key without which an object says nothing."""
MOST_DEEP = 12
"""Objects and lists inside one another, where a table does not say what they are."""
MOST_ENTRIES = 100_000
"""Most members of a list or an object."""
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
class Flag:
    """True or false."""

    said: str = "true or false"

    def read(self, value: object, _left_out: list[str] | None) -> bool:
        """A bool."""
        if not isinstance(value, bool):
            raise Wrong(f"{shown(value)} is neither true nor false")
        return value


@dataclass(frozen=True)
class ListOf:
    """A list whose every member is of one kind; one that is wrong spoils the list."""

    kind: Kind
    fewest: int = 0
    most: int = MOST_ENTRIES

    @property
    def said(self) -> str:
        """A list, and of what."""
        return f"list of {self.kind.said}"

    def read(self, value: object, _left_out: list[str] | None) -> list[Any]:
        """The list."""
        if not isinstance(value, list) or not self.fewest <= len(value) <= self.most:
            raise Wrong(f"{shown(value)} is no {self.said}")
        return [part(self.kind, one, f"[{place}]", None) for place, one in enumerate(value)]


@dataclass(frozen=True)
class Entries:
    """A list of objects, each of which says something of its own: a wrong one can be left out."""

    kind: Kind

    @property
    def said(self) -> str:
        """A list, and of what."""
        return f"list of {self.kind.said}"

    def read(self, value: object, left_out: list[str] | None) -> list[Any]:
        """The entries that are right."""
        if not isinstance(value, list) or len(value) > MOST_ENTRIES:
            raise Wrong(f"{shown(value)} is no list")
        read = [or_none(self.kind, one, f"[{n}]", left_out) for n, one in enumerate(value)]
        return [one for one in read if one is not None]


@dataclass(frozen=True)
class MapOf:
    """An object whose keys are data: each value of one kind."""

    key: Kind
    kind: Kind
    most: int = MOST_ENTRIES

    @property
    def said(self) -> str:
        """An object, and of what."""
        return f"{{{self.key.said}: {self.kind.said}}}"

    def read(self, value: object, left_out: list[str] | None) -> dict[str, Any]:
        """The object."""
        if not isinstance(value, dict) or len(value) > self.most:
            raise Wrong(f"{shown(value)} is no object")
        found = {}
        for name, one in value.items():
            try:
                self.key.read(name, None)
                found[name] = part(self.kind, one, f"{name}", left_out)
            except Wrong as wrong:
                leave_out(wrong, left_out)
        return found


@dataclass(frozen=True)
class Opcodes:
    """An object by the name of a request: ``{GETATTR: ...}``."""

    kind: Kind

    @property
    def said(self) -> str:
        """An object, and of what."""
        return f"{{OPCODE: {self.kind.said}}}"

    def read(self, value: object, left_out: list[str] | None) -> dict[str, Any]:
        """The object."""
        return MapOf(Name(40), self.kind, 1000).read(value, left_out)


@dataclass(frozen=True)
class Object:
    """An object that a TypedDict is the table of. Keys it does not know are left out."""

    table: Any

    @property
    def said(self) -> str:
        """Its keys."""
        return f"{{{', '.join(keys(self.table))}}}"

    def read(self, value: object, left_out: list[str] | None) -> dict[str, Any]:
        """Every key of the table, what is missing or null with its default."""
        if not isinstance(value, Mapping):
            raise Wrong(f"{shown(value)} is no object")
        return {name: key.read(value, name, left_out) for name, key in keys(self.table).items()}


@dataclass(frozen=True)
class Facts:
    """An object of anything, with some keys that are known; what is in the others is only told."""

    known: Mapping[str, Kind] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    said: str = "object"

    def read(self, value: object, left_out: list[str] | None) -> dict[str, Any]:
        """The object without what is null."""
        if not isinstance(value, dict) or len(value) > MOST_ENTRIES:
            raise Wrong(f"{shown(value)} is no object")
        found = {}
        for name, one in value.items():
            place, kind = ascii(name)[1:-1][:40], self.known.get(name, Anything())
            if name not in self.known and UNPRINTABLE.search(name):
                leave_out(Wrong(f"{place}: no key"), left_out)
            elif one is not None and (read := or_none(kind, one, place, left_out)) is not None:
                found[name] = read
        if missing := [name for name in self.needs if name not in found]:
            raise Wrong(f"{missing[0]} is missing")
        return found


@dataclass(frozen=True)
class Anything:
    """A value that is only told: of any kind, but not endless."""

    depth: int = MOST_DEEP
    said: str = "anything"

    def read(self, value: object, _left_out: list[str] | None) -> Any:
        """The value."""
        if isinstance(value, (list, dict)):
            if self.depth == 0 or len(value) > MOST_ENTRIES:
                raise Wrong("more than can be told")
            inner = Anything(self.depth - 1)
            for one in (*value, *(value.values() if isinstance(value, dict) else ())):
                inner.read(one, None)
        elif isinstance(value, str):
            Text().read(value, None)
        elif type(value) is int and abs(value) > 2**64:
            raise Wrong("a whole number of too many digits")
        return value


@dataclass(frozen=True)
class Key:
    """One key of an object: its kind, what a missing or null one is read as, and what it means."""

    kind: Kind
    default: Any
    said: str = ""
    since: int = 0
    """The revision of the schema at which it came (bench.results.record.REVISIONS)."""
    sampled: bool = False
    """Whether it stands beside every sample in samples.csv."""

    def read(self, raw: Mapping[str, Any], name: str, left_out: list[str] | None) -> Any:
        """The value of this key in an object; raises Wrong."""
        value = raw.get(name)
        if value is not None:
            # An object is left out whole, with the reason, where it says nothing without this key.
            value = or_none(self.kind, value, name, None if self.default is REQUIRED else left_out)
        if value is not None:
            return value
        if self.default is REQUIRED:
            raise Wrong(f"{name} is missing")
        return copy.copy(self.default)


FURTHER: dict[Any, dict[str, Key]] = {}
"""Keys of a TypedDict that are made of something else, by name; put here before it is first read."""


@cache
def keys(table: Any) -> dict[str, Key]:
    """The keys of a TypedDict by name."""
    hints = get_type_hints(table, include_extras=True)
    own = {name: hint.__metadata__[0] for name, hint in hints.items()}
    return {**own, **FURTHER.get(table, {})}


def part(kind: Kind, value: object, place: str, left_out: list[str] | None) -> Any:
    """A part of a value; what is wrong with it is told with its place."""
    inner: list[str] | None = None if left_out is None else []
    try:
        read = kind.read(value, inner)
    except Wrong as wrong:
        raise Wrong(joined(place, str(wrong))) from None
    if left_out is not None:
        left_out += [joined(place, sentence) for sentence in inner or ()]
    return read


def or_none(kind: Kind, value: object, place: str, left_out: list[str] | None) -> Any:
    """A part of a value; None where it is wrong and may be left out."""
    try:
        return part(kind, value, place, left_out)
    except Wrong as wrong:
        leave_out(wrong, left_out)
        return None


def joined(place: str, text: str) -> str:
    """``requests`` and ``kernel: a list is no object`` as ``requests.kernel: a list is no object``."""
    head = text.partition(": ")[0]
    if text.startswith("["):
        return f"{place}{text}"
    return f"{place}.{text}" if head != text and " " not in head else f"{place}: {text}"


def leave_out(wrong: Wrong, left_out: list[str] | None) -> None:
    """Name what is left out; where nothing may be, raise."""
    if left_out is None:
        raise wrong
    left_out.append(str(wrong))


def parse_text(data: bytes) -> Any:
    """The same, with every text in it fit for a terminal: others have written it."""
    whole = parse(data)
    return whole if data.isascii() and b"\\" not in data else fit(whole)


def fit(whole: Any) -> Any:
    """A value with every text in it fit for a terminal; raises Wrong."""
    try:
        return plain.value(whole)
    except RecursionError:
        raise Wrong("nested too deeply") from None


def parse(data: bytes) -> Any:
    """JSON as a value; raises Wrong for what is none, or is nested as no program would."""
    try:
        return json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Wrong(f"not UTF-8 (byte {error.start + 1})") from None
    except RecursionError:
        raise Wrong("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise Wrong(f"not JSON ({error})") from None
    except ValueError:
        raise Wrong("a number of too many digits") from None
