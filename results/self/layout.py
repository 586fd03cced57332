"""Whether it matters where the parts of a worker lie in memory: workers forked from one process, and not.

    python results/self/layout.py [PARENTS [FORKS]]

A new Python has a layout of its own (ASLR); all forks of one share theirs. PARENTS processes (default
10) are started, and in turn, one after another, each forks a child, FORKS times (default 10), that measures
fstat or stat by path on a tmpfs: the median of five windows of 30 ms. If layouts matter, medians of one
parent's children are more like one another than like those of others: the share of the variance that is
between parents, by one-way analysis of variance, with the probability of as large a one by chance.
Writes layout.txt beside this file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

HERE = Path(__file__).resolve().parent
FILES, WINDOWS, NS = 1000, 5, 30e6
OPS = {"fstat": "fstat", "stat by path": "statx-path"}

PARENT = """
import os, statistics, sys
from workloads._native.opdriver import Driver
folder, files, windows, ns = sys.argv[1], *map(int, sys.argv[2:])
import pyperf
names = [f"f{number:05}" for number in range(files)]
def child(op):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with Driver(op, folder, names, order="random", seed=1) as driver:
        done = driver.run(20_000)
        ops = max(1, round(20_000 * ns / done.ns))
        driver.run(ops)
        found = [driver.run(ops).ns / ops for _ in range(windows)]
    return statistics.median(found)
for op in sys.stdin:
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(writing, repr(child(op.strip())).encode())
        os._exit(0)
    os.close(writing)
    print(os.read(reading, 1000).decode(), flush=True)
    os.close(reading)
    os.waitpid(pid, 0)
"""


def parent(folder: str) -> subprocess.Popen[str]:
    """A new process that forks a child for each line it is told, and tells its median in ns."""
    words = [sys.executable, "-c", PARENT, folder, *map(str, (FILES, WINDOWS, int(NS)))]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def asked(process: subprocess.Popen[str], op: str) -> float:
    """One child's median."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{op}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def told(name: str, groups: list[list[float]]) -> str:
    """One line of the table."""
    values = np.array(groups)
    within = values.var(axis=1, ddof=1).mean()
    between = max(values.mean(axis=1).var(ddof=1) - within / values.shape[1], 0.0)
    middle = float(np.median(values))
    share, chance = between / (between + within), stats.f_oneway(*groups).pvalue
    spreads = (100 * float(np.sqrt(one)) / middle for one in (within, between))
    inside, apart = spreads
    return (
        f"{name:14}{middle:9.1f}{inside:12.2f} %{apart:14.2f} %{100 * share:11.0f} %{chance:10.3f}"
    )


def main() -> int:
    """Measure in turn, print, write."""
    parents = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    forks = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory(prefix="bench-layout-", dir="/dev/shm") as folder:
        for number in range(FILES):
            (Path(folder) / f"f{number:05}").touch()
        started = [parent(folder) for _ in range(parents)]
        found: dict[str, list[list[float]]] = {op: [[] for _ in started] for op in OPS.values()}
        for _ in range(forks):
            for op, groups in found.items():
                for process, group in zip(started, groups, strict=True):
                    group.append(asked(process, op))
        for process in started:
            process.communicate()
    lines = [
        f"$ python results/self/layout.py {parents} {forks}",
        f"kernel {os.uname().release}, {os.cpu_count()} CPUs; {parents} processes, {forks} forks of each",
        "",
        "                    ns  within one   between them  of variance    chance",
        *(told(name, found[op]) for name, op in OPS.items()),
    ]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (HERE / "layout.txt").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
