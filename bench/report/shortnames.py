"""Rows in the few characters that a mail's column has: ``ls -l 1k cold inf``.

Beside them stands what the words mean (LEGEND); every other table names a row in full.
"""

from __future__ import annotations

import math

from bench.axes.rowkey import RowKey
from bench.model import Cache, Timeouts

FOREVER = 3600.0
"""Seconds from which a timeout does not run out within a run."""
LEGEND = "0, inf: cache timeouts; cold: fresh mount; 1k: entries listed"
OPERATIONS = {
    "getattr-storm/fd": "fstat",
    "getattr-storm/at": "statx 1 name",
    "getattr-storm/path": "statx by path",
    "getattr-cached": "statx cached",
    "stat-expired": "statx expired",
    "lookup-cold": "first statx",
    "lookup-negative": "statx no such",
    "readdirplus": "readdir+statx",
    "ls-then-stat": "stat listed",
    "stat-then-ls": "ls of stat'ed",
    "walk-find": "find",
    "walk-du": "du",
    "open-close": "open+close",
    "read-random": "pread 4k",
    "list-stat/0": "ls",
    "list-stat/alternate-0": "ls",
    "list-stat/100": "ls;statx",
    "list-stat/alternate-100": "ls -l",
    "list-stat/ls": "ls -l + xattrs",
}
CACHES = {Cache.WARM: "", Cache.COLD_FUSE: "cold", Cache.COLD_ALL: "cold-all"}


def short(key: RowKey) -> str:
    """The row's short name; equal for two rows only where they differ on an axis nobody asks for."""
    words = [operation(key), CACHES.get(key.cache, str(key.cache))]
    words += [f"{key.threads}thr"] if key.threads != 1 else []
    words += [timeouts(key.timeouts)] if key.timeouts else []
    return " ".join(filter(None, words))


def operation(key: RowKey) -> str:
    """``ls -l 1k``: what is done, and to how many entries."""
    said = OPERATIONS.get(key.work) or _share(key) or key.work
    return f"{said} {_count(key.entries)}" if key.entries else said


def _count(entries: int) -> str:
    """``100``, ``1k``."""
    return f"{entries // 1000}k" if entries and not entries % 1000 else str(entries)


def _share(key: RowKey) -> str:
    """``ls+50%`` of entries as they are listed, ``ls;50%`` when all are."""
    share = key.variant.removeprefix("alternate-")
    if key.workload != "list-stat" or not share.isdigit():
        return ""
    return f"ls;{share}%" if share == key.variant else f"ls+{share}%"


def timeouts(pair: Timeouts) -> str:
    """``0``, ``inf``, or ``inf/0`` for attributes and entries."""
    said = ["inf" if one >= FOREVER else f"{one:g}" for one in (pair.attr, pair.entry)]
    return said[0] if said[0] == said[1] and not math.isnan(pair.attr) else "/".join(said)
