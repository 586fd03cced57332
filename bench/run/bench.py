"""What all trials of a run share: where things are, and who runs where."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.machine import isolate, placement
from bench.mounts.backing import Backing
from bench.mounts.mount import spawn
from bench.plan.settings import Settings
from bench.probe.decide import KernelAbility
from bench.run.job import Job

LOOK_EVERY_S = 0.25
QUIET_S = 60.0
"""Longer than a worker runs windows for; idle time passes at once on the instruction clock."""


@dataclass
class Bench:
    """What all trials of a run share: where things are, and who runs where."""

    settings: Settings
    backing: Path
    tree: Mapping[str, int | str]
    paths: Callable[[int, int], list[str]]
    """(count, seed) -> that many paths of files of the tree, for spot checks."""
    logs: Path
    cpus: placement.Cpus
    """Who runs where, with one client thread."""
    ability: KernelAbility
    """What the kernel was found to pass through."""
    filled: Backing
    """The backing and what it lies on."""
    latency: str
    """What became of /dev/cpu_dma_latency, in words."""
    start_worker: Callable[[Job, Collection[int], IO[bytes]], isolate.Child]
    start_daemon: Callable[[list[str], Collection[int], IO[bytes]], isolate.Child] = spawn
    settle: Callable[[], None] = lambda: None
    """Called after every unmount, before the next mount."""
    tick: Callable[[], None] = lambda: None
    warm_backing: Callable[[], None] = lambda: None
    tuned: list[dict[str, Any]] = field(default_factory=list)
    """What was changed of the machine for the run (bench.machine.tune)."""
    crowds: Mapping[int, placement.Cpus] = field(default_factory=dict)
    """Who runs where with more client threads, by their number."""
    patience: float = 1.0
    """Factor on every timeout. Infinite where this clock says nothing of waiting: see bench.guests.inside."""

    def cpus_for(self, threads: int) -> placement.Cpus:
        """Who runs where with so many client threads."""
        return self.crowds.get(threads, self.cpus)

    @property
    def look_every_s(self) -> float:
        """How often the runner wakes while a worker runs windows.

        Where the host watches, runner and worker share one CPU, and what the runner does when it wakes
        is counted in the window.
        """
        return LOOK_EVERY_S if self.patience < math.inf else QUIET_S

    @property
    def stall_s(self) -> float:
        """After so long without any progress whoever works in a mount counts as hung."""
        return self.patience * self.settings.stall_s

    @property
    def trial_timeout_s(self) -> float:
        """After this long it is ended although it gets on: a listing that never ends, say."""
        return self.patience * (600.0 + 0.01 * int(self.tree["files"]))
