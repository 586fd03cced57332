"""list-stat on a real mount: its requests are what a plain server is expected to get."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.model import Bound, Exit, Opcode
from bench.requests.proof import check_expected
from workloads import list_stat

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("cache", ["cold-fuse", "warm"])
@pytest.mark.parametrize("timeouts", [["--nocache"], []])
def test_every_share_is_measured_and_its_requests_are_as_expected(
    tmp_path: Path, cache: str, timeouts: list[str]
) -> None:
    """All variants, at timeouts 0 and at the workload's own; a cold mount is proven cold."""
    command = [sys.executable, "-m", "bench", "run", "--only", "--daemon", "plain-c", "--tree",
               "tiny", "--trials", "1", "--values", "1", "--workload", "list-stat", "--cache",
               cache, *timeouts, "--no-report", "--output", str(tmp_path / "run")]  # fmt: skip
    (tmp_path / "backing").mkdir()
    command += ["--backing", str(tmp_path / "backing")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == Exit.MEASURED, done.stderr
    lines = (tmp_path / "run" / "trials.jsonl").read_text().splitlines()
    trials = [json.loads(line) for line in lines]
    assert {trial["variant"] for trial in trials} == set(list_stat.VARIANTS)
    for trial in trials:
        assert trial["entries"] == 1000
        bounds = {Opcode[name]: Bound(*ends) for name, ends in trial["expected"].items()}
        counts = {Opcode[name]: n for name, n in trial["requests"]["kernel"].items()}
        assert check_expected(bounds, counts, trial["requests"]["ops"]) == []
