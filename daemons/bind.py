"""A bind mount: the backing itself once more, what crossing a mount point costs."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions
from daemons._command import kernel_command


def _argv(backing: Path, mountpoint: Path, _options: DaemonOptions) -> list[str]:
    return kernel_command("bind", backing, mountpoint)


DAEMON = Daemon(
    name="bind",
    summary="a bind mount of the backing: what crossing a mount point costs",
    argv=_argv,
    in_kernel=True,
)
