"""Mounts beside the trials' own: as trials use them, for what must not touch a timed mount."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench import registry
from bench.machine import isolate
from bench.mounts.mount import Mount
from bench.plan.schedule import options
from bench.plan.series import Series
from bench.run.bench import Bench


@contextmanager
def mounted(
    bench: Bench, series: Series, purpose: str, timeout_s: float, *, count: bool = False
) -> Iterator[Mount]:
    """A mount of a series' target with both timeouts ``timeout_s``; raises TrialError.

    ``count`` has the shim count into a file, where the server has one. Whatever happens inside,
    nothing stays mounted.
    """
    daemon = registry.daemon(series.daemon)
    name = f"{purpose}-{series.target}"
    counters = isolate.runtime() / f"{name}.counters" if count and daemon.has_counters else None
    chosen = replace(
        options(series), attr_timeout=timeout_s, entry_timeout=timeout_s, counters=counters
    )
    mount = Mount(daemon, bench.backing, isolate.runtime() / name, chosen)
    mount.start, mount.patience = bench.start_daemon, bench.patience
    try:
        mount.up(bench.cpus.daemon, bench.logs / f"{name}.log", bench.tick)
        yield mount
        mount.down()
    except BaseException:
        mount.destroy()
        raise
    finally:
        if counters is not None:
            counters.unlink(missing_ok=True)
