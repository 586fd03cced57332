"""fuse-overlayfs: the backing as its only layer, read-only, as Debian packages it."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions, Exemption, ReaddirMode, TimeoutControl
from daemons._programs import not_installed


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    chosen = [f"lowerdir={backing}"]
    if TimeoutControl.ONE.holds(options.attr_timeout, options.entry_timeout):
        chosen.append(f"timeout={options.attr_timeout:g}")
    return ["fuse-overlayfs", "-f", "-o", ",".join(chosen), str(mountpoint)]


DAEMON = Daemon(
    name="fuse-overlayfs",
    summary="fuse-overlayfs: the backing as a read-only layer",
    argv=_argv,
    modes=(ReaddirMode.AUTO,),
    timeouts=TimeoutControl.ONE,
    read_only=True,
    exempt=frozenset({Exemption.DIRECTORY_ATIME}),
    missing=lambda: not_installed("fuse-overlayfs", "fuse-overlayfs"),
    companions=("native", "plain-c"),
)
