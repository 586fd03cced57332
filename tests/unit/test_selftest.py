"""The selftest: its checks, its exit codes, and the noise floor it leaves for reports."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from fakes import make_run

from bench.commands import selftest
from bench.commands.main import main as bench
from bench.model import TWIN, Exit
from bench.plan.grid import targets
from bench.plan.settings import Settings
from bench.selftest import coverage, no_flip, outside, power, same_target, simulate
from bench.selftest.__main__ import checks, main
from bench.selftest.check import CheckRequest, Held
from bench.stats.noise_floor import FILE, load_noise_floor

QUICK = CheckRequest(quick=True)


def twins(parent: Path, **knobs: object) -> Path:
    """An A/A run: native and plain, each under two names, differing by noise alone."""
    targets = ("native", "plain", "native:twin", "plain:twin")
    path = make_run(parent, troubles=False, **({"trials": 15, "rows": 8, "effect": 1.0} | knobs))
    lines = []
    for number, line in enumerate((path / "trials.jsonl").read_text().splitlines()):
        trial = json.loads(line)
        if trial["target"] == "passthrough":
            continue
        lines.append(json.dumps(trial))
        random = np.random.default_rng(number)
        trial["values"] = [
            value * float(np.exp(random.normal(0, 0.01))) for value in trial["values"]
        ]
        trial["series"] += TWIN
        trial["target"] += TWIN
        lines.append(json.dumps(trial))
    (path / "trials.jsonl").write_text("\n".join(lines) + "\n")
    header = json.loads((path / "run.json").read_text())
    header["targets"] = [
        entry | {"name": name}
        for name in targets
        for entry in header["targets"]
        if entry["name"] == name.removesuffix(TWIN)
    ]
    (path / "run.json").write_text(json.dumps(header))
    return path


def test_every_check_has_a_name_a_bar_and_a_place_of_its_own() -> None:
    """One file adds one check; the scan finds it."""
    found = checks()
    assert {"coverage", "independent", "verdicts", "same-target", "no-flip", "outside"} <= {
        check.name for check in found
    }
    assert len({check.name for check in found}) == len(found)
    assert all(check.bar for check in found)


def test_the_simulation_has_the_autocorrelation_it_says() -> None:
    """Lag 1 of a long series, and unit variance in the first round as in the last."""
    (long,) = simulate.ar1(0.75, 20_000, 1)
    assert np.corrcoef(long[1:], long[:-1])[0, 1] == pytest.approx(0.75, abs=0.02)
    many = simulate.ar1(0.75, 5, 20_000)
    assert many.std(axis=0) == pytest.approx(np.ones(5), abs=0.03)


def test_coverage_is_within_its_bar_and_the_bootstrap_is_not() -> None:
    """The figures are kept beside the lines; the method that was left behind stands there, too."""
    result = coverage.run(QUICK)
    assert result.held is Held.YES
    assert all(0.93 <= share <= 0.97 for share in result.figures["coverage"].values())
    series = simulate.ar1(0.75, 20, 60)
    blocks = [abs(np.median(one)) <= coverage.by_blocks(one) for one in series]
    assert np.mean(blocks) < 0.93


def test_twins_are_compared_by_blocks_of_rounds(tmp_path: Path) -> None:
    """Fifteen rounds of 8 rows and 2 targets under two names: 3 blocks of 16 comparisons."""
    path = twins(tmp_path)
    tables = same_target.tables_of(path)
    assert [len(table) for table in tables] == [16, 16, 16]
    result = same_target.run(CheckRequest(recorded=(path,)))
    assert result.held is Held.YES
    assert result.figures["comparisons"] == 48
    assert len(result.figures["noise"]) == 8


def test_a_target_that_differs_from_itself_is_caught(tmp_path: Path) -> None:
    """If the second name is a tenth slower, the bar is missed."""
    path = twins(tmp_path)
    lines = [json.loads(line) for line in (path / "trials.jsonl").read_text().splitlines()]
    for trial in lines:
        if trial["target"].endswith(TWIN):
            trial["values"] = [1.1 * value for value in trial["values"]]
    (path / "trials.jsonl").write_text("".join(json.dumps(trial) + "\n" for trial in lines))
    assert same_target.run(CheckRequest(recorded=(path,))).held is Held.NO


def test_a_recorded_run_is_compared_with_itself(tmp_path: Path) -> None:
    """Without twins even rounds are held against odd ones: ten rounds give one block."""
    path = make_run(tmp_path, trials=10, rows=4, troubles=False)
    (table,) = same_target.tables_of(path)
    assert len(table) == 12


@pytest.mark.parametrize(
    "knobs", [{"trials": 1}, {"trials": 9}, {"spoil": {"values": []}, "rows": 1}]
)
def test_too_few_rounds_are_skipped_with_the_number(
    tmp_path: Path, knobs: dict[str, object]
) -> None:
    """One round, nine, or no sample at all: nothing is claimed."""
    result = same_target.run(CheckRequest(recorded=(make_run(tmp_path, **knobs),)))
    assert result.held is Held.SKIPPED
    assert "too few rounds" in result.lines[0]


def test_two_runs_that_agree_do_not_flip(tmp_path: Path) -> None:
    """Other noise, the same effects; a run with the effect turned round does."""
    first = make_run(tmp_path / "1", effect=0.5, rows=16, troubles=False, seed=1)
    again = make_run(tmp_path / "2", effect=0.5, rows=16, troubles=False, seed=2)
    other = make_run(tmp_path / "3", effect=2.0, rows=16, troubles=False, seed=3)
    for run in (first, again, other):
        engaged(run)
    assert no_flip.run(CheckRequest(pair=(first, again))).held is Held.YES
    flipped = no_flip.run(CheckRequest(pair=(first, other)))
    assert flipped.held is Held.NO
    assert [
        "getattr-storm--path--warm--t1--to0-0--same",
        "passthrough",
        "plain",
    ] in flipped.figures["flipped"]


def engaged(run: Path) -> None:
    """Let passthrough have done the work of every row: its requests are gone, its twin's are not."""
    lines = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    for trial in lines:
        if trial["target"] == "passthrough" and trial["requests"]:
            trial["requests"] |= {"kernel": {}, "server": {}}
            trial |= {
                "verdict": "engaged",
                "claimed": {op: high for op, (_, high) in trial["expected"].items()},
            }
    (run / "trials.jsonl").write_text("".join(json.dumps(trial) + "\n" for trial in lines))


def test_the_noise_floor_is_kept_and_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--save writes what load_noise_floor reads; more rounds lower the floor."""
    run = twins(tmp_path)
    code = main(["--only", "same-target", "--from", str(run), "--save", str(tmp_path)])
    assert code == Exit.MEASURED
    assert "noise of 5 rounds" in capsys.readouterr().out
    noise, problems = load_noise_floor(tmp_path)
    assert not problems
    one = noise["getattr-storm--fd--warm--t1--to0-0--same"]
    assert 0 < one.floor < one.detectable
    assert one.at(20) == pytest.approx(one.floor / 2)
    assert load_noise_floor(tmp_path / FILE) == (noise, [])


def test_no_selftest_is_no_floor_and_a_broken_one_is_named(tmp_path: Path) -> None:
    """A machine without A/A run has no floor; half a file is not one, and keeps no report back."""
    assert load_noise_floor(tmp_path) == ({}, [])
    for content in ("", "[]", '{"noise": {"row": 1}}', '{"noise": 3}'):
        (tmp_path / FILE).write_text(content)
        noise, (problem,) = load_noise_floor(tmp_path)
        assert noise == {}
        assert problem.startswith("selftest.json: ")


def test_a_floor_that_cannot_be_read_takes_no_other_with_it(tmp_path: Path) -> None:
    """The row it is about has none, and that is said."""
    good = {"floor": 0.01, "detectable": 0.02, "rounds": 5}
    (tmp_path / FILE).write_text(json.dumps({"noise": {"a": good, "b": good | {"rounds": "5"}}}))
    noise, problems = load_noise_floor(tmp_path)
    assert list(noise) == ["a"]
    assert problems == [
        "selftest.json: left out: noise.b.rounds: '5' is no whole number from 1 to 1000000"
    ]


def test_a_missed_bar_is_exit_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line names the bar that was missed; JSON says it, too."""
    first = make_run(tmp_path / "1", effect=0.5, rows=8, troubles=False)
    other = make_run(tmp_path / "2", effect=2.0, rows=8, troubles=False)
    for run in (first, other):
        engaged(run)
    asked = ["--only", "no-flip", "--runs", str(first), str(other)]
    assert main(asked) == Exit.PROOF_FAILED
    assert capsys.readouterr().out.splitlines()[-1] == "bars missed: no-flip"
    assert main([*asked, "--json"]) == Exit.PROOF_FAILED
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert check["held"] == "MISSED"


def test_output_fits_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line has fewer than 80 columns, without blanks at its end."""
    main(["--quick", "--only", "verdicts", "--only", "same-target", "--from", str(twins(tmp_path))])
    lines = capsys.readouterr().out.splitlines()
    assert lines and all(len(line) < 80 and line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--only", "coverag"], "no check 'coverag'"),
        (["--from", "nowhere"], "no run at 'nowhere'"),
        (["--runs", "nowhere", "nowhere"], "no run at 'nowhere'"),
    ],
)
def test_a_wrong_name_is_one_line(
    capsys: pytest.CaptureFixture[str], asked: list[str], words: str
) -> None:
    """Exit 2, and what is wrong."""
    assert main(asked) == Exit.USAGE
    assert words in capsys.readouterr().err


def test_options_of_the_fresh_run_need_one(capsys: pytest.CaptureFixture[str]) -> None:
    """--rounds without --aa would be ignored silently."""
    assert bench(["selftest", "--rounds", "3"]) == Exit.USAGE
    assert "--aa" in capsys.readouterr().err


def test_the_fresh_run_has_every_target_under_two_names() -> None:
    """A plan pairs each target with its twin in every round; programs are left out."""
    arguments = selftest_cli_arguments("--aa", "--rounds", "7")
    settings = selftest.settings(arguments)
    names = [target.name for target in targets(settings)]
    assert names == [
        name + end for name in ("native", "overlayfs", "plain-c") for end in ("", TWIN)
    ]
    assert settings.trials == 7
    assert not [name for name in settings.workloads if name.startswith("macro")]


def selftest_cli_arguments(*asked: str) -> argparse.Namespace:
    """Arguments as the command line gives them."""
    parser = argparse.ArgumentParser()
    selftest.add_options(parser)
    return parser.parse_args(asked)


@pytest.mark.parametrize(
    ("answer", "words"),
    [("<not counted>,,syscalls:sys_enter_statx", "cannot count"), ("", "cannot count")],
)
def test_a_perf_that_cannot_count_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, answer: str, words: str
) -> None:
    """Tracepoints may be closed to us: the check is skipped and says so, nothing is missed."""

    def perf(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        Path(command[command.index("-o") + 1]).write_text(f"# started\n\n{answer}\n")
        return subprocess.CompletedProcess(command, 0, "{}", "")

    monkeypatch.setattr(outside.subprocess, "run", perf)
    monkeypatch.setattr(outside.shutil, "which", lambda _name: "/usr/bin/there")
    result = outside.run(QUICK)
    assert result.held is Held.SKIPPED
    assert words in result.lines[0]


def test_without_perf_the_cross_check_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing outside of us is needed to measure."""
    monkeypatch.setattr(outside.shutil, "which", lambda _name: None)
    result = outside.run(QUICK)
    assert result.held is Held.SKIPPED
    assert "linux-perf" in result.lines[0] and "fio" in result.lines[0]


def test_power_is_what_is_found_of_known_differences(tmp_path: Path) -> None:
    """Nothing in one of true equals; all of a fifth; no less with more rounds."""
    found = power.run(CheckRequest(recorded=(twins(tmp_path, trials=24),)))
    shares = {(rounds, effect): share for rounds, effect, share, _ in found.figures["found"]}
    assert found.held is Held.YES
    for rounds in power.ROUNDS:
        assert shares[rounds, 0.0] < 0.05 and shares[rounds, 0.2] > 0.95
    assert shares[12, 0.02] > shares[5, 0.02]


def test_power_needs_an_a_a_run(tmp_path: Path) -> None:
    """Without rounds enough nothing is said."""
    assert power.run(QUICK).held is Held.SKIPPED
    few = CheckRequest(recorded=(twins(tmp_path, trials=4),))
    assert power.run(few).held is Held.SKIPPED


def test_a_power_run_measures_as_a_default_run_does() -> None:
    """A power run has a default run's windows and values, more rounds, every target twice."""
    asked = argparse.Namespace(quick=False, rounds=None, backing=None, kernel=None, power=True)
    made = selftest.settings(asked)
    usual = Settings()
    assert (made.values, made.window_s) == (usual.values, usual.window_s)
    assert made.twins and made.trials >= 2 * max(power.ROUNDS)
