"""Streams that are closed, full or a pipe nobody reads, and texts of strangers: one line, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.machine import mountinfo, plain, procfs
from bench.model import Exit
from bench.requests import counters

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable


def shell(command: str) -> tuple[int, str]:
    """A command of bash and what it wrote to the file descriptor 9."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; exec 9>&2; {command}"],
        cwd=ROOT,
        env={**os.environ, "PYTHON": PYTHON, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("$PYTHON -m bench list >&-", Exit.MEASURED, ""),
        ("$PYTHON -m bench list >/dev/full", Exit.NOTHING, "cannot write: No space"),
        ("$PYTHON -m bench list <&- >/dev/null 2>&-", Exit.MEASURED, ""),
        ("$PYTHON -m bench list --wrong 2>/dev/full", Exit.USAGE, ""),
        ("$PYTHON -m bench show none 2>&-", Exit.USAGE, ""),
        ("$PYTHON -u -m bench run --help | true", 141, ""),
    ],
)  # fmt: skip
def test_a_stream_that_is_closed_or_full(command: str, code: int, words: str) -> None:
    """No traceback, one line at most, and the exit code that is documented."""
    got, said = shell(command)
    assert "Traceback" not in said and "Exception ignored" not in said
    assert len(said.splitlines()) <= 1
    assert words in said
    if not command.endswith("| true"):  # a pipe may take it all before it is closed
        assert got == code, said


def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    """The path of a run may be any bytes."""
    folder = os.fsencode(tmp_path) + b"/\xff\x1b[31m"
    os.mkdir(folder)  # noqa: PTH102 (bytes)
    done = subprocess.run(
        [PYTHON, "-m", "bench", "show", folder], cwd=ROOT, capture_output=True, timeout=120
    )
    assert done.returncode == Exit.USAGE, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr


def test_nothing_in_a_text_commands_a_terminal() -> None:
    """Neither escapes of 7 or 8 bits, nor what turns the direction round, nor a line of its own."""
    assert plain.text("a\x1b[2Jb\x9bc\u202ed\ue000\udcffe\u2028\rf") == "a?[2Jb?c?d??e??f"
    assert plain.text("caf\u00e9 \u20ac\n\t") == "caf\u00e9 \u20ac\n\t"
    stranger = {"\x1b]0;title\x07": ["a\nb", 1.5, None]}
    assert plain.loads(json.dumps(stranger)) == {"?]0;title?": ["a b", 1.5, None]}
    assert plain.loads(json.dumps(stranger).encode()) == {"?]0;title?": ["a b", 1.5, None]}


@pytest.mark.parametrize("odd", ["\r", "\x1c", "\x85", "\u2028", "\x0c", "\udcff"])
def test_a_mount_may_be_called_anything(odd: str) -> None:
    """A line of the mount table ends at a newline and nowhere else."""
    line = f"36 35 0:30 / /mnt/a{odd}37 1 0:31 / /evil rw - tmpfs x rw rw - fuse.x src rw"
    entries = list(mountinfo.parse(line + "\n"))
    assert len(entries) <= 1
    line = f"36 35 0:30 / /mnt/a{odd}b rw - fuse.x src rw"
    (entry,) = mountinfo.parse(line + "\n")
    assert str(entry.mountpoint) == f"/mnt/a{odd}b"


def test_a_process_may_be_called_anything(tmp_path: Path) -> None:
    """Bytes that are no text, and a carriage return, which is no end of a line."""
    (tmp_path / "status").write_bytes(b"Name:\t\xff\rVmRSS: 9 kB\nVmRSS:\t5 kB\n")
    found = procfs.lines(procfs.text(tmp_path, "status"))
    assert [line for line in found if line.startswith("VmRSS")] == ["VmRSS:\t5 kB"]


def test_a_counters_file_may_hold_anything() -> None:
    """A name that is no text is shown as such."""
    page = counters._HEADER.pack(b"FPBC", counters.VERSION, 1, 1, 0, 0) + bytes(24)
    page += counters._FIELD.pack(b"\xff", 7)
    assert counters.parse(page).extra == {"\ufffd": 7}


def alone(code: str) -> subprocess.CompletedProcess[str]:
    """A Python process of its own that does this."""
    return subprocess.run(
        [PYTHON, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_told_to_end_when_all_is_done_changes_nothing() -> None:
    """A second Ctrl-C may come while Python takes itself down: the exit code has been chosen by then."""
    done = alone(
        "import signal, sys; from bench.commands.main import console; sys.argv = ['bench', 'list']; "
        "code = console(); print([signal.getsignal(n).name for n in (2, 15, 1)], file=sys.stderr); "
        "sys.exit(code)"
    )
    assert (done.returncode, done.stderr) == (Exit.MEASURED, "['SIG_IGN', 'SIG_IGN', 'SIG_IGN']\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_told_to_end_before_a_command_has_begun(name: str) -> None:
    """While its options are read: one line, and the exit code of Ctrl-C."""
    done = alone(
        "import os, signal, sys; from bench.commands import main\n"
        f"main.parser = lambda wanted: os.kill(os.getpid(), signal.{name})\n"
        "sys.exit(main.console())"
    )
    assert (done.returncode, done.stderr) == (Exit.INTERRUPTED, "bench: interrupted\n")
