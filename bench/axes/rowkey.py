"""The key of a row: a workload, a variant, and where it stands on every axis of rows.

Its ``name`` is the one name of a row, in tables, pages, mails, charts, CSV and comparisons;
``slug`` says the same for file names, ``label`` for series of one run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from bench.axes.axis import RowAxis
from bench.axes.rows import AXES, CACHE, CLOCK, ENTRIES, PLACEMENT, THREADS, TIMEOUTS
from bench.model import Cache, Clock, Placement, Timeouts

T = TypeVar("T")


class _Any:
    """Where a key stands on an axis that was taken out of it."""

    def __repr__(self) -> str:
        return "any"


ANY = _Any()


@dataclass(frozen=True)
class RowKey:
    """What a row is of; equal where two rows are the same row, of one run or of two."""

    workload: str
    variant: str
    places: tuple[Any, ...]
    """Where it stands on each of ``AXES``; None: not known, ANY: whichever."""

    @classmethod
    def of(cls, workload: str, variant: str = "", **places: Any) -> RowKey:
        """The key at these places, by the axes' names; on other axes where a row without it stands."""
        given = {axis.name: axis.none for axis in AXES} | places
        assert len(given) == len(AXES), f"no such axis among {', '.join(places)}"
        return cls(workload, variant, tuple(given[axis.name] for axis in AXES))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RowKey:
        """The key of a trial's record."""
        workload, variant = (str(record.get(name) or "") for name in ("workload", "variant"))
        return cls(workload, variant, tuple(axis.from_record(record) for axis in AXES))

    def __getitem__(self, axis: RowAxis[T]) -> T:
        """Where it stands on an axis."""
        place: T = self.places[AXES.index(axis)]
        return place

    def at(self, axis: RowAxis[T], place: T) -> RowKey:
        """The key of the row at another place on one axis."""
        return self._with(axis, place)

    def without(self, *axes: RowAxis[Any]) -> RowKey:
        """The key without these axes: equal for rows that differ in nothing else."""
        key = self
        for axis in axes:
            key = key._with(axis, ANY)
        return key

    def _with(self, axis: RowAxis[Any], place: Any) -> RowKey:
        at = AXES.index(axis)
        return RowKey(
            self.workload, self.variant, (*self.places[:at], place, *self.places[at + 1 :])
        )

    @property
    def work(self) -> str:
        """Workload and variant: ``getattr-storm/fd``."""
        return f"{self.workload}/{self.variant}" if self.variant else self.workload

    @property
    def family(self) -> RowKey:
        """The key without its variant: equal for all variants of a workload at one setting."""
        return replace(self, variant="")

    @property
    def state(self) -> str:
        """``warm, 2 threads, timeouts 0``: what tells it from other rows of its work."""
        return ", ".join(word for axis, place in self._known() if (word := _said(axis, place)))

    @property
    def caption(self) -> str:
        """``cache warm, 1 thread, attr/entry timeout 0 s/0 s, same, wall``: all of it, in full."""
        words = (
            _said(axis, place) if place is None else (axis.state or axis.said)(place)
            for axis, place in self._known()
        )
        return ", ".join(filter(None, words))

    @property
    def name(self) -> str:
        """``getattr-storm/fd (warm, timeouts 0)``."""
        return f"{self.work} ({self.state})" if self.state else self.work

    @property
    def slug(self) -> str:
        """``getattr-storm--fd--warm--t1--to0-0--same``, for file names and stored tables."""
        return self._slug(True)

    @property
    def label(self) -> str:
        """The row's name for files, without what all series of a run have in common."""
        return self._slug(False)

    def _slug(self, whole: bool) -> str:
        words = (
            f"{axis.name}-unknown" if place is None else axis.short(place)
            for axis, place in self._known()
            if whole or axis.labelled
        )
        return "--".join(filter(None, (self.workload, self.variant, *words)))

    @property
    def order(self) -> tuple[Any, ...]:
        """Rows sort by work, then axis by axis; numbers as numbers, what is not known last."""
        variant = (int(self.variant) if self.variant.isdecimal() else -1, self.variant)
        places = (
            (place is None, 0 if place is None else axis.rank(place))
            for axis, place in self._known()
        )
        return (self.workload, variant, *places)

    def columns(self) -> dict[str, Any]:
        """Everything a record says of it, axis by axis."""
        found: dict[str, Any] = {}
        for axis, place in self._known():
            found |= axis.columns(place) if place is not None else {}
        return found

    def given(self, kind: type[Any]) -> dict[str, Any]:
        """The places of a row as those fields of a dataclass that are called as the axes' columns."""
        names = {field.name for field in fields(kind)}
        found: dict[str, Any] = {}
        for axis, place in self._known():
            found |= axis.split(place) if axis.split else {axis.column: place}
        return {name: place for name, place in found.items() if name in names}

    def _known(self) -> list[tuple[RowAxis[Any], Any]]:
        return [pair for pair in zip(AXES, self.places, strict=True) if pair[1] is not ANY]

    @property
    def cache(self) -> Cache:
        """What is cached when a window opens."""
        return self[CACHE]

    @property
    def threads(self) -> int:
        """Threads of the client."""
        return self[THREADS]

    @property
    def timeouts(self) -> Timeouts | None:
        """Asked of the mount; None where the record does not say."""
        return self[TIMEOUTS]

    @property
    def entries(self) -> int:
        """Directory size; 0 where that is no axis of the workload."""
        return self[ENTRIES]

    @property
    def placement(self) -> Placement:
        """Which CPUs client and daemon are on."""
        return self[PLACEMENT]

    @property
    def clock(self) -> Clock:
        """What a window is measured in."""
        return self[CLOCK]


def _said(axis: RowAxis[Any], place: Any) -> str:
    return f"{axis.name} not recorded" if place is None else axis.said(place)
