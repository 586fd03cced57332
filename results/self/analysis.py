"""How long a large run takes to be read, judged and drawn: 10^6 samples in 500 series.

    python results/self/analysis.py [--keep DIR]

Writes a made-up run (100 rows, 5 targets, 20 rounds of 100 windows) and times ``report.py RUN
--format text`` and the whole report, with the peak memory of all its processes together. Writes
analysis.txt and analysis.json beside this file, unless --keep is given, which only looks.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
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
SAMPLE_S = 0.25
"""Between two looks at the memory; peaks only ever rise."""


def main() -> int:
    """Write the run, time both reports, print and keep what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the run here and leave it")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.keep or Path(folder) / "run"
        write_run(run)
        figures = {
            "text table": measure(run, "--format", "text"),
            "whole report": measure(run),
            "imports alone": measure(run, "--help"),
        }
    text = "$ python results/self/analysis.py\n"
    text += f"{ROWS * len(TARGETS)} series, {ROWS * len(TARGETS) * ROUNDS * WINDOWS} samples, "
    text += f"{len(os.sched_getaffinity(0))} CPUs, load {load:.1f} before\n\n"
    for name, found in figures.items():
        bar = "bar {:.0f} s, {} MiB".format(*BARS[name]) if name in BARS else ""
        told = f"{found['s']:>8.2f} s ({found['cpu_s']:.2f} s of CPU){found['mib']:>8.0f} MiB"
        text += f"{name:<16}{told}   {bar}".rstrip() + "\n"
    print(text, end="")
    if not arguments.keep:
        (HERE / "analysis.txt").write_text(text)
        (HERE / "analysis.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measure(run: Path, *options: str) -> dict[str, float]:
    """Seconds of wall time and of CPU of one report, and MiB of its processes' peaks, added up.

    A sum of peaks is more than was ever in use at once: what processes share counts in each.
    """
    began = time.monotonic()
    command = [sys.executable, "-m", "report", str(run), *options]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=HERE.parents[1])
    peaks_kib: dict[int, int] = {}
    watch = threading.Thread(target=watch_memory, args=(child.pid, peaks_kib))
    watch.start()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - began
    watch.join()
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"report.py failed: {' '.join(command)}")
    peaks_kib[child.pid] = max(peaks_kib.get(child.pid, 0), usage.ru_maxrss)
    return {
        "s": round(seconds, 3),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
        "mib": round(sum(peaks_kib.values()) / 1024),
    }


def watch_memory(pid: int, peaks_kib: dict[int, int]) -> None:
    """Until it ends: the peak of a process and of each of its children, by process (proc(5))."""
    with contextlib.suppress(OSError):
        while True:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for process in (pid, *map(int, children)):
                with contextlib.suppress(OSError):
                    status = Path(f"/proc/{process}/status").read_text()
                    if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
                        peaks_kib[process] = int(found[1])
            time.sleep(SAMPLE_S)


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
