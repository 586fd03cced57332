"""A window of its own for the profile, inside the guest: announced, run, written down by the emulator.

Loaded where windows are run: nothing here imports more than it needs.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.model import Window

KALLSYMS = "kallsyms"
BLOCKS = "blocks"
"""In a boot's folder: the kernel's symbols, and the folder the plugin writes windows to."""


def number_of(series: str, attempt: int, phase: str = "") -> int:
    """A window's number: told to the emulator, 32 bits, the same in every boot."""
    return zlib.crc32(f"{series}/{attempt}/{phase}".encode())


def keep_symbols(share: Path) -> None:
    """The kernel's symbols, for who reads the windows; a kernel without them leaves no file."""
    with contextlib.suppress(OSError):
        text = Path("/proc/kallsyms").read_text()
        lines = [line for line in text.splitlines(True) if line[17:18] in "tTwW"]
        (share / KALLSYMS).write_text("".join(lines))


def executable(pid: int | str) -> str:
    """The executable lines of /proc/PID/maps; "" when the process has gone."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines(True)
    except OSError:
        return ""
    return "".join(line for line in lines if "x" in line.split(" ", 2)[1])


def window(run: Callable[[], Window], number: int, unit_ns: float) -> dict[str, Any]:
    """Run a window under the emulator's eye; what the host needs to read what it wrote."""
    from workloads._native import marks

    marks.announce(number)
    taken = run()
    marks.write()
    return {
        "number": number,
        "ops": taken.ops,
        "clock": taken.ns / unit_ns,
        "maps": {"client": executable("self")},
    }
