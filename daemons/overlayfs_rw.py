"""A read-write overlayfs stack, written files going to a tmpfs."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions, Exemption
from daemons._command import kernel_command


def _argv(backing: Path, mountpoint: Path, _options: DaemonOptions) -> list[str]:
    return kernel_command("overlay-rw", backing, mountpoint)


DAEMON = Daemon(
    name="overlayfs-rw",
    summary="a read-write overlayfs stack, its upper layer on a tmpfs",
    argv=_argv,
    in_kernel=True,
    copies_up=True,
    # The layers are on two file systems.
    exempt=frozenset({Exemption.DIRECTORY_INO}),
)
