"""What a projection consists of: passthroughs, a prediction for each row, and how far these err."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bench.report.row import Row
from bench.report.studies.request_costs import CostSource, RequestCost
from bench.stats.estimates import Estimate

LISTING = frozenset({"READDIR", "READDIRPLUS"})
ATTACHES, BEHIND_READDIRPLUS, READ_THROUGH = "a", "p", "r"
MARKS = {
    ATTACHES: "every inode met first is opened, registered and attached, which a plain server does "
    "not do and no row of it shows",
    BEHIND_READDIRPLUS: "before, its LOOKUPs came right behind a READDIRPLUS, where they cost less; "
    "a row with the server listing by READDIR would tell",
    READ_THROUGH: "its data is read through from the backing file, too",
}
"""Known reasons for a row to lie outside the model; set by what the row does, never by its error."""


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
    base: str
    start: float
    """Cost per op of the base target."""
    predicted: float
    floor: float
    """Cost per op of the native directory."""
    costs: tuple[str, ...] = ()
    """What its costs were taken from: ``GETATTR by getattr-storm/fd, 0 s/0 s``."""
    target: str = ""
    """Who was measured; empty where nobody could be."""
    measured: Estimate | None = None
    mark: str = ""
    """Why the row lies outside the model, a key of MARKS."""
    source: CostSource = CostSource.ROWS

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

    @property
    def saving_error(self) -> float:
        """The error of what is saved, NaN where nothing is: where little of a large cost is left,
        ``error`` is much larger."""
        if self.measured is None or not self.measured.known:
            return math.nan
        saved = self.start - self.measured.value
        return (self.measured.value - self.predicted) / saved if saved > 0 else math.nan


@dataclass(frozen=True)
class CostComparison:
    """How far a passthrough's back-test errs by costs from stacks and by those from rows: same rows."""

    what: Passthrough
    rows: int
    by_rows: float
    by_stacks: float

    @property
    def halved(self) -> bool:
        """Whether costs from stacks are worth it: they are more to trust in."""
        return self.by_stacks <= self.by_rows / 2


@dataclass
class Projections:
    """What one kernel of a run allows to predict, and what is missing for more."""

    kernel: str
    predictions: list[Prediction] = field(default_factory=list)
    costs: dict[tuple[str, str, str], RequestCost] = field(default_factory=dict)
    """Every cost that was used, by server, opcode and key of the row it was taken from."""
    missing: dict[str, set[Passthrough]] = field(default_factory=dict)
    """In order of appearance, with those that cannot be predicted for want of it."""
    compared: list[CostComparison] = field(default_factory=list)
    """For each passthrough that has a back-test with both kinds of costs."""

    def of(self, what: Passthrough) -> list[Prediction]:
        """The predictions of one passthrough."""
        return [one for one in self.predictions if one.what is what]

    def tested(self) -> list[Prediction]:
        """The back-test, the smallest error first: rows that do not lie outside the model."""
        made = [one for one in self.predictions if one.what.exists and not one.mark]
        return sorted(_known(made), key=lambda one: one.error)

    def marked(self, mark: str) -> list[Prediction]:
        """Rows of the back-test outside the model, by the reason."""
        return _known([one for one in self.predictions if one.mark == mark])

    def band(self, predicted: float) -> tuple[float, float]:
        """Where a cost lies if its prediction errs no more than the back-test; NaN without one.

        The prediction itself is always inside.
        """
        low, high = self._errors
        return predicted / (1 + high), predicted / (1 + low)

    @cached_property
    def _errors(self) -> tuple[float, float]:
        """The widest errors of the back-test to both sides, once all predictions are made."""
        tested = self.tested()
        if not tested:
            return math.nan, math.nan
        return min(tested[0].error, 0.0), max(tested[-1].error, 0.0)


def _known(made: Sequence[Prediction]) -> list[Prediction]:
    return [one for one in made if math.isfinite(one.error)]


def median_error(made: Sequence[Prediction]) -> float:
    """The median size of the errors, signs left out; NaN where there is none."""
    return _median([one.error for one in made])


def median_saving_error(made: Sequence[Prediction]) -> float:
    """The median size of the errors of what is saved; NaN where there is none."""
    return _median([one.saving_error for one in made])


def _median(errors: Sequence[float]) -> float:
    sizes = [abs(error) for error in errors if math.isfinite(error)]
    return statistics.median(sizes) if sizes else math.nan
