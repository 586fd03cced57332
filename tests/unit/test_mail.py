"""The long block for a posting: 72 columns of ASCII, nothing typed by hand, nothing pretended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import make_run

import report
from bench.model import Exit

ROOT = Path(__file__).parents[2]


def mail(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What report.py --mail --all prints of a run."""
    assert report.main([str(path), "--all", "--mail", *options]) == Exit.MEASURED
    return capsys.readouterr().out


@pytest.mark.parametrize("layout", list(report.LAYOUTS))
def test_it_fits_a_mail(tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str) -> None:
    """Whatever names and reasons a run has."""
    names = {"passthrough": "passthrough-of-another-server-in-c"}
    path = make_run(tmp_path, names=names, spoil={"reason": "µ" * 200, "outcome": "failed"})
    assert report.main([str(path), "--mail", "--layout", layout]) == Exit.MEASURED
    text = capsys.readouterr().out
    assert text.isascii()
    assert max(len(line) for line in text.splitlines()) <= 72
    assert names["passthrough"] in text


def test_claim_pair_controls_method_costs_and_command_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What reviewers ask for, in the order they read."""
    text = mail(make_run(tmp_path, troubles=False, trials=8), capsys)
    places = [
        text.index(part)
        for part in (
            "passthrough against plain",
            "before: plain",
            "Method",
            "Costs",
            "To reproduce",
        )
    ]
    assert places == sorted(places)
    assert "python -m bench run --daemon passthrough --tree small" in text


def test_a_row_has_ratio_interval_n_and_requests_on_both_sides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """read-random is where the fake kernel passes through."""
    lines = mail(make_run(tmp_path, troubles=False, trials=8), capsys).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("read-random (warm, "))
    assert "timeouts 0" in lines[at]
    cells = lines[at + 1]
    assert cells.split()[-4:] == ["8", "1.00", "0.00", "faster"]
    assert "[" in cells


def test_rows_of_a_higher_level_are_left_out_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a word of them in the table."""
    text = mail(make_run(tmp_path, troubles=False), capsys)
    table, _, left = text.partition("left out:")
    assert "getattr-storm" not in table
    assert "getattr-storm" in left
    assert "the kernel refused a backing" in " ".join(left.split())


def test_few_rounds_claim_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two trials have no interval."""
    text = mail(make_run(tmp_path, troubles=False, trials=2), capsys)
    assert "no row in which passthrough engaged" in " ".join(text.split())
    assert "n=2: too few" in " ".join(text.split())


def test_the_robots_layout_leaves_small_spreads_blank(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """value +- n%, change, value +- n%, metric; under 2 % there is no spread."""
    text = mail(make_run(tmp_path, troubles=False, noise=0.001), capsys, "--layout", "0-day")
    assert "read-random (warm, timeouts 0) ns_per_op" in text
    assert "read-random (warm, timeouts 0) requests_per_op" in text
    assert "+-" not in text
    noisy = mail(make_run(tmp_path, troubles=False, noise=0.2), capsys, "--layout", "0-day")
    assert "+-" in noisy


def test_an_unknown_target_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    assert report.main([str(make_run(tmp_path)), "--mail", "nobody"]) == Exit.USAGE
    assert "no target nobody: the run has native, plain, passthrough" in capsys.readouterr().err


def test_without_passthrough_there_is_nothing_to_post(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A baseline alone makes no pair."""
    path = make_run(tmp_path, targets=("native", "plain"))
    assert report.main([str(path), "--mail"]) == Exit.USAGE
    assert "no target passes anything through" in capsys.readouterr().err


def test_the_cost_sheet_is_the_cost_paragraph(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the run made one."""
    path = make_run(tmp_path, troubles=False)
    record = {
        "target": "plain", "reason": "", "inodes": 10, "client": {"user_s": 0, "system_s": 0},
        "slabs": {"fuse_inode": 9000}, "server": None, "backing_ids": None, "why": "",
    }  # fmt: skip
    (path / "costs.jsonl").write_text(json.dumps(record) + "\n")
    text = mail(path, capsys)
    assert "cost sheet" in text
    assert "not measured in this run" not in text


def test_the_long_mail_has_the_whole_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """The short one has the usual setting and says where the others are."""
    long = mail(ROOT / "results/lab-6.12/instructions", capsys)
    assert "Is readdir + getattr passthrough a win over READDIRPLUS?" in long
    assert long.index("Is readdir") < long.index("\nMethod")
    assert "timeouts 0, 1000 entries" in long
