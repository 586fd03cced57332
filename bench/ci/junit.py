"""Comparisons as a JUnit file: a suite for each row, a test case for each target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ci.results import CaseOutcome, ComparisonCases, RowCases, TargetCase, one_line
from bench.model import UserError

if TYPE_CHECKING:
    from junitparser import TestSuite
    from junitparser.junitparser import FinalResult


def write(tables: Sequence[ComparisonCases], path: Path) -> None:
    """Write the file; raises UserError where it cannot be."""
    from junitparser import JUnitXml

    whole = JUnitXml("fuse-passthrough-bench")
    for table in tables:
        for row in table.rows:
            whole.add_testsuite(_suite(table, row))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.write(str(path), pretty=True)
    except OSError as error:
        raise UserError(f"--junit {path}: cannot be written: {error.strerror}") from None


def _suite(table: ComparisonCases, row: RowCases) -> TestSuite:
    from junitparser import TestCase, TestSuite

    suite = TestSuite(one_line(f"{table.name}: {row.name}"))
    for number, note in enumerate(table.notes):
        suite.add_property(f"note{number}", one_line(note))
    for case in row.cases:
        made = TestCase(one_line(case.name), classname=one_line(row.name))
        made.result = list(_results(case))
        if case.numbers:
            made.system_out = "\n".join(map(one_line, case.numbers))
        suite.add_testcase(made)
    return suite


def _results(case: TargetCase) -> Iterator[FinalResult]:
    from junitparser import Error, Failure, Skipped

    kinds = {CaseOutcome.FAILED: Failure, CaseOutcome.SKIPPED: Skipped, CaseOutcome.ERROR: Error}
    if case.answer in kinds:
        yield kinds[case.answer](one_line(case.why))
