"""The directory itself, without FUSE: the floor every other target is compared with."""

from __future__ import annotations

from bench.model import Daemon

DAEMON = Daemon(
    name="native",
    summary="the backing directory itself, no FUSE: the floor",
    argv=None,
)
