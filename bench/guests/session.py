"""A run in guests under way: its kernels, and what is known of its targets."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.guests.protocol import Purpose
from bench.kernels import images, vm
from bench.plan.settings import Settings
from bench.results.store import RunDirectory
from bench.run.phases import Phases
from bench.run.view import View

PASSED_ON = ("FUSE_BENCH_MIRROR",)
"""Environment variables that mean in a guest what they mean here; each names a server's file."""


@dataclass(frozen=True)
class Guest:
    """A kernel as the command line names it: ``[label=]image[,parameter...]``."""

    label: str
    image: images.Image
    parameters: tuple[str, ...] = ()
    accelerator: str = vm.TCG
    why: str = ""


class Stopped(Exception):
    """Raised in the thread of a boot that shall not go on: another failed, or the user gave up."""


@dataclass(frozen=True)
class Boot:
    """One boot to be made."""

    guest: Guest
    work: Purpose
    round: int = 0
    shard: int = 0

    @property
    def name(self) -> str:
        """What its folder is called."""
        if self.work is Purpose.CHECK:
            return f"check-{self.guest.label}"
        return f"{self.round:02}-{self.guest.label}" + (f"-{self.shard}" if self.shard else "")

    @property
    def key(self) -> list[object]:
        """How run.json names it among the boots that are done."""
        return [self.guest.label, self.round, self.shard]


class Elsewhere(Protocol):
    """Other machines that do boots of the instruction clock (bench.fleet)."""

    @property
    def boots_at_a_time(self) -> int:
        """How many they do together."""

    def boot(
        self, guest: Guest, job: Mapping[str, Any], share: Path, attend: Callable[[], None]
    ) -> str:
        """One boot, its events and logs written to ``share`` as they come; how it ended, in a line.

        ``attend`` is called meanwhile, and what it raises ends the boot.
        """


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
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while a boot's events are taken in: boots run side by side."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when no boot shall go on."""
    given_up: list[str] = field(default_factory=list)
    """Boots that brought nothing, and were not made again."""
    elsewhere: Elsewhere | None = None
    """Who boots, where it is not this machine."""
    conform: bool = False
    """Whether targets are compared though it is known how they answer."""

    def label_in_tables(self, guest: Guest) -> str:
        """Targets carry the kernel's label only where there are several."""
        return guest.label if len(self.guests) > 1 else ""
