"""A run that tunes the machine puts it back, also when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.machine import tune
from bench.machine.knobs import KNOBS, State, states

ROOT = Path(__file__).parents[2]


@pytest.fixture
def loose() -> State:
    """A knob of this machine that is not as it should be."""
    for state in states([knob for knob in KNOBS if knob.ours]):
        if state.files and not state.good:
            return state
    pytest.skip("needs a kernel knob that is not set as wanted; here all are")


def wait_until(condition: object, process: subprocess.Popen[bytes] | None = None) -> None:
    """Poll for it, a minute at most."""
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        assert process is None or process.poll() is None, "the run ended early"
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.01)


def test_a_killed_run_leaves_the_machine_as_it_was(loose: State, tmp_path: Path) -> None:
    """SIGKILL of the runner in mid-run: the guardian writes the old values back."""
    before = loose.values
    (tmp_path / "backing").mkdir()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "bench", "run", "--daemon", "plain-c", "--tune", "--no-report",
            "--backing", str(tmp_path / "backing"), "--output", str(tmp_path / "run"), "--quiet",
        ],
        cwd=ROOT,
    )  # fmt: skip
    try:
        wait_until(lambda: states([loose.knob])[0].good, process)
        assert list(tune.JOURNALS.glob(f"{process.pid}-*.jsonl"))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    wait_until(lambda: states([loose.knob])[0].values == before)
    wait_until(lambda: not list(tune.JOURNALS.glob(f"{process.pid}-*.jsonl")))
