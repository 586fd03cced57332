"""Estimates: a known effect is found again, and an interval never pretends."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from fakes import make_run

from bench.stats.estimates import Estimate, centre, paired_ratio, percentiles, trial_medians
from bench.stats.frame import load


def ratio_of(path: Path, target: str = "passthrough", baseline: str = "plain") -> Estimate:
    """The ratio of the first row of a run."""
    medians = trial_medians(load(path).samples)
    group = next(group for group, name in medians if name == target)
    return paired_ratio(medians[group, target], medians[group, baseline])


@pytest.mark.parametrize("effect", [0.5, 0.97, 1.0, 1.3])
def test_paired_ratio_recovers_a_known_effect(tmp_path: Path, effect: float) -> None:
    """Noise that a round shares is ten times the effect of 3 % and cancels all the same."""
    ratio = ratio_of(make_run(tmp_path, effect=effect, noise=0.3, trials=9, values=25))
    assert ratio.value == pytest.approx(effect, rel=0.1)
    assert ratio.low <= effect <= ratio.high


def test_the_pairing_is_by_round_not_by_rank() -> None:
    """Only rounds that both sides measured count, and each with its own partner."""
    ratio = paired_ratio({0: 2.0, 1: 20.0, 2: 200.0, 7: 9.0}, {0: 1.0, 1: 10.0, 2: 101.0, 5: 1.0})
    assert ratio.n == 3
    assert ratio.points == pytest.approx((2.0, 2.0, 200 / 101))


@pytest.mark.parametrize(("trials", "note"), [(1, "n=1: too few"), (2, "n=2: too few")])
def test_fewer_than_three_rounds_have_no_interval(tmp_path: Path, trials: int, note: str) -> None:
    """The value stands alone, and says why."""
    ratio = ratio_of(make_run(tmp_path, trials=trials))
    assert ratio.known and not ratio.has_interval
    assert ratio.note == note


def test_three_rounds_have_a_wide_interval() -> None:
    """Three rounds know little: the interval is wider than what was seen."""
    estimate = centre([1.0, 1.1, 1.2])
    assert estimate.has_interval
    assert estimate.low < 1.0 and estimate.high > 1.2


def test_identical_values_are_not_certainty(tmp_path: Path) -> None:
    """No spread means a coarse clock or copied lines; an interval of width 0 would pretend."""
    ratio = ratio_of(make_run(tmp_path, constant=True))
    assert not ratio.has_interval
    assert "identical" in ratio.note


def test_nothing_measured_is_no_number() -> None:
    """Zero rounds give a reason, not a traceback."""
    for estimate in (centre([]), paired_ratio({0: 1.0}, {1: 1.0})):
        assert not estimate.known
        assert estimate.n == 0 and estimate.note


def test_samples_are_not_pooled_across_trials(tmp_path: Path) -> None:
    """A hundred more samples in a trial do not make the interval narrower: n is rounds."""
    few = ratio_of(make_run(tmp_path / "few", values=2))
    many = ratio_of(make_run(tmp_path / "many", values=200))
    assert few.n == many.n == 5


def test_nan_samples_are_left_out_of_the_median(tmp_path: Path) -> None:
    """A trial with one good value has that value as median."""
    path = make_run(tmp_path, spoil={"values": [math.nan, 3e-6, None]})
    medians = trial_medians(load(path).samples)
    assert set(medians["getattr-storm--path--warm--t1--to0-0--same", "plain"].values()) == {3e-6}


def test_a_repeated_round_counts_once_by_its_later_trial(tmp_path: Path) -> None:
    """A disturbed trial that was measured again does not stand in its own place twice."""
    path = make_run(tmp_path, trials=1)
    file = path / "trials.jsonl"
    again = file.read_text().splitlines()[0].replace('"position": 0', '"position": 99')
    again = again[: again.index('"values"')] + '"values": [5e-06], "round": 0}'
    file.write_text(file.read_text() + again + "\n")
    medians = trial_medians(load(path).samples)
    assert medians["getattr-storm--path--warm--t1--to0-0--same", "native"] == {0: 5e-6}


def test_the_interval_is_the_same_every_time() -> None:
    """Nothing in it is drawn."""
    seconds = [1.0, 1.3, 1.1, 1.2, 1.05]
    assert repr(centre(seconds)) == repr(centre(seconds))


@pytest.mark.parametrize("rounds", [3, 5, 12])
@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_intervals_cover_what_they_claim(rounds: int, shape: str) -> None:
    """At least 92 % of 200 intervals of independent rounds hold the true median."""
    random = np.random.default_rng(5)
    size = (200, rounds)
    draws = (
        random.normal(size=size)
        if shape == "normal"
        else random.exponential(size=size) - math.log(2)
    )
    held = sum(
        estimate.low <= 1.0 <= estimate.high
        for estimate in (centre(list(np.exp(0.05 * row))) for row in draws)
    )
    assert held >= 0.92 * len(draws)


def test_percentiles_are_bucket_bounds() -> None:
    """Ten operations: the median is the bound that five of them do not exceed."""
    histogram = {100: 5, 200: 4, 900: 1}
    assert percentiles(histogram, (0.5, 0.9, 0.99, 1.0)) == (100, 200, 900, 900)
    assert all(math.isnan(value) for value in percentiles({}, (0.5, 1.0)))
