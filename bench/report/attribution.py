"""Where the time of an operation goes: its shares on each target, and the table that says so."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.model import Clock, Outcome
from bench.report import units
from bench.report.row import Row
from bench.stats.frame import Run, records

CLIENT, QUEUE, SERVER, BOTH = "client's kernel", "queue and switch", "server", "server and queue"
SHARES = (CLIENT, QUEUE, SERVER, BOTH)
"""In stacking order. BOTH stands for the two where a server does not time its requests."""

WIDTH = 72
NAME, CELL = 22, 9

LEGEND = (
    "server: from the read of a request to the write of its reply. queue and switch: the rest of "
    "the time from fuse_request_send to fuse_request_end. client's kernel: the rest of the window, "
    "with the client's wake-up after the answer. sum: the three, of the middle trial's "
    "attributed window; timed: the same trial's windows without any of this looking on, so that "
    "what lies between them is what looking costs."
)


@dataclass(frozen=True)
class RequestShare:
    """Requests of one opcode: how many per operation, and one's mean time by share."""

    opcode: str
    per_op: float
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Parts:
    """One target's time per operation, told apart; in the unit of the run's values.

    ``shares`` sum up to ``total``; ``timed`` is the median of the same trial's timed windows, and
    ``behind`` are requests that nobody waited for. Without shares ``why`` gives the reason.
    """

    target: str
    shares: Mapping[str, float]
    timed: float
    requests: tuple[RequestShare, ...]
    behind: tuple[RequestShare, ...]
    why: str

    @property
    def total(self) -> float:
        """The attributed window, per operation."""
        return sum(self.shares.values())


def parts_of(run: Run, rows: Sequence[Row]) -> list[list[Parts]]:
    """For each row its targets in table order, those with an attribution or a reason for none."""
    unit_ns = Clock(run.about.get("clock") or Clock.WALL).unit_ns
    told = run.trials[run.trials["attribution"].notna() & (run.trials["outcome"] == Outcome.OK)]
    series: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for trial in records(told):
        if trial["attribution"]:
            series.setdefault((trial["group"], trial["target"]), []).append(trial)
    return [
        [
            _parts(line.target.name, series[row.slug, line.target.name], unit_ns)
            for line in row.lines
            if (row.slug, line.target.name) in series
        ]
        for row in rows
    ]


def _parts(target: str, records: Sequence[Mapping[Any, Any]], unit_ns: float) -> Parts:
    whole = [record for record in records if record["attribution"]["ops"]]
    told = [record for record in whole if not record["attribution"]["why"]] or whole
    if not told:
        return Parts(target, {}, np.nan, (), (), str(records[0]["attribution"]["why"]))
    # One trial's parts add up; medians over trials of each part would not.
    told.sort(key=lambda record: _per_op(record["attribution"]))
    middle = told[(len(told) - 1) // 2]
    found = middle["attribution"]
    scale = 1 / found["ops"] / unit_ns
    requests = _requests(found["by_opcode"], found["ops"], unit_ns)
    told_apart = requests or not found["why"]
    shares = _window(found, scale) if told_apart else {}
    timed = float(np.median(middle["values"])) if middle["values"] else np.nan
    behind = _requests(found["behind"], found["ops"], unit_ns)
    return Parts(target, shares, timed, requests, behind, str(found["why"]))


def _per_op(found: Mapping[str, Any]) -> float:
    return float(found["window_ns"] / found["ops"])


def _window(found: Mapping[str, Any], scale: float) -> dict[str, float]:
    """The whole window by share; what no request accounts for is the client's kernel."""
    shares = dict.fromkeys(SHARES, 0.0)
    for entry in found["by_opcode"].values():
        for name, value in _told(entry).items():
            shares[name] += value * scale
    shares[CLIENT] = found["window_ns"] * scale - sum(shares.values())
    return {name: value for name, value in shares.items() if value}


def _told(entry: Mapping[str, Any]) -> dict[str, float]:
    if entry["server_ns"] is None:
        return {BOTH: entry["total_ns"]}
    return {QUEUE: entry["total_ns"] - entry["server_ns"], SERVER: entry["server_ns"]}


def _requests(
    by_opcode: Mapping[str, Mapping[str, Any]], ops: int, unit_ns: float
) -> tuple[RequestShare, ...]:
    return tuple(
        RequestShare(
            opcode,
            entry["count"] / ops,
            {name: value / entry["count"] / unit_ns for name, value in _told(entry).items()},
        )
        for opcode, entry in sorted(by_opcode.items())
    )


def lines(run: Run, rows: Sequence[Row]) -> list[str]:
    """The table, plain ASCII of at most 72 columns; empty if no trial was attributed."""
    parts = zip(rows, parts_of(run, rows), strict=True)
    body = [line for row, own in parts for line in _row(row, own)]
    if not body:
        return []
    head = [
        f"where the {units.quantity().noun} of an operation goes",
        "",
        *textwrap.wrap(LEGEND, WIDTH),
        "",
        _cells("target", ["server", "queue and", "client's", "sum", "timed"]),
        _cells("", ["", "switch", "kernel", "", ""]),
        "-" * WIDTH,
    ]
    return [units.ascii_only(line) for line in (*head, *body)]


def _row(row: Row, parts: Sequence[Parts]) -> Iterator[str]:
    if not parts:
        return
    yield from units.wrapped(f"{row.name}, per {row.unit}", 2)
    for one in parts:
        yield from _target(one)
    yield ""


def _target(parts: Parts) -> Iterator[str]:
    if parts.shares:
        name = parts.target
        if len(name) > NAME - 2:
            yield f"  {name}"
            name = ""
        sums = [units.duration(parts.total), units.duration(parts.timed)]
        yield _cells(f"  {name}", [*_columns(parts.shares), *sums])
    for request in parts.requests:
        name = f"    {request.opcode} x {units.per_op(request.per_op)}"
        yield _cells(name, _columns(request.shares)[:2])
    if parts.behind:
        counts = [f"{one.opcode} x {units.per_op(one.per_op)}" for one in parts.behind]
        yield from units.wrapped(f"    nobody waits for: {', '.join(counts)}", 6)
    if parts.why:
        yield from units.wrapped(f"  {parts.target}: {parts.why}", 4)


def _columns(shares: Mapping[str, float]) -> list[str]:
    """Server, queue, client; one number for the first two where they are not told apart."""
    server, queue, both, client = (
        units.duration(shares.get(name, np.nan)) for name in (SERVER, QUEUE, BOTH, CLIENT)
    )
    return ["together", both, client] if BOTH in shares else [server, queue, client]


def _cells(name: str, cells: Sequence[str]) -> str:
    return (f"{name:<{NAME}}" + "".join(f" {cell:>{CELL}}" for cell in cells)).rstrip()
