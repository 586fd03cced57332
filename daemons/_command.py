"""The command lines behind our daemons; imports nothing heavy."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.model import Attach, DaemonOptions, Level, XattrWay

MIRROR = Path(os.environ.get("FUSE_BENCH_MIRROR") or Path(__file__).parent / "_native" / "mirror")
"""The C mirror, an executable that setup.py builds; `make sanitize` puts another build here."""


def command(
    name: str, backing: Path, mountpoint: Path, options: DaemonOptions, level: Level
) -> list[str]:
    """argv of the Python server called ``name`` at ``level``."""
    server = [sys.executable, "-m", "daemons._serve"]
    return _arguments(server, name, backing, mountpoint, options, level)


def c_command(
    name: str, backing: Path, mountpoint: Path, options: DaemonOptions, level: Level
) -> list[str]:
    """argv of the C server called ``name`` at ``level``; it takes the same options and more.

    READDIRPLUS unless told otherwise, as pyfuse3 has it: so that the two differ in language and
    threads, and in nothing they are asked for.
    """
    serving = options.serving
    server = [str(MIRROR), "--readdir-mode", serving.mode.value]
    server += ["--threads", str(serving.threads)] if serving.threads else []
    server += ["--clone-fd"] if serving.clone_fd else []
    return _arguments(server, name, backing, mountpoint, options, level)


def kernel_command(kind: str, backing: Path, mountpoint: Path) -> list[str]:
    """argv of the process that holds a mount without a server (daemons/_kernel_mount.py)."""
    # Neither site nor the environment's paths: it needs nothing of them, and starts sooner.
    holder = Path(__file__).parent / "_kernel_mount.py"
    return [sys.executable, "-I", "-S", str(holder), kind, str(backing), str(mountpoint)]


def _arguments(
    server: list[str],
    name: str,
    backing: Path,
    mountpoint: Path,
    options: DaemonOptions,
    level: Level,
) -> list[str]:
    argv = [*server, "--name", name, "--level", level.value]
    argv += ["--attr-timeout", repr(options.attr_timeout)]
    argv += ["--entry-timeout", repr(options.entry_timeout)]
    if not options.readdir:
        argv.append("--no-readdir")
    if options.serving.xattr is not XattrWay.ANSWER:
        argv += ["--xattr", options.serving.xattr.value]
    if options.serving.attach is not Attach.ALL:
        argv += ["--attach", options.serving.attach.value]
    if options.counters is not None:
        argv += ["--counters", str(options.counters)]
    for opcode, delay_ns in options.serving.delay:
        argv += ["--delay", f"{opcode.name}={delay_ns}"]
    return [*argv, "--", str(backing), str(mountpoint)]
