"""A client hears of its server's death first: the trial names the death, not what the client met."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from bench import registry
from bench.model import DaemonOptions
from bench.mounts.mount import Mount, TrialError


class Dying:
    """A server that is seen to have died at the third look."""

    pid = 1

    def __init__(self) -> None:
        self.looks = 0

    def poll(self) -> int | None:
        """Killed, in the end."""
        self.looks += 1
        return -9 if self.looks >= 3 else None


def mount(folder: Path) -> tuple[Mount, Dying]:
    """A mount of such a server."""
    made, server = Mount(registry.daemon("plain-c"), folder, folder, DaemonOptions()), Dying()
    process: Any = server
    made.process = process
    return made, server


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.ECONNABORTED])
def test_a_lost_connection_waits_for_the_death(tmp_path: Path, number: int) -> None:
    """The death is what the trial says."""
    made, _ = mount(tmp_path)
    with pytest.raises(TrialError, match="plain-c was killed by SIGKILL during the trial"):
        made.check_alive(after=number)


@pytest.mark.parametrize("number", [errno.ENOENT, None])
def test_nothing_else_is_waited_for(tmp_path: Path, number: int | None) -> None:
    """One look, and the client's own words stand."""
    made, server = mount(tmp_path)
    made.check_alive(after=number)
    assert server.looks == 1
