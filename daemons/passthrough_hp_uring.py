"""passthrough_hp with -o io_uring: requests go through rings instead of read and write."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions, Level, ReaddirMode, TimeoutControl
from daemons._claims import claims
from daemons._libfuse import missing, missing_uring, passthrough_hp


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    return passthrough_hp(backing, mountpoint, options, "-o", "io_uring")


DAEMON = Daemon(
    name="passthrough_hp-uring",
    summary="passthrough_hp with its requests over io_uring",
    argv=_argv,
    levels=(Level.NONE, Level.RW),
    claims=claims,
    twin="passthrough_hp-nopassthrough",
    modes=(ReaddirMode.AUTO,),
    threaded=True,
    timeouts=TimeoutControl.ZERO,
    missing=lambda: missing_uring() or missing("passthrough_hp", "io_uring", "take libfuse 3.18"),
    companions=("native", "plain-c", "passthrough_hp-nopassthrough"),
)
