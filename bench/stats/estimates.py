"""Estimates and their intervals: trial medians, paired ratios, percentiles of histograms.

The trial, a fresh mount, is the unit of replication. Samples are never pooled across trials:
noise lives between mounts, and pooling would make an interval look narrower than it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from bench.stats.intervals import spread

CONFIDENCE = 0.95
FEWEST = 3
"""Rounds below which no interval is given."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, or with the reason why it has none, over ``n`` rounds."""

    value: float
    low: float
    high: float
    n: int
    note: str = ""
    points: tuple[float, ...] = ()
    """What it was estimated from: trial medians, or one ratio for each round."""
    p: float = math.nan
    """For a ratio: how likely one as far from 1 were if the truth were 1; two-sided, by the model
    its interval comes from, so that p < 0.05 where the interval leaves 1 out. NaN without one."""

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether low and high mean something."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def half_width(self) -> float:
        """Half the interval relative to the value: the "+- n %" of a table; NaN without one."""
        return (self.high - self.low) / 2 / self.value


def trial_medians(samples: pd.DataFrame) -> dict[tuple[str, str], dict[int, float]]:
    """Median seconds per operation of every trial: {(group, target): {round: seconds}}.

    Where a round was measured twice (a disturbed trial that was repeated), the later one counts.
    """
    medians: dict[tuple[str, str], dict[int, float]] = {}
    keys = ["trial", "group", "target", "round"]
    good = samples.loc[samples["seconds"].notna(), [*keys, "seconds"]]
    for key, seconds in good.groupby(keys, observed=True)["seconds"].median().items():
        assert isinstance(key, tuple)
        _, group, target, number = key
        medians.setdefault((str(group), str(target)), {})[int(number)] = float(seconds)
    return medians


def centre(seconds: Sequence[float]) -> Estimate:
    """The median of trial medians and its interval."""
    estimate = _estimate(np.log(np.asarray(seconds, dtype=np.float64)))
    return replace(estimate, p=math.nan)


def paired_ratio(over: Mapping[int, float], under: Mapping[int, float]) -> Estimate:
    """Ratio of two series of trial medians, paired by round: what a whole round shares cancels."""
    rounds = sorted(over.keys() & under.keys())
    logs = np.array([math.log(over[number] / under[number]) for number in rounds])
    return _estimate(logs)


def paired_difference(over: Mapping[int, float], under: Mapping[int, float]) -> Estimate:
    """Difference of two series of trial medians in their own unit, paired by round.

    For a cost that is added whatever the rest takes; ``p`` is that of a difference of 0.
    """
    rounds = sorted(over.keys() & under.keys())
    return _median(np.array([over[number] - under[number] for number in rounds]))


def unpaired_ratio(over: Sequence[float], under: Sequence[float]) -> Estimate:
    """Ratio of the medians of two runs' trial medians, whose rounds have nothing in common.

    Its interval adds the two in quadrature on the log scale (square-and-add of Zou and Donner,
    Statistics in Medicine 27, 2008); n is the smaller number of rounds. It has no points.
    """
    above, below = centre(over), centre(under)
    n = min(above.n, below.n)
    if not (above.known and below.known):
        return Estimate(math.nan, math.nan, math.nan, 0, "n=0: nothing measured")
    value = math.log(above.value / below.value)
    if not (above.has_interval and below.has_interval):
        note = below.note if above.has_interval else above.note
        return Estimate(math.exp(value), math.nan, math.nan, n, note)
    half = math.hypot(*(math.log(side.high / side.value) for side in (above, below)))
    return _with_p(Estimate(math.exp(value), math.exp(value - half), math.exp(value + half), n))


def geometric_mean(estimates: Sequence[Estimate]) -> Estimate:
    """Geometric mean of ratios over the rows of a table, with its interval.

    Where every row has the same number of rounds, rounds are averaged first and stay the unit
    of replication: what a round does to all rows is then in the interval. Else the interval is as wide as
    if all rows erred together. A row without a value is left out; n is the fewest rounds.
    """
    known = [estimate for estimate in estimates if estimate.known]
    if not known:
        return Estimate(math.nan, math.nan, math.nan, 0, "n=0: nothing measured")
    counts = {len(estimate.points) for estimate in known}
    if len(counts) == 1 and counts != {0}:
        logs = np.log([estimate.points for estimate in known]).mean(axis=0)
        return _estimate(np.asarray(logs, dtype=np.float64))
    n = min(estimate.n for estimate in known)
    value = float(np.mean([math.log(estimate.value) for estimate in known]))
    if not all(estimate.has_interval for estimate in known):
        return Estimate(math.exp(value), math.nan, math.nan, n, f"n={n}: too few in some rows")
    half = float(np.mean([math.log(one.high / one.low) / 2 for one in known]))
    return _with_p(Estimate(math.exp(value), math.exp(value - half), math.exp(value + half), n))


def over_boots(estimate: Estimate, floor: float = 0.0) -> Estimate:
    """An estimate over boots; for instructions its interval is their range, as boots agree closely.

    ``floor`` widens that of a ratio by the relative difference that one boot shows of a target from
    itself: two boots can agree by chance.
    """
    if estimate.n < 2:
        return estimate
    low, high = min(estimate.points) / (1 + floor), max(estimate.points) * (1 + floor)
    return replace(estimate, low=low, high=high, note="", p=math.nan)


def percentiles(histogram: Mapping[float, int], shares: Sequence[float]) -> tuple[float, ...]:
    """Upper bucket bounds, in ns, below which these shares of a histogram's counts lie."""
    bounds = np.array(sorted(histogram), dtype=np.float64)
    counts = np.cumsum([histogram[bound] for bound in bounds])
    if not counts.size or counts[-1] <= 0:
        return tuple(math.nan for _ in shares)
    at = np.searchsorted(counts, np.ceil(np.asarray(shares) * counts[-1]))
    return tuple(float(bounds[min(int(index), bounds.size - 1)]) for index in at)


def _estimate(logs: Array) -> Estimate:
    """Median of logarithms with its interval, turned back into the unit they came from."""
    found = _median(logs)
    return replace(
        found,
        value=math.exp(found.value),
        low=math.exp(found.low),
        high=math.exp(found.high),
        points=tuple(math.exp(point) for point in found.points),
    )


def _median(values: Array) -> Estimate:
    """The median of rounds with its interval, and p of the truth being 0."""
    n = int(values.size)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, "n=0: nothing measured")
    value = float(np.median(values))
    points = tuple(float(point) for point in values)
    if n < FEWEST:
        return Estimate(value, math.nan, math.nan, n, f"n={n}: too few", points)
    if np.ptp(values) <= 1e-12:
        # No spread at all is a coarse clock or a copied line, not certainty.
        return Estimate(value, math.nan, math.nan, n, f"n={n}: identical", points)
    around = spread(values)
    half = around.half_width(CONFIDENCE)
    return Estimate(value, value - half, value + half, n, "", points, around.p(abs(value)))


def _with_p(ratio: Estimate) -> Estimate:
    """A ratio whose interval was put together from others, and the p at which it would reach 1."""
    t = float(stdtrit(max(ratio.n - 1, 1), 0.5 + CONFIDENCE / 2))
    half = math.log(ratio.high / ratio.low) / 2
    reach = t * abs(math.log(ratio.value)) / half
    return replace(ratio, p=float(2 * stdtr(max(ratio.n - 1, 1), -reach)))
