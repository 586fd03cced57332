"""Where the time goes, held against a server that is slower by a known amount."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.model import Opcode
from bench.requests.attribution import BEHIND

ROOT = Path(__file__).parents[2]
DELAY_NS = 200_000


def records(tmp_path: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """One round of a quick run with attribution: its trial records by target."""
    backing, output = tmp_path / "backing", tmp_path / "run"
    backing.mkdir(exist_ok=True)
    run = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--quick",
        "--trials",
        "1",
        "--only",
        "--no-report",
    ]
    done = subprocess.run(
        [*run, "--attribution", "--backing", backing, "--output", output, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = (output / "trials.jsonl").read_text().splitlines()
    return {record["target"]: record for record in map(json.loads, lines)}


@pytest.mark.parametrize("daemon", ["plain-c", "plain"])
def test_a_known_delay_is_found_in_the_server_and_nowhere_else(tmp_path: Path, daemon: str) -> None:
    """Every GETATTR spends its delay between read and write, all within the kernel's time of it."""
    trials = records(
        tmp_path, "--daemon", daemon, "--workload", "getattr-storm/fd", "--delay", "GETATTR=200us"
    )
    delayed = trials[f"{daemon}:delay-getattr-200us"]["attribution"]
    getattr_ = delayed["by_opcode"].pop("GETATTR")
    assert delayed["why"] == ""
    assert delayed["by_opcode"] == {}, "an fstat made other requests than GETATTR"
    assert getattr_["count"] == delayed["ops"]
    assert DELAY_NS * getattr_["count"] <= getattr_["server_ns"]
    assert getattr_["server_ns"] < getattr_["total_ns"] < delayed["window_ns"]
    assert trials[daemon]["delay_ns"] == {}
    assert trials[f"{daemon}:delay-getattr-200us"]["delay_ns"] == {"GETATTR": DELAY_NS}


@pytest.mark.parametrize("row", ["open-close", "readdir", "lookup-cold"])
def test_it_sees_what_the_counting_pass_sees(tmp_path: Path, row: str) -> None:
    """Attribution sees the same requests per op, opcode by opcode, those nobody waits for kept apart."""
    trial = records(tmp_path, "--daemon", "plain-c", "--workload", row)["plain-c"]
    found, counted = trial["attribution"], trial["requests"]
    assert found["why"] == ""
    seen = {**found["by_opcode"], **found["behind"]}
    per_op = {name: entry["count"] / found["ops"] for name, entry in seen.items()}
    assert per_op == {name: n / counted["ops"] for name, n in counted["kernel"].items()}
    assert {Opcode[name] for name in found["behind"]} == {Opcode[name] for name in seen} & BEHIND
    parts = found["by_opcode"].values()
    assert all(0 < entry["server_ns"] < entry["total_ns"] for entry in parts)
    assert sum(entry["total_ns"] for entry in parts) < found["window_ns"]


@pytest.mark.parametrize("daemon", ["native", "overlayfs"])
def test_what_makes_no_requests_is_all_kernel(tmp_path: Path, daemon: str) -> None:
    """There is a window, and nothing in it to tell apart."""
    trial = records(tmp_path, "--daemon", daemon, "--workload", "getattr-storm/fd")[daemon]
    found = trial["attribution"]
    assert found["ops"] > 0
    assert (found["by_opcode"], found["behind"], found["why"]) == ({}, {}, "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--workload", "getattr-storm/fd", "--threads", "2"), "2 client threads"),
        (("--workload", "walk-du", "--cache", "cold-fuse"), "uses the mount up"),
    ],
)
def test_where_it_means_nothing_it_says_so(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    """Threads overlap, and some windows cannot be had again: no parts, and why."""
    found = records(tmp_path, "--daemon", "plain-c", *arguments)["plain-c"]["attribution"]
    assert (found["ops"], found["by_opcode"]) == (0, {})
    assert reason in found["why"]
