"""Runs held against one another: rows found again, unlike ones refused, regressions a gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyperf
import pytest
from edits import Json, about, changed, slower
from fakes import make_run

from bench.commands.main import main as bench
from bench.comparison.__main__ import main
from bench.model import Exit

REGRESSION = 1


def two_runs(tmp_path: Path, **knobs: Any) -> tuple[Path, Path]:
    """Two runs of the same kind, of different samples."""
    asked = {"rows": 4, "trials": 8, "noise": 0.01, "troubles": False} | knobs
    base = make_run(tmp_path / "base", seed=1, **asked)
    return base, make_run(tmp_path / "patched", seed=2, **asked)


def kernels_run(tmp_path: Path, effect: float = 1.03, **knobs: Any) -> Path:
    """One run of a server on two kernels; ``patched`` costs ``effect`` times what ``base`` does."""
    names = {"plain": "plain@base", "passthrough": "plain@patched"}
    asked = {"trials": 8, "noise": 0.05, "troubles": False, "rows": 3, "effect": effect} | knobs
    run = make_run(tmp_path, targets=("plain", "passthrough"), names=names, **asked)
    kernels = [{"label": "base", "release": "6.12.1"}, {"label": "patched", "release": "6.12.2"}]
    return about(run, "kernels", kernels)


def compared(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, Json]:
    """Compare as JSON; (exit code, the table)."""
    wide = () if "--threshold" in argv else ("--threshold", "60")  # what a test is not about
    code = main(["compare", "--json", *map(str, argv), *wide])
    (table,) = json.loads(capsys.readouterr().out)
    return code, table


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Compare what must be refused with exit 2; returns its one line on stderr."""
    assert main(["compare", *map(str, argv)]) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def verdicts(table: Json) -> dict[tuple[str, str], str]:
    """Verdict by (first word of the group, target)."""
    return {(row["group"], row["target"]): row["verdict"] for row in table["rows"]}


def test_two_runs_that_do_not_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is found, the mean is 1, and the gate stays open."""
    code, table = compared(capsys, *two_runs(tmp_path))
    assert code == Exit.MEASURED
    assert len(table["rows"]) == 4 * 3
    assert set(verdicts(table).values()) == {"~"}
    assert table["geometric_mean"]["low"] < 1 < table["geometric_mean"]["high"]
    assert table["paired"] is False


@pytest.mark.parametrize(("threshold", "code"), [("5", REGRESSION), ("15", Exit.MEASURED)])
def test_a_regression_beyond_the_threshold_closes_the_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], threshold: str, code: int
) -> None:
    """A row that is 10 % slower, and only that one, by its name."""
    base, patched = two_runs(tmp_path)
    changed(patched, slower(1.1, "getattr-storm--fd--warm--t1--plain"))
    got, table = compared(capsys, base, patched, "--threshold", threshold)
    assert got == code
    assert [key for key, verdict in verdicts(table).items() if verdict == "slower"] == [
        ("getattr-storm--fd--warm--t1--to0-0--same", "plain")
    ]
    assert len(table["regressions"]) == (code == REGRESSION)


def test_noise_is_no_open_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing shown to be slower, and nothing shown not to be: undecided, with how many rows."""
    base, patched = two_runs(tmp_path, noise=0.1)
    code, table = compared(capsys, base, patched, "--threshold", "2")
    assert code == Exit.NOTHING
    assert not table["regressions"] and table["undecided"]
    main(["compare", str(base), str(patched), "--threshold", "2"])
    assert "rows may still be slower by more than 2 %" in " ".join(capsys.readouterr().out.split())


def test_faster_is_no_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two patched runs are two tables, each with its own verdict."""
    base, patched = two_runs(tmp_path)
    changed(patched, slower(0.8, "--plain"))
    code, table = compared(capsys, base, patched)
    assert code == Exit.MEASURED
    assert list(verdicts(table).values()).count("faster") == 4
    assert main(["compare", "--json", "--threshold", "60", str(base), str(patched), str(base)]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_kernels_of_one_run_are_paired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """3 % are found though rounds differ by more: what a round shares cancels."""
    run = kernels_run(tmp_path)
    code, table = compared(capsys, f"{run}@base", f"{run}@patched", "--threshold", "2")
    assert code == REGRESSION
    assert table["paired"] is True
    assert set(verdicts(table).values()) == {"slower"}
    assert {row["target"] for row in table["rows"]} == {"plain"}
    assert "kernel: 6.12.1 and 6.12.2" in table["notes"]


def test_targets_of_one_run_are_paired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows go by what was done, not by the targets' names; a name may hold a colon and an @."""
    run = kernels_run(tmp_path, effect=0.5)
    code, table = compared(capsys, f"{run}:plain@base", f"{run}:plain@patched")
    assert code == Exit.MEASURED
    assert table["paired"] is True
    assert {(row["target"], row["verdict"]) for row in table["rows"]} == {("", "faster")}
    assert len(table["rows"]) == 3


def test_the_instruction_clock_needs_two_boots_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The range over the boots is the interval; identical boots are no lack of precision there."""
    run = about(kernels_run(tmp_path, trials=2, constant=True), "clock", "instructions")
    code, table = compared(capsys, f"{run}@base", f"{run}@patched", "--threshold", "2")
    assert code == REGRESSION
    assert set(verdicts(table).values()) == {"slower"}


@pytest.mark.parametrize(
    ("key", "value", "word", "said"),
    [
        ("environment.cpu_model", "Other CPU", "machine", "CPU model: Fake CPU and Other CPU"),
        ("environment.cpu_count", 64, "machine", "number of CPUs: 2 and 64"),
        ("environment.mitigations", "off", "mitigations", "mitigations: auto and off"),
        ("tree.hash", "cd34", "tree", "tree: ab12 and cd34"),
        ("backing.filesystem", "ext4", "backing", "backing file system: tmpfs and ext4"),
        ("placement.mode", "split", "placement", "placement: same and split"),
        ("cpu_dma_latency", "not held: EACCES", "latency", "held at 0 us and not held"),
        ("settings.values", 50, "windows", "timed windows per trial: not recorded and 50"),
        ("environment.suite_commit", "abc", "suite", "commit of the suite: not recorded and abc"),
        ("environment.versions", {"libfuse": "3.17"}, "versions", "libfuse"),
    ],
)
def test_unlike_runs_are_refused_unless_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: object,
    word: str,
    said: str,
) -> None:
    """The line names what differs and the word that allows it; allowed, it stands with the table."""
    base, patched = two_runs(tmp_path, rows=1)
    about(patched, key, value)
    line = refused(capsys, base, patched)
    assert f"--allow-different {word}" in line
    assert said in line
    for told in (["--allow-different", word], ["--force"]):
        code, table = compared(capsys, base, patched, *told)
        assert code == Exit.MEASURED
        assert [one["what"] for one in table["allowed"]] == [word]


def test_other_timeouts_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once for all rows, with the first of them."""
    base, patched = two_runs(tmp_path, rows=3)
    changed(patched, lambda trial: trial.update(attr_timeout=1.0))
    line = refused(capsys, base, patched)
    assert "attr/entry timeout: 0 s/0 s and 1 s/0 s (getattr-storm/at" in line
    assert "and 8 other rows" in line
    assert compared(capsys, base, patched, "--allow-different", "timeouts")[0] == Exit.MEASURED


def test_clocks_are_never_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No option makes instructions a time."""
    base, patched = two_runs(tmp_path, rows=1)
    about(patched, "clock", "instructions")
    assert "never compared" in refused(capsys, base, patched, "--force")
    assert "wanted one of machine" in refused(capsys, base, base, "--allow-different", "clock")


def test_another_kernel_is_named_not_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another kernel is what comparisons are made for."""
    base, patched = two_runs(tmp_path, rows=1)
    about(patched, "environment.kernel_release", "6.19.0")
    _, table = compared(capsys, base, patched)
    assert "kernel: 6.18.5-fake and 6.19.0" in table["notes"]


def test_rows_of_one_side_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what became of them; nothing is dropped without a word."""
    base, patched = two_runs(tmp_path, rows=2)

    def rename(trial: Json) -> None:
        if trial["target"] == "plain" and trial["variant"] == "at":
            trial.update(outcome="failed", reason="daemon exited with 1", values=[])
        if trial["target"] == "passthrough":
            trial.update(target="other", series=trial["series"].replace("passthrough", "other"))

    changed(patched, rename)
    code, table = compared(capsys, base, patched)
    assert code == Exit.NOTHING  # of the lost row nothing is known
    assert len(table["rows"]) == 4
    assert [name.rpartition(", ")[2] for name in table["only_in_base"]] == ["passthrough"] * 2
    assert [name.rpartition(", ")[2] for name in table["only_in_patched"]] == ["other"] * 2
    (lost,) = [row for row in table["rows"] if row["verdict"] == "too few"]
    assert "patched: 8 of 8 trials lost: daemon exited with 1" in lost["why"]
    main(["compare", str(base), str(patched)])
    assert "only in base:" in capsys.readouterr().out


@pytest.mark.parametrize("trials", [1, 2])
def test_too_few_rounds_are_no_open_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], trials: int
) -> None:
    """Where nothing can be judged the exit code is 3, not 0."""
    code, table = compared(capsys, *two_runs(tmp_path, trials=trials))
    assert code == Exit.NOTHING
    assert set(verdicts(table).values()) == {"too few"}
    assert all(row["ratio"]["low"] is None for row in table["rows"])


@pytest.mark.parametrize("values", [[], [float("nan")], [0.0, -1.0], None])
def test_samples_that_are_no_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], values: object
) -> None:
    """Zero samples, NaN, clock steps: too few, with a reason, and no interval."""
    base, patched = two_runs(tmp_path, rows=2)
    changed(patched, lambda trial: trial["variant"] == "at" and trial.update(values=values))
    _, table = compared(capsys, base, patched)
    few = [row for row in table["rows"] if row["verdict"] == "too few"]
    assert len(few) == 3
    assert all("no sample that is a time" in row["why"] for row in few)


def test_identical_values_are_no_certainty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No spread at all is a coarse clock or a copied line."""
    code, table = compared(capsys, *two_runs(tmp_path, constant=True))
    assert code == Exit.NOTHING
    assert all("identical" in row["why"] for row in table["rows"])


def test_an_implausible_row_is_in_neither_gate_nor_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half the trials of a row take three times as long: two modes, not a regression."""
    base, patched = two_runs(tmp_path, rows=2, trials=12)

    def split(trial: Json) -> None:
        if trial["variant"] == "at" and trial["target"] == "plain":
            trial["values"] = [value * (3, 1)[trial["round"] % 2] for value in trial["values"]]

    code, table = compared(capsys, base, changed(patched, split))
    assert code == Exit.NOTHING  # the gate cannot say that it is open
    (row,) = [row for row in table["rows"] if row["verdict"] == "implausible"]
    assert row["why"].startswith("patched: two modes")
    assert table["geometric_mean"]["value"] == pytest.approx(1, abs=0.02)
    main(["compare", str(base), str(patched)])
    assert "neither the mean nor the gate" in capsys.readouterr().out


def test_what_an_a_a_run_shows_by_chance_is_no_regression(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A selftest beside the run knows the machine's noise floor, row by row."""
    base, patched = two_runs(tmp_path, rows=1)
    changed(patched, slower(1.1, "--plain"))
    assert compared(capsys, base, patched, "--threshold", "1")[0] == REGRESSION
    noise = {
        "getattr-storm--path--warm--t1--to0-0--same": {"floor": 0.2, "detectable": 0.2, "rounds": 8}
    }
    (base.parent / "selftest.json").write_text(json.dumps({"noise": noise}))
    code, table = compared(capsys, base, patched, "--threshold", "1")
    assert code == Exit.NOTHING
    assert any("an A/A run differs by 20%" in row["why"] for row in table["rows"])


def test_a_truncated_file_is_named_and_read_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed run loses a line, not the comparison."""
    base, patched = two_runs(tmp_path)
    file = patched / "trials.jsonl"
    file.write_text(file.read_text()[:-40])
    _, table = compared(capsys, base, patched)
    assert any("cut short" in note for note in table["notes"])


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another schema, a name that is none, a kernel or a target the run does not have."""
    base, patched = two_runs(tmp_path, rows=1)
    assert "it has native, passthrough, plain" in refused(capsys, base, f"{base}:plane")
    assert "only the kernel it ran on" in refused(capsys, f"{base}@mine", base)
    assert "no such run or file" in refused(capsys, base, tmp_path / "nowhere")
    about(patched, "schema", 99)
    assert "schema 99" in refused(capsys, base, patched)


def test_an_empty_run_is_nothing_to_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, and which side it is."""
    base, patched = two_runs(tmp_path, rows=1)
    (patched / "trials.jsonl").unlink()
    assert main(["compare", str(base), str(patched)]) == Exit.NOTHING
    assert f"{patched}: nothing was measured in it" in capsys.readouterr().err


def series_file(path: Path, factor: float = 1.0) -> Path:
    """A pyperf file of eight runs."""
    facts = {"name": "x", "attr_timeout_s": 0.0, "cpu_model_name": "Fake CPU", "cpu_count": 2}
    runs = [
        pyperf.Run([factor * (1 + 0.01 * n + 0.001 * v) for v in range(3)],
                   metadata=facts, collect_metadata=False)
        for n in range(8)
    ]  # fmt: skip
    pyperf.Benchmark(runs).dump(str(path), replace=True)
    return path


def test_series_files_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The runs of series files are the rounds, and pyperf's metadata say what they were measured on."""
    one = series_file(tmp_path / "one.json")
    code, table = compared(capsys, one, series_file(tmp_path / "two.json", 1.5), "--threshold", "1")
    assert code == REGRESSION
    assert [row["ratio"]["value"] for row in table["rows"]] == [pytest.approx(1.5)]
    base, _ = two_runs(tmp_path, rows=1)
    assert "--allow-different tree" in refused(capsys, base, one)


def test_series_files_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Series are read from their run, which knows the rounds: two of one run are paired."""
    run = kernels_run(tmp_path, rows=1)
    (run / "series").mkdir()
    labels = [f"getattr-storm--path--warm--t1--plain@{kernel}" for kernel in ("base", "patched")]
    files = [series_file(run / "series" / f"{label}.json") for label in labels]
    code, table = compared(capsys, *files, "--threshold", "2")
    assert code == REGRESSION
    assert table["paired"] is True


@pytest.mark.parametrize("content", ["", "{", "[]", '{"benchmarks": [], "version": "1.0"}'])
def test_a_broken_series_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    """Cut short, or not pyperf's."""
    (tmp_path / "bad.json").write_text(content)
    assert "not a pyperf file" in refused(capsys, tmp_path / "bad.json", tmp_path / "bad.json")


def test_text_is_plain_and_narrow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under 80 columns of ASCII without colour where it is not a terminal, long names included."""
    names = {"passthrough": "passthrough-c:attach-getattr:no-readdir"}
    base, patched = two_runs(tmp_path / ("x" * 60), names=names, effect=0.5)
    changed(patched, slower(1.3, "--plain"))
    assert main(["compare", str(base), str(patched)]) == REGRESSION
    out = capsys.readouterr().out
    paths = {word for word in out.split() if "x" * 60 in word}
    assert all(len(line) < 80 for line in out.splitlines() if not paths & set(line.split()))
    assert out.isascii()
    assert "\x1b" not in out
    assert "geometric mean" in out
    assert "regression beyond 1 %: " in out


def test_markdown_has_a_row_for_each_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each row has its line, and every cell stands in its column."""
    wide = ("--markdown", "--threshold", "60")
    assert main(["compare", *wide, *map(str, two_runs(tmp_path))]) == Exit.MEASURED
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 12
    assert {line.replace("\\|", "").count("|") for line in table} == {9}


def test_the_command_line_passes_the_exit_code_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """``python -m bench compare`` computes in a process of its own."""
    base, patched = two_runs(tmp_path, rows=1)
    changed(patched, slower(1.5, "--plain"))
    assert bench(["compare", str(base), str(patched)]) == REGRESSION
    assert "regression beyond" in capfd.readouterr().out
    assert bench(["compare", str(base), str(patched / "no")]) == Exit.USAGE


@pytest.mark.parametrize("threshold", ["-1", "x", "nan", "inf"])
def test_a_threshold_is_a_percentage(capsys: pytest.CaptureFixture[str], threshold: str) -> None:
    """Anything else is refused before a file is opened."""
    with pytest.raises(SystemExit) as exit:
        bench(["compare", "a", "b", f"--threshold={threshold}"])
    assert exit.value.code == Exit.USAGE
    assert "not a percentage" in capsys.readouterr().err


def test_a_disturbed_attempt_that_was_repeated_is_no_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The better of two attempts counts, and the other is not told as lost."""
    base, patched = two_runs(tmp_path, rows=1)
    file = patched / "trials.jsonl"
    trials = [json.loads(line) for line in file.read_text().splitlines()]
    failed = {"attempt": 0, "outcome": "failed", "reason": "daemon died", "values": []}
    first = [trial | failed for trial in trials if trial["round"] == 0]
    again = [trial | ({"attempt": 1} if trial["round"] == 0 else {}) for trial in trials]
    file.write_text("".join(f"{json.dumps(trial)}\n" for trial in (*first, *again)))
    code, table = compared(capsys, base, patched)
    assert code == Exit.MEASURED
    assert not any("lost" in row["why"] for row in table["rows"])
    assert {row["patched"]["n"] for row in table["rows"]} == {8}


@pytest.mark.parametrize(
    ("key", "value"),
    [("environment", None), ("kernels", None), ("targets", [1, None]), ("settings", []),
     ("tree", "small"), ("backing", 3), ("placement", None), ("cpu_dma_latency", None)],
)  # fmt: skip
def test_a_run_json_of_odd_shape_is_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: object
) -> None:
    """What is not there is not recorded: compared if told to, told in any case."""
    base, patched = two_runs(tmp_path, rows=1)
    about(patched, key, value)
    code, table = compared(capsys, base, patched, "--force")
    assert code == Exit.MEASURED
    assert len(table["rows"]) == 3


def test_disturbed_trials_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Disturbed trials count, as nothing better was measured; the row says how many, and by what."""
    base, patched = two_runs(tmp_path, rows=1)
    changed(patched, lambda one: one["round"] < 3 and one.update(disturbed="steal 12 %"))
    _, table = compared(capsys, base, patched)
    assert {row["why"].rpartition("; ")[2] for row in table["rows"]} == {
        "patched: 3 of 8 trials disturbed: steal 12 %"
    }
