"""What is measured: targets, series, trials, and the requests counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.model.daemon import AS_USUAL, Serving
from bench.model.words import Level, Opcode

ServedAs = tuple[str, Level, bool, Serving]
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
    def way(self) -> ServedAs:
        """What makes the target, apart from its name."""
        return self.daemon, self.asked, self.readdir, self.serving


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
