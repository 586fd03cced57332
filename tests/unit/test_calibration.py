"""Instructions to time: costs that were put in come out, and what is not known is not predicted."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bench.model import UserError
from bench.profile import store
from bench.report.studies import calibration
from bench.report.studies.calibration import CalibrationRow, Fit

TRUE = {"user": 0.2, "kernel": 0.3, "copies": 0.05, "switches": 400.0, "system_calls": 60.0}


def rows(noise: float, seed: int = 1) -> list[CalibrationRow]:
    """Five workloads on four targets, whose times follow TRUE but for noise."""
    chance = random.Random(seed)
    made = []
    for number in range(20):
        counts = {
            "user": chance.uniform(100, 20_000),
            "kernel": chance.uniform(3000, 80_000),
            "copies": chance.uniform(0, 4000),
            "switches": float(chance.randint(0, 4)),
            "system_calls": float(chance.randint(1, 6)),
        }
        ns = sum(TRUE[name] * counts[name] for name in TRUE)
        ns *= 1 + chance.uniform(-noise, noise)
        made.append(
            CalibrationRow(
                f"workload{number % 5}", f"row{number}", f"target{number % 4}", counts, ns
            )
        )
    return made


def test_costs_that_were_put_in_come_out() -> None:
    """Without noise exactly, and every workload is predicted from the others."""
    found = calibration.backtest(rows(0.0))
    assert found.fit.ns == pytest.approx(TRUE, rel=1e-6)
    assert found.p90 < 1e-6
    assert found.trusted


def test_times_that_follow_nothing_are_not_trusted() -> None:
    """Then no time is predicted, and the table says so."""
    found = calibration.backtest(rows(0.9))
    assert not found.trusted
    assert any(
        "not held, no time is predicted" in line for line in calibration.lines(found, "here")
    )


def test_a_cost_no_machine_has_is_told_and_not_trusted() -> None:
    """A fit may be good for the wrong reason."""
    fit = Fit(TRUE | {"switches": 0.0, "kernel": 5.0})
    assert fit.implausible == ["kernel", "switches"]


def test_lines_keep_to_79_columns() -> None:
    """Every workload and every target has its own."""
    lines = calibration.lines(calibration.backtest(rows(0.1)), "a machine")
    assert max(map(len, lines)) <= 79
    assert sum(line.startswith("workload") for line in lines) == 6
    assert sum(line.startswith("target") for line in lines) == 5


def trial(target: str, **more: Any) -> dict[str, Any]:
    return {
        "outcome": "ok", "workload": "getattr-storm", "variant": "fd", "cache": "warm",
        "threads": 1, "attr_timeout": 0.0, "entry_timeout": 0.0, "entries": 0, "placement": "same",
        "target": target, "level": "none", "series": f"getattr-storm--fd--{target}", **more,
    }  # fmt: skip


def test_rows_on_both_clocks_are_paired_by_what_they_are(tmp_path: Path) -> None:
    """The median of the rounds; what is on one clock alone, or sent other requests, is left out."""
    folded = {
        ("client", "opdriver:drive"): 100,
        ("client", "opdriver:drive", "entry_SYSCALL_64", "vfs_statx"): 300,
        ("client", "opdriver:drive", "entry_SYSCALL_64", "rep_movs_alternative"): 50,
    }
    kept = store.write(tmp_path, "one", store.Profile(folded, 10), 450.0)
    kept["counts"] = {"switches": 0, "system_calls": 10, "page_faults": 0, "interrupts": 1}
    wall = [trial("native", clock="wall", values=[seconds]) for seconds in (4e-7, 5e-7, 9e-7)] + [
        trial("plain-c", clock="wall", values=[1.0])
    ]
    counted = [trial("native", clock="instructions", profile=kept), trial("plain-c", profile=None)]
    asked = {"ops": 10, "kernel": {"GETATTR": 10}}
    wall.append(trial("plain", clock="wall", values=[1.0], requests=asked))
    more = {"ops": 10, "kernel": {"GETATTR": 12}}
    counted.append(trial("plain", clock="instructions", profile=kept, requests=more))
    (row,) = calibration.pair(wall, tmp_path, counted)
    assert (row.row, row.target, row.ns) == ("getattr-storm--fd", "native", pytest.approx(500))
    assert row.counts == {
        "user": 10.0, "kernel": 30.0, "copies": 5.0, "switches": 0.0, "system_calls": 1.0,
    }  # fmt: skip


def test_runs_of_unequal_trees_are_refused() -> None:
    """A listing of 10 entries and one of 100 are not the same work."""
    with pytest.raises(UserError, match="different trees"):
        calibration.refuse_unlike({"tree": {"hash": "a"}}, {"tree": {"hash": "b"}})
