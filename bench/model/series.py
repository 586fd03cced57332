"""What is measured: targets, series, trials, and the requests counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.model.daemon import AS_USUAL, Serving
from bench.model.words import Cache, Level, Opcode, Placement

Way = tuple[str, Level, bool, Serving]
"""Daemon, level asked of it, whether listings are to be passed through, how it serves."""


@dataclass(frozen=True)
class Target:
    """A daemon as a run uses it: the level asked of it and whether readdir is to be passed through.

    ``name`` is the daemon's where there is one such target of it, else ``daemon:level`` and so on.
    """

    name: str
    daemon: str
    asked: Level
    readdir: bool = True
    serving: Serving = AS_USUAL

    @property
    def way(self) -> Way:
        """What makes the target, apart from its name."""
        return self.daemon, self.asked, self.readdir, self.serving


@dataclass(frozen=True)
class Series:
    """Trials that differ only in repetition: one line in a chart. ``label`` is unique in a run.

    ``target`` is the target's name, with ``@kernel`` where a run has several kernels.
    """

    target: str
    daemon: str
    workload: str
    variant: str
    cache: Cache
    attr_timeout: float
    entry_timeout: float
    threads: int
    placement: Placement
    level: Level
    """The level in force on this kernel, not the one asked for."""
    asked: Level
    readdir: bool
    kernel: str = ""
    """Label of the kernel it ran on; empty for the one the runner runs on."""
    serving: Serving = AS_USUAL
    entries: int = 0
    """Directory size, for workloads that have that axis; else 0."""

    @property
    def way(self) -> Way:
        """What makes its target, apart from the name."""
        return self.daemon, self.asked, self.readdir, self.serving

    @property
    def row(self) -> str:
        """Workload and variant as tables name them, e.g. ``getattr-storm/fd``."""
        return f"{self.workload}/{self.variant}" if self.variant else self.workload

    @property
    def label(self) -> str:
        """File name (without suffix) of the series, and name of its pyperf benchmark."""
        return f"{self.comparison}--{self.target}"

    @property
    def comparison(self) -> str:
        """What series that are compared with one another share: the label without the target."""
        parts = [
            self.workload,
            self.variant,
            self.cache.value,
            f"t{self.threads}",
            f"to{self.attr_timeout:g}-{self.entry_timeout:g}",
            f"n{self.entries}" if self.entries else "",
        ]
        return "--".join(part for part in parts if part)


@dataclass(frozen=True)
class Trial:
    """One line of the plan: which series, which round, and when in the round it comes.

    ``attempt`` is 1 for what is measured again because something else disturbed the first.
    """

    series: Series
    round: int
    position: int
    seed: int
    attempt: int = 0


@dataclass(frozen=True)
class Requests:
    """Requests by opcode over ``ops`` operations of a counting pass.

    ``kernel`` comes from the fuse:fuse_request_send tracepoint, ``server`` from the shim's own
    counters; either is None where that source does not exist (the reason is in ``why``).
    """

    ops: int
    kernel: Mapping[Opcode, int] | None
    server: Mapping[Opcode, int] | None
    why: str = ""
