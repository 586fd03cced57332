"""The keeper: it outlives what a command leaves behind, ends as that did, and takes all along."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.mounts import server_pid
from bench.mounts.mount import KEEPER

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20.0


def command(script: str) -> list[str]:
    """A keeper of a shell script."""
    return [sys.executable, "-I", "-S", str(KEEPER), "sh", "-c", script]


def keeper(script: str) -> subprocess.Popen[str]:
    """A keeper under way; a line on its stdin is for what the script started to read."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command(script), text=True, stdin=pipe, stdout=pipe, stderr=pipe)


def daemon(last: str) -> str:
    """A script that forks twice, into a session of its own, and exits with 0; the daemon tells its
    pid and does ``last``."""
    return f"exec 3<&0; (setsid sh -c 'echo $$; {last}' <&3 &); exit 0"


def ends(pid: int) -> bool:
    """Whether a process that is no child of ours ends in time."""
    try:
        death = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([death], [], [], DEADLINE_S)[0])
    finally:
        os.close(death)


@pytest.mark.parametrize("status", [0, 5])
def test_it_ends_as_the_command_did(status: int) -> None:
    """An exit status is passed on."""
    process = keeper(f"exit {status}")
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == status


def test_a_killed_command_is_told_from_one_that_exited() -> None:
    """The keeper dies by the same signal."""
    process = keeper("kill -9 $$")
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -signal.SIGKILL


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    """In one line, on stderr."""
    argv = [sys.executable, "-I", "-S", str(KEEPER), str(tmp_path / "none")]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 127
    assert done.stderr == f"{tmp_path / 'none'}: No such file or directory\n"


def test_it_stays_as_long_as_what_went_into_the_background() -> None:
    """The command has exited with 0; the daemon's status, later, is the keeper's."""
    process = keeper(daemon("read -r x; exit 6"))
    assert process.stdout is not None
    assert int(process.stdout.readline()) != process.pid
    assert process.poll() is None
    process.communicate("go on\n", timeout=DEADLINE_S)
    assert process.returncode == 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_it_leaves_nothing(number: signal.Signals) -> None:
    """Not even a daemon that left its session."""
    process = keeper(daemon("exec sleep 600"))
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.send_signal(number)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert ends(pid)


def test_it_does_not_outlive_its_parent() -> None:
    """SIGKILL of the process that started it: the kernel tells the keeper, which takes all along."""
    script = (
        "import sys, time; from bench.machine import isolate\n"
        "isolate.start(sys.argv[1:], cpus=(), stdout=1, stderr=2); time.sleep(600)"
    )
    argv = [sys.executable, "-c", script, *command(daemon("exec sleep 600"))]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    assert ends(pid)
    parent.communicate(timeout=DEADLINE_S)


def test_all_below_a_keeper_can_be_killed() -> None:
    """As Mount does where a trial has gone wrong; the keeper then ends by itself."""
    process = keeper(daemon("trap : TERM INT; sleep 600 & sleep 600"))
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert pid in server_pid.tree(process.pid)
    server_pid.kill_below(process.pid)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -signal.SIGKILL
    assert ends(pid)
