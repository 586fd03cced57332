"""What CI is told of a comparison, in KTAP and JUnit: the answer, the numbers, and one exit code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from edits import changed, slower
from fakes import make_run
from junitparser import Error, Failure, JUnitXml, Skipped
from test_compare import two_runs
from test_kernel_diff import compare, figure

from bench.ci import junit, ktap
from bench.ci.results import CaseOutcome, ComparisonCases, RowCases, TargetCase
from bench.comparison.__main__ import main
from bench.model import Exit, UserError
from bench.regression import diff

PASSED = TargetCase("plain-c", CaseOutcome.PASSED, numbers=("instructions per op 100 -> 100",))
FAILED = TargetCase("native", CaseOutcome.FAILED, "+3.00 % instructions, threshold 1 %")
UNSURE = TargetCase("plain", CaseOutcome.SKIPPED, "undecided")
BROKEN = TargetCase("overlayfs", CaseOutcome.ERROR, "no round with a trial that is ok on both")


def table(*cases: TargetCase) -> ComparisonCases:
    """Two rows: these, and one that passes."""
    return ComparisonCases(
        "diff a b",
        (RowCases("readdir", cases), RowCases("getattr-storm/fd", (PASSED,))),
        ("a note",),
    )


def parsed(lines: list[str], depth: int = 0) -> list[Any]:
    """[(ok, name, directive, [subtests])] of KTAP output, as its rst has it; fails on what is not."""
    indent = "  " * depth
    assert lines.pop(0) == f"{indent}KTAP version 1"
    plan = re.fullmatch(rf"{indent}1\.\.(\d+)", lines.pop(0))
    assert plan
    found: list[Any] = []
    below: list[Any] = []
    while len(found) < int(plan[1]):
        if lines[0].startswith(f"{indent}  KTAP"):
            below = parsed(lines, depth + 1)
            continue
        line = lines.pop(0)
        if line.startswith(f"{indent}# "):
            continue
        result = re.fullmatch(rf"{indent}(ok|not ok) (\d+) ([^#]+?)(?: # (.*))?", line)
        assert result, line
        assert int(result[2]) == len(found) + 1
        found.append((result[1] == "ok", result[3], result[4] or "", below))
        below = []
    return found


def test_ktap_nests_targets_in_rows_in_comparisons() -> None:
    """Every level has its version and plan; what failed below fails above, a skip does not."""
    lines = list(ktap.lines([table(FAILED, UNSURE, BROKEN), table(UNSURE)]))
    first, second = parsed(left := list(lines))
    assert left == []
    assert first[:2] == (False, "diff a b") and second[:2] == (True, "diff a b")
    readdir, storm = first[3]
    assert (readdir[0], storm[0]) == (False, True)
    assert [(ok, name, said) for ok, name, said, _ in readdir[3]] == [
        (False, "native", "+3.00 % instructions, threshold 1 %"),
        (True, "plain", "SKIP undecided"),
        (False, "overlayfs", "ERROR no round with a trial that is ok on both"),
    ]
    assert second[3][0][2] == "SKIP"
    at = lines.index("    # plain-c: instructions per op 100 -> 100")
    assert lines[at + 1] == "    ok 1 plain-c"


def test_a_stranger_s_name_is_no_directive_and_no_line_of_its_own() -> None:
    """A target is called as its author likes."""
    hostile = TargetCase("mine # SKIP\nok 2 all\x1b[2J", CaseOutcome.FAILED, "it\nis slow")
    (made,) = parsed(list(ktap.lines([ComparisonCases("t\n1..0", (RowCases("r#", (hostile,)),))])))
    (row,) = made[3]
    ((ok, name, said, _),) = row[3]
    assert not ok
    assert (name, said) == ("mine _ SKIP ok 2 all?[2J", "it is slow")


def test_junit_has_a_case_for_each_target(tmp_path: Path) -> None:
    """Failure, error and skip apart, counted, with the numbers as output."""
    junit.write([table(PASSED, FAILED, UNSURE, BROKEN)], tmp_path / "new" / "diff.xml")
    whole = JUnitXml.fromfile(str(tmp_path / "new" / "diff.xml"))
    assert (whole.tests, whole.failures, whole.errors, whole.skipped) == (5, 1, 1, 1)
    readdir, _ = list(whole)
    assert readdir.name == "diff a b: readdir"
    passed, failed, unsure, broken = list(readdir)
    assert passed.is_passed and passed.system_out == PASSED.numbers[0]
    assert [type(one.result[0]) for one in (failed, unsure, broken)] == [Failure, Skipped, Error]
    assert failed.result[0].message == FAILED.why
    assert (failed.classname, failed.name) == ("readdir", "native")


def test_a_junit_file_that_cannot_be_written_is_said_in_a_line(tmp_path: Path) -> None:
    """Below a file there is no folder."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--junit .*cannot be written"):
        junit.write([table(PASSED)], tmp_path / "file" / "diff.xml")


def test_kernel_diff_as_tests() -> None:
    """Regressed, within, and not measured on one kernel."""
    rows = [
        compare(figure(1000), figure(1030), "a"),
        compare(figure(1000), figure(1002, level="none"), "b"),
        compare(figure(1), None, "c"),
    ]
    made = diff.as_tests(rows, "base", "new", {})
    (row,) = made.rows
    assert [case.answer for case in row.cases] == [
        CaseOutcome.FAILED,
        CaseOutcome.PASSED,
        CaseOutcome.ERROR,
    ]
    assert row.cases[0].why == "+3.00 % instructions, threshold 1 %"
    assert row.cases[1].numbers == (
        "instructions per op 1000.0 -> 1002.0 (+0.20 %)",
        "requests per op 1.00 -> 1.00",
        "levels: rw and none",
    )


def test_trials_that_failed_are_told_beside_the_rows() -> None:
    """A row can pass on the rounds it has; exit 4 has its reason in the notes."""
    trials: Any = [
        {"series": "s--plain", "round": 1, "outcome": "failed", "reason": "it died"},
        {"series": "s--plain", "round": 0, "outcome": "ok", "reason": ""},
    ]
    assert diff.lost(trials) == ["s--plain, round 1: failed: it died"]


@pytest.mark.parametrize(
    ("threshold", "code", "answers"),
    [
        ("60", Exit.MEASURED, {True}),
        ("5", 1, {True, False}),
        ("0", Exit.NOTHING, {True}),
    ],
)
def test_compare_tells_ci_what_its_exit_code_tells(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    threshold: str,
    code: int,
    answers: set[bool],
) -> None:
    """0: all ok; 1: a failure; 3: something was skipped as undecided, and nothing failed."""
    base, patched = two_runs(tmp_path)
    if code == 1:
        changed(patched, slower(1.1, "getattr-storm--fd--warm--t1--plain"))
    file = tmp_path / "compare.xml"
    argv = ["compare", "--ktap", "--junit", str(file), "--threshold", threshold]
    assert main([*argv, str(base), str(patched)]) == code
    (made,) = parsed(capsys.readouterr().out.splitlines())
    targets = [target for row in made[3] for target in row[3]]
    assert len(targets) == 4 * 3
    assert {ok for ok, *_ in targets} == answers
    failed = [name for ok, name, *_ in targets if not ok]
    assert failed == (["plain"] if code == 1 else [])
    undecided = [said for ok, _, said, _ in targets if ok and said.startswith("SKIP undecided")]
    assert bool(undecided) is (code == Exit.NOTHING)
    whole = JUnitXml.fromfile(str(file))
    assert (whole.tests, whole.failures, whole.skipped) == (12, len(failed), len(undecided))


def test_rows_of_one_side_alone_are_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not compared is not passed."""
    asked = {"trials": 8, "noise": 0.01, "troubles": False}
    base = make_run(tmp_path / "base", seed=1, rows=3, **asked)
    patched = make_run(tmp_path / "patched", seed=2, rows=2, **asked)
    main(["compare", "--ktap", str(base), str(patched), "--threshold", "60"])
    (made,) = parsed(capsys.readouterr().out.splitlines())
    alone = [cases for _, _, said, cases in made[3] if said == "SKIP"]
    assert len(alone) == 3
    assert {said for cases in alone for _, _, said, _ in cases} == {
        "SKIP only in base: nothing to compare it with"
    }
