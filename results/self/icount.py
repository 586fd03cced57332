"""How far boots of one kernel are apart on the instruction clock, warm row by warm row; bar 0.1 %.

    python results/self/icount.py RUN

RUN is a run of two or more boots: ``bench run --kernel lab --clock instructions``, whose rounds do
the same work, or one image under two labels (``--kernel a=lab --kernel b=lab``). Writes icount.txt
and icount.json beside this file; exit 1 when the bar is missed.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BAR_PERCENT = 0.1

Boots = list[float]
"""Instructions per operation, by boot: the median of its windows."""


def same_work(trials: list[dict[str, Any]]) -> dict[tuple[str, str, int], Boots]:
    """(row, target, seed of names) -> what every boot made of it, warm rows that are ok only."""
    found: dict[tuple[str, str, int], Boots] = defaultdict(list)
    for trial in trials:
        if (trial["outcome"], trial["cache"]) == ("ok", "warm"):
            row = trial["workload"] + (f"/{trial['variant']}" if trial["variant"] else "")
            target = trial["target"].partition("@")[0]
            found[row, target, trial["seed"]].append(statistics.median(trial["values"]))
    return {key: boots for key, boots in found.items() if len(boots) > 1}


def apart_percent(boots: Boots) -> float:
    """Distance between the farthest boots, in percent of the least."""
    return 100 * (max(boots) - min(boots)) / min(boots)


def worst_by_row(
    compared: dict[tuple[str, str, int], Boots],
) -> list[tuple[str, str, float, float]]:
    """(row, target, instructions per operation, percent apart at worst), worst row last."""
    rows: dict[tuple[str, str], list[Boots]] = defaultdict(list)
    for (row, target, _), boots in compared.items():
        rows[row, target].append(boots)
    worst = [
        (row, target, min(boots[0]), max(apart_percent(one) for one in boots))
        for (row, target), boots in rows.items()
    ]
    return sorted(worst, key=lambda entry: entry[3])


def main() -> int:
    """Read, print, write."""
    run = Path(sys.argv[1])
    header = json.loads((run / "run.json").read_text())
    images = {kernel["image"] for kernel in header["kernels"]}
    trials = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    rows = worst_by_row(same_work(trials))
    if header["clock"] != "instructions" or len(images) != 1 or not rows:
        print(f"{run}: no two boots of one image did the same work on the instruction clock")
        return 2
    missed = sum(percent > BAR_PERCENT for *_, percent in rows)
    verdict = "met" if not missed else f"missed by {missed}"
    text = f"$ python results/self/icount.py RUN\nLinux {header['kernels'][0]['release']}, "
    text += f"{header['settings']['trials'] * len(header['kernels'])} boots of one image\n\n"
    text += f"{'warm row':<20}{'target':<41}{'insn/op':>9}{'apart':>9}\n"
    for row, target, instructions, percent in rows:
        text += f"{row:<20}{target:<41}{instructions:>9.0f}{percent:>8.3f}%\n"
    text += f"\n{len(rows)} rows, worst {rows[-1][3]:.3f} %; bar {BAR_PERCENT} %: {verdict}\n"
    print(text, end="")
    (HERE / "icount.txt").write_text(text)
    figures = {f"{row} {target}": round(percent, 4) for row, target, _, percent in rows}
    (HERE / "icount.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
