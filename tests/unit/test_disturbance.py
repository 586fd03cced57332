"""What disturbs a trial is named, and what was disturbed is planned again, side by side."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import make_run

from bench.machine import disturbance
from bench.model import Level
from bench.plan import schedule
from bench.plan.grid import KernelGives
from bench.plan.series import Trial
from bench.plan.settings import Settings
from bench.report.rows import rows
from bench.report.text import samples
from bench.stats.frame import load

TICK = os.sysconf("SC_CLK_TCK")
GRACE_S = disturbance.GRACE_TICKS / TICK
STAT = """cpu  300 0 200 5000 10 5 5 40 0 0
cpu0 100 0 100 2500 10 5 5 20 0 0
cpu1 200 0 100 2500 0 0 0 20 0 0
intr 1 2 3
"""
QUIET = disturbance.Reading(
    100.0, 10.0, 0.0, 9.0, 0, 0, {"memory": 1.0}, 3000.0, 50.0, 5.0, 9000, 100
)


def seen(**changes: Any) -> dict[str, Any]:
    """One second later on one CPU, all of it used by the trial itself but for these changes."""
    later = replace(QUIET, elapsed_s=101.0, busy_s=11.0, ours_s=10.0, all_busy_s=51.0)
    return disturbance.between(QUIET, replace(later, **changes), 1)


def test_busy_time_counts_the_cpus_of_the_trial_alone() -> None:
    """user, nice, system, irq and softirq; neither idle nor iowait."""
    assert disturbance.cpu_seconds(STAT, {1}) == (300 / TICK, 20 / TICK)
    assert disturbance.cpu_seconds(STAT, {0, 1}) == (510 / TICK, 40 / TICK)
    assert disturbance.cpu_seconds(STAT, ()) == (510 / TICK, 40 / TICK)


def test_a_quiet_second_has_no_cause() -> None:
    """The trial's own work disturbs nothing."""
    assert disturbance.causes(seen()) == ""


def test_a_tick_at_each_end_is_not_held_against_a_trial() -> None:
    """/proc/stat counts whole ticks."""
    assert seen(busy_s=11.0 + 2 / TICK)["others"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"busy_s": 11.5}, f"other processes used {0.5 - GRACE_S:.0%} of its CPUs"),
        ({"steal_s": 0.1}, f"the hypervisor took {0.1 - GRACE_S:.0%}"),
        ({"stalled_s": {"memory": 1.2}}, "memory stalls, 20% of the time"),
        ({"all_busy_s": 51.8}, f"other processes used {0.8 - GRACE_S:.0%} of a CPU beside it"),
        ({"disks_kib": 9000 + 11 * 1024}, "others moved 10 MiB/s on disks"),
        ({"swapped": 7}, "7 pages were swapped"),
        ({"writeback_kib": 4096}, "4096 KiB under writeback"),
        ({"mhz": 2000.0}, "frequency went from 3000 to 2000 MHz"),
    ],
)
def test_what_disturbed_is_named(changes: dict[str, Any], said: str) -> None:
    """Each cause in words, with its size."""
    assert disturbance.causes(seen(**changes)) == said


def test_what_the_trial_does_itself_disturbs_nothing() -> None:
    """The runner on a CPU of its own, files that the server reads, and waiting for a READ of FUSE."""
    assert disturbance.causes(seen(all_busy_s=51.9, runner_s=5.9)) == ""
    assert disturbance.causes(seen(disks_kib=90_000, our_disks_kib=81_100)) == ""
    assert "io" not in disturbance.take(os.sched_getaffinity(0), None).stalled_s


def test_disks_are_counted_once() -> None:
    """By their own name: a partition's traffic is its disk's, too."""
    line = "{} {} {} 10 0 {} 5 20 0 {} 7 0 0 0"
    text = "\n".join(
        line.format(8, n, name, read, wrote)
        for n, (name, read, wrote) in enumerate(
            [("sda", 100, 60), ("sda1", 100, 60), ("loop0", 4, 4)]
        )
    )
    assert disturbance.moved_kib(text, {"sda"}) == 80
    assert all((Path("/sys/block") / name).exists() for name in disturbance.whole_disks())


def test_a_kernel_without_psi_and_cpufreq_is_read_all_the_same() -> None:
    """What is not there cannot be a cause."""
    bare = replace(QUIET, stalled_s={}, mhz=None)
    assert disturbance.causes(disturbance.between(bare, replace(bare, elapsed_s=101.0), 1)) == ""


def test_this_machine_can_be_read() -> None:
    """The files are where the kernel has them."""
    reading = disturbance.take(os.sched_getaffinity(0), os.getpid())
    assert reading.busy_s > 0
    assert reading.elapsed_s > 0


def planned() -> tuple[Trial, ...]:
    """A small plan."""
    settings = Settings(workloads=("getattr-storm", "readdir"), trials=2)
    return schedule.make(settings, KernelGives(Level.RW, "mainline")).trials


def lines(trials: tuple[Trial, ...], disturbed: set[int]) -> list[dict[str, Any]]:
    """Records of these trials; those at ``disturbed`` were."""
    return [
        {
            "series": one.series.label,
            "round": one.round,
            "attempt": one.attempt,
            "disturbed": "steal" if number in disturbed else "",
        }
        for number, one in enumerate(trials)
    ]


def test_a_disturbed_trial_is_repeated_with_what_it_is_compared_with() -> None:
    """All targets of the comparison in that round, and nothing else."""
    trials = planned()
    again = schedule.repeats(trials, lines(trials, {0}))
    width = len({one.series.target for one in trials})
    assert [one.attempt for one in again] == [1] * width
    assert {one.series.key for one in again} == {trials[0].series.key}
    assert {one.round for one in again} == {0}


def test_nothing_is_repeated_twice() -> None:
    """A repeat that was disturbed too stays as it is."""
    trials = planned()
    first = lines(trials, {0})
    again = schedule.repeats(trials, first)
    assert schedule.repeats(trials, first + lines(again, {0})) == ()


def test_on_a_machine_that_is_never_quiet_nothing_is_repeated() -> None:
    """More than half were disturbed: repeats would be as well."""
    trials = planned()
    assert schedule.repeats(trials, lines(trials, set(range(len(trials))))) == ()


def test_without_a_disturbance_nothing_is_repeated() -> None:
    """The usual case."""
    trials = planned()
    assert schedule.repeats(trials, lines(trials, set())) == ()


def doubled(tmp_path: Path, first: str, second: str) -> Path:
    """A run whose round 0 was measured twice, twice as slow and disturbed as said."""
    path = make_run(tmp_path, troubles=False, trials=3, rows=1)
    records = [json.loads(line) for line in (path / "trials.jsonl").read_text().splitlines()]
    for record in records:
        if record["round"] == 0:
            record["disturbed"] = first
    extra = [
        record
        | {"attempt": 1, "disturbed": second, "values": [2 * value for value in record["values"]]}
        for record in records
        if record["round"] == 0
    ]
    text = "".join(json.dumps(record) + "\n" for record in records + extra)
    (path / "trials.jsonl").write_text(text)
    return path


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [("steal", "", 1), ("steal", "steal", 1), ("", "steal", 0)],
)
def test_the_better_attempt_counts(tmp_path: Path, first: str, second: str, counts: int) -> None:
    """The one with fewer disturbed trials, the later of two that are equal; whole, never mixed."""
    run = load(doubled(tmp_path, first, second))
    kept = run.trials[~run.trials["superseded"]]
    assert set(kept[kept["round"] == 0]["attempt"]) == {counts}
    assert len(kept) == 9
    assert set(run.samples["trial"]) == set(kept["trial"])


def test_what_does_not_count_is_still_told(tmp_path: Path) -> None:
    """samples.csv.gz has a line for each attempt that was superseded."""
    run = load(doubled(tmp_path, "steal", ""))
    told = [line for line in samples.lines(run, rows(run)) if not line.startswith("#")]
    assert sum(",,," in line for line in told) == 3
