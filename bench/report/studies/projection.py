"""What a passthrough nobody has built yet would cost, predicted from what was measured beside it.

For a row, with M the cost per op of a base target, q its requests per op by opcode, q' those that
would be left, and f the requests per op where nothing may be cached (timeouts 0):

    predicted = M - sum((q - q') x request) + sum((max(q, f) - q') x kernel, of what is passed through)

*request* is what one request of the opcode costs: the difference between two rows of the base target
that differ by it (bench.report.studies.request_costs), other requests taken off at their own cost. *kernel*
is what the nearest relative that crosses a mount in the kernel (overlayfs, else a bind mount) spends on
the same; it counts by f because a passthrough is always fresh, also where the base's caches spare the
request. q' is q without the opcodes passed through; where somebody has the passthrough, as many
of these are left as were counted there (a first contact attaches), and where it lists every
opcode is (a LOOKUP for what READDIRPLUS had brought along). Of a LOOKUP passthrough M and q are
those at timeouts 0: with it nothing is kept at all. A LOOKUP of a name met first makes an
inode and costs another thing than one of a known name: the two are told apart.

All this assumes that costs add up. How far they do shows on passthroughs that exist: predicted from
the same server without, held against what was measured. No cost is taken from the target predicted.
Where a run has profiles, the same is predicted once more with costs from stacks (stack_costs): *request*
is all that is done for a request on either side, *kernel* what of it stays: what FUSE does with an answer and
what the server asked of the file system beneath. They are used for a passthrough whose back-test errs
half as much with them (cost_choice).
What the model leaves out: attaching (such rows are marked: predictions.MARKS), and what a
passthrough does that its relative need not: FUSE keeps its own copy of the attributes up to date,
overlayfs has none (stacks have that); FUSE finds an entry valid with references held and the server's
credentials, overlayfs walks on without either. Where little more than that is left of a row, the error
is largest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.model import Level, ReaddirMode
from bench.report.row import Line, Row
from bench.report.studies.breakeven import preferred
from bench.report.studies.cases import Case, case_of
from bench.report.studies.cost_choice import chosen
from bench.report.studies.predictions import (
    ALL,
    GETATTR,
    LOOKUP,
    READDIR,
    READDIRPLUS,
    Passthrough,
    Prediction,
    Projections,
)
from bench.report.studies.request_costs import (
    KNOWN_ENTRIES,
    LEAST,
    RELATIVES,
    Alike,
    Costs,
    CostSource,
    NameState,
    RequestCost,
    line_of,
    names_of,
    per_op,
)
from bench.report.studies.row_profiles import profiles
from bench.report.studies.stack_costs import Profiles, StackCosts
from bench.report.traits import Traits, ways
from bench.stats.frame import Run

LEAST_CHANGE = 0.05
"""Share of the cost that a passthrough has to change: to predict no change is no test."""


def projections(run: Run, rows: Sequence[Row]) -> list[Projections]:
    """For each kernel of a run that has a server without passthrough and the native directory.

    Tables, charts and page ask for the same: what was told last is kept.
    """
    if not (_last and _last[0] is run and _last[1] is rows):
        _last[:] = [run, rows, _projections(run, rows)]
    found: list[Projections] = _last[2]
    return found


_last: list[Any] = []


def _projections(run: Run, rows: Sequence[Row]) -> list[Projections]:
    named = list(ways(run).values())
    profiled = {
        (one.row.slug, target): profile
        for one in profiles(run, rows)
        for target, profile in one.by_target.items()
    }
    made = []
    for kernel in dict.fromkeys(way.kernel for way in named):
        own = [way for way in named if way.kernel == kernel]
        made.append(_of_one_kernel(rows, own, profiled, Projections(kernel)))
    return [one for one in made if one.predictions or one.missing]


def _of_one_kernel(
    rows: Sequence[Row], own: Sequence[Traits], profiled: Profiles, found: Projections
) -> Projections:
    by_rows = _Projector(rows, own, found).run()
    if not profiled:
        return by_rows
    return chosen(by_rows, _ByStacks(rows, own, Projections(found.kernel), profiled).run())


@dataclass(frozen=True)
class _Part:
    """What one opcode saves: requests per op, and how often per op the kernel answers."""

    opcode: str
    names: NameState
    saved: float
    answered: float


class _Projector:
    """Predicts every row of one kernel; what it finds goes to ``found``."""

    source = CostSource.ROWS

    def __init__(self, rows: Sequence[Row], own: Sequence[Traits], found: Projections) -> None:
        self.rows, self.own, self.found = rows, own, found
        self.alike = Alike(rows)
        self.usual = [way for way in own if way.usual]
        self.native = next((way.name for way in own if way.kind == "native"), "")
        relatives = (way.name for kind in RELATIVES for way in own if way.daemon == kind)
        self.relative = next(relatives, "")
        self._costs: dict[str, Costs | StackCosts] = {}

    def run(self) -> Projections:
        plain = preferred([way for way in self.usual if way.plain])
        if plain is None or not self.native:
            return self.found
        attached = [way for way in self.usual if way.attached and way.level is not Level.LOOKUP]
        listing = [way for way in attached if way.listing]
        self._each(GETATTR, [(self._plain(way), way) for way in attached if self._alone(way)])
        # With READDIR the same LOOKUPs are sent as with a listing that is passed through.
        self._each(READDIR, [(self._plain(way, ReaddirMode.READDIR), way) for way in listing])
        top = preferred([way for way in self.usual if way.lookup])
        if base := preferred(listing):
            self._each(LOOKUP, [([base], top)])
        else:
            self._each(ALL, [(self._plain(plain, ReaddirMode.READDIR), top)])
        self._each(READDIRPLUS, [([plain], None)])
        return self.found

    def _alone(self, way: Traits) -> bool:
        """Whether getattr is passed through alone, or the level has nobody with whom it is."""
        level = [one for one in self.usual if (one.daemon, one.level) == (way.daemon, way.level)]
        return not way.readdir or all(one.readdir for one in level)

    def _plain(self, way: Traits, *first: ReaddirMode) -> list[Traits]:
        """The twins of a server, without passthrough, in these ways of listing, and READDIRPLUS last."""
        twin = way.daemon.replace("passthrough", "plain")
        known = [one for one in self.own if one.plain and one.daemon == twin]
        modes = (*first, ReaddirMode.READDIRPLUS)
        return [one for mode in modes for one in known if one.mode is mode]

    def _each(
        self, what: Passthrough, pairs: Sequence[tuple[Sequence[Traits], Traits | None]]
    ) -> None:
        """Every row, from the first of the bases that it has, held against who has the passthrough."""
        for row in self.rows:
            for bases, way in pairs:
                if case := case_of(what, row, bases, way):
                    self._predict(case.kept_nothing(self._twin(case, soonest=True)))

    def _predict(self, case: Case) -> None:
        floor = line_of(case.row, self.native)
        if floor is None or not case.concerned:
            return
        if case.brought_along:
            self._lacks(
                case,
                f"what a READDIRPLUS of {case.base.target.name} had brought along: its rows, with the "
                "server listing by READDIR",
            )
            return
        costs = [(part, self._cost(case, part)) for part in self._parts(case)]
        predicted, told = case.base.time.value, dict[str, None]()
        for part, cost in costs:
            if cost is None:
                return
            predicted -= part.saved * cost.request
            predicted += part.answered * cost.kernel if part.answered else 0.0
            told[f"{part.opcode} by {cost.said}"] = None
        if abs(predicted / case.start - 1) >= LEAST_CHANGE:
            self.found.predictions.append(
                Prediction(
                    what=case.what,
                    row=case.row,
                    base=case.base.target.name,
                    start=case.start,
                    predicted=predicted,
                    floor=floor.time.value,
                    costs=tuple(told),
                    target=case.other.target.name if case.other else "",
                    measured=case.other.time if case.other else None,
                    mark=case.mark,
                    source=self.source,
                )
            )

    def _parts(self, case: Case) -> list[_Part]:
        """Every opcode that counts."""
        saved, fresh = case.saved, per_op(self._twin(case, soonest=True))
        found: list[_Part] = []
        for opcode in sorted(saved.keys() | (case.what.gone & fresh.keys())):
            count, answered = saved.get(opcode, 0.0), 0.0
            if opcode in case.what.gone:
                asked = fresh.get(opcode, 0.0) - case.left.get(opcode, 0.0)
                answered = max(count, asked if case.fresh(opcode) else 0.0, 0.0)
            found += self._split(case, _Part(opcode, names_of(case.row), count, answered))
        if case.what.per_entry and case.row.work not in KNOWN_ENTRIES:
            found.append(_Part("LOOKUP", names_of(case.row), 0.0, 1.0))
        return [part for part in found if max(abs(part.saved), part.answered) >= LEAST]

    def _split(self, case: Case, part: _Part) -> list[_Part]:
        """LOOKUPs apart by whether a name is met first, as all are that are sent where none expires."""
        if part.opcode != "LOOKUP" or part.names is not NameState.FIRST or part.saved <= 0:
            return [part]
        met = per_op(self._twin(case, soonest=False)).get(part.opcode, 0.0)
        first = min(met, part.saved)
        return [
            _Part(part.opcode, NameState.FIRST, first, min(part.answered, first)),
            _Part(
                part.opcode, NameState.KNOWN, part.saved - first, max(part.answered - first, 0.0)
            ),
        ]

    def _twin(self, case: Case, *, soonest: bool) -> Line:
        """The base in the same row where its caches expire soonest, or latest."""
        alike = sorted(self.alike.to(case.row), key=lambda row: row.seconds, reverse=not soonest)
        lines = (line_of(row, case.base.target.name) for row in alike)
        return next((line for line in lines if line and line.requests), case.base)

    def _cost(self, case: Case, part: _Part) -> RequestCost | None:
        """None where it is not known, which is noted."""
        base = case.base.target.name
        if base not in self._costs:
            own = next(one for one in self.own if one.name == base)
            same = (own.daemon, own.level, own.readdir)
            twins = [way.name for way in self.usual if (way.daemon, way.level, way.readdir) == same]
            # The same server costs the same in another mode, but for its listings.
            self._costs[base] = self._costs_of([base, *twins])
        costs, like = self._costs[base], self._like(case)
        cost = costs.of(part.opcode, like, part.names)
        if cost is None:
            self._lacks(case, costs.wanted(part.opcode, like, part.names))
            return None
        if part.answered and math.isnan(cost.kernel):
            self._lacks(case, f"{part.opcode} in the kernel ({part.names}): {cost.why}")
            return None
        self.found.costs[base, part.opcode, cost.row.slug] = cost
        return cost

    def _costs_of(self, names: Sequence[str]) -> Costs | StackCosts:
        """The costs of a server, called so in its ways of listing."""
        return Costs(self.rows, names, self.native, self.relative)

    def _like(self, case: Case) -> Row:
        """The row that costs are wanted for."""
        return case.row

    def _lacks(self, case: Case, wanted: str) -> None:
        self.found.missing.setdefault(wanted, set()).add(case.what)


class _ByStacks(_Projector):
    """Predicts every row once more, with costs that profiles show: each row's own."""

    source = CostSource.STACKS

    def __init__(
        self, rows: Sequence[Row], own: Sequence[Traits], found: Projections, profiled: Profiles
    ) -> None:
        super().__init__(rows, own, found)
        self.profiled = profiled

    def _costs_of(self, names: Sequence[str]) -> Costs | StackCosts:
        return StackCosts(self.rows, names, self.profiled)

    def _like(self, case: Case) -> Row:
        """The row that the base's line is of: a twin's, where nothing is kept."""
        name = case.base.target.name
        return next((row for row in self.rows if line_of(row, name) is case.base), case.row)
