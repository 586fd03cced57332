"""What a record expects: a plain server's bounds, less what the level and what it attaches take away."""

from __future__ import annotations

import pytest

from bench.model import Level, Opcode
from bench.run.judge import expected_at

GETATTR, LOOKUP, SETATTR = Opcode.GETATTR, Opcode.LOOKUP, Opcode.SETATTR
CLAIMED = frozenset({GETATTR, SETATTR})


@pytest.mark.parametrize(
    ("opcode", "plain", "of_files", "left"),
    [
        (GETATTR, [1, 1], {}, [0, 0]),
        (GETATTR, [1, 1], {GETATTR: 1.0}, [0, 0]),  # of a descriptor: no directory is asked
        (GETATTR, [5, 7.5], {GETATTR: 1.0}, [4, 6.5]),  # of a path: its directories go on asking
        (SETATTR, [1, 1], {SETATTR: 1.0}, [0, 0]),
        (LOOKUP, [4, 6], {GETATTR: 1.0}, [4, 6]),  # nobody claims it
    ],
)
def test_a_server_that_attaches_files_takes_their_share(
    opcode: Opcode, plain: list[float], of_files: dict[Opcode, float], left: list[float]
) -> None:
    """Not none of what it claims, and not all: directories go on asking."""
    assert expected_at(opcode, plain, CLAIMED, Level.ATTACH_LOOKUP, of_files) == left


def test_what_is_not_claimed_is_expected_as_of_a_plain_server() -> None:
    """A share of the files is taken only where the level passes the request through."""
    assert expected_at(SETATTR, [1, 1], frozenset(), Level.ATTACH_GETATTR, {SETATTR: 1.0}) == [1, 1]


def test_at_lookup_there_is_no_lower_bound() -> None:
    """Some lookups stay in the kernel, and some introduce."""
    assert expected_at(LOOKUP, [4, 6], CLAIMED, Level.LOOKUP, {}) == [0, 6]
