"""Costs of requests from stacks, and where projections take them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from additive import GETATTR, NATIVE, OVERLAY, PLAIN, ZERO, Cell, write

from bench.profile import store
from bench.profile.store import Profile
from bench.report.rows import rows as report_rows
from bench.report.studies import predictions
from bench.report.studies.predictions import Projections
from bench.report.studies.projection import projections
from bench.report.studies.projection_text import lines
from bench.report.studies.request_costs import CostSource
from bench.report.studies.row_profiles import profiles
from bench.report.text.profiles import request_grid
from bench.stats.frame import Run, load

OPS = 10
CALL = ("client", "opdriver:drive", "do_syscall_64", "vfs_statx")
SERVER = ("server", "mirror:loop_run", "mirror:op_getattr")


def stacks(base: int, kept: int, beneath: int, sent: int) -> dict[tuple[str, ...], int]:
    """A window of 10 operations, a GETATTR each: instructions of one operation."""
    return {
        CALL: base * OPS,
        (*CALL, "fuse_do_getattr", "fuse_fillattr"): kept * OPS,
        (*SERVER, "do_syscall_64", "vfs_fstat"): beneath * OPS,
        (*CALL, "fuse_do_getattr", "__fuse_simple_request", "__schedule"): sent * OPS,
    }


FD = stacks(1000, 600, 200, 11_700)
CELLS = [
    Cell(NATIVE, "getattr-storm", 1000e-9, variant="fd", timeouts=ZERO),
    Cell(OVERLAY, "getattr-storm", 1400e-9, variant="fd", timeouts=ZERO),
    Cell(PLAIN, "getattr-storm", 13_500e-9, {"GETATTR": 1}, "fd", timeouts=ZERO),
]


def passed(instructions: float) -> Cell:
    """The row with getattr passthrough."""
    return Cell(GETATTR, "getattr-storm", instructions * 1e-9, {}, "fd", timeouts=ZERO)


def run_of(folder: Path, cells: list[Cell], folded: Mapping[tuple[str, ...], int]) -> Run:
    """A run on the instruction clock, the plain server's row profiled."""
    path = write(folder, cells, rounds=1, clock="instructions")
    told = []
    for line in (path / "trials.jsonl").read_text().splitlines():
        trial = json.loads(line)
        if trial["target"] == PLAIN.name:
            trial["profile"] = store.write(path, "fd", Profile(folded, OPS), 1.0)
        told.append(json.dumps(trial))
    (path / "trials.jsonl").write_text("\n".join(told) + "\n")
    return load(path)


def profiled(folder: Path, measured: float) -> Projections:
    """The projection of a run in which getattr passthrough took so many instructions."""
    run = run_of(folder, [*CELLS, passed(measured)], FD)
    [found] = projections(run, report_rows(run))
    return found


def test_stacks_are_used_where_they_halve_the_error(tmp_path: Path) -> None:
    """13500 - 12500 + 800 is what was measured; from rows 13500 - 12500 + 400 would be predicted."""
    found = profiled(tmp_path, 1800)
    [one] = found.of(predictions.GETATTR)
    assert one.source is CostSource.STACKS
    assert one.predicted == pytest.approx(1800)
    assert one.costs == (f"GETATTR by stacks of {one.row.name}",)
    [cost] = found.costs.values()
    assert (cost.request, cost.kernel) == pytest.approx((12_500, 800))
    said = " ".join(" ".join(lines(found)).split())
    assert (
        "by stacks, getattr passthrough, 1 row: the error is 0 % in the median, by differences of rows "
        "22 %, which halves it." in said
    )


def test_stacks_are_not_used_where_they_do_not(tmp_path: Path) -> None:
    """Then costs are from rows as ever, and the report says so."""
    found = profiled(tmp_path, 1500)
    [one] = found.of(predictions.GETATTR)
    assert one.source is CostSource.ROWS
    assert one.predicted == pytest.approx(1400)
    assert one.costs == (f"GETATTR by {one.row.name}",)
    assert "which does not halve it: not used" in " ".join(" ".join(lines(found)).split())


def test_without_profiles_nothing_is_compared(tmp_path: Path) -> None:
    """A run without --profile has the projection it had."""
    run = load(write(tmp_path, [*CELLS, passed(1800)]))
    [found] = projections(run, report_rows(run))
    assert found.compared == []
    assert {one.source for one in found.predictions} == {CostSource.ROWS}


def test_stacks_that_cannot_be_held_against_rows_are_not_trusted(tmp_path: Path) -> None:
    """overlayfs is no relative here: rows tell no cost, and whether stacks halve the error is not known."""
    dear = replace(CELLS[0], seconds=1500e-9)
    run = run_of(tmp_path, [dear, *CELLS[1:], passed(1800)], FD)
    [found] = projections(run, report_rows(run))
    assert found.predictions == []
    assert any(wanted.startswith("GETATTR in the kernel") for wanted in found.missing)


def test_the_report_says_what_a_request_costs_in_each_subsystem(tmp_path: Path) -> None:
    """The sending, waking and answering of a GETATTR, and what of it would stay."""
    run = run_of(tmp_path, [*CELLS, passed(1800)], FD)
    (one,) = profiles(run, report_rows(run))
    made = request_grid(one, ["native", "plain-c"])
    assert made is not None and list(made.heads) == ["subsystem", "GETATTR"]
    told = {name.text: value.text for name, value in made.lines}
    assert told == {
        "scheduler and wake-up": "11700",
        "FUSE": "600",
        "VFS": "200",
        "all": "12500",
        "of it the client's": "12300",
        "stays if passed through": "800",
    }
