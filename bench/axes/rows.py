"""The axes of rows, one record each: what the rows of a run can differ in beside the workload."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench.axes import readers
from bench.axes.axis import Axis, RowAxis
from bench.axes.timeouts import OWN, parse_timeouts, written
from bench.model import Cache, Clock, Order, Placement, Shape, Sync, Timeouts


def _read_timeouts(value: Any) -> tuple[Timeouts | None]:
    """None: each workload's own."""
    text = str(value)
    return (None if text == OWN else parse_timeouts(text),)


def _seconds(value: float) -> str:
    """As short as can be without loss."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _timeouts_of(record: Mapping[str, Any]) -> Timeouts | None:
    """The two columns; None where one of them is no time."""
    try:
        pair = Timeouts(float(record["attr_timeout"]), float(record["entry_timeout"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return pair if math.isfinite(pair.attr) and math.isfinite(pair.entry) else None


def _times(count: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


CACHE: RowAxis[Cache] = RowAxis(
    name="cache",
    column="cache",
    group="on what",
    about="cache state (default: each workload's own)",
    read=readers.word_of(Cache),
    words=tuple(Cache),
    default=(),
    none=Cache.WARM,
    has=lambda _workload: True,
    write=str,
    said=str,
    short=str,
    state=lambda cache: f"cache {cache}",
    rank=lambda cache: list(Cache).index(cache),
)
THREADS: RowAxis[int] = RowAxis(
    name="threads",
    column="threads",
    about="client threads of storms (default: 1)",
    metavar="N[,N]",
    read=readers.number,
    default=(1,),
    none=1,
    # Storms can be shared out over threads; workloads of other shapes say so.
    has=lambda workload: (
        workload.shape is Shape.REPEAT if workload.threaded is None else workload.threaded
    ),
    said=lambda threads: _times(threads, "thread") if threads != 1 else "",
    short=lambda threads: f"t{threads}",
    state=lambda threads: _times(threads, "thread"),
)
TIMEOUTS: RowAxis[Timeouts | None] = RowAxis(
    name="timeouts",
    column="timeouts",
    about="cache timeouts: own (each workload's), seconds, forever, or ATTR/ENTRY (default: own)",
    metavar="T[,T]",
    read=_read_timeouts,
    default=(None,),
    none=None,
    has=lambda _workload: True,
    write=lambda pair: written(pair) if pair else OWN,
    said=lambda pair: f"timeouts {written(pair)}" if pair else "",
    short=lambda pair: f"to{_seconds(pair.attr)}-{_seconds(pair.entry)}" if pair else "",
    state=lambda pair: f"attr/entry timeout {pair.attr:g} s/{pair.entry:g} s" if pair else "",
    rank=lambda pair: (pair.attr, pair.entry) if pair else (),
    split=lambda pair: {"attr_timeout": pair.attr, "entry_timeout": pair.entry} if pair else {},
    join=_timeouts_of,
)
ENTRIES: RowAxis[int] = RowAxis(
    name="entries",
    column="entries",
    about="entries of a directory, of workloads that are about its size (default: 1000)",
    metavar="N[,N]",
    read=readers.entries,
    default=(1000,),
    none=0,
    has=lambda workload: workload.sized,
    said=lambda entries: _times(entries, "entry") if entries else "",
    short=lambda entries: f"n{entries}" if entries else "",
)
SYNC: RowAxis[Sync] = RowAxis(
    name="sync",
    column="sync",
    about="AT_STATX_SYNC_* flag of statx, of workloads that call it (default: as-stat)",
    words=tuple(Sync),
    read=readers.word_of(Sync),
    default=(Sync.AS_STAT,),
    none=Sync.AS_STAT,
    write=str,
    said=lambda sync: "" if sync == Sync.AS_STAT else f"sync {sync}",
    short=lambda sync: "" if sync == Sync.AS_STAT else f"sync-{sync}",
    state=lambda sync: f"statx {sync}",
    rank=lambda sync: list(Sync).index(sync),
)
PLACEMENT: RowAxis[Placement] = RowAxis(
    name="placement",
    column="placement",
    group="",
    about="CPUs of client and daemon; a run has one",
    read=readers.word_of(Placement),
    default=(Placement.SAME,),
    none=Placement.SAME,
    has=lambda _workload: True,
    write=str,
    state=lambda placement: f"placement {placement}",
    said=lambda placement: "" if placement == Placement.SAME else f"placement {placement}",
    short=str,
    rank=lambda placement: list(Placement).index(placement),
    labelled=False,
)
CLOCK: RowAxis[Clock] = RowAxis(
    name="clock",
    column="clock",
    group="",
    about="what a window is measured in; a run has one",
    read=readers.word_of(Clock),
    default=(Clock.WALL,),
    none=Clock.WALL,
    has=lambda _workload: True,
    write=str,
    said=lambda clock: "" if clock == Clock.WALL else str(clock),
    short=lambda clock: "" if clock == Clock.WALL else str(clock),
    rank=lambda clock: list(Clock).index(clock),
    labelled=False,
)

ORDER: Axis[Order] = Axis(
    name="orders",
    column="variant",
    option="--order",
    about="alternate (as ls does) or after (as find and du): when workloads that list and stat do so "
    "(default: whatever their variants say)",
    metavar="ORDER[,ORDER]",
    read=readers.word_of(Order),
    default=(),
    write=str,
)
"""No part of the key: the variants of a workload say their order, and those of other orders are left out."""

AXES: tuple[RowAxis[Any], ...] = (CACHE, THREADS, TIMEOUTS, ENTRIES, SYNC, PLACEMENT, CLOCK)
"""In the order of names, columns and rows."""
