"""From a run to its bundle to the answer of a rerun, with real mounts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.machine import isolate, mountinfo
from bench.model import Exit
from bench.run import cleanup

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.mount


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    """One command of ours."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_published_run_is_run_again_and_judged(tmp_path: Path, backing: Path) -> None:
    """The verifying run has the same settings and seed, and leaves nothing mounted.

    The margin is a factor of 1000: whether a busy machine repeats itself is not what is tested.
    """
    first, again = tmp_path / "first", tmp_path / "again"
    made = bench(
        "run", "--quick", "--trials", 3, "--only", "--daemon", "native", "--daemon", "plain-c",
        "--workload", "getattr-storm/fd", "--backing", backing, "--output", first, "--no-report",
    )  # fmt: skip
    assert made.returncode == Exit.MEASURED, made.stderr
    assert bench("bundle", first, "-o", tmp_path / "b.tar.gz").returncode == Exit.MEASURED
    margin = ("--margin", 99_900, "--json")
    done = bench("verify", tmp_path / "b.tar.gz", "--output", again, "--backing", backing, *margin)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["answer"] == "confirmed"
    assert [row["rounds"] for row in answer["rows"]] == [[3, 3]]
    headers = [json.loads((run / "run.json").read_text()) for run in (first, again)]
    assert headers[0]["settings"] == headers[1]["settings"]
    assert mountinfo.under(isolate.RUNTIME) == []
    assert cleanup.mounts() == []
