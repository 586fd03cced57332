"""Comparisons in the Kernel Test Anything Protocol, version 1 (Documentation/dev-tools/ktap.rst).

Comparison, row and target are tests within tests. The measured numbers are diagnostic lines ahead of
the result they belong to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.ci.results import CaseOutcome, ComparisonCases, RowCases, TargetCase, one_line

VERSION = "KTAP version 1"
_DIRECTIVES = {CaseOutcome.SKIPPED: "SKIP", CaseOutcome.ERROR: "ERROR"}


def lines(tables: Sequence[ComparisonCases]) -> Iterator[str]:
    """The whole output."""
    yield from _plan(len(tables))
    for number, table in enumerate(tables, 1):
        yield from _within(_rows(table))
        yield from _result(number, table.name, table.answer)


def _plan(tests: int) -> Iterator[str]:
    yield VERSION
    yield f"1..{tests}"


def _rows(table: ComparisonCases) -> Iterator[str]:
    yield from _plan(len(table.rows))
    yield from (f"# {one_line(note)}" for note in table.notes)
    for number, row in enumerate(table.rows, 1):
        yield from _within(_cases(row))
        yield from _result(number, row.name, row.answer)


def _cases(row: RowCases) -> Iterator[str]:
    yield from _plan(len(row.cases))
    for number, case in enumerate(row.cases, 1):
        yield from _numbers(case)
        yield from _result(number, case.name, case.answer, case.why)


def _numbers(case: TargetCase) -> Iterator[str]:
    for text in case.numbers:
        yield f"# {one_line(case.name)}: {one_line(text)}"


def _result(number: int, name: str, answer: CaseOutcome, why: str = "") -> Iterator[str]:
    """A test's line; a name has no "#", behind which a directive would stand."""
    ok = "ok" if answer in (CaseOutcome.PASSED, CaseOutcome.SKIPPED) else "not ok"
    said = " ".join(part for part in (_DIRECTIVES.get(answer, ""), one_line(why)) if part)
    name = one_line(name).replace("#", "_")
    yield f"{ok} {number} {name}" + (f" # {said}" if said else "")


def _within(inner: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in inner)
