"""What in a run cannot be right, or should be known before its numbers are believed.

A flag names what was seen. One that is ``implausible`` keeps its row out of what is claimed; the
others (outliers, drift, clock steps) stand beside the number. Nothing is dropped or altered here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from bench.axes.rows import CACHE
from bench.model import Cache
from bench.stats.estimates import Estimate, unpaired_ratio
from bench.stats.intervals import far_out
from bench.stats.verdicts import ALPHA, holm, percent

Array = NDArray[np.float64]
SeriesKey = tuple[str, str]
"""(group, target), as in bench.stats.estimates.trial_medians."""

SHIFT = 0.10
"""Relative change within trials, and distance of two modes, below which nobody need be told."""
SHIFT_Z = 3.8
"""Standard errors at which a change within trials is one: what five trials of five windows show if
every window before it is on one side of every window after it."""
APART = 6.0
"""Distance of two modes in their own standard deviations (Ashman's D) at which they are two: the
halves of a normal distribution are 2.6 apart, those of a uniform one 3.5."""
MODE_SHARE = 0.2
"""Share of trials that the smaller mode holds at least, and two of them; fewer are outliers."""
MODES = "two modes"
FEWEST_FOR_MODES = 10
"""Trials; of fewer the best split of a single heap is as far apart as two (results/self/guards.txt)."""
FEWEST_FOR_DRIFT = 8
DRIFT_P = 0.005


@dataclass(frozen=True)
class Flag:
    """One thing that was seen: a word for it, a clause that says it, and whether it is fatal."""

    word: str
    said: str
    implausible: bool = False
    against: str = ""
    """The baseline it is about; empty for every comparison the series is in."""


def series_flags(
    samples: pd.DataFrame, medians: Mapping[SeriesKey, Mapping[int, float]]
) -> dict[SeriesKey, list[Flag]]:
    """Flags that a series shows by itself: frame of samples and trial medians of a run."""
    flags: dict[SeriesKey, list[Flag]] = {}
    seconds = samples["seconds"].to_numpy(dtype=np.float64)
    trials = samples["trial"].to_numpy()
    grouped = samples.groupby(["group", "target"], sort=False, observed=True)
    for key, places in grouped.indices.items():
        assert isinstance(key, tuple)
        series = (str(key[0]), str(key[1]))
        values = seconds[places]
        found = [
            *_clock(values),
            *_windows(_by_trial(values, trials[places])),
            *_rounds(medians.get(series, {})),
        ]
        if found:
            flags[series] = found
    return flags


def unsteady_against(
    samples: pd.DataFrame, pairs: Collection[tuple[str, str, str]]
) -> dict[SeriesKey, list[Flag]]:
    """Series whose windows change within a trial as those of their baseline do not, or whose trials
    fall into two heaps as the baseline's do not.

    ``pairs`` are (group, target, baseline as named in the frame, without its kernel in the flag).
    What both go through in a trial, a page cache that fills or a CPU that warms up, cancels in their
    ratio window by window, and disqualifies nothing.
    """
    seconds = samples["seconds"].to_numpy(dtype=np.float64)
    rounds = samples["round"].to_numpy()
    places = samples.groupby(["group", "target"], sort=False, observed=True).indices
    logs = {
        (str(key[0]), str(key[1])): _by_round(seconds[at], rounds[at])
        for key, at in places.items()
        if isinstance(key, tuple)
    }
    flags: dict[SeriesKey, list[Flag]] = {}
    for group, target, baseline in pairs:
        own, other = logs.get((group, target), {}), logs.get((group, baseline), {})
        shared = sorted(own.keys() & other.keys())
        if len(shared) < 3:
            continue
        width = min(min(own[n].size, other[n].size) for n in shared)
        together = np.array([own[n][:width] - other[n][:width] for n in shared])
        against = baseline.partition("@")[0]
        found = flags.setdefault((group, target), [])
        if width >= 3 and (np.ptp(together, axis=1) > 0).all():
            found += _steady(together, against)
        found += _modes(np.median(together, axis=1), against)
    return {key: found for key, found in flags.items() if found}


def faster_than_floor(
    ratios: Mapping[SeriesKey, Estimate], floor: str, kernel: Collection[str] = ()
) -> dict[SeriesKey, list[Flag]]:
    """Targets that beat what they stand on: ``ratios`` are theirs to the native floor.

    Those of ``kernel`` are file systems in the kernel, which may have answers of their own: of them
    it is a note. Ranges over boots, which cover an A/A pair, have no p: they need none.
    """
    corrected = holm({key: ratio.p for key, ratio in ratios.items()})
    flags = {}
    for key, ratio in ratios.items():
        p = corrected[key]
        if not ratio.has_interval or not (p <= ALPHA or math.isnan(p)):
            continue
        if ratio.high >= 1:
            continue
        said = f"faster than {floor}, which it goes through, by {percent(1 - ratio.high)}"
        if key[1].partition("@")[0] in kernel:
            said += ": in the kernel, it answers from caches of its own"
        flags[key] = [
            Flag(f"faster than {floor}", said, implausible=key[1].partition("@")[0] not in kernel)
        ]
    return flags


def moved_controls(
    ratios: Mapping[SeriesKey, Estimate], controls: Collection[SeriesKey], baseline: str
) -> dict[SeriesKey, list[Flag]]:
    """Control rows, which no passthrough touches, that differ from ``baseline`` all the same.

    ``ratios`` are all those to this baseline: beyond the table's noise is what stands out of it
    after Holm's correction.
    """
    corrected = holm({key: ratio.p for key, ratio in ratios.items()})
    flags = {}
    for key in controls:
        ratio = ratios[key]
        p = corrected[key]
        apart = not ratio.low <= 1 <= ratio.high
        if ratio.has_interval and apart and (p <= ALPHA or math.isnan(p)):
            off = percent(abs(ratio.value - 1))
            said = f"a control that no passthrough touches, yet {off} off {baseline}"
            flags[key] = [Flag("control moved", said, implausible=True, against=baseline)]
    return flags


def cold_faster_than_warm(
    trials: pd.DataFrame, medians: Mapping[SeriesKey, Mapping[int, float]]
) -> dict[SeriesKey, list[Flag]]:
    """Cold series that beat the warm one of the same work on the same target: frame of trials."""
    known = trials.drop_duplicates(["group", "target"])
    series = [
        (group, name, (key.without(CACHE), name), key.cache)
        for group, name, key in zip(known["group"], known["target"], known["key"], strict=True)
    ]
    warm = {work: (group, name) for group, name, work, cache in series if cache == Cache.WARM}
    flags = {}
    for group, name, work, cache in series:
        if cache == Cache.WARM:
            continue
        key = (group, name)
        other = medians.get(warm.get(work, ("", "")), {})
        ratio = unpaired_ratio(list(medians.get(key, {}).values()), list(other.values()))
        if ratio.has_interval and ratio.high < 1:
            said = f"cold is faster than warm by {percent(1 - ratio.high)}"
            flags[key] = [Flag("cold faster than warm", said, implausible=True)]
    return flags


def _clock(values: Array) -> Iterator[Flag]:
    bad = int(np.isnan(values).sum())
    if bad:
        yield Flag(
            "clock", f"{bad} of {values.size} windows are no positive time (did the clock step?)"
        )


def _by_trial(values: Array, trials: NDArray[np.int_]) -> Array:
    """Logs of the windows, one row a trial; as many columns as the shortest trial has.

    Empty where a window is missing from the middle, for then places no longer correspond.
    """
    _, counts = np.unique(trials, return_counts=True)
    good = np.log(values[~np.isnan(values)]) if not np.isnan(values).any() else np.empty(0)
    if good.size == 0 or counts.min() < 1:
        return np.empty((0, 0), dtype=np.float64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.asarray(good[starts[:, None] + np.arange(counts.min())])


def _windows(logs: Array) -> Iterator[Flag]:
    """What the windows of a series show: copies, and that they do not settle."""
    trials, windows = logs.shape
    if windows >= 3 and (np.ptp(logs, axis=1) == 0).any():
        alike = int((np.ptp(logs, axis=1) == 0).sum())
        yield Flag("identical", f"all windows of {alike} of {trials} trials are identical")
    if windows >= 3 and trials >= 3:
        yield from (replace(flag, implausible=False) for flag in _steady(logs))


def _by_round(values: Array, rounds: NDArray[np.int_]) -> dict[int, Array]:
    """Logs of the windows of every round whose windows are all times."""
    found = {int(n): values[rounds == n] for n in np.unique(rounds)}
    return {n: np.log(own) for n, own in found.items() if not np.isnan(own).any()}


def _steady(logs: Array, against: str = "") -> Iterator[Flag]:
    """A point in the trial from which on windows take another time, in all trials alike.

    Pettitt's change-point statistic (Applied Statistics 28, 1979), summed over trials: ranks
    within each trial before a point against those after it. Its standard error allows for windows
    that resemble their neighbours.
    """
    trials, windows = logs.shape
    before = np.arange(1, windows)
    ranks = pd.DataFrame(logs).rank(axis=1).to_numpy().sum(axis=0)
    sums = 2 * np.cumsum(ranks)[:-1] - trials * before * (windows + 1)
    z = sums / np.sqrt(trials * before * (windows - before) * (windows + 1) / 3)
    at = int(np.argmax(np.abs(z)))
    change = float(np.median(logs[:, at + 1 :]) - np.median(logs[:, : at + 1]))
    if abs(z[at]) > SHIFT_Z * _inflation(logs, at + 1) and abs(change) > math.log1p(SHIFT):
        what = "warm-up" if change < 0 else "slowing down"
        said = (
            f"no steady state ({what}): from window {at + 2} on a trial takes "
            f"{percent(abs(math.expm1(change)))} {'less' if change < 0 else 'more'}"
        )
        if against:
            said += f" beside {against}"
        yield Flag("no steady state", said, implausible=True, against=against)


def _inflation(logs: Array, at: int) -> float:
    """How much wider the resemblance of neighbouring windows makes a standard error.

    From what is left of each trial when its mean before and after the point is taken away.
    """
    left = logs.copy()
    for part in (left[:, :at], left[:, at:]):
        part -= part.mean(axis=1, keepdims=True)
    lagged, whole = float((left[:, 1:] * left[:, :-1]).sum()), float((left**2).sum())
    alike = min(max(lagged / whole, 0.0), 0.95) if whole else 0.0
    return math.sqrt((1 + alike) / (1 - alike))


def _rounds(medians: Mapping[int, float]) -> Iterator[Flag]:
    """What trial medians show over the rounds: two modes, drift, outliers."""
    logs = np.log([medians[number] for number in sorted(medians)])
    modes = [replace(flag, implausible=False) for flag in _modes(logs)]
    yield from modes
    if logs.size >= FEWEST_FOR_DRIFT and np.ptp(logs) > 0:
        yield from _drift(logs)
    if not modes:
        yield from _outliers(logs, sorted(medians))


def _drift(logs: Array) -> Iterator[Flag]:
    """Mann's test for trend (Econometrica 13, 1945), and the median of all slopes as its size."""
    n = logs.size
    first, second = np.triu_indices(n, 1)
    rises = logs[second] - logs[first]
    z = abs(float(np.sign(rises).sum())) / math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    if 2 * ndtr(-z) < DRIFT_P:
        slope = float(np.median(rises / (second - first))) * (n - 1)
        sign = "more" if slope > 0 else "less"
        last = percent(abs(math.expm1(slope)))
        yield Flag("drift", f"drifts: the last round takes {last} {sign} than the first")


def _outliers(logs: Array, rounds: list[int]) -> Iterator[Flag]:
    limit = far_out(logs)
    off = logs - np.median(logs) if logs.size else logs
    for number, distance in zip(rounds, off, strict=True):
        if abs(distance) > limit:
            times = math.exp(abs(distance))
            how = "longer" if distance > 0 else "shorter"
            yield Flag("outlier", f"round {number} took {times:.3g} times {how}: kept")


def _modes(logs: Array, against: str = "") -> Iterator[Flag]:
    """Two heaps of trials with a gap between them, by the best split of the sorted values."""
    n = logs.size
    least = max(math.ceil(MODE_SHARE * n), 2)
    if n < FEWEST_FOR_MODES:
        return
    ordered = np.sort(logs) - np.mean(logs)
    left = np.arange(least, n - least + 1)
    sums, squares = np.cumsum(ordered), np.cumsum(ordered**2)
    low, high = sums[left - 1] / left, (sums[-1] - sums[left - 1]) / (n - left)
    inside = squares[-1] - left * low**2 - (n - left) * high**2
    best = int(np.argmin(inside))
    distance = float(high[best] - low[best])
    if distance < math.log1p(SHIFT) or distance < APART * math.sqrt(max(inside[best], 0) / (n - 2)):
        return
    share = left[best] / n
    times = math.exp(distance)
    yield Flag(
        MODES,
        f"two modes: {percent(share)} of trials around one time, the others around "
        f"{times:.3g} times that{f' beside {against}' if against else ''}",
        implausible=True,
        against=against,
    )
