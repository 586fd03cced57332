"""A few of the faults that `make faults` plays by the hundred."""

from __future__ import annotations

import pytest

from tests.mount import campaign

pytestmark = pytest.mark.mount
SOME = (3, 4, 6)
"""A report killed, a backing filled, a worker ended."""


def test_a_few_faults_leave_nothing_and_resume_completes() -> None:
    """No mount, no process, a documented exit code; the plan is completed, each trial once."""
    done = campaign.campaign(7, list(SOME), lambda _one: None)
    assert [(one.name, one.wrong) for one in done if one.wrong] == []
    assert len(done) == len(SOME)


def test_an_injection_is_the_same_whenever_it_is_asked_for() -> None:
    """By seed and number; a hundred of them are of every kind."""
    many = [campaign.chosen(7, number, 6.0) for number in range(300)]
    assert many[41] == campaign.chosen(7, 41, 6.0)
    assert many != [campaign.chosen(8, number, 6.0) for number in range(300)]
    kinds = {(one.fault, one.victim) for one in many}
    assert kinds == {*campaign.signals(), *((fault, "") for fault in campaign.OTHERS)}
