"""The mirror of `plain` with the shim told to ask for passthrough: same code, one switch."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions
from daemons._claims import LEVELS, claims
from daemons._command import command


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    return command("passthrough", backing, mountpoint, options, options.level)


DAEMON = Daemon(
    name="passthrough",
    summary="the same mirror, registering backing files with the kernel",
    argv=_argv,
    levels=LEVELS,
    claims=claims,
    twin="plain",
    has_counters=True,
    python=True,
    modes_why="pyfuse3 registers only READDIRPLUS",
    companions=("native", "overlayfs", "plain-c", "passthrough-c", "plain"),
)
