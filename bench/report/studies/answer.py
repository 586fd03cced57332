"""The answer to the question that stopped the patches: a table of every level against READDIRPLUS.

Is readdir + getattr passthrough a win over READDIRPLUS? Up to which share of the listed entries
that are then stat'ed it costs less, at each level, against a server that is always asked for
READDIRPLUS and against the kernel's adaptive choice, as ``ls -l`` asks and as ``find`` and ``du`` do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.axes.rows import CLOCK, PLACEMENT
from bench.model import Cache, Level, Order, ReaddirMode, Timeouts
from bench.report import units
from bench.report.row import Row
from bench.report.studies.breakeven import Study, studies
from bench.report.studies.crossing import Crossing, crossing
from bench.report.traits import Traits, ways
from bench.stats.estimates import Estimate
from bench.stats.frame import Run

QUESTION = "Is readdir + getattr passthrough a win over READDIRPLUS?"
USUAL_ENTRIES = 1000
COMMAND = "python -m bench run --matrix list-stat --kernel lab --clock instructions"
"""What answers it, level by level, in both orders."""
PROGRAMS = {Order.ALTERNATE: "ls -l: stat'ed as listed", Order.AFTER: "find, du: stat'ed after"}
OPPONENTS = {ReaddirMode.READDIRPLUS: "READDIRPLUS", ReaddirMode.AUTO: "adaptive"}


@dataclass(frozen=True)
class Against:
    """One level beside one opponent: where they meet, and the ratio of costs at both ends."""

    met: Crossing
    none: Estimate
    every: Estimate
    """Cost by the opponent's where nothing, and where every entry is stat'ed."""

    @property
    def share(self) -> str:
        """``<47 %``, ``>12 %``, ``always`` or ``never``; the interval where it is wider than the digits."""
        ends = (self.met.value, self.met.low, self.met.high)
        middle, *outer = [self._end(end) for end in (ends if self.met.has_interval else ends[:1])]
        sign = ("<" if self.met.rising else ">") if self.met.crosses else ""
        said = f"{sign}{middle} %" if sign else middle
        return f"{said} [{','.join(outer)}]" if set(outer) - {middle} else said

    def _end(self, end: float) -> str:
        said = self.met.cheaper(end)
        return said if said in ("always", "never") else units.digits(100 * end, 2)

    @property
    def ends(self) -> str:
        """``.036, 1.92``: the ratio of costs with nothing and with everything stat'ed."""
        pair = (units.ratio(end.value) if end.known else "?" for end in (self.none, self.every))
        return ", ".join(pair)


@dataclass(frozen=True)
class Win:
    """One level in one setting, against each opponent that was measured beside it."""

    way: Traits
    study: Study
    against: dict[ReaddirMode, Against]


@dataclass(frozen=True)
class Hint:
    """What a perfect hint at each opendir, READDIR or READDIRPLUS, would save over adaptive."""

    study: Study
    savings: dict[float, tuple[str, float]]
    """By share stat'ed: the better of both, and its cost by adaptive's."""


def wins(run: Run) -> list[Win]:
    """Every setting and level, ls before find, the usual setting first, levels from low to high."""
    found = sorted(studies(run), key=_distance)
    return [
        Win(way, study, against)
        for study in found
        for way in _challengers(study)
        if (against := _against(study, way))
    ]


def _challengers(study: Study) -> list[Traits]:
    """One for each level and kernel, in the usual way of listing, of the server in C if there is one."""
    best: dict[tuple[str, Level], Traits] = {}
    for way in sorted(study.challengers, key=lambda way: (way.daemon.endswith("-c"), way.usual)):
        best[way.kernel, way.level] = way
    return sorted(best.values(), key=lambda way: (way.kernel, way.level.rank))


def _against(study: Study, way: Traits) -> dict[ReaddirMode, Against]:
    found = {}
    for mode in OPPONENTS:
        rivals = [other for other in study.opponents if _rival(other, way) and other.mode is mode]
        rivals.sort(key=lambda other: not other.daemon.endswith("-c"))
        if rivals:
            met = crossing(study, way.name, rivals[0].name)
            if met.n == 0 or math.isnan(met.value):
                continue  # of a single share: nothing to meet along
            ends = (study.fractions[0], study.fractions[-1])
            none, every = (study.ratio(way.name, rivals[0].name, share) for share in ends)
            found[mode] = Against(met, none, every)
    return found


def _rival(way: Traits, challenger: Traits) -> bool:
    return way.plain and way.bulk and way.kernel == challenger.kernel


def hints(run: Run) -> list[Hint]:
    """One for each setting in which a plain server listed in all three modes, the usual one first."""
    return [hint for study in sorted(studies(run), key=_distance) if (hint := _hint(study))]


def _hint(study: Study) -> Hint | None:
    plain = [way for way in study.traits.values() if way.plain and way.name in study.curves]
    plain.sort(key=lambda way: not way.daemon.endswith("-c"))
    modes = {way.mode: way.name for way in reversed(plain)}
    if len(modes) < len(ReaddirMode):
        return None
    savings = {}
    for share in study.fractions:
        costs = {mode: study.cost(name, share).value for mode, name in modes.items()}
        better = min(ReaddirMode.READDIR, ReaddirMode.READDIRPLUS, key=lambda mode: costs[mode])
        if costs[ReaddirMode.AUTO] > 0:
            savings[share] = (better.upper(), costs[better] / costs[ReaddirMode.AUTO])
    return Hint(study, savings) if savings else None


def usual(made: Sequence[Win]) -> list[Win]:
    """The settings to speak of: the usual size and cache, every pair of timeouts, both orders."""
    if not made:
        return []
    first = made[0].study.key
    return [
        one
        for one in made
        if (one.study.key.cache, one.study.key.entries) == (first.cache, first.entries)
    ]


def settings(made: Sequence[Win]) -> list[tuple[Study, list[Win]]]:
    """The wins by setting."""
    found: dict[str, tuple[Study, list[Win]]] = {}
    for one in made:
        found.setdefault(one.study.key.slug, (one.study, []))[1].append(one)
    return list(found.values())


def heading(study: Study) -> str:
    """``ls -l: stat'ed as listed (cold-fuse, 1000 entries, timeouts forever)``."""
    return f"{PROGRAMS[study.order]} ({study.key.without(CLOCK, PLACEMENT).state})"


def answer(run: Run, rows: Sequence[Row]) -> list[str]:
    """The table as lines of text; of a run that has none the reason, in one; nothing without list-stat."""
    del rows
    if not studies(run):
        return []
    made = wins(run)
    if not made:
        return [*units.wrapped(f"{QUESTION} {unanswered(run)}"), *hint_lines(run)]
    lines = [QUESTION, *units.wrapped(_legend())]
    for study, group in settings(made):
        lines += ["", *units.wrapped(heading(study), 2)]
        lines += [_line("", OPPONENTS.values())]
        lines += [_line(one.way.name.removeprefix("passthrough-c:"), _cells(one)) for one in group]
    lines += [*_missing(made), *hint_lines(run)]
    return lines


def _legend() -> str:
    noun = units.quantity().noun
    return (
        "Costs less while the share of the listed entries that is then stat'ed is below (<) or above "
        f"(>) the one told; behind it the ratio of {noun} per entry with none and with all stat'ed."
    )


def _cells(win: Win) -> list[str]:
    told = [win.against.get(mode) for mode in OPPONENTS]
    return [f"{one.share:<7} {one.ends}" if one else "not measured" for one in told]


def _line(name: str, cells: Iterable[str]) -> str:
    parts = "".join(f" {cell:<27}" for cell in cells)
    return f"  {name:<14}{parts}".rstrip()


def _missing(made: Sequence[Win]) -> list[str]:
    """An order or an opponent that the run did not measure, and the command that does."""
    orders = {one.study.order for one in made}
    modes = {mode for one in made for mode in one.against}
    lacks = [PROGRAMS[order].partition(":")[0] for order in Order if order not in orders]
    lacks += [OPPONENTS[mode] for mode in OPPONENTS if mode not in modes]
    if not lacks:
        return []
    return ["", *units.wrapped(f"Not measured in this run: {units.listing(lacks)}; {COMMAND}", 2)]


def hint_lines(run: Run) -> list[str]:
    """What a perfect hint per opendir would save over the kernel's choice, from rows that exist."""
    found = hints(run)
    if not found:
        return []
    lines = ["", *units.wrapped(
        "A perfect hint at each opendir, READDIR (R) or READDIRPLUS (P), by the share stat'ed: "
        f"{units.quantity().noun} per entry of the better, by those of the adaptive choice of the same "
        "server, without passthrough."
    )]  # fmt: skip
    shares: list[float] = []
    for hint in found:
        if list(hint.savings) != shares:
            shares = list(hint.savings)
            lines += ["", _spread([f"{100 * share:g} %" for share in shares])]
        lines += units.wrapped(f"  {heading(hint.study)}", 4)
        told = (
            f"{'P' if mode == 'READDIRPLUS' else 'R'} {units.ratio(ratio)}"
            for mode, ratio in hint.savings.values()
        )
        lines.append(_spread(told))
    return lines


def _spread(cells: Iterable[str]) -> str:
    return "".join(f"{cell:>9}" for cell in cells)


def unanswered(run: Run) -> str:
    """Why nothing is answered, and which command would, in one line."""
    asked = [
        t for t in run.about.get("targets") or () if t.get("level_asked") not in (None, "none")
    ]
    given = max((way.level for way in ways(run).values()), key=lambda level: level.rank)
    if not asked:
        why = "no target of this run passes anything through"
    elif given.rank <= Level.RW.rank:
        why = "this kernel passes nothing beyond reads and writes through"
    elif not (passed := [(study, way) for study in studies(run) for way in study.challengers]):
        why = "no listing was passed through in a list-stat row of this run"
    elif not any(_rival(one, way) for study, way in passed for one in study.opponents):
        why = "no READDIRPLUS server without passthrough was measured on its kernel"
    else:
        why = "a break-even lies between two shares stat'ed, and one was measured"
    return f"Not answered here: {why}. {COMMAND} answers it."


def _distance(study: Study) -> tuple[object, ...]:
    """The setting to speak of: a fresh mount, a directory of the usual size, ls, long timeouts."""
    key = study.key
    asked = key.timeouts or Timeouts(0.0, 0.0)
    away = abs(key.entries - USUAL_ENTRIES)
    return (
        key.cache != Cache.COLD_FUSE,
        away,
        study.order != Order.ALTERNATE,
        -asked.attr,
        -asked.entry,
        key.order,
    )


def ratio_said(ratio: Estimate) -> str:
    """``0.58 x [0.55, 0.61]``."""
    if not ratio.known:
        return "no ratio"
    if not ratio.has_interval:
        return f"{units.ratio(ratio.value)} x ({ratio.note})"
    ends = ", ".join(units.ratio(end, ratio.value) for end in (ratio.low, ratio.high))
    return f"{units.ratio(ratio.value)} x [{ends}]"
