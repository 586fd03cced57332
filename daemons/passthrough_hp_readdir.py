"""passthrough_hp with --readdirpassthrough, of a build that has it: posted, in no release.

What it claims is data alone. No such build was to be had here, so whether its listings stay in the
kernel is for the request counts to say."""

from __future__ import annotations

from pathlib import Path

from bench.model import Daemon, DaemonOptions, Level, ReaddirMode, TimeoutControl
from daemons._claims import claims
from daemons._libfuse import missing, passthrough_hp


def _argv(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    return passthrough_hp(backing, mountpoint, options, "--readdirpassthrough")


DAEMON = Daemon(
    name="passthrough_hp-readdir",
    summary="a passthrough_hp built with --readdirpassthrough",
    argv=_argv,
    levels=(Level.NONE, Level.RW),
    claims=claims,
    twin="passthrough_hp-nopassthrough",
    modes=(ReaddirMode.AUTO,),
    threaded=True,
    timeouts=TimeoutControl.ZERO,
    missing=lambda: missing(
        "passthrough_hp", "--readdirpassthrough", "build it with the readdir passthrough series"
    ),
    companions=("native", "plain-c", "passthrough_hp-nopassthrough"),
)
