"""Which processes a run has left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from bench.machine import isolate
from bench.run import cleanup


@pytest.fixture
def idler(request: pytest.FixtureRequest) -> Iterator[int]:
    """A process that carries the marker it is parametrised with."""
    environment = {**os.environ, isolate.MARKER: request.param()}
    process = subprocess.Popen(["sleep", "60"], env=environment)
    yield process.pid
    process.kill()
    process.wait()


def of_the_dead() -> str:
    """The identity of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        return isolate.identity(process.pid)


def of_another_with_its_number() -> str:
    """An identity with this process's number, but not its start."""
    return f"{os.getpid()}.1"


def of_this() -> str:
    """The identity of this process, which is no ``bench``."""
    return isolate.identity(os.getpid())


@pytest.mark.parametrize("idler", [of_the_dead, of_another_with_its_number], indirect=True)
def test_what_a_runner_that_is_gone_has_started_is_left_over(idler: int) -> None:
    """Also when another process has its number by now."""
    assert (idler, "sleep") in cleanup.orphans()


@pytest.mark.parametrize("idler", [of_this], indirect=True)
def test_what_belongs_to_a_living_runner_is_not(idler: int) -> None:
    """Whatever the runner is called."""
    assert idler not in [pid for pid, _name in cleanup.orphans()]
