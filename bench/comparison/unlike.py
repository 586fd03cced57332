"""What two sides of a comparison were measured on, and in what that differs.

The kernel is never a reason to refuse: it is what comparisons are made for. It is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.axes.rows import TIMEOUTS as TIMEOUTS_AXIS
from bench.comparison.sides import MatchKey, Side, SideRow
from bench.machine.environment import scheduling
from bench.model import UserError
from bench.report import units

Pick = Callable[[Mapping[str, Any]], Any]

CLOCK = "clock"
TIMEOUTS = "timeouts"


@dataclass(frozen=True)
class Mismatch:
    """One thing that differs. ``what`` is the word ``--allow-different`` takes."""

    what: str
    text: str


def _at(*path: str) -> Pick:
    """What run.json holds at a path of keys; None where it holds nothing."""

    def pick(about: Mapping[str, Any]) -> Any:
        value: Any = about
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return pick


CHECKS: tuple[tuple[str, str, Pick], ...] = (
    (CLOCK, "clock", lambda about: about.get("clock") or "wall"),
    ("machine", "CPU model", _at("environment", "cpu_model")),
    ("machine", "number of CPUs", _at("environment", "cpu_count")),
    ("machine", "frequency governor", _at("environment", "cpufreq_governor")),
    ("machine", "idle driver", _at("environment", "idle_driver")),
    ("mitigations", "mitigations", _at("environment", "mitigations")),
    ("tree", "tree", _at("tree", "hash")),
    ("backing", "backing file system", _at("backing", "filesystem")),
    ("placement", "placement", _at("placement", "mode")),
    ("scheduling", "scheduling policy", lambda about: scheduling(about.get("environment") or {})),
    ("latency", "cpu_dma_latency", _at("cpu_dma_latency")),
    ("windows", "timed windows per trial", _at("settings", "values")),
    ("windows", "length of a window", _at("settings", "window_s")),
    ("windows", "names of a storm", _at("settings", "names")),
    ("suite", "commit of the suite", _at("environment", "suite_commit")),
    ("versions", "versions", _at("environment", "versions")),
)
"""(word, what it is, where it stands in run.json). Who changes one of these changes a number."""

WORDS = (*dict.fromkeys(what for what, _, _ in CHECKS), TIMEOUTS)
"""Everything that can differ, by the word ``--allow-different`` takes for it."""


def differences(base: Side, patched: Side) -> list[Mismatch]:
    """All that differs, the clock first; rows that are only in one side are told elsewhere."""
    found = [
        Mismatch(what, f"{label}: {_words(one, other)}")
        for what, label, pick in CHECKS
        if (one := pick(base.about)) != (other := pick(patched.about))
    ]
    return found + _timeouts_apart(base, patched)


def kernels(base: Side, patched: Side) -> list[str]:
    """How the kernels differ, in sentences: their releases, and what they pass through."""
    said = []
    if base.release != patched.release:
        said.append(
            f"kernel: {base.release or 'not recorded'} and {patched.release or 'not recorded'}"
        )
    levels: dict[str, list[str]] = {}
    for key in sorted(base.rows.keys() & patched.rows.keys(), key=lambda key: key.order):
        one, other = base.rows[key].level, patched.rows[key].level
        if one != other:
            levels.setdefault(f"{one} and {other}", []).append(key.target)
    for pair, targets in levels.items():
        names = ", ".join(dict.fromkeys(filter(None, targets)))
        said.append(f"level in force: {pair}" + (f" ({names})" if names else ""))
    return said


def refuse(base: Side, patched: Side, allowed: frozenset[str]) -> list[Mismatch]:
    """The differences, all of them allowed; raises UserError naming those that are not.

    The clock cannot be allowed: instructions are not time.
    """
    found = differences(base, patched)
    if any(one.what == CLOCK for one in found):
        raise UserError(
            f"{base.name} and {patched.name} have different clocks "
            f"({base.clock} and {patched.clock}): instructions are not time, and are never compared"
        )
    refused = [one for one in found if one.what not in allowed]
    if refused:
        words = " ".join(
            f"--allow-different {what}" for what in dict.fromkeys(d.what for d in refused)
        )
        raise UserError(
            f"{base.name} and {patched.name} are unlike: "
            f"{'; '.join(one.text for one in refused)}; compare them all the same with "
            f"{words}, or --force"
        )
    return found


def timeouts(row: SideRow) -> str:
    """In words, as NaN (not recorded) is not equal to itself."""
    return f"{units.seconds(row.attr_timeout)}/{units.seconds(row.entry_timeout)}"


def aligned(base: Side, patched: Side) -> tuple[Side, Side]:
    """The two sides; where they share no row, and would whatever their timeouts, without these."""
    if base.rows.keys() & patched.rows.keys():
        return base, patched
    loose = [_whatever_timeouts(side) for side in (base, patched)]
    if loose[0].rows.keys() & loose[1].rows.keys():
        return loose[0], loose[1]
    return base, patched


def _whatever_timeouts(side: Side) -> Side:
    """A side whose rows are matched whatever their timeouts; itself where one would hide another."""
    rows = {
        MatchKey(key.row and key.row.without(TIMEOUTS_AXIS), key.target): row
        for key, row in side.rows.items()
    }
    return replace(side, rows=rows) if len(rows) == len(side.rows) else side


def _timeouts_apart(base: Side, patched: Side) -> list[Mismatch]:
    """Rows whose mounts had other timeouts, told once for every pair of them."""
    apart: dict[str, list[str]] = {}
    for key in sorted(base.rows.keys() & patched.rows.keys(), key=lambda key: key.order):
        one, other = (timeouts(side.rows[key]) for side in (base, patched))
        if one != other:
            apart.setdefault(f"{one} and {other}", []).append(_named(key))
    return [
        Mismatch(TIMEOUTS, f"attr/entry timeout: {pair} ({names[0]}{_others(len(names) - 1)})")
        for pair, names in apart.items()
    ]


def _named(key: MatchKey) -> str:
    return key.said or "the series"


def _others(count: int) -> str:
    return f" and {units.times(count, 'other row')}" if count else ""


def _words(one: Any, other: Any) -> str:
    """Both values; of two mappings only the keys that differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = sorted(k for k in one.keys() | other.keys() if one.get(k) != other.get(k))
        return ", ".join(f"{key} {_words(one.get(key), other.get(key))}" for key in keys)
    return " and ".join("not recorded" if value is None else str(value) for value in (one, other))
