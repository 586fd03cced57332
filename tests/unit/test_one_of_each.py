"""What every command does alike, as there is one piece of code for it."""

from __future__ import annotations

import json
import math

import pytest

from bench.axes.timeouts import parse_timeouts
from bench.commands.main import parser
from bench.model import FOREVER, FOREVER_S, Clock, Placement
from bench.plan.settings import Settings
from bench.report import units
from bench.report.rows import interval
from bench.run.phases import Phases
from bench.stats.estimates import over_boots, paired_ratio
from workloads import _expect

COMMANDS = {
    "compare": ["compare", "a", "b"],
    "kernel diff": ["kernel", "diff", "a", "b"],
}


@pytest.mark.parametrize("command", ["compare", "kernel diff"])
@pytest.mark.parametrize(
    ("text", "threshold"), [("0", 0.0), ("2", 2.0), ("2%", 2.0), ("0.5%", 0.5)]
)
def test_a_threshold_is_read_alike(command: str, text: str, threshold: float) -> None:
    """In per cent; 0 is a threshold like any other."""
    asked = parser().parse_args([*COMMANDS[command], "--threshold", text])
    assert asked.threshold == threshold


def test_several_boots_have_one_interval() -> None:
    """Report and compare agree from three boots on: their range, and no p of a model of noise."""
    rounds = {0: 1.010, 1: 1.011, 2: 1.012}
    ratio = paired_ratio(rounds, dict.fromkeys(rounds, 1.0))
    assert not math.isnan(ratio.p)
    units.measure_in(Clock.INSTRUCTIONS)
    try:
        made = interval(ratio)
    finally:
        units.measure_in(Clock.WALL)
    expected = over_boots(ratio)
    assert (made.low, made.high, made.n) == (expected.low, expected.high, expected.n)
    assert math.isnan(made.p) and math.isnan(expected.p)
    assert interval(ratio) is ratio


def test_settings_hold_enumerations_on_both_sides_of_json() -> None:
    """run.json has their words."""
    settings = Settings(clock=Clock.INSTRUCTIONS, placement=Placement.SPLIT)
    text = json.dumps(settings.to_json())
    assert json.loads(text)["clock"] == "instructions"
    again = Settings.from_json(json.loads(text))
    assert again.clock is Clock.INSTRUCTIONS and again.placement is Placement.SPLIT
    assert again == settings


def test_one_timeout_never_runs_out() -> None:
    """For who asks for it, for workloads about first contact, and for what is expected of both."""
    assert parse_timeouts("forever") == FOREVER
    assert FOREVER.attr == FOREVER.entry == FOREVER_S
    assert _expect.FOREVER_S is FOREVER_S


def test_phases_of_a_trial_and_of_a_run_are_taken_alike() -> None:
    """What a worker took of a phase is taken off another."""
    phases = Phases()
    phases.add("worker", 2.0)
    phases.add("timed", 1.5)
    phases.add("worker", -1.5)
    assert phases.rounded() == {"worker": 0.5, "timed": 1.5}
    assert {"orchestration", "total"} < phases.summary().keys()
