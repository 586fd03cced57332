"""Axes multiply what has them; what has them not is left out with its reason, never replaced."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench import registry
from bench.axes.rows import TIMEOUTS
from bench.axes.targets import UNTHREADED
from bench.axes.timeouts import parse_timeouts
from bench.model import FOREVER_S, Cache, Level, ReaddirMode, Timeouts, UserError
from bench.plan import product, schedule
from bench.plan.grid import KernelGives
from bench.plan.settings import Settings

RW = KernelGives(Level.RW, "mainline")
WORKLOADS = ("getattr-storm/path", "walk-find", "getattr-cached")


def names(settings: Settings) -> list[str]:
    """Names of the targets of a plan."""
    return [target.name for target in schedule.make(settings, RW).targets]


def test_a_mode_is_a_target() -> None:
    """The usual way of serving needs no word, every other has one."""
    modes = tuple(ReaddirMode)
    settings = Settings(
        daemons=("plain-c",), only=True, axes={"modes": modes}, workloads=("readdir",)
    )
    assert names(settings) == ["plain-c", "plain-c:readdir", "plain-c:auto"]


def test_threads_and_clone_fd_multiply() -> None:
    """Every combination is a target of its own."""
    settings = Settings(
        daemons=("plain-c",),
        only=True,
        axes={"server_threads": (1, 2), "clone_fd": (False, True)},
        trials=1,
    )
    assert names(settings) == [
        "plain-c:1-threads",
        "plain-c:1-threads:clone-fd",
        "plain-c:2-threads",
        "plain-c:2-threads:clone-fd",
    ]


def test_a_mode_a_daemon_lacks_is_skipped_with_the_reason() -> None:
    """A daemon is never measured in another mode instead."""
    settings = Settings(
        daemons=("native", "plain", "plain-c"), only=True, axes={"modes": (ReaddirMode.READDIR,)}
    )
    made = schedule.make(settings, RW)
    assert [target.name for target in made.targets] == ["native", "plain-c:readdir"]
    assert [(item.what, item.reason) for item in made.skipped] == [
        ("plain", "pyfuse3 registers only READDIRPLUS: no mode readdir")
    ]


def test_a_daemon_without_threads_to_choose_runs_as_it_is_and_that_is_said() -> None:
    """The daemon's one way is no combination that was asked for."""
    settings = Settings(daemons=("plain",), only=True, axes={"server_threads": (1, 2)})
    made = schedule.make(settings, RW)
    assert [target.name for target in made.targets] == ["plain"]
    assert [item.reason for item in made.skipped] == [UNTHREADED]


def test_timeouts_multiply_rows_and_no_row_is_made_twice() -> None:
    """walk-find's own timeouts are forever; getattr-cached is about its own and has one row."""
    settings = Settings(
        daemons=("native",),
        trials=1,
        workloads=WORKLOADS,
        axes={"timeouts": TIMEOUTS.values(["own", "0", "1/2", "forever"])},
    )
    found = [
        (one.series.row, one.series.timeouts.attr, one.series.timeouts.entry)
        for one in schedule.make(settings, RW).trials
    ]
    assert sorted(found) == [
        ("getattr-cached", 3600, 3600),
        ("getattr-storm/path", 0, 0),
        ("getattr-storm/path", 1, 2),
        ("getattr-storm/path", 3600, 3600),
        ("walk-find", 0, 0),
        ("walk-find", 1, 2),
        ("walk-find", 3600, 3600),
    ]


@pytest.mark.parametrize("text", ["soon", "-1", "1/", "inf", "nan", "1/2/3"])
def test_timeouts_that_are_none(text: str) -> None:
    """One line says what would be right."""
    with pytest.raises(UserError, match="ATTR/ENTRY"):
        parse_timeouts(text)


def test_forever_is_the_timeout_of_workloads_about_first_contact() -> None:
    """Otherwise `own` and `forever` would make two rows that differ in nothing."""
    own = {workload.timeouts for workload in registry.workloads().values() if workload.timeouts}
    assert parse_timeouts("forever") in own
    assert Timeouts(FOREVER_S, FOREVER_S) == parse_timeouts("forever")


def test_directory_size_is_an_axis_of_sized_workloads_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every other row has none."""
    known = registry.workloads()
    sized = {**known, "readdir": replace(known["readdir"], sized=True)}
    monkeypatch.setattr(registry, "workloads", lambda: sized)
    settings = Settings(
        daemons=("native",), workloads=("readdir", "readdirplus"), axes={"entries": (10, 99)}
    )
    found = [(row.key.workload, row.key.entries) for row in product.rows(settings, {}, [])]
    assert found == [("readdir", 10), ("readdir", 99), ("readdirplus", 0)]


def test_quick_leaves_out_real_programs_and_says_so() -> None:
    """Unless they are named: --quick is to take a minute."""
    made = schedule.make(Settings(daemons=("native",), quick=True), RW)
    assert {item.what for item in made.skipped} == {
        "macro-find",
        "macro-git",
        "macro-ls",
        "macro-make/nothing",
    }
    assert {item.reason for item in made.skipped} == {product.NOT_QUICK}
    named = Settings(daemons=("native",), quick=True, workloads=("macro-du",))
    assert schedule.make(named, RW).trials


def parts(*which: dict[str, object]) -> Settings:
    """Settings of a matrix."""
    return Settings(matrix="test", parts=which, trials=3)


STORM = {"daemons": ("native", "plain-c"), "workloads": ("getattr-storm/fd",)}


def test_parts_are_one_run_of_their_union() -> None:
    """A row of two parts is measured on the targets of both, side by side, once."""
    made = schedule.make(parts(STORM, STORM | {"daemons": ("plain-c", "overlayfs")}), RW)
    first = [one.series.target for one in made.trials if one.round == 0]
    assert sorted(first) == ["native", "overlayfs", "plain-c"]
    assert [target.name for target in made.targets] == ["native", "overlayfs", "plain-c"]


def test_a_part_brings_no_companions_and_takes_part_in_its_own_rounds() -> None:
    """What a matrix names is what it measures, in the first rounds of the run."""
    made = schedule.make(parts(STORM, {"daemons": ("passthrough",), "trials": 1}), RW)
    rounds = {(one.series.target, one.round) for one in made.trials}
    assert rounds == {
        *((target, number) for target in ("native", "plain-c") for number in range(3)),
        ("passthrough", 0),
    }


def test_a_target_has_one_name_in_all_parts() -> None:
    """Where parts together ask for several levels, each target says its own."""
    made = schedule.make(
        parts(
            *(
                STORM | {"daemons": ("passthrough-c",), "levels": (v,)}
                for v in (Level.NONE, Level.RW)
            )
        ),
        RW,
    )
    assert [target.name for target in made.targets] == ["passthrough-c:none", "passthrough-c:rw"]
    assert {one.series.target for one in made.trials} == {target.name for target in made.targets}


def test_a_refusal_that_several_parts_meet_is_told_once() -> None:
    """Two parts, one reason."""
    cold = STORM | {"cache": (Cache.COLD_ALL,), "workloads": ("lookup-cold",)}
    made = schedule.make(
        parts(cold, cold), KernelGives(Level.RW, refusals={Cache.COLD_ALL: "tmpfs"})
    )
    assert len(made.skipped) == 1


def test_parts_survive_json() -> None:
    """A resumed run and a guest get the matrix from the settings, not from its file."""
    settings = parts(STORM, STORM | {"readdir": (True, False)})
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
