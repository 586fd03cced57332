"""Are two measurements of a ratio the same within a margin? Confirmed, contradicted, cannot tell.

A difference that is not significant is no proof of sameness: few rounds show nothing either way.
So sameness is what has to be shown, by two one-sided tests (TOST; D. J. Schuirmann, "A comparison
of the two one-sided tests procedure and the power approach", J. Pharmacokinet. Biopharm. 15, 1987).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from scipy.stats import ttest_ind

from bench.stats.estimates import Array

ALPHA = 0.05
FEWEST = 3
"""Rounds on each side below which nothing is said."""
NO_SPREAD = 1e-12

Name = TypeVar("Name")


CONFIRMED_SHARE = 0.75
"""Share of all ratios that must be shown to be the same; the others may lack rounds to decide."""


class Answer(enum.StrEnum):
    """What a measurement of one's own says about somebody else's."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Equivalence:
    """Two measurements of a ratio side by side.

    ``change`` is ours / theirs with ``low`` and ``high``, the 90 % interval that goes with two
    one-sided tests of 5 %. ``same`` is the p of "they differ by the margin or more", ``apart`` that
    of "they differ by less". NaN where nothing can be said, and ``note`` says why.
    """

    change: float
    low: float
    high: float
    rounds: tuple[int, int]
    """Rounds of their run and of ours."""
    same: float
    apart: float
    note: str = ""


def by_test(theirs: Sequence[float], ours: Sequence[float], margin: float) -> Equivalence:
    """TOST on the logarithms of ratios, one of each round, with Welch's t.

    ``margin`` is relative: 0.1 stands for 1/1.1 to 1.1, the same width in both directions.
    """
    rounds = (len(theirs), len(ours))
    if min(rounds) < FEWEST:
        return unknown(theirs, ours, f"too few: n={rounds[0]} and {rounds[1]}")
    them, us = np.log(np.asarray(theirs)), np.log(np.asarray(ours))
    if min(np.ptp(them), np.ptp(us)) <= NO_SPREAD:
        return unknown(theirs, ours, "identical values: a coarse clock or a copied line")
    wide = math.log1p(margin)
    below, above = them - wide, them + wide
    reached = max(_p(us, below, "greater"), _p(us, above, "less"))
    left = min(1.0, 2 * min(_p(us, below, "less"), _p(us, above, "greater")))
    bounds = ttest_ind(us, them, equal_var=False).confidence_interval(1 - 2 * ALPHA)
    return Equivalence(
        change=math.exp(float(us.mean() - them.mean())),
        low=math.exp(float(bounds.low)),
        high=math.exp(float(bounds.high)),
        rounds=rounds,
        same=reached,
        apart=left,
    )


def by_range(theirs: Sequence[float], ours: Sequence[float], margin: float) -> Equivalence:
    """For the instruction clock: two boots agree to a fraction of a per cent, so the range decides.

    The same when every boot of ours is within the margin of every boot of theirs, apart when none is.
    """
    if not theirs or not ours:
        return unknown(theirs, ours, f"too few: n={len(theirs)} and {len(ours)}")
    low, high = min(ours) / max(theirs), max(ours) / min(theirs)
    inside = 1 / (1 + margin) < low and high < 1 + margin
    outside = low > 1 + margin or high < 1 / (1 + margin)
    return Equivalence(
        change=_middle(ours) / _middle(theirs),
        low=low,
        high=high,
        rounds=(len(theirs), len(ours)),
        same=0.0 if inside else 1.0,
        apart=0.0 if outside else 1.0,
    )


def unknown(theirs: Sequence[float], ours: Sequence[float], note: str) -> Equivalence:
    """Nothing can be said, for a reason."""
    change = _middle(ours) / _middle(theirs) if theirs and ours else math.nan
    rounds = (len(theirs), len(ours))
    return Equivalence(change, math.nan, math.nan, rounds, math.nan, math.nan, note)


def answers(tests: Mapping[Name, Equivalence]) -> dict[Name, Answer]:
    """The answer of every row.

    Contradictions are corrected by Holm over the table, as a single one decides the whole.
    Confirmations need no correction: a row that is not the same is taken for it in one of twenty
    cases, and the whole is confirmed only if most of them are.
    """
    given = {
        name: Answer.CONFIRMED if test.same < ALPHA else Answer.CANNOT_TELL
        for name, test in tests.items()
    }
    tried = sorted(
        (name for name, test in tests.items() if not math.isnan(test.apart)),
        key=lambda name: tests[name].apart,
    )
    for place, name in enumerate(tried):
        if tests[name].apart >= ALPHA / (len(tried) - place):
            break
        given[name] = Answer.CONTRADICTED
    return given


def overall(given: Sequence[Answer]) -> Answer:
    """Contradicted by a single row; confirmed by CONFIRMED_SHARE of them, and none that contradicts."""
    if Answer.CONTRADICTED in given:
        return Answer.CONTRADICTED
    if given and given.count(Answer.CONFIRMED) >= CONFIRMED_SHARE * len(given):
        return Answer.CONFIRMED
    return Answer.CANNOT_TELL


def _p(over: Array, under: Array, alternative: Literal["less", "greater"]) -> float:
    return float(ttest_ind(over, under, equal_var=False, alternative=alternative).pvalue)


def _middle(ratios: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(float(np.log(np.asarray(ratios)).mean()))
