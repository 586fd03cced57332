"""The instruction clock's uncertainty: ranges over boots, A/A floors, windows that lie apart."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fakes import make_run

from bench.commands import selftest
from bench.model import TWIN, Clock, UserError
from bench.report import units, words
from bench.report.rows import rows
from bench.selftest import same_boots, same_target
from bench.selftest.__main__ import save
from bench.selftest.check import Check, CheckRequest, CheckResult, Held
from bench.stats import boots, guards
from bench.stats.estimates import over_boots, paired_ratio
from bench.stats.frame import load
from bench.stats.noise_floor import (
    ASSUMED_COLD,
    ASSUMED_WARM,
    FILE,
    KEYS,
    Noise,
    load_noise_floor,
    of_boots,
)
from bench.stats.verdicts import Finding, judge_table

COUNTED = Clock.INSTRUCTIONS.value


def two(first: float, second: float, floor: float = 0.0) -> Any:
    """The ratio of two boots."""
    return over_boots(paired_ratio({0: first, 1: second}, {0: 1.0, 1: 1.0}), floor)


def counted_twins(parent: Path, shift: float = 0.0, boots: int = 4) -> Path:
    """An A/A run on the instruction clock, a thousandth of noise in each trial."""
    path = make_run(parent, troubles=False, trials=boots, effect=1.0, constant=True)
    lines = []
    for line in (path / "trials.jsonl").read_text().splitlines():
        trial = json.loads(line) | {"clock": COUNTED}
        if trial["target"] == "passthrough":
            continue
        twin = trial | {"series": trial["series"] + TWIN, "target": trial["target"] + TWIN}
        twin["values"] = [value * (1 + shift) for value in trial["values"]]
        lines += [trial, twin]
    chance = np.random.default_rng(5)
    for trial in lines:
        off = math.exp(chance.normal(0, 0.001))
        trial["values"] = [value * off for value in trial["values"]]
    (path / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    about = json.loads((path / "run.json").read_text()) | {"clock": COUNTED}
    (path / "run.json").write_text(json.dumps(about))
    return path


def test_the_range_covers_an_a_a_pair() -> None:
    """Two boots that agree by chance are no certainty: what one differs by from itself widens them."""
    assert (two(0.99, 0.991).low, two(0.99, 0.991).high) == (0.99, 0.991)
    wide = two(0.99, 0.991, 0.02)
    assert wide.low == pytest.approx(0.99 / 1.02) and wide.high == pytest.approx(0.991 * 1.02)
    judged = judge_table({"narrow": two(0.99, 0.991), "wide": wide})
    assert judged["narrow"].finding is Finding.FASTER
    assert not judged["wide"].decided


def test_a_floor_is_the_rows_own_or_one_that_is_no_smaller() -> None:
    """That of the workload's worst row, of the worst row of all, or what is assumed."""
    known = {"a--warm": Noise(0.001, 0.001, 1), "a--cold": Noise(0.01, 0.01, 1)}
    known["b--warm"] = Noise(0.03, 0.03, 1)
    assert of_boots(known, "a--warm") == 0.001
    assert of_boots(known, "a--other") == 0.01
    assert of_boots(known, "c--warm") == 0.03
    assert (
        of_boots({}, "a--warm--t1")
        == ASSUMED_WARM
        < of_boots({}, "a--cold-fuse--t1")
        == ASSUMED_COLD
    )


def test_each_clock_has_its_own_floors(tmp_path: Path) -> None:
    """What wall time shows by chance says nothing of instructions."""
    entries = {
        one: {"floor": at, "detectable": at, "rounds": 1} for one, at in (("w", 0.1), ("i", 0.2))
    }
    (tmp_path / FILE).write_text(
        json.dumps({"noise": {"w": entries["w"]}, KEYS[Clock.INSTRUCTIONS]: {"i": entries["i"]}})
    )
    assert list(load_noise_floor(tmp_path)[0]) == ["w"]
    assert list(load_noise_floor(tmp_path, COUNTED)[0]) == ["i"]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.4441, 0.4442, ""), (0.443, 0.4442, "[0.443,0.444]"), (0.44, 0.45, "[0.440,0.450]")],
)
def test_a_range_is_printed_where_it_is_wider_than_the_last_digit(
    low: float, high: float, shown: str
) -> None:
    """[0.444,0.444] is no interval."""
    assert units.bounds(low, high, 0.44415) == shown
    assert words.ratio_text(two(low, high), "plain-c").partition(" ")[2] == shown


def test_the_floor_of_a_row_stands_beside_its_range(tmp_path: Path) -> None:
    """A row's floor is in its range, on the instruction clock alone."""
    path = counted_twins(tmp_path)
    floor = {"floor": 0.0123, "detectable": 0.0123, "rounds": 1}
    group = "open-close--warm--t1--to0-0--same"
    (tmp_path / FILE).write_text(json.dumps({KEYS[Clock.INSTRUCTIONS]: {group: floor}}))
    units.measure_in(COUNTED)
    row = next(one for one in rows(load(path)) if one.work == "open-close")
    assert words.floor_text(row) == ", A/A 1.2%"
    ratio = next(line for line in row.lines if line.target.name == "plain").ratios["native"]
    assert ratio.low == pytest.approx(min(ratio.points) / 1.0123)


def test_guards_fire_beyond_the_range_and_need_no_p() -> None:
    """A fixed tenth of a per cent once stood between; the range is the A/A pair's now."""
    at = {("row", "mine"): two(0.9995, 0.9996)}
    assert guards.faster_than_floor(at, "native")["row", "mine"][0].implausible
    assert not guards.faster_than_floor({("row", "mine"): two(0.9995, 0.9996, 0.001)}, "native")
    assert guards.moved_controls(at, [("row", "mine")], "plain-c")
    within = {("row", "mine"): two(0.9995, 0.9996, 0.001)}
    assert not guards.moved_controls(within, [("row", "mine")], "plain-c")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([8000, 8010, 7990, 10400, 8000], [8000, 8010, 7990, 8000, 10400], "240 thousand"),
        ([774, 768, 761, 767, 697], [774, 768, 761, 767, 698], "other names"),
        ([8000, 8010, 7990, 10400, 8000], [8100, 8110, 8090, 8100, 10500], ""),
        ([8000, 8010, 7990, 8020, 8000], [8000, 8010, 7990, 8020, 8000], ""),
    ],
)
def test_windows_that_lie_apart_are_named_with_the_reason(
    first: list[float], second: list[float], said: str
) -> None:
    """Where boots agree all the same: work of the kernel's in a short window, or other directories."""
    trials = pd.DataFrame(
        {
            "group": "row",
            "target": "mine",
            "values": [first, second],
            "loops": 1,
            "ops_per_loop": 100,
        }
    )
    flags = boots.uneven_windows(trials).get(("row", "mine"), [])
    assert said in "".join(flag.said for flag in flags) and bool(flags) == bool(said)
    assert not any(flag.implausible for flag in flags)


def test_a_a_boots_are_judged_by_the_floor_of_others(tmp_path: Path) -> None:
    """Half of them give it; of a hundred pairs, none is called."""
    path = counted_twins(tmp_path / "true")
    found = same_boots.run(CheckRequest(recorded=(path,)))
    assert found.figures["called"] == 0 and found.figures["pairs"] == 80
    assert found.held is Held.NO  # fewer than a hundred
    assert all(
        0.002 < one["floor"] < 0.012 for one in found.figures[KEYS[Clock.INSTRUCTIONS]].values()
    )
    more = [counted_twins(tmp_path / name) for name in ("second", "third")]
    assert same_boots.run(CheckRequest(recorded=(path, *more))).held is Held.YES
    assert same_target.run(CheckRequest(recorded=(path,))).held is Held.SKIPPED


def test_a_difference_between_twins_is_in_the_floor(tmp_path: Path) -> None:
    """What always differs by a hundredth is what the floor then says, and nothing below is called."""
    found = same_boots.run(CheckRequest(recorded=(counted_twins(tmp_path, 0.01),)))
    floors = found.figures[KEYS[Clock.INSTRUCTIONS]].values()
    assert all(0.01 < one["floor"] < 0.06 for one in floors)


@pytest.mark.parametrize("boots", [1, 2, 3])
def test_too_few_boots_are_skipped(tmp_path: Path, boots: int) -> None:
    """Some give the floor, two at least are judged by it."""
    path = counted_twins(tmp_path, boots=boots)
    found = same_boots.run(CheckRequest(recorded=(path,)))
    assert found.held is Held.SKIPPED
    floors = found.figures.get(KEYS[Clock.INSTRUCTIONS], {})
    assert len(floors) == (20 if boots > 1 else 0)


def test_the_noise_of_the_other_clock_is_kept(tmp_path: Path) -> None:
    """One file has both, and each A/A run writes its own."""
    check = Check("some", "", lambda _request: CheckResult(Held.YES, ()))
    wall, counted = KEYS[Clock.WALL], KEYS[Clock.INSTRUCTIONS]
    save(tmp_path, {check: CheckResult(Held.YES, (), {wall: {"w": 1}})}, [])
    save(tmp_path, {check: CheckResult(Held.YES, (), {counted: {"i": 2}})}, [])
    found = json.loads((tmp_path / FILE).read_text())
    assert found[wall] == {"w": 1} and found[counted] == {"i": 2}
    assert "noise" not in found["checks"][0]


def test_an_a_a_run_in_guests() -> None:
    """Every row that is no program, four targets under two names: more than a hundred pairs."""
    asked = argparse.Namespace(quick=False, rounds=None, backing=None, kernel="lab", power=False)
    made = selftest.settings(asked)
    assert made.clock is Clock.INSTRUCTIONS and made.kernels == ("lab",) and made.twins
    assert made.trials == 4 and len(made.workloads) * len(made.daemons) > same_boots.PAIRS
    with pytest.raises(UserError, match="--backing"):
        selftest.settings(argparse.Namespace(**{**vars(asked), "backing": "/srv/x"}))
