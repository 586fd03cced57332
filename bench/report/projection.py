"""What a passthrough nobody has built yet would cost, predicted from what was measured beside it.

For a row, with M the cost per op of a base target, q its requests per op by opcode and q' those
that would be left:

    predicted = M - sum((q - q') x request) + sum((q - q') x kernel, of what is passed through)

*request* is what one request of the opcode costs: what the base target's op costs above the native one,
per request, in a row made of that opcode (bench.report.request_costs), other requests taken off at their own
cost. *kernel* is what the nearest relative that crosses a mount in the kernel (overlayfs, else a
bind mount) costs above native in that same row. q' is q without the opcodes passed through; where
readdir passthrough has the kernel send others instead (a LOOKUP for what READDIRPLUS had brought along), it
is what was counted on the target that has it. All this assumes that costs add up. How far they do
shows on passthroughs that exist: predicted from a server without any, held against what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.frame import Run
from bench.model import Level, ReaddirMode
from bench.report.breakeven import preferred
from bench.report.request_costs import KNOWN_ENTRIES, RELATIVES, Cost, Costs, line_of, per_op
from bench.report.rows import Line, Row
from bench.report.ways import Way, ways
from bench.stats import Estimate

LISTING = frozenset({"READDIR", "READDIRPLUS"})
LEAST = 0.001
"""Requests per op that are worth a line."""
LEAST_CHANGE = 0.05
"""Share of the cost that a passthrough has to change: to predict no change is no test."""


@dataclass(frozen=True)
class Passthrough:
    """A passthrough to predict: the opcodes that no longer reach the server."""

    name: str
    gone: frozenset[str]
    exists: bool
    """Whether a kernel we know has it in a form meant for use: the back-test."""
    per_entry: bool = False
    """The kernel looks every listed entry up by itself, at what a LOOKUP costs it."""


GETATTR = Passthrough("getattr", frozenset({"GETATTR"}), exists=True)
READDIR = Passthrough("readdir + getattr", GETATTR.gone | LISTING, exists=True)
LOOKUP = Passthrough("LOOKUP", frozenset({"LOOKUP", "OPENDIR", "RELEASEDIR"}), exists=False)
ALL = Passthrough("readdir + getattr + LOOKUP", READDIR.gone | LOOKUP.gone, exists=False)
READDIRPLUS = Passthrough("READDIRPLUS + getattr", READDIR.gone, exists=False, per_entry=True)


@dataclass(frozen=True)
class Prediction:
    """One row of a projection, and what was measured where somebody has the passthrough."""

    what: Passthrough
    row: Row
    entries: int
    """Directory size, where the row has that axis, else 0."""
    base: str
    start: float
    """Cost per op of the base target."""
    predicted: float
    floor: float
    """Cost per op of the native directory."""
    target: str = ""
    """Who was measured; empty where nobody could be."""
    measured: Estimate | None = None
    calibrated: bool = False
    """A cost was taken from this very row: that it is met says little."""

    @property
    def possible(self) -> bool:
        """Not below the floor, where the error of the costs is more than all that is left."""
        return self.predicted >= self.floor

    @property
    def error(self) -> float:
        """Predicted less measured, as a share of measured; NaN where nothing was measured."""
        if self.measured is None or not self.measured.known:
            return math.nan
        return self.predicted / self.measured.value - 1


@dataclass
class Projections:
    """What one kernel of a run allows to predict, and what is missing for more."""

    kernel: str
    predictions: list[Prediction] = field(default_factory=list)
    missing: dict[str, None] = field(default_factory=dict)
    """In order of appearance; a set."""

    def of(self, what: Passthrough) -> list[Prediction]:
        """The predictions of one passthrough."""
        return [one for one in self.predictions if one.what is what]

    def errors(self) -> list[float]:
        """Errors of the back-test, smallest first: of rows that no cost was taken from."""
        tested = [one for one in self.predictions if one.what.exists and not one.calibrated]
        return sorted(one.error for one in tested if math.isfinite(one.error))

    def band(self, predicted: float) -> tuple[float, float]:
        """Where a cost lies if its prediction errs no more than the back-test; NaN without one.

        The prediction itself is always inside.
        """
        errors = self.errors()
        if not errors:
            return math.nan, math.nan
        return predicted / (1 + max(errors[-1], 0.0)), predicted / (1 + min(errors[0], 0.0))


def projections(run: Run, rows: Sequence[Row]) -> list[Projections]:
    """For each kernel of a run that has a server without passthrough and the native directory."""
    named = list(ways(run).values())
    sizes = dict(zip(run.trials["group"], run.trials["entries"], strict=True))
    made = []
    for kernel in dict.fromkeys(way.kernel for way in named):
        own = [way for way in named if way.kernel == kernel]
        made.append(_Projector(rows, sizes, own, Projections(kernel)).run())
    return [one for one in made if one.predictions or one.missing]


class _Projector:
    """Predicts every row of one kernel; what it finds goes to ``found``."""

    def __init__(
        self, rows: Sequence[Row], sizes: Mapping[str, int], own: Sequence[Way], found: Projections
    ) -> None:
        self.rows, self.sizes, self.own, self.found = rows, sizes, own, found
        self.usual = [way for way in own if way.mode is ReaddirMode.READDIRPLUS]

    def run(self) -> Projections:
        plain = preferred([way for way in self.usual if way.plain])
        native = next((way.name for way in self.own if way.kind == "native"), "")
        if plain is None or not native:
            return self.found
        relatives = [way.name for kind in RELATIVES for way in self.own if way.daemon == kind]
        self.relative = relatives[0] if relatives else ""
        attached = [way for way in self.usual if way.attached and way.level is not Level.LOOKUP]
        listing = [way for way in attached if way.listing]
        self._each(GETATTR, plain, native, attached)
        self._each(READDIR, plain, native, listing)
        top = [way for way in [preferred([w for w in self.usual if w.lookup])] if way]
        base = preferred(listing)
        self._each(LOOKUP if base else ALL, base or plain, native, top)
        self._each(READDIRPLUS, plain, native, [])
        return self.found

    def _each(self, what: Passthrough, base: Way, native: str, measured: Sequence[Way]) -> None:
        costs = Costs(self.rows, self.sizes, (base.name, native, self.relative))
        for row in self.rows:
            line, floor = line_of(row, base.name), line_of(row, native)
            if line is None or floor is None or row.unit == "run":
                continue
            counts = per_op(line)
            fitting = _fitting(what, counts, measured)
            others = [line_of(row, way.name) for way in fitting] if fitting else [None]
            for other in others:
                if other is None and what.exists:
                    continue
                left = per_op(other) if other and what is READDIR else _without(what, counts)
                if not _concerned(what, counts, left):
                    continue
                predicted = self._predict(what, row, (line, left), costs)
                if predicted and abs(predicted[0] / line.time.value - 1) >= LEAST_CHANGE:
                    self.found.predictions.append(
                        Prediction(
                            what,
                            row,
                            self.sizes.get(row.key, 0),
                            base.name,
                            line.time.value,
                            predicted[0],
                            floor.time.value,
                            other.target.name if other else "",
                            other.time if other else None,
                            predicted[1],
                        )
                    )

    def _predict(
        self, what: Passthrough, row: Row, change: tuple[Line, Mapping[str, float]], costs: Costs
    ) -> tuple[float, bool] | None:
        """Cost per op, and whether the row had to serve itself; None where a cost is missing."""
        line, left = change
        counts, predicted, calibrated = per_op(line), line.time.value, False
        saved = {
            o: counts.get(o, 0.0) - left.get(o, 0.0) for o in sorted(counts.keys() | left.keys())
        }
        for opcode, count in saved.items():
            cost = self._cost(costs, opcode, row) if count else None
            if count and cost is None:
                return None
            if cost:
                kernel = cost.kernel if opcode in what.gone else 0.0
                predicted -= count * (cost.request - kernel)
                calibrated |= cost.row is row
        if what.per_entry and row.name not in KNOWN_ENTRIES:
            looked_up = self._cost(costs, "LOOKUP", row)
            if looked_up is None:
                return None
            predicted += looked_up.kernel
        return predicted, calibrated

    def _cost(self, costs: Costs, opcode: str, row: Row) -> Cost | None:
        cost = costs.of(opcode, row)
        if cost is None:
            self.found.missing[costs.wanted(opcode, row)] = None
        return cost


def _fitting(what: Passthrough, counts: Mapping[str, float], measured: Sequence[Way]) -> list[Way]:
    """Who has it: of getattr alone, where the row lists, those without readdir passthrough."""
    if what is not GETATTR:
        return list(measured)
    alone = [way for way in measured if not way.readdir]
    return alone if LISTING & counts.keys() or alone else list(measured)


def _without(what: Passthrough, counts: Mapping[str, float]) -> Mapping[str, float]:
    return {opcode: count for opcode, count in counts.items() if opcode not in what.gone}


def _concerned(what: Passthrough, counts: Mapping[str, float], left: Mapping[str, float]) -> bool:
    """Whether the row is about it: of readdir and more, listings go or lookups come."""
    gone = what.gone - GETATTR.gone if what in (READDIR, READDIRPLUS) else what.gone
    saved = sum(counts.get(opcode, 0.0) for opcode in gone)
    added = sum(max(count - counts.get(opcode, 0.0), 0.0) for opcode, count in left.items())
    return saved >= LEAST or added >= LEAST
