"""A matrix on real mounts: what an axis says is what the server does, by the kernel's own counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.model import Exit

ROOT = Path(__file__).parents[2]
MATRIX = """
trials = 1
values = 1
tree = "tiny"

[[part]]
daemons = ["native", "plain-c"]
modes = ["readdirplus", "readdir", "auto"]
workloads = "walk-find"

[[part]]
daemons = ["plain", "plain-c"]
modes = ["readdirplus", "readdir"]
server_threads = 2
clone_fd = "on"
workloads = "getattr-storm/at"
timeouts = ["0", "forever"]
threads = [1, 2]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matrix, measured."""
    folder = tmp_path_factory.mktemp("axes")
    (folder / "backing").mkdir()
    (folder / "mine.toml").write_text(MATRIX)
    done = subprocess.run(
        [
            sys.executable, "-m", "bench", "run", "--matrix", str(folder / "mine.toml"),
            "--backing", str(folder / "backing"), "--output", str(folder / "run"),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == Exit.MEASURED, done.stderr
    return folder / "run"


def trials(run: Path, workload: str) -> list[dict[str, Any]]:
    """The records of a workload."""
    records = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    assert {record["outcome"] for record in records} == {"ok"}
    return [record for record in records if record["workload"] == workload]


def test_the_mode_decides_which_listing_requests_arrive(run: Path) -> None:
    """READDIRPLUS alone, READDIR alone, or both in turn (fuse_use_readdirplus in fs/fuse/readdir.c)."""
    seen = {
        record["target"]: {"READDIR", "READDIRPLUS"} & set(record["requests"]["kernel"])
        for record in trials(run, "walk-find")
        if record["requests"]
    }
    assert seen == {
        "plain-c": {"READDIRPLUS"},
        "plain-c:readdir": {"READDIR"},
        "plain-c:auto": {"READDIR", "READDIRPLUS"},
    }


def test_every_combination_of_a_part_is_measured_and_no_other(run: Path) -> None:
    """Two threads make a row, two timeouts make a row, a mode makes a target."""
    found = {
        (record["target"], record["threads"], record["attr_timeout"])
        for record in trials(run, "getattr-storm")
    }
    c = "plain-c:2-threads:clone-fd", "plain-c:readdir:2-threads:clone-fd"
    assert found == {
        (target, threads, timeout)
        for target in ("plain", *c)
        for threads in (1, 2)
        for timeout in (0, 3600)
    }


def test_a_timeout_that_never_runs_out_leaves_no_request(run: Path) -> None:
    """With timeouts of 0 every stat asks, with forever none."""
    for record in trials(run, "getattr-storm"):
        asked = record["requests"]["kernel"].get("GETATTR", 0)
        assert bool(asked) == (record["attr_timeout"] == 0), record["series"]


def test_two_client_threads_have_two_cpus(run: Path) -> None:
    """Where there are two; the server is where its client is."""
    for record in trials(run, "getattr-storm"):
        cpus = record["cpus"]
        assert cpus["client"] == cpus["daemon"]
        assert len(cpus["client"]) == min(record["threads"], len(os.sched_getaffinity(0)))


def test_what_a_daemon_cannot_do_is_in_the_runs_record(run: Path) -> None:
    """With the reason, once for each."""
    skipped = json.loads((run / "run.json").read_text())["skipped"]
    reasons = [item["reason"] for item in skipped if item["what"] == "plain"]
    assert len(reasons) == 2
    assert "pyfuse3 registers only READDIRPLUS: no mode readdir" in reasons


def test_the_report_has_a_row_for_each_setting(run: Path) -> None:
    """Four of the storm, one of the walk, and a table that fits a mail."""
    table = (run / "report" / "table.txt").read_text()
    assert table.count("\ngetattr-storm/at (") == 4 and table.count("\nwalk-find (") == 1
    assert max(len(line) for line in table.splitlines()) <= 72
    assert (run / "report" / "overview.svg").is_file()
