"""Bisections of a real git repository, with a build and a measurement that take no time."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import fake_step
import pytest
from fake_step import figure, job_of

from bench.commands import bisect as bisect_command
from bench.commands.main import main
from bench.model import Exit, UserError
from bench.regression import bisect
from bench.regression.bisect import BASE, TRIED, StepVerdict

ROOT = Path(__file__).parents[2]


def git(tree: Path, *arguments: str) -> str:
    """Run git as somebody; returns what it said."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(tree), *who, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def repository(path: Path, *costs: str) -> Path:
    """A repository with a commit, and a tag r0, r1, ..., for every cost."""
    path.mkdir()
    git(path, "init", "-q", "-b", "trunk")
    for number, cost in enumerate(costs):
        (path / "cost").write_text(f"{cost}\n")
        (path / "number").write_text(f"{number}\n")
        git(path, "add", "cost", "number")
        git(path, "commit", "-qm", f"commit {number}")
        git(path, "tag", f"r{number}")
    return path


def find(source: Path, good: str = "r0", bad: str = "trunk") -> bisect.BisectResult:
    """Bisect with the fake step; output and worktree lie beside the repository."""
    output = source.parent / "output"
    output.mkdir()
    return bisect.find(
        job_of(output), source, good, bad, fake_step.COMMAND, fake_step.build, lambda _line: None
    )


def is_untouched(source: Path) -> bool:
    """No worktree, no bisection, no change is left in the repository, and its branch is out."""
    return (
        len(git(source, "worktree", "list").splitlines()) == 1
        and git(source, "for-each-ref", "refs/bisect") == ""
        and git(source, "status", "--porcelain") == ""
        and git(source, "symbolic-ref", "--short", "HEAD") == "trunk"
        and not (source.parent / "output" / "tree").exists()
    )


def test_the_first_bad_revision_is_found(tmp_path: Path) -> None:
    """Bisecting nine revisions finds the slow one, and the user's tree stays as it was."""
    source = repository(tmp_path / "linux", *["1000"] * 5, *["1030"] * 4)
    found = find(source)
    assert found.candidates == (git(source, "rev-parse", "r5"),)
    assert {step["verdict"] for step in found.steps} == {"good", "bad"}
    assert is_untouched(source)


def test_a_revision_that_does_not_build_is_skipped(tmp_path: Path) -> None:
    """The reason is kept, and the search goes round it."""
    source = repository(
        tmp_path / "linux", "1000", "1000", "1000", "broken", "1030", "1030", "1030"
    )
    found = find(source)
    assert set(found.candidates) == {git(source, "rev-parse", f"r{n}") for n in (3, 4)}
    skipped = [step for step in found.steps if step["verdict"] == "skip"]
    assert [step["reason"] for step in skipped] == ["compile: error: expected ';'"]


def test_an_undecided_revision_is_skipped(tmp_path: Path) -> None:
    """Boots too far apart to say on which side of the threshold it is."""
    source = repository(tmp_path / "linux", "1000", "1000", "1012~5", "1030", "1030")
    found = find(source)
    assert set(found.candidates) == {git(source, "rev-parse", f"r{n}") for n in (2, 3)}
    assert any("undecided" in str(step["reason"]) for step in found.steps)


def test_a_bad_revision_that_is_not_bad_is_said(tmp_path: Path) -> None:
    """A bisection that starts from a mistake would find something all the same."""
    source = repository(tmp_path / "linux", "1000", "1001", "1002")
    with pytest.raises(UserError, match="not found to be bad") as caught:
        find(source)
    assert caught.value.code == Exit.NOTHING
    assert is_untouched(source)


def test_a_bug_of_the_step_is_no_bad_revision(tmp_path: Path) -> None:
    """A traceback ends Python with 1, which is git's "bad": here it ends the bisection instead."""
    source = repository(tmp_path / "linux", "1000", "1000", "bug", "1030", "1030")
    with pytest.raises(UserError, match="git bisect run ended with"):
        find(source)
    assert is_untouched(source)


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [("nowhere", "trunk", "no revision 'nowhere'"), ("trunk", "r0", "no ancestor")],
)
def test_revisions_that_cannot_be_bisected(tmp_path: Path, good: str, bad: str, words: str) -> None:
    """Misspelt, or the wrong way round: one line, before anything is built."""
    source = repository(tmp_path / "linux", "1000", "1030")
    with pytest.raises(UserError, match=words):
        find(source, good, bad)
    assert is_untouched(source)


def test_interrupted_it_ends_its_step_and_restores_the_tree(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a step: the step ends in order, then the bisection is reset."""
    source = repository(tmp_path / "linux", "1000", "1000", "hang", "1030", "1030")
    output = tmp_path / "output"
    output.mkdir()
    driver = [sys.executable, fake_step.__file__, "find", str(source), str(output), "r0", "trunk"]
    with subprocess.Popen(driver, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as run:
        assert run.stdout
        assert any(b"step hangs" in line for line in run.stdout)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate()
    assert b"KeyboardInterrupt" in errors
    assert (output / "ended").exists()
    assert is_untouched(source)


@pytest.mark.parametrize(
    ("base", "tried", "verdict"),
    [
        ("1000", "1005", StepVerdict.GOOD),
        ("1000", "900", StepVerdict.GOOD),
        ("1000", "1011", StepVerdict.BAD),
        ("1000", "1011~0.2", StepVerdict.SKIP),
        ("1000~0.6", "1005", StepVerdict.SKIP),
        ("1000", "1100~5", StepVerdict.BAD),
    ],
)
def test_a_verdict_needs_the_boots_to_agree(base: str, tried: str, verdict: StepVerdict) -> None:
    """Threshold 1 %: good and bad only where the spread of the boots leaves no doubt."""
    figures = {
        ("readdir", "plain-c", BASE): figure(base),
        ("readdir", "plain-c", TRIED): figure(tried),
    }
    assert bisect.judge(figures, 1.0)[0] is verdict


def test_a_row_without_a_trial_is_undecided() -> None:
    """What failed on one of the kernels says nothing about the revision."""
    figures = {("readdir", "plain-c", BASE): figure("1000")}
    verdict, reason = bisect.judge(figures, 1.0)
    assert verdict is StepVerdict.SKIP
    assert "no trial" in reason
    assert bisect.judge({}, 1.0)[0] is StepVerdict.SKIP


def test_a_good_revision_that_does_not_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real build, on a repository that is no kernel: one line, exit 3, nothing left."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = repository(tmp_path / "linux", "1000", "1030")
    asked = ["--good", "r0", "--bad", "r1", "--source", str(source)]
    assert main(["bisect", *asked, "--output", str(tmp_path / "output")]) == Exit.NOTHING
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("bench: r0: nothing to compare with: ")
    assert is_untouched(source)
    assert not list((tmp_path / "cache").rglob("bisect-*/.git"))


def test_the_command_line_names_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """Two revisions and a tree are needed."""
    assert main(["bisect", "--good", "v1"]) == Exit.USAGE
    assert "--bad" in capsys.readouterr().err


def test_the_report_names_one_or_all_that_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 for one revision, 3 where several could not be told apart."""
    step = {"revision": "a" * 40, "verdict": "bad", "reason": "slower"}
    one, two = (
        bisect.BisectResult(("a" * 40,), (step,)),
        bisect.BisectResult(("a" * 40, "b" * 40), (step,)),
    )
    assert bisect_command.report(one, Path("linux"), as_json=False) == Exit.MEASURED
    assert "first bad revision: aaa" in capsys.readouterr().out
    assert bisect_command.report(two, Path("linux"), as_json=False) == Exit.NOTHING
    assert "b" * 40 in capsys.readouterr().out
