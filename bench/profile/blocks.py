"""What the plugin wrote of one window: call paths, instructions by path and block, who ran the ops.

A file is there whole or not at all; its last line says so. See bench/profile/_native/plugin.c.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CLIENT = 0xFFFFFFFFFFFFFFF0
"""MARK_CLIENT of workloads/_native/mark.h: the path under which tasks that ran ops are noted."""
KERNEL = 1 << 63
"""Addresses from here on are the kernel's."""


class Unreadable(Exception):
    """A window that is not there, or not whole; the message is one line."""


@dataclass
class ProfiledWindow:
    """One profiled window, addresses still unnamed."""

    callers: list[int] = field(default_factory=lambda: [0])
    """By path: the path it is called from; path 0 is the root of all."""
    sites: list[int] = field(default_factory=lambda: [0])
    """By path: the address of the call; of a path below the root, the task's name."""
    cells: list[tuple[int, int, int]] = field(default_factory=list)
    """(path, address of a block, instructions)."""
    runs: Counter[int] = field(default_factory=Counter)
    """How often the block at an address was run."""
    clients: set[int] = field(default_factory=set)
    """Names of the tasks that ran the ops."""

    @property
    def instructions(self) -> int:
        """All that was executed."""
        return sum(count for _, _, count in self.cells)

    def stack(self, path: int) -> tuple[int, list[int]]:
        """(task, addresses of the calls from the outermost on) of a path."""
        sites: list[int] = []
        while self.callers[path]:
            sites.append(self.sites[path])
            path = self.callers[path]
        return self.sites[path], sites[::-1]


def path_of(folder: Path, number: int) -> Path:
    """Where the plugin puts a window's file."""
    return folder / f"{number}.blocks"


def read(path: Path) -> ProfiledWindow:
    """A window's file; raises Unreadable."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise Unreadable("the emulator wrote none: is its disk full?") from None
    if not lines or not lines[-1].startswith("end "):
        raise Unreadable(f"{path.name} ends in the middle")
    if lines[-1] != "end whole":
        raise Unreadable("more call paths than there is room for")
    try:
        return _window(line.split() for line in lines[:-1])
    except (ValueError, IndexError):
        raise Unreadable(f"{path.name} is not a window's file") from None


def _window(lines: Iterator[list[str]]) -> ProfiledWindow:
    window = ProfiledWindow()
    noted = None
    for kind, *words in lines:
        if kind == "path":
            caller, site = int(words[0]), int(words[1], 16)
            if not 0 <= caller < len(window.callers):
                raise ValueError(caller)
            if (caller, site) == (0, CLIENT):
                noted = len(window.callers)
            window.callers.append(caller)
            window.sites.append(site)
        elif kind == "cell":
            cell = int(words[0]), int(words[1], 16), int(words[2])
            if not 0 <= cell[0] < len(window.callers):
                raise ValueError(cell[0])
            if cell[0] == noted:
                window.clients.add(cell[1])
            else:
                window.cells.append(cell)
                window.runs[cell[1]] += int(words[3])
        else:
            raise ValueError(kind)
    return window
