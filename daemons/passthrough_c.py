"""The C mirror of `plain-c` with the shim told to ask for passthrough: same code, one switch."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions, ReaddirMode
from daemons._claims import LEVELS, claims
from daemons._command import c_command


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    return c_command("passthrough-c", backing, mountpoint, options, options.level)


DAEMON = Daemon(
    name="passthrough-c",
    summary="the C mirror, registering backing files with the kernel",
    argv=_argv,
    levels=LEVELS,
    claims=claims,
    twin="plain-c",
    has_counters=True,
    modes=tuple(ReaddirMode),
    threaded=True,
    companions=("native", "overlayfs", "plain-c"),
)
