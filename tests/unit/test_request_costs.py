"""Cost of one request: by hand, from rows that differ by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from additive import (
    ENTRIES_ZERO,
    FOREVER,
    LISTING,
    NATIVE,
    OVERLAY,
    PLAIN,
    ZERO,
    Cell,
    Target,
    write,
)

from bench.report.row import Row
from bench.report.rows import rows as report_rows
from bench.report.studies.request_costs import Costs, NameState, RequestCost
from bench.stats.frame import load

Measured = Mapping[Target, float]
GETATTR, LOOKUP = {"GETATTR": 1}, {"LOOKUP": 1}
NOTHING: Mapping[str, float] = {}


def cells(
    name: str,
    seconds: Measured,
    requests: Mapping[str, float],
    timeouts: tuple[float, float] = FOREVER,
    **more: object,
) -> list[Cell]:
    """One row: microseconds by target, and the requests of those that are FUSE."""
    workload, _, variant = name.partition("/")
    return [
        Cell(
            target, workload, us * 1e-6, requests if target.kind == "fuse" else NOTHING, variant,
            timeouts=timeouts, **more,
        )
        for target, us in seconds.items()
    ]  # fmt: skip


def costs_of(
    path: Path, made: Sequence[list[Cell]], base: str = "plain-c"
) -> tuple[Costs, list[Row]]:
    """The costs of a run of these rows; every estimate is that of the third of five rounds, 2 % up."""
    rows = report_rows(load(write(path, [cell for row in made for cell in row])))
    return Costs(rows, [base], "native", "overlayfs"), rows


def us(cost: RequestCost | None) -> tuple[float, float]:
    """Request and kernel in microseconds of the first round."""
    assert cost is not None
    return cost.request / 1.02e-6, cost.kernel / 1.02e-6


FD = [
    cells("getattr-storm/fd", {NATIVE: 1.0, OVERLAY: 1.4, PLAIN: 13.5}, GETATTR, ZERO),
    cells("getattr-storm/fd", {NATIVE: 1.0, OVERLAY: 1.4, PLAIN: 1.5}, NOTHING, FOREVER),
]
AT = [
    cells(
        "getattr-storm/at", {NATIVE: 2.0, OVERLAY: 2.6, PLAIN: 41.0}, {"GETATTR": 2, **LOOKUP}, ZERO
    ),
    cells("getattr-storm/at", {NATIVE: 2.0, OVERLAY: 2.6, PLAIN: 3.0}, NOTHING, FOREVER),
]
PATH = cells(
    "getattr-storm/path",
    {NATIVE: 2.9, OVERLAY: 4.1, PLAIN: 120.0},
    {"GETATTR": 5, "LOOKUP": 4},
    ZERO,
)
ENTRIES = [
    cells("getattr-storm/at", {NATIVE: 2.0, OVERLAY: 2.6, PLAIN: 18.0}, LOOKUP, ENTRIES_ZERO),
    cells(
        "getattr-storm/path", {NATIVE: 2.9, OVERLAY: 4.1, PLAIN: 65.0}, {"LOOKUP": 4}, ENTRIES_ZERO
    ),
]


def test_a_request_is_the_difference_to_the_same_row_without(tmp_path: Path) -> None:
    """13.5 - 1.5 us: what FUSE does by itself is no part of the request; 1.4 - 1.0 in the kernel."""
    costs, [row, *_] = costs_of(tmp_path, FD)
    assert us(costs.of("GETATTR", row)) == pytest.approx((12.0, 0.4))


def test_without_such_a_row_it_is_the_difference_to_native(tmp_path: Path) -> None:
    """13.5 - 1.0 us: what is left to take it from."""
    costs, [row] = costs_of(tmp_path, FD[:1])
    assert us(costs.of("GETATTR", row)) == pytest.approx((12.5, 0.4))


def test_other_requests_are_taken_off_at_their_own_cost(tmp_path: Path) -> None:
    """(41 - 3) - 2 x 12 = 14 us for the LOOKUP of a known name; (4.1 - 2.6) / 3 names in the kernel."""
    costs, rows = costs_of(tmp_path, [*FD, *AT, PATH])
    like = next(row for row in rows if row.work == "getattr-storm/path")
    assert us(costs.of("LOOKUP", like)) == pytest.approx((14.0, 0.5))


def test_the_row_with_fewest_other_requests_comes_first(tmp_path: Path) -> None:
    """18 - 3 = 15 us where the LOOKUP is alone, although a row with GETATTRs is there, too."""
    costs, rows = costs_of(tmp_path, [*FD, *AT, PATH, *ENTRIES])
    like = next(row for row in rows if row.work == "getattr-storm/path")
    assert us(costs.of("LOOKUP", like)) == pytest.approx((15.0, 0.5))


def test_without_a_longer_path_a_known_name_has_no_cost_in_the_kernel(tmp_path: Path) -> None:
    """Which row would tell is said."""
    costs, rows = costs_of(tmp_path, [*FD, *AT])
    cost = costs.of("LOOKUP", rows[0])
    assert cost is not None and math.isnan(cost.kernel)
    assert cost.why == "no row getattr-storm/path or getattr-storm/at, timeouts 0 s/0 s"


def test_names_met_first_known_and_missing_are_told_apart(tmp_path: Path) -> None:
    """A LOOKUP that makes an inode, one that finds it, one that fails: three costs."""
    cold = cells("lookup-cold", {NATIVE: 2.0, OVERLAY: 7.0, PLAIN: 24.0}, LOOKUP, cache="cold-fuse")
    none = cells("lookup-negative", {NATIVE: 3.0, OVERLAY: 3.5, PLAIN: 16.0}, LOOKUP)
    costs, rows = costs_of(tmp_path, [*FD, *ENTRIES, AT[1], cold, none])
    by_name = {row.work: row for row in rows}
    found = [us(costs.of("LOOKUP", by_name[name])) for name in
             ("lookup-cold", "getattr-storm/at", "lookup-negative")]  # fmt: skip
    assert found == [pytest.approx(pair) for pair in ((22.0, 5.0), (15.0, 0.5), (13.0, 0.5))]
    assert us(costs.of("LOOKUP", by_name["lookup-cold"], NameState.KNOWN)) == pytest.approx(
        (15.0, 0.5)
    )


def test_what_is_cheaper_than_native_is_no_relative(tmp_path: Path) -> None:
    """overlayfs keeps missing names: it does not look them up."""
    none = cells("lookup-negative", {NATIVE: 3.0, OVERLAY: 1.5, PLAIN: 16.0}, LOOKUP)
    costs, [row] = costs_of(tmp_path, [none])
    cost = costs.of("LOOKUP", row)
    assert cost is not None and math.isnan(cost.kernel)
    assert "overlayfs is cheaper than native in row lookup-negative" in cost.why


def test_a_listing_of_another_size_is_of_no_use(tmp_path: Path) -> None:
    """A READDIRPLUS costs by the entries it brings: refused, with the row that would tell."""
    listed = {"READDIRPLUS": 0.2}
    made = [
        cells(
            f"list-stat/{share}", {NATIVE: 1.0, OVERLAY: 1.2, PLAIN: 9.0}, listed, entries=entries
        )
        for share, entries in ((0, 10), (50, 100))
    ]
    costs, rows = costs_of(tmp_path, made)
    small, large = sorted(rows, key=lambda row: row.key.entries)
    assert us(costs.of("READDIRPLUS", small)) == pytest.approx((40.0, 1.0))
    assert costs.of("READDIRPLUS", large) is None
    wanted = costs.wanted("READDIRPLUS", large)
    assert wanted.startswith(
        "READDIRPLUS of plain-c (known names, 100 entries): row list-stat/0 or readdir"
    )


def test_an_opendir_is_taken_from_listings_that_send_nothing_else(tmp_path: Path) -> None:
    """Where listings are passed through; else it is taken for an OPEN."""
    pair = {"OPENDIR": 0.1, "RELEASEDIR": 0.1}
    opened = {"OPEN": 1, "RELEASE": 1, "FLUSH": 1}
    own = cells("readdir", {NATIVE: 1.0, OVERLAY: 1.2, LISTING: 3.4}, pair)
    asked = cells("readdir", {PLAIN: 9.0}, {**pair, "READDIRPLUS": 0.2})
    files = cells("open-close", {NATIVE: 4.0, OVERLAY: 4.6, PLAIN: 37.0, LISTING: 40.0}, opened)
    passed, rows = costs_of(tmp_path, [own, asked, files], LISTING.name)
    like = next(row for row in rows if row.work == "readdir")
    assert us(passed.of("OPENDIR", like)) == pytest.approx((12.0, 1.0))
    plain = Costs(rows, [PLAIN.name], "native", "overlayfs")
    assert us(plain.of("OPENDIR", like)) == pytest.approx((11.0, 0.2))


def test_the_row_without_differs_in_as_few_timeouts_as_can_be(tmp_path: Path) -> None:
    """18 - 3 us: at an attribute timeout of 0 the kernel of this server answers getattr by itself, too."""
    passed = {LISTING: 4.0}
    attributes = cells("getattr-storm/at", passed, NOTHING, (0.0, 3600.0))
    made = [
        attributes,
        cells("getattr-storm/at", {NATIVE: 2.0, OVERLAY: 2.6, LISTING: 18.0}, LOOKUP, ENTRIES_ZERO),
        cells("getattr-storm/path", {NATIVE: 2.9, OVERLAY: 4.1, LISTING: 65.0}, {"LOOKUP": 4},
              ENTRIES_ZERO),
        cells("getattr-storm/at", {LISTING: 3.0}, NOTHING, FOREVER),
    ]  # fmt: skip
    costs, rows = costs_of(tmp_path, made, LISTING.name)
    assert us(costs.of("LOOKUP", rows[0])) == pytest.approx((15.0, 0.5))
