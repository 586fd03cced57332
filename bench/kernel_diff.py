"""Two kernels side by side on the instruction clock: a verdict a CI job can act on."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import guests, runner
from bench.model import Clock, Exit, Outcome
from bench.plan import GUEST, Settings
from bench.view import View

ROUNDS = 2
"""Boots of each kernel: the second shows how far the first can be trusted."""
SLOWER = 1
"""Exit code for a regression, as comparison tools have it."""


@dataclass(frozen=True)
class Figure:
    """One workload on one target of one kernel: instructions and requests per operation."""

    instructions: float
    spread: float
    """Relative distance between the boots' medians."""
    requests: float | None


def run(
    *,
    kernels: tuple[str, str],
    daemon: str,
    workloads: tuple[str, ...],
    threshold: float,
    output: Path | None,
    argv: list[str],
) -> int:
    """Measure both kernels and print the comparison; SLOWER when a row regressed by ``threshold`` %."""
    chosen = settings(kernels, daemon, workloads)
    result = guests.start(chosen, output or runner.default_output(), argv, View())
    if result.exit in (Exit.INTERRUPTED, Exit.NOTHING):
        return result.exit
    base, patched = (guests.parse(text)[0] for text in kernels)
    figures = summarize(result.run.trials())
    lines, regressed = compare(figures, base, patched, threshold)
    print("\n".join(lines))
    print(f"run: {result.run.path}")
    return SLOWER if regressed else result.exit


def settings(kernels: tuple[str, str], daemon: str, workloads: tuple[str, ...]) -> Settings:
    """Two boots of each kernel on the instruction clock."""
    return Settings(
        daemons=(daemon,),
        workloads=workloads,
        **GUEST,
        trials=ROUNDS,
        kernels=kernels,
        clock=Clock.INSTRUCTIONS.value,
    )


def summarize(records: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], Figure]:
    """(row, target without kernel, kernel) -> figure, over the trials that are ok."""
    grouped: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        if record["outcome"] == Outcome.OK:
            row = record["workload"] + (f"/{record['variant']}" if record["variant"] else "")
            target = record["target"].partition("@")[0]
            grouped.setdefault((row, target, record["kernel"]), []).append(record)
    return {key: _figure(trials) for key, trials in grouped.items()}


def _figure(trials: list[Mapping[str, Any]]) -> Figure:
    medians = [statistics.median(trial["values"]) for trial in trials]
    middle = statistics.median(medians)
    counted = [trial["requests"] for trial in trials if trial["requests"]]
    requests = None
    if counted and counted[-1]["kernel"] is not None:
        requests = sum(counted[-1]["kernel"].values()) / counted[-1]["ops"]
    return Figure(middle, (max(medians) - min(medians)) / middle, requests)


def compare(
    figures: Mapping[tuple[str, str, str], Figure], base: str, patched: str, threshold: float
) -> tuple[list[str], bool]:
    """Lines of a table of at most 78 columns, and whether a row regressed by ``threshold`` percent."""
    lines = [f"instructions per op, {base} and {patched}; change in %; requests per op", ""]
    lines.append(f"{'row':<19} {'target':<11} {base[:10]:>10} {patched[:10]:>10} {'change':>8} req")
    regressed = False
    for row, target in sorted({key[:2] for key in figures}):
        old, new = figures.get((row, target, base)), figures.get((row, target, patched))
        if old is None or new is None:
            lines.append(f"{row:<19} {target:<11} {'one kernel has no trial that is ok':>30}")
            continue
        change = 100 * (new.instructions / old.instructions - 1)
        noise = 100 * max(old.spread, new.spread)
        slower = change > threshold and change > noise
        regressed |= slower
        mark = " slower" if slower else ""
        lines.append(
            f"{row:<19} {target:<11} {old.instructions:>10.0f} {new.instructions:>10.0f} "
            f"{change:>+7.2f}% {_requests(old)}/{_requests(new)}{mark}"
        )
    return lines, regressed


def _requests(figure: Figure) -> str:
    return "-" if figure.requests is None else f"{figure.requests:.2f}"
