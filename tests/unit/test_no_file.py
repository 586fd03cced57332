"""In place of a file of a run: a pipe, a device without an end, a folder, a file larger than memory.

Every command that reads runs ends, within bounds of memory, with a documented code and a line.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from test_any_json import ABOUT, COSTS, SELFTEST, SERIES, TRIALS, World, told

import report
from bench.commands import main as commands
from bench.commands import show
from bench.comparison.__main__ import main as analysis
from bench.model import UserError
from bench.results import json_text, jsonl
from bench.results.fleet import FILE, members
from bench.results.kinds import Wrong
from bench.stats.frame import load


def endless(file: Path) -> None:
    """A device that never comes to its end."""
    file.symlink_to("/dev/zero")


def large(file: Path) -> None:
    """Larger than memory, on disk nothing at all."""
    with file.open("wb") as made:
        made.truncate(1 << 40)


KINDS: list[Callable[[Path], None]] = [os.mkfifo, endless, Path.mkdir, large]
each_kind = pytest.mark.parametrize("make", KINDS, ids=["pipe", "device", "folder", "large"])


@pytest.fixture
def soon() -> Iterator[None]:
    """Who waits for good is interrupted."""

    def out_of_time(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("still reading")

    before = signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is reached at once."""
    monkeypatch.setattr(json_text, "LARGEST_BYTES", 1 << 20)


@each_kind
@pytest.mark.parametrize("name", [ABOUT, TRIALS, COSTS, SELFTEST, SERIES])
@pytest.mark.usefixtures("soon", "little")
def test_what_is_no_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], name: str
) -> None:
    """By report.py, show, compare of runs and compare of series."""
    monkeypatch.setattr(show, "report", lambda run, *options: report.main([str(run), *options]))
    world = World(tmp_path)
    (world.run / name).unlink()
    make(world.run / name)
    said = told(report.main, world.run, "--format", "text", "--print", "--output", world.output)
    said += told(commands.main, "show", world.run)
    said += told(analysis, "compare", world.run, world.other, "--force")
    said += told(analysis, "compare", world.run / SERIES, world.other / SERIES, "--force")
    reason = "more than 1 MiB" if make is large else "not a regular file"
    if name == SERIES and make is not large:
        reason = "no such run or file"
    assert reason in said
    assert Path(name).name in said


@each_kind
@pytest.mark.usefixtures("soon", "little")
def test_a_fleet_run_is_no_exception(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe as fleet.json is not waited for, and what is none is named."""
    make(tmp_path / FILE)
    with pytest.raises(UserError, match=FILE):
        members(tmp_path)


def test_a_line_without_an_end_is_left_out(tmp_path: Path) -> None:
    """The other lines of the file are read."""
    world = World(tmp_path)
    whole = len(load(world.run).trials)
    with (world.run / TRIALS).open("ab") as file:
        file.write(b'{"target": "' + b"x" * jsonl.LONGEST_BYTES + b'"}\n')
    run = load(world.run)
    assert len(run.trials) == whole
    assert [problem.endswith("longer than 1 MiB") for problem in run.problems] == [True]


def test_contents_says_what_it_is(tmp_path: Path) -> None:
    """A file as it is, Wrong for what is none, OSError for what is not there."""
    (tmp_path / "file").write_bytes(b"ab")
    assert json_text.contents(tmp_path / "file") == b"ab"
    before = len(list(Path("/proc/self/fd").iterdir()))
    for none in (Path("/dev/null"), tmp_path):
        with pytest.raises(Wrong, match="not a regular file"):
            json_text.contents(none)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(FileNotFoundError):
        json_text.contents(tmp_path / "none")
