"""A few of the faults that `make faults` plays by the hundred."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.model import Exit
from bench.mounts import server_pid
from tests.mount import campaign

pytestmark = pytest.mark.mount
SOME = (4, 6, 90, 132)
"""A backing filled, a runner crashed, a disk that fails, no memory."""


def test_a_few_faults_leave_nothing_and_resume_completes() -> None:
    """No mount, no process, a documented exit code; the plan is completed, each trial once."""
    here = [number for number in SOME if not campaign.missing(campaign.chosen(7, number))]
    done = campaign.campaign(7, here, lambda _one: None)
    assert [(one.name, one.wrong) for one in done if one.wrong] == []
    assert len(done) == len(here) > 1


def test_a_run_has_every_victim_at_some_time() -> None:
    """A process that is not found is never hit, and its faults would all be called too late."""
    seen = set()
    with campaign.prepared() as place:
        process = place.start(place.folder / "run")
        while process.poll() is None:
            seen |= {campaign.role(pid) for pid in server_pid.tree(process.pid)[1:]}
            time.sleep(0.01)
    assert process.returncode == Exit.MEASURED
    assert {*campaign.VICTIMS} - {campaign.RUNNER} <= seen


def test_an_injection_is_the_same_whenever_it_is_asked_for() -> None:
    """By seed and number; a hundred of them are of every kind."""
    many = [campaign.chosen(7, number) for number in range(300)]
    assert many[41] == campaign.chosen(7, 41)
    assert many != [campaign.chosen(8, number) for number in range(300)]
    kinds = {(one.fault, one.victim) for one in many}
    assert kinds == {*campaign.signals(), *((fault, "") for fault in campaign.OTHERS)}


def test_one_in_so_many_is_of_guests() -> None:
    """Into qemu and into its runner, all five signals; of none in 0."""
    assert {campaign.kind_of(number, 0) for number in range(50)} == {campaign.HERE}
    numbers = [n for n in range(1000) if campaign.kind_of(n, 10) is campaign.GUESTS]
    assert len(numbers) == 100
    many = [campaign.chosen(7, number, campaign.GUESTS) for number in numbers]
    assert {(one.fault, one.victim) for one in many} == {*campaign.guest_signals()}
    assert {one.kind for one in many} == {campaign.GUESTS, campaign.ON_A_DISK, campaign.STEPPED}


def test_without_a_kernel_there_are_no_guests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is told; nothing is built for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert campaign.no_guests()
