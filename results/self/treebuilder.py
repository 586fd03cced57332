"""The tree builder against a bare mkdirat + mknodat loop, and the preset ``large`` end to end.

Arms are interleaved in shuffled order and compared round by round; a round's CPU share tells
whether the second CPU was there to be had (2.00) or busy with something else (1.00).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from paired import Samples, interleave, publish, ratio, spread, table, verdict

from workloads._native import bareloops, treebuilder
from workloads.tree import TreeSpec, parse_tree

SHAPE = "branching=30,files_per_dir=100"
MIB = 1 << 20


@contextmanager
def emptied(home: Path) -> Iterator[int]:
    """A descriptor of a fresh directory that is gone afterwards."""
    home.mkdir()
    fd = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        treebuilder.remove(fd, "tree")
        os.close(fd)
        home.rmdir()


def bare(home: Path, spec: TreeSpec) -> float:
    """Files per second of the bare loop."""
    with emptied(home):
        (home / "tree").mkdir()
        ns = bareloops.create(
            str(home / "tree"), spec.depth, spec.branching, spec.files_per_dir, spec.name_length
        )
    return spec.file_count / ns * 1e9


def built(home: Path, spec: TreeSpec, threads: int, shares: list[float]) -> float:
    """Files per second of the builder; appends CPU time per wall time."""
    shape = (spec.depth, spec.branching, spec.files_per_dir, spec.name_length, 0, spec.seed)
    with emptied(home) as fd:
        cpu, wall = time.process_time(), time.perf_counter()
        treebuilder.build(fd, shape, threads, 0, 0, None)
        wall = time.perf_counter() - wall
        shares.append((time.process_time() - cpu) / wall)
    return spec.file_count / wall


LARGE = """
import json, pathlib, sys, time
from workloads import tree
spec, home = tree.parse_tree("large"), pathlib.Path(sys.argv[1])
first = tree.build(spec, home)
again = tree.build(spec, home)
assert not first.reused and again.reused
start = time.monotonic()
tree.remove(home)
status = pathlib.Path("/proc/self/status").read_text()
peak = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM"))
print(json.dumps([first.seconds, again.seconds, time.monotonic() - start, peak * 1024]))
"""


def large(home: Path) -> list[float]:
    """Seconds to build, to check for reuse and to remove, and peak bytes, in a fresh process."""
    command = [sys.executable, "-c", LARGE, str(home)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(value) for value in output.strip("[]\n").split(",")]


def names_ms(spec: TreeSpec) -> float:
    """Milliseconds to lay out 10^5 paths as Python strings."""
    start = time.perf_counter()
    spec.file_paths(0, 100_000)
    return (time.perf_counter() - start) * 1e3


def report(samples: Samples, runs: list[list[float]], names: list[float]) -> str:
    def against(arm: str, bar: float, what: str) -> list[str]:
        values = ratio(samples, arm, "bare")
        return [what, spread(values, 2), verdict(statistics.median(values), bar, at_least=True)]

    def figure(values: list[float], what: str, bar: float | None = None) -> list[str]:
        told = verdict(statistics.median(values), bar) if bar else ""
        return [what, spread(values, 2), told]

    rows = [
        ["", "median (quartiles)", "bar"],
        against("one thread", 0.9, "one thread / bare loop"),
        against("two threads", 1.3, "two threads / bare loop"),
        figure([v / 1e3 for v in samples["bare"]], "bare loop, 1000 files/s"),
        figure([v / 1e3 for v in samples["one thread"]], "one thread, 1000 files/s"),
        figure([v / 1e3 for v in samples["two threads"]], "two threads, 1000 files/s"),
        figure(samples["share 2"], "two threads: CPUs' worth of time got"),
        figure([run[0] for run in runs], "large (1e6 files): build, s", 3.0),
        figure([run[1] for run in runs], "large: reuse check, s", 1.0),
        figure([run[2] for run in runs], "large: remove, s"),
        figure([run[3] / MIB for run in runs], "large: peak memory, MiB", 64.0),
        figure(names, "1e5 paths as strings, ms"),
    ]
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backing", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--large", type=int, default=5, help="times the preset large is built")
    options = parser.parse_args()
    home: Path = options.backing / f"bench-self-{os.getpid()}"
    spec = parse_tree(SHAPE)
    shares: dict[int, list[float]] = {1: [], 2: []}
    arms: dict[str, Callable[[int], float]] = {
        "bare": lambda _number: bare(home, spec),
        "one thread": lambda _number: built(home, spec, 1, shares[1]),
        "two threads": lambda _number: built(home, spec, 2, shares[2]),
    }
    bare(home, spec)  # once untimed: the kernel's slabs grow
    samples = interleave(arms, options.rounds)
    samples |= {"share 1": shares[1], "share 2": shares[2]}
    runs = [large(home) for _ in range(options.large)]
    names = [names_ms(parse_tree("large")) for _ in range(options.rounds)]
    text = f"tree {SHAPE}: {spec.file_count:,} files\n\n{report(samples, runs, names)}"
    publish("treebuilder", text, {**samples, "large": runs, "names_ms": names})


if __name__ == "__main__":
    main()
