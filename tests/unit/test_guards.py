"""The guards name what cannot be right, and keep quiet about what can."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import make_run

from bench.axes.rowkey import RowKey
from bench.model import Cache
from bench.report.rows import Line, rows
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
    assert flag.implausible and flag.said.startswith("no steady state (warm-up): from window 2 on")


def test_a_trend_within_trials_is_no_steady_state() -> None:
    """Each window takes a little longer than the last."""
    (flag,) = flags(noise(5, 5) * 1.1 ** np.arange(5))
    assert flag.implausible and "slowing down" in flag.said


def test_two_modes_of_trials_and_of_windows() -> None:
    """Every third trial on the slow side of a wake-up; or every third window."""
    trials = noise(18, 4)
    trials[::3] *= 3
    assert "two modes" in words(trials)
    windows = noise(6, 6)
    windows.ravel()[::3] *= 3
    assert "two modes" in words(windows)


def test_an_outlier_is_labelled_and_kept() -> None:
    """It is named with its round, and the trial median of that round is still there."""
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
    """open-close is no claim: passthrough at half of plain's time cannot be its doing."""
    found = lines(make_run(tmp_path, effect=0.5, troubles=False))["open-close", "passthrough"]
    assert found.judgements["plain"].finding is Finding.IMPLAUSIBLE
    assert "control" in found.judgements["plain"].reason
    assert found.judgements["native"].finding is Finding.SLOWER


def test_a_run_with_its_judgements(tmp_path: Path) -> None:
    """Engaged and faster; not available; and the floor is judged by nobody."""
    found = lines(make_run(tmp_path))
    judged = {key: line.judgements.get("plain") for key, line in found.items()}
    assert judged["read-random", "passthrough"].finding is Finding.FASTER  # type: ignore[union-attr]
    assert judged["readdir", "passthrough"].finding is Finding.NOT_ENGAGED  # type: ignore[union-attr]
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
    assert found.finding is Finding.NOISY and "noise floor" in found.reason


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
