"""What a comparison found, as tests that pass, fail, were skipped or could not be run."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from bench.machine import plain


class Answer(enum.StrEnum):
    """What became of a test."""

    PASSED = "passed"
    """No regression: within the threshold."""
    FAILED = "failed"
    """A regression beyond the threshold."""
    SKIPPED = "skipped"
    """Nothing can be said: undecided, or not measured on one of the sides."""
    ERROR = "error"
    """It was tried, and no trial of it is whole."""


_WORST = (Answer.FAILED, Answer.ERROR, Answer.PASSED, Answer.SKIPPED)


@dataclass(frozen=True)
class Case:
    """One target in one row; ``numbers`` are lines for people."""

    name: str
    answer: Answer
    why: str = ""
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row of the comparison, a test for each of its targets."""

    name: str
    cases: Sequence[Case]

    @property
    def answer(self) -> Answer:
        """What its worst target came to; skipped only where all are."""
        return worst([case.answer for case in self.cases])


@dataclass(frozen=True)
class Table:
    """One comparison, with what a reader has to know of it."""

    name: str
    rows: Sequence[Row]
    notes: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        """As for a row."""
        return worst([row.answer for row in self.rows])


def worst(answers: Sequence[Answer]) -> Answer:
    """A failure before an error, either before all else; skipped where nothing else is there."""
    return min(answers, key=_WORST.index, default=Answer.SKIPPED)


def one_line(words: str) -> str:
    """Words of a run, which a stranger may have written, on one line without control characters."""
    return " ".join(plain.text(words).split())
