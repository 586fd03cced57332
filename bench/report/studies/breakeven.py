"""list-stat by setting: cost per listed entry against the fraction that is then stat'ed.

READDIRPLUS brings every entry's attributes along; a passed-through listing costs less and brings none, so
that each entry stat'ed costs a LOOKUP. Where the two meet is bench.report.studies.crossing's to find.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.axes.rowkey import RowKey
from bench.model import Order, Outcome, Verdict
from bench.report.rows import interval
from bench.report.traits import Traits, ways
from bench.stats.estimates import Estimate, centre, paired_ratio, trial_medians
from bench.stats.frame import Run, records
from bench.stats.noise_floor import of_boots

WORKLOAD = "list-stat"
ALTERNATE = "alternate-"
"""Begins the variants in which entries are stat'ed as they are listed; those of old are a number."""
SAID = {
    Order.ALTERNATE: "stat'ed as listed, as ls does",
    Order.AFTER: "stat'ed after, as find does",
}
Rounds = Mapping[int, float]


@dataclass(frozen=True)
class Study:
    """All list-stat rows of one setting: trial medians by target, fraction and round."""

    key: RowKey
    """What they have in common; the variant is the order, where that is not Order.AFTER."""
    traits: Mapping[str, Traits]
    curves: dict[str, dict[float, Rounds]] = field(default_factory=dict)
    engaged: set[str] = field(default_factory=set)
    """Targets that a row says were engaged."""
    floors: dict[float, float] = field(default_factory=dict)
    """What one boot of an A/A pair shows at each fraction."""

    @property
    def order(self) -> Order:
        """When what is listed is stat'ed."""
        return Order(self.key.variant or Order.AFTER)

    @property
    def said(self) -> str:
        """``cold-fuse, timeouts forever, 1000 entries, stat'ed after, as find does``."""
        return f"{self.key.state}, {SAID[self.order]}"

    @property
    def fractions(self) -> list[float]:
        """Every fraction that was measured."""
        return sorted({fraction for curve in self.curves.values() for fraction in curve})

    def cost(self, target: str, fraction: float) -> Estimate:
        """Cost per listed entry."""
        return interval(centre(list(self.curves.get(target, {}).get(fraction, {}).values())))

    def ratio(self, over: str, under: str, fraction: float) -> Estimate:
        """One target's cost by another's, paired by round."""
        pair = (self.curves.get(name, {}).get(fraction, {}) for name in (over, under))
        return interval(paired_ratio(*pair), self.floors.get(fraction, 0.0))

    @property
    def challengers(self) -> list[Traits]:
        """Targets whose listings were passed through, as the counts bear out."""
        return [way for name, way in self.traits.items() if way.listing and name in self.engaged]

    @property
    def shown(self) -> list[str]:
        """Measured targets, but not twice those whose listings are passed through whatever the mode."""
        usual = {(way.daemon, way.kernel, way.level) for way in self.challengers if way.usual}
        return [
            name
            for name, way in self.traits.items()
            if name in self.curves
            and (way.usual or not way.listing or (way.daemon, way.kernel, way.level) not in usual)
        ]

    @property
    def opponents(self) -> list[Traits]:
        """Targets whose server answers READDIRPLUS."""
        return [way for name, way in self.traits.items() if way.bulk and name in self.curves]


def studies(run: Run) -> list[Study]:
    """One for each setting in which list-stat was measured, in order of size."""
    medians = trial_medians(run.samples[run.samples["workload"] == WORKLOAD])
    named, found = ways(run), dict[RowKey, Study]()
    for trial in records(run.trials[run.trials["workload"] == WORKLOAD]):
        target = str(trial["target"])
        _, share = ordered(str(trial["variant"]))
        if target not in named or trial["outcome"] != Outcome.OK or not share.isdigit():
            continue
        key = setting(trial["key"])
        study = found.setdefault(key, Study(key, named))
        study.floors[int(share) / 100] = of_boots(run.noise, str(trial["group"]))
        rounds = medians.get((str(trial["group"]), target))
        if rounds:
            study.curves.setdefault(target, {})[int(share) / 100] = rounds
        if trial["verdict"] == Verdict.ENGAGED:
            study.engaged.add(target)
    return [found[key] for key in sorted(found, key=lambda key: key.order)]


def setting(key: RowKey) -> RowKey:
    """What a row of list-stat has in common with those of other shares: Study.key."""
    order, _ = ordered(key.variant)
    return replace(key, variant="" if order is Order.AFTER else order.value)


def ordered(variant: str) -> tuple[Order, str]:
    """``alternate-50`` as (Order.ALTERNATE, "50")."""
    share = variant.removeprefix(ALTERNATE)
    return Order.AFTER if share == variant else Order.ALTERNATE, share


def preferred(chosen: Sequence[Traits]) -> Traits | None:
    """The one to speak of first: the highest level, in the usual way of listing, of the server in C."""
    return max(
        chosen,
        key=lambda way: (
            way.level.rank,
            way.usual,
            way.daemon.endswith("-c"),
        ),
        default=None,
    )
