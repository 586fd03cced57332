"""The mirror in C without any help from the kernel: the honest baseline."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions, Level, ReaddirMode
from daemons._command import c_command


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    # Whatever level was asked for: this is the baseline.
    return c_command("plain-c", backing, mountpoint, options, Level.NONE)


DAEMON = Daemon(
    name="plain-c",
    summary="a mirror in C (libfuse, low-level): every request goes to the server",
    argv=_argv,
    has_counters=True,
    modes=tuple(ReaddirMode),
    threaded=True,
)
