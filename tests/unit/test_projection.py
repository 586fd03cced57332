"""Projection: exact where costs add up, and honest about what it has no row for."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from additive import (
    ENTRIES_ZERO,
    FOREVER,
    GETATTR,
    LISTING,
    LOOKUP,
    NATIVE,
    OVERLAY,
    PLAIN,
    ZERO,
    Cell,
    Target,
    rows,
    write,
)

from bench.report.rows import rows as report_rows
from bench.report.studies import predictions
from bench.report.studies.predictions import Passthrough, Prediction, Projections
from bench.report.studies.projection import projections
from bench.report.text.sections import sections
from bench.stats.frame import load

EVERYBODY = (NATIVE, OVERLAY, PLAIN, GETATTR, LISTING, LOOKUP)


def projected(path: Path, cells: list[Cell]) -> Projections:
    """The projection of a run of these cells, which has one kernel."""
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
        assert one.error == pytest.approx(0, abs=1e-6), (one.what.name, one.row.work)


def test_what_nobody_has_gets_a_number_and_no_measurement(tmp_path: Path) -> None:
    """READDIRPLUS passthrough: the listing's requests go, every entry costs the kernel a lookup."""
    found = projected(tmp_path, rows(EVERYBODY))
    made = {one.row.work: one for one in found.of(predictions.READDIRPLUS)}
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
    assert any(
        one.startswith("LOOKUP of plain-c (names met first): row lookup-cold")
        for one in found.missing
    )
    assert {one.row.work for one in found.of(predictions.GETATTR)} >= {"getattr-storm/at"}


def test_without_a_native_target_nothing_is_predicted(tmp_path: Path) -> None:
    """There is no floor to take a request's cost from."""
    run = load(write(tmp_path, rows((PLAIN, LISTING))))
    assert projections(run, report_rows(run)) == []


def test_on_a_stock_kernel_all_of_it_is_projected_without_a_back_test(tmp_path: Path) -> None:
    """From the plain server alone; that the error is not known stands beside it."""
    run = load(write(tmp_path, rows((NATIVE, OVERLAY, PLAIN))))
    [found] = projections(run, report_rows(run))
    assert {one.what for one in found.predictions} == {predictions.ALL, predictions.READDIRPLUS}
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
    [one] = [p for p in found.of(predictions.GETATTR) if p.row.work == "getattr-storm/at"]
    assert not one.possible
    assert "< native" in "\n".join(sections(run, report_rows(run)))


FORMER = Target("passthrough-c:attach-getattr", level="attach-getattr")
"""Attaches an inode at its first GETATTR."""
GETATTR_ROWS = [
    Cell(NATIVE, "getattr-storm", 1.0e-6, variant="fd", timeouts=ZERO),
    Cell(OVERLAY, "getattr-storm", 1.4e-6, variant="fd", timeouts=ZERO),
    Cell(PLAIN, "getattr-storm", 13.5e-6, {"GETATTR": 1}, "fd", timeouts=ZERO),
    Cell(PLAIN, "getattr-storm", 1.5e-6, {}, "fd", timeouts=FOREVER),
]
"""A GETATTR costs 12 us, 0.4 in the kernel."""


def alone(path: Path, what: Passthrough, name: str, cells: list[Cell]) -> Prediction:
    """The only prediction of a row of this name; in the first round, 2 % below the median."""
    found = projected(path, cells)
    [one] = [p for p in found.of(what) if p.row.work == name]
    return replace(one, predicted=one.predicted / 1.02, start=one.start / 1.02)


def test_a_passthrough_answers_also_where_a_cache_spares_the_request(tmp_path: Path) -> None:
    """Timeouts 9: 0.5 of 2 GETATTR are sent and saved, 2 are answered: 10 - 0.5 x 12 + 2 x 0.4."""
    row = [
        Cell(NATIVE, "open-close", 2.0e-6, timeouts=(9.0, 9.0)),
        Cell(PLAIN, "open-close", 10.0e-6, {"GETATTR": 0.5}, timeouts=(9.0, 9.0)),
        Cell(GETATTR, "open-close", 5.0e-6, {}, timeouts=(9.0, 9.0)),
        Cell(PLAIN, "open-close", 28.0e-6, {"GETATTR": 2}, timeouts=ZERO),
    ]
    one = alone(tmp_path, predictions.GETATTR, "open-close", [*GETATTR_ROWS, *row])
    assert one.predicted == pytest.approx(4.8e-6)
    assert one.costs == ("GETATTR by getattr-storm/fd (warm, timeouts 0)",)


def test_requests_still_sent_are_not_saved(tmp_path: Path) -> None:
    """Who attaches at the first GETATTR sends 0.5 of 2: 30 - 1.5 x (12 - 0.4)."""
    row = [
        Cell(NATIVE, "stat-then-ls", 2.0e-6, cache="cold-fuse", timeouts=ZERO),
        Cell(PLAIN, "stat-then-ls", 30.0e-6, {"GETATTR": 2}, cache="cold-fuse", timeouts=ZERO),
        Cell(FORMER, "stat-then-ls", 13.0e-6, {"GETATTR": 0.5}, cache="cold-fuse", timeouts=ZERO),
    ]
    one = alone(tmp_path, predictions.GETATTR, "stat-then-ls", [*GETATTR_ROWS, *row])
    assert one.predicted == pytest.approx(12.6e-6)
    assert one.mark == ""


def test_rows_in_which_inodes_are_attached_lie_outside(tmp_path: Path) -> None:
    """Such rows are printed with their error and a mark, and the statistics are without them."""
    row = [
        Cell(NATIVE, "lookup-cold", 2.0e-6, cache="cold-fuse", timeouts=ZERO),
        Cell(PLAIN, "lookup-cold", 46.0e-6, {"GETATTR": 2, "LOOKUP": 1}, cache="cold-fuse",
             timeouts=ZERO),
        Cell(GETATTR, "lookup-cold", 27.0e-6, {"LOOKUP": 1}, cache="cold-fuse", timeouts=ZERO),
    ]  # fmt: skip
    found = projected(tmp_path, [*GETATTR_ROWS, *row])
    [one] = found.of(predictions.GETATTR)
    assert one.mark == predictions.ATTACHES
    assert found.tested() == [] and found.marked(predictions.ATTACHES) == [one]
    assert one.error == pytest.approx((46.0 - 2 * 11.6) / 27.0 - 1)
    assert one.saving_error == pytest.approx((27.0 - 22.8) / (46.0 - 27.0))


def test_a_row_in_which_more_is_passed_through_is_no_test(tmp_path: Path) -> None:
    """READ goes as well, by rw passthrough: what getattr passthrough saves is not seen."""
    row = [
        Cell(NATIVE, "read-random", 5.0e-6, timeouts=ZERO),
        Cell(PLAIN, "read-random", 40.0e-6, {"GETATTR": 1, "READ": 1}, timeouts=ZERO),
        Cell(GETATTR, "read-random", 5.5e-6, {}, timeouts=ZERO),
    ]
    assert projected(tmp_path, [*GETATTR_ROWS, *row]).of(predictions.GETATTR) == []


def test_a_server_is_predicted_from_its_own_twin(tmp_path: Path) -> None:
    """The one in Python from plain, not from plain-c: 110 - 100 + 0.4."""
    plain, python = Target("plain"), Target("passthrough:attach-lookup", level="attach-lookup")
    row = [
        Cell(plain, "getattr-storm", 110e-6, {"GETATTR": 1}, "fd", timeouts=ZERO),
        Cell(plain, "getattr-storm", 10e-6, {}, "fd", timeouts=FOREVER),
        Cell(python, "getattr-storm", 11e-6, {}, "fd", timeouts=ZERO),
    ]
    one = alone(tmp_path, predictions.GETATTR, "getattr-storm/fd", [*GETATTR_ROWS, *row])
    assert (one.base, one.target) == ("plain", "passthrough:attach-lookup")
    assert one.predicted == pytest.approx(10.4e-6)


def test_readdir_is_predicted_from_the_mode_that_sends_the_same_lookups(tmp_path: Path) -> None:
    """From plain-c:readdir where that was measured, and from READDIRPLUS where not."""
    mode = Target("plain-c:readdir", mode="readdir")
    added = [cell for cell in rows(EVERYBODY) if cell.workload != "readdirplus"]
    listed = {"READDIR": 0.2, "OPENDIR": 0.1, "RELEASEDIR": 0.1}
    row = Cell(mode, "readdir", 6.7e-6, listed)
    found = projected(tmp_path, [*added, row])
    bases = {one.row.work: one.base for one in found.of(predictions.READDIR)}
    assert bases["readdir"] == "plain-c:readdir"
    assert bases["walk-find"] == "plain-c"


def test_names_met_first_are_those_looked_up_where_nothing_expires(tmp_path: Path) -> None:
    """Among 4 LOOKUPs 1 is a first at 15 - 5 us, 3 are of known names at 15 - 0.5: 70 - 10 - 43.5."""
    walk = [
        Cell(NATIVE, "walk-du", 2e-6, cache="cold-fuse", timeouts=ZERO),
        Cell(LISTING, "walk-du", 70e-6, {"LOOKUP": 4}, cache="cold-fuse", timeouts=ZERO),
        Cell(LISTING, "walk-du", 20e-6, {"LOOKUP": 1}, cache="cold-fuse", timeouts=FOREVER),
    ]
    one = alone(
        tmp_path, predictions.LOOKUP, "walk-du", [*rows(EVERYBODY, without=["walk-du"]), *walk]
    )
    assert one.predicted == pytest.approx(16.5e-6)


def test_what_has_no_relative_is_refused_with_the_reason(tmp_path: Path) -> None:
    """overlayfs keeps missing names, and so is no measure of looking them up in the kernel."""
    cells = [
        replace(cell, seconds=0.5e-6)
        if (cell.workload, cell.target) == ("lookup-negative", OVERLAY) else cell
        for cell in rows(EVERYBODY)
    ]  # fmt: skip
    found = projected(tmp_path, cells)
    assert "lookup-negative" not in {one.row.work for one in found.of(predictions.LOOKUP)}
    assert any(one.startswith("LOOKUP in the kernel (missing names)") for one in found.missing)


def test_a_lookup_passthrough_keeps_nothing_whatever_the_timeouts(tmp_path: Path) -> None:
    """Where the base's caches spare every request it costs what it costs at timeouts 0: 2.8 + 0.5 us."""
    found = projected(tmp_path, rows(EVERYBODY))
    storms = [one for one in found.of(predictions.LOOKUP) if one.row.work == "getattr-storm/at"]
    assert {one.row.seconds for one in storms} == {ZERO, ENTRIES_ZERO, FOREVER}
    for one in storms:
        assert one.predicted == pytest.approx(1.02 * 3.3e-6)


def test_what_a_listing_brought_along_has_to_be_measured_without(tmp_path: Path) -> None:
    """From READDIRPLUS alone nobody knows what would be looked up: which rows would tell is said."""
    found = projected(tmp_path, rows((NATIVE, OVERLAY, PLAIN)))
    assert "walk-du" not in {one.row.work for one in found.of(predictions.ALL)}
    assert any("with the server listing by READDIR" in one for one in found.missing)


def test_a_directory_first_attached_when_opened_lies_outside(tmp_path: Path) -> None:
    """At attach-getattr and long timeouts no GETATTR comes before the OPENDIR."""
    cold = [
        replace(cell, target=FORMER) for cell in rows([LISTING]) if cell.workload == "walk-find"
    ]
    found = projected(tmp_path, [*rows(EVERYBODY), *cold])
    marks = {one.target: one.mark for one in found.of(predictions.READDIR)
             if one.row.work == "walk-find"}  # fmt: skip
    assert marks == {LISTING.name: "", FORMER.name: predictions.ATTACHES}


def test_lookups_behind_a_readdirplus_are_another_thing(tmp_path: Path) -> None:
    """Without a server that lists by READDIR the row is marked; it is not where no LOOKUP is left."""
    found = projected(tmp_path, rows(EVERYBODY))
    marks = {one.row.work: one.mark for one in found.of(predictions.READDIR)}
    assert marks["readdirplus"] == predictions.BEHIND_READDIRPLUS
    assert marks["readdir"] == ""


def test_reads_go_through_as_well_where_no_request_shows_it(tmp_path: Path) -> None:
    """Warm, FUSE's page cache answers: no READ is saved, and yet the data comes another way."""
    row = [
        Cell(NATIVE, "read-random", 5.0e-6, timeouts=ZERO),
        Cell(PLAIN, "read-random", 18.0e-6, {"GETATTR": 1}, timeouts=ZERO),
        Cell(GETATTR, "read-random", 5.5e-6, {}, timeouts=ZERO),
    ]
    [one] = projected(tmp_path, [*GETATTR_ROWS, *row]).of(predictions.GETATTR)
    assert one.mark == predictions.READ_THROUGH
