"""What a second client thread on a second CPU brings: `plain-c`, and libfuse's passthrough_ll.

    python results/self/threads.py --example PATH

PATH is passthrough_ll built from libfuse's source (`apt-get source fuse3`), run with clone_fd; no
package installs it, and without it there is no bar. Every server is mounted four times: for one
client thread and for two, and placed as `same` (client and server share as many CPUs as the client
has threads) and as `free` (both anywhere). Short windows on all mounts are interleaved in shuffled
order, gains are taken within rounds. Exit 4 if the bar is missed where passthrough_ll reaches it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from paired import Samples, interleave, publish, table, verdict
from plain_c_cost import (
    FILES,
    OPS,
    Command,
    Served,
    laid_out,
    median_us,
    names,
    passthrough_ll,
    plain_c,
    ratio_interval,
)

from bench.machine import placement
from bench.model import Placement
from workloads._native.opdriver import Driver

BAR = 1.6
WINDOW = 1000
"""Ops of a window: ten milliseconds, in which the scheduler can put two new threads on two CPUs."""
EXAMPLE = "passthrough_ll"


@dataclass(frozen=True)
class Arm:
    """A server for so many client threads, on these CPUs."""

    server: str
    mode: Placement
    threads: int
    cpus: tuple[int, ...]

    @property
    def name(self) -> str:
        """``plain-c same 2``."""
        return f"{self.server} {self.mode} {self.threads}"


def arms(servers: Sequence[str], usable: Sequence[int]) -> list[Arm]:
    """Every server, placement and number of client threads."""
    found = []
    for mode in (Placement.SAME, Placement.FREE):
        for server in servers:
            for threads in (1, 2):
                cpus = placement.choose(mode, usable, threads).client
                found.append(Arm(server, mode, threads, cpus or tuple(usable)))
    return found


def window(arm: Arm, driver: Driver) -> Callable[[int], float]:
    """One timed window: us per operation, of all threads together."""

    def one(_number: int) -> float:
        os.sched_setaffinity(0, arm.cpus)  # the driver's threads inherit it
        return driver.run(WINDOW).ns / WINDOW / 1000

    return one


def block(
    commands: Mapping[str, Command], every: Sequence[Arm], place: tuple[Path, Path], op: str,
    rounds: int, seed: int,
) -> Samples:  # fmt: skip
    """Every arm on a mount of its own, windows interleaved."""
    backing, folder = place
    with ExitStack() as stack:
        windows = {}
        for number, arm in enumerate(every):
            root = folder / f"mount{number}"
            root.mkdir(exist_ok=True)
            served = Served(commands[arm.server](backing, root), root, set(arm.cpus))
            stack.callback(served.end)
            driver = stack.enter_context(Driver(op, root, names(), threads=arm.threads))
            driver.run(FILES * 4)
            windows[arm.name] = window(arm, driver)
        return interleave(windows, rounds, seed)


def rows(
    raw: Mapping[str, Sequence[Samples]], every: Sequence[Arm]
) -> tuple[list[list[str]], bool]:
    """The gain of every server and placement, and whether the bar is met where there is one."""
    found = [["two client threads", "kops/s 1 > 2", "throughput [95 %]", "bar"]]
    met = True
    for op, blocks in raw.items():
        gains = {
            (arm.mode, arm.server): ratio_interval(blocks, f"{arm.server} {arm.mode} 1", arm.name)
            for arm in every
            if arm.threads == 2
        }
        for (mode, server), (gain, low, high) in gains.items():
            rates = [1000 / median_us(blocks, f"{server} {mode} {n}") for n in (1, 2)]
            text = ""
            if server == "plain-c":
                example = gains.get((mode, EXAMPLE), (0.0, 0.0, 0.0))[0]
                text = verdict(gain, BAR, at_least=True)
                if gain < BAR and example < BAR:
                    text += f" (nor by {EXAMPLE}: no bar)" if example else " (no example: no bar)"
                met &= gain >= BAR or example < BAR
            shown = f"{rates[0]:.0f} > {rates[1]:.0f}"
            found.append(
                [f"{op}, {mode}: {server}", shown, f"x {gain:.2f} [{low:.2f} {high:.2f}]", text]
            )
    return found, met


def main() -> int:
    """Measure, write both files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--example", type=Path, metavar="PATH", help="passthrough_ll")
    parser.add_argument("--blocks", type=int, default=12, help="times all servers are mounted")
    parser.add_argument("--rounds", type=int, default=50, help="windows per mount in a block")
    options = parser.parse_args()
    usable = sorted(os.sched_getaffinity(0))[-2:]
    if len(usable) < 2:
        raise SystemExit("threads.py: needs two CPUs")
    commands = {"plain-c": plain_c("--threads", "2", "--clone-fd")}
    if options.example:
        commands[EXAMPLE] = passthrough_ll(options.example, "-o", "clone_fd")
    every = arms(list(commands), usable)
    raw: dict[str, list[Samples]] = {op: [] for op in OPS}
    with laid_out() as (place, latency):
        for number in range(options.blocks):
            for op in OPS:
                raw[op].append(block(commands, every, place, op, options.rounds, number))
            print(f"block {number + 1} of {options.blocks}", file=sys.stderr)
    found, met = rows(raw, every)
    text = f"cpu_dma_latency {latency}; {options.blocks} blocks of {options.rounds} windows of "
    sys.argv = [arg if "/" not in arg else Path(arg).name for arg in sys.argv]
    publish("threads", f"{text}{WINDOW} ops\n\n{table(found)}", raw)
    return 0 if met else 4


if __name__ == "__main__":
    sys.exit(main())
