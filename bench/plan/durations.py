"""Guesses at how long trials take: for a forecast, and for handing out work; never for a result."""

from __future__ import annotations

from bench import registry
from bench.model import Shape
from bench.plan.series import Series
from bench.plan.settings import Settings
from workloads import tree

WORKER_S = 0.1
"""What a trial takes apart from its mount and its windows. This and the numbers below are of one
quiet virtual machine of two CPUs: good for deciding whether to wait, and for nothing else."""
MOUNT_S = {"native": 0.0, "kernel": 0.01, "c": 0.04, "python": 0.14}
ENTRY_S = {"native": 5e-6, "kernel": 7e-6, "c": 10e-6, "python": 20e-6}
"""One entry of a walk, or of what a real program walks."""
EMULATED, BOOT_S = 15.0, 40.0
"""How much longer it takes in an emulated guest, and its boot."""


def trial_seconds(series: Series, settings: Settings) -> float:
    """About how long one trial takes on this machine's kernel."""
    workload = registry.workloads()[series.workload]
    daemon = registry.daemon(series.daemon)
    kind = "native" if daemon.argv is None else "kernel"
    if daemon.is_fuse:
        kind = "python" if daemon.python else "c"
    base = WORKER_S + MOUNT_S[kind]
    if workload.shape is Shape.ONCE:
        files = tree.parse_tree(settings.tree).file_count
        # Counted on one mount, timed on another.
        return (base + files * ENTRY_S[kind]) * (2 if daemon.is_fuse else 1)
    return base + (settings.values + 2) * settings.window_s
