"""Mistakes at the command line: one line, the right code, and nothing touched."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

import pytest

from bench.commands.main import main
from bench.kernels.build import build
from bench.model import TIMEOUT_MAX_S, Exit, UserError
from bench.mounts import backing

ROOT = Path(__file__).parents[2]


def said(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    """The last line of what a command line that fails with this code says."""
    try:
        found = main(list(words))
    except SystemExit as ended:
        found = int(str(ended.code))
    assert found == code
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_backing_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would lie on whatever holds the root directory."""
    missing = tmp_path / "nope"
    assert "does not exist" in said(capsys, Exit.USAGE, "run", "--backing", str(missing))
    assert not missing.exists()


@pytest.mark.parametrize("option", ["--output", "--resume", "--backing"])
def test_an_empty_word_is_a_variable_that_is_not_set(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It meant this directory, the newest run, or the default."""
    assert "it is empty: is a variable not set?" in said(capsys, Exit.USAGE, "run", option, "")


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_file_that_is_no_kernel_is_not_booted(
    more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """qemu would, and wait for it; --dry-run looks, too."""
    text = tmp_path / "README.md"
    text.write_text("words")
    output = tmp_path / "run"
    line = said(
        capsys, Exit.USAGE, "run", "--kernel", f"base={text}", "--output", str(output), *more
    )
    assert "is no kernel: wanted a bzImage" in line
    assert not output.exists()


def test_a_dry_run_knows_no_kernel_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a file nor built here."""
    assert "no kernel 'absent'" in said(
        capsys, Exit.USAGE, "run", "--dry-run", "--kernel", "absent"
    )


@pytest.mark.parametrize(
    "words", [("--timeouts", "1e9"), ("--attr-timeout", "1e9"), ("--entry-timeout", "2e9")]
)
def test_timeouts_have_one_limit(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The servers': every trial failed, after conformance."""
    assert said(capsys, Exit.USAGE, "run", "--dry-run", *words)
    source = (ROOT / "daemons/_native/server_options.c").read_text()
    limit = re.search(r"#define TIMEOUT_MAX\s+(\S+)", source)
    assert limit and float(limit[1]) == TIMEOUT_MAX_S


def test_a_directory_of_other_files_is_no_kernel_tree(tmp_path: Path) -> None:
    """Said before anything is hashed or waited for, whatever its files are called."""
    (tmp_path / os.fsdecode(b"odd\xff")).write_text("")
    with pytest.raises(UserError, match="kernel"):
        build("x", source=tmp_path)


def test_a_busy_backing_is_no_usage_error(tmp_path: Path) -> None:
    """The command line was right: nothing could be measured now."""
    with (tmp_path / backing.LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserError) as raised, backing.locked(tmp_path):
            pass
    assert raised.value.code == Exit.NOTHING


@pytest.mark.parametrize("action", ["build", "diff", "probe"])
def test_help_of_kernel_actions_has_examples(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each its own."""
    with pytest.raises(SystemExit):
        main(["kernel", action, "--help"])
    assert f"python -m bench kernel {action}" in capsys.readouterr().out
