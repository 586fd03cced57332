"""A whole run, from the plan to the exit code, on a machine that is a fake: order, repeats, resume, and
what goes wrong."""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections import Counter
from pathlib import Path

import pyperf
import pytest
from fake_bench import Machine

from bench import measure
from bench.commands.main import main
from bench.model import Exit, UserError
from bench.plan.settings import Settings
from bench.results import store
from bench.results.store import RunDirectory
from bench.run import trials
from bench.run.job import Job
from bench.run.view import View

SETTINGS = Settings(
    daemons=("native", "plain-c"),
    workloads=("getattr-storm/fd", "getattr-storm/at"),
    trials=2,
    seed=7,
)
"""Two rows on two targets, in two rounds."""


class Listening(View):
    """Keeps what a person would see."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """News."""
        self.said.append(text)

    def warn(self, text: str) -> None:
        """A warning."""
        self.said.append(f"warning: {text}")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Two rows, two rounds, nothing wrong."""
    return Machine(tmp_path, SETTINGS, monkeypatch)


def resumed(run: RunDirectory) -> tuple[trials.RunResult, list[str]]:
    """A run resumed, and what was said."""
    view = Listening()
    return measure.resume(RunDirectory.open(run.path), view), view.said


def test_every_series_has_a_trial_in_every_round(machine: Machine) -> None:
    """Round by round; targets of a row side by side; every line is one that can be read again."""
    result = machine.run()
    lines = result.run.trials()
    assert not result.run.problems()
    assert result.exit is Exit.MEASURED
    assert [line["round"] for line in lines] == sorted(line["round"] for line in lines)
    counts = Counter((line["series"], line["round"]) for line in lines)
    assert set(counts.values()) == {1}
    rows = [(line["round"], line["variant"]) for line in lines]
    assert len(list(itertools.groupby(rows))) == len(set(rows))
    assert [job.label for job in machine.order] == [line["series"] for line in lines]


def test_the_seed_decides_the_order(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seed gives the same order each time, with the same seeds of names."""
    machine.run()
    (tmp_path / "again").mkdir()
    again = Machine(tmp_path / "again", SETTINGS, monkeypatch)
    again.run()
    one, other = (
        [(job.label, job.context.seed) for job in each.order] for each in (machine, again)
    )
    assert one == other


def test_a_disturbed_trial_is_made_again_with_what_it_is_compared_with(machine: Machine) -> None:
    """All targets of the row in that round, once, behind the others."""
    machine.disturbed = {0}
    lines = machine.run().run.trials()
    again = [line for line in lines if line["attempt"]]
    assert {line["series"].rpartition("--")[0] for line in again} == {
        lines[0]["series"].rpartition("--")[0]
    }
    assert {line["target"] for line in again} == {
        line["target"] for line in lines if line["variant"] == lines[0]["variant"]
    }
    assert [line["attempt"] for line in lines] == sorted(line["attempt"] for line in lines)


def test_further_rounds_go_on_until_it_is_precise(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only of what is too wide, round by round, with numbers that go on."""
    (tmp_path / "precise").mkdir()
    wanted = Settings(**{**SETTINGS.__dict__, "precision": 0.02})
    machine = Machine(tmp_path / "precise", wanted, monkeypatch)
    asked: list[int] = []

    def too_wide(run: RunDirectory, _precision: float) -> list[str]:
        asked.append(len(run.trials()))
        labels = [line["series"] for line in run.trials() if line["variant"] == "fd"]
        return [labels[0].rpartition("--")[0]] if len(asked) < 3 else []

    monkeypatch.setattr(trials, "too_wide", too_wide)
    lines = machine.run().run.trials()
    further = [line for line in lines if line["round"] >= SETTINGS.trials]
    assert {line["round"] for line in further} == {2, 3}
    assert {line["variant"] for line in further} == {"fd"}


@pytest.mark.parametrize(("fill_s", "rounds"), [(0.0, 2), (1e9, 4), (1e-9, 2)])
def test_further_rounds_are_made_while_there_is_time(
    fill_s: float, rounds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole ones, to a number that is enough; never more than fit."""
    wanted = Settings(**{**SETTINGS.__dict__, "fill_s": fill_s, "most_trials": 4})
    lines = Machine(tmp_path, wanted, monkeypatch).run().run.trials()
    counts = Counter(line["round"] for line in lines)
    assert sorted(counts) == list(range(rounds)) and len(set(counts.values())) == 1


def test_an_interrupted_run_is_resumed_where_it_stopped(machine: Machine) -> None:
    """Each trial once; the exit of the whole; nothing is left mounted."""

    def interrupt(_job: Job) -> None:
        if len(machine.order) == 4:
            raise KeyboardInterrupt

    machine.before = interrupt
    result = machine.run()
    assert result.exit is Exit.INTERRUPTED
    assert result.run.header()["finished"] is None
    assert len(result.run.trials()) == 3
    assert not machine.mounts
    machine.before = lambda _job: None
    again, said = resumed(result.run)
    assert again.exit is Exit.MEASURED
    assert any("trials to do" in line for line in said)
    labels = Counter((line["series"], line["round"]) for line in again.run.trials())
    assert set(labels.values()) == {1}
    assert sum(again.counts.values()) == len(again.run.trials())


def test_a_finished_run_says_so_and_ends_as_it_did(machine: Machine) -> None:
    """Not with 3, as if nothing could be measured; a trial that failed is not forgotten."""
    machine.answers = lambda _job: {"error": "no"} if len(machine.order) == 1 else {}
    result = machine.run()
    assert result.exit is Exit.PROOF_FAILED
    before = (result.run.path / "run.json").read_bytes()
    asked = len(machine.order)
    again, said = resumed(result.run)
    assert said == ["run is finished: nothing is left to do"]
    assert again.exit is Exit.PROOF_FAILED
    assert len(machine.order) == asked
    assert (result.run.path / "run.json").read_bytes() == before


def test_the_command_draws_the_report_of_a_finished_run(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    """``bench run --resume`` says that nothing is left, ends in the summary, and exits 0."""
    run = machine.run().run
    asked = len(machine.order)
    assert not (run.path / "report").exists()
    assert main(["run", "--resume", str(run.path)]) == Exit.MEASURED
    out, err = capfd.readouterr()
    assert "run is finished: nothing is left to do" in err
    assert "2 rows, run run" in out and out.rstrip().endswith("report/table.txt")
    assert (run.path / "report" / "index.html").stat().st_size
    assert len(machine.order) == asked


def test_a_series_file_that_is_empty_is_made_anew(machine: Machine) -> None:
    """An empty series file blocked --resume for ever, and each attempt added a trial."""
    result = machine.run()
    files = sorted((result.run.path / "series").iterdir())
    files[0].write_text("")
    files[1].write_text('{"benchmarks": []}')
    files[2].unlink()
    again, said = resumed(result.run)
    assert "3 series files were not whole: made anew from trials.jsonl" in said
    assert len(again.run.trials()) == len(result.run.trials())
    for file in files:
        series = pyperf.Benchmark.load(str(file))
        assert (series.get_nrun(), series.get_name()) == (SETTINGS.trials, file.stem)


def test_a_series_file_is_made_of_lines_that_do_not_say_how_many_operations(
    machine: Machine,
) -> None:
    """Lines of an old run lack it: resuming one ended in a traceback."""
    result = machine.run()
    lines = [
        json.loads(line) for line in (result.run.path / "trials.jsonl").read_text().splitlines()
    ]
    for line in lines:
        del line["ops_per_loop"]
    file = result.run.path / "trials.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for series in (result.run.path / "series").iterdir():
        series.write_text("")
    _again, said = resumed(result.run)
    assert any("made anew from trials.jsonl" in text for text in said)


def test_a_series_file_that_breaks_during_a_run_is_made_anew(machine: Machine) -> None:
    """The next trial of its series finds it."""

    def empty(job: Job) -> None:
        file = machine.folder / "run" / "series" / f"{job.label}.json"
        if file.exists():
            file.write_text("")

    machine.before = empty
    result = machine.run()
    assert result.exit is Exit.MEASURED
    for file in (result.run.path / "series").iterdir():
        assert pyperf.Benchmark.load(str(file)).get_nrun() == SETTINGS.trials


def test_a_line_that_cannot_be_read_is_named_and_made_again(machine: Machine) -> None:
    """A damaged trial is one that is not there."""
    result = machine.run()
    lines = result.run.trials_path.read_bytes().splitlines(keepends=True)
    result.run.trials_path.write_bytes(b"".join([b"[" * 100_000 + b"\n", *lines[1:]]))
    again, said = resumed(result.run)
    assert any("line 1 is left out: nested too deeply" in line for line in said)
    assert len(again.run.trials()) == len(lines)


def test_a_failed_mount_fails_its_trials_alone(machine: Machine) -> None:
    """With the server's last word; other targets are measured."""
    machine.refuses_to_mount = {"plain-c"}
    result = machine.run()
    lines = result.run.trials()
    assert result.exit is Exit.PROOF_FAILED
    lost = [line for line in lines if line["outcome"] == "failed"]
    assert [line["target"] for line in lost] == ["plain-c"]
    assert "no such luck" in lost[0]["reason"]
    assert {line["outcome"] for line in lines if line["target"] == "native"} == {"ok"}


def test_a_target_that_answers_wrong_is_not_measured(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run.json says why, and the exit code that a server asked for by name has no number."""
    broken = {"plain-c": "answers differ from the backing: tree/file0: size"}
    monkeypatch.setattr("bench.run.local.check_targets", lambda *_: broken)
    result = machine.run()
    assert result.run.header()["refused"] == broken
    assert {line["target"] for line in result.run.trials()} == {"native"}
    assert result.exit is Exit.NOTHING
    assert not [job for job in machine.order if job.label.endswith("plain-c")]


def test_an_answer_of_the_wrong_kind_is_a_failed_trial(machine: Machine) -> None:
    """What a worker says becomes a line only if it can be read again."""
    machine.answers = lambda _job: {"loops": "many"} if len(machine.order) == 1 else {}
    result = machine.run()
    assert not result.run.problems()
    assert result.run.trials()[0]["reason"].startswith("loops: 'many' is no whole number")


def test_a_full_disk_ends_the_run_and_spoils_no_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes half a line says so by a number alone; the run can be finished later."""
    real, left = os.write, [1500]

    def write(descriptor: int, data: bytes) -> int:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name != "trials.jsonl":
            return real(descriptor, data)
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = real(descriptor, data[: left[0]])
        left[0] -= taken
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(store.os, "write", write)
        with pytest.raises(UserError, match="No space left") as caught:
            machine.run()
    assert caught.value.code is Exit.PROOF_FAILED
    run = RunDirectory.open(machine.folder / "run")
    assert not run.problems()
    assert len(run.trials()) == len(run.trials_path.read_bytes().splitlines()) == 1
    again, _ = resumed(run)
    assert again.exit is Exit.MEASURED
    assert len({(line["series"], line["round"]) for line in again.run.trials()}) == len(
        again.run.trials()
    )
