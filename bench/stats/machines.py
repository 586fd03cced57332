"""One ratio over several machines: a random-effects estimate, and how far apart the machines are.

Every machine has a true ratio of its own, drawn from those of all machines; its run estimates it. The
spread between machines (tau) is found by Paule and Mandel's method (J. Res. NBS 87, 1982), the interval
of the mean by Hartung and Knapp's with the factor bounded below by 1 (Statistics in Medicine 20, 2001):
DerSimonian and Laird's is too narrow with few machines. Cochran's Q asks whether the machines differ
by more than their own rounds explain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc, stdtrit

from bench.stats.estimates import CONFIDENCE, FEWEST, Estimate

LEAST_SE = 1e-4
"""No run knows a ratio better than to a hundredth of a per cent, whatever its rounds say."""
FEWEST_MACHINES = 2
Array = NDArray[np.float64]


@dataclass(frozen=True)
class OverMachines:
    """A ratio over ``n`` machines."""

    mean: Estimate
    """The mean of the machines' ratios with its interval; ``points`` are the machines' own."""
    tau: float
    """Standard deviation between machines, of the logarithm: 0.05 is 5 %."""
    q: float
    p: float
    """How likely machines that are alike would look so different by their rounds alone (Cochran)."""
    low: float
    high: float
    """Where another machine's ratio is expected (95 %); NaN with fewer than three."""

    @property
    def differ(self) -> bool:
        """Whether the machines were shown to differ."""
        return self.p < 1 - CONFIDENCE


def log_se(ratio: Estimate) -> float:
    """Standard error of a ratio's logarithm, out of its interval."""
    half = (math.log(ratio.high) - math.log(ratio.low)) / 2
    return max(LEAST_SE, half / float(stdtrit(ratio.n - 1, (1 + CONFIDENCE) / 2)))


def usable(ratio: Estimate) -> bool:
    """Whether a machine's ratio can be weighed."""
    return ratio.known and ratio.has_interval and ratio.n >= FEWEST and ratio.low > 0


def over_machines(ratios: Sequence[Estimate]) -> OverMachines | None:
    """The ratios of one row, one for each machine; None with fewer than two that have intervals."""
    good = [one for one in ratios if usable(one)]
    if len(good) < FEWEST_MACHINES:
        return None
    effects = np.log(np.array([one.value for one in good]))
    return combined(effects, np.array([log_se(one) for one in good]) ** 2)


def combined(effects: Array, variances: Array) -> OverMachines:
    """Logarithms and their variances as one estimate."""
    count = len(effects)
    q = generalised_q(effects, variances, 0.0)
    tau2 = paule_mandel(effects, variances)
    weights = 1 / (variances + tau2)
    mean = float(np.average(effects, weights=weights))
    factor = max(1.0, generalised_q(effects, variances, tau2) / (count - 1))
    se = math.sqrt(factor / float(weights.sum()))
    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * se
    wide = math.nan
    if count > FEWEST_MACHINES:
        wide = float(stdtrit(count - 2, (1 + CONFIDENCE) / 2)) * math.sqrt(tau2 + se * se)
    return OverMachines(
        mean=Estimate(
            math.exp(mean),
            math.exp(mean - half),
            math.exp(mean + half),
            count,
            points=tuple(np.exp(effects).tolist()),
        ),
        tau=math.sqrt(tau2),
        q=q,
        p=float(chdtrc(count - 1, q)),
        low=math.exp(mean - wide),
        high=math.exp(mean + wide),
    )


def generalised_q(effects: Array, variances: Array, tau2: float) -> float:
    """Weighted squares around the weighted mean, at a variance between machines of tau2."""
    weights = 1 / (variances + tau2)
    mean = np.average(effects, weights=weights)
    return float((weights * (effects - mean) ** 2).sum())


def paule_mandel(effects: Array, variances: Array) -> float:
    """The variance between machines at which ``generalised_q`` is what it is expected to be."""
    wanted = len(effects) - 1

    def excess(tau2: float) -> float:
        return generalised_q(effects, variances, tau2) - wanted

    if excess(0.0) <= 0:
        return 0.0
    top = float(np.var(effects, ddof=1)) or 1.0
    while excess(top) > 0:
        top *= 2
    return float(brentq(excess, 0.0, top, xtol=1e-12))
