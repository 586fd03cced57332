"""What a comparison found, as tests that pass, fail, were skipped or could not be run."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from bench.machine import plain


class CaseOutcome(enum.StrEnum):
    """What became of a test."""

    PASSED = "passed"
    """No regression: within the threshold."""
    FAILED = "failed"
    """A regression beyond the threshold."""
    SKIPPED = "skipped"
    """Nothing can be said: undecided, or not measured on one of the sides."""
    ERROR = "error"
    """It was tried, and no trial of it is whole."""


_WORST = (CaseOutcome.FAILED, CaseOutcome.ERROR, CaseOutcome.PASSED, CaseOutcome.SKIPPED)


@dataclass(frozen=True)
class TargetCase:
    """One target in one row; ``numbers`` are lines for people."""

    name: str
    answer: CaseOutcome
    why: str = ""
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowCases:
    """A row of the comparison, a test for each of its targets."""

    name: str
    cases: Sequence[TargetCase]

    @property
    def answer(self) -> CaseOutcome:
        """What its worst target came to; skipped only where all are."""
        return worst([case.answer for case in self.cases])


@dataclass(frozen=True)
class ComparisonCases:
    """One comparison, with what a reader has to know of it."""

    name: str
    rows: Sequence[RowCases]
    notes: tuple[str, ...] = ()

    @property
    def answer(self) -> CaseOutcome:
        """As for a row."""
        return worst([row.answer for row in self.rows])


def worst(answers: Sequence[CaseOutcome]) -> CaseOutcome:
    """A failure before an error, either before all else; skipped where nothing else is there."""
    return min(answers, key=_WORST.index, default=CaseOutcome.SKIPPED)


def one_line(words: str) -> str:
    """Words of a run, which a stranger may have written, on one line without control characters."""
    return " ".join(plain.text(words).split())
