"""Sequences of tests/vm: the same seed draws the same steps, and shrinking leaves what is needed."""

from __future__ import annotations

import pytest

from tests.mount import operations as do
from tests.vm import sequences
from tests.vm.alphabet import ABOVE, BELOW, ROOT, Step
from tests.vm.differences import Case
from tests.vm.parties import MIRROR, NATIVE, Party

PARTY = Party("lookup", long=True)


def step(number: int) -> Step:
    return Step(BELOW if number % 2 else ABOVE, ROOT, do.chmod, ((b"f",), number))


def case(steps: list[Step]) -> Case:
    return Case(PARTY, tuple(steps), "EPERM", None, None)


def test_a_seed_and_a_number_are_a_sequence() -> None:
    one, again = (sequences.draw(7, 3) for _ in range(2))
    assert one == again
    assert len(one.steps) == sequences.STEPS
    assert one.steps != sequences.draw(7, 4).steps != sequences.draw(8, 3).steps


def test_every_level_answers_beside_a_native_directory_and_a_plain_mirror() -> None:
    for number in range(50):
        drawn = sequences.draw(7, number)
        assert drawn.parties[0] == Party(NATIVE)
        long = {party.long for party in drawn.parties[1:]}
        assert len(long) == 1
        assert {party.name for party in drawn.parties} >= {NATIVE, "lookup"}


def test_shrinking_leaves_the_steps_that_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {step(2), step(5), step(9)}

    def replay(_stage: object, steps: list[Step], _case: Case) -> Case | None:
        return case(steps) if needed <= set(steps) else None

    monkeypatch.setattr(sequences, "replay", replay)
    shrunk = sequences.shrink(None, case([step(number) for number in range(10)]))  # type: ignore[arg-type]
    assert shrunk.steps == (step(2), step(5), step(9))


def test_a_difference_is_told_with_both_answers() -> None:
    told = sequences.described(case([step(4)]), 12)
    assert "None instead of EPERM" in told
    assert "sequence 12" in told
    assert MIRROR in told
