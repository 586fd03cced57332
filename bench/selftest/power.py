"""How small a difference is found? Known ones are put on what an A/A run measured.

Every target of an A/A run stands under two names, and differs from itself by chance alone. A known
delay, a share of each operation, is added to the samples of one of the two: what the table then says
of as many rounds as a default run has is what such a run finds. Rows whose target does not repeat find
little, and are named. That a real delay in a server comes out as itself is the check known-effect's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.model import Clock
from bench.plan.settings import Settings
from bench.selftest.check import Check, CheckRequest, CheckResult, held, share_text, skipped
from bench.selftest.same_target import Sides, pairs
from bench.stats.estimates import Estimate, paired_ratio, trial_medians
from bench.stats.frame import load
from bench.stats.guards import SeriesKey
from bench.stats.verdicts import Finding, judge_table

EFFECTS = (0.0, 0.02, 0.03, 0.05, 0.10, 0.20)
ROUNDS = (5, Settings().trials, 8, 12)
"""What it was, what it is, and what a run with time to spare makes."""
WANTED_EFFECT, WANTED = 0.10, 0.90
"""So large a difference is to be found in so large a share of rows, with the default's rounds."""
Table = Mapping[SeriesKey, Estimate]


def run(request: CheckRequest) -> CheckResult:
    """What is found of each known difference, by the number of rounds."""
    runs = [one for path in request.recorded if (one := load(path)).about["clock"] == Clock.WALL]
    medians = [trial_medians(one.samples) for one in runs]
    found = {
        (rounds, effect): [
            finding
            for one in medians
            for table in tables(dict(pairs(one)), rounds)
            for finding in findings(table, effect)
        ]
        for rounds in ROUNDS
        for effect in EFFECTS
    }
    default = found[Settings().trials, WANTED_EFFECT]
    if not default:
        return skipped(f"no A/A run of {Settings().trials} rounds was named: --power makes one")
    shares = {key: share(some) for key, some in found.items() if some}
    lines = (
        f"{'slower by':<12}" + "".join(f"{f'{n} rounds':>12}" for n in ROUNDS),
        *(row(shares, effect) for effect in EFFECTS),
        f"the default's rounds, slower by {WANTED_EFFECT:.0%}: "
        + share_text(sum(one is Finding.SLOWER for one in default), len(default)),
    )
    figures = {"found": [[*key, value, len(found[key])] for key, value in shares.items()]}
    return CheckResult(held(share(default) >= WANTED), lines, figures)


def tables(sides: Mapping[SeriesKey, Sides], rounds: int) -> Iterator[Table]:
    """Tables of so many rounds each, as many as the run has."""
    whole = min((len(over.keys() & under.keys()) for over, under in sides.values()), default=0)
    for start in range(0, whole - rounds + 1, rounds):
        made = {}
        for key, (over, under) in sides.items():
            chosen = sorted(over.keys() & under.keys())[start : start + rounds]
            made[key] = paired_ratio({at: over[at] for at in chosen}, under)
        yield made


def findings(table: Table, effect: float) -> Iterator[Finding]:
    """What is said of a table in which everything takes so much longer."""
    slowed = {key: slower(ratio, 1 + effect) for key, ratio in table.items()}
    return (one.finding for one in judge_table(slowed).values())


def slower(ratio: Estimate, factor: float) -> Estimate:
    """Rounds of a run, every one of them longer."""
    points = {number: factor * point for number, point in enumerate(ratio.points)}
    return paired_ratio(points, dict.fromkeys(points, 1.0))


def share(found: list[Finding]) -> float:
    """The rows called slower, of all."""
    return sum(one is Finding.SLOWER for one in found) / len(found)


def row(shares: Mapping[tuple[int, float], float], effect: float) -> str:
    """One known difference, by rounds."""
    cells = (shares.get((rounds, effect)) for rounds in ROUNDS)
    return f"{f'{effect:.0%}':<12}" + "".join(
        f"{'-' if one is None else f'{one:.0%}':>12}" for one in cells
    )


CHECK = Check(
    "power", "a difference of 10 % is found in 90 % of rows by a default run", run, order=6
)
