"""Sameness has to be shown: the test says so where it is, and nothing where it cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.stats.equivalence import Answer, answers, by_range, by_test, overall, unknown

MARGIN = 0.1
SEED = 7


def rounds(ratio: float, spread: float, n: int, chance: np.random.Generator) -> list[float]:
    """Ratios of n rounds around a true one; ``spread`` is relative."""
    return [float(r) for r in ratio * np.exp(chance.normal(0, spread, n))]


def share(answer: Answer, change: float, n: int = 8, repeats: int = 400) -> float:
    """How often an answer is given when our true ratio is ``change`` times theirs."""
    chance = np.random.default_rng(SEED)
    tests = [
        by_test(rounds(0.5, 0.05, n, chance), rounds(0.5 * change, 0.05, n, chance), MARGIN)
        for _ in range(repeats)
    ]
    return [answers({0: test})[0] for test in tests].count(answer) / repeats


def test_the_same_ratio_is_confirmed() -> None:
    """Eight rounds of 5 % spread suffice to show sameness within 10 %."""
    assert share(Answer.CONFIRMED, 1.0) > 0.8
    assert share(Answer.CONTRADICTED, 1.0) == 0


@pytest.mark.parametrize("change", [1 + MARGIN, 1 / (1 + MARGIN)])
def test_at_the_margin_both_errors_are_rare(change: float) -> None:
    """A true difference of just the margin is confirmed, or contradicted, in one of twenty at most."""
    assert share(Answer.CONFIRMED, change) <= 0.08
    assert share(Answer.CONTRADICTED, change) <= 0.08


@pytest.mark.parametrize("change", [1.4, 0.7])
def test_another_ratio_is_contradicted(change: float) -> None:
    """In both directions."""
    assert share(Answer.CONTRADICTED, change) > 0.95


def test_noise_confirms_nothing_and_contradicts_nothing() -> None:
    """The absence of a significant difference is no sameness."""
    chance = np.random.default_rng(SEED)
    test = by_test(rounds(0.5, 0.4, 5, chance), rounds(0.5, 0.4, 5, chance), MARGIN)
    assert answers({"row": test}) == {"row": Answer.CANNOT_TELL}


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        ([], [0.5, 0.5], "too few: n=0 and 2"),
        ([0.5, 0.51], [0.5, 0.51, 0.52], "too few: n=2 and 3"),
        ([0.5] * 5, [0.5, 0.51, 0.52], "identical"),
    ],
)
def test_too_little_to_say_anything(theirs: list[float], ours: list[float], words: str) -> None:
    """One trial, none, or values without any spread: no interval, and the reason."""
    test = by_test(theirs, ours, MARGIN)
    assert words in test.note
    assert math.isnan(test.low)
    assert answers({"row": test})["row"] is Answer.CANNOT_TELL


@pytest.mark.parametrize(
    ("ours", "answer"),
    [
        ([0.5001, 0.5002], Answer.CONFIRMED),
        ([0.56, 0.57], Answer.CONTRADICTED),
        ([0.54, 0.56], Answer.CANNOT_TELL),
        ([], Answer.CANNOT_TELL),
    ],
)
def test_boots_on_the_instruction_clock_go_by_their_range(
    ours: list[float], answer: Answer
) -> None:
    """Two boots are enough where they agree; on both sides of the margin they decide nothing."""
    assert answers({0: by_range([0.5, 0.5], ours, MARGIN)})[0] is answer


def test_contradictions_are_corrected_over_the_table() -> None:
    """A p of 0.03 contradicts alone, but not as the best of twenty rows."""
    one = by_range([1.0], [1.0], MARGIN)
    near = type(one)(1.2, 1.1, 1.3, (5, 5), 0.9, 0.03)
    dull = type(one)(1.0, 0.9, 1.2, (5, 5), 0.5, 0.9)
    assert answers({0: near})[0] is Answer.CONTRADICTED
    assert answers({0: near, **dict.fromkeys(range(1, 20), dull)})[0] is Answer.CANNOT_TELL


def test_the_whole_is_what_its_rows_are() -> None:
    """One contradiction decides; confirmed are only all of them; nothing is not confirmed."""
    yes, no, open_ = Answer.CONFIRMED, Answer.CONTRADICTED, Answer.CANNOT_TELL
    assert overall([yes, yes]) is yes
    assert overall([yes, open_]) is open_
    assert overall([yes, open_, no]) is no
    assert overall([]) is open_
    assert answers({0: unknown([], [], "nothing")})[0] is open_


@pytest.mark.parametrize(
    ("confirmed", "undecided", "contradicted", "answer"),
    [
        (77, 19, 0, Answer.CONFIRMED),
        (77, 19, 1, Answer.CONTRADICTED),
        (50, 46, 0, Answer.CANNOT_TELL),
        (0, 0, 0, Answer.CANNOT_TELL),
    ],
)
def test_the_whole_is_confirmed_by_most_and_contradicted_by_one(
    confirmed: int, undecided: int, contradicted: int, answer: Answer
) -> None:
    """A fifth of the rows undecided, for want of rounds, leaves the others as they are."""
    given = [Answer.CONFIRMED] * confirmed + [Answer.CANNOT_TELL] * undecided
    assert overall(given + [Answer.CONTRADICTED] * contradicted) is answer
