"""Every workload on real mounts: a run's own counts are what the workload says a server gets.

On plain-c the bounds as they are; on passthrough-c, at the level this kernel gives, what it claims
is counted as none. Rows that take seconds each (a full build, a repository of 10^5 files) are left to
whoever runs them by name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import registry
from bench.model import Bound, Cache, Exit, Group, Opcode
from bench.requests.proof import check_expected

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.mount

SLOW = {"macro-make/full", "macro-git/large", "macro-import"}
NEW = (Group.CHANGES, Group.XATTRS, Group.CONTENTION)


def names(*groups: Group) -> list[str]:
    """Rows of these groups that are measured here."""
    rows = [registry.row_name(*row) for row in registry.every_row() if row[0].group in groups]
    return [name for name in rows if name not in SLOW]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose ``backing`` is memory, where a name is made in a tenth of the time; where memory
    keeps no attributes of users (before Linux 6.6), it is the disk."""
    backing = tmp_path / "backing"
    backing.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", backing], check=True)
    try:
        os.setxattr(backing, "user.x", b"1")
    except OSError:
        subprocess.run(["umount", backing], check=True)
    yield tmp_path
    if backing.is_mount():
        subprocess.run(["umount", backing], check=True)


def measured(folder: Path, workloads: list[str], *more: str) -> list[dict[str, Any]]:
    """The records of one run of these workloads."""
    command = [sys.executable, "-m", "bench", "run", "--only", "--daemon", "plain-c", "--daemon",
               "passthrough-c", "--tree", "tiny", "--trials", "1", "--values", "1", "--no-report",
               "--entries", "100", "--backing", str(folder / "backing"), "--output",
               str(folder / "run"), *more]  # fmt: skip
    for name in workloads:
        command += ["--workload", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    assert done.returncode == Exit.MEASURED, done.stderr
    lines = (folder / "run" / "trials.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def refuse_unexpected(trials: list[dict[str, Any]]) -> None:
    """Every trial's counts lie in the bounds of its record."""
    for trial in trials:
        bounds = {Opcode[name]: Bound(*ends) for name, ends in trial["expected"].items()}
        assert bounds, f"{trial['series']}: expects nothing"
        counts = {Opcode[name]: n for name, n in trial["requests"]["kernel"].items()}
        wrong = check_expected(bounds, counts, trial["requests"]["ops"])
        assert wrong == [], f"{trial['series']}: {trial['requests']['kernel']}"


@pytest.mark.parametrize("timeouts", ["own", "0"])
@pytest.mark.parametrize("group", NEW)
def test_changes_xattrs_and_contention(folder: Path, group: Group, timeouts: str) -> None:
    """Every row, both in its own setting and with nothing cached, from two threads."""
    trials = measured(folder, names(group), "--threads", "2", "--timeouts", timeouts)
    rows = {(trial["workload"], trial["variant"]) for trial in trials}
    assert rows == {(w.name, v) for w, v in registry.every_row() if w.group is group}
    refuse_unexpected(trials)


@pytest.mark.parametrize("way", ["enosys", "off"])
def test_without_extended_attributes_fewer_are_asked_for(folder: Path, way: str) -> None:
    """By xattr rows, by ls and by what the kernel asks for itself."""
    rows = ["xattr-get", "xattr-list", "list-stat/ls", "macro-ls"]
    refuse_unexpected(measured(folder, rows, "--xattr", way))


@pytest.mark.parametrize("cache", ["cold-fuse", "warm"])
def test_listings_in_both_orders(folder: Path, cache: str) -> None:
    """Every share."""
    rows = ["list-stat"]
    refuse_unexpected(measured(folder, rows, "--cache", cache))


@pytest.mark.parametrize("cache", [Cache.COLD_FUSE, Cache.WARM])
def test_real_programs(folder: Path, cache: Cache) -> None:
    """Programs that are here are run; one that is missing is a row left out, not a failure."""
    trials = measured(folder, names(Group.PROGRAMS), "--cache", cache.value)
    assert trials
    refuse_unexpected(trials)
