"""What the suite adds to a server that is not ours: its numbers through the suite over those by hand.

    python results/self/foreign_by_hand.py [--blocks N] [--server 'COMMAND {backing} {mountpoint}']

A block is one `bench run` of the server, a trial of each row, and the same by hand: the server
started with nothing around it on the same tree and CPUs, and the op driver run on its mount, on the
same files, in windows of as many operations. Which of the two comes first is drawn for each block.
Ratios are taken within blocks; the interval is by resampling blocks. Exit 4 if a ratio is 2 % or
more from 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paired import publish, table, verdict

from bench.machine import mountinfo, placement
from workloads import tree
from workloads._native.opdriver import Driver

ROWS = {"getattr-storm/fd": "fstat", "getattr-storm/path": "statx-path"}
TREE = "tiny"
NAMES = 1000
"""A storm goes round so many files (plan.Settings.names), or all there are; drawn by the trial's seed."""
WINDOWS = 20
BAR = 0.02
RESAMPLES = 4_000
DEADLINE_S = 30.0
BINDFS = (
    "bindfs -f -o attr_timeout={attr_timeout},entry_timeout={entry_timeout} {backing} {mountpoint}"
)

Block = dict[str, dict[str, list[float]]]
"""By row, then by ``suite`` and ``hand``: seconds per operation of every window."""


def through_the_suite(server: str, backing: Path, output: Path) -> dict[str, dict[str, Any]]:
    """The trials of one round of a run, by row, as a person would ask for it."""
    command = [sys.executable, "-m", "bench", "run", "--daemon", f"foreign={server}", "--only"]
    command += ["--tree", TREE, "--backing", str(backing), "--output", str(output)]
    command += ["--trials", "1", "--values", str(WINDOWS), "--seed", "1", "--no-report", "--quiet"]
    for row in ROWS:
        command += ["--workload", row]
    subprocess.run(command, check=True)
    lines = (output / "trials.jsonl").read_text().splitlines()
    trials = {f"{one['workload']}/{one['variant']}": one for one in map(json.loads, lines)}
    for row, trial in trials.items():
        if trial["outcome"] != "ok":
            raise SystemExit(f"{row}: {trial['outcome']}: {trial['reason']}")
    return trials


class ByHand:
    """The server on a mount of its own, started by its bare command."""

    def __init__(self, server: str, backing: Path, root: Path, cpus: set[int]) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        values = {"backing": backing, "mountpoint": root, "attr_timeout": 0, "entry_timeout": 0}
        own = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cpus)
        self.process = subprocess.Popen([word.format(**values) for word in shlex.split(server)])
        os.sched_setaffinity(0, own)
        deadline = time.monotonic() + DEADLINE_S
        while mountinfo.find(root) is None:
            if self.process.poll() not in (None, 0) or time.monotonic() > deadline:
                raise SystemExit(f"{server}: did not mount, exit {self.process.poll()}")
            time.sleep(0.002)

    def __enter__(self) -> Path:
        return self.root

    def __exit__(self, *_error: object) -> None:
        subprocess.run(["umount", self.root], check=True)
        self.process.wait(DEADLINE_S)


def by_hand(
    server: str, home: Path, root: Path, known: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[float]]:
    """Seconds per operation of the same rows, files and windows, on a mount of ours each."""
    spec = tree.parse_tree(TREE)
    measured = {}
    for row, trial in known.items():
        count = min(NAMES, spec.file_count)
        numbers = random.Random(trial["seed"]).sample(range(spec.file_count), count)
        files = [spec.file_path(number) for number in numbers]
        os.sched_setaffinity(0, trial["cpus"]["client"])
        ops = trial["loops"] * trial["ops_per_loop"]
        with (
            ByHand(server, home, root, set(trial["cpus"]["daemon"])) as mounted,
            Driver(ROWS[row], mounted, files) as driver,
        ):
            driver.run(ops)
            measured[row] = [driver.run(ops).ns / ops / 1e9 for _ in range(WINDOWS)]
    return measured


def block(server: str, folder: Path, number: int, known: Mapping[str, Mapping[str, Any]]) -> Block:
    """Both ways, in drawn order; ``known`` are trials that say how large windows are."""
    backing, root, output = folder / "backing", folder / "mnt", folder / f"run-{number}"
    (home,) = [path for path in backing.iterdir() if path.is_dir()]
    hand_first = random.Random(number).random() < 0.5
    hand = by_hand(server, home, root, known) if hand_first else {}
    trials = through_the_suite(server, backing, output)
    hand = hand or by_hand(server, home, root, known)
    return {row: {"suite": trials[row]["values"], "hand": hand[row]} for row in ROWS}


def estimate(blocks: Sequence[Block], row: str) -> tuple[float, float, float]:
    """Median over blocks of suite / hand, and its 95 % interval."""
    ratios = [
        statistics.median(one[row]["suite"]) / statistics.median(one[row]["hand"]) for one in blocks
    ]
    chance = random.Random(1)
    medians = sorted(
        statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES)
    )
    return statistics.median(ratios), medians[RESAMPLES // 40], medians[-RESAMPLES // 40]


def main() -> int:
    """Measure, write both files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--blocks", type=int, default=30, help="times both ways are measured")
    parser.add_argument("--server", default=BINDFS, metavar="COMMAND", help="default: bindfs")
    options = parser.parse_args()
    blocks: list[Block] = []
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as name,
        placement.hold_cpu_dma_latency() as latency,
    ):
        folder = Path(name)
        (folder / "backing").mkdir()
        known = through_the_suite(options.server, folder / "backing", folder / "first")
        for number in range(1, options.blocks + 1):
            blocks.append(block(options.server, folder, number, known))
            print(f"block {number} of {options.blocks}", file=sys.stderr)
    rows = [[f"suite / by hand, {options.blocks} blocks", "by hand, us", "ratio [95 %]", "bar"]]
    met = True
    for row in ROWS:
        middle, low, high = estimate(blocks, row)
        hand = statistics.median(value for one in blocks for value in one[row]["hand"])
        apart = max(middle, 1 / middle)
        met &= apart < 1 + BAR
        ratio = f"{middle:.4f} [{low:.4f} {high:.4f}]"
        rows.append([row, f"{hand * 1e6:.2f}", ratio, verdict(apart, 1 + BAR)])
    text = f"server: {options.server}\ncpu_dma_latency {latency}\n\n{table(rows)}"
    publish("foreign_by_hand", text, {"blocks": blocks})
    return 0 if met else 4


if __name__ == "__main__":
    sys.exit(main())
