"""What a ratio divides by: the honest baseline in C, of the target's own kernel, and always named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import SLOWER_KERNEL, make_run

import report
from bench.model import Exit
from bench.report.row import Line, Row
from bench.report.rows import rows
from bench.report.summary import sentences
from bench.report.targets import baselines
from bench.stats.frame import load

FOUR = ("native", "plain-c", "plain", "passthrough")


def lines(row: Row) -> dict[str, Line]:
    """By target."""
    return {line.target.name: line for line in row.lines}


@pytest.mark.parametrize(
    ("targets", "against"),
    [
        (FOUR, ("native", "plain-c")),
        (("native", "plain", "passthrough"), ("native", "plain")),
        (("plain", "passthrough"), ("plain",)),
        (("native", "passthrough"), ("native",)),
        (("native@a", "plain-c@a", "native@b", "plain-c@b"), ("native", "plain-c")),
    ],
)
def test_the_headline_is_against_the_server_in_c(
    tmp_path: Path, targets: tuple[str, ...], against: tuple[str, ...]
) -> None:
    """A mirror in Python is the baseline only where there is no other."""
    assert baselines(load(make_run(tmp_path, targets=targets, rows=1))) == against


def test_the_twin_is_told_aside_and_labelled(tmp_path: Path) -> None:
    """A server in Python is divided by itself without passthrough, and by no server in C."""
    path = make_run(tmp_path, targets=FOUR, rows=1, effect=0.5, troubles=False)
    found = lines(rows(load(path))[0])
    assert set(found["passthrough"].ratios) == {"native", "plain"}
    assert found["passthrough"].ratio is not None
    assert found["passthrough"].ratio.value == pytest.approx(0.5, rel=0.05)
    assert found["passthrough"].judgement is not None
    assert set(found["plain"].ratios) == {"native", "plain-c"}
    assert found["plain"].ratio is None
    assert report.main([str(path), "--format", "text", "md", "html"]) == Exit.MEASURED
    for name in ("table.txt", "table.md", "index.html"):
        said = (path / "report" / name).read_text()
        assert "passthrough / plain (both Python): 0." in said, name
        assert "/ plain-c" in said, name


def test_the_summary_speaks_of_the_headline(tmp_path: Path) -> None:
    """Each passthrough against its own server, and of two servers without nothing."""
    run = load(make_run(tmp_path, targets=FOUR, rows=2))
    said = sentences(run, rows(run))
    assert [text.partition(",")[0] for text in said] == ["passthrough / plain (Python)"]


def test_a_baseline_in_python_says_so(tmp_path: Path) -> None:
    """Where no server in C was measured, the heading names the language."""
    table = report.text_table(make_run(tmp_path, rows=1))
    assert "/ plain (Python)" in table
    assert max(len(line) for line in table.splitlines()) <= 72


def test_each_kernel_has_its_own_baseline(tmp_path: Path) -> None:
    """A slow kernel slows its baseline as well: what it costs stands beside the first kernel's."""
    targets = tuple(f"{name}@{kernel}" for kernel in ("base", "slow") for name in FOUR[:3])
    row = rows(load(make_run(tmp_path, targets=targets, rows=1, troubles=False)))[0]
    found = lines(row)
    base, slow = (found[f"plain@{kernel}"].ratios["plain-c"].value for kernel in ("base", "slow"))
    assert slow == pytest.approx(base, rel=0.05)
    assert found["plain-c@slow"].ratios.keys() == {"native"}
    told = found["plain-c@slow"].other_ratios["plain-c@base"]
    assert told.value == pytest.approx(SLOWER_KERNEL, rel=0.05)
    assert not found["plain-c@base"].other_ratios


def rewritten(path: Path, change: Any) -> Path:
    """A run whose trials went through ``change``, which gives a list for each."""
    file = path / "trials.jsonl"
    records = [new for line in file.read_text().splitlines() for new in change(json.loads(line))]
    file.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def test_rows_that_differ_in_size_or_timeouts_say_so(tmp_path: Path) -> None:
    """In their setting, and in every heading; in order of size and time."""

    def several(record: dict[str, Any]) -> list[dict[str, Any]]:
        stem = record["series"].removesuffix(f"--{record['target']}")
        return [
            record
            | {"series": f"{stem}--to{timeout}--n{size}--{record['target']}"}
            | {"entries": size, "attr_timeout": timeout, "entry_timeout": timeout}
            for size in (1000, 10)
            for timeout in (1, 0)
        ]

    found = rows(load(rewritten(make_run(tmp_path, rows=1, troubles=False), several)))
    assert [row.key.state for row in found] == [
        f"warm, timeouts {timeout}, {size} entries" for timeout in (0, 1) for size in (10, 1000)
    ]
    assert all("attr/entry timeout" in row.setting and "entries" in row.setting for row in found)


def test_a_row_of_a_matrix_has_the_targets_of_its_parts(tmp_path: Path) -> None:
    """A target that no part measures in a row is not missing there; in other runs it is."""

    def without_plain(record: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if (record["workload"], record["target"]) == ("readdir", "plain") else [record]

    def names(folder: str, **settings: Any) -> list[str]:
        path = make_run(tmp_path / folder, targets=FOUR, settings=settings, troubles=False)
        made = rows(load(rewritten(path, without_plain)))
        return [line.target.name for line in next(r for r in made if r.work == "readdir").lines]

    assert names("matrix", parts=[{"daemons": ["native"]}]) == ["native", "plain-c", "passthrough"]
    assert names("plain") == list(FOUR)


def test_a_target_that_was_told_as_skipped_is_not_missing(tmp_path: Path) -> None:
    """overlayfs is read-only: rows that change something never planned it, and no trial of it was lost."""

    def without_plain(record: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if (record["workload"], record["target"]) == ("readdir", "plain") else [record]

    path = rewritten(make_run(tmp_path, targets=FOUR, troubles=False), without_plain)
    about = json.loads((path / "run.json").read_text())
    about["skipped"] = [{"what": "plain", "reason": "is read-only"}]
    (path / "run.json").write_text(json.dumps(about))
    made = rows(load(path))
    named = {row.work: [line.target.name for line in row.lines] for row in made}
    assert named.pop("readdir") == ["native", "plain-c", "passthrough"]
    assert all(names == list(FOUR) for names in named.values())
    assert not [line.trouble for row in made for line in row.lines if line.trouble]


def test_a_run_of_parts_is_drawn_whole(tmp_path: Path) -> None:
    """Every artefact, though rows differ in their targets."""

    def without_plain(record: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if (record["workload"], record["target"]) == ("readdir", "plain") else [record]

    path = make_run(tmp_path, targets=FOUR, settings={"parts": [{}]}, rows=7)
    assert report.main([str(rewritten(path, without_plain))]) == Exit.MEASURED
