"""How far the median of a few, possibly autocorrelated rounds can be from the truth.

The model: logarithms of round medians (or of their ratios) are the truth plus a stationary AR(1)
process of unknown autocorrelation. For one known autocorrelation the truth has Student's t
distribution around the estimate; what is not known is averaged over, each value weighted by how
well it explains the rounds (Zellner and Tiao, Journal of the American Statistical Association 59,
1964: the regression model with autocorrelated errors, here with a constant alone). Two changes
keep it usable on a noisy machine: the centre is the median, at the price of the median's larger
variance, and rounds far out count towards the spread as if they lay nearer.

Why not a block bootstrap: at autocorrelation 0.75 and 20 to 40 rounds, blocks that are long enough
are too few. Its 95 % interval holds the truth in about 80 of 100 cases, this one in 94 to 97, and
in 96 to 99 where rounds are independent (``python -m bench selftest``, checks ``coverage`` and
``independent``; both methods are shown there).

What it cannot do: below some 16 rounds autocorrelation does not show, and the interval relies on
the fresh mounts and the shuffled order of each round to make rounds independent. Five rounds at
autocorrelation 0.75 are covered in 70 of 100 cases. A slow drift hidden beneath noise twice its
size is covered in 80; ``bench.stats.guards`` names drift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, stdtr, stdtrit

Array = NDArray[np.float64]

GRID = np.concatenate([[0.0], np.linspace(0.0, 0.96, 25)[1:]])
"""Autocorrelations that are considered; independence is the first. None below 0: rounds that
alternate would only make the interval narrower."""
INDEPENDENT_AT_LEAST = 0.25
"""Weight of independence before any round is seen, however many there are."""
ROUNDS_THAT_TELL = 22.0
"""Rounds at which autocorrelation would get all the weight but for that least; with fewer it gets
less by the square, since its interval is then wide whatever the rounds say. Chosen by simulation."""
FAR_OUT = 3.0
"""Standard deviations from the median, judged by the median deviation, at which a round is far out;
(1 + 6/n) times as much with n rounds, whose median deviation is itself uncertain."""
STEPS = 100
"""Steps of Newton's method at most; it takes four to ten."""
FEWEST_TO_JUDGE = 5
"""Rounds below which nothing is called far out."""


@dataclass(frozen=True)
class Spread:
    """A mixture of Student distributions around a median: ``weights`` of ``scales``, all of the
    same degrees of ``freedom``; one entry for each autocorrelation of GRID."""

    weights: Array
    scales: Array
    freedom: int

    def p(self, distance: float) -> float:
        """How likely the median lies further than ``distance`` from the truth, to either side."""
        return float(2 * self.weights @ stdtr(self.freedom, -distance / self.scales))

    def half_width(self, confidence: float) -> float:
        """Distance within which the truth lies with this confidence."""
        half = float(stdtrit(self.freedom, 0.5 + confidence / 2) * self.scales.min())
        # Newton's method from below, where p is convex: it cannot overshoot. (scipy.optimize has
        # better ones, and takes longer to import than a text report to make.)
        for _ in range(STEPS):
            step = (self.p(half) - (1 - confidence)) / self._density(half)
            half += step
            if abs(step) <= 1e-7 * half:
                break
        return half

    def _density(self, distance: float) -> float:
        """By how much p falls per distance."""
        nu = self.freedom
        constant = math.exp(gammaln((nu + 1) / 2) - gammaln(nu / 2)) / math.sqrt(nu * math.pi)
        bells = constant * (1 + (distance / self.scales) ** 2 / nu) ** (-(nu + 1) / 2)
        return float(2 * self.weights @ (bells / self.scales))


def spread(logs: Array) -> Spread:
    """What ``logs``, three or more in the order they were measured and not all alike, say."""
    n = int(logs.size)
    near = _winsorized(logs)
    precision = (n - (n - 2) * GRID) / (1 + GRID)
    squares = _squares(near, precision)
    log_weights = np.log(_prior(n)) - 0.5 * (
        (n - 1) * np.log(1 - GRID**2) + np.log(precision) + (n - 1) * np.log(squares)
    )
    weights = np.exp(log_weights - log_weights.max())
    variance = np.maximum(_median_variance(n), 1 / precision)
    return Spread(weights / weights.sum(), np.sqrt(squares / (n - 1) * variance), n - 1)


def far_out(logs: Array) -> float:
    """Distance from the median at which a round is far out; infinite where none can be told."""
    if logs.size < FEWEST_TO_JUDGE:
        return math.inf
    deviation = 1.4826 * float(np.median(np.abs(logs - np.median(logs))))
    return FAR_OUT * (1 + 6 / logs.size) * deviation or math.inf


def _winsorized(logs: Array) -> Array:
    """Rounds that are far out brought to where far out begins."""
    limit, median = far_out(logs), np.median(logs)
    return np.clip(logs, median - limit, median + limit)


def _squares(logs: Array, precision: Array) -> Array:
    """Sum of squares around the best mean, in the metric of each autocorrelation.

    The inverse of an AR(1) correlation matrix is tridiagonal, so three sums are all it takes;
    ``precision`` is the sum of its entries.
    """
    n = logs.size
    centred = logs - logs.mean()
    ends = centred[0] + centred[-1]
    best = (ends - (1 - GRID) * ends) / (2 + (n - 2) * (1 - GRID))
    inner = centred @ centred
    outer = centred[0] ** 2 + centred[-1] ** 2
    lagged = centred[1:] @ centred[:-1]
    around_zero = (1 + GRID**2) * inner - GRID**2 * outer - 2 * GRID * lagged
    return np.asarray(around_zero / (1 - GRID**2) - precision * best**2)


def _prior(n: int) -> Array:
    correlated = min(1 - INDEPENDENT_AT_LEAST, (n / ROUNDS_THAT_TELL) ** 2)
    return np.concatenate([[1 - correlated], np.full(GRID.size - 1, correlated / (GRID.size - 1))])


def _median_variance(n: int) -> Array:
    """Variance of the median of n rounds of unit variance, for every autocorrelation.

    That of independent normal rounds, times what neighbours' signs having (2/pi) asin(rho) in
    common adds (the arcsine law: the median moves with the signs).
    """
    lags = np.arange(1, n)
    common = 2 / math.pi * np.arcsin(GRID[:, None] ** lags)
    alone = math.pi / (2 * n) * (1 - (4 - math.pi) / (2 * n))
    return np.asarray(alone * (1 + 2 * common @ (1 - lags / n)))
