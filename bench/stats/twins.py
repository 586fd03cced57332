"""Holds what a target claims against its twin: the same row, run and cache state, without passthrough.

That no request arrived proves passthrough only where the twin got some: a page cache, an attribute
cache or a listing that is kept answers without a server, too. This is found on reading, from the
counts of trials.jsonl: a trial cannot know it, as its twin may run after it, and a run published
before the rule is read by it all the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.model import Cache, Level, Opcode, Outcome, Verdict

PER_OP_SLACK = 0.005
"""Requests per operation that two counting passes of one server may differ by: 1 in 200."""
MOST_OF = 0.75
"""Share of the requests about regular files that has to be gone: a path walk that starts over asks about
its directories again, on either side."""
ELSEWHERE = "@"
"""The server itself on another kernel of the run, among daemons' names."""
HEADLINE = ("plain-c", "plain")
"""Who stands in for a twin that a server does not name."""
OF_OLD = {
    "passthrough": "plain",
    "passthrough-c": "plain-c",
    "passthrough_hp": "passthrough_hp-nopassthrough",
}
"""Twins of runs that do not name them."""
DATA = frozenset({Opcode.READ.name, Opcode.WRITE.name})
NONE_ARRIVED = re.compile(r"no ((?:[A-Z0-9_]+ and )*[A-Z0-9_]+) arrived")
"""The reason of an engaged trial, in runs whose trials do not list what they claim."""

PerOp = Mapping[str, float]


@dataclass(frozen=True)
class _Side:
    """What the counting passes of one series saw, and whose timeouts held."""

    per_op: PerOp
    own_timeouts: bool


@dataclass(frozen=True)
class _Twin:
    """A target without passthrough that another is held against."""

    name: str
    own: bool
    """Whether it is the same server; else another stands in for it."""
    reads: bool = False
    """Whether it passes reads and writes through, and so is no twin of who claims these."""


def held_against_twins(trials: pd.DataFrame, targets: object) -> pd.DataFrame:
    """The frame with verdicts that the twins' counts bear out, and reasons that say them.

    ``targets`` are those of run.json, whatever stands there.
    """
    listed = targets if isinstance(targets, list) else []
    known = [target for target in listed if isinstance(target, Mapping) and "name" in target]
    candidates = {str(one["name"]): twins_of(one, known) for one in known}
    sides = _sides(trials)
    verdicts, reasons = list(trials["verdict"]), list(trials["verdict_reason"])
    columns = ("group", "target", "cache", "claimed")
    for number, (group, name, cache, claimed) in enumerate(
        zip(*(trials[column] for column in columns), strict=True)
    ):
        own = sides.get((group, name))
        twin = next((one for one in candidates.get(name, ()) if (group, one.name) in sides), None)
        other = sides[group, twin.name] if twin else None
        judged = _Claim(verdicts[number], reasons[number], claimed, cache, own, other, twin)
        verdicts[number], reasons[number] = judged.verdict()
    return trials.assign(verdict=verdicts, verdict_reason=reasons)


def twins_of(target: Mapping[str, Any], known: Sequence[Mapping[str, Any]]) -> list[_Twin]:
    """Whom a target may be held against, the nearest first: itself switched off, its twin, itself on
    a kernel that does not pass through what is claimed, plain-c."""
    daemon = _daemon(target)
    names = (daemon, str(target.get("twin") or OF_OLD.get(daemon, "")))
    order = list(dict.fromkeys((*names, ELSEWHERE, *HEADLINE)))
    ways = ("readdir_mode", "server_threads", "clone_fd")
    found = [
        (order.index(place), [one.get(way) != target.get(way) for way in ways], str(one["name"]))
        for one in known
        if one["name"] != target["name"]
        and one.get("kind", "fuse") == "fuse"
        and (place := _place(one, target)) in order
    ]
    reading = {str(one["name"]) for one in known if one.get("level") == Level.RW}
    return [
        _Twin(
            name, order[place] in (*names, ELSEWHERE), order[place] == ELSEWHERE and name in reading
        )
        for place, _, name in sorted(found)
    ]


def _place(one: Mapping[str, Any], target: Mapping[str, Any]) -> str | None:
    """As what another target may be a twin: by its daemon, or as the same server on another kernel
    of the run, which passes no inode operation through."""
    here, there = (str(who["name"]).partition("@")[2] for who in (target, one))
    if here == there:
        plain = str(one.get("level_asked") or Level.NONE) == Level.NONE
        return _daemon(one) if plain else None
    without = str(one.get("level") or "") in (Level.NONE, Level.RW)
    same = bool(here and there) and _daemon(one) == _daemon(target)
    return ELSEWHERE if without and same else None


def _daemon(target: Mapping[str, Any]) -> str:
    return str(target.get("daemon") or target["name"])


def changes(here: PerOp, there: PerOp) -> list[str]:
    """``LOOKUP 1.00 to 0.00``: requests per operation of the twin and of the target that differ."""
    return [
        f"{op} {there.get(op, 0.0):.2f} to {here.get(op, 0.0):.2f}"
        for op in sorted({*here, *there})
        if abs(here.get(op, 0.0) - there.get(op, 0.0)) > PER_OP_SLACK
    ]


@dataclass(frozen=True)
class _Claim:
    """One trial's own verdict, and what it is held against."""

    given: str
    reason: str
    claimed: Mapping[str, float] | None
    cache: str
    here: _Side | None
    there: _Side | None
    twin: _Twin | None

    def verdict(self) -> tuple[str, str]:
        """The verdict and its reason, as the twin's counts leave them."""
        if self.given == Verdict.NO_CLAIM and self.reason.startswith("a plain server gets no"):
            return Verdict.NOTHING.value, self.reason  # as runs before the rule called it
        if self.given == Verdict.NO_CLAIM:
            return self.given, self.reason or self._changed()
        if self.given != Verdict.ENGAGED or self.here is None:
            return self.given, self.reason
        return self._engaged()

    def _changed(self) -> str:
        if self.here is None or self.there is None or self.twin is None:
            return ""
        found = changes(self.here.per_op, self.there.per_op)
        return f"requests differ from {self.twin.name}: {', '.join(found)}" if found else ""

    def _engaged(self) -> tuple[str, str]:
        if self.there is None or self.twin is None:
            return Verdict.NO_TWIN.value, "no twin without passthrough was counted in this row"
        claims = self._claims()
        if self.twin.reads and set(claims) & DATA:
            return Verdict.NO_TWIN.value, f"{self.twin.name} passes reads and writes through, too"
        if not self.twin.own and self.here is not None and self.here.own_timeouts:
            cold = self.cache != Cache.WARM
            if not cold or not set(claims) & DATA:
                return Verdict.NO_TWIN.value, (
                    f"its caches are its own, and {self.twin.name} has others: name its twin"
                )
            claims = {op: least for op, least in claims.items() if op in DATA}
        return self._counted(claims, self.there.per_op, self.twin.name)

    def _counted(self, claims: PerOp, there: PerOp, name: str) -> tuple[str, str]:
        here = self.here.per_op if self.here else {}
        asked = {op for op in claims if there.get(op, 0.0) > 0}
        if not asked:
            none = " and ".join(sorted(claims)) or "requests"
            return Verdict.NOTHING.value, f"{name} gets no {none} here either"
        gone = {
            op
            for op in asked
            if there[op] - here.get(op, 0.0) > MOST_OF * claims[op]
            and there[op] > here.get(op, 0.0)
        }
        moved = ", ".join(
            changes(here, {op: there[op] for op in sorted(asked)} | _rest(here, asked))
        )
        if gone != asked:
            left = " and ".join(sorted(asked - gone))
            return Verdict.NOT_ENGAGED.value, f"{left} arrives as on {name}"
        return Verdict.ENGAGED.value, f"{self.reason} ({name}: {moved})" if moved else self.reason

    def _claims(self) -> PerOp:
        """Opcodes claimed in this row, and how many per operation must be gone."""
        if self.claimed is not None:
            return self.claimed
        if said := NONE_ARRIVED.match(self.reason):
            return dict.fromkeys(said[1].split(" and "), 0.0)
        here = self.here.per_op if self.here else {}
        there = self.there.per_op if self.there else {}
        return {op: 0.0 for op in there if not here.get(op)}


def _rest(here: PerOp, asked: Iterable[str]) -> dict[str, float]:
    """The opcodes that are not asked about, as they are, so that they do not count as changed."""
    return {op: count for op, count in here.items() if op not in asked}


def _sides(trials: pd.DataFrame) -> dict[tuple[str, str], _Side]:
    """Requests per operation of every series, over the counting passes of its good trials."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    ops: Counter[tuple[str, str]] = Counter()
    own: dict[tuple[str, str], bool] = {}
    columns = ("group", "target", "requests", "outcome", "superseded", "timeouts")
    for group, target, requests, outcome, old, timeouts in zip(
        *(trials[column] for column in columns), strict=True
    ):
        if outcome != Outcome.OK or old or not isinstance(requests, Mapping):
            continue
        source = requests.get("kernel")
        source = requests.get("server") if source is None else source
        if source is None or not requests.get("ops"):
            continue
        key = (str(group), str(target))
        sums.setdefault(key, Counter()).update({str(op): int(n) for op, n in source.items()})
        ops[key] += int(requests["ops"])
        own[key] = timeouts != "as asked"
    return {
        key: _Side({op: count / ops[key] for op, count in found.items()}, own[key])
        for key, found in sums.items()
    }
