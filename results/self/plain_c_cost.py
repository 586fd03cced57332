"""What a request costs in `plain-c`, against libfuse's passthrough_ll and passthrough_hp; how its
throughput grows with a second CPU; and its memory per inode.

    python results/self/plain_c_cost.py --passthrough-ll PATH --passthrough-hp PATH

The two are examples of libfuse's source (`apt-get source fuse3`); no package installs them, so give
binaries built from it, with the flags named below. All serve one directory of a tmpfs, timeouts 0,
default_permissions, no splicing, /dev/cpu_dma_latency held. In a block every server is mounted
once, and short windows on all of them are interleaved in shuffled order; ratios are taken within
rounds, their interval by resampling blocks. Requests are counted by the kernel's tracepoint, and
rows whose counts differ are not compared. Exit 4 if a bar is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from paired import Samples, interleave, publish, table, verdict

from bench.machine import mountinfo, placement
from bench.model import DaemonOptions
from bench.requests import tracepoint
from daemons._command import MIRROR
from daemons.plain_c import DAEMON as PLAIN_C
from workloads import tree
from workloads._native.opdriver import Driver
from workloads.tree import Data, parse_tree

OPS = {"fstat": "fstat: one GETATTR", "statx-path": "statx by path, one level deep"}
FILES = 64
# Under a millisecond of GETATTRs: most windows end before a busy machine takes the CPU away.
WINDOW = 100
DEADLINE_S = 30.0
RESAMPLES = 2_000

Command = Callable[[Path, Path], list[str]]


def plain_c(*extra: str) -> Command:
    """plain-c as the runner starts it, and further options."""

    def command(backing: Path, mountpoint: Path) -> list[str]:
        assert PLAIN_C.argv is not None
        argv = PLAIN_C.argv(backing, mountpoint, DaemonOptions())
        return [argv[0], *extra, *argv[1:]]

    return command


def passthrough_ll(binary: Path, *extra: str) -> Command:
    """passthrough_ll, caching nothing."""

    def command(backing: Path, mountpoint: Path) -> list[str]:
        options = f"source={backing},timeout=0,cache=never,default_permissions"
        return [str(binary), "-f", *extra, "-o", options, str(mountpoint)]

    return command


def passthrough_hp(binary: Path, *extra: str) -> Command:
    """passthrough_hp, caching nothing."""
    flags = ["--foreground", "--nosplice", "--nocache", *extra]
    return lambda backing, mountpoint: [str(binary), *flags, str(backing), str(mountpoint)]


class Served:
    """A server on a mountpoint of its own, gone when the stack unwinds."""

    def __init__(self, command: list[str], root: Path, cpus: set[int]) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        quiet = subprocess.DEVNULL
        # Its threads follow from the CPUs it finds.
        own = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cpus)
        self.process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        os.sched_setaffinity(0, own)
        deadline = time.monotonic() + DEADLINE_S
        while (entry := mountinfo.find(root)) is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]}: did not mount, exit {self.process.poll()}")
            time.sleep(0.002)
        self.connection = entry.connection

    def rss_kib(self) -> int:
        """Resident memory now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if "VmRSS" in line)

    def end(self) -> None:
        """Unmount and wait; by force if it must be."""
        subprocess.run(["umount", "-l", self.root], check=False)
        # libfuse's own loop with clone_fd sometimes misses the unmount: seen once in 40.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def serving(
    commands: Mapping[str, Command], backing: Path, folder: Path, cpus: set[int]
) -> Iterator[dict[str, Served]]:
    """Every server, on a mount of its own."""
    with contextlib.ExitStack() as stack:
        servers: dict[str, Served] = {}
        for name, command in commands.items():
            root = folder / name.replace(" ", "-")
            root.mkdir(exist_ok=True)
            servers[name] = Served(command(backing, root), root, cpus)
            stack.callback(servers[name].end)
        yield servers


def names() -> list[str]:
    """The files a window visits."""
    return [f"file{number}" for number in range(FILES)]


@contextlib.contextmanager
def laid_out() -> Iterator[tuple[tuple[Path, Path], str]]:
    """A backing with the files and the folder it is in, CPUs kept awake; what became of that."""
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as name,
        placement.hold_cpu_dma_latency() as latency,
    ):
        place = Path(name, "backing"), Path(name)
        place[0].mkdir()
        for file in names():
            (place[0] / file).touch()
        yield place, latency


def requests_per_op(served: Served, driver: Driver) -> float:
    """Requests of one operation, from the kernel's tracepoint."""
    with tracepoint.RequestCounter(served.connection) as counter:
        counter.start()
        driver.run(FILES)
        counter.stop()
        return sum(counter.read().values()) / FILES


def block(servers: Mapping[str, Served], op: str, threads: int, rounds: int, seed: int) -> Samples:
    """Interleaved windows on all mounts, us per operation (of all threads together)."""
    drivers = {
        name: Driver(op, served.root, names(), threads=threads) for name, served in servers.items()
    }
    for driver in drivers.values():
        driver.run(FILES * 4)
    counts = {round(requests_per_op(servers[name], drivers[name]), 2) for name in servers}
    if len(counts) != 1:
        raise SystemExit(f"{op}: requests per op differ, so times do not compare: {counts}")

    def window(driver: Driver) -> Callable[[int], float]:
        return lambda _number: driver.run(WINDOW).ns / WINDOW / 1000

    samples = interleave({name: window(drivers[name]) for name in drivers}, rounds, seed)
    for driver in drivers.values():
        driver.close()
    samples["requests"] = [counts.pop()]
    return samples


def ratio_interval(blocks: Sequence[Samples], arm: str, base: str) -> tuple[float, float, float]:
    """Median of the paired ratios and its 95 % interval, blocks resampled."""
    ratios = [
        [a / b for a, b in zip(samples[arm], samples[base], strict=True)] for samples in blocks
    ]
    chance = random.Random(1)
    medians = sorted(
        statistics.median(value for part in chance.choices(ratios, k=len(ratios)) for value in part)
        for _ in range(RESAMPLES)
    )
    middle = statistics.median(value for part in ratios for value in part)
    return middle, medians[RESAMPLES // 40], medians[-RESAMPLES // 40]


def median_us(blocks: Sequence[Samples], arm: str) -> float:
    """Median over all windows."""
    return statistics.median(value for samples in blocks for value in samples[arm])


def cost_rows(raw: Mapping[str, Sequence[Samples]]) -> tuple[list[list[str]], bool]:
    """Single-threaded servers on the client's CPU, per request."""
    rows = [["one CPU, one thread each", "us/request", "plain-c / it [95 %]", "bar"]]
    met = True
    for op, blocks in raw.items():
        requests = blocks[0]["requests"][0]
        for name, bar in (("plain-c", None), ("passthrough_ll", 1.1), ("passthrough_hp", 1.0)):
            cells = [f"{op}, {requests:g} requests: {name}"]
            cells.append(f"{median_us(blocks, name) / requests:.2f}")
            if bar is None:
                rows.append([*cells, "", ""])
                continue
            middle, low, high = ratio_interval(blocks, "plain-c", name)
            met &= middle <= bar
            rows.append([*cells, f"{middle:.3f} [{low:.3f} {high:.3f}]", verdict(middle, bar)])
    return rows, met


def scaling_rows(
    one: Mapping[str, Sequence[Samples]], two: Mapping[str, Sequence[Samples]]
) -> tuple[list[list[str]], bool]:
    """Throughput of two client threads on two CPUs over that of one on one."""
    rows = [["second CPU and client thread", "kops/s 1 > 2", "throughput", "bar"]]
    met = True
    for op, blocks in two.items():
        gained = {
            name: median_us(one[op], name) / median_us(blocks, name)
            for name in blocks[0]
            if name != "requests"
        }
        for name, gain in gained.items():
            rates = [1000 / median_us(part, name) for part in (one[op], blocks)]
            text = ""
            if name == "plain-c":
                possible = (
                    max(value for other, value in gained.items() if other != "plain-c") >= 1.6
                )
                text = verdict(gain, 1.6, at_least=True)
                if not possible:
                    text += " (nor by passthrough_ll: no bar)"
                met &= gain >= 1.6 or not possible
            shown = f"{rates[0]:.0f} > {rates[1]:.0f}"
            rows.append([f"{op}: {name}", shown, f"x {gain:.2f}", text])
    return rows, met


def memory(folder: Path, cpu: int) -> dict[str, float]:
    """RSS of plain-c with a million inodes looked up, every one still known."""
    spec = parse_tree("large")
    home = folder / "million"
    tree.build(spec, home, data=Data(0, 0))
    root = folder / "memory"
    root.mkdir()
    command = [str(MIRROR), "--entry-timeout", "100000", "--attr-timeout", "100000"]
    try:
        served = Served([*command, "--", str(home), str(root)], root, {cpu})
        try:
            (root / "nothing").exists()
            before = served.rss_kib()
            packed = spec.packed("f", 0, spec.file_count)
            with Driver("statx-path", root, packed) as driver:
                first = [driver.run(10_000).ns / 1e7 for _ in range(spec.file_count // 10_000)]
            after = served.rss_kib()
        finally:
            served.end()
    finally:
        tree.remove(home)
    inodes = spec.file_count + spec.dir_count
    tenth = len(first) // 10
    return {
        "inodes": inodes,
        "rss_before_kib": before,
        "rss_after_kib": after,
        "bytes_per_inode": (after - before) * 1024 / inodes,
        "first_tenth_us": statistics.median(first[:tenth]),
        "last_tenth_us": statistics.median(first[-tenth:]),
    }


def memory_rows(figures: Mapping[str, float]) -> tuple[list[list[str]], bool]:
    """Bytes per inode, and that the millionth lookup costs what the first did."""
    each = figures["bytes_per_inode"]
    rows = [
        ["memory of plain-c", "", "", "bar"],
        [f"RSS per inode at {figures['inodes']:.0f}", f"{each:.0f} bytes", "", verdict(each, 200)],
        [
            "first contact, us: first, last tenth",
            f"{figures['first_tenth_us']:.1f}, {figures['last_tenth_us']:.1f}",
            f"x {figures['last_tenth_us'] / figures['first_tenth_us']:.2f}",
            "",
        ],
    ]
    return rows, each <= 200


def blocks_of(
    commands: Mapping[str, Command], place: tuple[Path, Path], cpus: set[int], threads: int,
    options: argparse.Namespace,
) -> dict[str, list[Samples]]:  # fmt: skip
    """All blocks of all operations; each block has mounts of its own."""
    raw: dict[str, list[Samples]] = {op: [] for op in OPS}
    os.sched_setaffinity(0, cpus)
    for number in range(options.blocks):
        with serving(commands, *place, cpus) as servers:
            for op in OPS:
                raw[op].append(block(servers, op, threads, options.rounds, number))
        print(f"block {number + 1} of {options.blocks}, {len(cpus)} CPUs", file=sys.stderr)
    return raw


def main() -> int:
    """Measure, write both files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--passthrough-ll", type=Path, required=True, metavar="PATH")
    parser.add_argument("--passthrough-hp", type=Path, required=True, metavar="PATH")
    parser.add_argument("--blocks", type=int, default=20, help="times all servers are mounted")
    parser.add_argument("--rounds", type=int, default=200, help="windows per server in a block")
    parser.add_argument("--no-memory", action="store_true", help="without the million inodes")
    options = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))[-2:]
    low, high = options.passthrough_ll, options.passthrough_hp
    single = {
        "plain-c": plain_c("--threads", "1"),
        "passthrough_ll": passthrough_ll(low, "-s"),
        "passthrough_hp": passthrough_hp(high, "--single"),
    }
    several = {
        "plain-c": plain_c("--threads", "2", "--clone-fd"),
        "passthrough_ll": passthrough_ll(low, "-o", "clone_fd"),
    }
    with laid_out() as (place, latency):
        cost = blocks_of(single, place, {cpus[-1]}, 1, options)
        one = blocks_of(several, place, {cpus[-1]}, 1, options)
        two = blocks_of(several, place, set(cpus), 2, options)
        million = {} if options.no_memory else memory(place[1], cpus[-1])
    parts = [cost_rows(cost), scaling_rows(one, two)]
    parts += [memory_rows(million)] if million else []
    text = f"cpu_dma_latency {latency}; {options.blocks} blocks of {options.rounds} windows of "
    text += f"{WINDOW} ops\n\n" + "\n\n".join(table(rows) for rows, _met in parts)
    sys.argv = [arg if "/" not in arg else Path(arg).name for arg in sys.argv]
    publish("plain_c_cost", text, {"cost": cost, "one": one, "two": two, "memory": million})
    return 0 if all(met for _rows, met in parts) else 4


if __name__ == "__main__":
    sys.exit(main())
