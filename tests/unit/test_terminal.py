"""What a run ends with: 30 lines at most, findings first, files last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from additive import LISTING, LOOKUP, PLAIN, curve, write
from fakes import make_run
from published import with_a_mail

import report
from bench.model import Exit
from bench.report import units
from bench.report.text import lab_kernel

PUBLISHED = with_a_mail()


@pytest.fixture(autouse=True)
def _wall() -> Iterator[None]:
    """What one test's run was measured in is not the next one's."""
    yield
    units.measure_in("wall")


def summary(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What report.py --summary prints."""
    words = [str(path), "--format", "text", "--summary", "--output", str(tmp_path / "drawn")]
    assert report.main(words) == Exit.MEASURED
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("about", PUBLISHED, ids=lambda path: f"{path.parts[-3]}-{path.parts[-2]}")
def test_it_fits_a_terminal(
    about: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """30 lines of 79 columns, for every published run."""
    lines = summary(about.parent, tmp_path, capsys)
    assert len(lines) <= 30
    assert max(map(len, lines)) <= max(79, *(len(line) for line in lines if line[6:7] == " "))
    assert lines[-1] == f"table: {tmp_path / 'drawn' / 'table.txt'}"
    assert lines[-2].startswith("mail:  ")


def test_a_stock_kernel_says_what_it_lacks_and_what_the_lab_kernel_showed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What engaged and what did not, and in two lines the published run with the command."""
    targets = ("native", "plain-c", "plain", "passthrough")
    path = make_run(tmp_path, targets=targets, troubles=False, trials=8)
    lines = summary(path, tmp_path, capsys)
    assert "engaged: passthrough in 1 of 20 rows (read-random)" in lines
    assert any(line.startswith("not engaged: what attach-lookup passes through") for line in lines)
    assert any("passthrough / plain (both Python)" in line for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("lab kernel, "))
    assert lines[at + 1].strip() == lab_kernel.COMMAND


def test_findings_break_even_and_what_needs_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the lab kernel where the run is on it."""
    cells = [*curve(PLAIN, 20, 2), *curve(LISTING, 8, 42, engaged=True)]
    cells += curve(LOOKUP, 4, 6, engaged=True)
    said = summary(write(tmp_path, cells, rounds=2, clock="instructions"), tmp_path, capsys)
    assert "fewer, most of all:" in said
    assert "needs more: rows of 1 workload, the worst:" in said
    assert any("attach-lookup: <30 % (READDIRPLUS)" in line for line in said)
    assert not any(line.startswith("lab kernel") for line in said)


def test_the_table_comes_before_it_where_it_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both, the summary last."""
    path = make_run(tmp_path, troubles=False)
    assert report.main([str(path), "--format", "text", "--print", "--summary"]) == Exit.MEASURED
    out = capsys.readouterr().out
    assert out.startswith((path / "report" / "table.txt").read_text())
    assert out.rstrip().endswith("table.txt")
