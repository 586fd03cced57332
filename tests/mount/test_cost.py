"""`bench run --cost`: one line per target, by the server's own counts, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.model import Exit

ROOT = Path(__file__).parents[2]
FILES, DIRECTORIES = 1000, 111
TARGETS = ("native", "bind", "plain-c", "plain")


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The cost sheet of a run over the tiny tree, by target."""
    folder = tmp_path_factory.mktemp("cost")
    (folder / "backing").mkdir()
    asked = [option for target in TARGETS for option in ("--daemon", target)]
    done = subprocess.run(
        [
            sys.executable, "-m", "bench", "run", "--only", *asked, "--quick", "--trials", "1",
            "--workload", "readdir", "--cost", "--no-report",
            "--backing", str(folder / "backing"), "--output", str(folder / "run"),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == Exit.MEASURED, done.stderr
    lines = (folder / "run" / "costs.jsonl").read_text().splitlines()
    return {record["target"]: record for record in map(json.loads, lines)}


def test_every_target_has_one_line(costs: dict[str, dict[str, Any]]) -> None:
    """The in-kernel ones and the floor too."""
    assert set(costs) == set(TARGETS)
    assert {record["inodes"] for record in costs.values()} == {FILES}


@pytest.mark.parametrize("target", ["plain-c", "plain"])
def test_every_name_was_looked_up_once(costs: dict[str, dict[str, Any]], target: str) -> None:
    """Each file and each directory below the mount's root (tree itself among them): one LOOKUP."""
    assert costs[target]["requests"]["LOOKUP"] == FILES + DIRECTORIES
    assert costs[target]["server"]["fds"] == FILES + DIRECTORIES


@pytest.mark.parametrize("target", ["plain-c", "plain"])
def test_the_kernel_holds_an_inode_for_each(costs: dict[str, dict[str, Any]], target: str) -> None:
    """At least the size of struct inode for each of them (include/linux/fs.h: over 500 bytes)."""
    assert costs[target]["slabs"]["fuse_inode"] > 500 * FILES


def test_targets_without_a_server_have_no_server(costs: dict[str, dict[str, Any]]) -> None:
    """A bind mount makes no requests, and nobody answers them."""
    assert costs["bind"]["server"] is None
    assert costs["bind"]["requests"] is None
