"""One point per run and kernel, in order of time; what cannot stand in one line does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fakes import make_run

from bench.comparison.__main__ import main
from bench.model import Exit


def published(results: Path, day: int, **changes: Any) -> Path:
    """A run of one day of June; ``changes`` are keys of its environment."""
    made = make_run(results / f"{day:02}", rows=2, troubles=False, seed=day)
    header = json.loads((made / "run.json").read_text())
    header |= {"run": f"run-{day}", "started": f"2026-06-{day:02}T10:00:00+00:00"}
    header["environment"] |= {"kernel_release": f"6.{day}.0", **changes}
    (made / "run.json").write_text(json.dumps(header))
    return made


def history(capsys: pytest.CaptureFixture[str], results: Path, *argv: str) -> list[dict[str, Any]]:
    """The courses as JSON."""
    assert main(["history", "--results", str(results), "--json", *argv]) == Exit.MEASURED
    return list(json.loads(capsys.readouterr().out))


def test_points_come_in_order_of_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With run, kernel and interval each, whatever the directories are called."""
    for day in (9, 3, 5):
        published(tmp_path, day)
    courses = history(capsys, tmp_path, "--workload", "getattr-storm/path", "--target", "plain")
    (course,) = courses
    assert [point["run"] for point in course["points"]] == ["run-3", "run-5", "run-9"]
    assert [point["kernel"] for point in course["points"]] == ["6.3.0", "6.5.0", "6.9.0"]
    assert all(point["low"] < point["value"] < point["high"] for point in course["points"])


def test_machines_and_trees_are_lines_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A jump that is another machine's, or another tree's, is none of the kernel's."""
    published(tmp_path, 1)
    published(tmp_path, 2, cpu_model="Other CPU")
    other = published(tmp_path, 3)
    text = (other / "run.json").read_text()
    (other / "run.json").write_text(text.replace('"hash": "ab12"', '"hash": "cd34"'))
    asked = ("--workload", "getattr-storm", "--target", "native")
    courses = history(capsys, tmp_path, *asked)
    assert [len(course["points"]) for course in courses] == [1] * 6
    assert len(history(capsys, tmp_path, *asked, "--machine", "Other CPU")) == 2


def test_kernels_of_a_run_are_points_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Targets of several kernels lose the kernel's label, and the axis gets its release."""
    names = {"plain": "plain@base", "passthrough": "plain@patched"}
    run = make_run(tmp_path / "r", rows=1, targets=("plain", "passthrough"), names=names)
    header = json.loads((run / "run.json").read_text())
    header["kernels"] = [
        {"label": "base", "release": "6.1"},
        {"label": "patched", "release": "6.2"},
    ]
    (run / "run.json").write_text(json.dumps(header))
    (course,) = history(capsys, tmp_path)
    assert course["target"] == "plain"
    assert [point["kernel"] for point in course["points"]] == ["6.1", "6.2"]


def test_a_broken_run_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The runs that can be read are shown; without any the exit code is 3."""
    published(tmp_path, 1)
    (published(tmp_path, 2) / "run.json").write_text("{")
    assert main(["history", "--results", str(tmp_path)]) == Exit.MEASURED
    captured = capsys.readouterr()
    assert "cut short" in captured.err
    assert captured.out.count("getattr-storm") == 2
    assert main(["history", "--results", str(tmp_path), "--target", "none"]) == Exit.NOTHING


def test_a_run_without_a_trial_is_no_trouble(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guests that did not start leave their console, and nothing that history could show or miss."""
    published(tmp_path, 1)
    (published(tmp_path, 2) / "trials.jsonl").unlink()
    assert main(["history", "--results", str(tmp_path)]) == Exit.MEASURED
    captured = capsys.readouterr()
    assert not captured.err
    assert captured.out.count("getattr-storm") == 2


def test_text_is_narrow_and_names_every_point(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sparkline for each target; its points once a workload was asked for."""
    for day in range(1, 31):
        published(tmp_path, day)
    argv = ["history", "--results", str(tmp_path)]
    assert main(argv) == Exit.MEASURED
    short = capsys.readouterr().out
    assert main([*argv, "--workload", "getattr-storm/at", "--target", "plain"]) == Exit.MEASURED
    out = capsys.readouterr().out
    assert all(len(line) < 80 for line in (short + out).splitlines())
    assert "run-7" not in short
    assert [f"run-{day}, Linux 6.{day}.0" in out for day in range(1, 31)] == [True] * 30


def test_charts_are_drawn_as_svg_and_png(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of each for a row, run and kernel on the axis; their names are on stderr."""
    for day in (1, 2):
        published(tmp_path, day)
    output = tmp_path / "charts"
    assert main(["history", "--results", str(tmp_path), "--output", str(output)]) == Exit.MEASURED
    files = sorted(output.iterdir())
    assert [file.suffix for file in files] == [".png", ".svg"] * 2
    assert str(files[0]) in capsys.readouterr().err
    said = " ".join(ElementTree.parse(files[1]).getroot().itertext())
    assert all(word in said for word in ("run-1", "6.1.0", "run-2", "6.2.0", "plain", "native"))
