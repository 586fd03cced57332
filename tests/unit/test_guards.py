"""The guards name what cannot be right, and keep quiet about what can."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import make_run

from bench.axes.rowkey import RowKey
from bench.model import Cache, Timeouts
from bench.report.row import Line
from bench.report.rows import rows
from bench.stats import guards
from bench.stats.estimates import paired_ratio, trial_medians
from bench.stats.frame import load
from bench.stats.guards import Flag
from bench.stats.verdicts import Finding


def frame(trials: np.ndarray, cache: str = "warm") -> pd.DataFrame:
    """Samples of one series: one row of windows a trial, in seconds."""
    count, windows = trials.shape
    number = np.repeat(np.arange(count), windows)
    return pd.DataFrame(
        {"trial": number, "round": number, "group": f"storm--{cache}", "target": "plain",
         "key": RowKey.of("storm", cache=Cache(cache)),
         "seconds": trials.ravel()}
    )  # fmt: skip


def flags(trials: np.ndarray) -> list[Flag]:
    """What the guards see in one series."""
    samples = frame(trials)
    return next(iter(guards.series_flags(samples, trial_medians(samples)).values()), [])


def words(trials: np.ndarray) -> list[str]:
    """The words of it."""
    return [flag.word for flag in flags(trials)]


def noise(trials: int, windows: int, spread: float = 0.02) -> np.ndarray:
    """Log-normal noise around 1 us."""
    random = np.random.default_rng(trials)
    return np.asarray(1e-6 * np.exp(random.normal(0, spread, (trials, windows))))


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (5, 5), (20, 30)])
def test_plain_noise_is_no_reason_to_worry(shape: tuple[int, int]) -> None:
    """Nothing implausible in five hundred windows, one window, or one trial."""
    assert not [flag for flag in flags(noise(*shape)) if flag.implausible]


def test_warm_up_is_no_steady_state() -> None:
    """The first window of every trial takes half as long again."""
    trials = noise(12, 6)
    trials[:, 0] *= 1.5
    (flag,) = flags(trials)
    assert flag.said.startswith("no steady state (warm-up): from window 2 on")
    assert not flag.implausible  # of a series by itself it is a note
    (flag,) = beside(trials, noise(13, 6)[:12])
    assert flag.implausible and flag.against == "native"


def test_a_trend_within_trials_is_no_steady_state() -> None:
    """Each window takes a little longer than the last."""
    trend = noise(5, 5) * 1.1 ** np.arange(5)
    (flag,) = flags(trend)
    assert "slowing down" in flag.said
    assert [flag.word for flag in beside(trend, noise(6, 5)[:5])] == ["no steady state"]


def test_what_a_row_shares_with_its_baseline_disqualifies_nothing() -> None:
    """Both warm up by a fifth over a trial: window by window their ratio is steady."""
    common = np.linspace(1.2, 1.0, 6)
    assert not beside(noise(8, 6) * common, noise(9, 6)[:8] * common)


def beside(own: np.ndarray, other: np.ndarray) -> list[Flag]:
    """What is seen of a series beside its baseline, which is called native."""
    samples = pd.concat([frame(own), frame(other).assign(target="native")])
    found = guards.unsteady_against(samples, [("storm--warm", "plain", "native")])
    return found.get(("storm--warm", "plain"), [])


def test_two_modes_are_of_trials() -> None:
    """Every third trial on the slow side of a wake-up; windows of one slow trial are one outlier."""
    trials = noise(18, 4)
    trials[::3] *= 3
    assert "two modes" in words(trials)
    for rounds in (5, 12):
        one = noise(rounds, 5, 0.01)
        one[2] *= 1.15
        assert not [flag for flag in flags(one) if flag.implausible]
        assert "outlier" in words(one)


def test_a_target_in_the_kernel_may_answer_by_itself() -> None:
    """overlayfs keeps negative lookups: a note; what goes through a server cannot beat the floor."""
    faster = {("row", name): paired_ratio(*pairs(0.9)) for name in ("overlayfs", "passthrough")}
    found = guards.faster_than_floor(faster, "native", {"overlayfs"})
    assert not found["row", "overlayfs"][0].implausible
    assert found["row", "passthrough"][0].implausible


def test_on_the_instruction_clock_a_range_is_enough() -> None:
    """Two boots at 0.94 of native have no p: beyond the range, an A/A pair in it, the guard fires."""
    two = replace(paired_ratio(*pairs(0.94)), p=math.nan, low=0.939, high=0.941)
    assert guards.faster_than_floor({("row", "mine"): two}, "native")["row", "mine"][0].implausible
    assert not guards.faster_than_floor({("row", "mine"): replace(two, high=1.0)}, "native")


def pairs(ratio: float) -> tuple[dict[int, float], dict[int, float]]:
    """Rounds of a target and of what it is divided by, a little noisy."""
    floor = dict(enumerate(noise(8, 1)[:, 0]))
    chance = np.random.default_rng(3)
    return {n: ratio * one * chance.normal(1, 0.005) for n, one in floor.items()}, floor


def test_an_outlier_is_labelled_and_kept() -> None:
    """An outlier is named with its round, and the trial median of that round is still there."""
    trials = noise(9, 5)
    trials[4] *= 1000
    (flag,) = flags(trials)
    assert flag.word == "outlier" and not flag.implausible
    assert flag.said.startswith("round 4 took 9") and flag.said.endswith("kept")
    assert len(trial_medians(frame(trials))["storm--warm", "plain"]) == 9


def test_drift_over_the_rounds_is_named() -> None:
    """Two per cent a round over fifteen rounds."""
    trials = noise(15, 5, 0.01) * (1.02 ** np.arange(15))[:, None]
    assert "drift" in words(trials)


def test_identical_windows_are_named() -> None:
    """A coarse clock or copied lines."""
    assert "identical" in words(np.full((5, 5), 1e-6))


@pytest.mark.parametrize("bad", [math.nan, 0.0, -1e-6])
def test_clock_steps_are_counted(tmp_path: Path, bad: float) -> None:
    """Windows that took no time, or less, are counted by series; nothing else is said of them."""
    run = load(make_run(tmp_path, trials=1, rows=1, spoil={"values": [1e-6, bad, 1.1e-6]}))
    found = guards.series_flags(run.samples, trial_medians(run.samples))
    assert len(found) == 3
    assert {flag.said.partition(" windows")[0] for (flag,) in found.values()} == {"1 of 3"}


def test_no_samples_are_no_flags(tmp_path: Path) -> None:
    """A run in which nothing was measured has nothing to flag."""
    run = load(make_run(tmp_path, spoil={"values": []}, rows=1))
    assert guards.series_flags(run.samples, {}) == {}
    assert guards.cold_faster_than_warm(run.trials, {}) == {}


def test_cold_faster_than_warm_is_named() -> None:
    """On the cold series, with by how much; the other way round is as it should be."""
    warm, cold = frame(noise(8, 3), "warm"), frame(0.5 * noise(8, 3), "cold-fuse")
    samples = pd.concat([warm, cold.assign(trial=cold["trial"] + 8)])
    (key,) = guards.cold_faster_than_warm(samples, trial_medians(samples))
    assert key == ("storm--cold-fuse", "plain")
    dear = pd.concat([warm, cold.assign(trial=cold["trial"] + 8, seconds=9 * cold["seconds"])])
    assert not guards.cold_faster_than_warm(dear, trial_medians(dear))


def test_faster_than_the_floor_is_named() -> None:
    """What goes through native cannot beat it."""
    fast = paired_ratio(dict(enumerate(0.8 * noise(6, 1)[:, 0])), dict.fromkeys(range(6), 1e-6))
    slow = paired_ratio(dict(enumerate(1.2 * noise(6, 1)[:, 0])), dict.fromkeys(range(6), 1e-6))
    found = guards.faster_than_floor({("a", "plain"): fast, ("b", "plain"): slow}, "native")
    assert list(found) == [("a", "plain")]


def lines(path: Path) -> dict[tuple[str, str], Line]:
    """All lines of a run by row name and target."""
    return {(row.work, ln.target.name): ln for row in rows(load(path)) for ln in row.lines}


def test_a_control_that_moved_is_implausible_against_its_twin_alone(tmp_path: Path) -> None:
    """Level rw touches no negative lookup: half of plain's time there cannot be its doing."""
    run = make_run(tmp_path, effect=0.5, troubles=False)
    found = lines(run)["lookup-negative", "passthrough"]
    assert found.control
    assert found.judgements["plain"].finding is Finding.IMPLAUSIBLE
    assert "control" in found.judgements["plain"].reason
    assert found.judgements["native"].finding is Finding.SLOWER


def test_what_a_level_touches_is_a_result_and_no_control(tmp_path: Path) -> None:
    """Opening a file is where rw passthrough is paid: its slowdown is told, not hidden."""
    run = make_run(tmp_path, effect=1.2, troubles=False)
    found = lines(run)["open-close", "passthrough"]
    assert not found.control
    assert found.judgements["plain"].finding is Finding.SLOWER


def test_a_row_with_other_requests_is_no_control(tmp_path: Path) -> None:
    """Whatever the list says that was fixed before the run."""
    path = make_run(tmp_path, troubles=False)
    about = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(about | {"controls": ["read-random", "readdir"]}))
    found = {key for key, line in lines(path).items() if line.control}
    assert found == {("readdir", "passthrough")}


def test_a_run_with_its_judgements(tmp_path: Path) -> None:
    """Engaged and faster; not available; and the floor is judged by nobody."""
    found = lines(make_run(tmp_path))
    judged = {key: line.judgements.get("plain") for key, line in found.items()}
    assert judged["read-random", "passthrough"].finding is Finding.FASTER  # type: ignore[union-attr]
    readdir = judged["readdir", "passthrough"]
    assert readdir and readdir.finding not in (Finding.FASTER, Finding.SLOWER)
    assert not found["read-random", "native"].judgements


def test_a_control_that_stands_still_is_no_alarm(tmp_path: Path) -> None:
    """With no effect at all there is nothing to guard against, in any row."""
    found = lines(make_run(tmp_path, effect=1.0, troubles=False))
    judged = [line.judgements.get("plain") for line in found.values()]
    assert not [one for one in judged if one and one.finding is Finding.IMPLAUSIBLE]


def test_the_noise_of_the_machine_is_what_a_difference_must_exceed(tmp_path: Path) -> None:
    """selftest.json beside the run says 60 %: what is half as fast again is nothing."""
    path = make_run(tmp_path, troubles=False)
    noise = {"read-random--warm--t1--to0-0--same": {"floor": 99.0, "detectable": 99.0, "rounds": 5}}
    (path.parent / "selftest.json").write_text(json.dumps({"noise": noise}))
    found = lines(path)["read-random", "passthrough"].judgements["plain"]
    assert found.finding is Finding.NOISY and "an A/A run differs by" in found.reason


@pytest.mark.parametrize(
    "knobs",
    [
        {"trials": 1},
        {"trials": 2},
        {"trials": 1, "values": 1},
        {"constant": True},
        {"spoil": {"values": []}, "rows": 1},
        {"spoil": {"values": [math.nan, None, "fast"]}, "rows": 1},
        {"spoil": {"values": [0, -1e-6, math.inf]}, "rows": 1},
    ],
    ids=str,
)
def test_bad_input_is_too_few_and_no_interval(tmp_path: Path, knobs: dict[str, object]) -> None:
    """One trial, two, one window, copies, nothing, NaN, clock steps: no verdict on a number."""
    for line in lines(make_run(tmp_path, effect=0.5, troubles=False, **knobs)).values():
        for baseline, judgement in line.judgements.items():
            assert judgement.finding in (Finding.TOO_FEW, Finding.NOT_ENGAGED)
            assert not line.ratios[baseline].has_interval
            assert judgement.reason


def test_a_truncated_run_is_judged_by_what_is_left(tmp_path: Path) -> None:
    """Cut in the middle of a line in the second of five rounds: too few, and no traceback."""
    path = make_run(tmp_path, troubles=False)
    file = path / "trials.jsonl"
    file.write_text(file.read_text()[: file.stat().st_size * 3 // 10])
    found = lines(path)["read-random", "passthrough"].judgements["plain"]
    assert found.finding is Finding.TOO_FEW


def test_a_run_of_no_trials_has_no_rows_to_judge(tmp_path: Path) -> None:
    """trials.jsonl is empty or missing."""
    path = make_run(tmp_path)
    (path / "trials.jsonl").write_text("")
    assert lines(path) == {}
    (path / "trials.jsonl").unlink()
    assert lines(path) == {}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("axis", ["entries", "timeouts"])
def test_cold_is_held_against_the_warm_row_of_its_own_setting(axis: str, turned: bool) -> None:
    """Whatever the order of trials: a warm row of another size or timeout says nothing of it."""
    one, other = {"entries": (10, 1000), "timeouts": (Timeouts(0, 0), Timeouts(9, 9))}[axis]
    rows_of = [(Cache.WARM, one, 1e-6), (Cache.WARM, other, 5e-6), (Cache.COLD_FUSE, one, 2e-6)]
    frames = []
    for cache, place, seconds in reversed(rows_of) if turned else rows_of:
        key = RowKey.of("storm", cache=cache, **{axis: place})
        made = frame(seconds / 1e-6 * noise(6, 5))
        frames.append(made.assign(key=[key] * len(made), group=key.slug))
    samples = pd.concat(frames, ignore_index=True)
    assert guards.cold_faster_than_warm(samples, trial_medians(samples)) == {}
