"""The run that would give a report what this one has nothing to draw of."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bench.model import Clock
from bench.report.studies.scaling import ENTRIES, THREADS, NumberAxis, Scaling
from bench.stats.frame import Run

SIZES = (10, 100, 1000, 10_000)


class Want(NamedTuple):
    """What is missing, and the command that would measure it."""

    said: str
    command: str


def wanting(run: Run, made: Sequence[Scaling]) -> list[Want]:
    """One for each axis without a chart."""
    return [
        Want(f"no row of this run was measured at several {axis.several}", command(run, axis))
        for axis in (THREADS, ENTRIES)
        if not any(one.axis is axis for one in made)
    ]


def command(run: Run, axis: NumberAxis) -> str:
    """What measures this run's servers, on its kernels, at several points of an axis."""
    settings = run.about.get("settings") or {}
    parts = settings.get("parts") or [settings]
    foreign = {
        text.partition("=")[0].partition(":")[0]: text for text in _all([settings], "foreign")
    }
    points = SIZES if axis is ENTRIES else _threads(run)
    options = {
        "--daemon": [foreign.get(name, name) for name in _all(parts, "daemons")],
        "--level": _all(parts, "levels"),
        "--kernel": _all([settings], "kernels"),
        "--clock": _clock(settings, axis),
        "--workload": [axis.workload],
        axis.axis.flag: [",".join(map(str, points))],
    }
    words = [word for option, given in options.items() for one in given for word in (option, one)]
    return shlex.join(["python", "-m", "bench", "run", *words])


def _all(parts: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """What any of these settings has of it, each once."""
    return list(dict.fromkeys(str(value) for part in parts for value in part.get(key) or ()))


def _clock(settings: Mapping[str, Any], axis: NumberAxis) -> list[str]:
    """The run's own, except that threads take turns on the one CPU of a guest that counts."""
    counting = settings.get("clock") == Clock.INSTRUCTIONS
    return [Clock.INSTRUCTIONS.value] if counting and axis is ENTRIES else []


def _threads(run: Run) -> list[int]:
    """1, 2, 4, ... up to the machine's CPUs; two where they are not recorded."""
    count = (run.about.get("environment") or {}).get("cpu_count")
    most = count if isinstance(count, int) else 2
    return [2**power for power in range(max(most.bit_length(), 2))]
