"""The answer to the question that stopped the patches, as one sentence made of a run's own numbers.

Is readdir + getattr passthrough a win over READDIRPLUS, and what would LOOKUP passthrough add?
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.model import Cache, Level, Order, ReaddirMode, Timeouts
from bench.report import units
from bench.report.row import Row
from bench.report.studies.breakeven import SAID, Study, preferred, studies
from bench.report.studies.crossing import Crossing, crossing
from bench.report.traits import Traits, ways
from bench.stats.estimates import Estimate
from bench.stats.frame import Run

QUESTION = "Is readdir + getattr passthrough a win over READDIRPLUS?"
USUAL_ENTRIES = 1000


def answer(run: Run, rows: Sequence[Row]) -> list[str]:
    """One sentence, with numbers, intervals and the setting; none where list-stat was not run."""
    del rows
    found = studies(run)
    if not found:
        return []
    challenger = preferred([way for study in found for way in study.challengers if not way.lookup])
    with_lookup = preferred([way for study in found for way in study.challengers if way.lookup])
    first = challenger or with_lookup
    if first is None:
        return [f"{QUESTION} {_unanswered(run)}"]
    opponent = preferred([way for way in found[0].traits.values() if _rival(way, first)])
    measured = [s for s in found if opponent and {first.name, opponent.name} <= s.curves.keys()]
    if opponent is None or not measured:
        return [f"{QUESTION} No READDIRPLUS server was measured beside it, so it is not answered."]
    return [f"{QUESTION} {_sentence(measured, first, opponent, with_lookup)}"]


def _rival(way: Traits, challenger: Traits) -> bool:
    return way.plain and way.bulk and way.kernel == challenger.kernel


def _unanswered(run: Run) -> str:
    """Why nothing is answered: what the kernel gives, or what was not run."""
    asked = [
        t for t in run.about.get("targets") or () if t.get("level_asked") not in (None, "none")
    ]
    if not asked:
        return (
            "No target of this run passes anything through, so it is not answered here "
            "(add --daemon passthrough-c)."
        )
    given = max((way.level for way in ways(run).values()), key=lambda level: level.rank)
    if given.rank > Level.RW.rank:
        return (
            f"Level {given} was in force, but no listing was passed through in a list-stat row of "
            "this run, so it is not answered here."
        )
    return "On this kernel nothing beyond rw is passed through, so it is not answered here."


def _sentence(
    measured: Sequence[Study], first: Traits, opponent: Traits, with_lookup: Traits | None
) -> str:
    main = min(measured, key=_distance)
    n = crossing(main, first.name, opponent.name).n
    said = f"{main.said}, {units.quantity().noun}, n={n}"
    setting = f"{said[0].upper()}{said[1:]}"
    parts = [
        f"{setting}: against READDIRPLUS ({opponent.name}), {first.said} ({first.name}) "
        f"{verdict(main, first.name, opponent.name)}"
    ]
    adaptive = next((way for way in main.opponents if _adaptive(way, opponent)), None)
    if adaptive:
        told = verdict(main, first.name, adaptive.name)
        parts.append(f"against adaptive READDIRPLUS ({adaptive.name}) it {told}")
    if other := _other_order(measured, main):
        told = verdict(other, first.name, opponent.name)
        parts.append(f"{SAID[other.order]}, it {told} against {opponent.name}")
        if adaptive and adaptive.name in other.curves:
            told = verdict(other, first.name, adaptive.name)
            parts.append(f"and against {adaptive.name} {told}")
    if len(measured) > 1:
        parts.append(_elsewhere(measured, first, opponent))
    if with_lookup is None:
        parts.append("LOOKUP passthrough was not measured in this run")
    elif with_lookup is not first and with_lookup.name in main.curves:
        told = verdict(main, with_lookup.name, opponent.name)
        parts.append(f"with LOOKUP passthrough on top ({with_lookup.name}) it {told}")
    return "; ".join(parts) + "."


def _other_order(measured: Sequence[Study], main: Study) -> Study | None:
    """A study at the same setting, with entries stat'ed in the other order."""
    return next(
        (study for study in measured if study is not main and study.key.family == main.key.family),
        None,
    )


def _adaptive(way: Traits, opponent: Traits) -> bool:
    twin = (way.daemon, way.kernel, way.level) == (opponent.daemon, opponent.kernel, opponent.level)
    return twin and way.mode is ReaddirMode.AUTO


def _distance(study: Study) -> tuple[object, ...]:
    """The setting to speak of: a fresh mount, long timeouts, a directory of the usual size, as ls."""
    key = study.key
    asked = key.timeouts or Timeouts(0.0, 0.0)
    away = abs(key.entries - USUAL_ENTRIES)
    return (
        key.cache != Cache.COLD_FUSE,
        -asked.attr,
        -asked.entry,
        away,
        study.order != Order.ALTERNATE,
    )


def verdict(study: Study, challenger: str, opponent: str) -> str:
    """What one curve does against another, for the middle of a sentence."""
    met = crossing(study, challenger, opponent)
    ends = _ends(study, challenger, opponent)
    if met.n == 0:
        return "was not measured at more than one fraction"
    if met.crosses:
        until = "only while fewer than" if met.rising else "only once more than"
        sides = " and ".join(f"{100 * side:g} %" for side in met.between)
        return (
            f"costs less {until} {_share(met)} of the listed entries are stat'ed, measured at "
            f"{sides} {ends}"
        )
    if met.cheaper(met.value) == "always":
        return f"costs less at every fraction stat'ed{_unsure(met)} {ends}"
    return f"costs less at no fraction stat'ed{_unsure(met)} {ends}"


def _share(met: Crossing) -> str:
    """``31 % [29 %, 33 %]``."""
    if not met.has_interval:
        return f"{met.cheaper(met.value)} ({met.note})"
    return f"{met.cheaper(met.value)} [{met.cheaper(met.low)}, {met.cheaper(met.high)}]"


def _unsure(met: Crossing) -> str:
    """What an interval leaves open where the estimate does not cross."""
    if not met.has_interval:
        return f" ({met.note})"
    ends = [met.cheaper(end) for end in (met.low, met.high) if end != met.value]
    return f" (interval reaches {ends[0]})" if ends else ""


def _ends(study: Study, challenger: str, opponent: str) -> str:
    """Ratios at the smallest and the largest fraction."""
    shares = study.fractions
    told = [
        f"{ratio_said(study.ratio(challenger, opponent, share))} at {100 * share:g} %"
        for share in (shares[0], shares[-1])
    ]
    return f"({' and '.join(told)})"


def ratio_said(ratio: Estimate) -> str:
    """``0.58 x [0.55, 0.61]``."""
    if not ratio.known:
        return "no ratio"
    if not ratio.has_interval:
        return f"{units.ratio(ratio.value)} x ({ratio.note})"
    ends = ", ".join(units.ratio(end, ratio.value) for end in (ratio.low, ratio.high))
    return f"{units.ratio(ratio.value)} x [{ends}]"


def _elsewhere(measured: Sequence[Study], first: Traits, opponent: Traits) -> str:
    """Over all settings measured: in how many it always, never or at some fractions takes less."""
    met = [crossing(study, first.name, opponent.name) for study in measured]
    ends = sorted(one.value for one in met if one.crosses)
    always = sum(not one.crosses and one.cheaper(one.value) == "always" for one in met if one.n)
    never = sum(not one.crosses and one.cheaper(one.value) == "never" for one in met if one.n)
    told = [f"at every fraction in {always}"] if always else []
    told += [f"at none in {never}"] if never else []
    if ends:
        span = " to ".join(
            dict.fromkeys(f"{units.digits(100 * end, 2)} %" for end in (ends[0], ends[-1]))
        )
        told.insert(0, f"up to a break-even in {len(ends)} ({span})")
    sizes = units.listing(dict.fromkeys(f"{s.key.entries:,}" for s in measured))
    caches = units.listing(dict.fromkeys(s.key.cache for s in measured))
    where = f"of {len(measured)} settings ({caches}; {sizes} entries)"
    return f"{where} it costs less than {opponent.name} {', '.join(told)}"
