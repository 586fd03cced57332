"""Do 95 % intervals hold the truth where rounds resemble their neighbours?"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from bench.selftest.check import Check, CheckRequest, CheckResult, decimal, held
from bench.selftest.simulate import AUTOCORRELATION, SEED, Array, ar1
from bench.stats.estimates import CONFIDENCE
from bench.stats.intervals import spread

ROUNDS = (20, 30, 40)
BAR = (0.93, 0.97)
REPLICATES, QUICK_REPLICATES = 4_000, 1_000
BOOTSTRAPS, RESAMPLES = 200, 1_000
"""Intervals by bootstrap that are made for comparison, and resamples of each."""


def run(request: CheckRequest) -> CheckResult:
    """Simulate, and count the intervals that hold the truth."""
    replicates = QUICK_REPLICATES if request.quick else REPLICATES
    shares, lines = {}, []
    for rounds in ROUNDS:
        series = ar1(AUTOCORRELATION, rounds, replicates)
        shares[rounds] = covered(series)
        blocks = np.mean([abs(np.median(one)) <= by_blocks(one) for one in series[:BOOTSTRAPS]])
        lines.append(
            f"{rounds} rounds: {decimal(shares[rounds])} of {replicates} hold the truth "
            f"(block bootstrap: {decimal(float(blocks))})"
        )
    met = all(BAR[0] <= share <= BAR[1] for share in shares.values())
    figures = {"autocorrelation": AUTOCORRELATION, "replicates": replicates, "coverage": shares}
    return CheckResult(held(met), tuple(lines), figures)


def covered(series: Array) -> float:
    """Share of rows of ``series`` whose interval holds 0."""
    return float(
        np.mean([abs(np.median(row)) <= spread(row).half_width(CONFIDENCE) for row in series])
    )


def by_blocks(logs: Array) -> float:
    """Half width by a circular block bootstrap of the median with Student's t, for comparison."""
    n = logs.size
    block = round(n ** (1 / 3))
    starts = np.random.default_rng(SEED).integers(0, n, (RESAMPLES, math.ceil(n / block), 1))
    chosen = ((starts + np.arange(block)) % n).reshape(RESAMPLES, -1)[:, :n]
    deviation = float(np.median(logs[chosen], axis=1).std()) * math.sqrt(n / (n - block))
    return float(stdtrit(n / block - 1, 0.5 + CONFIDENCE / 2)) * deviation


CHECK = Check("coverage", "AR(1) noise, lag 0.75: 95 % intervals hold 93 to 97 %", run, order=1)
