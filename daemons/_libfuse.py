"""The command lines of libfuse's example servers, passthrough_ll and passthrough_hp.

No package installs them: they are looked for in the folder that FUSE_BENCH_LIBFUSE_EXAMPLES names
(``--libfuse-examples DIR`` sets it), then on PATH. What a build knows is read from its ``--help``,
as both have learnt options over the years (passthrough itself with libfuse 3.17).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from bench.model import LIBFUSE_EXAMPLES, DaemonOptions, Level, TimeoutControl

ENABLE_URING = Path("/sys/module/fuse/parameters/enable_uring")


def program(name: str) -> str | None:
    """Where an example is; None where it is not."""
    folder = os.environ.get(LIBFUSE_EXAMPLES)
    return (shutil.which(name, path=folder) if folder else None) or shutil.which(name)


def missing(name: str, option: str = "", without: str = "") -> str:
    """Why an example cannot be started; empty when it can.

    ``option`` is one its build has to know, ``without`` what to do about a build that does not.
    """
    found = program(name)
    if found is None:
        return "not found: build libfuse's example, give --libfuse-examples DIR"
    if option and option not in usage(found):
        return f"this build of {name} knows no {option}: {without}"
    return ""


def missing_uring() -> str:
    """Why there is no FUSE over io_uring; empty where the kernel offers it."""
    try:
        state = ENABLE_URING.read_text().strip()
    except OSError:
        return "no FUSE over io_uring in this kernel (CONFIG_FUSE_IO_URING, Linux 6.14)"
    return "" if state == "Y" else f"enable_uring is {state}: echo 1 > {ENABLE_URING}"


@cache
def usage(path: str) -> str:
    """What a program says to ``--help``."""
    try:
        done = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def passthrough_ll(backing: Path, mountpoint: Path, options: DaemonOptions) -> list[str]:
    """argv of passthrough_ll. One setting serves for both timeouts; where they differ, its own."""
    chosen = ["default_permissions", f"source={backing}"]
    attr, entry = options.attr_timeout, options.entry_timeout
    if TimeoutControl.ONE.holds(attr, entry):
        chosen.append(f"timeout={attr:g}")
    serving = options.serving
    chosen += [f"max_threads={serving.threads}"] if serving.threads else []
    chosen += ["clone_fd"] if serving.clone_fd else []
    server = [program("passthrough_ll") or "passthrough_ll", "-f"]
    server += ["-s"] if serving.threads == 1 else []
    return [*server, "-o", ",".join(chosen), str(mountpoint)]


def passthrough_hp(
    backing: Path, mountpoint: Path, options: DaemonOptions, *extra: str
) -> list[str]:
    """argv of passthrough_hp and further options; below level rw without its passthrough.

    It caches nothing (--nocache) or for a day (passthrough_hp.cc, fs.timeout).
    """
    found = program("passthrough_hp") or "passthrough_hp"
    argv = [found, "--foreground"]
    if TimeoutControl.ZERO.holds(options.attr_timeout, options.entry_timeout):
        argv.append("--nocache")
    if options.level.rank < Level.RW.rank and "--nopassthrough" in usage(found):
        argv.append("--nopassthrough")
    serving = options.serving
    if serving.threads:
        argv += ["--single"] if serving.threads == 1 else [f"--num-threads={serving.threads}"]
    argv += ["--clone-fd"] if serving.clone_fd else []
    return [*argv, *extra, str(backing), str(mountpoint)]
