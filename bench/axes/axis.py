"""What an axis is. A new one is a record in ``rows.py`` or ``targets.py``, and code that obeys it.

An axis of rows is a ``RowAxis`` in ``rows.AXES``; its place there is its place in names, columns
and sorting. Its value reaches a workload's body as the field of ``bench.model.Context`` that is called as
its column, if there is one, and ``has`` says which workloads obey it (those that name it in
``Workload.axes``, unless told otherwise): every other has one row, at ``none``.

An axis of targets is a ``TargetAxis`` in ``targets.AXES``; its value reaches a daemon's ``argv`` as
the field of ``bench.model.Serving`` that it names, and ``has`` says which daemons obey it.

The option, the matrix key, the setting in run.json, the column of records and tables, the words of
names and captions, and the order of rows follow; no other file needs to know. A record that lacks
the column (of a run before the axis was there) is read as the first of ``default``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bench.model import Daemon, Serving, UserError, Workload

T = TypeVar("T")
Reader = Callable[[Any], tuple[T, ...]]
"""Turns one word of the command line, or one value of a matrix, into values; raises UserError."""


def plain(value: Any) -> Any:
    """A value as JSON has it, where it needs no words of its own."""
    return value


@dataclass(frozen=True, eq=False, kw_only=True)
class Axis(Generic[T]):
    """Something of which a run can have several, whatever it makes several of."""

    name: str
    """What run.json calls the setting, and a matrix the key."""
    column: str
    """What records and tables call it."""
    about: str
    """What it is, for --help."""
    read: Reader[T]
    default: tuple[T, ...]
    option: str = ""
    """With its dashes; made of the name where there is none."""
    metavar: str = ""
    words: tuple[str, ...] = ()
    """All that the option takes, where that is a single one of a few words."""
    group: str = "axes"
    """The heading in --help that its option stands under."""
    write: Callable[[T], Any] = plain
    """The inverse of ``read``, for run.json and records."""

    @property
    def flag(self) -> str:
        """The option."""
        return self.option or "--" + self.name.replace("_", "-")

    @property
    def dest(self) -> str:
        """What argparse calls the option."""
        return self.flag.removeprefix("--").replace("-", "_")

    def values(self, given: object) -> tuple[T, ...]:
        """What was asked for: a value or a list of them, each once; raises UserError."""
        several = given if isinstance(given, (list, tuple)) else [given]
        if not several:
            raise UserError("an empty list measures nothing")
        try:
            return tuple(dict.fromkeys(value for one in several for value in self.read(one)))
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise UserError("cannot be read") from None

    def of(self, asked: Mapping[str, tuple[Any, ...]]) -> tuple[T, ...]:
        """The values of a run, of those that were asked for (``Settings.axes``)."""
        return asked.get(self.name, self.default)

    def to_json(self, values: Sequence[T]) -> list[Any]:
        """Values for run.json."""
        return [self.write(value) for value in values]


@dataclass(frozen=True, eq=False, kw_only=True)
class RowAxis(Axis[T]):
    """One that multiplies rows: part of the row's key (bench.axes.rowkey)."""

    none: T
    """Where a row stands that has not got the axis."""
    said: Callable[[T], str]
    """A place in words, for the row's name: ``2 threads``. At one value at most they may be empty."""
    short: Callable[[T], str]
    """The place in file names and series labels: ``t2``."""
    state: Callable[[T], str] | None = None
    """The place in a caption, where nothing is left unsaid; None: as in the name."""
    has: Callable[[Workload], bool] | None = None
    """Whether a workload obeys it; None: where ``Workload.axes`` names it."""
    rank: Callable[[T], Any] = plain
    """What its values are sorted by."""
    split: Callable[[T], dict[str, Any]] | None = None
    """A place as several columns, for an axis that has more than one."""
    join: Callable[[Mapping[str, Any]], T | None] | None = None
    """A place read back from those columns; None where a record does not say."""
    labelled: bool = True
    """Whether series of a run can differ in it, so that their labels tell."""

    def obeyed(self, workload: Workload) -> bool:
        """Whether a workload has the axis."""
        return self.has(workload) if self.has else self.name in workload.axes

    def planned(self, asked: Mapping[str, tuple[Any, ...]], workload: Workload) -> tuple[T, ...]:
        """The values a workload's rows are to have, of what was asked for."""
        return self.of(asked) if self.obeyed(workload) else (self.none,)

    def columns(self, value: T) -> dict[str, Any]:
        """What a record holds of it, and what a workload's body is given."""
        return self.split(value) if self.split else {self.column: self.write(value)}

    def from_record(self, record: Mapping[str, Any]) -> T | None:
        """Where a record stands on it; None where that is not known."""
        if self.join:
            return self.join(record)
        raw = record.get(self.column)
        if raw is None or raw == self.none:
            return self.none
        try:
            return self.values(raw)[0]
        except UserError:
            return None


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetAxis(Axis[T]):
    """One that multiplies targets: a field of bench.model.Serving.

    Targets that differ in it are told apart in their names.
    """

    field: str
    """The field of Serving that it is."""
    said: Callable[[T], str]
    """The word of a place in a target's name: ``clone-fd``; empty at the usual value."""
    has: Callable[[Daemon], bool]
    """Whether a daemon obeys it."""
    none: T
    """What a daemon has that does not."""
    why_none: str = ""
    """Why it does not, for what is skipped; empty where nobody need be told."""
    offers: Callable[[Daemon, tuple[T, ...]], tuple[Sequence[T], Sequence[str]]] | None = None
    """Where it is not as simple: the values a daemon has of those asked for, and reasons for what
    is left out."""
    named: Callable[[Daemon, T], str] | None = None
    """Where the word depends on the daemon."""
    recorded: Callable[[Daemon, T], Any] | None = None
    """Where what is recorded depends on the daemon."""

    def offered(
        self, daemon: Daemon, asked: Mapping[str, tuple[Any, ...]]
    ) -> tuple[Sequence[T], Sequence[str]]:
        """The values a daemon is to be run at, and why some that were asked for are left out."""
        values = self.of(asked)
        if self.offers:
            return self.offers(daemon, values)
        if self.has(daemon):
            return values, ()
        lost = self.why_none and any(value != self.none for value in values)
        return (self.none,), (self.why_none,) if lost else ()

    def at(self, serving: Serving) -> T:
        """Where a way of serving stands on it."""
        value: T = getattr(serving, self.field)
        return value

    def word(self, daemon: Daemon, serving: Serving) -> str:
        """The word of a way of serving in a target's name; empty at the usual value."""
        value = self.at(serving)
        return self.named(daemon, value) if self.named else self.said(value)

    def record(self, daemon: Daemon, serving: Serving) -> Any:
        """What the record of a trial, and run.json, hold of it."""
        value = self.at(serving)
        return self.recorded(daemon, value) if self.recorded else self.write(value)
