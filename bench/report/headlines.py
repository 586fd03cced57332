"""The rows that stand for a run where not all can: named beforehand, never by their result.

A matrix names its own in its key ``headline``; other runs have the usual ones.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bench.axes.rowkey import RowKey
from bench.axes.rows import CLOCK, PLACEMENT
from bench.machine import suite

FEWEST = 4
"""Where fewer were measured, the run's other rows follow in its own order."""
COLD = "(cold-fuse, timeouts {}, 1000 entries)"
USUAL = (
    "getattr-storm/fd (warm, timeouts 0)",
    "getattr-storm/path (warm, timeouts 0)",
    f"list-stat/alternate-100 {COLD.format('forever')}",
    f"list-stat/100 {COLD.format('forever')}",
    "readdir (warm, timeouts 0)",
    "lookup-cold (cold-fuse, timeouts forever)",
    f"list-stat/alternate-100 {COLD.format('0')}",
    f"list-stat/alternate-0 {COLD.format('forever')}",
    f"list-stat/0 {COLD.format('forever')}",
    "walk-du (cold-fuse, timeouts forever)",
    "getattr-cached (warm, timeouts forever)",
    "open-close (warm, timeouts 0)",
    "read-random (warm, timeouts 0)",
)
"""What the patches are about, what they cost, and what no passthrough takes; the first of them first."""


class Headline(NamedTuple):
    """Rows in the order they are told, and the rule they were chosen by."""

    keys: tuple[RowKey, ...]
    rule: str


def headline(about: Mapping[str, Any], keys: Sequence[RowKey]) -> Headline:
    """The rows that were named beforehand."""
    names, rule = _named(about)
    by_name = {plain_name(key): key for key in keys}
    found = [by_name[name] for name in names if name in by_name]
    if len(found) >= FEWEST or len(found) == len(keys):
        return Headline(tuple(found), rule)
    others = [key for key in keys if key not in found]
    said = f"{rule}, then the others in the run's order" if found else "in the run's order"
    return Headline((*found, *others), said)


def plain_name(key: RowKey) -> str:
    """A row's name without what all rows of a run have in common."""
    return key.without(CLOCK, PLACEMENT).name


def _named(about: Mapping[str, Any]) -> tuple[Sequence[str], str]:
    settings = about.get("settings") or {}
    matrix = str(settings.get("matrix") or "")
    own = settings.get("headline") or of_matrix(matrix)
    if own:
        return [str(name) for name in own], f"named by matrix {matrix}"
    return USUAL, "the suite's headline rows"


def of_matrix(name: str) -> Sequence[str]:
    """What the matrix of that name says today: runs of older versions did not keep it."""
    file = suite.folder("matrices") / f"{name}.toml"
    if not name or "/" in name or not file.is_file():
        return ()
    return tuple(tomllib.loads(file.read_text(encoding="utf-8")).get("headline") or ())
