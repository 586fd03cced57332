"""A round is divided among boots by the plan alone, and no comparison is split."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model import Clock, Level
from bench.plan import matrix, schedule, shards
from bench.plan.durations import trial_seconds
from bench.plan.grid import KernelGives
from bench.plan.series import Trial
from bench.plan.settings import Settings

COUNTED = Settings(
    daemons=("passthrough-c",), clock=Clock.INSTRUCTIONS, kernels=("lab",), trials=2, seed=3
)


def round_of(settings: Settings, number: int) -> list[Trial]:
    planned = schedule.make(settings, KernelGives(Level.LOOKUP))
    return [one for one in planned.trials if one.round == number]


@given(count=st.integers(1, 40))
def test_every_trial_is_in_one_shard(count: int) -> None:
    """A comparison has all of its targets in one shard, in the order of the round."""
    settings = replace(COUNTED, shards=count)
    whole = round_of(settings, 0)
    parts = [shards.shard(whole, number, settings) for number in range(count)]
    assert sorted(one.position for part in parts for one in part) == list(range(len(whole)))
    homes = [{one.series.key.label for one in part} for part in parts]
    assert sum(map(len, homes)) == len(set.union(*homes))
    for part in parts:
        assert [one.position for one in part] == sorted(one.position for one in part)


def test_every_round_is_divided_alike() -> None:
    """A row lies in the same shard in every boot that replicates it."""
    settings = replace(COUNTED, shards=4)
    for number in range(4):
        first, second = (
            {one.series.label for one in shards.shard(round_of(settings, which), number, settings)}
            for which in (0, 1)
        )
        assert first == second


def test_shards_end_together() -> None:
    """By the forecast, no shard has more to do than the mean and one comparison."""
    settings = replace(COUNTED, shards=5)
    whole = round_of(settings, 0)
    work = [
        sum(trial_seconds(one.series, settings) for one in shards.shard(whole, number, settings))
        for number in range(5)
    ]
    longest: dict[str, float] = {}
    for one in whole:
        name = one.series.key.label
        longest[name] = longest.get(name, 0.0) + trial_seconds(one.series, settings)
    assert max(work) <= sum(work) / 5 + max(longest.values())


@pytest.mark.parametrize(
    ("clock", "parts"), [(Clock.WALL, range(1, 2)), (Clock.INSTRUCTIONS, range(3, 60))]
)
def test_the_iops_matrix_is_worth_several_boots(clock: Clock, parts: range) -> None:
    """On the instruction clock; on the wall clock a boot is what is replicated."""
    found = matrix.load(matrix.find("iops"))
    settings = Settings.of({**found.settings, "parts": found.parts, "clock": clock})
    assert shards.with_number(settings).shards in parts


def test_a_small_run_is_one_boot_a_round() -> None:
    """A boot costs more than six rows."""
    assert shards.with_number(replace(COUNTED, workloads=("readdir",))).shards == 1


@pytest.mark.parametrize(("at_a_time", "expected"), [(1, 8), (28, 14), (64, 32), (10_000, 38)])
def test_more_machines_than_boots_divide_further(at_a_time: int, expected: int) -> None:
    """So that all have something to do, until a boot would hardly be worth its start."""
    found = matrix.load(matrix.find("iops"))
    asked = {**found.settings, "parts": found.parts, "kernels": ("lab",), "trials": 2}
    settings = Settings.of({**asked, "clock": Clock.INSTRUCTIONS})
    assert shards.with_number(settings, at_a_time).shards == expected
    small = replace(COUNTED, workloads=("getattr-storm/fd",))
    assert shards.with_number(small, at_a_time).shards == 1
