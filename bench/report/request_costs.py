"""What one FUSE request costs, taken from rows that are made of requests of one kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.model import Cache
from bench.report.rows import Line, Row

RELATIVES = ("overlayfs", "bind")
"""What crosses a mount in the kernel, the nearest relative of a passthrough first."""


KNOWN_ENTRIES = ("stat-then-ls",)
"""Rows on a fresh mount whose listing nevertheless finds every inode made."""


@dataclass(frozen=True)
class Calibration:
    """Rows made of one kind of request, the best first; ``opcodes`` of one row share its cost equally."""

    opcodes: tuple[str, ...]
    warm: tuple[str, ...]
    cold: tuple[str, ...] = ()
    """On a fresh mount, where it is another thing: a LOOKUP makes an inode, a READDIRPLUS many."""
    itself: tuple[str, ...] = ()
    """Rows that can only be taken from themselves."""


CALIBRATIONS = (
    Calibration(("GETATTR",), ("getattr-storm/fd",)),
    Calibration(("LOOKUP",), ("lookup-negative",), ("lookup-cold",)),
    Calibration(("OPEN", "RELEASE", "FLUSH"), ("open-close",)),
    *(
        Calibration(
            (opcode,),
            warm=("list-stat/0", "readdir"),
            cold=("list-stat/0", "walk-find"),
            itself=KNOWN_ENTRIES,
        )
        for opcode in ("READDIRPLUS", "READDIR")
    ),
)
"""In this order: of a row, what earlier ones found is taken off for its other requests."""
ALIKE = {"OPENDIR": ("OPEN", "GETATTR"), "RELEASEDIR": ("RELEASE", "GETATTR")}
"""Opcodes that no row is made of, and those whose cost is taken for theirs."""


@dataclass(frozen=True)
class Cost:
    """Of one request: its own cost, and what the kernel spends that answers in its place."""

    request: float
    kernel: float
    row: Row
    """The row both were taken from."""


class Costs:
    """Per-request costs of one server, by opcode and cache state; each is worked out when asked for."""

    def __init__(
        self, rows: Sequence[Row], sizes: Mapping[str, int], names: tuple[str, str, str]
    ) -> None:
        self._rows, self._sizes = rows, sizes
        self._base, self._native, self._relative = names

    def of(self, opcode: str, like: Row) -> Cost | None:
        """Cost of a request in rows like this one; None where a row for it is missing."""
        for name in (opcode, *ALIKE.get(opcode, ())):
            rank = next((n for n, c in enumerate(CALIBRATIONS) if name in c.opcodes), None)
            for row in self._candidates(rank, like):
                if cost := self._solved(rank, row):
                    return cost
        return None

    def wanted(self, opcode: str, like: Row) -> str:
        """The rows that would give this cost, in words."""
        known = (opcode, *ALIKE.get(opcode, ()))
        named = [_names(c, like) for c in CALIBRATIONS if set(known) & set(c.opcodes)]
        rows = dict.fromkeys(name for names in named for name in names)
        said = f"{opcode} ({like.cache}): row {' or '.join(rows)}"
        return f"{said}, with rows for its other requests" if rows else f"{opcode}: no row"

    def _candidates(self, rank: int | None, like: Row) -> Iterator[Row]:
        if rank is None:
            return
        calibration = CALIBRATIONS[rank]
        cold = bool(calibration.cold) and like.cache != Cache.WARM
        for name in _names(calibration, like):
            for row in self._rows:
                fits = row.name == name and row.threads == 1 and row.placement == like.placement
                same_size = self._sizes.get(row.key, 0) in (0, self._sizes.get(like.key, 0))
                if fits and same_size and (row.cache == like.cache or not cold):
                    yield row

    def _solved(self, rank: int | None, row: Row) -> Cost | None:
        if rank is None:
            return None
        base, native = line_of(row, self._base), line_of(row, self._native)
        opcodes = CALIBRATIONS[rank].opcodes
        counts = per_op(base)
        own = sum(counts.get(opcode, 0.0) for opcode in opcodes)
        if not own or base is None or native is None or not native.time.known:
            return None
        left = base.time.value - native.time.value
        for opcode, count in counts.items():
            if opcode not in opcodes:
                other = self._earlier(opcode, rank, row)
                if other is None:
                    return None
                left -= count * other.request
        relative = line_of(row, self._relative)
        above = relative.time.value - native.time.value if relative else 0.0
        return Cost(left / own, max(above, 0.0) / own, row)

    def _earlier(self, opcode: str, rank: int, row: Row) -> Cost | None:
        """Cost of another request of a row; only of opcodes before it, so that none goes in circles."""
        known = (opcode, *ALIKE.get(opcode, ()))
        before = {name for calibration in CALIBRATIONS[:rank] for name in calibration.opcodes}
        return self.of(opcode, row) if before & set(known) else None


def _names(calibration: Calibration, like: Row) -> tuple[str, ...]:
    if like.name in calibration.itself:
        return (like.name,)
    warm = like.cache == Cache.WARM or not calibration.cold
    return calibration.warm if warm else calibration.cold


def line_of(row: Row, target: str) -> Line | None:
    """A target's line in a row, if it was measured there."""
    lines = (line for line in row.lines if line.target.name == target and line.time.known)
    return next(lines, None)


def per_op(line: Line | None) -> Mapping[str, float]:
    """Requests per operation by opcode; empty where none were counted."""
    return line.requests.per_op if line and line.requests else {}
