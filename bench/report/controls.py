"""Controls: rows that no level of a run touches, fixed before it, in which nothing may differ.

A row is one where the code its system calls run through is older than the highest level in force
(Workload.touched_from, written into run.json before the first trial) and where every target sends
the requests its baseline sends. What differs elsewhere is a result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bench.model import Level
from bench.stats.twins import changes

Counts = Mapping[str, Mapping[str, float]]
"""Requests per operation by opcode, by target."""

OPEN_FILES = ("read-random", "open-close", "macro-git")
"""Rows that open files, which level rw touches, in runs that do not list their controls."""


def listed(about: Mapping[str, Any], names: Collection[str]) -> set[str]:
    """The rows, by name, that the run fixed as controls before it began."""
    fixed = about.get("controls")
    if isinstance(fixed, list):
        return {str(name) for name in fixed}
    targets = [one for one in about.get("targets") or () if isinstance(one, Mapping)]
    given = {str(one.get("level") or Level.NONE) for one in targets}
    if given <= {Level.NONE, Level.RW}:
        return {name for name in names if name.partition("/")[0] not in OPEN_FILES}
    return set()


def controls(
    about: Mapping[str, Any], counts: Mapping[tuple[str, str], Counts], baseline: str
) -> set[tuple[str, str]]:
    """(row's key, target) of every series that is a control: equal requests on all its targets.

    ``counts`` are requests per operation by (row's key, its name), then by target.
    """
    fixed = listed(about, {name for _, name in counts})
    found = set()
    for (key, name), counted in counts.items():
        base = {one: counted.get(_beside(baseline, one)) for one in counted}
        same = all(own is not None and not changes(counted[one], own) for one, own in base.items())
        if name in fixed and same:
            found |= {(key, one) for one in counted if one.partition("@")[0] != baseline}
    return found


def _beside(baseline: str, target: str) -> str:
    _, at, kernel = target.partition("@")
    return f"{baseline}{at}{kernel}"
