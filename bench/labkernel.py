"""The switch of the lab kernel: which variant of passthrough it plays for mounts made from now on."""

from __future__ import annotations

from pathlib import Path

from bench.model import Level

SWITCH = Path("/sys/module/fuse/parameters/iops")
"""Patch 0003 of kernel/patches; no other kernel has it."""

MAINLINE = "mainline"


def variant() -> str:
    """What the lab kernel plays now; empty on any other kernel."""
    try:
        return SWITCH.read_text().strip()
    except OSError:
        return ""


def restore(before: str) -> None:
    """Switch back to what ``variant`` told earlier."""
    if before:
        SWITCH.write_text(before)


def select(level: Level) -> None:
    """Have the next mount see a kernel of this level; does nothing on any other kernel.

    Below attach-getattr that is mainline, so that a plain server never meets the patches.
    """
    if variant():
        SWITCH.write_text(level.value if level.rank >= Level.ATTACH_GETATTR.rank else MAINLINE)
