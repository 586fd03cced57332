"""Bad input gets one clear line and a documented exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands.main import main, parser
from bench.commands.words import COMMANDS
from bench.model import Exit


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run a command that must be refused with exit 2; returns its one line on stderr."""
    try:
        code = main(list(argv))
    except SystemExit as exit:
        code = int(exit.code or 0)
    captured = capsys.readouterr()
    assert code == Exit.USAGE
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--daemon", "passthru", "did you mean 'passthrough'"),
        ("--workload", "readdirs", "did you mean 'readdir'"),
        ("--tree", "smal", "did you mean small"),
        ("--tree", "dept=3", "did you mean depth"),
        ("--trials", "0", "above 0"),
        ("--trials", "many", "above 0"),
        ("--attr-timeout", "-1", "0 or more"),
        ("--attr-timeout", "inf", "0 or more"),
        ("--placement", "here", "same"),
        ("--threads", "1,x", "above 0"),
        ("--delay", "GETATTR", "e.g. GETATTR=5us"),
        ("--delay", "STAT=5us", "e.g. GETATTR=5us"),
        ("--delay", "GETATTR=5", "e.g. GETATTR=5us"),
        ("--delay", "GETATTR=5000ms", "at most 1 s"),
        ("--readdir-mode", "readdirs", "did you mean 'readdir'"),
        ("--server-threads", "-1", "above 0"),
        ("--clone-fd", "yes", "both"),
        ("--timeouts", "own,soon", "ATTR/ENTRY"),
        ("--entries", "0", "above 0"),
        ("--matrix", "patch-postin", "did you mean 'patch-posting'"),
        ("--backing", "/nonexistent/place", "does not exist"),
        ("--resume", "nowhere", "no run at"),
    ],
)
def test_bad_values_are_named(
    capsys: pytest.CaptureFixture[str], option: str, value: str, words: str
) -> None:
    """The line says what is wrong and what would be right."""
    assert words in refused(capsys, "run", option, value)


def test_a_misspelt_option_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """argparse alone would only call it unrecognized."""
    assert "did you mean" in refused(capsys, "run", "--plcement=same")


def test_resume_refuses_other_settings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A run is finished as it was begun."""
    assert "--trials" in refused(capsys, "run", "--resume", str(tmp_path), "--trials", "3")


def test_show_of_no_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A directory without run.json is not a run."""
    assert "run.json" in refused(capsys, "show", str(tmp_path))


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """--help is where people look first."""
    with pytest.raises(SystemExit) as exit:
        main(["run", "--help"])
    assert exit.value.code == 0
    text = capsys.readouterr().out
    assert "python -m bench run --daemon passthrough" in text
    assert "exit codes" in text


def test_list_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """What the scan finds is what a person can ask for."""
    assert main(["list"]) == Exit.MEASURED
    text = capsys.readouterr().out
    for name in ("native", "plain", "passthrough", "getattr-storm/fd", "walk-du", "medium"):
        assert name in text


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (("--matrix", "patch-posting", "--threads", "2"), "--threads"),
        (("--matrix", "patch-posting", "--attr-timeout", "0"), "--attr-timeout"),
        (("--timeouts", "own", "--nocache"), "--nocache"),
    ],
)
def test_options_that_contradict_each_other(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], word: str
) -> None:
    """What says the same thing twice is refused, and named."""
    assert word in refused(capsys, "run", *argv)


def test_a_reader_that_goes_away_is_no_bug() -> None:
    """``bench list | head -1``: no traceback, and the exit code a shell gives for SIGPIPE."""
    command = (
        f"{sys.executable} -m bench list --json | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")


def test_the_help_of_all_commands_is_what_each_says_of_itself() -> None:
    """No command is loaded for it, and none is missing, or called otherwise than it calls itself."""
    assert parser("").format_help() == parser().format_help()
    for wanted in (name for _, _, names in COMMANDS for name in names):
        assert parser(wanted).format_help() == parser().format_help()


def test_help_loads_no_command() -> None:
    """Nor the types of the project: what is loaded is what `--help` takes."""
    code = (
        "import sys; from bench.commands.main import parser; parser('').format_help(); "
        "print(*(name for name in sys.modules if name.startswith('bench')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {
        "bench", "bench.commands", "bench.commands.main", "bench.commands.parser",
        "bench.commands.words", "bench.machine", "bench.machine.plain", "bench.machine.streams",
    }  # fmt: skip
