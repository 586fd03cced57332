"""A read-only overlayfs stack: directory operations passed through in the kernel, the ceiling."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions
from daemons._command import kernel_command


def _argv(backing: Path, mountpoint: Path, _options: DaemonOptions) -> list[str]:
    return kernel_command("overlay", backing, mountpoint)


DAEMON = Daemon(
    name="overlayfs",
    summary="a read-only overlayfs stack: the ceiling an in-kernel passthrough can hope for",
    argv=_argv,
    in_kernel=True,
    read_only=True,
)
