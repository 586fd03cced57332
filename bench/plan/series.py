"""Series and trials: what a plan is made of."""

from __future__ import annotations

from dataclasses import dataclass

from bench.axes.rowkey import RowKey
from bench.model import Cache, Level, Placement, ServedAs, Serving, Timeouts
from bench.model.daemon import AS_USUAL


@dataclass(frozen=True)
class Series:
    """Trials that differ only in repetition: one line in a chart. ``label`` is unique in a run.

    ``target`` is the target's name, with ``@kernel`` where a run has several kernels.
    """

    target: str
    daemon: str
    key: RowKey
    """The row it is in: what series that are compared with one another share."""
    level: Level
    """The level in force on this kernel, not the one asked for."""
    asked: Level
    readdir: bool
    kernel: str = ""
    """Label of the kernel it ran on; empty for the one the runner runs on."""
    serving: Serving = AS_USUAL

    @property
    def way(self) -> ServedAs:
        """What makes its target, apart from the name."""
        return self.daemon, self.asked, self.readdir, self.serving

    @property
    def label(self) -> str:
        """File name (without suffix) of the series, and name of its pyperf benchmark."""
        return f"{self.key.label}--{self.target}"

    @property
    def workload(self) -> str:
        """Name of the workload."""
        return self.key.workload

    @property
    def variant(self) -> str:
        """The way it is done; empty where there is one."""
        return self.key.variant

    @property
    def row(self) -> str:
        """Workload and variant, e.g. ``getattr-storm/fd``."""
        return self.key.work

    @property
    def cache(self) -> Cache:
        """What is cached when a window opens."""
        return self.key.cache

    @property
    def threads(self) -> int:
        """Threads of the client."""
        return self.key.threads

    @property
    def entries(self) -> int:
        """Directory size; 0 where that is no axis of the workload."""
        return self.key.entries

    @property
    def placement(self) -> Placement:
        """Which CPUs client and daemon are on."""
        return self.key.placement

    @property
    def timeouts(self) -> Timeouts:
        """Asked of the mount."""
        found = self.key.timeouts
        assert found is not None, "a plan knows its timeouts"
        return found


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
