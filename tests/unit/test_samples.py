"""samples.csv.gz: a line for each sample and for each trial without any, readable as a table."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from fakes import WORKLOADS, make_run

from bench.model import Clock
from bench.report import units
from bench.report.rows import rows
from bench.report.text import samples
from bench.stats.frame import load


def read(path: Path) -> pd.DataFrame:
    """What any reader of CSV sees of a run's samples."""
    run = load(path)
    return pd.read_csv(io.StringIO("".join(samples.lines(run, rows(run)))), comment="#")


def test_a_line_for_every_sample(tmp_path: Path) -> None:
    """With its trial, its window and its time, bit by bit; in the order of the trials."""
    path = make_run(tmp_path, trials=2, values=3, troubles=False)
    run, table = load(path), read(path)
    assert len(table) == len(WORKLOADS) * 3 * 2 * 3
    for column in ("trial", "window", "seconds", "ns"):
        assert table[column].tolist() == run.samples[column].tolist()


def test_instructions_are_no_seconds(tmp_path: Path) -> None:
    """On the instruction clock a sample is so many instructions, and no column says a time."""
    path = make_run(tmp_path, trials=1, values=3, troubles=False)
    units.measure_in(Clock.INSTRUCTIONS)
    table = read(path)
    assert table["instructions"].tolist() == load(path).samples["seconds"].tolist()
    assert not {"seconds", "ns"} & set(table.columns)


def test_failed_and_skipped_trials_are_lines_without_a_time(tmp_path: Path) -> None:
    """A trial that measured nothing still has its line, with outcome and reason."""
    gaps = read(make_run(tmp_path)).query("outcome != 'ok'")
    assert set(gaps["outcome"]) == {"failed", "skipped"}
    assert gaps["seconds"].isna().all()
    assert gaps["reason"].str.len().min() > 0


def test_what_is_no_time_is_left_empty(tmp_path: Path) -> None:
    """A clock step has its line, and no number in it."""
    path = make_run(tmp_path, trials=1, rows=1, spoil={"values": [1e-6, -1e-6, None]})
    assert read(path)["seconds"].isna().tolist() == [False, True, True] * 3


def test_words_with_commas_quotes_and_hashes_stay_in_their_field(tmp_path: Path) -> None:
    """Reasons come from anywhere, and are read as one line."""
    spoil = {"outcome": "failed", "reason": 'said "no", #1\nand left', "values": []}
    table = read(make_run(tmp_path, rows=1, trials=1, spoil=spoil))
    assert set(table["reason"]) == {'said "no", no. 1 and left'}


def test_a_run_without_trials_has_the_heading_alone(tmp_path: Path) -> None:
    """No line, and no traceback."""
    path = make_run(tmp_path)
    (path / "trials.jsonl").write_text("")
    assert read(path).empty
