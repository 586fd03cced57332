"""What the op driver costs above a bare C loop, and whether that depends on the number of files.

One process, pinned to one CPU, arms interleaved in shuffled order and compared round by round.
A bare loop over the same names is slower at 10^6 files than at 10^4 because the kernel's own
caches miss; what the driver adds is shown apart from that.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path

from paired import Samples, difference, interleave, publish, ratio, spread, table, verdict

from workloads import tree
from workloads._native import bareloops
from workloads._native.opdriver import Driver
from workloads.tree import Data, TreeSpec, parse_tree

# Windows of a millisecond: most of them end before a busy machine takes the CPU away.
WINDOW = 1_000
# Then each arm has visited each of 10^6 names once: parts of a tree differ by 50 ns per statx.
ROUNDS = 10**6 // WINDOW
EMPTY = 10_000
LEAVES = 10
CHANGES = ("chmod", "utimes", "mknod", "unlink")
"""One-syscall operations that change something, beside statx."""

Arm = Callable[[int], float]


def opposite(total: int, window: int, number: int) -> int:
    """Where a window starts half a cycle from the one the driver is at; or else whichever arm came
    second in a round would find what the first had just touched (1.0 us per statx for 1.4)."""
    windows = total // window
    return (number + windows // 2) % windows * window


def statx_arms(home: Path, spec: TreeSpec, tag: str) -> dict[str, Arm]:
    """Bare loop and driver over all names of a tree, one window of it per round."""
    packed = spec.packed("f", 0, spec.file_count)
    names = bareloops.names(packed)
    driver = Driver("statx-path", home, packed)
    shuffled = Driver("statx-path", home, packed, order="random", seed=1)

    def bare(number: int) -> float:
        first = opposite(spec.file_count, WINDOW, number)
        return bareloops.statx(str(home), names, first, WINDOW) / WINDOW

    def driven(_number: int) -> float:
        return driver.run(WINDOW).ns / WINDOW

    def random_order(_number: int) -> float:
        return shuffled.run(WINDOW).ns / WINDOW

    return {
        f"bare {tag}": bare,
        f"driver {tag}": driven,
        f"empty {tag}": lambda _number: driver.empty_loop_ns(EMPTY),
        f"random {tag}": random_order,
        f"empty-random {tag}": lambda _number: shuffled.empty_loop_ns(EMPTY),
        f"empty-timed {tag}": lambda _number: driver.empty_loop_ns(EMPTY, histogram=True),
    }


def fixed_arms(home: Path, spec: TreeSpec, items: int, tag: str) -> dict[str, Arm]:
    """The driver stepping through many items that all name one file: the kernel's part is fixed."""
    driver = Driver("statx-path", home, (spec.file_path(0).encode() + b"\0") * items)
    return {f"fixed {tag}": lambda _number: driver.run(WINDOW).ns / WINDOW}


def scan_arms(home: Path, spec: TreeSpec) -> dict[str, Arm]:
    """Raw getdents64 and the driver, ns per entry, a few leaves of a tree at a time."""
    packed = spec.packed("d", spec.first_leaf, spec.leaf_count)
    names = bareloops.names(packed)
    driver = Driver("scan", home, packed, expected=spec.files_per_dir)

    def bare(number: int) -> float:
        first = opposite(spec.leaf_count, LEAVES, number)
        return bareloops.scan(str(home), names, first, LEAVES) / (LEAVES * spec.files_per_dir)

    def driven(_number: int) -> float:
        result = driver.run(LEAVES)
        return result.ns / result.entries

    return {"bare scan": bare, "driver scan": driven}


def change_arms(home: Path) -> dict[str, Arm]:
    """Bare loop and driver that set attributes of the same files, make new ones and remove them."""
    names = [f"n{number:04}" for number in range(WINDOW)]
    packed = "".join(f"{name}\0" for name in names).encode()
    laid_out = bareloops.names(packed)
    for name in ("set", "bare", "driver"):
        (home / name).mkdir(parents=True)

    def bare(op: str, folder: str) -> float:
        loop: Callable[..., int] = getattr(bareloops, op)
        return loop(str(home / folder), laid_out, 0, WINDOW) / WINDOW

    def driven(op: str, folder: str) -> float:
        with Driver(op, home / folder, packed, once=True) as driver:
            return driver.run(WINDOW).ns / WINDOW

    bare("mknod", "set")
    setters = {op: Driver(op, home / "set", packed) for op in ("chmod", "utimes")}

    def making(loop: Callable[[str, str], float], folder: str) -> Arm:
        def arm(_number: int) -> float:
            taken = loop("mknod", folder)
            bare("unlink", folder)
            return taken

        return arm

    def removing(loop: Callable[[str, str], float], folder: str) -> Arm:
        def arm(_number: int) -> float:
            bare("mknod", folder)
            return loop("unlink", folder)

        return arm

    arms: dict[str, Arm] = {}
    for op, driver in setters.items():
        arms[f"bare {op}"] = lambda _number, op=op: bare(op, "set")  # type: ignore[misc]
        arms[f"driver {op}"] = lambda _number, driver=driver: (  # type: ignore[misc]
            driver.run(WINDOW).ns / WINDOW
        )
    arms["bare mknod"], arms["driver mknod"] = making(bare, "bare"), making(driven, "driver")
    arms["bare unlink"], arms["driver unlink"] = removing(bare, "bare"), removing(driven, "driver")
    return arms


def report(samples: Samples) -> str:
    def above(arm: str, base: str, bar: float | None, what: str) -> list[str]:
        values = difference(samples, arm, base)
        told = verdict(statistics.median(values), bar) if bar else ""
        return [what, spread(values), told]

    def cost(arm: str, what: str) -> list[str]:
        return [what, spread(samples[arm], 2 if arm.startswith("empty") else 1), ""]

    def grown(kind: str, what: str, bar: float | None = None) -> list[str]:
        values = ratio(samples, f"{kind} 1e6", f"{kind} 1e4")
        told = verdict(statistics.median(values), bar) if bar else ""
        return [what, spread(values, 3), told]

    own = [
        (d6 / b6) / (d4 / b4)
        for d6, b6, d4, b4 in zip(
            *(samples[arm] for arm in ("driver 1e6", "bare 1e6", "driver 1e4", "bare 1e4")),
            strict=True,
        )
    ]
    rows = [
        ["ns per op", "median (quartiles)", "bar"],
        above("driver 1e4", "bare 1e4", 30, "driver above bare, statx, 1e4 files"),
        above("driver 1e6", "bare 1e6", 30, "driver above bare, statx, 1e6 files"),
        above("driver scan", "bare scan", 10, "driver above raw getdents64, per entry"),
        *(
            above(f"driver {op}", f"bare {op}", 30, f"driver above bare, {op}, 1e3 files")
            for op in CHANGES
        ),
        *(
            [
                f"driver / bare, {op}",
                spread(ratio(samples, f"driver {op}", f"bare {op}"), 3),
                "",
            ]
            for op in CHANGES
        ),
        cost("bare 1e4", "bare statx, 1e4 files"),
        cost("driver 1e4", "driver statx, 1e4 files"),
        cost("bare 1e6", "bare statx, 1e6 files"),
        cost("driver 1e6", "driver statx, 1e6 files"),
        cost("bare scan", "raw getdents64, per entry"),
        cost("driver scan", "driver scan, per entry"),
        cost("empty 1e4", "empty loop, 1e4 items"),
        cost("empty 1e6", "empty loop, 1e6 items"),
        cost("empty-random 1e6", "empty loop, 1e6 items, random order"),
        cost("empty-timed 1e4", "empty loop with histogram"),
        ["", "", ""],
        ["cost at 1e6 / cost at 1e4", "", ""],
        grown("fixed", "driver, every item the same file", 1.05),
        [
            "driver over bare, each on its own names",
            spread(own, 3),
            verdict(statistics.median(own), 1.05),
        ],
        grown("bare", "bare loop: the kernel's caches"),
        grown("driver", "driver: the same"),
        grown("random", "driver, random order: the same"),
    ]
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backing", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    small, large = parse_tree("small"), parse_tree("large")
    homes = [options.backing / f"bench-self-{spec.hash}" for spec in (small, large)]
    try:
        for spec, home in zip((small, large), homes, strict=True):
            tree.build(spec, home, data=Data(0, 0))
        arms = {
            **statx_arms(homes[0], small, "1e4"),
            **statx_arms(homes[1], large, "1e6"),
            **fixed_arms(homes[0], small, 10**4, "1e4"),
            **fixed_arms(homes[0], small, 10**6, "1e6"),
            **scan_arms(homes[0], small),
            **change_arms(homes[0] / "changes"),
        }
        samples = interleave(arms, options.rounds, pairs=2)
    finally:
        shutil.rmtree(homes[0] / "changes", ignore_errors=True)
        for home in homes:
            if home.exists():
                tree.remove(home)
    publish("opdriver", report(samples), samples)


if __name__ == "__main__":
    main()
