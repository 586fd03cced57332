"""The command line that serves a mount with daemons/_serve.py; imports nothing heavy."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.model import DaemonOptions, Level


def command(
    name: str, backing: Path, mountpoint: Path, options: DaemonOptions, level: Level
) -> list[str]:
    """argv of a server called ``name`` at ``level``."""
    argv = [sys.executable, "-m", "daemons._serve", "--name", name, "--level", level.value]
    argv += ["--attr-timeout", repr(options.attr_timeout)]
    argv += ["--entry-timeout", repr(options.entry_timeout)]
    if not options.readdir:
        argv.append("--no-readdir")
    if options.counters is not None:
        argv += ["--counters", str(options.counters)]
    return [*argv, "--", str(backing), str(mountpoint)]
