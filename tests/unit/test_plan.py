"""The plan: interleaved, shuffled by the seed, honest about what it leaves out."""

from __future__ import annotations

from itertools import groupby

import pytest

from bench import registry
from bench.axes.targets import DELAY
from bench.model import Cache, Clock, Level, Opcode, Timeouts, UserError
from bench.plan import product, schedule
from bench.plan.grid import KernelGives, level_in_force, targets
from bench.plan.settings import Settings

RW = KernelGives(Level.RW, "mainline")


def test_same_seed_same_plan() -> None:
    """The order of trials is a function of the recorded seed."""
    first, again = (schedule.make(Settings(seed=7), RW) for _ in range(2))
    assert first.trials == again.trials


def test_another_seed_another_order() -> None:
    """The order of trials differs between seeds."""
    assert schedule.make(Settings(seed=1), RW).trials != schedule.make(Settings(seed=2), RW).trials


def test_every_round_holds_every_series_once() -> None:
    """Rounds are complete blocks."""
    made = schedule.make(Settings(trials=3), RW)
    rounds = [
        [one.series.label for one in made.trials if one.round == number] for number in range(3)
    ]
    assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(rounds[2])
    assert len(set(rounds[0])) == len(rounds[0])


def test_targets_of_a_workload_follow_one_another_with_one_seed() -> None:
    """What is compared is measured side by side, on the same names."""
    made = schedule.make(Settings(trials=1), RW)
    every = {target.name for target in made.targets}
    blocks = [list(group) for _, group in groupby(made.trials, lambda one: one.series.key)]
    assert len({block[0].series.key for block in blocks}) == len(blocks)
    for block in blocks:
        changes = registry.workloads()[block[0].series.workload].changes
        able = every - {"overlayfs"} if changes else every
        if (
            block[0].series.key.variant
            not in registry.workloads()[block[0].series.workload].in_python
        ):
            able = able - {"plain", "passthrough"}
        assert sorted(one.series.target for one in block) == sorted(able)
        assert len({one.seed for one in block}) == 1


@pytest.mark.parametrize("clock", list(Clock))
def test_rounds_differ_in_order_and_names(clock: Clock) -> None:
    """On either clock: what an order or a set of names does is no difference between targets."""
    made = schedule.make(Settings(trials=2, clock=clock, kernels=("lab",)), RW)
    first, second = (
        {one.series.label: one for one in made.trials if one.round == number} for number in range(2)
    )
    assert first.keys() == second.keys()
    assert list(first) != list(second)
    assert not {one.seed for one in first.values()} & {one.seed for one in second.values()}
    assert sum(first[label].position == second[label].position for label in first) < len(first) / 4


def test_rounds_follow_one_another() -> None:
    """A round is over before the next begins, and positions count from 0."""
    made = schedule.make(Settings(trials=2), RW)
    assert [one.round for one in made.trials] == sorted(one.round for one in made.trials)
    first = [one.position for one in made.trials if one.round == 0]
    assert first == list(range(len(first)))


def test_passthrough_brings_its_comparison_along() -> None:
    """A passthrough row without floor and plain server would be unfair."""
    found = [target.daemon for target in targets(Settings())]
    assert found == sorted(
        {"passthrough", *registry.daemon("passthrough").companions}, key=registry.target_rank
    )
    assert {"native", "plain"} <= set(found)


def test_only_turns_that_off() -> None:
    """--only measures what was named and nothing else."""
    assert [target.name for target in targets(Settings(only=True))] == ["passthrough"]


def test_unknown_daemon_gets_the_nearest_name() -> None:
    """A slip of the pen costs one line."""
    with pytest.raises(UserError, match="did you mean 'passthrough'"):
        targets(Settings(daemons=("pasthrough",)))


@pytest.mark.parametrize("name", ["getattr-strom", "getattr-storm/fdd", "readdirr"])
def test_unknown_workload_gets_the_nearest_name(name: str) -> None:
    """An unknown variant gets the nearest name as well."""
    with pytest.raises(UserError, match="did you mean"):
        registry.rows([name])


def test_a_cache_state_that_cannot_be_had_is_a_skipped_row_with_its_reason() -> None:
    """What was left out is shown, not dropped."""
    made = schedule.make(
        Settings(axes={"cache": (Cache.COLD_ALL,)}),
        KernelGives(Level.RW, refusals={Cache.COLD_ALL: "the backing is tmpfs"}),
    )
    assert not made.trials
    reasons = {item.what: item.reason for item in made.skipped}
    assert reasons["lookup-cold"] == "the backing is tmpfs"
    assert "no cache state cold-all" in reasons["getattr-storm/fd"]


@pytest.mark.parametrize(
    ("kernel", "asked", "expected"),
    [
        (Level.RW, Level.ATTACH_LOOKUP, Level.RW),
        (Level.ATTACH_LOOKUP, Level.RW, Level.RW),
        (Level.NONE, Level.ATTACH_LOOKUP, Level.NONE),
        (Level.ATTACH_GETATTR, Level.ATTACH_GETATTR, Level.ATTACH_GETATTR),
    ],
)
def test_level_in_force(kernel: Level, asked: Level, expected: Level) -> None:
    """The level is the lowest of what is asked for, given and spoken; plain never passes through."""
    assert level_in_force(registry.daemon("passthrough"), kernel, asked) is expected
    assert level_in_force(registry.daemon("plain"), kernel, asked) is Level.NONE


def test_a_users_timeout_wins_except_where_a_workload_is_about_its_own() -> None:
    """--attr-timeout applies to every row but those that would lose their meaning."""
    settings = Settings(attr_timeout=5.0)
    known = registry.workloads()
    assert product.timeouts(known["getattr-storm"], settings) == [Timeouts(5.0, 0.0)]
    assert product.timeouts(known["walk-find"], settings)[0].attr == 5.0
    assert product.timeouts(known["getattr-cached"], settings)[0].attr == 3600.0


def test_settings_survive_json() -> None:
    """--resume gets back exactly what was asked for."""
    import json

    settings = Settings(
        daemons=("plain",), axes={"threads": (1, 2)}, attr_timeout=0.5, workloads=("readdir",)
    )
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_of_a_newer_version_are_refused() -> None:
    """A key this version does not know is named."""
    with pytest.raises(UserError, match="warp"):
        Settings.from_json({"warp": 9})


LEVELS = (Level.RW, Level.ATTACH_GETATTR, Level.ATTACH_LOOKUP)


def test_several_levels_are_several_targets() -> None:
    """Each level asked for is a target of its own, with and without readdir where that differs."""
    settings = Settings(axes={"levels": LEVELS, "readdir": (True, False)}, only=True)
    assert [target.name for target in targets(settings)] == [
        "passthrough:rw",
        "passthrough:attach-getattr",
        "passthrough:attach-getattr:no-readdir",
        "passthrough:attach-lookup",
        "passthrough:attach-lookup:no-readdir",
    ]


def test_a_delay_is_one_more_target_of_servers_that_can_hold_requests_back() -> None:
    """Beside the server as it is; native and overlayfs have nobody to wait."""
    settings = Settings(
        daemons=("native", "overlayfs", "plain-c"),
        axes={"delays": DELAY.values("GETATTR=1.5us")},
        only=True,
    )
    found = {target.name: target.serving.delay for target in targets(settings)}
    assert found == {
        "native": (),
        "overlayfs": (),
        "plain-c": (),
        "plain-c:delay-getattr-1.5us": ((Opcode.GETATTR, 1500),),
    }


def test_of_several_levels_those_the_kernel_lacks_are_left_out_with_the_reason() -> None:
    """A target under the name of a level it does not have would be a lie."""
    made = schedule.make(Settings(axes={"levels": LEVELS}, only=True), RW)
    assert {one.series.target for one in made.trials} == {"passthrough:rw"}
    assert [item.what for item in made.skipped] == [
        "passthrough:attach-getattr",
        "passthrough:attach-lookup",
    ]
    assert all("mainline" in item.reason for item in made.skipped)


def test_one_level_alone_is_lowered_to_what_there_is() -> None:
    """The run goes on at the level the kernel gives; its tables say so."""
    made = schedule.make(Settings(only=True), RW)
    assert {(one.series.level, one.series.asked) for one in made.trials} == {
        (Level.RW, Level.ATTACH_LOOKUP)
    }


def test_several_kernels_stand_in_the_targets_names() -> None:
    """One run, two kernels: no series of one can be taken for the other's."""
    base, patched = (
        {
            one.series.label
            for one in schedule.make(Settings(), KernelGives(Level.RW, kernel=name)).trials
        }
        for name in ("base", "patched")
    )
    assert not base & patched
    assert all(label.endswith("@base") for label in base)


def test_real_programs_have_no_place_on_the_instruction_clock() -> None:
    """Programs are read from the host in mid-window, and the clock leaps meanwhile: that is the reason."""
    made = schedule.make(Settings(clock=Clock.INSTRUCTIONS, trials=1), RW)
    assert not [one for one in made.trials if one.series.workload.startswith("macro-")]
    assert {item.what for item in made.skipped} == {
        "macro-find",
        "macro-git",
        "macro-ls",
        "macro-make/nothing",
        "overlayfs",
        "passthrough",
        "plain",
    }
    assert all("leaps" in item.reason for item in made.skipped if item.what.startswith("macro-"))
