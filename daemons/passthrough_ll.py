"""passthrough_ll: libfuse's example on its low-level API; it passes nothing through."""

from __future__ import annotations

from bench.model import Daemon, ReaddirMode, TimeoutControl
from daemons._libfuse import missing, passthrough_ll

DAEMON = Daemon(
    name="passthrough_ll",
    summary="libfuse's example on the low-level API: a mirror, no passthrough",
    argv=passthrough_ll,
    modes=(ReaddirMode.AUTO,),
    threaded=True,
    timeouts=TimeoutControl.ONE,
    missing=lambda: missing("passthrough_ll"),
    companions=("native", "plain-c"),
)
