"""What a list or an object in a file may be: tables of kinds that files are read through.

``Key`` is one key of an object; a TypedDict whose types are ``Annotated`` with keys is a table.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, get_type_hints

from bench.results.kinds import UNPRINTABLE, Kind, Name, Text, Wrong, shown

REQUIRED = object()
"""The default of a key without which an object says nothing."""


MOST_DEEP = 12
"""Objects and lists inside one another, where a table does not say what they are."""


MOST_ENTRIES = 100_000
"""Most members of a list or an object."""


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
        """The table's keys, in braces."""
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
    """Whether it stands beside every sample in samples.csv.gz."""

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


def line_of(table: Any, raw: object, what: str) -> dict[str, Any]:
    """A line of a file as its table reads it; raises Wrong, with ``what`` for no object at all."""
    if not isinstance(raw, Mapping):
        raise Wrong(what)
    return Object(table).read(raw, None)


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
