"""Guesses at how long trials take: for a forecast, and for handing out work; never for a result.

Of one virtual machine of two CPUs: good for deciding whether to wait, and for nothing else.
"""

from __future__ import annotations

from bench import registry
from bench.model import Cache, Clock, Shape
from bench.plan.series import Series
from bench.plan.settings import Settings
from workloads import tree

WORKER_S = 0.1
"""What a trial takes apart from its mount and its windows."""
MOUNT_S = {"native": 0.0, "kernel": 0.01, "c": 0.04, "python": 0.14}
ENTRY_S = {"native": 5e-6, "kernel": 7e-6, "c": 10e-6, "python": 20e-6}
"""One entry of a walk, or of what a real program walks."""
EMULATED = 15.0
"""How much longer it takes in an emulated guest on the wall clock."""
BOOT_S, CHECK_S = 15.0, 10.0
"""A boot without its trials; comparing one target with its backing there."""

GUEST_S = {"native": 0.5, "kernel": 1.5, "c": 1.4, "python": 3.2}
"""A trial on the instruction clock: means over 1200 trials of the iops matrix."""
WARM_S = {"native": 0.5, "kernel": 0.6, "c": 2.6, "python": 2.6}
"""More for windows that each visit names of their own in a known state, which must be made known first."""
USUAL_WINDOWS, FIXED = 7, 0.4
"""Windows of these trials, those not timed included; the part of a trial that is none."""
COUNTED_ENTRY_S = 5e-4
"""One entry of a walk beyond the tiny tree's."""
TINY = 1110


def kind_of(series: Series) -> str:
    """What takes alike long: the kernel's own file systems, servers in C, servers in Python."""
    daemon = registry.daemon(series.daemon)
    if daemon.argv is None:
        return "native"
    if not daemon.is_fuse:
        return "kernel"
    return "python" if daemon.python else "c"


def trial_seconds(series: Series, settings: Settings) -> float:
    """About how long one trial takes: in a guest where the run has kernels, else here."""
    if settings.clock == Clock.INSTRUCTIONS:
        return _counted(series, settings)
    return _timed(series, settings) * (EMULATED if settings.kernels else 1)


def _timed(series: Series, settings: Settings) -> float:
    kind, shape = kind_of(series), registry.workloads()[series.workload].shape
    base = WORKER_S + MOUNT_S[kind]
    if shape is Shape.ONCE:
        files = tree.parse_tree(settings.tree).file_count
        # Counted on one mount, timed on another.
        return (base + files * ENTRY_S[kind]) * (2 if kind in ("c", "python") else 1)
    return base + (settings.values + 2) * settings.window_s


def _counted(series: Series, settings: Settings) -> float:
    kind, shape = kind_of(series), registry.workloads()[series.workload].shape
    usual = GUEST_S[kind]
    if shape is Shape.ONCE:
        entries = tree.parse_tree(settings.tree).file_count
        return usual + max(0, entries - TINY) * COUNTED_ENTRY_S
    if shape is Shape.SLICES and series.cache == Cache.WARM:
        usual += WARM_S[kind]
    return usual * (FIXED + (1 - FIXED) * (settings.values + 2) / USUAL_WINDOWS)
