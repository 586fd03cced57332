"""Reading a run: everything that can be read is, and what cannot be read is named."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from fakes import WORKLOADS, make_run

from bench.model import Exit, UserError
from bench.stats.frame import load


def test_one_row_per_sample(tmp_path: Path) -> None:
    """Each timed window of each trial is one row, with what makes its series beside it."""
    run = load(make_run(tmp_path, trials=2, values=3, troubles=False))
    assert len(run.samples) == len(WORKLOADS) * 3 * 2 * 3
    assert len(run.trials) == len(WORKLOADS) * 3 * 2
    assert (run.samples["ns"] == run.samples["seconds"] * 1e9).all()
    assert not run.problems


def test_a_line_cut_short_is_reported_and_loses_nothing_else(tmp_path: Path) -> None:
    """A run that was killed while it wrote keeps every trial before the last."""
    path = make_run(tmp_path, trials=1, troubles=False)
    file = path / "trials.jsonl"
    file.write_text(file.read_text()[:-40])
    run = load(path)
    assert len(run.trials) == len(WORKLOADS) * 3 - 1
    assert [problem for problem in run.problems if "cut short" in problem]


def test_garbage_in_the_middle_is_skipped_and_named(tmp_path: Path) -> None:
    """A line that is no JSON, and JSON that is no trial, do not hide the other trials."""
    path = make_run(tmp_path, trials=1, troubles=False)
    file = path / "trials.jsonl"
    file.write_bytes(b"\xff{not json\n[1, 2]\n" + file.read_bytes())
    run = load(path)
    assert len(run.trials) == len(WORKLOADS) * 3
    assert len(run.problems) == 2


def test_unknown_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    """The message says which schema was found and which is read."""
    path = make_run(tmp_path, schema=99)
    with pytest.raises(UserError, match=r"schema 99, this program reads 1") as caught:
        load(path)
    assert caught.value.code == Exit.USAGE
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", '{"schema": 1', "[]", "null"])
def test_an_unreadable_run_json_is_a_user_error(tmp_path: Path, content: str) -> None:
    """Cut short, empty or of another shape: a line, not a traceback."""
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json"):
        load(tmp_path)


def test_a_directory_without_run_json_is_no_run(tmp_path: Path) -> None:
    """Naming the wrong directory is a usage error."""
    with pytest.raises(UserError, match="not a run"):
        load(tmp_path)


def test_missing_trials_file_is_an_empty_run(tmp_path: Path) -> None:
    """A run that ended before its first trial can be read."""
    path = make_run(tmp_path)
    (path / "trials.jsonl").unlink()
    run = load(path)
    assert run.samples.empty
    assert run.problems


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0, -1e-6, None])
def test_values_that_are_no_times_become_nan_and_are_counted(tmp_path: Path, bad: object) -> None:
    """A clock step or a null is neither dropped silently nor measured with."""
    run = load(make_run(tmp_path, trials=1, spoil={"values": [1e-6, bad]}))
    assert int(run.samples["seconds"].isna().sum()) == 3
    assert [problem for problem in run.problems if "3 of" in problem]


def test_a_bare_trial_line_is_read_with_defaults(tmp_path: Path) -> None:
    """Keys that a later or earlier runner does not write are not needed to read the rest."""
    path = make_run(tmp_path)
    bare = {"target": "plain", "workload": "readdir", "outcome": "ok", "values": [1e-6]}
    (path / "trials.jsonl").write_text(json.dumps(bare) + "\n")
    assert list(load(path).samples["row"]) == ["readdir (warm, timeouts not recorded)"]
