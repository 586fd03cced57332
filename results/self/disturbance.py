"""Are disturbed trials found, and quiet ones left alone? A run with a hog beside every third trial.

    python results/self/disturbance.py [ROUNDS] [KIND ...]

As root, on a machine where nothing else runs. For each kind of hog (none, cpu, memory, io) a small run
is made, trial by trial; a hog of that kind works beside each third trial, free to go to any CPU.
Writes disturbance.txt and disturbance.json beside this file.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import isolate
from bench.model import Outcome
from bench.plan import schedule
from bench.plan.settings import Settings
from bench.run import trial
from bench.run.phases import Phases
from bench.run.prepare import prepared
from bench.run.view import View

HERE = Path(__file__).resolve().parent
KINDS = ("none", "cpu", "memory", "io")
EACH = 3
"""Every third trial has the hog."""
HOG_BYTES = 512 << 20
FOUND, MARKED = 0.90, 0.01
"""What is to be reached: shares of hogged trials found, and of quiet ones marked."""


def hog(kind: str, folder: str) -> None:
    """Until it is killed: compute, touch memory, or write to a disk past its cache."""
    if kind == "memory":
        area = mmap.mmap(-1, HOG_BYTES)
        while True:
            for at in range(0, HOG_BYTES, mmap.PAGESIZE):
                area[at] = 1
            area.madvise(mmap.MADV_DONTNEED)
    if kind == "io":
        block = mmap.mmap(-1, 1 << 20)  # aligned, as O_DIRECT wants it
        file = os.open(f"{folder}/hog", os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o600)
        while True:
            os.pwrite(file, block, random.randrange(256) << 20)
    while True:
        pass


@contextmanager
def beside(kind: str, folder: str, cpus: set[int]) -> Iterator[None]:
    """A hog at work."""
    child = os.fork()
    if not child:
        try:
            os.sched_setaffinity(0, cpus)
            hog(kind, folder)
        finally:
            os._exit(1)
    try:
        time.sleep(0.05)
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def measured(kind: str, rounds: int) -> list[tuple[bool, str]]:
    """Of each trial whether there was a hog, and what the runner said of it."""
    view, found = View(quiet=True), []
    settings = Settings(
        daemons=("plain-c",),
        workloads=("getattr-storm/path", "readdir", "read-random"),
        tree="tiny",
        trials=rounds,
        seed=15,
    )
    every = os.sched_getaffinity(0)
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        prepared(settings, view, Phases()) as (bench, gives),
    ):
        bench.logs = Path(folder)
        for number, one in enumerate(schedule.make(settings, gives).trials):
            hogged = kind != "none" and number % EACH == 0
            if hogged:
                with beside(kind, folder, every):
                    record, _ = trial.run(bench, one)
            else:
                record, _ = trial.run(bench, one)
            if record["outcome"] == Outcome.OK:
                found.append((hogged, str(record.get("disturbed", ""))))
    return found


def in_a_child(kind: str, rounds: int) -> list[tuple[bool, str]]:
    """As ``measured``, in a process of its own: each has a namespace of its own."""
    reader, writer = os.pipe()

    def work() -> int:
        with os.fdopen(writer, "w") as out:
            json.dump(measured(kind, rounds), out)
        return 0

    child = isolate.fork(work, cpus=os.sched_getaffinity(0), stderr=sys.stderr.buffer)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    child.wait()
    return [(bool(hogged), said) for hogged, said in json.loads(text)]


def main() -> int:
    """Measure, print, write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    kinds = sys.argv[2:] or KINDS
    load = os.getloadavg()[0]
    rows, lines = [], [f"load average before: {load:.1f}; {rounds} rounds, {os.uname().release}"]
    for kind in kinds:
        seen = in_a_child(kind, rounds)
        hogged = [said for was, said in seen if was]
        quiet = [said for was, said in seen if not was]
        row = {
            "hog": kind,
            "hogged": len(hogged),
            "found": sum(map(bool, hogged)),
            "quiet": len(quiet),
            "marked": sum(map(bool, quiet)),
            "said": sorted({said for _, said in seen if said})[:12],
        }
        rows.append(row)
        lines.append(
            f"{kind:<8} found {row['found']} of {row['hogged']} (bar {FOUND:.0%}), "
            f"marked {row['marked']} of {row['quiet']} quiet ones (bar {MARKED:.0%})"
        )
        print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    made = datetime.now(UTC).isoformat(timespec="seconds")
    (HERE / "disturbance.txt").write_text(text)
    (HERE / "disturbance.json").write_text(
        json.dumps({"made": made, "load": load, "rounds": rounds, "kinds": rows}, indent=1) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
