"""passthrough_hp: libfuse's example that passes reads and writes through (libfuse 3.17)."""

from __future__ import annotations

from bench.model import Daemon, Level, ReaddirMode, TimeoutControl
from daemons._claims import claims
from daemons._libfuse import missing, passthrough_hp

DAEMON = Daemon(
    name="passthrough_hp",
    summary="libfuse's example with read/write passthrough",
    argv=passthrough_hp,
    levels=(Level.NONE, Level.RW),
    claims=claims,
    twin="passthrough_hp-nopassthrough",
    modes=(ReaddirMode.AUTO,),
    threaded=True,
    timeouts=TimeoutControl.ZERO,
    missing=lambda: missing(
        "passthrough_hp", "--nopassthrough", "take libfuse 3.17, or passthrough_hp-nopassthrough"
    ),
    companions=("native", "plain-c", "passthrough_hp-nopassthrough"),
)
