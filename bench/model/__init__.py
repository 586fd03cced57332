"""The words of the project as types: what a daemon, a workload, a trial and its proof are.

Everything here is a frozen value without behaviour that touches the machine; daemons and
workloads import this module and nothing else of ``bench``.
"""

from __future__ import annotations

from bench.model.daemon import (
    NOT_KNOWN,
    Daemon,
    DaemonOptions,
    Delay,
    Exemption,
    Serving,
    TimeoutControl,
)
from bench.model.series import (
    Requests,
    ServedAs,
    Target,
)
from bench.model.words import (
    LIBFUSE_EXAMPLES,
    SCHEMA,
    TWIN,
    Cache,
    Clock,
    Exit,
    Group,
    Level,
    Opcode,
    Order,
    Outcome,
    Placement,
    ReaddirMode,
    Sync,
    UserError,
    Verdict,
    XattrWay,
)
from bench.model.workload import (
    FOREVER,
    FOREVER_S,
    TIMEOUT_MAX_S,
    Body,
    Bound,
    Context,
    Fixture,
    Lacking,
    Shape,
    Timeouts,
    Window,
    Workload,
)

__all__ = [
    "FOREVER",
    "FOREVER_S",
    "LIBFUSE_EXAMPLES",
    "NOT_KNOWN",
    "SCHEMA",
    "TIMEOUT_MAX_S",
    "TWIN",
    "Body",
    "Bound",
    "Cache",
    "Clock",
    "Context",
    "Daemon",
    "DaemonOptions",
    "Delay",
    "Exemption",
    "Exit",
    "Fixture",
    "Group",
    "Lacking",
    "Level",
    "Opcode",
    "Order",
    "Outcome",
    "Placement",
    "ReaddirMode",
    "Requests",
    "ServedAs",
    "Serving",
    "Shape",
    "Sync",
    "Target",
    "TimeoutControl",
    "Timeouts",
    "UserError",
    "Verdict",
    "Window",
    "Workload",
    "XattrWay",
]
