"""passthrough_hp with --nopassthrough: the mirror it is without the kernel's help."""

from __future__ import annotations

from bench.model import Daemon, ReaddirMode, TimeoutControl
from daemons._libfuse import missing, passthrough_hp

DAEMON = Daemon(
    name="passthrough_hp-nopassthrough",
    summary="libfuse's passthrough_hp told to pass nothing through",
    argv=passthrough_hp,
    modes=(ReaddirMode.AUTO,),
    threaded=True,
    timeouts=TimeoutControl.ZERO,
    missing=lambda: missing("passthrough_hp"),
    companions=("native", "plain-c"),
)
