"""What one FUSE request costs, taken from rows that differ by requests of one kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.axes.rowkey import RowKey
from bench.axes.rows import CACHE, ENTRIES, THREADS, TIMEOUTS
from bench.model import Cache
from bench.report.row import Line, Row

RELATIVES = ("overlayfs", "bind")
"""What crosses a mount in the kernel, the nearest relative of a passthrough first."""
KNOWN_ENTRIES = ("stat-then-ls",)
"""Rows on a fresh mount whose listing nevertheless finds every inode made."""
MISSING_NAMES = ("lookup-negative",)
LEAST = 0.001
"""Requests per op that are worth a line."""

STRAY = 0.1
"""Share of the requests a row is about: so few of another kind do not spoil it if their cost is unknown."""


class NameState(StrEnum):
    """What the kernel knows of a row's names: the same request costs more or less by that."""

    KNOWN = "known names"
    FIRST = "names met first"
    MISSING = "missing names"


class CostSource(StrEnum):
    """How the cost of a request is found."""

    ROWS = "differences of rows"
    STACKS = "stacks"


@dataclass(frozen=True)
class Calibration:
    """Rows that differ by one kind of request, the best first; ``opcodes`` share the cost equally."""

    opcodes: tuple[str, ...]
    rows: tuple[str, ...]
    names: tuple[NameState, ...] = tuple(NameState)
    """What it is good for."""
    sized: bool = False
    """Whether the cost depends on the directory size: rows of another are of no use."""
    itself: tuple[str, ...] = ()
    """Rows that can only be taken from themselves."""
    step: tuple[str, str] | None = None
    """Two rows of which the first walks more names: what the relative spends on each of these is what
    the kernel spends that answers. None: what the relative costs above native in the row."""


CALIBRATIONS = (
    Calibration(("GETATTR",), ("getattr-storm/fd",)),
    # A dentry is found valid by looking the name up again. overlayfs trusts its dentries, so that it
    # shows this only where it walks a name more.
    Calibration(
        ("LOOKUP",),
        ("getattr-storm/at",),
        (NameState.KNOWN,),
        step=("getattr-storm/path", "getattr-storm/at"),
    ),
    Calibration(("LOOKUP",), ("lookup-cold",), (NameState.FIRST,)),
    Calibration(("LOOKUP",), ("lookup-negative",), (NameState.MISSING,)),
    Calibration(("OPEN", "RELEASE", "FLUSH"), ("open-close",)),
    *(
        Calibration(opcodes, rows, (names,), sized=True, itself=KNOWN_ENTRIES)
        for opcodes in (("OPENDIR", "RELEASEDIR"), ("READDIRPLUS",), ("READDIR",))
        for names, rows in (
            (NameState.KNOWN, ("list-stat/0", "readdir")),
            (NameState.FIRST, ("list-stat/0", "walk-find")),
        )
    ),
)
"""In this order: of a row, what earlier ones found is taken off for its other requests."""
ALIKE = {"OPENDIR": ("OPEN",), "RELEASEDIR": ("RELEASE",)}
"""Opcodes whose cost is taken for another's that no row could be found for."""


@dataclass(frozen=True)
class RequestCost:
    """What one request costs: its own, and what the kernel spends that answers in its place."""

    request: float
    kernel: float
    """NaN where no relative does in the kernel what the request asks for."""
    row: Row
    """The row both were taken from."""
    why: str = ""
    """Why nothing is known of the kernel."""
    source: CostSource = CostSource.ROWS

    @property
    def said(self) -> str:
        """Where it was taken from, as tables have it."""
        return f"stacks of {self.row.name}" if self.source is CostSource.STACKS else self.row.name


class Alike:
    """Rows by what they do, for those who look for some of a thousand a thousand times."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._works: dict[str, list[Row]] = {}
        self._timeless: dict[RowKey, list[Row]] = {}
        for row in rows:
            self._works.setdefault(row.work, []).append(row)
            self._timeless.setdefault(row.key.without(TIMEOUTS), []).append(row)

    def of_work(self, name: str) -> Sequence[Row]:
        """The rows of a workload and variant."""
        return self._works.get(name, ())

    def to(self, row: Row) -> Sequence[Row]:
        """The rows that differ from it in nothing but their timeouts; itself among them."""
        return self._timeless.get(row.key.without(TIMEOUTS), ())


class Costs:
    """Per-request costs of one server, by opcode and names; each is worked out when asked for.

    A cost is the difference between two rows of the server that differ by the request (its caches
    expire, or never do), divided by how many there were; where there is no row without any, the
    difference from native.
    """

    def __init__(
        self, rows: Sequence[Row], bases: Sequence[str], native: str, relative: str
    ) -> None:
        self._rows = Alike(row for row in rows if row.key.threads == 1)
        self._bases, self._native, self._relative = bases, native, relative
        self._known: dict[tuple[str, RowKey, NameState], RequestCost | None] = {}
        self._said = self._relative or " or ".join(RELATIVES)

    def of(self, opcode: str, like: Row, names: NameState | None = None) -> RequestCost | None:
        """Cost of a request in rows like this one; None where a row for it is missing."""
        asked = (opcode, like.key, names or names_of(like))
        if asked not in self._known:
            self._known[asked] = self._found(opcode, like, asked[-1])
        return self._known[asked]

    def _found(self, opcode: str, like: Row, names: NameState) -> RequestCost | None:
        for name in (opcode, *ALIKE.get(opcode, ())):
            for rank, calibration in enumerate(CALIBRATIONS):
                if name in calibration.opcodes and names in calibration.names:
                    for row in self._candidates(calibration, like):
                        if cost := self._solved(rank, row):
                            return cost
        return None

    def wanted(self, opcode: str, like: Row, names: NameState | None = None) -> str:
        """The rows that would give this cost, in words."""
        known = {opcode, *ALIKE.get(opcode, ())}
        state = names or names_of(like)
        fitting = [c for c in CALIBRATIONS if known & set(c.opcodes) and state in c.names]
        rows = dict.fromkeys(name for c in fitting for name in _row_names(c, like))
        size = (
            f", {like.key.entries} entries"
            if any(c.sized for c in fitting) and like.key.entries
            else ""
        )
        said = f"{opcode} of {self._bases[0]} ({state}{size}): row {' or '.join(rows)}"
        return f"{said}, with rows for its other requests" if rows else f"{opcode}: no row"

    def _candidates(self, calibration: Calibration, like: Row) -> Iterator[Row]:
        """Rows to take a cost from: by name, and of each name those with fewest other requests first."""
        for name in _row_names(calibration, like):
            own = name in calibration.itself
            first = NameState.FIRST in calibration.names and len(calibration.names) == 1
            cache = like.key.cache if own or first else Cache.WARM
            free = (TIMEOUTS, THREADS) if calibration.sized else (TIMEOUTS, THREADS, ENTRIES)
            wanted = like.key.at(CACHE, cache).without(*free).places
            found = [
                row for row in self._rows.of_work(name) if row.key.without(*free).places == wanted
            ]
            yield from sorted(found, key=lambda row: self._order(calibration, row))

    def _order(self, calibration: Calibration, row: Row) -> tuple[float, ...]:
        """Fewest other requests first, then longest timeouts: what the kernel answers is least, too."""
        counts = per_op(self._line(row))
        others = sum(count for opcode, count in counts.items() if opcode not in calibration.opcodes)
        return others, *(-timeout for timeout in row.seconds)

    def _line(self, row: Row) -> Line | None:
        """The server's in a row, in the first of its ways of listing that was measured there."""
        return next((line for name in self._bases if (line := line_of(row, name))), None)

    def _solved(self, rank: int, row: Row) -> RequestCost | None:
        calibration = CALIBRATIONS[rank]
        base = self._line(row)
        rest = self._without(calibration, row) or line_of(row, self._native)
        if base is None or rest is None:
            return None
        counts = difference(per_op(base), per_op(rest))
        own = sum(counts.get(opcode, 0.0) for opcode in calibration.opcodes)
        if own < LEAST:
            return None
        left, spent, lacking = base.time.value - rest.time.value, 0.0, ""
        for opcode, count in counts.items():
            if opcode not in calibration.opcodes and abs(count) >= LEAST:
                other = self._earlier(opcode, rank, row)
                if other is None:
                    if abs(count) <= STRAY * own:
                        continue
                    return None
                left -= count * other.request
                spent += count * other.kernel
                lacking = lacking or other.why
        if left <= 0:
            return None  # the other requests are taken for dearer than they are here
        kernel, why = self._kernel(calibration, row)
        if calibration.step is None and not why:
            kernel, why = max(0.0, kernel - spent) / own, lacking
        return RequestCost(left / own, math.nan if why else kernel, row, why)

    def _without(self, calibration: Calibration, row: Row) -> Line | None:
        """The server in the same row with caches that spare it these requests, and as little else."""
        alike = sorted(
            self._rows.to(row),
            key=lambda other: sum(a != b for a, b in zip(other.seconds, row.seconds, strict=True)),
        )
        lines = [line for other in alike if (line := self._line(other)) and line.requests]
        return next((line for line in lines if not _sent(line, calibration.opcodes)), None)

    def _kernel(self, calibration: Calibration, row: Row) -> tuple[float, str]:
        """What the relative spends in place of all requests (a step: of one), or why it is unknown."""
        if calibration.step is not None:
            return self._step(calibration, row)
        above = _less(row, self._relative, row, self._native)
        if math.isnan(above):
            return above, f"no {self._said} in row {row.work}"
        if above < 0:
            return math.nan, (
                f"{self._said} is cheaper than native in row {row.work}: it answers from a cache "
                "of its own and is no relative"
            )
        return above, ""

    def _step(self, calibration: Calibration, row: Row) -> tuple[float, str]:
        names = calibration.step or ()
        free = (CACHE, THREADS, ENTRIES)
        setting = row.key.without(*free).places
        alike = (
            [r for r in self._rows.of_work(name) if r.key.without(*free).places == setting]
            for name in names
        )
        more, fewer = (found[-1] if found else None for found in alike)
        if more is None or fewer is None:
            return math.nan, f"no row {' or '.join(names)}, timeouts {row.timeouts}"
        sent = [_sent(self._line(one), calibration.opcodes) for one in (more, fewer)]
        above = _less(more, self._relative, fewer, self._relative)
        if math.isnan(above) or sent[0] <= sent[1]:
            return math.nan, f"no {self._said} in row {more.work}"
        return above / (sent[0] - sent[1]), ""

    def _earlier(self, opcode: str, rank: int, row: Row) -> RequestCost | None:
        """Cost of another request of a row; only of opcodes before it, so that none goes in circles."""
        known = {opcode, *ALIKE.get(opcode, ())}
        before = {name for calibration in CALIBRATIONS[:rank] for name in calibration.opcodes}
        return self.of(opcode, row) if before & known else None


def names_of(row: Row) -> NameState:
    """What the kernel knows of a row's names."""
    if row.work in MISSING_NAMES:
        return NameState.MISSING
    known = row.key.cache == Cache.WARM or row.work in KNOWN_ENTRIES
    return NameState.KNOWN if known else NameState.FIRST


def _row_names(calibration: Calibration, like: Row) -> tuple[str, ...]:
    return (like.work,) if like.work in calibration.itself else calibration.rows


def _sent(line: Line | None, opcodes: Iterable[str]) -> float:
    return sum(per_op(line).get(opcode, 0.0) for opcode in opcodes)


def _less(row: Row, target: str, other: Row, minus: str) -> float:
    """Cost of a target in a row less that of another in another; NaN where either is missing."""
    over, under = line_of(row, target), line_of(other, minus)
    return over.time.value - under.time.value if over and under else math.nan


def difference(over: Mapping[str, float], under: Mapping[str, float]) -> dict[str, float]:
    """Requests per operation, opcode by opcode, that one has more than the other."""
    return {
        opcode: over.get(opcode, 0.0) - under.get(opcode, 0.0)
        for opcode in sorted(over.keys() | under.keys())
    }


def line_of(row: Row, target: str) -> Line | None:
    """A target's line in a row, if it was measured there."""
    lines = (line for line in row.lines if line.target.name == target and line.time.known)
    return next(lines, None)


def per_op(line: Line | None) -> Mapping[str, float]:
    """Requests per operation by opcode; empty where none were counted."""
    return line.requests.per_op if line and line.requests else {}
