"""Verdicts of a table: what each ratio may be said to show, and how sure that is.

Pure functions of estimates; how an estimate comes by its interval is in ``bench.stats.estimates``.

A ratio is called faster or slower where three things hold. Its p, which is that of its interval,
stays at most 0.05 after Holm's correction over the whole table (Scandinavian Journal of
Statistics 6, 1979): of a table in which nothing differs, at most one in twenty says anything. A
sign-flip test over its rounds, which assumes nothing of their distribution, does not object. And
it lies beyond the noise floor of an A/A run, where one is known.

What few rounds can give: below 3 nothing. With 3 to 5 the sign-flip test cannot reach 0.05 (five
rounds on one side happen by chance in 2 of 32 cases): it objects unless all rounds are on the
same side, and the reason says that it was undecided. From 6 on it has to reach 0.05 itself. It is
not corrected over the table: of 100 rows it would then need 12 rounds to find anything, a
difference of a factor of ten included.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from bench.stats.estimates import CONFIDENCE, Estimate

Key = TypeVar("Key", bound=Hashable)

ALPHA = 1 - CONFIDENCE
RESOLUTION = 0.05
"""Relative difference that a comparison has to be able to exclude to be called ~ and not noisy."""
SIGN_FLIP_DECIDES = 6
"""Rounds from which a sign-flip test can reach 0.05: 2 / 2^6 = 0.031."""
EXACT_ROUNDS = 13
"""Rounds up to which every pattern of signs is tried."""
FLIPS = 20_000
"""Patterns of signs drawn beyond that."""
SEED = 20_260_601
"""Seed of those patterns, so that the same run gets the same verdicts anywhere."""
HOPELESS = 1.0
"""Relative difference from which a width is no information: a factor of two, or more."""
MOST_ROUNDS = 10_000
"""More than this many are no advice."""


class Finding(enum.StrEnum):
    """All that a row may be said to show."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "~"
    NOISY = "too noisy"
    IMPLAUSIBLE = "implausible"
    NOT_ENGAGED = "not engaged"
    TOO_FEW = "too few"


@dataclass(frozen=True)
class Judgement:
    """What one ratio shows.

    ``p`` is that of the sign-flip test, the second opinion, uncorrected; NaN where there are no
    rounds to flip. ``p_holm`` is that of the interval, after Holm over the table. ``detectable``
    is the smallest relative difference that this comparison could have shown (0.03: 3 %), ``excluded``
    the one beyond which its interval rules differences out: "no difference larger than".
    ``more_trials`` is how many more rounds would bring it to RESOLUTION, for one that is too
    noisy; None where it is not, or where no number of rounds would.
    """

    finding: Finding
    p: float
    p_holm: float
    detectable: float
    excluded: float
    more_trials: int | None
    reason: str

    @property
    def decided(self) -> bool:
        """Whether a difference was shown."""
        return self.finding in (Finding.FASTER, Finding.SLOWER)


def judge_table(
    ratios: Mapping[Key, Estimate],
    *,
    noise_floor: Mapping[Key, float] | None = None,
    guards: Mapping[Key, str] | None = None,
    engaged: Mapping[Key, bool] | None = None,
    resolution: float = RESOLUTION,
) -> dict[Key, Judgement]:
    """Judge every ratio of a table; the table is what Holm's correction goes over.

    ``noise_floor`` is the relative difference an A/A run of the same comparison showed by chance,
    ``guards`` why a row cannot be right, ``engaged`` False where what the row is about did not
    happen. A key that is missing in one of them has no floor, no guard, and was engaged.
    """
    corrected = holm({key: ratio.p for key, ratio in ratios.items()})
    return {
        key: _judge(
            ratio,
            corrected[key],
            floor=(noise_floor or {}).get(key, 0.0),
            guard=(guards or {}).get(key, ""),
            engaged=(engaged or {}).get(key, True),
            resolution=resolution,
        )
        for key, ratio in ratios.items()
    }


def holm(ps: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's step-down correction; a NaN is no test and stays one."""
    tested = sorted((p, place) for place, p in enumerate(ps.values()) if not math.isnan(p))
    corrected = [math.nan] * len(ps)
    worst = 0.0
    for rank, (p, place) in enumerate(tested):
        worst = max(worst, min(1.0, p * (len(tested) - rank)))
        corrected[place] = worst
    return dict(zip(ps, corrected, strict=True))


def sign_flip(ratios: tuple[float, ...]) -> float:
    """Two-sided p that ratios lie around 1: how many patterns of signs sum up as far from 0.

    Over all patterns up to EXACT_ROUNDS rounds, else over FLIPS seeded ones. NaN for none.
    """
    if not ratios:
        return math.nan
    logs = np.log(np.asarray(ratios, dtype=np.float64))
    sums = np.abs(_signs(logs.size) @ logs)
    # Patterns that tie with what was seen differ from it in the last bit.
    return float(np.mean(sums >= abs(logs.sum()) * (1 - 1e-9)))


@lru_cache(maxsize=64)
def _signs(n: int) -> NDArray[np.float64]:
    """Patterns of n signs, one a row, the first of them what was seen."""
    if n <= EXACT_ROUNDS:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    else:
        bits = np.random.default_rng(SEED).integers(0, 2, size=(FLIPS, n))
        bits[0] = 0
    return (1.0 - 2.0 * bits).astype(np.float64)


def _judge(
    ratio: Estimate, p_holm: float, *, floor: float, guard: str, engaged: bool, resolution: float
) -> Judgement:
    p = sign_flip(ratio.points)
    detectable, excluded = _limits(ratio, floor)
    finding, reason, more = _undecided(ratio, excluded, floor, resolution)
    if ratio.has_interval:
        objection = _objection(ratio, p, p_holm, floor)
        if objection is None:
            finding, reason, more = _decided(ratio)
        elif objection:
            reason = f"{reason}; {objection}"
    if not engaged:
        finding, reason, more = Finding.NOT_ENGAGED, "passthrough did not do this work", None
    elif guard:
        finding, reason, more = Finding.IMPLAUSIBLE, guard, None
    return Judgement(finding, p, p_holm, detectable, excluded, more, reason)


def _limits(ratio: Estimate, floor: float) -> tuple[float, float]:
    """What could have been shown, and beyond what nothing is; NaN without an interval."""
    if not ratio.has_interval:
        return math.nan, math.nan
    half = math.log(ratio.high / ratio.low) / 2
    far = max(abs(math.log(ratio.low)), abs(math.log(ratio.high)))
    return max(math.expm1(half), floor), max(math.expm1(far), floor)


def _objection(ratio: Estimate, p: float, p_holm: float, floor: float) -> str | None:
    """What speaks against a difference; None for nothing, empty for the plain "it may be 1"."""
    if ratio.low <= 1 <= ratio.high:
        return ""
    if p_holm > ALPHA:
        return "its interval leaves 1 out, as some do by chance in a table of this size"
    least = 2.0 ** (1 - min(ratio.n, SIGN_FLIP_DECIDES - 1))
    allowed = ALPHA if ratio.n >= SIGN_FLIP_DECIDES else least * (1 + 1e-9)
    if ratio.points and not math.isnan(ratio.p) and p > allowed:
        return f"the sign-flip test objects (p={p:.2f})"
    if abs(math.log(ratio.value)) <= math.log1p(floor):
        return f"an A/A run differs by {percent(floor)}, too"
    return None


def _decided(ratio: Estimate) -> tuple[Finding, str, None]:
    finding = Finding.FASTER if ratio.value < 1 else Finding.SLOWER
    nearest = ratio.high if ratio.value < 1 else ratio.low
    times = max(nearest, 1 / nearest)
    reason = (
        f"{times:.3g} times at least" if times >= 2 else f"by {percent(abs(nearest - 1))} at least"
    )
    if math.isnan(ratio.p):
        reason += f", in each of {ratio.n} boots"
    elif ratio.points and ratio.n < SIGN_FLIP_DECIDES:
        reason += f"; second opinion undecided with {ratio.n} rounds"
    return finding, reason, None


def _undecided(
    ratio: Estimate, excluded: float, floor: float, resolution: float
) -> tuple[Finding, str, int | None]:
    if not ratio.has_interval:
        return Finding.TOO_FEW, ratio.note or f"n={ratio.n}: too few", None
    if excluded <= resolution:
        return Finding.SAME, f"no difference larger than {percent(excluded)}", None
    if excluded > HOPELESS:
        return Finding.NOISY, "too noisy to say", more_rounds(ratio, resolution)
    seen = f"may differ by up to {percent(excluded)}"
    if floor > resolution:
        return Finding.NOISY, f"{seen}; the noise floor here is {percent(floor)}", None
    more = more_rounds(ratio, resolution)
    advice = f"about {more} more rounds" if more else "no number of rounds"
    return Finding.NOISY, f"{seen}; {advice} would tell to {percent(resolution)}", more


def more_rounds(ratio: Estimate, resolution: float) -> int | None:
    """Rounds to add until half the interval is at most ``resolution``; None beyond MOST_ROUNDS.

    Supposes that the spread stays as it is: the half width falls with the root of the rounds and
    with Student's t.
    """
    half = math.log(ratio.high / ratio.low) / 2
    if not half:
        return None  # nothing left to narrow: what is not excluded stays so
    reach = _reach()
    wanted = reach[min(ratio.n, MOST_ROUNDS)] * math.log1p(resolution) / half
    enough = np.flatnonzero(reach[ratio.n + 1 :] <= wanted)
    return int(enough[0]) + 1 if enough.size else None


@lru_cache(maxsize=1)
def _reach() -> NDArray[np.float64]:
    """Half the width of an interval by its number of rounds, in standard deviations of a round."""
    n = np.arange(MOST_ROUNDS + 1)
    return np.asarray(stdtrit(np.maximum(n - 1, 1), 1 - ALPHA / 2) / np.sqrt(np.maximum(n, 1)))


def percent(share: float) -> str:
    """``0.4%``, ``12%``."""
    return f"{100 * share:.1f}%" if share < 0.0995 else f"{100 * share:.0f}%"
