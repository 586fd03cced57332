"""Intervals of few rounds: they hold what they claim to, and one far round does not rule them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.stats.intervals import spread


def ar1(autocorrelation: float, rounds: int, replicates: int = 600) -> np.ndarray:
    """Stationary AR(1) series around 0, one a row."""
    noise = np.random.default_rng(11).standard_normal((replicates, rounds))
    series = noise.copy()
    fresh = np.sqrt(1 - autocorrelation**2)
    for at in range(1, rounds):
        series[:, at] = autocorrelation * series[:, at - 1] + fresh * noise[:, at]
    return series


def covered(series: np.ndarray) -> float:
    """Share of series whose interval holds 0."""
    return float(np.mean([abs(np.median(row)) <= spread(row).half_width(0.95) for row in series]))


@pytest.mark.parametrize("rounds", [20, 40])
def test_rounds_that_resemble_their_neighbours_are_covered(rounds: int) -> None:
    """At autocorrelation 0.75, 92 % at the least of 600 (two standard errors below the bar's 93)."""
    assert covered(ar1(0.75, rounds)) >= 0.92


@pytest.mark.parametrize("rounds", [3, 5, 8, 20, 40])
def test_independent_rounds_are_covered_without_waste(rounds: int) -> None:
    """Neither too few, nor all of them: an interval that is always right says nothing."""
    assert 0.94 <= covered(ar1(0.0, rounds)) < 0.995


def test_without_autocorrelation_the_interval_is_close_to_students() -> None:
    """Twenty independent rounds cost at most twice what the mean of a known model would."""
    series = ar1(0.0, 20, 200)
    ours = np.median([spread(row).half_width(0.95) for row in series])
    students = np.median(stats.sem(series, axis=1)) * stats.t.ppf(0.975, 19)
    assert students < ours < 2 * students


def test_p_and_interval_agree() -> None:
    """At the end of the 95 % interval p is 0.05, at the centre 1."""
    around = spread(ar1(0.5, 15, 1)[0])
    assert around.p(around.half_width(0.95)) == pytest.approx(0.05, abs=1e-5)
    assert around.p(0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("far", [0.5, 5.0, 500.0])
def test_how_far_out_a_far_round_lies_does_not_matter(far: float) -> None:
    """The interval is the same whether one round of twelve took 1.6 times as long or e^500 times."""
    row = 0.01 * ar1(0.0, 12, 1)[0]
    usual = spread(row).half_width(0.95)
    row[4] = far
    assert usual < spread(row).half_width(0.95) < 3 * usual


def test_most_rounds_being_equal_is_no_division_by_zero() -> None:
    """A coarse clock: seven of nine rounds alike."""
    half = spread(np.array([0, 0, 0, 0, 0, 0, 0, 0.1, -0.1])).half_width(0.95)
    assert 0 < half < 1
