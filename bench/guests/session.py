"""A run in guests under way: its kernels, and what is known of its targets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bench.kernels import images, vm
from bench.plan.settings import Settings
from bench.results.store import RunDirectory
from bench.run.phases import Phases
from bench.run.view import View


@dataclass(frozen=True)
class Guest:
    """A kernel as the command line names it: ``[label=]image[,parameter...]``."""

    label: str
    image: images.Image
    parameters: tuple[str, ...] = ()
    accelerator: str = vm.TCG
    why: str = ""


@dataclass
class GuestRun:
    """A run under way: where it is written, what is known of its targets."""

    settings: Settings
    directory: RunDirectory
    view: View
    guests: list[Guest]
    timer: Phases = field(default_factory=Phases)
    broken: dict[str, dict[str, str]] = field(default_factory=dict)
    """By kernel: targets whose answers differ from the backing, and how."""
    greeted: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    """Warnings said once: every boot of a kernel has the same."""
    counts: Counter[str] = field(default_factory=Counter)

    def label_in_tables(self, guest: Guest) -> str:
        """Targets carry the kernel's label only where there are several."""
        return guest.label if len(self.guests) > 1 else ""
