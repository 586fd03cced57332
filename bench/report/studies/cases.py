"""One row of one projection: from whom it is predicted, what is left, and whom it is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.model import Cache, Level
from bench.report.row import Line, Row
from bench.report.studies.predictions import (
    ALL,
    ATTACHES,
    BEHIND_READDIRPLUS,
    GETATTR,
    LISTING,
    READ_THROUGH,
    READDIR,
    READDIRPLUS,
    Passthrough,
)
from bench.report.studies.request_costs import (
    LEAST,
    NameState,
    difference,
    line_of,
    names_of,
    per_op,
)
from bench.report.traits import Traits

ENOUGH = 0.05
"""Inodes or requests per op from which on they are worth a mark."""
READS = ("read-random",)
"""Rows of an open file's data, whether or not a request for it is seen."""


@dataclass(frozen=True)
class Case:
    """One row to predict: from whom, how many requests are left, and whom it is held against."""

    what: Passthrough
    row: Row
    start: float
    """Cost per op of the base in the row."""
    base: Line
    """What it is predicted from: the base's line in the row, or in its twin (``kept_nothing``)."""
    left: Mapping[str, float]
    way: Traits | None
    other: Line | None

    @property
    def saved(self) -> dict[str, float]:
        """Requests per op that no longer reach the server; below 0 where others come instead."""
        return difference(per_op(self.base), self.left)

    @property
    def concerned(self) -> bool:
        """Whether the row is about it: of readdir and more, listings go or lookups come."""
        gone = self.what.gone
        if self.what in (READDIR, READDIRPLUS):
            gone = gone - GETATTR.gone
        saved = self.saved
        fewer = sum(count for opcode, count in saved.items() if opcode in gone)
        more = sum(-count for count in saved.values() if count < 0)
        return (fewer >= LEAST or more >= LEAST) and not self._more_gone()

    def _more_gone(self) -> bool:
        """Whether who was measured passes another opcode through as well, as rw does READ."""
        if self.other is None or not self.what.exists:
            return False
        left = per_op(self.other)
        return any(
            count >= LEAST > left.get(opcode, 0.0)
            for opcode, count in per_op(self.base).items()
            if opcode not in self.what.gone
        )

    @property
    def brought_along(self) -> bool:
        """Whether it is not known what is looked up once no listing brings entries along."""
        return self.what is ALL and per_op(self.base).get("READDIRPLUS", 0.0) >= LEAST

    def fresh(self, opcode: str) -> bool:
        """Whether the kernel answers also where the base's caches spare the request.

        A first GETATTR is what attaches at attach-getattr: where none is sent none is answered.
        """
        if opcode == "GETATTR" and self.way and self.way.level is Level.ATTACH_GETATTR:
            return per_op(self.base).get(opcode, 0.0) >= LEAST
        return True

    def kept_nothing(self, fresh: Line) -> Case:
        """Predicted from the row's twin with timeouts 0, at which the base has this line.

        A LOOKUP passthrough on top of the others keeps neither entries nor attributes: whatever the
        timeouts, a row costs what it costs without any. Others leave entries to the base's timeouts.
        """
        if "LOOKUP" not in self.what.gone:
            return self
        return replace(self, base=fresh, left=_left(self.what, fresh, self.other))

    @property
    def mark(self) -> str:
        """Why the model does not hold, by what the row does."""
        if self.way is None or not self.what.exists:
            return ""
        if self.row.work in READS:
            return READ_THROUGH
        if self.row.key.cache != Cache.WARM and self._attaching(self.way.level) >= ENOUGH:
            return ATTACHES
        bulk = per_op(self.base).get("READDIRPLUS", 0.0) >= LEAST
        if self.what is READDIR and bulk and self.left.get("LOOKUP", 0.0) >= ENOUGH:
            return BEHIND_READDIRPLUS
        return ""

    def _attaching(self, level: Level) -> float:
        """Inodes met first per op that are attached at a level: by LOOKUP, by GETATTR, or when opened."""
        first = names_of(self.row) is NameState.FIRST
        if level is Level.ATTACH_LOOKUP:
            return self.left.get("LOOKUP", 0.0) if first else 0.0
        if self.fresh("GETATTR"):
            return self.left.get("GETATTR", 0.0) if first else 0.0
        return self.left.get("OPENDIR", 0.0) if self.what is READDIR else 0.0


def case_of(
    what: Passthrough, row: Row, bases: Sequence[Traits], way: Traits | None
) -> Case | None:
    """From the first of the bases that the row has; None where it is no case."""
    base = next((line for one in bases if (line := line_of(row, one.name))), None)
    other = line_of(row, way.name) if way else None
    if base is None or row.unit == "run" or (other is None and what.exists):
        return None
    if what is GETATTR and way and way.listing and LISTING & per_op(base).keys():
        return None  # its listings are passed through as well
    return Case(what, row, base.time.value, base, _left(what, base, other), way, other)


def _left(what: Passthrough, base: Line, other: Line | None) -> Mapping[str, float]:
    """Requests per op that would be left: as counted on who has it, of what concerns it."""
    if what is READDIR and other:
        return per_op(other)
    kept = {opcode: count for opcode, count in per_op(base).items() if opcode not in what.gone}
    if what is GETATTR and other:
        kept |= {opcode: n for opcode, n in per_op(other).items() if opcode in what.gone}
    return kept
