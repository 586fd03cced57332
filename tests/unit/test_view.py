"""What a person sees during a run: running medians, each with its unit."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from bench.model import Clock
from bench.run import view


def record(target: str, *values: float, **changes: Any) -> dict[str, Any]:
    """A finished trial, as far as the view looks at it."""
    return {
        "series": f"readdir--warm--{target}",
        "workload": "readdir",
        "target": target,
        "outcome": "ok",
        "values": list(values),
        "clock": "wall",
    } | changes


def shown(medians: view.Medians) -> str:
    """The table as text."""
    console = Console(file=io.StringIO(), width=80)
    console.print(medians.table())
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_comparison_measured_last_is_shown() -> None:
    """Median of the trials' medians, their range and number, target by target."""
    medians = view.Medians()
    medians.add(record("native", 1e-6, 2e-6, 3e-6))
    medians.add(record("native", 4e-6))
    medians.add(record("plain", 5e-5))
    text = shown(medians)
    assert "readdir (warm" in text
    assert "3 us" in text
    assert "2 us .. 4 us" in text
    assert "50 us" in text


def test_failed_trials_have_no_median() -> None:
    """Nothing to show."""
    medians = view.Medians()
    medians.add(record("native", outcome="failed"))
    assert not medians.series


@pytest.mark.parametrize(
    ("value", "clock", "text"),
    [
        (1.5, "wall", "1.5 s"),
        (0.0123, "wall", "12.3 ms"),
        (3.21e-7, "wall", "321 ns"),
        (5170.0, "instructions", "5170 insn"),
    ],
)
def test_every_number_has_its_unit(value: float, clock: str, text: str) -> None:
    """Seconds in steps of a thousand; instructions as they are."""
    assert view.scaled(value, Clock(clock)) == text
