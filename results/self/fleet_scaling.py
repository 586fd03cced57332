"""How a matrix would scale to 64 workers: its boots handed out in a simulation, by recorded times.

    python results/self/fleet_scaling.py

The plan is the real one of the matrix iops (two rounds on one kernel); what a boot takes before its first
trial, and each trial by its target, is drawn from the times in fleet_scaling.json, recorded in four boots of
`kernel diff` on six rows. That machine was loaded, so seconds mean nothing, and two kinds of times were left
out by hand: trials of 30 s and more, boots of 5 s and less. Three boots and about 90 trials are what is left;
targets that were not among them take the times of plain-c. Tasks go to the first worker that is free, in the
order they are submitted in, as Dask does it. Writes fleet_scaling.txt beside this file.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.commands.main import parser
from bench.commands.run_settings import settings_from
from bench.model import Level
from bench.plan import schedule, shards
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings

HERE = Path(__file__).resolve().parent
WORKERS = (1, 2, 4, 8, 16, 32, 64)
SHARDS = (None, 32, 64, 96)
"""Boots a round is divided into; None: as many as the suite makes of it."""
ROUNDS = 2


def settings() -> Settings:
    """The matrix, as the command line has it."""
    words = ["run", "--matrix", "iops", "--kernel", "lab", "--clock", "instructions", "--seed", "1"]
    asked: argparse.Namespace = parser().parse_args(words)
    return shards.with_number(settings_from(asked))


def tasks(asked: Settings, recorded: dict[str, list[float]], boots: Sequence[float]) -> list[float]:
    """Seconds of every boot, in the order of submission."""
    planned = schedule.make(asked, KernelGives(Level.LOOKUP))
    chance = random.Random(1)
    found = []
    for number in range(ROUNDS):
        trials = [one for one in planned.trials if one.round == number]
        for shard in range(asked.shards):
            seconds = chance.choice(list(boots))
            for one in shards.shard(trials, shard, asked):
                target = one.series.target.partition(":")[0]
                seconds += chance.choice(recorded.get(target, recorded["plain-c"]))
            found.append(seconds)
    return found


def makespan(seconds: Sequence[float], workers: int) -> tuple[float, float]:
    """(when the last worker ends, how long before that the first has nothing more to do)."""
    free = [0.0] * workers
    for one in seconds:
        heapq.heappush(free, heapq.heappop(free) + one)
    return max(free), max(free) - min(free)


def main() -> None:
    """The table."""
    known = json.loads((HERE / "fleet_scaling.json").read_text())
    asked = settings()
    lines = [
        "Boots of the matrix iops (two rounds) on so many workers, simulated: speed-up over one worker",
        "with the shards of today, efficiency (speed-up / workers), tail (share of the whole time in",
        "which at least one worker has nothing left to do).",
        "",
    ]
    one = makespan(tasks(asked, known["trial"], known["boot"]), 1)[0]
    for count in SHARDS:
        divided = replace(asked, shards=count or asked.shards)
        seconds = tasks(divided, known["trial"], known["boot"])
        head = f"{divided.shards} shards a round" + ("" if count else " (as it is)")
        lines += [f"{head}, {len(seconds)} boots, longest {max(seconds) / one:.2%} of all", ""]
        lines.append(f"  {'workers':>8} {'speed-up':>9} {'efficiency':>11} {'tail':>6}")
        for workers in WORKERS:
            end, tail = makespan(seconds, workers)
            lines.append(
                f"  {workers:>8} {one / end:>9.1f} {one / end / workers:>11.0%} {tail / end:>6.0%}"
            )
        lines.append("")
    text = "\n".join(lines)
    (HERE / "fleet_scaling.txt").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
