"""The tree builder against a bare mkdirat + mknodat loop, and the preset ``large`` end to end.

Arms are interleaved in shuffled order and compared round by round. On a shared machine the second
CPU may be busy with something else: the CPU time two threads got (2.00 at best) is shown, and the
speed-up is told three ways: over all rounds, over rounds that got both CPUs, and from CPU time.
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


Clocks = tuple[float, float]
"""CPU and wall seconds of one build."""


def bare(home: Path, spec: TreeSpec, clocks: list[Clocks]) -> float:
    """Files per second of the bare loop."""
    with emptied(home):
        (home / "tree").mkdir()
        cpu = time.process_time()
        ns = bareloops.create(
            str(home / "tree"), spec.depth, spec.branching, spec.files_per_dir, spec.name_length
        )
        clocks.append((time.process_time() - cpu, ns / 1e9))
    return spec.file_count / ns * 1e9


def built(home: Path, spec: TreeSpec, threads: int, clocks: list[Clocks]) -> float:
    """Files per second of the builder."""
    with emptied(home) as fd:
        cpu, wall = time.process_time(), time.perf_counter()
        treebuilder.build(fd, spec.shape, threads, 0, 0, None)
        wall = time.perf_counter() - wall
        clocks.append((time.process_time() - cpu, wall))
    return spec.file_count / wall


LARGE = """
import json, pathlib, sys, time
from workloads import tree
spec, home = tree.parse_tree("large"), pathlib.Path(sys.argv[1])
cpu = time.process_time()
first = tree.build(spec, home)
cpu = time.process_time() - cpu
again = tree.build(spec, home)
assert not first.reused and again.reused
start = time.monotonic()
tree.remove(home)
status = pathlib.Path("/proc/self/status").read_text()
peak = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM"))
print(json.dumps([first.seconds, again.seconds, time.monotonic() - start, peak * 1024, cpu]))
"""


def large(home: Path) -> list[float]:
    """Seconds to build, to check for reuse and to remove, peak bytes and CPU seconds to build."""
    command = [sys.executable, "-c", LARGE, str(home)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(value) for value in output.strip("[]\n").split(",")]


def names_ms(spec: TreeSpec) -> float:
    """Milliseconds to lay out 10^5 paths as Python strings."""
    start = time.perf_counter()
    spec.file_paths(0, 100_000)
    return (time.perf_counter() - start) * 1e3


def two_threads(samples: Samples, clocks: dict[str, list[Clocks]]) -> list[list[str]]:
    """The speed-up of two threads, told three ways."""
    ratios = ratio(samples, "two threads", "bare")
    shares = [cpu / wall for cpu, wall in clocks["two threads"]]
    both = [value for value, share in zip(ratios, shares, strict=True) if share >= 1.8]
    pairs = zip(clocks["bare"], clocks["two threads"], strict=True)
    implied = [2 * one[0] / two[0] for one, two in pairs]

    def row(what: str, values: list[float]) -> list[str]:
        if len(values) < 3:
            return [what, f"{len(values)} rounds", ""]
        return [what, spread(values, 2), verdict(statistics.median(values), 1.3, at_least=True)]

    return [
        row("two threads / bare loop, all rounds", ratios),
        row(f"  the {len(both)} of {len(ratios)} rounds that got both CPUs", both),
        row("  from CPU time, as if both CPUs were free", implied),
        ["  CPUs' worth of time they got", spread(shares, 2), ""],
    ]


def report(
    samples: Samples, clocks: dict[str, list[Clocks]], runs: list[list[float]], names: list[float]
) -> str:
    def against(arm: str, bar: float, what: str) -> list[str]:
        values = ratio(samples, arm, "bare")
        return [what, spread(values, 2), verdict(statistics.median(values), bar, at_least=True)]

    def figure(values: list[float], what: str, bar: float | None = None) -> list[str]:
        told = verdict(statistics.median(values), bar) if bar else ""
        return [what, spread(values, 2), told]

    rows = [
        ["", "median (quartiles)", "bar"],
        against("one thread", 0.9, "one thread / bare loop"),
        *two_threads(samples, clocks),
        figure([v / 1e3 for v in samples["bare"]], "bare loop, 1000 files/s"),
        figure([v / 1e3 for v in samples["one thread"]], "one thread, 1000 files/s"),
        figure([v / 1e3 for v in samples["two threads"]], "two threads, 1000 files/s"),
        figure([run[0] for run in runs], "large (1e6 files): build, s", 3.0),
        figure([run[4] / 2 for run in runs], "  half its CPU time, s", 3.0),
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
    clocks: dict[str, list[Clocks]] = {"bare": [], "one thread": [], "two threads": []}
    arms: dict[str, Callable[[int], float]] = {
        "bare": lambda _number: bare(home, spec, clocks["bare"]),
        "one thread": lambda _number: built(home, spec, 1, clocks["one thread"]),
        "two threads": lambda _number: built(home, spec, 2, clocks["two threads"]),
    }
    bare(home, spec, [])  # once untimed: the kernel's slabs grow
    samples = interleave(arms, options.rounds)
    runs = [large(home) for _ in range(options.large)]
    names = [names_ms(parse_tree("large")) for _ in range(options.rounds)]
    text = f"tree {SHAPE}: {spec.file_count:,} files\n\n{report(samples, clocks, runs, names)}"
    publish("treebuilder", text, {**samples, "clocks": clocks, "large": runs, "names_ms": names})


if __name__ == "__main__":
    main()
