"""How long a run is said to take: boots side by side, from recorded times where there are any."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.guests import host, recorded
from bench.guests.pool import Pool
from bench.guests.protocol import Purpose
from bench.guests.session import Boot, Guest, GuestRun
from bench.kernels import images
from bench.model import Clock, Level
from bench.plan import dry_run, forecast, matrix, schedule, shards
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings, guest
from bench.results.store import RunDirectory
from bench.run import headers
from bench.run.view import View

COUNTED = Settings.of(
    {
        **guest(Clock.INSTRUCTIONS), "daemons": ("passthrough-c",), "clock": Clock.INSTRUCTIONS,
        "kernels": ("lab",), "trials": 2, "workloads": ("getattr-storm", "readdir", "walk-find"),
        "shards": 3,
    }
)  # fmt: skip
PLANNED = schedule.make(COUNTED, KernelGives(Level.LOOKUP))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is remembered for one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def a_run(tmp_path: Path, settings: Settings = COUNTED) -> GuestRun:
    about = headers.make_header(settings, [], {"targets": [], "kernels": []}, ())
    directory = RunDirectory.create(tmp_path / "run", about)
    (tmp_path / "bzImage").write_bytes(b"kernel")
    one = Guest("lab", images.Image("lab", tmp_path / "bzImage"))
    return GuestRun(settings, directory, View(quiet=True), [one])


def test_two_boots_at_a_time_take_half_as_long() -> None:
    """Except for the last of them, and never less than the longest boot."""
    one, two, many = (
        forecast.total(COUNTED, PLANNED, forecast.Known(jobs=jobs)) for jobs in (1, 2, 64)
    )
    longest = max(forecast.boots(COUNTED, PLANNED, forecast.Known()).values())
    assert one / 2 <= two <= one / 2 + longest
    assert many == longest


def test_recorded_times_come_before_guesses() -> None:
    """A series that was measured here takes as long as it did; a boot, too."""
    seconds = {one.series.label: 2.0 for one in PLANNED.trials} | {forecast.BOOT: 10.0}
    told = forecast.total(COUNTED, PLANNED, forecast.Known(seconds))
    assert told == pytest.approx(2 * 3 * 10.0 + 2.0 * len(PLANNED.trials))
    checked = forecast.total(
        COUNTED, PLANNED, forecast.Known({**seconds, forecast.CHECK: 5.0}, checks=1)
    )
    assert checked == pytest.approx(told + 10.0 + 5.0 * len(PLANNED.targets))


def test_the_forecast_of_the_iops_matrix_is_that_of_its_run() -> None:
    """Published in two rounds by two boots at a time: 60 trials a minute beside other work."""
    found = matrix.load(matrix.find("iops"))
    asked = {**found.settings, "parts": found.parts, "kernels": ("lab",), "trials": 2}
    settings = shards.with_number(Settings.of({**asked, "clock": Clock.INSTRUCTIONS}))
    told = dry_run.facts(
        settings,
        schedule.make(settings, KernelGives(Level.LOOKUP)),
        forecast.Known(jobs=2, checks=1),
    )
    assert 0.7 < told["minutes"] / (told["trials"] / 60) < 1.3


def test_what_a_boot_took_is_remembered(tmp_path: Path) -> None:
    """By series without its kernel; what was known before counts half."""
    run = a_run(tmp_path)
    watch = recorded.Stopwatch()
    watch.add("row--plain-c@base", 2.0)
    watch.add("row--plain-c@patched", 4.0)
    boot = Boot(run.guests[0], Purpose.MEASURE)
    watch.kept(run, boot, 20.0)
    assert recorded.seconds_of(run.settings) == {"row--plain-c": 3.0, forecast.BOOT: 14.0}
    watch.kept(run, boot, 10.0)
    assert recorded.seconds_of(run.settings)[forecast.BOOT] == 9.0
    assert recorded.seconds_of(replace(run.settings, values=9)) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"boot": "long"}', '{"boot": -1}', '{"boot": NaN}'])
def test_a_spoilt_file_of_times_is_none(text: str, tmp_path: Path) -> None:
    """Only a forecast is lost with it."""
    run = a_run(tmp_path)
    recorded.remember(run.settings, {"boot": 1.0})
    (file,) = (images.cache_dir() / "durations").iterdir()
    file.write_text(text)
    assert recorded.seconds_of(run.settings) == {}
    recorded.remember(run.settings, {"boot": 1.0})
    assert json.loads(file.read_text()) == {"boot": 1.0}


def test_the_longest_boots_of_a_round_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By recorded times; one at a time they keep the order drawn from the seed."""
    run = a_run(tmp_path)
    boots = [boot for number in range(2) for boot in host.round_of(run, number)]
    slow = shards.divided([one for one in PLANNED.trials if one.round == 0], COUNTED)[2][0]
    recorded.remember(run.settings, {slow.series.label: 1000.0})
    done: list[tuple[int, int]] = []
    monkeypatch.setattr(
        host, "until_done", lambda _run, boot, _cpus: done.append((boot.round, boot.shard))
    )
    host.run_boots(run, Pool(1), boots)
    assert [shard for _, shard in done] == [0, 1, 2] * 2
    assert [(one.round, one.shard) for one in host.longest_first(run, boots)][::3] == [
        (0, 2),
        (1, 2),
    ]


def test_boots_of_another_commit_are_made_again(tmp_path: Path) -> None:
    """It may have divided the rounds otherwise: a trial would be lost with each boot left out."""
    run = a_run(tmp_path)
    boots = host.round_of(run, 0)
    run.directory.update_header(boots=[boot.key for boot in boots])
    assert host.not_done(run, boots) == []
    run.directory.update_header(environment={"suite_commit": "another"})
    assert host.not_done(run, boots) == boots
