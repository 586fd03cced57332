"""Two kernels compared: what counts as a regression, and what a person and a program are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_cli import refused

from bench.regression import diff
from bench.regression.diff import Figure, KernelComparison


def figure(*instructions: float, level: str = "rw") -> Figure:
    """By round."""
    return Figure(dict(enumerate(instructions)), 1.0, level)


def compare(old: Figure | None, new: Figure | None, target: str = "plain") -> KernelComparison:
    given = {("readdir", target, "base"): old, ("readdir", target, "new"): new}
    figures = {key: value for key, value in given.items() if value}
    (row,) = diff.compare(figures, "base", "new", 1.0)
    return row


@pytest.mark.parametrize(
    ("old", "new", "regressed"),
    [
        (figure(1000), figure(1005), False),
        (figure(1000), figure(1030), True),
        (figure(1000), figure(900), False),
        (figure(1000, 1000), figure(1030, 1002), False),  # in one boot only
        (figure(1000, 2000), figure(1030, 2060), True),  # rounds may differ as they like
    ],
)
def test_a_regression_is_over_the_threshold_in_every_round(
    old: Figure, new: Figure, regressed: bool
) -> None:
    """kernel diff exits 1 on these and on no others."""
    row = compare(old, new)
    assert row.regressed is regressed
    assert diff.table([row], "base", "new")[-1].endswith(" slower") is regressed


@pytest.mark.parametrize(("old", "new"), [(figure(1), None), (None, figure(1))])
def test_a_row_one_kernel_lacks_is_said(old: Figure | None, new: Figure | None) -> None:
    """Not compared is not equal."""
    row = compare(old, new)
    assert (row.regressed, row.change) == (False, None)
    assert "no round with a trial" in diff.table([row], "base", "new")[-1]


def test_a_kernel_that_passes_more_through_is_told_by_its_level() -> None:
    """Otherwise a reader takes a feature for an optimisation."""
    row = compare(figure(1000), figure(300, level="attach-lookup"))
    assert diff.table([row], "base", "new")[-1].strip() == "levels: rw and attach-lookup"


def test_wide_names_keep_the_table_under_80_columns() -> None:
    """Labels are cut, a wide target has a line of its own."""
    target = "passthrough-c:attach-getattr:no-readdir"
    rows = [compare(figure(123456789), figure(234567890), target), compare(None, figure(1), target)]
    lines = diff.table(rows, "a-base-of-many-words", "patched-so-much")
    assert max(map(len, lines)) < 80
    assert any(line.strip() == target for line in lines)


def trial(kernel: str, value: float, **more: Any) -> dict[str, Any]:
    return {
        "outcome": "ok", "workload": "getattr-storm", "variant": "fd", "target": f"plain@{kernel}",
        "kernel": kernel, "values": [value], "level": "rw", "round": 0,
        "requests": {"ops": 10, "kernel": {"GETATTR": 10}}, **more,
    }  # fmt: skip


def test_trials_of_two_boots_make_one_figure() -> None:
    """The median of the boots, how far they are apart, and requests; failed trials do not count."""
    records = [
        trial("base", 100.0), trial("base", 102.0, round=1),
        trial("base", 900.0, round=2, outcome="failed"),
        trial("new", 50.0, requests=None),
    ]  # fmt: skip
    found = diff.summarize(records)
    assert found["getattr-storm/fd", "plain", "base"] == figure(100.0, 102.0)
    assert found["getattr-storm/fd", "plain", "new"].requests is None


def test_the_object_for_programs_says_what_the_table_says(tmp_path: Any) -> None:
    """--json: every row with both figures, and the verdict."""
    found = diff.as_object([compare(figure(100), figure(120))], "base", "new", tmp_path)
    (row,) = json.loads(json.dumps(found))["rows"]
    assert found["regressed"] is row["regressed"] is True
    assert row["change_percent"] == pytest.approx(20)
    assert (row["old"]["by_round"], row["new"]["by_round"]) == ({"0": 100}, {"0": 120})


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("a/bzImage", "base=a/bzImage"),
        ("old=a/bzImage", "old=a/bzImage"),
        ("lab,fuse.iops=mainline", "base=lab,fuse.iops=mainline"),
    ],
)
def test_a_kernel_without_a_label_is_called_by_its_part(given: str, taken: str) -> None:
    """Two trees' images are both called bzImage."""
    assert diff.labelled(given, "base") == taken


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--daemon", "plian"], "did you mean 'plain'"),
        (["--workload", "readdri"], "did you mean 'readdir'"),
        (["--threshold", "-1"], "not a percentage"),
        (["--threshold", "two"], "not a percentage"),
        (["--trials", "0"], "above 0"),
    ],
)
def test_bad_values_are_refused_before_anything_boots(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    """One line, exit 2."""
    assert words in refused(capsys, "kernel", "diff", "a=lab", "b=lab", *options)
