"""What one FUSE request costs, from the stacks of profiles: a row's own, where it sends such requests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from bench.profile.requests import RequestProfile, measured
from bench.profile.store import Profile
from bench.report.row import Row
from bench.report.studies.request_costs import (
    LEAST,
    Alike,
    CostSource,
    NameState,
    RequestCost,
    line_of,
    names_of,
    per_op,
)

ENOUGH = 0.01
"""Requests per op from which on a row's own stacks tell what one costs."""
FOUND_VALID = ("LOOKUP",)
"""Opcodes whose sender also finds valid what it then sends no request for."""
Profiles = Mapping[tuple[str, str], Profile]
"""By row's slug and target's name."""


class StackCosts:
    """Per-request costs of one server by opcode; a row's stacks are read when first asked for."""

    def __init__(self, rows: Sequence[Row], bases: Sequence[str], profiles: Profiles) -> None:
        self._rows, self._bases, self._profiles = rows, bases, profiles
        self._alike = Alike(rows)
        self._known: dict[str, dict[str, RequestCost]] = {}

    def of(self, opcode: str, like: Row, names: NameState | None = None) -> RequestCost | None:
        """The cost in the row itself, else in the nearest that sends such requests; None where none does."""
        found = (self._in(row).get(opcode) for row in self._nearest(opcode, like, names))
        return next((cost for cost in found if cost), None)

    def wanted(self, opcode: str, like: Row, names: NameState | None = None) -> str:
        """What would give this cost, in words."""
        return f"{opcode} of {self._bases[0]} ({names or names_of(like)}): a profiled row that sends it"

    def _nearest(self, opcode: str, like: Row, names: NameState | None) -> Iterator[Row]:
        """The row, and what differs from it in timeouts alone, if they send enough; others by how many."""
        alike = sorted(self._alike.to(like), key=lambda row: (row is not like, row.seconds))
        yield from (row for row in alike if self._sent(row, opcode) >= ENOUGH)
        state = names or names_of(like)
        others = [row for row in self._rows if names_of(row) is state]
        yield from sorted(others, key=lambda row: -self._sent(row, opcode))

    def _sent(self, row: Row, opcode: str) -> float:
        counts = (per_op(line_of(row, base)).get(opcode, 0.0) for base in self._bases)
        return next((count for count in counts if count), 0.0)

    def _in(self, row: Row) -> Mapping[str, RequestCost]:
        if row.slug not in self._known:
            self._known[row.slug] = self._read(row)
        return self._known[row.slug]

    def _read(self, row: Row) -> dict[str, RequestCost]:
        for base in self._bases:
            profile, sent = self._profiles.get((row.slug, base)), per_op(line_of(row, base))
            if profile and sent:
                return {
                    cost.opcode: _cost(cost, row)
                    for cost in measured(profile, sent)
                    if cost.per_op >= LEAST
                }
        return {}


def _cost(found: RequestProfile, row: Row) -> RequestCost:
    few = found.opcode in FOUND_VALID and found.per_op < ENOUGH
    why = f"too few of them in row {row.work}" if few else ""
    stays = math.nan if few else found.stays
    return RequestCost(found.total, stays, row, why, CostSource.STACKS)
