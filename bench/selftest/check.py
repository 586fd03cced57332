"""What a check is: a question with a bar, asked of simulated, recorded or fresh data."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from bench.stats.verdicts import percent


class Held(enum.StrEnum):
    """How a check came out."""

    YES = "ok"
    NO = "MISSED"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckRequest:
    """What a person asked for. ``quick`` takes fewer replicates; ``recorded`` are runs to look for
    A/A comparisons in, the fresh one among them; ``pair`` are two runs of the same settings."""

    quick: bool = False
    recorded: tuple[Path, ...] = ()
    pair: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class CheckResult:
    """What was found: lines of at most 72 columns for a person, figures for a program."""

    held: Held
    lines: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One check; each module of this package that has one defines it as CHECK.

    ``bar`` says what it must reach. ``order`` is its place in the output.
    """

    name: str
    bar: str
    run: Callable[[CheckRequest], CheckResult]
    order: int = 0


def held(met: bool) -> Held:
    """Whether a bar was met."""
    return Held.YES if met else Held.NO


def skipped(reason: str) -> CheckResult:
    """A check that could not be made, and why."""
    return CheckResult(Held.SKIPPED, (reason,), {"reason": reason})


def decimal(share: float) -> str:
    """``95.3%``, where whole per cents are too coarse for a bar."""
    return f"{100 * share:.1f}%"


def share_text(count: int, of: int) -> str:
    """``3 of 240 = 1.3% [0.3%,3.6%]``, with the interval of Clopper and Pearson."""
    exact = binomtest(count, of).proportion_ci(0.95, "exact")
    bounds = f"[{percent(exact.low)},{percent(exact.high)}]"
    return f"{count} of {of} = {percent(count / of)} {bounds}"
