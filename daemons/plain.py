"""The mirror without any help from the kernel: every request reaches the server."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions, Level
from daemons._command import command


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    # Whatever level was asked for: this is the baseline.
    return command("plain", backing, mountpoint, options, Level.NONE)


DAEMON = Daemon(
    name="plain",
    summary="a mirror in Python (pyfuse3): every request goes to the server",
    argv=_argv,
    has_counters=True,
    python=True,
    modes_why="pyfuse3 registers only READDIRPLUS",
)
