"""Verdicts: said where they can be, and never where they cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.stats.estimates import Estimate, geometric_mean, paired_ratio, unpaired_ratio
from bench.stats.verdicts import Finding, Judgement, holm, judge_table, more_rounds, sign_flip


def ratio(effect: float, rounds: int, *, noise: float = 0.01, seed: int = 3) -> Estimate:
    """A paired ratio of so many rounds with log-normal noise."""
    logs = np.random.default_rng(seed).normal(math.log(effect), noise, rounds)
    return paired_ratio(dict(enumerate(np.exp(logs))), dict.fromkeys(range(rounds), 1.0))


def judged(estimate: Estimate, **options: object) -> Judgement:
    """The judgement of a table of one row."""
    given = {name: {"row": value} for name, value in options.items()}
    return judge_table({"row": estimate}, **given)["row"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("effect", "finding"), [(0.5, Finding.FASTER), (1.0, Finding.SAME), (2.0, Finding.SLOWER)]
)
@pytest.mark.parametrize("rounds", [5, 12, 30])
def test_a_plain_case_gets_its_verdict(effect: float, finding: Finding, rounds: int) -> None:
    """Below 1 is faster, above is slower, and 1 is neither."""
    assert judged(ratio(effect, rounds)).finding is finding


def test_same_says_beyond_what_a_difference_is_excluded() -> None:
    """The reason names the far end of the interval."""
    estimate = ratio(1.0, 12)
    found = judged(estimate)
    far = math.expm1(max(abs(math.log(estimate.low)), abs(math.log(estimate.high))))
    assert found.excluded == pytest.approx(far)
    assert found.detectable <= found.excluded
    assert found.reason.startswith(f"no difference larger than {100 * far:.1f}%")


def test_noise_says_how_many_rounds_it_would_take() -> None:
    """With that many rounds and the same spread the interval is narrow enough, with fewer not."""
    estimate = ratio(1.0, 8, noise=0.2)
    found = judged(estimate)
    assert found.finding is Finding.NOISY
    assert found.more_trials and f"about {found.more_trials} more rounds" in found.reason
    assert more_rounds(estimate, 10.0) == 1
    assert more_rounds(estimate, 1e-6) is None


def test_a_width_that_is_no_information_is_not_told() -> None:
    """A difference of thousands of per cent, and thousands of rounds, help nobody."""
    found = judged(ratio(1.0, 4, noise=2.0))
    assert (found.finding, found.reason) == (Finding.NOISY, "too noisy to say")


@pytest.mark.parametrize("values", [[], [1.5], [1.5, 1.6], [2.0] * 8])
def test_too_few_rounds_or_copied_ones_give_no_verdict(values: list[float]) -> None:
    """However large the difference: none, one, two, or eight that are the same to the last bit."""
    found = judged(paired_ratio(dict(enumerate(values)), dict.fromkeys(range(len(values)), 1.0)))
    assert found.finding is Finding.TOO_FEW
    assert found.reason.startswith("n=")
    assert math.isnan(found.detectable) and math.isnan(found.p_holm)


def test_three_to_five_rounds_are_decided_without_the_second_opinion_and_say_so() -> None:
    """A sign-flip test of five rounds cannot go below 2/32."""
    found = judged(ratio(0.5, 5))
    assert found.finding is Finding.FASTER
    assert found.p == pytest.approx(2 / 32)
    assert "second opinion undecided with 5 rounds" in found.reason
    assert "second opinion" not in judged(ratio(0.5, 6)).reason


def test_a_row_that_chance_explains_in_a_large_table_is_not_called() -> None:
    """One interval in twenty leaves 1 out: beside a hundred others it takes more than that."""
    one = Estimate(1.02, 1.003, 1.037, 12, p=0.02)
    assert judged(one).decided
    table = {0: one} | {n: ratio(1.0, 12, noise=0.03, seed=n + 1) for n in range(1, 100)}
    found = judge_table(table)[0]
    assert not found.decided
    assert "by chance" in found.reason


def test_below_the_noise_floor_is_no_difference() -> None:
    """What an A/A run of the same comparison shows by chance, a row cannot claim."""
    estimate = ratio(1.03, 30, noise=0.005)
    assert judged(estimate).finding is Finding.SLOWER
    found = judged(estimate, noise_floor=0.04)
    assert found.finding is Finding.SAME
    assert "A/A" in found.reason
    assert found.detectable == found.excluded == 0.04
    assert judged(estimate, noise_floor=0.2).finding is Finding.NOISY


def test_a_guard_and_what_was_not_engaged_overrule_the_numbers() -> None:
    """The guard's reason is the judgement's."""
    found = judged(ratio(0.5, 12), guards="faster than native")
    assert (found.finding, found.reason) == (Finding.IMPLAUSIBLE, "faster than native")
    assert judged(ratio(0.5, 12), engaged=False).finding is Finding.NOT_ENGAGED
    assert judged(ratio(0.5, 12), engaged=True).finding is Finding.FASTER


def test_one_outlier_does_not_make_a_difference() -> None:
    """A round that took a hundred times as long is one round."""
    points = dict(enumerate([1.0, 1.01, 0.99, 1.02, 0.98, 100.0, 1.0, 1.01]))
    assert not judged(paired_ratio(points, dict.fromkeys(points, 1.0))).decided


def test_holm_is_the_textbook_example() -> None:
    """Four p values by hand; a NaN is no test and does not count."""
    found = holm({"a": 0.01, "b": 0.04, "c": math.nan, "d": 0.03, "e": 0.005})
    assert {key: round(p, 9) for key, p in found.items() if key != "c"} == {
        "a": 0.03, "b": 0.06, "d": 0.06, "e": 0.02,
    }  # fmt: skip
    assert math.isnan(found["c"])


def test_sign_flip_counts_patterns() -> None:
    """All on one side: two patterns of 2^n; balanced: all of them; beyond 13 rounds sampled."""
    assert sign_flip((2.0, 3.0, 2.5)) == 2 / 8
    assert sign_flip((2.0, 0.5)) == 1.0
    assert sign_flip((2.0,) * 30) == pytest.approx(1 / 20_000)
    assert math.isnan(sign_flip(()))


def test_unpaired_ratio_is_wider_than_either_side() -> None:
    """Two runs share no rounds: both uncertainties count."""
    random = np.random.default_rng(7)
    over = list(np.exp(random.normal(math.log(2), 0.02, 20)))
    under = list(np.exp(random.normal(0, 0.02, 15)))
    found = unpaired_ratio(over, under)
    assert found.low < 2 < found.high and found.n == 15
    assert found.p < 1e-6
    for lone in ([], [1.0], [1.0] * 5):
        poor = unpaired_ratio(lone, under)
        assert not poor.has_interval and poor.note and math.isnan(poor.p)


def test_geometric_mean_keeps_the_round_as_the_unit() -> None:
    """Rows that err together are not averaged away; rows of unlike length are not either."""
    shared = ratio(1.5, 12, noise=0.05)
    together = geometric_mean([shared, shared, shared])
    assert together.value == pytest.approx(shared.value, rel=0.02)
    assert together.half_width == pytest.approx(shared.half_width, rel=0.05)
    mixed = geometric_mean([shared, ratio(1.5, 9, noise=0.05)])
    assert mixed.n == 9 and mixed.has_interval
    assert not geometric_mean([]).known
    assert not geometric_mean([shared, ratio(1.5, 2)]).has_interval
