"""What a request costs in `plain`, against pyfuse3's own passthroughfs example; and its scans.

    python results/self/plain_cost.py --example PATH/passthroughfs.py

The example comes with pyfuse3's source distribution, not with its wheel:
``pip download --no-binary :all: --no-deps pyfuse3``. Both serve the same directory of a tmpfs with
both timeouts 0, on the one CPU the client runs on, /dev/cpu_dma_latency held; every round mounts
each of them afresh, in random order, and ratios are taken within rounds. Requests are counted by
the kernel's tracepoint in a pass of their own. Writes plain_cost.json and plain_cost.txt beside
this file; exit 4 if `plain` costs more than the example.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyfuse3

from bench.machine import mountinfo, placement
from bench.model import DaemonOptions
from bench.requests import tracepoint
from daemons.plain import DAEMON as PLAIN

HERE = Path(__file__).parent
SCAN_SIZES = (1_000, 10_000, 100_000)
EXAMPLE_SCAN = 1_000  # it lists the directory again for every reply: 10 000 would take a minute
OPS = 3_000
DEADLINE_S = 30.0

Op = Callable[[Path], Callable[[], object]]


@contextlib.contextmanager
def served(command: list[str], mountpoint: Path, cpu: int) -> Iterator[Path]:
    """A server on ``mountpoint``, pinned; unmounted and ended afterwards."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        placement.pin(server.pid, {cpu})
        deadline = time.monotonic() + DEADLINE_S
        while mountinfo.find(mountpoint) is None:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[1]}: did not mount, exit {server.poll()}")
            time.sleep(0.01)
        yield mountpoint
        subprocess.run(["umount", mountpoint], check=True)
        server.wait(DEADLINE_S)
    finally:
        server.kill()
        server.wait()
        subprocess.run(["umount", "-lq", mountpoint], check=False, stderr=subprocess.DEVNULL)


def op_stat(root: Path) -> Callable[[], object]:
    """stat of a file in the root directory, by path."""
    path = f"{root}/file"
    return lambda: os.stat(path)  # noqa: PTH116 - a Path would cost more than the call


def op_fstat(root: Path) -> Callable[[], object]:
    """fstat of an open file: one GETATTR."""
    fd = os.open(root / "file", os.O_RDONLY)
    return lambda: os.fstat(fd)


OPS_TIMED: dict[str, Op] = {"stat": op_stat, "fstat": op_fstat}


def timed_us(call: Callable[[], object], ops: int) -> float:
    """Microseconds per call."""
    for _warm in range(200):
        call()
    start = time.perf_counter_ns()
    for _op in range(ops):
        call()
    return (time.perf_counter_ns() - start) / ops / 1000


def requests_per_op(root: Path, call: Callable[[], object]) -> float:
    """Requests one call makes, from the kernel's tracepoint."""
    entry = mountinfo.find(root)
    assert entry is not None
    with tracepoint.RequestCounter(entry.connection) as counter:
        counter.start()
        for _op in range(101):
            call()
        counter.stop()
        return sum(counter.read().values()) / 101


def scan_us(folder: Path, entries: int) -> float:
    """Microseconds per entry of one whole listing."""
    start = time.perf_counter_ns()
    found = len(os.listdir(folder))  # noqa: PTH208 - names only
    elapsed = time.perf_counter_ns() - start
    if found != entries:
        raise SystemExit(f"{folder}: {found} entries listed, wanted {entries}")
    return elapsed / entries / 1000


def measure(root: Path, sizes: tuple[int, ...]) -> dict[str, float]:
    """One round on one mount: time per request of each op, time per entry of each scan."""
    figures: dict[str, float] = {}
    for name, op in OPS_TIMED.items():
        call = op(root)
        requests = requests_per_op(root, call)
        figures[f"{name}/requests"] = requests
        figures[name] = timed_us(call, OPS) / requests
        if name == "fstat":
            os.close(call.__closure__[0].cell_contents)  # type: ignore[index]
    for size in sizes:
        figures[f"scan/{size}"] = scan_us(root / str(size), size)
    return figures


def fill(backing: Path) -> None:
    """A file, and one directory of empty files for each scan."""
    (backing / "file").write_bytes(b"x")
    for size in SCAN_SIZES:
        (backing / str(size)).mkdir()
        for number in range(size):
            os.mknod(backing / str(size) / f"entry-{number:07}")


def run(example: Path, rounds: int, seed: int) -> dict[str, object]:
    """All rounds; the raw figures by target."""
    cpu = max(os.sched_getaffinity(0))
    placement.pin(0, {cpu})
    shuffle = random.Random(seed)
    raw: dict[str, list[dict[str, float]]] = {"plain": [], "example": []}
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,
        placement.hold_cpu_dma_latency() as latency,
    ):
        backing, mountpoint = Path(folder, "backing"), Path(folder, "mnt")
        backing.mkdir()
        mountpoint.mkdir()
        fill(backing)
        assert PLAIN.argv is not None
        commands = {
            "plain": PLAIN.argv(backing, mountpoint, DaemonOptions()),
            "example": [sys.executable, str(example), str(backing), str(mountpoint)],
        }
        sizes = {"plain": SCAN_SIZES, "example": (EXAMPLE_SCAN,)}
        for number in range(rounds):
            for target in shuffle.sample(sorted(commands), 2):
                with served(commands[target], mountpoint, cpu) as root:
                    raw[target].append(measure(root, sizes[target]))
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return {"cpu_dma_latency": latency, "seed": seed, "ops": OPS, "rounds": raw}


def table(result: dict[str, object], command: str) -> tuple[str, bool]:
    """The figures as text, and whether the bar is met."""
    raw: dict[str, list[dict[str, float]]] = result["rounds"]  # type: ignore[assignment]
    lines = [
        f"$ {command}",
        f"Linux {platform.release()}, Python {platform.python_version()}, "
        f"pyfuse3 {pyfuse3.__version__}",
        f"client and server on one CPU, cpu_dma_latency {result['cpu_dma_latency']},",
        f"tmpfs, timeouts 0; median of {len(raw['plain'])} rounds, ratio within rounds [min max]",
        "",
        f"{'us per request':<16}{'requests/op':>12}{'plain':>9}{'example':>9}   plain/example",
    ]
    met = True
    for name in OPS_TIMED:
        counts = {median(rounds, name + "/requests") for rounds in raw.values()}
        if len(counts) != 1:
            raise SystemExit(f"{name}: requests per op differ, so times do not compare: {counts}")
        pairs = list(zip(raw["plain"], raw["example"], strict=True))
        ratios = [plain[name] / example[name] for plain, example in pairs]
        met &= statistics.median(ratios) <= 1
        lines.append(
            f"{name:<16}{median(raw['plain'], name + '/requests'):>12.2f}"
            f"{median(raw['plain'], name):>9.1f}{median(raw['example'], name):>9.1f}"
            f"   {statistics.median(ratios):.3f} [{min(ratios):.3f} {max(ratios):.3f}]"
        )
    lines += ["", f"{'us per entry':<16}{'entries':>12}{'plain':>9}{'example':>9}"]
    for size in SCAN_SIZES:
        name = f"scan/{size}"
        other = f"{median(raw['example'], name):>9.1f}" if size == EXAMPLE_SCAN else f"{'-':>9}"
        lines.append(f"{'listing':<16}{size:>12}{median(raw['plain'], name):>9.2f}{other}")
    lines += ["", f"bar: plain <= example per request: {'met' if met else 'NOT MET'}"]
    return "\n".join(lines) + "\n", met


def median(rounds: list[dict[str, float]], name: str) -> float:
    """Median of one figure over the rounds."""
    return statistics.median(figures[name] for figures in rounds)


def main() -> int:
    """Measure, write both files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--example", type=Path, required=True, metavar="PATH")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    result = run(options.example, options.rounds, options.seed)
    command = f"python results/self/plain_cost.py --example {options.example.name}"
    command += f" --rounds {options.rounds} --seed {options.seed}"
    text, met = table(result, command)
    (HERE / "plain_cost.json").write_text(json.dumps({"command": command, **result}) + "\n")
    (HERE / "plain_cost.txt").write_text(text)
    print(text, end="")
    return 0 if met else 4


if __name__ == "__main__":
    sys.exit(main())
