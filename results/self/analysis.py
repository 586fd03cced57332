"""How long a large run takes to be read, judged and drawn: 10^6 samples in 500 series.

    python results/self/analysis.py [--keep DIR]

Writes a made-up run (100 rows, 5 targets, 20 rounds of 100 windows) and times ``report.py RUN
--format text`` and the whole report, each in a process of its own, with its peak memory. Writes
analysis.txt and analysis.json beside this file, unless --keep is given, which only looks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROWS, ROUNDS, WINDOWS = 100, 20, 100
TARGETS = {
    "native": ("native", 1.0),
    "plain-c": ("fuse", 9.0),
    "passthrough-c": ("fuse", 3.0),
    "plain": ("fuse", 40.0),
    "passthrough": ("fuse", 39.0),
}
NOISE, SHARED, CORRELATED = 0.02, 0.05, 0.75
BARS = {"text table": (3.0, 1024), "whole report": (20.0, 1024)}
"""Seconds and MiB."""


def main() -> int:
    """Write the run, time both reports, print and keep what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the run here and leave it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.keep or Path(folder) / "run"
        write_run(run)
        figures = {
            "text table": measure(run, "--format", "text"),
            "whole report": measure(run),
            "imports alone": measure(run, "--help"),
        }
    text = "$ python results/self/analysis.py\n"
    text += f"{ROWS * len(TARGETS)} series, {ROWS * len(TARGETS) * ROUNDS * WINDOWS} samples\n\n"
    for name, (seconds, mib) in figures.items():
        bar = "bar {:.0f} s, {} MiB".format(*BARS[name]) if name in BARS else ""
        text += f"{name:<16}{seconds:>8.2f} s{mib:>8.0f} MiB   {bar}".rstrip() + "\n"
    print(text, end="")
    if not arguments.keep:
        (HERE / "analysis.txt").write_text(text)
        kept = {name: {"s": round(s, 3), "mib": round(mib)} for name, (s, mib) in figures.items()}
        (HERE / "analysis.json").write_text(json.dumps(kept, indent=1) + "\n")
    return 0


def measure(run: Path, *options: str) -> tuple[float, float]:
    """Seconds of wall time and MiB of peak memory of one report."""
    began = time.monotonic()
    command = [sys.executable, "-m", "report", str(run), *options]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=HERE.parents[1])
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"report.py failed: {' '.join(command)}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def write_run(path: Path) -> None:
    """run.json and trials.jsonl of the made-up run."""
    path.mkdir(parents=True, exist_ok=True)
    header = {
        "schema": 1,
        "run": "made-up",
        "started": "2026-06-01T10:00:00+00:00",
        "argv": ["python", "results/self/analysis.py"],
        "settings": {"trials": ROUNDS},
        "targets": [
            {"name": name, "daemon": name, "kind": kind, "level_asked": level, "level": level}
            for name, (kind, _) in TARGETS.items()
            for level in ["attach-lookup" if name.startswith("passthrough") else "none"]
        ],
    }
    (path / "run.json").write_text(json.dumps(header))
    with (path / "trials.jsonl").open("w") as file:
        file.writelines(json.dumps(trial) + "\n" for trial in trials())


def trials() -> Iterator[dict[str, object]]:
    """Every trial; what a round shares is autocorrelated, windows are independent."""
    random = np.random.default_rng(20_260_601)
    shared = 0.0
    for number in range(ROUNDS):
        shared = CORRELATED * shared + float(random.normal(0, SHARED))
        for row in range(ROWS):
            for position, (target, (kind, times)) in enumerate(TARGETS.items()):
                noise = shared + random.normal(0, NOISE) + random.normal(0, NOISE, WINDOWS)
                fuse = kind == "fuse"
                through = target.startswith("passthrough")
                yield {
                    "series": f"row-{row:03}--warm--t1--{target}",
                    "target": target,
                    "workload": f"row-{row:03}",
                    "cache": "warm",
                    "placement": "same",
                    "attr_timeout": 0.0,
                    "entry_timeout": 0.0,
                    "round": number,
                    "position": position,
                    "outcome": "ok",
                    "op": "one made-up operation",
                    "values": [float(f"{v:.5e}") for v in 1e-6 * times * np.exp(noise)],
                    "requests": {"ops": 1000, "kernel": {"GETATTR": 1000}, "server": None}
                    if fuse
                    else None,
                    "expected": {"GETATTR": [1.0, 1.0]} if fuse else None,
                    "verdict": "engaged" if through else "baseline",
                }


if __name__ == "__main__":
    sys.exit(main())
