"""A window as folded stacks: context and functions from the outermost on, and instructions.

The line format is the one flame graph tools read: frames parted by semicolons, a blank, a count. The
first frame is the context: whose instructions these are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from bench.profile.blocks import KERNEL, ProfiledWindow
from bench.profile.symbols import Names

Stack = tuple[str, ...]
Folded = Mapping[Stack, int]


class StackOwner(StrEnum):
    """Whose instructions: the first frame of every stack."""

    CLIENT = "client"
    SERVER = "server"
    INTERRUPT = "interrupt"
    IDLE = "idle"
    THREAD = "kernel thread"
    OTHER = "other process"


INTERRUPTS = (
    "asm_sysvec_",
    "sysvec_",
    "asm_common_interrupt",
    "common_interrupt",
    "handle_softirqs",
)
"""Functions whose presence on a stack makes it an interrupt's, by how they begin."""
SERVES = ("fuse_dev_read", "fuse_dev_do_read", "fuse_dev_splice_read", "fuse_uring_cmd")
"""Functions that only a FUSE server's system calls reach."""
IDLES = ("do_idle", "cpu_startup_entry", "start_secondary")
DRIVER = "opdriver:"
"""Frames of a client outside the op driver are the interpreter's: left out."""


def fold(window: ProfiledWindow, names: Names) -> dict[Stack, int]:
    """Name every call path and block of a window."""
    stacks = {path: window.stack(path) for path in {path for path, _, _ in window.cells}}
    kinds = tasks(window, stacks, names)
    folded: Counter[Stack] = Counter()
    for path, block, count in window.cells:
        task, sites = stacks[path]
        kind = kinds[task]
        frames = [names.name(kind, address) for address in (*sites, block)]
        folded[(context(kind, frames), *tidy(frames))] += count
    return dict(folded)


def tasks(
    window: ProfiledWindow, stacks: Mapping[int, tuple[int, list[int]]], names: Names
) -> dict[int, StackOwner]:
    """What each task is, told by what it did."""
    called: dict[int, set[str]] = {}
    user: set[int] = set()
    for path, block, _ in window.cells:
        task, sites = stacks[path]
        seen = called.setdefault(task, set())
        for address in (*sites, block):
            if address >= KERNEL:
                seen.add(names.name("", address))
            else:
                user.add(task)
    return {task: _kind(task, seen, task in user, window) for task, seen in called.items()}


def _kind(task: int, called: set[str], user: bool, window: ProfiledWindow) -> StackOwner:
    if task in window.clients:
        return StackOwner.CLIENT
    if called.intersection(SERVES):
        return StackOwner.SERVER
    if called.intersection(IDLES):
        return StackOwner.IDLE
    return StackOwner.OTHER if user else StackOwner.THREAD


def context(kind: StackOwner, frames: Iterable[str]) -> StackOwner:
    """An interrupt's instructions are nobody's, whatever it interrupted."""
    return StackOwner.INTERRUPT if any(name.startswith(INTERRUPTS) for name in frames) else kind


def tidy(frames: Iterable[str]) -> list[str]:
    """Calls within one library are one frame; what is outside the op driver is left out."""
    kept: list[str] = []
    for name in frames:
        if name.startswith("["):
            if kept and kept[-1] == name:
                continue
        elif name.startswith(DRIVER) and not any(old.startswith(DRIVER) for old in kept):
            kept.clear()
        kept.append(name)
    return kept


def flat(folded: Folded, key: Callable[[Stack], str] = lambda stack: stack[-1]) -> dict[str, int]:
    """Instructions by what ``key`` makes of a stack: by function, if nothing else is said."""
    sums: Counter[str] = Counter()
    for stack, count in folded.items():
        sums[key(stack)] += count
    return dict(sums)


def to_text(folded: Folded) -> str:
    """Folded lines, sorted, so that two runs can be compared by diff."""
    lines = sorted((";".join(stack), count) for stack, count in folded.items())
    return "".join(f"{stack} {count}\n" for stack, count in lines)


def from_text(text: str) -> dict[Stack, int]:
    """The inverse of to_text; raises ValueError."""
    folded: dict[Stack, int] = {}
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        folded[tuple(stack.split(";"))] = int(count)
    return folded
