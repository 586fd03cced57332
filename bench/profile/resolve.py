"""On the host: what a guest tells of a profiled window and what the emulator wrote, made one profile."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.profile import blocks, fold, inside, store, symbols
from bench.profile.symbols import NoSymbols

MOST_APART = 0.001
"""The sum of a profile and the instruction clock's figure for the same window agree this well."""
COUNTED = {
    "system_calls": ("entry_SYSCALL_64",),
    "switches": ("__switch_to_asm",),
    "page_faults": ("asm_exc_page_fault",),
    "interrupts": ("asm_sysvec_apic_timer_interrupt", "asm_common_interrupt"),
}
"""What a window had how often: entries of these functions."""


class BootSymbols:
    """One boot's windows and the symbols of its kernel."""

    def __init__(self, share: Path) -> None:
        self.share = share
        self.since = time.time()
        self._kernel: symbols.Functions | None = None

    @property
    def kernel(self) -> symbols.Functions:
        """The kernel's functions, read once; raises NoSymbols."""
        if self._kernel is None:
            try:
                text = (self.share / inside.KALLSYMS).read_text()
            except (OSError, UnicodeDecodeError):
                raise NoSymbols("the kernel has no /proc/kallsyms (CONFIG_KALLSYMS)") from None
            self._kernel = symbols.kallsyms(text)
        return self._kernel

    def keep(self, told: Mapping[str, Any], run: Path, name: str) -> dict[str, Any]:
        """Write the profile of a window that a trial tells of; what its record shall say.

        What goes wrong is one line under "error": the trial's figures are as good without.
        """
        try:
            return self._keep(told, run, name)
        except (NoSymbols, blocks.Unreadable) as error:
            return failed(str(error))
        except OSError as error:
            return failed(f"cannot be written: {error.strerror or error}")

    def _keep(self, told: Mapping[str, Any], run: Path, name: str) -> dict[str, Any]:
        path = blocks.path_of(self.share / inside.BLOCKS, told["number"])
        window = blocks.read(path)
        processes = {
            context: symbols.Process.from_maps(text, self.since)
            for context, text in told["maps"].items()
        }
        names = symbols.Names(self.kernel, processes)
        profile = store.Profile(fold.fold(window, names), told["ops"])
        apart = abs(profile.instructions / told["clock"] - 1)
        if apart > MOST_APART:
            return failed(
                f"its {profile.instructions} instructions are {100 * apart:.2f} % apart from the "
                f"clock's {told['clock']:.0f}"
            )
        kept = store.write(run, name, profile, told["clock"])
        path.unlink()
        return kept | {"counts": counts(window, self.kernel)}


def counts(window: blocks.ProfiledWindow, kernel: symbols.Functions) -> dict[str, int]:
    """How often a window entered what COUNTED names."""
    starts = dict(zip(kernel.names, kernel.addresses, strict=True))
    return {
        what: sum(window.runs[starts[name]] for name in names if name in starts)
        for what, names in COUNTED.items()
    }


def failed(why: str) -> dict[str, Any]:
    """The record of a profile that could not be had."""
    return {"error": why}
