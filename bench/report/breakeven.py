"""Where readdir passthrough stops to pay: cost per entry against the fraction that is then stat'ed.

READDIRPLUS brings every entry's attributes along; a passed-through listing costs less and brings none, so
that each entry stat'ed costs a LOOKUP. Both costs rise linearly with the fraction, and so does their
difference, which is what is interpolated between the fractions measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from bench.frame import Run
from bench.intervals import spread
from bench.model import Outcome, Verdict
from bench.report import units
from bench.report.rows import interval
from bench.report.ways import Way, ways
from bench.stats import CONFIDENCE, FEWEST, Estimate, centre, paired_ratio, trial_medians

WORKLOAD = "list-stat"
RESAMPLES = 4_000
SEED = 20_260_601
"""Of the bootstrap, so that the same run gives the same interval anywhere."""

Rounds = Mapping[int, float]
Array = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Setting:
    """What a curve was measured under; sizes and timeouts sort as numbers."""

    cache: str
    attr_timeout: float
    entry_timeout: float
    entries: int
    placement: str

    @property
    def said(self) -> str:
        """``cold-fuse, 1,000 entries, timeouts 3600 s/3600 s``."""
        return f"{self.cache}, {self.entries:,} entries, {self.timeouts}"

    @property
    def timeouts(self) -> str:
        """Attribute and entry timeout in words."""
        return f"timeouts {units.seconds(self.attr_timeout)}/{units.seconds(self.entry_timeout)}"

    @property
    def key(self) -> str:
        """Good for a file name."""
        timeouts = f"to{self.attr_timeout:g}-{self.entry_timeout:g}"
        return f"{self.cache}-{timeouts}-n{self.entries}-{self.placement}"


@dataclass(frozen=True)
class Study:
    """All list-stat rows of one setting: trial medians by target, fraction and round."""

    setting: Setting
    ways: Mapping[str, Way]
    curves: dict[str, dict[float, Rounds]] = field(default_factory=dict)
    engaged: set[str] = field(default_factory=set)
    """Targets that a row says were engaged."""

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
        return interval(paired_ratio(*pair))

    @property
    def challengers(self) -> list[Way]:
        """Targets whose listings were passed through, as the counts bear out."""
        return [way for name, way in self.ways.items() if way.listing and name in self.engaged]

    @property
    def shown(self) -> list[str]:
        """Measured targets, but not twice those whose listings are passed through whatever the mode."""
        usual = {(way.daemon, way.kernel, way.level) for way in self.challengers if way.usual}
        return [
            name
            for name, way in self.ways.items()
            if name in self.curves
            and (way.usual or not way.listing or (way.daemon, way.kernel, way.level) not in usual)
        ]

    @property
    def opponents(self) -> list[Way]:
        """Targets whose server answers READDIRPLUS."""
        return [way for name, way in self.ways.items() if way.bulk and name in self.curves]


@dataclass(frozen=True)
class Crossing:
    """Up to which fraction the challenger costs less (``rising``), or from which on (not rising).

    Value, low and high are infinite where that lies beyond 0 or 1: it costs less always, or never.
    NaN where nothing was measured, low and high where there is no interval; ``note`` says why.
    """

    challenger: str
    opponent: str
    value: float
    low: float
    high: float
    rising: bool
    n: int
    note: str = ""

    @property
    def crosses(self) -> bool:
        """Whether there is a fraction at which both cost the same."""
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether low and high mean something."""
        return not math.isnan(self.low)

    def cheaper(self, end: float) -> str:
        """``always`` or ``never`` for an infinite end, else the fraction in per cent."""
        if math.isinf(end):
            return "always" if (end > 0) == self.rising else "never"
        return f"{units.digits(100 * end)} %"


def studies(run: Run) -> list[Study]:
    """One for each setting in which list-stat was measured, in order of size."""
    medians = trial_medians(run.samples)
    named, found = ways(run), dict[Setting, Study]()
    for trial in run.trials[run.trials["workload"] == WORKLOAD].to_dict("records"):
        target = str(trial["target"])
        share = str(trial["variant"])
        if target not in named or trial["outcome"] != Outcome.OK or not share.isdigit():
            continue
        setting = Setting(
            str(trial["cache"]), float(trial["attr_timeout"]), float(trial["entry_timeout"]),
            int(trial["entries"]), str(trial["placement"]),
        )  # fmt: skip
        study = found.setdefault(setting, Study(setting, named))
        rounds = medians.get((str(trial["group"]), target))
        if rounds:
            study.curves.setdefault(target, {})[int(share) / 100] = rounds
        if trial["verdict"] == Verdict.ENGAGED:
            study.engaged.add(target)
    return [found[setting] for setting in sorted(found)]


def crossings(study: Study) -> list[Crossing]:
    """Every challenger against every opponent on the same kernel."""
    return [
        crossing(study, one.name, other.name)
        for one in study.challengers
        for other in study.opponents
        if one.kernel == other.kernel
    ]


def crossing(study: Study, challenger: str, opponent: str) -> Crossing:
    """Where two curves meet; its interval by a bootstrap over rounds, all fractions of one together."""
    shares, differences = _paired(study, challenger, opponent)
    n = len(differences)
    if n == 0 or len(shares) < 2:
        return Crossing(challenger, opponent, math.nan, math.nan, math.nan, True, n, "not measured")
    middle = np.median(differences, axis=0)
    rising = bool(middle[-1] >= middle[0])
    value = float(meeting(shares, middle[None, :], rising)[0])
    low, high, note = _ends(shares, differences, middle, rising)
    return Crossing(challenger, opponent, value, low, high, rising, n, note)


def meeting(shares: Array, differences: Array, rising: bool) -> Array:
    """The fraction at which each line of differences, linear between ``shares``, crosses zero.

    Rising: the first one up to which it is below zero; infinite if it stays there, minus infinite if
    it never is. Falling: the same seen from the other end.
    """
    if not rising:
        return np.asarray(1 - meeting(1 - shares[::-1], differences[:, ::-1], True))
    left, right = differences[:, :-1], differences[:, 1:]
    change = (left < 0) & (right >= 0)
    at, rows = change.argmax(axis=1), np.arange(len(differences))
    low, high = left[rows, at], right[rows, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = shares[at] + (shares[at + 1] - shares[at]) * low / (low - high)
    inside = np.where(change.any(axis=1), inside, math.inf)
    return np.where(differences[:, 0] < 0, inside, -math.inf)


def _paired(study: Study, challenger: str, opponent: str) -> tuple[Array, Array]:
    """(fractions, cost less the opponent's by round and fraction), over rounds that have all."""
    curves = [study.curves.get(name, {}) for name in (challenger, opponent)]
    shares = sorted(curves[0].keys() & curves[1].keys())
    rounds = [set(curve[share]) for curve in curves for share in shares]
    common = sorted(set.intersection(*rounds)) if rounds else []
    lines = [
        [curves[0][share][number] - curves[1][share][number] for share in shares]
        for number in common
    ]
    return np.array(shares), np.array(lines, dtype=np.float64)


def _ends(
    shares: Array, differences: Array, middle: Array, rising: bool
) -> tuple[float, float, str]:
    """Low and high end of a crossing; of instructions, the range over the boots."""
    n = len(differences)
    if units.quantity() is units.INSTRUCTIONS and n > 1:
        lines = differences
    elif n < FEWEST:
        return math.nan, math.nan, f"n={n}: too few"
    else:
        lines = _resampled(differences, middle)
    met = np.sort(meeting(shares, lines, rising))
    cut = 0.0 if lines is differences else (1 - CONFIDENCE) / 2
    # By rank: no mean can be taken of a fraction and of "always".
    ends = met[[round(cut * (len(met) - 1)), round((1 - cut) * (len(met) - 1))]]
    return float(ends[0]), float(ends[1]), ""


def _resampled(differences: Array, middle: Array) -> Array:
    """Medians of resampled rounds, all fractions of a round together.

    At each fraction they are stretched to be as wide as the interval that bench.intervals gives
    there, which knows of rounds that are few or alike to their neighbours.
    """
    n = len(differences)
    chosen = np.random.default_rng(SEED).integers(0, n, size=(RESAMPLES, n))
    off = np.median(differences[chosen], axis=1) - middle
    wide = [spread(line).half_width(CONFIDENCE) if np.ptp(line) else 0.0 for line in differences.T]
    normal = float(stdtrit(math.inf, 0.5 + CONFIDENCE / 2)) * off.std(axis=0)
    stretch = np.divide(wide, normal, out=np.ones_like(normal), where=normal > 0)
    return np.asarray(middle + stretch * off)


def preferred(chosen: Sequence[Way]) -> Way | None:
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
