"""Runs over one another: ratios to each one's own baseline, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from fakes import make_run

import report
from bench.model import Exit
from bench.report.overlay import overlay
from bench.report.overlay.overlay import Overlay
from bench.stats.frame import load

QUIET = {"noise": 0.0, "troubles": False}


def over(*paths: Path) -> Overlay:
    return overlay.overlay([load(path) for path in paths])


def renamed(path: Path, **about: object) -> Path:
    """The run with other values in run.json."""
    file = path / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | about))
    return path


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs in which passthrough takes 0.5 and 0.8 of plain; the second has a row more."""
    one = make_run(tmp_path / "one", effect=0.5, rows=2, **QUIET)
    other = make_run(tmp_path / "other", effect=0.8, rows=3, **QUIET)
    return renamed(one, run="one"), renamed(other, run="other")


def test_each_run_is_divided_by_its_own_baseline(two: tuple[Path, Path]) -> None:
    """What was put into each comes out beside the other."""
    made = over(*two)
    assert made.baseline == "plain"
    found = [one for one in made.shared if one.target == "passthrough"]
    assert {one.row.work for one in found} == {"getattr-storm/path", "getattr-storm/at"}
    for one in found:
        ratios = [line.ratios["plain"].value for line in one.lines if line]
        assert ratios == pytest.approx([0.5, 0.8])


def test_rows_that_not_all_have_are_named(two: tuple[Path, Path]) -> None:
    """Not left out silently."""
    assert "only in other: getattr-storm/fd (warm, timeouts 0)" in over(*two).apart


def test_targets_that_one_has_are_named(tmp_path: Path) -> None:
    """A target alone has nobody to be held against."""
    one = make_run(tmp_path / "one", targets=("native", "plain"), rows=1)
    other = make_run(tmp_path / "other", rows=1)
    made = over(renamed(one, run="one"), renamed(other, run="other"))
    assert "target only in other: passthrough" in made.apart
    assert {shared.target for shared in made.shared} == {"native"}


def test_kernels_of_a_run_are_sources_of_their_own(tmp_path: Path) -> None:
    """Each divided by the baseline of its own kernel."""
    targets = ("native@stock", "plain@stock", "native@slow", "plain@slow")
    one = make_run(tmp_path / "one", targets=targets, rows=1, **QUIET)
    other = make_run(tmp_path / "other", targets=("native", "plain"), rows=1, **QUIET)
    made = over(renamed(one, run="one"), renamed(other, run="other"))
    assert [source.name for source in made.sources] == ["one @stock", "one @slow", "other"]


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """By their directories, and the same run twice by a number."""
    one, other = (make_run(tmp_path / name, rows=1) for name in ("one", "other"))
    names = [source.name for source in over(one, other).sources]
    assert names == ["one/2026-06-01-fake", "other/2026-06-01-fake"]
    assert [source.name[-2:] for source in over(one, one).sources] == ["#1", "#2"]


def test_the_table_fits_a_mail_and_gives_no_times(two: tuple[Path, Path]) -> None:
    """72 columns of ASCII; no unit of time in any line of a target."""
    said = overlay.table(over(*two))
    assert said.isascii() and max(map(len, said.splitlines())) <= 72
    lines = re.findall(r"^  (?:passthrough)? +\d  .*$", said, flags=re.MULTILINE)
    assert len(lines) >= 4
    assert not [line for line in lines if re.search(r"\d (?:ns|us|ms|s)\b", line)]


def test_artefacts_of_several_runs(two: tuple[Path, Path], tmp_path: Path) -> None:
    """Text, CSV, chart and page, where they were asked to be; the page names no address."""
    output = tmp_path / "drawn"
    assert report.main([*map(str, two), "--output", str(output)]) == Exit.MEASURED
    made = {file.name for file in output.iterdir()}
    assert made == {f"overlay.{kind}" for kind in ("txt", "csv", "svg", "png", "html")}
    page = (output / "overlay.html").read_text()
    assert "http" not in page and page.count('<svg role="img"') == 1
    lines = list(csv.DictReader((output / "overlay.csv").read_text().splitlines()))
    assert len(lines) == 2 * len(over(*two).shared)
    assert {line["baseline"] for line in lines} == {"plain"}


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line with which it is refused."""
    assert report.main(list(argv)) == Exit.USAGE
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_different_clocks_are_refused(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Instructions are not time, also where runs have the same name."""
    renamed(two[1], clock="instructions", run="one")
    assert "different clocks (one: wall, one: instructions)" in refused(capsys, *map(str, two))


def test_no_row_in_common_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to be drawn."""
    one = make_run(tmp_path / "one", rows=1)
    other = make_run(tmp_path / "other", rows=1, names={"getattr-storm": "something-else"})
    assert "share no row" in refused(capsys, str(one), str(other))


def test_no_baseline_in_common_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ratios to different servers are no ratios to one another."""
    one = make_run(tmp_path / "one", rows=1, targets=("native",))
    other = make_run(tmp_path / "other", rows=1, targets=("plain", "passthrough"))
    assert "no baseline in common" in refused(capsys, str(one), str(other))
