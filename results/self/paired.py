"""What the self-benchmarks share: arms interleaved round by round, paired, and written down."""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Samples = dict[str, list[float]]
HERE = Path(__file__).parent


def interleave(
    arms: Mapping[str, Callable[[int], float]], rounds: int, seed: int = 1, pairs: int = 1
) -> Samples:
    """Each arm once per round, in an order shuffled anew; sample i of every arm is round i.

    With ``pairs`` 2, arms that follow each other in ``arms`` stay neighbours in time, in either
    order: what is subtracted from one another is measured within a millisecond.
    """
    samples: Samples = {name: [] for name in arms}
    names = list(arms)
    groups = [names[start : start + pairs] for start in range(0, len(names), pairs)]
    shuffler = random.Random(seed)
    for number in range(rounds):
        shuffler.shuffle(groups)
        for group in groups:
            shuffler.shuffle(group)
            for name in group:
                samples[name].append(round(arms[name](number), 2))
    return samples


def difference(samples: Samples, arm: str, base: str) -> list[float]:
    """arm - base, round by round."""
    return [a - b for a, b in zip(samples[arm], samples[base], strict=True)]


def ratio(samples: Samples, arm: str, base: str) -> list[float]:
    """arm / base, round by round."""
    return [a / b for a, b in zip(samples[arm], samples[base], strict=True)]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median and quartiles: ``1.02 (0.98 .. 1.07)``."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.{digits}f} ({low:.{digits}f} .. {high:.{digits}f})"


def verdict(value: float, bar: float, *, at_least: bool = False) -> str:
    """A bar and whether it is reached, judged by the median."""
    met = value >= bar if at_least else value <= bar
    return f"{'>=' if at_least else '<='} {bar:g} {'met' if met else 'MISSED'}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """Enough to know whether two outputs can be held side by side."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    return {
        "kernel": platform.release(),
        "cpu": model,
        "cpus": str(os.cpu_count()),
        "nice": str(os.nice(0)),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def publish(name: str, text: str, samples: Mapping[str, object]) -> None:
    """Print the text, and write it and the raw samples beside this file."""
    command = f"python results/self/{name}.py {' '.join(sys.argv[1:])}".strip()
    where = ", ".join(f"{key} {value}" for key, value in machine().items())
    text = f"$ {command}\n{where}\n\n{text}\n"
    print(text, end="")
    (HERE / f"{name}.txt").write_text(text)
    record = {"command": command, "machine": machine(), "samples": samples}
    (HERE / f"{name}.json").write_text(json.dumps(record) + "\n")
