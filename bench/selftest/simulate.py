"""Rounds of simulated runs: logarithms of paired ratios, the truth being 0.

What a whole round shares cancels in a paired ratio, so the noise is put on the ratio itself: a
stationary AR(1) process with normal innovations, which makes the ratio log-normal.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SEED = 20_260_602
AUTOCORRELATION = 0.75
"""Lag 1, as seen over repetitions on a noisy virtual machine, before pairing took any of it away."""


def ar1(autocorrelation: float, rounds: int, replicates: int, seed: int = SEED) -> Array:
    """Replicates x rounds of a stationary AR(1) process of unit variance around 0."""
    noise = np.random.default_rng([seed, rounds]).standard_normal((replicates, rounds))
    series = noise.copy()
    for at in range(1, rounds):
        series[:, at] *= math.sqrt(1 - autocorrelation**2)
        series[:, at] += autocorrelation * series[:, at - 1]
    return series


def skewed(rounds: int, replicates: int) -> Array:
    """Independent rounds with a long tail: exponential, around its median."""
    random = np.random.default_rng([SEED, rounds, 1])
    return np.asarray(random.exponential(size=(replicates, rounds)) - math.log(2))


def contaminated(rounds: int, replicates: int) -> Array:
    """Independent rounds of which one in ten has ten times the spread."""
    random = np.random.default_rng([SEED, rounds, 2])
    size = (replicates, rounds)
    return np.asarray(random.standard_normal(size) * np.where(random.random(size) < 0.1, 10, 1))
