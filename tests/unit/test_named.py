"""A script can trust the exit code: what was named counts, not what came along."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.model import Exit
from bench.results.store import RunDirectory
from bench.run.trials import RunResult

MINE, FRIEND = ("mine", "plain-c")


def result(folder: Path, outcomes: list[tuple[str, str]], **header: Any) -> RunResult:
    """A run of these trials, in which ``mine`` was named."""
    about: Mapping[str, Any] = {
        "settings": {"daemons": [MINE]},
        "targets": [{"name": f"{MINE}:rw", "daemon": MINE}],
    }
    run = RunDirectory.create(folder / "run", {**about, **header})
    counts: dict[str, int] = {}
    for daemon, outcome in outcomes:
        run.append_trial({"daemon": daemon, "outcome": outcome, "reason": "because"})
        counts[outcome] = counts.get(outcome, 0) + 1
    return RunResult(run, counts)


@pytest.mark.parametrize(
    ("outcomes", "header", "code"),
    [
        ([(MINE, "ok"), (FRIEND, "ok")], {}, Exit.MEASURED),
        ([(FRIEND, "ok")], {"refused": {"mine:rw": "differs"}}, Exit.NOTHING),
        ([(FRIEND, "ok")], {"skipped": [{"what": MINE, "reason": "not on PATH"}]}, Exit.NOTHING),
        ([(MINE, "skipped"), (FRIEND, "ok")], {}, Exit.NOTHING),
        ([(MINE, "ok"), (MINE, "skipped"), (FRIEND, "ok")], {}, Exit.PROOF_FAILED),
        ([(MINE, "ok")], {"refused": {"mine:rw": "differs"}}, Exit.PROOF_FAILED),
        ([(MINE, "ok"), (FRIEND, "failed")], {}, Exit.PROOF_FAILED),
        ([(FRIEND, "ok")], {"settings": {"daemons": [MINE], "parts": [{}]}}, Exit.MEASURED),
        ([], {}, Exit.NOTHING),
    ],
)
def test_what_was_named_decides(
    tmp_path: Path, outcomes: list[tuple[str, str]], header: dict[str, Any], code: Exit
) -> None:
    """Nothing of it: 3; some of it, or a failed trial: 4; a matrix names nothing."""
    assert result(tmp_path, outcomes, **header).exit is code
