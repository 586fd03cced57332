"""Do 95 % intervals hold the truth, and are they no wider than they need be, on independent rounds?"""

from __future__ import annotations

from bench.selftest.check import Check, CheckRequest, CheckResult, decimal, held
from bench.selftest.coverage import QUICK_REPLICATES, REPLICATES, covered
from bench.selftest.simulate import ar1, contaminated, skewed

ROUNDS = (5, 8, 12, 20, 40)
BAR = (0.93, 0.99)


def run(request: CheckRequest) -> CheckResult:
    """Simulate normal rounds, to which the bar applies, and two other shapes, for information."""
    replicates = QUICK_REPLICATES if request.quick else REPLICATES
    normal = {rounds: covered(ar1(0.0, rounds, replicates)) for rounds in ROUNDS}
    others = QUICK_REPLICATES
    figures = {
        "replicates": replicates,
        "normal": normal,
        "skewed": {rounds: covered(skewed(rounds, others)) for rounds in ROUNDS},
        "contaminated": {rounds: covered(contaminated(rounds, others)) for rounds in ROUNDS},
    }
    lines = [f"rounds          {''.join(f'{rounds:>8}' for rounds in ROUNDS)}"]
    for shape in ("normal", "skewed", "contaminated"):
        cells = "".join(f"{decimal(share):>8}" for share in figures[shape].values())  # type: ignore[attr-defined]
        lines.append(f"{shape:<16}{cells}")
    met = all(BAR[0] <= share <= BAR[1] for share in normal.values())
    return CheckResult(held(met), tuple(lines), figures)


CHECK = Check("independent", "independent rounds: 95 % intervals hold 93 to 99 %", run, order=2)
