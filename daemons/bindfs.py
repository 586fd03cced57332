"""bindfs: a mirror on libfuse's high-level API, as Debian packages it."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions, ReaddirMode
from daemons._programs import not_installed


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    timeouts = f"attr_timeout={options.attr_timeout:g},entry_timeout={options.entry_timeout:g}"
    return ["bindfs", "-f", "-o", timeouts, str(backing), str(mountpoint)]


DAEMON = Daemon(
    name="bindfs",
    summary="bindfs: a mirror on libfuse's high-level API, single-threaded",
    argv=_argv,
    modes=(ReaddirMode.READDIR,),
    missing=lambda: not_installed("bindfs", "bindfs"),
    companions=("native", "plain-c"),
)
