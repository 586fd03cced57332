"""The cost sheet: what is read of the kernel's slabs, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fakes import make_run

import report
from bench.machine import slabs
from bench.report import costs, units
from bench.stats.frame import load

SLABINFO = """slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables
fuse_inode            70     99    832   39    8 : tunables    0    0    0 : slabdata 3 3 0
dentry              2100   2100    192   21    1 : tunables    0    0    0 : slabdata 100 100 0
"""


def record(target: str, **changes: Any) -> dict[str, Any]:
    """A line of costs.jsonl over 1000 inodes."""
    return {
        "target": target, "daemon": target, "kernel": "", "level": "none", "reason": "",
        "inodes": 1000, "client": {"user_s": 0.001, "system_s": 0.002}, "wall_s": 0.1,
        "slabs": {"fuse_inode": 900_000, "dentry": 200_000, "kmalloc-64": 30_000, "pid": 77_000},
        "server": {"user_s": 0.001, "system_s": 0.003, "rss_kib": 83, "rss_kib_before": 2000,
                   "fds": 500},
        "backing_ids": 0, "requests": {"LOOKUP": 1000}, "why": "",
    } | changes  # fmt: skip


def sheet(tmp_path: Path, *records: dict[str, Any]) -> Path:
    """A run with these lines in its costs.jsonl."""
    path = make_run(tmp_path)
    (path / "costs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def test_an_object_costs_its_share_of_the_slab() -> None:
    """39 objects in eight pages: what does not fit is lost too."""
    found = slabs.parse(SLABINFO, 4096)
    assert found == {"fuse_inode": 70 * 8 * 4096 // 39, "dentry": 2100 * 4096 // 21}


def test_growth_names_what_changed_in_either_direction() -> None:
    """A cache that shrank is told, one that stayed is not."""
    assert slabs.growth({"a": 1, "b": 5, "c": 2}, {"a": 4, "b": 2, "c": 2}) == {"a": 3, "b": -3}


def test_figures_are_per_inode(tmp_path: Path) -> None:
    """Bytes per inode, CPU time per stat in user space and in the kernel; other caches are left out."""
    units.measure_in(None)
    (cost,) = costs.costs(load(sheet(tmp_path, record("plain"))))
    assert costs.cells(cost) == (
        "plain", "900", "200", "0", "30", "85", "500", "0.00", "1.0", "1.0", "5.0",
    )  # fmt: skip


def test_the_price_of_attaching_is_a_sentence_of_its_own(tmp_path: Path) -> None:
    """The server's CPU time per LOOKUP with and without, and what the kernel holds for it."""
    dear = record(
        "passthrough:attach-lookup",
        backing_ids=1000,
        server={"user_s": 0.002, "system_s": 0.004, "rss_kib": 90, "rss_kib_before": 1, "fds": 0},
        slabs={"fuse_inode": 900_000, "dentry": 200_000, "filp": 250_000, "kmalloc-64": 94_000},
    )
    (said,) = costs.prices(load(sheet(tmp_path, record("plain"), dear)))
    assert "passthrough:attach-lookup against plain: the server pays 2.00 us more" in said
    assert "(4.00 us to 6.00 us, x 1.50)" in said
    assert "+314 bytes of slab per inode, 1.00 backing ids" in said


def test_without_an_attached_target_the_price_is_said_to_be_missing(tmp_path: Path) -> None:
    """On a kernel without inode passthrough nobody pays it."""
    (said,) = costs.prices(load(sheet(tmp_path, record("plain"), record("passthrough"))))
    assert "not in this sheet" in said


def test_the_table_has_the_sheet_within_72_columns(tmp_path: Path) -> None:
    """Long names, missing sources and failed passes included."""
    path = sheet(
        tmp_path,
        record("native", server=None, backing_ids=None, requests=None),
        record("passthrough-c:attach-lookup:no-readdir", slabs=None, why="no /proc/slabinfo"),
        record("plain", reason="plain exited with 1 before it had mounted"),
    )
    text = report.text_table(path)
    assert max(len(line) for line in text.splitlines()) <= 72
    assert "cost sheet" in text
    assert "plain: plain exited with 1 before it had mounted" in text
    assert "no /proc/slabinfo" in text


def test_a_run_without_a_sheet_says_nothing_of_it(tmp_path: Path) -> None:
    """Most runs make none."""
    assert "cost sheet" not in report.text_table(make_run(tmp_path))


def test_a_sheet_cut_short_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    """A crash leaves half a line."""
    path = sheet(tmp_path, record("plain"))
    with (path / "costs.jsonl").open("a") as file:
        file.write('{"target": "pas')
    run = load(path)
    assert [cost.target for cost in costs.costs(run)] == ["plain"]
    assert any("costs.jsonl" in problem for problem in run.problems)
