"""Is a server that is 3 % slower shown as such within 60 s of measuring, and one that is 0 % not?

    python results/self/three_percent.py [--times 5] [--backing DIR]

Both are our C mirror under another name: one holds every GETATTR of a warm storm back for as long as
makes the operation 3 % slower, found in a short run before; the other for 0 s. The wait itself is less
than 3 %, as caches cool meanwhile (bench.run.delayed.BASE_NS). Their rounds are interleaved with the
mirror's own, and cut where the trials of a pair, mounting included, have taken 60 s. The verdicts are
those of every report (bench.stats.verdicts). Writes three_percent.txt and three_percent.json beside this
file. Exit 4 if one of the verdicts is wrong.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from paired import publish, table

from bench.model import Exit, UserError
from bench.report import words
from bench.run.delayed import DAEMON, Repeat, cut, held_back, make_run, pairs_of, read
from bench.stats.estimates import Estimate, paired_ratio
from bench.stats.verdicts import Finding, judge_table

SHARE = 0.03
WITHIN_S = 60.0
FIRST_NS, FIRST_ROUNDS = 200, 20
WANTED = {"3 %": Finding.SLOWER, "0 %": None}
"""What a verdict has to be; None: anything but faster or slower."""


def delay_and_rounds(first: Repeat) -> tuple[int, int]:
    """The delay in ns that costs 3 %, and how many rounds the 60 s of a pair have room for."""
    arm = first[DAEMON]
    slower = paired_ratio(held_back(first, FIRST_NS).seconds, arm.seconds).value - 1
    pair_s = 2 * statistics.median(arm.took_s.values())
    return round(FIRST_NS * SHARE / slower), max(round(WITHIN_S / pair_s), 3)


def ratios(run: Repeat, delay_ns: int) -> dict[str, Estimate]:
    """Both comparisons of a run, cut to the time."""
    spans = {
        share: cut(pairs_of([run], ns), WITHIN_S)[0]
        for share, ns in (("3 %", delay_ns), ("0 %", 0))
    }
    return {share: paired_ratio(over, under) for share, (over, under, _) in spans.items()}


def rows_of(number: int, found: Mapping[str, Estimate]) -> tuple[list[list[str]], bool]:
    """Lines of the table, and whether both verdicts are right."""
    judged = judge_table(found)
    rows, right = [], True
    for share, estimate in found.items():
        judgement = judged[share]
        wanted = WANTED[share]
        met = judgement.finding is wanted if wanted else not judgement.decided
        right &= met
        cells = [str(number), share, words.ratio_text(estimate, DAEMON), f"{estimate.n}"]
        rows.append([*cells, judgement.finding.value, "met" if met else "MISSED"])
    return rows, right


def main() -> int:
    """Measure, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5, metavar="N", help="repeats (default: 5)")
    parser.add_argument("--backing", type=Path, metavar="DIR", help="as of bench run")
    asked = parser.parse_args()
    rows = [["repeat", "slower by", "ratio [95 %]", "rounds", "verdict", ""]]
    raw, right = [], True
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, asked.times + 1):
            first, whole = Path(folder) / f"first-{number}", Path(folder) / f"whole-{number}"
            make_run(first, (FIRST_NS,), FIRST_ROUNDS, number, asked.backing)
            delay_ns, rounds = delay_and_rounds(read(first))
            print(
                f"repeat {number}: a wait of {delay_ns} ns costs 3 %; {rounds} rounds",
                file=sys.stderr,
            )
            make_run(whole, (delay_ns, 0), rounds, number, asked.backing)
            run = read(whole)
            more, met = rows_of(number, ratios(run, delay_ns))
            rows, right = rows + more, right and met
            raw.append({"delay_ns": delay_ns, **{name: vars(arm) for name, arm in run.items()}})
    publish("three_percent", table(rows), {"repeats": raw})
    return Exit.MEASURED if right else Exit.PROOF_FAILED


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"three_percent: {error}")
