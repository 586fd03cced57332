"""Projection: exact where costs add up, and honest about what it has no row for."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from additive import GETATTR, LISTING, LOOKUP, NATIVE, OVERLAY, PLAIN, Cell, rows, write

from bench.frame import load
from bench.report import projection
from bench.report.projection import Projections, projections
from bench.report.rows import rows as report_rows
from bench.report.sections import sections

EVERYBODY = (NATIVE, OVERLAY, PLAIN, GETATTR, LISTING, LOOKUP)


def projected(path: Path, cells: list[Cell]) -> Projections:
    """Of the one kernel of a run of these cells."""
    run = load(write(path, cells))
    [found] = projections(run, report_rows(run))
    return found


def test_prediction_is_exact_where_costs_add_up(tmp_path: Path) -> None:
    """Every passthrough that was measured is predicted to the last digit, from a server without it."""
    found = projected(tmp_path, rows(EVERYBODY))
    known = [one for one in found.predictions if one.measured]
    names = {one.what.name for one in known}
    assert names == {"getattr", "readdir + getattr", "LOOKUP"}
    assert len(known) >= 12
    for one in known:
        assert one.error == pytest.approx(0, abs=1e-6), (one.what.name, one.row.name)


def test_what_nobody_has_gets_a_number_and_no_measurement(tmp_path: Path) -> None:
    """READDIRPLUS passthrough: the listing's requests go, every entry costs the kernel a lookup."""
    found = projected(tmp_path, rows(EVERYBODY))
    made = {one.row.name: one for one in found.of(projection.READDIRPLUS)}
    assert made["walk-find"].measured is None
    assert math.isnan(made["walk-find"].error)
    kernel = 0.2 * 4e-6 + 5e-6
    assert made["walk-find"].predicted == pytest.approx(1.02 * (0.6e-6 + 2.2e-6 + kernel))


def test_the_range_is_what_the_back_test_erred_by(tmp_path: Path) -> None:
    """Whatever exists was tested, and no row without a reason is left out of it."""
    found = projected(tmp_path, rows(EVERYBODY))
    assert found.tested() and max(abs(one.error) for one in found.tested()) < 1e-6
    assert found.band(1.0) == pytest.approx((1.0, 1.0))
    assert math.isnan(Projections("").band(1.0)[0])


def test_a_missing_row_is_named(tmp_path: Path) -> None:
    """Without lookup-cold no cold LOOKUP has a cost: which row would give it is said."""
    found = projected(tmp_path, rows(EVERYBODY, without=["lookup-cold"]))
    assert any(one.startswith("LOOKUP (names met first): row lookup-cold") for one in found.missing)
    assert {one.row.name for one in found.of(projection.GETATTR)} >= {"getattr-storm/at"}


def test_without_a_native_target_nothing_is_predicted(tmp_path: Path) -> None:
    """There is no floor to take a request's cost from."""
    run = load(write(tmp_path, rows((PLAIN, LISTING))))
    assert projections(run, report_rows(run)) == []


def test_on_a_stock_kernel_all_of_it_is_projected_without_a_back_test(tmp_path: Path) -> None:
    """From the plain server alone; that the error is not known stands beside it."""
    run = load(write(tmp_path, rows((NATIVE, OVERLAY, PLAIN))))
    [found] = projections(run, report_rows(run))
    assert {one.what for one in found.predictions} == {projection.ALL, projection.READDIRPLUS}
    said = " ".join(" ".join(sections(run, report_rows(run))).split())
    assert "how far the method errs is not known here" in said


def test_a_prediction_below_the_floor_is_not_printed_as_a_number(tmp_path: Path) -> None:
    """Where costs do not add up, nothing is cheaper than no mount at all."""
    cells = [
        cell if cell.workload != "getattr-storm" or cell.variant != "at" or cell.target != PLAIN
        else replace(cell, seconds=5e-6)
        for cell in rows(EVERYBODY)
    ]  # fmt: skip
    run = load(write(tmp_path, cells))
    [found] = projections(run, report_rows(run))
    [one] = [p for p in found.of(projection.GETATTR) if p.row.name == "getattr-storm/at"]
    assert not one.possible
    assert "< native" in "\n".join(sections(run, report_rows(run)))
