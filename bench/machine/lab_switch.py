"""The switch of the lab kernel: which variant of passthrough it plays for mounts made from now on."""

from __future__ import annotations

from pathlib import Path

from bench.model import Level

SWITCH = Path("/sys/module/fuse/parameters/iops")
"""Patch 0005 of kernel/patches; no other kernel has it."""
SETTINGS = ("iops_refresh", "iops_perm", "iops_reval", "iops_xattr", "readdir_buffer")
"""How the lab kernel goes about what it passes through, and how much a listing asks for."""

MAINLINE = "mainline"
COMMAND_LINE = Path("/proc/cmdline")
_PARAMETER = "fuse.iops="


def variant() -> str:
    """What the lab kernel plays now; empty on any other kernel."""
    try:
        return SWITCH.read_text().strip()
    except OSError:
        return ""


def settings() -> dict[str, str]:
    """The lab kernel's other parameters and their values; empty on any other kernel."""
    found = {name: SWITCH.with_name(name) for name in SETTINGS}
    return {name: path.read_text().strip() for name, path in found.items() if path.exists()}


def restore(before: str) -> None:
    """Switch back to what ``variant`` told earlier."""
    if before:
        SWITCH.write_text(before)


def ceiling() -> Level:
    """The highest level it may be switched to: what its command line names, else any.

    A kernel booted with ``fuse.iops=mainline`` stands for an unpatched one, and stays one.
    """
    words = [w for w in COMMAND_LINE.read_text().split() if w.startswith(_PARAMETER)]
    if not words:
        return Level.LOOKUP
    named = words[-1].removeprefix(_PARAMETER)
    return Level(named) if named in list(Level) else Level.RW


def select(level: Level) -> None:
    """Have the next mount see a kernel of this level; does nothing on any other kernel.

    Never above ``ceiling()``; below attach-getattr that is mainline, so that a plain server never
    meets the patches.
    """
    if variant():
        chosen = min(level, ceiling(), key=lambda level: level.rank)
        SWITCH.write_text(chosen.value if chosen.rank >= Level.ATTACH_GETATTR.rank else MAINLINE)
