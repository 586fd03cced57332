"""Which rows a plan has of the workloads: the usual ones, those that can exist, and why not the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import registry
from bench.axes import OPTIONS
from bench.axes.rowkey import RowKey
from bench.model import Group, Level, Order, Timeouts, Workload, XattrWay
from bench.plan import product, schedule
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings

RW = KernelGives(Level.RW, "mainline")


def planned(*workloads: str, gives: KernelGives = RW, **told: object) -> schedule.Plan:
    """A plan of these workloads on plain-c and a read-only target."""
    given = {"trials": 1, "only": True, "daemons": ("plain-c", "overlayfs"), **told}
    asked = {axis.name: axis.values(given[axis.name]) for axis in OPTIONS if axis.name in given}
    return schedule.make(Settings.of({"workloads": workloads, **given, **asked}), gives)


def rows(plan: schedule.Plan) -> set[str]:
    """Names of the rows of a plan."""
    return {one.series.row for one in plan.trials}


def reasons(plan: schedule.Plan) -> dict[str, str]:
    """What is left out, and why."""
    return {item.what: item.reason for item in plan.skipped}


@pytest.mark.parametrize("name", registry.workloads())
def test_every_workload_says_what_it_is_about(name: str) -> None:
    """A summary, the requests it makes, a group; usual variants are variants."""
    workload = registry.workloads()[name]
    assert workload.summary and workload.about and workload.group in Group
    assert set(workload.usual or ()) <= set(workload.variants)


@pytest.mark.parametrize("row", registry.every_row(), ids=lambda row: registry.row_name(*row))
def test_every_row_expects_requests_in_every_cache_state(row: tuple[Workload, str]) -> None:
    """A row without expectation proves less; bounds are bounds."""
    workload, variant = row
    for cache in workload.caches:
        timeouts = workload.timeouts or Timeouts(0.0, 0.0)
        entries = 100 if workload.sized else 0
        key = RowKey.of(workload.name, variant, cache=cache, timeouts=timeouts, entries=entries)
        context = product._context(product.PlannedRow(workload, key), Settings(tree="tiny"))
        expected = workload.expect(context)
        assert expected
        assert all(0 <= bound.low <= bound.high for bound in expected.values())


def test_a_run_without_workloads_has_the_usual_rows() -> None:
    """A workload that is named has all its variants, the others those they call usual."""
    usual = {registry.row_name(*row) for row in registry.rows(())}
    assert "create/shared" in usual and "create/each" not in usual
    assert "macro-git" in usual and "macro-git/large" not in usual
    assert rows(planned("macro-git")) == {"macro-git"}
    assert rows(planned("macro-git", "macro-git/large")) == {"macro-git", "macro-git/large"}
    assert usual < {registry.row_name(*row) for row in registry.every_row()}


def test_servers_in_python_have_few_rows_of_a_usual_run() -> None:
    """Told once, with what brings the others: a row that is named, or the server without its twin in C."""
    usual = planned(daemons=("plain", "plain-c"))
    told = {one.what: one.reason for one in usual.skipped}
    assert told["plain"] == product.IN_C and "plain-c" not in told
    has = {one.series.row for one in usual.trials if one.series.target == "plain"}
    assert has == {
        "getattr-storm/path", "getattr-storm/fd", "readdir", "lookup-cold", "read-random",
        "list-stat/alternate-100",
    }  # fmt: skip
    named = planned("walk-du", daemons=("plain", "plain-c"))
    assert {one.series.target for one in named.trials} == {"plain", "plain-c"}
    alone = {one.series.row for one in planned(daemons=("plain",)).trials}
    assert "walk-du" in alone


@pytest.mark.parametrize(
    ("workload", "told", "reason"),
    [
        ("lookup-cold", {"tree": "branching=1,files_per_dir=1"}, "only 1 files"),
        ("readdir", {"tree": "tiny", "threads": (101,)}, "only 100 directories"),
        ("ls-then-stat", {"tree": "branching=2"}, "only 4 of them"),
        ("getattr-storm/at", {"tree": "branching=1,files_per_dir=3", "threads": (4,)}, "only 3 names"),
        ("contended/stat-apart", {"tree": "branching=1", "threads": (2,)}, "only 1 directories"),
        ("create/each", {}, "shares its directory with nobody"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_exist_is_left_out_when_planned(
    workload: str, told: dict[str, object], reason: str
) -> None:
    """With its reason, before anything is mounted; not failed after the fact."""
    plan = planned(workload, **told)
    assert not plan.trials
    assert any(reason in text for text in reasons(plan).values()), plan.skipped


def test_the_same_rows_exist_on_larger_trees() -> None:
    """64 threads list 64 directories where there are as many."""
    plan = planned("readdir", tree="tiny", threads=(64,))
    assert rows(plan) == {"readdir"}


def test_what_changes_something_is_not_for_read_only_targets() -> None:
    """Told once for the target, however many the rows."""
    plan = planned("create/shared", "chmod/shared", "readdir")
    targets = {(one.series.row, one.series.target) for one in plan.trials}
    assert ("readdir", "overlayfs") in targets and ("chmod/shared", "plain-c") in targets
    assert ("chmod/shared", "overlayfs") not in targets
    assert reasons(plan) == {"overlayfs": product.READ_ONLY}


def test_a_fixture_that_cannot_be_made_leaves_its_rows_out() -> None:
    """With the reason the fixture gave, and no other row."""
    gives = KernelGives(Level.RW, "mainline", lacking={"xattrs": "no user.* attributes"})
    settings = Settings(
        workloads=("xattr-get", "readdir"), only=True, daemons=("plain-c",), trials=1
    )
    plan = schedule.make(settings, gives)
    assert rows(plan) == {"readdir"}
    assert set(reasons(plan).values()) == {"no user.* attributes"}


def test_an_order_chooses_among_rows_that_list_and_stat() -> None:
    """Rows that do not list and stat are untouched."""
    after = rows(planned("list-stat", "readdir", orders=(Order.AFTER.value,)))
    assert after == {
        "readdir",
        *(f"list-stat/{share}" for share in (0, 1, 10, 20, 30, 40, 50, 75, 100)),
    }
    alternate = rows(planned("list-stat", orders=(Order.ALTERNATE.value,)))
    assert "list-stat/ls" in alternate and "list-stat/alternate-75" in alternate
    assert not after & alternate


def test_a_way_with_xattrs_is_a_target_of_servers_that_have_the_choice() -> None:
    """Named so, and no in-kernel target among them."""
    ways = tuple(way.value for way in XattrWay)
    plan = planned("xattr-get/acl", xattrs=ways)
    names = {target.name for target in plan.targets}
    assert names == {"overlayfs", "plain-c", "plain-c:xattr-enosys", "plain-c:xattr-off"}


def test_what_is_attached_is_an_axis_of_passthrough() -> None:
    """Servers that attach have it, but at no level that looks up in attached directories."""
    every = planned(
        "getattr-storm/fd",
        daemons=("passthrough-c",),
        levels=("attach-lookup", "lookup"),
        attach=("all", "files"),
        gives=KernelGives(Level.LOOKUP),
    )
    assert {target.name for target in every.targets} == {
        "passthrough-c:attach-lookup", "passthrough-c:attach-lookup:no-readdir:files", "passthrough-c:lookup",
    }  # fmt: skip
    assert any("not with --attach files" in why.reason for why in every.skipped)
    files = next(one for one in every.trials if one.series.target.endswith(":files")).series
    argv = registry.daemon("passthrough-c").argv
    assert argv is not None
    command = argv(Path("/b"), Path("/m"), schedule.options(files))
    assert command[command.index("--attach") + 1] == "files"


def test_threads_are_an_axis_of_changes() -> None:
    """Which are no storms: each window has names of its own."""
    plan = planned("create", threads=(1, 2), daemons=("plain-c",))
    found = {(one.series.row, one.series.threads) for one in plan.trials}
    assert found == {("create/shared", 1), ("create/shared", 2), ("create/each", 2)}
