"""What it costs a request to be looked at: by the kernel's two tracepoints, by the server's clock.

    python results/self/attribution_cost.py [--rounds 400]

One mount of `plain-c`, client and server on one CPU, /dev/cpu_dma_latency held. Windows of 100
fstats, one GETATTR each, are interleaved in shuffled order: with nothing armed, with the server's
clock on, with the kernel's records on, and with both, as an attribution pass has them. What is
given is the difference to nothing armed, paired by round. Writes attribution_cost.txt and
attribution_cost.json beside this file.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from paired import difference, interleave, publish, spread, table
from plain_c_cost import Served

from bench.machine import placement
from bench.model import DaemonOptions
from bench.requests import counters
from bench.requests.times import RequestTimes
from daemons.plain_c import DAEMON as PLAIN_C
from workloads._native.opdriver import Driver

FILES = 64
# A millisecond: most windows end before a busy machine takes the CPU away.
WINDOW = 100
NOTHING = "nothing armed"


@contextmanager
def recording(times: RequestTimes) -> Iterator[None]:
    """The kernel's records on."""
    times.start()
    try:
        yield
    finally:
        times.stop()


def arms(driver: Driver, times: RequestTimes, file: Path) -> dict[str, Callable[[int], float]]:
    """A window of each kind: ns per operation by round."""

    def window(kernel: bool, server: bool) -> Callable[[int], float]:
        def take(_number: int) -> float:
            with (
                counters.timing(file) if server else nullcontext(),
                recording(times) if kernel else nullcontext(),
            ):
                return driver.run(WINDOW).ns / WINDOW

        return take

    return {
        NOTHING: window(False, False),
        "server's clock": window(False, True),
        "kernel's records": window(True, False),
        "both": window(True, True),
    }


def main() -> int:
    """Mount, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400, metavar="N")
    rounds = parser.parse_args().rounds
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        backing, file = folder / "backing", folder / "counters"
        backing.mkdir()
        names = [f"file{number}" for number in range(FILES)]
        for name in names:
            (backing / name).touch()
        stack.enter_context(placement.hold_cpu_dma_latency())
        assert PLAIN_C.argv is not None
        command = PLAIN_C.argv(backing, folder / "mnt", DaemonOptions(counters=file))
        served = Served(command, folder / "mnt", {cpu})
        stack.callback(served.end)
        driver = Driver("fstat", served.root, names)
        stack.callback(driver.close)
        times = stack.enter_context(RequestTimes(served.connection))
        driver.run(FILES * 4)
        samples = interleave(arms(driver, times, file), rounds)
    rows = [["fstat on plain-c: one GETATTR", "ns/request (quartiles)", "more"]]
    for name in samples:
        more = "" if name == NOTHING else spread(difference(samples, name, NOTHING), 0)
        rows.append([name, spread(samples[name], 0), more])
    publish("attribution_cost", table(rows), samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
