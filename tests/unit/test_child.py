"""A function in a child: its answer or its error comes back, and one that hangs is given up."""

from __future__ import annotations

import errno
import os
import signal
import time

import pytest

from bench.machine import child, stacks
from bench.model import Exit, UserError


def soon() -> child.Deadline:
    return child.Deadline(20.0, "it")


def test_an_answer_comes_back() -> None:
    """However long it is."""
    assert child.ask(lambda: "x" * 1_000_000, soon()) == "x" * 1_000_000


def test_an_error_comes_back_as_it_was() -> None:
    """With errno, or with its exit code."""

    def fail() -> None:
        raise OSError(errno.ENOTCONN, "gone", "name")

    def refuse() -> None:
        raise UserError("no", Exit.NOTHING)

    with pytest.raises(OSError, match="gone") as caught:
        child.ask(fail, soon())
    assert caught.value.errno == errno.ENOTCONN
    with pytest.raises(UserError) as refused:
        child.ask(refuse, soon())
    assert refused.value.code == Exit.NOTHING


def test_a_child_that_dies_says_so() -> None:
    """The error says how the child died, not what it would have answered."""
    with pytest.raises(ChildProcessError):
        child.ask(lambda: os.kill(os.getpid(), signal.SIGKILL), soon())


def test_a_child_that_hangs_is_ended_at_its_deadline() -> None:
    """The child is gone when the error is told."""
    read, write = os.pipe()

    def hang() -> None:
        os.write(write, str(os.getpid()).encode())
        os.kill(os.getpid(), signal.SIGSTOP)

    with pytest.raises(TimeoutError, match="it did not end within 0 s"):
        child.ask(hang, child.Deadline(0.2, "it"))
    assert stacks.state(int(os.read(read, 20))) == ""
    os.close(read)
    os.close(write)


def test_progress_stands_still_with_a_process() -> None:
    """What is stopped gets nowhere, what runs does."""
    pid = os.fork()
    if pid == 0:
        while True:
            time.sleep(0.001)
    try:
        before = stacks.progress([pid])
        while stacks.progress([pid]) == before:
            time.sleep(0.001)
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        still = stacks.progress([pid])
        time.sleep(0.05)
        assert stacks.progress([pid]) == still
        assert "state T" in stacks.describe("client", [pid])
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
