"""Profiles in a report: a table of subsystems for every row, pictures of the chief ones."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from fakes import make_run

import report
from bench.comparison.compare import compare
from bench.comparison.sides import side
from bench.profile import bars, store, text
from bench.profile.requests import RequestProfile
from bench.profile.store import Profile
from bench.report.studies.row_profiles import profiles as row_profiles
from bench.report.text import profiles
from bench.stats.verdicts import Finding

SVG = "{http://www.w3.org/2000/svg}"
CALL = ("client", "opdriver:drive", "entry_SYSCALL_64", "vfs_statx")
FOLDED = {
    "native": {(*CALL, "path_lookupat"): 100, CALL: 50},
    "plain": {(*CALL, "path_lookupat"): 100, (*CALL, "fuse_do_getattr"): 700},
    "passthrough": {(*CALL, "fuse_passthrough_getattr"): 250},
}


def profiled_run(folder: Path, trials: int = 2) -> Path:
    """A fake run of one row, every target of it profiled."""
    path = make_run(folder, trials=trials, rows=1, effect=0.5, troubles=False)
    lines = []
    for line in (path / "trials.jsonl").read_text().splitlines():
        trial = json.loads(line)
        folded = FOLDED[trial["target"]]
        name = f"{trial['target']}-{trial['round']}"
        trial["profile"] = store.write(path, name, Profile(folded, 10), 1.0)
        lines.append(json.dumps(trial))
    (path / "trials.jsonl").write_text("\n".join(lines) + "\n")
    return path


def test_every_row_has_a_table_of_subsystems_and_what_differs(tmp_path: Path) -> None:
    """Target beside target; against the floor, function by function."""
    run, rows = report.read(profiled_run(tmp_path))
    said = "\n".join(profiles.lines(run, rows))
    assert "path walk" in said
    assert "plain less native: +65: +70 in fuse_do_getattr, -5 in vfs_statx" in said
    (one,) = row_profiles(run, rows)
    totals = profiles.grid(one).lines[-1]
    assert [cell.text for cell in totals] == ["all", "15", "80", "25"]


def test_the_chief_rows_have_bars_level_beside_level(tmp_path: Path) -> None:
    """A bar for every target, its parts as wide as their share of the longest."""
    run, rows = report.read(profiled_run(tmp_path))
    (one,) = row_profiles(run, rows)
    sums = {target: profile.by_subsystem() for target, profile in one.by_target.items()}
    root = ET.fromstring(bars.svg(sums, 'a <row> & "more"'))
    names = {text.text for text in root.iter(f"{SVG}text")}
    assert {"native", "plain", "passthrough", "15", "80", "25"} <= names
    widths = {
        group.findtext(f"{SVG}title", ""): float(group.find(f"{SVG}rect").get("width", "0"))  # type: ignore[union-attr]
        for group in root.iter(f"{SVG}g")
    }
    whole = bars.WIDTH - bars.NAMES - bars.FIGURES - bars.MARGIN
    assert widths["FUSE on plain: 70 instructions per op, 87.5 %"] == pytest.approx(
        whole * 70 / 80, abs=0.01
    )


def test_text_and_page_show_them(tmp_path: Path) -> None:
    """profiles.txt; a chapter of the page with its flame graphs inside."""
    path = profiled_run(tmp_path)
    assert report.main([str(path), "--format", "text", "html"]) == 0
    assert "fuse_do_getattr" in (path / "report" / "profiles.txt").read_text()
    page = (path / "report" / "index.html").read_text()
    assert 'id="profile"' in page
    assert "<title>FUSE on plain: 70 instructions per op, 87.5 %" in page
    assert "<title>fuse_do_getattr: 70.0 instructions per op" in page


def test_a_run_without_profiles_has_no_chapter(tmp_path: Path) -> None:
    """Neither a file nor a heading."""
    path = make_run(tmp_path, trials=2, rows=1)
    assert report.main([str(path), "--format", "text", "html"]) == 0
    assert not (path / "report" / "profiles.txt").exists()
    assert 'id="profile"' not in (path / "report" / "index.html").read_text()


def test_a_profile_that_is_gone_is_left_out(tmp_path: Path) -> None:
    """A report without a profile that is gone is drawn all the same."""
    path = profiled_run(tmp_path)
    for file in (path / store.FOLDER).iterdir():
        file.write_bytes(b"broken")
    assert report.main([str(path), "--format", "text"]) == 0
    assert not (path / "report" / "profiles.txt").exists()


def test_what_a_request_costs_is_a_line_of_its_own() -> None:
    """On either side, with the subsystem that has most of it; none where nothing was sent."""
    cost = RequestProfile("GETATTR", 2.0, {"FUSE": 30.0}, {"FUSE": 10.0, "VFS": 60.0})
    heading, line = text.request_lines([cost])
    assert heading.startswith("request")
    assert line.split() == ["GETATTR", "2.000", "100", "30", "70", "60%", "VFS"]
    assert text.request_lines([]) == []


def test_compare_names_the_functions_below_its_heading(tmp_path: Path) -> None:
    """For a row that differs, where both sides have profiles."""
    path = profiled_run(tmp_path, trials=8)
    made = compare(side(f"{path}:plain"), side(f"{path}:passthrough"), 1.0, frozenset())
    assert made.rows[0].judgement.finding is Finding.FASTER
    (note,) = [note for note in made.notes if "fuse_do_getattr" in note]
    assert "-70 in fuse_do_getattr (FUSE), +25 in fuse_passthrough_getattr (FUSE)" in note
